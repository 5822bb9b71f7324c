"""Fold: a deposit becomes weights of a few Chebyshev nodes in each panel of each window.

What lies beyond a window becomes its mass and first moment. Nothing in this module knows how many
points there were.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sweep.measure.compression.lattice import MOMENTS, Deposit, Lattice
from sweep.measure.compression.plan import Plan
from sweep.metrics import chebyshev


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


def gain(windows: dict[int, Window], total: float) -> float:
    """Sum of the weights of nodes without sign, for each unit of mass: the largest of a window."""
    return max(float(np.sum(np.abs(window.mass))) / total for window in windows.values())


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
