"""Findings about calibration: the slope, the intercept, and the sign of the logits.

A closed test decides which of slope and intercept is at fault (Vergouwe et al. 2017, A closed
testing procedure to select an appropriate method for updating prediction models, Statistics in
Medicine 36): neither, unless both together are rejected; then, the one that explains everything by
itself, or else both. An effect must also matter, as on much data every effect is significant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.recalibration import SEPARATED, LossDecomposition
from sweep.diagnosis.report import Estimate, Finding, Severity

# Likelihood ratios, with the level at which chi-squared exceeds them.
BOTH = 8.40  # of slope and intercept together: 1.5%, 2 degrees of freedom
ALONE = 5.92  # of one of them: 1.5%, 1 degree of freedom
SIGNAL = 6.63  # of logits that carry a signal: 1%, 1 degree of freedom
WITHOUT_OUTLIERS = 4.61  # of both without outliers: 10%, 2 degrees; all samples were tested already

MATTERS = 0.01  # share of the loss that recalibration must save to matter
CRITICAL_SHARE = 0.25  # of the loss that recalibration saves
MAX_EXPONENT = 700.0  # of exp in float64


class CalibrationFault(NamedTuple):
    """What is at fault for the loss that recalibration saves."""

    slope: bool  # whether the slope is at fault
    intercept: bool  # whether the intercept is at fault
    # the decomposition that shows it: of all samples, or of the typical ones
    loss: LossDecomposition
    a: float  # the slope that is needed; 1 if the slope is not at fault
    b: float  # the intercept that is needed; 0 if the intercept is not at fault

    @property
    def saved_share(self) -> float:
        """Share of the loss that recalibration saves."""
        return (self.loss.as_is - self.loss.by_both) / self.loss.as_is


def calibration_fault(evidence: Evidence) -> CalibrationFault:
    """Whether slope and intercept are at fault, by a closed test."""
    dominated = evidence.unexpected.dominating
    loss = evidence.typical_decomposition if dominated else evidence.decomposition
    slope, intercept = _closed_test(evidence, loss) if _is_off(evidence) else (False, False)
    if slope and intercept:
        # Separated classes have an infinite slope, so they have no joint intercept.
        b = loss.b if math.isfinite(loss.b) else loss.intercept_alone
        return CalibrationFault(True, True, loss, loss.a, b)
    if slope:
        return CalibrationFault(True, False, loss, loss.slope_alone, 0.0)
    return CalibrationFault(False, intercept, loss, 1.0, loss.intercept_alone if intercept else 0.0)


def _is_off(evidence: Evidence) -> bool:
    """Whether recalibration saves something that matters, with and without outliers."""
    bound = BOTH if evidence.predictions.binary else ALONE
    loss, typical = evidence.decomposition, evidence.typical_decomposition
    if evidence.likelihood_ratio(loss.as_is, loss.by_both) < bound:
        return False
    if typical is not loss:
        ratio = evidence.likelihood_ratio(typical.as_is, typical.by_both)
        if ratio < WITHOUT_OUTLIERS:
            return False
    return typical.as_is - typical.by_both >= MATTERS * typical.as_is > 0


def _closed_test(evidence: Evidence, loss: LossDecomposition) -> tuple[bool, bool]:
    """Whether the slope, and whether the intercept, is needed to save what can be saved."""
    slope_suffices = _suffices(evidence, loss, loss.by_slope)
    intercept_suffices = _suffices(evidence, loss, loss.by_intercept)
    if slope_suffices and intercept_suffices:
        slope_is_better = loss.by_slope <= loss.by_intercept
        return slope_is_better, not slope_is_better
    return not intercept_suffices, not slope_suffices


def _suffices(evidence: Evidence, loss: LossDecomposition, alone: float) -> bool:
    """Whether a loss with one parameter is as low as with both, within chance or what matters."""
    ratio = evidence.likelihood_ratio(alone, loss.by_both)
    return ratio < ALONE or alone - loss.by_both < MATTERS * loss.as_is


def is_flipped(evidence: Evidence) -> bool:
    """Whether the logits rank the classes in reverse, beyond chance."""
    return evidence.typical_decomposition.a < 0 and has_signal(evidence)


def has_signal(evidence: Evidence) -> bool:
    """Whether the logits separate the classes to some extent, beyond chance."""
    loss = evidence.typical_decomposition
    return evidence.likelihood_ratio(loss.entropy, loss.by_both) > SIGNAL


def calibration_findings(evidence: Evidence) -> Iterator[Finding]:
    """Findings about the slope and the intercept."""
    if is_flipped(evidence):
        yield _flipped(evidence)
    else:
        fault = calibration_fault(evidence)
        if fault.slope:
            yield _misscaled(evidence, fault)
        if fault.intercept:
            yield _shifted(evidence, fault)
    if evidence.diagnosis.optimum_status in SEPARATED:
        yield _separable(evidence)


# --- the findings -------------------------------------------------------------------------------


def _flipped(evidence: Evidence) -> Finding:
    loss = evidence.typical_decomposition
    check = "Check which column belongs to which class"
    if evidence.predictions.binary:
        check = f"Check that large logits stand for class {evidence.predictions.classes[1]}"
    return Finding(
        "sign_flipped",
        "critical",
        f"The logits rank the classes in reverse: the best calibration slope is negative "
        f"(a* = {loss.a:.3g}), and it reduces cross-entropy from {loss.as_is:.3g} to "
        f"{loss.by_both:.3g} nats.",
        f"{check}: the labels, the columns of probabilities or the sign convention may be "
        "swapped. Then negate the logits.",
        {"slope": loss.a, "cross_entropy": loss.as_is, "cross_entropy_at_optimum": loss.by_both},
    )


def _misscaled(evidence: Evidence, fault: CalibrationFault) -> Finding:
    """The finding that the logits are too large or too small."""
    loss, a, too_large = fault.loss, fault.a, fault.a < 1
    if 0 < a < math.inf:
        size = f"{1 / a:.3g} times too large" if too_large else f"{a:.3g} times too small"
        repair = (
            "regularise more or stop earlier" if too_large else "regularise less or train longer"
        )
        advice = (
            f"Multiply the logits by {a:.3g} (temperature {1 / a:.3g}), a factor to be fitted on "
            f"separate data; in training, {repair}."
        )
    elif too_large:
        size = "too large"
        advice = "Look for overfitting: the size of these logits is unrelated to the labels."
    else:
        size = "too small by any factor"
        advice = "Train longer or regularise less; no finite factor is best for these data."
    sentence = (
        f"The predictions are {'too confident' if too_large else 'not confident enough'}: the "
        f"logits are {size} ({_slope(evidence, fault)}){_cost(evidence, fault)}."
    )
    is_worse = too_large and loss.as_is > loss.entropy
    if is_worse:
        sentence += (
            " The loss is higher than that of predicting the class shares, "
            f"{loss.entropy:.3g} nats; accuracy does not show this."
        )
    much = CRITICAL_SHARE if too_large else 2 * CRITICAL_SHARE
    severity = _severity(is_worse or fault.saved_share >= much)
    code = "overconfident" if too_large else "underconfident"
    return Finding(code, severity, sentence, advice, _numbers(evidence, fault))


def _shifted(evidence: Evidence, fault: CalibrationFault) -> Finding:
    class0, class1 = evidence.predictions.classes
    weights = "" if (class0, class1) == ("0", "1") else f" (w1 is the weight of class {class1})"
    ratio = math.exp(-fault.b) if abs(fault.b) < MAX_EXPONENT else math.inf
    repair = f"Add {fault.b:.3g} to the logits"
    if fault.slope and 0 < fault.a < math.inf:
        repair = f"Multiply the logits by {fault.a:.3g}, then add {fault.b:.3g}"
    interval = ""  # that of the diagnosis is for slope and intercept of all samples
    if fault.slope and fault.loss is evidence.decomposition:
        interval = _interval(evidence.diagnosis.recalibration.intercept)
    return Finding(
        "intercept_shifted",
        _severity(fault.saved_share >= CRITICAL_SHARE),
        f"All logits are shifted towards class {class1 if fault.b < 0 else class0}: the "
        f"calibration intercept is {fault.b:.3g}{interval}, as after class weights or resampling "
        f"with log(w1/w0) = {-fault.b:.3g}, w1/w0 = {ratio:.3g}{weights}, or after a change of the "
        f"share of class {class1}{_cost(evidence, fault)}.",
        f"{repair} if the class shares of these data are those in use; or train without class "
        "weights and move the decision threshold instead.",
        _numbers(evidence, fault) | {"log_weight_ratio": -fault.b, "weight_ratio": ratio},
    )


def _separable(evidence: Evidence) -> Finding:
    value = evidence.decomposition.by_both
    return Finding(
        "separable",
        "info",
        "A cut of the logit separates the classes, so no finite slope is best: cross-entropy falls "
        f"to {value:.3g} nats as the logits grow without bound, and a Platt or temperature fit "
        "only tells where its solver stopped.",
        "Recalibrate on more data or with a penalty; do not trust a fitted slope or temperature.",
        {"infimum": value, "status": evidence.diagnosis.optimum_status.name},
    )


# --- their words and numbers --------------------------------------------------------------------


def _severity(is_critical: bool) -> Severity:
    return "critical" if is_critical else "warning"


def _cost(evidence: Evidence, fault: CalibrationFault) -> str:
    """The cost of the fault in nats, of both faults together if there are two."""
    cost = "slope and intercept together cost" if fault.slope and fault.intercept else "this costs"
    loss = fault.loss
    text = f"; {cost} {loss.as_is - loss.by_both:.3g} of the {loss.as_is:.3g} nats of cross-entropy"
    if loss is evidence.decomposition:
        return text
    apart = evidence.unexpected.apart
    return f"{text} without the {f'{apart} samples' if apart > 1 else 'sample'} of largest loss"


def _slope(evidence: Evidence, fault: CalibrationFault) -> str:
    """The calibration slope with its interval, and that of the typical samples if it is used."""
    a = evidence.decomposition.a
    text = f"calibration slope {a:.3g}" if math.isfinite(a) else "no finite slope is best"
    text += _interval(evidence.diagnosis.recalibration.slope)
    if fault.loss is evidence.decomposition:
        return text
    return f"{text}; {fault.a:.3g} without the largest losses"


def _interval(estimate: Estimate) -> str:
    finite = math.isfinite(estimate.low) and math.isfinite(estimate.high)
    return f", 95% interval {estimate.low:.3g} to {estimate.high:.3g}" if finite else ""


def _numbers(evidence: Evidence, fault: CalibrationFault) -> dict[str, float]:
    loss = fault.loss
    return {
        "slope": fault.a,
        "intercept": fault.b,
        "cross_entropy": loss.as_is,
        "by_slope": loss.as_is - loss.by_slope,
        "by_intercept": loss.as_is - loss.by_intercept,
        "by_both": loss.as_is - loss.by_both,
        "a": evidence.decomposition.a,
        "b": evidence.decomposition.b,
    }
