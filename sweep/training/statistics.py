"""Statistics over networks of many seeds: quantiles, shares and paired differences."""

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
    import xarray as xr  # slow, and the CLI needs only the records

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the quantiles


@dataclass(frozen=True)
class Share:
    """The share of networks of which a statement is true.

    Attributes:
        count: networks of which it is true.
        of: all networks.
        value: count / of; nan without networks.
        low: lower end of the 95% interval by Wilson; nan without networks.
        high: upper end.
    """

    count: int
    of: int
    value: float
    low: float
    high: float

    @classmethod
    def among(cls, true: Bool[np.ndarray, " n"]) -> Share:
        """The share of networks, given for each whether the statement is true."""
        count, n = int(np.sum(true)), len(true)
        if not n:
            return cls(0, 0, math.nan, math.nan, math.nan)
        (low,), (high,) = wilson(np.array([count / n]), np.array([n]))
        return cls(count, n, count / n, float(low), float(high))


class Difference(NamedTuple):
    """A paired difference over networks.

    Attributes:
        before: mean before.
        after: mean after.
        mean: mean of after - before.
        low: lower end of its 95% interval by Student's t; nan with fewer than two pairs.
        high: upper end.
        pairs: number of pairs.
    """

    before: float
    after: float
    mean: float
    low: float
    high: float
    pairs: int


def difference(before: Float[np.ndarray, " n"], after: Float[np.ndarray, " n"]) -> Difference:
    """The paired difference over the pairs in which both numbers are finite.

    Args:
        before: one number for each network.
        after: the number of its pair, or its own number later.
    """
    finite = np.isfinite(before) & np.isfinite(after)
    first, last, n = before[finite], after[finite], int(finite.sum())
    change = last - first
    center = mean(change)
    half_width = (
        student(n - 1) * float(np.std(change, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    )
    return Difference(mean(first), mean(last), center, center - half_width, center + half_width, n)


def mean(values: Float[np.ndarray, " n"]) -> float:
    """The mean; nan without values."""
    return float(np.mean(values)) if len(values) else math.nan


def quantiles(
    values: Float[np.ndarray, "n ..."], levels: Sequence[float] = LEVELS
) -> Float[np.ndarray, "levels ..."]:
    """Quantiles of the finite values along the first axis; nan where none is finite.

    Args:
        values: one row for each network.
        levels: levels of the quantiles, which are linear between order statistics.
    """
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values)
    if finite.all():  # many times as fast
        return np.quantile(values, levels, axis=0)
    empty = ~finite.any(axis=0)
    filled = np.where(finite, values, np.where(empty, 0.0, np.nan))
    return np.where(empty, np.nan, np.nanquantile(filled, levels, axis=0))


def quantile_bands(
    table: xr.Dataset, names: Sequence[str] = CURVES, levels: Sequence[float] = LEVELS
) -> xr.Dataset:
    """Quantiles of variables over the seeds, with the dimension level in front.

    Args:
        table: a dataset with the dimension seed.
        names: names of the variables.
        levels: levels of the quantiles, ascending.
    """
    import xarray as xr  # slow, and the CLI needs only the records

    bands = {}
    for name in names:
        variable = table[name].transpose("seed", ...)
        values = quantiles(variable.values, levels)
        bands[name] = (("level", *variable.dims[1:]), values, variable.attrs)
    coords = table[list(names)].coords
    kept = {name: coord for name, coord in coords.items() if "seed" not in coord.dims}
    return xr.Dataset(bands, {"level": list(levels), **kept})
