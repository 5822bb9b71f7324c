"""Exact confusion masses of classifiers, and the most accurate of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from sweep.base.rounding import UNIT
from sweep.measure.cuts import edge, edges
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.measure.sketch.binned_points import BinnedPoints


class Confusion(NamedTuple):
    """The four confusion masses, each of the cells' shape: int64 if the measure is counted."""

    tp: Shaped[np.ndarray, " ..."]
    fp: Shaped[np.ndarray, " ..."]
    fn: Shaped[np.ndarray, " ..."]
    tn: Shaped[np.ndarray, " ..."]


def confusion(
    measure: Measure, a: Float[np.ndarray, " ..."], b: Float[np.ndarray, " ..."]
) -> Confusion:
    """Exact confusion masses of each classifier; a and b broadcast against each other."""
    ends, upward = edges(a, b)
    # Searched in ascending order, an edge finds what it needs in a cache: the one before was there.
    order = np.argsort(ends, axis=None)
    ascending = ends.reshape(-1)[order]
    (fp, tn), (tp, fn) = (
        _predicted(points, ascending, order, upward) for points in (measure.class0, measure.class1)
    )
    return Confusion(tp, fp, fn, tn)


def brackets(
    measure: Measure, a: Float[np.ndarray, " ..."], b: Float[np.ndarray, " ..."]
) -> tuple[Confusion, Confusion]:
    """Tables between which that of each classifier lies, by what a sketch knows.

    Args:
        measure: of a sketch.
        a: slopes.
        b: intercepts; the two broadcast against each other.

    Returns:
        The worst table that is possible, with the fewest of class 1 and the most of class 0 that
        are predicted to be of class 1, and the best. They are equal where the sketch counts.
    """
    ends, upward = edges(a, b)
    least, most = [], []
    for points in measure.classes:
        assert isinstance(points, BinnedPoints)
        one, other = (
            _ordered(below.reshape(ends.shape), above.reshape(ends.shape), upward)
            for below, above in points.brackets(ends.ravel())
        )
        fewer = one[0] <= other[0]
        least.append([np.where(fewer, p, q) for p, q in zip(one, other, strict=True)])
        most.append([np.where(fewer, q, p) for p, q in zip(one, other, strict=True)])

    def table(zero: list[np.ndarray], one: list[np.ndarray]) -> Confusion:
        return Confusion(tp=one[0], fp=zero[0], fn=one[1], tn=zero[1])

    return table(most[0], least[1]), table(least[0], most[1])


def accuracy(
    measure: Measure, t: Float[np.ndarray, "*k"], orientation: Int[np.ndarray, "*k"]
) -> Float[np.ndarray, "*k"]:
    """Accuracy of classifiers by their cuts, a fraction; for a population it is exact.

    Args:
        measure: data with mass.
        t: cuts; infinite ones are constant predictions.
        orientation: +1, class 1 is {x >= t}; -1, class 1 is {x <= t}.
    """
    upward = orientation > 0
    ends = edge(t, upward).ravel()
    below0, above0 = measure.class0.split(ends)
    below1, above1 = measure.class1.split(ends)
    right = np.where(upward.ravel(), below0 + above1, above0 + below1)
    return (right / measure.total).reshape(np.shape(t))


def rounding_bound(measure: Measure) -> float:
    """Bound on the relative error of each confusion mass, however small; 0 for counts.

    That is for points. The masses of a population have an absolute error instead, see
    `sweep.populations.quadrature.Quadrature.rounding`.
    """
    if measure.counted:
        return 0.0
    if measure.sketch is not None:
        return measure.sketch.rounding_of_masses
    longest = max(len(measure.class0), len(measure.class1))
    return 2 * UNIT * (2 * math.sqrt(longest) + 16)


def _predicted(
    points: Points,
    ascending: Float[np.ndarray, " k"],
    order: Int[np.ndarray, " k"],
    upward: Bool[np.ndarray, " ..."],
) -> tuple[Shaped[np.ndarray, " ..."], Shaped[np.ndarray, " ..."]]:
    """The masses of one class that are predicted to be of class 1 and of class 0.

    The edges are ascending; `order` says which cell each belongs to.
    """
    below, above = (_scattered(masses, order, upward) for masses in points.split(ascending))
    return _ordered(below, above, upward)


def _ordered(
    below: Shaped[np.ndarray, " ..."],
    above: Shaped[np.ndarray, " ..."],
    upward: Bool[np.ndarray, " ..."],
) -> tuple[Shaped[np.ndarray, " ..."], Shaped[np.ndarray, " ..."]]:
    """Masses below and above cuts as those predicted to be of class 1 and of class 0."""
    return np.where(upward, above, below), np.where(upward, below, above)


def _scattered(
    values: Shaped[np.ndarray, " k"], order: Int[np.ndarray, " k"], like: Shaped[np.ndarray, " ..."]
) -> Shaped[np.ndarray, " ..."]:
    found = np.empty_like(values)
    found[order] = values
    return found.reshape(like.shape)


@dataclass(frozen=True, eq=False)
class BestCuts:
    """Every classifier {x >= t} or {x <= t} that gets the most mass right.

    With m distinct points, the classifiers are told apart by k = 0..m, the number of points below
    t (orientation +1) or up to t (orientation -1); k = 0 and k = m are constant predictions.

    Attributes:
        points: the distinct positions, ascending, shape (m,).
        up: mass predicted correctly by orientation +1 for each k, shape (m + 1,).
        down: the same for orientation -1.
        up_best: whether that is the most that any classifier reaches, shape (m + 1,).
        down_best: the same for orientation -1.
        correct: that most.
        total: mass of all points.
    """

    points: Float[np.ndarray, " m"]
    up: Shaped[np.ndarray, " k"]
    down: Shaped[np.ndarray, " k"]
    up_best: Bool[np.ndarray, " k"]
    down_best: Bool[np.ndarray, " k"]
    correct: int | float
    total: int | float

    @property
    def value(self) -> float:
        """The highest accuracy; nan without points."""
        return self.correct / self.total if self.total else math.nan

    @cached_property
    def intervals(self) -> tuple[tuple[float, float, int], ...]:
        """Maximal intervals (low, high, orientation), without the constant predictions."""
        found = [
            (float(self.points[first - 1]), float(self.points[last]), orientation)
            for orientation, best in ((1, self.up_best), (-1, self.down_best))
            for first, last in _runs(best[1:-1])
        ]
        return tuple(sorted(found))

    @property
    def constants(self) -> tuple[int, ...]:
        """The constant predictions among the best."""
        if not self.total:
            return ()
        return tuple(c for c, best in ((0, self.down_best[0]), (1, self.up_best[0])) if best)

    @property
    def support(self) -> tuple[float, float]:
        """(min x, max x); nan without points."""
        if len(self.points) == 0:
            return math.nan, math.nan
        return float(self.points[0]), float(self.points[-1])

    def contains(self, t: float, orientation: int) -> bool:
        """Whether the classifier with that cut is among the best."""
        best = self.up_best if orientation > 0 else self.down_best
        return bool(best[self._index(t, orientation)])

    def regret(self, t: float, orientation: int) -> float:
        """Accuracy that the classifier with that cut lacks of the highest."""
        if self.contains(t, orientation):
            return 0.0
        correct = self.up if orientation > 0 else self.down
        return float((self.correct - correct[self._index(t, orientation)]) / self.total)

    def distance(self, t: float, orientation: int) -> float:
        """From t to the nearest of the best cuts of that orientation; inf if there is none."""
        if self.contains(t, orientation):
            return 0.0
        best = self.up_best if orientation > 0 else self.down_best
        edges = np.concatenate([[-np.inf], self.points, [np.inf]])
        low, high = edges[:-1][best], edges[1:][best]
        if len(low) == 0 or not np.isfinite(t):
            return math.inf
        return float(np.min(np.maximum(np.maximum(low - t, t - high), 0.0)))

    def _index(self, t: float, orientation: int) -> int:
        return int(np.searchsorted(self.points, t, side="left" if orientation > 0 else "right"))


def best_cuts(measure: Measure) -> BestCuts:
    """One scan of the sorted data; exact, ties between weighted sums included."""
    points = np.unique(np.concatenate([measure.class0.x, measure.class1.x]))
    below = [_first_below(side, points) for side in (measure.class0, measure.class1)]
    mass0, mass1 = (
        side.mass_of_first(count)
        for side, count in zip((measure.class0, measure.class1), below, strict=True)
    )
    up, down = mass0 + (mass1[-1] - mass1), mass1 + (mass0[-1] - mass0)
    most, total = max(up.max(), down.max()), mass0[-1] + mass1[-1]
    # Weighted sums are rounded: keep whatever may be the best, then let exact integers decide.
    slack = 4 * rounding_bound(measure) * total
    up_best, down_best = up >= most - slack, down >= most - slack
    if not measure.counted and np.count_nonzero(up_best) + np.count_nonzero(down_best) > 1:
        exact_up, exact_down = _exact(measure, below[0], below[1], up_best, down_best)
        exact_most = max([*exact_up, *exact_down])
        up_best[up_best] = [score == exact_most for score in exact_up]
        down_best[down_best] = [score == exact_most for score in exact_down]
    return BestCuts(points, up, down, up_best, down_best, most.item(), total.item())


def _first_below(side: Points, points: Float[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
    """How many points of a class lie below each distinct point, and at last all of them."""
    return np.append(np.searchsorted(side.ordered.x, points, side="left"), len(side))


def _exact(
    measure: Measure,
    below0: Int[np.ndarray, " k"],
    below1: Int[np.ndarray, " k"],
    up: Bool[np.ndarray, " k"],
    down: Bool[np.ndarray, " k"],
) -> tuple[list[int], list[int]]:
    """Correct mass of the chosen classifiers as exact integers, in one common unit 2^-k."""
    fractions = [np.frexp(side.ordered.masses) for side in (measure.class0, measure.class1)]
    lowest = min((int(e.min()) for _, e in fractions if len(e)), default=0)
    sums0, sums1 = (
        [0, *accumulate(int(f * 2.0**53) << int(e - lowest) for f, e in zip(*pair, strict=True))]
        for pair in fractions
    )
    upward = [sums0[i] + sums1[-1] - sums1[j] for i, j in zip(below0[up], below1[up], strict=True)]
    downward = [
        sums1[j] + sums0[-1] - sums0[i] for i, j in zip(below0[down], below1[down], strict=True)
    ]
    return upward, downward


def _runs(flags: Bool[np.ndarray, " k"]) -> list[tuple[int, int]]:
    """(first, last) index, both from 1, of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [
        (int(first) + 1, int(stop)) for first, stop in zip(edges[::2], edges[1::2], strict=True)
    ]
