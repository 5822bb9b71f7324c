"""One sketch made by many: the workers of an engine, or processes of several machines.

Sketches add up to the last bit, so that it does not matter who reads which files.
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

LARGEST = 2**28
"""Bytes of the files that are one item of work, unless one file has more."""

ITEMS = 4
"""Items of work for each thread: the last of them leave few without work."""


def sketched(engine: Engine, shards: Shards, terms: Schema, step: Step = ignore) -> Sketch:
    """The sketch of some files, made by the workers of an engine.

    Args:
        engine: who makes it, in its `with` block.
        shards: the files, which the workers can read by the same paths.
        terms: what the sketch is for.
        step: is told how many files have been read.

    Raises:
        InputError: as `streams.sketched`, or as the engine.
    """
    groups = [*_groups(shards.paths, ITEMS * engine.slots)]

    def done(index: int) -> None:
        step(len(groups[index]))

    return engine.reduce(partial(_sketch, shards, terms), groups, Sketch.merge, done)


def sketched_together(host: Host, shards: Shards, terms: Schema, step: Step = ignore) -> Sketch:
    """The sketch of some files, of which each process reads its share; all of them get it.

    Args:
        host: which of the processes this is, in `hosts.together`.
        shards: all the files, the same in every process; only its own are read.
        terms: what the sketch is for, the same in every process.
        step: is told how many files have been read here.

    Raises:
        InputError: as `streams.sketched`, in any of the processes; or one is gone.
    """
    asked = [[path.name for path in shards.paths], *(part.hex() for part in _axes(terms.grid))]
    if len(set(everyone(json.dumps([*asked, terms.ends, terms.metrics, terms.tolerance])))) > 1:
        raise InputError("the processes are asked for different sketches; give all the same files "
                         "in the same order, axes, metrics, tolerance and range")  # fmt: skip
    mine = host.share(range(len(shards.paths)))
    sketch = agreed(partial(_sketch, shards, terms, mine, step))
    arrays = gathered({name: (sums.whole, sums.part) for name, sums in sketch.sums.items()})
    extremes = gathered(sketch.extremes)
    others = everyone(json.dumps([sketch.counted, sketch.pieces, sketch.parts]))
    return reduce(Sketch.merge, map(partial(_rebuilt, terms), arrays, extremes, others))


def range_together(host: Host, shards: Shards) -> tuple[float, float]:
    """(lowest, highest) x of all files, of which each process reads its share.

    Raises:
        InputError: as `Shards.scan`, in any of the processes; or one is gone.
    """
    mine = host.share(shards.paths)
    none = (np.inf, -np.inf)
    own = Shards(tuple(mine), shards.columns, shards.weighted)
    found = gathered(np.array(agreed(lambda: own.scan() if mine else none)))
    return float(min(low for low, _ in found)), float(max(high for _, high in found))


def _sketch(shards: Shards, terms: Schema, numbers: Sequence[int], step: Step = ignore) -> Sketch:
    """The sketch of those files whose numbers are given."""
    a, b = _axes(terms.grid)
    maker = Sketcher(_kept(a, b, terms.ends, terms.metrics, terms.tolerance, terms.lattice))
    for number in numbers:
        maker.add_file(shards, number)
        step(1)
    return maker.sketch()


def _groups(paths: Sequence[Path], items: int) -> Iterator[Sequence[int]]:
    """Numbers of files in runs of about as many bytes, at least as many as asked for if there are.

    A sketcher of several files has less to count than one of each.
    """
    sizes = [_size(path) for path in paths]
    size = max(1.0, min(LARGEST, sum(sizes) / items))
    number = [
        int((end - own / 2) / size) for own, end in zip(sizes, accumulate(sizes), strict=True)
    ]
    starts = [k for k in range(len(paths)) if k == 0 or number[k] != number[k - 1]]
    for start, stop in zip(starts, [*starts[1:], len(paths)], strict=True):
        yield range(start, stop)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _axes(grid: Grid) -> tuple[bytes, bytes]:
    return grid.a.tobytes(), grid.b.tobytes()


@lru_cache(maxsize=1)
def _kept(
    a: bytes,
    b: bytes,
    ends: tuple[float, float],
    metrics: tuple[str, ...],
    tolerance: float,
    lattice: Lattice,
) -> Schema:
    """The same terms for the same arguments: their edges are found once in a worker."""
    return Schema(Grid(np.frombuffer(a), np.frombuffer(b)), ends, metrics, tolerance, lattice)


def _rebuilt(
    terms: Schema,
    sums: dict[str, tuple[Int[np.ndarray, " ..."], Int[np.ndarray, " ..."]]],
    extremes: Float[np.ndarray, "2 2"],
    others: str,
) -> Sketch:
    """A sketch of what a process sent."""
    counted, pieces, parts = json.loads(others)
    made = {name: ExactSums(*both) for name, both in sums.items()}
    marks = tuple(SketchPart(*part) for part in parts)
    return Sketch(terms, **made, extremes=extremes, counted=counted, pieces=pieces, parts=marks)
