"""Training histories: loss and accuracy by epoch, as Keras keeps them or as a file has them."""

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
from sweep.data import tables
from sweep.data.columns import column, element, read_only, refuse, require_finite

FEWEST = 3
"""Epochs that are needed."""

NAMES = {
    "epochs": ("epoch", "epochs"),
    "loss": ("loss", "train_loss", "training_loss"),
    "val_loss": ("val_loss", "valid_loss", "validation_loss"),
    "acc": ("acc", "accuracy", "train_acc", "train_accuracy", "training_accuracy"),
    "val_acc": ("val_acc", "val_accuracy", "valid_acc", "valid_accuracy", "validation_accuracy"),
}
"""What each part is called; the first name that is there counts."""

SUFFIXES = (".json", ".csv", ".tsv", ".gz", ".parquet", ".pq", ".npz")
"""Kinds of files that histories are read from."""


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """What happened in m epochs, one after the other.

    Attributes:
        epochs: their numbers, shape (m,), ascending by one.
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
        """A history as Python has it.

        Args:
            history: a mapping of names to values by epoch, such as a data frame, the `history` of
                what Keras's `fit` returns, or that object; or a sequence of mappings, one for
                each epoch. Names are those of `NAMES`; epochs count from 1 if they have no numbers.

        Raises:
            InputError: it is of another kind, has no training loss, too few epochs or epochs that
                are missing or there twice, parts of unequal lengths, or a value that is not
                finite or, of accuracies, not in [0, 1].
        """
        content = getattr(history, "history", history)
        if isinstance(content, cls):
            return content
        if isinstance(content, Mapping) or hasattr(content, "columns"):  # a data frame
            return _made({str(name): content[name] for name in content.keys()})  # noqa: SIM118
        if isinstance(content, Sequence) and not isinstance(content, str):
            return _made(_turned(content))
        raise InputError(
            f"the history is a {type(history).__name__}; a mapping of names such as loss and "
            "val_loss to values by epoch is needed (sweep.data.history.load reads files)"
        )

    def __len__(self) -> int:
        return len(self.epochs)


def load(path: str | os.PathLike[str]) -> History:
    """Reads a history from a file.

    Args:
        path: `.json`, as `History.of` takes it, or a table with a column for each part, `.csv`,
            `.tsv`, `.parquet` or `.npz`.

    Raises:
        InputError: the file is missing or of no such kind, or `History.of` refuses its content.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a history is read from .json, .csv or .tsv; use such a name")
    is_json = path.suffix.lower() == ".json"
    content = _json(path) if is_json else tables.read(path, _parts_there)
    if isinstance(content, Mapping) and isinstance(content.get("history"), Mapping):
        content = content["history"]
    try:
        return History.of(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: line {error.lineno} is not JSON ({error.msg}, column {error.colno})"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not JSON, which is text in UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply to be a history") from None


def _parts_there(names: list[str]) -> list[str]:
    """The columns of a table that are parts of a history."""
    return [*_parts(names).values()]


def _parts(names: Iterable[str]) -> dict[str, str]:
    """The names of the parts that are there, by part.

    Raises:
        InputError: there is no training loss.
    """
    there = list(names)
    found = {
        part: next(name for name in called if name in there)
        for part, called in NAMES.items()
        if any(name in there for name in called)
    }
    if "loss" not in found:
        raise InputError(
            f"has no training loss, which is called loss or train_loss; "
            f"there are: {tables.listed(there)}"
        )
    return found


def _turned(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Mappings, one for each epoch, as one mapping."""
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(f"entry {place + 1} of the history is {row!r}, not a mapping of names")
    if not rows:
        raise InputError(f"the history has no epochs; at least {FEWEST} are needed")
    names = dict.fromkeys(name for row in rows for name in row)
    parts = _parts(map(str, names)).values()
    for place, row in enumerate(rows):
        for name in parts:
            if name not in row:
                raise InputError(f"entry {place + 1} of the history has no {name!r}")
    return {name: [row[name] for row in rows] for name in parts}


def _made(content: Mapping[str, ArrayLike]) -> History:
    called = _parts(content)
    given = {name: column(name, content[name], element) for name in called.values()}
    loss = called["loss"]
    for name, values in given.items():
        if len(values) != len(given[loss]):
            raise InputError(
                f"{loss!r} has {len(given[loss])} epochs but {name!r} has {len(values)}; "
                "give each of them for every epoch"
            )
    if len(given[loss]) < FEWEST:
        raise InputError(f"{len(given[loss])} epochs are no history; at least {FEWEST} are needed")
    counted = given.pop(called["epochs"]) if "epochs" in called else None
    epochs = _epochs(len(given[loss]), counted)
    _require_values(given, called, epochs)
    parts = {part: given[name] for part, name in called.items() if part != "epochs"}
    return History(epochs, **parts)


def _epochs(m: int, given: Float[np.ndarray, " m"] | None) -> Int[np.ndarray, " m"]:
    if given is None:
        return read_only(np.arange(1, m + 1))
    whole = np.isfinite(given) & (given == np.floor(given))
    refuse(~whole, "epoch", given, "is no whole number", element)
    epochs = given.astype(np.int64)
    steps = np.diff(epochs)
    if not (steps != 1).any():
        return read_only(epochs)
    wrong = int(np.argmax(steps != 1))
    before, after = int(epochs[wrong]), int(epochs[wrong + 1])
    if after == before:
        raise InputError(f"epoch {before} is there twice; give each epoch once")
    if after < before:
        raise InputError(f"epoch {after} comes after epoch {before}; sort the epochs, each once")
    raise InputError(f"epoch {before + 1} is missing: after {before} comes {after}; give every one")


def _require_values(
    given: Mapping[str, Float[np.ndarray, " m"]],
    called: Mapping[str, str],
    epochs: Int[np.ndarray, " m"],
) -> None:
    def where(name: str, row: int) -> str:
        return f"{name!r} at epoch {epochs[row]}"

    for part, name in called.items():
        if part == "epochs":
            continue
        values = given[name]
        require_finite(name, values, where)
        if part.endswith("acc"):
            why = "is outside [0, 1]; accuracies are fractions, so divide percentages by 100"
            refuse((values < 0) | (values > 1), name, values, why, where)
