"""One task, wherever it runs: the kind of work of its spec computes it, and its chunks are stored.

A task finds everything through the directory of its run, so any process that sees the directory can
compute it.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.provenance import versions
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.landscapes import Landscapes
from sweep.runs.log import Done
from sweep.runs.networks import Networks
from sweep.runs.spec.spec import Spec
from sweep.runs.store import Store, Work


@dataclass(frozen=True)
class RunJob:
    """What all tasks of a run have in common."""

    path: Path  # directory of the run, absolute, since workers may have another working directory
    spec: Spec
    record: RunRecord  # what the run began with


class Failed(NamedTuple):
    """A task that could not be computed or stored."""

    task: int
    sentence: str  # the reason
    errno: int | None = None  # of the system if chunks cannot be written: others would fail, too


def work_of(spec: Spec) -> Work:
    """The kind of work of a spec: networks if it has the table `training`, else landscapes."""
    return Landscapes(spec) if spec.training is None else Networks(spec, spec.training)


def compute(job: RunJob, task: int) -> Done | Failed:
    """Computes a task; when it returns `Done`, the chunks are in place."""
    start = time.perf_counter()
    _require_same_computer(job.record)
    work = _work(job.spec, job.spec.base)
    try:
        values, numbers = work.compute(task, job.record.data)
    except InputError as error:
        return Failed(task, str(error))
    except MemoryError:
        return Failed(task, "there is not enough memory")
    try:
        chunks = Store(Directory(job.path).store, work).write(task, values)
    except OSError as error:
        return Failed(task, error.strerror or str(error), error.errno or errno.EIO)
    return Done(task, time.perf_counter() - start, chunks, numbers)


def _require_same_computer(record: RunRecord) -> None:
    """Refuses to compute where results may differ: a worker may be on another machine."""
    here = devices.describe()
    if here != record.device:
        raise InputError(
            f"a worker computes on {here}, but the run on {record.device}; their results must not "
            "be mixed, so use workers on the same kind of device"
        )
    if versions()["sources"] != record.versions["sources"]:
        raise InputError(
            "a worker has other code of sweep than this process; their results must not be mixed, "
            "so install the same version everywhere"
        )


@lru_cache(maxsize=1)
def _work(spec: Spec, _: Path) -> Work:
    """The work of a run, kept because it may have prepared what the next task needs."""
    return work_of(spec)
