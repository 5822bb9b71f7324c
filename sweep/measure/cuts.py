"""Exact decision cuts of the grid's classifiers.

The classifier at (a, b) predicts class 1 iff z = fl(fl(a*x) + b) > 0 in float64, two roundings.
Rounding is monotone, so for a > 0 the predicted class 1 is {x >= t} with t the smallest float64
whose logit is positive, and for a < 0 it is {x <= t} with t the largest. With t known, one binary
search in the sorted class gives the exact count that brute force gives, ties included.

All of this is NumPy on the host on purpose: an accelerator's compiler may contract a*x + b into one
rounding or flush subnormal numbers, and either would miscount ties.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

Numbers = Float[np.ndarray, " ..."]
Ranks = Int[np.ndarray, " k"]

NEIGHBOURS = 4  # half-width, in floats, of the interval about -b/a where bisection for t begins


class Cut(NamedTuple):
    """The cuts of classifiers, one for each cell."""

    t: Numbers  # exact thresholds; infinite where all finite x are on one side, as for every a == 0
    orientation: Int[np.ndarray, " ..."]  # +1, class 1 is {x >= t}; -1, class 1 is {x <= t}


def cut(a: Numbers, b: Numbers) -> Cut:
    """The exact cut of each classifier; a and b are finite and broadcast against each other."""
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


def edges(a: Numbers, b: Numbers) -> tuple[Numbers, Bool[np.ndarray, " ..."]]:
    """The edge below which x is on the lower side of each cut, and whether class 1 is above it."""
    t, orientation = cut(a, b)
    upward = orientation > 0
    return edge(t, upward), upward


def edge(t: Numbers, upward: Bool[np.ndarray, " ..."]) -> Numbers:
    """Edges of cuts at t: x < edge is the lower side, and {x <= t} is {x < the next float}."""
    with np.errstate(over="ignore", under="ignore"):
        return np.where(upward, t, np.nextafter(t, np.inf))


def _smallest_positive(a: Numbers, b: Numbers) -> Numbers:
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


def _bisected(a: Numbers, b: Numbers) -> Numbers:
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


def _positive(a: Numbers, b: Numbers, rank: Ranks) -> Shaped[np.ndarray, " k"]:
    """Whether the logit at the float of a rank is positive."""
    return a * _unrank(rank) + b > 0


def _rank(x: Numbers) -> Ranks:
    """Rank of each float among all floats, 0 for 0.0; the ranks of neighbours differ by 1."""
    bits = (x + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(np.iinfo(np.int64).min) - bits, bits)


def _unrank(rank: Ranks) -> Numbers:
    """The float of each rank."""
    return np.where(rank < 0, np.int64(np.iinfo(np.int64).min) - rank, rank).view(np.float64)
