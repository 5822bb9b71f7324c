"""What the rules decide by, computed once and only where a rule asks for it.

A few outliers or label errors can move the best slope and intercept far away. Where some samples
stand apart, calibration is therefore judged on the others, and the outliers are a finding of their
own. Samples stand apart by the classifier's own word: if its probabilities were right, losses of l
or more would be as frequent as the probabilities say, so their expected number is a sum over the
samples and needs no other assumption. More of them are outliers, label errors or overconfidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sweep.data.predictions import Predictions
from sweep.diagnosis.recalibration import LossDecomposition, decompose
from sweep.diagnosis.report import Diagnosis
from sweep.diagnosis.scores import effective_n, log_probabilities, worst_rows
from sweep.metrics.logistic import sigmoid, softplus

FEW_SHARE = 0.03  # of the samples: still "a few"
FEW_AT_LEAST = 5  # samples that are "a few" even where they are more than that share
MUCH_LOSS = 0.1  # share of the loss that is much for a few samples
SURPRISE = 5e-4  # probability, by the classifier's own word, below which a count is unexpected
EXCESS = 8  # times the expected number of losses that an unexpected count must reach
UNREMARKABLE = math.log(2)  # nats; smaller losses belong to right predictions of two classes


# --- unexpected losses --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class UnexpectedLosses:
    """The samples with the largest losses, and how many of these losses are unexpected.

    The k largest losses are unexpected together if far fewer losses of that size are expected; a
    single loss is impossible if not even one of its size is expected among all samples.
    """

    rows: Int[np.ndarray, " m"]  # rows with the largest losses, largest first
    # share of the total loss, a fraction, of the first 1, 2, ... rows
    shares: Float[np.ndarray, " m"]
    count: int  # number of largest losses that are unexpected together
    expected: float  # expected number of losses of that size
    impossible: int  # number of losses that are impossible by themselves
    confirmed: int  # number of unexpected losses of the recalibrated classifier
    few: int  # largest number of samples that is "a few"
    half: int  # number of samples that account for half of the loss

    @property
    def apart(self) -> int:
        """Number of samples that stand apart, so that the others are judged without them.

        These are all unexpected losses if they are few, account for much of the loss, and at least
        half of them remain unexpected after recalibration: otherwise the samples left would look
        better than they are. Failing that, the impossible ones if they are few.
        """
        few = 0 < self.count <= self.few and self.shares[self.count - 1] >= MUCH_LOSS
        if few and 2 * self.confirmed >= self.count:
            return self.count
        return self.impossible if self.impossible <= self.few else 0

    @property
    def dominating(self) -> int:
        """Number that dominate the loss: those apart, or a few unexpected ones with half of it."""
        if self.apart and self.shares[self.apart - 1] >= MUCH_LOSS:
            return self.apart
        if 0 < self.half <= min(self.count, self.few):
            return self.half
        return 0


def unexpected_losses(predictions: Predictions, recalibrated: Predictions) -> UnexpectedLosses:
    """Compares the largest losses with those that the probabilities lead to expect."""
    loss = predictions.losses
    weighted = loss * predictions.mass
    n, total = len(loss), float(np.sum(weighted))
    few = max(FEW_AT_LEAST, math.ceil(FEW_SHARE * n))
    rows = worst_rows(loss, 4 * few)
    if not total > 0:
        return UnexpectedLosses(rows, np.zeros(len(rows)), 0, 0.0, 0, 0, few, n)
    shares = np.cumsum(weighted[rows]) / total
    expected = expected_number(predictions, loss[rows])
    count = _largest_unexpected(loss[rows], expected)
    return UnexpectedLosses(
        rows=rows,
        shares=shares,
        count=count,
        expected=float(expected[count - 1]) if count else 0.0,
        confirmed=_confirmed(recalibrated, len(rows)),
        impossible=int(np.sum((expected < SURPRISE) & (loss[rows] > UNREMARKABLE))),
        few=few,
        half=int(np.searchsorted(shares, 0.5)) + 1,
    )


def _confirmed(recalibrated: Predictions, most: int) -> int:
    """Number of unexpected losses of the recalibrated classifier."""
    worst = -np.sort(-recalibrated.losses)[:most]
    return _largest_unexpected(worst, expected_number(recalibrated, worst))


def _largest_unexpected(worst: Float[np.ndarray, " m"], expected: Float[np.ndarray, " m"]) -> int:
    """The largest k such that k losses as large as the k-th are unexpected; 0 if there is none."""
    from scipy.stats import poisson  # slow to import, and needed in few places

    k = np.arange(1, len(worst) + 1)
    unexpected = (worst > UNREMARKABLE) & (EXCESS * expected <= k)
    unexpected[unexpected] = poisson.sf(k[unexpected] - 1, expected[unexpected]) < SURPRISE
    return int(k[unexpected].max(initial=0))


def expected_number(
    predictions: Predictions, levels: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Expected number of losses of each level or more, if the probabilities are right."""
    z = predictions.logits
    if predictions.binary:
        # The unlikelier label has probability sigmoid(-|z|) and loss softplus(|z|).
        size = np.abs(z)
        return _tail_sums(softplus(size), sigmoid(-size), levels)
    log_p = log_probabilities(predictions).ravel()
    # A class whose probability underflows is not expected at all.
    return _tail_sums(-log_p, np.exp(log_p), levels)


def _tail_sums(
    loss: Float[np.ndarray, " k"],
    probability: Float[np.ndarray, " k"],
    levels: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    """Sum of the probabilities of the losses >= each level."""
    kept = loss >= min(float(levels[-1]), UNREMARKABLE)
    order = np.argsort(-loss[kept])
    loss, probability = loss[kept][order], probability[kept][order]
    sums = np.concatenate([[0.0], np.cumsum(probability)])
    return sums[np.searchsorted(-loss, -levels, side="right")]


# --- the evidence -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Evidence:
    """A diagnosis without findings, and what the rules need besides its numbers."""

    diagnosis: Diagnosis  # its numbers
    decomposition: LossDecomposition  # decomposition of the loss of all samples

    @property
    def predictions(self) -> Predictions:
        """The data."""
        return self.diagnosis.predictions

    @cached_property
    def unexpected(self) -> UnexpectedLosses:
        """The samples with unexpected losses."""
        recalibrated = self.predictions
        a, b = self.decomposition.a, self.decomposition.b
        if math.isfinite(a) and a > 0:
            recalibrated = replace(recalibrated, logits=a * recalibrated.logits + b)
        return unexpected_losses(self.predictions, recalibrated)

    @cached_property
    def typical(self) -> Predictions:
        """The samples without those that stand apart, if several classes remain."""
        if not self.unexpected.apart:
            return self.predictions
        kept = np.ones(len(self.predictions), bool)
        kept[self.unexpected.rows[: self.unexpected.apart]] = False
        typical = self.predictions.only(kept)
        return typical if len(np.unique(typical.y)) > 1 else self.predictions

    @cached_property
    def typical_decomposition(self) -> LossDecomposition:
        """The decomposition of the loss of the typical samples."""
        if self.typical is self.predictions:
            return self.decomposition
        return decompose(self.typical)

    @cached_property
    def effective_n(self) -> float:
        """Kish's effective number of samples; n if all weights are equal."""
        return effective_n(self.predictions)

    def standard_error(self, variance: float | np.floating[Any]) -> float:
        """Standard error of a mean of numbers with this variance."""
        return math.sqrt(variance / self.effective_n)

    def likelihood_ratio(self, worse: float, better: float) -> float:
        """Twice the difference of two log-likelihoods, from mean cross-entropies in nats."""
        return 2 * self.effective_n * max(0.0, worse - better)
