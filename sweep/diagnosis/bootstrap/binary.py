"""The bootstrap of two classes: the scores of many samples, from which the intervals come.

Bootstrap samples of the nodes are drawn and scored batch by batch: matrix products give the means,
cumulative sums the shares of the loss, and Newton's method the recalibrations. Batches run on two
threads; the result depends on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sweep.data.predictions import Predictions
from sweep.diagnosis.bootstrap.nodes import LogitNodes, batch_size, batches, compress, draw
from sweep.diagnosis.bootstrap.refits import BootstrapWeights, Refits, Refitter, Row
from sweep.diagnosis.recalibration import LossDecomposition
from sweep.diagnosis.scores import entropy, loss_shares
from sweep.metrics.logistic import softplus

THREADS = 2  # batches that are worked on at a time


class LossShares(NamedTuple):
    """How few samples account for the loss."""

    worst_1_percent: Row  # share of the loss in the worst 1%
    worst_10_percent: Row  # share of the loss in the worst 10%
    gini: Row  # Gini coefficient of the losses


@dataclass(frozen=True, eq=False)
class Replicates:
    """The scores of R bootstrap samples, each of shape (R,) or (R, k); nan where undefined."""

    cross_entropy: Row  # in nats
    accuracy: Row  # a fraction
    brier: Row  # mean squared error; summed over the classes if there are several
    base_rate_entropy: Row  # cross-entropy of predicting the class shares, in nats
    # Share of the class that is the most frequent in the data. The largest share of each sample
    # would be biased upwards where classes are nearly equal.
    majority_accuracy: Row
    slope: Row  # slope of the best recalibration; infinite where classes are separated
    intercept: Row  # intercept of the best recalibration
    recalibrated: Row  # least cross-entropy over slope and intercept, or its infimum, in nats
    by_slope: Row  # nats that a slope alone saves
    by_intercept: Row  # nats that an intercept alone saves
    by_both: Row  # nats that both save
    worst_1_percent: Row  # as in `LossShares`
    worst_10_percent: Row
    gini: Row
    class_cross_entropy: Float[np.ndarray, "r k"]  # mean loss of each class, in nats
    class_accuracy: Float[np.ndarray, "r k"]  # recall of each class, a fraction

    @classmethod
    def of(
        cls, sums: Float[np.ndarray, "r m"], majority: int, refits: Refits, shares: LossShares
    ) -> Replicates:
        """From sums by class of weight, loss and correctness, and the sum of squared errors."""
        by_class, class_loss, class_right = np.split(sums[:, :-1], 3, axis=1)
        total = np.sum(by_class, axis=1)
        share, loss = by_class / total[:, None], np.sum(class_loss, axis=1) / total
        return cls(
            cross_entropy=loss,
            accuracy=np.sum(class_right, axis=1) / total,
            brier=sums[:, -1] / total,
            base_rate_entropy=entropy(share),
            majority_accuracy=share[:, majority],
            slope=refits.a,
            intercept=refits.b,
            recalibrated=refits.both,
            by_slope=loss - refits.slope,
            by_intercept=loss - refits.intercept,
            by_both=loss - refits.both,
            class_cross_entropy=class_loss / by_class,
            class_accuracy=class_right / by_class,
            **shares._asdict(),
        )


def bootstrap(
    predictions: Predictions, decomposition: LossDecomposition, replicates: int, seed: int
) -> Replicates:
    """The scores of bootstrap samples of the predictions of two classes."""
    nodes = compress(predictions)
    counted = predictions.weight is None
    refitter = Refitter(nodes, decomposition)
    sampler = _Sampler(nodes, refitter, counted, batch_size(nodes, replicates))
    return by_batches(sampler, batches(nodes, replicates, seed))


def by_batches(
    score: Callable[[np.random.Generator, int], Replicates],
    batches: Iterable[tuple[np.random.Generator, int]],
) -> Replicates:
    """The scores of all samples; `score` is called with each generator and number of samples."""
    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(lambda batch: score(*batch), batches))
    return Replicates(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Replicates)
        }
    )


@dataclass(frozen=True, eq=False)
class _Sampler:
    """Draws bootstrap samples and scores them."""

    nodes: LogitNodes  # that samples are drawn from
    refitter: Refitter
    counted: bool  # whether each row counts once
    batch_size: int  # maximum number of samples in a call

    def __call__(self, generator: np.random.Generator, samples: int) -> Replicates:
        weight = draw(self.nodes, generator, samples)
        if not self.counted:
            weight *= self.nodes.weight
        falling, loss = self._falling
        with np.errstate(invalid="ignore", divide="ignore"):
            weights = BootstrapWeights(weight, self.batch_size)
            return Replicates.of(
                weights.sums(self._columns),
                self._majority,
                self.refitter(weights),
                shares_of_samples(
                    (sample[falling] for sample in weight), loss, counted=self.counted
                ),
            )

    @cached_property
    def _majority(self) -> int:
        """The most frequent class of the data."""
        mass = np.bincount(self.nodes.y, self.nodes.count * self.nodes.weight, 2)
        return int(np.argmax(mass))

    @cached_property
    def _columns(self) -> Float[np.ndarray, "M 7"]:
        """The summands of `Replicates.of` at each node."""
        y, margin = self.nodes.y, self.nodes.margin
        right = (self.nodes.z > 0) == y
        summands = np.ones(len(y)), softplus(-margin), right
        by_class = [np.where(of_class, v, 0.0) for v in summands for of_class in (~y, y)]
        return np.stack([*by_class, np.exp(-2 * softplus(margin))], axis=1)

    @cached_property
    def _falling(self) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
        """Nodes by falling loss, and their losses relative to the largest (no sum overflows)."""
        loss = softplus(-self.nodes.margin)
        falling = np.argsort(-loss, kind="stable")
        return falling, loss[falling] / max(np.max(loss), np.finfo(np.float64).tiny)


def shares_of_samples(
    weights: Iterable[Float[np.ndarray, " M"]], loss: Float[np.ndarray, " M"], *, counted: bool
) -> LossShares:
    """The shares of bootstrap samples, by the weights of their nodes in order of falling loss.

    Weights come sample by sample, so that one sample fits in a cache.
    """
    rows = np.array([loss_shares(weight, loss, counted=counted) for weight in weights])
    return LossShares(*rows.T)
