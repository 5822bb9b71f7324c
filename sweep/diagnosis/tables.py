"""The findings and the numbers of a diagnosis as tables: for terminals, notebooks and the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from sweep.base.intervals import LEVEL
from sweep.base.tables import DASH, Form, Table, number, percent
from sweep.base.wording import counted

if TYPE_CHECKING:
    from sweep.diagnosis.report import Diagnosis, Estimate, Finding, Threshold

CUTS_SHOWN = 10  # intervals of best thresholds that are listed; `to_dict()` has them all
WORST_SHOWN = 5  # samples with the largest loss, in a terminal
CLASSES_SHOWN = 20  # in a terminal; of more classes those with the largest loss come first

INTERVAL = f"{LEVEL:.0%} interval"

CONSTANT = (
    "All logits are equal, so slope and intercept cannot be told apart: every (a, b) that predicts "
    "the share of class 1 is an optimum of cross-entropy."
)  # what the status constant_x says, in the words of a classifier

SEPARATED = (
    "The true class of every sample has the largest logit: cross-entropy falls without end as a "
    "grows, so it has no finite optimum."
)
EQUAL = "The logits of each sample are equal, so every a is as good."

Row = tuple[str, "Estimate", Form]  # name, number and how it is written


def findings(diagnosis: Diagnosis) -> Iterator[Table]:
    """Each finding with what to do about it, the most severe first; then the judged fit."""
    for finding in diagnosis.findings:
        yield Table(title=f"{finding.severity.upper()}  {finding.code}", notes=_advised(finding))
    fit = diagnosis.fit
    if fit is not None:
        facts = (
            f"Cross-entropy is {number(fit.cross_entropy)} nats, {number(fit.excess)} above the "
            f"lowest in its family ({fit.family})."
        )
        verdict = fit.verdict.replace("_", " ")
        title = f"FIT   a = {number(fit.a)}, b = {number(fit.b)}: {verdict}"
        yield Table(title=title, notes=(fit.sentence, facts))
    if diagnosis.ignored:
        yield Table(title=f"Left out: {', '.join(diagnosis.ignored)}.")


def _advised(finding: Finding) -> tuple[str, ...]:
    advice = (f"What to do: {finding.advice}",) if finding.advice else ()
    return (finding.sentence, *advice)


def numbers(diagnosis: Diagnosis) -> dict[str, Table]:
    """The numbers behind the findings: the tables of the sections of a page, by name."""
    tables = {
        "key": _key_numbers(diagnosis),
        "split": _split(diagnosis),
        "threshold": _threshold(diagnosis),
        "concentration": _concentration(diagnosis),
        "classes": _classes(diagnosis),
        "worst": _worst(diagnosis),
    }
    return {name: table for name, table in tables.items() if table is not None}


def about(diagnosis: Diagnosis) -> str:
    """What was diagnosed, and where its intervals are from."""
    weighted = ", weighted" if diagnosis.weighted else ""
    samples = f"{counted(diagnosis.n, 'sample')} of {len(diagnosis.classes)} classes{weighted}"
    if not diagnosis.replicates:
        return samples
    drawn = f"{diagnosis.replicates:,} bootstrap samples, seed {diagnosis.seed}"
    return f"{samples}; intervals from {drawn}"


def _estimates(
    title: str,
    rows: Iterable[Row],
    *,
    columns: tuple[str, ...] = ("", "value", INTERVAL),
    more: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> Table:
    """Numbers with their intervals, or marks of the reasons why there is none.

    Args:
        title: of the table.
        rows: the numbers.
        columns: heads; a fourth one is that of `more`.
        more: a further cell of each row.
        notes: paragraphs before the reasons.
    """
    reasons: list[str] = []
    cells = [
        (name, form(value.value), _interval(value, form, reasons)) for name, value, form in rows
    ]
    further = list(more)
    if further:
        cells = [(*row, cell) for row, cell in zip(cells, further, strict=True)]
    return Table(
        title=title, columns=columns, rows=tuple(cells), notes=(*notes, *_reasons(reasons))
    )


def _interval(estimate: Estimate, form: Form, reasons: list[str]) -> str:
    if not (math.isnan(estimate.low) or math.isnan(estimate.high)):
        return f"{form(estimate.low)} to {form(estimate.high)}"
    reason = estimate.invalid or "there is no value"
    if reason not in reasons:
        reasons.append(reason)
    return f"{DASH} ({reasons.index(reason) + 1})"


def _reasons(reasons: list[str]) -> Iterator[str]:
    for mark, reason in enumerate(reasons, 1):
        yield f"({mark}) No interval: {reason}."


def _key_numbers(diagnosis: Diagnosis) -> Table:
    """Loss and accuracy, beside what needs no features, and the optimum of a recalibration."""
    base, best = diagnosis.baselines, diagnosis.recalibration
    several = diagnosis.threshold is None
    rows: list[Row] = [
        ("cross-entropy (nats)", diagnosis.cross_entropy, number),
        ("accuracy", diagnosis.accuracy, percent),
        ("Brier score", diagnosis.brier, number),
        ("cross-entropy of the class shares (nats)", base.base_rate_entropy, number),
        ("accuracy of the most frequent class", base.majority_accuracy, percent),
        ("calibration slope a*", best.slope, number),
    ]
    if not several:
        rows.append(("calibration intercept b*", best.intercept, number))
    chance = (
        f"Predicting 1/{len(diagnosis.classes)} for each class has a cross-entropy of "
        f"{number(base.uniform_entropy)} nats. Recalibrated by "
        f"{'softmax(a z)' if several else 'sigmoid(a z + b)'}: {best_exists(diagnosis)}"
    )
    return _estimates("Key numbers", rows, notes=[chance, *_exact(diagnosis)])


def best_exists(diagnosis: Diagnosis) -> str:
    """Whether cross-entropy has an optimum, in a sentence."""
    status = diagnosis.optimum_status
    if diagnosis.threshold is not None:
        return CONSTANT if status.name == "constant_x" else status.value
    return {"separated": SEPARATED, "constant_x": EQUAL}.get(status.name, status.value)


def _exact(diagnosis: Diagnosis) -> Iterator[str]:
    """What is said of probabilities of exactly 0 and 1; nothing if there are none."""
    exact = diagnosis.exact
    if exact.count == 0:
        return
    rest = f"the cross-entropy of the other samples is {number(exact.cross_entropy)} nats"
    if math.isnan(exact.cross_entropy):
        rest = "there are no other samples"
    yield (
        f"{counted(exact.count, 'sample')} {'has' if exact.count == 1 else 'have'} a probability "
        f"of exactly 0 or 1, of which {exact.wrong:,} gave 0 to what happened. 0 was taken for "
        f"{number(exact.taken_for)}, so these wrong ones have {percent(exact.loss)} of the loss; "
        f"{rest}."
    )


def _split(diagnosis: Diagnosis) -> Table:
    """What a slope and an intercept could save of the loss, and what stays."""
    best, loss = diagnosis.recalibration, diagnosis.cross_entropy.value
    rows: list[Row] = [
        ("saved by the best slope" + _at("a", best.slope_alone), best.by_slope, number)
    ]
    if diagnosis.threshold is None:
        rows.append(("the rest: no slope saves it", best.cross_entropy, number))
    else:
        intercept = "saved by the best intercept" + _at("b", best.intercept_alone)
        rows += [
            (intercept, best.by_intercept, number),
            ("saved by both", best.by_both, number),
            ("the rest: neither saves it", best.cross_entropy, number),
        ]
    shares = [percent(value.value / loss if loss > 0 else math.nan) for _, value, _ in rows]
    columns = ("", "nats", INTERVAL, "share")
    return _estimates("The loss, split by what would save it", rows, columns=columns, more=shares)


def _at(name: str, value: float) -> str:
    """A coordinate, without the rounding of what is 0."""
    return "" if math.isnan(value) else f", {name} = {number(round(value, 12) + 0.0)}"


def _threshold(diagnosis: Diagnosis) -> Table | None:
    """The most accurate decision thresholds; None for several classes."""
    best = diagnosis.threshold
    if best is None:
        return None
    rows: list[Row] = [
        ("accuracy at the best threshold", best.accuracy, percent),
        ("gain over 0.5, on these data", best.gain, percent),
        ("gain over 0.5, cross-validated", best.cross_validated_gain, percent),
    ]
    nearest = (
        f"The best threshold nearest to 0.5 is {number(best.nearest)}. The most accurate "
        f"thresholds t of the probability of class {diagnosis.classes[1]}:"
    )
    notes = (nearest, *_thresholds(best, diagnosis.classes))
    return _estimates("Decision threshold", rows, notes=notes)


def _thresholds(best: Threshold, classes: tuple[str, ...]) -> Iterator[str]:
    both = list(zip(best.probabilities, best.logits, strict=True))
    for (low, high, side), logit in both[:CUTS_SHOWN]:
        (below, above), of_logit = _ends((low, high), logit[:2])
        word = "at least" if side > 0 else "at most"
        ends = f"{below} < t \N{LESS-THAN OR EQUAL TO} {above}"
        if side < 0:
            ends = f"{below} \N{LESS-THAN OR EQUAL TO} t < {above}"
        what = "logit" if of_logit else "probability"
        yield f"class {classes[1]} where the {what} is {word} t, for {ends}"
    if len(both) > CUTS_SHOWN:
        yield f"and {len(both) - CUTS_SHOWN} more intervals"
    for constant in best.constants:
        yield f"class {classes[constant]} everywhere"


def _ends(
    probabilities: tuple[float, float], logits: tuple[float, float]
) -> tuple[tuple[str, str], bool]:
    """Ends with as many digits as tell them apart; of the logit if probabilities do not."""
    for form in (number, repr):
        low, high = map(form, probabilities)
        if low != high:
            return (low, high), False
    return (repr(logits[0]), repr(logits[1])), True


def _concentration(diagnosis: Diagnosis) -> Table:
    """How few samples the loss comes from."""
    shares = diagnosis.concentration
    rows: list[Row] = [
        ("share of the loss in the worst sample", shares.worst_1, percent),
        ("in the worst 5", shares.worst_5, percent),
        ("in the worst 1%", shares.worst_1_percent, percent),
        ("in the worst 10%", shares.worst_10_percent, percent),
        ("Gini coefficient of the losses", shares.gini, number),
    ]
    half = f"{shares.half:,} of {counted(diagnosis.n, 'sample')} account for half of the loss."
    return _estimates("How few samples the loss comes from", rows, notes=[half])


def _classes(diagnosis: Diagnosis) -> Table:
    """Each class by itself; if there are many, those with the largest loss first."""
    classes = list(diagnosis.by_class)
    if len(classes) > CLASSES_SHOWN:
        losses = [report.cross_entropy.value for report in classes]
        order = sorted(range(len(losses)), key=lambda k: (math.isnan(losses[k]), -losses[k]))
        classes = [classes[k] for k in order]
    reasons: list[str] = []
    rows = tuple(
        (
            report.label,
            f"{report.n:,}",
            percent(report.share, 3),
            number(report.cross_entropy.value, 3),
            _interval(report.cross_entropy, partial(number, digits=3), reasons),
            percent(report.accuracy.value, 3),
            _interval(report.accuracy, partial(percent, digits=3), reasons),
        )
        for report in classes
    )
    columns = ("class", "samples", "share", "loss (nats)", INTERVAL, "accuracy", INTERVAL)
    return Table(
        title="Each class by itself",
        columns=columns,
        rows=rows,
        notes=tuple(_reasons(reasons)),
        most=CLASSES_SHOWN,
    )


def _worst(diagnosis: Diagnosis) -> Table:
    """The samples with the largest loss."""
    rows = tuple(
        (
            str(sample.row),
            sample.label,
            sample.predicted,
            number(sample.probability),
            number(sample.loss),
            percent(sample.share),
        )
        for sample in diagnosis.worst
    )
    columns = ("row", "class", "predicted", "p(class)", "loss (nats)", "share")
    title = "The samples with the largest loss; rows counted from 0"
    return Table(title=title, columns=columns, rows=rows, words=3, most=WORST_SHOWN)
