"""run() and resume(): compute every task of a spec once, across any interruption.

A task writes its chunks; then this process, the only one that writes the journal, marks it as done.
Whenever the process stops, each task is either done or not, and `resume` computes those that are
not. Tasks do not depend on each other, so the final store is the same, bit for bit.
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

from sweep.base import devices, files
from sweep.base.errors import InputError
from sweep.base.executors import Engine, Serial
from sweep.base.progress import bar
from sweep.base.provenance import require_device, require_same, versions
from sweep.runs import journal, task
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.heartbeat import Beat, Heart
from sweep.runs.journal import Done, Events, Watcher
from sweep.runs.kind import Work
from sweep.runs.recovery import recover, require_data, require_free, require_spec, settle
from sweep.runs.spec.spec import Spec
from sweep.runs.status import Status, status
from sweep.runs.store import Store
from sweep.runs.task import Failed, RunJob, work_of

TABLE_INTERVAL_S = 60.0  # between two writings of the tables; the journal holds their numbers, too


def run(
    spec: Spec,
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    progress: bool | None = None,
    on_event: Watcher | None = None,
) -> Status:
    """Computes what a spec asks for; the results are in `OUT/results.zarr`.

    Whatever interrupts it, even kill -9 or a power failure, `resume` continues it, and the final
    store is the same, byte for byte. The store is valid at every moment; values that are not
    computed yet are NaN.

    Args:
        spec: what to compute.
        out: directory of the run; it must not exist, or be empty.
        engine: computes the tasks, not started yet; None computes them in this process.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        on_event: receives each event that is logged in `OUT/events.jsonl`.

    Returns:
        The progress: every task is done.

    Raises:
        InputError: the directory is not free or cannot be written, or a file of data is missing;
            or a task failed, after all others were computed.
        KeyboardInterrupt: on Ctrl-C; the message says how to continue.
        TypeError: `spec` is not a `Spec`.
    """
    if not isinstance(spec, Spec):
        raise TypeError(f"spec is a {type(spec).__name__}; give sweep.Spec.read(path) or another")
    directory = Directory(Path(out))
    require_free(directory, spec)
    spec.require_data()
    work = work_of(spec)
    record = RunRecord(
        spec=spec.to_toml(),
        fingerprint=spec.fingerprint,
        base=str(spec.base.absolute()),
        versions=versions(),
        device=devices.describe(),
        data=work.check_data(),
    )
    with engine or Serial() as active_engine, _locked(directory):
        require_free(directory, spec)  # again: another process may have come first
        remedy = "the run did not begin; try again once the directory can be written"
        with files.write_errors(directory.path, remedy):
            directory.begin(record)
        return _Run(directory, record, work, active_engine).go("started", progress, on_event)


def resume(
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    progress: bool | None = None,
    on_event: Watcher | None = None,
) -> Status:
    """Continues a run: computes the tasks that are not done, and those with damaged chunks.

    Args:
        out: directory of the run.
        engine: computes the tasks, not started yet; None computes them in this process. Results do
            not depend on it, so it may differ from the engine before.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        on_event: receives each event that is logged in `OUT/events.jsonl`.

    Returns:
        The progress: every task is done.

    Raises:
        InputError: there is no run; another process writes to it; the spec, its data, the device or
            the versions of what computes have changed since it began, and the message says which;
            it cannot be written; or a task failed, after all others were computed.
        KeyboardInterrupt: on Ctrl-C; the message says how to continue.
    """
    directory = Directory(Path(out))
    record = directory.read()
    require_same(record.versions, directory.path)
    require_device(record.device, devices.describe(), directory.path)
    with engine or Serial() as active_engine, _locked(directory):
        spec = require_spec(directory, record)
        require_data(spec, record, directory.path)
        run = _Run(directory, record, work_of(spec), active_engine)
        return run.go("resumed", progress, on_event)


@contextmanager
def _locked(directory: Directory) -> Iterator[None]:
    """Makes and locks the directory; errors of the system in the block become one sentence."""
    with files.write_errors(directory.path):
        directory.path.mkdir(exist_ok=True)
    remedy = f"finished tasks are kept; continue with `sweep resume {directory.path}`"
    with files.write_errors(directory.path, remedy), directory.locked():
        yield


@dataclass
class _Run:
    """One process that works on a run.

    Attributes:
        directory: of the run.
        record: what the run began with.
        work: what it computes.
        engine: computes the tasks.
        done: tasks that are done, by number.
        failed: tasks that failed.
    """

    directory: Directory
    record: RunRecord
    work: Work
    engine: Engine
    done: dict[int, Done] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)

    def go(self, name: str, progress: bool | None, watcher: Watcher | None) -> Status:
        """Computes the tasks that are left; `name` is that of the first event."""
        beat = Beat.begin(self.work.count())
        with (
            closing(Events(self.directory.events, watcher)) as log,
            Heart(self.directory.heartbeat, beat),
        ):
            try:
                self.done = recover(self.directory, self.record, self.store, log, progress)
                beat.work(len(self.done))
                log(name, done=beat.done, total=beat.total, pid=beat.pid, host=beat.host)
                self._compute(log, beat, progress)
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

    def _compute(self, log: Events, beat: Beat, progress: bool | None) -> None:
        """Computes and marks every task that is not done."""
        left = [number for number in range(beat.total) if number not in self.done]
        record = self.record
        job = RunJob(
            self.directory.path.absolute(),
            record.spec,
            record.base,
            record.data,
            record.device,
            record.versions["sources"],
        )
        written = time.monotonic()
        with (
            closing(files.Lines(self.directory.journal)) as lines,
            bar("run", beat.total, "tasks", progress, done=beat.done, scale=False) as step,
            closing(cast(Any, self.engine.run(partial(task.compute, job), left))) as results,
        ):
            beat.in_flight = min(self.engine.slots, len(left))
            for _, result in results:
                self._mark(result, lines, log, beat)
                beat.in_flight = min(self.engine.slots, beat.total - beat.done - beat.failed)
                step(1)
                if time.monotonic() - written > TABLE_INTERVAL_S:
                    self.store.write_tables(self.done.values())
                    written = time.monotonic()

    def _mark(self, result: Done | Failed, lines: files.Lines, log: Events, beat: Beat) -> None:
        """Marks a task as done or failed."""
        description = self.work.describe(result.task)
        if isinstance(result, Failed):
            if result.errno is not None:
                raise OSError(result.errno, result.sentence)
            self.failed.append(result)
            beat.failed += 1
            log("task_failed", task=result.task, **description, sentence=result.sentence)
            return
        journal.append(lines, result)
        self.done[result.task] = result
        beat.done += 1
        seconds = round(result.seconds, 6)
        details = {"seconds": seconds, "done": beat.done, "total": beat.total}
        log("task", task=result.task, **description, **details)

    def _stop(self, log: Events, beat: Beat, error: BaseException) -> None:
        """Leaves the store valid and in order, if the disk allows it."""
        with suppress(OSError):
            beat.done = settle(self.directory, self.store)
        reason = {"sentence": error.strerror or str(error)} if isinstance(error, OSError) else {}
        log(beat.state, done=beat.done, total=beat.total, **reason)
        if isinstance(error, KeyboardInterrupt):
            path = self.directory.path
            raise KeyboardInterrupt(
                f"{path}: interrupted with {beat.done} of {beat.total} tasks done; "
                f"continue with `sweep resume {path}`"
            ) from None

    def _failures(self, total: int) -> str:
        """The sentence that says which tasks failed."""
        first = self.failed[0]
        description = self.work.describe(first.task)
        text = ", ".join(f"{name} {value}" for name, value in description.items())
        return (
            f"{self.directory.path}: {len(self.failed)} of {total} tasks failed, the first "
            f"({text}) because {first.sentence}"
        )
