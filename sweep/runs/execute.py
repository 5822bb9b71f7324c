"""run() and resume(): compute every task of a spec once, across any interruption.

A task writes its chunks; then this process, the only one that writes the log, marks it as done.
Whenever the process stops, each task is either done or not, and `resume` computes those that are
not. Tasks do not depend on each other, so the final store is the same, bit for bit.
"""

from __future__ import annotations

import os
import platform
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
from sweep.runs import log, store
from sweep.runs.directory import (
    Directory,
    RunRecord,
    require_free,
    require_spec,
    require_unchanged,
)
from sweep.runs.log import Done, Log, Watcher, Writer
from sweep.runs.spec.spec import Spec
from sweep.runs.status import Status
from sweep.runs.status import progress as progress_of
from sweep.runs.store import Failed, RunJob, Store, Work, work_of

TABLE_INTERVAL_S = 60.0  # between two writings of the tables; the log holds their numbers, too


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
        on_event: receives each event that is logged in `OUT/events.jsonl`, without checksums and
            scalars.

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
        with files.system_errors(directory.path, "written", remedy):
            directory.begin(record)
        run = _Run(directory, record, work, active_engine, progress)
        return run.go("started", on_event)


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
        on_event: receives each event that is logged in `OUT/events.jsonl`, without checksums and
            scalars.

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
        spec.require_data()
        for file, before in zip(spec.files, record.data, strict=True):
            require_unchanged(file, before)
        run = _Run(directory, record, work_of(spec), active_engine, progress)
        return run.go("resumed", on_event)


@contextmanager
def _locked(directory: Directory) -> Iterator[None]:
    """Makes and locks the directory; errors of the system in the block become one sentence."""
    with files.system_errors(directory.path):
        directory.path.mkdir(exist_ok=True)
    remedy = f"finished tasks are kept; continue with `sweep resume {directory.path}`"
    with files.system_errors(directory.path, "written", remedy), directory.locked():
        yield


@dataclass
class _Run:
    """One process that works on a run."""

    directory: Directory
    record: RunRecord
    work: Work
    engine: Engine
    show: bool | None  # whether to show bars; None shows them on a terminal only
    done: dict[int, Done] = field(default_factory=dict)  # by number of the task
    failed: list[Failed] = field(default_factory=list)

    def go(self, name: str, watcher: Watcher | None) -> Status:
        """Computes the tasks that are left; `name` is that of the first event."""
        self.total = self.work.numbers.count()
        self.store = Store(self.directory.store, self.work)
        logged = log.repair(self.directory.events)
        self.write = Writer(self.directory.events, watcher)
        with self.write.alive():
            try:
                process = {"pid": os.getpid(), "host": platform.node(), "slots": self.engine.slots}
                self.write(name, done=len(logged.done), total=self.total, **process)
                self._recover(logged)
                self._compute()
                self.store.write_tables(self.done.values())
            except BaseException as error:
                self._stop(error)
                raise
            self._end("failed" if self.failed else "finished")
        if self.failed:
            raise InputError(self._failures())
        return progress_of(self.directory, written_to=False)

    def _recover(self, logged: Log) -> None:
        """Finds the tasks that are done: marked in the log, with every chunk as it was written.

        Removes the chunks of all other tasks and whatever killed processes left behind. Writes the
        metadata of the store where they differ from what the spec says, and so creates it, too.
        """
        if logged.broken:
            lines = "line" if logged.broken == 1 else "lines"
            sentence = f"removed {logged.broken} damaged {lines} of the log"
            self.write("torn", lines=logged.broken, sentence=sentence)
        for name in self.store.repair(self.record):
            sentence = f"{name} of the store was damaged and is restored"
            self.write("repaired", file=name, sentence=sentence)
        with bar("check", len(logged.done), "tasks", self.show, scale=False) as step:
            for done, fault in self.store.check([*logged.done.values()]):
                step(1)
                if fault is None:
                    self.done[done.task] = done
                else:
                    sentence = f"{fault}, so task {done.task} is computed again"
                    self.write("damaged", task=done.task, sentence=sentence)
        halves = [*self.directory.path.glob(f"*{files.PARTIAL}")]
        for path in halves:
            path.unlink(missing_ok=True)
        removed = self.store.clear(self.done) + len(halves)
        if removed:
            sentence = f"{removed} files of unfinished tasks were removed"
            self.write("cleared", files=removed, sentence=sentence)
        self.store.write_tables(self.done.values())

    def _compute(self) -> None:
        """Computes and marks every task that is not done."""
        left = [number for number in range(self.total) if number not in self.done]
        job = RunJob(self.directory.path.absolute(), self.work.spec, self.record)
        written = time.monotonic()
        with (
            bar("run", self.total, "tasks", self.show, done=len(self.done), scale=False) as step,
            closing(cast(Any, self.engine.run(partial(store.compute, job), left))) as results,
        ):
            for _, result in results:
                self._mark(result)
                step(1)
                if time.monotonic() - written > TABLE_INTERVAL_S:
                    self.store.write_tables(self.done.values())
                    written = time.monotonic()

    def _mark(self, result: Done | Failed) -> None:
        """Marks a task as done or failed."""
        description = self.work.describe(result.task)
        if isinstance(result, Failed):
            if result.errno is not None:
                raise OSError(result.errno, result.sentence)
            self.failed.append(result)
            self.write("task_failed", task=result.task, **description, sentence=result.sentence)
            return
        counts = {"done": len(self.done) + 1, "total": self.total}
        self.write.mark(result, **description, seconds=round(result.seconds, 6), **counts)
        self.done[result.task] = result

    def _stop(self, error: BaseException) -> None:
        """Leaves only what is done by the log, in a valid store, if the disk allows it."""
        with suppress(OSError):
            self.done = log.read(self.directory.events).done
            self.store.clear(self.done)
            self.store.write_tables(self.done.values())
        if isinstance(error, OSError):
            self._end("failed", sentence=error.strerror or str(error))
        elif not isinstance(error, KeyboardInterrupt):
            self._end("failed")
        else:
            self._end("interrupted")
            path = self.directory.path
            raise KeyboardInterrupt(
                f"{path}: interrupted with {len(self.done)} of {self.total} tasks done; "
                f"continue with `sweep resume {path}`"
            ) from None

    def _end(self, name: str, **details: str) -> None:
        self.write(name, done=len(self.done), total=self.total, **details)

    def _failures(self) -> str:
        """The sentence that says which tasks failed."""
        first = self.failed[0]
        description = self.work.describe(first.task)
        text = ", ".join(f"{name} {value}" for name, value in description.items())
        return (
            f"{self.directory.path}: {len(self.failed)} of {self.total} tasks failed, the first "
            f"({text}) because {first.sentence}"
        )
