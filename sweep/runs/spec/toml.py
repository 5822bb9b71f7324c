"""The text of a spec: any TOML is read, by tomllib; `text` writes the subset that a spec needs."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweep.base.errors import InputError
from sweep.base.files import system_errors

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


def read(path: str | os.PathLike[str]) -> str:
    """The text of a file."""
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
    """The values of a TOML text; the error message names its file and the line."""
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
    """A mapping as TOML: values by bare key, without None, then mappings, which become tables."""
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
