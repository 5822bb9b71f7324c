"""Datasets on disk: complete ones as netCDF or Zarr, and Zarr stores written chunk by chunk.

Zarr makes the metadata. Chunks are encoded here, to the bytes that Zarr would write: its own way
through several threads takes 2.3 times as long for a chunk of 500 x 500 cells, and more memory.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.files import staged

if TYPE_CHECKING:  # for annotations only: both load slowly, and only writing needs them
    import xarray as xr
    import zarr

FORMATS = (".nc", ".zarr")  # suffixes of the formats that `save` writes
LEVEL = 1  # of Zstandard; a higher one takes longer than many a landscape, and gains little


def save(dataset: xr.Dataset, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Writes a dataset that plain `xarray.open_dataset` or `xarray.open_zarr` reads unchanged."""
    require_format(path)
    with staged(path, force=force) as partial:
        if partial.suffix == ".nc":
            try:
                dataset.to_netcdf(partial, engine="netcdf4")
            except RuntimeError as error:  # netCDF4 reports a full disk this way, among others
                raise OSError(str(error)) from error
        else:
            with warnings.catch_warnings(
                action="ignore", category=UserWarning
            ):  # see `consolidate`
                dataset.to_zarr(partial, zarr_format=3, consolidated=True)


class StoredVariable(NamedTuple):
    """An array of a Zarr store that is written chunk by chunk."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]  # shape of a chunk
    attributes: Mapping[str, Any]
    dtype: Any = np.dtype("f8")  # or `str`, for texts

    def create(self, group: zarr.Group, name: str, separator: str = "/") -> zarr.Array[Any]:
        """Adds the array to a group, without chunks: its cells are nan, 0 or empty.

        The file of the chunk (0, 1) is c/0/1 by default, in folders; with another separator c.0.1.
        """
        from zarr.codecs import ZstdCodec  # zarr loads in a third of a second

        return group.create_array(
            name,
            shape=self.shape,
            dtype=self.dtype,
            chunks=self.chunks,
            compressors=ZstdCodec(level=LEVEL),
            fill_value=None if self.dtype is str else self._fill,
            dimension_names=self.dims,
            attributes=dict(self.attributes),
            chunk_key_encoding={"name": "default", "separator": separator},
        )

    def encoded(self, values: Shaped[np.ndarray, "*k"]) -> bytes:
        """The bytes of a chunk; at the end of an axis there may be fewer values than cells."""
        from numcodecs.zstd import Zstd  # loads in 0.05 s, and only chunks need it

        little_endian = np.dtype(self.dtype).newbyteorder("<")
        values = values.reshape((1,) * (len(self.chunks) - values.ndim) + values.shape)
        if values.shape == self.chunks:
            chunk = np.ascontiguousarray(values, little_endian)
        else:
            chunk = np.full(self.chunks, self._fill, little_endian)
            chunk[tuple(map(slice, values.shape))] = values
        return bytes(Zstd(LEVEL).encode(chunk))

    @property
    def _fill(self) -> float:
        return math.nan if np.dtype(self.dtype).kind == "f" else 0


def consolidate(store: Any) -> None:
    """Adds the metadata of all arrays of a store to those of its group.

    Zarr warns that its third format does not specify them, but without them `xarray.open_zarr`
    warns every reader.
    """
    import zarr  # loads in a third of a second

    with warnings.catch_warnings(action="ignore", category=UserWarning):
        zarr.consolidate_metadata(store, zarr_format=3)


class Chunks:
    """Variables of a Zarr store, written by a background thread while the caller computes."""

    def __init__(
        self,
        path: Path,
        group: zarr.Group,
        variables: Mapping[str, StoredVariable],
        writer: Executor,
    ) -> None:
        self._path, self._group, self._variables, self._writer = path, group, variables, writer
        self._writing: Future[None] | None = None

    def write(self, index: tuple[int, ...], values: Mapping[str, Shaped[np.ndarray, "*k"]]) -> None:
        """Starts to write a chunk of every variable, after the previous chunk is on disk."""
        self.wait()
        self._writing = self._writer.submit(self._write, index, values)

    def wait(self) -> None:
        """Returns when everything is on disk."""
        if self._writing is not None:
            self._writing.result()

    def describe(self, attributes: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        """Adds attributes of the store, and of variables by name."""
        self._group.attrs.update(attributes)
        for name, added in variables.items():
            self._group[name].attrs.update(added)

    def _write(
        self, index: tuple[int, ...], values: Mapping[str, Shaped[np.ndarray, "*k"]]
    ) -> None:
        for name, array in values.items():
            path = self._path.joinpath(name, "c", *map(str, index))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._variables[name].encoded(array))


@contextmanager
def open_chunked(
    path: str | os.PathLike[str],
    coordinates: xr.Dataset,
    variables: Mapping[str, StoredVariable],
    *,
    force: bool = False,
) -> Iterator[Chunks]:
    """Opens a Zarr v3 store that may be larger than memory; it appears when the block ends."""
    require_zarr(path)
    # The writer closes before `staged` cleans up, so that no thread writes to removed files.
    with staged(path, force=force) as partial, ThreadPoolExecutor(1) as writer:
        import zarr  # loads in a third of a second

        coordinates.to_zarr(partial, zarr_format=3, consolidated=False)
        group = zarr.open_group(partial, mode="r+")
        for name, variable in variables.items():
            variable.create(group, name)
        chunks = Chunks(partial, group, variables, writer)
        yield chunks
        chunks.wait()
        consolidate(partial)


def require_format(path: str | os.PathLike[str]) -> None:
    """Rejects a path whose format `save` does not write."""
    if Path(path).suffix not in FORMATS:
        raise InputError(f"{path}: results are written as {' or '.join(FORMATS)}; use such a name")


def require_zarr(path: str | os.PathLike[str]) -> None:
    """Rejects a path that `open_chunked` cannot write."""
    if Path(path).suffix != ".zarr":
        raise InputError(f"{path}: only a .zarr is written tile by tile; use such a name")
