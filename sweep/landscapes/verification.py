"""The check of a compressed landscape against the points themselves.

Once for a landscape, the deposit must hold every point (mass and mean of each class), and in a few
cells its nodes must agree with sums over points. Of many points, evenly spaced ones are compressed
separately, on the same plan, and summed instead. Then a few cells of each tile must agree with the
nodes. A failure is a fault of this program: the bound of the plan promises that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.base.intervals import UNIT
from sweep.landscapes import compressed, direct
from sweep.landscapes.compressed import CompressedMetric
from sweep.measure.compression.deposit import Deposit, Window, fold
from sweep.measure.compression.lattice import CHUNK, TINY
from sweep.measure.compression.plan import Plan
from sweep.measure.compression.scatter import deposit
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.metrics.metrics import Smooth

CELLS = 16  # cells that are checked
POINTS = 2**14  # most points of a sum, so that the check takes little time
SLACK = 512 * UNIT  # rounding of the sum over a window's nodes, some hundreds, in `at_cells`


class CheckError(InputError):
    """A result breaks its error bound: a fault of this program, never of the arguments."""


@dataclass(frozen=True, eq=False)
class CheckedNodes:
    """Data as the nodes of a plan, which are checked."""

    plan: Plan  # the plan
    deposit: Deposit  # the data on its lattice
    windows: dict[int, Window]  # the nodes, by level of the window


class Check(NamedTuple):
    """The result of a check."""

    observed_error: float  # largest |error| / max(1, value) that was seen
    checked_cells: int  # number of cells that were checked
    checked_points: int  # number of points that were summed in each


def check(
    measure: Measure, metrics: Sequence[Smooth], nodes: CheckedNodes, bound: float, budget: int
) -> Check:
    """Checks nodes against the points that they stand for."""
    _require_complete(measure, nodes.deposit)
    grid, thinned = nodes.plan.grid, _thinned(measure)
    row, column = _checked_cells(grid.shape)
    errors = [_observed(measure, thinned, metric, nodes, row, column, budget) for metric in metrics]
    # The sums over points round, too.
    slack = max(direct.rounding_bound(thinned, metric, grid, "float64") for metric in metrics)
    _require_within(errors, bound, slack)
    return Check(max(errors), len(row), len(thinned.class0) + len(thinned.class1))


def check_tile(
    surface: CompressedMetric,
    rows: slice,
    columns: slice,
    values: Float[np.ndarray, "k m"],
    bound: float,
) -> float:
    """Checks some rows and columns of a metric against the nodes."""
    row, column = _checked_cells(values.shape)
    cells = rows.start + row, columns.start + column
    exact = compressed.at_cells(
        surface.plan, surface.windows, surface.metric, surface.total, *cells
    )
    error = _largest(values[row, column] - exact, exact) if np.isfinite(values).all() else np.nan
    _require_within([error], bound, SLACK)
    return error


def _checked_cells(shape: tuple[int, ...]) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Rows and columns of the cells that are checked, the same for each call."""
    cells = math.prod(shape)
    chosen = np.random.default_rng(0).choice(cells, min(CELLS, cells), replace=False)
    return np.divmod(chosen, shape[1])


def _require_within(errors: Sequence[float], bound: float, slack: float) -> None:
    """Refuses an error beyond the bound; nan is one."""
    if not all(error <= bound + slack for error in errors):
        raise _fault(f"an error of {np.max(errors):.1e} was seen; the bound is {bound:.1e}")


def total(metric: Smooth, measure: Measure) -> float:
    """The denominator of a metric."""
    return metric.total(float(measure.class0.total), float(measure.class1.total))


def _require_complete(measure: Measure, deposited: Deposit) -> None:
    """Refuses a deposit whose mass or mean is not that of the points.

    The points of a sketch are made from its deposit, so only the mass is known independently.
    """
    largest_x = float(np.max(np.abs(deposited.lattice.panel_ends)))
    for points, mass, first in zip(
        (measure.class0, measure.class1), *deposited.totals, strict=True
    ):
        sum_of_x = np.sum(points.x) if points.mass is None else points.x @ points.mass
        # Adding up a chunk of CHUNK points and then the chunks rounds CHUNK + chunks times at most.
        # 8: both sums here do so, and a first moment adds the roundings of t and of its scaling.
        # TINY: a device without subnormal numbers takes such masses for 0.
        slack = 8 * UNIT * (CHUNK + deposited.chunks) * float(points.total) + TINY * len(points)
        if measure.sketch is not None:
            lost = measure.sketch.rounding_of_masses + measure.sketch.lost(0.0, 0.0)
            slack += lost * float(measure.total)
        if not abs(mass - points.total) <= (0.0 if deposited.counted else slack):
            raise _fault(f"a class of mass {points.total:g} was compressed to {mass:g}")
        if measure.sketch is None and not abs(first - sum_of_x) <= slack * largest_x:
            raise _fault(f"a class whose x sum to {sum_of_x:g} was compressed to {first:g}")


def _observed(
    measure: Measure,
    thinned: Measure,
    metric: Smooth,
    nodes: CheckedNodes,
    row: Int[np.ndarray, " k"],
    column: Int[np.ndarray, " k"],
    budget: int,
) -> float:
    """Largest error of a metric in some cells, as a multiple of max(1, value)."""
    plan, windows = nodes.plan, nodes.windows
    if thinned is not measure:
        windows = fold(plan, deposit(thinned.classes, plan.lattice))
    a, b = plan.grid.a[row], plan.grid.b[column]
    truth = direct.direct_cells(thinned, metric, a, b, "float64", budget)
    values = compressed.at_cells(plan, windows, metric, total(metric, thinned), row, column)
    return _largest(values - truth, truth)


def _largest(difference: Float[np.ndarray, " k"], value: Float[np.ndarray, " k"]) -> float:
    """Largest |difference| / max(1, value)."""
    return float(np.max(np.abs(difference) / np.maximum(1.0, value)))


def _thinned(measure: Measure) -> Measure:
    """Evenly spaced points of a measure, at most POINTS of them."""
    step = -(-measure.points // POINTS)
    # The points of a sketch are only as good as its own bound: they are compressed anew.
    if step == 1 and measure.sketch is None:
        return measure
    class0, class1 = (
        Points(p.x[::step], None if p.mass is None else p.mass[::step])
        for p in (measure.class0, measure.class1)
    )
    return Measure(class0, class1, len(class0) + len(class1), measure.fingerprint)


def _fault(what: str) -> CheckError:
    return CheckError(
        f"the check of a compressed landscape failed: {what}, which is a fault of this program; "
        "ask for the direct method, and report it"
    )
