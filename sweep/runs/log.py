"""The log of a run: one JSON object a line, which says what happened when and which tasks are done.

The event of a task is written once its chunks are in place. A line ends with a checksum of its
text, and the event of a task holds one of every chunk, so that damage to either is noticed and the
task is computed again. While a process writes to the run, the log changes at least once a second.
"""

from __future__ import annotations

import errno
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from sweep.base import files

CHECK = ', "check": "'  # precedes the checksum of the text of a line up to there
INSIDE = ("slots", "chunks", "numbers")  # keys of the log that watchers do not receive
INTERVAL = 1.0  # seconds between two signs of life

Event = dict[str, Any]
"""`time` in UTC in ISO 8601, the name of the event as `event`, and its details."""

Watcher = Callable[[Event], None]
"""Receives events as they happen."""


class Chunk(NamedTuple):
    """The content of a chunk, the same in all files of one variable that a task writes."""

    checksum: str  # 64-bit XXH3 of its bytes, in hex
    size: int  # bytes


class Done(NamedTuple):
    """A task that is done."""

    task: int
    seconds: float  # computing time
    chunks: Mapping[str, Chunk]  # by variable
    numbers: Mapping[str, float]  # scalars by table, without those that are nan


@dataclass
class Log:
    """What a log says. The latest process is the last one that ran or resumed the run."""

    done: dict[int, Done] = field(default_factory=dict)  # by number of the task
    broken: int = 0  # damaged lines; the last line may be half written
    begun: Event | None = None  # the first event of the latest process
    latest: Event | None = None  # the last event
    computed: int = 0  # tasks that the latest process has computed
    failed: int = 0  # tasks that failed in the latest process

    def add(self, event: Event | None) -> None:
        """Adds an event; None is a damaged line."""
        if event is None:
            self.broken += 1
            return
        self.latest, name = event, event["event"]
        if name in ("started", "resumed"):
            self.begun, self.computed, self.failed = event, 0, 0
        elif name == "task":
            self.done[event["task"]] = _done(event)
            self.computed += 1
        elif name == "damaged":
            self.done.pop(event["task"], None)
        elif name == "task_failed":
            self.failed += 1


def read(path: Path) -> Log:
    """What a log says; nothing if there is no file."""
    log = Log()
    for line in _lines(path):
        log.add(parsed(line))
    return log


def repair(path: Path) -> Log:
    """Removes the damaged lines of a log, and returns what it says."""
    log = read(path)
    if log.broken:
        good = (f"{line}\n" for line in _lines(path) if parsed(line) is not None)
        files.replace(path, "".join(good).encode(), durable=True)
    return log


def _lines(path: Path) -> Iterable[str]:
    content = path.read_bytes() if path.exists() else b""
    return content.decode("ascii", "replace").rstrip("\n").split("\n") if content else []


def line(event: Event) -> str:
    """The line of an event, without its end."""
    text = json.dumps(event, allow_nan=False)[:-1]
    return f'{text}{CHECK}{_checksum(text)}"}}'


def parsed(text: str) -> Event | None:
    """The event of a line; None if the line is damaged."""
    body, _, check = text.rpartition(CHECK)
    return json.loads(f"{body}}}") if check == f'{_checksum(body)}"}}' else None


def _checksum(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode())


def _done(event: Event) -> Done:
    chunks = {name: Chunk(*chunk) for name, chunk in event["chunks"].items()}
    numbers = {name: float(number) for name, number in event["numbers"].items()}
    return Done(event["task"], event["seconds"], chunks, numbers)


def task_event(done: Done, details: Mapping[str, Any]) -> Event:
    """The event that marks a task as done."""
    numbers = {  # JSON has no infinities, so they become texts
        name: x if math.isfinite(x) else repr(x) for name, x in done.numbers.items()
    }
    event = {"time": now(), "event": "task", "task": done.task} | dict(details)
    return event | {"chunks": dict(done.chunks), "numbers": numbers}


class Writer:
    """Writes the log, and passes each event to a watcher."""

    def __init__(self, path: Path, watcher: Watcher | None = None) -> None:
        self._path, self._watcher = path, watcher
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def __call__(self, name: str, **details: Any) -> None:
        """Logs an event. A full disk does not stop the run here: the next chunk will."""
        event = {"time": now(), "event": name} | details
        with suppress(OSError):
            self._append(event)
        self._tell(event)

    def mark(self, done: Done, /, **details: Any) -> None:
        """Marks a task as done."""
        event = task_event(done, details)
        self._append(event)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if self._watcher is not None:
            self._watcher({key: value for key, value in event.items() if key not in INSIDE})

    def _append(self, event: Event) -> None:
        """Adds a line by one write; removes it again if the disk has no room for all of it."""
        content = f"{line(event)}\n".encode()
        before = os.fstat(self._file).st_size
        if os.write(self._file, content) < len(content):
            os.ftruncate(self._file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Gives signs of life while the block runs, and closes the log at its end."""
        stopped = threading.Event()

        def beat() -> None:
            while not stopped.wait(INTERVAL):
                with suppress(OSError):
                    os.utime(self._path)

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
            os.close(self._file)


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
