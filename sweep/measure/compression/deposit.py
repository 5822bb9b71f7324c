"""Deposits: n points become a few moments in each bin of a lattice, in one pass.

In each bin a deposit keeps the sums of mass * t^j for j < MOMENTS, where t in [-1, 1] is a point's
position within its bin. That is all that interpolation at MOMENTS points of the bin needs to know.
Points in ascending order are summed here, on the host, since each bin holds a contiguous run of
them; `scatter` sums all others on the devices.

`fold` turns a deposit into weights of a few Chebyshev nodes in each panel of each window |x| < R. A
slope integrates its loss over the nodes of one window (see `plan`); points beyond it are kept as
their mass and first moment, which is all that a straight line needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sweep.base.progress import Step, ignore
from sweep.measure.compression.lattice import MOMENTS, Lattice
from sweep.measure.compression.plan import Plan
from sweep.metrics import chebyshev

PIECE = 2**16  # most ordered points that are summed at once: their temporaries stay in a cache
FINE = 38  # exact sums count t^j in units of 2^-38: 2^24 terms of at most 1 fit into an int64


@dataclass(frozen=True, eq=False)
class Deposit:
    """Moments of both classes on a lattice."""

    lattice: Lattice  # the bins
    moments: Float[np.ndarray, "2 bins q"]  # sums of mass * t^j over each bin, class 0 first
    points: int  # number of points in the sums
    counted: bool  # whether every point has mass 1, so that zeroth moments are exact counts
    chunks: int  # number of separately rounded sums that were added up; an error bound needs it

    @cached_property
    def mass_and_first_moment(self) -> Float[np.ndarray, "2 2 bins"]:
        """Mass and sum of mass * x in each bin, of class 0 and 1."""
        centre, half_width_x = self.lattice.middles
        mass, first = self.moments[..., 0], self.moments[..., 1]
        return np.stack([mass, centre * mass + half_width_x * first])


def ordered_moments(
    x: Float[np.ndarray, " m"],
    mass: Float[np.ndarray, " m"] | None,
    lattice: Lattice,
    step: Step = ignore,
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """Sums of mass * t^j over each bin, for points in ascending order, and in how many pieces."""
    total = np.zeros((lattice.bins, MOMENTS))
    for rows, bins, begins, _, t in _pieces(x, lattice):
        power = np.ones(len(t)) if mass is None else mass[rows]
        for j in range(MOMENTS):
            total[bins, j] += np.add.reduceat(power, begins)
            power = power * t
        step(len(t))
    return total, -(-len(x) // PIECE)


def exact_ordered_moments(
    x: Float[np.ndarray, " m"], lattice: Lattice
) -> Int[np.ndarray, "bins q"]:
    """Sums of t^j over each bin, of at most 2^24 ordered points of mass 1, in units of 2^-FINE.

    Each t^j is rounded to a multiple of 2^-FINE. Sums of integers do not depend on the order or the
    pieces in which points come. The rounding, 2^-38, is less than CHUNK * 2^-53 = 2^-35, which the
    bound of a plan allows a `Deposit` for each unit of mass.
    """
    total = np.zeros((lattice.bins, MOMENTS), np.int64)
    for _, bins, begins, points, t in _pieces(x, lattice):
        total[bins, 0] += points << FINE
        power = np.ldexp(t, FINE)
        for j in range(1, MOMENTS):
            total[bins, j] += np.add.reduceat(power.astype(np.int64), begins)
            power *= t
    return total


Numbers = Int[np.ndarray, " k"]


def _pieces(
    x: Float[np.ndarray, " m"], lattice: Lattice
) -> Iterator[tuple[slice, Numbers, Numbers, Numbers, Float[np.ndarray, " p"]]]:
    """Ordered points in pieces of PIECE: a bin holds a contiguous run, so nothing is scattered.

    Yields the rows, the bins that hold any of them, where each bin begins in the piece, how many
    points it has, and the position of each point within its bin, in [-1, 1].
    """
    edges = lattice.edges
    # A point on an edge lies in the bin further from 0.
    ends = np.searchsorted(x, edges)
    ends[edges < 0] = np.searchsorted(x, edges[edges < 0], side="right")
    centre, half_width_x = lattice.middles
    scale = 1 / half_width_x
    for start in range(0, len(x), PIECE):
        rows = slice(start, min(start + PIECE, len(x)))
        first = np.searchsorted(ends, rows.start, side="right") - 1
        last = np.searchsorted(ends, rows.stop)
        within = np.clip(ends[first : last + 1], rows.start, rows.stop) - rows.start
        count = np.diff(within)
        held = np.flatnonzero(count)
        count, begins, bins = count[held], within[held], first + held
        t = (x[rows] - np.repeat(centre[bins], count)) * np.repeat(scale[bins], count)
        yield rows, bins, begins, count, t


@dataclass(frozen=True, eq=False)
class Window:
    """The data as the slopes of one window see them."""

    x: Float[np.ndarray, " s"]  # nodes
    mass: Float[np.ndarray, "2 s"]  # weights of the nodes for class 0 and 1, of either sign
    # Mass and first moment of the points beyond it: (side, class, 2), the negative side first.
    beyond: Float[np.ndarray, "2 2 2"]


class _Panels(NamedTuple):
    """Panels of a window on one side of 0; negative ones are mirrored to the positive side."""

    number: Int[np.ndarray, " k"]  # of each panel, ascending, 0 next to x = 0
    mass: Float[np.ndarray, "k 2 p"]  # weights of their nodes, ascending in |x|


def fold(plan: Plan, deposit: Deposit) -> dict[int, Window]:
    """The windows that a plan uses, by level."""
    lattice = deposit.lattice
    moments = deposit.moments.reshape(2, lattice.panels, -1)
    mass = np.moveaxis(moments @ _to_nodes(lattice.group, plan.nodes), 0, 1)
    number = np.arange(lattice.first, lattice.first + lattice.panels)
    used = {group.level for group in plan.groups}
    beyond = _beyond(deposit, number, used)
    up, down = number >= 0, number < 0
    positive_side = _windows(_Panels(number[up], mass[up]), lattice)
    negative_side = _windows(_Panels(-1 - number[down][::-1], mass[down][::-1, :, ::-1]), lattice)
    windows = {}
    for level, negative, positive in zip(
        range(1, max(used) + 1), negative_side, positive_side, strict=False
    ):
        if level in used:
            width = math.ldexp(1.0, lattice.exponent + lattice.group + level - 1)
            sides = [_nodes(negative, -width), _nodes(positive, width)]
            x, weights = (np.concatenate(both, axis=-1) for both in zip(*sides, strict=True))
            windows[level] = Window(x, weights, beyond[level])
    return windows


def gain(windows: dict[int, Window], total: float) -> float:
    """Sum of the nodes' |weights| per unit of mass, in the window where it is largest."""
    return max(float(np.sum(np.abs(window.mass))) / total for window in windows.values())


@cache
def _to_nodes(group: int, nodes: int) -> Float[np.ndarray, "k p"]:
    """Turns the moments of a panel's 2^group bins, flattened, into weights of its nodes."""
    bins = 1 << group
    local = chebyshev.points(MOMENTS)  # in a bin, in [-1, 1]
    centres = (2 * np.arange(bins) + 1) / bins - 1  # of the bins, in the panel's [-1, 1]
    # First the moments of a bin become masses at its MOMENTS Chebyshev points: these masses have
    # the same moments, and so the same integral of the interpolant, which is a cubic.
    to_local = np.linalg.inv(np.vander(local, MOMENTS, increasing=True))  # [moment, point]
    # Then each mass is distributed over the nodes: sum_k c_k(t) f(node_k) interpolates f at t, so
    # a mass m at t acts as masses m c_k(t) at the nodes.
    shares = chebyshev.matrix((centres[:, None] + local / bins).ravel(), nodes)
    folded = np.einsum("js,bsp->bjp", to_local, shares.reshape(bins, MOMENTS, nodes))
    return folded.reshape(-1, nodes)


@cache
def _to_parent(nodes: int) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "p p"]]:
    """Turn the weights of a lower and of an upper half into weights of the panel of both."""
    points = chebyshev.points(nodes)
    return chebyshev.matrix((points - 1) / 2, nodes), chebyshev.matrix((points + 1) / 2, nodes)


def _windows(panels: _Panels, lattice: Lattice) -> Iterator[_Panels]:
    """The panels of window 1, 2, 3, ... on one side.

    Each window is twice as wide as the last: the last window's panels, merged in pairs, fill its
    inner half, and the next octave of the lattice, whose panels have that width, its outer half.
    """
    octave = 1 << (lattice.bits - lattice.group)  # panels in an octave
    inside = panels.number < 2 * octave
    window, level = _Panels(panels.number[inside], panels.mass[inside]), 1
    while True:
        yield window
        level += 1
        outer = panels.number // octave == level
        inner = _merged(window)
        number = panels.number[outer] - (level - 1) * octave
        window = _Panels(
            np.concatenate([inner.number, number]), np.concatenate([inner.mass, panels.mass[outer]])
        )


def _merged(panels: _Panels) -> _Panels:
    """Pairs of panels as panels of twice the width."""
    number, parent = np.unique(panels.number >> 1, return_inverse=True)
    mass = np.zeros((len(number), *panels.mass.shape[1:]))
    for half, to_parent in enumerate(_to_parent(panels.mass.shape[-1])):
        chosen = panels.number % 2 == half
        mass[parent[chosen]] += panels.mass[chosen] @ to_parent
    return _Panels(number, mass)


def _nodes(
    panels: _Panels, width: float
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, "2 s"]]:
    """Positions and weights of the nodes that have any weight; width < 0 on the negative side."""
    nodes = panels.mass.shape[-1]
    x = width * (panels.number[:, None] + 0.5 + chebyshev.points(nodes) / 2)
    mass = np.moveaxis(panels.mass, 1, 0).reshape(2, -1)
    kept = np.any(mass != 0, axis=0)
    return x.ravel()[kept], mass[:, kept]


def _beyond(
    deposit: Deposit, number: Int[np.ndarray, " k"], levels: set[int]
) -> dict[int, Float[np.ndarray, "2 2 2"]]:
    """Mass and first moment beyond each window, (side, class, 2), the negative side first."""
    lattice = deposit.lattice
    both = deposit.mass_and_first_moment.reshape(2, 2, lattice.panels, -1).sum(axis=-1)
    octave = 1 << (lattice.bits - lattice.group)
    beyond = {}
    for level in levels:
        edge = (level + 1) * octave  # window 1 has the uniform bins: two octaves' worth of panels
        sides = (-1 - number >= edge, number >= edge)
        beyond[level] = np.stack([np.sum(both[..., side], axis=-1).T for side in sides])
    return beyond
