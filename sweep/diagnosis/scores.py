"""The numbers of the data as they are: loss, accuracy, baselines, and how few samples the loss has.

A sample adds its weight times its loss. "The worst 1%" are the rows of largest loss; with weights,
those that hold 1% of the weight, the last one in part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.data.predictions import Predictions
from sweep.metrics.logistic import softplus

AT_ONCE = 2**20
"""Logits of several classes that are taken at once."""

SAME = 1e-12
"""Relative difference of two sums that is rounding."""


class Shares(NamedTuple):
    """How few samples the loss comes from, as in `sweep.diagnosis.report.Concentration`.

    Attributes:
        worst_1: share of the loss in the sample that adds most to it; nan if all losses are 0.
        worst_5: in the five that add most.
        worst_1_percent: in the worst 1%.
        worst_10_percent: in the worst 10%.
        gini: Gini coefficient.
        half: least number of samples that add half of the loss; 0 if all losses are 0.
    """

    worst_1: float
    worst_5: float
    worst_1_percent: float
    worst_10_percent: float
    gini: float
    half: int


@dataclass(frozen=True, eq=False)
class Scores:
    """The numbers of the data as they are.

    Attributes:
        cross_entropy: in nats.
        accuracy: a fraction.
        brier: mean squared error; for several classes summed over them.
        base_rate_entropy: cross-entropy of predicting the shares of the classes, in nats.
        majority_accuracy: the largest of them.
        class_n: samples of each class, shape (k,).
        class_share: share of the weight that each has, shape (k,).
        class_cross_entropy: mean loss of each, in nats, shape (k,); nan where there is no weight.
        class_accuracy: recall of each, a fraction, shape (k,); nan likewise.
        shares: how few samples the loss comes from.
    """

    cross_entropy: float
    accuracy: float
    brier: float
    base_rate_entropy: float
    majority_accuracy: float
    class_n: Int[np.ndarray, " k"]
    class_share: Float[np.ndarray, " k"]
    class_cross_entropy: Float[np.ndarray, " k"]
    class_accuracy: Float[np.ndarray, " k"]
    shares: Shares


def scores(predictions: Predictions) -> Scores:
    """All of them, exactly."""
    loss, right = losses(predictions), correct(predictions)
    weight, share = predictions.weight, class_shares(predictions)
    total = _by_class(predictions, None)
    with np.errstate(invalid="ignore"):
        class_loss = _by_class(predictions, loss) / total
        class_accuracy = _by_class(predictions, right.astype(np.float64)) / total
    return Scores(
        cross_entropy=mean(loss, weight),
        accuracy=mean(right.astype(np.float64), weight),
        brier=mean(squared_errors(predictions), weight),
        base_rate_entropy=float(entropy(share)),
        majority_accuracy=float(np.max(share)),
        class_n=np.bincount(predictions.y, minlength=len(share)),
        class_share=share,
        class_cross_entropy=class_loss,
        class_accuracy=class_accuracy,
        shares=shares(loss, weight),
    )


def losses(predictions: Predictions) -> Float[np.ndarray, " n"]:
    """Cross-entropy of each sample in nats, to relative precision also where it is minute."""
    if predictions.binary:
        return softplus(-margins(predictions))
    return np.concatenate(
        [np.log1p(part.rest) + (part.best - part.own) for part in _parts(predictions)]
    )


def log_probabilities(predictions: Predictions) -> Float[np.ndarray, "n k"]:
    """Logarithms of the probabilities of several classes."""
    z = predictions.logits - np.max(predictions.logits, axis=1, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))


def predicted(predictions: Predictions) -> Int[np.ndarray, " n"]:
    """The class that is predicted for each sample.

    Of two classes, class 1 where z > 0; of several, the first of those with the largest logit.
    """
    if predictions.binary:
        return (predictions.logits > 0).astype(np.int64)
    return np.argmax(predictions.logits, axis=1)


def correct(predictions: Predictions) -> Bool[np.ndarray, " n"]:
    """Whether the class of each sample is predicted."""
    return predicted(predictions) == predictions.y


def worst_rows(loss: Float[np.ndarray, " n"], most: int) -> Int[np.ndarray, " m"]:
    """Rows of the largest losses, so many of them at most: largest first, equal ones by row."""
    m = min(most, len(loss))
    rows = np.argpartition(-loss, m - 1)[:m]
    return rows[np.lexsort((rows, -loss[rows]))]


def squared_errors(predictions: Predictions) -> Float[np.ndarray, " n"]:
    """(p - y)^2 of each sample; for several classes summed over them (Brier 1950, equation 2)."""
    if predictions.binary:
        return np.exp(-2 * softplus(margins(predictions)))
    return np.concatenate([part.squared_error for part in _parts(predictions)])


def margins(predictions: Predictions) -> Float[np.ndarray, " n"]:
    """Of two classes: log-odds of the class that came true."""
    return np.where(predictions.y == 1, predictions.logits, -predictions.logits)


def mean(values: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"] | None) -> float:
    """Mean by weight."""
    if weight is None:
        return float(np.mean(values))
    return float(np.sum(weight * values) / np.sum(weight))


def effective(predictions: Predictions) -> float:
    """Kish's effective number of the samples: n unless their weights differ."""
    scaled = predictions.mass / np.max(predictions.mass)  # so that no square overflows
    return float(np.sum(scaled) ** 2 / np.sum(scaled**2))


def within_chance(
    predictions: Predictions, excess: float, parameters: int, level: float = 0.95
) -> bool:
    """Whether a likelihood ratio test would not reject what has so much more loss.

    Args:
        predictions: the data.
        excess: mean cross-entropy above the least, in nats.
        parameters: how many were free to find the least.
        level: 1 less the share of what is true that the test rejects.
    """
    from scipy.stats import chi2

    return 2 * effective(predictions) * excess < float(chi2.ppf(level, parameters))


def class_shares(predictions: Predictions) -> Float[np.ndarray, " k"]:
    """Share of the weight that each class has."""
    total = _by_class(predictions, None)
    return total / np.sum(total)


def entropy(share: Float[np.ndarray, "*r k"]) -> Float[np.ndarray, "*r"]:
    """Entropy in nats of shares that add up to 1."""
    known = np.where(share > 0, share, 1.0)
    return np.asarray(0.0 - np.sum(known * np.log(known), axis=-1))


def shares(loss: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"] | None = None) -> Shares:
    """How few samples the loss comes from.

    Args:
        loss: of each sample, >= 0.
        weight: of each sample; None means that each counts once.
    """
    largest = np.max(loss)
    if largest == 0 or (weight is not None and not np.any(weight * loss > 0)):
        return Shares(*[np.nan] * 5, half=0)
    loss = loss / largest  # so that no sum overflows
    falling = np.argsort(-loss)
    count = np.ones(len(loss)) if weight is None else weight[falling] / np.max(weight)
    adds = count * loss[falling]
    total, whole = np.sum(adds), np.sum(count)
    summed, below = (np.concatenate([[0.0], np.cumsum(v)]) for v in (adds, count))
    parts = worst_parts(below[-1:], counted=weight is None)
    one_percent, ten_percent = (np.interp(part, below, summed).item() for part in parts)
    # With what is on either side of it, each sample makes a pair of every other.
    gini = np.sum(adds * (whole - below[1:] - below[:-1])) / (total * whole)
    by_part = np.cumsum(-np.sort(-adds))
    half = int(np.searchsorted(by_part, by_part[-1] * (1 - SAME) / 2)) + 1
    return Shares(
        worst_1=float(by_part[0] / total),
        worst_5=float(by_part[:5][-1] / total),
        worst_1_percent=float(one_percent / total),
        worst_10_percent=float(ten_percent / total),
        gini=float(gini),
        half=half,
    )


def worst_parts(
    whole: Float[np.ndarray, " r"], *, counted: bool
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
    """The weight in the worst 1% and 10% of a whole: of samples that are counted, whole ones."""
    parts = whole / 100, whole / 10
    return (np.ceil(parts[0]), np.ceil(parts[1])) if counted else parts


def _by_class(
    predictions: Predictions, values: Float[np.ndarray, " n"] | None
) -> Float[np.ndarray, " k"]:
    """Sum of values by weight, or of the weight alone, over each class."""
    weight = predictions.weight
    if values is not None and weight is not None:
        values = values * weight
    each = weight if values is None else values
    return np.bincount(predictions.y, each, len(predictions.classes)).astype(np.float64)


class _Part(NamedTuple):
    """Some samples of several classes.

    Attributes:
        own: logit of the class that came true.
        best: largest logit.
        rest: sum of exp(z - best) over the other logits.
        squared_error: of the probabilities.
    """

    own: Float[np.ndarray, " m"]
    best: Float[np.ndarray, " m"]
    rest: Float[np.ndarray, " m"]
    squared_error: Float[np.ndarray, " m"]


def _parts(predictions: Predictions) -> Iterator[_Part]:
    rows = max(1, AT_ONCE // predictions.logits.shape[1])
    for start in range(0, len(predictions), rows):
        part = slice(start, start + rows)
        yield _part(predictions.logits[part], predictions.y[part])


def _part(z: Float[np.ndarray, "m k"], y: Int[np.ndarray, " m"]) -> _Part:
    row, largest = np.arange(len(z)), np.argmax(z, axis=1)
    own, best = z[row, y], z[row, largest]
    odds = np.exp(z - best[:, None])
    odds[row, largest] = 0.0
    rest = np.sum(odds, axis=1)
    odds[row, largest] = 1.0
    odds[row, y] = 0.0
    # What the other classes have is 1 - p also where p rounds to 1.
    squared = np.sum(odds, axis=1) ** 2 + np.sum(odds**2, axis=1)
    return _Part(own, best, rest, squared / (1.0 + rest) ** 2)
