"""Results on disk: datasets as netCDF or Zarr, and outputs that appear whole or not at all.

Whatever is written goes to a hidden neighbour of its destination first and is moved into place
when it is complete: an error, a full disk or Ctrl-C leaves what was there before.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.data import InputError

if TYPE_CHECKING:
    import xarray as xr

FORMATS = (".nc", ".zarr")
"""Suffixes of the formats that `save` writes."""


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
            # Consolidated metadata are not in the Zarr v3 specification, of which zarr warns, but
            # without them xarray.open_zarr warns the reader.
            with warnings.catch_warnings(action="ignore", category=UserWarning):
                dataset.to_zarr(partial, zarr_format=3, consolidated=True)


def require_format(path: str | os.PathLike[str]) -> None:
    """Refuses a path that `save` has no format for.

    Raises:
        InputError: its suffix is not one of FORMATS.
    """
    if Path(path).suffix not in FORMATS:
        raise InputError(f"{path}: results are written as {' or '.join(FORMATS)}; use such a name")


def require_free(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Refuses a destination that could not be written, before anything is computed for it.

    Raises:
        InputError: something is there and `force` is not given, or it is a directory other than a
            Zarr store; or its own directory does not exist, is not one, or is not writable.
    """
    path = _target(path)
    if path.exists() and not force:
        raise InputError(f"{path}: exists already; it is overwritten only with --force")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: is neither a file nor a directory and stays as it is")
    if path.is_dir() and not (path.suffix == ".zarr" and (path / "zarr.json").is_file()):
        raise InputError(f"{path}: is a directory and stays as it is; choose another name")
    parent = path.parent
    if not parent.exists():
        raise InputError(f"{path}: cannot be written because there is no directory {parent}")
    if not parent.is_dir():
        raise InputError(f"{path}: cannot be written because {parent} is not a directory")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{path}: cannot be written because {parent} is read-only")


@contextmanager
def staged(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """A path of the same suffix to write to, moved to `path` once the block has succeeded.

    Raises:
        InputError: the destination is not free, or writing failed; nothing is left behind.
    """
    path = _target(path)
    require_free(path, force=force)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    former = path.with_name(f".{path.stem}.{os.getpid()}.former{path.suffix}")
    try:
        yield partial
        # Nothing replaces a directory, nor a directory anything, in one step.
        if path.is_dir() or (partial.is_dir() and path.exists()):
            os.replace(path, former)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        if former.exists() and not path.exists():
            os.replace(former, path)
        _remove(partial)
        _remove(former)


def _target(path: str | os.PathLike[str]) -> Path:
    """The path, or what it links to: a link is written through."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
