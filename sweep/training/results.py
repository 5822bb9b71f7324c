"""The dataset of what is recorded of networks: its variables, coordinates and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from sweep.training.hyperparameters import Setting, coordinate_value

if TYPE_CHECKING:
    import xarray as xr  # slow, and runs use only the names of the variables

UNITS = {"l1": "nats", "l2": "nats", "noise": "unit of x", "batch": "points"}
"""Units of hyperparameters that are no pure numbers."""

PREFIXES = ("", "validation_", "test_")  # of variables, for the sets in their order

CURVES = ("loss", "accuracy", "validation_loss", "validation_accuracy")
"""What is recorded of every network after each epoch, whatever it learns."""


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


def attributes(name: str) -> dict[str, str]:
    """Units and long name of a variable."""
    return VARIABLES[name][1]


def dataset(
    arrays: Mapping[str, Shaped[np.ndarray, "s k ..."]],
    axes: Mapping[str, tuple[Setting, ...]],
    seeds: Sequence[int],
    epochs: int,
    kept: Sequence[int],
    validation_y: Shaped[np.ndarray, "*s m"],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """The dataset of all networks.

    Args:
        arrays: recorded arrays by name, with the axes (seeds, combinations) in front.
        axes: hyperparameters with several values; the last one changes fastest.
        seeds: seeds of the networks.
        epochs: number of epochs, counted from 1.
        kept: epochs whose logits were recorded.
        validation_y: classes of the validation set, for each seed or for all of them.
        attrs: attributes of the dataset.
    """
    import xarray as xr  # slow, and runs use only the names of the variables

    shape = tuple(map(len, axes.values()))
    variables: dict[str, Any] = {}
    for name, values in arrays.items():
        dims, attrs_of_name = VARIABLES[name]
        split_axes = values.reshape(len(seeds), *shape, *values.shape[2:])
        variables[name] = (("seed", *axes, *dims), split_axes, attrs_of_name)
    class_dims = ("seed", "point") if validation_y.ndim == 2 else ("point",)
    variables["validation_y"] = (
        class_dims,
        validation_y,
        {"units": "1", "long_name": "classes, validation set"},
    )
    return xr.Dataset(variables, coordinates(axes, seeds, epochs, kept), dict(attrs))


def coordinates(
    axes: Mapping[str, tuple[Setting, ...]], seeds: Sequence[int], epochs: int, kept: Sequence[int]
) -> dict[str, Any]:
    """The coordinates as (dimension, values, attributes), by name."""

    def entry(name: str, values: Any, words: str, units: str = "1") -> Any:
        return name, np.asarray(values), {"units": units, "long_name": words}

    entries = {"seed": entry("seed", seeds, "seed of weights, batches and drawn data")}
    for name, values in axes.items():
        texts = [coordinate_value(name, value) for value in values]
        entries[name] = entry(name, texts, name.replace("_", " "), UNITS.get(name, "1"))
    entries["epoch"] = entry("epoch", np.arange(1, epochs + 1), "epochs done", "epoch")
    entries["kept_epoch"] = entry("kept_epoch", kept, "epochs whose logits are kept", "epoch")
    return entries
