"""Canonical values of a spec of networks: its table `training`, and the keys beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from sweep.base.memory import require_room
from sweep.base.ranges import whole_number
from sweep.runs.spec import schema
from sweep.runs.spec.schema import SpecError, as_list
from sweep.training.hyperparameters import (
    DTYPES,
    LARGEST_SEED,
    MOST_EPOCHS,
    NAMES,
    NUMBERS,
    Hyperparameters,
    Setting,
    combinations,
    coordinate_value,
)
from sweep.training.problems import VALIDATION_SHARE, problem

TRAINING_DEFAULTS: dict[str, Any] = {
    "validation": VALIDATION_SHARE,
    "epochs": 300,
    "dtype": "float32",
    "block": 100,
}
MOST_COMBINATIONS = 10**4  # of hyperparameters
CURVES = 7  # values recorded of a network after each epoch, if it has a test set

LANDSCAPE_KEYS = ("population", "n", "a", "b", "metrics", "tolerance", "method", "dtype", "weight",
                  "optimum", "tile")  # fmt: skip
"""Keys that networks do not use."""


class HyperparameterGrid(NamedTuple):
    """Combinations of hyperparameters."""

    axes: dict[str, tuple[Setting, ...]]  # values of those given in lists, by dimension
    combinations: list[Hyperparameters]  # all of them, the last axis fastest


@dataclass(frozen=True)
class Training:
    """The table `training`, every value in its canonical form."""

    problem: tuple[str, ...]  # names; empty beside data
    validation: float | None  # share of the rows of data for validation; None beside problems
    epochs: int
    keep: tuple[int, ...]  # epochs after which validation logits are recorded; 0: before training
    dtype: str
    block: int  # seeds that one task trains
    hyperparameters: tuple[tuple[str, Any], ...]  # all by name, as coordinates; lists as tuples

    @cached_property
    def grid(self) -> HyperparameterGrid:
        """The combinations of hyperparameters."""
        return HyperparameterGrid(*combinations(dict(self.hyperparameters)))

    @property
    def fixed(self) -> dict[str, Any]:
        """The hyperparameters that all networks share."""
        return {n: value for n, value in self.hyperparameters if n not in self.grid.axes}

    def to_dict(self) -> dict[str, Any]:
        """The canonical value of every key that applies, in the order of the text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        hyperparameters = dict(values.pop("hyperparameters"))
        return {n: v for n, v in values.items() if v not in (None, ())} | hyperparameters


def canonical(values: Mapping[str, Any], base: Path, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical value of every key, given a value of the right type for each."""
    unused = {key: defaults[key] for key in LANDSCAPE_KEYS}
    require_no_landscape_keys(
        key for key, usual in unused.items() if values[key] not in (usual, as_list(usual))
    )
    data = schema.data_files(values["data"], base)
    seeds = schema.seed_values(values["seed"], LARGEST_SEED)
    training = _training(values["training"], bool(data), len(seeds))
    if training.problem and data:
        raise SpecError("problem and data exclude each other; give one", "training.problem")
    if not (training.problem or data):
        raise SpecError(
            'there is neither problem nor data; give problem = "outlier" in [training], or files '
            'beside it, such as data = ["a.csv", "b.parquet"]',
            "training",
        )
    if not data:
        why = "names a column of data; leave it out beside problem"
        schema.require_unset(values, {"x": (None,), "y": ("y",)}, why)
    return {
        **unused,
        "data": data,
        "seed": seeds,
        "memory": schema.positive_integer("memory", values["memory"]),
        "x": _columns(values["x"]),
        "y": schema.checked("y", values["y"], values["y"] != ""),
        "training": training,
    }


def require_no_landscape_keys(keys: Iterable[str]) -> None:
    """Rejects keys that only landscapes use."""
    for key in keys:
        if key in LANDSCAPE_KEYS:
            hint = ", or give the one of networks in the table" if key == "dtype" else ""
            raise SpecError(f"{key} is for landscapes; leave it out beside [training]{hint}", key)


def _training(table: Mapping[str, Any], of_data: bool, seeds: int) -> Training:
    """The table `training`, in its canonical form."""
    schema.require_known_keys(table, "training")
    written = {key: _typed(key, value) for key, value in table.items()}
    if "validation" in written and not of_data:
        raise SpecError(
            "validation is a share of the rows of data; leave it out beside problem",
            "training.validation",
        )
    values = TRAINING_DEFAULTS | written
    epochs = _whole("epochs", values["epochs"], 1, MOST_EPOCHS)
    keep = [_whole("keep", epoch, 0, epochs) for epoch in as_list(values.get("keep", epochs))]
    share, dtype = values["validation"], values["dtype"]
    training = Training(
        problem=_problems(as_list(values.get("problem", ()))),
        validation=schema.checked("training.validation", share, 0 < share < 1) if of_data else None,
        epochs=epochs,
        keep=schema.distinct("training.keep", keep, keep),
        dtype=schema.checked("training.dtype", dtype, dtype in DTYPES),
        block=schema.positive_integer("training.block", values["block"]),
        hyperparameters=_hyperparameters({n: written[n] for n in NAMES if n in written}),
    )
    _require_room(training, seeds)
    return training


def _typed(key: str, value: Any) -> Any:
    qualified = f"training.{key}"
    if value in ([], ()):
        raise SpecError(f"{key} is empty; {schema.TRAINING[key].needed}", qualified)
    return schema.typed(qualified, value)


def _whole(key: str, value: float, least: int, most: int) -> int:
    with schema.key_errors(f"training.{key}"):
        return whole_number(key, int(value) if value == value // 1 else value, least, most)


def _problems(texts: Sequence[str]) -> tuple[str, ...]:
    with schema.key_errors("training.problem"):
        names = [problem(text).name for text in texts]
    return schema.distinct("training.problem", texts, names)


def _hyperparameters(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """All hyperparameters as values of coordinates; lists as tuples."""
    count = math.prod(len(value) for value in values.values() if isinstance(value, list))
    if count > MOST_COMBINATIONS:
        raise SpecError(
            f"training asks for {count} combinations of hyperparameters, more than the limit of "
            f"{MOST_COMBINATIONS}; ask for fewer values",
            "training",
        )
    canonical_values = {}
    for name in NAMES:  # one by one, so that an error names its key
        with schema.key_errors(f"training.{name}"):
            axes, (first, *_) = combinations({n: values[n] for n in (name,) if n in values})
        if axes:
            canonical_values[name] = tuple(coordinate_value(name, v) for v in axes[name])
        else:
            canonical_values[name] = coordinate_value(name, getattr(first, name))
    return tuple(canonical_values.items())


def _columns(value: str | list[str] | None) -> tuple[str, ...] | None:
    """Columns of the inputs; None for all but the labels and weights."""
    if value is None:
        return None
    names = [schema.checked("x", name, name != "") for name in as_list(value)]
    return schema.distinct("x", names, names)


def _require_room(training: Training, seeds: int) -> None:
    """Rejects too many tasks, and tasks whose results do not fit into memory."""
    side_by_side = math.prod(len(v) for n, v in training.grid.axes.items() if n in NUMBERS)
    tasks = -(-seeds // training.block) * (len(training.grid.combinations) // side_by_side)
    if tasks > schema.MOST_TASKS:
        raise SpecError(
            f"block: the sweep would have {tasks} tasks, more than the limit of "
            f"{schema.MOST_TASKS}; ask for more seeds in a block",
            "training.block",
        )
    networks = min(training.block, seeds) * side_by_side
    needed = 8 * networks * CURVES * training.epochs  # bytes of float64
    subject = f"the curves of {networks} networks of {training.epochs} epochs"
    with schema.key_errors("training.block"):
        require_room(subject, needed, "ask for fewer seeds in a block")
