"""The best decision thresholds of two classes, and how much a threshold other than 0.5 gains.

The best threshold of a sample always looks better than it is, as the same labels choose and judge
it. The bootstrap is inconsistent for it and for its gain, which converge at a cube-root rate (Kim &
Pollard 1990; Abrevaya & Huang 2005, On the bootstrap of the maximum score estimator, Econometrica
73). So the gain is cross-validated, and the evidence for it comes from a random walk: as the
threshold moves away from 0.5 row by row, the gain must exceed what a walk without drift reaches.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from sweep.data.predictions import Predictions
from sweep.diagnosis.report import Estimate, Threshold
from sweep.diagnosis.scores import correct, mean
from sweep.metrics.logistic import sigmoid
from sweep.optima.records import AccuracyOptimum

FOLDS = 10  # of the cross-validation

INVALID = "the bootstrap is inconsistent for a best threshold (cube-root asymptotics)"

# Bengio & Grandvalet 2004, No unbiased estimator of the variance of K-fold cross-validation,
# J. Mach. Learn. Res. 5.
FOLDED = "a cross-validation has no unbiased estimate of its variance"


class ThresholdMove(NamedTuple):
    """A move of the threshold away from 0.5."""

    gain: float  # accuracy gained, a fraction
    evidence: float  # the gain over its standard deviation under chance


class _Ordered(NamedTuple):
    """Samples with ascending logits."""

    z: Float[np.ndarray, " n"]  # logits
    # mass that is right if the sample is predicted as class 1, less that as class 0
    gain: Float[np.ndarray, " n"]
    zero: int  # number of logits <= 0: the threshold 0.5 lies behind so many samples
    total: float  # total mass

    @classmethod
    def of(cls, predictions: Predictions) -> _Ordered:
        order = np.argsort(predictions.logits, kind="stable")
        z = predictions.logits[order]
        zero = int(np.searchsorted(z, 0.0, side="right"))
        signed = np.where(predictions.y == 1, predictions.mass, -predictions.mass)
        return cls(z, signed[order], zero, float(np.sum(predictions.mass)))


def best_threshold(predictions: Predictions, best: AccuracyOptimum, seed: int = 0) -> Threshold:
    """The best thresholds."""
    accuracy = mean(correct(predictions).astype(np.float64), predictions.weight)
    cross_validated = _cross_validated(_Ordered.of(predictions), seed)
    return Threshold(
        logits=best.cuts,
        probabilities=tuple((_sigmoid(low), _sigmoid(high), side) for low, high, side in best.cuts),
        constants=best.constants,
        nearest=_nearest_to_half(best),
        accuracy=Estimate.without(best.value, INVALID),
        gain=Estimate.without(max(0.0, best.value - accuracy), INVALID),
        cross_validated_gain=Estimate.without(cross_validated, FOLDED),
    )


def most_evident_move(predictions: Predictions, min_gain: float) -> ThresholdMove:
    """The move with the most evidence among those that gain at least `min_gain` of accuracy."""
    ordered = _Ordered.of(predictions)
    z, gain, zero = ordered.z, ordered.gain, ordered.zero
    upward = _best_move(z[zero:], -gain[zero:], ordered.total, min_gain)
    below = slice(zero - 1, None, -1) if zero else slice(0, 0)
    downward = _best_move(z[below], gain[below], ordered.total, min_gain)
    return max(upward, downward, key=lambda move: move.evidence)


def move_to(predictions: Predictions, cut: float) -> ThresholdMove:
    """The move of the threshold to a cut of the logit."""
    ordered = _Ordered.of(predictions)
    behind = int(np.searchsorted(ordered.z, cut, side="right"))
    passed = ordered.gain[min(behind, ordered.zero) : max(behind, ordered.zero)]
    gain = float(np.sum(passed)) * (1 if behind < ordered.zero else -1)
    deviation = math.sqrt(float(np.sum(passed**2)))
    return ThresholdMove(gain / ordered.total, gain / deviation if deviation else 0.0)


def _best_move(
    z: Float[np.ndarray, " m"], gain: Float[np.ndarray, " m"], total: float, min_gain: float
) -> ThresholdMove:
    """The move past the first samples, given in the order of passing, with the most evidence."""
    if len(z) == 0:
        return ThresholdMove(0.0, 0.0)
    # Under chance each gain has a random sign: a walk whose variance is the sum of squares.
    summed, deviation = np.cumsum(gain), np.sqrt(np.cumsum(gain**2))
    ends_ties = np.append(z[1:] != z[:-1], True)
    allowed = (summed >= min_gain * total) & (summed > 0) & ends_ties
    evidence = np.divide(summed, deviation, out=np.zeros_like(summed), where=allowed)
    best = int(np.argmax(evidence))
    return ThresholdMove(float(summed[best]) / total, float(evidence[best]))


def _nearest_to_half(best: AccuracyOptimum) -> float:
    """0.5 if it is a best threshold, else the middle of the interval of them nearest to it."""
    upward = [(low, high) for low, high, orientation in best.cuts if orientation > 0]
    # Class 1 above the cut 0 is z > 0: the next float is the lowest such z.
    if any(low <= 0 < high for low, high in upward):
        return 0.5
    middles = [_sigmoid(low + (high - low) / 2) for low, high in upward]
    return min(middles, key=lambda middle: abs(middle - 0.5), default=math.nan)


def _sigmoid(z: float) -> float:
    return float(sigmoid(np.array(z)))


def _cross_validated(ordered: _Ordered, seed: int) -> float:
    """Accuracy gained on each fold by the best threshold of the others; summed over the folds."""
    n = len(ordered.z)
    fold = np.random.default_rng(seed).permutation(n) % FOLDS
    is_cut = np.concatenate([[True], ordered.z[1:] != ordered.z[:-1], [True]])
    return sum(_held_out_gain(ordered, fold == k, is_cut) for k in range(FOLDS)) / ordered.total


def _held_out_gain(
    ordered: _Ordered, held: Bool[np.ndarray, " n"], is_cut: Bool[np.ndarray, " m"]
) -> float:
    """Mass gained on the held-out samples; of equally good thresholds the one nearest to 0.5."""
    as_class1 = np.concatenate([[0.0], np.cumsum(np.where(held, 0.0, ordered.gain))])
    score = np.where(is_cut, -as_class1, -np.inf)
    best = np.flatnonzero(score == score.max())
    cut = int(best[np.argmin(np.abs(best - ordered.zero))])
    passed = slice(min(cut, ordered.zero), max(cut, ordered.zero))
    gain = float(np.sum(ordered.gain[passed][held[passed]]))
    return gain if cut < ordered.zero else -gain
