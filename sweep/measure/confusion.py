"""Exact confusion masses of classifiers, from which every counting metric follows.

The cut of a classifier turns its four masses into masses of each class below and above an edge,
which the points of a class know exactly. Where a sketch does not count, there are bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from sweep.base.intervals import UNIT
from sweep.measure.cuts import Numbers, edge, edges
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.measure.sketch.sketch import BinnedPoints

Masses = Shaped[np.ndarray, " ..."]


class Confusion(NamedTuple):
    """The four confusion masses, each in the shape of the cells; int64 if masses are counts."""

    tp: Masses
    fp: Masses
    fn: Masses
    tn: Masses


def confusion(measure: Measure, a: Numbers, b: Numbers) -> Confusion:
    """Exact confusion masses of each classifier; refuses a sketch that does not count at a cut.

    The slopes a and the intercepts b broadcast against each other.
    """
    ends, upward = edges(a, b)
    # In ascending order each search reads memory that the one before it left in the cache.
    order = np.argsort(ends, axis=None)
    ascending = ends.reshape(-1)[order]

    def by_prediction(points: Points) -> tuple[Masses, Masses]:
        halves = points.split(ascending)
        below, above = map(np.empty_like, halves)
        below[order], above[order] = halves
        return _by_prediction(below.reshape(ends.shape), above.reshape(ends.shape), upward)

    (fp, tn), (tp, fn) = map(by_prediction, measure.classes)
    return Confusion(tp, fp, fn, tn)


def confusion_bounds(measure: Measure, a: Numbers, b: Numbers) -> tuple[Confusion, Confusion]:
    """The worst and the best confusion masses that are consistent with a sketch.

    The worst have the least of class 1 and the most of class 0 predicted to be of class 1. Both are
    equal where the sketch counts exactly.
    """
    ends, upward = edges(a, b)
    least, most = [], []
    for points in measure.classes:
        assert isinstance(points, BinnedPoints)
        left, right = (
            _by_prediction(below.reshape(ends.shape), above.reshape(ends.shape), upward)
            for below, above in points.split_bounds(ends.ravel())
        )
        fewer = left[0] <= right[0]  # predicted to be of class 1
        least.append([np.where(fewer, p, q) for p, q in zip(left, right, strict=True)])
        most.append([np.where(fewer, q, p) for p, q in zip(left, right, strict=True)])

    def table(class0: list[np.ndarray], class1: list[np.ndarray]) -> Confusion:
        return Confusion(tp=class1[0], fp=class0[0], fn=class1[1], tn=class0[1])

    return table(most[0], least[1]), table(least[0], most[1])


def _by_prediction(
    below: Masses, above: Masses, upward: Bool[np.ndarray, " ..."]
) -> tuple[Masses, Masses]:
    """Masses below and above cuts as masses predicted to be of class 1 and of class 0."""
    return np.where(upward, above, below), np.where(upward, below, above)


def accuracy(measure: Measure, t: Numbers, orientation: Int[np.ndarray, " ..."]) -> Numbers:
    """Accuracy of classifiers by their cuts, as a fraction; for a population it is exact."""
    upward = orientation > 0
    ends = edge(t, upward).ravel()
    (below0, above0), (below1, above1) = (points.split(ends) for points in measure.classes)
    correct = np.where(upward.ravel(), below0 + above1, above0 + below1)
    return (correct / measure.total).reshape(np.shape(t))


def rounding_bound(measure: Measure) -> float:
    """Bound on the relative error of each confusion mass, however small; 0 for counts.

    It holds for points. The masses of a population have an absolute error instead; see
    `sweep.populations.quadrature.Quadrature.rounding`.
    """
    if measure.counted:
        return 0.0
    if measure.sketch is not None:
        return measure.sketch.rounding_of_masses
    longest = max(len(measure.class0), len(measure.class1))
    # `cumulative` has 2 sqrt(m) roundings; 16 are for uneven blocks and the masses themselves. The
    # leading 2 counts each rounding as a whole ulp, twice the unit.
    return 2 * UNIT * (2 * math.sqrt(longest) + 16)
