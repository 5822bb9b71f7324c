"""Counting metrics over a grid: exact confusion masses in every cell, in threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
from jaxtyping import Shaped

from sweep.base.devices import cores
from sweep.base.grid import Grid
from sweep.base.progress import Step, ignore
from sweep.base.rounding import UNIT
from sweep.measure.confusion import brackets, confusion, rounding_bound
from sweep.measure.measure import Measure
from sweep.metrics.metrics import Counting

CELLS_AT_ONCE = 2**17
"""Most cells whose counts are taken together; more are no faster."""

BYTES_PER_CELL = 192
"""Working memory for the counts of one cell: its cut, its searches, its table."""


def counts(
    measure: Measure,
    metrics: Sequence[Counting],
    grid: Grid,
    budget: int,
    step: Step = ignore,
    pool: Executor | None = None,
) -> dict[str, Shaped[np.ndarray, "P Q"]]:
    """Counting metrics in every cell, each by its name.

    Args:
        measure: data with at least one point.
        metrics: the metrics.
        grid: the cells.
        budget: bytes that may be used beyond input and output.
        step: is told how many cells are done.
        pool: threads to count in, as many as there are cores: for whoever counts again and again,
            since what threads free is kept for them, and new ones would not find it.

    Returns:
        float64 arrays of shape (P, Q); beside accuracy, if masses are counts, `correct` in int64.
    """
    values: dict[str, np.ndarray] = {m.name: np.empty(grid.cells) for m in metrics}
    if "accuracy" in values and measure.counted:
        values["correct"] = np.empty(grid.cells, np.int64)
    workers = cores()
    size = max(1, min(CELLS_AT_ONCE, budget // (2 * BYTES_PER_CELL * workers)))

    def count(start: int) -> int:
        part = slice(start, min(start + size, grid.cells))
        row, column = np.divmod(np.arange(part.start, part.stop), len(grid.b))
        table = confusion(measure, grid.a[row], grid.b[column])
        for metric in metrics:
            values[metric.name][part] = metric.value(*table)
        if "correct" in values:
            np.add(table.tp, table.tn, out=values["correct"][part])
        return len(row)

    with ThreadPoolExecutor(workers) if pool is None else nullcontext(pool) as threads:
        for done in threads.map(count, range(0, grid.cells, size)):
            step(done)
    return {name: flat.reshape(grid.shape) for name, flat in values.items()}


def bracketed(
    measure: Measure, metrics: Sequence[Counting], grid: Grid, step: Step = ignore
) -> dict[str, Shaped[np.ndarray, "P Q"]]:
    """Counting metrics of a sketch in every cell, whether it counts there or not.

    Args:
        measure: of a sketch.
        metrics: the metrics.
        grid: the cells.
        step: is told how many cells are done.

    Returns:
        For each metric by its name float64 arrays of shape (P, Q): itself, nan where the sketch
        does not count; and, the name followed by `_lower` and `_upper`, what it lies between.
    """
    names = bracketed_names([m.name for m in metrics])
    values = {name: np.empty(grid.shape) for name in names}
    rows = max(1, CELLS_AT_ONCE // len(grid.b))
    for start in range(0, len(grid.a), rows):
        part = slice(start, start + rows)
        tables = brackets(measure, grid.a[part, None], grid.b)
        for metric in metrics:
            one, other = (metric.value(*table) for table in tables)
            exact, lower, upper = bracketed_names([metric.name])
            values[lower][part], values[upper][part] = (
                np.minimum(one, other),
                np.maximum(one, other),
            )
            values[exact][part] = np.where(one == other, one, np.nan)
        step(len(grid.a[part]) * len(grid.b))
    return values


def bracketed_names(metrics: Sequence[str]) -> tuple[str, ...]:
    """Names of the variables that `bracketed` makes of metrics."""
    return tuple(name + end for name in metrics for end in ("", "_lower", "_upper"))


def counting_bound(measure: Measure, metric: Counting) -> float:
    """Bound on the error of a counting metric, beyond the last rounding where masses are counts.

    For a population, and for a sketch of weighted data, it is nan where a metric divides by a mass
    that may be as small as one likes.

    Each mass has the relative error r of `sweep.measure.cuts.rounding_bound`. A ratio part /
    whole, the
    part among the whole, then has 2r of its value, and so has a mean of such ratios. Of the two
    terms of Matthews' correlation, which add up to at most 1, each has 4r.
    """
    if measure.sketch is not None and not measure.counted and metric.divides_by == "predicted":
        return math.nan
    if measure.quadrature is not None:
        least = min(t for t in (measure.class0.total, measure.class1.total) if t > 0)
        divisor = {"all": measure.total, "class": least, "predicted": math.nan}[metric.divides_by]
        masses = 4 * measure.quadrature.rounding() / divisor
        return metric.sensitivity * masses + metric.roundings * UNIT
    return metric.sensitivity * rounding_bound(measure) + metric.roundings * UNIT
