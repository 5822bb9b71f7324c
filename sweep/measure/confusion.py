"""Exact confusion masses of classifiers, from which every counting metric follows.

The cut of a classifier turns its four masses into masses of each class below and above an edge,
which the points of a class know exactly, whether they are a sample, a density or the bins of a
sketch. Where a sketch does not count, `confusion_bounds` gives the worst and the best masses.

The classifier at (a, b) predicts class 1 iff z = fl(fl(a*x) + b) > 0 in float64, two roundings.
Rounding is monotone, so for a > 0 the predicted class 1 is {x >= t} with t the smallest float64
whose logit is positive, and for a < 0 it is {x <= t} with t the largest. With t known, one binary
search in the sorted class gives the exact count that brute force over all points gives, ties
included.

All of this is NumPy on the host on purpose: an accelerator's compiler may contract a*x + b into one
rounding or flush subnormal numbers, and either would miscount ties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from sweep.base.intervals import UNIT
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.measure.sketch.binned_points import BinnedPoints

NEIGHBOURS = 4  # half-width, in floats, of the interval about -b/a where bisection for t begins


@dataclass(frozen=True, eq=False)
class Cut:
    """The cuts of classifiers, one for each cell.

    Attributes:
        t: exact thresholds; infinite where all finite x are on one side, as for every a == 0.
        orientation: +1, class 1 is {x >= t}; -1, class 1 is {x <= t}.
    """

    t: Float[np.ndarray, " ..."]
    orientation: Int[np.ndarray, " ..."]


def cut(a: Float[np.ndarray, " ..."], b: Float[np.ndarray, " ..."]) -> Cut:
    """The exact cut of each classifier.

    Args:
        a: finite slopes.
        b: finite intercepts; a and b broadcast against each other.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    shape, a, b = a.shape, a.ravel(), b.ravel()
    # For a < 0 mirror x: {x <= t} for (a, b) is {-x >= -t} for (-a, b).
    sign = np.where(a < 0, -1.0, 1.0)
    sloped = a != 0
    if np.all(sloped):
        t = sign * _smallest_positive(np.abs(a), b)
    else:
        t = np.where(b > 0, -np.inf, np.inf)
        t[sloped] = sign[sloped] * _smallest_positive(np.abs(a[sloped]), b[sloped])
    t += 0.0  # no -0.0
    return Cut(t.reshape(shape), sign.astype(np.int64).reshape(shape))


def edges(
    a: Float[np.ndarray, " ..."], b: Float[np.ndarray, " ..."]
) -> tuple[Float[np.ndarray, " ..."], Bool[np.ndarray, " ..."]]:
    """The edge below which x is on the lower side of each cut, and whether class 1 is above it."""
    cuts = cut(a, b)
    upward = cuts.orientation > 0
    return edge(cuts.t, upward), upward


def edge(
    t: Float[np.ndarray, " ..."], upward: Bool[np.ndarray, " ..."]
) -> Float[np.ndarray, " ..."]:
    """Edges of cuts at t: x < edge is the lower side, and {x <= t} is {x < the next float}."""
    with np.errstate(over="ignore", under="ignore"):
        return np.where(upward, t, np.nextafter(t, np.inf))


def _smallest_positive(
    a: Float[np.ndarray, " k"], b: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Smallest float64 t, -inf and inf included, with fl(fl(a*t) + b) > 0, for a > 0."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        t = -b / a
        bits = t.view(np.int64)
        away = (bits >> 63) | 1  # -1 for t < 0: there a larger bit pattern is a smaller float
        below, above = ((bits + step).view(np.float64) for step in (-away, away))
        # Almost always t or the next float is the answer. Next to 0 the bit patterns of neighbours
        # do not differ by 1, so these cells are left to bisection.
        sure = (a * below + b <= 0) & (a * above + b > 0) & (t != 0)
        t = np.where(a * t + b > 0, t, above)
    t[~sure] = _bisected(a[~sure], b[~sure])
    return t


def _bisected(a: Float[np.ndarray, " k"], b: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """`_smallest_positive` by bisection over the floats in their order, by their int64 ranks.

    It starts next to -b/a. Where t is not there (fl(a*t) underflows, or -b/a overflows), it starts
    from all floats on t's side of 0; b, the logit at 0, says which side that is.
    """
    zero, infinite = _rank(np.array([0.0, np.inf]))
    lowest, highest = np.where(b > 0, -infinite, zero), np.where(b > 0, zero, infinite)
    with np.errstate(over="ignore", under="ignore"):
        centre = _rank(-b / a)
        low = np.clip(centre - NEIGHBOURS, lowest, highest)
        high = np.clip(centre + NEIGHBOURS, lowest, highest)
        low = np.where(_positive(a, b, low), lowest, low)
        high = np.where(_positive(a, b, high), high, highest)
        # Now z(low) <= 0 < z(high): halve until the two are neighbours.
        while np.any(high - low > 1):
            middle = low + (high - low) // 2
            above = _positive(a, b, middle)
            high, low = np.where(above, middle, high), np.where(above, low, middle)
    return _unrank(high)


def _positive(
    a: Float[np.ndarray, " k"], b: Float[np.ndarray, " k"], rank: Int[np.ndarray, " k"]
) -> Shaped[np.ndarray, " k"]:
    """Whether the logit at the float of a rank is positive."""
    return a * _unrank(rank) + b > 0


def _rank(x: Float[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """Rank of each float among all floats, 0 for 0.0; the ranks of neighbours differ by 1."""
    bits = (x + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(np.iinfo(np.int64).min) - bits, bits)


def _unrank(rank: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """The float of each rank."""
    bits = np.where(rank < 0, np.int64(np.iinfo(np.int64).min) - rank, rank)
    return bits.view(np.float64)


class Confusion(NamedTuple):
    """The four confusion masses, each in the shape of the cells; int64 if masses are counts."""

    tp: Shaped[np.ndarray, " ..."]
    fp: Shaped[np.ndarray, " ..."]
    fn: Shaped[np.ndarray, " ..."]
    tn: Shaped[np.ndarray, " ..."]


def confusion(
    measure: Measure, a: Float[np.ndarray, " ..."], b: Float[np.ndarray, " ..."]
) -> Confusion:
    """Exact confusion masses of each classifier.

    Args:
        measure: the data.
        a: slopes.
        b: intercepts; a and b broadcast against each other.

    Raises:
        InputError: the measure is a sketch that does not count at one of the cuts.
    """
    ends, upward = edges(a, b)
    # In ascending order each search reads memory that the one before it left in the cache.
    order = np.argsort(ends, axis=None)
    ascending = ends.reshape(-1)[order]
    (fp, tn), (tp, fn) = (
        _predicted(points, ascending, order, upward) for points in (measure.class0, measure.class1)
    )
    return Confusion(tp, fp, fn, tn)


def confusion_bounds(
    measure: Measure, a: Float[np.ndarray, " ..."], b: Float[np.ndarray, " ..."]
) -> tuple[Confusion, Confusion]:
    """The worst and the best confusion masses that are consistent with a sketch.

    Args:
        measure: the measure of a sketch.
        a: slopes.
        b: intercepts; a and b broadcast against each other.

    Returns:
        The worst masses, with the least of class 1 and the most of class 0 predicted to be of class
        1, and the best. Both are equal where the sketch counts exactly.
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


def accuracy(
    measure: Measure, t: Float[np.ndarray, "*k"], orientation: Int[np.ndarray, "*k"]
) -> Float[np.ndarray, "*k"]:
    """Accuracy of classifiers by their cuts, as a fraction; for a population it is exact.

    Args:
        measure: data with mass.
        t: cuts; infinite ones are constant predictions.
        orientation: +1, class 1 is {x >= t}; -1, class 1 is {x <= t}.
    """
    upward = orientation > 0
    ends = edge(t, upward).ravel()
    below0, above0 = measure.class0.split(ends)
    below1, above1 = measure.class1.split(ends)
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


def _predicted(
    points: Points,
    ascending: Float[np.ndarray, " k"],
    order: Int[np.ndarray, " k"],
    upward: Bool[np.ndarray, " ..."],
) -> tuple[Shaped[np.ndarray, " ..."], Shaped[np.ndarray, " ..."]]:
    """The masses of one class predicted to be of class 1 and of class 0.

    Edges are ascending; `order` says which cell each edge belongs to.
    """
    below, above = (_scattered(masses, order, upward) for masses in points.split(ascending))
    return _by_prediction(below, above, upward)


def _by_prediction(
    below: Shaped[np.ndarray, " ..."],
    above: Shaped[np.ndarray, " ..."],
    upward: Bool[np.ndarray, " ..."],
) -> tuple[Shaped[np.ndarray, " ..."], Shaped[np.ndarray, " ..."]]:
    """Masses below and above cuts as masses predicted to be of class 1 and of class 0."""
    return np.where(upward, above, below), np.where(upward, below, above)


def _scattered(
    values: Shaped[np.ndarray, " k"], order: Int[np.ndarray, " k"], like: Shaped[np.ndarray, " ..."]
) -> Shaped[np.ndarray, " ..."]:
    """Values back in the order of the cells, in the shape of an array."""
    cells = np.empty_like(values)
    cells[order] = values
    return cells.reshape(like.shape)
