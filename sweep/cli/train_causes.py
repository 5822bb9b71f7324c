"""`sweep train causes`: what makes loss and accuracy part, and what its remedies change."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sweep.cli.experiment import perform, shares
from sweep.cli.options import Force, Json, Quiet
from sweep.cli.train import Epochs, Folder, Seeds
from sweep.report.text import filled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sweep.training.experiments.causes import Causes, Recognised
    from sweep.training.experiments.effects import Effect, Tried
    from sweep.training.statistics import Share

FILES = ("causes.json", "causes.nc", "causes.png")

WORDS = {"loss": "loss", "accuracy": "accuracy", "balanced_accuracy": "balanced"}
"""Metrics, as they are printed."""

SHOWN = {"shown": "yes", "not shown": "no", "opposite": "untrue"}
"""Verdicts, as they are printed."""

SELDOM = 0.05
"""Findings of fewer of the networks are not printed."""


def causes(
    names: Annotated[
        tuple[str, ...], Parameter(help="Causes, such as overfitting.", show_default="all")
    ] = (),
    /,
    *,
    seeds: Seeds = 100,
    epochs: Epochs = 200,
    out: Folder = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """What makes loss and accuracy part, and what its remedies change."""
    from sweep.training.experiments.causes import causes as experiment

    perform(
        partial(experiment, names, seeds=seeds, epochs=epochs, progress=False if quiet else None),
        [] if out is None else [out / name for name in FILES],
        _write,
        print_causes,
        force=force,
        as_json=as_json,
    )


def _write(found: Causes, files: list[Path]) -> None:
    from sweep import figures

    figures.write(figures.causes_gallery(found), files[0])


def print_causes(found: Causes) -> None:
    """A table for each cause, in lines of 80 columns."""
    text = (
        f"Means over {found.seeds} networks of {found.epochs} epochs each, on the test set "
        "(balanced accuracy: on the validation set), with 95% intervals of the paired change. What "
        "is said of a remedy is shown, yes, where the interval excludes 0 on that side; untrue "
        "where it does on the other. None is a change within 0.01 nats, or 0.005 of accuracy. Each "
        "interval stands by itself: of changes that are none, one in twenty excludes 0 by chance."
    )
    print(filled(text))
    for cause in found.causes:
        _print_cause(cause)
        for remedy in found.of(cause.name):
            _print_remedy(remedy)


def _print_cause(cause: Recognised) -> None:
    share = cause.recognised
    print(f"\n{cause.title}")
    text = (
        f"{cause.code} found in {share.value:.0%} of the networks (95% interval {share.low:.0%} "
        f"to {share.high:.0%}); validation loss {cause.loss:.3f} where chance is "
        f"{cause.base_rate_entropy:.3f}, accuracy {cause.accuracy:.3f}"
    )
    print(filled(text, "  "))
    if cause.diverged:
        print(f"  {cause.diverged} diverged to losses that are not finite; the others count.")
    _print_findings(cause.findings)
    head = f"  {'remedy':16}{'':9}{'before':>7}{'after':>7}{'change':>8}"
    print(f"{head}{'95% interval':>19} {'said':5}shown")


def _print_remedy(one: Tried) -> None:
    for place, effect in enumerate(one.effects):
        print(f"  {one.remedy if place == 0 else '':16}{_effect(effect)}")
    if one.diverged:
        print(f"    {one.diverged} diverged to losses that are not finite.")
    _print_findings(one.findings)


def _effect(one: Effect) -> str:
    ends = f"{one.low:+.3f} to {one.high:+.3f}"
    numbers = f"{one.before:7.3f}{one.after:7.3f}{one.difference:+8.3f}{ends:>19}"
    return f"{WORDS[one.metric]:9}{numbers} {one.said:5}{SHOWN[one.verdict]}"


def _print_findings(findings: Mapping[str, Share]) -> None:
    print(filled(f"found: {shares(findings, SELDOM)}", "    "))
