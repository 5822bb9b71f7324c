"""What is recorded of networks: the dataset, and statistics over networks of many seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from sweep.base.intervals import student, wilson
from sweep.training.hyperparameters import Setting, coordinate_value

if TYPE_CHECKING:
    import xarray as xr  # slow, and runs and the CLI use only names and records

UNITS = {"l1": "nats", "l2": "nats", "noise": "unit of x", "batch": "points"}
"""Units of hyperparameters that are no pure numbers."""

PREFIXES = ("", "validation_", "test_")  # of variables, for the sets in their order

CURVES = ("loss", "accuracy", "validation_loss", "validation_accuracy")
"""What is recorded of every network after each epoch, whatever it learns."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the quantiles


def described(dims: Any, values: Any, units: str, words: str) -> tuple[Any, Any, dict[str, str]]:
    """A variable or coordinate of xarray with its unit and its long name."""
    return dims, values, {"units": units, "long_name": words}


def _variables() -> dict[str, tuple[tuple[str, ...], dict[str, str]]]:
    def entry(units: str, words: str, *dims: str) -> tuple[tuple[str, ...], dict[str, str]]:
        return dims, {"units": units, "long_name": words}

    variables = {
        "objective": entry("nats", "what is minimised on the training set, penalties in", "epoch")
    }
    for prefix, word in zip(PREFIXES, ("training", "validation", "test"), strict=True):
        variables[prefix + "loss"] = entry("nats", f"cross-entropy, {word} set", "epoch")
        variables[prefix + "accuracy"] = entry("1", f"accuracy, {word} set", "epoch")
    return variables | {
        "validation_logits": entry("1", "logits, validation set", "kept_epoch", "point"),
        "best_logits": entry("1", "logits at best_epoch, validation set", "point"),
        "best_epoch": entry("epoch", "epoch of the least validation loss"),
        "diverged_epoch": entry(
            "epoch", "first epoch with a loss or a logit that is not finite, or NaN"
        ),
    }


VARIABLES = _variables()
"""Of each variable the dimensions after the seed and the hyperparameters, and the attributes."""


def dimensions(names: Iterable[str]) -> tuple[str, ...]:
    """Names of dimensions: `loss` is a variable, so its dimension has another name."""
    return tuple("loss_function" if name == "loss" else name for name in names)


def dataset(
    arrays: Mapping[str, Shaped[np.ndarray, "s k ..."]],
    axes: Mapping[str, tuple[Setting, ...]],
    seeds: Sequence[int],
    epochs: int,
    kept: Sequence[int],
    validation_y: Shaped[np.ndarray, "*s m"],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """The dataset of all networks."""
    import xarray as xr  # slow, and runs use only the names of the variables

    shape = tuple(map(len, axes.values()))
    variables: dict[str, Any] = {}
    for name, values in arrays.items():
        dims, attrs_of_name = VARIABLES[name]
        split_axes = values.reshape(len(seeds), *shape, *values.shape[2:])
        variables[name] = (("seed", *dimensions(axes), *dims), split_axes, attrs_of_name)
    class_dims = ("seed", "point") if validation_y.ndim == 2 else ("point",)
    variables["validation_y"] = described(class_dims, validation_y, "1", "classes, validation set")
    return xr.Dataset(variables, coordinates(axes, seeds, epochs, kept), dict(attrs))


def coordinates(
    axes: Mapping[str, tuple[Setting, ...]], seeds: Sequence[int], epochs: int, kept: Sequence[int]
) -> dict[str, Any]:
    """The coordinates as (dimension, values, attributes), by name."""
    rows: list[tuple[str, Any, str, str]] = [
        ("seed", seeds, "1", "seed of weights, batches and drawn data")
    ]
    for (name, values), dim in zip(axes.items(), dimensions(axes), strict=True):
        texts = [coordinate_value(name, value) for value in values]
        rows.append((dim, texts, UNITS.get(name, "1"), dim.replace("_", " ")))
    rows.append(("epoch", range(1, epochs + 1), "epoch", "epochs done"))
    rows.append(("kept_epoch", kept, "epoch", "epochs whose logits are kept"))
    return {dim: described(dim, np.asarray(values), *about) for dim, values, *about in rows}


@dataclass(frozen=True)
class Share:
    """The share of networks of which a statement is true."""

    count: int  # networks of which it is true
    of: int  # all networks
    value: float  # count / of; nan without networks
    low: float  # ends of the 95% interval by Wilson; nan without networks
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
    """A paired difference over networks."""

    before: float  # mean
    after: float  # mean
    difference: float  # mean of after - before
    low: float  # ends of its 95% interval by Student's t; nan with fewer than two pairs
    high: float
    pairs: int


def difference(before: Float[np.ndarray, " n"], after: Float[np.ndarray, " n"]) -> Difference:
    """The paired difference over the pairs in which both numbers are finite."""
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
    """Quantiles of the finite values along the first axis; nan where none is finite."""
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
    """Quantiles of variables over the seeds, with the dimension level in front."""
    import xarray as xr  # slow, and the CLI needs only the records

    bands = {}
    for name in names:
        variable = table[name].transpose("seed", ...)
        values = quantiles(variable.values, levels)
        bands[name] = (("level", *variable.dims[1:]), values, variable.attrs)
    coords = table[list(names)].coords
    kept = {name: coord for name, coord in coords.items() if "seed" not in coord.dims}
    return xr.Dataset(bands, {"level": list(levels), **kept})
