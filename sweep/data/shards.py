"""Shards: a sample in files larger than memory, of which a batch of rows is there at a time.

Whatever is wrong with a shard becomes one `InputError` whose sentence names the file, the column,
the row and the value, as for a file that `data.load` reads whole.
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
from sweep.data import batches
from sweep.data.columns import Where, read_only, refuse, require_finite
from sweep.data.tables import Choice, Header, Table, present, read_errors

ROWS = 2**20
"""Rows of a batch at most."""

File = str | os.PathLike[str]

Made = TypeVar("Made")


class ShardRows(NamedTuple):
    """Some rows of a shard, in its order.

    Attributes:
        x: inputs, shape (m,), finite; integers become the float64 nearest to them.
        y: labels, shape (m,), in [0, 1]: float64, or integers or booleans as the file has them.
        weight: weights, shape (m,), finite and >= 0; None where each point counts once.
        first: how many rows of the shard stand before them.
    """

    x: Float[np.ndarray, " m"]
    y: Shaped[np.ndarray, " m"]
    weight: Float[np.ndarray, " m"] | None
    first: int


@dataclass(frozen=True)
class Shards:
    """Files that together are one sample.

    Attributes:
        paths: the files, in the order given.
        columns: names of x, y and the weight; None if there is no weight.
        weighted: whether there is one.
    """

    paths: tuple[Path, ...]
    columns: tuple[str, str, str | None]
    weighted: bool

    @classmethod
    def of(
        cls, paths: File | Iterable[File], x: str = "x", y: str = "y", weight: str | None = None
    ) -> Shards:
        """Opens the files and reads no more than what they say of themselves.

        Args:
            paths: files of the kinds that `data.load` reads; they may be of several kinds.
            x: name of the column of inputs.
            y: name of the column of labels.
            weight: name of the column of weights; None takes a column `weight` if there is one.

        Raises:
            InputError: there is no file; one is missing, there twice, not of its kind, or has no
                such column; columns differ between two files; or none of them has rows.
        """
        files = (paths,) if isinstance(paths, (str, os.PathLike)) else paths
        found = tuple(Path(file) for file in files)
        _require_files(found)
        wanted = {"x": x, "y": y, "weight": "weight" if weight is None else weight}
        choice = _choice(wanted, ("x", "y") if weight is None else tuple(wanted))
        headers = {path: batches.header(path, choice) for path in found}
        weighted = [wanted["weight"] in header.columns for header in headers.values()]
        _require_same_weights(headers, wanted["weight"], weighted)
        _require_same_types(headers)
        if all(header.rows == 0 for header in headers.values()):
            others = f", nor has any other of the {len(found)} files" if found[1:] else ""
            raise InputError(f"{found[0]}: has no rows{others}; at least one point is needed")
        return cls(found, (x, y, wanted["weight"] if weighted[0] else None), weighted[0])

    def batches(self, shard: int, rows: int = ROWS) -> Iterator[ShardRows]:
        """The rows of one file from the first to the last, in constant memory.

        Args:
            shard: its place in `paths`.
            rows: of a batch at most; none is empty.

        Raises:
            InputError: the file is gone or damaged, or holds a value that a `Sample` refuses.
                Rows are counted from 1, without the header and empty lines of CSV.
        """
        yield from self._read(shard, self._wanted, rows, self._rows)

    def ends(self) -> tuple[float, float] | None:
        """(lowest, highest) x by the statistics that Parquet files keep.

        They are what the writers of the files say; only reading the rows confirms it.

        Returns:
            None unless every file has them for all its rows, and they are finite.
        """
        low, high = math.inf, -math.inf
        for path in self.paths:
            found = batches.ends(path, self.columns[0])
            if found is None:
                return None
            low, high = min(low, found[0]), max(high, found[1])
        return _unsigned(low, high) if low <= high else None

    def scan(self, step: Callable[[int], None] | None = None) -> tuple[float, float]:
        """(lowest, highest) x by a pass over every row, of which only x is read where that helps.

        Args:
            step: is told how many rows were read.

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
        """Rows of all files; None if one of them does not say, as CSV."""
        choice = _choice(self._wanted, self._wanted)
        counts = [batches.header(path, choice).rows for path in self.paths]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def _wanted(self) -> dict[str, str]:
        """Columns by what they are."""
        roles = zip(("x", "y", "weight"), self.columns, strict=True)
        return {role: name for role, name in roles if name is not None}

    def _read(
        self,
        shard: int,
        wanted: Mapping[str, str],
        rows: int,
        check: Callable[[Table, int], Made],
    ) -> Iterator[Made]:
        """What `check` makes of each batch of a file, told how many rows stand before it."""
        path, first = self.paths[shard], 0
        if not path.exists():
            raise InputError(f"{path}: was there at first and is gone; put it back")
        for table in batches.batches(path, _choice(wanted, wanted), rows):
            count = len(table[wanted["x"]])
            if count:
                with read_errors(path):
                    made = check(table, first)
                yield made
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
            suspect = not math.isfinite(x.sum())  # also of finite values, if they are huge
        if suspect:
            require_finite(name, x, partial(_where, first))
        return x


def _require_files(paths: Sequence[Path]) -> None:
    """Refuses what is no file, and a file that is there twice.

    Raises:
        InputError: names the first of them.
    """
    if not paths:
        raise InputError("no shard is given; at least one file is needed")
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        if path.is_dir():
            raise InputError(f"{path}: is a directory; give the files in it, as {path}/*.parquet")
        if not path.exists() and glob.has_magic(str(path)):
            count = len(glob.glob(str(path)))
            found = f"it matches {count} files; give these" if count else "no file matches it"
            raise InputError(f"{path}: is a pattern, not a file; {found}")
        with read_errors(path):
            status = path.stat()
        same = seen.setdefault((status.st_dev, status.st_ino), path)
        if same is not path:
            also = "" if same == path else f", also as {same}"
            raise InputError(f"{path}: is there twice{also}; give each shard once")


def _require_same_weights(
    headers: Mapping[Path, Header], name: str, weighted: Sequence[bool]
) -> None:
    for (one, has), (other, too) in pairwise(zip(headers, weighted, strict=True)):
        if has != too:
            with_it, without = (one, other) if has else (other, one)
            raise InputError(
                f"{without}: has no column {name!r}, but {with_it} has; "
                "give every shard one, or none"
            )


def _require_same_types(headers: Mapping[Path, Header]) -> None:
    """Refuses columns whose types differ between files that say them."""
    seen: dict[str, tuple[Path, str]] = {}
    for path, header in headers.items():
        for name, kind in header.types.items():
            first, same = seen.setdefault(name, (path, kind))
            if kind != same:
                raise InputError(
                    f"{path}: {name!r} is {kind}, but {same} in {first}; "
                    "convert the columns of all shards to the same types"
                )


def _choice(wanted: Mapping[str, str], required: Iterable[str]) -> Choice:
    """The columns of a file that are wanted, each once though it be both x and y."""
    needed = tuple(required)
    return lambda names: dict.fromkeys(present(wanted, needed, names))


def _unsigned(low: float, high: float) -> tuple[float, float]:
    """Without the sign of a zero, of which statistics and rows need not say the same."""
    return low + 0.0, high + 0.0


def _where(first: int, column: str, row: int) -> str:
    return f"{column!r} in row {first + row + 1}"


def _floats(values: Shaped[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """The values as float64, one after the other: no copy is made where they are."""
    with np.errstate(over="ignore"):  # of wider floats, found to be infinite afterwards
        return read_only(np.ascontiguousarray(values, np.float64))


def _labels(name: str, values: Shaped[np.ndarray, " m"], where: Where) -> Shaped[np.ndarray, " m"]:
    if values.dtype.kind == "f":
        y = _floats(values)
    else:
        y = read_only(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))
    if y.dtype.kind != "b" and not (y.min() >= 0 and y.max() <= 1):  # nor is nan
        require_finite(name, y, where)
        refuse((y < 0) | (y > 1), name, y, "is outside [0, 1]", where)
    return y


def _weights(name: str, values: Shaped[np.ndarray, " m"], where: Where) -> Float[np.ndarray, " m"]:
    weight = _floats(values)
    if not (weight.min() >= 0 and math.isfinite(weight.max())):
        require_finite(name, weight, where)
        refuse(weight < 0, name, weight, "is negative", where)
    return weight
