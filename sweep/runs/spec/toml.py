"""The text of a spec: TOML, of which tomllib reads all and `text` writes what a spec needs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweep.base.errors import InputError

LARGEST = 2**24
"""Bytes beyond which a file is no spec."""

PLAINER = {
    "Invalid value": 'a value is a number, true, false, "a text" in quotes, or a [list] of them',
    "Cannot overwrite a value": "the key is given twice",
    "Illegal character '\\n'": "a text has no closing quote",
    "Unterminated string": "a text has no closing quote",
    "Unclosed array": "a list has no closing bracket, or a comma is missing",
    "Exceeds the limit": "a number has too many digits",
}
"""What is said instead of some of the messages of tomllib, by their beginning."""


def read(path: str | os.PathLike[str]) -> str:
    """The text of a file.

    Raises:
        InputError: it cannot be read, or is no text.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise InputError(f"{path}: is larger than 16 MiB; a spec in TOML is needed")
        return content.decode("utf-8-sig")  # some editors of Windows begin a text so
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text in UTF-8; a spec in TOML is needed") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; a spec in TOML is needed") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory; a spec in TOML is needed") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def parsed(text: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a text in TOML says.

    Args:
        text: the whole of it.
        path: the file that it stands in, for the sentence.

    Raises:
        InputError: it is no TOML; says in which line.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply to be a spec") from None
    except ValueError as error:  # a TOMLDecodeError, or a number of too many digits
        what, _, where = str(error).partition(" (at ")
        place = re.match(r"line (\d+)", where)
        line = int(place.group(1)) if place else len(text.splitlines())
        why = next((PLAINER[one] for one in PLAINER if what.startswith(one)), what)
        raise InputError(
            f"{path}, line {line}: is not TOML ({why}): {_shown(text, line)}"
        ) from None


def _shown(text: str, line: int) -> str:
    """A line of a text, counted from 1, shortened."""
    whole = "".join(text.splitlines()[line - 1 : line]).strip()
    printed = "".join(one if one.isprintable() else "\ufffd" for one in whole)
    return printed if len(printed) <= 60 else printed[:57] + "..."


def line_of(text: str, key: str) -> int | None:
    """The first line, counted from 1, that begins with a key; None if none does.

    Of a key in a table, `table.key`, or else the one that begins with the table.
    """
    table, _, inner = key.rpartition(".")
    for name in (key, inner, table):
        begins = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
        found = (k for k, line in enumerate(text.splitlines(), 1) if name and begins.match(line))
        if (line := next(found, None)) is not None:
            return line
    return None


def text(values: Mapping[str, Any]) -> str:
    """A mapping as lines of TOML; None is left out.

    Args:
        values: bare keys; texts, numbers, booleans, sequences of them, and in the end mappings of
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
        # JSON escapes all that TOML does, but DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (int, float)):
        return repr(value)
    return f"[{', '.join(map(_value, value))}]"
