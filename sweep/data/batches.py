"""Columns of files in batches of rows, in constant memory.

Files and messages are those of `sweep.data.tables`, which reads all rows at once.
"""

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

if TYPE_CHECKING:  # an optional dependency
    from pyarrow import Array, DataType
    from pyarrow.parquet import ParquetFile, RowGroupMetaData

FIRST = 100  # rows of a CSV file that are read to check its columns
BUFFER = 2**20  # bytes read at once from a column of a Parquet file with row groups of any size


def header(path: Path, choice: Choice) -> Header:
    """Reads what a file declares about its columns.

    Args:
        path: a file that `tables.read` reads.
        choice: chooses among the columns that the file has.

    Raises:
        InputError: the file is missing, a pipe, or does not have the format of its suffix, a
            column does not hold real numbers, or the choice raises it; the message begins with
            the path.
    """
    with read_errors(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError("is a pipe or a device; a file that can be read again is needed")
        return _reader(path).header(path, choice)


def batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    """Reads the chosen columns of a file, from the first row to the last.

    Args:
        path: a file that `tables.read` reads.
        choice: chooses among the columns that the file has.
        rows: largest number of rows in a batch.

    Yields:
        Columns of real numbers, without nulls, of equal length.

    Raises:
        InputError: as `header`, or a value is not a number; the message begins with the path.
    """
    with read_errors(path):
        yield from _reader(path).batches(path, choice, rows)


def ends(path: Path, column: str) -> tuple[float, float] | None:
    """The statistics of a Parquet file for the lowest and the highest value of a column.

    Returns:
        (lowest, highest); (inf, -inf) if the file has no rows; None if the file has another
        format, or if the statistics of any row group are missing or not finite.

    Raises:
        InputError: the file is missing or damaged; the message begins with the path.
    """
    if _reader(path).batches is not _parquet_batches:
        return None
    with read_errors(path), _parquet(path) as content:
        low, high = math.inf, -math.inf
        for i in range(content.num_row_groups):
            group = content.metadata.row_group(i)
            group_ends = _group_ends(group, column) if group.num_rows else (low, high)
            if group_ends is None:
                return None
            low, high = min(low, group_ends[0]), max(high, group_ends[1])
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
    declared = _csv_header(path, choice)
    if declared.rows == 0:
        return
    with csv_errors():
        read = csv_reader(path)
        row_bytes = 8 * len(read(nrows=0).columns)
        frames = read(chunksize=max(1, min(rows, AT_ONCE // row_bytes)))
    first = 0
    with frames:
        while True:
            with csv_errors():
                frame = next(frames, None)
            if frame is None:
                return
            table: Table = {name: frame[name].to_numpy() for name in declared.columns}
            for name, values in table.items():
                _require_numbers(name, values, first)
            yield table
            first += len(frame)


def _require_numbers(name: str, values: Shaped[np.ndarray, " m"], first: int) -> None:
    require_numbers(name, values, lambda name, row: f"{name!r} in row {first + row + 1}")


@contextmanager
def _parquet(path: Path) -> Iterator[ParquetFile]:
    """Opens a Parquet file without reading ahead, so that memory holds one batch."""
    with path.open("rb", buffering=0) as file, parquet_errors():
        yield parquet_module().ParquetFile(
            file, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True
        )


def _parquet_header(path: Path, choice: Choice) -> Header:
    with _parquet(path) as content:
        return _declared(content, choice)


def _declared(content: ParquetFile, choice: Choice) -> Header:
    schema, rows = content.schema_arrow, content.metadata.num_rows
    chosen = tuple(choice(schema.names))
    require_single(chosen, schema.names)
    types = {name: _type(name, schema.field(name).type) for name in chosen} if rows else {}
    return Header(chosen, types, rows)


def _type(name: str, kind: DataType) -> str:
    """NumPy's name of an Arrow type; InputError if the type does not hold real numbers."""
    from pyarrow import types  # an optional dependency

    if types.is_dictionary(kind):
        return _type(name, kind.value_type)
    if types.is_null(kind):
        raise InputError(f"{name!r} in row 1 is null, as in every other row; numbers are needed")
    if not (types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind)):
        raise InputError(f"{name!r} has type {kind}; floats, integers or booleans are needed")
    return np.dtype(kind.to_pandas_dtype()).name


def _parquet_batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    with _parquet(path) as content:
        names = _declared(content, choice).columns
        first = 0
        for batch in content.iter_batches(rows, columns=list(names), use_threads=False):
            yield {name: _numbers(name, batch.column(name), first) for name in names}
            first += batch.num_rows


def _numbers(name: str, values: Array, first: int) -> Shaped[np.ndarray, " m"]:
    """An Arrow array as NumPy, copied only if it holds bits or a dictionary; nulls are errors."""
    from pyarrow import types  # an optional dependency

    if hasattr(values, "dictionary_decode"):
        values = values.dictionary_decode()
    if values.null_count:
        row = first + int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) + 1
        raise InputError(f"{name!r} in row {row} is null, which is not a number")
    if types.is_boolean(values.type):
        return values.to_numpy(zero_copy_only=False)
    return np.from_dlpack(values)  # to_numpy would load pandas, which takes a third of a second


def _group_ends(group: RowGroupMetaData, column: str) -> tuple[float, float] | None:
    for i in range(group.num_columns):
        chunk = group.column(i)
        if chunk.path_in_schema == column:
            statistics = chunk.statistics
            if statistics is None or not statistics.has_min_max:
                return None
            low, high = statistics.min, statistics.max
            numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
            # Writers leave nan out of the statistics; reading the rows rejects it.
            sound = numbers and math.isfinite(low) and math.isfinite(high) and low <= high
            return (float(low), float(high)) if sound else None
    return None


class Reader(NamedTuple):
    """How to read files of one format.

    Attributes:
        header: function like `header`.
        batches: function like `batches`.
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
"""By suffix in lower case; any other suffix is CSV."""


def _reader(path: Path) -> Reader:
    return READERS.get(path.suffix.lower(), CSV)
