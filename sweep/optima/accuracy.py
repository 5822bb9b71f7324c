"""The most accurate cuts of weighted points: one exact scan of the sorted data.

Accuracy is a step function of the cut, so its optimum is a *set*: intervals of cuts, each with its
orientation, and the constant predictions where they are as accurate. For a population,
`sweep.optima.population_accuracy` finds the same set from the densities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from sweep.measure.confusion import rounding_bound
from sweep.measure.cuts import cut
from sweep.measure.measure import Measure
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
    scores: dict[int, Shaped[np.ndarray, " k"]]  # by orientation, mass predicted correctly
    best: dict[int, Bool[np.ndarray, " k"]]  # whether that is the highest mass of any classifier
    total: int | float  # mass of all points
    optimum: AccuracyOptimum

    def contains(self, t: float, orientation: int) -> bool:
        """Whether the classifier with that cut is among the best."""
        return bool(self.best[orientation][self._index(t, orientation)])

    def regret(self, t: float, orientation: int) -> float:
        """Highest accuracy minus that of the classifier with that cut, a fraction."""
        score = self.scores[orientation][self._index(t, orientation)]
        return float((self.optimum.correct - score) / self.total)

    def distance(self, t: float, orientation: int) -> float:
        """From t to the nearest of the best cuts of that orientation; inf if there is none."""
        best = self.best[orientation]
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
    # How many points of a class lie below each distinct point, then the number of all.
    below = [np.append(np.searchsorted(p.ordered.x, points), len(p)) for p in measure.classes]
    mass0, mass1 = (p.mass_of_first(count) for p, count in zip(measure.classes, below, strict=True))
    scores = np.stack([mass0 + (mass1[-1] - mass1), mass1 + (mass0[-1] - mass0)])
    most, total = scores.max().item(), (mass0[-1] + mass1[-1]).item()
    # Weighted sums are rounded. A score is made of three sums, mass0, all of mass1 and mass1, so it
    # is off by at most 2 bounds of the total, and the difference of two scores by 4: keep all that
    # may be the best, then let exact integers decide.
    best = scores >= most - 4 * rounding_bound(measure) * total
    if not measure.counted and np.count_nonzero(best) > 1:
        exact = _exact_scores(measure, below, best)
        most_exact = max(exact)
        best[best] = [score == most_exact for score in exact]
    up, down = best
    intervals = [*merged(points, up[1:-1], 1), *merged(points, down[1:-1], -1)]
    optimum = AccuracyOptimum(
        value=most / total if total else math.nan,
        correct=most,
        cuts=tuple(sorted(intervals)),
        constants=tuple(c for c, flags in enumerate((down, up)) if total and flags[0]),
        support=(float(points[0]), float(points[-1])) if len(points) else (math.nan, math.nan),
    )
    by_orientation = {1: scores[0], -1: scores[1]}
    return BestCuts(points, by_orientation, {1: up, -1: down}, total, optimum)


def merged(
    edges: Float[np.ndarray, " e"], chosen: Bool[np.ndarray, " k"], orientation: int
) -> list[tuple[float, float, int]]:
    """The chosen stretches between edges, neighbours merged: (low, high, orientation)."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [
        (float(edges[first]), float(edges[stop]), orientation)
        for first, stop in zip(turns[::2], turns[1::2], strict=True)
    ]


def compare(
    ce: CrossEntropyOptimum, best: BestCuts | BestIntervals
) -> tuple[bool | None, float, float]:
    """Compares the classifier at the cross-entropy optimum with the most accurate ones.

    The result is `shared`, `regret` and `distance` of an `Optimum`.
    """
    if ce.status is not OptimumStatus.finite:
        return None, math.nan, math.nan
    ce_cut = cut(np.array(ce.a), np.array(ce.b))
    classifier = float(ce_cut.t), int(ce_cut.orientation)
    if best.contains(*classifier):
        return True, 0.0, 0.0
    return False, best.regret(*classifier), best.distance(*classifier)


def _exact_scores(
    measure: Measure, below: list[Int[np.ndarray, " k"]], chosen: Bool[np.ndarray, "2 k"]
) -> list[int]:
    """Correct mass of the chosen classifiers as exact integers, in one common unit 2^-k."""
    fractions = [np.frexp(points.ordered.masses) for points in measure.classes]
    lowest = min((int(e.min()) for _, e in fractions if len(e)), default=0)
    sums = [
        [0, *accumulate(int(f * 2.0**53) << int(e - lowest) for f, e in zip(*pair, strict=True))]
        for pair in fractions
    ]
    # Of orientation +1, in the first row, class 0 is correct below the cut and class 1 above it.
    return [
        sums[row][below[row][k]] + sums[1 - row][-1] - sums[1 - row][below[1 - row][k]]
        for row, k in np.argwhere(chosen)
    ]
