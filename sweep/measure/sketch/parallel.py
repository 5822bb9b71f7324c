"""One sketch made in parallel, by the workers of an engine.

Sketches add up to the last bit, so the result does not depend on which worker reads which files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path

import numpy as np

from sweep.base.executors import Engine
from sweep.base.files import system_errors
from sweep.base.grid import Grid
from sweep.base.progress import Step, ignore
from sweep.data.shards import Shards
from sweep.measure.compression.lattice import Lattice
from sweep.measure.sketch.builder import Sketcher
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch

MOST_BYTES = 2**28  # size of the files in one item of work, unless a single file is larger
ITEMS = 4  # items of work for each worker: few workers are idle while the last items are done


def sketch_files(engine: Engine, shards: Shards, schema: Schema, step: Step = ignore) -> Sketch:
    """The sketch of some files, made by the workers of an engine."""
    groups = [*_groups(shards.paths, ITEMS * engine.slots)]

    def done(index: int) -> None:
        step(len(groups[index]))

    return engine.reduce(partial(_sketch, shards, schema), groups, Sketch.merge, done)


def _sketch(shards: Shards, schema: Schema, numbers: Sequence[int]) -> Sketch:
    """The sketch of some of the files, by their numbers."""
    a, b = _axes(schema.grid)
    sketcher = Sketcher(
        _cached(a, b, schema.ends, schema.metrics, schema.tolerance, schema.lattice)
    )
    for number in numbers:
        sketcher.add_file(shards, number)
    return sketcher.sketch()


def _groups(paths: Sequence[Path], items: int) -> Iterator[Sequence[int]]:
    """Runs of file numbers with about equal numbers of bytes, at least `items` runs if possible.

    One sketch of several files costs less than a sketch of each file.
    """
    sizes = [_size(path) for path in paths]
    target = max(1.0, min(MOST_BYTES, sum(sizes) / items))
    # A file belongs to the item in which its middle byte lies.
    item = [
        int((end - size / 2) / target) for size, end in zip(sizes, accumulate(sizes), strict=True)
    ]
    starts = [k for k in range(len(paths)) if k == 0 or item[k] != item[k - 1]]
    for start, stop in zip(starts, [*starts[1:], len(paths)], strict=True):
        yield range(start, stop)


def _size(path: Path) -> int:
    """Size of a file in bytes."""
    with system_errors(path, "read"):
        return path.stat().st_size


def _axes(grid: Grid) -> tuple[bytes, bytes]:
    return grid.a.tobytes(), grid.b.tobytes()


@lru_cache(maxsize=1)
def _cached(
    a: bytes,
    b: bytes,
    ends: tuple[float, float],
    metrics: tuple[str, ...],
    tolerance: float,
    lattice: Lattice,
) -> Schema:
    """The same schema object for the same arguments, so that a worker computes its edges once."""
    return Schema(Grid(np.frombuffer(a), np.frombuffer(b)), ends, metrics, tolerance, lattice)
