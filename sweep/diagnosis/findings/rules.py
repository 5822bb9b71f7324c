"""All findings of a diagnosis: their codes, their order, and the rules about the threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweep.base.errors import InputError
from sweep.diagnosis.findings.calibration import (
    calibration_fault,
    calibration_findings,
    has_signal,
    is_flipped,
)
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.findings.outliers import outlier_findings
from sweep.diagnosis.findings.signal import is_at_chance, is_constant, signal_findings
from sweep.diagnosis.report import Finding
from sweep.diagnosis.thresholds import most_evident_move, move_to

CODES = {
    "chance_level": "the loss is no better than chance",
    "constant_predictions": "the predictions are constant or saturated, as by dead activations",
    "diverging": "the training loss rises or oscillates",
    "exact_zero_one": "some probabilities are exactly 0 or 1",
    "few_samples_dominate": "a few outliers or label errors account for much of the loss",
    "fit_misplaced": "a given slope, intercept or temperature is far from the best one",
    "healthy": "no fault was found",
    "imbalanced": "accuracy is at or below that of predicting the most frequent class",
    "intercept_shifted": "all logits are shifted, as by class weights or resampling",
    "loss_up_accuracy_up": "the validation loss rises while the validation accuracy does not fall",
    "overconfident": "the logits are too large",
    "overfitting": "the validation loss rises while the training loss falls",
    "plateau": "the training loss hardly changes",
    "refinement_limited": "the logits are calibrated, but hardly separate the classes",
    "separable": "a cut separates the classes, so no finite slope is best",
    "sign_flipped": "the logits rank the classes in reverse",
    "threshold_off": "a threshold other than 0.5 is more accurate",
    "too_few_samples": "there are too few samples to decide much",
    "underconfident": "the logits are too small",
}
"""Codes of the findings, with their meaning."""

ORDER = ("critical", "warning", "info")  # of severity
MIN_GAIN = 0.01  # of accuracy, a fraction: less does not matter
EVIDENT = 3.5  # standard deviations that the best of all moves seldom has by chance
EXPECTED = 1.0  # the same for the one move that a shifted intercept predicts


def findings(
    evidence: Evidence, more: Iterable[Finding] = (), ignore: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """All findings, the most severe first; `healthy` if there is no other."""
    everything = [
        *_calibration(evidence),
        *outlier_findings(evidence),
        *signal_findings(evidence),
        *more,
    ]
    kept = [finding for finding in everything if finding.code not in ignore]
    if not kept and "healthy" not in ignore:
        kept = [_healthy(evidence, ignored=sorted({finding.code for finding in everything}))]
    return tuple(sorted(kept, key=lambda finding: (ORDER.index(finding.severity), finding.code)))


def require_codes(ignore: Sequence[str]) -> tuple[str, ...]:
    """The codes to ignore as a tuple."""
    codes = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    for code in codes:
        if code not in CODES:
            raise InputError(
                f"there is no finding {code!r} to ignore; the codes are {', '.join(CODES)}"
            )
    return codes


def _calibration(evidence: Evidence) -> list[Finding]:
    """Findings about slope, intercept and threshold that are meaningful for these logits."""
    calibration = list(calibration_findings(evidence))
    if is_constant(evidence):
        # Almost constant logits may still rank the samples: then only their unit is too large.
        return [f for f in calibration if f.code == "underconfident" and has_signal(evidence)]
    if is_at_chance(evidence):
        return [f for f in calibration if f.code != "intercept_shifted"]
    if evidence.predictions.binary and not is_flipped(evidence):
        calibration += _threshold(evidence)
    return calibration


def _threshold(evidence: Evidence) -> list[Finding]:
    """Whether another threshold is more accurate, beyond the optimism of choosing the best."""
    threshold = evidence.diagnosis.threshold
    assert threshold is not None
    if threshold.gain.value < MIN_GAIN:
        return []
    move = most_evident_move(evidence.predictions, MIN_GAIN)
    is_evident = move.evidence >= EVIDENT
    fault = calibration_fault(evidence)
    if fault.intercept and fault.a > 0 and not is_evident:
        move = move_to(evidence.predictions, -fault.b / fault.a)
        is_evident = move.gain >= MIN_GAIN and move.evidence >= EXPECTED
    return [_threshold_off(evidence)] if is_evident else []


def _threshold_off(evidence: Evidence) -> Finding:
    report = evidence.diagnosis
    threshold = report.threshold
    assert threshold is not None
    best, accuracy = threshold.accuracy.value, report.accuracy.value
    held_out = threshold.cross_validated_gain.value
    rule = (
        f"the threshold {threshold.nearest:.3g}"
        if threshold.logits
        else f"predicting class {report.classes[threshold.constants[0]]} for every sample"
    )
    return Finding(
        "threshold_off",
        "warning",
        f"A threshold other than 0.5 is more accurate: {rule} has an accuracy of {best:.4g} "
        f"instead of {accuracy:.4g}; cross-validated, the gain is {held_out:.2g}.",
        "Choose the threshold on separate data, or repair the intercept; cross-entropy does not "
        "depend on the threshold.",
        {
            "threshold": threshold.nearest,
            "accuracy": accuracy,
            "best_accuracy": best,
            "gain": threshold.gain.value,
            "cross_validated_gain": held_out,
        },
    )


def _healthy(evidence: Evidence, ignored: Sequence[str]) -> Finding:
    report = evidence.diagnosis
    loss, chance = report.cross_entropy.value, report.baselines.base_rate_entropy.value
    exception = f" besides those ignored ({', '.join(ignored)})" if ignored else ""
    # An ignored finding may contradict these statements.
    more = (
        ""
        if ignored
        else "; no other slope, intercept or threshold is better beyond chance, and no small group "
        "of samples dominates the loss"
    )
    return Finding(
        "healthy",
        "info",
        f"No fault was found{exception}: cross-entropy is {loss:.4g} nats, against {chance:.4g} "
        f"for predicting the class shares{more}.",
        "Nothing needs to be done; compare models by cross-entropy on the same data.",
        {"cross_entropy": loss, "base_rate_entropy": chance, "accuracy": report.accuracy.value},
    )
