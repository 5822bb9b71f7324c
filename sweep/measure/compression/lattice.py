"""Lattice and Deposit: bins, and the sums over them that n points become.

The bins are those of a short floating-point format: 2^(bits+1) of one width on either side of 0,
then octave after octave of 2^bits bins, each twice as wide as those before. Near 0 they are fine
enough for the steepest slope; far out they are as fine, relative to |x|, as the logit needs, since
what is far from the cut at one slope is near it at a smaller one only. So an outlier at 1e8 costs
27 octaves of bins, not 1e8 bins.

In each bin the deposit keeps sums of mass * t^j, j < MOMENTS, where t in [-1, 1] is the position
within the bin: all that interpolation at MOMENTS points of the bin needs to know of its content.
Deposits on one lattice add up, over chunks, devices, files and machines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError

MOMENTS = 4
"""Sums kept in each bin. With 4 the error falls with the fourth power of the bins' width."""

TINY = float(np.finfo(np.float64).tiny)
"""The least float64 that is not subnormal."""

CHUNK = 2**18
"""Most points in one call on each device; more are no faster."""

PIECE = 2**16
"""Most ordered points that are summed at once: what is made of them stays in a cache."""

FINE = 38
"""Bits of a t^j in sums that are exact: 2^24 of them fit into an int64."""


@dataclass(frozen=True)
class Lattice:
    """Bins over [low, high].

    Attributes:
        exponent: bins next to 0 are 2^exponent wide.
        bits: there are 2^bits bins in an octave.
        group: bins form panels of 2^group, which lie in one octave each.
        first: number of the first panel; panel 0 begins at 0, panel -1 ends there.
        panels: how many panels there are.
    """

    exponent: int
    bits: int
    group: int
    first: int
    panels: int

    @classmethod
    def over(cls, low: float, high: float, exponent: int, bits: int, group: int) -> Lattice:
        """The lattice whose panels cover [low, high]."""
        if -TINY < high < 0:
            high = 0.0  # which it is on a device that has no subnormal numbers
        first, last = (_panel(x, exponent, bits, group) for x in (low, high))
        return cls(exponent, bits, group, first, last - first + 1)

    @property
    def bins(self) -> int:
        """Number of bins."""
        return self.panels << self.group

    @cached_property
    def panel_ends(self) -> Float[np.ndarray, "k 2"]:
        """(lower, upper) end of each panel, shape (panels, 2)."""
        number = np.arange(self.first, self.first + self.panels)
        below = number < 0
        number = np.where(below, -1 - number, number)
        per_octave = 1 << (self.bits - self.group)
        octave = np.maximum(number // per_octave - 1, 0)
        width = np.ldexp(1.0, self.exponent + self.group + octave)
        inner = (number - octave * per_octave) * width
        low, high = np.where(below, -inner - width, inner), np.where(below, -inner, inner + width)
        return np.stack([low, high], axis=1)

    @property
    def edges(self) -> Float[np.ndarray, " k"]:
        """Where the bins begin, and where the last one ends, shape (bins + 1,)."""
        low, high = self.panel_ends.T
        width = (high - low) / (1 << self.group)
        begins = low[:, None] + width[:, None] * np.arange(1 << self.group)
        return np.append(begins.ravel(), high[-1])


@dataclass(frozen=True, eq=False)
class Deposit:
    """Moments of both classes on a lattice.

    Attributes:
        lattice: the bins.
        moments: sums of mass * t^j over each bin, shape (2, bins, MOMENTS), class 0 first.
        points: how many points were summed.
        counted: whether each of them had mass 1: then zeroth moments are exact counts.
        chunks: how many chunks were summed one by one and then added up.
    """

    lattice: Lattice
    moments: Float[np.ndarray, "2 bins q"]
    points: int
    counted: bool
    chunks: int

    def merge(self, other: Deposit) -> Deposit:
        """The deposit of both data together.

        Raises:
            InputError: the lattices differ.
        """
        if self.lattice != other.lattice:
            raise InputError(
                "deposits on different lattices cannot be merged; deposit both on one lattice"
            )
        return Deposit(
            self.lattice,
            self.moments + other.moments,
            self.points + other.points,
            self.counted and other.counted,
            self.chunks + other.chunks,
        )

    @property
    def totals(self) -> Float[np.ndarray, "2 2"]:
        """Mass, and in the second row the sum of mass * x, of class 0 and 1."""
        edges = self.lattice.edges
        centre, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        mass, first = self.moments[..., 0], self.moments[..., 1]
        return np.stack([np.sum(mass, axis=1), np.sum(centre * mass + half * first, axis=1)])


def sums_in_order(
    x: Float[np.ndarray, " m"], mass: Float[np.ndarray, " m"] | None, lattice: Lattice
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """Sums of mass * t^j over each bin, of ordered points.

    Args:
        x: positions, ascending, within the lattice.
        mass: their masses; None if each is 1.
        lattice: the bins.

    Returns:
        The sums, shape (bins, MOMENTS), and how many pieces were summed one by one.
    """
    total = np.zeros((lattice.bins, MOMENTS))
    for stretch in _stretches(x, lattice):
        power = np.ones(len(stretch.t)) if mass is None else mass[stretch.part]
        for j in range(MOMENTS):
            total[stretch.bins, j] += np.add.reduceat(power, stretch.begins)
            power = power * stretch.t
    return total, -(-len(x) // PIECE)


def exact_sums_in_order(x: Float[np.ndarray, " m"], lattice: Lattice) -> Int[np.ndarray, "bins q"]:
    """The same of at most 2^24 points of mass 1, in units of 2^-FINE, each t^j rounded to one.

    Integers add up to the same whatever order and stretches points come in. The rounding of a t^j
    is less than what a `Deposit` may be wrong by for each unit of mass, CHUNK roundings of float64.
    """
    total = np.zeros((lattice.bins, MOMENTS), np.int64)
    for stretch in _stretches(x, lattice):
        total[stretch.bins, 0] += stretch.points << FINE
        power = np.ldexp(stretch.t, FINE)
        for j in range(1, MOMENTS):
            total[stretch.bins, j] += np.add.reduceat(power.astype(np.int64), stretch.begins)
            power *= stretch.t
    return total


class _Stretch(NamedTuple):
    """Some ordered points by bins.

    Attributes:
        part: which points.
        bins: that hold any of them, ascending, shape (k,).
        begins: the first point of each of these bins, from the first of the part on.
        points: how many there are in each.
        t: where each point lies in its bin, in [-1, 1].
    """

    part: slice
    bins: Int[np.ndarray, " k"]
    begins: Int[np.ndarray, " k"]
    points: Int[np.ndarray, " k"]
    t: Float[np.ndarray, " m"]


def _stretches(x: Float[np.ndarray, " m"], lattice: Lattice) -> Iterator[_Stretch]:
    """Ordered points in pieces, of which a bin holds a stretch: no index, no scattering."""
    edges = lattice.edges
    # A point on an edge lies in the bin further from 0.
    ends = np.searchsorted(x, edges)
    ends[edges < 0] = np.searchsorted(x, edges[edges < 0], side="right")
    centre, scale = (edges[1:] + edges[:-1]) / 2, 2 / np.diff(edges)
    for start in range(0, len(x), PIECE):
        part = slice(start, min(start + PIECE, len(x)))
        first = np.searchsorted(ends, part.start, side="right") - 1
        last = np.searchsorted(ends, part.stop)
        within = np.clip(ends[first : last + 1], part.start, part.stop) - part.start
        count = np.diff(within)
        held = np.flatnonzero(count)
        count, begins, bins = count[held], within[held], first + held
        t = (x[part] - np.repeat(centre[bins], count)) * np.repeat(scale[bins], count)
        yield _Stretch(part, bins, begins, count, t)


def _panel(x: float, exponent: int, bits: int, group: int) -> int:
    """Number of the panel that x lies in: `_place` on the host."""
    size = math.ldexp(abs(x), -exponent)
    octave = max(math.frexp(size)[1] - 1 - bits, 0)
    number = (octave << bits) + int(math.ldexp(size, -octave))
    return (-1 - number if x < 0 else number) >> group
