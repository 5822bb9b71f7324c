"""Arrays in NPY and NPZ files, read in blocks of rows.

The files are not mapped into memory: if another process truncates a mapped file, reading it kills
this process instead of raising an error, and its pages count as memory of this process.
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple, cast
from zipfile import ZipFile

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy

from sweep.base.errors import InputError
from sweep.data.columns import require_kind
from sweep.data.tables import (
    Choice,
    Header,
    Table,
    npy_columns,
    npz_errors,
    require_npy,
    require_npz,
    require_single,
)

AT_ONCE = 2**26  # largest number of bytes in a block, with all columns that must be read


class ArrayLayout(NamedTuple):
    """Position and order of an array in a file.

    Attributes:
        dtype: dtype of the elements, which may be records.
        shape: shape of the array, rows first.
        fortran: whether the file stores column after column, rather than row after row.
        start: number of bytes before the array.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def end(self) -> int:
        """Number of bytes up to the end of the array."""
        return self.start + self.dtype.itemsize * math.prod(self.shape)


def npy_header(path: Path, choice: Choice) -> Header:
    """Reads what an NPY file declares about the chosen columns.

    Raises:
        InputError: the file is not an NPY file, is cut off, has no columns, or the choice raises
            it.
    """
    with path.open("rb") as file:
        layout = _layout(file, path.stat().st_size)
    return _npy_header(layout, choice)


def npy_batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    """Reads the chosen columns of an NPY file in batches of at most `rows` rows.

    Raises:
        InputError: as `npy_header`.
    """
    with path.open("rb") as file:
        layout = _layout(file, path.stat().st_size)
        names = _npy_header(layout, choice).columns
        read = _columns if layout.fortran else _records
        for block in _spans(layout.shape[0], _rows_at_once(rows, layout)):
            yield read(file, layout, names, block)


def npz_header(path: Path, choice: Choice) -> Header:
    """Reads what an NPZ file declares about the chosen columns, which are its arrays.

    Raises:
        InputError: the file is not an NPZ file, is damaged or encrypted, an array is not
            one-dimensional, the arrays differ in length, or the choice raises it.
    """
    require_npz(path)
    with _archive_errors(), ZipFile(path) as archive, ExitStack() as stack:
        return _npz_header(_members(archive, choice, stack))


def npz_batches(path: Path, choice: Choice, rows: int) -> Iterator[Table]:
    """Reads the chosen columns of an NPZ file in batches of at most `rows` rows.

    Raises:
        InputError: as `npz_header`.
    """
    require_npz(path)
    with _archive_errors(), ZipFile(path) as archive, ExitStack() as stack:
        members = _members(archive, choice, stack)
        for block in _spans(_npz_header(members).rows or 0, rows):
            yield {name: _block(*member, len(block)) for name, member in members.items()}


def _spans(n: int, rows: int) -> Iterator[range]:
    return (range(first, min(first + rows, n)) for first in range(0, n, rows))


def _rows_at_once(rows: int, layout: ArrayLayout) -> int:
    row_bytes = layout.dtype.itemsize * math.prod(layout.shape[1:])
    return max(1, min(rows, AT_ONCE // max(1, row_bytes)))


def _layout(file: BufferedIOBase, size: int) -> ArrayLayout:
    """Reads the header at the beginning of a file of `size` bytes."""
    require_npy(file.read(len(npy.MAGIC_PREFIX)))
    version = tuple(file.read(2))
    try:
        dtype, shape, fortran = _read_header(file, version)
    except (ValueError, UnicodeError) as error:
        raise InputError(f"is damaged: {' '.join(str(error).split())}") from None
    if dtype.hasobject:
        raise InputError("holds Python objects, which are never loaded")
    layout = ArrayLayout(dtype, shape, fortran, file.tell())
    if layout.end > size:
        raise _cut_off(layout)
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


def _cut_off(layout: ArrayLayout) -> InputError:
    return InputError(f"is damaged: it ends before the last of its {layout.shape[0]} rows")


def _npy_header(layout: ArrayLayout, choice: Choice) -> Header:
    dtype, shape = layout.dtype, layout.shape
    names = npy_columns(dtype, shape)
    if dtype.names is not None and len(shape) != 1:
        raise InputError(f"has shape {shape}; a one-dimensional array of records is needed")
    chosen = tuple(choice(names))
    kinds = {name: dtype if dtype.names is None else dtype[name] for name in chosen}
    return Header(chosen, _types(kinds, shape[0]), shape[0])


def _types(kinds: Mapping[str, np.dtype], rows: int) -> dict[str, str]:
    """Names of real dtypes, regardless of byte order; InputError for other dtypes."""
    if rows == 0:
        return {}
    for name, dtype in kinds.items():
        if dtype.shape:
            raise InputError(f"{name!r} has {dtype.shape} values in a row; one is needed")
        require_kind(repr(name), np.empty(0, dtype))
    return {name: dtype.newbyteorder("=").name for name, dtype in kinds.items()}


def _records(
    file: BufferedIOBase, layout: ArrayLayout, names: tuple[str, ...], block: range
) -> Table:
    """Columns of the next rows, from an array that the file stores row after row."""
    rows = _block(file, layout, len(block))
    if layout.dtype.names is not None:
        return {name: rows[name] for name in names}
    columns = npy_columns(layout.dtype, layout.shape)
    return {name: rows[:, columns.index(name)] for name in names}


def _columns(
    file: BufferedIOBase, layout: ArrayLayout, names: tuple[str, ...], block: range
) -> Table:
    """Columns of a block of rows, from an array that the file stores column after column."""
    columns = npy_columns(layout.dtype, layout.shape)
    table: Table = {}
    for name in names:
        element = columns.index(name) * layout.shape[0] + block.start
        file.seek(layout.start + element * layout.dtype.itemsize)
        table[name] = _block(file, layout._replace(shape=layout.shape[:1]), len(block))
    return table


def _block(file: BufferedIOBase, layout: ArrayLayout, rows: int) -> Shaped[np.ndarray, "m ..."]:
    """The next rows of an array; InputError if the file ends before them."""
    values = np.empty((rows, *layout.shape[1:]), layout.dtype)
    unread = values.reshape(-1).view(np.uint8).data
    while unread:
        count = file.readinto(unread)
        if not count:
            raise _cut_off(layout)
        unread = unread[count:]
    return values


Members = dict[str, tuple[BufferedIOBase, ArrayLayout]]
"""Open arrays of an archive, positioned after their headers, by column."""


def _members(archive: ZipFile, choice: Choice, stack: ExitStack) -> Members:
    files = [name for name in archive.namelist() if name.endswith(".npy")]
    names = [name.removesuffix(".npy") for name in files]
    chosen = list(choice(names))
    require_single(chosen, names)
    members: Members = {}
    for name in chosen:
        info = archive.getinfo(f"{name}.npy")
        file = cast(BufferedIOBase, stack.enter_context(archive.open(info)))
        try:
            members[name] = file, _layout(file, info.file_size)
        except InputError as error:
            raise InputError(f"{name!r} {error}") from None
    return members


def _npz_header(members: Members) -> Header:
    layouts = {name: layout for name, (_, layout) in members.items()}
    for name, layout in layouts.items():
        if len(layout.shape) != 1:
            raise InputError(
                f"{name!r} has shape {layout.shape}; a one-dimensional array is needed"
            )
    (first, rows), *others = [(name, layout.shape[0]) for name, layout in layouts.items()]
    for name, n in others:
        if n != rows:
            raise InputError(f"{first!r} has {rows} values but {name!r} has {n}")
    kinds = {name: layout.dtype for name, layout in layouts.items()}
    return Header(tuple(layouts), _types(kinds, rows), rows)


@contextmanager
def _archive_errors() -> Iterator[None]:
    """Turns what `zipfile` cannot read in the block into an `InputError`."""
    try:
        with npz_errors():
            yield
    except (EOFError, lzma.LZMAError):
        raise InputError("is a damaged NPZ file") from None
    except (NotImplementedError, RuntimeError) as error:  # unknown compression, or encrypted
        raise InputError(f"is an NPZ file that cannot be read ({error})") from None
