"""The store of a run: Zarr v3, which plain `xarray.open_zarr` reads, whole at every moment.

Of which variables it consists, and which chunks of them a task writes, the kind of work says, see
`sweep.runs.kind`. What is not computed yet is NaN.

Zarr makes the metadata and the coordinates (see `sweep.runs.skeleton`). Chunks are encoded and
written here, each in one file that appears whole and whose checksum is known before: the same
values give the same bytes, in any order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from jaxtyping import Shaped

from sweep.base import files as disk
from sweep.runs.directory import RunRecord
from sweep.runs.journal import Chunk, Done
from sweep.runs.kind import Place, StoreVariable, Values, Work
from sweep.runs.skeleton import encode, skeleton

READERS = 8
"""Threads that read chunks to check them."""


@dataclass(frozen=True)
class Store:
    """The store of a run.

    Attributes:
        path: where it is.
        work: what it holds.
    """

    path: Path
    work: Work

    def chunk(self, name: str, place: Place) -> Path:
        """The file of a chunk."""
        return self.path / name / ".".join(("c", *map(str, place)))

    def chunks(self, task: int) -> dict[str, list[Path]]:
        """The files that a task writes, by variable; those of one have the same bytes."""
        every = self.work.chunks(task).items()
        return {name: [self.chunk(name, place) for place in places] for name, places in every}

    def write(self, task: int, values: Values) -> dict[str, Chunk]:
        """Writes the chunks of a task.

        Args:
            task: whose they are.
            values: by variable; at the end of an axis there may be less than a chunk.

        Raises:
            OSError: a chunk cannot be written.
        """
        files, variables = self.chunks(task), self.work.variables()
        found = {}
        for name, cells in values.items():
            content = encode(_filled(cells, variables[name]), variables[name].dtype)
            for path in files[name]:
                disk.replace(path, content)
            found[name] = Chunk(checksum(content), len(content))
        return found

    def write_tables(self, done: Iterable[Done]) -> None:
        """Writes the tables of what is done.

        Raises:
            OSError: one cannot be written.
        """
        arrays = {name: np.full(one.shape, np.nan) for name, one in self.work.tables().items()}
        for one in done:
            for name, number in one.numbers.items():
                for place in self.work.cells(one.task):
                    arrays[name][place] = number
        for name, values in arrays.items():
            disk.replace(self.chunk(name, (0,) * values.ndim), encode(values))

    def repair(self, begun: RunRecord) -> list[str]:
        """Writes metadata and coordinates where they are not what they should be.

        Returns:
            The files that were there and differed.

        Raises:
            OSError: one cannot be written.
        """
        damaged = []
        for name, content in skeleton(self.work, begun).items():
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
        files = self.chunks(done.task).items()
        found = (
            (path, _fault(path, done.chunks.get(name))) for name, paths in files for path in paths
        )
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
        kept: dict[str, set[str]] = {name: set() for name in self.work.variables()}
        for one in done:
            for name, files in self.chunks(one).items():
                kept[name].update(path.name for path in files)
        removed = _remove(self.path, lambda file: False)
        for name in (*self.work.tables(), *self.work.coordinates()):
            removed += _remove(self.path / name, lambda file: False)
        for name, files in kept.items():
            removed += _remove(self.path / name, lambda file, files=files: _strange(file, files))
        return removed


def _filled(
    values: Shaped[np.ndarray, "*shape"], variable: StoreVariable
) -> Shaped[np.ndarray, "*chunk"]:
    """A whole chunk; what is beyond the end of the variable is NaN, as Zarr has it."""
    shape = variable.chunk[len(variable.chunk) - values.ndim :]
    if values.shape == shape:
        return values
    padded = np.full(shape, np.nan, variable.dtype)
    padded[tuple(map(slice, values.shape))] = values
    return padded


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
