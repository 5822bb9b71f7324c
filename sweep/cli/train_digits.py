"""`sweep train digits`: validation loss and accuracy that rise together, on images of digits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweep.base.memory import MEMORY_BUDGET
from sweep.cli.experiment import perform, settings, shares
from sweep.cli.options import Force, Json, Memory, Quiet, memory_budget
from sweep.cli.train import Epochs, Folder, Network, Seeds
from sweep.report.text import counted, filled

if TYPE_CHECKING:
    import xarray as xr

    from sweep.training.experiments.digits import Change, Digits
    from sweep.training.statistics import Share

FILES = ("digits.json", "digits.nc", "digits.png", "digits_predictions.csv", "digits_history.csv")
"""The last two are of the first network that did not diverge, for `sweep diagnose`."""


def digits(
    *,
    seeds: Seeds = 50,
    epochs: Epochs = 1000,
    network: Network = Network(),  # noqa: B008 (frozen)
    memory: Memory = MEMORY_BUDGET // 2**20,
    out: Folder = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Loss and accuracy rise together, on images of digits."""
    from sweep.training.experiments.digits import digits as experiment

    files = [] if out is None else [out / name for name in FILES]
    found = perform(
        partial(
            experiment,
            seeds=seeds,
            epochs=epochs,
            memory_budget=memory_budget(memory),
            progress=False if quiet else None,
            **network.given,
        ),
        files,
        _write,
        print_digits,
        force=force,
        as_json=as_json,
    )
    if files and not as_json and found.diverged.count < found.seeds:
        print(f"Try: sweep diagnose {files[3]} --history {files[4]}")


def _write(found: Digits, files: list[Path]) -> None:
    from sweep import figures

    first = int(np.isnan(found.table.diverged_epoch.values).argmax())
    one = found.table.isel(seed=first)
    predictions = {"y": one.validation_y, "logit": one.validation_logits.isel(kept_epoch=-1)}
    history = {
        "epoch": one.epoch,
        "loss": one.loss,
        "val_loss": one.validation_loss,
        "acc": one.accuracy,
        "val_acc": one.validation_accuracy,
    }
    figures.write(figures.digits_curves(found), files[0])
    for path, columns in zip(files[1:], (predictions, history), strict=True):
        _write_columns(path, columns)


def _write_columns(path: Path, columns: dict[str, xr.DataArray]) -> None:
    """A CSV, its numbers with as many digits as single precision has."""
    values = np.stack([column.values.astype(float) for column in columns.values()], axis=1)
    np.savetxt(path, values, "%.9g", delimiter=",", header=",".join(columns), comments="")


def print_digits(found: Digits) -> None:
    """What came of it, in lines of 80 columns."""
    print(
        filled(
            f"Odd against even digits: {counted(found.seeds, 'network')}, each trained on "
            f"{found.training} images of its own and watched on the other {found.validation}, "
            f"{found.epochs} epochs: {settings(found.hyperparameters)}"
        )
    )
    if found.diverged.count == found.seeds:
        _print_diverged(found)  # and there is nothing else to tell
        return
    heads = f"epoch {found.first}", f"epoch {found.epochs}"
    print(f"\n{'Means':29}{heads[0]:>9}{heads[1]:>12}   difference, 95% interval")
    for one in found.changes:
        print(_changed(one))
    print(f"\nFrom epoch {found.first} to {found.epochs}, with 95% intervals:")
    for words, share in (
        ("validation loss rises", found.loss_rises),
        ("validation accuracy rises", found.accuracy_rises),
        ("both rise", found.both_rise),
    ):
        print(f"  {words:27}{_share(share)}")
    print()
    print(
        filled(
            f"Validation loss is least at epoch {found.least_epoch:.0f}, {found.least_loss:.3f} "
            f"nats (medians). Who stops there has an accuracy of {found.least_accuracy:.4f} in "
            f"the mean, who goes on one of {found.change('validation_accuracy').last:.4f}."
        )
    )
    _print_diverged(found)
    print(filled(f"What sweep diagnose finds: {shares(found.findings) or 'nothing'}"))


def _changed(one: Change) -> str:
    units = "" if one.units == "1" else f", {one.units}"
    name = f"{one.name.replace('_', ' ')}{units}"
    name = name if one.name.startswith("validation") else f"training {name}"
    change = f"{one.difference:+.4f}  {one.low:+.4f} to {one.high:+.4f}"
    return f"  {name:27}{one.first:>9.4f}{one.last:>12.4f}   {change}"


def _share(share: Share) -> str:
    count = f"{share.count} of {share.of}"
    return f"{count:>9}{share.value:>12.1%}   {share.low:.1%} to {share.high:.1%}"


def _print_diverged(found: Digits) -> None:
    if found.diverged.count:
        print(
            filled(
                f"{counted(found.diverged.count, 'network')} diverged, the first in epoch "
                f"{found.diverged_epoch:.0f}: they count as networks of which nothing rises, and "
                "are in no mean, quantile or finding"
            )
        )
