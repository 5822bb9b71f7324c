"""Scores of the predictions as they are: loss, accuracy, baselines, concentration of the loss.

A sample adds its weight times its loss to the total. "The worst 1%" are the samples with the
largest loss; with weights, those that hold 1% of the weight, the last one in part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.data.predictions import Predictions
from sweep.metrics.logistic import softplus

CHUNK_LOGITS = 2**20  # of several classes: 8 MiB a temporary array
SUM_ROUNDING = 1e-12  # relative; two sums of the same numbers in another order differ by less


class Shares(NamedTuple):
    """How few samples account for the loss, as in `sweep.diagnosis.report.Concentration`."""

    worst_1: float  # nan, like the other shares, if all losses are 0
    worst_5: float
    worst_1_percent: float
    worst_10_percent: float
    gini: float
    half: int  # 0 if all losses are 0


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of the predictions as they are, under the names of their bootstrap replicates."""

    cross_entropy: float  # mean loss, in nats
    accuracy: float  # a fraction
    brier: float  # mean squared error; summed over the classes if there are several
    base_rate_entropy: float  # cross-entropy of predicting the class shares, in nats
    majority_accuracy: float  # the largest class share
    class_n: Int[np.ndarray, " k"]  # samples of each class
    class_share: Float[np.ndarray, " k"]  # share of the weight of each class
    class_cross_entropy: Float[np.ndarray, " k"]  # mean loss in nats; nan without weight
    class_accuracy: Float[np.ndarray, " k"]  # recall, a fraction; nan without weight
    shares: Shares


def scores(predictions: Predictions) -> Scores:
    """All scores, exact but for rounding."""
    loss, right = predictions.losses, correct(predictions).astype(np.float64)
    weight, share = predictions.weight, class_shares(predictions)
    class_mass = _class_sums(predictions)
    with np.errstate(invalid="ignore"):
        class_loss = _class_sums(predictions, loss) / class_mass
        class_accuracy = _class_sums(predictions, right) / class_mass
    return Scores(
        cross_entropy=mean(loss, weight),
        accuracy=mean(right, weight),
        brier=mean(squared_errors(predictions), weight),
        base_rate_entropy=float(entropy(share)),
        majority_accuracy=float(np.max(share)),
        class_n=np.bincount(predictions.y, minlength=len(share)),
        class_share=share,
        class_cross_entropy=class_loss,
        class_accuracy=class_accuracy,
        shares=shares(loss, weight),
    )


# --- scores of each sample ----------------------------------------------------------------------


def log_probabilities(predictions: Predictions) -> Float[np.ndarray, "n k"]:
    """Log-probabilities of several classes."""
    z = predictions.logits - np.max(predictions.logits, axis=1, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))


def predicted(predictions: Predictions) -> Int[np.ndarray, " n"]:
    """The predicted class of each sample.

    With two classes it is class 1 where z > 0; with several, the first of the largest logits.
    """
    if predictions.binary:
        return (predictions.logits > 0).astype(np.int64)
    return np.argmax(predictions.logits, axis=1)


def correct(predictions: Predictions) -> Bool[np.ndarray, " n"]:
    """Whether each sample is predicted correctly."""
    return predicted(predictions) == predictions.y


def worst_rows(loss: Float[np.ndarray, " n"], most: int) -> Int[np.ndarray, " m"]:
    """Rows of the `most` largest losses, largest first; equal losses in order of their row."""
    m = min(most, len(loss))
    rows = np.argpartition(-loss, m - 1)[:m]
    return rows[np.lexsort((rows, -loss[rows]))]


def squared_errors(predictions: Predictions) -> Float[np.ndarray, " n"]:
    """(p - y)^2 of each sample, summed over several classes (Brier 1950, equation 2)."""
    z, y = predictions.logits, predictions.y
    if predictions.binary:
        return np.exp(-2 * softplus(np.where(y == 1, z, -z)))
    rows = max(1, CHUNK_LOGITS // z.shape[1])
    chunks = (slice(start, start + rows) for start in range(0, len(z), rows))
    return np.concatenate([_squared_errors(z[chunk], y[chunk]) for chunk in chunks])


def _squared_errors(
    z: Float[np.ndarray, "m k"], y: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    row, top = np.arange(len(z)), np.argmax(z, axis=1)
    odds = np.exp(z - z[row, top][:, None])
    odds[row, top] = 0.0
    others = np.sum(odds, axis=1)
    odds[row, top] = 1.0
    odds[row, y] = 0.0
    # The sum over the wrong classes is 1 - p without cancellation, also where p rounds to 1.
    return (np.sum(odds, axis=1) ** 2 + np.sum(odds**2, axis=1)) / (1.0 + others) ** 2


# --- means and tests ----------------------------------------------------------------------------


def mean(values: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"] | None) -> float:
    """Weighted mean."""
    if weight is None:
        return float(np.mean(values))
    return float(np.sum(weight * values) / np.sum(weight))


def effective_n(predictions: Predictions) -> float:
    """Kish's effective number of samples, (sum w)^2 / sum w^2; n if all weights are equal."""
    scaled = predictions.mass / np.max(predictions.mass)  # so that no square overflows
    return float(np.sum(scaled) ** 2 / np.sum(scaled**2))


def within_chance(
    predictions: Predictions, excess: float, parameters: int, level: float = 0.95
) -> bool:
    """Whether a likelihood ratio test does not reject a fit with this excess loss."""
    from scipy.stats import chi2  # slow to import, and needed in few places

    return 2 * effective_n(predictions) * excess < float(chi2.ppf(level, parameters))


def class_shares(predictions: Predictions) -> Float[np.ndarray, " k"]:
    """Share of the weight of each class."""
    class_mass = _class_sums(predictions)
    return class_mass / np.sum(class_mass)


def entropy(share: Float[np.ndarray, "*r k"]) -> Float[np.ndarray, "*r"]:
    """Entropy in nats of shares that add up to 1."""
    positive = np.where(share > 0, share, 1.0)  # 0 log 0 is 0, and so is 1 log 1
    return np.asarray(0.0 - np.sum(positive * np.log(positive), axis=-1))


def _class_sums(
    predictions: Predictions, values: Float[np.ndarray, " n"] | float = 1.0
) -> Float[np.ndarray, " k"]:
    """Weighted sum of the values over each class."""
    return np.bincount(predictions.y, predictions.mass * values, len(predictions.classes))


# --- shares of the loss -------------------------------------------------------------------------


def shares(loss: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"] | None = None) -> Shares:
    """How few samples account for the loss."""
    largest = np.max(loss)
    if largest == 0 or (weight is not None and not np.any(weight * loss > 0)):
        return Shares(*[np.nan] * 5, half=0)
    loss = loss / largest  # so that no sum overflows
    falling = np.argsort(-loss)
    mass = np.ones(len(loss)) if weight is None else weight[falling] / np.max(weight)
    largest_first = np.cumsum(-np.sort(-mass * loss[falling]))
    half = int(np.searchsorted(largest_first, largest_first[-1] * (1 - SUM_ROUNDING) / 2)) + 1
    single, five = (largest_first[:most][-1].item() for most in (1, 5))
    total = float(np.sum(mass * loss[falling]))
    parts = loss_shares(mass, loss[falling], counted=weight is None)
    return Shares(single / total, five / total, *parts, half)


def loss_shares(
    weight: Float[np.ndarray, " m"], loss: Float[np.ndarray, " m"], *, counted: bool
) -> tuple[float, float, float]:
    """Shares of the loss in the worst 1% and 10% of the weight, and its Gini coefficient.

    Losses must fall. If samples are `counted`, the worst are rounded up to whole ones.
    """
    below, adds = np.cumsum(weight), weight * loss
    total_mass, total_loss = below[-1], np.sum(adds)
    worst = []
    for part in (total_mass / 100, total_mass / 10):
        mass = np.ceil(part) if counted else part
        last = min(int(np.searchsorted(below, mass)), len(loss) - 1)
        left = mass - (below[last] - weight[last])
        worst.append(float((np.sum(adds[:last]) + left * loss[last]) / total_loss))
    # Gini: sum over pairs |loss_i - loss_j|; each loss enters + below and - above its rank.
    pairs = np.sum(adds * (total_mass - 2 * below + weight))
    return worst[0], worst[1], float(pairs / (total_loss * total_mass))
