"""The store of a run, and the tasks that compute what it holds.

The store is Zarr v3, which plain `xarray.open_zarr` reads, and valid at every moment.

The kind of work says which variables the store has and which chunks a task writes. Values that are
not computed yet are NaN.

Zarr makes the metadata and the coordinates; no task changes them, so they can be made again and
compared. A chunk is one file that appears as a whole, with a checksum that is known before. The
same values give the same bytes, in any order of the tasks. A task finds everything through the
directory of its run, so any process that sees the directory can compute it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
import zarr
from zarr.storage import MemoryStore

from sweep.base import devices, files
from sweep.base.errors import InputError
from sweep.base.provenance import versions
from sweep.base.storage import StoredVariable, consolidate
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.kind import Indices, Values
from sweep.runs.landscapes import Landscapes
from sweep.runs.log import Chunk, Done
from sweep.runs.networks import Networks
from sweep.runs.spec.spec import Spec

SEPARATOR = "."  # in the names of chunks; a folder for each is slow
Work = Landscapes | Networks
"""A kind of work for one spec."""

READERS = 8  # threads that read chunks to check them


@dataclass(frozen=True)
class Store:
    """The store of a run."""

    path: Path
    work: Work

    def chunk(self, name: str, indices: Indices) -> Path:
        """The file of a chunk of a variable."""
        return self.path / name / SEPARATOR.join(("c", *map(str, indices)))

    def chunks(self, task: int) -> dict[str, list[Path]]:
        """The files that a task writes, by variable; those of one variable hold the same bytes."""
        return {
            name: [self.chunk(name, indices) for indices in chunks]
            for name, chunks in self.work.chunks(task).items()
        }

    def write(self, task: int, values: Values) -> dict[str, Chunk]:
        """Writes the chunks of a task."""
        paths, variables = self.chunks(task), self.work.variables()
        written = {}
        for name, cells in values.items():
            content = variables[name].encoded(cells)
            for path in paths[name]:
                files.replace(path, content)
            written[name] = Chunk(checksum(content), len(content))
        return written

    def write_tables(self, tasks: Iterable[Done]) -> None:
        """Writes the tables with the scalars of the tasks that are done."""
        tables = self.work.tables()
        arrays = {name: np.full(table.shape, np.nan) for name, table in tables.items()}
        for done in tasks:
            for name, number in done.numbers.items():
                for indices in self.work.cells(done.task):
                    arrays[name][indices] = number
        for name, values in arrays.items():
            path = self.chunk(name, (0,) * values.ndim)
            files.replace(path, tables[name].encoded(values))

    def repair(self, record: RunRecord) -> list[str]:
        """Writes metadata and coordinates that are missing or damaged; returns damaged files."""
        damaged = []
        for name, content in metadata(self.work, record).items():
            path = self.path / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
            elif path.read_bytes() == content:
                continue
            else:
                damaged.append(name)
            files.replace(path, content)
        return damaged

    def check(self, tasks: Sequence[Done]) -> Iterator[tuple[Done, str | None]]:
        """Pairs each task with what is wrong with its chunks; None if they are as written."""
        with ThreadPoolExecutor(READERS) as pool:
            yield from zip(tasks, pool.map(self._task_fault, tasks), strict=True)

    def _task_fault(self, done: Done) -> str | None:
        for name, paths in self.chunks(done.task).items():
            for path in paths:
                if fault := _chunk_fault(path, done.chunks.get(name)):
                    return f"{path.relative_to(self.path.parent)} {fault}"
        return None

    def clear(self, done: Iterable[int]) -> int:
        """Removes partial files and chunks of tasks that are not done; returns their number."""
        kept: dict[str, set[str]] = {name: set() for name in self.work.variables()}
        for task in done:
            for name, paths in self.chunks(task).items():
                kept[name].update(path.name for path in paths)
        removed = _remove(self.path, lambda file: False)
        for name in (*self.work.tables(), *self.work.coordinates()):
            removed += _remove(self.path / name, lambda file: False)
        for name, names in kept.items():
            removed += _remove(self.path / name, partial(_unfinished, kept=names))
        return removed


def checksum(content: bytes) -> str:
    """64-bit XXH3 digest, in hex."""
    return xxhash.xxh3_64_hexdigest(content)


def metadata(work: Work, record: RunRecord) -> dict[str, bytes]:
    """The files of the store that no task writes, by their path in it."""
    contents: dict[str, Any] = {}
    memory = MemoryStore(contents)
    group = zarr.create_group(memory, zarr_format=3, attributes=_attributes(work, record))
    for name, (values, attributes) in work.coordinates().items():
        dtype = str if values.dtype == object else values.dtype
        coordinate = StoredVariable((name,), values.shape, values.shape, attributes, dtype)
        coordinate.create(group, name, SEPARATOR)[:] = values
    for name, variable in (*work.tables().items(), *work.variables().items()):
        variable.create(group, name, SEPARATOR)
    consolidate(memory)
    return {name: content.to_bytes() for name, content in contents.items()}


def _attributes(work: Work, record: RunRecord) -> dict[str, Any]:
    """Attributes of the store: what it was computed from, and by which versions."""
    versions = {f"{name}_version": text for name, text in record.versions.items()}
    sources = {"sweep_sources": versions.pop("sources_version")}
    data = {"data_fingerprints": list(record.data)} if record.data else {}
    return {
        "spec": record.spec,
        "spec_fingerprint": record.fingerprint,
        "device": record.device,
        **work.attributes(),
        **versions,
        **sources,
        **data,
    }


def _chunk_fault(path: Path, chunk: Chunk | None) -> str | None:
    """Why a file is not the chunk that was written; None if it is."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if chunk is None or len(content) != chunk.size:
        return "is truncated"
    return None if checksum(content) == chunk.checksum else "is corrupted"


def _unfinished(file: str, kept: set[str]) -> bool:
    """Whether a file is the chunk of a task that is not done."""
    return file.startswith("c.") and file not in kept


def _remove(folder: Path, unwanted: Callable[[str], bool]) -> int:
    """Removes partial files and those with an unwanted name, and counts them."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.name.endswith(files.PARTIAL) or unwanted(e.name)]
    for name in names:
        (folder / name).unlink(missing_ok=True)
    return len(names)


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
