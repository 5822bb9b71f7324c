"""The findings and the numbers of a diagnosis, as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sweep.base.intervals import LEVEL
from sweep.diagnosis.report import (
    Diagnosis,
    Estimate,
    Exact,
    Finding,
    JudgedFit,
    TemperatureOptimum,
    Threshold,
)
from sweep.report.page.markup import (
    DASH,
    Form,
    Html,
    anything,
    interval,
    number,
    percent,
    plural,
    table,
    tag,
    together,
)

SEVERITY = {"critical": "Critical", "warning": "Warning", "info": "Note"}  # as the page names them


def findings(diagnosis: Diagnosis) -> Html:
    """All findings, the codes left out, and the verdict on a fit made elsewhere."""
    items = [_finding(finding) for finding in diagnosis.findings]
    parts = [tag("ol", *items, class_="findings") if items else tag("p", "There are no findings.")]
    if diagnosis.ignored:
        listed = ", ".join(diagnosis.ignored)
        parts.append(tag("p", f"Left out on request: {listed}.", class_="faint"))
    if diagnosis.fit is not None:
        parts.append(_fit(diagnosis.fit))
    return together(*parts)


def _finding(finding: Finding) -> Html:
    severity = tag("span", SEVERITY[finding.severity], class_="severity")
    advice = tag("p", tag("strong", "What to do: "), finding.advice) if finding.advice else Html()
    return tag(
        "li",
        tag("h3", severity, " ", tag("code", finding.code)),
        tag("p", finding.sentence),
        advice,
        _numbers(finding),
        class_=f"finding {finding.severity}",
    )


def _numbers(finding: Finding) -> Html:
    if not finding.numbers:
        return Html()
    pairs = (
        together(tag("dt", name.replace("_", " ")), tag("dd", anything(value)))
        for name, value in finding.numbers.items()
    )
    return tag("details", tag("summary", "The numbers"), tag("dl", *pairs))


def _fit(fit: JudgedFit) -> Html:
    facts = (
        f"Slope {number(fit.a)}, intercept {number(fit.b)}: cross-entropy "
        f"{number(fit.cross_entropy)} nats, {number(fit.excess)} above the lowest in "
        f"its family ({fit.family})."
    )
    return together(
        tag("h3", "The fit made elsewhere: ", tag("code", fit.verdict)),
        tag("p", fit.sentence),
        tag("p", facts, class_="faint"),
    )


CUTS_SHOWN = 10
"""Intervals of best thresholds that are listed; `to_dict()` has them all."""

CONSTANT = (
    "All logits are equal, so slope and intercept cannot be told apart: every (a, b) that predicts "
    "the share of class 1 is an optimum of cross-entropy."
)
"""What `Status.constant_x` says, in the words of a classifier."""

COLUMNS = ("", "value", f"{LEVEL:.0%} interval")

Row = tuple[str, Estimate, Form]
"""A name, its number and how that is written."""


def key_numbers(diagnosis: Diagnosis) -> Html:
    """Loss and accuracy, beside what needs no features."""
    base, best = diagnosis.baselines, diagnosis.recalibration
    several = diagnosis.threshold is None
    chance = ("cross-entropy of chance, ln k (nats)", number(base.uniform_entropy), "exact")
    rows = [
        *_rows(
            ("cross-entropy (nats)", diagnosis.cross_entropy, number),
            ("accuracy", diagnosis.accuracy, percent),
            ("Brier score", diagnosis.brier, number),
            ("cross-entropy of the class shares (nats)", base.base_rate_entropy, number),
        ),
        chance,
        *_rows(
            ("accuracy of the most frequent class", base.majority_accuracy, percent),
        ),
        _place("calibration slope a*", best.slope),
        *([] if several else [_place("calibration intercept b*", best.intercept)]),
    ]
    return together(table("Key numbers", COLUMNS, rows), tag("p", best_exists(diagnosis)))


def _place(name: str, found: Estimate) -> tuple[str, str, str]:
    """A coordinate of the optimum, where there is one."""
    if math.isnan(found.value):
        return name, DASH, f"{DASH} (no single finite optimum)"
    return name, number(found.value), interval(found)


def best_exists(diagnosis: Diagnosis) -> str:
    """Whether cross-entropy has an optimum, in a sentence."""
    best = diagnosis.optimum
    if not isinstance(best, TemperatureOptimum):
        status = best.cross_entropy.status
        return CONSTANT if status.name == "constant_x" else status.value
    if best.status.name == "separated":
        return (
            "The true class of every sample has the largest logit: cross-entropy falls without "
            "end as a grows, so it has no finite optimum."
        )
    if best.status.name == "constant_x":
        return "The logits of each sample are equal, so every a is as good."
    return best.status.value


def split(diagnosis: Diagnosis) -> Html:
    """What a slope and an intercept could save of the loss, and what stays."""
    best, loss = diagnosis.recalibration, diagnosis.cross_entropy.value
    asked = [
        ("saved by the best slope alone" + _at("a", best.slope_alone), best.by_slope),
        ("saved by the best intercept alone" + _at("b", best.intercept_alone), best.by_intercept),
        ("saved by both", best.by_both),
        ("the rest: no slope and intercept saves it", best.cross_entropy),
    ]
    if diagnosis.threshold is None:
        asked = [("saved by the best slope" + _at("a", best.slope_alone), best.by_slope)]
        asked.append(("the rest: no slope saves it", best.cross_entropy))
    rows = [
        (
            name,
            number(one.value),
            interval(one),
            percent(one.value / loss if loss > 0 else math.nan),
        )
        for name, one in asked
    ]
    columns = ("", "nats", COLUMNS[2], "share of the loss")
    return table("The loss, split by what would save it", columns, rows)


def _at(name: str, value: float) -> str:
    """A coordinate, without the rounding of what is 0."""
    return "" if math.isnan(value) else f", {name} = {number(round(value, 12) + 0.0)}"


def concentration(diagnosis: Diagnosis) -> Html:
    """How few samples the loss comes from."""
    found = diagnosis.concentration
    rows = _rows(
        ("share of the loss in the worst sample", found.worst_1, percent),
        ("in the worst 5", found.worst_5, percent),
        ("in the worst 1%", found.worst_1_percent, percent),
        ("in the worst 10%", found.worst_10_percent, percent),
        ("Gini coefficient of the losses", found.gini, number),
    )
    half = f"Half of the loss is in {plural(found.half, 'sample')} of {diagnosis.n:,}."
    return together(table("How few samples the loss comes from", COLUMNS, rows), tag("p", half))


def thresholds(diagnosis: Diagnosis) -> Html:
    """The most accurate decision thresholds; nothing for several classes."""
    found = diagnosis.threshold
    if found is None:
        return Html()
    rows = [
        ("best threshold nearest to 0.5", number(found.nearest), interval(found.accuracy)),
        *_rows(
            ("accuracy there", found.accuracy, percent),
            ("gain over 0.5, on these data", found.gain, percent),
            ("gain over 0.5, cross-validated", found.cross_validated_gain, percent),
        ),
    ]
    classes = [f"class {name}" for name in diagnosis.classes]
    places = _places(found, classes)
    listed = tag("ul", *(tag("li", place) for place in places))
    heading = tag("p", f"The most accurate thresholds t of the probability of {classes[1]}:")
    return together(table("Decision threshold", COLUMNS, rows), heading, listed)


def _places(found: Threshold, classes: list[str]) -> Iterable[str]:
    for low, high, side in found.probabilities[:CUTS_SHOWN]:
        (below, above), word = _ends(low, high), "at least" if side > 0 else "at most"
        ends = f"{below} < t \N{LESS-THAN OR EQUAL TO} {above}"
        if side < 0:
            ends = f"{below} \N{LESS-THAN OR EQUAL TO} t < {above}"
        yield f"{classes[1]} where the probability is {word} t, for {ends}"
    if len(found.probabilities) > CUTS_SHOWN:
        yield f"and {len(found.probabilities) - CUTS_SHOWN} more intervals"
    for constant in found.constants:
        yield f"{classes[constant]} everywhere"


def _ends(low: float, high: float) -> tuple[str, str]:
    """With as many digits as tell them apart."""
    short = number(low), number(high)
    return short if short[0] != short[1] else (repr(low), repr(high))


def by_class(diagnosis: Diagnosis) -> Html:
    """Each class by itself."""
    columns = ("class", "samples", "share", "cross-entropy (nats)", COLUMNS[2], "accuracy")
    rows = [
        (
            one.label,
            f"{one.n:,}",
            percent(one.share),
            number(one.cross_entropy.value),
            interval(one.cross_entropy),
            percent(one.accuracy.value),
            interval(one.accuracy, percent),
        )
        for one in diagnosis.by_class
    ]
    return table("Each class by itself", (*columns, COLUMNS[2]), rows)


def worst(diagnosis: Diagnosis) -> Html:
    """The samples with the largest loss."""
    columns = ("row", "class", "predicted", "probability of its class", "loss (nats)", "share")
    rows = [
        (
            str(one.row),
            one.label,
            one.predicted,
            number(one.probability),
            number(one.loss),
            percent(one.share),
        )
        for one in diagnosis.worst
    ]
    caption = "The samples with the largest loss; rows counted from 0"
    return table(caption, columns, rows, words=3)


def exact(found: Exact) -> Html:
    """What is said of probabilities of exactly 0 and 1; nothing if there are none."""
    if found.count == 0:
        return Html()
    has = "has" if found.count == 1 else "have"
    rest = f"the cross-entropy of the other samples is {number(found.cross_entropy)} nats"
    if math.isnan(found.cross_entropy):
        rest = "there are no other samples"
    sentences = (
        f"{plural(found.count, 'sample')} {has} a probability of exactly 0 or 1, of which "
        f"{found.wrong:,} gave 0 to what happened. 0 was taken for {number(found.taken_for)}, so "
        f"these wrong ones have {percent(found.loss)} of the loss; {rest}."
    )
    return tag("p", sentences)


def _rows(*rows: Row) -> list[tuple[str, str, str]]:
    return [(name, form(one.value), interval(one, form)) for name, one, form in rows]
