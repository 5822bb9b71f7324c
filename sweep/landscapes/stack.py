"""One law at several sizes: a sample for each n, and for n = infinity the law itself.

What the figures of landscapes at n = 10, 100, ..., infinity are made of; `stacked` makes one
dataset of them, with the dimension n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sweep.base.errors import InputError
from sweep.base.memory import RESULT_LIMIT
from sweep.base.ranges import whole
from sweep.data.sample import Sample
from sweep.populations import Population
from sweep.populations import population as law_of

if TYPE_CHECKING:
    import xarray as xr

Value = TypeVar("Value")


def sample(
    population: Population | str, n: int | float, seed: int = 0, replicate: int = 0
) -> Sample | Population:
    """What a law is at one size: n points of it, x ascending, or for n = inf the law itself.

    Args:
        population: the law, or its id or name (see `sweep.populations.population`).
        n: number of points, a whole number; inf for the population.
        seed: of the random numbers.
        replicate: which of the samples of this seed and size: those of a `sweep.study` of the seed.

    Raises:
        InputError: the law is unknown or none, there is no sample of that size, seed or replicate,
            or it would not fit into memory.
    """
    law = law_of(population)
    seed, replicate = whole("seed", seed, 0), whole("replicate", replicate, 0)
    if n == math.inf:
        return law
    require_drawable(n)
    from sweep.populations import sampling  # which loads jax

    return sampling.sample(law, n, seed, replicate)


def require_drawable(n: int | float) -> None:
    """Refuses a finite size whose samples would not fit into memory.

    Raises:
        InputError: it would take more than RESULT_LIMIT bytes.
    """
    if math.isfinite(n) and 16 * n > RESULT_LIMIT:
        raise InputError(
            f"a sample of {n:g} points would take {16 * n / 2**30:.1f} GiB of memory, more than "
            f"the limit of {RESULT_LIMIT / 2**30:.0f} GiB; ask for fewer points"
        )


def evenly_spaced(values: Sequence[Value], most: int) -> list[Value]:
    """At most so many of the values, evenly over their places, the first and the last included."""
    last, steps = len(values) - 1, max(1, min(most, len(values)) - 1)
    return [values[k] for k in sorted({round(last * step / steps) for step in range(steps + 1)})]


def stacked(landscapes: Sequence[xr.Dataset], sizes: Sequence[float]) -> xr.Dataset:
    """Landscapes of several sizes as one, with the dimension n before a and b.

    Only attributes that are the same for all sizes stay, and `error_bound`, the largest, or nan if
    one is not known. `correct`, a number of points, is left out where inf is one of the sizes.

    Args:
        landscapes: on the same axes, of the same metrics.
        sizes: n of each.
    """
    import xarray as xr

    common = set.intersection(*({*one.data_vars} for one in landscapes))
    joined = xr.concat(
        [one[[name for name in one.data_vars if name in common]] for one in landscapes],
        dim="n",
        combine_attrs=_same,
        join="exact",
        coords="minimal",
        compat="override",
    )
    finite = all(math.isfinite(n) for n in sizes)
    n = np.asarray(sizes, dtype=np.int64 if finite else np.float64)
    joined = joined.assign_coords(n=("n", n, {"units": "1", "long_name": "points n"}))
    joined.attrs |= _bounds([one.attrs for one in landscapes])
    for name in common - {"correct"}:
        joined[name].attrs |= _bounds([one[name].attrs for one in landscapes])
    return joined


def _bounds(attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The largest bound, nan if one is not known, and why it is not."""
    notes = [one["error_bound_note"] for one in attributes if "error_bound_note" in one]
    largest = float(np.max([one["error_bound"] for one in attributes]))
    return {"error_bound": largest} | ({"error_bound_note": notes[0]} if notes else {})


def _same(attributes: Sequence[Mapping[str, Any]], context: object = None) -> dict[str, Any]:
    """What all of them say alike."""
    first, *others = attributes
    return {
        name: value
        for name, value in first.items()
        if all(name in one and one[name] == value for one in others)
    }
