"""Deposits: n points become a few moments in each bin of a lattice, in one pass.

In each bin a deposit keeps the sums of mass * t^j for j < MOMENTS, where t in [-1, 1] is a point's
position within its bin. That is all that interpolation at MOMENTS points of the bin needs to know.
Deposits on one lattice add up, over chunks, devices, files and machines. Points in ascending order
are summed here, on the host, since each bin holds a contiguous run of them; `scatter` sums all
others on the devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.measure.compression.lattice import MOMENTS, Lattice

PIECE = 2**16  # most ordered points that are summed at once: their temporaries stay in a cache
FINE = 38  # exact sums count t^j in units of 2^-38: 2^24 terms of at most 1 fit into an int64


@dataclass(frozen=True, eq=False)
class Deposit:
    """Moments of both classes on a lattice.

    Attributes:
        lattice: the bins.
        moments: sums of mass * t^j over each bin, shape (2, bins, MOMENTS), class 0 first.
        points: number of points in the sums.
        counted: whether every point has mass 1, so that zeroth moments are exact counts.
        chunks: number of separately rounded sums that were added up; an error bound needs it.
    """

    lattice: Lattice
    moments: Float[np.ndarray, "2 bins q"]
    points: int
    counted: bool
    chunks: int

    def merge(self, other: Deposit) -> Deposit:
        """The deposit of both data sets together.

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
        """Row 0: the mass of class 0 and 1. Row 1: their sums of mass * x."""
        edges = self.lattice.edges
        centre, half_width = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        mass, first = self.moments[..., 0], self.moments[..., 1]
        return np.stack([np.sum(mass, axis=1), np.sum(centre * mass + half_width * first, axis=1)])


def ordered_moments(
    x: Float[np.ndarray, " m"], mass: Float[np.ndarray, " m"] | None, lattice: Lattice
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """Sums of mass * t^j over each bin, for points in ascending order.

    Args:
        x: positions, ascending, within the lattice, shape (m,).
        mass: their masses, shape (m,); None if each is 1.
        lattice: the bins.

    Returns:
        The sums, shape (bins, MOMENTS), and the number of pieces that were summed one by one.
    """
    total = np.zeros((lattice.bins, MOMENTS))
    for piece in _pieces(x, lattice):
        power = np.ones(len(piece.t)) if mass is None else mass[piece.rows]
        for j in range(MOMENTS):
            total[piece.bins, j] += np.add.reduceat(power, piece.begins)
            power = power * piece.t
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
    for piece in _pieces(x, lattice):
        total[piece.bins, 0] += piece.points << FINE
        power = np.ldexp(piece.t, FINE)
        for j in range(1, MOMENTS):
            total[piece.bins, j] += np.add.reduceat(power.astype(np.int64), piece.begins)
            power *= piece.t
    return total


class _Piece(NamedTuple):
    """Some ordered points, by bin.

    Attributes:
        rows: the points.
        bins: the bins that hold any of them, ascending, shape (k,).
        begins: where each bin's points begin, counted from the start of `rows`, shape (k,).
        points: number of points in each bin, shape (k,).
        t: position of each point within its bin, in [-1, 1].
    """

    rows: slice
    bins: Int[np.ndarray, " k"]
    begins: Int[np.ndarray, " k"]
    points: Int[np.ndarray, " k"]
    t: Float[np.ndarray, " m"]


def _pieces(x: Float[np.ndarray, " m"], lattice: Lattice) -> Iterator[_Piece]:
    """Ordered points in pieces of PIECE: a bin holds a contiguous run, so nothing is scattered."""
    edges = lattice.edges
    # A point on an edge lies in the bin further from 0.
    ends = np.searchsorted(x, edges)
    ends[edges < 0] = np.searchsorted(x, edges[edges < 0], side="right")
    centre, scale = (edges[1:] + edges[:-1]) / 2, 2 / np.diff(edges)
    for start in range(0, len(x), PIECE):
        rows = slice(start, min(start + PIECE, len(x)))
        first = np.searchsorted(ends, rows.start, side="right") - 1
        last = np.searchsorted(ends, rows.stop)
        within = np.clip(ends[first : last + 1], rows.start, rows.stop) - rows.start
        count = np.diff(within)
        held = np.flatnonzero(count)
        count, begins, bins = count[held], within[held], first + held
        t = (x[rows] - np.repeat(centre[bins], count)) * np.repeat(scale[bins], count)
        yield _Piece(rows, bins, begins, count, t)
