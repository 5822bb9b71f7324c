"""Tables in files: columns of CSV, NPY, NPZ and Parquet, read whole or in batches of rows.

pandas reads CSV, NumPy reads NPY and NPZ (never pickles), and pyarrow reads Parquet. Each format
has one reader, of batches; a whole file is one batch. A bad file raises one `InputError` whose
message begins with the path.
"""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.files import system_errors
from sweep.data.columns import Choice, Header, Table, require_numbers, require_single
from sweep.data.npy import AT_ONCE, npy_batches, npy_header, npz_batches, npz_header

if TYPE_CHECKING:  # an optional dependency
    from pyarrow import Array, DataType
    from pyarrow.parquet import ParquetFile, RowGroupMetaData

FIRST = 100  # rows of a CSV file that are read to check its columns
BUFFER = 2**20  # bytes read at once from a column of a Parquet file with row groups of any size

KINDS = "files may be .csv, .tsv, both also as .gz, .parquet, .npz and .npy"
"""Ends the message for a file that is not text."""


def read(path: Path, choice: Choice) -> Table:
    """Reads the chosen columns of a file, whatever they hold.

    Args:
        path: `.npy`, `.npz`, `.parquet` or `.pq`; any other file is CSV with a header: `.tsv` if
            tabs separate its columns, with `.gz` at the end if it is compressed.
        choice: chooses among the columns that the file has.

    Raises:
        InputError: the file is missing or does not have the format of its suffix, or the choice
            raises it; the message begins with the path.
    """
    with read_errors(path):
        (table,) = _reader(path).batches(path, choice, None)
        return table


def header(path: Path, choice: Choice) -> Header:
    """Reads what a file declares about its columns, which must hold real numbers; see `read`."""
    with read_errors(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError("is a pipe or a device; a file that can be read again is needed")
        return _reader(path).header(path, choice)


def batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    """Reads columns of numbers in batches of at most `rows` rows, in constant memory; see `read`.

    Raises:
        InputError: as `read`, or a value is not a number.
    """
    first = 0
    with read_errors(path):
        for table in _reader(path).batches(path, choice, rows):
            _require_numbers(table, first)
            yield table
            first += len(next(iter(table.values())))


def ends(path: Path, column: str) -> tuple[float, float] | None:
    """The statistics of a Parquet file for the lowest and the highest value of a column.

    Returns:
        (lowest, highest); (inf, -inf) if the file has no rows; None if the file has another
        format, or if the statistics of any row group are missing or not finite.

    Raises:
        InputError: the file is missing or damaged; the message begins with the path.
    """
    if _reader(path) is not PARQUET:
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


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turns errors of reading in the block into an `InputError` that begins with the path."""
    with system_errors(path, "read"):
        try:
            yield
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def _require_numbers(table: Table, first: int) -> None:
    for name, values in table.items():
        if len(values):
            require_numbers(name, values, lambda name, row: f"{name!r} in row {first + row + 1}")


# --- CSV ----------------------------------------------------------------------------------------


def _csv_header(path: Path, choice: Choice) -> Header:
    with _csv_reader(path) as read:
        names, start = _csv_names(read), read(nrows=FIRST)
        chosen = tuple(choice([str(name) for name in start.columns]))
        require_single(chosen, names)
    _require_numbers({name: start[name].to_numpy() for name in chosen}, 0)
    return Header(chosen, {}, None if len(start) else 0)


def _csv_batches(path: Path, choice: Choice, rows: int | None) -> Iterator[Table]:
    with _csv_reader(path) as read:
        # A pipe can be read only once; there the first of several columns of one name is used.
        names = _csv_names(read) if path.is_file() else []
        if rows is None:
            opened = nullcontext(iter([read()]))
        else:
            opened = read(chunksize=max(1, min(rows, AT_ONCE // (8 * len(names)))))
    with opened as frames:
        while True:
            with _csv_reader(path):
                frame = next(frames, None)
            if frame is None:
                return
            chosen = list(choice([str(name) for name in frame.columns]))
            require_single(chosen, names)
            yield {name: frame[name].to_numpy() for name in chosen}


def _csv_names(read: Callable[..., Any]) -> list[str]:
    """The names in the header of a CSV file; pandas renames those that occur twice."""
    return [str(name) for name in read(header=None, nrows=1, dtype=str).iloc[0]]


@contextmanager
def _csv_reader(path: Path) -> Iterator[Callable[..., Any]]:
    """`pandas.read_csv` with the dialect of the suffix; what it cannot read is an `InputError`."""
    import pandas as pd  # loads in a quarter of a second, and only reading needs it

    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            # pandas 3.1 and later read every decimal as the nearest float64.
            yield partial(
                pd.read_csv,
                path,
                sep="\t" if ".tsv" in path.suffixes else ",",
                skipinitialspace=True,
                low_memory=False,
                index_col=False,
                compression="gzip" if path.suffix == ".gz" else None,
            )
    except pd.errors.EmptyDataError:
        raise InputError("is empty; a CSV file with a header is needed") from None
    except pd.errors.ParserWarning:
        raise InputError("is not a CSV file (a row has more cells than the header)") from None
    except (EOFError, zlib.error):
        raise InputError("is a damaged gzip file") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        kinds = f"; {KINDS}" if isinstance(error, UnicodeDecodeError) else ""
        raise InputError(f"is not a CSV file ({reason}){kinds}") from None


# --- Parquet ------------------------------------------------------------------------------------


@contextmanager
def _parquet(path: Path) -> Iterator[ParquetFile]:
    """Opens a Parquet file without reading ahead, so that memory holds one batch."""
    with path.open("rb", buffering=0) as file:
        module = _parquet_module()
        from pyarrow import ArrowException  # an optional dependency

        try:
            yield module.ParquetFile(
                file, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True
            )
        except (ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"is not a Parquet file, or a damaged one ({reason})") from None


def _parquet_module() -> ModuleType:
    try:
        import pyarrow.parquet  # an optional dependency
    except ImportError:
        raise InputError(
            "reading Parquet needs pyarrow; install it with: pip install pyarrow"
        ) from None
    return pyarrow.parquet


def _parquet_header(path: Path, choice: Choice) -> Header:
    with _parquet(path) as content:
        chosen, rows = _parquet_columns(content, choice), content.metadata.num_rows
        typed = chosen if rows else []
        types = {name: _type(name, content.schema_arrow.field(name).type) for name in typed}
        return Header(tuple(chosen), types, rows)


def _parquet_batches(path: Path, choice: Choice, rows: int | None) -> Iterator[Table]:
    with _parquet(path) as content:
        names = _parquet_columns(content, choice)
        if rows is None:
            table = content.read(columns=names)
            yield {name: np.asarray(table.column(name).to_pandas()) for name in names}
            return
        first = 0
        for batch in content.iter_batches(rows, columns=names, use_threads=False):
            yield {name: _numbers(name, batch.column(name), first) for name in names}
            first += batch.num_rows


def _parquet_columns(content: ParquetFile, choice: Choice) -> list[str]:
    names = content.schema_arrow.names
    chosen = list(choice(names))
    require_single(chosen, names)
    return chosen


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


# --- all formats --------------------------------------------------------------------------------


class Reader(NamedTuple):
    """How to read files of one format."""

    header: Callable[[Path, Choice], Header]  # like `header`
    batches: Callable[[Path, Choice, int | None], Iterator[Table]]  # None: one batch of all rows


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
