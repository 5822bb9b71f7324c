"""Shards: a sample in files larger than memory, read in batches of rows.

A bad shard raises one `InputError` whose message names the file, the column, the row and the value,
as for a file that `data.load` reads into memory.
"""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Shaped

from sweep.base.errors import InputError
from sweep.data import tables
from sweep.data.columns import (
    Choice,
    Header,
    Table,
    Where,
    present,
    read_only,
    refuse,
    require_finite,
)
from sweep.data.tables import read_errors

ROWS = 2**20  # largest number of rows in a batch

File = str | os.PathLike[str]

Checked = TypeVar("Checked")


class ShardRows(NamedTuple):
    """Consecutive rows of a shard."""

    x: Float[np.ndarray, " m"]  # inputs, shape (m,), finite; integers become the nearest float64
    # labels, shape (m,), in [0, 1]; float64, or integers or booleans if the file has them
    y: Shaped[np.ndarray, " m"]
    # weights, shape (m,), finite and >= 0; None if each point counts once
    weight: Float[np.ndarray, " m"] | None
    first: int  # number of rows of the shard before these


@dataclass(frozen=True)
class Shards:
    """Files that together hold one sample.

    Attributes:
        paths: the files, in the user's order.
        columns: names of the columns of x, y and the weight; None if there is no weight.
        weighted: whether there is a weight.
    """

    paths: tuple[Path, ...]
    columns: tuple[str, str, str | None]
    weighted: bool

    @classmethod
    def of(
        cls, paths: File | Iterable[File], x: str = "x", y: str = "y", weight: str | None = None
    ) -> Shards:
        """Opens the files and reads only what they declare about their columns.

        Args:
            paths: files of the formats that `data.load` reads, also of different formats.
            x: name of the column of inputs.
            y: name of the column of labels.
            weight: name of the column of weights; None takes a column `weight` if there is one.

        Raises:
            InputError: there is no file; a file is missing, is given twice, does not have the
                format of its suffix, or lacks a column; columns differ between two files; or no
                file has rows.
        """
        files = (paths,) if isinstance(paths, (str, os.PathLike)) else paths
        files = tuple(Path(file) for file in files)
        _require_files(files)
        names = {"x": x, "y": y, "weight": "weight" if weight is None else weight}
        choice = _choice(names, ("x", "y") if weight is None else tuple(names))
        headers = {path: tables.header(path, choice) for path in files}
        weighted = [names["weight"] in header.columns for header in headers.values()]
        _require_same_weights(headers, names["weight"], weighted)
        _require_same_types(headers)
        if all(header.rows == 0 for header in headers.values()):
            others = f", nor has any other of the {len(files)} files" if files[1:] else ""
            raise InputError(f"{files[0]}: has no rows{others}; at least one point is needed")
        return cls(files, (x, y, names["weight"] if weighted[0] else None), weighted[0])

    def batches(self, shard: int, rows: int = ROWS) -> Iterator[ShardRows]:
        """Reads the rows of one file from the first to the last, in constant memory.

        Args:
            shard: index of the file in `paths`.
            rows: largest number of rows in a batch.

        Yields:
            Batches with at least one row.

        Raises:
            InputError: the file is gone or damaged, or holds a value that a `Sample` rejects.
                Row numbers start at 1, without the header and empty lines of CSV.
        """
        yield from self._read(shard, self._names, rows, self._rows)

    def ends(self) -> tuple[float, float] | None:
        """(lowest, highest) x from the statistics in Parquet files.

        The writers of the files computed them; only reading the rows confirms them.

        Returns:
            None unless every file has finite statistics for all its rows.
        """
        low, high = math.inf, -math.inf
        for path in self.paths:
            ends = tables.ends(path, self.columns[0])
            if ends is None:
                return None
            low, high = min(low, ends[0]), max(high, ends[1])
        return _unsigned(low, high) if low <= high else None

    def scan(self, step: Callable[[int], None] | None = None) -> tuple[float, float]:
        """(lowest, highest) x from a pass over all rows, which reads only column x if possible.

        Args:
            step: receives the number of rows of each batch.

        Raises:
            InputError: as `batches`, of x.
        """
        low, high = math.inf, -math.inf
        for shard in range(len(self.paths)):
            for x in self._read(shard, {"x": self.columns[0]}, ROWS, self._inputs):
                low, high = min(low, float(x.min())), max(high, float(x.max()))
                if step is not None:
                    step(len(x))
        return _unsigned(low, high)

    def rows(self) -> int | None:
        """Number of rows of all files; None if a file does not declare it, as CSV."""
        choice = _choice(self._names, self._names)
        counts = [tables.header(path, choice).rows for path in self.paths]
        declared = [count for count in counts if count is not None]
        return sum(declared) if len(declared) == len(counts) else None

    @property
    def _names(self) -> dict[str, str]:
        """Name of the column by role."""
        roles = zip(("x", "y", "weight"), self.columns, strict=True)
        return {role: name for role, name in roles if name is not None}

    def _read(
        self,
        shard: int,
        names: Mapping[str, str],
        rows: int,
        check: Callable[[Table, int], Checked],
    ) -> Iterator[Checked]:
        """Yields `check(batch, number of rows before it)` for each batch of a file."""
        path, first = self.paths[shard], 0
        if not path.exists():
            raise InputError(f"{path}: was there at first and is gone; put it back")
        for table in tables.batches(path, _choice(names, names), rows):
            count = len(table[names["x"]])
            if count:
                with read_errors(path):
                    checked = check(table, first)
                yield checked
                first += count

    def _rows(self, table: Table, first: int) -> ShardRows:
        _, y, weight = self.columns
        where = partial(_where, first)
        x = self._inputs(table, first)
        labels = _labels(y, table[y], where)
        return ShardRows(
            x, labels, None if weight is None else _weights(weight, table[weight], where), first
        )

    def _inputs(self, table: Table, first: int) -> Float[np.ndarray, " m"]:
        name = self.columns[0]
        x = _floats(table[name])
        with np.errstate(over="ignore", invalid="ignore"):
            suspect = not math.isfinite(x.sum())  # huge finite values overflow too
        if suspect:
            require_finite(name, x, partial(_where, first))
        return x


def _require_files(paths: Sequence[Path]) -> None:
    """Rejects a path that is not a file, and a file that is given twice."""
    if not paths:
        raise InputError("no shard is given; at least one file is needed")
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        if path.is_dir():
            raise InputError(f"{path}: is a directory; give the files in it, as {path}/*.parquet")
        if not path.exists() and glob.has_magic(str(path)):
            count = len(glob.glob(str(path)))
            matches = f"it matches {count} files; give these" if count else "no file matches it"
            raise InputError(f"{path}: is a pattern, not a file; {matches}")
        with read_errors(path):
            status = path.stat()
        same = seen.setdefault((status.st_dev, status.st_ino), path)
        if same is not path:
            also = "" if same == path else f", also as {same}"
            raise InputError(f"{path}: is given twice{also}; give each shard once")


def _require_same_weights(
    headers: Mapping[Path, Header], name: str, weighted: Sequence[bool]
) -> None:
    for (path, has), (following, following_has) in pairwise(zip(headers, weighted, strict=True)):
        if has != following_has:
            with_column, without = (path, following) if has else (following, path)
            raise InputError(
                f"{without}: has no column {name!r}, but {with_column} has; "
                "give every shard one, or none"
            )


def _require_same_types(headers: Mapping[Path, Header]) -> None:
    """Rejects columns whose types differ between files that declare them."""
    seen: dict[str, tuple[Path, str]] = {}
    for path, header in headers.items():
        for name, kind in header.types.items():
            first, same = seen.setdefault(name, (path, kind))
            if kind != same:
                raise InputError(
                    f"{path}: {name!r} is {kind}, but {same} in {first}; "
                    "convert the columns of all shards to the same types"
                )


def _choice(columns: Mapping[str, str], required: Iterable[str]) -> Choice:
    """Chooses columns by role, each once even if it is both x and y."""
    roles = tuple(required)
    return lambda names: dict.fromkeys(present(columns, roles, names))


def _unsigned(low: float, high: float) -> tuple[float, float]:
    """Removes the sign of zeros, in which statistics and rows may differ."""
    return low + 0.0, high + 0.0


def _where(first: int, column: str, row: int) -> str:
    return f"{column!r} in row {first + row + 1}"


def _floats(values: Shaped[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """The values as contiguous float64, without a copy if they are so already."""
    with np.errstate(over="ignore"):  # wider floats may become infinite, which is rejected later
        return read_only(np.ascontiguousarray(values, np.float64))


def _labels(name: str, values: Shaped[np.ndarray, " m"], where: Where) -> Shaped[np.ndarray, " m"]:
    if values.dtype.kind == "f":
        y = _floats(values)
    else:
        y = read_only(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))
    if y.dtype.kind != "b" and not (y.min() >= 0 and y.max() <= 1):  # true for nan
        require_finite(name, y, where)
        refuse((y < 0) | (y > 1), name, y, "is outside [0, 1]", where)
    return y


def _weights(name: str, values: Shaped[np.ndarray, " m"], where: Where) -> Float[np.ndarray, " m"]:
    weight = _floats(values)
    if not (weight.min() >= 0 and math.isfinite(weight.max())):
        require_finite(name, weight, where)
        refuse(weight < 0, name, weight, "is negative", where)
    return weight
