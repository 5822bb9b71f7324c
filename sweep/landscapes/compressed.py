"""Compressed evaluation: the cost of a cell does not depend on n, and the error is bounded.

    plan      the method in numbers, and the bound (`sweep.measure.compression.plan`)
    deposit   one pass over the data: moments on a lattice (`sweep.measure.compression.deposit`)
    fold      moments become weights of a few Chebyshev nodes in each panel of each window; data
              beyond a window become a mass and a first moment (`sweep.measure.compression.deposit`)
    evaluate  losses at the nodes, on a Chebyshev core of (a, b), interpolated to the grid

This module is the last step. Nothing in it knows how many points there were.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base import devices
from sweep.base.progress import Step, ignore
from sweep.measure.compression.deposit import Window
from sweep.measure.compression.plan import Plan
from sweep.metrics.metrics import Loss, Smooth
from sweep.metrics.profile import profile

TILE = (128, 128, 512)  # most slopes, intercepts and nodes that are evaluated in one call
BYTES_PER_CELL = 64  # working memory for a cell while it is interpolated
CORE_SHARE = 16  # cores with only one sampled axis may take 1/16 of the budget, for each metric
SMALLEST = 16  # shapes are 16 times a power of two, or 1.5 times that: few are compiled


@dataclass(frozen=True, eq=False)
class CompressedMetric:
    """A smooth metric over the grid of a plan, computed tile by tile.

    The cells of a tile depend on its rows and columns, and on no tile computed before: only cores
    are kept from tile to tile, and they belong to the whole grid.
    """

    plan: Plan  # made for the grid and the losses of the metric
    windows: dict[int, Window]  # the data, folded by that plan
    metric: Smooth  # the metric
    total: float  # denominator of the metric
    budget: int  # bytes that may be used beyond input and output
    _cores: dict[int, Float[np.ndarray, "r c"]] = field(default_factory=dict)

    def tile(self, rows: slice, columns: slice, step: Step = ignore) -> Float[np.ndarray, "k m"]:
        """The metric in some rows and columns of the grid."""
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start))
        edge = max(1, math.isqrt(self.budget // BYTES_PER_CELL))
        for number, group in enumerate(self.plan.groups):
            inside = np.flatnonzero((group.rows >= rows.start) & (group.rows < rows.stop))
            for i, j in product(_spans(len(inside), edge), _spans(out.shape[1], edge)):
                j = slice(j.start, min(j.stop, out.shape[1]))
                shifted = slice(columns.start + j.start, columns.start + j.stop)
                cells = self._cells(number, inside[i], shifted, step)
                out[group.rows[inside[i]] - rows.start, j] = cells
        return out

    def _cells(
        self, number: int, inside: Int[np.ndarray, " k"], columns: slice, step: Step
    ) -> Float[np.ndarray, "k m"]:
        """Cells of some slopes of a group: the core, interpolated, and what lies beyond nodes."""
        plan, group = self.plan, self.plan.groups[number]
        core = self._core(number, inside, columns, step)
        left, right = group.slopes.matrix(inside), plan.intercepts.matrix(columns)
        cells = _interpolated(left, core, right)
        slopes, intercepts = plan.grid.a[group.rows[inside], None], plan.grid.b[columns]
        beyond = self.windows[group.level].beyond
        if beyond.any():
            cells += _beyond_window(self.metric, beyond / self.total, slopes, intercepts)
        if self.metric.penalty is not None:
            cells += self.metric.penalty(slopes)
        return cells

    def _core(
        self, number: int, inside: Int[np.ndarray, " k"], columns: slice, step: Step
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
        for loss, mass in _weighted_losses(self.metric, window.mass, self.total):
            _add(core, loss, a, b, window.x, mass, step)
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


def at_cells(
    plan: Plan,
    windows: dict[int, Window],
    metric: Smooth,
    total: float,
    row: Int[np.ndarray, " k"],
    column: Int[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """A smooth metric in a few cells, directly from the nodes: no core, no interpolation."""
    out = np.zeros(len(row))
    for group in plan.groups:
        window = windows[group.level]
        for k in np.flatnonzero(np.isin(row, group.rows)):
            a, b = plan.grid.a[row[k]], plan.grid.b[column[k]]
            losses = _weighted_losses(metric, window.mass, total)
            near = (mass @ loss(a * window.x + b) for loss, mass in losses)
            far = _beyond_window(metric, window.beyond / total, np.array([a]), np.array([b]))
            out[k] = sum(near) + far.item()
    return out if metric.penalty is None else out + metric.penalty(plan.grid.a[row])


def _weighted_losses(
    metric: Smooth, mass: Float[np.ndarray, "2 s"], total: float
) -> Iterator[tuple[Loss, Float[np.ndarray, " s"]]]:
    """The losses of a metric, each with its weights of the nodes."""
    for term in metric.parts:
        if term.on_class0 or term.on_class1:
            yield term.loss, (term.on_class0 * mass[0] + term.on_class1 * mass[1]) / total


def _beyond_window(
    metric: Smooth,
    beyond: Float[np.ndarray, "2 2 2"],
    a: Float[np.ndarray, " ..."],
    b: Float[np.ndarray, " ..."],
) -> Float[np.ndarray, " ..."]:
    """The contribution of data beyond the window, where losses are straight lines."""
    out = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b)))
    for side, classes in zip((-1, 1), beyond, strict=True):
        sign = np.sign(a) * side  # of the logit of all these points
        for term in metric.parts:
            loss = profile(term.loss)
            mass, first = term.on_class0 * classes[0] + term.on_class1 * classes[1]
            # The loss level + slope |z| is linear, so mass and first moment give its integral:
            # all z have one sign, and |sum of mass z| is the sum of mass |z|.
            logit = np.abs(a * first + b * mass)
            out += np.where(sign == loss.good, 0.0, loss.level * mass + loss.slope * logit)
    return out


def _add(
    core: Float[np.ndarray, "r c"],
    loss: Loss,
    a: Float[np.ndarray, " r"],
    b: Float[np.ndarray, " c"],
    x: Float[np.ndarray, " s"],
    mass: Float[np.ndarray, " s"],
    step: Step,
) -> None:
    """Adds the sum of mass * loss(a*x + b) over the nodes for every slope and intercept."""
    shards = len(devices.available())
    most = (TILE[0] * shards, TILE[1], TILE[2])
    spans = (_spans(len(axis), size) for axis, size in zip((a, b, x), most, strict=True))
    with jax.enable_x64(True):
        for rows, columns, nodes in product(*spans):
            slopes = devices.to_shards(a[rows], _padded_size(-(-len(a[rows]) // shards)))
            others = (_padded(values) for values in (b[columns], x[nodes], mass[nodes]))
            sums = np.asarray(_node_sums(slopes, *others, loss=loss))
            view = core[rows, columns]
            view += sums.reshape(-1, sums.shape[-1])[: view.shape[0], : view.shape[1]]
            step(view.size * len(x[nodes]))


def _spans(n: int, size: int) -> list[slice]:
    """Cuts n items into slices of `size` items."""
    return [slice(start, start + size) for start in range(0, n, size)]


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


def _padded(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Values, padded with zeros to one of few sizes."""
    return np.concatenate([values, np.zeros(_padded_size(len(values)) - len(values))])


def _interpolated(
    left: Float[np.ndarray, "k r"] | None,
    core: Float[np.ndarray, "r c"],
    right: Float[np.ndarray, "Q c"] | None,
) -> Float[np.ndarray, "k Q"]:
    """The product left @ core @ right.T as a new array; None is the identity."""
    rows = core.copy() if left is None else left @ core
    return rows if right is None else rows @ right.T
