"""Sketch: what is kept of data of any size, read once; sketches of parts add up to that of all.

A sketch is made for `Schema`: a grid of (a, b), a range of x and a tolerance. It keeps, for each
class, the moments of its points in the bins of a lattice that is fine enough for the slopes of the
grid (`sweep.measure.compression.lattice`), the number of its points between neighbouring cuts of
the grid, and its
extremes. So smooth metrics are known everywhere to the tolerance, counting metrics exactly in the
cells of the grid and between two numbers elsewhere, and whether the classes are separated exactly.

All that is summed is summed by `sweep.measure.sketch.exact_sums`: merging is associative and
commutative to the last
bit. Each part is known by a fingerprint of its rows, so that none is counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import xxhash
from jaxtyping import Float, Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.rounding import UNIT
from sweep.measure.compression.lattice import MOMENTS, Deposit
from sweep.measure.compression.plan import CompressionError, plan
from sweep.measure.points import cumulative
from sweep.measure.sketch.exact_sums import RESOLUTION, ExactSums
from sweep.measure.sketch.schema import MOST_BINS, Schema, edges_of
from sweep.metrics.metrics import Loss


class SketchPart(NamedTuple):
    """A part of the data that is in a sketch.

    Attributes:
        fingerprint: 128-bit XXH3 digest, in hex, of its rows.
        n: how many they are.
        name: what it was called.
    """

    fingerprint: str
    n: int
    name: str


@dataclass(frozen=True, eq=False, repr=False)
class Sketch:
    """An additive summary of data.

    Attributes:
        terms: what it was made for.
        inside: mass of class 0 and 1 below the first edge, between neighbours, and from the last
            one on, shape (2, k + 1).
        moments: sums of mass * t^j over the bins, shape (2, bins, MOMENTS), as in a `Deposit`.
        extremes: lowest and highest x of class 0 and 1, shape (2, 2); inf and -inf where none is.
        at_extremes: mass right there, shape (2, 2).
        counted: whether each point has mass 1, so that masses are counts.
        pieces: how many sums were rounded one by one.
        parts: the data that are in it, in the order of their fingerprints.
    """

    terms: Schema
    inside: ExactSums
    moments: ExactSums
    extremes: Float[np.ndarray, "2 2"]
    at_extremes: ExactSums
    counted: bool
    pieces: int
    parts: tuple[SketchPart, ...]

    def __repr__(self) -> str:
        return f"Sketch(n={self.n}, parts={len(self.parts)}, counted={self.counted})"

    @classmethod
    def empty(cls, terms: Schema) -> Sketch:
        """The sketch of no data, which merges with any other of the terms."""

        def nothing(*shape: int) -> ExactSums:
            return ExactSums.counts(np.zeros(shape, np.int64))

        extremes = np.array([[math.inf, -math.inf]] * 2)
        inside, moments = nothing(2, len(terms.edges) + 1), nothing(2, terms.lattice.bins, MOMENTS)
        return cls(terms, inside, moments, extremes, nothing(2, 2), True, 0, ())

    @property
    def sums(self) -> dict[str, ExactSums]:
        """All that was summed, by name."""
        return {
            "inside": self.inside,
            "moments": self.moments,
            "at_extremes": self.at_extremes,
        }

    @property
    def n(self) -> int:
        """Number of points."""
        return sum(part.n for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex, of what it was made of."""
        return xxhash.xxh3_128_hexdigest("".join(part.fingerprint for part in self.parts).encode())

    def merge(self, other: Sketch) -> Sketch:
        """The sketch of both data together; associative and commutative to the last bit.

        Raises:
            InputError: they were made for different terms, part of the data is in both, or the
                weights add up to more than can be summed.
        """
        why = self.terms.difference(other.terms)
        if why:
            raise InputError(f"these sketches cannot be merged, for {why}; sketch the data alike")
        here = {part.fingerprint: part for part in self.parts}
        for part in other.parts:
            if part.fingerprint in here:
                raise InputError(
                    f"{part.name} ({part.n} points) is in both sketches"
                    + _alias(here[part.fingerprint], part)
                    + "; merge each part of the data once"
                )
        with summable():
            extremes, at_extremes = _outermost(self, other)
            made = Sketch(
                self.terms,
                self.inside + other.inside,
                self.moments + other.moments,
                extremes,
                at_extremes,
                self.counted and other.counted,
                self.pieces + other.pieces,
                tuple(sorted(self.parts + other.parts)),
            )
        made.require_summable()
        return made

    def require_summable(self) -> None:
        """Refuses masses whose sum is beyond what can be summed.

        Raises:
            InputError: says so.
        """
        with summable():
            for label in (0, 1):
                self.total(label)

    def equals(self, other: Sketch) -> bool:
        """Whether the two are the same to the last bit."""
        return (
            self.terms.difference(other.terms) is None
            and all(found.equals(other.sums[name]) for name, found in self.sums.items())
            and np.array_equal(self.extremes, other.extremes)
            and (self.counted, self.pieces, self.parts)
            == (other.counted, other.pieces, other.parts)
        )

    @cached_property
    def deposit(self) -> Deposit:
        """The moments as float64."""
        return Deposit(
            self.terms.lattice, self.moments.values, self.n, self.counted, 2 * self.pieces
        )

    def lost(self, slope: float, intercept: float) -> float:
        """Bound on what the resolution of sums took from a smooth metric, for |a| and |b| so large.

        As a multiple of max(1, value); 0 for counts, and in bins that hold nothing.
        """
        if self.counted:
            return 0.0
        # No mass is summed to 0, so these are all that hold any.
        held = np.any(self.deposit.moments[..., 0] > 0, axis=0)
        ends = np.abs(self.terms.lattice.edges)
        furthest = np.maximum(ends[:-1], ends[1:])[held]
        # A loss is at most |z| + log 2, and varies by less than 1 within a bin.
        losses = float(np.sum(2 + slope * furthest + intercept))
        # And of the mass that it is divided by.
        return (2 * len(self.parts) * losses / self._least + self._lost_of_masses) * RESOLUTION

    @property
    def rounding_of_masses(self) -> float:
        """Bound on the error of any mass between edges, as a share of the mass of its class."""
        if self.counted:
            return 0.0
        intervals = len(self.terms.edges) + 1
        rounded = 2 * math.sqrt(intervals) + 64 + self.pieces
        return 2 * UNIT * rounded + self._lost_of_masses * RESOLUTION

    @cached_property
    def _lost_of_masses(self) -> float:
        """Most resolutions that are lost in a mass, as a multiple of the lighter class's."""
        held = np.count_nonzero(self.inside.whole | self.inside.part)
        # Each part is rounded once in each interval; extremes, once for each of some pieces.
        return 2 * (held * len(self.parts) + self.pieces) / self._least

    @cached_property
    def _least(self) -> float:
        """Mass of the lighter class, of those with any: whatever the weights of classes."""
        return min((float(t) for t in map(self.total, (0, 1)) if t > 0), default=1.0)

    def counts_at(self, grid: Grid) -> bool:
        """Whether it counts at the cut of every cell of a grid."""
        low, high = self.extremes[:, 0].min(), self.extremes[:, 1].max()
        return all(
            np.isin(found[(found > low) & (found <= high)], self.terms.edges).all()
            for found in edges_of(grid)
        )

    def total(self, label: int) -> int | float:
        """Mass of a class: an int if points are counted."""
        total = self.inside[label].total
        return int(total.whole) if self.counted else float(total.values)

    def below(self, label: int) -> Shaped[np.ndarray, " k"]:
        """Mass of a class below each edge, and at last all of it: int64 if counted."""
        return self._below[label]

    def above(self, label: int) -> Shaped[np.ndarray, " k"]:
        """All the mass of a class, and then its mass from each edge on."""
        return self._above[label]

    @cached_property
    def _below(self) -> Shaped[np.ndarray, "2 k"]:
        if self.counted:
            return np.cumsum(self.inside.whole, axis=1)
        return np.stack([cumulative(row)[1:] for row in self.inside.values])

    @cached_property
    def _above(self) -> Shaped[np.ndarray, "2 k"]:
        if self.counted:
            return self._below[:, -1:] - np.pad(self._below, ((0, 0), (1, 0)))[:, :-1]
        return np.stack([cumulative(row[::-1])[:0:-1] for row in self.inside.values])

    def require(self, grid: Grid, asked: Sequence[Loss], tolerance: float) -> None:
        """Refuses what it cannot answer.

        Raises:
            InputError: says what it can.
        """
        try:
            plan(grid, self.terms.ends, asked, tolerance, MOST_BINS, self.terms.lattice)
        except CompressionError:
            raise InputError(
                f"this sketch answers {self.scope}; asked for |a| <= "
                f"{np.max(np.abs(grid.a)):g}, |b| <= {np.max(np.abs(grid.b)):g} at a tolerance of "
                f"{tolerance:g}, sketch the data again with such an axis a or tolerance"
            ) from None

    @property
    def scope(self) -> str:
        """Where it knows smooth metrics, in words."""
        slope, intercept = self.terms.slope, self.terms.intercept
        within = "" if math.isinf(intercept) else f", |b| <= {intercept:g}"
        return f"|a| <= {slope:g}{within} at a tolerance of {self.terms.tolerance:g}"


@contextmanager
def summable() -> Iterator[None]:
    """Has what cannot be summed in the block become one sentence."""
    try:
        yield
    except OverflowError:
        raise InputError("the weights add up to more than 2^61; scale them down") from None


def _outermost(one: Sketch, other: Sketch) -> tuple[Float[np.ndarray, "2 2"], ExactSums]:
    """The extremes of both data together, and the mass right there."""
    low = np.minimum(one.extremes[:, 0], other.extremes[:, 0])
    high = np.maximum(one.extremes[:, 1], other.extremes[:, 1])
    extremes = np.stack([low, high], axis=1)
    there = [found.at_extremes.where(found.extremes == extremes) for found in (one, other)]
    return extremes, there[0] + there[1]


def _alias(one: SketchPart, other: SketchPart) -> str:
    return "" if one.name == other.name else f", in one of them as {one.name}"
