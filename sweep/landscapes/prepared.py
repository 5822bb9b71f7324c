"""Prepared: metrics over a grid, decided once for the whole of it and computed tile by tile.

`prepare_logistic` and `prepare_model` choose method, plan, deposit and error bounds for the whole
grid. The cells of a tile are then the same to the bit whatever other tiles were computed before,
and in whatever order. `sweep.landscapes.landscape` computes one tile, the whole grid;
`sweep.landscapes.out_of_core` and the tasks of `sweep.runs` compute many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

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
from sweep.landscapes.counting import bounded_counts, counting_bound, counts, names_with_bounds
from sweep.landscapes.models import LandscapeMetric, Slice, as_batch
from sweep.landscapes.smooth import LandscapeSettings, Tile, smooth
from sweep.measure.compression.scatter import order
from sweep.measure.measure import Measure, as_measure
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Counting, Smooth
from sweep.metrics.profile import profile
from sweep.populations import Population

LINE = {
    "a": {"units": "1 / unit of x", "long_name": "slope a"},
    "b": {"units": "1", "long_name": "intercept b"},
}
"""Attributes of the axes of the logistic model."""

PLANE = {
    "a": {"units": "1", "long_name": "a, along directions[0]"},
    "b": {"units": "1", "long_name": "b, along directions[1]"},
}
"""Attributes of the axes of a slice through a user's model."""


@runtime_checkable
class TileSource(Protocol):
    """Computes some of the metrics of a landscape, tile by tile."""

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        """The metrics in rows and columns, from start to stop; `progress` shows bars."""
        ...


@dataclass(frozen=True, eq=False)
class Prepared:
    """Metrics over a grid, computed tile by tile.

    Attributes:
        grid: the cells.
        metrics: the metrics, in the order of the variables.
        counted: whether accuracy comes with `correct`, the int64 count of correct predictions.
        attributes: of the dataset: the data, the device, the method, and the error bounds.
        error_bounds: on |error| / max(1, value), by name of the metric; nan where none is known.
        axes: attributes of a and b.
        clock: counts the seconds.
        sources: compute the metrics.
        bounded: whether counting metrics come with lower and upper bounds, as from
            `sweep.landscapes.counting.bounded_counts`.
    """

    grid: Grid
    metrics: tuple[LandscapeMetric, ...]
    counted: bool
    attributes: dict[str, Any]
    error_bounds: dict[str, float]
    axes: dict[str, dict[str, str]]
    clock: Clock
    sources: tuple[TileSource, ...]
    bounded: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all variables: the metrics, with their bounds if `bounded`, then `correct`."""
        names = [name for metric in self.metrics for name in self._names(metric)]
        return (*names, "correct") if self.counted else tuple(names)

    def _names(self, metric: LandscapeMetric) -> tuple[str, ...]:
        if self.bounded and isinstance(metric, Counting):
            return names_with_bounds([metric.name])
        return (metric.name,)

    @property
    def dtypes(self) -> dict[str, np.dtype]:
        """The dtype of each variable, by name."""
        return {name: np.dtype("i8" if name == "correct" else "f8") for name in self.names}

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """Attributes of each variable, by name: units, long name, source, kind, error bound."""
        attributes = {
            name: {
                "units": metric.units,
                "long_name": metric.long_name + name.removeprefix(metric.name).replace("_", ", "),
                "source": metric.source,
                "kind": "counting" if isinstance(metric, Counting) else "smooth",
                "error_bound": self.error_bounds[metric.name],
            }
            for metric in self.metrics
            for name in self._names(metric)
        }
        if self.counted:
            attributes["correct"] = {"units": "count", "long_name": "correct predictions"}
        return attributes

    @property
    def coordinates(self) -> dict[str, tuple[str, Float[np.ndarray, " k"], dict[str, str]]]:
        """Slopes and intercepts with their attributes, as coordinates of a dataset."""
        return {
            "a": ("a", self.grid.a, self.axes["a"]),
            "b": ("b", self.grid.b, self.axes["b"]),
        }

    def final_attributes(self, observed_error: float) -> dict[str, Any]:
        """The attributes, with the seconds so far and what the checks of all tiles saw."""
        attributes = self.attributes | self.clock.seconds
        if "observed_error" in attributes:
            attributes["observed_error"] += observed_error
        return attributes

    def tile(self, rows: slice, columns: slice) -> dict[str, Shaped[np.ndarray, "k m"]]:
        """Every variable in some rows and columns of the grid.

        Args:
            rows: which slopes, without gaps.
            columns: which intercepts, without gaps.

        Returns:
            An array of shape (rows, columns) for each name, in the order of `names`.

        Raises:
            InputError: a slice leaves gaps or selects nothing.
        """
        return self.compute(rows, columns).values

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        """`tile` with the error that its checks saw; `progress` shows bars."""
        rows, columns = _contiguous(rows, len(self.grid.a)), _contiguous(columns, len(self.grid.b))
        tiles = [source.compute(rows, columns, progress) for source in self.sources]
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


@dataclass(frozen=True, eq=False)
class _ExactCounts:
    """Counting metrics of the logistic model."""

    measure: Measure
    settings: LandscapeSettings
    clock: Clock
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(devices.cores()))

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        grid, metrics = self.settings.cells(rows, columns), self.settings.counting
        with self.clock.stage("count"), bar("counts", grid.cells, "cells", progress) as step:
            budget = self.settings.budget
            return Tile(counts(self.measure, metrics, grid, budget, step, self.pool))


@dataclass(frozen=True, eq=False)
class _BoundedCounts:
    """Counting metrics of a sketch on a grid where it does not count every cell exactly."""

    measure: Measure
    settings: LandscapeSettings
    clock: Clock

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        grid = self.settings.cells(rows, columns)
        with self.clock.stage("count"), bar("counts", grid.cells, "cells", progress) as step:
            return Tile(bounded_counts(self.measure, self.settings.counting, grid, step))


@dataclass(frozen=True, eq=False)
class _ModelValues:
    """Metrics of a user's model, or a user's metrics of the logistic model."""

    model: Slice
    batch: Batch
    metrics: Sequence[LandscapeMetric]
    settings: LandscapeSettings
    clock: Clock

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        settings, grid = self.settings, self.settings.cells(rows, columns)
        work = grid.cells * len(self.batch)
        with self.clock.stage("evaluate"), bar("model", work, "samples", progress) as step:
            how = settings.dtype, settings.budget, step
            return Tile(model_kernel.evaluate(self.model, self.batch, grid, self.metrics, *how))


def prepare_logistic(
    settings: LandscapeSettings, data: Sample | Sketch | Measure | Population | Batch | tuple
) -> Prepared:
    """Prepares a landscape of the logistic model."""
    clock, counting = Clock(), settings.counting
    batch = as_batch(data) if settings.per_sample else None
    if batch is not None and not isinstance(data, (Sample, Sketch, Measure)):
        data = Sample(batch.x, batch.y, batch.weight)
    with clock.stage("read"):
        measure = as_measure(data, settings.steepest[0] or None)
        if not measure.total > 0:
            raise InputError("the sample has no points, so no metric is defined; give at least one")
        attributes = _provenance(measure) | {"tolerance": settings.tolerance}
    bounds = {metric.name: counting_bound(measure, metric) for metric in counting}
    _require_counting_bounds(bounds.values(), measure, settings.tolerance)
    quadrature = {m.name: _quadrature_bound(measure, m, settings) for m in settings.smooth}
    measure = _in_order(measure, settings, clock)
    sources: list[TileSource] = []
    if settings.smooth:
        source = smooth(measure, settings, clock)
        sources.append(source)
        attributes |= source.attributes
        bounds |= {name: source.bound + error for name, error in quadrature.items()}
    exact = measure.sketch is None or measure.sketch.counts_at(settings.grid)
    bounded = bool(counting) and not exact
    if counting:
        kind = _BoundedCounts if bounded else _ExactCounts
        sources.append(kind(measure, settings, clock))
    if batch is not None:
        own = settings.per_sample
        sources.append(_ModelValues(model_kernel.LINEAR, batch, own, settings, clock))
    return Prepared(
        settings.grid,
        settings.metrics,
        exact and measure.counted and _has_accuracy(settings),
        attributes | _bound_attributes(settings, bounds, bounded=bounded),
        {metric.name: bounds.get(metric.name, math.nan) for metric in settings.metrics},
        LINE,
        clock,
        tuple(sources),
        bounded,
    )


def prepare_model(settings: LandscapeSettings, model: Slice, batch: Batch) -> Prepared:
    """Prepares a landscape of a user's model."""
    clock = Clock()
    how = {"model": repr(model), "method": "direct", "dtype": settings.dtype}
    return Prepared(
        settings.grid,
        settings.metrics,
        batch.counted and _has_accuracy(settings),
        _provenance(batch) | how | _bound_attributes(settings, {}, bounded=False),
        {metric.name: math.nan for metric in settings.metrics},
        PLANE,
        clock,
        (_ModelValues(model, batch, settings.metrics, settings, clock),),
    )


def _has_accuracy(settings: LandscapeSettings) -> bool:
    return any(metric.name == "accuracy" for metric in settings.counting)


def _in_order(measure: Measure, settings: LandscapeSettings, clock: Clock) -> Measure:
    """The measure, sorted if counts need it; if not, and reuse is off, never in sorted order.

    The last digits of a sum depend on the order, and without reuse they must not depend on whether
    somebody sorted the measure before.
    """
    if settings.counting:
        with clock.stage("sort"):
            order(measure.class0, measure.class1)
    elif not settings.reuse:
        class0, class1 = replace(measure.class0), replace(measure.class1)
        return replace(measure, class0=class0, class1=class1)
    return measure


def _bound_attributes(
    settings: LandscapeSettings, bounds: dict[str, float], *, bounded: bool
) -> dict[str, Any]:
    """The largest known error bound, and notes on metrics without one.

    `bounds` holds nan where none is known, and nothing for a user's model or metric.
    """
    known = [bound for bound in bounds.values() if not math.isnan(bound)]
    attributes: dict[str, Any] = {"error_bound": max(known, default=math.nan)}
    if len(bounds) < len(settings.metrics):
        attributes["error_bound_note"] = "no bound is known for a model or metric of your own"
    elif len(known) < len(bounds):
        attributes["error_bound_note"] = "no bound is known for precision and mcc of a population"
    if bounded:
        note = "where a sketch does not count, metrics lie between two numbers"
        attributes["bracket_note"] = note
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
    total = metric.total(measure.class0.total, measure.class1.total)
    bound = sum(
        max(term.on_class0, term.on_class1) / total
        * measure.quadrature.bound(profile(term.loss), *settings.steepest)
        for term in metric.parts
    )  # fmt: skip
    if bound > settings.tolerance:
        raise InputError(
            f"tolerance {settings.tolerance:g} cannot be promised for {metric.name} of this law: "
            f"its quadrature may be wrong by {bound:.1e}; ask for a larger tolerance"
        )
    return bound


def _provenance(data: Measure | Batch) -> dict[str, Any]:
    """Attributes that identify the data, the device and the versions."""
    return {
        "n": data.n if isinstance(data, Measure) else len(data),
        "total_weight": data.total,
        "sample_fingerprint": data.fingerprint,
        "device": devices.describe(),
        **_population(data),
        **computed_by(),
    }


def _population(data: Measure | Batch) -> dict[str, Any]:
    """Attributes of a population: its name and the size and condition of its quadrature."""
    if not isinstance(data, Measure) or data.quadrature is None:
        return {}
    return {
        "population": data.quadrature.law.name,
        "quadrature_nodes": len(data.quadrature.x),
        "quadrature_note": (
            "error_bound holds if the law has no undeclared feature narrower than the panels see"
        ),
    }
