"""One task, wherever it runs: computed and written.

A task finds everything by the directory of its run, so that any process that sees the directory
can do it.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sweep.base.errors import InputError
from sweep.base.provenance import versions
from sweep.runs.directory import Directory
from sweep.runs.journal import Done
from sweep.runs.kind import Work
from sweep.runs.kinds import work_of
from sweep.runs.spec.spec import Spec
from sweep.runs.store import Store


@dataclass(frozen=True)
class RunJob:
    """What every task of a run has in common.

    Attributes:
        path: directory of the run, absolute: workers may have another one of their own.
        text: canonical text of its spec.
        base: directory that files of data are relative to.
        data: fingerprints of the files.
        device: that computes, see `sweep.base.devices.describe`.
        sources: digest of the code that does, see `sweep.base.provenance`.
    """

    path: Path
    text: str
    base: str
    data: tuple[str, ...]
    device: str
    sources: str


@dataclass(frozen=True)
class Failed:
    """A task that could not be done.

    Attributes:
        task: its number.
        sentence: why.
        errno: of the system if it could not write the chunks, nor those of others; or None.
    """

    task: int
    sentence: str
    errno: int | None = None


def work(job: RunJob, index: int) -> Done | Failed:
    """Does a task: its chunks are in place when it returns that it is done.

    Raises:
        InputError: another device or other code is here than computes the rest of the run.
    """
    start = time.perf_counter()
    _require_alike(job)
    of = _work(job.text, job.base)
    try:
        values, numbers = of.computed(index, job.data)
    except InputError as error:
        return Failed(index, str(error))
    except MemoryError:
        return Failed(index, "there is not enough memory")
    try:
        chunks = Store(Directory(job.path).store, of).write(index, values)
    except OSError as error:
        return Failed(index, error.strerror or str(error), error.errno or errno.EIO)
    return Done(index, time.perf_counter() - start, chunks, numbers)


def _require_alike(job: RunJob) -> None:
    """Refuses to compute where results may differ: a worker may be on another machine."""
    from sweep.base import devices

    here = devices.describe()
    if here != job.device:
        raise InputError(
            f"a worker computes on {here}, and the run on {job.device}; results of both must not "
            "be mixed, so take workers that are alike"
        )
    if versions()["sources"] != job.sources:
        raise InputError(
            "a worker has other code of sweep than this process; results of both must not be "
            "mixed, so install the same everywhere"
        )


@lru_cache(maxsize=1)
def _work(text: str, base: str) -> Work:
    """What a run does; kept, for it may have prepared what the next task needs, too."""
    import tomllib

    return work_of(Spec.of(tomllib.loads(text), base=base))
