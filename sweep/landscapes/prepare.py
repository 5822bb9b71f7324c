"""Preparation: what is decided for a whole grid before any tile of it is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.progress import bar
from sweep.base.provenance import computed_by
from sweep.base.timing import Clock
from sweep.data.sample import Batch, Sample
from sweep.landscapes import model_kernel
from sweep.landscapes.counting import bracketed, counting_bound, counts
from sweep.landscapes.model_kernel import Metric
from sweep.landscapes.models import PerSample, Slice, as_batch
from sweep.landscapes.prepared import LINE, PLANE, Prepared, Source
from sweep.landscapes.smooth import GridPart, Request, smooth
from sweep.measure.measure import Measure, as_measure
from sweep.measure.points import order
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Counting, Smooth
from sweep.metrics.profile import profile
from sweep.populations import Population


@dataclass(frozen=True, eq=False)
class _Counted:
    """Counting metrics of the logistic model."""

    measure: Measure
    metrics: Sequence[Counting]
    grid: Grid
    budget: int
    clock: Clock
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(devices.cores()))

    def part(self, rows: slice, columns: slice, progress: bool | None = False) -> GridPart:
        grid = Grid(self.grid.a[rows], self.grid.b[columns])
        with (
            self.clock.stage("count"),
            bar("counts", grid.cells, "cells", progress) as step,
        ):
            how = self.budget, step, self.pool
            return GridPart(counts(self.measure, self.metrics, grid, *how))


@dataclass(frozen=True, eq=False)
class _Bracketed:
    """Counting metrics of a sketch in cells where it does not always count."""

    measure: Measure
    metrics: Sequence[Counting]
    grid: Grid
    clock: Clock

    def part(self, rows: slice, columns: slice, progress: bool | None = False) -> GridPart:
        grid = Grid(self.grid.a[rows], self.grid.b[columns])
        with (
            self.clock.stage("count"),
            bar("counts", grid.cells, "cells", progress) as step,
        ):
            return GridPart(bracketed(self.measure, self.metrics, grid, step))


@dataclass(frozen=True, eq=False)
class _Modelled:
    """Metrics of a model of the user's own, or of the user's own."""

    model: Slice
    batch: Batch
    metrics: Sequence[Metric]
    task: LandscapeTask

    def part(self, rows: slice, columns: slice, progress: bool | None = False) -> GridPart:
        task = self.task
        grid = Grid(task.grid.a[rows], task.grid.b[columns])
        work = grid.cells * len(self.batch)
        with (
            task.clock.stage("evaluate"),
            bar("model", work, "samples", progress) as step,
        ):
            how = task.dtype, task.budget, step
            return GridPart(model_kernel.evaluate(self.model, self.batch, grid, self.metrics, *how))


@dataclass(frozen=True, eq=False)
class LandscapeTask:
    """What is asked for.

    Attributes:
        grid: the cells.
        metrics: at least one.
        tolerance: largest error accepted in a smooth metric, as a multiple of max(1, value).
        method: "auto", "direct" or "compressed".
        dtype: in which the direct method computes losses, and a model.
        budget: bytes that may be used beyond input and output.
        progress: whether to show bars while it is prepared; None where stderr is a terminal.
        reuse: whether a measure may have been used before; if so, the last digits of the metrics
            depend on what for.
        clock: counts the seconds.
    """

    grid: Grid
    metrics: tuple[Metric, ...]
    tolerance: float
    method: str
    dtype: str
    budget: int
    progress: bool | None
    reuse: bool
    clock: Clock = field(default_factory=Clock)

    def of_line(self, data: Sample | Sketch | Measure | Population | Batch | tuple) -> Prepared:
        """The task for the logistic model."""
        own = [m for m in self.metrics if isinstance(m, PerSample)]
        batch = as_batch(data) if own else None
        if batch is not None and not isinstance(data, (Sample, Sketch, Measure)):
            data = Sample(batch.x, batch.y, batch.weight)
        with self.clock.stage("read"):
            measure = as_measure(data, float(np.max(np.abs(self.grid.a))) or None)
            if not measure.total > 0:
                raise InputError("the sample has no points, so its metrics are means over nothing")
            how = _provenance(measure) | {"tolerance": self.tolerance}
        losses = [m for m in self.metrics if isinstance(m, Smooth)]
        counting = [m for m in self.metrics if isinstance(m, Counting)]
        bounds = {m.name: counting_bound(measure, m) for m in counting}
        self._require(
            max((bound for bound in bounds.values() if bound == bound), default=0.0), measure
        )
        integration = {m.name: self._integration(measure, m) for m in losses}
        measure = self._ordered(measure, bool(counting))
        sources: list[Source] = []
        if losses:
            found = smooth(measure, self._request(losses), self.method, self.clock)
            sources.append(found)
            how |= found.attributes
            bounds |= {name: found.bound + error for name, error in integration.items()}
        exact = measure.sketch is None or measure.sketch.counts_at(self.grid)
        if counting and exact:
            sources.append(_Counted(measure, counting, self.grid, self.budget, self.clock))
        elif counting:
            sources.append(_Bracketed(measure, counting, self.grid, self.clock))
        if batch is not None:
            sources.append(_Modelled(model_kernel.LINEAR, batch, own, self))
        correct = exact and measure.counted and any(m.name == "accuracy" for m in counting)
        between = bool(counting) and not exact
        return self._prepared(sources, how, bounds, correct, LINE, between=between)

    def of_model(self, model: Slice, batch: Batch) -> Prepared:
        """The task for a model of the user's own."""
        how = {"model": repr(model), "method": "direct", "dtype": self.dtype}
        source = _Modelled(model, batch, self.metrics, self)
        correct = batch.counted and any(m.name == "accuracy" for m in self.metrics)
        return self._prepared([source], _provenance(batch) | how, {}, correct, PLANE)

    def _request(self, losses: Sequence[Smooth]) -> Request:
        return Request(
            losses, self.grid, self.tolerance, self.dtype, self.budget, self.progress, self.reuse
        )

    def _ordered(self, measure: Measure, counting: bool) -> Measure:
        """The measure in order, if counts are asked for; if not, and no use matters, in none."""
        if counting:
            with self.clock.stage("sort"):
                order(measure.class0, measure.class1)
        elif not self.reuse:
            class0, class1 = replace(measure.class0), replace(measure.class1)
            return replace(measure, class0=class0, class1=class1)
        return measure

    def _prepared(
        self,
        sources: Sequence[Source],
        how: dict[str, Any],
        bounds: dict[str, float],
        correct: bool,
        axes: dict[str, dict[str, str]],
        *,
        between: bool = False,
    ) -> Prepared:
        """A metric without a bound has a model or a formula of the user's own."""
        known = {name: bound for name, bound in bounds.items() if not math.isnan(bound)}
        how = how | {"error_bound": max(known.values(), default=math.nan)}
        if len(bounds) < len(self.metrics):
            how |= {"error_bound_note": "no bound is known for a model or metric of your own"}
        elif len(known) < len(bounds):
            how |= {"error_bound_note": "no bound is known for precision and mcc of a population"}
        bounds = {m.name: bounds.get(m.name, math.nan) for m in self.metrics}
        if between:
            how |= {
                "bracket_note": "where a sketch does not count, metrics lie between two numbers"
            }
        rest = self.clock, tuple(sources), between
        return Prepared(self.grid, self.metrics, correct, how, bounds, axes, *rest)

    def _require(self, bound: float, measure: Measure) -> None:
        if bound <= self.tolerance:
            return
        promise = f"tolerance {self.tolerance:g} cannot be promised for"
        if measure.quadrature is not None:
            raise InputError(
                f"{promise} the masses below and above a cut of this law: its quadrature may be "
                f"wrong by {bound:.1e}; ask for a larger tolerance"
            )
        raise InputError(
            f"{promise} weighted counts: rounding alone may reach {bound:.1e}; ask for a larger "
            "tolerance"
        )

    def _integration(self, measure: Measure, metric: Smooth) -> float:
        """Bound on the error of a population's quadrature; 0 for a sample.

        Raises:
            InputError: it is larger than the tolerance.
        """
        if measure.quadrature is None:
            return 0.0
        slope, intercept = (float(np.max(np.abs(points))) for points in (self.grid.a, self.grid.b))
        total = metric.total(measure.class0.total, measure.class1.total)
        bound = sum(
            max(part.on_class0, part.on_class1) / total
            * measure.quadrature.bound(profile(part.loss), slope, intercept)
            for part in metric.parts
        )  # fmt: skip
        if bound > self.tolerance:
            raise InputError(
                f"tolerance {self.tolerance:g} cannot be promised for {metric.name} of this law: "
                f"its quadrature may be wrong by {bound:.1e}; ask for a larger tolerance"
            )
        return bound


def _provenance(data: Measure | Batch) -> dict[str, Any]:
    """What is computed, on what; InputError if JAX has no device of the platform asked for."""
    return {
        "n": data.n if isinstance(data, Measure) else len(data),
        "total_weight": data.total,
        "sample_fingerprint": data.fingerprint,
        "device": devices.describe(),
        **_population(data),
        **computed_by(),
    }


def _population(data: Measure | Batch) -> dict[str, Any]:
    """The name of a population and the nodes of its quadrature."""
    if not isinstance(data, Measure) or data.quadrature is None:
        return {}
    return {
        "population": data.quadrature.law.name,
        "quadrature_nodes": len(data.quadrature.x),
        "quadrature_note": (
            "error_bound holds if the law has no undeclared feature narrower than the panels see"
        ),
    }
