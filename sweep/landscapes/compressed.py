"""Compressed evaluation: the cost of a cell does not depend on n, and the error is bounded.

    plan      how to do it, and the bound (`sweep.measure.compression.plan`)
    deposit   the data as moments on a lattice, in one pass (`sweep.measure.compression.deposit`)
    fold      moments to weights of a few Chebyshev nodes in each panel of each window; what lies
              beyond a window to its mass and first moment (`sweep.measure.compression.fold`)
    evaluate  losses at the nodes, on a Chebyshev core of (a, b), interpolated to the grid

Nothing in this module knows how many points there were.
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
from sweep.measure.compression.fold import Window
from sweep.measure.compression.plan import Plan
from sweep.metrics.metrics import Loss, Smooth
from sweep.metrics.profile import profile

TILE = (128, 128, 512)
"""Most slopes, intercepts and nodes that are evaluated in one call."""

BYTES_PER_CELL = 64
"""Working memory for a cell while it is interpolated."""

CORES = 16
"""Share of the budget, one in so many, that a metric's cores of one sampled axis may take."""

SMALLEST = 16
"""Fewest of each: shapes are this times a power of two, or 1.5 times that."""


@dataclass(frozen=True, eq=False)
class CompressedMetric:
    """A smooth metric over the grid of a plan, to be had part by part.

    The cells of a part depend on which part it is, and on nothing that was asked for before: what
    is kept from part to part are cores, which are those of the whole grid.

    Attributes:
        plan: made for the grid and the losses of the metric.
        windows: the data, folded by that plan.
        metric: the metric.
        total: what its integral is divided by.
        budget: bytes that may be used beyond input and output.
    """

    plan: Plan
    windows: dict[int, Window]
    metric: Smooth
    total: float
    budget: int
    _cores: dict[int, Float[np.ndarray, "r c"]] = field(default_factory=dict)

    def part(self, rows: slice, columns: slice, step: Step = ignore) -> Float[np.ndarray, "k m"]:
        """The metric in some rows and columns of the grid.

        Args:
            rows: from its start to its stop, both given.
            columns: likewise.
            step: is told how many losses have been evaluated.
        """
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
        """Cells of some slopes of a group."""
        plan, group = self.plan, self.plan.groups[number]
        core = self._core(number, inside, columns, step)
        left, right = group.slopes.matrix(inside), plan.intercepts.matrix(columns)
        cells = _interpolated(left, core, right)
        slopes, intercepts = plan.grid.a[group.rows[inside], None], plan.grid.b[columns]
        beyond = self.windows[group.level].beyond
        if beyond.any():
            cells += _straight(self.metric, beyond / self.total, slopes, intercepts)
        if self.metric.penalty is not None:
            cells += self.metric.penalty(slopes)
        return cells

    def _core(
        self, number: int, inside: Int[np.ndarray, " k"], columns: slice, step: Step
    ) -> Float[np.ndarray, "r c"]:
        """The metric where slopes and intercepts are sampled, or at their own points."""
        a, b = self.plan.groups[number].slopes, self.plan.intercepts
        i = inside if a.t is None else slice(None)
        j = columns if b.t is None else slice(None)
        if number not in self._keeps:
            return self._sums(number, a.points[i], b.points[j], step)
        if number not in self._cores:
            self._cores[number] = self._sums(number, a.points, b.points, step)
        return self._cores[number][i, j]

    def _sums(
        self, number: int, a: Float[np.ndarray, " r"], b: Float[np.ndarray, " c"], step: Step
    ) -> Float[np.ndarray, "r c"]:
        window = self.windows[self.plan.groups[number].level]
        core = np.zeros((len(a), len(b)))
        for loss, mass in _weighted(self.metric, window.mass, self.total):
            _add(core, loss, a, b, window.x, mass, step)
        return core

    @cached_property
    def _keeps(self) -> set[int]:
        """Groups whose cores serve more than one part; long ones only while there is room."""
        kept, b, room = set(), self.plan.intercepts, self.budget // CORES
        for number, group in enumerate(self.plan.groups):
            a = group.slopes
            room -= 0 if a.t is None and b.t is None else 8 * len(a.points) * len(b.points)
            if (a.t is not None and b.t is not None) or (
                room >= 0 and (a.t is not None or b.t is not None)
            ):
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
    """A smooth metric in a few cells, straight from the nodes: no core, no interpolation."""
    out = np.zeros(len(row))
    for group in plan.groups:
        window = windows[group.level]
        for k in np.flatnonzero(np.isin(row, group.rows)):
            a, b = plan.grid.a[row[k]], plan.grid.b[column[k]]
            near = (m @ loss(a * window.x + b) for loss, m in _weighted(metric, window.mass, total))
            far = _straight(metric, window.beyond / total, np.array([a]), np.array([b]))
            out[k] = sum(near) + far.item()
    return out if metric.penalty is None else out + metric.penalty(plan.grid.a[row])


def _weighted(
    metric: Smooth, mass: Float[np.ndarray, "2 s"], total: float
) -> Iterator[tuple[Loss, Float[np.ndarray, " s"]]]:
    """The losses of a metric with the weights of the nodes for each."""
    for part in metric.parts:
        if part.on_class0 or part.on_class1:
            yield part.loss, (part.on_class0 * mass[0] + part.on_class1 * mass[1]) / total


def _straight(
    metric: Smooth,
    beyond: Float[np.ndarray, "2 2 2"],
    a: Float[np.ndarray, " ..."],
    b: Float[np.ndarray, " ..."],
) -> Float[np.ndarray, " ..."]:
    """What lies beyond the window, where losses are straight lines."""
    out = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b)))
    for side, classes in zip((-1, 1), beyond, strict=True):
        upward = np.sign(a) * side  # the sign of the logit out there
        for part in metric.parts:
            known = profile(part.loss)
            mass, first = part.on_class0 * classes[0] + part.on_class1 * classes[1]
            logit = np.abs(a * first + b * mass)
            out += np.where(upward == known.good, 0.0, known.level * mass + known.slope * logit)
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
            slopes = devices.spread(a[rows], _round(-(-len(a[rows]) // shards)))
            others = (_padded(values) for values in (b[columns], x[nodes], mass[nodes]))
            sums = np.asarray(_sums(slopes, *others, loss=loss))
            part = core[rows, columns]
            part += sums.reshape(-1, sums.shape[-1])[: part.shape[0], : part.shape[1]]
            step(part.size * len(x[nodes]))


def _spans(n: int, size: int) -> list[slice]:
    """Cuts n items into slices of a size."""
    return [slice(start, start + size) for start in range(0, n, size)]


@partial(jax.jit, static_argnames="loss")
def _sums(
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


def _round(count: int) -> int:
    """The next of few sizes: SMALLEST times a power of two, or 1.5 times that."""
    size = SMALLEST
    while size < count:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size


def _padded(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Values with zeros behind them up to one of few sizes."""
    return np.concatenate([values, np.zeros(_round(len(values)) - len(values))])


def _interpolated(
    left: Float[np.ndarray, "k r"] | None,
    core: Float[np.ndarray, "r c"],
    right: Float[np.ndarray, "Q c"] | None,
) -> Float[np.ndarray, "k Q"]:
    """The core's values where they are wanted: a new array."""
    part = core.copy() if left is None else left @ core
    return part if right is None else part @ right.T
