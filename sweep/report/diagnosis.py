"""A diagnosis as text and tables, in lines of at most 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from sweep.diagnosis.report import (
    ClassReport,
    Diagnosis,
    Estimate,
    Finding,
    Recalibration,
    TemperatureOptimum,
    Threshold,
)
from sweep.report.optimum import CUTS_SHOWN
from sweep.report.page.tables import best_exists
from sweep.report.text import paragraph

WORST_SHOWN = 5  # samples with the largest loss that are printed; --json has more

CLASSES_SHOWN = 20  # classes with the largest loss that are printed; --json has them all

NAME_WIDTH = 36  # characters of the name of a number

Row = tuple[str, Estimate | float]
"""The name of a number, and the number; nan is printed as a dash."""


def findings_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The findings with what to do about them, the most severe first."""
    for finding in diagnosis.findings:
        yield from _finding_lines(finding)
    if diagnosis.fit is not None:
        fit = diagnosis.fit
        yield f"\nFIT   a = {_number(fit.a)}, b = {_number(fit.b)}: {_words(fit.verdict)}"
        yield paragraph(fit.sentence)
    if diagnosis.ignored:
        yield f"\nLeft out: {', '.join(diagnosis.ignored)}."


def numbers_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The numbers behind the findings, with their intervals."""
    bootstrap = f"{diagnosis.replicates} bootstrap samples, seed {diagnosis.seed}"
    yield f"\nNumbers{f', with 95% intervals ({bootstrap})' if diagnosis.replicates else ''}"
    reasons: list[str] = []
    yield from _rows_lines(_scores(diagnosis), reasons)
    yield from _recalibration_lines(diagnosis, reasons)
    if diagnosis.threshold is not None:
        yield from _threshold_lines(diagnosis.threshold, diagnosis.classes, reasons)
    yield from _concentration_lines(diagnosis, reasons)
    yield from _classes_lines(diagnosis.by_class)
    yield from _worst_lines(diagnosis)
    if reasons:
        yield ""
    for mark, reason in enumerate(reasons, 1):
        yield paragraph(f"({mark}) No interval: {reason}.")


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"\n{finding.severity.upper()}  {finding.code}"
    yield paragraph(_printable(finding.sentence))
    if finding.advice:
        yield paragraph(_printable(f"What to do: {finding.advice}"))


def _scores(diagnosis: Diagnosis) -> list[Row]:
    base = diagnosis.baselines
    return [
        ("cross-entropy, nats", diagnosis.cross_entropy),
        ("  when predicting the class shares", base.base_rate_entropy),
        (f"  when predicting 1/{len(diagnosis.classes)} for each", base.uniform_entropy),
        ("accuracy", diagnosis.accuracy),
        ("  when predicting the majority class", base.majority_accuracy),
        ("Brier score", diagnosis.brier),
    ]


def _recalibration_lines(diagnosis: Diagnosis, reasons: list[str]) -> Iterator[str]:
    split = diagnosis.recalibration
    several = isinstance(diagnosis.optimum, TemperatureOptimum)
    yield f"\nRecalibrated by {'softmax(a z)' if several else 'sigmoid(a z + b)'}"
    if diagnosis.optimum_status.name != "finite":
        yield paragraph(best_exists(diagnosis))
    yield from _rows_lines(_several(split) if several else _two(split), reasons)


def _several(split: Recalibration) -> list[Row]:
    return [
        ("best slope a", split.slope),
        ("cross-entropy there, nats", split.cross_entropy),
        ("saved by the slope", split.by_slope),
    ]


def _two(split: Recalibration) -> list[Row]:
    return [
        ("best slope a", split.slope),
        ("best intercept b", split.intercept),
        ("cross-entropy there, nats", split.cross_entropy),
        (f"saved by a = {_number(split.slope_alone)} alone", split.by_slope),
        (f"saved by b = {_number(split.intercept_alone)} alone", split.by_intercept),
        ("saved by both", split.by_both),
    ]


def _threshold_lines(
    threshold: Threshold, classes: Sequence[str], reasons: list[str]
) -> Iterator[str]:
    positive = _label(classes[1], 30)
    yield f"\nThe most accurate thresholds of the probability of class {positive}"
    shown = list(zip(threshold.probabilities, threshold.logits, strict=True))
    for probability, logit in shown[:CUTS_SHOWN]:
        yield f"    {_interval(probability, logit)} this class {_side(probability[2])}"
    if len(shown) > CUTS_SHOWN:
        yield f"    and {len(shown) - CUTS_SHOWN} more intervals (--json has them all)"
    for constant in threshold.constants:
        yield f"    predicting class {_label(classes[constant], 30)} everywhere"
    rows: list[Row] = [
        ("nearest to 0.5", threshold.nearest),
        ("accuracy there", threshold.accuracy),
        ("gain, on these same samples", threshold.gain),
        ("gain, cross-validated", threshold.cross_validated_gain),
    ]
    yield from _rows_lines(rows, reasons)


def _interval(probability: tuple[float, float, int], logit: tuple[float, float, int]) -> str:
    """An interval of thresholds; of the logit if probabilities do not tell its ends apart."""
    low, high, orientation = probability
    texts = next(
        (
            (f"{low:.{digits}g}", f"{high:.{digits}g}")
            for digits in (4, 9, 17)
            if f"{low:.{digits}g}" != f"{high:.{digits}g}"
        ),
        None,
    )
    if texts is None:
        texts = (f"logit {logit[0]!r}", repr(logit[1]))
    ends = ", ".join(texts)
    return f"({ends}]," if orientation > 0 else f"[{ends}),"


def _side(orientation: int) -> str:
    return "above" if orientation > 0 else "below"


def _concentration_lines(diagnosis: Diagnosis, reasons: list[str]) -> Iterator[str]:
    concentration = diagnosis.concentration
    yield "\nShare of the loss"
    rows: list[Row] = [
        ("in the worst sample", concentration.worst_1),
        ("in the worst 5 samples", concentration.worst_5),
        ("in the worst 1% of samples", concentration.worst_1_percent),
        ("in the worst 10% of samples", concentration.worst_10_percent),
        ("Gini coefficient", concentration.gini),
    ]
    yield from _rows_lines(rows, reasons)
    yield f"  {concentration.half:,} of {diagnosis.n:,} samples account for half of the loss."
    exact = diagnosis.exact
    if exact.count:
        sentence = (
            f"{exact.count:,} probabilities are exactly 0 or 1, {exact.wrong:,} of them wrong. "
            f"With 0 replaced by {exact.taken_for:.3g}, the wrong ones account for "
            f"{100 * exact.loss:.3g}% of the loss. "
        )
        if not math.isnan(exact.cross_entropy):
            sentence += f"Without all of these, cross-entropy is {exact.cross_entropy:.4g} nats."
        yield paragraph(sentence.strip())


def _classes_lines(classes: Sequence[ClassReport]) -> Iterator[str]:
    worst = sorted(classes, key=lambda report: -_orderable(report.cross_entropy.value))
    shown = set(map(id, worst[:CLASSES_SHOWN]))
    yield "\nBy class"
    yield f"  {'':16}{'n':>11}{'share':>8}{'cross-entropy, nats':>23}{'accuracy':>20}"
    for report in classes:
        if id(report) in shown:
            loss, accuracy = report.cross_entropy, report.accuracy
            yield (
                f"  {_label(report.label, 15):16}{report.n:>11,}{100 * report.share:>7.3g}%"
                f"{_with_interval(loss, '.3g', 22):>23}{_with_interval(accuracy, '.3f', 19):>20}"
            )
    if len(classes) > CLASSES_SHOWN:
        yield f"  and {len(classes) - CLASSES_SHOWN} classes with less loss (--json has them all)"


def _worst_lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield "\nThe samples with the largest loss (rows counted from 0)"
    yield f"{'row':>10}  {'label':16}{'predicted':16}{'p(label)':>11}{'loss':>10}{'share':>9}"
    for sample in diagnosis.worst[:WORST_SHOWN]:
        yield (
            f"{sample.row:>10}  {_label(sample.label, 15):16}{_label(sample.predicted, 15):16}"
            f"{sample.probability:>11.3g}{sample.loss:>10.4g}{100 * sample.share:>8.3g}%"
        )


def _rows_lines(rows: Iterable[Row], reasons: list[str]) -> Iterator[str]:
    """Numbers with their intervals, or with the mark of the reason why there is none."""
    for name, number in rows:
        if not isinstance(number, Estimate):
            yield f"  {name:{NAME_WIDTH}}{_number(number):>12}"
            continue
        yield f"  {name:{NAME_WIDTH}}{_number(number.value):>12}  {_ends(number, reasons)}".rstrip()


def _ends(estimate: Estimate, reasons: list[str]) -> str:
    if not (math.isnan(estimate.low) or math.isnan(estimate.high)):
        return f"{_number(estimate.low)} to {_number(estimate.high)}"
    if not estimate.invalid:
        return ""
    if estimate.invalid not in reasons:
        reasons.append(estimate.invalid)
    return f"({reasons.index(estimate.invalid) + 1})"


def _with_interval(estimate: Estimate, form: str, width: int) -> str:
    """A number, with its interval if there is one and it fits."""
    if math.isnan(estimate.value):
        return "-"
    value = f"{estimate.value:{form}}"
    whole = f"{value} ({estimate.low:{form}}-{estimate.high:{form}})"
    return value if math.isnan(estimate.low) or len(whole) > width else whole


def _number(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.4g}"


def _orderable(number: float) -> float:
    return -math.inf if math.isnan(number) else number


def _words(name: str) -> str:
    return name.replace("_", " ")


def _label(name: str, width: int) -> str:
    """A name from a file, on one line and shortened to a width."""
    shown = _printable(name)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def _printable(text: str) -> str:
    """Text without control characters: names come from files."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
