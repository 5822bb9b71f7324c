"""Lines through means with standard errors, and how far combinations of such means are known.

A study measures means over replicates at a few sizes n, each with a standard error that is itself
estimated. What is fitted to them is linear, so every estimate is a combination `sum c_i m_i` of the
means. Two rules keep its standard error honest:

- Weights come from *smoothed* standard errors, a straight line through them in log-log scales. The
  regrets behind a mean are skewed, so a mean that happens to be low comes with a low standard error
  and would draw the line to itself.
- The standard error of a combination is `sqrt(sum c_i^2 s_i^2)` with the standard errors as
  measured, so it holds for any weights.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

from sweep.base.intervals import LEVEL, student

EVENNESS = 1e-6
"""Least smoothed standard error as a fraction of the largest: more of a contrast in the weights
only costs digits."""

FEW = 10
"""Degrees of freedom, two for each number, below which a mean rests on single numbers."""


def smoothed(n: Num[np.ndarray, " N"], error: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Standard errors by a straight line through them in log-log scales.

    Args:
        n: sizes.
        error: standard errors, not negative; those that are 0 have no part in the line.

    Returns:
        Positive numbers; ones where fewer than two standard errors are positive, which makes the
        weights equal.
    """
    positive = error > 0
    if len(np.unique(n[positive])) < 2:
        return np.ones(len(n))
    line = np.polynomial.Polynomial.fit(np.log(n[positive]), np.log(error[positive]), 1)
    logs = line(np.log(n))
    return np.exp(np.maximum(logs - np.max(logs), np.log(EVENNESS))) * np.exp(np.max(logs))


def weighted(
    design: Float[np.ndarray, "N p"], error: Float[np.ndarray, " N"]
) -> Float[np.ndarray, "p N"]:
    """What each value counts for in each parameter of a weighted least squares fit.

    Args:
        design: one row for each value, one column for each parameter.
        error: standard errors that the weights come from, positive.

    Returns:
        The matrix that takes the values to the estimates.
    """
    # Columns of about unit size: n^-1 beside 1 would cost digits.
    rows = design / error[:, None]
    size = np.sqrt(np.sum(rows**2, axis=0))
    return np.linalg.pinv(rows / size) / size[:, None] / error


def beyond(
    mean: Float[np.ndarray, " N"], error: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """How far above a mean of numbers that are not negative its upper end lies, if they are gamma.

    The mean of R of them is chi-square, with 2 (mean / error)^2 degrees of freedom. Squares of
    normal numbers are of this kind, and so is a regret that is of second order in the cut. With
    fewer than `FEW` degrees the mean is that of a few numbers beside many zeros, and its upper end
    that of a Poisson distribution.

    Args:
        mean: not negative.
        error: standard errors of the means, as measured.

    Returns:
        0 where mean or error is 0, for then there are no degrees of freedom to go by.
    """
    from scipy.stats import chi2

    far = np.zeros(len(mean))
    known = (mean > 0) & (error > 0)
    degrees = 2 * (mean[known] / error[known]) ** 2
    ratio = np.where(
        degrees < FEW,
        chi2.ppf((1 + LEVEL) / 2, degrees + 2) / degrees,
        degrees / chi2.ppf((1 - LEVEL) / 2, degrees),
    )
    far[known] = mean[known] * (ratio - 1)
    return far


def reach(
    coefficients: Float[np.ndarray, " N"],
    error: Float[np.ndarray, " N"],
    count: Num[np.ndarray, " N"],
) -> float:
    """Half-width of the interval of `sum c_i m_i`, the means being independent.

    Student's t with the degrees of freedom of Satterthwaite (1946, An approximate distribution of
    estimates of variance components, Biometrics Bulletin 2), as in Welch's test.

    Args:
        coefficients: the c_i.
        error: standard errors of the means.
        count: values behind each mean, at least 2.
    """
    variances = (coefficients * error) ** 2
    total = float(np.sum(variances))
    if total == 0:
        return 0.0
    # As shares of the total, whose squares do not underflow.
    degrees = 1 / float(np.sum((variances / total) ** 2 / (count - 1)))
    return student(degrees) * total**0.5
