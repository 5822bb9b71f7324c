"""Values of the keys that specs of any kind have, and what is said of those that are refused."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweep.base.errors import InputError
from sweep.base.grid import axis
from sweep.base.ranges import whole
from sweep.runs.spec.schema import SpecError, bare, refused, shown

MOST_TASKS = 10**7
"""Tasks of one run."""


@contextmanager
def about(key: str) -> Iterator[None]:
    """Whatever the block refuses is refused of a key, with which the sentence begins."""
    try:
        yield
    except SpecError:
        raise
    except InputError as error:
        text, name = str(error), bare(key)
        begins = text.startswith((f"{name} ", f"{name}=", f"{name}:"))
        raise SpecError(text if begins else f"{name}: {text}", key) from None


def files(asked: Sequence[str], base: Path) -> tuple[str, ...]:
    """Files of data, as they are written."""
    for name in asked:
        if not name.strip() or "\0" in name:
            raise refused("data", name, "holds")
    require_once("data", asked, [os.path.realpath(base / name) for name in asked])
    return tuple(asked)


def seeds(asked: Any) -> tuple[int, ...]:
    """Seeds, in the order given; 0 if none is."""
    if asked in ((), []):
        return (0,)
    with about("seed"):
        found = tuple(_seed(value) for value in axis(asked, "seed").tolist())
    require_once("seed", found, found)
    return found


def _seed(value: float) -> int:
    return whole("seed", int(value) if value.is_integer() else value, 0)


def whole_number(key: str, value: float) -> int:
    """A whole number above 0."""
    if not 1 <= value < 2**53 or value != int(value):
        raise refused(key, value)
    return int(value)


def known(key: str, value: str, among: Iterable[str]) -> str:
    """One of several texts."""
    if value not in among:
        raise refused(key, value)
    return value


def column(key: str, value: str) -> str:
    """The name of a column."""
    if not value:
        raise refused(key, value)
    return value


def listed(value: Any) -> list[Any]:
    """Several values, given as one or in a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def require_once(key: str, written: Iterable[Any], meant: Sequence[Any]) -> None:
    """Refuses what is asked for twice, as it is written.

    Args:
        key: the key.
        written: each as it stands in the spec.
        meant: what it means.
    """
    first: dict[Any, Any] = {}
    for text, one in zip(written, meant, strict=True):
        if one in first:
            other = "" if first[one] == text else f", also as {first[one]!r}"
            raise SpecError(f"{bare(key)} holds {shown(text)} twice{other}; give it once", key)
        first[one] = text
