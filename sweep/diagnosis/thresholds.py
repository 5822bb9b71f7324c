"""The best decision thresholds of two classes, and what another one than 0.5 would gain.

The best threshold of a sample always looks better than it is, for it is chosen on the same labels;
and the bootstrap knows neither it nor its gain, for both settle at the rate of a cube root (Kim &
Pollard 1990; Abrevaya & Huang 2005, On the bootstrap of the maximum score estimator, Econometrica
73). So the gain is cross-validated, and evidence for it is a walk: going from 0.5 outward row by
row, what is gained must exceed what chance would by more than any walk without drift does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.data.predictions import Predictions
from sweep.diagnosis.report import Estimate, Threshold
from sweep.diagnosis.scores import correct, mean
from sweep.metrics.logistic import sigmoid
from sweep.optima.records import AccuracyOptimum

FOLDS = 10
"""Of the cross-validation."""

INVALID = "the bootstrap is inconsistent for a best threshold (cube-root asymptotics)"

FOLDED = "no estimate of the variance of a cross-validation is unbiased"
"""Bengio & Grandvalet 2004, J. Mach. Learn. Res. 5."""


class ThresholdMove(NamedTuple):
    """The move of the threshold away from 0.5 with the most evidence.

    Attributes:
        gain: of accuracy, a fraction.
        evidence: the gain over the standard deviation that it would have by chance.
    """

    gain: float
    evidence: float


class _Ordered(NamedTuple):
    """Samples with logits ascending.

    Attributes:
        z: logits.
        gain: what predicting class 1 adds to the mass that is right, for each.
        zero: how many logits are not above 0.
        total: mass.
    """

    z: Float[np.ndarray, " n"]
    gain: Float[np.ndarray, " n"]
    zero: int
    total: float

    @classmethod
    def of(cls, predictions: Predictions) -> _Ordered:
        order = np.argsort(predictions.logits, kind="stable")
        z = predictions.logits[order]
        zero = int(np.searchsorted(z, 0.0, side="right"))
        signed = np.where(predictions.y == 1, predictions.mass, -predictions.mass)
        return cls(z, signed[order], zero, float(np.sum(predictions.mass)))


def threshold(predictions: Predictions, best: AccuracyOptimum, seed: int = 0) -> Threshold:
    """The best thresholds.

    Args:
        predictions: of two classes.
        best: the accuracy optimum of their logits.
        seed: of the folds.
    """
    ordered = _Ordered.of(predictions)
    right = mean(correct(predictions).astype(np.float64), predictions.weight)
    return Threshold(
        logits=best.cuts,
        probabilities=tuple((_sigmoid(low), _sigmoid(high), side) for low, high, side in best.cuts),
        constants=best.constants,
        nearest=_nearest(best),
        accuracy=Estimate.without(best.value, INVALID),
        gain=Estimate.without(max(0.0, best.value - right), INVALID),
        cross_validated_gain=Estimate.without(_cross_validated(ordered, seed), FOLDED),
    )


def walk(predictions: Predictions, least: float) -> ThresholdMove:
    """The move with the most evidence of those that gain at least `least` of accuracy."""
    ordered = _Ordered.of(predictions)
    upward = _best_move(ordered.z[ordered.zero :], -ordered.gain[ordered.zero :], ordered, least)
    below = slice(ordered.zero - 1, None, -1) if ordered.zero else slice(0, 0)
    downward = _best_move(ordered.z[below], ordered.gain[below], ordered, least)
    return max(upward, downward, key=lambda move: move.evidence)


def moved(predictions: Predictions, cut: float) -> ThresholdMove:
    """The move of the threshold to one cut of the logit."""
    ordered = _Ordered.of(predictions)
    at = int(np.searchsorted(ordered.z, cut, side="right"))
    between = ordered.gain[min(at, ordered.zero) : max(at, ordered.zero)]
    gain = float(np.sum(between)) * (1 if at < ordered.zero else -1)
    spread = math.sqrt(float(np.sum(between**2)))
    return ThresholdMove(gain / ordered.total, gain / spread if spread else 0.0)


def _best_move(
    z: Float[np.ndarray, " m"],
    gain: Float[np.ndarray, " m"],
    ordered: _Ordered,
    least: float,
) -> ThresholdMove:
    """Of samples in the order in which the threshold passes them, with what passing each gains."""
    if len(z) == 0:
        return ThresholdMove(0.0, 0.0)
    total, spread = np.cumsum(gain), np.sqrt(np.cumsum(gain**2))
    allowed = (total >= least * ordered.total) & (total > 0) & np.append(z[1:] != z[:-1], True)
    evidence = np.divide(total, spread, out=np.zeros_like(total), where=allowed)
    best = int(np.argmax(evidence))
    return ThresholdMove(float(total[best]) / ordered.total, float(evidence[best]))


def _nearest(best: AccuracyOptimum) -> float:
    """0.5 if it is a best threshold, else the middle of the nearest interval of them."""
    upward = [(low, high) for low, high, orientation in best.cuts if orientation > 0]
    # Class 1 above the cut 0 is z > 0: the next float is the lowest such z.
    if any(low <= 0 < high for low, high in upward):
        return 0.5
    middles = [_sigmoid(low + (high - low) / 2) for low, high in upward]
    return min(middles, key=lambda middle: abs(middle - 0.5), default=math.nan)


def _sigmoid(z: float) -> float:
    return float(sigmoid(np.array(z)))


def _cross_validated(ordered: _Ordered, seed: int) -> float:
    """Gain of a threshold chosen on all folds but one, on that one; over all folds."""
    n = len(ordered.z)
    fold = np.random.default_rng(seed).permutation(n) % FOLDS
    ends = np.concatenate([[True], ordered.z[1:] != ordered.z[:-1], [True]])
    return sum(_held_out(ordered, fold == k, ends) for k in range(FOLDS)) / ordered.total


def _held_out(
    ordered: _Ordered, held: Bool[np.ndarray, " n"], ends: Bool[np.ndarray, " m"]
) -> float:
    """Gain on the samples held out, of the best threshold of the others, nearest to 0.5 of them."""
    chosen = np.concatenate([[0.0], np.cumsum(np.where(held, 0.0, ordered.gain))])
    score = np.where(ends, -chosen, -np.inf)
    best = np.flatnonzero(score == score.max())
    at = _closest(best, ordered.zero)
    between = slice(min(at, ordered.zero), max(at, ordered.zero))
    gain = float(np.sum(ordered.gain[between][held[between]]))
    return gain if at < ordered.zero else -gain


def _closest(places: Int[np.ndarray, " k"], zero: int) -> int:
    return int(places[np.argmin(np.abs(places - zero))])
