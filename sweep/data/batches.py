"""Columns of files batch by batch, in constant memory, by the rules of `tables`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.data.columns import require_numbers
from sweep.data.npy import AT_ONCE, npy_batches, npy_header, npz_batches, npz_header
from sweep.data.tables import (
    Choice,
    Header,
    Table,
    csv_errors,
    csv_reader,
    parquet_errors,
    parquet_module,
    read_errors,
    require_single,
)

if TYPE_CHECKING:
    from pyarrow import Array, DataType
    from pyarrow.parquet import ParquetFile, RowGroupMetaData

FIRST = 100
"""Rows of a CSV file that are looked at to see what it is."""

BUFFER = 2**20
"""Bytes of a column of a Parquet file that are read at once, however large its row groups are."""


def header(path: Path, choice: Choice) -> Header:
    """What a file says of itself.

    Args:
        path: of a kind that `tables.read` reads.
        choice: which columns, all of which must be there.

    Raises:
        InputError: the file is missing or not of its kind, a pipe, a column is not of real
            numbers, or the choice raises it; the sentence begins with the path.
    """
    with read_errors(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError("is a pipe or a device; a file that can be read again is needed")
        return _reader(path).header(path, choice)


def batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    """The chosen columns of a file, from its first row to its last.

    Args:
        path: of a kind that `tables.read` reads.
        choice: which columns, all of which must be there.
        rows: of a batch at most.

    Yields:
        Columns of real numbers, none of them null, of one length.

    Raises:
        InputError: as `header`, or a value is not a number; the sentence begins with the path.
    """
    with read_errors(path):
        yield from _reader(path).batches(path, choice, rows)


def ends(path: Path, column: str) -> tuple[float, float] | None:
    """(lowest, highest) value of a column by the statistics of a Parquet file.

    Returns:
        (inf, -inf) if there are no rows; None if the file is of another kind, or if statistics
        are missing or not finite for any part of it.

    Raises:
        InputError: the file is missing or damaged; the sentence begins with the path.
    """
    if _reader(path).batches is not _parquet_batches:
        return None
    with read_errors(path), _parquet(path) as content:
        low, high = math.inf, -math.inf
        for i in range(content.num_row_groups):
            group = content.metadata.row_group(i)
            found = _group_ends(group, column) if group.num_rows else (low, high)
            if found is None:
                return None
            low, high = min(low, found[0]), max(high, found[1])
        return low, high


def _csv_header(path: Path, choice: Choice) -> Header:
    with csv_errors():
        read = csv_reader(path)
        names = [str(name) for name in read(header=None, nrows=1, dtype=str).iloc[0]]
        start = read(nrows=FIRST)
    chosen = tuple(choice([str(name) for name in start.columns]))
    require_single(chosen, names)
    if len(start) == 0:
        return Header(chosen, {}, 0)
    for name in chosen:
        _require_numbers(name, start[name].to_numpy(), 0)
    return Header(chosen, {}, None)


def _csv_batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    head = _csv_header(path, choice)
    if head.rows == 0:
        return
    with csv_errors():
        read = csv_reader(path)
        width = 8 * len(read(nrows=0).columns)
        frames = read(chunksize=max(1, min(rows, AT_ONCE // width)))
    first = 0
    with frames:
        while True:
            with csv_errors():
                frame = next(frames, None)
            if frame is None:
                return
            table: Table = {name: frame[name].to_numpy() for name in head.columns}
            for name, values in table.items():
                _require_numbers(name, values, first)
            yield table
            first += len(frame)


def _require_numbers(name: str, values: Shaped[np.ndarray, " m"], first: int) -> None:
    require_numbers(name, values, lambda name, row: f"{name!r} in row {first + row + 1}")


@contextmanager
def _parquet(path: Path) -> Iterator[ParquetFile]:
    """A Parquet file, of which no more is in memory than what is being read."""
    with path.open("rb", buffering=0) as file, parquet_errors():
        yield parquet_module().ParquetFile(
            file, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True
        )


def _parquet_header(path: Path, choice: Choice) -> Header:
    with _parquet(path) as content:
        return _described(content, choice)


def _described(content: ParquetFile, choice: Choice) -> Header:
    schema, rows = content.schema_arrow, content.metadata.num_rows
    chosen = tuple(choice(schema.names))
    require_single(chosen, schema.names)
    types = {name: _type(name, schema.field(name).type) for name in chosen} if rows else {}
    return Header(chosen, types, rows)


def _type(name: str, kind: DataType) -> str:
    """What NumPy calls a type of Arrow's.

    Raises:
        InputError: it is not one of real numbers.
    """
    from pyarrow import types

    if types.is_dictionary(kind):
        return _type(name, kind.value_type)
    if types.is_null(kind):
        raise InputError(f"{name!r} in row 1 is null, as in every other row; numbers are needed")
    if not (types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind)):
        raise InputError(f"{name!r} has type {kind}; floats, integers or booleans are needed")
    return np.dtype(kind.to_pandas_dtype()).name


def _parquet_batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    with _parquet(path) as content:
        names = _described(content, choice).columns
        first = 0
        for part in content.iter_batches(rows, columns=list(names), use_threads=False):
            yield {name: _numbers(name, part.column(name), first) for name in names}
            first += part.num_rows


def _numbers(name: str, values: Array, first: int) -> Shaped[np.ndarray, " m"]:
    """What Arrow holds, without a copy unless it is of bits or looked up.

    Raises:
        InputError: a value is null.
    """
    from pyarrow import types

    if hasattr(values, "dictionary_decode"):
        values = values.dictionary_decode()
    if values.null_count:
        row = first + int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) + 1
        raise InputError(f"{name!r} in row {row} is null, which is not a number")
    if types.is_boolean(values.type):
        return values.to_numpy(zero_copy_only=False)
    return np.from_dlpack(values)  # to_numpy loads pandas, which takes a third of a second


def _group_ends(group: RowGroupMetaData, column: str) -> tuple[float, float] | None:
    for i in range(group.num_columns):
        part = group.column(i)
        if part.path_in_schema == column:
            known = part.statistics
            if known is None or not known.has_min_max:
                return None
            low, high = known.min, known.max
            numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
            # Writers leave out what is nan, and the reader of the rows refuses it.
            sound = numbers and math.isfinite(low) and math.isfinite(high) and low <= high
            return (float(low), float(high)) if sound else None
    return None


class Reader(NamedTuple):
    """How files of one kind are read.

    Attributes:
        header: as `header`.
        batches: as `batches`.
    """

    header: Callable[[Path, Choice], Header]
    batches: Callable[[Path, Choice, int], Iterator[Table]]


CSV = Reader(_csv_header, _csv_batches)
PARQUET = Reader(_parquet_header, _parquet_batches)
READERS = {
    ".npy": Reader(npy_header, npy_batches),
    ".npz": Reader(npz_header, npz_batches),
    ".parquet": PARQUET,
    ".pq": PARQUET,
}
"""By suffix in lower case; anything else is CSV."""


def _reader(path: Path) -> Reader:
    return READERS.get(path.suffix.lower(), CSV)
