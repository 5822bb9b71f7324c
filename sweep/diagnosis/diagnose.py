"""`sweep.diagnose`: why loss and accuracy of a classifier disagree, in numbers and findings.

The numbers come first: scores, optimum, decomposition, intervals by the bootstrap. The rules of
`sweep.diagnosis.findings` then turn them into findings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.history import History
from sweep.data.predictions import Predictions
from sweep.diagnosis.bootstrap.binary import Replicates, bootstrap
from sweep.diagnosis.bootstrap.multiclass import bootstrap_multiclass
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.findings.rules import findings, require_codes
from sweep.diagnosis.findings.training_history import history_findings
from sweep.diagnosis.foreign_fits import fit_findings, judge
from sweep.diagnosis.recalibration import LossDecomposition, decompose, temperature_optimum
from sweep.diagnosis.report import (
    Baselines,
    ClassReport,
    Concentration,
    Diagnosis,
    Estimate,
    Exact,
    Recalibration,
    TemperatureOptimum,
    Worst,
)
from sweep.diagnosis.scores import (
    Scores,
    Shares,
    mean,
    predicted,
    scores,
    within_chance,
    worst_rows,
)
from sweep.diagnosis.thresholds import best_threshold
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum, OptimumStatus

REPLICATES = 1000
MIN_REPLICATES = 100  # for a 95% interval
MIN_WORST = 20  # samples whose share of the loss has an interval: that of ten covers 88%, not 95%
WORST_SHOWN = 20
CERTAIN = 0.9  # share of the loss of an exact 0 that no other probability reaches

EXTREME = "the bootstrap is inconsistent for the largest values of a sample"
UNBOUNDED = "there is no finite optimum"
NO_BOOTSTRAP = "no bootstrap was requested"


def diagnose(
    y_true: ArrayLike | Predictions,
    logits: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    probabilities: ArrayLike | None = None,
    pos_label: object = None,
    classes: Sequence[object] | None = None,
    clip: float | None = None,
    history: History | Any = None,
    fitted: tuple[float, float] | None = None,
    platt: tuple[float, float] | None = None,
    temperature: float | None = None,
    ignore: Sequence[str] = (),
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Diagnosis:
    """Why the loss and the accuracy of a classifier disagree.

    With z the logits, sigmoid(a*z + b) is a recalibration: a is the calibration slope, b the
    calibration intercept, and the classifier itself is (a, b) = (1, 0).

    Args:
        y_true: labels, shape (n,): 0 and 1, or any two with `pos_label`; for k classes 0 to k - 1,
            or their names. Or `Predictions`, which replace all arguments up to `clip`.
        logits: log-odds of class 1, shape (n,); or logits of k classes, shape (n, k), such as
            log-probabilities (a constant may be added to each row).
        sample_weight: weights >= 0, shape (n,).
        probabilities: instead of logits: of class 1, shape (n,), or of each class, shape (n, k).
        pos_label: the label that is class 1.
        classes: the labels of the k classes, in the order of the columns.
        clip: clips probabilities to [clip, 1 - clip], as some losses do; None clips nothing, see
            `sweep.data.predictions.Predictions`.
        history: losses and accuracies by epoch, see `sweep.data.history.History.of`.
        fitted: (a, b) of a recalibration fitted elsewhere, to be judged.
        platt: (A, B) of such a fit by scikit-learn, 1 / (1 + exp(A z + B)), which is (-A, -B).
        temperature: T of such a fit, sigmoid(z / T) or softmax(z / T).
        ignore: codes of findings to leave out, see `sweep.diagnosis.findings.CODES`.
        replicates: bootstrap samples for the intervals, at least 100; 0 for no intervals.
        seed: seed of the bootstrap and of the cross-validation folds.

    Returns:
        The numbers and the findings.

    Raises:
        InputError: the data or an argument is invalid; the message says how.
    """
    codes = require_codes(ignore)
    for name, number in {"replicates": replicates, "seed": seed}.items():
        if not isinstance(number, Integral) or isinstance(number, bool) or number < 0:
            raise InputError(f"{name}={number!r}: must be a whole number >= 0")
    if 0 < replicates < MIN_REPLICATES:
        raise InputError(
            f"replicates={replicates}: a 95% interval needs at least {MIN_REPLICATES}; "
            "0 skips the intervals"
        )
    predictions = y_true
    if not isinstance(predictions, Predictions):
        predictions = Predictions.of(
            predictions,
            logits,
            sample_weight,
            probabilities=probabilities,
            pos_label=pos_label,
            classes=classes,
            clip=clip,
        )
    training = None if history is None else History.of(history)
    best = optimum(predictions.measure) if predictions.binary else temperature_optimum(predictions)
    loss = decompose(predictions, best.cross_entropy if isinstance(best, Optimum) else best)
    # Before the bootstrap, so that an invalid fit is rejected at once.
    fit = judge(predictions, loss, fitted=fitted, platt=platt, temperature=temperature)
    numbers = _numbers(predictions, best, loss, replicates, seed)
    evidence = Evidence(replace(numbers, fit=fit), loss)
    more = [] if training is None else list(history_findings(training, loss.entropy))
    if fit is not None:
        more += fit_findings(fit)
    return replace(evidence.diagnosis, findings=findings(evidence, more, codes), ignored=codes)


def _numbers(
    predictions: Predictions,
    best: Optimum | TemperatureOptimum,
    loss: LossDecomposition,
    replicates: int,
    seed: int,
) -> Diagnosis:
    """The diagnosis without findings."""
    resampled = threshold = None
    if isinstance(best, Optimum):
        threshold = best_threshold(predictions, best.accuracy, seed)
        if replicates:
            resampled = bootstrap(predictions, loss, replicates, seed)
    elif replicates:
        resampled = bootstrap_multiclass(predictions, best, replicates, seed)
    as_is = scores(predictions)
    estimate = _Intervals(as_is, resampled)
    return Diagnosis(
        n=len(predictions),
        classes=predictions.classes,
        weighted=predictions.weight is not None,
        replicates=replicates,
        seed=seed,
        cross_entropy=estimate("cross_entropy"),
        accuracy=estimate("accuracy"),
        brier=estimate("brier"),
        baselines=_baselines(predictions, estimate),
        optimum=best,
        recalibration=_recalibration(predictions, loss, estimate),
        threshold=threshold,
        concentration=_concentration(len(predictions), as_is.shares, estimate),
        by_class=tuple(
            ClassReport(
                label,
                int(as_is.class_n[k]),
                float(as_is.class_share[k]),
                estimate("class_cross_entropy", column=k),
                estimate("class_accuracy", column=k),
            )
            for k, label in enumerate(predictions.classes)
        ),
        exact=_exact(predictions),
        worst=_worst(predictions),
        predictions=predictions,
    )


@dataclass(frozen=True, eq=False)
class _Intervals:
    """Gives statistics their bootstrap intervals, by their names in `Scores` and `Replicates`."""

    as_is: Scores
    resampled: Replicates | None

    def __call__(
        self, name: str, value: float | None = None, column: int | None = None
    ) -> Estimate:
        """The statistic of this name; its value if it is no score, or the class of its column."""
        scored: Any = getattr(self.as_is, name) if value is None else value
        scored = float(scored if column is None else scored[column])
        if self.resampled is None:
            return Estimate.without(scored, NO_BOOTSTRAP)
        replicates = getattr(self.resampled, name)
        return Estimate.of(scored, replicates if column is None else replicates[:, column])


def _baselines(predictions: Predictions, estimate: _Intervals) -> Baselines:
    """Scores of predictions without features.

    Equal classes maximise the entropy and minimise the majority, so bootstrap samples never reach
    these extremes. Unless the data rule equal classes out, the intervals are extended to them.
    """
    k, base_rate = len(predictions.classes), estimate("base_rate_entropy")
    majority = estimate("majority_accuracy")
    if within_chance(predictions, math.log(k) - base_rate.value, k - 1):
        base_rate, majority = base_rate.extended_to(math.log(k)), majority.extended_to(1 / k)
    return Baselines(base_rate, math.log(k), majority)


def _recalibration(
    predictions: Predictions, loss: LossDecomposition, estimate: _Intervals
) -> Recalibration:
    """What a slope, an intercept and both save of the loss.

    A refit of any sample saves something, so bootstrap intervals never contain 0, even for
    calibrated logits (Andrews 2000, Inconsistency of the bootstrap when a parameter is on the
    boundary of the parameter space, Econometrica 68). Unless the data rule 0 out, they are extended
    to it.
    """
    binary, finite = predictions.binary, loss.status is OptimumStatus.finite
    intercept = Estimate.without(math.nan, UNBOUNDED)
    if not binary:
        intercept = Estimate.without(math.nan, "several classes are recalibrated by a slope alone")
    elif finite:
        intercept = estimate("intercept", loss.b)

    def saved(name: str, parameters: int) -> Estimate:
        saving = estimate(name, loss.as_is - getattr(loss, name))
        is_chance = within_chance(predictions, saving.value, parameters)
        return saving.extended_to(0.0) if is_chance else saving

    return Recalibration(
        slope=estimate("slope", loss.a) if finite else Estimate.without(loss.a, UNBOUNDED),
        intercept=intercept,
        cross_entropy=estimate("recalibrated", loss.by_both),
        slope_alone=loss.slope_alone,
        intercept_alone=loss.intercept_alone if binary else math.nan,
        by_slope=saved("by_slope", 1),
        by_intercept=saved("by_intercept", 1),
        by_both=saved("by_both", 2 if binary else 1),
    )


def _concentration(n: int, shares: Shares, estimate: _Intervals) -> Concentration:
    def of_worst(name: str, samples: float) -> Estimate:
        """The share of the loss of so many worst samples, without interval if they are few."""
        share = estimate(name, getattr(shares, name))
        few = math.ceil(samples) < MIN_WORST
        return Estimate.without(share.value, EXTREME) if few else share

    return Concentration(
        worst_1=Estimate.without(shares.worst_1, EXTREME),
        worst_5=Estimate.without(shares.worst_5, EXTREME),
        worst_1_percent=of_worst("worst_1_percent", 0.01 * n),
        worst_10_percent=of_worst("worst_10_percent", 0.1 * n),
        gini=estimate("gini", shares.gini),
        half=shares.half,
    )


def _exact(predictions: Predictions) -> Exact:
    exact = predictions.exact
    if not exact.any():
        return Exact(0, 0, math.nan, 0.0, math.nan)
    loss, weight = predictions.losses, predictions.mass
    # Exact samples of small loss are right, or have the 0 at a class that is not the true one.
    wrong = exact & (loss > -CERTAIN * math.log(predictions.taken_for))
    total, others = float(np.sum(weight * loss)), weight[~exact]
    return Exact(
        count=int(exact.sum()),
        wrong=int(wrong.sum()),
        taken_for=predictions.taken_for,
        loss=float(np.sum((weight * loss)[wrong])) / total if total else 0.0,
        cross_entropy=mean(loss[~exact], others) if np.any(others > 0) else math.nan,
    )


def _worst(predictions: Predictions) -> tuple[Worst, ...]:
    loss, classes = predictions.losses, predictions.classes
    weighted, predicted_class = loss * predictions.mass, predicted(predictions)
    total = float(np.sum(weighted))
    return tuple(
        Worst(
            row=int(row),
            label=classes[predictions.y[row]],
            probability=math.exp(-loss[row]),
            predicted=classes[predicted_class[row]],
            loss=float(loss[row]),
            share=float(weighted[row]) / total if total else 0.0,
        )
        for row in worst_rows(loss, WORST_SHOWN)
    )
