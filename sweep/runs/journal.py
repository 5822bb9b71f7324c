"""The journal and the event log of a run: one JSON object a line.

The journal has one line for each task that is done, written once its chunks are in place. A line
holds the checksum of its own text and of every chunk, so that damage to either is noticed and the
task is computed again. The order of the lines does not matter. The event log says what happened
when.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from sweep.base import files

CHECK = ',"check":"'  # precedes the checksum of the text of a line up to there

Event = dict[str, Any]
"""`time` in UTC in ISO 8601, the name of the event as `event`, and its details."""

Watcher = Callable[[Event], None]
"""Receives events as they happen."""


class Chunk(NamedTuple):
    """The content of a chunk, the same in all files of one variable that a task writes.

    Attributes:
        checksum: 64-bit XXH3 of its bytes, in hex.
        size: bytes.
    """

    checksum: str
    size: int


@dataclass(frozen=True)
class Done:
    """A task that is done.

    Attributes:
        task: its number.
        seconds: computing time.
        chunks: by variable.
        numbers: scalars by table, without those that are nan; only the first tile of a landscape
            has them.
    """

    task: int
    seconds: float
    chunks: Mapping[str, Chunk]
    numbers: Mapping[str, float] = field(default_factory=dict)


class Journal(NamedTuple):
    """The content of a journal.

    Attributes:
        done: the tasks that are done, by number.
        lines: number of good lines; a task may have several.
        broken: number of damaged lines; the last line may be half written.
    """

    done: dict[int, Done]
    lines: int
    broken: int


def line(done: Done) -> str:
    """The line of a task, without its end."""
    values = asdict(done) | {"numbers": {key: _text(x) for key, x in done.numbers.items()}}
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)[:-1]
    return f'{text}{CHECK}{_checksum(text)}"}}'


def parsed(text: str) -> Done | None:
    """The task of a line; None if the line is damaged."""
    body, _, check = text.rpartition(CHECK)
    if check != f'{_checksum(body)}"}}':
        return None
    values = json.loads(f"{body}}}")
    return Done(
        values["task"],
        values["seconds"],
        {name: Chunk(*chunk) for name, chunk in values["chunks"].items()},
        {name: float(number) for name, number in values["numbers"].items()},
    )


def read(path: Path) -> Journal:
    """The content of a journal; empty if there is no file.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    lines = content.decode("ascii", "replace").rstrip("\n").split("\n") if content else []
    good = [done for done in map(parsed, lines) if done is not None]
    return Journal({done.task: done for done in good}, len(good), len(lines) - len(good))


def rewrite(path: Path, tasks: Iterable[Done]) -> None:
    """Replaces the journal by the lines of these tasks.

    Raises:
        OSError: the file cannot be written.
    """
    files.replace(path, "".join(f"{line(done)}\n" for done in tasks).encode(), durable=True)


def append(journal: files.Lines, done: Done) -> None:
    """Marks a task as done.

    Raises:
        OSError: the line cannot be written; the journal stays as it was.
    """
    journal.append(line(done))


def _checksum(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode())


def _text(number: float) -> float | str:
    """A number for JSON; infinities become texts."""
    return number if math.isfinite(number) else repr(number)


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Events:
    """Writes the event log, and passes each event to a watcher."""

    def __init__(self, path: Path, watcher: Watcher | None = None) -> None:
        self._lines = files.Lines(path)
        self._watcher = watcher

    def __call__(self, name: str, **details: Any) -> None:
        """Logs an event.

        A full disk does not stop the run here: the next chunk will.
        """
        event = {"time": now(), "event": name} | details
        with suppress(OSError):
            self._lines.append(json.dumps(event))
        if self._watcher is not None:
            self._watcher(event)

    def close(self) -> None:
        """Closes the log."""
        self._lines.close()
