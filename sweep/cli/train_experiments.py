"""`sweep train outlier`, `digits`, `causes`: what makes loss and accuracy disagree in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import xarray as xr
from cyclopts import Parameter

from sweep import figures
from sweep.base import storage
from sweep.base.memory import MEMORY_BUDGET
from sweep.cli.options import Force, Json, Memory, Quiet, memory_budget
from sweep.cli.outputs import document, folder, print_json, print_tables, together
from sweep.cli.train import Epochs, Folder, Network, Seeds
from sweep.training.experiments.causes import Causes
from sweep.training.experiments.causes import causes as compute_causes
from sweep.training.experiments.digits import Digits
from sweep.training.experiments.digits import digits as compute_digits
from sweep.training.experiments.outlier import Outlier
from sweep.training.experiments.outlier import outlier as compute_outlier
from sweep.training.experiments.protocol import Experiment

OUTLIER_FILES = (
    "outlier.json",
    "outlier.nc",
    "outlier_data.png",
    "outlier_curves.png",
    "outlier_losses.png",
)

DIGITS_FILES = (
    "digits.json",
    "digits.nc",
    "digits.png",
    "digits_predictions.csv",
    "digits_history.csv",
)
"""The last two hold the first network that did not diverge, for `sweep diagnose`."""

CAUSES_FILES = ("causes.json", "causes.nc", "causes.png")

Result = TypeVar("Result", bound=Experiment)


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
    """Shows that one outlier makes the loss rise while accuracy holds."""
    experiment = partial(
        compute_outlier,
        seeds=seeds,
        epochs=epochs,
        memory_budget=memory_budget(memory),
        progress=False if quiet else None,
        **network.given,
    )
    files = _paths(out, OUTLIER_FILES)
    _perform(experiment, files, _write_outlier, force=force, as_json=as_json)


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
    """Shows that loss and accuracy rise together, on images of digits."""
    experiment = partial(
        compute_digits,
        seeds=seeds,
        epochs=epochs,
        memory_budget=memory_budget(memory),
        progress=False if quiet else None,
        **network.given,
    )
    files = _paths(out, DIGITS_FILES)
    result = _perform(experiment, files, _write_digits, force=force, as_json=as_json)
    if files and not as_json and result.diverged.count < result.seeds:
        print(f"Try: sweep diagnose {files[3]} --history {files[4]}")


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
    """Shows what makes loss and accuracy disagree, and what remedies change."""
    progress = False if quiet else None
    experiment = partial(compute_causes, names, seeds=seeds, epochs=epochs, progress=progress)
    files = _paths(out, CAUSES_FILES)
    _perform(experiment, files, _write_causes, force=force, as_json=as_json)


def _perform(
    experiment: Callable[[], Result],
    files: Sequence[Path],
    write: Callable[[Result, list[Path]], None],
    *,
    force: bool,
    as_json: bool,
) -> Result:
    """Runs an experiment, writes all of its files or none, and prints its result.

    The files are the document, the dataset and further ones, which `write` writes, in one
    directory; there may be none.
    """
    with folder(files[0].parent if files else None, files, force=force):
        result = experiment()
        content = result.to_dict() | {"written": [str(path) for path in files]}
        if files:
            with together(files, force=force) as partial:
                partial[0].write_text(document(content) + "\n", encoding="utf-8")
                storage.save(result.table, partial[1])
                write(result, partial[2:])
    if as_json:
        print_json(content)
        return result
    print_tables(result.tables())
    for path in files:
        print(f"written: {path}")
    return result


def _paths(out: Path | None, names: tuple[str, ...]) -> list[Path]:
    return [] if out is None else [out / name for name in names]


def _write_outlier(result: Outlier, files: list[Path]) -> None:
    draws = figures.outlier_data, figures.outlier_curves, figures.outlier_losses
    for draw, path in zip(draws, files, strict=True):
        figures.write(draw(result), path)


def _write_digits(result: Digits, files: list[Path]) -> None:
    """Writes the figure, and the predictions and history of one network as CSV."""
    converged = int(np.isnan(result.table.diverged_epoch.values).argmax())
    network = result.table.isel(seed=converged)
    predictions = {
        "y": network.validation_y,
        "logit": network.validation_logits.isel(kept_epoch=-1),
    }
    history = {
        "epoch": network.epoch,
        "loss": network.loss,
        "val_loss": network.validation_loss,
        "acc": network.accuracy,
        "val_acc": network.validation_accuracy,
    }
    figures.write(figures.digits_curves(result), files[0])
    for path, columns in zip(files[1:], (predictions, history), strict=True):
        _write_columns(path, columns)


def _write_columns(path: Path, columns: dict[str, xr.DataArray]) -> None:
    """Writes a CSV with as many digits as single precision has."""
    values = np.stack([column.values.astype(float) for column in columns.values()], axis=1)
    np.savetxt(path, values, "%.9g", delimiter=",", header=",".join(columns), comments="")


def _write_causes(result: Causes, files: list[Path]) -> None:
    figures.write(figures.causes_gallery(result), files[0])
