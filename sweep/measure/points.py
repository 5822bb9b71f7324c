"""Points: the weighted points of one class, sorted when first needed.

Both classes of a `Measure` are such points. Sums of masses of points on one side of a cut come from
one binary search in the sorted points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

AT_ONCE = 2**16  # points whose labels are compared at once: their temporaries stay in a cache

Columns = tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"] | None]
"""Positions of points, and their masses or None if each has mass 1."""

Halves = tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]
"""Mass below each of some edges, and mass above it; int64 if masses are counts."""


def sort(x: Float[np.ndarray, " m"], mass: Float[np.ndarray, " m"] | None) -> Columns:
    """Positions in ascending order and their masses with them, by NumPy."""
    if mass is None:
        return np.sort(x), None
    order = np.argsort(x)
    return x[order], mass[order]


@dataclass(frozen=True, eq=False, repr=False)
class Points:
    """The weighted points of one class."""

    x: Float[np.ndarray, " m"]  # positions, in any order
    # Masses > 0; None if each point has mass 1: sums of masses are then counts and stay integers.
    mass: Float[np.ndarray, " m"] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Points(m={len(self)}, counted={self.mass is None})"

    @property
    def masses(self) -> Float[np.ndarray, " m"]:
        """Mass of each point, shape (m,), an array even if each is 1."""
        return np.ones(len(self)) if self.mass is None else self.mass

    @cached_property
    def ordered(self) -> Points:
        """The same points with x ascending."""
        return Points(*sort(self.x, self.mass))

    @cached_property
    def total(self) -> int | float:
        """Mass of all points; an int if masses are counts."""
        return len(self) if self.mass is None else float(np.sum(self.mass))

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """(min x, max x); (inf, -inf) without points."""
        if len(self) == 0:
            return np.inf, -np.inf
        if self.in_order:
            return float(self.ordered.x[0]), float(self.ordered.x[-1])
        return float(np.min(self.x)), float(np.max(self.x))

    @property
    def counted(self) -> bool:
        """Whether sums of masses are counts."""
        return self.mass is None

    def mass_at(self, x: float) -> float:
        """Mass of the points at x."""
        return float(np.sum(self.masses[self.x == x]))

    @property
    def in_order(self) -> bool:
        """Whether `ordered` has been computed."""
        return "ordered" in vars(self)

    def split(self, edges: Float[np.ndarray, " k"]) -> Halves:
        """Mass below each edge, and of all other points; fastest for ascending edges."""
        below = np.searchsorted(self.ordered.x, edges)
        return self.mass_of_first(below), self.mass_of_last(len(self) - below)

    def mass_of_first(self, count: Int[np.ndarray, " ..."]) -> Shaped[np.ndarray, " ..."]:
        """Mass of the `count` lowest points, shaped like `count`; int64 if masses are counts."""
        return count if self.mass is None else np.asarray(self._cumulative[count])

    def mass_of_last(self, count: Int[np.ndarray, " ..."]) -> Shaped[np.ndarray, " ..."]:
        """Mass of the `count` highest points, summed from above: precise where it is small, too."""
        return count if self.mass is None else np.asarray(self._cumulative_from_above[count])

    @cached_property
    def _cumulative(self) -> Float[np.ndarray, " k"]:
        """Mass of the first 0, 1, ..., m points in ascending order of x."""
        assert self.ordered.mass is not None
        return cumulative(self.ordered.mass)

    @cached_property
    def _cumulative_from_above(self) -> Float[np.ndarray, " k"]:
        assert self.ordered.mass is not None
        return cumulative(self.ordered.mass[::-1])


def pick(
    x: Float[np.ndarray, " n"],
    y: Shaped[np.ndarray, " n"],
    label: int,
    out: Float[np.ndarray, " k"],
) -> Float[np.ndarray, " m"]:
    """The positions `x[y == label]`, written to `out` twice as fast as by a boolean index."""
    count = 0
    for start in range(0, len(x), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        chosen = np.flatnonzero(y[rows] == label)
        x[rows].take(chosen, out=out[count : count + len(chosen)], mode="clip")
        count += len(chosen)
    return out[:count]


def gauss(variance: Any, third: Any) -> tuple[Any, Any]:
    """Gauss's rule: two points with the mean, variance and third moment of each of many groups.

    Gives their distances from the mean, the lower point first, and their shares of the mass, shape
    (2, k) each. Without variance the lower point has all the mass.
    """
    # The distances d are the roots of d^2 - 2 c d - variance = 0 with c = third / (2 variance).
    # Shares with the mean 0 then give the variance, -d1 d2, and the third moment, (d1 + d2) times
    # the variance.
    xp = variance.__array_namespace__()  # of NumPy or JAX
    middle = xp.where(variance > 0, third / (2 * xp.where(variance > 0, variance, 1.0)), 0.0)
    root = xp.sqrt(variance + middle * middle)
    tilt = xp.where(root > 0, middle / xp.where(root > 0, root, 1.0), 1.0)
    return xp.stack([middle - root, middle + root]), xp.stack([(1 + tilt) / 2, (1 - tilt) / 2])


def cumulative(mass: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m+1"]:
    """Sums of the first 0, 1, ..., m masses, shape (m + 1,), each of about 2 sqrt(m) roundings.

    `numpy.cumsum` alone has m roundings, whose errors drift. Here sqrt(m) blocks of sqrt(m) masses
    are summed one by one, and then the sums of the blocks.
    """
    m = len(mass)
    width = max(1, int(np.sqrt(m)))
    padded = np.zeros(-(-m // width) * width)
    padded[:m] = mass
    inside = np.cumsum(padded.reshape(-1, width), axis=1)
    before = np.concatenate([[0.0], np.cumsum(inside[:, -1])])[:-1]
    return np.concatenate([[0.0], (before[:, None] + inside).reshape(-1)[:m]])
