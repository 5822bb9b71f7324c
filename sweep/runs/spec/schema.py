"""Keys of a spec: the type of each, and the checks and messages that all kinds of specs share.

msgspec checks the types, and says where in a value it found an unexpected one. Keys of the table
`training` are written `training.key`.
"""

from __future__ import annotations

import difflib
import os
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msgspec import ValidationError, convert

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.base.ranges import axis, whole_number


class SpecError(InputError):
    """A spec that cannot be run."""

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key  # the key at fault; None if there is no single one


class Key(NamedTuple):
    """What a key may hold."""

    type: Any
    needed: str  # the same in words, with an example


Item = TypeVar("Item")

MOST_TASKS = 10**7  # the log grows by about 600 bytes for each
UNSET = ((), [])  # values of keys that are left out

_Names = str | list[str]
_Numbers = str | float | list[float]

KEYS = {
    "population": Key(_Names, 'a law or a list of laws is needed, such as ["W1", "D1"]'),
    "data": Key(_Names, 'a file or a list of files is needed, such as ["a.csv", "b.parquet"]'),
    "n": Key(_Numbers, 'sizes are needed, such as "100:1e6:9:log" or [100, 1e4, inf]'),
    "seed": Key(_Numbers, "whole numbers are needed, such as 0 or [0, 1, 2]"),
    "a": Key(_Numbers, 'an axis is needed, such as "-5:5:101" or [0, 1, 2.5]'),
    "b": Key(_Numbers, 'an axis is needed, such as "-5:5:101" or [0, 1, 2.5]'),
    "metrics": Key(
        str | dict[str, Any] | list[str | dict[str, Any]],
        'metrics are needed, such as ["accuracy", "focal(gamma=3)"] or '
        '[{name = "focal", gamma = [0, 1, 2]}]',
    ),
    "tolerance": Key(float, "a positive number is needed, such as 1e-9"),
    "method": Key(str, 'a text is needed: "auto", "direct" or "compressed"'),
    "dtype": Key(str, 'a text is needed: "float64" or "float32"'),
    "memory": Key(float, "a whole number of MiB is needed, such as 512"),
    "x": Key(str | list[str] | None, 'the name of a column is needed, such as "x"'),
    "y": Key(str, 'the name of a column is needed, such as "y"'),
    "weight": Key(str | None, 'the name of a column is needed, such as "weight"'),
    "optimum": Key(bool, "true or false is needed"),
    "tile": Key(float, "a whole number of cells is needed, such as 500"),
    "training": Key(
        dict[str, Any] | None, 'a table is needed, such as [training] with problem = "outlier"'
    ),
}
"""By name, in the order of the canonical text."""

_POSITIVE = Key(float | list[float], "a number above 0 is needed")
_NOT_NEGATIVE = Key(float | list[float], "a number that is not negative is needed")

TRAINING = {
    "problem": Key(_Names, 'a problem or a list of them is needed, such as "outlier"'),
    "validation": Key(float | None, "a share between 0 and 1 is needed, such as 0.25"),
    "epochs": Key(float, "a whole number of epochs is needed, such as 300"),
    "keep": Key(float | list[float], "epochs are needed, such as 300 or [50, 300]"),
    "dtype": Key(str, 'a text is needed: "float32" or "float64"'),
    "block": Key(float, "a whole number of seeds is needed, such as 100"),
    "widths": Key(
        int | float | str | list[int | float | str | list[int | float]],
        'units of each hidden layer are needed, such as [8, 8] or, for several networks, ["3", '
        '"8-8"]',
    ),
    "activation": Key(_Names, 'a name is needed, such as "relu"'),
    "loss": Key(_Names, 'a name is needed, such as "cross_entropy"'),
    "optimizer": Key(_Names, 'a name is needed, such as "adam"'),
    "learning_rate": _POSITIVE,
    "schedule": Key(_Names, 'a name is needed, such as "constant"'),
    "batch": Key(
        int | float | str | list[int | float | str],
        'a whole number of points or "full" is needed, such as 20',
    ),
    "resample": Key(bool | list[bool], "true or false is needed"),
    "l1": _NOT_NEGATIVE,
    "l2": _NOT_NEGATIVE,
    "dropout": Key(float | list[float], "a number from 0 to below 1 is needed"),
    "noise": _NOT_NEGATIVE,
    "initial_bias": Key(float | list[float], "a finite number is needed"),
}
"""Keys of the table `training`: those of training as such, then the hyperparameters."""

_QUALIFIED = KEYS | {f"training.{name}": key for name, key in TRAINING.items()}


def require_known_keys(names: Iterable[str], table: str = "") -> None:
    """Rejects unknown keys, at the top level or in a table, and suggests the nearest one."""
    keys = TRAINING if table else KEYS
    for name in names:
        if name in keys:
            continue
        near = difflib.get_close_matches(name, keys, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(keys)}"
        if table:
            raise SpecError(f"{table} has no key {name!r}; {hint}", f"{table}.{name}")
        raise SpecError(f"unknown key {name!r}; {hint}", name)


def require_unset(values: Mapping[str, Any], usual: Mapping[str, Sequence[Any]], why: str) -> None:
    """Rejects keys that do not apply, unless they have one of their usual values."""
    for key, defaults in usual.items():
        if values[key] not in defaults:
            raise SpecError(f"{key} {why}", key)


def typed(key: str, value: Any) -> Any:
    """The value, converted to the type of its key."""
    try:
        return convert(value, _QUALIFIED[key].type)
    except OverflowError:
        raise refusal(key, value) from None
    except ValidationError as error:
        element = re.search(r"\$\[(\d+)\]", str(error))  # msgspec ends with its path: at `$[2]`
        if element is None:
            raise refusal(key, value) from None
        raise refusal(key, value[int(element.group(1))], "holds") from None


def checked(key: str, value: Any, valid: bool) -> Any:
    """The value, if it is valid."""
    if not valid:
        raise refusal(key, value)
    return value


def positive_integer(key: str, value: float) -> int:
    """A whole number above 0."""
    valid = 1 <= value < 2**53 and value == int(value)  # float64 holds all integers up to 2^53
    return int(checked(key, value, valid))


def refusal(key: str, value: Any, verb: str = "is") -> SpecError:
    """The error that rejects a value of a key."""
    return SpecError(f"{_bare_name(key)} {verb} {shortened(value)}; {_QUALIFIED[key].needed}", key)


def _bare_name(key: str) -> str:
    """The name of a key without its table."""
    return key.rpartition(".")[2]


def shortened(value: Any) -> str:
    """A value as an error message shows it."""
    if isinstance(value, Mapping):
        return f"a table with {', '.join(map(repr, value))}" if value else "an empty table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return short(value)
    if isinstance(value, (str, int, list, tuple)) or value is None:
        return reprlib.repr(list(value) if isinstance(value, tuple) else value)
    return f"{value} ({type(value).__name__})"


@contextmanager
def key_errors(key: str) -> Iterator[None]:
    """Turns an error of the block into one about a key, whose name begins the message."""
    try:
        yield
    except SpecError:
        raise
    except InputError as error:
        text, name = str(error), _bare_name(key)
        named = text.startswith((f"{name} ", f"{name}=", f"{name}:"))
        raise SpecError(text if named else f"{name}: {text}", key) from None


def as_list(value: Any) -> list[Any]:
    """A list of values, which the spec may write as one value."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def distinct(key: str, written: Iterable[Any], meanings: Sequence[Item]) -> tuple[Item, ...]:
    """What the values of a key mean, if no two of them mean the same."""
    first: dict[Any, Any] = {}
    for text, meaning in zip(written, meanings, strict=True):
        if meaning in first:
            other = "" if first[meaning] == text else f", also as {first[meaning]!r}"
            raise SpecError(
                f"{_bare_name(key)} holds {shortened(text)} twice{other}; give it once", key
            )
        first[meaning] = text
    return tuple(meanings)


def data_files(values: Any, base: Path) -> tuple[str, ...]:
    """Files of data, as the spec writes them."""
    names = as_list(values)
    for name in names:
        if not name.strip() or "\0" in name:
            raise refusal("data", name, "holds")
    distinct("data", names, [os.path.realpath(base / name) for name in names])
    return tuple(names)


def seed_values(values: Any, largest: int = 2**53) -> tuple[int, ...]:
    """Seeds, in the order of the spec; 0 if there are none."""
    if values in UNSET:
        return (0,)
    with key_errors("seed"):
        numbers = axis(values, "seed").tolist()
        seeds = [whole_number("seed", int(x) if x.is_integer() else x, 0, largest) for x in numbers]
    return distinct("seed", seeds, seeds)
