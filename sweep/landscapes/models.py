"""Models and metrics of the user's own: what they must be.

A model is any JAX function `logit(params, x)` of a tree of parameters and ONE sample x. A `Slice`
lays the grid of (a, b) through its parameters, as Li et al. (2018), Visualizing the Loss Landscape
of Neural Nets, do: params(a, b) = origin + a * directions[0] + b * directions[1], leaf by leaf.
A metric is any JAX function `metric(z, y)` of one logit and its label. Both are evaluated by
`sweep.landscapes.model_kernel`; only the checks here need jax, and load it when they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.base.errors import InputError
from sweep.data.sample import Batch, Sample
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.populations import Population

Params = Any
"""A tree of parameters: arrays and floats in dicts, lists, tuples or what JAX takes for a node."""

Logit = Callable[[Params, Any], Any]
"""A JAX function (params, x) -> z of one sample x of shape (...), z a scalar."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Slice:
    """A model and the plane through its parameters on which a landscape is computed.

    Attributes:
        logit: JAX function (params, x) -> z of ONE sample x, z a scalar: class 1 is predicted
            iff z > 0. For a function of a batch give `lambda params, x: logit(params, x[None])[0]`.
        origin: the parameters at (a, b) = (0, 0): a tree of floats and arrays of floats.
        directions: two trees of the same form, along which a and b count.

    Raises:
        InputError: logit is not a function, or a direction is not of the origin's form. The
            sentence names the parameter.
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
        object.__setattr__(self, "logit", logit)
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "directions", tuple(directions))

    def __repr__(self) -> str:
        return f"Slice(logit={getattr(self.logit, '__name__', self.logit)!s})"

    def at(self, a: Any, b: Any) -> Params:
        """The parameters of the cell (a, b): a tree like the origin."""
        return place(self.origin, self.directions, a, b)


def place(origin: Params, directions: tuple[Params, Params], a: Any, b: Any) -> Params:
    """Parameters origin + a * directions[0] + b * directions[1], leaf by leaf."""
    import jax

    return jax.tree.map(lambda o, da, db: o + a * da + b * db, origin, *directions)


@dataclass(frozen=True)
class PerSample:
    """The mean over the samples of a function of one logit and its label.

    Attributes:
        name: the variable's name in a landscape: that of the function.
        function: JAX function (z, y) -> scalar of one logit and its label.
        long_name: what figures write on an axis.
        units: only the caller knows.
        source: where the formula stands.
    """

    name: str
    function: Callable[[Any, Any], Any]
    long_name: str
    units: str = "unit of the metric"
    source: str = "metric(z, y) of the caller, mean over the samples"


def require_slice(model: object) -> None:
    """Refuses with the remedy what a user may take for a model."""
    if not isinstance(model, Slice):
        raise InputError(
            f"model is a {type(model).__name__}; give sweep.Slice(logit, origin, directions)"
        )


def per_sample(function: Callable[[Any, Any], Any]) -> PerSample:
    """A metric of the user's own, named after its function.

    Raises:
        InputError: the function has no name, or one that a landscape cannot use.
    """
    name = getattr(function, "__name__", "")
    if not name.isidentifier() or not _is_hashable(function):
        raise InputError(
            f"the metric {name or repr(function)} has no name to label its values by; define it "
            "as a function, def name(z, y)"
        )
    if name in ("a", "b", "correct"):
        raise InputError(f"a metric cannot be called {name!r}, which a landscape has already")
    return PerSample(name, function, long_name=name.replace("_", " "))


def as_batch(data: Sample | Sketch | Batch | Measure | Population | tuple) -> Batch:
    """The samples that a model or a metric of the user's own is evaluated on.

    Raises:
        InputError: the columns are not what a `Batch` takes, or hold no sample.
        TypeError: data is of another kind.
    """
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
        raise InputError("the sample has no points, so its metrics are means over nothing")
    return data


def _is_hashable(function: Any) -> bool:
    if not isinstance(function, Hashable):
        return False
    try:
        hash(function)
    except TypeError:  # a frozen record that holds arrays
        return False
    return True


def _require_floats(name: str, tree: Params) -> None:
    import jax
    import jax.numpy as jnp

    leaves = jax.tree_util.tree_leaves_with_path(tree)
    if not leaves:
        raise InputError(f"{name} has no parameters; a tree of floats is needed")
    for path, leaf in leaves:
        place = name + jax.tree_util.keystr(path)
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
        if not isinstance(leaf, (int, float)) and not jnp.issubdtype(dtype, jnp.floating):
            raise InputError(
                f"{place} has dtype {dtype}; parameters are floats, and logit may hold anything "
                "else"
            )
        array = np.asarray(leaf)
        if not np.isfinite(array).all():
            raise InputError(f"{place} holds {array[~np.isfinite(array)][0]}, which is not finite")


def _require_form(name: str, direction: Params, origin: Params) -> None:
    import jax

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
