"""Inverse links, from a*x + b to P(y = 1 | x), and what else P(y = 1 | x) is made of.

All are elementwise, of arrays of NumPy or of JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sweep.populations.distributions.arrays import namespace, special


def logistic(z: Any) -> Any:
    """1 / (1 + exp(-z))."""
    return special(z).expit(z)


def probit(z: Any) -> Any:
    """The cdf of the standard normal law."""
    return special(z).ndtr(z)


def cloglog(z: Any) -> Any:
    """1 - exp(-exp(z))."""
    xp = namespace(z)
    return -xp.expm1(-xp.exp(xp.minimum(z, 700.0)))


def cauchit(z: Any) -> Any:
    """The cdf of the standard Cauchy law."""
    return 0.5 + namespace(z).arctan(z) / math.pi


def linear(
    link: Callable[[Any], Any], a: float, b: float, floor: float = 0.0, ceiling: float = 1.0
) -> Callable[[Any], Any]:
    """The function floor + (ceiling - floor) * link(a x + b)."""

    def eta(x: Any) -> Any:
        p = link(a * x + b)
        return p if (floor, ceiling) == (0.0, 1.0) else floor * (1 - p) + ceiling * p

    return eta


def step(at: float, below: float, above: float) -> Callable[[Any], Any]:
    """The function that is `below` up to `at`, and `above` beyond."""

    def eta(x: Any) -> Any:
        return namespace(x).where(x > at, above, below)

    return eta
