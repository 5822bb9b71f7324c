"""outlier(): how often one point makes the loss rise while accuracy holds.

The data, the network and the optimiser are the published ones, see `sweep.training.problems`. What
is claimed of one training is counted over those of many initial weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.base.memory import MEMORY_BUDGET
from sweep.base.records import plain
from sweep.training.experiments.outlier_statistics import (
    CLAIMS,
    QUANTITIES,
    Statistics,
    Wrong,
    bands,
)
from sweep.training.experiments.recognition import codes, recognised
from sweep.training.experiments.requirements import require_epochs, require_seeds, single
from sweep.training.hyperparameters import Hyperparameters, written
from sweep.training.problems import PROBLEMS
from sweep.training.split import Split
from sweep.training.statistics import LEVELS, Share, quantiles
from sweep.training.train import train

if TYPE_CHECKING:
    import xarray as xr

PUBLISHED: dict[str, Any] = {
    "widths": (3,), "activation": "relu", "optimizer": "adam", "learning_rate": 0.05, "batch": None,
}  # fmt: skip
"""Hyperparameters; the published batch of 20 points is the full set."""

POINTS = 20
"""Of the training set."""

POINT_LOSS = {"units": "nats", "long_name": "cross-entropy at the end, validation set"}

EPOCHS = 300

FEWEST_EPOCHS = 100
"""As published the loss of every one of a thousand networks is least by epoch 95."""

FEWEST_SEEDS = 20
"""With fewer, no network is beyond the 5% and 95% quantiles."""

KEPT = 60
"""Epochs at which the loss of every point is known, about."""

DIAGNOSED = 100
"""Networks that are diagnosed, at most: it takes longer than to train them."""

KERAS = {
    "final_loss": (0.556, 0.608),
    "least_loss": (0.238, 0.308),
    "least_epoch": (23.0, 60.0),
    "final_accuracy": (0.85, 0.90),
    "outlier_loss": (9.4, 10.6),
}
"""Least and greatest among six networks trained by Keras 3, its seeds 0 to 5; epochs from 1."""


@dataclass(frozen=True)
class Claim:
    """Something that is said of training, and of how many networks it is true.

    Attributes:
        name: of `CLAIMS`.
        sentence: in words.
        share: of all networks; one that diverged is none of which it is true.
    """

    name: str
    sentence: str
    share: Share


@dataclass(frozen=True)
class Quantity:
    """A number of every network, over those that did not diverge.

    Attributes:
        name: of `QUANTITIES`.
        words: what it is.
        units: of the quantiles.
        quantiles: at `sweep.training.statistics.LEVELS`.
        keras: least and greatest of six networks of Keras; None if it is not known of these
            hyperparameters.
    """

    name: str
    words: str
    units: str
    quantiles: tuple[float, ...]
    keras: tuple[float, float] | None


@dataclass(frozen=True)
class Outlier:
    """What came of training on the data with an outlier.

    Attributes:
        seeds: networks.
        epochs: of each.
        hyperparameters: by name, as in `sweep.train`.
        published: whether they and the epochs are the published ones.
        claims: what is said of training, and how often it is true.
        quantities: of every network, as quantiles.
        wrong: every validation point, in the order of the rows.
        constant_at_start: networks with the same logit at all validation points before training.
        constant_at_end: the same after it: their hidden units are dead there.
        falling: networks whose validation loss is least at the last epoch, so has not risen yet.
        diverged: networks with a loss that is not finite.
        diverged_epoch: the first epoch of them all with such a loss; nan without any.
        findings: of how many of the first networks `sweep.diagnose` made each finding, by its code,
            the most frequent first.
        sets: the training and the validation set.
        table: everything recorded of every network, the dataset of `sweep.train`, and
            `point_loss`, the loss of every validation point at the end.
        bands: quantiles over the networks, dims (level, epoch) and (level, kept_epoch), levels
            `BANDS`.
    """

    seeds: int
    epochs: int
    hyperparameters: dict[str, Any]
    published: bool
    claims: tuple[Claim, ...]
    quantities: tuple[Quantity, ...]
    wrong: tuple[Wrong, ...]
    constant_at_start: Share
    constant_at_end: Share
    falling: Share
    diverged: Share
    diverged_epoch: float
    findings: dict[str, Share]
    sets: Split
    table: xr.Dataset
    bands: xr.Dataset

    def claim(self, name: str) -> Share:
        """How often a claim of `CLAIMS` is true."""
        return next(one.share for one in self.claims if one.name == name)

    def quantity(self, name: str) -> Quantity:
        """A quantity of `QUANTITIES`."""
        return next(one for one in self.quantities if one.name == name)

    @property
    def gap(self) -> tuple[float, float]:
        """Between which x the classes of the training set meet: class 1 is below, class 0 above."""
        training = self.sets.training
        low, high = (training.x[training.y == k] for k in (1, 0))
        return float(low.max()), float(high.min())

    def to_dict(self) -> dict[str, Any]:
        """Everything but the sets, the table and the bands, as plain Python values."""
        left_out = ("sets", "table", "bands")
        found = {name: value for name, value in vars(self).items() if name not in left_out}
        return plain(found | {"levels": LEVELS})


def outlier(
    *,
    seeds: int | Sequence[int] = 1000,
    epochs: int = EPOCHS,
    dtype: str = "float32",
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = None,
    **hyperparameters: Any,
) -> Outlier:
    """Trains networks on the published data with an outlier, and counts what is said of one.

    Args:
        seeds: how many, from 0; or each of them.
        epochs: how many.
        dtype: "float32", or "float64".
        memory_budget: bytes that may be used beyond input and output.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        **hyperparameters: one value each, in place of the published ones.

    Raises:
        InputError: there are too few seeds or epochs, or what `sweep.train` refuses.
    """
    given = PUBLISHED | hyperparameters
    own = single(given)
    own = replace(own, batch=None if own.batch == POINTS else own.batch)
    published = own == Hyperparameters(**PUBLISHED) and epochs == EPOCHS
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
        **given,
    )
    statistics = Statistics.of(table)
    table["point_loss"] = (("seed", "point"), statistics.point_losses[:, -1], POINT_LOSS)
    lost = table.diverged_epoch.values[~statistics.alive]
    findings = _findings(table, statistics)
    return Outlier(
        seeds=len(table.seed),
        epochs=epochs,
        hyperparameters={name: written(name, getattr(own, name)) for name in given},
        published=published,
        claims=_claims(statistics),
        quantities=_quantities(statistics, published=published),
        wrong=statistics.wrong(),
        constant_at_start=Share.among(statistics.constant(0)),
        constant_at_end=Share.among(statistics.constant(-1)),
        falling=Share.among(statistics.alive & (statistics.least + 1 == epochs)),
        diverged=Share.among(~statistics.alive),
        diverged_epoch=float(lost.min()) if len(lost) else math.nan,
        findings=findings,
        sets=PROBLEMS["outlier"].draw(0),
        table=table,
        bands=bands(table, statistics),
    )


def _claims(statistics: Statistics) -> tuple[Claim, ...]:
    true = statistics.claims()
    return tuple(Claim(name, words, Share.among(true[name])) for name, words in CLAIMS.items())


def _quantities(statistics: Statistics, *, published: bool) -> tuple[Quantity, ...]:
    found = statistics.quantities()
    return tuple(
        Quantity(
            name,
            words,
            units,
            tuple(quantiles(found[name]).tolist()),
            KERAS.get(name) if published else None,
        )
        for name, (words, units) in QUANTITIES.items()
    )


def _findings(table: xr.Dataset, statistics: Statistics) -> dict[str, Share]:
    """How often each finding is made of the first networks."""
    return recognised(codes(table.isel(seed=np.flatnonzero(statistics.alive)[:DIAGNOSED])))
