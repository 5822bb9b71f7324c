"""What the rules decide by, computed once and only where a rule asks for it.

A few outliers or label errors can pull the slope and the intercept far away. Where they stand
apart, calibration is therefore judged on the others, and they are a finding of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sweep.data.predictions import Predictions
from sweep.diagnosis.decomposition import LossDecomposition, split
from sweep.diagnosis.findings.unexpected_losses import UnexpectedLosses, surprise
from sweep.diagnosis.report import Diagnosis
from sweep.diagnosis.scores import effective


@dataclass(frozen=True, eq=False)
class Evidence:
    """A diagnosis without findings, and what else they need.

    Attributes:
        diagnosis: its numbers.
        split: of the loss of all samples.
    """

    diagnosis: Diagnosis
    split: LossDecomposition

    @property
    def predictions(self) -> Predictions:
        """The data."""
        return self.diagnosis.predictions

    @cached_property
    def surprise(self) -> UnexpectedLosses:
        """The samples whose loss is a surprise."""
        return surprise(self.predictions, self._recalibrated)

    @property
    def _recalibrated(self) -> Predictions:
        """With the best slope and intercept, if there are any that keep the order of the logits."""
        a, b = self.split.a, self.split.b
        if not (math.isfinite(a) and a > 0):
            return self.predictions
        return replace(self.predictions, logits=a * self.predictions.logits + b)

    @cached_property
    def usual(self) -> Predictions:
        """The samples without those that stand apart, if both classes stay."""
        if not self.surprise.apart:
            return self.predictions
        rest = np.ones(len(self.predictions), bool)
        rest[self.surprise.rows[: self.surprise.apart]] = False
        kept = self.predictions.only(rest)
        return kept if len(np.unique(kept.y)) > 1 else self.predictions

    @cached_property
    def usual_split(self) -> LossDecomposition:
        """The split of the loss of the usual samples."""
        return self.split if self.usual is self.predictions else split(self.usual)

    @cached_property
    def effective(self) -> float:
        """Kish's effective number of the samples: n unless their weights differ."""
        return effective(self.predictions)

    def likelihood_ratio(self, worse: float, better: float) -> float:
        """Twice the difference of two log-likelihoods, from mean cross-entropies."""
        return 2 * self.effective * max(0.0, worse - better)
