"""The most accurate cuts of weighted points: one exact scan of the sorted data.

Accuracy is a step function of the cut, so its optimum is a *set*: intervals of cuts, each with its
orientation, and the constant predictions where they are as accurate. For a population,
`sweep.optima.population_accuracy` finds the same set from the densities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from sweep.measure.confusion import rounding_bound
from sweep.measure.cuts import cut
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.optima.population_accuracy import BestIntervals
from sweep.optima.records import AccuracyOptimum, CrossEntropyOptimum, OptimumStatus


@dataclass(frozen=True, eq=False)
class BestCuts:
    """All classifiers {x >= t} and {x <= t} that predict the most mass correctly.

    With m distinct points, a classifier is given by its orientation and k = 0..m, the number of
    points below t (orientation +1) or up to t (orientation -1); k = 0 and k = m are constant
    predictions.
    """

    points: Float[np.ndarray, " m"]  # the distinct positions, ascending
    up: Shaped[np.ndarray, " k"]  # mass predicted correctly by orientation +1 for each k
    down: Shaped[np.ndarray, " k"]  # the same for orientation -1
    up_best: Bool[np.ndarray, " k"]  # whether that is the highest mass of any classifier
    down_best: Bool[np.ndarray, " k"]  # the same for orientation -1
    correct: int | float  # that highest mass
    total: int | float  # mass of all points

    @property
    def value(self) -> float:
        """The highest accuracy; nan without points."""
        return self.correct / self.total if self.total else math.nan

    @cached_property
    def intervals(self) -> tuple[tuple[float, float, int], ...]:
        """Maximal intervals (low, high, orientation), without the constant predictions."""
        intervals = [
            (float(self.points[first - 1]), float(self.points[last]), orientation)
            for orientation, best in ((1, self.up_best), (-1, self.down_best))
            for first, last in _runs(best[1:-1])
        ]
        return tuple(sorted(intervals))

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
        """Highest accuracy minus that of the classifier with that cut, a fraction."""
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
        """The k of a cut."""
        return int(np.searchsorted(self.points, t, side="left" if orientation > 0 else "right"))


def best_cuts(measure: Measure) -> BestCuts:
    """Finds all classifiers of the highest accuracy, exactly, ties of weighted sums included."""
    points = np.unique(np.concatenate([measure.class0.x, measure.class1.x]))
    below = [_counts_below(side, points) for side in (measure.class0, measure.class1)]
    mass0, mass1 = (
        side.mass_of_first(count)
        for side, count in zip((measure.class0, measure.class1), below, strict=True)
    )
    up, down = mass0 + (mass1[-1] - mass1), mass1 + (mass0[-1] - mass0)
    most, total = max(up.max(), down.max()), mass0[-1] + mass1[-1]
    # Weighted sums are rounded. A score is made of three sums, mass0, all of mass1 and mass1, so it
    # is off by at most 2 bounds of the total, and the difference of two scores by 4: keep all that
    # may be the best, then let exact integers decide.
    slack = 4 * rounding_bound(measure) * total
    up_best, down_best = up >= most - slack, down >= most - slack
    if not measure.counted and np.count_nonzero(up_best) + np.count_nonzero(down_best) > 1:
        exact_up, exact_down = _exact_scores(measure, below[0], below[1], up_best, down_best)
        exact_most = max([*exact_up, *exact_down])
        up_best[up_best] = [score == exact_most for score in exact_up]
        down_best[down_best] = [score == exact_most for score in exact_down]
    return BestCuts(points, up, down, up_best, down_best, most.item(), total.item())


def accuracy_optimum(best: BestCuts | BestIntervals) -> AccuracyOptimum:
    """The record of the most accurate classifiers of points or of a population."""
    return AccuracyOptimum(best.value, best.correct, best.intervals, best.constants, best.support)


def compare(
    ce: CrossEntropyOptimum, best: BestCuts | BestIntervals
) -> tuple[bool | None, float, float]:
    """Compares the classifier at the cross-entropy optimum with the most accurate ones."""
    if ce.status is not OptimumStatus.finite:
        return None, math.nan, math.nan
    ce_cut = cut(np.array(ce.a), np.array(ce.b))
    t, orientation = float(ce_cut.t), int(ce_cut.orientation)
    return (
        best.contains(t, orientation),
        best.regret(t, orientation),
        best.distance(t, orientation),
    )


def _counts_below(side: Points, points: Float[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
    """How many points of a class lie below each distinct point, then the number of all."""
    return np.append(np.searchsorted(side.ordered.x, points, side="left"), len(side))


def _exact_scores(
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
    """(first, last) index, counted from 1, of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [
        (int(first) + 1, int(stop)) for first, stop in zip(edges[::2], edges[1::2], strict=True)
    ]
