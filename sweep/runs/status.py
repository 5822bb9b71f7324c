"""status(): the progress of a run, read from its files alone, without loading JAX or Zarr."""

from __future__ import annotations

import enum
import math
import os
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.base.errors import InputError
from sweep.base.records import plain
from sweep.runs import heartbeat, journal
from sweep.runs.directory import Directory
from sweep.runs.heartbeat import Beat
from sweep.runs.journal import Done
from sweep.runs.kind import BlockNumbers, TileNumbers, numbering

SILENCE = 15.0  # seconds without a heartbeat after which a process counts as stalled


class State(enum.Enum):
    """The state of a run; the value of each member is the sentence for the user."""

    finished = "Every task is done."
    running = "A process is working on it."
    stalled = "The process that works on it has not reported for a while."
    interrupted = "No process is working on it; `sweep resume` continues it."


@dataclass(frozen=True)
class Status:
    """The progress of a run. The latest process is the last one that ran or resumed it.

    Attributes:
        path: directory of the run.
        state: whether it is finished, running, stalled or interrupted.
        done: tasks that are done.
        total: all tasks.
        failed: tasks that failed in the latest process.
        in_flight: tasks that are being computed.
        rate: tasks per second of the latest process; nan before its first.
        eta: seconds until the end at that rate; nan unless the run is running.
        size: bytes of chunks on disk.
        seconds: working time of the latest process.
        silence: seconds since its latest heartbeat; nan if there was none.
        started: when it started, in UTC in ISO 8601; None if no process did.
        pid: number of the process; None if there was none.
        host: its machine; None if there was none.
    """

    path: str
    state: State
    done: int
    total: int
    failed: int
    in_flight: int
    rate: float
    eta: float
    size: int
    seconds: float
    silence: float
    started: str | None
    pid: int | None
    host: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold; see `sweep.base.records.plain`."""
        return plain(self)


def status(out: str | os.PathLike[str]) -> Status:
    """The progress of a run, which another process may be working on.

    Args:
        out: directory of the run.

    Raises:
        InputError: there is no run, or its files cannot be read.
    """
    directory = Directory(Path(out))
    numbers = _numbering(directory)
    done = _done(directory)
    total = numbers.count()
    beat = heartbeat.read(directory.heartbeat)
    state = _state(beat)
    rate = _rate(beat)
    running = state is State.running
    return Status(
        path=str(directory.path),
        state=state,
        done=len(done),
        total=total,
        failed=beat.failed if beat else 0,
        in_flight=beat.in_flight if beat and running else 0,
        rate=rate,
        eta=(total - len(done)) / rate if running and rate > 0 else math.nan,
        size=_size(numbers, done),
        seconds=beat.time - beat.started if beat else math.nan,
        silence=max(0.0, time.time() - beat.time) if beat else math.nan,
        started=_utc_text(beat.started) if beat else None,
        pid=beat.pid if beat else None,
        host=beat.host if beat else None,
    )


def _numbering(directory: Directory) -> TileNumbers | BlockNumbers:
    values = tomllib.loads(directory.read().spec)
    try:
        return numbering(values)
    except (InputError, KeyError, TypeError, IndexError, ArithmeticError):
        raise directory.damaged() from None


def _done(directory: Directory) -> Mapping[int, Done]:
    try:
        return journal.read(directory.journal).done
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{directory.journal}: cannot be read ({why})") from None


def _state(beat: Beat | None) -> State:
    """The state of a run by its latest heartbeat."""
    if beat is None:
        return State.interrupted
    if beat.state != "running":
        return State.finished if beat.state == "finished" else State.interrupted
    if beat.alive is False:
        return State.interrupted
    return State.running if time.time() - beat.time < SILENCE else State.stalled


def _rate(beat: Beat | None) -> float:
    """Tasks per second of the latest process; nan before its first."""
    if beat is None or beat.done == beat.before or beat.time <= beat.started:
        return math.nan
    return (beat.done - beat.before) / (beat.time - beat.started)


def _size(numbers: TileNumbers | BlockNumbers, tasks: Mapping[int, Done]) -> int:
    """Bytes of the chunks by the journal: there may be too many files to look at each."""
    return sum(
        numbers.copies(task) * sum(chunk.size for chunk in done.chunks.values())
        for task, done in tasks.items()
    )


def _utc_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
