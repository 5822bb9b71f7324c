"""Bounds on the accuracy of a classifier where a sketch does not count exactly.

A sketch knows the mass of each class below some edges: the cuts of its grid, the ends of its bins,
and each class's own extremes, where it also knows the mass of the points at the extreme. The mass
below any other edge lies between the masses below the known edges on either side of it.
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

Number = int | float  # a mass: an int where points are counted


@dataclass(frozen=True, eq=False)
class AccuracyBounds:
    """Bounds on the mass that classifiers predict correctly, from a sketch."""

    sketch: Sketch  # the sketch

    @cached_property
    def totals(self) -> tuple[Number, Number]:
        """Mass of class 0 and of class 1."""
        return self.sketch.total(0), self.sketch.total(1)

    @property
    def total(self) -> Number:
        """Mass of both classes."""
        return self.totals[0] + self.totals[1]

    @cached_property
    def slack(self) -> float:
        """Bound on the rounding error of a difference of two correct masses; 0 for counts."""
        # A correct mass is made of three sums, off by at most 2 of these bounds together (see
        # `sweep.optima.accuracy.best_cuts`); the difference of two correct masses by 4.
        return 4 * self.sketch.rounding_of_masses * self.total if self.total else 0.0

    @cached_property
    def support(self) -> tuple[float, float]:
        """(lowest, highest) x of both classes; (inf, -inf) without points."""
        low, high = self.sketch.extremes.T
        return float(np.min(low)), float(np.max(high))

    @cached_property
    def highest(self) -> tuple[Number, Number]:
        """Bounds on the highest mass that any classifier predicts correctly.

        The lower bound is certainly reached: at a known edge, or by a constant prediction.
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
        """The stretches (low, high, orientation) between known edges that may hold a best cut."""
        threshold = self.highest[0] - self.slack
        stretches = [
            *self._up.merged(self._up.possible >= threshold, 1),
            *self._down.merged(self._down.possible >= threshold, -1),
        ]
        return tuple(sorted(stretches))

    @cached_property
    def constants(self) -> tuple[int, ...]:
        """The constant predictions that may be among the best."""
        if not self.total:
            return ()
        return tuple(c for c in (0, 1) if self.totals[c] >= self.highest[0] - self.slack)

    def correct(self, cut_range: tuple[float, float], orientation: int) -> tuple[Number, Number]:
        """Bounds on the mass that a cut predicts correctly."""
        ends = np.array(cut_range)
        if orientation < 0:  # {x <= t} is {x < the next float}
            ends = np.nextafter(ends, np.inf)
        (low0, high0), (low1, high1) = (self._below(label, ends) for label in (0, 1))
        if orientation > 0:
            lower, upper = low0[0] - high1[1], high0[1] - low1[0]
            return _number(self.totals[1] + lower), _number(self.totals[1] + upper)
        lower, upper = low1[0] - high0[1], high1[1] - low0[0]
        return _number(self.totals[0] + lower), _number(self.totals[0] + upper)

    def certainly_best(self, cut_range: tuple[float, float], orientation: int) -> bool:
        """Whether a cut in that range is certainly one of the best.

        It is if it lies in the only stretch that may hold a best cut, and no point is in there.
        """
        if len(self.cuts) != 1 or self.constants:
            return False
        (low, high, side), (first, last) = self.cuts[0], cut_range
        within = low < first and last <= high if side > 0 else low <= first and last < high
        edges = np.array([np.nextafter(low, np.inf), high])
        empty = all(most[1] == least[0] for least, most in (self._below(k, edges) for k in (0, 1)))
        return side == orientation and within and empty

    def _below(
        self, label: int, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Bounds on the mass of a class below each edge."""
        known_edges, below = self._known[label]
        first = np.searchsorted(known_edges, edges, side="right")
        last = np.searchsorted(known_edges, edges, side="left")
        return np.append(below[:1] * 0, below)[first], np.append(below, self.totals[label])[last]

    @cached_property
    def _known(self) -> list[tuple[Float[np.ndarray, " k"], Shaped[np.ndarray, " k"]]]:
        """For class 0 and 1, the edges below which the mass is known, ascending, and that mass."""
        return [self._known_of(label) for label in (0, 1)]

    def _known_of(self, label: int) -> tuple[Float[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """The same for one class: edges of the sketch inside its extremes, and the extremes."""
        edges, below = self.sketch.schema.edges, self.sketch.below(label)[:-1]
        low, high = self.sketch.extremes[label]
        if low > high:
            return edges, below
        total = self.totals[label]
        at_low, at_high = self.sketch.at_extremes[label].values.astype(below.dtype)
        # Just below and just above the points at either extreme.
        extremes = np.array([low, np.nextafter(low, np.inf), high, np.nextafter(high, np.inf)])
        masses = np.array([0, at_low, total - at_high, total], below.dtype)
        inner = (edges > extremes[1]) & (edges < high)
        # Edges may coincide where the extremes are equal or neighbours; the later one knows more.
        unique_edges, last = np.unique(
            np.concatenate([extremes[:2], edges[inner], extremes[2:]])[::-1], return_index=True
        )
        return unique_edges, np.concatenate([masses[:2], below[inner], masses[2:]])[::-1][last]

    @cached_property
    def _edges(self) -> Float[np.ndarray, " k"]:
        """The edges below which the mass of a class is known, from the lowest to the highest x."""
        edges = np.unique(np.concatenate([known_edges for known_edges, _ in self._known]))
        low, high = self.support
        return edges[(edges >= low) & (edges <= high)]

    @cached_property
    def _up(self) -> _Stretches:
        """Cuts with class 1 above: class 0 below and class 1 above are correct."""
        return self._stretches(0, 1)

    @cached_property
    def _down(self) -> _Stretches:
        """Cuts with class 1 below."""
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
    """Stretches of cuts c between neighbouring edges; c splits {x < c} from {x >= c}.

    Each stretch holds its upper edge, not its lower one.
    """

    edges: Float[np.ndarray, " e"]  # ascending, or (0,) without points
    # correct mass that a cut at the upper end of each stretch has at least
    reached: Shaped[np.ndarray, " k"]
    possible: Shaped[np.ndarray, " k"]  # the most correct mass of any cut in the stretch

    def merged(
        self, chosen: Bool[np.ndarray, " k"], orientation: int
    ) -> Iterator[tuple[float, float, int]]:
        """The chosen stretches, with neighbours merged into one."""
        turns = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
        for first, stop in pairwise(turns.tolist()):
            if chosen[first]:
                yield float(self.edges[first]), float(self.edges[stop]), orientation


def _number(value: Any) -> Number:
    """The value as a Python number."""
    return value.item() if isinstance(value, np.number) else value
