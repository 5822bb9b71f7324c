"""Compressed evaluation: the cost of a cell does not depend on n, and the error is bounded.

    plan      the method in numbers, and the bound (`sweep.measure.compression.plan`)
    deposit   one pass over the data: moments on a lattice (`sweep.measure.compression.deposit`)
    fold      moments become weights of a few Chebyshev nodes in each panel of each window; data
              beyond a window become a mass and a first moment (`sweep.measure.compression.deposit`)
    evaluate  losses at the nodes, on a Chebyshev core of (a, b), interpolated to the grid
    check     the deposit holds every point; a few cells agree with sums over (some of) the points,
              and a few cells of each tile with the nodes

This module is the last two steps. Nothing in the evaluation knows how many points there were. A
check that fails is a fault of this program: the bound of the plan promises that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.intervals import UNIT
from sweep.base.progress import Step, ignore
from sweep.landscapes import direct
from sweep.measure.compression.deposit import Deposit, Window, fold
from sweep.measure.compression.lattice import CHUNK, TINY
from sweep.measure.compression.plan import Plan
from sweep.measure.compression.scatter import deposit
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.metrics.metrics import Loss, Smooth
from sweep.metrics.profile import profile

TILE = (128, 128, 512)  # most slopes, intercepts and nodes that are evaluated in one call
BYTES_PER_CELL = 64  # working memory for a cell while it is interpolated
CORE_SHARE = 16  # cores with only one sampled axis may take 1/16 of the budget, for each metric
SMALLEST = 16  # shapes are 16 times a power of two, or 1.5 times that: few are compiled
CHECKED_CELLS = 16
CHECKED_POINTS = 2**14  # most points of a sum, so that the check takes little time
SLACK = 512 * UNIT  # rounding of the sum over a window's nodes, some hundreds, in `at`


Numbers = Int[np.ndarray, " k"]
Cells = Float[np.ndarray, "k m"]
Values = Float[np.ndarray, " ..."]


@dataclass(frozen=True, eq=False)
class CompressedMetric:
    """A smooth metric over the grid of a plan, computed tile by tile.

    The cells of a tile depend on its rows and columns, and on no tile computed before: only cores
    are kept from tile to tile, and they belong to the whole grid.
    """

    plan: Plan  # made for the grid and the losses of the metric
    windows: dict[int, Window]  # the data, folded by that plan
    metric: Smooth
    total: float  # denominator of the metric
    budget: int  # bytes that may be used beyond input and output
    _cores: dict[int, Float[np.ndarray, "r c"]] = field(default_factory=dict, init=False)

    def tile(self, rows: slice, columns: slice, step: Step = ignore) -> Float[np.ndarray, "k m"]:
        """The metric in some rows and columns of the grid, whose start and stop are given."""
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start))
        edge = max(1, math.isqrt(self.budget // BYTES_PER_CELL))
        for number, group in enumerate(self.plan.groups):
            inside = np.flatnonzero((group.rows >= rows.start) & (group.rows < rows.stop))
            for i, j in direct.tiles((len(inside), out.shape[1]), (edge, edge)):
                shifted = slice(columns.start + j.start, columns.start + j.stop)
                cells = self._cells(number, inside[i], shifted, step)
                out[group.rows[inside[i]] - rows.start, j] = cells
        return out

    def at(self, row: Numbers, column: Numbers) -> Float[np.ndarray, " k"]:
        """The metric in a few cells, directly from the nodes: no core, no interpolation."""
        out, grid = np.zeros(len(row)), self.plan.grid
        for group in self.plan.groups:
            window = self.windows[group.level]
            for k in np.flatnonzero(np.isin(row, group.rows)):
                a, b = grid.a[row[k]], grid.b[column[k]]
                losses = self._weighted_losses(window)
                near = (mass @ loss(a * window.x + b) for loss, mass in losses)
                out[k] = sum(near) + self._beyond(window, np.array([a]), np.array([b])).item()
        return out if self.metric.penalty is None else out + self.metric.penalty(grid.a[row])

    def check(self, rows: slice, columns: slice, values: Cells, bound: float) -> float:
        """Checks a tile against the nodes; the largest |error| / max(1, value) that was seen."""
        row, column = _checked_cells(values.shape)
        exact = self.at(rows.start + row, columns.start + column)
        is_finite = np.isfinite(values).all()
        error = _largest(values[row, column] - exact, exact) if is_finite else np.nan
        _require_within([error], bound, SLACK)
        return error

    def _cells(self, number: int, inside: Numbers, columns: slice, step: Step) -> Cells:
        """Cells of some slopes of a group: the core, interpolated, and what lies beyond nodes."""
        plan, group = self.plan, self.plan.groups[number]
        core = self._core(number, inside, columns, step)
        left, right = group.slopes.matrix(inside), plan.intercepts.matrix(columns)
        cells = core.copy() if left is None else left @ core  # no matrix stands for the identity
        cells = cells if right is None else cells @ right.T
        slopes, window = plan.grid.a[group.rows[inside], None], self.windows[group.level]
        if window.beyond.any():
            cells += self._beyond(window, slopes, plan.grid.b[columns])
        if self.metric.penalty is not None:
            cells += self.metric.penalty(slopes)
        return cells

    def _core(
        self, number: int, inside: Numbers, columns: slice, step: Step
    ) -> Float[np.ndarray, "r c"]:
        """The metric where each axis is sampled, or on its own points if it is not."""
        a, b = self.plan.groups[number].slopes, self.plan.intercepts
        i = inside if a.t is None else slice(None)
        j = columns if b.t is None else slice(None)
        if number not in self._kept_groups:
            return self._integrals(number, a.points[i], b.points[j], step)
        if number not in self._cores:
            self._cores[number] = self._integrals(number, a.points, b.points, step)
        return self._cores[number][i, j]

    def _integrals(
        self, number: int, a: Float[np.ndarray, " r"], b: Float[np.ndarray, " c"], step: Step
    ) -> Float[np.ndarray, "r c"]:
        """The metric from the nodes of the group's window, for every slope and intercept."""
        window = self.windows[self.plan.groups[number].level]
        core = np.zeros((len(a), len(b)))
        shards = len(devices.available())
        most = (TILE[0] * shards, TILE[1], TILE[2])
        with jax.enable_x64(True):
            for (loss, mass), (rows, columns, nodes) in product(
                self._weighted_losses(window), direct.tiles((*core.shape, len(window.x)), most)
            ):
                slopes = devices.to_shards(a[rows], _padded_size(-(-len(a[rows]) // shards)))
                others = (
                    np.pad(values, (0, _padded_size(len(values)) - len(values)))
                    for values in (b[columns], window.x[nodes], mass[nodes])
                )
                sums = np.asarray(_node_sums(slopes, *others, loss=loss))
                view = core[rows, columns]
                view += sums.reshape(-1, sums.shape[-1])[: view.shape[0], : view.shape[1]]
                step(view.size * len(window.x[nodes]))
        return core

    @cached_property
    def _kept_groups(self) -> set[int]:
        """Groups whose cores are kept for the next tile.

        A core is small where both axes are sampled. Where one is, it is as long as the other axis
        and kept while there is room. Where none is, no cell of it serves another tile.
        """
        kept, b, room = set(), self.plan.intercepts, self.budget // CORE_SHARE
        for number, group in enumerate(self.plan.groups):
            a = group.slopes
            sampled = (a.t is not None) + (b.t is not None)
            room -= 8 * len(a.points) * len(b.points) if sampled else 0
            if sampled == 2 or (sampled == 1 and room >= 0):
                kept.add(number)
        return kept

    def _weighted_losses(self, window: Window) -> Iterator[tuple[Loss, Float[np.ndarray, " s"]]]:
        """The losses of the metric, each with its weights of the nodes."""
        for loss, on_class0, on_class1 in self.metric.parts:
            if on_class0 or on_class1:
                yield loss, (on_class0 * window.mass[0] + on_class1 * window.mass[1]) / self.total

    def _beyond(self, window: Window, a: Values, b: Values) -> Values:
        """The contribution of data beyond the window, where losses are straight lines."""
        out = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b)))
        for side, classes in zip((-1, 1), window.beyond / self.total, strict=True):
            sign = np.sign(a) * side  # of the logit of all these points
            for term in self.metric.parts:
                loss = profile(term.loss)
                mass, first = term.on_class0 * classes[0] + term.on_class1 * classes[1]
                # The loss level + slope |z| is linear, so mass and first moment give its integral:
                # all z have one sign, and |sum of mass z| is the sum of mass |z|.
                logit = np.abs(a * first + b * mass)
                out += np.where(sign == loss.good, 0.0, loss.level * mass + loss.slope * logit)
        return out


@partial(jax.jit, static_argnames="loss")
def _node_sums(
    a: Float[Array, "d r"],
    b: Float[Array, " c"],
    x: Float[Array, " s"],
    mass: Float[Array, " s"],
    *,
    loss: Loss,
) -> Float[Array, "d r c"]:
    def integral(
        a: Float[Array, ""], b: Float[Array, ""], x: Float[Array, " s"], mass: Float[Array, " s"]
    ) -> Float[Array, ""]:
        return jnp.sum(mass * loss(a * x + b))

    over_b = jax.vmap(integral, in_axes=(None, 0, None, None))
    over_a = jax.vmap(over_b, in_axes=(0, None, None, None))
    return devices.on_each(over_a, 1)(a, b, x, mass)


def _padded_size(count: int) -> int:
    """The least SMALLEST times a power of two, or 1.5 times that, which is not below count."""
    size = SMALLEST
    while size < count:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size


class CheckError(InputError):
    """A result breaks its error bound: a fault of this program, never of the arguments."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the check of a compressed landscape failed: {what}, which is a fault of this "
            "program; ask for the direct method, and report it"
        )


class Check(NamedTuple):
    """The result of a check."""

    observed_error: float  # largest |error| / max(1, value) that was seen
    checked_cells: int
    checked_points: int  # number of points that were summed in each cell


def check(
    measure: Measure, surfaces: Sequence[CompressedMetric], deposited: Deposit, bound: float
) -> Check:
    """Checks metrics, all of one plan, against the points that their nodes stand for."""
    _require_complete(measure, deposited)
    plan, points = surfaces[0].plan, _thinned(measure)
    if points is not measure:
        windows = fold(plan, deposit(points.classes, plan.lattice))
        surfaces = [
            replace(surface, windows=windows, total=surface.metric.total(*points.masses))
            for surface in surfaces
        ]
    row, column = _checked_cells(plan.grid.shape)
    a, b = plan.grid.a[row], plan.grid.b[column]
    errors, slack = [], 0.0
    for surface in surfaces:
        metric = surface.metric
        exact = direct.direct_cells(points, metric, a, b, "float64", surface.budget)
        errors.append(_largest(surface.at(row, column) - exact, exact))
        # The sums over points round, too.
        slack = max(slack, direct.rounding_bound(points, metric, plan.grid, "float64"))
    _require_within(errors, bound, slack)
    return Check(max(errors), len(row), points.points)


def _checked_cells(shape: tuple[int, ...]) -> tuple[Numbers, Numbers]:
    """Rows and columns of the cells that are checked, the same for each call."""
    cells = math.prod(shape)
    chosen = np.random.default_rng(0).choice(cells, min(CHECKED_CELLS, cells), replace=False)
    return np.divmod(chosen, shape[1])


def _require_within(errors: Sequence[float], bound: float, slack: float) -> None:
    """Refuses an error beyond the bound; nan is one."""
    if not all(error <= bound + slack for error in errors):
        raise CheckError(f"an error of {np.max(errors):.1e} was seen; the bound is {bound:.1e}")


def _require_complete(measure: Measure, deposited: Deposit) -> None:
    """Refuses a deposit whose mass or mean is not that of the points.

    The points of a sketch are made from its deposit, so only the mass is known independently.
    """
    largest_x = float(np.max(np.abs(deposited.lattice.panel_ends)))
    totals = np.sum(deposited.mass_and_first_moment, axis=-1)
    for points, mass, first in zip(measure.classes, *totals, strict=True):
        sum_of_x = np.sum(points.x) if points.mass is None else points.x @ points.mass
        # Adding up a chunk of CHUNK points and then the chunks rounds CHUNK + chunks times at most.
        # 8: both sums here do so, and a first moment adds the roundings of t and of its scaling.
        # TINY: a device without subnormal numbers takes such masses for 0.
        slack = 8 * UNIT * (CHUNK + deposited.chunks) * float(points.total) + TINY * len(points)
        if measure.sketch is not None:
            lost = measure.sketch.rounding_of_masses + measure.sketch.lost(0.0, 0.0)
            slack += lost * float(measure.total)
        if not abs(mass - points.total) <= (0.0 if deposited.counted else slack):
            raise CheckError(f"a class of mass {points.total:g} was compressed to {mass:g}")
        if measure.sketch is None and not abs(first - sum_of_x) <= slack * largest_x:
            raise CheckError(f"a class whose x sum to {sum_of_x:g} was compressed to {first:g}")


def _largest(difference: Float[np.ndarray, " k"], value: Float[np.ndarray, " k"]) -> float:
    """Largest |difference| / max(1, value)."""
    return float(np.max(np.abs(difference) / np.maximum(1.0, value)))


def _thinned(measure: Measure) -> Measure:
    """Evenly spaced points of a measure, at most CHECKED_POINTS of them."""
    step = -(-measure.points // CHECKED_POINTS)
    # The points of a sketch are only as good as its own bound: they are compressed anew.
    if step == 1 and measure.sketch is None:
        return measure
    class0, class1 = (
        Points(p.x[::step], None if p.mass is None else p.mass[::step]) for p in measure.classes
    )
    return Measure(class0, class1, len(class0) + len(class1), measure.fingerprint)
