"""One sketch made in parallel, by the workers of an engine or by processes of several machines.

Sketches add up to the last bit, so the result does not depend on which process reads which files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial, reduce
from itertools import accumulate
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.base.executors import Engine
from sweep.base.grid import Grid
from sweep.base.progress import Step, ignore
from sweep.data.shards import Shards
from sweep.measure.compression.lattice import Lattice
from sweep.measure.sketch.builder import Sketcher
from sweep.measure.sketch.exact_sums import ExactSums
from sweep.measure.sketch.hosts import Host, agreed, everyone, gathered
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch, SketchPart

MOST_BYTES = 2**28  # size of the files in one item of work, unless a single file is larger
ITEMS = 4  # items of work for each worker: few workers are idle while the last items are done


def sketch_files(engine: Engine, shards: Shards, schema: Schema, step: Step = ignore) -> Sketch:
    """The sketch of some files, made by the workers of an engine.

    Args:
        engine: the engine, inside its `with` block.
        shards: the files, which the workers can read by the same paths.
        schema: what the sketch is made for.
        step: receives the number of files read.

    Raises:
        InputError: as `sweep.measure.sketch.builder.sketch_files`, or as the engine.
    """
    groups = [*_groups(shards.paths, ITEMS * engine.slots)]

    def done(index: int) -> None:
        step(len(groups[index]))

    return engine.reduce(partial(_sketch, shards, schema), groups, Sketch.merge, done)


def sketched_together(host: Host, shards: Shards, schema: Schema, step: Step = ignore) -> Sketch:
    """The sketch of some files, of which each process reads its share; every process gets it.

    Args:
        host: this process, inside `hosts.together`.
        shards: all the files, the same in every process.
        schema: what the sketch is made for, the same in every process.
        step: receives the number of files read in this process.

    Raises:
        InputError: as `sweep.measure.sketch.builder.sketch_files`, in any of the processes; or a
            process has ended.
    """
    names = [path.name for path in shards.paths]
    request = [names, *(axis.hex() for axis in _axes(schema.grid))]
    request += [schema.ends, schema.metrics, schema.tolerance]
    if len(set(everyone(json.dumps(request)))) > 1:
        raise InputError(
            "the processes were asked for different sketches; give all of them the same files in "
            "the same order, and the same axes, metrics, tolerance and range"
        )
    numbers = host.share(range(len(shards.paths)))
    sketch = agreed(partial(_sketch, shards, schema, numbers, step))
    arrays = gathered({name: (s.integer, s.fraction) for name, s in sketch.sums.items()})
    extremes = gathered(sketch.extremes)
    others = everyone(json.dumps([sketch.counted, sketch.pieces, sketch.parts]))
    return reduce(Sketch.merge, map(partial(_rebuilt, schema), arrays, extremes, others))


def range_together(host: Host, shards: Shards) -> tuple[float, float]:
    """(lowest, highest) x of all files, of which each process reads its share.

    Raises:
        InputError: as `Shards.scan`, in any of the processes; or a process has ended.
    """
    paths = host.share(shards.paths)
    share = Shards(tuple(paths), shards.columns, shards.weighted)
    ends = gathered(np.array(agreed(lambda: share.scan() if paths else (np.inf, -np.inf))))
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def _sketch(shards: Shards, schema: Schema, numbers: Sequence[int], step: Step = ignore) -> Sketch:
    """The sketch of some of the files, by their numbers."""
    a, b = _axes(schema.grid)
    sketcher = Sketcher(
        _cached(a, b, schema.ends, schema.metrics, schema.tolerance, schema.lattice)
    )
    for number in numbers:
        sketcher.add_file(shards, number)
        step(1)
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
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


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


def _rebuilt(
    schema: Schema,
    sums: dict[str, tuple[Int[np.ndarray, " ..."], Int[np.ndarray, " ..."]]],
    extremes: Float[np.ndarray, "2 2"],
    others: str,
) -> Sketch:
    """The sketch that a process sent."""
    counted, pieces, parts = json.loads(others)
    exact = {name: ExactSums(*both) for name, both in sums.items()}
    parts = tuple(SketchPart(*part) for part in parts)
    return Sketch(schema, **exact, extremes=extremes, counted=counted, pieces=pieces, parts=parts)
