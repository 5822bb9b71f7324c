"""Findings about single samples: a few that dominate the loss, and probabilities of 0 or 1."""

from __future__ import annotations

from collections.abc import Iterator

from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.report import Finding

CRITICAL_SHARE = 0.5  # of the loss in a few samples
LISTED_ROWS = 100  # in the numbers of a finding
NAMED_ROWS = 5  # in its sentence


def outlier_findings(evidence: Evidence) -> Iterator[Finding]:
    """Findings about single samples."""
    count = evidence.unexpected.dominating
    if count:
        yield _dominating(evidence, count)
    if evidence.diagnosis.exact.count:
        yield _exact(evidence)


def _dominating(evidence: Evidence, count: int) -> Finding:
    unexpected, n = evidence.unexpected, evidence.diagnosis.n
    rows = [int(row) for row in unexpected.rows[:count]]
    share = float(unexpected.shares[count - 1])
    named = ", ".join(map(str, rows[:NAMED_ROWS])) + (", …" if count > NAMED_ROWS else "")
    others = _loss_of_others(evidence, share, count)
    head, this, it = f"{count} samples account", "these samples", "them"
    if count == 1:
        head, this, it = "One sample accounts", "this sample", "it"
    return Finding(
        "few_samples_dominate",
        "critical" if share >= CRITICAL_SHARE else "warning",
        f"{head} for {share:.0%} of the loss: row{'s' if count > 1 else ''} {named} of {n}, "
        f"counted from 0; without {it} cross-entropy is {others:.3g} nats. By the classifier's own "
        "probabilities, losses this large are almost impossible.",
        f"Inspect {this} first, for a wrong label, a broken input, or an outlier unlike the "
        f"training data. Accuracy hardly notices {it}, and clipping the loss only hides {it}.",
        {
            "count": count,
            "share": share,
            "rows": rows[:LISTED_ROWS],
            "cross_entropy": evidence.diagnosis.cross_entropy.value,
            "cross_entropy_of_others": others,
            "expected": unexpected.expected,
        },
    )


def _loss_of_others(evidence: Evidence, share: float, count: int) -> float:
    """Mean loss of the samples that do not dominate, in nats."""
    weight = evidence.predictions.weight
    loss = evidence.diagnosis.cross_entropy.value
    if weight is None:
        n = evidence.diagnosis.n
        return loss * (1 - share) * n / max(1, n - count)
    left = float(weight.sum() - weight[evidence.unexpected.rows[:count]].sum())
    return loss * (1 - share) * float(weight.sum()) / left if left > 0 else 0.0


def _exact(evidence: Evidence) -> Finding:
    exact, n = evidence.diagnosis.exact, evidence.diagnosis.n
    head = f"{exact.count} of {n} samples have a probability of exactly 0 or 1"
    numbers = {
        "count": exact.count,
        "wrong": exact.wrong,
        "taken_for": exact.taken_for,
        "share_of_loss": exact.loss,
        "cross_entropy_of_others": exact.cross_entropy,
    }
    if exact.wrong:
        return Finding(
            "exact_zero_one",
            "critical",
            f"{head}; {exact.wrong} of them gave 0 to the true class, so cross-entropy is "
            f"infinite. With {exact.taken_for:.3g} in place of 0, this accounts for "
            f"{exact.loss:.0%} of the loss, and the samples without such a probability have a "
            f"cross-entropy of {exact.cross_entropy:.3g} nats.",
            "Pass logits, or log-probabilities in float64, instead of rounded probabilities; if "
            "the model itself returns exact zeros (votes of trees, a saturated sigmoid), smooth "
            "them.",
            numbers,
        )
    return Finding(
        "exact_zero_one",
        "info",
        f"{head}. None of them is wrong, so they cost nothing, but a wrong one would make "
        f"cross-entropy infinite; all numbers use {exact.taken_for:.3g} in place of 0.",
        "Pass logits instead of rounded probabilities, if you have them.",
        numbers,
    )
