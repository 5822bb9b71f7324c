"""`landscape()` and `prepare()`: arguments are checked here, then metrics computed and labelled.

Both end in a `Prepared`, which computes any tile of the grid. `landscape` computes the whole grid
as one tile in memory, or tile by tile on disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import xarray as xr
from numpy.typing import ArrayLike

from sweep.base import storage
from sweep.base.errors import InputError
from sweep.base.families import Family
from sweep.base.files import require_free
from sweep.base.grid import Grid
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.ranges import DEFAULT_AXIS, axis
from sweep.data.sample import Batch, Sample
from sweep.landscapes import out_of_core
from sweep.landscapes.models import LandscapeMetric, Slice, as_batch, per_sample
from sweep.landscapes.prepared import Prepared, prepare_logistic, prepare_model
from sweep.landscapes.smooth import LandscapeSettings
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Counting, Smooth, metric
from sweep.populations import Population

MetricArgument = str | Smooth | Counting | Family | Callable[..., Any]
"""A metric, its name, a family (with its defaults), or a function of a logit and a label."""


def landscape(
    data: Sample | Sketch | Measure | Population | Batch | tuple,
    a: str | ArrayLike = DEFAULT_AXIS,
    b: str | ArrayLike = DEFAULT_AXIS,
    metrics: MetricArgument | Sequence[MetricArgument] = ("cross_entropy", "accuracy"),
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
    exact in every cell, ties included (see `sweep.measure.confusion`).

    With `model`, the metrics are those of p = sigmoid(logit(params, x)) on a slice through its
    parameters: a and b are steps along the two directions. No bound on the rounding of the model is
    known, so `tolerance` and `method` are not used and `error_bound` is nan.

    For a population (n = infinity) the metrics are expectations, computed by quadrature, whose
    error `error_bound` includes. Precision and mcc divide by a mass that some cuts make arbitrarily
    small, so they have no bound. The bound holds if the density of x and P(y = 1 | x) have no
    undeclared feature narrower than the panels of the quadrature resolve; the panels are compared
    with the law at thousands of x.

    Args:
        data: a sample, population, sketch or measure; for a model or metric of your own a sample,
            a batch, (X, y) or (X, y, weight), X of shape (n, ...).
        a: slopes, P points: text such as "-5:5:101" (both ends included; ":log" for geometric
            spacing; "0,1,2.5" for a list), a number or an array.
        b: intercepts, Q points, in the same forms.
        metrics: names from `sweep.metrics.metrics.METRICS`, with parameters as in
            "focal(gamma=3)"; metrics, such as `sweep.metrics.metrics.METRICS["focal"](3)`; and JAX
            functions `metric(z, y)` of one logit and its label, which are averaged over the
            samples and named by their `__name__`.
        model: the model and its slice; None is the logistic model.
        tolerance: largest error accepted in a smooth metric, as a multiple of max(1, value).
        method: "direct" sums over every point in every cell, at a cost of cells x points;
            "compressed" reads the points once (see `sweep.landscapes.compressed`); "auto" takes
            the cheaper one. Both keep the tolerance or refuse. A `Measure` keeps its compression
            for the next grid; a `Sample` does not.
        dtype: "float64" or "float32", for losses of the direct method and for a model. The
            compressed method is always in float64, and counts of the logistic model are exact.
        memory_budget: bytes that may be used beyond input and output.
        progress: whether to show progress bars on stderr for work of more than two seconds; None
            shows them on a terminal only.
        out: a Zarr store, `.zarr`, that the landscape is written to tile by tile, so that it may be
            larger than memory; None keeps it in memory.
        force: overwrites an existing store.

    Returns:
        A Dataset with dims `a` (P,) and `b` (Q,) and a float64 variable for each metric, named as
        the metric: `cross_entropy` in nats, `accuracy` as a fraction. For hard labels without
        weights, `accuracy` comes with `correct`, the int64 count of correct predictions.

        Attributes record data, device and method: `n` (inf for a population, with its name in
        `population` and the condition of its bound in `quadrature_note`); `method`; `error_bound`
        on |error| / max(1, value), of each variable and the largest of those that are known; and
        the seconds of each stage, compilation apart. A compression adds its numbers of `bins` and
        `nodes`, and `observed_error`, the largest error that its check saw in `checked_cells` cells
        against sums over `checked_points` points.

    Raises:
        InputError: an axis or metric is malformed, there are no points, the result would not fit
            into memory or cannot be written, the tolerance cannot be kept, or JAX finds no device;
            a model or metric of your own is not a scalar function of one sample, or a logit is nan.
        TypeError: data is of an unknown kind, or has no samples for a model or metric of your own.
    """
    settings = LandscapeSettings(
        Grid(axis(a, "a"), axis(b, "b")), _metrics(metrics), tolerance, method, dtype,
        memory_budget, progress, reuse=True
    )  # fmt: skip
    if out is not None:
        storage.require_zarr(out)
        require_free(out, force=force)
        prepared = _prepare(settings, data, model)
        return out_of_core.landscape(prepared, out, memory_budget, progress, force=force)
    variables = len(settings.metrics) + any(m.name == "accuracy" for m in settings.metrics)
    settings.grid.require_room(variables, ", or write the result to a .zarr (out)")
    prepared = _prepare(settings, data, model)
    tile = prepared.compute(slice(None), slice(None), progress)
    attributes = prepared.variables
    return xr.Dataset(
        {name: (("a", "b"), tile.values[name], attributes[name]) for name in prepared.names},
        coords=prepared.coordinates,
        attrs=prepared.final_attributes(tile.observed_error),
    )


def prepare(
    data: Sample | Sketch | Measure | Population | Batch | tuple,
    a: str | ArrayLike = DEFAULT_AXIS,
    b: str | ArrayLike = DEFAULT_AXIS,
    metrics: MetricArgument | Sequence[MetricArgument] = ("cross_entropy", "accuracy"),
    *,
    model: Slice | None = None,
    tolerance: float = 1e-9,
    method: str = "auto",
    dtype: str = "float64",
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = False,
) -> Prepared:
    """Prepares a landscape of which tiles are then computed one by one.

    Nothing depends on what else the data are used for, before or after: the same arguments give the
    same tiles to the bit.

    The arguments are those of `landscape`; `method="auto"` chooses for the whole grid, and
    `progress` shows a bar while points are read. The method `tile(rows, columns)` of the result
    computes a part of the grid. What a model does in a cell is checked only there.
    """
    settings = LandscapeSettings(
        Grid(axis(a, "a"), axis(b, "b")), _metrics(metrics), tolerance, method, dtype,
        memory_budget, progress, reuse=False
    )  # fmt: skip
    return _prepare(settings, data, model)


def _prepare(
    settings: LandscapeSettings,
    data: Sample | Sketch | Measure | Population | Batch | tuple,
    model: Slice | None,
) -> Prepared:
    if model is None:
        return prepare_logistic(settings, data)
    if not isinstance(model, Slice):
        raise InputError(
            f"model is a {type(model).__name__}; give sweep.Slice(logit, origin, directions)"
        )
    return prepare_model(settings, model, as_batch(data))


def _metrics(metrics: MetricArgument | Sequence[MetricArgument]) -> tuple[LandscapeMetric, ...]:
    """The metrics, each once, in their order."""
    if isinstance(metrics, (str, Smooth, Counting)) or callable(metrics):
        metrics = (metrics,)
    if not isinstance(metrics, Iterable):
        raise InputError(f"metrics is {metrics!r}; name a metric, or several in a list")
    chosen = [_metric(argument) for argument in metrics]
    if not chosen:
        raise InputError("there is no metric; name at least one")
    by_name = {item.name: item for item in chosen}
    for item in chosen:
        if item != by_name[item.name]:
            raise InputError(f"two metrics are called {item.name!r}; give each its own name")
    return tuple(by_name.values())


def _metric(argument: MetricArgument) -> LandscapeMetric:
    if callable(argument) and not isinstance(argument, Family):
        return per_sample(argument)
    if not isinstance(argument, (str, Smooth, Counting, Family)):
        raise InputError(f"a metric is {argument!r}; a name or a function metric(z, y) is needed")
    return metric(argument)
