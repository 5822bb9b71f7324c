"""Findings about single samples: the few that dominate the loss, and exact zeros and ones."""

from __future__ import annotations

from collections.abc import Iterator

from sweep.diagnosis.findings.evidence import Evidence
from sweep.diagnosis.report import Finding

MOST = 0.5
"""Share of the loss of a few from which on that is critical."""

LISTED = 100
"""Rows that a finding lists."""

NAMED = 5
"""Rows that its sentence names."""


def outliers(evidence: Evidence) -> Iterator[Finding]:
    """Findings about single samples."""
    count = evidence.surprise.dominating
    if count:
        yield _dominating(evidence, count)
    if evidence.diagnosis.exact.count:
        yield _exact(evidence)


def _dominating(evidence: Evidence, count: int) -> Finding:
    found, n = evidence.surprise, evidence.diagnosis.n
    rows = [int(row) for row in found.rows[:count]]
    share = float(found.shares[count - 1])
    named = ", ".join(map(str, rows[:NAMED])) + (", …" if count > NAMED else "")
    one = count == 1
    others = _loss_of_others(evidence, share, count)
    return Finding(
        "few_samples_dominate",
        "critical" if share >= MOST else "warning",
        f"{'One sample has' if one else f'{count} samples have'} {share:.0%} of the loss: "
        f"row{'' if one else 's'} {named} of {n}, counted from 0; cross-entropy of the others is "
        f"{others:.3g} nats. By the classifier's own probabilities losses as large are all but "
        "impossible.",
        f"Look at {'this sample' if one else 'these samples'} first: a wrong label, a broken "
        "input, or an outlier that nothing like it was trained on. Accuracy hardly counts "
        f"{'it' if one else 'them'}. Clipping the loss would only hide this.",
        {
            "count": count,
            "share": share,
            "rows": rows[:LISTED],
            "cross_entropy": evidence.diagnosis.cross_entropy.value,
            "cross_entropy_of_others": others,
            "expected": found.expected,
        },
    )


def _loss_of_others(evidence: Evidence, share: float, count: int) -> float:
    """Mean loss of the samples that do not dominate, in nats."""
    weight = evidence.predictions.weight
    loss = evidence.diagnosis.cross_entropy.value
    if weight is None:
        n = evidence.diagnosis.n
        return loss * (1 - share) * n / max(1, n - count)
    left = float(weight.sum() - weight[evidence.surprise.rows[:count]].sum())
    return loss * (1 - share) * float(weight.sum()) / left if left > 0 else 0.0


def _exact(evidence: Evidence) -> Finding:
    exact, n = evidence.diagnosis.exact, evidence.diagnosis.n
    many = f"{exact.count} of {n} samples have a probability of exactly 0 or 1"
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
            f"{many}, and {exact.wrong} of them are wrong, so cross-entropy is infinite as it "
            f"stands; with {exact.taken_for:.3g} in place of 0 they have {exact.loss:.0%} of the "
            f"loss, and that of all other samples is {exact.cross_entropy:.3g} nats.",
            "Give logits, or log-probabilities in float64, in place of rounded probabilities; "
            "where a model gives exact zeros (a vote of trees, a saturated sigmoid), smooth it.",
            numbers,
        )
    return Finding(
        "exact_zero_one",
        "info",
        f"{many}; none of them is wrong, so they cost nothing, but one that is would cost an "
        f"infinite loss. Here {exact.taken_for:.3g} stands in place of 0.",
        "Give logits in place of rounded probabilities where there are any.",
        numbers,
    )
