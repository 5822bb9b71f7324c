"""One task, wherever it runs: a tile of a landscape, computed and written.

A task finds everything by the directory of its run, so that any process that sees the directory
can do it. The latest landscape stays prepared for its next tile; the values of a tile do not
depend on which others were computed before.
"""

from __future__ import annotations

import errno
import math
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from sweep.data import Sample, load
from sweep.errors import InputError
from sweep.landscape import prepare
from sweep.measure import Measure
from sweep.optimum import optimum
from sweep.populations import Population
from sweep.runs import tables, tasks
from sweep.runs.directory import Directory, fingerprint
from sweep.runs.journal import Done
from sweep.runs.results import Store
from sweep.runs.spec import Spec
from sweep.runs.tasks import Task
from sweep.runs.versions import versions
from sweep.series import sample

if TYPE_CHECKING:
    from sweep.tiles import Prepared


@dataclass(frozen=True)
class Job:
    """What every task of a run has in common.

    Attributes:
        path: directory of the run, absolute: workers may have another one of their own.
        text: canonical text of its spec.
        base: directory that files of data are relative to.
        data: fingerprints of the files.
        device: that computes, see `sweep.devices.describe`.
        sources: digest of the code that does, see `sweep.runs.versions`.
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


def work(job: Job, index: int) -> Done | Failed:
    """Does a task: its chunks are in place when it returns that it is done.

    Raises:
        InputError: another device or other code is here than computes the rest of the run.
    """
    start = time.perf_counter()
    _require_alike(job)
    spec = _spec(job.text, job.base)
    task = tasks.task(spec, index)
    try:
        values, numbers = computed(job, spec, task)
    except InputError as error:
        return Failed(index, str(error))
    except MemoryError:
        return Failed(index, "there is not enough memory")
    try:
        store = Store(Directory(job.path).store, spec)
        chunks = store.write(task, values)
    except OSError as error:
        return Failed(index, error.strerror or str(error), error.errno or errno.EIO)
    return Done(index, time.perf_counter() - start, chunks, numbers)


def _require_alike(job: Job) -> None:
    """Refuses to compute where results may differ: a worker may be on another machine."""
    from sweep import devices

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


def computed(
    job: Job, spec: Spec, task: Task
) -> tuple[dict[str, Float[np.ndarray, "_ _"]], dict[str, float]]:
    """The metrics of a tile, and, with the first one, the numbers of its landscape."""
    if task.first:
        _latest.clear()  # so that whatever the numbers are made from has no history
    landscape = _prepared(job, spec, task)
    numbers = _numbers(spec, landscape) if task.first else {}
    values = landscape.cells.tile(*tasks.slices(spec, task))
    return {name: values[name] for name in spec.metrics}, numbers


def _prepared(job: Job, spec: Spec, task: Task) -> _Landscape:
    """The landscape of a task, prepared for any of its tiles."""
    key = job, task.source, task.n, task.seed
    if key not in _latest:
        _latest.clear()  # before the next, so that there is room for it
        _latest[key] = _Landscape.of(_data(job, spec, task), spec)
    return _latest[key]


def _data(job: Job, spec: Spec, task: Task) -> Sample | Population:
    """What the landscape of a task is of.

    Raises:
        InputError: the file of data is not what it was when the run began, or no sample.
    """
    if task.n is not None:
        return sample(spec.laws[task.source], task.n, task.seed or 0)
    path = spec.files[task.source]
    found = load(path, x=spec.x, y=spec.y, weight=spec.weight)
    if fingerprint(path) != job.data[task.source]:
        raise InputError(f"{path}: was changed since the run began; put it back")
    return found


def examined(spec: Spec) -> tuple[str, ...]:
    """Fingerprints of the files of data, all of which are read: a bad row is found at once.

    Raises:
        InputError: one of them is no sample.
    """
    for path in spec.files:
        load(path, x=spec.x, y=spec.y, weight=spec.weight)
    return tuple(map(fingerprint, spec.files))


def _numbers(spec: Spec, landscape: _Landscape) -> dict[str, float]:
    """The numbers of a landscape, by table."""
    data = landscape.data
    points = math.inf if isinstance(data, Population) else float(data.n)
    found = {"points": points, "error_bound": landscape.cells.attributes["error_bound"]}
    if spec.optimum:
        found |= tables.optima(optimum(data))
    return {name: float(x) for name, x in found.items() if not math.isnan(x)}


@lru_cache(maxsize=1)
def _spec(text: str, base: str) -> Spec:
    import tomllib

    return Spec.of(tomllib.loads(text), base=base)


class _Landscape(NamedTuple):
    """One landscape, of which tiles are asked for.

    Attributes:
        data: the measure of a sample, or a law.
        cells: the landscape.
    """

    data: Measure | Population
    cells: Prepared

    @classmethod
    def of(cls, data: Sample | Population, spec: Spec) -> _Landscape:
        """Plans for the whole grid."""
        source = data if isinstance(data, Population) else Measure.from_sample(data)
        cells = prepare(
            source,
            spec.grid.a,
            spec.grid.b,
            spec.metrics,
            tolerance=spec.tolerance,
            method=spec.method,
            dtype=spec.dtype,
            memory_budget=spec.memory * 2**20,
        )
        return cls(source, cells)


_latest: dict[tuple[Job, int, int | float | None, int | None], _Landscape] = {}
"""The landscape of the latest task."""
