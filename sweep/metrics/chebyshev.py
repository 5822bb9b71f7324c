"""Interpolation at Chebyshev points, with a bound on its error.

The interval is [-1, 1]. Let a function be analytic and bounded by M in the Bernstein ellipse with
parameter rho. Its interpolant at p Chebyshev points has an error of at most
4 M rho^(1-p) / (rho - 1) (Trefethen, Approximation Theory and Approximation Practice, theorem 8.2;
aliasing is the same for points of the first kind). A loss of z = centre + half * t is analytic
while |Im z| stays in the strip of `sweep.metrics.profile`, which determines rho.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from jaxtyping import Float

from sweep.metrics.profile import HEIGHT, Profile

TINY = 1e-100  # smaller half widths and distances count as this: quotients would overflow


@cache
def points(p: int) -> Float[np.ndarray, " p"]:
    """The p Chebyshev points of the first kind, ascending, shape (p,)."""
    nodes = np.sin(np.pi * (2 * np.arange(p) + 1 - p) / (2 * p))
    nodes.flags.writeable = False
    return nodes


def lebesgue(p: int) -> float:
    """Bound on the sum of |weights| that the interpolant gives to p values at any t in [-1, 1]."""
    return 2 / math.pi * math.log(p) + 1  # Rivlin (1974), for points of the first kind


def matrix(t: Float[np.ndarray, " k"], p: int) -> Float[np.ndarray, "k p"]:
    """Weights that turn values at `points(p)` into the interpolant's values at t.

    The second barycentric formula computes them; it is stable for every t in [-1, 1] (Higham 2004).
    """
    nodes = points(p)
    weight = np.cos(np.pi * (2 * np.arange(p) + 1 - p) / (2 * p)) * (-1.0) ** np.arange(p)
    distance = np.subtract.outer(t, nodes)
    row, column = np.nonzero(np.abs(distance) < TINY)
    distance[row, column] = 1.0
    terms = weight / distance
    terms /= np.sum(terms, axis=1, keepdims=True)
    terms[row] = 0.0  # a t that is a node takes the node's value
    terms[row, column] = 1.0
    return terms


def error(profile: Profile, half: float, p: int) -> float:
    """Bound on the error of interpolating t -> loss(centre + half * t), for every centre."""
    if half == 0:
        return 0.0
    rho = _rho(half)
    extent = max(half, TINY) * (rho + 1 / rho) / 2  # half width of the ellipse, in logits
    return 4 * profile.largest(extent) * rho ** (1 - p) / (rho - 1)


@cache
def count(profile: Profile, half: float, tolerance: float) -> int:
    """Smallest number of points for which `error` is within the tolerance."""
    if half == 0:
        return 1
    largest = error(profile, half, 1)  # each further point divides the bound by rho
    return 1 + max(0, math.ceil(math.log(max(largest / tolerance, 1)) / math.log(_rho(half))))


def _rho(half: float) -> float:
    """Parameter of the largest ellipse inside the strip: (rho - 1/rho) / 2 * half = HEIGHT."""
    s = HEIGHT / max(half, TINY)
    return s + math.hypot(1.0, s)
