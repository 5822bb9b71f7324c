"""Intervals of `LEVEL`: of means by Student's t, and of shares by Wilson."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

LEVEL = 0.95
"""Of every interval, two-sided."""

NORMAL = 1.959963984540054
"""The 97.5% quantile of the standard normal law."""


def student(degrees: float) -> float:
    """How many standard errors an interval reaches to each side, by Student's t."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, degrees))


def wilson(
    share: Float[np.ndarray, " m"], n: Num[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Ends of the intervals of shares (Wilson 1927, JASA 22, 209-212).

    Within them the normal test of the share itself, at its own variance, is not rejected.

    Args:
        share: of those counted.
        n: how many were counted, > 0; of weighted ones the effective number.
    """
    centre = (share + NORMAL**2 / (2 * n)) / (1 + NORMAL**2 / n)
    half = NORMAL * np.sqrt(share * (1 - share) / n + (NORMAL / (2 * n)) ** 2)
    half /= 1 + NORMAL**2 / n
    # At 0 and 1 an end is the share itself, but for rounding.
    return np.clip(centre - half, 0.0, share), np.clip(centre + half, share, 1.0)
