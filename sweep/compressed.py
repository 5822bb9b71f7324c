"""Compressed evaluation: the cost of a cell does not depend on n, and the error is bounded.

    plan      how to do it, and the bound (`sweep.plan`)
    deposit   the data as moments on a lattice, in one pass (`sweep.lattice`)
    fold      moments to weights of a few Chebyshev nodes in each panel of each window; what lies
              beyond a window to its mass and first moment
    evaluate  losses at the nodes, on a Chebyshev core of (a, b), interpolated to the grid

Nothing in this module knows how many points there were.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep import chebyshev, devices
from sweep.analytic import profile
from sweep.lattice import MOMENTS, Deposit, Lattice
from sweep.losses import Loss, Smooth
from sweep.plan import Plan
from sweep.progress import Step, ignore

TILE = (128, 128, 512)
"""Most slopes, intercepts and nodes that are evaluated in one call."""

BYTES_PER_CELL = 64
"""Working memory for a cell while it is interpolated."""

SMALLEST = 16
"""Fewest of each: shapes are this times a power of two, or 1.5 times that."""


@dataclass(frozen=True, eq=False)
class Window:
    """A measure as slopes of one window see it.

    Attributes:
        x: nodes, shape (s,).
        mass: weights of the nodes for class 0 and 1, of either sign, shape (2, s).
        beyond: mass and first moment of what lies beyond the window, shape (side, class, 2), the
            negative side first.
    """

    x: Float[np.ndarray, " s"]
    mass: Float[np.ndarray, "2 s"]
    beyond: Float[np.ndarray, "2 2 2"]


class _Panels(NamedTuple):
    """Some panels of a window, on one side of 0 and mirrored to the positive: no two equal.

    Attributes:
        number: which, shape (k,), ascending from 0 at 0.
        mass: weights of their nodes, shape (k, 2, p), nodes ascending in |x|.
    """

    number: Int[np.ndarray, " k"]
    mass: Float[np.ndarray, "k 2 p"]


def fold(plan: Plan, deposit: Deposit) -> dict[int, Window]:
    """The windows of a plan, by level."""
    lattice = deposit.lattice
    moments = deposit.moments.reshape(2, lattice.panels, -1)
    mass = np.moveaxis(moments @ _to_nodes(lattice.group, plan.nodes), 0, 1)
    number = np.arange(lattice.first, lattice.first + lattice.panels)
    beyond = _beyond(plan, deposit, number)
    up = _windows(_Panels(number[number >= 0], mass[number >= 0]), lattice)
    down = _windows(
        _Panels(-1 - number[number < 0][::-1], mass[number < 0][::-1, :, ::-1]), lattice
    )
    used = {group.level for group in plan.groups}
    windows = {}
    for level, negative, positive in zip(range(1, max(used) + 1), down, up, strict=False):
        if level in used:
            width = math.ldexp(1.0, lattice.exponent + lattice.group + level - 1)
            parts = [_placed(negative, -width), _placed(positive, width)]
            x, weights = (np.concatenate(both, axis=-1) for both in zip(*parts, strict=True))
            windows[level] = Window(x, weights, beyond[level])
    return windows


def evaluate(
    plan: Plan,
    windows: dict[int, Window],
    metric: Smooth,
    total: float,
    budget: int,
    step: Step = ignore,
) -> Float[np.ndarray, "P Q"]:
    """A smooth metric in every cell.

    Args:
        plan: made for the grid and the losses of the metric.
        windows: the data, folded by that plan.
        metric: the metric.
        total: what its integral is divided by.
        budget: bytes that may be used beyond input and output.
        step: is told how many losses have been evaluated.
    """
    out = np.empty(plan.grid.shape)
    edge = max(1, math.isqrt(budget // BYTES_PER_CELL))
    for group in plan.groups:
        window = windows[group.level]
        for (top, a), (left, b) in product(group.slopes.pieces(edge), plan.intercepts.pieces(edge)):
            core = np.zeros((len(a.points), len(b.points)))
            for loss, mass in _weighted(metric, window.mass, total):
                _add(core, loss, a.points, b.points, window.x, mass, step)
            for i, j in product(_spans(len(a), edge), _spans(len(b), edge)):
                rows = group.rows[top : top + len(a)][i]
                columns = slice(left + j.start, left + min(j.stop, len(b)))
                cells = _interpolated(a.matrix(i), core, b.matrix(j))
                slopes, intercepts = plan.grid.a[rows, None], plan.grid.b[columns]
                if window.beyond.any():
                    cells += _straight(metric, window.beyond / total, slopes, intercepts)
                if metric.penalty is not None:
                    cells += metric.penalty(slopes)
                out[rows, columns] = cells
    return out


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


def gain(windows: dict[int, Window], total: float) -> float:
    """Sum of the weights of nodes without sign, for each unit of mass: the largest of a window."""
    return max(float(np.sum(np.abs(window.mass))) / total for window in windows.values())


def _weighted(
    metric: Smooth, mass: Float[np.ndarray, "2 s"], total: float
) -> Iterator[tuple[Loss, Float[np.ndarray, " s"]]]:
    """The losses of a metric with the weights of the nodes for each."""
    for part in metric.parts:
        if part.on_class0 or part.on_class1:
            yield part.loss, (part.on_class0 * mass[0] + part.on_class1 * mass[1]) / total


@cache
def _to_nodes(group: int, nodes: int) -> Float[np.ndarray, "k p"]:
    """Turns the moments of a panel's 2^group bins, flat, into weights of its nodes.

    In each bin the moments are those of points at its MOMENTS Chebyshev points, and the weight of
    a point goes to the nodes as interpolation at the nodes takes from them.
    """
    bins = 1 << group
    local = chebyshev.points(MOMENTS)
    centres = (2 * np.arange(bins) + 1) / bins - 1
    shares = chebyshev.matrix((centres[:, None] + local / bins).ravel(), nodes)
    weights = np.linalg.inv(np.vander(local, MOMENTS, increasing=True))  # [moment, point]
    folded = np.einsum("js,bsp->bjp", weights, shares.reshape(bins, MOMENTS, nodes))
    return folded.reshape(-1, nodes)


@cache
def _to_parent(nodes: int) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "p p"]]:
    """Turn the weights of a lower and of an upper half into those of the whole panel."""
    points = chebyshev.points(nodes)
    return chebyshev.matrix((points - 1) / 2, nodes), chebyshev.matrix((points + 1) / 2, nodes)


def _windows(panels: _Panels, lattice: Lattice) -> Iterator[_Panels]:
    """The panels of window 1, 2, 3, ... on one side: the last one halved, and an octave more."""
    octave = 1 << (lattice.bits - lattice.group)
    here = panels.number < 2 * octave
    window, level = _Panels(panels.number[here], panels.mass[here]), 1
    while True:
        yield window
        level += 1
        here = panels.number // octave == level
        merged = _merged(window)
        number = panels.number[here] - (level - 1) * octave
        window = _Panels(
            np.concatenate([merged.number, number]),
            np.concatenate([merged.mass, panels.mass[here]]),
        )


def _merged(panels: _Panels) -> _Panels:
    """Pairs of panels as panels of twice the width."""
    number, place = np.unique(panels.number >> 1, return_inverse=True)
    mass = np.zeros((len(number), *panels.mass.shape[1:]))
    for half, to_parent in enumerate(_to_parent(panels.mass.shape[-1])):
        here = panels.number % 2 == half
        mass[place[here]] += panels.mass[here] @ to_parent
    return _Panels(number, mass)


def _placed(
    panels: _Panels, width: float
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, "2 s"]]:
    """The nodes of panels of a width < 0 on the negative side, with their weights."""
    nodes = panels.mass.shape[-1]
    x = width * (panels.number[:, None] + 0.5 + chebyshev.points(nodes) / 2)
    mass = np.moveaxis(panels.mass, 1, 0).reshape(2, -1)
    kept = np.any(mass != 0, axis=0)
    return x.ravel()[kept], mass[:, kept]


def _beyond(
    plan: Plan, deposit: Deposit, number: Int[np.ndarray, " k"]
) -> dict[int, Float[np.ndarray, "2 2 2"]]:
    """Mass and first moment beyond each window: (side, class, 2), the negative side first."""
    lattice = deposit.lattice
    low, high = lattice.panel_ends.T
    bins = 1 << lattice.group
    moments = deposit.moments.reshape(2, lattice.panels, bins, MOMENTS)
    half = (high - low) / (2 * bins)
    centre = low[:, None] + half[:, None] * (2 * np.arange(bins) + 1)
    mass = np.sum(moments[..., 0], axis=-1)
    first = np.sum(centre * moments[..., 0] + half[:, None] * moments[..., 1], axis=-1)
    both = np.stack([mass, first], axis=-1)
    octave = 1 << (lattice.bits - lattice.group)
    found = {}
    for level in {group.level for group in plan.groups}:
        edge = (level + 1) * octave
        sides = (-1 - number >= edge, number >= edge)
        found[level] = np.stack([np.sum(both[:, side], axis=1) for side in sides])
    return found


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
