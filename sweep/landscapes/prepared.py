"""Prepared: metrics over a grid, decided once for the whole of it and computed tile by tile.

Method, plan, deposit and error bounds are those of the whole grid. The cells of a tile are then the
same to the bit whatever other tiles were computed before, and in whatever order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.progress import bar
from sweep.base.provenance import computed_by
from sweep.base.timing import Clock
from sweep.data.sample import Batch, Sample
from sweep.landscapes import model_kernel
from sweep.landscapes.counting import ENDS, counting_bound, counts
from sweep.landscapes.models import LandscapeMetric, PerSample, Slice, as_batch, described
from sweep.landscapes.smooth import LandscapeSettings, Tile, TileSource, smooth
from sweep.measure.compression.scatter import order
from sweep.measure.measure import Measure, as_measure
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Counting, Smooth
from sweep.metrics.profile import profile
from sweep.populations import Population

LINE = {"a": ("1 / unit of x", "slope a"), "b": ("1", "intercept b")}
"""Units and long names of the axes of the logistic model."""

PLANE = {"a": ("1", "a, along directions[0]"), "b": ("1", "b, along directions[1]")}
"""Units and long names of the axes of a slice through a user's model."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Metrics over a grid, computed tile by tile."""

    grid: Grid  # the cells
    # Attributes of each variable, by name: units, long name, source, kind and error bound.
    variables: dict[str, dict[str, Any]]
    attributes: dict[str, Any]  # of the dataset: data, device, method and error bounds
    axes: dict[str, tuple[str, str]]  # units and long names of a and b
    clock: Clock  # counts the seconds
    sources: tuple[TileSource, ...]  # compute the metrics

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all variables."""
        return tuple(self.variables)

    @property
    def dtypes(self) -> dict[str, np.dtype]:
        """The dtype of each variable, by name."""
        return {name: np.dtype("i8" if name == "correct" else "f8") for name in self.names}

    @property
    def coordinates(self) -> dict[str, tuple[str, Float[np.ndarray, " k"], dict[str, str]]]:
        """Slopes and intercepts with their attributes, as coordinates of a dataset."""
        return {
            axis: (axis, getattr(self.grid, axis), {"units": units, "long_name": long_name})
            for axis, (units, long_name) in self.axes.items()
        }

    def final_attributes(self, observed_error: float) -> dict[str, Any]:
        """The attributes, with the seconds so far and what the checks of all tiles saw."""
        attributes = self.attributes | self.clock.seconds
        if "observed_error" in attributes:
            attributes["observed_error"] += observed_error
        return attributes

    def tile(self, rows: slice, columns: slice) -> dict[str, Shaped[np.ndarray, "k m"]]:
        """Every variable, by name, in some rows and columns of the grid, each without gaps."""
        return self.compute(rows, columns).values

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        """`tile` with the error that its checks saw; `progress` shows bars."""
        rows, columns = _contiguous(rows, len(self.grid.a)), _contiguous(columns, len(self.grid.b))
        tiles = [source(rows, columns, progress) for source in self.sources]
        values = {name: array for tile in tiles for name, array in tile.values.items()}
        observed = max(tile.observed_error for tile in tiles)
        return Tile({name: values[name] for name in self.names}, observed)


def _contiguous(cells: slice, length: int) -> slice:
    """A slice of an axis, with its start and stop."""
    numbers = range(length)[cells]
    if numbers.step != 1 or not numbers:
        raise InputError(
            f"{cells} selects no contiguous points of an axis of {length} points; give a slice of "
            "step 1 that is not empty"
        )
    return slice(numbers.start, numbers.stop)


def _model_values(
    model: Slice,
    batch: Batch,
    metrics: Sequence[LandscapeMetric],
    settings: LandscapeSettings,
    clock: Clock,
) -> TileSource:
    """Metrics of a user's model, or a user's metrics of the logistic model."""

    def compute(rows: slice, columns: slice, progress: bool | None) -> Tile:
        grid = settings.cells(rows, columns)
        work = grid.cells * len(batch)
        with clock.stage("evaluate"), bar("model", work, "samples", progress) as step:
            how = settings.dtype, settings.budget, step
            return Tile(model_kernel.evaluate(model, batch, grid, metrics, *how))

    return compute


def prepare_logistic(
    settings: LandscapeSettings, data: Sample | Sketch | Measure | Population | Batch | tuple
) -> Prepared:
    """Prepares a landscape of the logistic model."""
    clock, counting = Clock(), settings.of(Counting)
    batch = as_batch(data) if settings.of(PerSample) else None
    if batch is not None and not isinstance(data, (Sample, Sketch, Measure)):
        data = Sample(batch.x, batch.y, batch.weight)
    with clock.stage("read"):
        measure = as_measure(data, settings.steepest[0] or None)
        if not measure.total > 0:
            raise InputError("the sample has no points, so no metric is defined; give at least one")
        attributes = _provenance(measure) | {"tolerance": settings.tolerance}
    bounds = {metric.name: counting_bound(measure, metric) for metric in counting}
    _require_counting_bounds(bounds.values(), measure, settings.tolerance)
    quadrature = {m.name: _quadrature_bound(measure, m, settings) for m in settings.of(Smooth)}
    measure = _in_order(measure, settings, clock)
    sources: list[TileSource] = []
    if settings.of(Smooth):
        source = smooth(measure, settings, clock)
        sources.append(source.compute)
        attributes |= source.attributes
        bounds |= {name: source.bound + error for name, error in quadrature.items()}
    sketch = measure.sketch
    bounded = bool(counting) and sketch is not None and not sketch.counts_at(settings.grid)
    if counting:
        sources.append(counts(measure, settings, clock, bounded=bounded))
    if batch is not None:
        own = settings.of(PerSample)
        sources.append(_model_values(model_kernel.LINEAR, batch, own, settings, clock))
    return Prepared(
        settings.grid,
        _variables(settings, bounds, measure.counted and not bounded, bounded=bounded),
        attributes | _bound_attributes(settings, bounds, bounded=bounded),
        LINE,
        clock,
        tuple(sources),
    )


def prepare_model(settings: LandscapeSettings, model: Slice, batch: Batch) -> Prepared:
    """Prepares a landscape of a user's model; tolerance and method are not used."""
    clock = Clock()
    how = {"model": repr(model), "method": "direct", "dtype": settings.dtype}
    return Prepared(
        settings.grid,
        _variables(settings, {}, batch.counted, bounded=False),
        _provenance(batch) | how | _bound_attributes(settings, {}, bounded=False),
        PLANE,
        clock,
        (_model_values(model, batch, settings.metrics, settings, clock),),
    )


def _variables(
    settings: LandscapeSettings, bounds: dict[str, float], counted: bool, *, bounded: bool
) -> dict[str, dict[str, Any]]:
    """The metrics, with both bounds if `bounded`, and `correct` if accuracy is a count."""
    variables = {
        metric.name + end: described(metric, end.replace("_", ", "))
        | {"error_bound": bounds.get(metric.name, math.nan)}
        for metric in settings.metrics
        for end in (ENDS if bounded and isinstance(metric, Counting) else ENDS[:1])
    }
    if counted and any(metric.name == "accuracy" for metric in settings.of(Counting)):
        variables["correct"] = {"units": "count", "long_name": "correct predictions"}
    return variables


def _in_order(measure: Measure, settings: LandscapeSettings, clock: Clock) -> Measure:
    """The measure, sorted if counts need it; if not, and reuse is off, never in sorted order.

    The last digits of a sum depend on the order, and without reuse they must not depend on whether
    somebody sorted the measure before.
    """
    if settings.of(Counting):
        with clock.stage("sort"):
            order(*measure.classes)
    elif not settings.reuse:
        class0, class1 = replace(measure.class0), replace(measure.class1)
        return replace(measure, class0=class0, class1=class1)
    return measure


def _bound_attributes(
    settings: LandscapeSettings, bounds: dict[str, float], *, bounded: bool
) -> dict[str, Any]:
    """The largest known bound, and notes on metrics without one: nan, or not there if a user's."""
    known = [bound for bound in bounds.values() if not math.isnan(bound)]
    attributes: dict[str, Any] = {"error_bound": max(known, default=math.nan)}
    if len(bounds) < len(settings.metrics):
        attributes["error_bound_note"] = "no bound is known for a model or metric of your own"
    elif len(known) < len(bounds):
        attributes["error_bound_note"] = "no bound is known for precision and mcc of a population"
    if bounded:
        attributes["bracket_note"] = (
            "where a sketch does not count, metrics lie between two numbers"
        )
    return attributes


def _require_counting_bounds(bounds: Iterable[float], measure: Measure, tolerance: float) -> None:
    """Refuses a tolerance that a counting metric cannot keep; nan stands for no known bound."""
    bound = max((bound for bound in bounds if not math.isnan(bound)), default=0.0)
    if bound <= tolerance:
        return
    promise = f"tolerance {tolerance:g} cannot be promised for"
    if measure.quadrature is not None:
        raise InputError(
            f"{promise} the masses below and above a cut of this law: its quadrature may be "
            f"wrong by {bound:.1e}; ask for a larger tolerance"
        )
    raise InputError(
        f"{promise} weighted counts: rounding alone may reach {bound:.1e}; ask for a larger "
        "tolerance"
    )


def _quadrature_bound(measure: Measure, metric: Smooth, settings: LandscapeSettings) -> float:
    """Bound on the error of a population's quadrature, if within the tolerance; 0 for a sample."""
    if measure.quadrature is None:
        return 0.0
    bound = sum(
        max(shares) * measure.quadrature.bound(profile(loss), *settings.steepest)
        for loss, *shares in metric.parts
    ) / metric.total(*measure.masses)
    if bound > settings.tolerance:
        raise InputError(
            f"tolerance {settings.tolerance:g} cannot be promised for {metric.name} of this law: "
            f"its quadrature may be wrong by {bound:.1e}; ask for a larger tolerance"
        )
    return bound


def _provenance(data: Measure | Batch) -> dict[str, Any]:
    """Attributes that identify the data, the device and the versions."""
    quadrature = data.quadrature if isinstance(data, Measure) else None
    law = {} if quadrature is None else {
        "population": quadrature.law.name,
        "quadrature_nodes": len(quadrature.x),
        "quadrature_note": (
            "error_bound holds if the law has no undeclared feature narrower than the panels see"
        ),
    }  # fmt: skip
    return {
        "n": data.n if isinstance(data, Measure) else len(data),
        "total_weight": data.total,
        "sample_fingerprint": data.fingerprint,
        "device": devices.describe(),
        **law,
        **computed_by(),
    }
