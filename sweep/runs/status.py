"""status(): how far a run is, from its files, whoever works on it. Loads neither JAX nor Zarr."""

from __future__ import annotations

import enum
import math
import os
import time
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
from sweep.runs.kind import Work
from sweep.runs.kinds import work_of

SILENCE = 15.0
"""Seconds without a heartbeat after which a process is taken to be stalled."""


class State(enum.Enum):
    """What a run is at; each member's value is the sentence for the user."""

    finished = "Every task is done."
    running = "A process works on it."
    stalled = "A process holds it, or did, and has not been heard of for a while."
    interrupted = "Nobody works on it; `sweep resume` goes on with it."


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes:
        path: its directory.
        state: what it is at.
        done: tasks that are done.
        total: tasks that there are.
        failed: tasks that the latest process could not do.
        in_flight: tasks that are worked on now.
        rate: tasks a second of the latest process; nan before its first.
        eta: seconds that the rest takes at that rate; nan unless it is running.
        size: bytes of chunks on disk.
        seconds: that the latest process has worked.
        silence: seconds since its latest heartbeat; nan if there was none.
        started: when it began, in UTC as ISO 8601 has it; None if it never did.
        pid: its number; None likewise.
        host: its machine; None likewise.
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
    """How far a run is.

    Args:
        out: its directory.

    Raises:
        InputError: there is no run, or its files cannot be read.
    """
    directory = Directory(Path(out))
    work = work_of(directory.read().to_spec())
    done = _done(directory)
    total = work.count()
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
        size=_size(work, done),
        seconds=beat.time - beat.started if beat else math.nan,
        silence=max(0.0, time.time() - beat.time) if beat else math.nan,
        started=_text(beat.started) if beat else None,
        pid=beat.pid if beat else None,
        host=beat.host if beat else None,
    )


def _done(directory: Directory) -> Mapping[int, Done]:
    try:
        return journal.read(directory.journal).done
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{directory.journal}: cannot be read ({why})") from None


def _state(beat: Beat | None) -> State:
    """What a run is at, by its latest heartbeat."""
    if beat is None:
        return State.interrupted
    if beat.state != "running":
        return State.finished if beat.state == "finished" else State.interrupted
    if beat.alive is False:
        return State.interrupted
    return State.running if time.time() - beat.time < SILENCE else State.stalled


def _rate(beat: Beat | None) -> float:
    """Tasks a second of the latest process; nan before its first."""
    if beat is None or beat.done == beat.before or beat.time <= beat.started:
        return math.nan
    return (beat.done - beat.before) / (beat.time - beat.started)


def _size(work: Work, done: Mapping[int, Done]) -> int:
    """Bytes of the chunks of tasks, by what the journal says: there may be too many to look."""
    return sum(
        work.copies(index) * sum(chunk.size for chunk in one.chunks.values())
        for index, one in done.items()
    )


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
