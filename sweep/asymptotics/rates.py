"""How fast cuts, regrets and the gap shrink as n grows, measured and side by side with theory.

The table of a study has one row for each replicate at each n. `summary` takes means over the
replicates, `rates` fits a power of n to each, and `gap_fit` the two terms of the gap, whose second
is large enough to make its log-log slope -0.65 where the theory has -2/3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from sweep.asymptotics.fits import smoothed, weighted
from sweep.asymptotics.limits import Limit, Limits
from sweep.base.errors import InputError
from sweep.base.records import plain
from sweep.optima.records import Optimum, OptimumStatus

if TYPE_CHECKING:
    import xarray as xr

RATES = (
    "cut_error_cross_entropy",
    "cut_error_accuracy",
    "regret_cross_entropy",
    "regret_accuracy",
    "gap",
)
"""Quantities that the theory has powers of n for."""

QUANTITIES = (*RATES, "shared", "distance")
"""Quantities of the table whose means are taken."""

LEGS = ("accuracy_excess", "best_accuracy_excess", "cross_entropy_excess")
"""Sample values less what the population has, where the population's optimum is known."""

RESOLUTION = 1e-12
"""A regret smaller than this in size is 0: population accuracies are exact to about 1e-13."""

SLIP = 1e-9
"""A regret farther than this below 0 or above 1 is no rounding but a mistake."""

REGRETS = ("regret_cross_entropy", "regret_accuracy")
"""Quantities that are losses of population accuracy."""

SMALLEST = 1000
"""Size from which rates are fitted if three or more such sizes are there."""


# --- means by n ---------------------------------------------------------------------------------


def summary(table: xr.Dataset, optimum: Optimum | None = None) -> xr.Dataset:
    """Means over the replicates at each n, and how often each status occurred.

    Args:
        table: of a study, dims (n, replicate). Values that need a finite optimum of cross-entropy
            are nan where there is none; those are left out of the means, and counted by status.
        optimum: of the population. With it there are three more quantities: `accuracy_excess`
            and `best_accuracy_excess`, accuracy in the sample less accuracy in the population of
            the optimum of cross-entropy and of the most accurate classifier, and
            `cross_entropy_excess`, least cross-entropy of the sample less that of the population.

    Returns:
        Dims (n, quantity) with `mean`, `standard_error` (of the mean; nan for fewer than two
        values), `median` and `count` of the finite values; for `shared`, the mean is the fraction
        of the replicates with a finite optimum whose gap is 0. Dims (n, status): `status_count`.

    Raises:
        InputError: a size or a regret is impossible.
    """
    import xarray as xr

    require_possible(table)
    table = table.sortby("n").transpose("n", "replicate")
    columns = _columns(table, optimum)
    moments = {name: _moments(values) for name, values in columns.items()}
    data = {
        name: (("n", "quantity"), np.stack([m[name] for m in moments.values()], axis=1))
        for name in ("mean", "standard_error", "median", "count")
    }
    return xr.Dataset(
        data | {"status_count": (("n", "status"), _status_counts(table["status"].values))},
        coords={
            "n": table["n"].values,
            "quantity": list(columns),
            "status": [status.name for status in OptimumStatus],
        },
        attrs={"replicates": table.sizes["replicate"]},
    )


def _columns(table: xr.Dataset, optimum: Optimum | None) -> dict[str, Float[np.ndarray, "N R"]]:
    """Quantity -> its values."""
    found = {name: table[name].values.astype(float) for name in QUANTITIES if name in table}
    if "shared" in found:
        found["shared"] = np.where(np.isfinite(found["gap"]), found["shared"], np.nan)
    for name in REGRETS:
        found[name] = resolved(found[name])
    if optimum is None:
        return found
    least, highest = optimum.cross_entropy.value, optimum.accuracy.value
    legs = (
        table["accuracy_cross_entropy"].values - (highest - found["regret_cross_entropy"]),
        table["accuracy_best"].values - (highest - found["regret_accuracy"]),
        np.where(table["status"].values == 0, table["cross_entropy"].values - least, np.nan),
    )
    return found | dict(zip(LEGS, legs, strict=True))


def require_possible(table: xr.Dataset) -> None:
    """Refuses sizes and regrets that no sample has.

    Args:
        table: of a study, dims (n, replicate).

    Raises:
        InputError: a size is below 1, or a regret is infinite, below 0 or above 1.
    """
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
    """Regrets with the rounding of those that are 0 taken away."""
    return np.where(np.abs(regret) < RESOLUTION, 0.0, regret)


def _moments(values: Float[np.ndarray, "N R"]) -> dict[str, Shaped[np.ndarray, " N"]]:
    """By n; nan where there is no value, or for the standard error fewer than two."""
    rows = [row[np.isfinite(row)] for row in values]
    return {
        "mean": np.array([np.mean(r) if len(r) else np.nan for r in rows]),
        "standard_error": np.array(
            [np.std(r, ddof=1) / len(r) ** 0.5 if len(r) > 1 else np.nan for r in rows]
        ),
        "median": np.array([np.median(r) if len(r) else np.nan for r in rows]),
        "count": np.array([len(r) for r in rows]),
    }


def _status_counts(status: Shaped[np.ndarray, "N R"]) -> Int[np.ndarray, "N S"]:
    return np.stack([np.sum(status == k, axis=1) for k in range(len(OptimumStatus))], axis=1)


# --- powers of n --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """How a mean falls with n, measured and in theory.

    Attributes:
        quantity: whose mean it is.
        sizes: smallest and largest n of the fit; None if nothing was fitted.
        slope: of the log mean on log n; None where a mean is 0 or there are too few sizes.
        slope_error: its standard error.
        exponent: power of n in theory, 0 for a quantity that tends to a positive constant; None
            where the theory has none.
        constant: of that power, the weighted mean of mean * n^-exponent; None without one. Where
            the exponent is 0, the limit: what is left beside the power of n by which it is
            approached, fitted together; None where theory does not know that power.
        constant_error: its standard error, from the replicates alone: terms of higher order that
            the sizes still show are not in it.
        theory_constant: what theory says of it; None where it says nothing.
        note: sentences on what is missing, and what to bear in mind; may be empty.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold; see `sweep.base.records.plain`."""
        return plain(self)


@dataclass(frozen=True)
class GapFit:
    """The gap as A n^-2/3 + B n^-1, both terms fitted together.

    Attributes:
        sizes: smallest and largest n of the fit.
        n23: A.
        n23_error: its standard error.
        n1: B.
        n1_error: its standard error.
        theory_n23: what theory says of A; None where it says nothing.
        theory_n1: what theory says of B; None where it says nothing.
    """

    sizes: tuple[int, int]
    n23: float
    n23_error: float
    n1: float
    n1_error: float
    theory_n23: float | None
    theory_n1: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold; see `sweep.base.records.plain`."""
        return plain(self)


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
    """A power of n for each quantity that the theory has one for.

    The slope is a weighted least squares fit of the log mean on log n; weights and standard errors
    are as in `sweep.asymptotics.fits`.

    Args:
        means: what `summary` returns.
        limits: what theory says of the population; None if nothing.
        smallest: sizes below it are left out if at least three are not: what vanishes faster than
            the leading power still shows there, and biases slope and constant.
    """
    asked = [name for name in RATES if name in means["quantity"].values]
    return tuple(
        _rate(name, _means_of(means, name, smallest), None if limits is None else limits.of(name))
        for name in asked
    )


def gap_fit(
    means: xr.Dataset, limits: Limits | None = None, smallest: int = SMALLEST
) -> GapFit | None:
    """Both terms of the gap by one weighted least squares fit.

    Args:
        means: what `summary` returns.
        limits: what theory says of the population; None if nothing.
        smallest: as in `rates`.

    Returns:
        None where the gap does not fall like n^-2/3 in theory, or fewer than two sizes have a
        mean with a standard error.
    """
    theory = None if limits is None else limits.of("gap")
    if theory is not None and (theory.exponent is None or abs(theory.exponent + 2 / 3) > 1e-9):
        return None
    at = _means_of(means, "gap", smallest)
    if len(at.n) < 2:
        return None
    n = at.n.astype(float)
    taken = weighted(np.stack([n ** (-2 / 3), 1 / n], axis=1), smoothed(n, at.error))
    (n23, n1), (n23_error, n1_error) = taken @ at.mean, _errors(taken, at.error)
    return GapFit(
        sizes=(int(at.n[0]), int(at.n[-1])),
        n23=float(n23),
        n23_error=float(n23_error),
        n1=float(n1),
        n1_error=float(n1_error),
        theory_n23=None if theory is None else theory.constant,
        theory_n1=None if theory is None else theory.second,
    )


def _means_of(means: xr.Dataset, quantity: str, smallest: int) -> _Means:
    """The means of a quantity that have a standard error, at the sizes to be fitted."""
    of = means.sel(quantity=quantity)
    n, mean, error = (of[name].values for name in ("n", "mean", "standard_error"))
    kept = np.isfinite(mean) & np.isfinite(error)
    if np.sum(kept & (n >= smallest)) >= 3:
        kept &= n >= smallest
    return _Means(n[kept], mean[kept], error[kept])


def _rate(quantity: str, at: _Means, theory: Limit | None) -> Rate:
    exponent = None if theory is None else theory.exponent
    slope, slope_error, why_no_slope = _slope(at)
    powers = () if theory is None else _powers(theory)
    constant, constant_error = _constant(at, powers)
    why_no_limit = (
        "No limit was fitted: theory does not know the power of n by which it is approached."
        if exponent == 0 and not powers
        else ""
    )
    notes = (why_no_slope, why_no_limit, "" if theory is None else theory.note)
    return Rate(
        quantity=quantity,
        sizes=at.sizes,
        slope=slope,
        slope_error=slope_error,
        exponent=exponent,
        constant=constant,
        constant_error=constant_error,
        theory_constant=None if theory is None else theory.constant,
        note=" ".join(note for note in notes if note),
    )


def _slope(at: _Means) -> tuple[float | None, float | None, str]:
    """Slope of log mean on log n and its standard error, or a sentence why there is none."""
    if len(at.n) < 2:
        return None, None, "A slope needs means with standard errors at two sizes or more."
    if np.any(at.mean <= 0):
        first = at.n[np.argmax(at.mean <= 0)]
        return None, None, f"No slope: the mean at n = {first} is {at.mean[at.n == first][0]:g}."
    n, relative = at.n.astype(float), at.error / at.mean
    taken = weighted(np.stack([np.ones(len(n)), np.log(n)], axis=1), smoothed(n, relative))[1:]
    return float((taken @ np.log(at.mean))[0]), float(_errors(taken, relative)[0]), ""


def _powers(theory: Limit) -> tuple[float, ...]:
    """Powers of n that are fitted together: a limit needs the next, or that would bias it."""
    if theory.exponent is None:
        return ()
    if theory.exponent != 0:
        return (theory.exponent,)
    return () if theory.next_exponent is None else (0.0, theory.next_exponent)


def _constant(at: _Means, powers: tuple[float, ...]) -> tuple[float | None, float | None]:
    """The constant of the first of some powers of n, fitted together, and its standard error."""
    if not powers or len(at.n) < len(powers):
        return None, None
    design = at.n[:, None].astype(float) ** np.array(powers)
    taken = weighted(design, smoothed(at.n, at.error))
    return float((taken @ at.mean)[0]), float(_errors(taken, at.error)[0])


def _errors(
    taken: Float[np.ndarray, "p N"], error: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " p"]:
    """Standard errors of the estimates that a matrix makes of independent means."""
    return np.sqrt(np.sum((taken * error) ** 2, axis=1))
