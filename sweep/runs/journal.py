"""The journal: one line for each task that is done, written once its chunks are in place.

A line has the checksum of its own text and that of every chunk, so that whatever a crash or a disk
did to either is seen, and the task is taken for not done. Lines may stand in any order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import xxhash

from sweep.base import files

CHECK = ',"check":"'
"""What comes before the checksum of a line's text up to there."""


class Chunk(NamedTuple):
    """The file of a chunk, which is the same in every place that a task writes it to.

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
        seconds: that it took.
        chunks: by metric.
        numbers: of its sample, by table; those that are nan are left out. Only the first tile of
            a landscape has them.
    """

    task: int
    seconds: float
    chunks: Mapping[str, Chunk]
    numbers: Mapping[str, float] = field(default_factory=dict)


class Journal(NamedTuple):
    """What a journal says.

    Attributes:
        done: by task.
        lines: good ones, however often a task stands there.
        broken: lines that are not what was written; the last may be half of one.
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
    """The task of a line; None if it is not what was written."""
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
    """What the journal says; nothing if there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    lines = content.decode("ascii", "replace").rstrip("\n").split("\n") if content else []
    found = [parsed(text) for text in lines]
    good = [done for done in found if done is not None]
    return Journal({done.task: done for done in good}, len(good), len(found) - len(good))


def rewrite(path: Path, done: Iterable[Done]) -> None:
    """Replaces the journal by the lines of these tasks.

    Raises:
        OSError: it cannot be written.
    """
    files.replace(path, "".join(f"{line(one)}\n" for one in done).encode(), durable=True)


def append(journal: files.Lines, done: Done) -> None:
    """Marks a task as done.

    Raises:
        OSError: it cannot be written, and is not.
    """
    journal.append(line(done))


def _checksum(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode())


def _text(number: float) -> float | str:
    """A number as JSON has it; the infinities as texts."""
    return number if math.isfinite(number) else repr(number)
