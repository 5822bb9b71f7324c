"""The numbers of bootstrap samples, from which the intervals come.

A thousand samples of the nodes are drawn by parts, and each part goes through at once: products
with a matrix give means, cumulative sums give shares, and Newton's method the
recalibrations. Two parts are under way at a time; what a seed gives does not depend on that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from sweep.data.predictions import Predictions
from sweep.diagnosis.bootstrap.draws import at_once, draw, seeds
from sweep.diagnosis.bootstrap.nodes import LogitNodes, compress
from sweep.diagnosis.bootstrap.refits import BootstrapWeights, Refitter, Row, Start
from sweep.diagnosis.decomposition import LossDecomposition
from sweep.diagnosis.scores import entropy, worst_parts
from sweep.metrics.logistic import softplus

THREADS = 2
"""Parts that are under way at a time."""


@dataclass(frozen=True, eq=False)
class Replicates:
    """The numbers of R bootstrap samples, each of shape (R,) or (R, k); nan where there is none.

    Attributes:
        cross_entropy: in nats.
        accuracy: a fraction.
        brier: mean squared error; for several classes summed over them.
        base_rate_entropy: cross-entropy of predicting the shares of the classes, in nats.
        majority_accuracy: share of the class that is the most frequent of the data. The largest
            share of each sample would be too large wherever classes are nearly equal.
        slope: of the best recalibration; infinite where classes are separated.
        intercept: of the best recalibration.
        recalibrated: least cross-entropy over slope and intercept, or its infimum, in nats.
        by_slope: what a slope alone saves, in nats.
        by_intercept: what an intercept alone saves, in nats.
        by_both: what both save, in nats.
        worst_1_percent: share of the loss in the worst 1%.
        worst_10_percent: in the worst 10%.
        gini: Gini coefficient of the losses.
        class_cross_entropy: mean loss of each class, in nats.
        class_accuracy: recall of each class, a fraction.
    """

    cross_entropy: Row
    accuracy: Row
    brier: Row
    base_rate_entropy: Row
    majority_accuracy: Row
    slope: Row
    intercept: Row
    recalibrated: Row
    by_slope: Row
    by_intercept: Row
    by_both: Row
    worst_1_percent: Row
    worst_10_percent: Row
    gini: Row
    class_cross_entropy: Float[np.ndarray, "r k"]
    class_accuracy: Float[np.ndarray, "r k"]


def bootstrap(
    predictions: Predictions, every: LossDecomposition, replicates: int, seed: int
) -> Replicates:
    """The numbers of bootstrap samples of the predictions of two classes.

    Args:
        predictions: of two classes.
        every: the split of their loss.
        replicates: samples to draw, at least 1.
        seed: of the draws.
    """
    nodes = compress(predictions)
    start = Start(every.a, every.b, every.slope_alone, every.intercept_alone)
    counted = predictions.weight is None
    part = _Part(nodes, Refitter(nodes, start), counted, at_once(nodes, replicates))
    return in_parts(part, seeds(nodes, replicates, seed))


def in_parts(
    part: Callable[[np.random.Generator, int], Replicates],
    seeds: Iterable[tuple[np.random.Generator, int]],
) -> Replicates:
    """The numbers of all samples, found part by part.

    Args:
        part: (generator, samples) -> the numbers of so many samples.
        seeds: what it is called with.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(lambda job: part(*job), seeds))
    return Replicates(
        **{
            field.name: np.concatenate([getattr(one, field.name) for one in parts])
            for field in fields(Replicates)
        }
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Draws some bootstrap samples and finds their numbers.

    Attributes:
        nodes: what they are drawn from.
        refitter: finds their recalibrations.
        counted: whether rows count once each.
        at_once: most samples that are drawn at once.
    """

    nodes: LogitNodes
    refitter: Refitter
    counted: bool
    at_once: int

    def __call__(self, generator: np.random.Generator, samples: int) -> Replicates:
        weight = draw(self.nodes, generator, samples)
        if not self.counted:
            weight *= self.nodes.weight
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.of(weight)

    def of(self, weight: Float[np.ndarray, "r M"]) -> Replicates:
        """The numbers of samples, by the weight of each node in each of them."""
        samples = BootstrapWeights.of(weight, self.at_once)
        total, ones, loss, loss1, right, right1, squares = samples.sums(self._columns).T
        by_class = np.stack([total - ones, ones], axis=1)
        share = by_class / total[:, None]
        refits = self.refitter(samples)
        worst_1_percent, worst_10_percent, gini = self._shares(weight)
        return Replicates(
            cross_entropy=loss / total,
            accuracy=right / total,
            brier=squares / total,
            base_rate_entropy=entropy(share),
            majority_accuracy=share[:, self._majority],
            slope=refits.a,
            intercept=refits.b,
            recalibrated=refits.both,
            by_slope=loss / total - refits.slope,
            by_intercept=loss / total - refits.intercept,
            by_both=loss / total - refits.both,
            worst_1_percent=worst_1_percent,
            worst_10_percent=worst_10_percent,
            gini=gini,
            class_cross_entropy=np.stack([loss - loss1, loss1], axis=1) / by_class,
            class_accuracy=np.stack([right - right1, right1], axis=1) / by_class,
        )

    @cached_property
    def _majority(self) -> int:
        """The most frequent class of the data."""
        mass = np.bincount(self.nodes.y, self.nodes.count * self.nodes.weight, 2)
        return int(np.argmax(mass))

    @cached_property
    def _columns(self) -> Float[np.ndarray, "M 7"]:
        """What the weights are multiplied by: 1, loss, right, each also for class 1 alone; ..."""
        y, margin = self.nodes.y.astype(np.float64), self.nodes.margin
        right = ((self.nodes.z > 0) == self.nodes.y).astype(np.float64)
        squares = np.exp(-2 * softplus(margin))
        loss = softplus(-margin)
        return np.stack([np.ones(len(y)), y, loss, loss * y, right, right * y, squares], axis=1)

    def _shares(self, weight: Float[np.ndarray, "r M"]) -> tuple[Row, Row, Row]:
        """Worst 1%, worst 10% and Gini coefficient."""
        falling, loss = self._falling
        return shares((one[falling] for one in weight), loss, counted=self.counted)

    @cached_property
    def _falling(self) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
        """Nodes by falling loss, and their losses in a unit in which no sum overflows."""
        loss = softplus(-self.nodes.margin)
        falling = np.argsort(-loss, kind="stable")
        return falling, loss[falling] / max(np.max(loss), np.finfo(np.float64).tiny)


def shares(
    weights: Iterable[Float[np.ndarray, " M"]], loss: Float[np.ndarray, " M"], *, counted: bool
) -> tuple[Row, Row, Row]:
    """Worst 1%, worst 10% and Gini coefficient of bootstrap samples.

    Args:
        weights: of each node, sample by sample, so that the nodes of one stay in a cache.
        loss: of each node, falling.
        counted: whether rows count once each.
    """
    found = np.array([_shares(one, loss, counted=counted) for one in weights])
    return found[:, 0], found[:, 1], found[:, 2]


def _shares(
    weight: Float[np.ndarray, " M"], loss: Float[np.ndarray, " M"], *, counted: bool
) -> tuple[float, float, float]:
    """Those of one sample, by sums from the largest loss on."""
    below, adds = np.cumsum(weight), weight * loss
    whole, total = below[-1], np.sum(adds)
    pairs = np.sum(adds * (whole - 2 * below + weight))
    worst = []
    for part in worst_parts(below[-1:], counted=counted):
        last = min(int(np.searchsorted(below, part[0])), len(loss) - 1)
        left = part[0] - (below[last] - weight[last])
        worst.append(np.sum(adds[:last]) + left * loss[last])
    return worst[0] / total, worst[1] / total, pairs / (total * whole)
