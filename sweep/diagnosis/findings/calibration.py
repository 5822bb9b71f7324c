"""Findings about confidence: the slope, the intercept, and the sign of the logits.

Which of slope and intercept to blame is decided by a closed test (Vergouwe et al. 2017, A closed
testing procedure to select an appropriate method for updating prediction models, Statistics in
Medicine 36): only if both together are rejected, and of the two the one that explains everything by
itself. An effect must matter besides being significant: on much data everything is significant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from sweep.diagnosis.decomposition import SEPARATED, LossDecomposition
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.report import Finding, Severity

BOTH = 8.40
"""Likelihood ratio of slope and intercept together: the 1.5% of chi-squared with 2 degrees."""

ONE = 5.92
"""Likelihood ratio of one of them: the 1.5% of chi-squared with 1 degree."""

SIGNAL = 6.63
"""Likelihood ratio of logits that carry a signal: the 1% of chi-squared with 1 degree."""

STILL = 4.61
"""That which must remain of both without a few outliers: the 10%, for all samples were tested."""

MATTERS = 0.01
"""Share of the loss that recalibration must save to matter."""

LARGEST = 700.0
"""Intercepts beyond it have an exponential beyond float64."""

GRAVE = 0.25
"""Share of the loss from which on it is critical."""


class CalibrationFault(NamedTuple):
    """What is to blame for the loss that recalibration would save.

    Attributes:
        slope: whether the slope is.
        intercept: whether the intercept is.
        of: the split of the loss that says so.
        a: the slope that would be right.
        b: the intercept that would be right.
    """

    slope: bool
    intercept: bool
    of: LossDecomposition
    a: float
    b: float


def blame(evidence: Evidence) -> CalibrationFault:
    """Whether slope and intercept are to blame, by a closed test."""
    found = evidence.usual_split if evidence.surprise.dominating else evidence.split
    slope, intercept = _closed_test(evidence, found) if _is_off(evidence) else (False, False)
    if slope and intercept:
        # Of separated classes the slope has no bound, and neither has its intercept.
        b = found.b if math.isfinite(found.b) else found.intercept_alone
        return CalibrationFault(True, True, found, found.a, b)
    if slope:
        return CalibrationFault(True, False, found, found.slope_alone, 0.0)
    return CalibrationFault(
        False, intercept, found, 1.0, found.intercept_alone if intercept else 0.0
    )


def _is_off(evidence: Evidence) -> bool:
    """Whether recalibration saves something that matters, also without a few outliers."""
    bound = BOTH if evidence.predictions.binary else ONE
    every, usual = evidence.split, evidence.usual_split
    if evidence.likelihood_ratio(every.as_is, every.by_both) < bound:
        return False
    if usual is not every and evidence.likelihood_ratio(usual.as_is, usual.by_both) < STILL:
        return False
    return usual.as_is - usual.by_both >= MATTERS * usual.as_is > 0


def _closed_test(evidence: Evidence, found: LossDecomposition) -> tuple[bool, bool]:
    """Whether the slope, and whether the intercept, is needed to save what can be saved."""

    def explains(alone: float) -> bool:
        left = alone - found.by_both
        ratio = evidence.likelihood_ratio(alone, found.by_both)
        return ratio < ONE or left < MATTERS * found.as_is

    by_slope, by_intercept = explains(found.by_slope), explains(found.by_intercept)
    if by_slope and by_intercept:
        slope = found.by_slope <= found.by_intercept
        return slope, not slope
    return not by_intercept, not by_slope


def is_flipped(evidence: Evidence) -> bool:
    """Whether the logits rank the classes the wrong way round, beyond chance."""
    return evidence.usual_split.a < 0 and has_signal(evidence)


def has_signal(evidence: Evidence) -> bool:
    """Whether the logits tell the classes apart, beyond chance."""
    found = evidence.usual_split
    return evidence.likelihood_ratio(found.entropy, found.by_both) > SIGNAL


def confidence(evidence: Evidence) -> Iterator[Finding]:
    """Findings about the slope and the intercept."""
    if is_flipped(evidence):
        yield _flipped(evidence)
    else:
        what = blame(evidence)
        if what.slope:
            yield _overconfident(evidence, what) if what.a < 1 else _underconfident(evidence, what)
        if what.intercept:
            yield _shifted(evidence, what)
    if evidence.diagnosis.optimum_status in SEPARATED:
        yield _separable(evidence)


def _flipped(evidence: Evidence) -> Finding:
    found = evidence.usual_split
    return Finding(
        "sign_flipped",
        "critical",
        f"The logits rank the classes the wrong way round: the best calibration slope is negative "
        f"(a* = {found.a:.3g}), and with it cross-entropy would be {found.by_both:.3g} nats in "
        f"place of {found.as_is:.3g}.",
        f"{_sides(evidence)}: a swapped label coding, a swapped column of probabilities, or the "
        "minus of another sign convention; then negate the logits.",
        {
            "slope": found.a,
            "cross_entropy": found.as_is,
            "cross_entropy_at_optimum": found.by_both,
        },
    )


def _sides(evidence: Evidence) -> str:
    if not evidence.predictions.binary:
        return "Check which column is of which class"
    return f"Check that large logits stand for class {evidence.predictions.classes[1]}"


def _overconfident(evidence: Evidence, what: CalibrationFault) -> Finding:
    share = _share(what)
    worse = what.of.as_is > what.of.entropy
    factor = "" if what.a <= 0 else f" {1 / what.a:.3g} times"
    sentence = (
        f"The predictions are more certain than they turn out right: the logits are{factor} too "
        f"large ({_slope(evidence, what)}){_costs(evidence, what)}."
    )
    if worse:
        sentence += (
            f" As it stands the loss is worse than that of predicting the share of each class, "
            f"{what.of.entropy:.3g}; accuracy does not see it."
        )
    advice = (
        f"Multiply the logits by {what.a:.3g} (temperature {1 / what.a:.3g}), fitted on data apart "
        "from these; in training regularise more or stop earlier."
        if what.a > 0
        else "Look for overfitting: the size of these logits has nothing to do with the labels."
    )
    severity: Severity = "critical" if worse or share >= GRAVE else "warning"
    return Finding("overconfident", severity, sentence, advice, _numbers(evidence, what))


def _underconfident(evidence: Evidence, what: CalibrationFault) -> Finding:
    bounded = math.isfinite(what.a)
    size = f"{what.a:.3g} times too small" if bounded else "too small, however large they are"
    advice = (
        f"Multiply the logits by {what.a:.3g} (temperature {1 / what.a:.3g}), fitted on data apart "
        "from these; in training regularise less or train longer."
        if bounded
        else "Train longer or regularise less; no finite factor is best for these data."
    )
    return Finding(
        "underconfident",
        "critical" if _share(what) >= 2 * GRAVE else "warning",
        f"The predictions are less certain than they turn out right: the logits are {size} "
        f"({_slope(evidence, what)}){_costs(evidence, what)}.",
        advice,
        _numbers(evidence, what),
    )


def _shifted(evidence: Evidence, what: CalibrationFault) -> Finding:
    zero, one = evidence.predictions.classes
    weights = "" if (zero, one) == ("0", "1") else f" (w1 being the weight of class {one})"
    ratio = math.exp(-what.b) if abs(what.b) < LARGEST else math.inf
    scaled = what.slope and 0 < what.a < math.inf
    first = f"Multiply the logits by {what.a:.3g}, then add" if scaled else "To the logits add"
    return Finding(
        "intercept_shifted",
        "critical" if _share(what) >= GRAVE else "warning",
        f"All logits are shifted towards class {one if what.b < 0 else zero}: the calibration "
        f"intercept is {what.b:.3g}{_interval_of_intercept(evidence, what)}, as after class "
        f"weights or resampling with log(w1/w0) = {-what.b:.3g}, w1/w0 = {ratio:.3g}{weights}, "
        f"or a change of the share of class {one}{_costs(evidence, what)}.",
        f"{first} {what.b:.3g} if the shares of the classes here are those of use; or "
        "train without class weights and move the decision threshold instead.",
        _numbers(evidence, what) | {"log_weight_ratio": -what.b, "weight_ratio": ratio},
    )


def _separable(evidence: Evidence) -> Finding:
    value = evidence.split.by_both
    return Finding(
        "separable",
        "info",
        "A cut of the logit separates the classes, so no finite slope is best: cross-entropy falls "
        f"to {value:.3g} nats as the logits grow without bound, and a Platt or temperature fit "
        "only stops where its solver does.",
        "Recalibrate on more data, or with a penalty; do not trust a fitted slope or temperature.",
        {"infimum": value, "status": evidence.diagnosis.optimum_status.name},
    )


def _share(what: CalibrationFault) -> float:
    """What recalibration saves, as a share of the loss."""
    return (what.of.as_is - what.of.by_both) / what.of.as_is


def _costs(evidence: Evidence, what: CalibrationFault) -> str:
    """What it costs in nats, by itself or with the other that is to blame."""
    both = what.slope and what.intercept
    return (
        f"{'; slope and intercept together cost' if both else ', which costs'} "
        f"{what.of.as_is - what.of.by_both:.3g} of the {what.of.as_is:.3g} nats of cross-entropy"
        f"{'' if what.of is evidence.split else f', {_apart(evidence)} left aside'}"
    )


def _apart(evidence: Evidence) -> str:
    """The samples that what is to blame was found without."""
    apart = evidence.surprise.apart
    return f"the {apart} samples of largest loss" if apart > 1 else "the sample of largest loss"


def _slope(evidence: Evidence, what: CalibrationFault) -> str:
    """The calibration slope with its interval; and that without the largest losses, if it is."""
    whole, estimate = evidence.split.a, evidence.diagnosis.recalibration.slope
    text = f"calibration slope {whole:.3g}" if math.isfinite(whole) else "no finite slope is best"
    text += _ends(estimate.low, estimate.high)
    if what.of is evidence.split:
        return text
    return f"{text}; {what.a:.3g} without the largest losses"


def _interval_of_intercept(evidence: Evidence, what: CalibrationFault) -> str:
    estimate = evidence.diagnosis.recalibration.intercept
    return _ends(estimate.low, estimate.high) if what.slope and what.of is evidence.split else ""


def _ends(low: float, high: float) -> str:
    known = math.isfinite(low) and math.isfinite(high)
    return f", 95% interval {low:.3g} to {high:.3g}" if known else ""


def _numbers(evidence: Evidence, what: CalibrationFault) -> dict[str, float]:
    found = what.of
    return {
        "slope": what.a,
        "intercept": what.b,
        "cross_entropy": found.as_is,
        "by_slope": found.as_is - found.by_slope,
        "by_intercept": found.as_is - found.by_intercept,
        "by_both": found.as_is - found.by_both,
        "a": evidence.split.a,
        "b": evidence.split.b,
    }
