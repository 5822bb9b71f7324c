"""Evidence on a mean regret from replicates: intervals, fits, and the last decade of n.

A study measures the mean regret over replicates at a few sizes n, each with a standard error that
is itself estimated. Everything here is a combination `sum c_i m_i` of such means m_i. Four rules
keep its interval honest:

- A replicate without a finite optimum has a regret between 0 and the largest that a classifier can
  have. So every mean lies between two known numbers, and every interval is widened by both.
- Weights of fits come from *smoothed* standard errors, a straight line through them in log-log
  scales. Regrets are skewed, so a mean that happens to be low comes with a low standard error and
  would draw the line to itself.
- The standard error of a combination is `sqrt(sum c_i^2 s_i^2)` with the standard errors s_i as
  measured, so it holds for any weights.
- Regrets are not negative and skewed, so Student's interval of a mean ends too low: its upper end
  falls short of the mean of 100 squares of normal numbers in 6% of cases instead of 2.5%. The upper
  end is therefore the higher one of Student's and that of a gamma distribution with the measured
  standard error (3.2%). Combinations of means are stretched as much as their means (Zou & Donner
  2008, Construction of confidence limits about effect measures, Statistics in Medicine 27).

`rates` uses the same fits for the powers of n, and `verdict` decides by this evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Num, Shaped

from sweep.base.errors import InputError
from sweep.base.intervals import LEVEL, student

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

POWERS = (0.5, 1.0)  # the g of n^-g with which the regret of a shared optimum vanishes
FLAT = 0.25  # a drop by less than n^-FLAT is flat: half the slower of POWERS
DECADE_LONGEST = 10**1.005  # ratio of two sizes a decade apart, which are rounded

RESOLUTION = 1e-12  # smaller regrets are 0: population accuracies are exact to about 1e-13
SLIP = 1e-9  # a regret farther than this below 0 or above 1 is a mistake, not rounding
REGRETS = ("regret_cross_entropy", "regret_accuracy")  # losses of population accuracy

EVENNESS = 1e-6  # least smoothed standard error / largest: more contrast only costs digits
FEW = 10  # degrees of freedom, two for each value, below which a mean rests on single values


@dataclass(frozen=True)
class RegretFit:
    """The mean regret as Delta + C n^-g."""

    power: float  # g
    delta: float  # Delta, the limit of the regret; the estimate may be below 0, the regret cannot
    interval: tuple[float, float]  # of Delta, 95%, widened for replicates without an optimum
    constant: float  # C


@dataclass(frozen=True, eq=False)
class RegretEvidence:
    """Mean regrets by n, each between two known numbers and with a standard error."""

    n: Int[np.ndarray, " N"]  # sizes, ascending
    replicates: int  # number of samples at each size
    missing: Int[np.ndarray, " N"]  # replicates without a finite optimum
    mean: Float[np.ndarray, " N"]  # over the others; nan if there is none
    low: Float[np.ndarray, " N"]  # mean regret if the missing replicates have none
    high: Float[np.ndarray, " N"]  # mean regret if they have the largest possible one
    error: Float[np.ndarray, " N"]  # standard error of a mean; nan for one replicate
    largest: float  # regret that a classifier can have
    # Of the replicates with an optimum at the largest size, the fraction with the more frequent
    # orientation; nan if the table has no orientations, or no replicate has an optimum.
    orientation: float

    @cached_property
    def skewness(self) -> Float[np.ndarray, " N"]:
        """How far the upper end of a mean lies beyond Student's: root of the excess of squares."""
        symmetric = student(self.replicates - 1) * self.error
        skewed = gamma_excess(self.high, self.error)
        return np.sqrt(np.maximum(skewed**2 - symmetric**2, 0.0))


def evidence_of(table: xr.Dataset, largest: float) -> RegretEvidence:
    """The evidence in the table of a study."""
    require_possible(table)
    regret = resolved(by_size(table, "regret_cross_entropy"))
    missing = np.isnan(regret)
    least, most = np.where(missing, 0.0, regret), np.where(missing, largest, regret)
    present = regret.shape[1] - np.sum(missing, axis=1)
    mean = np.full(len(regret), np.nan)
    np.divide(np.sum(least, axis=1), present, out=mean, where=present > 0)
    return RegretEvidence(
        n=np.sort(table["n"].values),
        replicates=regret.shape[1],
        missing=np.sum(missing, axis=1),
        mean=mean,
        low=np.mean(least, axis=1),
        high=np.mean(most, axis=1),
        error=np.maximum(_standard_error(least), _standard_error(most)),
        largest=largest,
        orientation=_orientation(table, ~missing[-1]),
    )


def by_size(table: xr.Dataset, name: str) -> Shaped[np.ndarray, "N R"]:
    """A column of the table of a study, with one row for each n, ascending."""
    return table[name].transpose("n", "replicate").values[np.argsort(table["n"].values)]


def require_possible(table: xr.Dataset) -> None:
    """Rejects a table with n below 1, or with a regret that is infinite, below 0 or above 1."""
    sizes = table["n"].values
    if not np.all(sizes >= 1):
        raise InputError(
            f"the table has n = {sizes[~(sizes >= 1)][0]}; a sample has 1 point or more."
        )
    for name in REGRETS:
        if name not in table:
            continue
        regret = table[name].transpose("n", "replicate").values
        wrong = np.argwhere(~np.isnan(regret) & ~((regret >= -SLIP) & (regret <= 1 + SLIP)))
        if len(wrong):
            i, j = wrong[0]
            raise InputError(
                f"{name} is {regret[i, j]:g} at n = {sizes[i]}, replicate "
                f"{table['replicate'].values[j]}; a loss of accuracy is between 0 and 1, or nan "
                "where there is no finite optimum."
            )


def resolved(regret: Shaped[np.ndarray, "N R"]) -> Float[np.ndarray, "N R"]:
    """Regrets, with those that are 0 up to rounding set to 0."""
    return np.where(np.abs(regret) < RESOLUTION, 0.0, regret)


def _orientation(table: xr.Dataset, present: Bool[np.ndarray, " R"]) -> float:
    """The fraction of the more frequent orientation among replicates at the largest size."""
    if "orientation_cross_entropy" not in table:
        return math.nan
    signs = by_size(table, "orientation_cross_entropy")[-1][present]
    return max(float(np.mean(signs == sign)) for sign in (1, -1)) if len(signs) else math.nan


def _standard_error(regret: Float[np.ndarray, "N R"]) -> Float[np.ndarray, " N"]:
    """Of the mean over replicates; where all are equal, the error that one more could cause."""
    replicates = regret.shape[1]
    if replicates < 2:
        return np.full(len(regret), np.nan)
    error = np.std(regret, axis=1, ddof=1) / replicates**0.5
    varied = np.ptp(regret, axis=1) > RESOLUTION
    for i in np.flatnonzero(~varied):
        smaller = np.flatnonzero(varied[:i])
        other = regret[smaller[-1]] if len(smaller) else regret[i, :1]
        error[i] = np.max(np.abs(other - regret[i, 0])) / (replicates + 1)
    return error


# --- combinations of mean regrets ---------------------------------------------------------------


def fit(evidence: RegretEvidence, power: float) -> RegretFit:
    """The mean regret as Delta + C n^-power, by weighted least squares."""
    n = evidence.n.astype(float)
    middle, half_width = (evidence.low + evidence.high) / 2, (evidence.high - evidence.low) / 2
    design = np.stack([np.ones(len(n)), n**-power], axis=1)
    weights = fit_weights(design, np.hypot(smooth_errors(n, evidence.error), half_width))
    values = np.where(np.isfinite(evidence.mean), evidence.mean, middle)
    delta, constant = weights @ values
    return RegretFit(power, float(delta), interval(evidence, weights[0]), float(constant))


def falling(evidence: RegretEvidence, start: int) -> bool:
    """Whether the mean drops over the last decade, or cannot be told from 0 at its end."""
    last = at_size(evidence, -1)
    drop = at_size(evidence, start) - last
    return interval(evidence, last)[0] <= 0 or interval(evidence, drop)[0] > 0


def flat(evidence: RegretEvidence, start: int) -> bool:
    """Whether the mean drops by less than n^-FLAT over the last decade."""
    slowest = (evidence.n[start] / evidence.n[-1]) ** FLAT
    return interval(evidence, at_size(evidence, -1) - at_size(evidence, start, slowest))[0] > 0


def interval(
    evidence: RegretEvidence, coefficients: Float[np.ndarray, " N"]
) -> tuple[float, float]:
    """The 95% interval of a combination of the mean regrets; nan for one replicate."""
    if evidence.replicates < 2:
        return math.nan, math.nan
    ends = coefficients * np.stack([evidence.low, evidence.high])
    count = np.full(len(evidence.n), evidence.replicates)
    symmetric = half_width(coefficients, evidence.error, count)
    stretch = (coefficients * evidence.skewness) ** 2
    # A mean that may be higher raises a sum that adds it, and lowers a sum that subtracts it.
    below = math.hypot(symmetric, float(np.sum(stretch[coefficients < 0])) ** 0.5)
    above = math.hypot(symmetric, float(np.sum(stretch[coefficients > 0])) ** 0.5)
    return float(np.sum(np.min(ends, axis=0))) - below, float(np.sum(np.max(ends, axis=0))) + above


def at_size(evidence: RegretEvidence, index: int, value: float = 1.0) -> Float[np.ndarray, " N"]:
    """Coefficients that are `value` at one size and 0 at the others."""
    return np.where(np.arange(len(evidence.n)) == index % len(evidence.n), value, 0.0)


def start_of_decade(n: Int[np.ndarray, " N"]) -> int:
    """Index of the size where the last decade starts."""
    return min(int(np.argmax(n * DECADE_LONGEST >= n[-1])), max(len(n) - 2, 0))


# --- any means with standard errors -------------------------------------------------------------


def smooth_errors(
    n: Num[np.ndarray, " N"], error: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Standard errors on a straight line in log-log scales through those that are positive.

    Fewer than two of them make all weights equal.
    """
    positive = error > 0
    if len(np.unique(n[positive])) < 2:
        return np.ones(len(n))
    line = np.polynomial.Polynomial.fit(np.log(n[positive]), np.log(error[positive]), 1)
    logs = line(np.log(n))
    return np.exp(np.maximum(logs - np.max(logs), np.log(EVENNESS))) * np.exp(np.max(logs))


def fit_weights(
    design: Float[np.ndarray, "N p"], error: Float[np.ndarray, " N"]
) -> Float[np.ndarray, "p N"]:
    """The matrix of weighted least squares that maps values with these errors to estimates."""
    # Columns of about unit size: n^-1 beside 1 would cost digits.
    rows = design / error[:, None]
    size = np.sqrt(np.sum(rows**2, axis=0))
    return np.linalg.pinv(rows / size) / size[:, None] / error


def gamma_excess(
    mean: Float[np.ndarray, " N"], error: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """How far above the mean of gamma distributed numbers the upper end of its interval lies.

    The mean is chi-square with 2 (mean / error)^2 degrees of freedom. Squares of normal numbers are
    of this kind, and so is a regret that is of second order in the cut. With fewer than `FEW`
    degrees the mean is that of a few numbers among many zeros, and its upper end that of a Poisson
    distribution. Where mean or error is 0 there are no degrees of freedom, and the result is 0.
    """
    from scipy.special import gammaincinv  # slow to import, and needed in few places

    excess = np.zeros(len(mean))
    positive = (mean > 0) & (error > 0)
    degrees = 2 * (mean[positive] / error[positive]) ** 2
    ratio = np.where(
        degrees < FEW,
        2 * gammaincinv(degrees / 2 + 1, (1 + LEVEL) / 2) / degrees,  # a chi-square quantile
        degrees / (2 * gammaincinv(degrees / 2, (1 - LEVEL) / 2)),
    )
    excess[positive] = mean[positive] * (ratio - 1)
    return excess


def half_width(
    coefficients: Float[np.ndarray, " N"],
    error: Float[np.ndarray, " N"],
    count: Num[np.ndarray, " N"],
) -> float:
    """Half-width of the 95% interval of `sum c_i m_i`, m_i independent means of `count` values.

    Student's t with the degrees of freedom of Satterthwaite (1946, An approximate distribution of
    estimates of variance components, Biometrics Bulletin 2), as in Welch's test.
    """
    variances = (coefficients * error) ** 2
    total = float(np.sum(variances))
    if total == 0:
        return 0.0
    # Fractions of the total, whose squares do not underflow.
    degrees = 1 / float(np.sum((variances / total) ** 2 / (count - 1)))
    return student(degrees) * total**0.5
