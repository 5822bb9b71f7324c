"""landscape(): plan, compute, label. Metrics over a grid of (a, b)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from sweep.base import storage
from sweep.base.errors import InputError
from sweep.base.families import Family
from sweep.base.grid import DEFAULT_AXIS, Grid, axis
from sweep.base.memory import LEAST_BUDGET, MEMORY_BUDGET
from sweep.data.sample import Batch, Sample
from sweep.landscapes.models import PerSample, Slice, as_batch, per_sample, require_slice
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Counting, Smooth, metric
from sweep.populations import Population

if TYPE_CHECKING:
    import xarray as xr

    from sweep.landscapes.prepare import LandscapeTask
    from sweep.landscapes.prepared import Prepared
    from sweep.landscapes.smooth import GridPart

METHODS = ("auto", "direct", "compressed")
DTYPES = ("float64", "float32")

Metric = Smooth | Counting | PerSample
Asked = str | Smooth | Counting | Family | Callable[..., Any]
"""A metric by its name, itself, a family for its defaults, or a function of a logit and a label."""


def landscape(
    data: Sample | Sketch | Measure | Population | Batch | tuple,
    a: str | ArrayLike = DEFAULT_AXIS,
    b: str | ArrayLike = DEFAULT_AXIS,
    metrics: Asked | Sequence[Asked] = ("cross_entropy", "accuracy"),
    *,
    model: Slice | None = None,
    tolerance: float = 1e-9,
    method: str = "auto",
    dtype: str = "float64",
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> xr.Dataset:
    """Metrics of p = sigmoid(a*x + b) in every cell of a grid of slopes a and intercepts b.

    The logit is z = fl(fl(a*x) + b) in float64, and class 1 is predicted iff z > 0. Counts are
    exact in every cell, ties included (see `sweep.measure.cuts`).

    With `model`, the same of p = sigmoid(logit(params, x)) on a slice through its parameters: a and
    b count along the two directions, z is what the model computes, and no bound on its rounding is
    known, so that `tolerance` and `method` are not used and `error_bound` is nan.

    Of a population, n = infinity, the metrics are expectations, by quadrature: the slopes decide
    how fine, and `error_bound` includes it. Counting metrics that divide by a mass which a cut may
    make as small as it likes, precision and mcc, then have no bound. The bound holds if the density
    of x and P(y = 1 | x) have no undeclared feature that is narrower than what the panels of the
    quadrature see, which are compared with the law at some thousands of x.

    Args:
        data: the sample, population or measure; with a model or a metric of your own also (X, y) or
            (X, y, weight), X of shape (n, ...).
        a: slopes, P points: text such as "-5:5:101" (both ends included; ":log" for geometric
            spacing; "0,1,2.5" for a list), a number or an array.
        b: intercepts, Q points, likewise.
        metrics: names from `sweep.metrics.metrics.METRICS`, with parameters as in
        "focal(gamma=3)"; metrics
            themselves, such as `sweep.metrics.metrics.METRICS["focal"](3)`; and JAX functions
            `metric(z, y)` of the logit and the label of one sample, which are averaged over the
            samples and named by their `__name__`.
        model: the model and its slice; None is the logistic model.
        tolerance: largest error accepted in a smooth metric, as a multiple of max(1, value).
        method: "direct" sums over every point in every cell, at a cost of cells x points;
            "compressed" reads the points once (see `sweep.landscapes.compressed`); "auto" takes
            the cheaper.
            Either keeps the tolerance or refuses. A `Measure` keeps its compression for the next
            grid; a `Sample` does not.
        dtype: "float64" or "float32", in which the direct method computes losses, and a model. The
            compressed method is in float64, and counts of the logistic model are exact.
        memory_budget: bytes that may be used beyond input and output.
        progress: whether to show progress bars on stderr for what takes more than two seconds;
            None shows them on a terminal only.
        out: a Zarr store, `.zarr`, that the landscape is written to tile by tile, so that it may be
            larger than memory; None keeps it in memory.
        force: overwrites what is there.

    Returns:
        A Dataset with dims `a` (P,) and `b` (Q,) and a float64 variable for each metric, named as
        the metric: `cross_entropy` in nats, `accuracy` as a fraction. For hard labels without
        weights, `accuracy` comes with `correct`, the int64 count of correct predictions.
        Attributes say what it was computed from, on what device and how: `n`, inf for a population
        and then `population`, its name, and `quadrature_note`, under
        what condition the bound holds; `method`; `error_bound`,
        on |error| / max(1, value), of each variable and the largest of all that are known; the
        seconds of each stage, with compilation apart; and for a compression the numbers of `bins`
        and `nodes`, and `observed_error`, the largest error seen by
        `sweep.landscapes.verification` in
        `checked_cells` cells against sums over `checked_points` points.

    Raises:
        InputError: an axis or metric is not understood, there are no points, the result would not
            fit into memory or cannot be written, the tolerance cannot be met, or JAX finds no
            device; a model or metric of your own is not a scalar function of one sample, or a logit
            is nan.
        TypeError: data is of a kind that is not known, or has no samples where they are needed.
    """
    task = _task(a, b, metrics, tolerance, method, dtype, memory_budget, progress, reuse=True)
    if out is not None:
        storage.require_tiles(out)
        storage.require_free(out, force=force)
        from sweep.landscapes import out_of_core

        prepared = _prepared(task, data, model)
        return out_of_core.landscape(prepared, out, memory_budget, progress, force=force)
    variables = len(task.metrics) + any(m.name == "accuracy" for m in task.metrics)
    task.grid.require_room(variables, ", or have it written to a .zarr (out)")
    prepared = _prepared(task, data, model)
    found = prepared.part(slice(None), slice(None), progress)
    return _labelled(prepared, found)


def prepare(
    data: Sample | Sketch | Measure | Population | Batch | tuple,
    a: str | ArrayLike = DEFAULT_AXIS,
    b: str | ArrayLike = DEFAULT_AXIS,
    metrics: Asked | Sequence[Asked] = ("cross_entropy", "accuracy"),
    *,
    model: Slice | None = None,
    tolerance: float = 1e-9,
    method: str = "auto",
    dtype: str = "float64",
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = False,
) -> Prepared:
    """What `landscape` does before the first cell; any tile of the grid can then be had.

    Nothing depends on what else the data are used for, before or after: the same arguments give the
    same tiles to the bit.

    Args:
        data: as for `landscape`, and so are all others.
        a: slopes of the whole grid.
        b: intercepts of the whole grid.
        metrics: as for `landscape`.
        model: as for `landscape`.
        tolerance: as for `landscape`.
        method: as for `landscape`; "auto" chooses for the whole grid.
        dtype: as for `landscape`.
        memory_budget: bytes that may be used beyond input and output.
        progress: whether to show a bar while points are read.

    Returns:
        The landscape, to be had by `tile(rows, columns)`.

    Raises:
        InputError: as `landscape` does, but for what a model does in a cell.
        TypeError: likewise.
    """
    task = _task(a, b, metrics, tolerance, method, dtype, memory_budget, progress, reuse=False)
    return _prepared(task, data, model)


def _task(
    a: str | ArrayLike,
    b: str | ArrayLike,
    metrics: Asked | Sequence[Asked],
    tolerance: float,
    method: str,
    dtype: str,
    memory_budget: int,
    progress: bool | None,
    *,
    reuse: bool,
) -> LandscapeTask:
    """The arguments, understood."""
    grid = Grid(axis(a, "a"), axis(b, "b"))
    wanted = _wanted(metrics)
    dtype = getattr(dtype, "__name__", dtype)  # numpy.float32 and jax.numpy.float32 have one
    _require_known("method", method, METHODS)
    _require_known("dtype", dtype, DTYPES)
    memory_budget = int(_number("memory_budget", memory_budget))
    if memory_budget < LEAST_BUDGET:
        raise InputError(f"memory budget is {memory_budget} bytes; at least 1 MiB is needed")
    if not 0 < _number("tolerance", tolerance) < math.inf:
        raise InputError(f"tolerance is {tolerance!r}; a positive number is needed")
    # jax takes a second to load: the first call pays for it, `import sweep` does not.
    from sweep.landscapes.prepare import LandscapeTask

    return LandscapeTask(
        grid, tuple(wanted), tolerance, method, dtype, memory_budget, progress, reuse
    )


def _prepared(
    task: LandscapeTask,
    data: Sample | Sketch | Measure | Population | Batch | tuple,
    model: Slice | None,
) -> Prepared:
    if model is None:
        return task.of_line(data)
    require_slice(model)
    return task.of_model(model, as_batch(data))


def _labelled(prepared: Prepared, found: GridPart) -> xr.Dataset:
    import xarray as xr

    attributes = prepared.variables
    return xr.Dataset(
        {name: (("a", "b"), found.values[name], attributes[name]) for name in prepared.names},
        coords=prepared.coordinates,
        attrs=prepared.history(found.observed_error),
    )


def _wanted(metrics: Asked | Sequence[Asked]) -> list[Metric]:
    if isinstance(metrics, (str, Smooth, Counting)) or callable(metrics):
        return [_metric(metrics)]
    if not isinstance(metrics, Iterable):
        raise InputError(f"metrics is {metrics!r}; name a metric, or several in a list")
    found = [_metric(one) for one in metrics]
    if not found:
        raise InputError("no metric was asked for; name at least one")
    wanted = {one.name: one for one in found}
    for one in found:
        if one != wanted[one.name]:
            raise InputError(f"two metrics are called {one.name!r}; give each a name of its own")
    return list(wanted.values())


def _metric(asked: Asked) -> Metric:
    if not isinstance(asked, (str, Smooth, Counting)) and not callable(asked):
        raise InputError(f"a metric is {asked!r}; a name or a function metric(z, y) is needed")
    if callable(asked) and not isinstance(asked, Family):
        return per_sample(asked)
    return metric(asked)


def _number(name: str, value: Any) -> float:
    if isinstance(value, Real) and not math.isnan(value):
        return float(value)
    raise InputError(f"{name} is {value!r}; a number is needed")


def _require_known(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"there is no {option} {value!r}; the known ones are {', '.join(known)}")
