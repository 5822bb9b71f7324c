"""Counting metrics over a grid: exact confusion masses in every cell, in threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Shaped

from sweep.cuts import confusion, rounding_bound
from sweep.devices import cores
from sweep.grid import Grid
from sweep.losses import Counting
from sweep.measure import Measure
from sweep.progress import Step, ignore

CELLS_AT_ONCE = 2**17
"""Most cells whose counts are taken together; more are no faster."""

BYTES_PER_CELL = 192
"""Working memory for the counts of one cell: its cut, its searches, its table."""


def counts(
    measure: Measure, metrics: Sequence[Counting], grid: Grid, budget: int, step: Step = ignore
) -> dict[str, Shaped[np.ndarray, "P Q"]]:
    """Counting metrics in every cell, each by its name.

    Args:
        measure: data with at least one point.
        metrics: the metrics.
        grid: the cells.
        budget: bytes that may be used beyond input and output.
        step: is told how many cells are done.

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

    with ThreadPoolExecutor(workers) as pool:
        for done in pool.map(count, range(0, grid.cells, size)):
            step(done)
    return {name: flat.reshape(grid.shape) for name, flat in values.items()}


def counting_bound(measure: Measure, metric: Counting) -> float:
    """Bound on the error of a counting metric, beyond the last rounding where masses are counts.

    For a population it is nan where a metric divides by a mass that may be as small as one likes.

    Each mass has the relative error r of `sweep.cuts.rounding_bound`. A ratio part / whole, the
    part among the whole, then has 2r of its value, and so has a mean of such ratios. Of the two
    terms of Matthews' correlation, which add up to at most 1, each has 4r.
    """
    unit = float(np.finfo(np.float64).eps) / 2
    if measure.quadrature is not None:
        least = min(t for t in (measure.class0.total, measure.class1.total) if t > 0)
        divisor = {"all": measure.total, "class": least, "predicted": math.nan}[metric.divides_by]
        masses = 4 * measure.quadrature.rounding() / divisor
        return metric.sensitivity * masses + metric.roundings * unit
    return metric.sensitivity * rounding_bound(measure) + metric.roundings * unit
