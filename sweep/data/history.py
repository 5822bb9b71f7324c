"""Training histories: loss and accuracy by epoch, from Keras, other Python objects or files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.base.files import system_errors
from sweep.data import tables
from sweep.data.columns import column, element, listed, read_only, refuse, require_finite

FEWEST = 3  # epochs that a history needs

NAMES = {
    "epochs": ("epoch", "epochs"),
    "loss": ("loss", "train_loss", "training_loss"),
    "val_loss": ("val_loss", "valid_loss", "validation_loss"),
    "acc": ("acc", "accuracy", "train_acc", "train_accuracy", "training_accuracy"),
    "val_acc": ("val_acc", "val_accuracy", "valid_acc", "valid_accuracy", "validation_accuracy"),
}
"""Names of each series, by field of `History`; the first name that exists counts."""

SUFFIXES = (".json", ".csv", ".tsv", ".gz", ".parquet", ".pq", ".npz")
"""Suffixes of the files that `load` reads."""


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """Losses and accuracies of m consecutive epochs.

    Attributes:
        epochs: numbers of the epochs, shape (m,), ascending by one.
        loss: training loss, shape (m,), in nats if it is cross-entropy.
        val_loss: validation loss, shape (m,), in the same unit.
        acc: training accuracy, shape (m,), fractions.
        val_acc: validation accuracy, shape (m,), fractions.
    """

    epochs: Int[np.ndarray, " m"]
    loss: Float[np.ndarray, " m"]
    val_loss: Float[np.ndarray, " m"] | None = None
    acc: Float[np.ndarray, " m"] | None = None
    val_acc: Float[np.ndarray, " m"] | None = None

    @classmethod
    def of(cls, history: Any) -> History:
        """Makes a history from a Python object.

        Args:
            history: a mapping of names to values by epoch, such as a data frame or the `history`
                of the object that Keras's `fit` returns, or that object itself; or a sequence
                with one mapping for each epoch. `NAMES` lists the names. Epochs without numbers
                count from 1.

        Raises:
            InputError: the object has another type, there is no training loss, there are too few
                epochs, an epoch is missing or appears twice, series differ in length, a value is
                not finite, or an accuracy is outside [0, 1].
        """
        content = getattr(history, "history", history)
        if isinstance(content, cls):
            return content
        if isinstance(content, Mapping) or hasattr(content, "columns"):  # a data frame
            return _from_series({str(name): content[name] for name in content.keys()})  # noqa: SIM118
        if isinstance(content, Sequence) and not isinstance(content, str):
            return _from_series(_transposed(content))
        raise InputError(
            f"the history is a {type(history).__name__}; a mapping of names such as loss and "
            "val_loss to values by epoch is needed (sweep.data.history.load reads files)"
        )

    def __len__(self) -> int:
        return len(self.epochs)


def load(path: str | os.PathLike[str]) -> History:
    """Reads a history from a file.

    Args:
        path: `.json` with an object that `History.of` takes, or a table with a column for each
            series: `.csv`, `.tsv` (also `.gz`), `.parquet` or `.npz`.

    Raises:
        InputError: the file is missing or has another format, or `History.of` rejects its content.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: a history is read from a file that ends in {', '.join(SUFFIXES)}; "
            "use such a name"
        )
    is_json = path.suffix.lower() == ".json"
    content = _json(path) if is_json else tables.read(path, _series_columns)
    if isinstance(content, Mapping) and isinstance(content.get("history"), Mapping):
        content = content["history"]
    try:
        return History.of(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _json(path: Path) -> Any:
    try:
        with system_errors(path, "read"):
            return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: line {error.lineno} is not JSON ({error.msg}, column {error.colno})"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not JSON, which is text in UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply to be a history") from None


def _series_columns(names: list[str]) -> list[str]:
    """The columns of a table that are series of a history."""
    return [*_series_names(names).values()]


def _series_names(names: Iterable[str]) -> dict[str, str]:
    """The name of each series that exists, by field; InputError if there is no training loss."""
    names = list(names)
    by_field = {
        field: next(name for name in candidates if name in names)
        for field, candidates in NAMES.items()
        if any(name in names for name in candidates)
    }
    if "loss" not in by_field:
        raise InputError(
            f"has no training loss under the name loss or train_loss; there are: {listed(names)}"
        )
    return by_field


def _transposed(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Turns one mapping per epoch into one mapping of series."""
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(f"entry {index + 1} of the history is {row!r}, not a mapping of names")
    if not rows:
        raise InputError(f"the history has no epochs; at least {FEWEST} are needed")
    names = dict.fromkeys(name for row in rows for name in row)
    chosen = _series_names(map(str, names)).values()
    for index, row in enumerate(rows):
        for name in chosen:
            if name not in row:
                raise InputError(f"entry {index + 1} of the history has no {name!r}")
    return {name: [row[name] for row in rows] for name in chosen}


def _from_series(content: Mapping[str, ArrayLike]) -> History:
    names = _series_names(content)
    series = {name: column(name, content[name], element) for name in names.values()}
    loss = names["loss"]
    m = len(series[loss])
    for name, values in series.items():
        if len(values) != m:
            raise InputError(
                f"{loss!r} has {m} epochs but {name!r} has {len(values)}; "
                "give each of them for every epoch"
            )
    if m < FEWEST:
        raise InputError(f"the history has {m} epochs; at least {FEWEST} are needed")
    epochs = _epochs(m, series.pop(names["epochs"]) if "epochs" in names else None)
    _require_values(series, names, epochs)
    by_field = {field: series[name] for field, name in names.items() if field != "epochs"}
    return History(epochs, **by_field)


def _epochs(m: int, numbers: Float[np.ndarray, " m"] | None) -> Int[np.ndarray, " m"]:
    if numbers is None:
        return read_only(np.arange(1, m + 1))
    integral = np.isfinite(numbers) & (numbers == np.floor(numbers))
    refuse(~integral, "epoch", numbers, "is not a whole number", element)
    epochs = numbers.astype(np.int64)
    jumps = np.diff(epochs) != 1
    if not jumps.any():
        return read_only(epochs)
    first = int(np.argmax(jumps))
    before, after = int(epochs[first]), int(epochs[first + 1])
    if after == before:
        raise InputError(f"epoch {before} appears twice; give each epoch once")
    if after < before:
        raise InputError(f"epoch {after} comes after epoch {before}; sort the epochs, each once")
    raise InputError(
        f"epoch {before + 1} is missing: after {before} comes {after}; give all epochs"
    )


def _require_values(
    series: Mapping[str, Float[np.ndarray, " m"]],
    names: Mapping[str, str],
    epochs: Int[np.ndarray, " m"],
) -> None:
    def where(name: str, row: int) -> str:
        return f"{name!r} at epoch {epochs[row]}"

    for field, name in names.items():
        if field == "epochs":
            continue
        values = series[name]
        require_finite(name, values, where)
        if field.endswith("acc"):
            why = "is outside [0, 1]; accuracies are fractions, so divide percentages by 100"
            refuse((values < 0) | (values > 1), name, values, why, where)
