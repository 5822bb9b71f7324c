"""Interpolation at Chebyshev points, and how wrong it can be.

Everything is on [-1, 1]. A function analytic and bounded by M in the Bernstein ellipse of parameter
rho is interpolated at p Chebyshev points with an error of at most 4 M rho^(1-p) / (rho - 1)
(Trefethen, Approximation Theory and Approximation Practice, theorem 8.2; aliasing is the same at
points of the first kind). A loss l of z = centre + half * t is analytic while |Im z| stays in its
strip, which sets rho.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from jaxtyping import Float

from sweep.metrics.profile import HEIGHT, Profile

LEAST = 1e-100
"""Widths and distances below which all are one: their quotients would overflow."""


@cache
def points(p: int) -> Float[np.ndarray, " p"]:
    """The p Chebyshev points of the first kind, ascending, shape (p,)."""
    found = np.sin(np.pi * (2 * np.arange(p) + 1 - p) / (2 * p))
    found.flags.writeable = False
    return found


def lebesgue(p: int) -> float:
    """Bound on the sum of |weights| with which p values are combined anywhere in [-1, 1]."""
    return 2 / math.pi * math.log(p) + 1


def matrix(t: Float[np.ndarray, " k"], p: int) -> Float[np.ndarray, "k p"]:
    """Rows that turn values at `points(p)` into the interpolant's values at t, shape (k, p).

    The second barycentric formula, which is stable at any t in [-1, 1] (Higham 2004).
    """
    nodes = points(p)
    weight = np.cos(np.pi * (2 * np.arange(p) + 1 - p) / (2 * p)) * (-1.0) ** np.arange(p)
    gap = np.subtract.outer(t, nodes)
    row, column = np.nonzero(np.abs(gap) < LEAST)
    gap[row, column] = 1.0
    terms = weight / gap
    terms /= np.sum(terms, axis=1, keepdims=True)
    terms[row] = 0.0
    terms[row, column] = 1.0
    return terms


def error(profile: Profile, half: float, p: int) -> float:
    """Bound on the error of interpolating t -> loss(centre + half * t) at p points, any centre.

    Straight lines are interpolated exactly, so that only what the loss deviates from one counts.
    """
    if half == 0:
        return 0.0
    rho = _rho(half)
    extent = max(half, LEAST) * (rho + 1 / rho) / 2
    return 4 * profile.largest(extent) * rho ** (1 - p) / (rho - 1)


@cache
def count(profile: Profile, half: float, tolerance: float) -> int:
    """Fewest points with which `error` is within the tolerance."""
    if half == 0:
        return 1
    one = error(profile, half, 1)
    return 1 + max(0, math.ceil(math.log(max(one / tolerance, 1)) / math.log(_rho(half))))


def _rho(half: float) -> float:
    """Parameter of the largest ellipse that maps into the strip."""
    s = HEIGHT / max(half, LEAST)
    return s + math.hypot(1.0, s)
