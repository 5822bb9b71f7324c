"""The check of a compressed landscape after it was computed, against the points themselves.

What the bound promises is looked at from both ends: the deposit must hold every point (mass and
mean of each class), and in a few cells the result must be what summing over points gives. Where
that would take longer than all the rest, evenly spaced points are compressed apart, on the same
plan, and summed; the result itself is then held against its own nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from sweep import compressed, kernels
from sweep.compressed import Window
from sweep.data import InputError
from sweep.lattice import CHUNK, TINY, Deposit, deposit
from sweep.losses import Smooth
from sweep.measure import Measure, Points
from sweep.plan import UNIT, Plan

CELLS = 16
"""Cells that are checked."""

POINTS = 2**14
"""Most points of a sum."""


class CheckError(InputError):
    """A result is not what the bound says: a fault of this program, never of the request."""


@dataclass(frozen=True, eq=False)
class Result:
    """What is checked: landscapes by the names of their metrics, and what they were made of."""

    plan: Plan
    deposit: Deposit
    windows: dict[int, Window]
    values: dict[str, Float[np.ndarray, "P Q"]]


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
    measure: Measure, metrics: Sequence[Smooth], result: Result, bound: float, budget: int
) -> Check:
    """Checks a result.

    Args:
        measure: the data.
        metrics: of the result.
        result: to be checked.
        bound: that its errors must keep.
        budget: bytes that may be used beyond input and output.

    Raises:
        CheckError: they do not, or the deposit lacks points.
    """
    _require_whole(measure, result.deposit)
    grid, part = result.plan.grid, _part(measure)
    cells = np.random.default_rng(0).choice(grid.cells, min(CELLS, grid.cells), replace=False)
    seen = [_observed(measure, part, metric, result, cells, budget) for metric in metrics]
    slack = max(kernels.rounding_bound(part, metric, grid, "float64") for metric in metrics)
    whole = all(np.isfinite(array).all() for array in result.values.values())
    if not whole or not all(error <= bound + slack for error in seen):
        worst = float(np.max(seen)) if whole else np.nan
        raise _fault(f"an error of {worst:.1e} was seen where at most {bound:.1e} can be")
    return Check(max(seen), len(cells), len(part.class0) + len(part.class1))


def total(metric: Smooth, measure: Measure) -> float:
    """What the integral of a metric is divided by."""
    return metric.total(float(measure.class0.total), float(measure.class1.total))


def _require_whole(measure: Measure, found: Deposit) -> None:
    """Refuses a deposit whose mass or mean is not that of the points."""
    reach = float(np.max(np.abs(found.lattice.panel_ends)))
    for points, mass, first in zip((measure.class0, measure.class1), *found.totals, strict=True):
        sums = np.sum(points.x) if points.mass is None else points.x @ points.mass
        # Subnormal masses count as 0 on a device that has no such numbers.
        slack = 8 * UNIT * (CHUNK + found.chunks) * float(points.total) + TINY * len(points)
        if not abs(mass - points.total) <= (0.0 if found.counted else slack):
            raise _fault(f"a class of mass {points.total:g} was compressed to {mass:g}")
        if not abs(first - sums) <= slack * reach:
            raise _fault(f"a class whose x sum to {sums:g} was compressed to {first:g}")


def _observed(
    measure: Measure,
    part: Measure,
    metric: Smooth,
    result: Result,
    cells: np.ndarray,
    budget: int,
) -> float:
    """Largest error of a metric in some cells, as a multiple of max(1, value)."""
    plan = result.plan
    row, column = np.divmod(cells, len(plan.grid.b))
    a, b = plan.grid.a[row], plan.grid.b[column]
    truth = kernels.direct_cells(part, metric, a, b, "float64", budget)
    found = result.values[metric.name][row, column]
    if part is measure:
        return _largest(found - truth, truth)
    nodes = compressed.at_cells(plan, result.windows, metric, total(metric, measure), row, column)
    folded = compressed.fold(plan, deposit(part, plan.lattice))
    of_part = compressed.at_cells(plan, folded, metric, total(metric, part), row, column)
    return _largest(found - nodes, nodes) + _largest(of_part - truth, truth)


def _largest(difference: Float[np.ndarray, " k"], value: Float[np.ndarray, " k"]) -> float:
    return float(np.max(np.abs(difference) / np.maximum(1.0, value)))


def _part(measure: Measure) -> Measure:
    """Evenly spaced points of a measure, at most POINTS of them."""
    every = -(-measure.points // POINTS)
    if every == 1:
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
