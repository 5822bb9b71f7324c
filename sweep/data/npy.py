"""Arrays in NPY and NPZ files, read in blocks of rows.

The files are not mapped into memory: if another process truncates a mapped file, reading it kills
this process instead of raising an error, and its pages count as memory of this process.
"""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple, cast
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy

from sweep.base.errors import InputError
from sweep.data.columns import Choice, Header, Table, require_kind, require_single

READ_SIZE = 2**18  # bytes; archives hold each of their reads twice
AT_ONCE = 2**26  # largest number of bytes in a block, with all columns that must be read


class ArrayLayout(NamedTuple):
    """Position and order of an array in a file."""

    dtype: np.dtype  # of the elements, which may be records
    shape: tuple[int, ...]  # rows first
    fortran: bool  # whether the file stores column after column, rather than row after row
    start: int  # number of bytes before the array

    @property
    def columns(self) -> list[str]:
        """Names of the columns: the fields, or else x, y and perhaps weight."""
        if self.dtype.names is not None:
            if len(self.shape) != 1:
                raise InputError(f"has shape {self.shape}; a one-dimensional array is needed")
            return list(self.dtype.names)
        if len(self.shape) != 2 or self.shape[1] not in (2, 3):
            raise InputError(
                f"has shape {self.shape}; "
                "an array of shape (n, 2) or (n, 3) with columns x, y, weight is needed"
            )
        return ["x", "y", "weight"][: self.shape[1]]

    def block(self, file: BufferedIOBase, rows: range) -> Shaped[np.ndarray, "m ..."]:
        """Rows of the array, of which a file must hold all those before them."""
        shape = (len(rows), *self.shape[1:])
        if not self.fortran:
            return self._values(file, shape)
        columns = []
        for column in range(math.prod(shape[1:])):
            file.seek(self.start + (column * self.shape[0] + rows.start) * self.dtype.itemsize)
            columns.append(self._values(file, shape[:1]))
        return np.stack(columns, axis=-1).reshape(shape, order="F")

    def _values(
        self, file: BufferedIOBase, shape: tuple[int, ...]
    ) -> Shaped[np.ndarray, " *shape"]:
        """The next elements of a file."""
        values = np.empty(shape, self.dtype)
        unread = values.reshape(-1).view(np.uint8).data
        while unread:
            count = file.readinto(unread[:READ_SIZE])
            if not count:
                raise self.cut_off
            unread = unread[count:]
        return values

    @property
    def cut_off(self) -> InputError:
        """The error for a file that ends too early."""
        return InputError(f"is damaged: it ends before the last of its {self.shape[0]} rows")


def npy_header(path: Path, choice: Choice) -> Header:
    """Reads what an NPY file declares about the chosen columns."""
    with path.open("rb") as file:
        layout = _layout(file, path.stat().st_size)
    dtype, chosen = layout.dtype, tuple(choice(layout.columns))
    kinds = {name: dtype if dtype.names is None else dtype[name] for name in chosen}
    return Header(chosen, _types(kinds, layout.shape[0]), layout.shape[0])


def npy_batches(path: Path, choice: Choice, rows: int | None) -> Iterator[Table]:
    """Reads the chosen columns of an NPY file in batches of rows; None reads all at once."""
    with path.open("rb") as file:
        layout = _layout(file, path.stat().st_size)
        names, chosen = layout.columns, list(choice(layout.columns))
        if rows is not None:
            row_bytes = layout.dtype.itemsize * math.prod(layout.shape[1:])
            rows = max(1, min(rows, AT_ONCE // max(1, row_bytes)))
        for span in _spans(layout.shape[0], rows):
            values = layout.block(file, span)
            if layout.dtype.names is None:
                yield {name: values[:, names.index(name)] for name in chosen}
            else:
                yield {name: values[name] for name in chosen}


def npz_header(path: Path, choice: Choice) -> Header:
    """Reads what an NPZ file declares about the chosen columns, which are its arrays."""
    with _members(path, choice) as members:
        rows = _common_rows(members)
        kinds = {name: layout.dtype for name, (_, layout) in members.items()}
        return Header(tuple(members), _types(kinds, rows), rows)


def npz_batches(path: Path, choice: Choice, rows: int | None) -> Iterator[Table]:
    """Reads the chosen columns of an NPZ file in batches of rows; None reads all at once."""
    with _members(path, choice) as members:
        if rows is None:
            yield {
                name: layout.block(file, range(layout.shape[0]))
                for name, (file, layout) in members.items()
            }
            return
        for span in _spans(_common_rows(members), rows):
            yield {name: layout.block(file, span) for name, (file, layout) in members.items()}


def _spans(n: int, rows: int | None) -> Iterator[range]:
    """Consecutive spans of at most `rows` rows; None is one span, even of no rows."""
    if rows is None:
        return iter([range(n)])
    return (range(first, min(first + rows, n)) for first in range(0, n, rows))


def _layout(file: BufferedIOBase, size: int) -> ArrayLayout:
    """Reads the header at the beginning of a file of `size` bytes."""
    if file.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
        raise InputError("is not an NPY file (a pickle is never loaded)")
    version = tuple(file.read(2))
    try:
        dtype, shape, fortran = _read_header(file, version)
    except (ValueError, UnicodeError) as error:
        raise InputError(f"is damaged: {' '.join(str(error).split())}") from None
    if dtype.hasobject:
        raise InputError("holds Python objects, which are never loaded")
    if not shape:
        raise InputError("has shape (); an array with a row for each point is needed")
    layout = ArrayLayout(dtype, shape, fortran, file.tell())
    if layout.start + dtype.itemsize * math.prod(shape) > size:
        raise layout.cut_off
    return layout


def _read_header(
    file: BufferedIOBase, version: tuple[int, ...]
) -> tuple[np.dtype, tuple[int, ...], bool]:
    if version == (1, 0):
        shape, fortran, dtype = npy.read_array_header_1_0(file)
    elif version in ((2, 0), (3, 0)):
        shape, fortran, dtype = npy.read_array_header_2_0(file)
    else:
        raise ValueError("its NPY version is unknown")
    if version == (3, 0) and dtype.names is not None:  # version 2 with names in UTF-8
        dtype.names = tuple(name.encode("latin-1").decode() for name in dtype.names)
    return dtype, shape, fortran


def _types(kinds: Mapping[str, np.dtype], rows: int) -> dict[str, str]:
    """Names of real dtypes, regardless of byte order; InputError for other dtypes."""
    if rows == 0:
        return {}
    for name, dtype in kinds.items():
        if dtype.shape:
            raise InputError(f"{name!r} has {dtype.shape} values in a row; one is needed")
        require_kind(repr(name), np.empty(0, dtype))
    return {name: dtype.newbyteorder("=").name for name, dtype in kinds.items()}


Members = dict[str, tuple[BufferedIOBase, ArrayLayout]]
"""Open arrays of an archive, positioned after their headers, by column."""


@contextmanager
def _members(path: Path, choice: Choice) -> Iterator[Members]:
    """Opens the chosen arrays of an archive; what `zipfile` cannot read is an `InputError`."""
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise InputError("is not an NPZ file, or a damaged one")
        try:
            with ZipFile(file) as archive, ExitStack() as stack:
                names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
                chosen = list(choice(names))
                require_single(chosen, names)
                yield {name: _member(archive, name, stack) for name in chosen}
        except (BadZipFile, zlib.error, EOFError, lzma.LZMAError):
            raise InputError("is a damaged NPZ file") from None
        except (NotImplementedError, RuntimeError) as error:  # unknown compression, or encrypted
            raise InputError(f"is an NPZ file that cannot be read ({error})") from None


def _member(archive: ZipFile, name: str, stack: ExitStack) -> tuple[BufferedIOBase, ArrayLayout]:
    info = archive.getinfo(f"{name}.npy")
    file = cast(BufferedIOBase, stack.enter_context(archive.open(info)))
    try:
        return file, _layout(file, info.file_size)
    except InputError as error:
        raise InputError(f"{name!r} {error}") from None


def _common_rows(members: Members) -> int:
    """The number of rows that all arrays have, each of one dimension."""
    for name, (_, layout) in members.items():
        if len(layout.shape) != 1:
            raise InputError(
                f"{name!r} has shape {layout.shape}; a one-dimensional array is needed"
            )
    (first, rows), *others = [(name, layout.shape[0]) for name, (_, layout) in members.items()]
    for name, n in others:
        if n != rows:
            raise InputError(f"{first!r} has {rows} values but {name!r} has {n}")
    return rows
