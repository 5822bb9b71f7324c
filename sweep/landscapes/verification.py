"""The check of a compressed landscape, against the points themselves.

What the bound promises is looked at from both ends. Once for all parts of a landscape: the deposit
must hold every point (mass and mean of each class), and in a few cells its nodes must give what
summing over points gives. Where that would take longer than all the rest, evenly spaced points are
compressed apart, on the same plan, and summed. Then in a few cells of each part: it must be what
its nodes give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.base.rounding import UNIT
from sweep.landscapes import compressed, direct
from sweep.landscapes.compressed import CompressedMetric
from sweep.measure.compression.deposit import deposit
from sweep.measure.compression.fold import Window, fold
from sweep.measure.compression.lattice import CHUNK, TINY, Deposit
from sweep.measure.compression.plan import Plan
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.metrics.metrics import Smooth

CELLS = 16
"""Cells that are checked."""

POINTS = 2**14
"""Most points of a sum."""


SLACK = 2.0**-44
"""Error of the sum over the nodes that a part is held against."""


class CheckError(InputError):
    """A result is not what the bound says: a fault of this program, never of the request."""


@dataclass(frozen=True, eq=False)
class CheckedNodes:
    """What is checked: data as the nodes of a plan."""

    plan: Plan
    deposit: Deposit
    windows: dict[int, Window]


class Check(NamedTuple):
    """What the check found.

    Attributes:
        observed_error: largest |error| / max(1, value) that was seen.
        checked_cells: in so many cells.
        checked_points: against sums over so many points.
    """

    observed_error: float
    checked_cells: int
    checked_points: int


def check(
    measure: Measure, metrics: Sequence[Smooth], nodes: CheckedNodes, bound: float, budget: int
) -> Check:
    """Checks nodes against the points that they stand for.

    Args:
        measure: the data.
        metrics: that the nodes are for.
        nodes: to be checked.
        bound: that their errors must keep.
        budget: bytes that may be used beyond input and output.

    Raises:
        CheckError: they do not, or the deposit lacks points.
    """
    _require_whole(measure, nodes.deposit)
    grid, part = nodes.plan.grid, _part(measure)
    row, column = _chosen(grid.shape)
    seen = [_observed(measure, part, metric, nodes, row, column, budget) for metric in metrics]
    slack = max(direct.rounding_bound(part, metric, grid, "float64") for metric in metrics)
    _require(seen, bound, slack)
    return Check(max(seen), len(row), len(part.class0) + len(part.class1))


def check_part(
    surface: CompressedMetric,
    rows: slice,
    columns: slice,
    values: Float[np.ndarray, "k m"],
    bound: float,
) -> float:
    """Checks some rows and columns of a metric against the nodes.

    Returns:
        The largest |error| / max(1, value) that was seen.

    Raises:
        CheckError: it is more than the bound, or a value is no number.
    """
    row, column = _chosen(values.shape)
    cells = rows.start + row, columns.start + column
    exact = compressed.at_cells(
        surface.plan, surface.windows, surface.metric, surface.total, *cells
    )
    seen = _largest(values[row, column] - exact, exact) if np.isfinite(values).all() else np.nan
    _require([seen], bound, SLACK)
    return seen


def _chosen(shape: tuple[int, ...]) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Rows and columns of some cells, always the same."""
    cells = math.prod(shape)
    found = np.random.default_rng(0).choice(cells, min(CELLS, cells), replace=False)
    return np.divmod(found, shape[1])


def _require(seen: Sequence[float], bound: float, slack: float) -> None:
    if not all(error <= bound + slack for error in seen):
        raise _fault(f"an error of {np.max(seen):.1e} was seen where at most {bound:.1e} can be")


def total(metric: Smooth, measure: Measure) -> float:
    """What the integral of a metric is divided by."""
    return metric.total(float(measure.class0.total), float(measure.class1.total))


def _require_whole(measure: Measure, found: Deposit) -> None:
    """Refuses a deposit whose mass or mean is not that of the points.

    What stands for the points of a sketch is made of its deposit: only the mass is known besides.
    """
    reach = float(np.max(np.abs(found.lattice.panel_ends)))
    for points, mass, first in zip((measure.class0, measure.class1), *found.totals, strict=True):
        sums = np.sum(points.x) if points.mass is None else points.x @ points.mass
        # Subnormal masses count as 0 on a device that has no such numbers.
        slack = 8 * UNIT * (CHUNK + found.chunks) * float(points.total) + TINY * len(points)
        if measure.sketch is not None:
            lost = measure.sketch.rounding_of_masses + measure.sketch.lost(0.0, 0.0)
            slack += lost * float(measure.total)
        if not abs(mass - points.total) <= (0.0 if found.counted else slack):
            raise _fault(f"a class of mass {points.total:g} was compressed to {mass:g}")
        if measure.sketch is None and not abs(first - sums) <= slack * reach:
            raise _fault(f"a class whose x sum to {sums:g} was compressed to {first:g}")


def _observed(
    measure: Measure,
    part: Measure,
    metric: Smooth,
    nodes: CheckedNodes,
    row: Int[np.ndarray, " k"],
    column: Int[np.ndarray, " k"],
    budget: int,
) -> float:
    """Largest error of a metric in some cells, as a multiple of max(1, value)."""
    plan, windows = nodes.plan, nodes.windows
    if part is not measure:
        windows = fold(plan, deposit(part.classes, plan.lattice))
    a, b = plan.grid.a[row], plan.grid.b[column]
    truth = direct.direct_cells(part, metric, a, b, "float64", budget)
    found = compressed.at_cells(plan, windows, metric, total(metric, part), row, column)
    return _largest(found - truth, truth)


def _largest(difference: Float[np.ndarray, " k"], value: Float[np.ndarray, " k"]) -> float:
    return float(np.max(np.abs(difference) / np.maximum(1.0, value)))


def _part(measure: Measure) -> Measure:
    """Evenly spaced points of a measure, at most POINTS of them."""
    every = -(-measure.points // POINTS)
    if every == 1 and measure.sketch is None:  # what stands for points is right to its own error
        return measure
    class0, class1 = (
        Points(p.x[::every], None if p.mass is None else p.mass[::every])
        for p in (measure.class0, measure.class1)
    )
    return Measure(class0, class1, len(class0) + len(class1), measure.fingerprint)


def _fault(what: str) -> CheckError:
    return CheckError(
        f"the check of a compressed landscape failed: {what}, which is a fault of this program; "
        "ask for the direct method, and report it"
    )
