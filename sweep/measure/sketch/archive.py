"""Archive: sketches on disk, one file each, written whole or not at all.

A file is two lines of text and then bytes:

    sweep sketch 1 5dd61b35c1e9d3e5e6f2b1b0f6f3a4c8      the version, and XXH3 of all that follows
    {"arrays": {"a": [[101], 64], ...}, ...}             what is no array, and sizes of the arrays
    ...                                                  the arrays, one after the other

Arrays are little-endian and deflated, all first bytes of their numbers before all second ones,
which makes counts short. Nothing tells when or where a file was written, and no object in it is
more than numbers and text: equal sketches are equal files, and reading one runs no code of its.
Edges of counts are not in it, for the grid and the lattice say where they are.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.storage import staged
from sweep.measure.compression.lattice import MOMENTS, Lattice
from sweep.measure.sketch.exact_sums import ExactSums
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch, SketchPart

SUFFIX = ".sketch"
"""Of names of files."""

VERSION = 1
"""Of the format. It goes up when older code would misread a file, or place its edges elsewhere."""

MAGIC = b"sweep sketch "

FIRST_LINE = len(MAGIC) + 64
"""Bytes that hold the first line of any version."""

LEVEL = 6
"""Of compression."""


def write(sketch: Sketch, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Writes a sketch; equal sketches give equal files.

    Args:
        sketch: what to write.
        path: where.
        force: overwrites what is there.

    Raises:
        InputError: the destination cannot be written.
    """
    arrays = {name: _packed(array) for name, array in _arrays(sketch).items()}
    sizes = {
        name: [list(array.shape), len(arrays[name])] for name, array in _arrays(sketch).items()
    }
    terms = sketch.terms
    header = {
        "arrays": sizes,
        "counted": sketch.counted,
        "ends": terms.ends,
        "lattice": asdict(terms.lattice),
        "metrics": terms.metrics,
        "parts": sketch.parts,
        "pieces": sketch.pieces,
        "tolerance": float(terms.tolerance),
    }
    parts = [json.dumps(header).encode() + b"\n", *arrays.values()]
    with staged(path, force=force) as partial, partial.open("wb") as file:
        file.write(MAGIC + f"{VERSION} {_checksum(parts)}\n".encode())
        file.writelines(parts)


def read(path: str | os.PathLike[str]) -> Sketch:
    """The sketch in a file.

    Raises:
        InputError: there is no such file, it is no sketch, of a newer version, or damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            checksum = _require_version(path, file)
            rest = file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if _checksum([rest]) != checksum:
        raise _damaged(path)
    header, _, body = rest.partition(b"\n")
    try:
        return _sketch(json.loads(header), memoryview(body))
    except (ArithmeticError, KeyError, TypeError, ValueError, zlib.error):
        raise _damaged(path) from None


def holds_sketch(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a sketch by its suffix, or else by how it begins."""
    path = Path(path)
    if path.suffix == SUFFIX:
        return True
    if not path.is_file():  # what is read from a pipe is gone
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def merged(paths: Iterable[str | os.PathLike[str]]) -> Sketch:
    """The sketch of all the data in some files, which are read one by one.

    Args:
        paths: at least one.

    Raises:
        InputError: one cannot be read; or two cannot be merged, and then names both: they were made
            for different terms, or the same part of the data is in both.
    """
    files = iter(map(Path, paths))
    first = next(files)
    whole = read(first)
    found = {part.fingerprint: (part, first) for part in whole.parts}
    for path in files:
        sketch = read(path)
        why = sketch.terms.difference(whole.terms)
        if why:
            raise InputError(
                f"{path}: cannot be merged with {first}, for {why}; sketch the data alike, with "
                "the same axes, metrics, tolerance and --range"
            )
        for part in sketch.parts:
            twin, other = found.setdefault(part.fingerprint, (part, path))
            if twin is not part:
                alias = "" if twin.name == part.name else f", there as {twin.name}"
                raise InputError(
                    f"{path}: has {part.name} ({part.n} points), which {other} has too{alias}; "
                    "merge each part of the data once"
                )
        whole = whole.merge(sketch)
    return whole


def _require_version(path: Path, file: BinaryIO) -> str:
    """The checksum in the first line.

    Raises:
        InputError: it is none of ours, or of a newer version.
    """
    line = file.readline(FIRST_LINE)
    if not line.startswith(MAGIC):
        raise InputError(f"{path}: is no sketch; `sweep sketch` makes them of files of data")
    version, _, checksum = line.removeprefix(MAGIC).partition(b" ")
    if not version.isdigit():
        raise _damaged(path)
    if int(version) != VERSION:
        raise InputError(
            f"{path}: is a sketch of version {int(version)}, and this library knows version "
            f"{VERSION}; take the release that wrote it, or sketch the data again"
        )
    return checksum.decode(errors="replace").removesuffix("\n")


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path}: is damaged, for its checksum does not fit; sketch the data again or take a copy"
    )


def _checksum(parts: Iterable[bytes]) -> str:
    state = xxhash.xxh3_128()
    for part in parts:
        state.update(part)
    return state.hexdigest()


def _arrays(sketch: Sketch) -> dict[str, Shaped[np.ndarray, " ..."]]:
    """All arrays of a sketch by name; of sums the name has a point, and they are integers."""
    sums = sketch.sums
    return {
        "a": sketch.terms.grid.a,
        "b": sketch.terms.grid.b,
        "extremes": sketch.extremes,
        **{f"{name}.whole": total.whole for name, total in sums.items()},
        **{f"{name}.part": total.part for name, total in sums.items()},
    }


def _packed(array: Shaped[np.ndarray, " ..."]) -> bytes:
    numbers = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    return zlib.compress(numbers.view(np.uint8).reshape(-1, 8).T.tobytes(), LEVEL)


def _unpacked(
    sizes: Mapping[str, Any], body: memoryview
) -> Iterator[tuple[str, Shaped[np.ndarray, " ..."]]]:
    """Arrays by name."""
    start = 0
    for name, (shape, length) in sizes.items():
        count = math.prod(shape)
        inflate = zlib.decompressobj()
        raw = inflate.decompress(body[start : start + length], 8 * count + 1)
        planes = np.frombuffer(raw, np.uint8).reshape(8, count)
        kind = np.dtype("<i8" if "." in name else "<f8")
        numbers = np.ascontiguousarray(planes.T).view(kind).astype(kind.newbyteorder("="))
        yield name, numbers.reshape(shape)
        start += length
    if start != len(body):
        raise ValueError("bytes are left over")


def _sketch(header: dict[str, Any], body: memoryview) -> Sketch:
    arrays = dict(_unpacked(header["arrays"], body))
    low, high = header["ends"]
    terms = Schema(
        grid=Grid(arrays["a"], arrays["b"]),
        ends=(low, high),
        metrics=tuple(header["metrics"]),
        tolerance=header["tolerance"],
        lattice=Lattice(**header["lattice"]),
    )
    shapes = {
        "inside": (2, len(terms.edges) + 1),
        "moments": (2, terms.lattice.bins, MOMENTS),
        "at_extremes": (2, 2),
    }
    sums = {name: ExactSums(arrays[f"{name}.whole"], arrays[f"{name}.part"]) for name in shapes}
    if any(sums[name].whole.shape != shape for name, shape in shapes.items()):
        raise ValueError("counts and edges do not fit")
    parts = tuple(SketchPart(*part) for part in header["parts"])
    return Sketch(
        terms, **sums, extremes=arrays["extremes"], counted=header["counted"],
        pieces=header["pieces"], parts=parts,
    )  # fmt: skip
