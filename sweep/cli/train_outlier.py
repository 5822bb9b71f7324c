"""`sweep train outlier`: one point makes the loss rise while accuracy holds, and how often."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.base.memory import MEMORY_BUDGET
from sweep.cli.experiment import perform, settings, shares
from sweep.cli.options import Force, Json, Memory, Quiet, memory_budget
from sweep.cli.train import Epochs, Folder, Network, Seeds
from sweep.report.text import counted, filled

if TYPE_CHECKING:
    from sweep.training.experiments.outlier import Outlier, Quantity
    from sweep.training.statistics import Share

FILES = (
    "outlier.json",
    "outlier.nc",
    "outlier_data.png",
    "outlier_curves.png",
    "outlier_losses.png",
)

OFTEN = 0.1
"""Points that are predicted wrongly by more of the networks are listed."""


def outlier(
    *,
    seeds: Seeds = 1000,
    epochs: Epochs = 300,
    network: Network = Network(),  # noqa: B008 (frozen)
    memory: Memory = MEMORY_BUDGET // 2**20,
    out: Folder = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """One point makes the loss rise while accuracy holds, and how often."""
    from sweep.training.experiments.outlier import outlier as experiment

    perform(
        partial(
            experiment,
            seeds=seeds,
            epochs=epochs,
            memory_budget=memory_budget(memory),
            progress=False if quiet else None,
            **network.given,
        ),
        [] if out is None else [out / name for name in FILES],
        _write,
        print_outlier,
        force=force,
        as_json=as_json,
    )


def _write(found: Outlier, files: list[Path]) -> None:
    from sweep import figures

    drawn = figures.outlier_data, figures.outlier_curves, figures.outlier_losses
    for draw, path in zip(drawn, files, strict=True):
        figures.write(draw(found), path)


def print_outlier(found: Outlier) -> None:
    """What came of it, in lines of 80 columns."""
    count = f"{counted(found.seeds, 'network')}, {counted(found.epochs, 'epoch')}"
    print(filled(f"{count}: {settings(found.hyperparameters)}"))
    main = found.claim("rises_and_holds")
    sentence = (
        f"In {main.count} of {main.of} ({main.value:.1%}, 95% interval {main.low:.1%} to "
        f"{main.high:.1%}) the validation loss ends more than 50% above its least value while "
        "accuracy has not fallen since."
    )
    print(f"\n{filled(sentence)}")
    print("\nHow often, with 95% intervals; from the least validation loss to the end:")
    for one in found.claims:
        print(f"  {one.sentence:54}{_share(one.share)}")
    _print_quantities(found)
    _print_wrong(found)
    _print_lost(found)
    if found.findings:
        diagnosed = next(iter(found.findings.values())).of
        codes = shares(found.findings)
        print(f"\n{filled(f'What sweep diagnose finds in the first {diagnosed}: {codes}')}")


def _share(share: Share) -> str:
    return f"{share.value:>6.1%}  {share.low:>5.1%} to {share.high:.1%}"


def _print_quantities(found: Outlier) -> None:
    """A table of quantiles, beside what Keras found if it is known."""
    known = any(one.keras for one in found.quantities)
    heads = "".join(f"{head:>7}" for head in ("5%", "25%", "median", "75%", "95%"))
    print(f"\n{'Quantiles over the networks':33}{heads}{'  Keras, six' if known else ''}")
    for one in found.quantities:
        values = "".join(f"{_number(one, value):>7}" for value in one.quantiles)
        keras = "" if one.keras is None else f"{_range(one):>12}"
        print(f"  {one.words:31}{values}{keras}".rstrip())


def _range(one: Quantity) -> str:
    return "" if one.keras is None else "-".join(_number(one, end) for end in one.keras)


def _number(one: Quantity, value: float) -> str:
    if value != value:
        return "-"
    if one.units == "epoch":
        return f"{value:.0f}"
    return f"{value:.1f}" if one.name == "outlier_loss" else f"{value:.3f}"


def _print_wrong(found: Outlier) -> None:
    """The validation points that many networks predict wrongly, then or in the end."""
    often = [one for one in found.wrong if max(one.least.value, one.final.value) > OFTEN]
    if not often:
        return
    print("\nPredicted wrongly      x  class  at the least loss  at the end")
    for one in often:
        print(
            f"  row {one.row:<9}{one.x:>9.3f}{one.y:>7}{one.least.value:>18.1%}"
            f"{one.final.value:>12.1%}"
        )
    low, high = found.gap
    print(f"  No training point is between x = {low:.3f} and {high:.3f}: the classes meet there.")


def _print_lost(found: Outlier) -> None:
    """Networks that learn nothing, or of which nothing can be said."""
    ends = found.constant_at_start.count, found.constant_at_end.count
    print()
    print(
        filled(
            f"Dead, with one logit for all validation points: {ends[0]} of {found.seeds} networks "
            f"before training, {ends[1]} after it"
        )
    )
    if found.falling.count:
        print(
            filled(
                f"In {found.falling.count} the validation loss is least at the last epoch, so it "
                "has not begun to rise: more --epochs would tell"
            )
        )
    if found.diverged.count:
        print(
            filled(
                f"{counted(found.diverged.count, 'network')} diverged, the first in epoch "
                f"{found.diverged_epoch:.0f}; nothing above is counted as true of them, and they "
                "are in no quantile"
            )
        )
