"""All findings of a diagnosis: which there are, in which order, and which are not wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweep.base.errors import InputError
from sweep.diagnosis.findings.calibration import blame, confidence, has_signal, is_flipped
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.findings.outliers import outliers
from sweep.diagnosis.findings.signal import is_at_chance, is_constant, signal
from sweep.diagnosis.report import Finding
from sweep.diagnosis.thresholds import moved, walk

CODES = {
    "chance_level": "the loss is no better than chance",
    "constant_predictions": "constant or saturated predictions, as of dead activations",
    "diverging": "the training loss rises or oscillates",
    "exact_zero_one": "probabilities of exactly 0 or 1",
    "few_samples_dominate": "a few outliers or label errors have much of the loss",
    "fit_misplaced": "a fitted slope or temperature is not the best",
    "healthy": "nothing is the matter",
    "imbalanced": "accuracy at or below that of the most frequent class",
    "intercept_shifted": "all logits are shifted, as by class weights or resampling",
    "loss_up_accuracy_up": "validation loss rises while validation accuracy does not fall",
    "overconfident": "the logits are too large",
    "overfitting": "validation loss rises while the training loss falls",
    "plateau": "the training loss hardly moves",
    "refinement_limited": "calibrated, but the logits tell the classes apart only a little",
    "separable": "no finite slope is best",
    "sign_flipped": "the logits rank the classes the wrong way round",
    "threshold_off": "another threshold than 0.5 is more accurate",
    "too_few_samples": "too few samples to decide much",
    "underconfident": "the logits are too small",
}
"""Codes of findings, with what each means."""

ORDER = ("critical", "warning", "info")
"""Severities, gravest first."""

GAIN = 0.01
"""Accuracy that another threshold must gain to matter, a fraction."""

SURE = 3.5
"""Standard deviations of the most evident walk of the threshold that chance does not make."""

LIKELY = 1.0
"""Standard deviations that will do where a shifted intercept says where the threshold should be."""


def findings(
    evidence: Evidence, more: Iterable[Finding] = (), ignore: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """What is the matter, the gravest first; `healthy` if nothing is.

    Args:
        evidence: what the rules decide by.
        more: findings from elsewhere, such as a training history.
        ignore: codes that are not wanted.
    """
    made = [*_calibration(evidence), *outliers(evidence), *signal(evidence), *more]
    kept = [one for one in made if one.code not in ignore]
    if not kept and "healthy" not in ignore:
        kept = [_healthy(evidence, ignored=sorted({one.code for one in made}))]
    return tuple(sorted(kept, key=lambda one: (ORDER.index(one.severity), one.code)))


def require_codes(ignore: Sequence[str]) -> tuple[str, ...]:
    """The codes, each of which must be known.

    Raises:
        InputError: one is not; the sentence names those that are.
    """
    codes = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    for code in codes:
        if code not in CODES:
            raise InputError(
                f"there is no finding {code!r} to ignore; the codes are {', '.join(CODES)}"
            )
    return codes


def _calibration(evidence: Evidence) -> list[Finding]:
    """Of slope, intercept and threshold; of noise the slope, of constant logits the size."""
    made = list(confidence(evidence))
    if is_constant(evidence):
        # Logits in too large a unit rank the samples all the same.
        return [one for one in made if one.code == "underconfident" and has_signal(evidence)]
    if is_at_chance(evidence):
        return [one for one in made if one.code != "intercept_shifted"]
    if evidence.predictions.binary and not is_flipped(evidence):
        made += _threshold(evidence)
    return made


def _threshold(evidence: Evidence) -> list[Finding]:
    """Whether another threshold is more accurate, beyond what choosing it makes it seem."""
    found = evidence.diagnosis.threshold
    assert found is not None
    if found.gain.value < GAIN:
        return []
    gain = walk(evidence.predictions, GAIN)
    evident = gain.evidence >= SURE
    what = blame(evidence)
    if what.intercept and what.a > 0 and not evident:
        gain = moved(evidence.predictions, -what.b / what.a)
        evident = gain.gain >= GAIN and gain.evidence >= LIKELY
    return [_threshold_off(evidence)] if evident else []


def _threshold_off(evidence: Evidence) -> Finding:
    report = evidence.diagnosis
    found = report.threshold
    assert found is not None
    best, accuracy = found.accuracy.value, report.accuracy.value
    held_out = found.cross_validated_gain.value
    where = (
        f"{found.nearest:.3g}"
        if found.logits
        else f"class {report.classes[found.constants[0]]} for all"
    )
    return Finding(
        "threshold_off",
        "warning",
        f"Another threshold than 0.5 is more accurate: with {where} accuracy is {best:.4g} in "
        f"place of {accuracy:.4g}; cross-validated the gain is {held_out:.2g}.",
        "Set the threshold on data apart from these, or repair the intercept; cross-entropy does "
        "not depend on the threshold.",
        {
            "threshold": found.nearest,
            "accuracy": accuracy,
            "best_accuracy": best,
            "gain": found.gain.value,
            "cross_validated_gain": held_out,
        },
    )


def _healthy(evidence: Evidence, ignored: Sequence[str]) -> Finding:
    report = evidence.diagnosis
    loss, chance = report.cross_entropy.value, report.baselines.base_rate_entropy.value
    apart = f" apart from what is ignored ({', '.join(ignored)})" if ignored else ""
    # What is ignored may be just that.
    more = (
        ""
        if ignored
        else ", no slope, intercept or threshold is better beyond chance, and no few samples "
        "dominate the loss"
    )
    return Finding(
        "healthy",
        "info",
        f"Nothing is the matter{apart}: cross-entropy is {loss:.4g} nats where chance is "
        f"{chance:.4g}{more}.",
        "Nothing needs to be done; compare models by cross-entropy on the same data.",
        {"cross_entropy": loss, "base_rate_entropy": chance, "accuracy": report.accuracy.value},
    )
