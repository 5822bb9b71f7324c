"""digits(): the published training curve, of loss and accuracy that rise together, on real images.

One network was published whose cross-entropy on the test set is higher after 1000 epochs than after
50, and its accuracy too. Here many learn odd against even digits (`sweep.training.problems`), from
so few images that they learn them by heart; each seed draws its own split and its own weights, and
what was seen once is counted. The published data are not known, so neither is its network: this one
is large enough to overfit, and learns slowly enough to have half of its way ahead at epoch 50.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sweep.base.memory import MEMORY_BUDGET
from sweep.base.records import plain
from sweep.training.experiments.recognition import codes, recognised
from sweep.training.experiments.requirements import require_epochs, require_seeds, single
from sweep.training.hyperparameters import written
from sweep.training.problems import PROBLEMS
from sweep.training.results import CURVES
from sweep.training.statistics import Share, difference, mean, quantile_bands, quantiles
from sweep.training.train import train

if TYPE_CHECKING:
    import xarray as xr

FIRST = 50
"""Epoch from which changes are measured, as published."""

EPOCHS = 1000
"""As published."""

SEEDS = 50

NETWORK: dict[str, Any] = {
    "widths": (32, 32), "activation": "relu", "optimizer": "adam", "learning_rate": 0.003,
    "batch": None,
}  # fmt: skip
"""Hyperparameters."""

FEWEST_EPOCHS, FEWEST_SEEDS = 100, 20
"""With fewer there is little to come after FIRST, and nothing beyond the 5% and 95% quantiles."""


@dataclass(frozen=True)
class Change:
    """What becomes of a quantity from one epoch to another, over the networks.

    Attributes:
        name: of the quantity, as in the dataset of `sweep.train`.
        words: what it is.
        units: "nats", or "1" of accuracies.
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
    """What came of training on images of digits.

    Attributes:
        seeds: networks, each with its own split and weights.
        first: epoch from which changes are measured.
        epochs: of training, to the last of which they are measured.
        hyperparameters: by name, as in `sweep.train`.
        training: images that are trained on.
        validation: images that training is watched on.
        changes: of loss and accuracy of both sets, over the networks that did not diverge.
        loss_rises: networks whose validation loss is higher at the last epoch than at the first.
        accuracy_rises: the same of validation accuracy.
        both_rise: the same of both; a network that diverged is none of which anything is true.
        least_loss: median of the least validation loss, in nats.
        least_epoch: median of its epoch.
        least_accuracy: mean validation accuracy at that epoch, where one would stop early.
        diverged: networks with a loss that is not finite.
        diverged_epoch: the first epoch of them all with such a loss; nan without any.
        findings: of how many of the others `sweep.diagnose` makes each finding, by its code, the
            most frequent first.
        table: everything recorded of every network, the dataset of `sweep.train`.
        bands: quantiles over the networks of loss and accuracy, dims (level, epoch), levels
            `sweep.training.statistics.LEVELS`.
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
        return next(one for one in self.changes if one.name == name)

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
    """Trains networks on images of digits, and counts of how many loss and accuracy both rise.

    Intervals are over splits of the same images and initial weights: they tell what another seed
    would show, not what other images would.

    Args:
        seeds: how many, from 0; or each of them.
        epochs: how many.
        dtype: "float32", or "float64".
        memory_budget: bytes that may be used beyond input and output.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        **hyperparameters: one value each, in place of those of `NETWORK`.

    Raises:
        InputError: scikit-learn is not installed, there are too few seeds or epochs, or what
            `sweep.train` refuses.
    """
    given = NETWORK | hyperparameters
    own = single(given)
    require_seeds(seeds, FEWEST_SEEDS)
    require_epochs(epochs, FEWEST_EPOCHS, f"for what comes after epoch {FIRST} is judged")
    table = train(
        "digits",
        seeds=seeds,
        epochs=epochs,
        dtype=dtype,
        memory_budget=memory_budget,
        progress=progress,
        **given,
    )
    alive = np.isnan(table.diverged_epoch.values)
    rises = {
        name: alive & (_at(table, name, epochs) > _at(table, name, FIRST))
        for name in ("validation_loss", "validation_accuracy")
    }
    loss, right = rises.values()
    sound = table.isel(seed=np.flatnonzero(alive))
    split = PROBLEMS["digits"].draw(int(table.seed[0]))
    return Digits(
        seeds=len(table.seed),
        first=FIRST,
        epochs=epochs,
        hyperparameters={name: written(name, getattr(own, name)) for name in given},
        training=len(split.training),
        validation=len(split.validation),
        changes=tuple(_change(sound, name, epochs) for name in CURVES),
        loss_rises=Share.among(loss),
        accuracy_rises=Share.among(right),
        both_rise=Share.among(loss & right),
        **_least(sound),
        diverged=Share.among(~alive),
        diverged_epoch=min(table.diverged_epoch.values[~alive].tolist(), default=math.nan),
        findings=recognised(codes(sound)),
        table=table,
        bands=quantile_bands(table),
    )


def _at(table: xr.Dataset, name: str, epoch: int) -> Float[np.ndarray, " s"]:
    return table[name].sel(epoch=epoch).values.astype(float)


def _change(table: xr.Dataset, name: str, epochs: int) -> Change:
    """The change of one quantity from FIRST to the last epoch."""
    found = difference(*(_at(table, name, epoch) for epoch in (FIRST, epochs)))
    return Change(
        name=name,
        words=table[name].attrs["long_name"],
        units=table[name].attrs["units"],
        first=found.before,
        last=found.after,
        difference=found.mean,
        low=found.low,
        high=found.high,
    )


def _least(table: xr.Dataset) -> dict[str, float]:
    """Where validation loss is least, and validation accuracy there."""
    place = table.best_epoch.values.astype(int) - 1
    right = np.take_along_axis(table.validation_accuracy.values, place[:, None], axis=1)[:, 0]
    losses = table.validation_loss.min("epoch").values
    return {
        "least_loss": quantiles(losses, (0.5,)).item() if len(place) else math.nan,
        "least_epoch": quantiles(place + 1.0, (0.5,)).item() if len(place) else math.nan,
        "least_accuracy": mean(right.astype(float)),
    }
