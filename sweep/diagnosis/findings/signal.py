"""Findings about what the logits carry: nothing, little, no more than the shares of the classes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Shaped

from sweep.diagnosis.findings.calibration import blame, is_flipped
from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.report import Finding
from sweep.diagnosis.scores import (
    class_shares,
    correct,
    entropy,
    log_probabilities,
    losses,
    predicted,
)

NOTHING = 5.02
"""Likelihood ratio of logits without a signal, beyond chance: 2.5% of chi-squared, 1 degree."""

SAME = 0.05
"""Logits of which 98% lie that close together are constant; a probability moves by 1.2%."""

DEAD = 0.95
"""Share of samples with one and the same logit from which on predictions are constant."""

SATURATED = 12.0
"""Logits beyond it leave a gradient below 1e-5: the sigmoid is saturated."""

WRONG = 0.01
"""Share of wrong samples among saturated ones from which on that is a fault."""

IMBALANCE = 0.65
"""Share of the largest class from which on accuracy can hide behind it."""

SKILL = 0.02
"""Share of the smaller classes' samples that accuracy must win to be above the majority's."""

NO_SKILL = 0.15
"""Share of them that it can be said not to win, by a one-sided test."""

NO_GAIN = 0.01
"""Share of the chance loss that is no gain."""

GAIN = 0.1
"""Share of the chance loss that a classifier promises to win, from which on it promises much."""

ONE_SIDED = 1.64
"""Standard errors of a one-sided test at 5%."""

LITTLE = 0.12
"""Share of the entropy of the classes, explained by the logits, that is little."""

FEW = 50
"""Samples below which nothing is decided well."""

FEW_OF_A_CLASS = 5
"""Samples of a class below which nothing is decided well."""


def signal(evidence: Evidence) -> Iterator[Finding]:
    """Findings about what the logits carry."""
    constant = _constant(evidence)
    if constant is not None:
        yield constant
    if is_at_chance(evidence):
        yield _at_chance(evidence)
    elif constant is None and _is_limited(evidence):
        yield _limited(evidence)
    if _is_imbalanced(evidence):
        yield _imbalanced(evidence)
    if _is_too_few(evidence):
        yield _too_few(evidence)


# --- constant predictions -----------------------------------------------------------------------


def is_constant(evidence: Evidence) -> bool:
    """Whether the predictions hardly differ from each other."""
    z = _shape(evidence)
    low, high = np.quantile(z, (0.01, 0.99), axis=0)
    return bool(np.all(high - low <= SAME)) or _commonest(z) >= DEAD


def _shape(evidence: Evidence) -> Shaped[np.ndarray, "n k"]:
    """Logits, a column a class, in which equal predictions are equal."""
    found = evidence.predictions
    return found.logits[:, None] if found.binary else log_probabilities(found)


def _commonest(z: Shaped[np.ndarray, "n k"]) -> float:
    """Share of the samples that have the most frequent row."""
    first = np.sort(z[:, 0])
    ends = np.flatnonzero(np.concatenate([[True], first[1:] != first[:-1], [True]]))
    return float(np.max(np.diff(ends))) / len(z)


def _constant(evidence: Evidence) -> Finding | None:
    z = _shape(evidence)
    if is_constant(evidence):
        middle = np.median(z, axis=0)
        return Finding(
            "constant_predictions",
            "critical",
            f"The predictions hardly differ: {_alike(z)}.",
            "Look for a dead layer (activations that are 0 for all inputs), inputs that were not "
            "scaled or are constant, or a learning rate so high that the bias alone was learned.",
            {"logit": float(middle[0]), "spread": float(np.ptp(z)), "commonest": _commonest(z)},
        )
    wrong = _saturated(evidence)
    if wrong is None:
        return None
    return Finding(
        "constant_predictions",
        "critical",
        f"The output is saturated: nearly all logits are beyond {SATURATED:g} in size, where the "
        f"gradient of the sigmoid vanishes, and {wrong:.1%} of these samples are wrong.",
        "Scale the inputs, lower the learning rate or the initial weights; from there training "
        "cannot go on by gradients.",
        {"wrong": wrong, "beyond": SATURATED},
    )


def _alike(z: Shaped[np.ndarray, "n k"]) -> str:
    """How little they differ, in words."""
    n, k = z.shape
    same = _commonest(z)
    what = f"logit, {np.median(z):.4g}" if k == 1 else "probabilities"
    if same == 1:
        return f"all {n:,} samples have the same {what}"
    if same >= DEAD:
        return f"{round(same * n):,} of {n:,} samples have the same {what}"
    low, high = np.quantile(z, (0.01, 0.99), axis=0)
    of = f"logits, about {np.median(z):.4g}," if k == 1 else "log-probabilities of each class"
    return f"98% of the {of} are within {np.max(high - low):.2g} of each other"


def _saturated(evidence: Evidence) -> float | None:
    """Share of wrong samples among the saturated ones, where nearly all are and too many fail."""
    found = evidence.predictions
    if not found.binary:
        return None
    beyond = np.abs(found.logits) > SATURATED
    if np.mean(beyond) < DEAD:
        return None
    wrong = float(np.mean(~correct(found)[beyond]))
    return wrong if wrong >= WRONG else None


# --- no signal, little signal -------------------------------------------------------------------


def is_at_chance(evidence: Evidence) -> bool:
    """Whether neither the logits nor any recalibration of them can be told from chance."""
    found = evidence.usual_split
    if is_flipped(evidence) or math.isinf(found.a):
        return False
    if evidence.likelihood_ratio(found.entropy, found.by_both) >= NOTHING:
        return False
    if _keeps_its_promise(evidence):
        return False
    each = losses(evidence.usual)
    spread = float(np.sqrt(np.mean((each - found.entropy) ** 2) / evidence.effective))
    return found.as_is > found.entropy - max(NO_GAIN * found.entropy, spread)


def _keeps_its_promise(evidence: Evidence) -> bool:
    """Whether the loss is what the probabilities themselves promise, and that is a gain.

    Few samples may not tell a good classifier from chance: then that is no evidence of chance.
    """
    usual = evidence.usual
    z = usual.logits
    if usual.binary:
        z = np.stack([np.zeros(len(z)), z], axis=1)
    loss = -log_probabilities(replace(usual, logits=z))
    p = np.exp(-loss)
    each = np.sum(p * loss, axis=1)
    variance = np.sum(p * (loss - each[:, None]) ** 2, axis=1)
    promised = float(np.average(each, weights=usual.weight))
    if promised > (1 - GAIN) * float(entropy(np.average(p, axis=0, weights=usual.weight))):
        return False
    error = math.sqrt(float(np.average(variance, weights=usual.weight)) / evidence.effective)
    return evidence.usual_split.as_is <= promised + ONE_SIDED * error


def _at_chance(evidence: Evidence) -> Finding:
    found = evidence.usual_split
    return Finding(
        "chance_level",
        "critical",
        f"The loss is no better than chance: cross-entropy is {found.as_is:.4g} nats, predicting "
        f"the share of each class costs {found.entropy:.4g}, and no recalibration of these logits "
        f"does better than that beyond chance ({found.by_both:.4g}).",
        "The logits carry no signal on these data: check that labels and rows belong together "
        "(a shuffled join), that the features are there, and that the loss fell in training.",
        {
            "cross_entropy": found.as_is,
            "base_rate_entropy": found.entropy,
            "uniform_entropy": evidence.diagnosis.baselines.uniform_entropy,
            "cross_entropy_at_optimum": found.by_both,
        },
    )


def _is_limited(evidence: Evidence) -> bool:
    """Calibrated, and yet the logits explain little: surely less than LITTLE."""
    found = evidence.usual_split
    what = blame(evidence)
    if what.slope or what.intercept or is_flipped(evidence) or not math.isfinite(found.a):
        return False
    explained = 1 - found.as_is / found.entropy
    return explained + ONE_SIDED * _error(evidence) < LITTLE


def _error(evidence: Evidence) -> float:
    """Standard error of the share of the entropy that is explained."""
    usual = evidence.usual
    gained = -np.log(class_shares(usual)[usual.y]) - losses(usual)
    return float(np.std(gained)) / math.sqrt(evidence.effective) / evidence.usual_split.entropy


def _limited(evidence: Evidence) -> Finding:
    found = evidence.usual_split
    explained = 1 - found.as_is / found.entropy
    return Finding(
        "refinement_limited",
        "info",
        f"The loss is high because the logits tell the classes apart only a little: they explain "
        f"{max(0.0, explained):.1%} of the entropy {found.entropy:.3g}, and no slope or intercept "
        f"saves more than {max(0.0, found.as_is - found.by_both):.2g} of the {found.as_is:.3g} "
        "nats. That is no bug of the loss.",
        "Recalibration does not help; better features, more data or another model might.",
        {
            "explained": explained,
            "cross_entropy": found.as_is,
            "base_rate_entropy": found.entropy,
            "cross_entropy_at_optimum": found.by_both,
        },
    )


# --- classes of unequal size, few samples -------------------------------------------------------


def _is_imbalanced(evidence: Evidence) -> bool:
    report = evidence.diagnosis
    majority, accuracy = report.baselines.majority_accuracy.value, report.accuracy.value
    if majority < IMBALANCE:
        return False
    skill = (accuracy - majority) / (1 - majority)
    changed = _share_not_majority(evidence)
    error = math.sqrt(changed / evidence.effective) / (1 - majority)
    # One sample more than the majority's is no skill either, whatever its share of the others.
    gained = (accuracy - majority) * evidence.effective
    none = skill <= SKILL or round(gained, 6) <= 1
    return none and skill + ONE_SIDED * error <= NO_SKILL


def _share_not_majority(evidence: Evidence) -> float:
    """Share of the samples for which another class than the most frequent one is predicted."""
    found = evidence.predictions
    other = predicted(found) != np.argmax(class_shares(found))
    return float(np.average(other, weights=found.weight))


def _imbalanced(evidence: Evidence) -> Finding:
    report = evidence.diagnosis
    majority, accuracy = report.baselines.majority_accuracy.value, report.accuracy.value
    largest = max(report.by_class, key=lambda one: one.share).label
    return Finding(
        "imbalanced",
        "warning",
        f"Accuracy says nothing here: it is {accuracy:.4g}, and predicting class {largest} for "
        f"every sample reaches {majority:.4g}.",
        "Judge by cross-entropy against that of the base rate, by balanced accuracy or by "
        "precision and recall; move the threshold to what a miss and a false alarm cost.",
        {"accuracy": accuracy, "majority_accuracy": majority, "majority": largest},
    )


def _is_too_few(evidence: Evidence) -> bool:
    least = min(one.n for one in evidence.diagnosis.by_class)
    classes = len(evidence.diagnosis.classes)
    few = len(evidence.predictions) < max(FEW, 10 * classes) or 2 * evidence.effective < FEW
    return few or least < FEW_OF_A_CLASS


def _too_few(evidence: Evidence) -> Finding:
    report = evidence.diagnosis
    least = min(report.by_class, key=lambda one: one.n)
    return Finding(
        "too_few_samples",
        "warning",
        f"There are {report.n} samples, {least.n} of them of class {least.label}: slopes, shares "
        "and thresholds are uncertain, as their intervals show, and faults may stay unseen.",
        f"Validate on more: at least {FEW} samples, and a hundred of each class to judge "
        "calibration.",
        {"n": report.n, "effective": evidence.effective, "least": least.n},
    )
