"""Findings about the signal in the logits: none, little, or hidden by unequal or few samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Shaped

from sweep.diagnosis.findings.calibration import calibration_fault, is_flipped
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.report import Finding
from sweep.diagnosis.scores import (
    class_shares,
    correct,
    entropy,
    log_probabilities,
    predicted,
)

NO_SIGNAL = 5.02  # likelihood ratio that chance exceeds in 2.5%: chi-squared, 1 degree of freedom
CONSTANT_WIDTH = 0.05  # of 98% of the logits; a probability changes by 1.2% over it
CONSTANT_SHARE = 0.95  # of the samples: with one and the same logit, predictions are constant
SATURATED = 12.0  # logit beyond which the gradient of the sigmoid is below 1e-5
WRONG = 0.01  # share of wrong samples among saturated ones that is a fault

IMBALANCE = 0.65  # share of the largest class from which accuracy can hide behind it
NO_SKILL = 0.02  # share of the smaller classes that accuracy wins at most, to be no skill
MAX_SKILL = 0.15  # the same at the upper end of a one-sided interval

NO_GAIN = 0.01  # share of the chance loss that is no gain
PROMISED_GAIN = 0.1  # share of the chance loss that confident probabilities promise to save
ONE_SIDED = 1.64  # standard errors of a one-sided test at 5%
LITTLE = 0.12  # share of the entropy that the logits explain

FEW = 50  # samples below which little can be decided
FEW_OF_A_CLASS = 5  # the same for the samples of a class


def signal_findings(evidence: Evidence) -> Iterator[Finding]:
    """Findings about the signal in the logits, and about unequal or few samples."""
    wrong = 0.0 if is_constant(evidence) else _wrong_among_saturated(evidence)
    if is_constant(evidence):
        yield _constant(evidence)
    elif wrong:
        yield _saturated(wrong)
    if is_at_chance(evidence):
        yield _at_chance(evidence)
    elif not is_constant(evidence) and not wrong and _is_limited(evidence):
        yield _limited(evidence)
    if _is_imbalanced(evidence):
        yield _imbalanced(evidence)
    if _is_too_few(evidence):
        yield _too_few(evidence)


# --- constant predictions -----------------------------------------------------------------------


def is_constant(evidence: Evidence) -> bool:
    """Whether the predictions hardly differ from each other."""
    z = _logit_columns(evidence)
    low, high = np.quantile(z, (0.01, 0.99), axis=0)
    return bool(np.all(high - low <= CONSTANT_WIDTH)) or _commonest_share(z) >= CONSTANT_SHARE


def _logit_columns(evidence: Evidence) -> Shaped[np.ndarray, "n k"]:
    """Logits as one column, or log-probabilities as a column a class: equal if predictions are."""
    predictions = evidence.predictions
    return predictions.logits[:, None] if predictions.binary else log_probabilities(predictions)


def _commonest_share(z: Shaped[np.ndarray, "n k"]) -> float:
    """Share of the samples that have the most frequent value in the first column."""
    _, count = np.unique(z[:, 0], return_counts=True)
    return float(np.max(count)) / len(z)


def _constant(evidence: Evidence) -> Finding:
    z = _logit_columns(evidence)
    median, commonest = float(np.median(z, axis=0)[0]), _commonest_share(z)
    return Finding(
        "constant_predictions",
        "critical",
        f"The predictions hardly differ: {_how_alike(z)}.",
        "Look for a dead layer (activations that are 0 for all inputs), inputs that are "
        "constant or not scaled, or a learning rate so high that only the bias was learned.",
        {"logit": median, "spread": float(np.ptp(z)), "commonest": commonest},
    )


def _saturated(wrong: float) -> Finding:
    return Finding(
        "constant_predictions",
        "critical",
        f"The output is saturated: nearly all logits are beyond {SATURATED:g} in size, where the "
        f"gradient of the sigmoid vanishes, and {wrong:.1%} of these samples are wrong.",
        "Scale the inputs, or lower the learning rate or the initial weights; gradient descent "
        "cannot leave a saturated output.",
        {"wrong": wrong, "beyond": SATURATED},
    )


def _how_alike(z: Shaped[np.ndarray, "n k"]) -> str:
    """How little the predictions differ, in words."""
    n, k = z.shape
    same = _commonest_share(z)
    value = f"logit, {np.median(z):.4g}" if k == 1 else "probabilities"
    if same == 1:
        return f"all {n:,} samples have the same {value}"
    if same >= CONSTANT_SHARE:
        return f"{round(same * n):,} of {n:,} samples have the same {value}"
    low, high = np.quantile(z, (0.01, 0.99), axis=0)
    values = f"logits, about {np.median(z):.4g}," if k == 1 else "log-probabilities of each class"
    return f"98% of the {values} are within {np.max(high - low):.2g} of each other"


def _wrong_among_saturated(evidence: Evidence) -> float:
    """Share of wrong samples among saturated ones; 0 if it is small or few are saturated."""
    predictions = evidence.predictions
    beyond = np.abs(predictions.logits) > SATURATED
    if not predictions.binary or np.mean(beyond) < CONSTANT_SHARE:
        return 0.0
    wrong = float(np.mean(~correct(predictions)[beyond]))
    return wrong if wrong >= WRONG else 0.0


# --- no signal, little signal -------------------------------------------------------------------


def is_at_chance(evidence: Evidence) -> bool:
    """Whether neither the logits nor any recalibration of them are better than chance."""
    loss = evidence.typical_decomposition
    if is_flipped(evidence) or math.isinf(loss.a) or _keeps_its_promise(evidence):
        return False
    if evidence.likelihood_ratio(loss.entropy, loss.by_both) >= NO_SIGNAL:
        return False
    variance = np.mean((evidence.typical.losses - loss.entropy) ** 2)
    error = evidence.standard_error(variance)
    return loss.as_is > loss.entropy - max(NO_GAIN * loss.entropy, error)


def _keeps_its_promise(evidence: Evidence) -> bool:
    """Whether the loss is as low as the probabilities promise, and that is well below chance.

    A few samples may not distinguish a good classifier from chance, which is no evidence of chance.
    """
    z, weight = evidence.typical.logits, evidence.typical.weight
    if z.ndim == 1:
        z = np.stack([np.zeros(len(z)), z], axis=1)
    loss = -log_probabilities(replace(evidence.typical, logits=z))
    p = np.exp(-loss)
    # Mean and variance of the loss of each sample, if its probabilities are right.
    entropies = np.sum(p * loss, axis=1)
    variances = np.sum(p * (loss - entropies[:, None]) ** 2, axis=1)
    promised = np.average(entropies, weights=weight)
    chance = entropy(np.average(p, axis=0, weights=weight))
    if promised > (1 - PROMISED_GAIN) * chance:
        return False
    error = evidence.standard_error(np.average(variances, weights=weight))
    return bool(evidence.typical_decomposition.as_is <= promised + ONE_SIDED * error)


def _at_chance(evidence: Evidence) -> Finding:
    loss = evidence.typical_decomposition
    return Finding(
        "chance_level",
        "critical",
        f"The loss is no better than chance: cross-entropy is {loss.as_is:.4g} nats, predicting "
        f"the class shares costs {loss.entropy:.4g}, and no recalibration of the logits improves "
        f"on that beyond chance ({loss.by_both:.4g}).",
        "The logits carry no signal on these data. Check that labels and rows belong together "
        "(a shuffled join), that the features are present, and that the training loss fell.",
        {
            "cross_entropy": loss.as_is,
            "base_rate_entropy": loss.entropy,
            "uniform_entropy": evidence.diagnosis.baselines.uniform_entropy,
            "cross_entropy_at_optimum": loss.by_both,
        },
    )


def _is_limited(evidence: Evidence) -> bool:
    """Whether the logits are calibrated, and yet explain less than LITTLE beyond chance."""
    loss, typical = evidence.typical_decomposition, evidence.typical
    fault = calibration_fault(evidence)
    if fault.slope or fault.intercept or is_flipped(evidence) or not math.isfinite(loss.a):
        return False
    gains = -np.log(class_shares(typical)[typical.y]) - typical.losses
    error = evidence.standard_error(np.var(gains)) / loss.entropy
    return 1 - loss.as_is / loss.entropy + ONE_SIDED * error < LITTLE


def _limited(evidence: Evidence) -> Finding:
    loss = evidence.typical_decomposition
    explained = 1 - loss.as_is / loss.entropy
    return Finding(
        "refinement_limited",
        "info",
        "The loss is high because the logits hardly separate the classes: they explain "
        f"{max(0.0, explained):.1%} of the entropy {loss.entropy:.3g}, and no slope or intercept "
        f"saves more than {max(0.0, loss.as_is - loss.by_both):.2g} of the {loss.as_is:.3g} nats. "
        "This is not a bug of the loss.",
        "Recalibration does not help; better features, more data or another model might.",
        {
            "explained": explained,
            "cross_entropy": loss.as_is,
            "base_rate_entropy": loss.entropy,
            "cross_entropy_at_optimum": loss.by_both,
        },
    )


# --- classes of unequal size, few samples -------------------------------------------------------


def _is_imbalanced(evidence: Evidence) -> bool:
    report, predictions = evidence.diagnosis, evidence.predictions
    majority, accuracy = report.baselines.majority_accuracy.value, report.accuracy.value
    if majority < IMBALANCE:
        return False
    # Skill: the share of the smaller classes that accuracy wins over predicting the largest class.
    # Only samples that are predicted otherwise contribute to its error.
    skill = (accuracy - majority) / (1 - majority)
    otherwise = predicted(predictions) != np.argmax(class_shares(predictions))
    share = np.average(otherwise, weights=predictions.weight)
    error = evidence.standard_error(share) / (1 - majority)
    # A gain of a single sample is no skill either, however few the others are.
    gained = (accuracy - majority) * evidence.effective_n
    no_skill = skill <= NO_SKILL or round(gained, 6) <= 1
    return no_skill and skill + ONE_SIDED * error <= MAX_SKILL


def _imbalanced(evidence: Evidence) -> Finding:
    report = evidence.diagnosis
    majority, accuracy = report.baselines.majority_accuracy.value, report.accuracy.value
    largest = max(report.by_class, key=lambda c: c.share).label
    return Finding(
        "imbalanced",
        "warning",
        f"Accuracy tells nothing here: it is {accuracy:.4g}, and predicting class {largest} for "
        f"every sample reaches {majority:.4g}.",
        "Compare cross-entropy with that of the base rate, or use balanced accuracy or precision "
        "and recall; set the threshold by the costs of a miss and of a false alarm.",
        {"accuracy": accuracy, "majority_accuracy": majority, "majority": largest},
    )


def _is_too_few(evidence: Evidence) -> bool:
    report = evidence.diagnosis
    is_small = report.n < max(FEW, 10 * len(report.classes)) or 2 * evidence.effective_n < FEW
    return is_small or min(c.n for c in report.by_class) < FEW_OF_A_CLASS


def _too_few(evidence: Evidence) -> Finding:
    report = evidence.diagnosis
    smallest = min(report.by_class, key=lambda c: c.n)
    return Finding(
        "too_few_samples",
        "warning",
        f"There are {report.n} samples, {smallest.n} of them of class {smallest.label}: slopes, "
        "shares and thresholds are uncertain, as their intervals show; faults may go unnoticed.",
        f"Validate on more data: at least {FEW} samples, and a hundred of each class to judge "
        "calibration.",
        {"n": report.n, "effective": evidence.effective_n, "least": smallest.n},
    )
