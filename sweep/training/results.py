"""What was recorded of networks, as one dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from sweep.training.ensemble import PREFIXES
from sweep.training.hyperparameters import Setting, written

if TYPE_CHECKING:
    import xarray as xr

UNITS = {"l1": "nats", "l2": "nats", "noise": "unit of x", "batch": "points"}
"""Of hyperparameters that are no pure numbers."""


def attributes(name: str) -> dict[str, str]:
    """Units and long name of a variable."""
    return VARIABLES[name][1]


def _variables() -> dict[str, tuple[tuple[str, ...], dict[str, str]]]:
    def entry(units: str, words: str, *dimensions: str) -> tuple[tuple[str, ...], dict[str, str]]:
        return dimensions, {"units": units, "long_name": words}

    found = {
        "objective": entry("nats", "what is minimised on the training set, penalties in", "epoch")
    }
    for prefix, word in zip(PREFIXES, ("training", "validation", "test"), strict=True):
        found[prefix + "loss"] = entry("nats", f"cross-entropy, {word} set", "epoch")
        found[prefix + "accuracy"] = entry("1", f"accuracy, {word} set", "epoch")
    return found | {
        "validation_logits": entry("1", "logits, validation set", "kept_epoch", "point"),
        "best_logits": entry("1", "logits at best_epoch, validation set", "point"),
        "best_epoch": entry("epoch", "epoch of the least validation loss"),
        "diverged_epoch": entry(
            "epoch", "first epoch with a loss or a logit that is not finite, or NaN"
        ),
    }


CURVES = ("loss", "accuracy", "validation_loss", "validation_accuracy")
"""What there is of every network after each epoch, whatever it learns."""

VARIABLES = _variables()
"""Of every variable its dimensions after the seed and the hyperparameters, and its attributes."""


def dataset(
    found: Mapping[str, Shaped[np.ndarray, "s k ..."]],
    axes: Mapping[str, tuple[Setting, ...]],
    seeds: Sequence[int],
    epochs: int,
    kept: Sequence[int],
    validation_y: Shaped[np.ndarray, "*s m"],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """The dataset of all that was recorded.

    Args:
        found: by name, with the axes (seeds, combinations) in front.
        axes: the hyperparameters that differ, the last of them fastest in the combinations.
        seeds: the seeds.
        epochs: how many, counted from 1.
        kept: epochs whose logits were recorded.
        validation_y: classes of the validation set, of every seed or for all of them.
        attrs: of the dataset.
    """
    import xarray as xr

    shape = tuple(map(len, axes.values()))
    variables: dict[str, Any] = {}
    for name, values in found.items():
        inner, about = VARIABLES[name]
        whole = values.reshape(len(seeds), *shape, *values.shape[2:])
        variables[name] = (("seed", *axes, *inner), whole, about)
    classes = ("seed", "point") if validation_y.ndim == 2 else ("point",)
    variables["validation_y"] = (
        classes,
        validation_y,
        {"units": "1", "long_name": "classes, validation set"},
    )
    return xr.Dataset(variables, coordinates(axes, seeds, epochs, kept), dict(attrs))


def coordinates(
    axes: Mapping[str, tuple[Setting, ...]], seeds: Sequence[int], epochs: int, kept: Sequence[int]
) -> dict[str, Any]:
    """The coordinates, with attributes."""

    def entry(name: str, values: Any, words: str, units: str = "1") -> Any:
        return name, np.asarray(values), {"units": units, "long_name": words}

    found = {"seed": entry("seed", seeds, "seed of weights, batches and drawn data")}
    for name, values in axes.items():
        texts = [written(name, one) for one in values]
        found[name] = entry(name, texts, name.replace("_", " "), UNITS.get(name, "1"))
    found["epoch"] = entry("epoch", np.arange(1, epochs + 1), "epochs done", "epoch")
    found["kept_epoch"] = entry("kept_epoch", kept, "epochs whose logits are kept", "epoch")
    return found
