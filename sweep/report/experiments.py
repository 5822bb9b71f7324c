"""Experiments with networks as text: an outlier, digits, and causes with their remedies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sweep.base.wording import counted, filled
from sweep.training.experiments.causes import CauseOutcome, Causes
from sweep.training.experiments.digits import Change, Digits
from sweep.training.experiments.effects import Effect, RemedyOutcome
from sweep.training.experiments.outlier import Outlier, Quantity
from sweep.training.results import Share

OFTEN_WRONG = 0.1  # share of networks beyond which a wrongly predicted point is listed

SELDOM_FOUND = 0.05  # share of networks below which a finding is not listed

METRIC_WORDS = {"loss": "loss", "accuracy": "accuracy", "balanced_accuracy": "balanced"}

VERDICT_WORDS = {"shown": "yes", "not shown": "no", "opposite": "untrue"}


def outlier_lines(result: Outlier) -> Iterator[str]:
    """The outlier experiment, in lines of at most 80 columns."""
    count = f"{counted(result.seeds, 'network')}, {counted(result.epochs, 'epoch')}"
    yield filled(f"{count}: {_settings(result.hyperparameters)}")
    main = result.claim("rises_and_holds")
    yield ""
    yield filled(
        f"In {main.count} of {main.of} ({main.value:.1%}, 95% interval {main.low:.1%} to "
        f"{main.high:.1%}) the validation loss ends more than 50% above its minimum while "
        "accuracy has not fallen since the minimum."
    )
    yield "\nHow often, with 95% intervals, from the minimum validation loss to the end:"
    for claim in result.claims:
        share = claim.share
        interval = f"{share.value:>6.1%}  {share.low:>5.1%} to {share.high:.1%}"
        yield f"  {claim.sentence:54}{interval}"
    yield from _quantity_lines(result)
    yield from _wrong_point_lines(result)
    yield from _failed_network_lines(result)
    if result.findings:
        diagnosed = next(iter(result.findings.values())).of
        codes = _shares(result.findings)
        yield f"\n{filled(f'Findings of sweep diagnose in the first {diagnosed}: {codes}')}"


def _quantity_lines(result: Outlier) -> Iterator[str]:
    """A table of quantiles, beside the values of Keras where they are published."""
    published = any(quantity.keras for quantity in result.quantities)
    heads = "".join(f"{head:>7}" for head in ("5%", "25%", "median", "75%", "95%"))
    yield f"\n{'Quantiles over the networks':33}{heads}{'  Keras, six' if published else ''}"
    for quantity in result.quantities:
        values = "".join(f"{_number(quantity, value):>7}" for value in quantity.quantiles)
        keras = ""
        if quantity.keras is not None:
            keras = f"{'-'.join(_number(quantity, end) for end in quantity.keras):>12}"
        yield f"  {quantity.words:31}{values}{keras}".rstrip()


def _number(quantity: Quantity, value: float) -> str:
    if value != value:  # nan
        return "-"
    if quantity.units == "epoch":
        return f"{value:.0f}"
    return f"{value:.1f}" if quantity.name == "outlier_loss" else f"{value:.3f}"


def _wrong_point_lines(result: Outlier) -> Iterator[str]:
    """The validation points that many networks predict wrongly, at the minimum or at the end."""
    often = [w for w in result.wrong if max(w.least.value, w.final.value) > OFTEN_WRONG]
    if not often:
        return
    yield "\nPredicted wrongly      x  class  at the minimum   at the end"
    for wrong in often:
        yield (
            f"  row {wrong.row:<9}{wrong.x:>9.3f}{wrong.y:>7}{wrong.least.value:>16.1%}"
            f"{wrong.final.value:>13.1%}"
        )
    low, high = result.gap
    yield f"  No training point lies between x = {low:.3f} and {high:.3f}, where the classes meet."


def _failed_network_lines(result: Outlier) -> Iterator[str]:
    """Networks that learned nothing, whose loss is still falling, or that diverged."""
    start, end = result.constant_at_start.count, result.constant_at_end.count
    yield ""
    yield filled(
        f"Dead, with one logit for all validation points: {start} of {result.seeds} networks "
        f"before training, {end} after it"
    )
    if result.falling.count:
        yield filled(
            f"In {result.falling.count} the validation loss is lowest at the last epoch, so it has "
            "not begun to rise; train for more --epochs"
        )
    if result.diverged.count:
        yield filled(
            f"{counted(result.diverged.count, 'network')} diverged, the first in epoch "
            f"{result.diverged_epoch:.0f}; no claim above counts them, no quantile includes them"
        )


def digits_lines(result: Digits) -> Iterator[str]:
    """The digits experiment, in lines of at most 80 columns."""
    yield filled(
        f"Odd against even digits: {counted(result.seeds, 'network')}, each trained on "
        f"{result.training} images of its own and validated on the other {result.validation}, "
        f"{result.epochs} epochs: {_settings(result.hyperparameters)}"
    )
    if result.diverged.count == result.seeds:
        yield from _diverged_lines(result)
        return
    heads = f"epoch {result.first}", f"epoch {result.epochs}"
    yield f"\n{'Means':29}{heads[0]:>9}{heads[1]:>12}   difference, 95% interval"
    for change in result.changes:
        yield _change_line(change)
    yield f"\nFrom epoch {result.first} to {result.epochs}, with 95% intervals:"
    for words, share in (
        ("validation loss rises", result.loss_rises),
        ("validation accuracy rises", result.accuracy_rises),
        ("both rise", result.both_rise),
    ):
        count = f"{share.count} of {share.of}"
        interval = f"{share.low:.1%} to {share.high:.1%}"
        yield f"  {words:27}{count:>9}{share.value:>12.1%}   {interval}"
    yield ""
    yield filled(
        f"Validation loss is lowest at epoch {result.least_epoch:.0f}, {result.least_loss:.3f} "
        f"nats (medians). Mean accuracy is {result.least_accuracy:.4f} there and "
        f"{result.change('validation_accuracy').last:.4f} at the end."
    )
    yield from _diverged_lines(result)
    yield filled(f"Findings of sweep diagnose: {_shares(result.findings) or 'none'}")


def _change_line(change: Change) -> str:
    units = "" if change.units == "1" else f", {change.units}"
    name = f"{change.name.replace('_', ' ')}{units}"
    name = name if change.name.startswith("validation") else f"training {name}"
    difference = f"{change.difference:+.4f}  {change.low:+.4f} to {change.high:+.4f}"
    return f"  {name:27}{change.first:>9.4f}{change.last:>12.4f}   {difference}"


def _diverged_lines(result: Digits) -> Iterator[str]:
    if result.diverged.count:
        yield filled(
            f"{counted(result.diverged.count, 'network')} diverged, the first in epoch "
            f"{result.diverged_epoch:.0f}; they count as networks in which nothing rises, and no "
            "mean, quantile or finding includes them"
        )


def causes_lines(result: Causes) -> Iterator[str]:
    """A table for each cause, in lines of at most 80 columns."""
    yield filled(
        f"Means over {result.seeds} networks of {result.epochs} epochs each, on the test set "
        "(balanced accuracy: on the validation set), with 95% intervals of the paired change. A "
        "claim about a remedy is shown (yes) if the interval excludes 0 on the claimed side, and "
        "untrue if it excludes 0 on the other side. A claim of no change is shown within 0.01 nats "
        "or 0.005 of accuracy. Each interval stands by itself: where nothing changes, one in "
        "twenty excludes 0 by chance."
    )
    for cause in result.causes:
        yield from _cause_lines(cause)
        for remedy in result.of(cause.name):
            yield from _remedy_lines(remedy)


def _cause_lines(cause: CauseOutcome) -> Iterator[str]:
    share = cause.recognised
    yield f"\n{cause.title}"
    yield filled(
        f"{cause.code} found in {share.value:.0%} of the networks (95% interval {share.low:.0%} "
        f"to {share.high:.0%}); validation loss {cause.loss:.3f}, where guessing costs "
        f"{cause.base_rate_entropy:.3f}; accuracy {cause.accuracy:.3f}",
        "  ",
    )
    if cause.diverged:
        yield f"  {cause.diverged} diverged to infinite losses; the means are over the others."
    yield _findings_line(cause.findings)
    head = f"  {'remedy':16}{'':9}{'before':>7}{'after':>7}{'change':>8}"
    yield f"{head}{'95% interval':>19} {'claim':6}shown"


def _remedy_lines(tried: RemedyOutcome) -> Iterator[str]:
    for row, effect in enumerate(tried.effects):
        yield f"  {tried.remedy if row == 0 else '':16}{_effect(effect)}"
    if tried.diverged:
        yield f"    {tried.diverged} diverged to infinite losses."
    yield _findings_line(tried.findings)


def _effect(effect: Effect) -> str:
    interval = f"{effect.low:+.3f} to {effect.high:+.3f}"
    means = f"{effect.before:7.3f}{effect.after:7.3f}{effect.difference:+8.3f}{interval:>19}"
    verdict = VERDICT_WORDS[effect.verdict]
    return f"{METRIC_WORDS[effect.metric]:9}{means} {effect.said:6}{verdict}"


def _findings_line(findings: Mapping[str, Share]) -> str:
    return filled(f"found: {_shares(findings, SELDOM_FOUND)}", "    ")


def _settings(hyperparameters: Mapping[str, Any]) -> str:
    """Hyperparameters as words."""
    return ", ".join(f"{name.replace('_', ' ')} {v}" for name, v in hyperparameters.items())


def _shares(findings: Mapping[str, Share], above: float = 0.0) -> str:
    """Codes of findings with their shares of the networks, where these are above a threshold."""
    return ", ".join(f"{code} {s.value:.0%}" for code, s in findings.items() if s.value > above)
