"""Archive: sketches on disk, one file each, written completely or not at all.

A file is two lines of text and then bytes:

    sweep sketch 1 5dd61b35c1e9d3e5e6f2b1b0f6f3a4c8      the version, and XXH3 of all that follows
    {"arrays": {"a": [[101], 64], ...}, ...}             everything but arrays, and their sizes
    ...                                                  the arrays, one after the other

Arrays are little-endian and deflated, all first bytes of their numbers before all second bytes,
which makes counts short. A file has no time and no path of its own, so equal sketches give equal
files. It holds only numbers and text, so reading it runs no code from it. The edges between which
points are counted are not stored, because the grid and the lattice determine them.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.files import staged, system_errors
from sweep.base.grid import Grid
from sweep.measure.compression.lattice import MOMENTS, Lattice
from sweep.measure.sketch.exact_sums import ExactSums
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch, SketchPart

SUFFIX = ".sketch"  # of file names
VERSION = 1  # of the format; a change that older code would misread, or that moves edges, raises it
MAGIC = b"sweep sketch "  # the start of every file
FIRST_LINE = len(MAGIC) + 64  # bytes that are enough for the first line of any version
LEVEL = 6  # of zlib


def write(sketch: Sketch, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Writes a sketch; equal sketches give equal files.

    Args:
        sketch: the sketch.
        path: the file.
        force: whether to overwrite an existing file.

    Raises:
        InputError: the file exists, or cannot be written.
    """
    arrays = {name: _packed(array) for name, array in _arrays(sketch).items()}
    sizes = {
        name: [list(array.shape), len(arrays[name])] for name, array in _arrays(sketch).items()
    }
    schema = sketch.schema
    header = {
        "arrays": sizes,
        "counted": sketch.counted,
        "ends": schema.ends,
        "lattice": asdict(schema.lattice),
        "metrics": schema.metrics,
        "parts": sketch.parts,
        "pieces": sketch.pieces,
        "tolerance": float(schema.tolerance),
    }
    content = [json.dumps(header).encode() + b"\n", *arrays.values()]
    with staged(path, force=force) as partial, partial.open("wb") as file:
        file.write(MAGIC + f"{VERSION} {_checksum(content)}\n".encode())
        file.writelines(content)


def read(path: str | os.PathLike[str]) -> Sketch:
    """The sketch in a file.

    Args:
        path: the file.

    Raises:
        InputError: the file does not exist, is not a sketch, is of another version, or is damaged.
    """
    path = Path(path)
    with system_errors(path, "read"), path.open("rb") as file:
        checksum = _require_version(path, file)
        rest = file.read()
    if _checksum([rest]) != checksum:
        raise _damaged(path)
    header, _, body = rest.partition(b"\n")
    try:
        return _sketch(json.loads(header), memoryview(body))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error):
        raise _damaged(path) from None


def holds_sketch(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a sketch, by its suffix or else by its first bytes."""
    path = Path(path)
    if path.suffix == SUFFIX:
        return True
    if not path.is_file():  # bytes that are read from a pipe would be lost
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def merged(paths: Iterable[str | os.PathLike[str]]) -> Sketch:
    """The sketch of all the data in some files, which are read one by one.

    Args:
        paths: at least one file.

    Raises:
        InputError: a file cannot be read, or two cannot be merged: their schemas differ, or the
            same part of the data is in both. The message names both.
    """
    files = iter(map(Path, paths))
    first = next(files)
    total = read(first)
    sources = {part.fingerprint: (part, first) for part in total.parts}
    for path in files:
        sketch = read(path)
        difference = sketch.schema.difference(total.schema)
        if difference:
            raise InputError(
                f"{path}: cannot be merged with {first}: {difference}; sketch all data with the "
                "same axes, metrics, tolerance and --range"
            )
        for part in sketch.parts:
            twin, source = sources.setdefault(part.fingerprint, (part, path))
            if twin is not part:
                alias = "" if twin.name == part.name else f" as {twin.name}"
                raise InputError(
                    f"{path}: has {part.name} ({part.n} points), which is also in {source}{alias}; "
                    "merge each part of the data once"
                )
        total = total.merge(sketch)
    return total


def _require_version(path: Path, file: BinaryIO) -> str:
    """The checksum in the first line; refuses a file that is not a sketch of this version."""
    line = file.readline(FIRST_LINE)
    if not line.startswith(MAGIC):
        raise InputError(f"{path}: is not a sketch; make one of data files with `sweep sketch`")
    version, _, checksum = line.removeprefix(MAGIC).partition(b" ")
    if not version.isdigit():
        raise _damaged(path)
    if int(version) != VERSION:
        raise InputError(
            f"{path}: is a sketch of version {int(version)}, but this release reads version "
            f"{VERSION}; use the release that wrote it, or sketch the data again"
        )
    return checksum.decode(errors="replace").removesuffix("\n")


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path}: is damaged (its checksum is wrong); use a copy, or sketch the data again"
    )


def _checksum(content: Iterable[bytes]) -> str:
    state = xxhash.xxh3_128()
    for block in content:
        state.update(block)
    return state.hexdigest()


def _arrays(sketch: Sketch) -> dict[str, Shaped[np.ndarray, " ..."]]:
    """All arrays of a sketch by their name in a file; names with a dot are exact sums, integers."""
    sums = sketch.sums
    return {
        "a": sketch.schema.grid.a,
        "b": sketch.schema.grid.b,
        "extremes": sketch.extremes,
        **{f"{name}.whole": total.integer for name, total in sums.items()},
        **{f"{name}.part": total.fraction for name, total in sums.items()},
    }


def _packed(array: Shaped[np.ndarray, " ..."]) -> bytes:
    """An array as bytes, the most similar ones next to each other, deflated."""
    numbers = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    return zlib.compress(numbers.view(np.uint8).reshape(-1, 8).T.tobytes(), LEVEL)


def _unpacked(sizes: Any, body: memoryview) -> Iterator[tuple[str, Shaped[np.ndarray, " ..."]]]:
    """The arrays by name."""
    start = 0
    for name, (shape, length) in sizes.items():
        count = math.prod(shape)
        inflate = zlib.decompressobj()
        raw = inflate.decompress(body[start : start + length], 8 * count + 1)  # 1 shows an excess
        planes = np.frombuffer(raw, np.uint8).reshape(8, count)
        kind = np.dtype("<i8" if "." in name else "<f8")
        numbers = np.ascontiguousarray(planes.T).view(kind).astype(kind.newbyteorder("="))
        yield name, numbers.reshape(shape)
        start += length
    if start != len(body):
        raise ValueError("bytes are left over")


def _sketch(header: dict[str, Any], body: memoryview) -> Sketch:
    """The sketch of a header and the bytes of its arrays."""
    arrays = dict(_unpacked(header["arrays"], body))
    low, high = header["ends"]
    schema = Schema(
        grid=Grid(arrays["a"], arrays["b"]),
        ends=(low, high),
        metrics=tuple(header["metrics"]),
        tolerance=header["tolerance"],
        lattice=Lattice(**header["lattice"]),
    )
    shapes = {
        "inside": (2, len(schema.edges) + 1),
        "moments": (2, schema.lattice.bins, MOMENTS),
        "at_extremes": (2, 2),
    }
    sums = {name: ExactSums(arrays[f"{name}.whole"], arrays[f"{name}.part"]) for name in shapes}
    if any(sums[name].integer.shape != shape for name, shape in shapes.items()):
        raise ValueError("counts and edges do not fit")
    parts = tuple(SketchPart(*part) for part in header["parts"])
    return Sketch(
        schema, **sums, extremes=arrays["extremes"], counted=header["counted"],
        pieces=header["pieces"], parts=parts
    )  # fmt: skip
