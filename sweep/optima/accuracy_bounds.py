"""Brackets: between what the accuracy of a classifier lies where a sketch does not count exactly.

A sketch knows the mass of each class below some edges: the cuts of its grid, the ends of its bins,
and each class's own extremes, where it knows how much stands. Below any other edge there is at
least what is below the known edge before it, and at most what is below the one after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from sweep.measure.sketch.sketch import Sketch

Number = int | float
"""Mass: an int where points are counted."""


@dataclass(frozen=True, eq=False)
class AccuracyBounds:
    """What a sketch knows of the mass that classifiers predict correctly.

    Attributes:
        sketch: the sketch.
    """

    sketch: Sketch

    @cached_property
    def totals(self) -> tuple[Number, Number]:
        """Mass of class 0 and of class 1."""
        return self.sketch.total(0), self.sketch.total(1)

    @property
    def total(self) -> Number:
        """Mass of both."""
        return self.totals[0] + self.totals[1]

    @cached_property
    def slack(self) -> float:
        """What rounding may have done to the sum of a mass of each class; 0 for counts."""
        return 4 * self.sketch.rounding_of_masses * self.total if self.total else 0.0

    @cached_property
    def support(self) -> tuple[float, float]:
        """(lowest, highest) x of both classes; (inf, -inf) without points."""
        low, high = self.sketch.extremes.T
        return float(np.min(low)), float(np.max(high))

    @cached_property
    def most(self) -> tuple[Number, Number]:
        """Between what lies the most mass that a classifier predicts correctly.

        The lower one is reached for certain: at a known edge, or by a constant prediction.
        """
        reached = [max(self.totals)]
        possible = [max(self.totals)]
        for stretches in (self._up, self._down):
            reached += [np.max(stretches.reached)] if len(stretches.reached) else []
            possible += [np.max(stretches.possible)] if len(stretches.possible) else []
        lower, upper = _number(max(reached)), _number(max(possible))
        return lower, max(lower, upper)

    @cached_property
    def cuts(self) -> tuple[tuple[float, float, int], ...]:
        """Every stretch (low, high, orientation) between known edges that may hold a best cut."""
        least = self.most[0] - self.slack
        found = [
            *self._up.merged(self._up.possible >= least, 1),
            *self._down.merged(self._down.possible >= least, -1),
        ]
        return tuple(sorted(found))

    @cached_property
    def constants(self) -> tuple[int, ...]:
        """The constant predictions that may be as good as any."""
        if not self.total:
            return ()
        return tuple(c for c in (0, 1) if self.totals[c] >= self.most[0] - self.slack)

    def at(self, cut: tuple[float, float], orientation: int) -> tuple[Number, Number]:
        """Between what lies the correct mass of a cut that lies between two numbers.

        Args:
            cut: (lowest, highest) that it can be; infinite ones are constant predictions.
            orientation: +1, class 1 is {x >= cut}; -1, class 1 is {x <= cut}.
        """
        ends = np.array(cut)
        if orientation < 0:  # {x <= t} is {x < the next float}
            ends = np.nextafter(ends, np.inf)
        (low0, high0), (low1, high1) = (self._below(label, ends) for label in (0, 1))
        if orientation > 0:
            lower, upper = low0[0] - high1[1], high0[1] - low1[0]
            return _number(self.totals[1] + lower), _number(self.totals[1] + upper)
        lower, upper = low1[0] - high0[1], high1[1] - low0[0]
        return _number(self.totals[0] + lower), _number(self.totals[0] + upper)

    def sole(self, cut: tuple[float, float], orientation: int) -> bool:
        """Whether a cut that lies between two numbers is for certain one of the best.

        That is so where it is in the only stretch that may hold one, and no point is.
        """
        if len(self.cuts) != 1 or self.constants:
            return False
        (low, high, side), (first, last) = self.cuts[0], cut
        within = low < first and last <= high if side > 0 else low <= first and last < high
        edges = np.array([np.nextafter(low, np.inf), high])
        empty = all(most[1] == least[0] for least, most in (self._below(k, edges) for k in (0, 1)))
        return side == orientation and within and empty

    def _below(
        self, label: int, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """The least and the most mass of a class that can be below each edge."""
        known, below = self._known[label]
        first = np.searchsorted(known, edges, side="right")
        last = np.searchsorted(known, edges, side="left")
        return np.append(below[:1] * 0, below)[first], np.append(below, self.totals[label])[last]

    @cached_property
    def _known(self) -> list[tuple[Float[np.ndarray, " k"], Shaped[np.ndarray, " k"]]]:
        """Edges at which the mass of class 0 and 1 is known, ascending, and what is below."""
        return [self._known_of(label) for label in (0, 1)]

    def _known_of(self, label: int) -> tuple[Float[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        edges, below = self.sketch.terms.edges, self.sketch.below(label)[:-1]
        low, high = self.sketch.extremes[label]
        if low > high:
            return edges, below
        total, at = self.totals[label], self.sketch.at_extremes[label].values.astype(below.dtype)
        own = np.array([low, np.nextafter(low, np.inf), high, np.nextafter(high, np.inf)])
        masses = np.array([0, at[0], total - at[1], total], below.dtype)
        inner = (edges > own[1]) & (edges < high)
        # Where the ends are neighbours or one, later ones know more.
        found, last = np.unique(
            np.concatenate([own[:2], edges[inner], own[2:]])[::-1], return_index=True
        )
        return found, np.concatenate([masses[:2], below[inner], masses[2:]])[::-1][last]

    @cached_property
    def _edges(self) -> Float[np.ndarray, " k"]:
        """Every edge at which the mass of a class is known, and not all x are on one side."""
        edges = np.unique(np.concatenate([known for known, _ in self._known]))
        low, high = self.support
        return edges[(edges >= low) & (edges <= high)]

    @cached_property
    def _up(self) -> _Stretches:
        """Cuts with class 1 above: correct are class 0 below and class 1 above."""
        return self._stretches(0, 1)

    @cached_property
    def _down(self) -> _Stretches:
        return self._stretches(1, 0)

    def _stretches(self, lower: int, upper: int) -> _Stretches:
        """Stretches of cuts below which class `lower` is predicted, and above it `upper`."""
        edges, total = self._edges, self.totals[upper]
        low, high = self._below(lower, edges[1:])
        _, most = self._below(upper, edges[1:])
        least, _ = self._below(upper, np.nextafter(edges[:-1], np.inf))
        return _Stretches(edges, low + (total - most), high + (total - least))


@dataclass(frozen=True, eq=False)
class _Stretches:
    """Cuts between neighbouring edges, the lower one excluded; as cuts in x for class 1 below.

    Attributes:
        edges: ascending, shape (k + 1,), or (0,) without points.
        reached: correct mass at the upper end of each stretch for certain, shape (k,).
        possible: the most that it can be anywhere in it.
    """

    edges: Float[np.ndarray, " e"]
    reached: Shaped[np.ndarray, " k"]
    possible: Shaped[np.ndarray, " k"]

    def merged(
        self, chosen: Bool[np.ndarray, " k"], orientation: int
    ) -> Iterator[tuple[float, float, int]]:
        """The chosen stretches, neighbours as one."""
        turns = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
        for first, stop in pairwise(turns.tolist()):
            if chosen[first]:
                yield float(self.edges[first]), float(self.edges[stop]), orientation


def _number(value: Any) -> Number:
    return value.item() if isinstance(value, np.number) else value
