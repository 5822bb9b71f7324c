"""The records of a diagnosis: numbers with their intervals, and the findings made from them.

`sweep.diagnose` fills them; the command line, the figures and the page only show them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from sweep.base.intervals import LEVEL
from sweep.base.records import plain
from sweep.base.tables import Table, Tabular
from sweep.data.predictions import Predictions
from sweep.diagnosis import tables
from sweep.optima.records import Optimum, OptimumStatus

MIN_VALID_SHARE = 0.9  # of the replicates; with more undefined ones the interval is biased

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True)
class Estimate:
    """A statistic of the sample with its bootstrap interval, or the reason why it has none.

    Attributes:
        value: statistic of the data themselves.
        low: lower end of the 95% percentile interval; nan without one.
        high: upper end; nan without one.
        invalid: why there is no interval; empty where there is one.
    """

    value: float
    low: float
    high: float
    invalid: str = ""

    @classmethod
    def of(cls, value: float, replicates: Float[np.ndarray, " R"]) -> Estimate:
        """The percentile interval; undefined replicates are nan, infinite ones count."""
        defined = replicates[~np.isnan(replicates)]
        if math.isnan(value) or len(defined) < MIN_VALID_SHARE * max(1, len(replicates)):
            return cls.without(value, "too few bootstrap samples have a value")
        # Observed values only: nothing can be interpolated between a finite and an infinite one.
        low, high = np.quantile(
            defined, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), method="inverted_cdf"
        ).tolist()
        return cls(float(value), low, high)

    def extended_to(self, bound: float) -> Estimate:
        """The interval, widened to contain `bound`; unchanged where there is no interval."""
        if self.invalid:
            return self
        return replace(self, low=min(self.low, bound), high=max(self.high, bound))

    @classmethod
    def without(cls, value: float, reason: str) -> Estimate:
        """A number without an interval."""
        return cls(float(value), math.nan, math.nan, reason)


@dataclass(frozen=True)
class Finding:
    """One answer to "why is the loss high?".

    Attributes:
        code: stable name, as in `ignore=`.
        severity: info, warning or critical.
        sentence: what is wrong, with the numbers that show it.
        advice: what to do about it.
        numbers: the numbers behind the sentence, by name.
    """

    code: str
    severity: Severity
    sentence: str
    advice: str
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Baselines:
    """Scores of predictions that use no features.

    Attributes:
        base_rate_entropy: cross-entropy of predicting the class shares, in nats.
        uniform_entropy: cross-entropy of predicting 1/k for each of k classes, ln k, in nats.
        majority_accuracy: accuracy of predicting the most frequent class, a fraction.
    """

    base_rate_entropy: Estimate
    uniform_entropy: float
    majority_accuracy: Estimate


@dataclass(frozen=True)
class Recalibration:
    """How much of the cross-entropy a recalibration sigmoid(a z + b) can save.

    Attributes:
        slope: a*, the calibration slope; nan without a finite optimum.
        intercept: b*, the calibration intercept; nan without one, and for several classes.
        cross_entropy: minimum over (a, b), or its infimum, in nats: no recalibration saves it.
        slope_alone: the best a with b = 0.
        intercept_alone: the best b with a = 1; nan for several classes.
        by_slope: nats that `slope_alone` saves.
        by_intercept: nats that `intercept_alone` saves; 0 for several classes.
        by_both: nats that (a*, b*) saves.
    """

    slope: Estimate
    intercept: Estimate
    cross_entropy: Estimate
    slope_alone: float
    intercept_alone: float
    by_slope: Estimate
    by_intercept: Estimate
    by_both: Estimate


@dataclass(frozen=True)
class Threshold:
    """The most accurate decision thresholds; two classes only.

    Attributes:
        logits: maximal intervals (low, high, orientation) of optimal cuts of the logit, as in
            `sweep.optima.records.AccuracyOptimum.cuts`.
        probabilities: the same intervals as thresholds of the predicted probability.
        constants: classes that are as accurate when predicted for every sample.
        nearest: the best threshold nearest to 0.5, a probability; nan if only constants are best.
        accuracy: accuracy at the best thresholds, a fraction.
        gain: `accuracy` less the accuracy at 0.5; optimistic, as both are measured on the data
            that chose the threshold.
        cross_validated_gain: gain on each tenth of the data, of the threshold chosen on the others.
    """

    logits: tuple[tuple[float, float, int], ...]
    probabilities: tuple[tuple[float, float, int], ...]
    constants: tuple[int, ...]
    nearest: float
    accuracy: Estimate
    gain: Estimate
    cross_validated_gain: Estimate


@dataclass(frozen=True)
class Concentration:
    """How few samples account for the loss.

    Attributes:
        worst_1: share of the total loss in the worst sample, a fraction.
        worst_5: share in the worst five samples.
        worst_1_percent: share in the worst 1% of samples.
        worst_10_percent: share in the worst 10%.
        gini: Gini coefficient of the losses: 0 if all are equal, near 1 if one sample has all.
        half: smallest number of samples that account for half of the total loss.
    """

    worst_1: Estimate
    worst_5: Estimate
    worst_1_percent: Estimate
    worst_10_percent: Estimate
    gini: Estimate
    half: int


@dataclass(frozen=True)
class ClassReport:
    """Scores of the samples of one class.

    Attributes:
        label: name of the class.
        n: number of samples.
        share: share of the weight, a fraction.
        cross_entropy: mean loss, in nats.
        accuracy: recall, a fraction.
    """

    label: str
    n: int
    share: float
    cross_entropy: Estimate
    accuracy: Estimate


@dataclass(frozen=True)
class Exact:
    """Probabilities of exactly 0 or 1, whose cross-entropy is 0 or infinite.

    Attributes:
        count: samples with such a probability.
        wrong: those of them that gave probability 0 to the true class.
        taken_for: what replaces 0, so that all numbers are finite (1 is replaced by 1 minus
            that), see `sweep.data.predictions.Predictions`; nan if `count` is 0.
        loss: share of the total loss, a fraction, of the wrong ones after the replacement.
        cross_entropy: mean loss of the other samples, in nats; nan if there are none.
    """

    count: int
    wrong: int
    taken_for: float
    loss: float
    cross_entropy: float


@dataclass(frozen=True)
class Worst:
    """One of the samples with the largest loss.

    Attributes:
        row: index in the data, from 0.
        label: true class.
        probability: predicted probability of the true class.
        predicted: predicted class.
        loss: cross-entropy of the sample, in nats.
        share: share of the total loss, a fraction.
    """

    row: int
    label: str
    probability: float
    predicted: str
    loss: float
    share: float


@dataclass(frozen=True)
class TemperatureOptimum:
    """The optimum of cross-entropy over softmax(a z), for several classes.

    Attributes:
        a: inverse temperature; nan unless the optimum is finite.
        value: least cross-entropy in nats, or its infimum.
        gradient: derivative by a at the optimum, in nats.
        status: `finite`; `separated` (every sample is right, so no a is large enough);
            `quasi_separated` (the same, but for ties); or `constant_x` (the logits of each sample
            are equal, so every a gives the same loss).
    """

    a: float
    value: float
    gradient: float
    status: OptimumStatus


@dataclass(frozen=True)
class JudgedFit:
    """A recalibration that was fitted elsewhere, compared with the optimum for these data.

    Attributes:
        a: slope of the fit.
        b: intercept of the fit.
        cross_entropy: cross-entropy at (a, b), in nats.
        excess: `cross_entropy` less the minimum of the family, in nats.
        family: `platt` (slope and intercept) or `temperature` (slope only).
        best_a: slope of the optimum of the family; nan without a finite one.
        best_b: intercept of that optimum; nan without a finite one.
        verdict: optimal, near, off, border, diverged, wrong_sign or no_optimum.
        sentence: the verdict in words.
    """

    a: float
    b: float
    cross_entropy: float
    excess: float
    family: Literal["platt", "temperature"]
    best_a: float
    best_b: float
    verdict: str
    sentence: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Diagnosis(Tabular):
    """Why the loss and the accuracy of a classifier disagree.

    Attributes:
        n: number of samples.
        classes: names of the classes.
        weighted: whether samples have weights.
        replicates: bootstrap samples behind the intervals; 0 for none.
        seed: seed of the bootstrap and of the cross-validation folds.
        cross_entropy: mean loss, in nats.
        accuracy: a fraction.
        brier: mean squared error of the probabilities; summed over the classes if there are
            several.
        baselines: scores of predictions that use no features.
        optimum: optimum of cross-entropy and of accuracy over (a, b); over a for several classes.
        recalibration: what a slope, an intercept and both can save of the loss.
        threshold: the best decision thresholds; None for several classes.
        concentration: how few samples account for the loss.
        by_class: scores of each class.
        exact: probabilities of exactly 0 or 1.
        worst: the samples with the largest loss, largest first.
        findings: what is wrong, the most severe first.
        ignored: codes of findings that were left out on request.
        fit: the verdict on a fit made elsewhere, if one was given.
        predictions: the data; not part of `to_dict()`.
    """

    n: int
    classes: tuple[str, ...]
    weighted: bool
    replicates: int
    seed: int
    cross_entropy: Estimate
    accuracy: Estimate
    brier: Estimate
    baselines: Baselines
    optimum: Optimum | TemperatureOptimum
    recalibration: Recalibration
    threshold: Threshold | None
    concentration: Concentration
    by_class: tuple[ClassReport, ...]
    exact: Exact
    worst: tuple[Worst, ...]
    predictions: Predictions
    findings: tuple[Finding, ...] = ()
    ignored: tuple[str, ...] = ()
    fit: JudgedFit | None = None

    def __repr__(self) -> str:
        """The loss and the findings in a few lines; `to_dict()` has all numbers."""
        loss, accuracy = self.cross_entropy.value, self.accuracy.value
        head = f"Diagnosis(n={self.n}, cross_entropy={loss:.6g}, accuracy={accuracy:.6g})"
        return "\n".join([head, *(f"  {f.severity}: {f.code}" for f in self.findings)])

    @property
    def optimum_status(self) -> OptimumStatus:
        """Whether cross-entropy has a finite optimum over (a, b)."""
        best = self.optimum
        return best.status if isinstance(best, TemperatureOptimum) else best.cross_entropy.status

    def finding(self, code: str) -> Finding | None:
        """The finding with this code, or None."""
        return next((finding for finding in self.findings if finding.code == code), None)

    def tables(self) -> tuple[Table, ...]:
        """The findings, the most severe first, and the numbers behind them."""
        return (*tables.findings(self), *tables.numbers(self).values())

    def to_dict(self) -> dict[str, Any]:
        """All numbers as plain Python values that JSON can hold; nan and inf become None."""
        return {
            field.name: plain(getattr(self, field.name))
            for field in fields(self)
            if field.name != "predictions"
        }
