"""One task, wherever it runs: the kind of work of its spec computes it, and its chunks are stored.

A task finds everything through the directory of its run, so any process that sees the directory can
compute it.
"""

from __future__ import annotations

import errno
import time
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.provenance import versions
from sweep.runs.directory import Directory
from sweep.runs.journal import Done
from sweep.runs.kind import Work
from sweep.runs.landscapes import Landscapes
from sweep.runs.networks import Networks
from sweep.runs.spec.spec import Spec
from sweep.runs.store import Store


@dataclass(frozen=True)
class RunJob:
    """What all tasks of a run have in common.

    Attributes:
        path: directory of the run, absolute, since workers may have another working directory.
        text: canonical text of the spec.
        base: directory that files of data are relative to.
        data: fingerprints of the files of data.
        device: the computing device, see `sweep.base.devices.describe`.
        sources: digest of the computing code, see `sweep.base.provenance`.
    """

    path: Path
    text: str
    base: str
    data: tuple[str, ...]
    device: str
    sources: str


@dataclass(frozen=True)
class Failed:
    """A task that could not be computed or stored.

    Attributes:
        task: its number.
        sentence: the reason.
        errno: of the system if chunks cannot be written, so that other tasks would fail, too; or
            None.
    """

    task: int
    sentence: str
    errno: int | None = None


def work_of(spec: Spec) -> Work:
    """The kind of work of a spec: networks if it has the table `training`, else landscapes."""
    return Landscapes(spec) if spec.training is None else Networks(spec, spec.training)


def compute(job: RunJob, task: int) -> Done | Failed:
    """Computes a task; when it returns `Done`, the chunks are in place.

    Raises:
        InputError: the device or the code differs from those of the rest of the run.
    """
    start = time.perf_counter()
    _require_same_computer(job)
    work = _work(job.text, job.base)
    try:
        values, numbers = work.compute(task, job.data)
    except InputError as error:
        return Failed(task, str(error))
    except MemoryError:
        return Failed(task, "there is not enough memory")
    try:
        chunks = Store(Directory(job.path).store, work).write(task, values)
    except OSError as error:
        return Failed(task, error.strerror or str(error), error.errno or errno.EIO)
    return Done(task, time.perf_counter() - start, chunks, numbers)


def _require_same_computer(job: RunJob) -> None:
    """Refuses to compute where results may differ: a worker may be on another machine."""
    here = devices.describe()
    if here != job.device:
        raise InputError(
            f"a worker computes on {here}, but the run on {job.device}; their results must not be "
            "mixed, so use workers on the same kind of device"
        )
    if versions()["sources"] != job.sources:
        raise InputError(
            "a worker has other code of sweep than this process; their results must not be mixed, "
            "so install the same version everywhere"
        )


@lru_cache(maxsize=1)
def _work(text: str, base: str) -> Work:
    """The work of a run, kept because it may have prepared what the next task needs."""
    return work_of(Spec.of(tomllib.loads(text), base=base))
