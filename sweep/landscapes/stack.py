"""Landscapes of one law at several sizes n: the data of each size, and one dataset of them all.

`sample` gives the data at one size, for n = infinity the law itself. `stacked` joins the landscapes
of several sizes along the dimension n, for figures at n = 10, 100, ..., infinity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from sweep.base.memory import require_room
from sweep.base.ranges import whole_number
from sweep.data.sample import Sample
from sweep.populations import Population, sampling
from sweep.populations import population as law_of

Value = TypeVar("Value")


def sample(
    population: Population | str, n: int | float, seed: int = 0, replicate: int = 0
) -> Sample | Population:
    """A sample of n points of a law, or for n = inf the law itself.

    Args:
        population: the law, or its id or name (see `sweep.populations.population`).
        n: number of points, a whole number; inf for the population.
        seed: of the random numbers.
        replicate: number of the sample among those of this seed and size, as in `sweep.study`.

    Returns:
        The sample, x ascending, or the law.

    Raises:
        InputError: the law is unknown, n, seed or replicate is not valid, or the sample would not
            fit into memory.
    """
    law = law_of(population)
    seed, replicate = whole_number("seed", seed, 0), whole_number("replicate", replicate, 0)
    if n == math.inf:
        return law
    require_drawable(n)
    return sampling.sample(law, n, seed, replicate)


def require_drawable(n: int | float) -> None:
    """Refuses a finite size n whose samples would take more than RESULT_LIMIT bytes."""
    if math.isfinite(n):
        require_room(f"a sample of {n:g} points", 16 * n, "ask for fewer points")


def evenly_spaced(values: Sequence[Value], most: int) -> list[Value]:
    """At most `most` of the values, evenly spaced in their order, with the first and the last."""
    last, steps = len(values) - 1, max(1, min(most, len(values)) - 1)
    return [values[k] for k in sorted({round(last * step / steps) for step in range(steps + 1)})]


def stacked(landscapes: Sequence[xr.Dataset], sizes: Sequence[float]) -> xr.Dataset:
    """Joins landscapes of several sizes, on the same axes, along the dimension n before a and b.

    Only attributes with the same value for all sizes are kept, and `error_bound`, the largest, or
    nan if one is not known. `correct`, a number of points, is left out if inf is one of the sizes.
    """
    common = set.intersection(*({*landscape.data_vars} for landscape in landscapes))
    joined = xr.concat(
        [ds[[name for name in ds.data_vars if name in common]] for ds in landscapes],
        dim="n",
        combine_attrs=_shared_attributes,
        join="exact",
        coords="minimal",
        compat="override",
    )
    finite = all(math.isfinite(n) for n in sizes)
    n = np.asarray(sizes, dtype=np.int64 if finite else np.float64)
    joined = joined.assign_coords(n=("n", n, {"units": "1", "long_name": "points n"}))
    joined.attrs |= _largest_bound([landscape.attrs for landscape in landscapes])
    for name in common - {"correct"}:
        joined[name].attrs |= _largest_bound([landscape[name].attrs for landscape in landscapes])
    return joined


def _largest_bound(attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The largest bound, or nan if one is not known, with the note that says why."""
    notes = [attrs["error_bound_note"] for attrs in attributes if "error_bound_note" in attrs]
    largest = float(np.max([attrs["error_bound"] for attrs in attributes]))
    return {"error_bound": largest} | ({"error_bound_note": notes[0]} if notes else {})


def _shared_attributes(
    attributes: Sequence[Mapping[str, Any]], context: object = None
) -> dict[str, Any]:
    """The attributes that have the same value everywhere."""
    first, *others = attributes
    return {
        name: value
        for name, value in first.items()
        if all(name in attrs and attrs[name] == value for attrs in others)
    }
