"""Datasets on disk: complete ones as netCDF or Zarr, and Zarr stores written chunk by chunk.

Every output is staged (`sweep.base.files`): it appears at its destination when it is complete.
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
LEVEL = 0  # of Zstandard compression: the default of Zstandard and of Zarr


def save(dataset: xr.Dataset, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Writes a dataset that plain `xarray.open_dataset` or `xarray.open_zarr` reads unchanged.

    Args:
        dataset: what to write.
        path: destination; `.nc` makes a netCDF 4 file, `.zarr` a Zarr v3 directory.
        force: whether to overwrite what is there.

    Raises:
        InputError: the path has another suffix, or cannot be written.
    """
    require_format(path)
    with staged(path, force=force) as partial:
        if partial.suffix == ".nc":
            try:
                dataset.to_netcdf(partial, engine="netcdf4")
            except RuntimeError as error:  # netCDF4 reports a full disk this way, among others
                raise OSError(str(error)) from error
        else:
            with _without_consolidation_warning():
                dataset.to_zarr(partial, zarr_format=3, consolidated=True)


class StoredVariable(NamedTuple):
    """A variable of a Zarr store that is written chunk by chunk.

    Attributes:
        dims: names of the dimensions.
        dtype: dtype of the values.
        chunks: shape of a chunk.
        attributes: attributes of the variable.
    """

    dims: tuple[str, ...]
    dtype: np.dtype
    chunks: tuple[int, ...]
    attributes: dict[str, Any]

    @property
    def fill(self) -> float:
        """The value of cells that no chunk has written."""
        return math.nan if self.dtype.kind == "f" else 0

    def encoded(self, values: Shaped[np.ndarray, "*k"]) -> bytes:
        """The bytes of a chunk; values at the end of an axis may fill only a part of it."""
        from numcodecs.zstd import Zstd  # loads in 0.05 s, and only chunks need it

        chunk = np.full(self.chunks, self.fill, self.dtype.newbyteorder("<"))
        chunk[tuple(map(slice, values.shape))] = values
        return bytes(Zstd(LEVEL).encode(chunk))


class Chunks:
    """Variables of a Zarr store, written by a background thread while the caller computes.

    One thread writes all chunks, where zarr uses several: each thread would hold its own memory.
    """

    def __init__(self, path: Path, group: zarr.Group, writer: Executor) -> None:
        self._path, self._group, self._writer = path, group, writer
        self._variables: dict[str, StoredVariable] = {}
        self._writing: Future[None] | None = None

    def add(self, name: str, shape: tuple[int, ...], variable: StoredVariable) -> None:
        """Creates a variable without chunks."""
        from zarr.codecs import ZstdCodec  # zarr loads in a third of a second

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

    def write(self, index: tuple[int, ...], values: Mapping[str, Shaped[np.ndarray, "*k"]]) -> None:
        """Starts to write a chunk of every variable, after the previous chunk is on disk.

        Args:
            index: index of the chunk along each dimension.
            values: values by name of the variable.
        """
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
    """Opens a Zarr v3 store that may be larger than memory; it appears when the block ends.

    Args:
        path: destination with the suffix `.zarr`.
        coordinates: coordinates of all dimensions, which give their sizes.
        variables: variables by name.
        force: whether to overwrite what is there.

    Raises:
        InputError: the path has another suffix, or cannot be written.
    """
    require_zarr(path)
    # The writer closes before `staged` cleans up, so that no thread writes to removed files.
    with staged(path, force=force) as partial, ThreadPoolExecutor(1) as writer:
        import zarr  # loads in a third of a second, and only this function opens stores

        coordinates.to_zarr(partial, zarr_format=3, consolidated=False)
        chunks = Chunks(partial, zarr.open_group(partial, mode="r+"), writer)
        for name, variable in variables.items():
            shape = tuple(coordinates.sizes[dim] for dim in variable.dims)
            chunks.add(name, shape, variable)
        yield chunks
        chunks.wait()
        with _without_consolidation_warning():
            zarr.consolidate_metadata(partial)


@contextmanager
def _without_consolidation_warning() -> Iterator[None]:
    """Silences zarr about consolidated metadata, which Zarr v3 does not specify.

    Without such metadata `xarray.open_zarr` would warn every reader instead.
    """
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        yield


def require_format(path: str | os.PathLike[str]) -> None:
    """Rejects a path whose format `save` does not write.

    Raises:
        InputError: its suffix is not one of FORMATS.
    """
    if Path(path).suffix not in FORMATS:
        raise InputError(f"{path}: results are written as {' or '.join(FORMATS)}; use such a name")


def require_zarr(path: str | os.PathLike[str]) -> None:
    """Rejects a path that `open_chunked` cannot write.

    Raises:
        InputError: its suffix is not `.zarr`.
    """
    if Path(path).suffix != ".zarr":
        raise InputError(f"{path}: only a .zarr is written tile by tile; use such a name")
