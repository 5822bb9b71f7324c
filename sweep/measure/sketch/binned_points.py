"""Binned points: the bins of a sketch as points, for code that works on the points of a class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Shaped

from sweep.base.errors import InputError
from sweep.measure.points import Points, gauss
from sweep.measure.sketch.sketch import Sketch


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BinnedPoints(Points):
    """One class of a sketch: two points in each bin represent all points that were in it.

    By Gauss's rule they have the mass and the first three moments of those points, so the error of
    any smooth sum over them falls with the fourth power of the bin's width. Counts do not come from
    these points but from the sketch.

    Attributes:
        sketch: the sketch.
        label: the class.
    """

    sketch: Sketch
    label: int

    @classmethod
    def of(cls, sketch: Sketch, label: int) -> BinnedPoints:
        """The binned points of one class of a sketch."""
        moments = sketch.deposit.moments[label]
        held = moments[:, 0] > 0
        edges = sketch.schema.lattice.edges
        centre, half_width_x = ((edges[1:] + edges[:-1]) / 2)[held], (np.diff(edges) / 2)[held]
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
        """Mass exactly at one of the extremes.

        Raises:
            KeyError: x is not an extreme, so its mass is not known.
        """
        masses = self.sketch.at_extremes[self.label].values.tolist()
        return dict(zip(self.extremes, masses, strict=True))[x]

    def split(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Mass of the points below each edge and of all others.

        Raises:
            InputError: the sketch does not count at one of the edges.
        """
        left, right = self._neighbours(edges)
        if not np.array_equal(left, right):
            raise InputError(
                "this sketch counts exactly only at the cuts of its own grid; use that grid, or "
                "sweep.landscape, which gives two bounds elsewhere"
            )
        return self._masses(left)

    def split_bounds(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[
        tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]],
        tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]],
    ]:
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

    def _masses(
        self, number: Int[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Mass below and above edges of the sketch, by their numbers as in `_neighbours`."""
        below, above = self.sketch.below(self.label), self.sketch.above(self.label)
        return np.append(below[:1] * 0, below)[number], np.append(above, above[:1] * 0)[number]
