"""Values of keys that all kinds of specs share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweep.base.errors import InputError
from sweep.base.ranges import axis, whole_number
from sweep.runs.spec.schema import SpecError, bare_name, refusal, shortened

MOST_TASKS = 10**7  # the journal grows by about 400 bytes for each


@contextmanager
def key_errors(key: str) -> Iterator[None]:
    """Turns an error of the block into one about a key, whose name begins the message."""
    try:
        yield
    except SpecError:
        raise
    except InputError as error:
        text, name = str(error), bare_name(key)
        named = text.startswith((f"{name} ", f"{name}=", f"{name}:"))
        raise SpecError(text if named else f"{name}: {text}", key) from None


def data_files(names: Sequence[str], base: Path) -> tuple[str, ...]:
    """Files of data, as the spec writes them."""
    for name in names:
        if not name.strip() or "\0" in name:
            raise refusal("data", name, "holds")
    require_distinct("data", names, [os.path.realpath(base / name) for name in names])
    return tuple(names)


def seed_values(values: Any) -> tuple[int, ...]:
    """Seeds, in the order of the spec; 0 if there are none."""
    if values in ((), []):
        return (0,)
    with key_errors("seed"):
        seeds = tuple(_seed(value) for value in axis(values, "seed").tolist())
    require_distinct("seed", seeds, seeds)
    return seeds


def _seed(value: float) -> int:
    return whole_number("seed", int(value) if value.is_integer() else value, 0)


def positive_integer(key: str, value: float) -> int:
    """A whole number above 0."""
    if not 1 <= value < 2**53 or value != int(value):  # float64 holds all integers up to 2^53
        raise refusal(key, value)
    return int(value)


def one_of(key: str, value: str, choices: Iterable[str]) -> str:
    """One of several texts."""
    if value not in choices:
        raise refusal(key, value)
    return value


def column_name(key: str, value: str) -> str:
    """The name of a column, which is not empty."""
    if not value:
        raise refusal(key, value)
    return value


def as_list(value: Any) -> list[Any]:
    """A list of values, which the spec may write as one value."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def require_distinct(key: str, written: Iterable[Any], meanings: Sequence[Any]) -> None:
    """Rejects a value that occurs twice.

    Args:
        key: the key.
        written: the values as the spec writes them.
        meanings: what each of them means.
    """
    first: dict[Any, Any] = {}
    for text, meaning in zip(written, meanings, strict=True):
        if meaning in first:
            other = "" if first[meaning] == text else f", also as {first[meaning]!r}"
            raise SpecError(
                f"{bare_name(key)} holds {shortened(text)} twice{other}; give it once", key
            )
        first[meaning] = text
