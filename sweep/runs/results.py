"""The store of a run: Zarr v3, which plain `xarray.open_zarr` reads, whole at every moment.

Metrics have the dimensions (population, n, seed, a, b), or (data, a, b); a chunk of theirs is the
tile of one task. The numbers of each landscape, its optima among them, stand in tables without a
and b. What is not computed yet is NaN.

Zarr makes the metadata and the coordinates (see `sweep.runs.skeleton`). Chunks are encoded and
written here, each in one file that appears whole and whose checksum is known before: the same
values give the same bytes, in any order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from jaxtyping import Float

from sweep.runs import disk
from sweep.runs.directory import Begun
from sweep.runs.journal import Chunk, Done
from sweep.runs.skeleton import encode, outer, skeleton, tile
from sweep.runs.spec import Spec
from sweep.runs.tables import tables
from sweep.runs.tasks import Task, task

READERS = 8
"""Threads that read chunks to check them."""


@dataclass(frozen=True)
class Store:
    """The store of a run.

    Attributes:
        path: where it is.
        spec: what it holds.
    """

    path: Path
    spec: Spec

    def chunk(self, name: str, place: tuple[int, ...]) -> Path:
        """The file of a chunk."""
        return self.path / name / ".".join(("c", *map(str, place)))

    def chunks(self, name: str, task: Task) -> Iterator[Path]:
        """The files of a metric that a task writes, all with the same bytes."""
        return (self.chunk(name, (*place, task.row, task.column)) for place in task.places)

    def write(self, task: Task, values: Mapping[str, Float[np.ndarray, "_ _"]]) -> dict[str, Chunk]:
        """Writes the chunks of a task.

        Args:
            task: whose they are.
            values: by metric; at the end of an axis there may be less than a chunk.

        Raises:
            OSError: a chunk cannot be written.
        """
        return {name: self._write(task, name, cells) for name, cells in values.items()}

    def _write(self, task: Task, name: str, values: Float[np.ndarray, "_ _"]) -> Chunk:
        """Writes the chunks of a metric; what is beyond the grid is NaN, as Zarr has it."""
        if values.shape != tile(self.spec):
            padded = np.full(tile(self.spec), np.nan)
            padded[: values.shape[0], : values.shape[1]] = values
            values = padded
        content = encode(values)
        for path in self.chunks(name, task):
            disk.replace(path, content)
        return Chunk(checksum(content), len(content))

    def write_tables(self, done: Iterable[Done]) -> None:
        """Writes the tables of what is done.

        Raises:
            OSError: one cannot be written.
        """
        arrays = {name: np.full(outer(self.spec), np.nan) for name in tables(self.spec.optimum)}
        for one in done:
            for name, number in one.numbers.items():
                for place in task(self.spec, one.task).places:
                    arrays[name][place] = number
        for name, values in arrays.items():
            disk.replace(self.chunk(name, (0,) * len(outer(self.spec))), encode(values))

    def repair(self, begun: Begun) -> list[str]:
        """Writes metadata and coordinates where they are not what they should be.

        Returns:
            The files that were there and differed.

        Raises:
            OSError: one cannot be written.
        """
        damaged = []
        for name, content in skeleton(self.spec, begun).items():
            path = self.path / name
            try:
                if path.read_bytes() == content:
                    continue
                damaged.append(name)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(path, content)
        return damaged

    def check(self, done: Sequence[Done]) -> Iterator[tuple[Done, str | None]]:
        """Whether the chunks of each task are what was written, and if not, why."""
        with ThreadPoolExecutor(READERS) as pool:
            yield from zip(done, pool.map(self._fault, done), strict=True)

    def _fault(self, done: Done) -> str | None:
        of = task(self.spec, done.task)
        every = ((path, name) for name in self.spec.metrics for path in self.chunks(name, of))
        found = ((path, _fault(path, done.chunks.get(name))) for path, name in every)
        return next(
            (f"{path.relative_to(self.path.parent)} {why}" for path, why in found if why), None
        )

    def clear(self, done: Iterable[int]) -> int:
        """Removes what processes that were stopped have left: partial files, unfinished tasks.

        Args:
            done: the tasks whose chunks stay.

        Returns:
            How many files there were.

        Raises:
            OSError: one cannot be removed.
        """
        kept: dict[str, set[str]] = {name: set() for name in self.spec.metrics}
        for one in (task(self.spec, index) for index in done):
            for name, files in kept.items():
                files.update(path.name for path in self.chunks(name, one))
        removed = _remove(self.path, lambda file: False)
        for name in (*tables(self.spec.optimum), *self.spec.coordinates, "a", "b"):
            removed += _remove(self.path / name, lambda file: False)
        for name, files in kept.items():
            removed += _remove(self.path / name, lambda file, files=files: _strange(file, files))
        return removed


def checksum(content: bytes) -> str:
    """64-bit XXH3 digest, in hex."""
    return xxhash.xxh3_64_hexdigest(content)


def _fault(path: Path, chunk: Chunk | None) -> str | None:
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


def _strange(file: str, kept: set[str]) -> bool:
    """Whether a file is the chunk of a task that is not done."""
    return file.startswith("c.") and file not in kept


def _remove(folder: Path, unwanted: Callable[[str], bool]) -> int:
    """Removes partial files, and those whose name is unwanted."""
    with os.scandir(folder) as entries:
        found = [e.name for e in entries if e.name.endswith(disk.PARTIAL) or unwanted(e.name)]
    for name in found:
        (folder / name).unlink(missing_ok=True)
    return len(found)
