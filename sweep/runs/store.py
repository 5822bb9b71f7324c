"""The store of a run: Zarr v3, which plain `xarray.open_zarr` reads, valid at every moment.

The kind of work says which variables the store has and which chunks a task writes, see
`sweep.runs.task`. Values that are not computed yet are NaN.

Zarr makes the metadata and the coordinates; no task changes them, so they can be made again and
compared. This module encodes and writes the chunks: each is one file that appears as a whole, with
a checksum that is known before. The same values give the same bytes, in any order of the tasks.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
import zarr
from jaxtyping import Shaped
from numcodecs.zstd import Zstd
from zarr.codecs import ZstdCodec
from zarr.storage import MemoryStore

from sweep.base import files
from sweep.runs.directory import RunRecord
from sweep.runs.journal import Chunk, Done
from sweep.runs.kind import Indices, StoreVariable, Values, Work

READERS = 8  # threads that read chunks to check them
ZSTD_LEVEL = 1  # a higher one takes longer than many a landscape, and gains little


@dataclass(frozen=True)
class Store:
    """The store of a run.

    Attributes:
        path: where it is.
        work: what it holds.
    """

    path: Path
    work: Work

    def chunk(self, name: str, indices: Indices) -> Path:
        """The file of a chunk of a variable."""
        return self.path / name / ".".join(("c", *map(str, indices)))

    def chunks(self, task: int) -> dict[str, list[Path]]:
        """The files that a task writes, by variable; those of one variable hold the same bytes."""
        return {
            name: [self.chunk(name, indices) for indices in chunks]
            for name, chunks in self.work.chunks(task).items()
        }

    def write(self, task: int, values: Values) -> dict[str, Chunk]:
        """Writes the chunks of a task.

        Args:
            task: its number.
            values: by variable; at the end of an axis there may be less than a chunk.

        Raises:
            OSError: a chunk cannot be written.
        """
        paths, variables = self.chunks(task), self.work.variables()
        written = {}
        for name, cells in values.items():
            content = encode(_padded(cells, variables[name]), variables[name].dtype)
            for path in paths[name]:
                files.replace(path, content)
            written[name] = Chunk(checksum(content), len(content))
        return written

    def write_tables(self, tasks: Iterable[Done]) -> None:
        """Writes the tables with the scalars of the tasks that are done.

        Raises:
            OSError: a table cannot be written.
        """
        tables = self.work.tables().items()
        arrays = {name: np.full(table.shape, np.nan) for name, table in tables}
        for done in tasks:
            for name, number in done.numbers.items():
                for indices in self.work.cells(done.task):
                    arrays[name][indices] = number
        for name, values in arrays.items():
            files.replace(self.chunk(name, (0,) * values.ndim), encode(values))

    def repair(self, record: RunRecord) -> list[str]:
        """Writes metadata and coordinates where they are missing or damaged.

        Returns:
            The files that were damaged.

        Raises:
            OSError: a file cannot be written.
        """
        damaged = []
        for name, content in metadata(self.work, record).items():
            path = self.path / name
            try:
                if path.read_bytes() == content:
                    continue
                damaged.append(name)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
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
        """Removes what stopped processes left behind: partial files and unfinished tasks.

        Args:
            done: the tasks whose chunks stay.

        Returns:
            The number of removed files.

        Raises:
            OSError: a file cannot be removed.
        """
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


def encode(values: Shaped[np.ndarray, "*shape"], dtype: str = "float64") -> bytes:
    """The bytes of a chunk, as Zarr would write them."""
    little_endian = np.dtype(dtype).newbyteorder("<")
    return bytes(Zstd(level=ZSTD_LEVEL).encode(np.ascontiguousarray(values, little_endian)))


def checksum(content: bytes) -> str:
    """64-bit XXH3 digest, in hex."""
    return xxhash.xxh3_64_hexdigest(content)


def metadata(work: Work, record: RunRecord) -> dict[str, bytes]:
    """The files of the store that no task writes, by their path in it."""
    contents: dict[str, Any] = {}
    memory = MemoryStore(contents)
    # Consolidated metadata are not in the Zarr v3 specification, of which zarr warns, but without
    # them xarray.open_zarr warns the reader.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        group = zarr.create_group(memory, zarr_format=3, attributes=_attributes(work, record))
        for name, (values, attributes) in work.coordinates().items():
            dtype = "str" if values.dtype == object else str(values.dtype)
            coordinate = StoreVariable((name,), values.shape, values.shape, attributes, dtype)
            _add(group, name, coordinate, None)[:] = values
        for name, variable in (*work.tables().items(), *work.variables().items()):
            _add(group, name, variable, math.nan)
        zarr.consolidate_metadata(memory, zarr_format=3)
    return {name: content.to_bytes() for name, content in contents.items()}


def _add(group: Any, name: str, variable: StoreVariable, fill: float | None) -> Any:
    """Adds an array to a group; chunks that are not written hold the fill value."""
    return group.create_array(
        name,
        shape=variable.shape,
        chunks=variable.chunk,
        dtype=str if variable.dtype == "str" else np.dtype(variable.dtype),
        fill_value=fill,
        dimension_names=variable.dimensions,
        attributes=dict(variable.attributes),
        compressors=ZstdCodec(level=ZSTD_LEVEL),
        chunk_key_encoding={"name": "default", "separator": "."},  # a folder for each is slow
    )


def _attributes(work: Work, record: RunRecord) -> dict[str, Any]:
    """Attributes of the store: what it was computed from, and by which versions."""
    data = {"data_fingerprints": list(record.data)} if record.data else {}
    return {
        "spec": record.spec,
        "spec_fingerprint": record.fingerprint,
        "device": record.device,
        **work.attributes(),
        **{_version_attribute(name): text for name, text in record.versions.items()},
        **data,
    }


def _version_attribute(name: str) -> str:
    """The attribute with the version of a distribution, or with the digest of this one's code."""
    return "sweep_sources" if name == "sources" else f"{name}_version"


def _padded(
    values: Shaped[np.ndarray, "*shape"], variable: StoreVariable
) -> Shaped[np.ndarray, "*chunk"]:
    """A full chunk; beyond the end of the variable it is NaN, as Zarr has it."""
    shape = variable.chunk[len(variable.chunk) - values.ndim :]
    if values.shape == shape:
        return values
    padded = np.full(shape, np.nan, variable.dtype)
    padded[tuple(map(slice, values.shape))] = values
    return padded


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
