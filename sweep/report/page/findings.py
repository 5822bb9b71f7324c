"""What is the matter, in words: the gravest first, the numbers behind each folded away."""

from __future__ import annotations

from sweep.diagnosis.report import Diagnosis, Finding, JudgedFit
from sweep.report.page import words
from sweep.report.page.markup import Html, tag, together

SEVERITY = {"critical": "Critical", "warning": "Warning", "info": "Note"}
"""What a severity is called on the page."""


def findings(diagnosis: Diagnosis) -> Html:
    """Every finding, what was not to be reported, and the judgement of a foreign fit."""
    made = [_finding(one) for one in diagnosis.findings]
    parts = [tag("ol", *made, class_="findings") if made else tag("p", "There are no findings.")]
    if diagnosis.ignored:
        listed = ", ".join(diagnosis.ignored)
        parts.append(tag("p", f"Not to be reported, as asked: {listed}.", class_="faint"))
    if diagnosis.fit is not None:
        parts.append(_fit(diagnosis.fit))
    return together(*parts)


def _finding(one: Finding) -> Html:
    severity = tag("span", SEVERITY[one.severity], class_="severity")
    advice = tag("p", tag("strong", "What to do: "), one.advice) if one.advice else Html()
    return tag(
        "li",
        tag("h3", severity, " ", tag("code", one.code)),
        tag("p", one.sentence),
        advice,
        _numbers(one),
        class_=f"finding {one.severity}",
    )


def _numbers(one: Finding) -> Html:
    if not one.numbers:
        return Html()
    pairs = (
        together(tag("dt", name.replace("_", " ")), tag("dd", words.anything(value)))
        for name, value in one.numbers.items()
    )
    return tag("details", tag("summary", "The numbers"), tag("dl", *pairs))


def _fit(fit: JudgedFit) -> Html:
    facts = (
        f"Slope {words.number(fit.a)}, intercept {words.number(fit.b)}: cross-entropy "
        f"{words.number(fit.cross_entropy)} nats, {words.number(fit.excess)} above the least of "
        f"its family ({fit.family})."
    )
    return together(
        tag("h3", "The fit that was to be judged: ", tag("code", fit.verdict)),
        tag("p", fit.sentence),
        tag("p", facts, class_="faint"),
    )
