"""Tables in files: CSV, NPY, NPZ and Parquet, of which the columns that are asked for are read.

CSV is read by pandas, NPY and NPZ by NumPy (never pickles), Parquet by pyarrow. Whatever is wrong
with a file becomes one `InputError` whose sentence names it.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np
from jaxtyping import Shaped
from numpy.lib.format import MAGIC_PREFIX

from sweep.errors import InputError

Choice = Callable[[list[str]], Iterable[str]]
"""The columns to read, of those that a file has."""

Table = dict[str, Shaped[np.ndarray, "n ..."]]
"""Columns by name."""


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
    try:
        return READERS.get(path.suffix.lower(), _csv)(path, choice)
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
    import pandas as pd  # loads in a quarter of a second, and only reading needs it

    try:
        # From pandas 3.1 on every decimal is read as the float64 nearest to it.
        read = partial(
            pd.read_csv,
            path,
            sep="\t" if ".tsv" in path.suffixes else ",",
            skipinitialspace=True,
            low_memory=False,
            index_col=False,
            compression="gzip" if path.suffix == ".gz" else None,
        )
        # A pipe can be read but once; in it, of columns of one name the first is taken.
        header = read(header=None, nrows=1, dtype=str) if path.is_file() else None
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = read()
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
    chosen = list(choice([str(name) for name in frame.columns]))
    if header is not None:
        _require_single(chosen, [str(name) for name in header.iloc[0]])
    return {name: frame[name].to_numpy() for name in chosen}


def _require_single(chosen: Iterable[str], names: list[str]) -> None:
    for name in chosen:
        count = names.count(name)
        if count > 1:
            raise InputError(f"has {count} columns {name!r}; each needs a name of its own")


def _npy(path: Path, choice: Choice) -> Table:
    with path.open("rb") as file:
        if file.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
            raise InputError("is not an NPY file (a pickle is never loaded)")
    array = _array(lambda: np.load(path, allow_pickle=False))
    if array.dtype.names is not None:
        return {name: array[name] for name in choice(list(array.dtype.names))}
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise InputError(
            f"has shape {array.shape}; "
            "an array of shape (n, 2) or (n, 3) with columns x, y, weight is needed"
        )
    table: Table = dict(zip(("x", "y", "weight"), array.T, strict=False))
    return {name: table[name] for name in choice(list(table))}


def _npz(path: Path, choice: Choice) -> Table:
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise InputError("is not an NPZ file, or a damaged one")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {
                name: _array(partial(archive.__getitem__, name), f"{name!r} ")
                for name in choice(list(archive.files))
            }
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
    with path.open("rb") as file:
        try:
            from pyarrow import ArrowException
            from pyarrow.parquet import ParquetFile
        except ImportError:
            raise InputError(
                "reading Parquet needs pyarrow; install it by pip install 'sweep[parquet]'"
            ) from None
        try:
            content = ParquetFile(file)
            names = content.schema_arrow.names
            chosen = list(choice(names))
            _require_single(chosen, names)
            table = content.read(columns=chosen)
            return {name: np.asarray(table.column(name).to_pandas()) for name in chosen}
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
