"""status(): the progress of a run, read from its files alone, without loading JAX or Zarr."""

from __future__ import annotations

import enum
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sweep.base.errors import InputError
from sweep.base.files import system_errors
from sweep.base.records import Record
from sweep.base.tables import Table, Tabular
from sweep.base.wording import counted, duration, size
from sweep.runs import log
from sweep.runs.directory import Directory
from sweep.runs.kind import BlockNumbers, TileNumbers, numbering
from sweep.runs.log import Event, Log

SILENCE = 15.0  # seconds without a sign of life after which a process counts as stalled
ENDS = ("finished", "failed", "interrupted")  # last events of a process


class State(enum.Enum):
    """The state of a run; the value of each member is the sentence for the user."""

    finished = "Every task is done."
    running = "A process is working on it."
    stalled = "The process that works on it has not reported for a while."
    interrupted = "No process is working on it; `sweep resume` continues it."


@dataclass(frozen=True)
class Status(Record, Tabular):
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
        silence: seconds since its latest sign of life; nan if there was none.
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

    def tables(self) -> tuple[Table, ...]:
        """State, progress and size."""
        done, tasks = f"{self.done:,}", counted(self.total, "task")
        percent = math.floor(100 * self.done / self.total)
        title = f"{self.path}: {self.state.name}, {done} of {tasks}, {percent}%"
        notes = [] if self.state is State.finished else [self.state.value, *self._of_process()]
        return (Table(title=title, notes=(*notes, f"{size(self.size)} of results")),)

    def _of_process(self) -> Iterator[str]:
        """Progress of the process that writes to the run, or wrote to it last."""
        if self.failed:
            yield f"{counted(self.failed, 'task')} failed; events.jsonl has the reasons"
        if not math.isnan(self.rate):
            left = "" if math.isnan(self.eta) else f", {duration(self.eta)} left"
            yield f"{self.rate:.3g} tasks a second, {self.in_flight} in flight{left}"
        if self.pid is not None:
            ago = f"last sign of life {duration(self.silence)} ago"
            yield f"process {self.pid} on {self.host}, for {duration(self.seconds)}, {ago}"


def status(out: str | os.PathLike[str]) -> Status:
    """The progress of a run, which another process may be working on.

    Args:
        out: directory of the run.

    Raises:
        InputError: there is no run, or its files cannot be read.
    """
    directory = Directory(Path(out))
    return progress(directory, directory.written_to())


def progress(directory: Directory, written_to: bool | None) -> Status:
    """The progress of a run, given whether a process writes to it; None if that is unknown."""
    numbers = _numbering(directory)
    with system_errors(directory.events, "read"):
        events = log.read(directory.events)
    begun, total, done = events.begun, numbers.count(), len(events.done)
    start = end = math.nan
    if begun is not None:
        start, end = _seconds(begun), _last_sign(directory, events)
    silence = max(0.0, time.time() - end)
    state = _state(events.latest, written_to, silence)
    running = state is State.running
    rate = events.computed / (end - start) if events.computed and end > start else math.nan
    left = total - done - events.failed
    return Status(
        path=str(directory.path),
        state=state,
        done=done,
        total=total,
        failed=events.failed,
        in_flight=min(begun["slots"], left) if running and begun else 0,
        rate=rate,
        eta=(total - done) / rate if running and rate > 0 else math.nan,
        size=_size(numbers, events),
        seconds=end - start,
        silence=silence,
        started=f"{begun['time'][:19]}Z" if begun else None,  # without its milliseconds
        pid=begun["pid"] if begun else None,
        host=begun["host"] if begun else None,
    )


def _numbering(directory: Directory) -> TileNumbers | BlockNumbers:
    values = directory.read().values
    try:
        return numbering(values)
    except (InputError, KeyError, TypeError, IndexError, ArithmeticError):
        raise directory.damaged() from None


def _state(latest: Event | None, written_to: bool | None, silence: float) -> State:
    ended = latest is None or latest["event"] in ENDS
    if written_to is False or (written_to is None and ended):
        finished = latest is not None and latest["event"] == "finished"
        return State.finished if finished else State.interrupted
    return State.stalled if silence > SILENCE else State.running


def _last_sign(directory: Directory, events: Log) -> float:
    """When the latest process gave its last sign of life, in seconds since 1970."""
    if events.latest is not None and events.latest["event"] in ENDS:
        return _seconds(events.latest)
    return directory.events.stat().st_mtime


def _size(numbers: TileNumbers | BlockNumbers, events: Log) -> int:
    """Bytes of the chunks by the log: there may be too many files to look at each."""
    return sum(
        numbers.copies(task) * sum(chunk.size for chunk in done.chunks.values())
        for task, done in events.done.items()
    )


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()
