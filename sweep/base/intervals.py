"""Rounding and chance: the unit of every error bound, and two-sided 95% confidence intervals.

Intervals of means are by Student's t, those of shares by Wilson.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

LEVEL = 0.95  # coverage of every interval
NORMAL = 1.959963984540054  # 97.5% quantile of the standard normal law

UNIT = 2.0**-53  # largest relative error of one rounding to nearest


def student(degrees: float) -> float:
    """Half width of a mean's interval in standard errors, by Student's t."""
    from scipy.special import stdtrit  # slow to import, and needed in few places

    return float(stdtrit(degrees, (1 + LEVEL) / 2))


def wilson(
    share: Float[np.ndarray, " m"], n: Num[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Ends of the intervals of shares (Wilson 1927, JASA 22, 209-212).

    An interval holds every share whose normal test, at that share's own variance, does not reject.
    `n` > 0 is the number of cases behind each share; for weighted cases the effective number.
    """
    centre = (share + NORMAL**2 / (2 * n)) / (1 + NORMAL**2 / n)
    half = NORMAL * np.sqrt(share * (1 - share) / n + (NORMAL / (2 * n)) ** 2)
    half /= 1 + NORMAL**2 / n
    # At 0 and 1 one end equals the share; clipping removes its rounding error.
    return np.clip(centre - half, 0.0, share), np.clip(centre + half, share, 1.0)
