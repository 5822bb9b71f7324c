"""Models and metrics that users bring: what they are, and the checks of what they must be.

A model is any JAX function `logit(params, x)` of a tree of parameters and ONE sample x. A `Slice`
lays the grid of (a, b) through its parameters, as in Li et al. (2018), Visualizing the Loss
Landscape of Neural Nets. A metric is any JAX function `metric(z, y)` of one logit and its label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sweep.base.errors import InputError
from sweep.data.sample import Batch, Sample
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Counting, Smooth
from sweep.populations import Population

Params = Any
"""A tree of parameters: arrays and floats in dicts, lists, tuples or any other pytree of JAX."""

Logit = Callable[[Params, Any], Any]
"""A JAX function (params, x) -> z of one sample x of shape (...), z a scalar."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Slice:
    """A model and the plane through its parameters on which a landscape is computed.

    Attributes:
        logit: JAX function (params, x) -> z of ONE sample x, z a scalar; class 1 is predicted
            iff z > 0. Wrap a function of a batch: `lambda params, x: logit(params, x[None])[0]`.
        origin: the parameters at (a, b) = (0, 0): a tree of floats and arrays of floats.
        directions: two trees of the same structure; a and b are steps along them.

    Raises:
        InputError: logit is not a function, or a direction differs from the origin in structure or
            shape. The message names the parameter.
    """

    logit: Logit
    origin: Params
    directions: tuple[Params, Params]

    def __init__(self, logit: Logit, origin: Params, directions: Sequence[Params]) -> None:
        if not callable(logit) or not _is_hashable(logit):
            raise InputError(
                f"logit is a {type(logit).__name__}; a function is needed, such as "
                "lambda params, x: params['w'] @ x"
            )
        if not isinstance(directions, (tuple, list)) or len(directions) != 2:
            raise InputError("directions must be a tuple of two trees, one for a and one for b")
        _require_floats("origin", origin)
        for k, direction in enumerate(directions):
            _require_form(f"directions[{k}]", direction, origin)
            _require_floats(f"directions[{k}]", direction)
        self.__dict__.update(logit=logit, origin=origin, directions=tuple(directions))

    def __repr__(self) -> str:
        return f"Slice(logit={getattr(self.logit, '__name__', self.logit)!s})"

    def at(self, a: Any, b: Any) -> Params:
        """The parameters of the cell (a, b): a tree like the origin."""
        return place(self.origin, self.directions, a, b)


def place(origin: Params, directions: tuple[Params, Params], a: Any, b: Any) -> Params:
    """Parameters origin + a * directions[0] + b * directions[1], leaf by leaf."""
    return jax.tree.map(lambda o, da, db: o + a * da + b * db, origin, *directions)


@dataclass(frozen=True)
class PerSample:
    """The mean over the samples of a function of one logit and its label."""

    name: str  # the function's name, and the variable's name in a landscape
    function: Callable[[Any, Any], Any]  # JAX function (z, y) -> scalar of one logit and its label
    long_name: str  # label of an axis in figures
    units: str = "unit of the metric"  # unknown here
    source: str = "metric(z, y) of the caller, mean over the samples"  # origin of the formula


LandscapeMetric = Smooth | Counting | PerSample
"""Any metric that a landscape can have."""


def described(metric: LandscapeMetric, end: str = "") -> dict[str, Any]:
    """Attributes of the variable of a metric, the end of whose long name says what it holds."""
    return {
        "units": metric.units,
        "long_name": metric.long_name + end,
        "source": metric.source,
        "kind": "counting" if isinstance(metric, Counting) else "smooth",
    }


def per_sample(function: Callable[[Any, Any], Any]) -> PerSample:
    """The metric that a user's function defines, named after the function."""
    name = getattr(function, "__name__", "")
    if not name.isidentifier() or not _is_hashable(function):
        raise InputError(
            f"the metric {name or repr(function)} has no name to label its values; define it "
            "as a function, def name(z, y)"
        )
    if name in ("a", "b", "correct"):
        raise InputError(
            f"a metric cannot be called {name!r}, because every landscape has a variable of that "
            "name; choose another name"
        )
    return PerSample(name, function, long_name=name.replace("_", " "))


def as_batch(data: Sample | Sketch | Batch | Measure | Population | tuple) -> Batch:
    """The samples on which a user's model or metric is evaluated."""
    if isinstance(data, Sample):
        data = Batch(data.x, data.y, data.weight)
    elif isinstance(data, tuple) and len(data) in (2, 3):
        data = Batch(*data)
    if not isinstance(data, Batch):
        raise TypeError(
            f"data is a {type(data).__name__}; a model or metric of your own needs the samples: "
            "give (X, y), (X, y, weight) or sweep.Sample(x, y)"
        )
    if len(data) == 0:
        raise InputError("the sample has no points, so no metric is defined; give at least one")
    return data


def _is_hashable(function: Any) -> bool:
    try:
        hash(function)
    except TypeError:  # such as a frozen record that holds arrays
        return False
    return True


def _require_floats(name: str, tree: Params) -> None:
    """Refuses parameters that are not finite floats."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    if not leaves:
        raise InputError(f"{name} has no parameters; a tree of floats is needed")
    for path, leaf in leaves:
        leaf_name = name + jax.tree_util.keystr(path)
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
        if not isinstance(leaf, (int, float)) and not jnp.issubdtype(dtype, jnp.floating):
            raise InputError(
                f"{leaf_name} has dtype {dtype}; parameters must be floats, so keep anything else "
                "inside logit"
            )
        array = np.asarray(leaf)
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)][0]
            raise InputError(f"{leaf_name} holds {bad}, which is not finite; give finite numbers")


def _require_form(name: str, direction: Params, origin: Params) -> None:
    """Refuses a direction whose tree or shapes differ from those of the origin."""
    remedy = "make it by jax.tree.map over the origin"
    if jax.tree.structure(direction) != jax.tree.structure(origin):
        raise InputError(f"{name} is not a tree of the same structure as the origin; {remedy}")
    pairs = zip(
        jax.tree_util.tree_leaves_with_path(origin), jax.tree.leaves(direction), strict=True
    )
    for (path, leaf), other in pairs:
        if np.shape(leaf) != np.shape(other):
            where = jax.tree_util.keystr(path)
            raise InputError(
                f"{name}{where} has shape {np.shape(other)}, but origin{where} has "
                f"{np.shape(leaf)}; {remedy}"
            )


def require_scalars(
    logit: Logit,
    origin: Params,
    metrics: Sequence[LandscapeMetric],
    x: jax.ShapeDtypeStruct,
    dtype: str,
) -> None:
    """Refuses a model or a metric that is not a real scalar function of one sample."""
    scalar = jax.ShapeDtypeStruct((), dtype)
    _require_scalar(
        partial(jax.eval_shape, jax.jit(logit), origin, x),
        f"logit(params, x) of one sample x of shape {x.shape}",
        "; if it takes a batch, give lambda params, x: logit(params, x[None])[0]",
        (jnp.floating,),
    )
    for metric in metrics:
        if isinstance(metric, PerSample):
            _require_scalar(
                partial(jax.eval_shape, metric.function, scalar, scalar),
                f"{metric.name}(z, y) of one logit and its label",
                "",
                (jnp.floating, jnp.integer, jnp.bool_),
            )


def _require_scalar(
    trace: Callable[[], Any], what: str, remedy: str, kinds: tuple[Any, ...]
) -> None:
    """Refuses a function whose traced result is no scalar of one of the kinds."""
    try:
        result = trace()
    except Exception as error:  # a user's code may raise anything
        reason = " ".join(str(error).split()) or "no reason given"
        raise InputError(f"{what} raises {type(error).__name__}: {reason}{remedy}") from error
    if not hasattr(result, "shape"):
        fault = f"a {type(result).__name__}, not a scalar"
    elif result.shape != ():
        fault = f"shape {result.shape}, not a scalar"
    elif not any(jnp.issubdtype(result.dtype, kind) for kind in kinds):
        fault = f"{result.dtype}, not a real number"
    else:
        return
    raise InputError(f"{what} returns {fault}{remedy}")
