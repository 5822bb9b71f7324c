"""What Zarr makes of a store: metadata and coordinates, which follow from the spec alone.

And from what the run was begun with, which stands in the attributes. No task changes any of it, so
that it can be made again and compared.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from sweep.losses import Counting, metric
from sweep.runs.directory import Begun
from sweep.runs.spec import Spec
from sweep.runs.tables import tables

LEVEL = 1
"""Of Zstandard: a higher one takes longer than many a landscape, and gains little."""

COORDINATES = {
    "population": {"long_name": "law of (x, y)"},
    "data": {"long_name": "file of data"},
    "n": {"units": "count", "long_name": "points n of a sample; inf is the law itself"},
    "seed": {"long_name": "seed of a sample"},
    "a": {"units": "1 / unit of x", "long_name": "slope a"},
    "b": {"units": "1", "long_name": "intercept b"},
}
"""Attributes of each."""


def outer(spec: Spec) -> tuple[int, ...]:
    """Shape of a table: that of a metric without a and b."""
    return tuple(map(len, spec.coordinates.values()))


def tile(spec: Spec) -> tuple[int, int]:
    """Cells of a chunk along a and along b."""
    rows, columns = spec.grid.shape
    return min(rows, spec.tile), min(columns, spec.tile)


def encode(values: Float[np.ndarray, "*shape"]) -> bytes:
    """The bytes of a chunk: those that Zarr would write."""
    from numcodecs.zstd import Zstd

    return bytes(Zstd(level=LEVEL).encode(np.ascontiguousarray(values, "<f8")))


def skeleton(spec: Spec, begun: Begun) -> dict[str, bytes]:
    """The files of the store that no task writes, by their path in it."""
    import zarr
    from zarr.storage import MemoryStore

    files: dict[str, Any] = {}
    memory = MemoryStore(files)
    # Consolidated metadata are not in the Zarr v3 specification, of which zarr warns, but without
    # them xarray.open_zarr warns the reader.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        group = zarr.create_group(memory, zarr_format=3, attributes=_attributes(spec, begun))
        for name, values in _coordinates(spec).items():
            _add(group, name, (name,), values.shape, values.shape, COORDINATES[name], values)
        names, shape = tuple(spec.coordinates), outer(spec)
        for name, table in tables(spec.optimum).items():
            _add(group, name, names, shape, shape, table.attributes)
        chunk = (1,) * len(shape) + tile(spec)
        for name in spec.metrics:
            _add(group, name, (*names, "a", "b"), shape + spec.grid.shape, chunk, _described(name))
        zarr.consolidate_metadata(memory, zarr_format=3)
    return {name: content.to_bytes() for name, content in files.items()}


def _add(
    group: Any,
    name: str,
    dimensions: tuple[str, ...],
    shape: tuple[int, ...],
    chunk: tuple[int, ...],
    attributes: Mapping[str, Any],
    values: Shaped[np.ndarray, " n"] | None = None,
) -> None:
    """Adds an array to a group: of float64 and not computed yet, or of values."""
    from zarr.codecs import ZstdCodec

    kind: Any = np.float64 if values is None else str if values.dtype == object else values.dtype
    array = group.create_array(
        name,
        shape=shape,
        chunks=chunk,
        dtype=kind,
        fill_value=math.nan if values is None else None,
        dimension_names=dimensions,
        attributes=dict(attributes),
        compressors=ZstdCodec(level=LEVEL),
        chunk_key_encoding={"name": "default", "separator": "."},  # a folder for each is slow
    )
    if values is not None:
        array[:] = values


def _coordinates(spec: Spec) -> dict[str, Shaped[np.ndarray, " n"]]:
    """Coordinates by dimension; texts as objects, numbers as int64 if all are whole."""
    found = {}
    for name, values in spec.coordinates.items():
        text = isinstance(values[0], str)
        whole = all(isinstance(value, int) for value in values)
        found[name] = np.array(values, object if text else np.int64 if whole else np.float64)
    return found | {"a": spec.grid.a, "b": spec.grid.b}


def _described(name: str) -> dict[str, str]:
    """Attributes of a metric, as those of `sweep.landscape`."""
    found = metric(name)
    return {
        "units": found.units,
        "long_name": found.long_name,
        "source": found.source,
        "kind": "counting" if isinstance(found, Counting) else "smooth",
    }


def _attributes(spec: Spec, begun: Begun) -> dict[str, Any]:
    """Attributes of the store: what it was computed from, and by what."""
    data = {"data_fingerprints": list(begun.data)} if spec.of_data else {}
    return {
        "spec": begun.spec,
        "spec_fingerprint": begun.fingerprint,
        "device": begun.device,
        "tolerance": spec.tolerance,
        **{_version(name): text for name, text in begun.versions.items()},
        **data,
    }


def _version(name: str) -> str:
    """What the version of a distribution is called, and the digest of this one's code."""
    return "sweep_sources" if name == "sources" else f"{name}_version"
