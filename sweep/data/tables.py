"""Columns of tables in files: CSV, NPY, NPZ and Parquet.

pandas reads CSV, NumPy reads NPY and NPZ (never pickles), and pyarrow reads Parquet. A bad file
raises one `InputError` whose message begins with the path. `sweep.data.batches` reads the same
files in batches of rows.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from zipfile import BadZipFile, is_zipfile

import numpy as np
from jaxtyping import Shaped
from numpy.lib.format import MAGIC_PREFIX

from sweep.base.errors import InputError

Choice = Callable[[list[str]], Iterable[str]]
"""Chooses the columns to read, given the names of all columns of a file."""

Table = dict[str, Shaped[np.ndarray, "n ..."]]
"""Columns by name."""


class Header(NamedTuple):
    """What a file declares about its columns before its rows are read.

    Attributes:
        columns: the chosen columns, in the order of the choice.
        types: NumPy dtype name by column; empty if the file declares none, as CSV, or has no rows.
        rows: number of rows; None if the file does not declare it.
    """

    columns: tuple[str, ...]
    types: Mapping[str, str]
    rows: int | None


KINDS = "files may be .csv, .tsv, both also as .gz, .parquet, .npz and .npy"
"""Ends the message for a file that is not text."""


def read(path: Path, choice: Choice) -> Table:
    """Reads the chosen columns of a file.

    Args:
        path: `.npy`, `.npz`, `.parquet` or `.pq`; any other file is CSV with a header: `.tsv` if
            tabs separate its columns, with `.gz` at the end if it is compressed.
        choice: chooses among the columns that the file has.

    Raises:
        InputError: the file is missing or does not have the format of its suffix, or the choice
            raises it; the message begins with the path.
    """
    with read_errors(path):
        return READERS.get(path.suffix.lower(), _csv)(path, choice)


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turns errors of reading in the block into an `InputError` that begins with the path.

    Raises:
        InputError: the block raised one, or the file cannot be read.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, not a file of data") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def present(columns: Mapping[str, str], required: Iterable[str], names: list[str]) -> list[str]:
    """The columns to read that a file has.

    Args:
        columns: name of the column by role, which is also the name of its option.
        required: roles whose columns must exist.
        names: all columns of the file.

    Raises:
        InputError: a required column is missing; the message lists the columns of the file.
    """
    for role in required:
        if columns[role] not in names:
            hint = f"give another name with --{role}, and separate columns by commas"
            raise InputError(
                f"has no column {columns[role]!r}; its columns are {listed(names)} ({hint})"
            )
    return [name for name in columns.values() if name in names]


def listed(names: Iterable[str]) -> str:
    """Names as a list in an error message."""
    return ", ".join(map(repr, names)) or "none"


def _csv(path: Path, choice: Choice) -> Table:
    with csv_errors():
        read = csv_reader(path)
        # A pipe can be read only once; there the first of several columns of one name is used.
        header = read(header=None, nrows=1, dtype=str) if path.is_file() else None
        frame = read()
    chosen = list(choice([str(name) for name in frame.columns]))
    if header is not None:
        require_single(chosen, [str(name) for name in header.iloc[0]])
    return {name: frame[name].to_numpy() for name in chosen}


def csv_reader(path: Path) -> Callable[..., Any]:
    """`pandas.read_csv` for the file, with the dialect of its suffix."""
    import pandas as pd  # loads in a quarter of a second, and only reading needs it

    # pandas 3.1 and later read every decimal as the nearest float64.
    return partial(
        pd.read_csv,
        path,
        sep="\t" if ".tsv" in path.suffixes else ",",
        skipinitialspace=True,
        low_memory=False,
        index_col=False,
        compression="gzip" if path.suffix == ".gz" else None,
    )


@contextmanager
def csv_errors() -> Iterator[None]:
    """Turns what pandas cannot read in the block into an `InputError`."""
    import pandas as pd  # as in `csv_reader`

    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            yield
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


def require_single(chosen: Iterable[str], names: list[str]) -> None:
    """Rejects a chosen column that a file has more than once.

    Raises:
        InputError: names the first such column.
    """
    for name in chosen:
        count = names.count(name)
        if count > 1:
            raise InputError(f"has {count} columns {name!r}; each needs a name of its own")


def _npy(path: Path, choice: Choice) -> Table:
    with path.open("rb") as file:
        require_npy(file.read(len(MAGIC_PREFIX)))
    array = _array(lambda: np.load(path, allow_pickle=False))
    names = npy_columns(array.dtype, array.shape)
    if array.dtype.names is not None:
        return {name: array[name] for name in choice(names)}
    table: Table = dict(zip(names, array.T, strict=True))
    return {name: table[name] for name in choice(names)}


def require_npy(start: bytes) -> None:
    """Rejects a file that does not start as NPY files do."""
    if start != MAGIC_PREFIX:
        raise InputError("is not an NPY file (a pickle is never loaded)")


def npy_columns(dtype: np.dtype, shape: tuple[int, ...]) -> list[str]:
    """Names of the columns of an array: its fields, or else x, y and perhaps weight.

    Raises:
        InputError: the array has neither fields nor two or three columns.
    """
    if dtype.names is not None:
        return list(dtype.names)
    if len(shape) != 2 or shape[1] not in (2, 3):
        raise InputError(
            f"has shape {shape}; "
            "an array of shape (n, 2) or (n, 3) with columns x, y, weight is needed"
        )
    return ["x", "y", "weight"][: shape[1]]


def _npz(path: Path, choice: Choice) -> Table:
    require_npz(path)
    with npz_errors(), np.load(path, allow_pickle=False) as archive:
        return {
            name: _array(partial(archive.__getitem__, name), f"{name!r} ")
            for name in choice(list(archive.files))
        }


def require_npz(path: Path) -> None:
    """Rejects a file that is not a zip archive."""
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise InputError("is not an NPZ file, or a damaged one")


@contextmanager
def npz_errors() -> Iterator[None]:
    """Turns a damaged archive in the block into an `InputError`."""
    try:
        yield
    except (BadZipFile, zlib.error):
        raise InputError("is a damaged NPZ file") from None


def _array(read: Callable[[], np.ndarray], name: str = "") -> np.ndarray:
    """The array that `read` returns; `name` begins the message if NumPy cannot read it."""
    try:
        return read()
    except (ValueError, EOFError) as error:
        if "object array" in str(error).lower():
            raise InputError(f"{name}holds Python objects, which are never loaded") from None
        raise InputError(f"{name}is damaged: {error}") from None


def _parquet(path: Path, choice: Choice) -> Table:
    with path.open("rb") as file, parquet_errors():
        content = parquet_module().ParquetFile(file)
        names = content.schema_arrow.names
        chosen = list(choice(names))
        require_single(chosen, names)
        table = content.read(columns=chosen)
        return {name: np.asarray(table.column(name).to_pandas()) for name in chosen}


def parquet_module() -> ModuleType:
    """The module `pyarrow.parquet`.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # an optional dependency
    except ImportError:
        raise InputError(
            "reading Parquet needs pyarrow; install it with: pip install pyarrow"
        ) from None
    return pyarrow.parquet


@contextmanager
def parquet_errors() -> Iterator[None]:
    """Turns what pyarrow cannot read in the block into an `InputError`."""
    parquet_module()
    from pyarrow import ArrowException  # an optional dependency

    try:
        yield
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"is not a Parquet file, or a damaged one ({reason})") from None


READERS: dict[str, Callable[[Path, Choice], Table]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".parquet": _parquet,
    ".pq": _parquet,
}
"""By suffix in lower case; any other suffix is CSV."""
