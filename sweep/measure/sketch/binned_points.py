"""Binned: a sketch in the place of points, for what works on the points of a class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Shaped

from sweep.base.errors import InputError
from sweep.measure.points import Points, gauss
from sweep.measure.sketch.sketch import Sketch


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BinnedPoints(Points):
    """One class of a sketch: two points in each bin stand for those that were there.

    They have the mass and the first three moments of these, by Gauss's rule, so that any smooth sum
    over them is right to the fourth power of the width of a bin. Counts come from the sketch.

    Attributes:
        sketch: the sketch.
        label: the class.
    """

    sketch: Sketch
    label: int

    @classmethod
    def of(cls, sketch: Sketch, label: int) -> BinnedPoints:
        """A class of a sketch."""
        moments = sketch.deposit.moments[label]
        held = moments[:, 0] > 0
        ends = sketch.terms.lattice.edges
        centre, half = ((ends[1:] + ends[:-1]) / 2)[held], (np.diff(ends) / 2)[held]
        mass, first, second, third = moments[held].T
        mean, second, third = first / mass, second / mass, third / mass
        variance = np.maximum(second - mean**2, 0.0)
        away, share = gauss(variance, third - 3 * mean * second + 2 * mean**3)
        x = centre + half * np.clip(mean + away, -1.0, 1.0)
        x = np.clip(x, *sketch.extremes[label]) if len(x) else x
        kept = share > 0
        return cls(x[kept], (share * mass)[kept], sketch=sketch, label=label)

    @property
    def counted(self) -> bool:
        """Whether the masses that the sketch knows are counts."""
        return self.sketch.counted

    @cached_property
    def total(self) -> int | float:
        """Mass of all points: an int if they are counted."""
        return self.sketch.total(self.label)

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """(min x, max x) of the points that were there; (inf, -inf) if none were."""
        low, high = self.sketch.extremes[self.label].tolist()
        return low, high

    def mass_at(self, x: float) -> float:
        """Mass right at one of the extremes.

        Raises:
            KeyError: x is none of them; no more is known.
        """
        at = dict(
            zip(self.extremes, self.sketch.at_extremes[self.label].values.tolist(), strict=True)
        )
        return at[x]

    def split(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Mass of the points below each edge and of all others.

        Raises:
            InputError: the sketch does not count at one of them.
        """
        first, last = self._places(edges)
        if not np.array_equal(first, last):
            raise InputError(
                "this sketch counts exactly at the cuts of its own grid only; ask for that grid, "
                "or for sweep.landscape, which tells between what counts lie elsewhere"
            )
        return self._masses(first)

    def brackets(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[
        tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]],
        tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]],
    ]:
        """What `split` would give at the known edges next below and next above each edge."""
        first, last = self._places(edges)
        return self._masses(first), self._masses(last)

    def _places(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Numbers of the known edges next to each edge; 0 is before, k + 1 after all points."""
        known, (low, high) = self.sketch.terms.edges, self.extremes
        last = np.searchsorted(known, edges) + 1
        first = np.searchsorted(known, edges, side="right")
        nothing, everything = edges <= low, edges > high
        ends = [np.zeros_like(first), np.full_like(first, len(known) + 1)]
        first, last = (np.select([nothing, everything], ends, place) for place in (first, last))
        return first, last

    def _masses(
        self, place: Shaped[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        below, above = self.sketch.below(self.label), self.sketch.above(self.label)
        return np.append(below[:1] * 0, below)[place], np.append(above, above[:1] * 0)[place]
