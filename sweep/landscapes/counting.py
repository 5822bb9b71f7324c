"""Counting metrics over a grid: exact confusion masses in every cell, computed in threads.

A sketch does not count exactly everywhere; `bounded_counts` gives lower and upper bounds there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
from jaxtyping import Shaped

from sweep.base.devices import cores
from sweep.base.grid import Grid
from sweep.base.intervals import UNIT
from sweep.base.progress import Step, ignore
from sweep.measure.confusion import confusion, confusion_bounds, rounding_bound
from sweep.measure.measure import Measure
from sweep.metrics.metrics import Counting

CELLS_AT_ONCE = 2**17  # most cells that are counted together; more are no faster
BYTES_PER_CELL = 192  # working memory of one cell: its cut, its searches and its table


def counts(
    measure: Measure,
    metrics: Sequence[Counting],
    grid: Grid,
    budget: int,
    step: Step = ignore,
    pool: Executor | None = None,
) -> dict[str, Shaped[np.ndarray, "P Q"]]:
    """Counting metrics in every cell, each by its name."""
    values: dict[str, np.ndarray] = {m.name: np.empty(grid.cells) for m in metrics}
    if "accuracy" in values and measure.counted:
        values["correct"] = np.empty(grid.cells, np.int64)
    workers = cores()
    size = max(1, min(CELLS_AT_ONCE, budget // (2 * BYTES_PER_CELL * workers)))

    def count(start: int) -> int:
        cells = slice(start, min(start + size, grid.cells))
        row, column = np.divmod(np.arange(cells.start, cells.stop), len(grid.b))
        table = confusion(measure, grid.a[row], grid.b[column])
        for metric in metrics:
            values[metric.name][cells] = metric.value(*table)
        if "correct" in values:
            np.add(table.tp, table.tn, out=values["correct"][cells])
        return len(row)

    with ThreadPoolExecutor(workers) if pool is None else nullcontext(pool) as threads:
        for done in threads.map(count, range(0, grid.cells, size)):
            step(done)
    return {name: flat.reshape(grid.shape) for name, flat in values.items()}


def bounded_counts(
    measure: Measure, metrics: Sequence[Counting], grid: Grid, step: Step = ignore
) -> dict[str, Shaped[np.ndarray, "P Q"]]:
    """Counting metrics of a sketch in every cell, with bounds where it does not count exactly."""
    names = names_with_bounds([metric.name for metric in metrics])
    values = {name: np.empty(grid.shape) for name in names}
    height = max(1, CELLS_AT_ONCE // len(grid.b))
    for start in range(0, len(grid.a), height):
        rows = slice(start, start + height)
        tables = confusion_bounds(measure, grid.a[rows, None], grid.b)
        for metric in metrics:
            worst, best = (metric.value(*table) for table in tables)
            exact, lower, upper = names_with_bounds([metric.name])
            values[lower][rows] = np.minimum(worst, best)  # an error rate is lower for the best
            values[upper][rows] = np.maximum(worst, best)
            values[exact][rows] = np.where(worst == best, worst, np.nan)
        step(len(grid.a[rows]) * len(grid.b))
    return values


def names_with_bounds(metrics: Sequence[str]) -> tuple[str, ...]:
    """Names of the variables that `bounded_counts` returns for metrics."""
    return tuple(name + end for name in metrics for end in ("", "_lower", "_upper"))


def counting_bound(measure: Measure, metric: Counting) -> float:
    """Bound on the error of a counting metric, beyond its last rounding where masses are counts.

    It is nan where a metric divides by a mass that may be arbitrarily small: for a population, and
    for a sketch of weighted data.

    Each mass has the relative error r of `sweep.measure.confusion.rounding_bound`. A ratio of a
    mass to one that contains it then has an error of 2r of its value, and so has a mean of such
    ratios. Matthews' correlation is a difference of two terms whose sum is at most 1, and each has
    4r of its value: 2r from a product of two masses, 2r from the root of a product of four.
    """
    if measure.sketch is not None and not measure.counted and metric.divides_by == "predicted":
        return math.nan
    roundings = metric.roundings * UNIT
    if measure.quadrature is not None:
        least = min(mass for mass in (measure.class0.total, measure.class1.total) if mass > 0)
        divisor = {"all": measure.total, "class": least, "predicted": math.nan}[metric.divides_by]
        # The error of one mass is absolute here; a ratio has sums of up to 4 masses.
        masses = 4 * measure.quadrature.rounding() / divisor
        return metric.sensitivity * masses + roundings
    return metric.sensitivity * rounding_bound(measure) + roundings
