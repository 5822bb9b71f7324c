"""run() and resume(): every task of a spec, done once, whatever happens in between.

A task writes its chunks, and then this process, which alone writes the journal, marks it as done.
Whatever stops it, in between or not, a task is done or it is not, and `resume` does those that are
not. Tasks do not depend on each other, so the store is the same in the end, bit for bit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from sweep.base import files
from sweep.base.errors import InputError
from sweep.base.executors import Engine, Serial
from sweep.base.progress import bar
from sweep.base.provenance import require_device, require_same, versions
from sweep.runs import compute, journal
from sweep.runs.compute import Failed, RunJob
from sweep.runs.directory import Directory, RunRecord, require_data
from sweep.runs.events import Events, Watcher
from sweep.runs.heartbeat import Beat, Heart
from sweep.runs.journal import Done
from sweep.runs.kind import Work
from sweep.runs.kinds import work_of
from sweep.runs.recovery import recover, settle
from sweep.runs.spec.spec import Spec
from sweep.runs.status import Status, status
from sweep.runs.store import Store

TABLES = 60.0
"""Seconds between two writings of the tables, which the journal has too."""


def run(
    spec: Spec,
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    progress: bool | None = None,
    on_event: Watcher | None = None,
) -> Status:
    """Computes what a spec asks for into a directory, to be read as `OUT/results.zarr`.

    Whatever interrupts it, even kill -9 or a power failure, `resume` goes on with it, and the store
    is the same in the end, byte for byte. The store is valid at every moment; what is not computed
    yet is NaN in it.

    Args:
        spec: what to compute.
        out: the directory; it must not exist, or be empty.
        engine: who does the tasks, not begun yet; this process unless given.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        on_event: is told of what happens, as it is logged in `OUT/events.jsonl`.

    Raises:
        InputError: the directory is not free or cannot be written, or a file of data is missing;
            or a task could not be done, and then all others are.
        KeyboardInterrupt: on Ctrl-C; says how to go on.
        TypeError: the spec is none.
    """
    from sweep.base import devices

    if not isinstance(spec, Spec):
        raise TypeError(f"spec is a {type(spec).__name__}; give sweep.Spec.read(path) or another")
    directory = Directory(Path(out))
    directory.require_free(spec)
    spec.require_data()
    work = work_of(spec)
    begun = RunRecord(
        spec=spec.to_toml(),
        fingerprint=spec.fingerprint,
        base=str(spec.base.absolute()),
        versions=versions(),
        device=devices.describe(),
        data=work.examined(),
    )
    with engine or Serial() as working, _owned(directory):
        directory.require_free(spec)  # again: another process may have come first
        with files.said(directory.path, "no run was begun; begin it again where it can be"):
            directory.begin(begun)
        return _Run(directory, begun, work, working).go("started", progress, on_event)


def resume(
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    progress: bool | None = None,
    on_event: Watcher | None = None,
) -> Status:
    """Goes on with a run: does the tasks that are not done, and those whose chunks are damaged.

    Args:
        out: its directory.
        engine: who does the tasks, not begun yet; this process unless given. It need not be the
            one of before: results do not depend on it.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        on_event: is told of what happens, as it is logged in `OUT/events.jsonl`.

    Raises:
        InputError: there is no run; another process writes to it; the spec, its data, the versions
            that compute or the device are not those it was begun with, and the sentence says which;
            it cannot be written; or a task could not be done, and then all others are.
        KeyboardInterrupt: on Ctrl-C; says how to go on.
    """
    from sweep.base import devices

    directory = Directory(Path(out))
    begun = directory.read()
    require_same(begun.versions, directory.path)
    require_device(begun.device, devices.describe(), directory.path)
    with engine or Serial() as working, _owned(directory):
        spec = directory.require_spec(begun)
        require_data(spec, begun, directory.path)
        return _Run(directory, begun, work_of(spec), working).go("resumed", progress, on_event)


@contextmanager
def _owned(directory: Directory) -> Iterator[None]:
    """The directory is there and held, and what the system refuses becomes one sentence."""
    with files.said(directory.path):
        directory.path.mkdir(exist_ok=True)
    then = f"what is done stays, and `sweep resume {directory.path}` goes on with it"
    with files.said(directory.path, then), directory.held():
        yield


@dataclass
class _Run:
    """One process at work on a run.

    Attributes:
        directory: the run's.
        begun: what it was begun with.
        work: what it computes.
        engine: who does tasks.
        done: tasks that are done.
        failed: tasks that could not be done.
    """

    directory: Directory
    begun: RunRecord
    work: Work
    engine: Engine
    done: dict[int, Done] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)

    def go(self, name: str, progress: bool | None, watcher: Watcher | None) -> Status:
        """Does what is left to do.

        Args:
            name: of the event that it begins with.
            progress: whether to show a bar.
            watcher: is told of events.

        Raises:
            InputError: a task could not be done.
            KeyboardInterrupt: on Ctrl-C.
            OSError: something cannot be written.
        """
        beat = Beat.begin(self.work.count())
        with (
            closing(Events(self.directory.events, watcher)) as log,
            Heart(self.directory.heartbeat, beat),
        ):
            try:
                self.done = recover(self.directory, self.begun, self.store, log, progress)
                beat.work(len(self.done))
                log(name, done=beat.done, total=beat.total, pid=beat.pid, host=beat.host)
                self._work(log, beat, progress)
                self.store.write_tables(self.done.values())
            except BaseException as error:
                beat.state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
                self._stop(log, beat, error)
                raise
            beat.state = "failed" if self.failed else "finished"
            log(beat.state, done=beat.done, total=beat.total)
        if self.failed:
            raise InputError(self._failures(beat.total))
        return status(self.directory.path)

    @property
    def store(self) -> Store:
        """The results."""
        return Store(self.directory.store, self.work)

    def _work(self, log: Events, beat: Beat, progress: bool | None) -> None:
        """Has every task done that is not, and marks it."""
        left = [index for index in range(beat.total) if index not in self.done]
        begun = self.begun
        job = RunJob(
            self.directory.path.absolute(),
            begun.spec,
            begun.base,
            begun.data,
            begun.device,
            begun.versions["sources"],
        )
        written = time.monotonic()
        with (
            closing(files.Lines(self.directory.journal)) as lines,
            bar("run", beat.total, "tasks", progress, done=beat.done, scale=False) as step,
            closing(cast(Any, self.engine.run(partial(compute.work, job), left))) as results,
        ):
            beat.in_flight = min(self.engine.slots, len(left))
            for _, result in results:
                self._mark(result, lines, log, beat)
                beat.in_flight = min(self.engine.slots, beat.total - beat.done - beat.failed)
                step(1)
                if time.monotonic() - written > TABLES:
                    self.store.write_tables(self.done.values())
                    written = time.monotonic()

    def _mark(self, result: Done | Failed, lines: files.Lines, log: Events, beat: Beat) -> None:
        """Marks a task as done, or as one that could not be."""
        of = self.work.named(result.task)
        if isinstance(result, Failed):
            if result.errno is not None:
                raise OSError(result.errno, result.sentence)
            self.failed.append(result)
            beat.failed += 1
            log("task_failed", task=result.task, **of, sentence=result.sentence)
            return
        journal.append(lines, result)
        self.done[result.task] = result
        beat.done += 1
        seconds = round(result.seconds, 6)
        log("task", task=result.task, **of, seconds=seconds, done=beat.done, total=beat.total)

    def _stop(self, log: Events, beat: Beat, error: BaseException) -> None:
        """Leaves the store valid and in order, if the disk lets it."""
        with suppress(OSError):
            beat.done = settle(self.directory, self.store)
        why = {"sentence": error.strerror or str(error)} if isinstance(error, OSError) else {}
        log(beat.state, done=beat.done, total=beat.total, **why)
        if isinstance(error, KeyboardInterrupt):
            path = self.directory.path
            raise KeyboardInterrupt(
                f"{path}: interrupted with {beat.done} of {beat.total} tasks done; "
                f"`sweep resume {path}` goes on with it"
            ) from None

    def _failures(self, total: int) -> str:
        """The sentence that says which tasks could not be done."""
        first = self.failed[0]
        of = self.work.named(first.task)
        place = ", ".join(f"{name} {value}" for name, value in of.items())
        return (
            f"{self.directory.path}: {len(self.failed)} of {total} tasks could not be done, the "
            f"first ({place}) because {first.sentence}"
        )
