"""What the regrets of replicates say of their mean: intervals, fits, and the last decade of n.

A replicate without a finite optimum has a regret between 0 and the largest that a classifier can
have: every mean is known to lie between two numbers, and every interval is widened by both.

Regrets are not negative and skewed, so Student's interval of a mean ends too low: its upper end
falls short of the mean of 100 squares of normal numbers in 6% of cases instead of 2.5%. The upper
end is therefore the higher one of Student's and that of a gamma distribution with the spread as
measured (3.2%), and combinations of means are stretched as much as theirs are (Zou & Donner 2008,
Construction of confidence limits about effect measures, Statistics in Medicine 27).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.asymptotics.fits import beyond, reach, smoothed, weighted
from sweep.asymptotics.rates import RESOLUTION, require_possible, resolved
from sweep.base.intervals import student

if TYPE_CHECKING:
    import xarray as xr

POWERS = (0.5, 1.0)
"""Powers g of n^-g at which the regret of a shared optimum vanishes."""

FLAT = 0.25
"""A drop by less than n^-FLAT is flat."""

DECADE_LONGEST = 10**1.005
"""Largest ratio of two sizes a decade apart: a little more than 10, since sizes are rounded."""


@dataclass(frozen=True)
class RegretFit:
    """The mean regret as Delta + C n^-g.

    Attributes:
        power: g.
        delta: Delta, what the regret tends to; may come out below 0, where no regret can be.
        interval: of Delta, 95%, widened for replicates without a finite optimum.
        constant: C.
    """

    power: float
    delta: float
    interval: tuple[float, float]
    constant: float


@dataclass(frozen=True, eq=False)
class RegretEvidence:
    """Mean regrets by n, each known to lie between two numbers and with a standard error.

    Attributes:
        n: sizes, ascending.
        replicates: at each size.
        missing: replicates without a finite optimum.
        mean: over the replicates with one; nan if there is none.
        low: mean regret if those without have none.
        high: mean regret if those without have the largest there is.
        error: standard error of a mean; nan for one replicate.
        worst: the largest regret a classifier can have.
        orientation: the larger fraction, at the largest size, of the replicates with an optimum
            whose classifiers have one orientation; None where the table does not tell, nan where
            no replicate has an optimum.
    """

    n: Int[np.ndarray, " N"]
    replicates: int
    missing: Int[np.ndarray, " N"]
    mean: Float[np.ndarray, " N"]
    low: Float[np.ndarray, " N"]
    high: Float[np.ndarray, " N"]
    error: Float[np.ndarray, " N"]
    worst: float
    orientation: float | None


def evidence_of(table: xr.Dataset, worst: float) -> RegretEvidence:
    """The evidence of a study's table.

    Args:
        table: dims (n, replicate), with `regret_cross_entropy`, and `orientation_cross_entropy`
            where it is known.
        worst: the largest regret a classifier can have.

    Raises:
        InputError: a size or a regret is impossible.
    """
    require_possible(table)
    table = table.sortby("n")
    regret = resolved(table["regret_cross_entropy"].transpose("n", "replicate").values)
    unknown = np.isnan(regret)
    least, most = np.where(unknown, 0.0, regret), np.where(unknown, worst, regret)
    present = regret.shape[1] - np.sum(unknown, axis=1)
    mean = np.full(len(regret), np.nan)
    np.divide(np.sum(least, axis=1), present, out=mean, where=present > 0)
    return RegretEvidence(
        n=table["n"].values,
        replicates=regret.shape[1],
        missing=np.sum(unknown, axis=1),
        mean=mean,
        low=np.mean(least, axis=1),
        high=np.mean(most, axis=1),
        error=np.maximum(_standard_error(least), _standard_error(most)),
        worst=worst,
        orientation=_orientation(table, ~unknown[-1]),
    )


def _orientation(table: xr.Dataset, present: Bool[np.ndarray, " R"]) -> float | None:
    """The larger fraction of one orientation among the replicates present at the largest size."""
    if "orientation_cross_entropy" not in table:
        return None
    sides = table["orientation_cross_entropy"].transpose("n", "replicate").values[-1][present]
    return max(float(np.mean(sides == side)) for side in (1, -1)) if len(sides) else math.nan


def fit(evidence: RegretEvidence, power: float) -> RegretFit:
    """The mean regret as Delta + C n^-power by weighted least squares."""
    n = evidence.n.astype(float)
    middle, half = (evidence.low + evidence.high) / 2, (evidence.high - evidence.low) / 2
    design = np.stack([np.ones(len(n)), n**-power], axis=1)
    taken = weighted(design, np.hypot(smoothed(n, evidence.error), half))
    values = np.where(np.isfinite(evidence.mean), evidence.mean, middle)
    delta, constant = taken @ values
    return RegretFit(power, float(delta), interval(evidence, taken[0]), float(constant))


def falling(evidence: RegretEvidence, start: int) -> bool:
    """Whether the mean drops over the last decade, or cannot be told from 0 at its end."""
    drop = at_size(evidence, start) - at_size(evidence, -1)
    return interval(evidence, at_size(evidence, -1))[0] <= 0 or interval(evidence, drop)[0] > 0


def flat(evidence: RegretEvidence, start: int) -> bool:
    """Whether the mean drops by less than n^-FLAT over the last decade."""
    slowest = (evidence.n[start] / evidence.n[-1]) ** FLAT
    return interval(evidence, at_size(evidence, -1) - at_size(evidence, start, slowest))[0] > 0


def interval(
    evidence: RegretEvidence, coefficients: Float[np.ndarray, " N"]
) -> tuple[float, float]:
    """Of a combination of the mean regrets, 95%; nan for one replicate."""
    if evidence.replicates < 2:
        return math.nan, math.nan
    ends = coefficients * np.stack([evidence.low, evidence.high])
    count = np.full(len(evidence.n), evidence.replicates)
    wide = reach(coefficients, evidence.error, count)
    stretch = (coefficients * _skewness(evidence)) ** 2
    # A mean that may be higher raises what it is added to, and lowers what it is taken from.
    below = math.hypot(wide, float(np.sum(stretch[coefficients < 0])) ** 0.5)
    above = math.hypot(wide, float(np.sum(stretch[coefficients > 0])) ** 0.5)
    return float(np.sum(np.min(ends, axis=0))) - below, float(np.sum(np.max(ends, axis=0))) + above


def _skewness(evidence: RegretEvidence) -> Float[np.ndarray, " N"]:
    """By how much the upper end of each mean lies beyond Student's: root of the squares' excess."""
    count = evidence.replicates
    plain = student(count - 1) * evidence.error
    skewed = beyond(evidence.high, evidence.error)
    return np.sqrt(np.maximum(skewed**2 - plain**2, 0.0))


def at_size(evidence: RegretEvidence, index: int, value: float = 1.0) -> Float[np.ndarray, " N"]:
    """Coefficients that are 0 but for one size."""
    return np.where(np.arange(len(evidence.n)) == index % len(evidence.n), value, 0.0)


def start_of_decade(n: Int[np.ndarray, " N"]) -> int:
    """Index of the size where the last decade starts."""
    return min(int(np.argmax(n * DECADE_LONGEST >= n[-1])), max(len(n) - 2, 0))


def _standard_error(regret: Float[np.ndarray, "N R"]) -> Float[np.ndarray, " N"]:
    """Of the mean over the replicates; where they do not differ, what one more could make of it."""
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
