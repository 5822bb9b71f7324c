"""Tables in files: CSV, NPY, NPZ and Parquet, of which the columns that are asked for are read.

CSV is read by pandas, NPY and NPZ by NumPy (never pickles), Parquet by pyarrow. Whatever is wrong
with a file becomes one `InputError` whose sentence names it.
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
"""The columns to read, of those that a file has."""

Table = dict[str, Shaped[np.ndarray, "n ..."]]
"""Columns by name."""


class Header(NamedTuple):
    """What a file says of itself before its rows are read.

    Attributes:
        columns: the chosen ones, in the order of the choice.
        types: what numbers they are, by column, as NumPy names them; empty if the file does not
            say, as CSV, or has no rows.
        rows: how many there are; None if the file does not say.
    """

    columns: tuple[str, ...]
    types: Mapping[str, str]
    rows: int | None


KINDS = "what is read is .csv, .tsv, both also as .gz, .parquet, .npz and .npy"
"""Said of a file that is no text, by whatever name."""


def read(path: Path, choice: Choice) -> Table:
    """The chosen columns of a file.

    Args:
        path: `.npy`, `.npz`, `.parquet` or `.pq`, or else CSV with a header: `.tsv` if tabs
            separate its columns, `.gz` at the end if it is compressed.
        choice: which columns, all of which must be there.

    Raises:
        InputError: the file is missing or not of its kind, or the choice raises it; the sentence
            begins with the path.
    """
    with read_errors(path):
        return READERS.get(path.suffix.lower(), _csv)(path, choice)


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """What goes wrong in the block becomes a sentence that begins with the path.

    Raises:
        InputError: the block raised it, or the file cannot be read.
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


def present(wanted: Mapping[str, str], required: Iterable[str], names: list[str]) -> list[str]:
    """Those of the wanted columns, by the options that name them, that a file has.

    Raises:
        InputError: one that is required is not there; lists those that are.
    """
    for role in required:
        if wanted[role] not in names:
            hint = f"other names are given with --{role}, and commas separate columns"
            raise InputError(
                f"has no column {wanted[role]!r}; its columns are {listed(names)} ({hint})"
            )
    return [name for name in wanted.values() if name in names]


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(map(repr, names)) or "none"


def _csv(path: Path, choice: Choice) -> Table:
    with csv_errors():
        read = csv_reader(path)
        # A pipe can be read but once; in it, of columns of one name the first is taken.
        header = read(header=None, nrows=1, dtype=str) if path.is_file() else None
        frame = read()
    chosen = list(choice([str(name) for name in frame.columns]))
    if header is not None:
        require_single(chosen, [str(name) for name in header.iloc[0]])
    return {name: frame[name].to_numpy() for name in chosen}


def csv_reader(path: Path) -> Callable[..., Any]:
    """`pandas.read_csv` of the file in the dialect that its name says."""
    import pandas as pd  # loads in a quarter of a second, and only reading needs it

    # From pandas 3.1 on every decimal is read as the float64 nearest to it.
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
    """What pandas cannot read in the block becomes a sentence."""
    import pandas as pd

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
    """Refuses columns of which a file has several.

    Raises:
        InputError: names the first of them.
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
    """Refuses a file that does not start as NPY does.

    Raises:
        InputError: always the same sentence.
    """
    if start != MAGIC_PREFIX:
        raise InputError("is not an NPY file (a pickle is never loaded)")


def npy_columns(dtype: np.dtype, shape: tuple[int, ...]) -> list[str]:
    """Names of the columns of an array: its fields, or else x, y and perhaps weight.

    Raises:
        InputError: it has no columns.
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
    """Refuses a file that is no archive.

    Raises:
        InputError: always the same sentence.
    """
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise InputError("is not an NPZ file, or a damaged one")


@contextmanager
def npz_errors() -> Iterator[None]:
    """What an archive cannot give in the block becomes a sentence."""
    try:
        yield
    except (BadZipFile, zlib.error):
        raise InputError("is a damaged NPZ file") from None


def _array(read: Callable[[], np.ndarray], name: str = "") -> np.ndarray:
    """What `read` returns; `name` opens the message if NumPy cannot read it."""
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
    """`pyarrow.parquet`, which loads when it is needed.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            "reading Parquet needs pyarrow; install it by pip install 'sweep[parquet]'"
        ) from None
    return pyarrow.parquet


@contextmanager
def parquet_errors() -> Iterator[None]:
    """What pyarrow cannot read in the block becomes a sentence."""
    parquet_module()
    from pyarrow import ArrowException

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
"""By suffix in lower case; anything else is CSV."""
