"""Samples: what a user's data must be, and how they are read from a file.

A `Sample`, or for models of the user's own a `Batch`, is the only form in which data enter the
engine; everything past this module may rely on it being finite, of equal lengths, with labels in
[0, 1] and weights >= 0. Files are read by pandas (CSV) and NumPy (NPY, NPZ, never pickles);
whatever is wrong with them becomes one `InputError` whose sentence names the file, the column, the
row and the value.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import resources
from numbers import Real
from pathlib import Path
from typing import NoReturn
from zipfile import BadZipFile, is_zipfile

import numpy as np
import xxhash
from jaxtyping import Float, Shaped
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import ArrayLike

ILLUSTRATIONS = (1, 2, 3)
"""Numbers of the samples that ship with the package."""

ROWS_AT_ONCE = 2**12
"""Rows that are copied together for a fingerprint."""

Where = Callable[[str, int], str]
"""Says where a value stands: (column, 0-based row) -> words for an error message."""


class InputError(ValueError):
    """What was asked for cannot be done; the message is one sentence for the user."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Sample:
    """n points (x, y) with optional weights.

    Attributes:
        x: inputs, shape (n,), any finite real numbers, in the user's unit.
        y: labels, shape (n,), in [0, 1]; values strictly between are soft labels, P(class 1).
        weight: weights >= 0, shape (n,), not all zero; None means that each point counts once.

    Raises:
        InputError: a column is not one-dimensional, not of real numbers, of another length than x,
            not finite, or outside its range. The sentence names the first offending value.
    """

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"] | None = None

    def __init__(self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> None:
        columns = {"x": x, "y": y} if weight is None else {"x": x, "y": y, "weight": weight}
        checked = _checked(columns, _element)
        object.__setattr__(self, "x", checked["x"])
        object.__setattr__(self, "y", checked["y"])
        object.__setattr__(self, "weight", checked.get("weight"))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Sample(n={len(self)}, weighted={self.weight is not None})"

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex, of the columns in their order: names the data."""
        return digest(self.x, self.y, self.weight)


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Batch:
    """n inputs of any one shape, with labels and optional weights, for a model of the user's own.

    Attributes:
        x: inputs, shape (n, ...), finite. Integers that int32 holds stay integers, so that they
            may index.
        y: labels, shape (n,), in [0, 1]; values strictly between are soft labels, P(class 1).
        weight: weights >= 0, shape (n,), not all zero; None means that each input counts once.

    Raises:
        InputError: as for a `Sample`, but that x may have any trailing shape.
    """

    x: Shaped[np.ndarray, "n ..."]
    y: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"] | None = None

    def __init__(self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> None:
        columns = {"y": y} if weight is None else {"y": y, "weight": weight}
        checked = _checked(columns, _element, _inputs(x))
        object.__setattr__(self, "x", checked["x"])
        object.__setattr__(self, "y", checked["y"])
        object.__setattr__(self, "weight", checked.get("weight"))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        shape = self.x.shape[1:]
        return f"Batch(n={len(self)}, shape={shape}, weighted={self.weight is not None})"

    @property
    def counted(self) -> bool:
        """Whether sums of masses are counts: hard labels without weights."""
        return self.weight is None and bool(np.all((self.y == 0) | (self.y == 1)))

    @property
    def total(self) -> int | float:
        """Sum of the weights: an int if there are none."""
        return len(self) if self.weight is None else float(np.sum(self.weight))

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex: that of a `Sample` of the same columns."""
        return digest(self.x, self.y, self.weight)


def digest(*columns: Shaped[np.ndarray, "n ..."] | None) -> str:
    """128-bit XXH3 digest, in hex, of columns in their order."""
    state = xxhash.xxh3_128()
    for column in columns:
        if column is None:
            state.update(b"none")
            continue
        if column.ndim > 1:
            state.update(repr(column.shape).encode())
        for start in range(0, len(column), ROWS_AT_ONCE):
            rows = column[start : start + ROWS_AT_ONCE]
            state.update(np.ascontiguousarray(rows, "<f8").data)
    return state.hexdigest()


def illustration(k: int) -> Sample:
    """The k-th published illustration: n = 5, 100 or 10000 points for k = 1, 2 or 3.

    Raises:
        InputError: k is not 1, 2 or 3.
    """
    if k not in ILLUSTRATIONS:
        raise InputError(f"there is no illustration {k!r}; the illustrations are 1, 2 and 3")
    source = resources.files("sweep") / "illustrations" / f"illustration{int(k)}.csv"
    with resources.as_file(source) as path:
        return load(path)


def load(
    path: str | os.PathLike[str], *, x: str = "x", y: str = "y", weight: str | None = None
) -> Sample:
    """Reads a sample from a file.

    Args:
        path: `.npy` (a structured array, or shape (n, 2) or (n, 3) in the order x, y, weight),
            `.npz` (one array per column), or else CSV with a header: `.tsv` if tabs
            separate its columns, `.gz` at the end if it is compressed.
        x: name of the column of inputs.
        y: name of the column of labels.
        weight: name of the column of weights; None takes a column `weight` if there is one.

    Raises:
        InputError: the file is missing, not of its kind, has no such column, no rows, or a value
            that a `Sample` refuses. Rows are counted from 1, without the header and empty lines.
    """
    path = Path(path)
    names = {"x": x, "y": y, "weight": "weight" if weight is None else weight}
    required = {"x", "y"} if weight is None else set(names)
    columns = _read(path, names, required)
    try:
        if len(columns["x"]) == 0:
            raise InputError("has no rows; at least one point is needed")
        return Sample(**_checked(columns, lambda role, row: f"{names[role]!r} in row {row + 1}"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(path: Path, names: Mapping[str, str], required: set[str]) -> dict[str, np.ndarray]:
    """The wanted columns of a file, by role; InputError says what is wrong with the file."""
    readers = {".npy": _read_npy, ".npz": _read_npz}
    try:
        table = readers.get(path.suffix.lower(), _read_csv)(path, set(names.values()))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, not a file of data") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    for role, name in names.items():
        if role in required and name not in table:
            there = ", ".join(repr(column) for column in table) or "none"
            hint = f"other names are given with --{role}, and commas separate columns"
            raise InputError(f"{path}: has no column {name!r}; its columns are {there} ({hint})")
    return {role: array for role, name in names.items() if (array := table.get(name)) is not None}


Table = dict[str, np.ndarray | None]
"""Every column of a file by name; None for those that were not asked for and not read."""


def _read_csv(path: Path, wanted: set[str]) -> Table:
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
        raise InputError(f"{path}: is empty; a CSV file with a header is needed") from None
    except pd.errors.ParserWarning:
        raise InputError(
            f"{path}: is not a CSV file (a row has more cells than the header)"
        ) from None
    except (EOFError, zlib.error):
        raise InputError(f"{path}: is a damaged gzip file") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is not a CSV file ({reason})") from None
    for name in wanted:
        count = 0 if header is None else int((header == name).to_numpy().sum())
        if count > 1:
            raise InputError(f"{path}: has {count} columns {name!r}; each needs a name of its own")
    names = [str(name) for name in frame.columns]
    return {name: frame[name].to_numpy() if name in wanted else None for name in names}


def _read_npy(path: Path, wanted: set[str]) -> Table:
    with path.open("rb") as file:
        if file.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
            raise InputError(f"{path}: is not an NPY file (a pickle is never loaded)")
    array = _array(lambda: np.load(path, allow_pickle=False), str(path))
    if array.dtype.names is not None:
        return {name: array[name] if name in wanted else None for name in array.dtype.names}
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise InputError(
            f"{path}: has shape {array.shape}; "
            "an array of shape (n, 2) or (n, 3) with columns x, y, weight is needed"
        )
    return dict(zip(("x", "y", "weight"), array.T, strict=False))


def _read_npz(path: Path, wanted: set[str]) -> Table:
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise InputError(f"{path}: is not an NPZ file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {
                name: _array(partial(archive.__getitem__, name), f"{path}: {name!r}")
                if name in wanted
                else None
                for name in archive.files
            }
    except (BadZipFile, zlib.error):
        raise InputError(f"{path}: is a damaged NPZ file") from None


def _array(read: Callable[[], np.ndarray], name: str) -> np.ndarray:
    """What `read` returns; `name` opens the message if NumPy cannot read it."""
    try:
        return read()
    except (ValueError, EOFError) as error:
        if "object array" in str(error).lower():
            raise InputError(f"{name} holds Python objects, which are never loaded") from None
        raise InputError(f"{name} is damaged: {error}") from None


def _element(column: str, row: int) -> str:
    return f"{column}[{row}]"


def _checked(
    columns: Mapping[str, ArrayLike],
    where: Where,
    inputs: Shaped[np.ndarray, "n ..."] | None = None,
) -> dict[str, np.ndarray]:
    """The columns as finite float64 arrays of one length, y in [0, 1], weights >= 0.

    Inputs of more dimensions than a column has are given apart, as numbers already.
    """
    checked = {} if inputs is None else {"x": inputs}
    checked |= {name: _real(name, values, where) for name, values in columns.items()}
    n = len(checked["x"])
    for name, values in checked.items():
        if len(values) != n:
            raise InputError(f"x has {n} values but {name} has {len(values)}; give one for each x")
        _refuse(~np.isfinite(values), name, values, "is not a finite number", where)
    y, weight = checked["y"], checked.get("weight")
    _refuse((y < 0) | (y > 1), "y", y, "is outside [0, 1]", where)
    if weight is not None:
        _refuse(weight < 0, "weight", weight, "is negative", where)
        if n and not weight.any():
            raise InputError("every weight is 0; at least one point must count")
        with np.errstate(over="ignore"):
            total = weight.sum()
        if not np.isfinite(total):
            raise InputError("the weights add up to infinity; scale them down")
    return checked


def _real(name: str, values: ArrayLike, where: Where) -> Float[np.ndarray, " n"]:
    array = _raw(name, values, "a one-dimensional array")
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}; a one-dimensional array is needed")
    if array.dtype.kind in "OUST":
        _refuse_objects(name, array, where)
    _require_numbers(name, array)
    return _read_only(array.astype(np.float64, copy=False))


def _inputs(values: ArrayLike) -> Shaped[np.ndarray, "n ..."]:
    array = _raw("x", values, "an array of shape (n, ...)")
    if array.ndim == 0:
        raise InputError(f"x is {array.item()!r}; an array of shape (n, ...) is needed")
    _require_numbers("x", array)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:  # which JAX would wrap to 4 bytes
        held = np.iinfo(np.int32)
        fits = np.min(array, initial=0) >= held.min and np.max(array, initial=0) <= held.max
        array = array.astype(np.int32 if fits else np.float64)
    return _read_only(array)


def _raw(name: str, values: ArrayLike, needed: str) -> Shaped[np.ndarray, " *shape"]:
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} is ragged; {needed} is needed") from None
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked values; leave these points out, or give them weight 0")
    return array


def _require_numbers(name: str, array: Shaped[np.ndarray, " *shape"]) -> None:
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {array.dtype}; real numbers are needed")


def _read_only(array: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, "n ..."]:
    """A view: nothing is copied, and nobody changes data under their fingerprint by it."""
    view = array.view()
    view.flags.writeable = False
    return view


def _refuse_objects(name: str, array: Shaped[np.ndarray, " n"], where: Where) -> NoReturn:
    """Names the first cell that is not a number, or the first one if all are."""
    cells = array.tolist()
    row = next((i for i, cell in enumerate(cells) if not _is_number(cell)), None)
    if row is not None:
        raise InputError(f"{where(name, row)} is {cells[row]!r}, which is not a number")
    first = f", such as {cells[0]!r}" if cells else ""
    raise InputError(f"{name} is an array of objects{first}; an array of numbers is needed")


def _is_number(cell: object) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, Real) and cell == cell  # nan is what an empty cell becomes
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # which Python reads, and nobody means


def _refuse(
    bad: np.ndarray, name: str, values: Shaped[np.ndarray, "n ..."], why: str, where: Where
) -> None:
    if bad.any():
        row, *inner = (int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
        value = repr(float(values[row, *inner])).removesuffix(".0")
        element = "".join(f"[{i}]" for i in inner)
        raise InputError(f"{where(name, row)}{element} is {value}, which {why}")
