"""Sketch: what is kept of data of any size, read once; the sketches of parts add up to the whole.

A sketch is made for a `Schema`: a grid of (a, b), a range of x and a tolerance. It knows smooth
metrics everywhere within the tolerance; counting metrics exactly in the cells of the grid and with
two bounds elsewhere; and exactly whether the classes are separated. All sums are `ExactSums`, so
merging is associative and commutative to the last bit. A fingerprint of its rows identifies each
part of the data, so none is counted twice. `BinnedPoints` are the bins of a sketch as points.
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
from jaxtyping import Float, Int, Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.intervals import UNIT
from sweep.measure.compression.deposit import Deposit
from sweep.measure.compression.lattice import MOMENTS
from sweep.measure.compression.plan import CompressionError, plan
from sweep.measure.points import Halves, Points, cumulative, gauss
from sweep.measure.sketch.exact_sums import RESOLUTION, ExactSums
from sweep.measure.sketch.schema import MOST_BINS, Schema, cut_edges
from sweep.metrics.metrics import Loss


class SketchPart(NamedTuple):
    """A part of the data that is in a sketch, such as a file."""

    fingerprint: str  # 128-bit XXH3 digest, in hex, of its rows
    n: int  # number of its rows
    name: str  # such as a path


@dataclass(frozen=True, eq=False, repr=False)
class Sketch:
    """An additive summary of data.

    Attributes:
        schema: what the sketch is made for.
        inside: mass of class 0 and 1 below the first edge of the schema, between neighbouring
            edges, and from the last edge on, shape (2, k + 1).
        moments: sums of mass * t^j over the bins, shape (2, bins, MOMENTS), as in a `Deposit`.
        extremes: lowest and highest x of class 0 and 1, shape (2, 2); inf and -inf without points.
        at_extremes: mass exactly there, shape (2, 2).
        counted: whether each point has mass 1, so that masses are counts.
        pieces: number of sums of masses that were rounded one by one; an error bound needs it.
        parts: the parts of the data, in the order of their fingerprints.
    """

    schema: Schema
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
    def empty(cls, schema: Schema) -> Sketch:
        """The sketch of no data: the neutral element of merging."""

        def zeros(*shape: int) -> ExactSums:
            return ExactSums.counts(np.zeros(shape, np.int64))

        inside, moments = zeros(2, len(schema.edges) + 1), zeros(2, schema.lattice.bins, MOMENTS)
        extremes = np.array([[math.inf, -math.inf]] * 2)
        return cls(schema, inside, moments, extremes, zeros(2, 2), True, 0, ())

    @property
    def terms(self) -> Schema:
        """The schema, by its earlier name."""
        return self.schema

    @property
    def sums(self) -> dict[str, ExactSums]:
        """All exact sums by name."""
        return {name: getattr(self, name) for name in ("inside", "moments", "at_extremes")}

    @property
    def n(self) -> int:
        """Number of points."""
        return sum(part.n for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex, of all data in the sketch."""
        return xxhash.xxh3_128_hexdigest("".join(part.fingerprint for part in self.parts).encode())

    def merge(self, other: Sketch) -> Sketch:
        """The sketch of both data sets together; associative and commutative to the last bit.

        Raises:
            InputError: the schemas differ, a part of the data is in both sketches, or the weights
                add up to more than 2^61.
        """
        difference = self.schema.difference(other.schema)
        if difference:
            raise InputError(
                f"these sketches cannot be merged: {difference}; sketch all data with the same "
                "axes, metrics, tolerance and range"
            )
        own = {part.fingerprint: part.name for part in self.parts}
        for part in other.parts:
            name = own.get(part.fingerprint)
            if name is not None:
                alias = "" if name == part.name else f", in one of them as {name}"
                raise InputError(
                    f"{part.name} ({part.n} points) is in both sketches{alias}; merge each part of "
                    "the data once"
                )
        with refuse_overflow():
            extremes, at_extremes = _merged_extremes(self, other)
            merged = Sketch(
                self.schema,
                self.inside + other.inside,
                self.moments + other.moments,
                extremes,
                at_extremes,
                self.counted and other.counted,
                self.pieces + other.pieces,
                tuple(sorted(self.parts + other.parts)),
            )
        merged.require_summable()
        return merged

    def require_summable(self) -> None:
        """Refuses masses whose total is too large for exact sums."""
        with refuse_overflow():
            for label in (0, 1):
                self.total(label)

    def equals(self, other: Sketch) -> bool:
        """Whether two sketches are the same to the last bit."""
        return (
            self.schema.difference(other.schema) is None
            and all(sums.equals(other.sums[name]) for name, sums in self.sums.items())
            and np.array_equal(self.extremes, other.extremes)
            and (self.counted, self.pieces, self.parts)
            == (other.counted, other.pieces, other.parts)
        )

    @cached_property
    def deposit(self) -> Deposit:
        """The moments as float64."""
        # A piece is rounded when it is added to a sketcher's batch, and that once more to its part.
        chunks = 2 * self.pieces
        return Deposit(self.schema.lattice, self.moments.values, self.n, self.counted, chunks)

    def lost(self, slope: float, intercept: float) -> float:
        """Bound on the error of a smooth metric by the resolution of exact sums; 0 for counts.

        It is for the largest |a| and |b|, as a multiple of max(1, value).
        """
        if self.counted:
            return 0.0
        # Empty bins lose nothing; others are not 0, because no mass becomes 0 in an exact sum.
        held = np.any(self.deposit.moments[..., 0] > 0, axis=0)
        ends = np.abs(self.schema.lattice.edges)
        furthest = np.maximum(ends[:-1], ends[1:])[held]
        # A loss is at most |z| + log 2 and varies by less than 1 within a bin: |z| + 2 in all.
        losses = float(np.sum(2 + slope * furthest + intercept))
        # Each part is rounded once in each bin of both classes, hence the 2. The mass that the
        # integral is divided by has its own error.
        return (2 * len(self.parts) * losses / self._lighter + self._lost_of_masses) * RESOLUTION

    @property
    def rounding_of_masses(self) -> float:
        """Bound on the error of any mass between edges, as a share of the mass of its class."""
        if self.counted:
            return 0.0
        intervals = len(self.schema.edges) + 1
        # 2 sqrt(intervals) roundings of `cumulative`, 64 of pairwise sums within an interval, and
        # one for each piece that is added; the leading 2 counts a rounding as a whole ulp.
        roundings = 2 * math.sqrt(intervals) + 64 + self.pieces
        return 2 * UNIT * roundings + self._lost_of_masses * RESOLUTION

    @cached_property
    def _lost_of_masses(self) -> float:
        """Resolutions that a mass lost at most, for each unit of mass of the lighter class."""
        held = np.count_nonzero(self.inside.integer | self.inside.fraction)
        # Each part is rounded once in each interval, the mass at an extreme once for each piece;
        # the 2 is a margin.
        return 2 * (held * len(self.parts) + self.pieces) / self._lighter

    @cached_property
    def _lighter(self) -> float:
        """Mass of the lighter class that has any: a bound relative to it holds for any weights."""
        masses = map(float, map(self.total, (0, 1)))
        return min((mass for mass in masses if mass > 0), default=1.0)

    def counts_at(self, grid: Grid) -> bool:
        """Whether the sketch counts at the cut of every cell of a grid."""
        low, high = self.extremes[:, 0].min(), self.extremes[:, 1].max()
        return all(
            np.isin(edges[(edges > low) & (edges <= high)], self.schema.edges).all()
            for edges in cut_edges(grid)
        )

    def total(self, label: int) -> int | float:
        """Mass of a class; an int if masses are counts."""
        total = self.inside[label].total
        return int(total.integer) if self.counted else float(total.values)

    def below(self, label: int) -> Shaped[np.ndarray, " k"]:
        """Mass of a class below each edge, then all of it; int64 if masses are counts."""
        return self._halves[0][label]

    def above(self, label: int) -> Shaped[np.ndarray, " k"]:
        """All the mass of a class, then its mass from each edge on."""
        return self._halves[1][label]

    @cached_property
    def _halves(self) -> tuple[Shaped[np.ndarray, "2 k"], Shaped[np.ndarray, "2 k"]]:
        if self.counted:
            below = np.cumsum(self.inside.integer, axis=1)
            return below, below[:, -1:] - np.pad(below, ((0, 0), (1, 0)))[:, :-1]
        rows = self.inside.values
        below = np.stack([cumulative(row)[1:] for row in rows])
        return below, np.stack([cumulative(row[::-1])[:0:-1] for row in rows])

    def require(self, grid: Grid, asked: Sequence[Loss], tolerance: float) -> None:
        """Refuses a grid, losses or a tolerance that the sketch is not fine enough for."""
        try:
            plan(grid, self.schema.ends, asked, tolerance, MOST_BINS, self.schema.lattice)
        except CompressionError:
            raise InputError(
                f"this sketch answers {self.scope}, and the request has |a| <= "
                f"{np.max(np.abs(grid.a)):g}, |b| <= {np.max(np.abs(grid.b)):g} at a tolerance of "
                f"{tolerance:g}; sketch the data again with that axis a and tolerance"
            ) from None

    @property
    def scope(self) -> str:
        """Where the sketch knows smooth metrics, in words."""
        slope, intercept = self.schema.slope, self.schema.intercept
        within = "" if math.isinf(intercept) else f", |b| <= {intercept:g}"
        return f"|a| <= {slope:g}{within} at a tolerance of {self.schema.tolerance:g}"


@contextmanager
def refuse_overflow() -> Iterator[None]:
    """Turns an overflow of exact sums in the block into one sentence."""
    try:
        yield
    except OverflowError:
        raise InputError("the weights add up to more than 2^61; scale them down") from None


def _merged_extremes(first: Sketch, second: Sketch) -> tuple[Float[np.ndarray, "2 2"], ExactSums]:
    """The extremes of both data sets together, and the mass exactly there."""
    low = np.minimum(first.extremes[:, 0], second.extremes[:, 0])
    high = np.maximum(first.extremes[:, 1], second.extremes[:, 1])
    extremes = np.stack([low, high], axis=1)
    masses = [s.at_extremes.where(s.extremes == extremes) for s in (first, second)]
    return extremes, masses[0] + masses[1]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BinnedPoints(Points):
    """One class of a sketch: two points in each bin represent all points that were in it.

    By Gauss's rule they have the mass and the first three moments of those points, so the error of
    any smooth sum over them falls with the fourth power of the bin's width. Counts do not come from
    these points but from the sketch.
    """

    sketch: Sketch  # the sketch
    label: int  # the class

    @classmethod
    def of(cls, sketch: Sketch, label: int) -> BinnedPoints:
        """The binned points of one class of a sketch."""
        moments = sketch.deposit.moments[label]
        held = moments[:, 0] > 0
        centre, half_width_x = (middle[held] for middle in sketch.schema.lattice.middles)
        mass, first, second, third = moments[held].T
        mean, second, third = first / mass, second / mass, third / mass
        # Central moments; rounding must not make a variance negative.
        variance = np.maximum(second - mean**2, 0.0)
        distance, share = gauss(variance, third - 3 * mean * second + 2 * mean**3)
        # Rounding may also move a point out of its bin, or beyond the extremes of the class.
        x = centre + half_width_x * np.clip(mean + distance, -1.0, 1.0)
        x = np.clip(x, *sketch.extremes[label]) if len(x) else x
        kept = share > 0
        return cls(x[kept], (share * mass)[kept], sketch=sketch, label=label)

    @property
    def counted(self) -> bool:
        """Whether the masses that the sketch knows are counts."""
        return self.sketch.counted

    @cached_property
    def total(self) -> int | float:
        """Mass of all points; an int if masses are counts."""
        return self.sketch.total(self.label)

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """(min x, max x) of the original points; (inf, -inf) without points."""
        low, high = self.sketch.extremes[self.label].tolist()
        return low, high

    def mass_at(self, x: float) -> float:
        """Mass exactly at one of the extremes."""
        masses = self.sketch.at_extremes[self.label].values.tolist()
        return dict(zip(self.extremes, masses, strict=True))[x]

    def split(self, edges: Float[np.ndarray, " k"]) -> Halves:
        """Mass of the points below each edge and of all others."""
        left, right = self._neighbours(edges)
        if not np.array_equal(left, right):
            raise InputError(
                "this sketch counts exactly only at the cuts of its own grid; use that grid, or "
                "sweep.landscape, which gives two bounds elsewhere"
            )
        return self._masses(left)

    def split_bounds(self, edges: Float[np.ndarray, " k"]) -> tuple[Halves, Halves]:
        """What `split` gives at the edge of the sketch next below and next above each edge."""
        left, right = self._neighbours(edges)
        return self._masses(left), self._masses(right)

    def _neighbours(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """Numbers of the sketch's edges next to each edge: 0 before all points, k + 1 after."""
        counted_edges, (low, high) = self.sketch.schema.edges, self.extremes
        right = np.searchsorted(counted_edges, edges) + 1
        left = np.searchsorted(counted_edges, edges, side="right")
        before_all, after_all = edges <= low, edges > high
        ends = [np.zeros_like(left), np.full_like(left, len(counted_edges) + 1)]
        left, right = (np.select([before_all, after_all], ends, side) for side in (left, right))
        return left, right

    def _masses(self, number: Int[np.ndarray, " k"]) -> Halves:
        """Mass below and above edges of the sketch, by their numbers as in `_neighbours`."""
        below, above = self.sketch.below(self.label), self.sketch.above(self.label)
        return np.append(below[:1] * 0, below)[number], np.append(above, above[:1] * 0)[number]
