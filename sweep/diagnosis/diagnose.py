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
from sweep.diagnosis.decomposition import LossDecomposition, decompose
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.findings.rules import findings, require_codes
from sweep.diagnosis.findings.training_history import history_findings
from sweep.diagnosis.foreign_fits import fit_findings, judge
from sweep.diagnosis.one_parameter import temperature_optimum
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
    _require_count("replicates", replicates)
    _require_count("seed", seed)
    if replicates and replicates < MIN_REPLICATES:
        raise InputError(
            f"replicates={replicates}: a 95% interval needs at least {MIN_REPLICATES}; "
            "0 skips the intervals"
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
    training = None if history is None else History.of(history)
    best = optimum(predictions.sample) if predictions.binary else temperature_optimum(predictions)
    loss = decompose(predictions, best.cross_entropy if isinstance(best, Optimum) else best)
    # Before the bootstrap, so that an invalid fit is rejected at once.
    fit = judge(predictions, loss, fitted=fitted, platt=platt, temperature=temperature)
    numbers = _numbers(predictions, best, loss, replicates, seed)
    evidence = Evidence(replace(numbers, fit=fit), loss)
    more = [] if training is None else list(history_findings(training, loss.entropy))
    if fit is not None:
        more += fit_findings(fit)
    return replace(evidence.diagnosis, findings=findings(evidence, more, codes), ignored=codes)


def _require_count(name: str, number: object) -> None:
    if not isinstance(number, Integral) or isinstance(number, bool) or number < 0:
        raise InputError(f"{name}={number!r}: must be a whole number >= 0")


def _numbers(
    predictions: Predictions,
    best: Optimum | TemperatureOptimum,
    loss: LossDecomposition,
    replicates: int,
    seed: int,
) -> Diagnosis:
    """The diagnosis without findings."""
    resampled = None
    if replicates and isinstance(best, Optimum):
        resampled = bootstrap(predictions, loss, replicates, seed)
    elif replicates and isinstance(best, TemperatureOptimum):
        resampled = bootstrap_multiclass(predictions, best, replicates, seed)
    estimate = _Intervals(resampled)
    as_is = scores(predictions)
    return Diagnosis(
        n=len(predictions),
        classes=predictions.classes,
        weighted=predictions.weight is not None,
        replicates=replicates,
        seed=seed,
        cross_entropy=estimate(as_is.cross_entropy, "cross_entropy"),
        accuracy=estimate(as_is.accuracy, "accuracy"),
        brier=estimate(as_is.brier, "brier"),
        baselines=_baselines(predictions, as_is, estimate),
        optimum=best,
        recalibration=_recalibration(predictions, loss, estimate),
        threshold=best_threshold(predictions, best.accuracy, seed)
        if isinstance(best, Optimum)
        else None,
        concentration=_concentration(len(predictions), as_is, estimate),
        by_class=_by_class(predictions, as_is, estimate),
        exact=_exact(predictions),
        worst=_worst(predictions),
        predictions=predictions,
    )


@dataclass(frozen=True, eq=False)
class _Intervals:
    """Gives values their bootstrap intervals, by their names in `Replicates`."""

    resampled: Replicates | None

    def __call__(self, value: float, name: str) -> Estimate:
        if self.resampled is None:
            return Estimate.without(value, NO_BOOTSTRAP)
        return Estimate.of(value, getattr(self.resampled, name))

    def of_class(self, value: float, name: str, k: int) -> Estimate:
        if self.resampled is None:
            return Estimate.without(value, NO_BOOTSTRAP)
        return Estimate.of(value, getattr(self.resampled, name)[:, k])


def _baselines(predictions: Predictions, as_is: Scores, estimate: _Intervals) -> Baselines:
    """Scores of predictions without features.

    Equal classes maximise the entropy and minimise the majority, so bootstrap samples never reach
    these extremes. Unless the data rule equal classes out, the intervals are extended to them.
    """
    k, entropy = len(predictions.classes), as_is.base_rate_entropy
    base_rate = estimate(entropy, "base_rate_entropy")
    majority = estimate(as_is.majority_accuracy, "majority_accuracy")
    if within_chance(predictions, math.log(k) - entropy, k - 1):
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
    binary = predictions.binary
    by_slope = estimate(loss.as_is - loss.by_slope, "by_slope")
    by_intercept = estimate(loss.as_is - loss.by_intercept, "by_intercept")
    by_both = estimate(loss.as_is - loss.by_both, "by_both")
    finite = loss.status is OptimumStatus.finite
    unbounded = Estimate.without(math.nan, UNBOUNDED)
    intercept = unbounded
    if not binary:
        intercept = Estimate.without(math.nan, "several classes are recalibrated by a slope alone")
    elif finite:
        intercept = estimate(loss.b, "intercept")
    return Recalibration(
        slope=estimate(loss.a, "slope") if finite else replace(unbounded, value=loss.a),
        intercept=intercept,
        cross_entropy=estimate(loss.by_both, "recalibrated"),
        slope_alone=loss.slope_alone,
        intercept_alone=loss.intercept_alone if binary else math.nan,
        by_slope=_saved(predictions, by_slope, 1),
        by_intercept=_saved(predictions, by_intercept, 1),
        by_both=_saved(predictions, by_both, 2 if binary else 1),
    )


def _saved(predictions: Predictions, saving: Estimate, parameters: int) -> Estimate:
    """The saving, its interval extended to 0 unless the data rule 0 out."""
    is_chance = within_chance(predictions, saving.value, parameters)
    return saving.extended_to(0.0) if is_chance else saving


def _concentration(n: int, as_is: Scores, estimate: _Intervals) -> Concentration:
    shares = as_is.shares
    one_percent = estimate(shares.worst_1_percent, "worst_1_percent")
    ten_percent = estimate(shares.worst_10_percent, "worst_10_percent")
    return Concentration(
        worst_1=Estimate.without(shares.worst_1, EXTREME),
        worst_5=Estimate.without(shares.worst_5, EXTREME),
        worst_1_percent=_of_worst(one_percent, 0.01 * n),
        worst_10_percent=_of_worst(ten_percent, 0.1 * n),
        gini=estimate(shares.gini, "gini"),
        half=shares.half,
    )


def _of_worst(share: Estimate, samples: float) -> Estimate:
    """The share of the loss of so many worst samples, without interval if they are few."""
    few = math.ceil(samples) < MIN_WORST
    return Estimate.without(share.value, EXTREME) if few else share


def _by_class(
    predictions: Predictions, as_is: Scores, estimate: _Intervals
) -> tuple[ClassReport, ...]:
    loss, accuracy = as_is.class_cross_entropy, as_is.class_accuracy
    return tuple(
        ClassReport(
            label,
            int(as_is.class_n[k]),
            float(as_is.class_share[k]),
            estimate.of_class(float(loss[k]), "class_cross_entropy", k),
            estimate.of_class(float(accuracy[k]), "class_accuracy", k),
        )
        for k, label in enumerate(predictions.classes)
    )


def _exact(predictions: Predictions) -> Exact:
    exact = predictions.exact
    if not exact.any():
        return Exact(0, 0, math.nan, 0.0, math.nan)
    loss, weight = predictions.losses, predictions.mass
    # Exact samples of small loss are right, or have the 0 at a class that is not the true one.
    wrong = exact & (loss > -CERTAIN * math.log(predictions.taken_for))
    total, other_weight = float(np.sum(weight * loss)), weight[~exact]
    return Exact(
        count=int(exact.sum()),
        wrong=int(wrong.sum()),
        taken_for=predictions.taken_for,
        loss=float(np.sum((weight * loss)[wrong])) / total if total else 0.0,
        cross_entropy=float(np.average(loss[~exact], weights=other_weight))
        if np.any(other_weight > 0)
        else math.nan,
    )


def _worst(predictions: Predictions) -> tuple[Worst, ...]:
    loss = predictions.losses
    weighted = loss * predictions.mass
    total, predicted_class = float(np.sum(weighted)), predicted(predictions)
    return tuple(
        Worst(
            row=int(row),
            label=predictions.classes[predictions.y[row]],
            probability=math.exp(-loss[row]),
            predicted=predictions.classes[predicted_class[row]],
            loss=float(loss[row]),
            share=float(weighted[row]) / total if total else 0.0,
        )
        for row in worst_rows(loss, WORST_SHOWN)
    )
