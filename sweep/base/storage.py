"""Results on disk: datasets as netCDF or Zarr, and outputs that appear whole or not at all.

Whatever is written goes to a hidden neighbour of its destination first and is moved into place
when it is complete: an error, a full disk or Ctrl-C leaves what was there before.
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

if TYPE_CHECKING:
    import xarray as xr
    import zarr

FORMATS = (".nc", ".zarr")
"""Suffixes of the formats that `save` writes."""

LEVEL = 0
"""Of Zstandard's compression: its default, and Zarr's."""


def save(dataset: xr.Dataset, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Writes a dataset that plain `xarray.open_dataset` or `xarray.open_zarr` reads unchanged.

    Args:
        dataset: what to write.
        path: where; `.nc` is netCDF 4, `.zarr` a Zarr v3 directory.
        force: overwrites what is there.

    Raises:
        InputError: the suffix is neither, or the destination cannot be written.
    """
    require_format(path)
    with staged(path, force=force) as partial:
        if partial.suffix == ".nc":
            try:
                dataset.to_netcdf(partial, engine="netcdf4")
            except RuntimeError as error:  # so netCDF4 reports a full disk, among others
                raise OSError(str(error)) from error
        else:
            with _consolidating():
                dataset.to_zarr(partial, zarr_format=3, consolidated=True)


class StoredVariable(NamedTuple):
    """A variable of a Zarr store that is written chunk by chunk.

    Attributes:
        dims: names of its dimensions.
        dtype: of its values.
        chunks: shape of its chunks.
        attributes: of the variable.
    """

    dims: tuple[str, ...]
    dtype: np.dtype
    chunks: tuple[int, ...]
    attributes: dict[str, Any]

    @property
    def fill(self) -> float:
        """What stands where nothing is."""
        return math.nan if self.dtype.kind == "f" else 0

    def encoded(self, values: Shaped[np.ndarray, "*k"]) -> bytes:
        """The bytes of a chunk; at the end of an axis there may be less than one."""
        from numcodecs.zstd import Zstd

        whole = np.full(self.chunks, self.fill, self.dtype.newbyteorder("<"))
        whole[tuple(map(slice, values.shape))] = values
        return bytes(Zstd(LEVEL).encode(whole))


class Chunks:
    """Variables on disk, written by a thread of its own while the next chunks are computed.

    It is one thread, where zarr takes several: each would keep memory of its own.
    """

    def __init__(self, path: Path, group: zarr.Group, writer: Executor) -> None:
        self._path, self._group, self._writer = path, group, writer
        self._variables: dict[str, StoredVariable] = {}
        self._writing: Future[None] | None = None

    def add(self, name: str, shape: tuple[int, ...], variable: StoredVariable) -> None:
        """Makes a variable, of which nothing is written yet."""
        from zarr.codecs import ZstdCodec

        self._variables[name] = variable
        self._group.create_array(
            name,
            shape=shape,
            dtype=variable.dtype,
            chunks=variable.chunks,
            compressors=ZstdCodec(level=LEVEL),
            fill_value=variable.fill,
            dimension_names=variable.dims,
            attributes=variable.attributes,
        )

    def write(self, place: tuple[int, ...], values: Mapping[str, Shaped[np.ndarray, "*k"]]) -> None:
        """Begins to write a chunk of every variable, once those before are on disk.

        Args:
            place: numbers of the chunk along the dimensions.
            values: by name.
        """
        self.wait()
        self._writing = self._writer.submit(self._write, place, values)

    def wait(self) -> None:
        """Returns when everything is on disk."""
        if self._writing is not None:
            self._writing.result()

    def describe(self, attributes: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        """Adds attributes of the whole, and of variables by name."""
        self._group.attrs.update(attributes)
        for name, found in variables.items():
            self._group[name].attrs.update(found)

    def _write(
        self, place: tuple[int, ...], values: Mapping[str, Shaped[np.ndarray, "*k"]]
    ) -> None:
        for name, array in values.items():
            path = self._path.joinpath(name, "c", *map(str, place))
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
    """A Zarr v3 store like those of `save`, larger than memory; it is there when the block ends.

    Args:
        path: where; its suffix is `.zarr`.
        coordinates: of the dimensions, with their sizes.
        variables: by name.
        force: overwrites what is there.

    Raises:
        InputError: it has another suffix, or the destination cannot be written.
    """
    require_zarr(path)
    # The writer ends before what is staged is removed: nothing is written behind its back.
    with staged(path, force=force) as partial, ThreadPoolExecutor(1) as writer:
        import zarr

        coordinates.to_zarr(partial, zarr_format=3, consolidated=False)
        chunks = Chunks(partial, zarr.open_group(partial, mode="r+"), writer)
        for name, variable in variables.items():
            shape = tuple(coordinates.sizes[dim] for dim in variable.dims)
            chunks.add(name, shape, variable)
        yield chunks
        chunks.wait()
        with _consolidating():
            zarr.consolidate_metadata(partial)


@contextmanager
def _consolidating() -> Iterator[None]:
    """Where metadata are consolidated.

    That is not in the Zarr v3 specification, of which zarr warns, but without it xarray.open_zarr
    warns the reader.
    """
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        yield


def require_format(path: str | os.PathLike[str]) -> None:
    """Refuses a path that `save` has no format for.

    Raises:
        InputError: its suffix is not one of FORMATS.
    """
    if Path(path).suffix not in FORMATS:
        raise InputError(f"{path}: results are written as {' or '.join(FORMATS)}; use such a name")


def require_zarr(path: str | os.PathLike[str]) -> None:
    """Refuses a path that `open_chunked` has no format for.

    Raises:
        InputError: its suffix is not `.zarr`.
    """
    if Path(path).suffix != ".zarr":
        raise InputError(f"{path}: only a .zarr is written tile by tile; use such a name")
