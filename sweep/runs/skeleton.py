"""What Zarr makes of a store: metadata and coordinates, which follow from the work alone.

And from what the run was begun with, which stands in the attributes. No task changes any of it, so
that it can be made again and compared.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from jaxtyping import Shaped

from sweep.runs.directory import RunRecord
from sweep.runs.kind import StoreVariable, Work

LEVEL = 1
"""Of Zstandard: a higher one takes longer than many a landscape, and gains little."""


def encode(values: Shaped[np.ndarray, "*shape"], dtype: str = "float64") -> bytes:
    """The bytes of a chunk: those that Zarr would write."""
    from numcodecs.zstd import Zstd

    little = np.dtype(dtype).newbyteorder("<")
    return bytes(Zstd(level=LEVEL).encode(np.ascontiguousarray(values, little)))


def skeleton(work: Work, begun: RunRecord) -> dict[str, bytes]:
    """The files of the store that no task writes, by their path in it."""
    import zarr
    from zarr.storage import MemoryStore

    files: dict[str, Any] = {}
    memory = MemoryStore(files)
    # Consolidated metadata are not in the Zarr v3 specification, of which zarr warns, but without
    # them xarray.open_zarr warns the reader.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        group = zarr.create_group(memory, zarr_format=3, attributes=_attributes(work, begun))
        for name, (values, about) in work.coordinates().items():
            kind = "str" if values.dtype == object else str(values.dtype)
            whole = StoreVariable((name,), values.shape, values.shape, about, kind)
            _add(group, name, whole, None)[:] = values
        for name, variable in (*work.tables().items(), *work.variables().items()):
            _add(group, name, variable, math.nan)
        zarr.consolidate_metadata(memory, zarr_format=3)
    return {name: content.to_bytes() for name, content in files.items()}


def _add(group: Any, name: str, variable: StoreVariable, fill: float | None) -> Any:
    """Adds an array to a group; what is not written of it is the fill value."""
    from zarr.codecs import ZstdCodec

    return group.create_array(
        name,
        shape=variable.shape,
        chunks=variable.chunk,
        dtype=str if variable.dtype == "str" else np.dtype(variable.dtype),
        fill_value=fill,
        dimension_names=variable.dimensions,
        attributes=dict(variable.attributes),
        compressors=ZstdCodec(level=LEVEL),
        chunk_key_encoding={"name": "default", "separator": "."},  # a folder for each is slow
    )


def _attributes(work: Work, begun: RunRecord) -> dict[str, Any]:
    """Attributes of the store: what it was computed from, and by what."""
    data = {"data_fingerprints": list(begun.data)} if begun.data else {}
    return {
        "spec": begun.spec,
        "spec_fingerprint": begun.fingerprint,
        "device": begun.device,
        **work.attributes(),
        **{_version(name): text for name, text in begun.versions.items()},
        **data,
    }


def _version(name: str) -> str:
    """What the version of a distribution is called, and the digest of this one's code."""
    return "sweep_sources" if name == "sources" else f"{name}_version"
