"""How fast cuts, regrets and the gap shrink as n grows: measured, and compared with theory.

`summary` takes means over the replicates of a study's table, `rates` fits a power of n to each
mean, and `gap_fit` fits the two terms of the gap. The second term is large enough to make its
log-log slope -0.65 where theory has -2/3.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from sweep.asymptotics.evidence import (
    REGRETS,
    by_size,
    fit_weights,
    require_possible,
    resolved,
    smooth_errors,
)
from sweep.asymptotics.limits import QUANTITIES as WITH_LIMITS
from sweep.asymptotics.limits import Limit, Limits
from sweep.base.records import Record
from sweep.optima.records import Optimum, OptimumStatus

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

RATES = WITH_LIMITS[:-1]  # quantities that theory has powers of n for, all but `shared`
QUANTITIES = (*WITH_LIMITS, "distance")  # columns of the table whose means are taken

# Values of the sample minus those of the population, where the population's optimum is known.
EXCESSES = ("accuracy_excess", "best_accuracy_excess", "cross_entropy_excess")

SMALLEST = 1000  # rates are fitted from this size on if at least three sizes are that large


# --- means by n ---------------------------------------------------------------------------------


def summary(table: xr.Dataset, optimum: Optimum | None = None) -> xr.Dataset:
    """Means over the replicates of a study's table at each n, and how often each status occurs.

    Values that need a finite optimum of cross-entropy are nan where there is none; the means leave
    them out. With the optimum of the population there are three more quantities: accuracy in the
    sample minus accuracy in the population of the optimum of cross-entropy (`accuracy_excess`) and
    of the most accurate classifier (`best_accuracy_excess`), and least cross-entropy of the sample
    minus that of the population (`cross_entropy_excess`).

    The result has dims (n, quantity) with `mean`, `standard_error`, `median` and `count` of the
    finite values, and dims (n, status) with `status_count`. The mean of `shared` is the fraction
    of the replicates with a finite optimum whose gap is 0.
    """
    import xarray as xr  # takes 0.3 s to load

    require_possible(table)
    columns = _columns(table, optimum)
    moments = [_moments(values) for values in columns.values()]
    data = {
        name: (("n", "quantity"), np.stack([of_column[name] for of_column in moments], axis=1))
        for name in ("mean", "standard_error", "median", "count")
    }
    return xr.Dataset(
        data | {"status_count": (("n", "status"), _status_counts(by_size(table, "status")))},
        coords={
            "n": np.sort(table["n"].values),
            "quantity": list(columns),
            "status": [status.name for status in OptimumStatus],
        },
        attrs={"replicates": table.sizes["replicate"]},
    )


def _columns(table: xr.Dataset, optimum: Optimum | None) -> dict[str, Float[np.ndarray, "N R"]]:
    """Quantity -> its values."""
    columns = {name: by_size(table, name).astype(float) for name in QUANTITIES if name in table}
    if "shared" in columns:
        columns["shared"] = np.where(np.isfinite(columns["gap"]), columns["shared"], np.nan)
    for name in REGRETS:
        columns[name] = resolved(columns[name])
    if optimum is None:
        return columns
    least, highest = optimum.cross_entropy.value, optimum.accuracy.value
    excesses = (
        by_size(table, "accuracy_cross_entropy") - (highest - columns["regret_cross_entropy"]),
        by_size(table, "accuracy_best") - (highest - columns["regret_accuracy"]),
        np.where(by_size(table, "status") == 0, by_size(table, "cross_entropy") - least, np.nan),
    )
    return columns | dict(zip(EXCESSES, excesses, strict=True))


def _moments(values: Float[np.ndarray, "N R"]) -> dict[str, Shaped[np.ndarray, " N"]]:
    """Moments of the finite values at each n; nan where there are too few."""
    values = np.where(np.isfinite(values), values, np.nan)
    count = np.sum(np.isfinite(values), axis=-1)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # too few values
        return {
            "mean": np.nanmean(values, axis=-1),
            "standard_error": np.nanstd(values, axis=-1, ddof=1) / np.sqrt(count),
            "median": np.nanmedian(values, axis=-1),
            "count": count,
        }


def _status_counts(status: Shaped[np.ndarray, "N R"]) -> Int[np.ndarray, "N S"]:
    """How many replicates have each status, by n."""
    return np.stack([np.sum(status == k, axis=1) for k in range(len(OptimumStatus))], axis=1)


# --- powers of n --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate(Record):
    """How a mean falls with n, measured and in theory.

    Attributes:
        quantity: the quantity whose mean it is.
        sizes: smallest and largest n of the fit; None if nothing was fitted.
        slope: of the log mean on log n; None where a mean is 0 or there are too few sizes.
        slope_error: standard error of the slope.
        exponent: power of n in theory, 0 for a quantity that tends to a positive constant; None
            where theory has none.
        constant: constant of that power, the weighted mean of mean * n^-exponent; None without a
            power. Where the exponent is 0 it is the limit, fitted together with the power of n by
            which the mean approaches it; None where theory does not know that power.
        constant_error: its standard error, from the replicates alone: it leaves out terms of higher
            order that still show at these sizes.
        theory_constant: the constant in theory; None where theory has none.
        note: sentences on what is missing and why; may be empty.
    """

    quantity: str
    sizes: tuple[int, int] | None
    slope: float | None
    slope_error: float | None
    exponent: float | None
    constant: float | None
    constant_error: float | None
    theory_constant: float | None
    note: str = ""


@dataclass(frozen=True)
class GapFit(Record):
    """The gap as A n^-2/3 + B n^-1, both terms fitted together.

    Attributes:
        sizes: smallest and largest n of the fit.
        n23: A.
        n23_error: standard error of A.
        n1: B.
        n1_error: standard error of B.
        theory_n23: A in theory; None where theory has none.
        theory_n1: B in theory; None where theory has none.
    """

    sizes: tuple[int, int]
    n23: float
    n23_error: float
    n1: float
    n1_error: float
    theory_n23: float | None
    theory_n1: float | None


class _Means(NamedTuple):
    """Means of one quantity at the sizes of a fit, each with a standard error."""

    n: Int[np.ndarray, " N"]
    mean: Float[np.ndarray, " N"]
    error: Float[np.ndarray, " N"]

    @property
    def sizes(self) -> tuple[int, int] | None:
        return (int(self.n[0]), int(self.n[-1])) if len(self.n) else None


def rates(
    means: xr.Dataset, limits: Limits | None = None, smallest: int = SMALLEST
) -> tuple[Rate, ...]:
    """Fits a power of n to each quantity that theory has a power for.

    The slope is a weighted least squares fit of the log mean on log n; `sweep.asymptotics.evidence`
    explains its weights and standard errors. Sizes below `smallest` are left out if at least three
    others remain: terms that vanish faster than the leading power still show there, and bias slope
    and constant.
    """
    quantities = [name for name in RATES if name in means["quantity"].values]
    return tuple(
        _rate(
            _means_of(means, name, smallest),
            Limit(name, None, None) if limits is None else limits.of(name),
        )
        for name in quantities
    )


def gap_fit(
    means: xr.Dataset, limits: Limits | None = None, smallest: int = SMALLEST
) -> GapFit | None:
    """Fits both terms of the gap by one weighted least squares fit.

    None where in theory the gap does not fall like n^-2/3, or if fewer than two sizes have a mean
    with a standard error.
    """
    theory = None if limits is None else limits.of("gap")
    if theory is not None and (theory.exponent is None or abs(theory.exponent + 2 / 3) > 1e-9):
        return None
    gap = _means_of(means, "gap", smallest)
    if len(gap.n) < 2:
        return None
    n = gap.n.astype(float)
    design = np.stack([n ** (-2 / 3), 1 / n], axis=1)
    weights = fit_weights(design, smooth_errors(n, gap.error))
    (n23, n1), (n23_error, n1_error) = weights @ gap.mean, _estimate_errors(weights, gap.error)
    return GapFit(
        sizes=(int(gap.n[0]), int(gap.n[-1])),
        n23=float(n23),
        n23_error=float(n23_error),
        n1=float(n1),
        n1_error=float(n1_error),
        theory_n23=None if theory is None else theory.constant,
        theory_n1=None if theory is None else theory.second,
    )


def _means_of(means: xr.Dataset, quantity: str, smallest: int) -> _Means:
    """The means of a quantity that have a standard error, at the sizes to fit."""
    row = means.sel(quantity=quantity)
    n, mean, error = (row[name].values for name in ("n", "mean", "standard_error"))
    kept = np.isfinite(mean) & np.isfinite(error)
    if np.sum(kept & (n >= smallest)) >= 3:
        kept &= n >= smallest
    return _Means(n[kept], mean[kept], error[kept])


def _rate(means: _Means, theory: Limit) -> Rate:
    """The rate of one quantity, with a note where a number is missing."""
    slope, slope_error, why_no_slope = _slope(means)
    powers = _powers(theory)
    constant, constant_error = _constant(means, powers)
    why_no_limit = (
        "No limit was fitted: theory does not know the power of n by which it is approached."
        if theory.exponent == 0 and not powers
        else ""
    )
    notes = (why_no_slope, why_no_limit, theory.note)
    return Rate(
        quantity=theory.quantity,
        sizes=means.sizes,
        slope=slope,
        slope_error=slope_error,
        exponent=theory.exponent,
        constant=constant,
        constant_error=constant_error,
        theory_constant=theory.constant,
        note=" ".join(note for note in notes if note),
    )


def _slope(means: _Means) -> tuple[float | None, float | None, str]:
    """Slope of log mean on log n and its standard error, or a sentence why there is none."""
    n, mean, error = means
    if len(n) < 2:
        return None, None, "A slope needs means with standard errors at two sizes or more."
    if np.any(mean <= 0):
        first = np.argmax(mean <= 0)
        return None, None, f"No slope: the mean at n = {n[first]} is {mean[first]:g}."
    relative = error / mean
    design = np.stack([np.ones(len(n)), np.log(n)], axis=1)
    weights = fit_weights(design, smooth_errors(n.astype(float), relative))[1:]
    slope_error = _estimate_errors(weights, relative)[0]
    return float((weights @ np.log(mean))[0]), float(slope_error), ""


def _powers(theory: Limit) -> tuple[float, ...]:
    """Powers of n to fit together: a limit needs the next power, which would bias it otherwise."""
    if theory.exponent is None:
        return ()
    if theory.exponent != 0:
        return (theory.exponent,)
    return () if theory.next_exponent is None else (0.0, theory.next_exponent)


def _constant(means: _Means, powers: tuple[float, ...]) -> tuple[float | None, float | None]:
    """The constant of the first power of n, all powers fitted together, and its standard error."""
    if not powers or len(means.n) < len(powers):
        return None, None
    design = means.n[:, None].astype(float) ** np.array(powers)
    weights = fit_weights(design, smooth_errors(means.n, means.error))
    constant_error = _estimate_errors(weights, means.error)[0]
    return float((weights @ means.mean)[0]), float(constant_error)


def _estimate_errors(
    weights: Float[np.ndarray, "p N"], error: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " p"]:
    """Standard errors of the estimates that a matrix makes of independent means."""
    return np.sqrt(np.sum((weights * error) ** 2, axis=1))
