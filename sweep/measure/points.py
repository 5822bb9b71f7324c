"""Points: the weighted points of one class, in order where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from sweep.base import devices

AT_ONCE = 2**16
"""Points that are told apart at once, so that what is made of them stays in a cache."""

Columns = tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"] | None]
"""Positions of points and their masses, or None if each has mass 1."""

Sort = Callable[[Float[np.ndarray, " m"], Float[np.ndarray, " m"] | None], Columns]
"""Puts positions in ascending order and masses with them."""


def sort(x: Float[np.ndarray, " m"], mass: Float[np.ndarray, " m"] | None) -> Columns:
    """Positions in ascending order and masses with them, by NumPy."""
    if mass is None:
        return np.sort(x), None
    order = np.argsort(x)
    return x[order], mass[order]


@dataclass(frozen=True, eq=False, repr=False)
class Points:
    """The weighted points of one class.

    Attributes:
        x: positions, shape (m,), in any order.
        mass: masses > 0, shape (m,); None means that each point has mass 1, so that sums of
            masses are counts and are kept as integers.
    """

    x: Float[np.ndarray, " m"]
    mass: Float[np.ndarray, " m"] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Points(m={len(self)}, counted={self.mass is None})"

    @property
    def masses(self) -> Float[np.ndarray, " m"]:
        """Mass of each point, shape (m,), also where all are 1."""
        return np.ones(len(self)) if self.mass is None else self.mass

    @cached_property
    def ordered(self) -> Points:
        """The same points with x ascending."""
        return Points(*sort(self.x, self.mass))

    def order(self, sort: Sort) -> None:
        """Has `ordered` come from another sort, unless the points are in order already."""
        if not self.in_order:
            vars(self)["ordered"] = Points(*sort(self.x, self.mass))

    @cached_property
    def total(self) -> int | float:
        """Mass of all points: an int if they are counted."""
        return len(self) if self.mass is None else float(np.sum(self.mass))

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """(min x, max x); (inf, -inf) where there are no points."""
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
        """Whether `ordered` is at hand."""
        return "ordered" in vars(self)

    def split(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Mass of the points below each edge and of all others; fastest for ascending edges."""
        below = np.searchsorted(self.ordered.x, edges)
        return self.mass_of_first(below), self.mass_of_last(len(self) - below)

    def mass_of_first(self, count: Int[np.ndarray, " ..."]) -> Shaped[np.ndarray, " ..."]:
        """Mass of the `count` lowest points, of count's shape: int64 if counted, else float64."""
        return count if self.mass is None else np.asarray(self._cumulative[count])

    def mass_of_last(self, count: Int[np.ndarray, " ..."]) -> Shaped[np.ndarray, " ..."]:
        """Mass of the `count` highest points, likewise: precise also where little is left."""
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
) -> int:
    """Writes `x[y == label]` to where `out` begins, and returns how many they are.

    Twice as fast on much data as an index of truth values.
    """
    count = 0
    for start in range(0, len(x), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        here = np.flatnonzero(y[part] == label)
        x[part].take(here, out=out[count : count + len(here)], mode="clip")
        count += len(here)
    return count


def gauss(
    variance: Float[np.ndarray, " k"], third: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "2 k"], Float[np.ndarray, "2 k"]]:
    """Two points that stand for many, by Gauss's rule: with their mean, variance and third moment.

    Args:
        variance: of each group of points.
        third: third central moment of each.

    Returns:
        How far the two points of each group are from its mean, the lower one first, and their
        shares of its mass. Where there is no variance, the lower one has all of it.
    """
    half = np.divide(third, 2 * variance, out=np.zeros_like(variance), where=variance > 0)
    reach = np.sqrt(variance + half * half)
    tilt = np.divide(half, reach, out=np.ones_like(variance), where=reach > 0)
    return np.stack([half - reach, half + reach]), np.stack([(1 + tilt) / 2, (1 - tilt) / 2])


def cumulative(mass: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m+1"]:
    """Sums of the first 0, 1, ..., m masses, with a rounding error of about 2 sqrt(m) ulps.

    `numpy.cumsum` alone drifts by m ulps: here each of sqrt(m) blocks is summed from its start.
    """
    m = len(mass)
    width = max(1, int(np.sqrt(m)))
    padded = np.zeros(-(-m // width) * width)
    padded[:m] = mass
    inside = np.cumsum(padded.reshape(-1, width), axis=1)
    before = np.concatenate([[0.0], np.cumsum(inside[:, -1])])[:-1]
    return np.concatenate([[0.0], (before[:, None] + inside).reshape(-1)[:m]])


def order(*classes: Points) -> None:
    """Puts the points of each class in order, once: on the host in threads, else on a device."""
    with ThreadPoolExecutor(max(1, len(classes))) as pool:
        tuple(
            pool.map(lambda points: points.order(sort if devices.on_host() else _sorted), classes)
        )


def _sorted(x: Float[np.ndarray, " m"], mass: Float[np.ndarray, " m"] | None) -> Columns:
    """The same as `sort`, by the first device."""
    with jax.enable_x64(True):
        if mass is None:
            return np.asarray(jnp.sort(x)), None
        ascending, carried = jax.lax.sort((jnp.asarray(x), jnp.asarray(mass)), num_keys=1)
        return np.asarray(ascending), np.asarray(carried)
