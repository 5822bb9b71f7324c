"""Samples whose loss the classifier itself held for all but impossible.

If its probabilities were right, a sample would come true against them, at a loss of l or more, as
often as the probabilities say: the expected number of such losses is a sum over the samples, and no
assumption beyond the classifier's own is made. More of them than that are outliers, label errors or
overconfidence; few of them, with much of the loss, dominate it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sweep.data.predictions import Predictions
from sweep.diagnosis.scores import log_probabilities, losses, worst_rows
from sweep.metrics.logistic import sigmoid, softplus

FEW = 0.03
"""Share of the samples that is still few."""

AT_LEAST = 5
"""Samples that are few also where they are more than that share."""

MUCH = 0.1
"""Share of the loss that is much for so few."""

CHANCE = 5e-4
"""Probability by the classifier's own word below which so many losses are a surprise."""

EXCESS = 8
"""Times as many losses as expected that a surprise has."""

REASONABLE = math.log(2)
"""Losses below come of right predictions of two classes and surprise nobody; in nats."""


@dataclass(frozen=True, eq=False)
class UnexpectedLosses:
    """The samples with the largest losses, and how many of them are a surprise.

    Together, more losses as large than promised are a surprise; a single one is impossible if none
    as large is promised among all samples.

    Attributes:
        rows: of the largest losses, largest first, shape (m,).
        shares: of the total loss, a fraction, in the first 1, 2, ... of them, shape (m,).
        count: so many of them are a surprise.
        expected: so many losses that large the probabilities promise.
        impossible: so many of them are impossible by themselves.
        confirmed: so many losses are a surprise of the recalibrated classifier too.
        few: most samples that are few.
        half: samples that have half of the loss.
    """

    rows: Int[np.ndarray, " m"]
    shares: Float[np.ndarray, " m"]
    count: int
    expected: float
    impossible: int
    confirmed: int
    few: int
    half: int

    @property
    def apart(self) -> int:
        """How many stand apart, so that the others can be judged without them.

        All that surprise, if they are few, have much of the loss, and recalibration does not
        explain the half of them: else to leave them out would make the others look better than
        they are. Or those that are impossible, if they are few.
        """
        few = 0 < self.count <= self.few and self.shares[self.count - 1] >= MUCH
        if few and 2 * self.confirmed >= self.count:
            return self.count
        return self.impossible if self.impossible <= self.few else 0

    @property
    def dominating(self) -> int:
        """How many dominate the loss: those that stand apart, or a few that surprise with half."""
        if self.apart and self.shares[self.apart - 1] >= MUCH:
            return self.apart
        if 0 < self.half <= min(self.count, self.few):
            return self.half
        return 0


def surprise(predictions: Predictions, recalibrated: Predictions) -> UnexpectedLosses:
    """Compares the largest losses with what the probabilities promise.

    Args:
        predictions: as they are.
        recalibrated: the same with the best slope and intercept.
    """
    each = losses(predictions)
    weighted = each * predictions.mass
    n, total = len(each), float(np.sum(weighted))
    few = max(AT_LEAST, math.ceil(FEW * n))
    rows = worst_rows(each, 4 * few)
    if not total > 0:
        return UnexpectedLosses(rows, np.zeros(len(rows)), 0, 0.0, 0, 0, few, n)
    shares = np.cumsum(weighted[rows]) / total
    expected = _promised(predictions, each[rows])
    count = _largest(each[rows], expected)
    half = int(np.searchsorted(shares, 0.5)) + 1
    return UnexpectedLosses(
        rows=rows,
        shares=shares,
        count=count,
        expected=float(expected[count - 1]) if count else 0.0,
        confirmed=_confirmed(recalibrated, len(rows)),
        impossible=int(np.sum((expected < CHANCE) & (each[rows] > REASONABLE))),
        few=few,
        half=half,
    )


def _confirmed(recalibrated: Predictions, shown: int) -> int:
    """How many losses are a surprise of the recalibrated classifier."""
    worst = -np.sort(-losses(recalibrated))[:shown]
    return _largest(worst, _promised(recalibrated, worst))


def _largest(worst: Float[np.ndarray, " m"], expected: Float[np.ndarray, " m"]) -> int:
    """The largest k such that k losses as large as the k-th are a surprise; 0 if there is none."""
    from scipy.stats import poisson

    k = np.arange(1, len(worst) + 1)
    surprising = (worst > REASONABLE) & (EXCESS * expected <= k)
    surprising[surprising] = poisson.sf(k[surprising] - 1, expected[surprising]) < CHANCE
    return int(k[surprising].max(initial=0))


def _promised(predictions: Predictions, levels: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Expected number of losses of each level or more, levels descending."""
    z = predictions.logits
    if predictions.binary:
        doubt = np.abs(z)
        return _tail(softplus(doubt), sigmoid(-doubt), levels)
    log_p = log_probabilities(predictions).ravel()
    # A class whose probability underflows is promised nothing.
    return _tail(-log_p, np.exp(log_p), levels)


def _tail(
    loss: Float[np.ndarray, " k"], chance: Float[np.ndarray, " k"], levels: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Sum of the chances of the losses of each level or more; levels above REASONABLE matter."""
    kept = loss >= min(float(levels[-1]), REASONABLE)
    order = np.argsort(-loss[kept])
    loss, chance = loss[kept][order], chance[kept][order]
    sums = np.concatenate([[0.0], np.cumsum(chance)])
    return sums[np.searchsorted(-loss, -levels, side="right")]
