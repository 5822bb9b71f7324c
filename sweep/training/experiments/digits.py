"""digits(): loss and accuracy that rise together, on real images.

A training curve was published of a network whose test cross-entropy is higher after 1000 epochs
than after 50, and its accuracy too. Here many networks learn odd against even digits
(`sweep.training.problems`) from so few images that they learn them by heart; each seed draws its
own split and weights, so what was seen once is counted. The published data and network are unknown:
this network is large enough to overfit, and slow enough that much of its training comes after epoch
50.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from sweep.base.memory import MEMORY_BUDGET
from sweep.base.tables import Table
from sweep.training.experiments import tables
from sweep.training.experiments.protocol import (
    Experiment,
    common_fields,
    require_epochs,
    require_seeds,
)
from sweep.training.hyperparameters import single_combination
from sweep.training.problems import PROBLEMS
from sweep.training.results import CURVES, Share, difference, mean, quantile_bands, quantiles
from sweep.training.train import train

FIRST = 50  # epoch from which changes are measured, as published
EPOCHS = 1000  # as published
SEEDS = 50

FEWEST_EPOCHS = 100  # with fewer, there is little to come after FIRST
FEWEST_SEEDS = 20  # with fewer, no network is beyond the 5% and 95% quantiles

NETWORK: dict[str, Any] = {
    "widths": (32, 32), "activation": "relu", "optimizer": "adam", "learning_rate": 0.003,
    "batch": None,
}  # fmt: skip
"""Default hyperparameters."""


@dataclass(frozen=True)
class Change:
    """The change of a quantity from one epoch to another, over the networks."""

    name: str  # as in the dataset of `sweep.train`
    words: str
    units: str  # "nats", or "1" for accuracies
    first: float  # mean at `FIRST`
    last: float  # mean at the last epoch
    difference: float  # mean of last - first
    low: float  # ends of its 95% interval, by Student's t over the networks
    high: float


@dataclass(frozen=True)
class Digits(Experiment):
    """The result of training on images of digits; a network that diverged never rises."""

    seeds: int  # number of networks, each with its own split and weights
    first: int  # epoch from which changes are measured, up to the last one
    epochs: int
    hyperparameters: dict[str, Any]  # as in `sweep.train`
    training: int  # number of training images
    validation: int  # number of validation images
    changes: tuple[Change, ...]  # of loss and accuracy of both sets, of networks not diverged
    loss_rises: Share  # networks whose validation loss is higher at the last epoch than at `first`
    accuracy_rises: Share  # networks whose validation accuracy is higher
    both_rise: Share  # networks in which both are higher
    least_loss: float  # median of the least validation loss, in nats
    least_epoch: float  # median of its epoch
    least_accuracy: float  # mean validation accuracy at that epoch, where one would stop early
    diverged: Share  # networks with a loss that is not finite
    diverged_epoch: float  # the first epoch with such a loss in any network; nan without one
    findings: dict[str, Share]  # of `sweep.diagnose` about the others, the most frequent first
    table: xr.Dataset  # that of `sweep.train`
    bands: xr.Dataset  # of loss and accuracy, dims (level, epoch)

    def tables(self) -> tuple[Table, ...]:
        """The means, and how often loss and accuracy rise."""
        return tuple(tables.of_digits(self))

    def change(self, name: str) -> Change:
        """The change of a quantity, such as validation_loss."""
        return next(change for change in self.changes if change.name == name)


def digits(
    *,
    seeds: int | Sequence[int] = SEEDS,
    epochs: int = EPOCHS,
    dtype: str = "float32",
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = None,
    **hyperparameters: Any,
) -> Digits:
    """Trains networks on images of digits, and counts those whose loss and accuracy both rise.

    Intervals are over initial weights and splits of the same images: they say what other seeds
    would show, not what other images would.

    Args:
        seeds: number of seeds, from 0; or each of them.
        epochs: number of epochs.
        dtype: "float32" or "float64".
        memory_budget: bytes of memory beyond input and output.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        **hyperparameters: one value each, in place of those of `NETWORK`.

    Raises:
        InputError: scikit-learn is not installed, there are too few seeds or epochs, or
            `sweep.train` rejects an argument.
    """
    values = NETWORK | hyperparameters
    combination = single_combination(values)
    require_seeds(seeds, FEWEST_SEEDS)
    require_epochs(epochs, FEWEST_EPOCHS, f"for what comes after epoch {FIRST} is judged")
    table = train(
        "digits",
        seeds=seeds,
        epochs=epochs,
        dtype=dtype,
        memory_budget=memory_budget,
        progress=progress,
        **values,
    )
    alive = np.isnan(table.diverged_epoch.values)
    rises = {
        name: alive & (_at_epoch(table, name, epochs) > _at_epoch(table, name, FIRST))
        for name in ("validation_loss", "validation_accuracy")
    }
    loss_rises, accuracy_rises = rises.values()
    finite = table.isel(seed=np.flatnonzero(alive))
    split = PROBLEMS["digits"].draw(int(table.seed[0]))
    return Digits(
        **common_fields(table, combination, values),
        first=FIRST,
        training=len(split.training),
        validation=len(split.validation),
        changes=tuple(_change(finite, name, epochs) for name in CURVES),
        loss_rises=Share.among(loss_rises),
        accuracy_rises=Share.among(accuracy_rises),
        both_rise=Share.among(loss_rises & accuracy_rises),
        **_least(finite),
        bands=quantile_bands(table),
    )


def _at_epoch(table: xr.Dataset, name: str, epoch: int) -> Float[np.ndarray, " s"]:
    return table[name].sel(epoch=epoch).values.astype(float)


def _change(table: xr.Dataset, name: str, epochs: int) -> Change:
    """The change of one quantity from FIRST to the last epoch."""
    change = difference(*(_at_epoch(table, name, epoch) for epoch in (FIRST, epochs)))
    words, units = (table[name].attrs[key] for key in ("long_name", "units"))
    before, after, *ends, _ = change
    return Change(name, words, units, before, after, *ends)


def _least(table: xr.Dataset) -> dict[str, Any]:
    """The least validation loss, its epoch, and the validation accuracy there."""
    least = table.best_epoch.values.astype(int) - 1
    accuracy = np.take_along_axis(table.validation_accuracy.values, least[:, None], axis=1)[:, 0]
    losses = table.validation_loss.min("epoch").values
    return {
        "least_loss": quantiles(losses, (0.5,)).item() if len(least) else math.nan,
        "least_epoch": quantiles(least + 1.0, (0.5,)).item() if len(least) else math.nan,
        "least_accuracy": mean(accuracy.astype(float)),
    }
