"""What a diagnosis consists of: numbers with intervals, and the findings made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from sweep.base.records import plain
from sweep.data.predictions import Predictions
from sweep.diagnosis.estimate import Estimate
from sweep.optima.records import Optimum, OptimumStatus

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True)
class Finding:
    """One thing that is the matter, or that nothing is.

    Attributes:
        code: stable name, as in `ignore=`.
        severity: info, warning or critical.
        sentence: what is the matter, with its numbers.
        advice: what to do.
        numbers: those behind it, by name.
    """

    code: str
    severity: Severity
    sentence: str
    advice: str
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Baselines:
    """What needs no features.

    Attributes:
        base_rate_entropy: cross-entropy of predicting the shares of the classes, in nats.
        uniform_entropy: cross-entropy of predicting 1/k for each of k classes, ln k, in nats.
        majority_accuracy: accuracy of predicting the most frequent class, a fraction.
    """

    base_rate_entropy: Estimate
    uniform_entropy: float
    majority_accuracy: Estimate


@dataclass(frozen=True)
class Recalibration:
    """What (a, b) could save of the loss: the split of the cross-entropy.

    Attributes:
        slope: a*, the calibration slope; nan without a finite optimum.
        intercept: b*, the calibration intercept; nan without one, and for several classes.
        cross_entropy: at (a*, b*), or its infimum, in nats: the rest, that no (a, b) saves.
        slope_alone: the best a with b = 0.
        intercept_alone: the best b with a = 1; nan for several classes.
        by_slope: what that a saves, in nats.
        by_intercept: what that b saves, in nats; 0 for several classes.
        by_both: what (a*, b*) saves, in nats.
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
            `sweep.optima.optimum.AccuracyOptimum.cuts`.
        probabilities: the same as thresholds of the predicted probability.
        constants: constant predictions that are as accurate.
        nearest: the best threshold nearest to 0.5, a probability; nan if only constants are best.
        accuracy: what the best thresholds reach, a fraction.
        gain: that less the accuracy at 0.5, both on these data: too high, for it is chosen on them.
        cross_validated_gain: gain of a threshold chosen on nine tenths, on the other tenth.
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
    """How few samples the loss comes from.

    Attributes:
        worst_1: share of the total loss in the worst sample, a fraction.
        worst_5: in the worst five.
        worst_1_percent: in the worst 1% of samples.
        worst_10_percent: in the worst 10%.
        gini: Gini coefficient of the losses: 0 if all are equal, near 1 if one has everything.
        half: least number of samples that have half of the total loss.
    """

    worst_1: Estimate
    worst_5: Estimate
    worst_1_percent: Estimate
    worst_10_percent: Estimate
    gini: Estimate
    half: int


@dataclass(frozen=True)
class ClassReport:
    """One class.

    Attributes:
        label: its name.
        n: samples.
        share: of the weight, a fraction.
        cross_entropy: mean loss of its samples, in nats.
        accuracy: of its samples, a fraction: the recall.
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
        count: samples that have one.
        wrong: those of them that gave probability 0 to what happened.
        taken_for: what 0 is taken for, so that there are finite numbers: see
            `sweep.data.predictions.Predictions`; 1 is taken for 1 minus that. nan if there are
            none.
        loss: share of the total loss, a fraction, that the wrong ones have when so taken.
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
        row: its place in the data, from 0.
        label: its class.
        probability: that was given to its class.
        predicted: the class that was predicted.
        loss: in nats.
        share: of the total loss, a fraction.
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
        a: inverse temperature; nan unless finite.
        value: least cross-entropy in nats, or its infimum.
        gradient: derivative by a there, in nats.
        status: `finite`, `separated` (every sample is right, so no a is large enough) or
            `constant_x` (all logits of each sample are equal, so every a is as good).
    """

    a: float
    value: float
    gradient: float
    status: OptimumStatus


@dataclass(frozen=True)
class JudgedFit:
    """A recalibration that was fitted elsewhere, on the landscape of these data.

    Attributes:
        a: its slope.
        b: its intercept.
        cross_entropy: there, in nats.
        excess: that less the least cross-entropy of its family, in nats.
        family: `platt` (slope and intercept) or `temperature` (slope only).
        best_a: the optimum of that family; nan without one.
        best_b: the same.
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
class Diagnosis:
    """Why the loss and the accuracy of a classifier disagree.

    Attributes:
        n: samples.
        classes: names of the classes.
        weighted: whether samples have weights.
        replicates: bootstrap samples that the intervals are from.
        seed: of the bootstrap.
        cross_entropy: in nats.
        accuracy: a fraction.
        brier: mean squared error of the probabilities; for several classes summed over them.
        baselines: what needs no features.
        optimum: of cross-entropy and of accuracy over (a, b); for several classes over a.
        recalibration: the split of the loss.
        threshold: the best decision thresholds; None for several classes.
        concentration: how few samples the loss comes from.
        by_class: each class by itself.
        exact: probabilities of exactly 0 or 1.
        worst: the samples with the largest loss, largest first.
        findings: what is the matter, the gravest first.
        ignored: codes that were not to be reported.
        fit: a foreign fit that was to be judged.
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
        """In a few lines: the loss, and what is the matter; `to_dict()` has all numbers."""
        loss, right = self.cross_entropy.value, self.accuracy.value
        head = f"Diagnosis(n={self.n}, cross_entropy={loss:.6g}, accuracy={right:.6g})"
        return "\n".join([head, *(f"  {one.severity}: {one.code}" for one in self.findings)])

    @property
    def optimum_status(self) -> OptimumStatus:
        """Whether cross-entropy has an optimum over (a, b)."""
        found = self.optimum
        return found.status if isinstance(found, TemperatureOptimum) else found.cross_entropy.status

    def finding(self, code: str) -> Finding | None:
        """The finding of that code, if it was made."""
        return next((one for one in self.findings if one.code == code), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold; see `sweep.base.records.plain`."""
        return {
            field.name: plain(getattr(self, field.name))
            for field in fields(self)
            if field.name != "predictions"
        }
