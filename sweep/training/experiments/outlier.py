"""outlier(): how often one point makes the loss rise while accuracy does not fall.

The data, the network and the optimiser are the published ones (`sweep.training.problems`). What has
been claimed of one training run is counted here over networks of many initial weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from sweep.base.memory import MEMORY_BUDGET
from sweep.base.tables import Table
from sweep.metrics.logistic import softplus
from sweep.training.experiments import tables
from sweep.training.experiments.protocol import (
    Experiment,
    common_fields,
    require_epochs,
    require_seeds,
)
from sweep.training.hyperparameters import Hyperparameters, single_combination
from sweep.training.problems import OUTLIER, PROBLEMS
from sweep.training.results import CURVES, LEVELS, Share, quantile_bands, quantiles
from sweep.training.split import Split
from sweep.training.train import train

PUBLISHED: dict[str, Any] = {
    "widths": (3,), "activation": "relu", "optimizer": "adam", "learning_rate": 0.05, "batch": None,
}  # fmt: skip
"""Published hyperparameters; the published batch of 20 points is the full set."""

POINTS = 20  # of the training set
EPOCHS = 300  # as published
FEWEST_EPOCHS = 100  # in 1000 networks trained as published, the loss is least by epoch 95
FEWEST_SEEDS = 20  # with fewer, no network is beyond the 5% and 95% quantiles

KEPT = 60  # approximate number of epochs at which the loss of each point is recorded
DIAGNOSED = 100  # networks that are diagnosed at most: that takes longer than training

RISE = 1.5  # a loss counts as risen above this many times its least value

BANDS = (0.1, 0.25, 0.5, 0.75, 0.9)  # quantiles of curves; the few networks that die are beyond

POINT_LOSS = {"units": "nats", "long_name": "cross-entropy at the end, validation set"}

KERAS = {
    "final_loss": (0.556, 0.608),
    "least_loss": (0.238, 0.308),
    "least_epoch": (23.0, 60.0),
    "final_accuracy": (0.85, 0.90),
    "outlier_loss": (9.4, 10.6),
}
"""Least and greatest value in six networks trained by Keras 3, seeds 0 to 5; epochs from 1."""

QUANTITIES = {
    "least_loss": ("least validation loss", "nats"),
    "least_epoch": ("epoch of the least", "epoch"),
    "final_loss": ("validation loss at the end", "nats"),
    "least_accuracy": ("accuracy at the least loss", "1"),
    "final_accuracy": ("accuracy at the end", "1"),
    "outlier_loss": ("loss of the outlier at the end", "nats"),
    "others_least_loss": ("loss of the others, least", "nats"),
    "others_loss": ("loss of the others at the end", "nats"),
    "outlier_share": ("outlier's share of the loss", "1"),
}
"""Numbers of each network: name -> (description, unit). Accuracies are those of validation; the
loss of the others is the mean over the other validation points."""

CLAIMS = {
    "rises_and_holds": "loss rises by > 50%, accuracy does not fall",
    "rises": "loss rises by > 50%",
    "holds": "accuracy does not fall",
    "rises_and_improves": "loss rises by > 50%, accuracy rises",
    "rises_and_loses_one": "loss rises by > 50%, accuracy loses one point at most",
    "rises_and_holds_for_a_time": "at some epoch: loss up by > 50%, accuracy no lower",
    "rises_and_training_holds": "loss rises by > 50%, training accuracy does not fall",
    "others_rise": "loss of the other validation points rises by > 50%",
}
"""What is counted, from the epoch of the least validation loss to the end, on the validation set
unless the claim says otherwise."""


@dataclass(frozen=True)
class Claim:
    """A claim about training, and the share of networks of which it is true."""

    name: str  # of `CLAIMS`
    sentence: str
    share: Share  # of all networks; of one that diverged, no claim is true


@dataclass(frozen=True)
class Quantity:
    """A number of each network, over the networks that did not diverge."""

    name: str  # of `QUANTITIES`
    words: str
    units: str
    quantiles: tuple[float, ...]  # at `sweep.training.results.LEVELS`
    keras: tuple[float, float] | None  # see `KERAS`; None for other than published settings


@dataclass(frozen=True)
class Wrong:
    """How often one validation point is misclassified."""

    row: int  # of the point in the validation set, from 0
    x: float
    y: int
    least: Share  # networks that misclassify it when their validation loss is least
    final: Share  # networks that misclassify it at the end


@dataclass(frozen=True)
class Outlier(Experiment):
    """The result of training on the data with an outlier."""

    left_out = ("sets", "table", "bands")

    seeds: int  # number of networks
    epochs: int
    hyperparameters: dict[str, Any]  # as in `sweep.train`
    published: bool  # whether hyperparameters and epochs are the published ones
    claims: tuple[Claim, ...]
    quantities: tuple[Quantity, ...]
    wrong: tuple[Wrong, ...]  # every validation point, in the order of the rows
    constant_at_start: Share  # networks with equal logits at all validation points before training
    constant_at_end: Share  # the same after training: their hidden units are dead there
    falling: Share  # networks whose validation loss is least at the last epoch: not risen yet
    diverged: Share  # networks with a loss that is not finite
    diverged_epoch: float  # the first epoch with such a loss in any network; nan without one
    findings: dict[str, Share]  # of `sweep.diagnose` about the first networks, most frequent first
    sets: Split
    table: xr.Dataset  # that of `sweep.train`, and `point_loss` of validation points at the end
    bands: xr.Dataset  # dims (level, epoch) and (level, kept_epoch), levels `BANDS`

    def tables(self) -> tuple[Table, ...]:
        """How often, how much, and for which points."""
        return tuple(tables.of_outlier(self))

    def claim(self, name: str) -> Share:
        """How often a claim of `CLAIMS` is true."""
        return next(claim.share for claim in self.claims if claim.name == name)

    def quantity(self, name: str) -> Quantity:
        """A quantity of `QUANTITIES`."""
        return next(quantity for quantity in self.quantities if quantity.name == name)

    @property
    def gap(self) -> tuple[float, float]:
        """The x between which the training classes meet: class 1 is below, class 0 above."""
        training = self.sets.training
        low, high = (training.x[training.y == k] for k in (1, 0))
        return float(low.max()), float(high.min())

    def to_dict(self) -> dict[str, Any]:
        """Everything but the sets and the datasets, as plain Python values."""
        return super().to_dict() | {"levels": [*LEVELS]}


def outlier(
    *,
    seeds: int | Sequence[int] = 1000,
    epochs: int = EPOCHS,
    dtype: str = "float32",
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = None,
    **hyperparameters: Any,
) -> Outlier:
    """Trains networks on the published data with an outlier, and counts how often claims are true.

    Args:
        seeds: number of seeds, from 0; or each of them.
        epochs: number of epochs.
        dtype: "float32" or "float64".
        memory_budget: bytes of memory beyond input and output.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        **hyperparameters: one value each, in place of the published ones.

    Raises:
        InputError: there are too few seeds or epochs, or `sweep.train` rejects an argument.
    """
    values = PUBLISHED | hyperparameters
    combination = single_combination(values)
    if combination.batch == POINTS:
        combination = replace(combination, batch=None)
    published = combination == Hyperparameters(**PUBLISHED) and epochs == EPOCHS
    require_seeds(seeds, FEWEST_SEEDS)
    require_epochs(epochs, FEWEST_EPOCHS, "for the loss falls before it can rise")
    table = train(
        "outlier",
        seeds=seeds,
        epochs=epochs,
        keep=sorted({0, epochs, *range(1, epochs, max(1, epochs // KEPT))}),
        dtype=dtype,
        memory_budget=memory_budget,
        progress=progress,
        **values,
    )
    statistics = Statistics.of(table)
    true, numbers = statistics.claims(), statistics.quantities()
    table["point_loss"] = (("seed", "point"), statistics.point_losses[:, -1], POINT_LOSS)
    return Outlier(
        **common_fields(table, combination, values, DIAGNOSED),
        published=published,
        claims=tuple(Claim(name, CLAIMS[name], Share.among(true[name])) for name in CLAIMS),
        quantities=tuple(_quantity(name, numbers[name], published) for name in QUANTITIES),
        wrong=statistics.wrong(),
        constant_at_start=Share.among(statistics.constant(0)),
        constant_at_end=Share.among(statistics.constant(-1)),
        falling=Share.among(statistics.alive & (statistics.least + 1 == epochs)),
        sets=PROBLEMS["outlier"].draw(0),
        bands=_bands(table, statistics),
    )


def _quantity(name: str, numbers: Float[np.ndarray, " s"], published: bool) -> Quantity:
    words, units = QUANTITIES[name]
    keras = KERAS.get(name) if published else None
    return Quantity(name, words, units, tuple(quantiles(numbers).tolist()), keras)


@dataclass(frozen=True, eq=False)
class Statistics:
    """The arrays that claims and quantities of each network are computed from."""

    alive: Bool[np.ndarray, " s"]  # whether the network did not diverge
    least: Int[np.ndarray, " s"]  # index of the epoch of the least validation loss, if alive
    losses: Float[np.ndarray, "s epochs"]  # validation loss after each epoch
    right: Float[np.ndarray, "s epochs"]  # validation points classified correctly after each epoch
    training: Float[np.ndarray, "s epochs"]  # training accuracy after each epoch
    logits: Float[np.ndarray, "s kept m"]  # logits of the validation points at the kept epochs
    best: Float[np.ndarray, "s m"]  # logits of the validation points at the least loss
    y: Float[np.ndarray, " m"]  # classes of the validation points

    @classmethod
    def of(cls, table: xr.Dataset) -> Statistics:
        """The arrays of a dataset of `sweep.train`."""
        y = table.validation_y.values
        return cls(
            np.isnan(table.diverged_epoch.values),
            np.nan_to_num(table.best_epoch.values, nan=1.0).astype(int) - 1,
            table.validation_loss.values.astype(float),
            np.round(table.validation_accuracy.values.astype(float) * len(y)),
            table.accuracy.values.astype(float),
            table.validation_logits.values.astype(float),
            table.best_logits.values.astype(float),
            y,
        )

    @cached_property
    def point_losses(self) -> Float[np.ndarray, "s kept m"]:
        """Loss of each validation point at the kept epochs."""
        return _losses(self.logits, self.y)

    def at_least(self, values: Float[np.ndarray, "s epochs"]) -> Float[np.ndarray, " s"]:
        """Values at the epoch of the least loss."""
        return np.take_along_axis(values, self.least[:, None], axis=1)[:, 0]

    def claims(self) -> dict[str, Bool[np.ndarray, " s"]]:
        """For each of `CLAIMS` the networks of which it is true."""
        before, end = self.at_least(self.right), self.right[:, -1]
        above = self.losses > RISE * self.at_least(self.losses)[:, None]
        later = np.arange(self.losses.shape[1]) > self.least[:, None]
        first, last = _others(_losses(self.best, self.y)), _others(self.point_losses[:, -1])
        up = above[:, -1]
        claims = {
            "rises_and_holds": up & (end >= before),
            "rises": up,
            "holds": end >= before,
            "rises_and_improves": up & (end > before),
            "rises_and_loses_one": up & (end >= before - 1),
            "rises_and_holds_for_a_time": (later & above & (self.right >= before[:, None])).any(1),
            "rises_and_training_holds": up & (self.training[:, -1] >= self.at_least(self.training)),
            "others_rise": last > RISE * first,
        }
        return {name: self.alive & true for name, true in claims.items()}

    def quantities(self) -> dict[str, Float[np.ndarray, " s"]]:
        """Each of `QUANTITIES`; nan for networks that diverged."""
        points = self.point_losses[:, -1]
        quantities = {
            "least_loss": self.at_least(self.losses),
            "least_epoch": self.least + 1.0,
            "final_loss": self.losses[:, -1],
            "least_accuracy": self.at_least(self.right) / len(self.y),
            "final_accuracy": self.right[:, -1] / len(self.y),
            "outlier_loss": points[:, OUTLIER],
            "others_least_loss": _others(_losses(self.best, self.y)),
            "others_loss": _others(points),
            "outlier_share": points[:, OUTLIER] / np.sum(points, axis=1),
        }
        return {name: np.where(self.alive, values, np.nan) for name, values in quantities.items()}

    def constant(self, kept: int) -> Bool[np.ndarray, " s"]:
        """Networks that give equal logits to all validation points at a kept epoch."""
        z = self.logits[:, kept]
        return np.isfinite(z).all(axis=1) & (z == z[:, :1]).all(axis=1)

    def wrong(self) -> tuple[Wrong, ...]:
        """How often each validation point is misclassified; networks that diverged never count."""
        x = PROBLEMS["outlier"].draw(0).validation.x[:, 0]
        least, final = (
            ((z > 0) != (self.y > 0)) & self.alive[:, None] for z in (self.best, self.logits[:, -1])
        )
        return tuple(
            Wrong(k, float(x[k]), int(y), Share.among(least[:, k]), Share.among(final[:, k]))
            for k, y in enumerate(self.y)
        )


def _losses(z: Float[np.ndarray, "*s m"], y: Float[np.ndarray, " m"]) -> Float[np.ndarray, "*s m"]:
    """Cross-entropy of each point in nats; nan where training diverged."""
    return np.where(np.isfinite(z), softplus(np.where(y > 0, -z, z)), np.nan)


def _others(points: Float[np.ndarray, "*s m"]) -> Float[np.ndarray, "*s"]:
    """Mean loss of all points but the outlier."""
    return np.delete(points, OUTLIER, axis=-1).mean(axis=-1)


def _bands(table: xr.Dataset, statistics: Statistics) -> xr.Dataset:
    """Quantiles over the networks of each curve, and of the losses of outlier and others."""
    points = statistics.point_losses
    attrs = {"units": "nats", "long_name": "cross-entropy"}
    losses = {"outlier_loss": points[..., OUTLIER], "others_loss": _others(points)}
    with_losses = table.assign(
        {name: (("seed", "kept_epoch"), values, attrs) for name, values in losses.items()}
    )
    return quantile_bands(with_losses, (*CURVES, *losses), BANDS)
