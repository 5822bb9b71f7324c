"""What is measured and counted of networks that learn data with an outlier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.training.problems import OUTLIER, PROBLEMS
from sweep.training.results import CURVES
from sweep.training.statistics import Share, quantile_bands

if TYPE_CHECKING:
    import xarray as xr

RISE = 1.5
"""The loss counts as risen above this many times its least value."""

BANDS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Levels of the quantiles of curves: the few networks that die are beyond them."""

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
"""What is told of every network: in words, and the unit. Accuracies are those of validation; the
loss of the others is the mean over all other validation points, `least` at the least loss."""

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
"""What is counted: from the epoch of the least validation loss to the end, of the validation set
unless it says otherwise."""


@dataclass(frozen=True)
class Wrong:
    """How often one validation point is predicted wrongly.

    Attributes:
        row: its place in the validation set, from 0.
        x: its input.
        y: its class.
        least: networks that predict it wrongly when their validation loss is least.
        final: networks that do at the end.
    """

    row: int
    x: float
    y: int
    least: Share
    final: Share


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the statistics of every network are made from.

    Attributes:
        alive: whether it did not diverge.
        least: place of the epoch of the least validation loss; of those that diverged, any.
        losses: of the validation set, after each epoch.
        right: validation points predicted rightly, after each epoch.
        training: training accuracy, after each epoch.
        logits: of the validation points at the kept epochs.
        best: of them at the least loss.
        y: their classes.
    """

    alive: Bool[np.ndarray, " s"]
    least: Int[np.ndarray, " s"]
    losses: Float[np.ndarray, "s epochs"]
    right: Float[np.ndarray, "s epochs"]
    training: Float[np.ndarray, "s epochs"]
    logits: Float[np.ndarray, "s kept m"]
    best: Float[np.ndarray, "s m"]
    y: Float[np.ndarray, " m"]

    @classmethod
    def of(cls, table: xr.Dataset) -> Statistics:
        """From what was recorded."""
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
        return losses(self.logits, self.y)

    def at_least(self, values: Float[np.ndarray, "s epochs"]) -> Float[np.ndarray, " s"]:
        """Values at the epoch of the least loss."""
        return np.take_along_axis(values, self.least[:, None], axis=1)[:, 0]

    def claims(self) -> dict[str, Bool[np.ndarray, " s"]]:
        """Of which networks each of `CLAIMS` is true."""
        before, end = self.at_least(self.right), self.right[:, -1]
        above = self.losses > RISE * self.at_least(self.losses)[:, None]
        later = np.arange(self.losses.shape[1]) > self.least[:, None]
        first, last = others(losses(self.best, self.y)), others(self.point_losses[:, -1])
        up = above[:, -1]
        found = {
            "rises_and_holds": up & (end >= before),
            "rises": up,
            "holds": end >= before,
            "rises_and_improves": up & (end > before),
            "rises_and_loses_one": up & (end >= before - 1),
            "rises_and_holds_for_a_time": (later & above & (self.right >= before[:, None])).any(1),
            "rises_and_training_holds": up & (self.training[:, -1] >= self.at_least(self.training)),
            "others_rise": last > RISE * first,
        }
        return {name: self.alive & true for name, true in found.items()}

    def quantities(self) -> dict[str, Float[np.ndarray, " s"]]:
        """Each of `QUANTITIES`; nan of networks that diverged."""
        points = self.point_losses[:, -1]
        found = {
            "least_loss": self.at_least(self.losses),
            "least_epoch": self.least + 1.0,
            "final_loss": self.losses[:, -1],
            "least_accuracy": self.at_least(self.right) / len(self.y),
            "final_accuracy": self.right[:, -1] / len(self.y),
            "outlier_loss": points[:, OUTLIER],
            "others_least_loss": others(losses(self.best, self.y)),
            "others_loss": others(points),
            "outlier_share": points[:, OUTLIER] / np.sum(points, axis=1),
        }
        return {name: np.where(self.alive, values, np.nan) for name, values in found.items()}

    def constant(self, kept: int) -> Bool[np.ndarray, " s"]:
        """Which networks give the same logit to all validation points at a kept epoch."""
        z = self.logits[:, kept]
        return np.isfinite(z).all(axis=1) & (z == z[:, :1]).all(axis=1)

    def wrong(self) -> tuple[Wrong, ...]:
        """How often each validation point is predicted wrongly; by networks that diverged never."""
        x = PROBLEMS["outlier"].draw(0).validation.x[:, 0]
        least, final = (
            ((z > 0) != (self.y > 0)) & self.alive[:, None] for z in (self.best, self.logits[:, -1])
        )
        return tuple(
            Wrong(k, float(x[k]), int(y), Share.among(least[:, k]), Share.among(final[:, k]))
            for k, y in enumerate(self.y)
        )


def losses(z: Float[np.ndarray, "*s m"], y: Float[np.ndarray, " m"]) -> Float[np.ndarray, "*s m"]:
    """Cross-entropy of each point in nats; nan where training diverged."""
    with np.errstate(invalid="ignore"):
        return np.logaddexp(0.0, z) - y * z


def others(points: Float[np.ndarray, "*s m"]) -> Float[np.ndarray, "*s"]:
    """Mean loss of all points but the outlier."""
    return np.delete(points, OUTLIER, axis=-1).mean(axis=-1)


def bands(table: xr.Dataset, statistics: Statistics) -> xr.Dataset:
    """Quantiles over the networks of every curve, and of the loss of the outlier and the others."""
    points = statistics.point_losses
    about = {"units": "nats", "long_name": "cross-entropy"}
    parts = {"outlier_loss": points[..., OUTLIER], "others_loss": others(points)}
    whole = table.assign(
        {name: (("seed", "kept_epoch"), values, about) for name, values in parts.items()}
    )
    return quantile_bands(whole, (*CURVES, *parts), BANDS)
