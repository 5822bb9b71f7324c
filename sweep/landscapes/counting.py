"""Counting metrics over a grid: exact confusion masses in every cell, computed in threads.

Where a sketch does not count exactly, a metric lies between two bounds.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float

from sweep.base.devices import cores
from sweep.base.intervals import UNIT
from sweep.base.progress import bar
from sweep.base.timing import Clock
from sweep.landscapes.direct import tiles
from sweep.landscapes.smooth import LandscapeSettings, Tile, TileSource
from sweep.measure.confusion import Confusion, confusion, confusion_bounds, rounding_bound
from sweep.measure.measure import Measure
from sweep.metrics.metrics import Counting

CELLS_AT_ONCE = 2**17  # most cells that are counted together; more are no faster
BYTES_PER_CELL = 192  # working memory of one cell: its cut, its searches and its table
ENDS = ("", "_lower", "_upper")  # of the names of a metric with bounds


def counts(
    measure: Measure, settings: LandscapeSettings, clock: Clock, *, bounded: bool
) -> TileSource:
    """Counting metrics by name, with `correct` where accuracy is a count.

    If `bounded`, for a sketch, a metric is nan where it does not count exactly, and comes with its
    bounds. One pool counts all tiles: memory that a thread frees is kept for that thread.
    """
    pool, metrics = ThreadPoolExecutor(cores()), settings.of(Counting)
    names = [metric.name + end for metric in metrics for end in (ENDS if bounded else ENDS[:1])]
    size = max(1, min(CELLS_AT_ONCE, settings.budget // (2 * BYTES_PER_CELL * cores())))

    def compute(rows: slice, columns: slice, progress: bool | None) -> Tile:
        grid = settings.cells(rows, columns)
        values: dict[str, np.ndarray] = {name: np.empty(grid.cells) for name in names}
        if "accuracy" in values and measure.counted and not bounded:
            values["correct"] = np.empty(grid.cells, np.int64)

        def count(cells: slice) -> int:
            row, column = np.divmod(np.arange(cells.start, cells.stop), len(grid.b))
            a, b = grid.a[row], grid.b[column]
            tables = confusion_bounds(measure, a, b) if bounded else (confusion(measure, a, b),)
            for metric in metrics:
                for end, part in zip(ENDS, _exact_and_ends(metric, tables), strict=False):
                    values[metric.name + end][cells] = part
            if "correct" in values:
                np.add(tables[0].tp, tables[0].tn, out=values["correct"][cells])
            return len(row)

        with clock.stage("count"), bar("counts", grid.cells, "cells", progress) as step:
            for done in pool.map(count, [cells for (cells,) in tiles((grid.cells,), (size,))]):
                step(done)
        return Tile({name: flat.reshape(grid.shape) for name, flat in values.items()})

    return compute


def _exact_and_ends(
    metric: Counting, tables: tuple[Confusion, ...]
) -> tuple[Float[np.ndarray, " k"], ...]:
    """A metric of exact masses; of the worst and the best masses nan where it differs, and both."""
    worst, *best = (metric.value(*table) for table in tables)
    if not best:
        return (worst,)
    # An error rate is lower for the best masses.
    exact = np.where(worst == best[0], worst, np.nan)
    return exact, np.minimum(worst, best[0]), np.maximum(worst, best[0])


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
        least = min(mass for mass in measure.masses if mass > 0)
        divisor = {"all": measure.total, "class": least, "predicted": math.nan}[metric.divides_by]
        # The error of one mass is absolute here; a ratio has sums of up to 4 masses.
        masses = 4 * measure.quadrature.rounding() / divisor
        return metric.sensitivity * masses + roundings
    return metric.sensitivity * rounding_bound(measure) + roundings
