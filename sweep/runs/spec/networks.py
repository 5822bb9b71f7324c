"""The canonical values of a spec of networks: those of its table `training`, and beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from sweep.base.grid import DEFAULT_AXIS
from sweep.base.memory import RESULT_LIMIT
from sweep.base.ranges import whole
from sweep.runs.spec.schema import TRAINING, SpecError, refused, require_known, typed
from sweep.runs.spec.values import (
    MOST_TASKS,
    about,
    column,
    files,
    known,
    listed,
    require_once,
    seeds,
    whole_number,
)
from sweep.training.ensemble import DTYPES
from sweep.training.files import SHARE
from sweep.training.hyperparameters import (
    NAMES,
    NUMBERS,
    Hyperparameters,
    Setting,
    combinations,
    written,
)
from sweep.training.problems import problem
from sweep.training.train import LARGEST_SEED, MOST_EPOCHS

USUAL: dict[str, Any] = {"epochs": 300, "dtype": "float32", "block": 100}
"""What keys of `training` are if they are left out, hyperparameters apart."""

MOST_COMBINATIONS = 10**4
"""Of hyperparameters."""

CURVES = 7
"""What is recorded of a network after each epoch, if it has a test set."""

LANDSCAPES: dict[str, Any] = {
    "population": (),
    "n": (),
    "a": DEFAULT_AXIS,
    "b": DEFAULT_AXIS,
    "metrics": ("cross_entropy", "accuracy"),
    "tolerance": 1e-9,
    "method": "auto",
    "dtype": "float64",
    "weight": None,
    "optimum": True,
    "tile": 500,
}
"""Keys that networks have no use for, and what they are if they are left out."""


class HyperparameterGrid(NamedTuple):
    """Combinations of hyperparameters.

    Attributes:
        axes: values of those given in lists, in the order of the dimensions.
        every: all combinations, the last axis fastest.
    """

    axes: dict[str, tuple[Setting, ...]]
    every: list[Hyperparameters]


@dataclass(frozen=True)
class Training:
    """The table `training`, every value in its canonical form.

    Attributes:
        problem: by name; none beside data.
        validation: share of the rows of data that are for validation; None beside problems.
        epochs: how many.
        keep: epochs after which validation logits are recorded; 0 is before training.
        dtype: "float32" or "float64".
        block: seeds that one task trains.
        hyperparameters: all of them by name, as coordinates have them; those in lists as tuples.
    """

    problem: tuple[str, ...]
    validation: float | None
    epochs: int
    keep: tuple[int, ...]
    dtype: str
    block: int
    hyperparameters: tuple[tuple[str, Any], ...]

    @cached_property
    def grid(self) -> HyperparameterGrid:
        """The combinations of hyperparameters."""
        return HyperparameterGrid(*combinations(dict(self.hyperparameters)))

    @property
    def fixed(self) -> dict[str, Any]:
        """The hyperparameters that are the same for all networks."""
        return {n: value for n, value in self.hyperparameters if n not in self.grid.axes}

    def to_dict(self) -> dict[str, Any]:
        """The canonical value of every key that there is a use for, in their order."""
        own = {
            "problem": self.problem or None,
            "validation": self.validation,
            "epochs": self.epochs,
            "keep": self.keep,
            "dtype": self.dtype,
            "block": self.block,
        }
        return {n: v for n, v in own.items() if v is not None} | dict(self.hyperparameters)


def canonical(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The canonical value of every key, those of landscapes as if they were left out.

    Args:
        given: a value for every key, of its type; () for what is left out.
        base: the directory that the files of data are relative to.

    Raises:
        SpecError: one has no meaning, or they do not go together.
    """
    require_no_landscapes(
        key for key, usual in LANDSCAPES.items() if given[key] not in (usual, list(listed(usual)))
    )
    data = files(listed(given["data"]), base)
    found = seeds(given["seed"])
    with about("seed"):
        for seed in found:
            whole("seed", seed, 0, LARGEST_SEED)
    training = _training(given["training"], bool(data), len(found))
    _require_source(training.problem, data)
    if not data:
        _require_no_columns(given)
    return {
        **LANDSCAPES,
        "data": data,
        "seed": found,
        "memory": whole_number("memory", given["memory"]),
        "x": _columns(given["x"]),
        "y": column("y", given["y"]),
        "training": training,
    }


def require_no_landscapes(keys: Any) -> None:
    """Refuses keys that only landscapes have a use for.

    Raises:
        SpecError: names the first of them.
    """
    for key in keys:
        if key in LANDSCAPES:
            own = "; networks have one of their own in [training]" if key == "dtype" else ""
            raise SpecError(f"{key} is of landscapes; leave it out beside [training]{own}", key)


def _training(table: Mapping[str, Any], of_data: bool, seeds: int) -> Training:
    """The table, in its canonical form."""
    require_known(table, "training")
    given = {key: _typed(key, value) for key, value in table.items()}
    if "validation" in given and not of_data:
        raise SpecError(
            "validation is a share of the rows of data; leave it out beside problem",
            "training.validation",
        )
    made = USUAL | given
    epochs = _whole("epochs", made["epochs"], 1, MOST_EPOCHS)
    keep = tuple(_whole("keep", one, 0, epochs) for one in listed(made.get("keep", epochs)))
    require_once("training.keep", keep, keep)
    found = Training(
        problem=_problems(listed(made.get("problem", ()))),
        validation=_share(made.get("validation", SHARE)) if of_data else None,
        epochs=epochs,
        keep=keep,
        dtype=known("training.dtype", made["dtype"], DTYPES),
        block=whole_number("training.block", made["block"]),
        hyperparameters=_hyperparameters({n: given[n] for n in NAMES if n in given}),
    )
    _require_room(found, seeds)
    return found


def _typed(key: str, value: Any) -> Any:
    full = f"training.{key}"
    if value in ([], ()):
        raise SpecError(f"{key} is empty; {TRAINING[key].needed}", full)
    return typed(full, value)


def _whole(key: str, value: float, least: int, most: int) -> int:
    with about(f"training.{key}"):
        return whole(key, int(value) if value == value // 1 else value, least, most)


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise refused("training.validation", value)
    return value


def _problems(asked: Sequence[str]) -> tuple[str, ...]:
    names = []
    for text in asked:
        with about("training.problem"):
            names.append(problem(text).name)
    require_once("training.problem", asked, names)
    return tuple(names)


def _hyperparameters(given: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """All of them as coordinates have them, those given in lists as tuples."""
    several = math.prod(len(value) for value in given.values() if isinstance(value, list))
    if several > MOST_COMBINATIONS:
        raise SpecError(
            f"training asks for {several} combinations of hyperparameters, more than the "
            f"{MOST_COMBINATIONS} that it may; ask for fewer values",
            "training",
        )
    found = {}
    for name in NAMES:  # one by one, so that whatever is refused is refused by its key
        with about(f"training.{name}"):
            axes, (first, *_) = combinations({n: given[n] for n in (name,) if n in given})
        fixed = written(name, getattr(first, name))
        found[name] = tuple(written(name, one) for one in axes[name]) if axes else fixed
    return tuple(found.items())


def _require_source(problems: Sequence[str], data: Sequence[str]) -> None:
    if problems and data:
        raise SpecError("problem and data exclude each other; give one", "training.problem")
    if not (problems or data):
        raise SpecError(
            'there is neither problem nor data; give problem = "outlier" in [training], or files '
            'beside it, such as data = ["a.csv", "b.parquet"]',
            "training",
        )


def _require_no_columns(given: Mapping[str, Any]) -> None:
    for key, usual in (("x", (None,)), ("y", ("y",))):
        if given[key] not in usual:
            raise SpecError(f"{key} is a column of data; leave it out beside problem", key)


def _columns(asked: str | list[str] | None) -> tuple[str, ...] | None:
    """Columns of the inputs; None for all that there are."""
    if asked is None:
        return None
    names = tuple(column("x", name) for name in listed(asked))
    require_once("x", names, names)
    return names


def _require_room(training: Training, seeds: int) -> None:
    """Refuses tasks whose results would not fit, and too many of them."""
    numbers = math.prod(len(v) for n, v in training.grid.axes.items() if n in NUMBERS)
    tasks = -(-seeds // training.block) * (len(training.grid.every) // numbers)
    if tasks > MOST_TASKS:
        raise SpecError(
            f"block: the sweep would have {tasks} tasks, more than the {MOST_TASKS} that it may; "
            "ask for more seeds in a block",
            "training.block",
        )
    networks = min(training.block, seeds) * numbers
    needed = 8 * networks * CURVES * training.epochs
    if needed > RESULT_LIMIT:
        raise SpecError(
            f"block: the curves of {networks} networks of {training.epochs} epochs would take "
            f"{needed / 2**30:.1f} GiB of memory, more than the limit of "
            f"{RESULT_LIMIT / 2**30:.0f} GiB; ask for fewer seeds in a block",
            "training.block",
        )
