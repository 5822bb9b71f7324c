"""Experiments with networks as tables: an outlier, digits, and causes with their remedies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sweep.base.tables import Table
from sweep.base.wording import counted

if TYPE_CHECKING:
    from sweep.training.experiments.causes import CauseOutcome, Causes
    from sweep.training.experiments.digits import Change, Digits
    from sweep.training.experiments.effects import Effect, RemedyOutcome
    from sweep.training.experiments.outlier import Outlier, Quantity
    from sweep.training.results import Share

OFTEN_WRONG = 0.1  # share of networks beyond which a wrongly predicted point is listed

SELDOM_FOUND = 0.05  # share of networks below which a finding is not listed

METRIC_WORDS = {"loss": "loss", "accuracy": "accuracy", "balanced_accuracy": "balanced"}

VERDICT_WORDS = {"shown": "yes", "not shown": "no", "opposite": "untrue"}


def of_outlier(result: Outlier) -> Iterator[Table]:
    """The outlier experiment."""
    count = f"{counted(result.seeds, 'network')}, {counted(result.epochs, 'epoch')}"
    main = result.claim("rises_and_holds")
    sentence = (
        f"In {main.count} of {main.of} ({main.value:.1%}, 95% interval {_interval(main)}) the "
        "validation loss ends more than 50% above its minimum while accuracy has not fallen since "
        "the minimum."
    )
    yield Table(title=count, notes=(_settings(result.hyperparameters), sentence))
    rows = tuple((c.sentence, f"{c.share.value:.1%}", _interval(c.share)) for c in result.claims)
    title = "How often, with 95% intervals, from the minimum validation loss to the end"
    yield Table(title=title, rows=rows)
    yield _quantities(result)
    yield from _wrong_points(result)
    yield Table(title="Networks that failed", notes=tuple(_failures(result)))
    if result.findings:
        diagnosed = next(iter(result.findings.values())).of
        title = f"Findings of sweep diagnose in the first {diagnosed}"
        yield Table(title=title, notes=(_shares(result.findings),))


def _interval(share: Share) -> str:
    return f"{share.low:.1%} to {share.high:.1%}"


def _quantities(result: Outlier) -> Table:
    """Quantiles, beside the values of Keras where they are published."""
    published = any(quantity.keras for quantity in result.quantities)
    rows = []
    for quantity in result.quantities:
        keras = "-".join(_number(quantity, end) for end in quantity.keras or ())
        quantiles = (_number(quantity, value) for value in quantity.quantiles)
        rows.append((quantity.words, *quantiles, *([keras] if published else ())))
    heads = ("", "5%", "25%", "median", "75%", "95%", *(["Keras, six"] if published else ()))
    return Table(title="Quantiles over the networks", columns=heads, rows=tuple(rows))


def _number(quantity: Quantity, value: float) -> str:
    if math.isnan(value):
        return "-"
    if quantity.units == "epoch":
        return f"{value:.0f}"
    return f"{value:.1f}" if quantity.name == "outlier_loss" else f"{value:.3f}"


def _wrong_points(result: Outlier) -> Iterator[Table]:
    """The validation points that many networks predict wrongly, at the minimum or at the end."""
    rows = tuple(
        (str(w.row), f"{w.x:.3f}", str(w.y), f"{w.least.value:.1%}", f"{w.final.value:.1%}")
        for w in result.wrong
        if max(w.least.value, w.final.value) > OFTEN_WRONG
    )
    if rows:
        low, high = result.gap
        yield Table(
            title="Predicted wrongly by many networks",
            columns=("row", "x", "class", "at the minimum", "at the end"),
            rows=rows,
            notes=(
                f"No training point lies between x = {low:.3f} and {high:.3f}, where the classes "
                "meet.",
            ),
        )


def _failures(result: Outlier) -> Iterator[str]:
    """Networks that learned nothing, whose loss is still falling, or that diverged."""
    start, end = result.constant_at_start.count, result.constant_at_end.count
    yield (
        f"Dead, with one logit for all validation points: {start} of {result.seeds} networks "
        f"before training, {end} after it"
    )
    if result.falling.count:
        yield (
            f"In {result.falling.count} the validation loss is lowest at the last epoch, so it has "
            "not begun to rise; train for more --epochs"
        )
    if result.diverged.count:
        yield (
            f"{counted(result.diverged.count, 'network')} diverged, the first in epoch "
            f"{result.diverged_epoch:.0f}; no claim above counts them, no quantile includes them"
        )


def of_digits(result: Digits) -> Iterator[Table]:
    """The digits experiment."""
    trained = (
        f"each trained on {result.training} images of its own and validated on the other "
        f"{result.validation}, {result.epochs} epochs: {_settings(result.hyperparameters)}"
    )
    title = f"Odd against even digits: {counted(result.seeds, 'network')}"
    yield Table(title=title, notes=(trained, *_diverged(result)))
    if result.diverged.count == result.seeds:
        return
    first, last = f"epoch {result.first}", f"epoch {result.epochs}"
    yield Table(
        title="Means, with the 95% interval of the difference",
        columns=("", first, last, "difference", "95% interval"),
        rows=tuple(map(_change, result.changes)),
    )
    risings = (
        ("validation loss rises", result.loss_rises),
        ("validation accuracy rises", result.accuracy_rises),
        ("both rise", result.both_rise),
    )
    least = (
        f"Validation loss is lowest at epoch {result.least_epoch:.0f}, {result.least_loss:.3f} "
        f"nats (medians). Mean accuracy is {result.least_accuracy:.4f} there and "
        f"{result.change('validation_accuracy').last:.4f} at the end."
    )
    yield Table(
        title=f"From epoch {result.first} to {result.epochs}, with 95% intervals",
        rows=tuple(
            (words, f"{share.count} of {share.of}", f"{share.value:.1%}", _interval(share))
            for words, share in risings
        ),
        notes=(least, f"Findings of sweep diagnose: {_shares(result.findings) or 'none'}"),
    )


def _change(change: Change) -> tuple[str, ...]:
    units = "" if change.units == "1" else f", {change.units}"
    name = f"{change.name.replace('_', ' ')}{units}"
    name = name if change.name.startswith("validation") else f"training {name}"
    interval = f"{change.low:+.4f} to {change.high:+.4f}"
    return name, f"{change.first:.4f}", f"{change.last:.4f}", f"{change.difference:+.4f}", interval


def _diverged(result: Digits) -> Iterator[str]:
    if result.diverged.count:
        yield (
            f"{counted(result.diverged.count, 'network')} diverged, the first in epoch "
            f"{result.diverged_epoch:.0f}; they count as networks in which nothing rises, and no "
            "mean, quantile or finding includes them"
        )


def of_causes(result: Causes) -> Iterator[Table]:
    """What is common to all causes, then each cause with its remedies."""
    how = (
        f"Means over {result.seeds} networks of {result.epochs} epochs each, on the test set "
        "(balanced accuracy: on the validation set), with 95% intervals of the paired change. A "
        "claim about a remedy is shown (yes) if the interval excludes 0 on the claimed side, and "
        "untrue if it excludes 0 on the other side. A claim of no change is shown within 0.01 nats "
        "or 0.005 of accuracy. Each interval stands by itself: where nothing changes, one in "
        "twenty excludes 0 by chance."
    )
    yield Table(notes=(how,))
    for cause in result.causes:
        yield _cause(cause, result.of(cause.name))


def _cause(cause: CauseOutcome, remedies: tuple[RemedyOutcome, ...]) -> Table:
    share = cause.recognised
    notes = [
        f"{cause.code} found in {share.value:.0%} of the networks (95% interval {share.low:.0%} "
        f"to {share.high:.0%}); validation loss {cause.loss:.3f}, where guessing costs "
        f"{cause.base_rate_entropy:.3f}; accuracy {cause.accuracy:.3f}"
    ]
    if cause.diverged:
        notes.append(f"{cause.diverged} diverged to infinite losses; the means are over the others")
    notes.append(f"Found before: {_shares(cause.findings, SELDOM_FOUND)}")
    for tried in remedies:
        diverged = f"; {tried.diverged} diverged to infinite losses" if tried.diverged else ""
        found = _shares(tried.findings, SELDOM_FOUND)
        notes.append(f"Found with {tried.remedy}: {found}{diverged}")
    columns = ("remedy", "", "before", "after", "change", "95% interval", "claim", "shown")
    rows = tuple(
        (tried.remedy if place == 0 else "", *_effect(effect))
        for tried in remedies
        for place, effect in enumerate(tried.effects)
    )
    return Table(title=cause.title, columns=columns, rows=rows, notes=tuple(notes), words=2)


def _effect(effect: Effect) -> tuple[str, ...]:
    means = f"{effect.before:.3f}", f"{effect.after:.3f}", f"{effect.difference:+.3f}"
    interval = f"{effect.low:+.3f} to {effect.high:+.3f}"
    name, verdict = METRIC_WORDS[effect.metric], VERDICT_WORDS[effect.verdict]
    return name, *means, interval, effect.said, verdict


def _settings(hyperparameters: Mapping[str, Any]) -> str:
    """Hyperparameters as words."""
    return ", ".join(f"{name.replace('_', ' ')} {v}" for name, v in hyperparameters.items())


def _shares(findings: Mapping[str, Share], above: float = 0.0) -> str:
    """Codes of findings with their shares of the networks, where these are above a threshold."""
    return ", ".join(f"{code} {s.value:.0%}" for code, s in findings.items() if s.value > above)
