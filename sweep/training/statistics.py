"""Statistics over networks of many seeds: quantiles, shares, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from sweep.base.intervals import student, wilson
from sweep.training.results import CURVES

if TYPE_CHECKING:
    import xarray as xr

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the quantiles."""


@dataclass(frozen=True)
class Share:
    """Of how many networks something is true.

    Attributes:
        count: of so many.
        of: networks, all in all.
        value: count / of; nan of none.
        low: lower end of its 95% interval by Wilson; nan of none.
        high: upper end.
    """

    count: int
    of: int
    value: float
    low: float
    high: float

    @classmethod
    def among(cls, true: Bool[np.ndarray, " n"]) -> Share:
        """The share of those of which it is true."""
        count, n = int(np.sum(true)), len(true)
        if not n:
            return cls(0, 0, math.nan, math.nan, math.nan)
        (low,), (high,) = wilson(np.array([count / n]), np.array([n]))
        return cls(count, n, count / n, float(low), float(high))


class Difference(NamedTuple):
    """What a number becomes, over pairs.

    Attributes:
        before: mean before.
        after: mean after.
        mean: of after less before.
        low: lower end of its 95% interval by Student's t; nan of fewer than two pairs.
        high: upper end.
        pairs: how many.
    """

    before: float
    after: float
    mean: float
    low: float
    high: float
    pairs: int


def difference(before: Float[np.ndarray, " n"], after: Float[np.ndarray, " n"]) -> Difference:
    """The paired difference, of those pairs of which both numbers are finite.

    Args:
        before: one number for each network.
        after: the same of its pair, or of itself later.
    """
    pairs = np.isfinite(before) & np.isfinite(after)
    first, last, n = before[pairs], after[pairs], int(pairs.sum())
    by = last - first
    middle = mean(by)
    half = student(n - 1) * float(np.std(by, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Difference(mean(first), mean(last), middle, middle - half, middle + half, n)


def mean(values: Float[np.ndarray, " n"]) -> float:
    """The mean; nan of none."""
    return float(np.mean(values)) if len(values) else math.nan


def quantiles(
    values: Float[np.ndarray, "n ..."], levels: Sequence[float] = LEVELS
) -> Float[np.ndarray, "levels ..."]:
    """Quantiles over the first axis of what is finite there; nan where nothing is.

    Args:
        values: one row for each network.
        levels: of the quantiles, linear between order statistics.
    """
    whole = np.asarray(values, np.float64)
    finite = np.isfinite(whole)
    if finite.all():  # many times as fast
        return np.quantile(whole, levels, axis=0)
    empty = ~finite.any(axis=0)
    filled = np.where(finite, whole, np.where(empty, 0.0, np.nan))
    return np.where(empty, np.nan, np.nanquantile(filled, levels, axis=0))


def quantile_bands(
    table: xr.Dataset, names: Sequence[str] = CURVES, levels: Sequence[float] = LEVELS
) -> xr.Dataset:
    """Quantiles over the seeds of some variables, with the dimension level in front.

    Args:
        table: with a dimension seed.
        names: of the variables.
        levels: of the quantiles, ascending.
    """
    import xarray as xr

    found = {}
    for name in names:
        one = table[name].transpose("seed", ...)
        found[name] = (("level", *one.dims[1:]), quantiles(one.values, levels), one.attrs)
    at = {name: one for name, one in table[list(names)].coords.items() if "seed" not in one.dims}
    return xr.Dataset(found, {"level": list(levels), **at})
