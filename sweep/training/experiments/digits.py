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
from sweep.base.records import plain
from sweep.training.experiments.protocol import (
    finding_codes,
    finding_shares,
    require_epochs,
    require_seeds,
)
from sweep.training.hyperparameters import coordinate_value, single_combination
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
    """The change of a quantity from one epoch to another, over the networks.

    Attributes:
        name: name of the quantity, as in the dataset of `sweep.train`.
        words: its description.
        units: "nats", or "1" for accuracies.
        first: mean at `FIRST`.
        last: mean at the last epoch.
        difference: mean of last - first.
        low: lower end of its 95% interval, by Student's t over the networks.
        high: upper end.
    """

    name: str
    words: str
    units: str
    first: float
    last: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Digits:
    """The result of training on images of digits.

    Attributes:
        seeds: number of networks, each with its own split and weights.
        first: epoch from which changes are measured.
        epochs: number of epochs; changes are measured up to the last one.
        hyperparameters: by name, as in `sweep.train`.
        training: number of training images.
        validation: number of validation images.
        changes: changes of loss and accuracy of both sets, over the networks that did not diverge.
        loss_rises: networks whose validation loss is higher at the last epoch than at the first.
        accuracy_rises: networks whose validation accuracy is higher.
        both_rise: networks in which both are higher; one that diverged counts in none of these.
        least_loss: median of the least validation loss, in nats.
        least_epoch: median of its epoch.
        least_accuracy: mean validation accuracy at that epoch, where one would stop early.
        diverged: networks with a loss that is not finite.
        diverged_epoch: the first epoch with such a loss in any network; nan without one.
        findings: share of the other networks in which `sweep.diagnose` makes each finding, by code,
            the most frequent first.
        table: everything recorded of each network, the dataset of `sweep.train`.
        bands: quantiles over the networks of loss and accuracy, dims (level, epoch), levels
            `sweep.training.results.LEVELS`.
    """

    seeds: int
    first: int
    epochs: int
    hyperparameters: dict[str, Any]
    training: int
    validation: int
    changes: tuple[Change, ...]
    loss_rises: Share
    accuracy_rises: Share
    both_rise: Share
    least_loss: float
    least_epoch: float
    least_accuracy: float
    diverged: Share
    diverged_epoch: float
    findings: dict[str, Share]
    table: xr.Dataset
    bands: xr.Dataset

    def change(self, name: str) -> Change:
        """The change of a quantity, such as validation_loss."""
        return next(change for change in self.changes if change.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the table and the bands, as plain Python values."""
        return plain({k: v for k, v in vars(self).items() if k not in ("table", "bands")})


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
        seeds=len(table.seed),
        first=FIRST,
        epochs=epochs,
        hyperparameters={n: coordinate_value(n, getattr(combination, n)) for n in values},
        training=len(split.training),
        validation=len(split.validation),
        changes=tuple(_change(finite, name, epochs) for name in CURVES),
        loss_rises=Share.among(loss_rises),
        accuracy_rises=Share.among(accuracy_rises),
        both_rise=Share.among(loss_rises & accuracy_rises),
        **_least(finite),
        diverged=Share.among(~alive),
        diverged_epoch=min(table.diverged_epoch.values[~alive].tolist(), default=math.nan),
        findings=finding_shares(finding_codes(finite)),
        table=table,
        bands=quantile_bands(table),
    )


def _at_epoch(table: xr.Dataset, name: str, epoch: int) -> Float[np.ndarray, " s"]:
    return table[name].sel(epoch=epoch).values.astype(float)


def _change(table: xr.Dataset, name: str, epochs: int) -> Change:
    """The change of one quantity from FIRST to the last epoch."""
    change = difference(*(_at_epoch(table, name, epoch) for epoch in (FIRST, epochs)))
    return Change(
        name=name,
        words=table[name].attrs["long_name"],
        units=table[name].attrs["units"],
        first=change.before,
        last=change.after,
        difference=change.mean,
        low=change.low,
        high=change.high,
    )


def _least(table: xr.Dataset) -> dict[str, float]:
    """The least validation loss, its epoch, and the validation accuracy there."""
    least = table.best_epoch.values.astype(int) - 1
    accuracy = np.take_along_axis(table.validation_accuracy.values, least[:, None], axis=1)[:, 0]
    losses = table.validation_loss.min("epoch").values
    return {
        "least_loss": quantiles(losses, (0.5,)).item() if len(least) else math.nan,
        "least_epoch": quantiles(least + 1.0, (0.5,)).item() if len(least) else math.nan,
        "least_accuracy": mean(accuracy.astype(float)),
    }
