"""The text of a spec: any TOML is read, by tomllib; `text` writes the subset that a spec needs.

Values that all kinds of specs share are checked here too.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweep.base.errors import InputError
from sweep.base.files import system_errors
from sweep.base.ranges import axis, whole_number
from sweep.runs.spec.schema import SpecError, bare_name, refusal, shortened

MOST_BYTES = 2**24  # a larger file is not a spec

EXPLANATIONS = {
    "Invalid value": 'a value is a number, true, false, "a text" in quotes, or a [list] of them',
    "Cannot overwrite a value": "the key is given twice",
    "Illegal character '\\n'": "a text has no closing quote",
    "Unterminated string": "a text has no closing quote",
    "Unclosed array": "a list has no closing bracket, or a comma is missing",
    "Exceeds the limit": "a number has too many digits",
}
"""Plainer words for messages of tomllib that begin with the key."""

MOST_TASKS = 10**7  # the log grows by about 600 bytes for each


def read(path: str | os.PathLike[str]) -> str:
    """The text of a file.

    Raises:
        InputError: the file cannot be read, is too large, or is not UTF-8 text.
    """
    needed = "a spec in TOML is needed"
    with system_errors(path, "read", needed), Path(path).open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: is larger than 16 MiB; {needed}")
    try:
        return content.decode("utf-8-sig")  # some Windows editors write a byte order mark
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; {needed}") from None


def parsed(text: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """The values of a TOML text.

    Args:
        text: content of the file.
        path: the file, for the error message.

    Raises:
        InputError: the text is not TOML; the message has the line.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply to be a spec") from None
    except ValueError as error:  # a TOMLDecodeError, or a number of too many digits
        message, _, position = str(error).partition(" (at ")
        number = re.match(r"line (\d+)", position)
        line = int(number.group(1)) if number else len(text.splitlines())
        why = next((EXPLANATIONS[key] for key in EXPLANATIONS if message.startswith(key)), message)
        raise InputError(f"{path}, line {line}: is not TOML ({why}): {_line(text, line)}") from None


def _line(text: str, line: int) -> str:
    """A line of a text, counted from 1, as an error message shows it."""
    content = "".join(text.splitlines()[line - 1 : line]).strip()
    printed = "".join(c if c.isprintable() else "\ufffd" for c in content)
    return printed if len(printed) <= 60 else printed[:57] + "..."


def line_of(text: str, key: str) -> int | None:
    """The first line, counted from 1, that begins with a key; None if there is none.

    For a key in a table, `table.key`, the line of the table counts if the key has none.
    """
    table, _, inner = key.rpartition(".")
    for name in (key, inner, table):
        beginning = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
        for number, line in enumerate(text.splitlines(), 1):
            if name and beginning.match(line):
                return number
    return None


def text(values: Mapping[str, Any]) -> str:
    """A mapping as TOML; None is left out.

    Args:
        values: texts, numbers, booleans and sequences of them by bare key; last of all mappings of
            such values, which become tables.
    """
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines.append(f"\n[{key}]\n{text(value)}")
        elif value is not None:
            lines.append(f"{key} = {_value(value)}\n")
    return "".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON escapes all characters that TOML does, except DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (int, float)):
        return repr(value)
    return f"[{', '.join(map(_value, value))}]"


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
