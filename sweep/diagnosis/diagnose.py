"""diagnose(): why the loss and the accuracy of a classifier disagree, in numbers and findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.history import History
from sweep.data.predictions import Predictions
from sweep.diagnosis.bootstrap.binary import Replicates, bootstrap
from sweep.diagnosis.bootstrap.multiclass import bootstrap_several
from sweep.diagnosis.decomposition import LossDecomposition, split
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.findings.rules import findings, require_codes
from sweep.diagnosis.findings.training_history import learning_findings
from sweep.diagnosis.foreign_fits import judge, misplaced
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
    losses,
    predicted,
    scores,
    within_chance,
    worst_rows,
)
from sweep.diagnosis.temperature import temperature_optimum
from sweep.diagnosis.thresholds import threshold
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum, OptimumStatus

REPLICATES = 1000
"""Bootstrap samples."""

FEWEST = 100
"""Bootstrap samples that a 95% interval needs at least."""

FEWEST_WORST = 20
"""Samples whose share of the loss has an interval: that of ten covers 88% in place of 95%."""

SHOWN = 20
"""Samples with the largest loss that a diagnosis lists."""

CERTAIN = 0.9
"""Share of the loss of an exact 0 that only such a 0 has."""

EXTREME = "the bootstrap is inconsistent for the largest values of a sample"
UNBOUNDED = "there is no finite optimum"
NONE = "no bootstrap was asked for"


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

    With z the logits, sigmoid(a*z + b) is a recalibration: a the calibration slope, b the
    calibration intercept, and the classifier itself is (1, 0).

    Args:
        y_true: labels, shape (n,): 0 and 1, or others with `pos_label`, or for k classes 0 to
            k - 1, or their names; or `Predictions`, in place of this and all up to `clip`.
        logits: log-odds of class 1, shape (n,); or of k classes, shape (n, k), each row up to a
            constant, such as log-probabilities.
        sample_weight: weights >= 0, shape (n,).
        probabilities: in place of logits: of class 1, shape (n,), or of each class, shape (n, k).
        pos_label: the label that is class 1.
        classes: the labels of the k classes, in the order of the columns.
        clip: what probabilities are clipped to, as some losses do; None clips nothing, see
            `sweep.data.predictions.Predictions`.
        history: losses and accuracies by epoch, see `sweep.data.history.History.of`.
        fitted: (a, b) of a recalibration to be judged.
        platt: the same as (A, B) of scikit-learn's 1 / (1 + exp(A z + B)), which is (-A, -B).
        temperature: the same as T of sigmoid(z / T) or softmax(z / T).
        ignore: codes of findings that are not wanted, of `sweep.diagnosis.findings.CODES`.
        replicates: bootstrap samples for the intervals; 0 for none.
        seed: of the bootstrap and of the folds.

    Returns:
        The numbers, and the findings made from them.

    Raises:
        InputError: the data, or what is asked for, cannot be; the sentence says why.
    """
    codes = require_codes(ignore)
    _require_whole("replicates", replicates)
    _require_whole("seed", seed)
    if replicates and replicates < FEWEST:
        raise InputError(
            f"replicates={replicates}: a 95% interval needs at least {FEWEST}, and 0 asks for none"
        )
    predictions = (
        y_true
        if isinstance(y_true, Predictions)
        else Predictions.of(
            y_true,
            logits,
            sample_weight,
            probabilities=probabilities,
            pos_label=pos_label,
            classes=classes,
            clip=clip,
        )
    )
    past = None if history is None else History.of(history)
    found = optimum(predictions.sample) if predictions.binary else temperature_optimum(predictions)
    every = split(predictions, found.cross_entropy if isinstance(found, Optimum) else found)
    # Before the bootstrap, so that a fit that is none is refused at once.
    fit = judge(predictions, every, fitted=fitted, platt=platt, temperature=temperature)
    report = _measured(predictions, found, every, replicates, seed)
    evidence = Evidence(replace(report, fit=fit), every)
    more = [] if past is None else list(learning_findings(past, every.entropy))
    if fit is not None:
        more += misplaced(fit)
    made = findings(evidence, more, codes)
    return replace(evidence.diagnosis, findings=made, ignored=codes)


def _require_whole(name: str, number: object) -> None:
    if not isinstance(number, Integral) or isinstance(number, bool) or number < 0:
        raise InputError(f"{name}={number!r}: a whole number that is not negative is needed")


Interval = Callable[[float, str], Estimate]
"""The estimate of a statistic, by its value and its name in the bootstrap."""


def _measured(
    predictions: Predictions,
    found: Optimum | TemperatureOptimum,
    every: LossDecomposition,
    replicates: int,
    seed: int,
) -> Diagnosis:
    """The numbers."""
    resampled = None
    if replicates and isinstance(found, Optimum):
        resampled = bootstrap(predictions, every, replicates, seed)
    elif replicates and isinstance(found, TemperatureOptimum):
        resampled = bootstrap_several(predictions, found, replicates, seed)
    estimate = _estimates(resampled)
    numbers = scores(predictions)
    return Diagnosis(
        n=len(predictions),
        classes=predictions.classes,
        weighted=predictions.weight is not None,
        replicates=replicates,
        seed=seed,
        cross_entropy=estimate(numbers.cross_entropy, "cross_entropy"),
        accuracy=estimate(numbers.accuracy, "accuracy"),
        brier=estimate(numbers.brier, "brier"),
        baselines=_baselines(predictions, numbers, estimate),
        optimum=found,
        recalibration=_recalibration(predictions, every, estimate),
        threshold=threshold(predictions, found.accuracy, seed)
        if isinstance(found, Optimum)
        else None,
        concentration=_concentration(len(predictions), numbers, estimate),
        by_class=_by_class(predictions, numbers, resampled),
        exact=_exact(predictions),
        worst=_worst(predictions),
        predictions=predictions,
    )


def _estimates(resampled: Replicates | None) -> Interval:
    def estimate(value: float, name: str) -> Estimate:
        if resampled is None:
            return Estimate.without(value, NONE)
        return Estimate.of(value, getattr(resampled, name))

    return estimate


def _baselines(predictions: Predictions, numbers: Scores, estimate: Interval) -> Baselines:
    """What needs no features.

    Equal classes have the most entropy and the least majority, where the bootstrap never comes: so
    unless the data rule them out, the intervals reach there.
    """
    k, entropy = len(predictions.classes), numbers.base_rate_entropy
    base_rate = estimate(entropy, "base_rate_entropy")
    majority = estimate(numbers.majority_accuracy, "majority_accuracy")
    if within_chance(predictions, math.log(k) - entropy, k - 1):
        base_rate, majority = base_rate.extended_to(math.log(k)), majority.extended_to(1 / k)
    return Baselines(base_rate, math.log(k), majority)


def _recalibration(
    predictions: Predictions, every: LossDecomposition, estimate: Interval
) -> Recalibration:
    """The split of the loss.

    A refit of any sample saves something, so that no bootstrap interval of it reaches 0, where that
    of calibrated logits should (Andrews 2000, Inconsistency of the bootstrap when a parameter is on
    the boundary of the parameter space, Econometrica 68). It does unless the data rule 0 out.
    """
    binary = predictions.binary

    def saved(value: float, name: str, parameters: int) -> Estimate:
        found = estimate(value, name)
        return found.extended_to(0.0) if within_chance(predictions, value, parameters) else found

    finite = every.status is OptimumStatus.finite
    unbounded = Estimate.without(math.nan, UNBOUNDED)
    intercept = unbounded
    if not binary:
        intercept = Estimate.without(math.nan, "several classes are recalibrated by a slope alone")
    elif finite:
        intercept = estimate(every.b, "intercept")
    return Recalibration(
        slope=estimate(every.a, "slope") if finite else replace(unbounded, value=every.a),
        intercept=intercept,
        cross_entropy=estimate(every.by_both, "recalibrated"),
        slope_alone=every.slope_alone,
        intercept_alone=every.intercept_alone if binary else math.nan,
        by_slope=saved(every.as_is - every.by_slope, "by_slope", 1),
        by_intercept=saved(every.as_is - every.by_intercept, "by_intercept", 1),
        by_both=saved(every.as_is - every.by_both, "by_both", 2 if binary else 1),
    )


def _concentration(n: int, numbers: Scores, estimate: Interval) -> Concentration:
    shares = numbers.shares

    def of_worst(value: float, name: str, part: float) -> Estimate:
        if math.ceil(part * n) < FEWEST_WORST:
            return Estimate.without(value, EXTREME)
        return estimate(value, name)

    return Concentration(
        worst_1=Estimate.without(shares.worst_1, EXTREME),
        worst_5=Estimate.without(shares.worst_5, EXTREME),
        worst_1_percent=of_worst(shares.worst_1_percent, "worst_1_percent", 0.01),
        worst_10_percent=of_worst(shares.worst_10_percent, "worst_10_percent", 0.1),
        gini=estimate(shares.gini, "gini"),
        half=shares.half,
    )


def _by_class(
    predictions: Predictions, numbers: Scores, resampled: Replicates | None
) -> tuple[ClassReport, ...]:
    def estimate(value: float, name: str, k: int) -> Estimate:
        if resampled is None:
            return Estimate.without(value, NONE)
        return Estimate.of(value, getattr(resampled, name)[:, k])

    return tuple(
        ClassReport(
            label,
            int(numbers.class_n[k]),
            float(numbers.class_share[k]),
            estimate(float(numbers.class_cross_entropy[k]), "class_cross_entropy", k),
            estimate(float(numbers.class_accuracy[k]), "class_accuracy", k),
        )
        for k, label in enumerate(predictions.classes)
    )


def _exact(predictions: Predictions) -> Exact:
    exact = predictions.exact
    if not exact.any():
        return Exact(0, 0, math.nan, 0.0, math.nan)
    each, weight = losses(predictions), predictions.mass
    # Not every exact sample with a large loss: of several classes another one may have the 0.
    wrong = exact & (each > -CERTAIN * math.log(predictions.taken_for))
    total, others = float(np.sum(weight * each)), weight[~exact]
    return Exact(
        count=int(exact.sum()),
        wrong=int(wrong.sum()),
        taken_for=predictions.taken_for,
        loss=float(np.sum((weight * each)[wrong])) / total if total else 0.0,
        cross_entropy=float(np.average(each[~exact], weights=others))
        if np.any(others > 0)
        else math.nan,
    )


def _worst(predictions: Predictions) -> tuple[Worst, ...]:
    each = losses(predictions)
    adds = each * predictions.mass
    total, guess = float(np.sum(adds)), predicted(predictions)
    return tuple(
        Worst(
            row=int(row),
            label=predictions.classes[predictions.y[row]],
            probability=math.exp(-each[row]),
            predicted=predictions.classes[guess[row]],
            loss=float(each[row]),
            share=float(adds[row]) / total if total else 0.0,
        )
        for row in worst_rows(each, SHOWN)
    )
