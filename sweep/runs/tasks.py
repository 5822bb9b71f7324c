"""Tasks of landscapes: one is one tile of one landscape; it writes whole chunks of the store.

A task is named by its number: what it computes follows from the spec. The tiles of a landscape
come one after the other. The law itself, n = infinity, is the same for every seed: its tiles are
computed once and written for each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweep.base.ranges import size_text
from sweep.runs.spec.spec import Spec


@dataclass(frozen=True)
class TileTask:
    """One tile of one landscape.

    Attributes:
        index: its number, from 0.
        source: which law or file of the spec.
        n: points of the sample; inf is the law itself, None the points of a file.
        seed: of the sample; None where there is none to draw.
        places: indices along the dimensions before a and b, of each landscape that gets the tile.
        row: the tile's number along a.
        column: the tile's number along b.
    """

    index: int
    source: int
    n: int | float | None
    seed: int | None
    places: tuple[tuple[int, ...], ...]
    row: int
    column: int

    @property
    def first(self) -> bool:
        """Whether it is the first tile of its landscape."""
        return self.row == self.column == 0


def count(spec: Spec) -> int:
    """Tasks of a spec."""
    sources = len(spec.data or spec.population)
    return sources * _samples(spec) * math.prod(spec.tiles)


def task(spec: Spec, index: int) -> TileTask:
    """The task of that number."""
    along_b = spec.tiles[1]
    sample, tile = divmod(index, math.prod(spec.tiles))
    source, sample = divmod(sample, _samples(spec))
    row, column = divmod(tile, along_b)
    if spec.of_data:
        return TileTask(index, source, None, None, ((source,),), row, column)
    size, seed = divmod(sample, len(spec.seed))
    n = spec.n[size]
    if math.isinf(n):
        places = tuple((source, size, k) for k in range(len(spec.seed)))
        return TileTask(index, source, n, None, places, row, column)
    return TileTask(index, source, n, spec.seed[seed], ((source, size, seed),), row, column)


def slices(spec: Spec, task: TileTask) -> tuple[slice, slice]:
    """The cells of a task, along a and along b."""
    (rows, columns), side = spec.grid.shape, spec.tile
    return (
        slice(task.row * side, min((task.row + 1) * side, rows)),
        slice(task.column * side, min((task.column + 1) * side, columns)),
    )


def named(spec: Spec, task: TileTask) -> dict[str, str | int]:
    """What a task is of, by dimension, for people: {"population": "W1", "n": "1e4", ...}."""
    if spec.of_data:
        found: dict[str, str | int] = {"data": spec.data[task.source]}
    else:
        assert task.n is not None
        found = {"population": spec.population[task.source], "n": size_text(task.n)}
        found |= {} if task.seed is None else {"seed": task.seed}
    return found | ({} if spec.tiles == (1, 1) else {"tile": f"{task.row},{task.column}"})


def _samples(spec: Spec) -> int:
    """Landscapes of one law or file that are computed; inf, if it is there, is the last size."""
    if spec.of_data:
        return 1
    infinite = sum(map(math.isinf, spec.n))
    return (len(spec.n) - infinite) * len(spec.seed) + infinite
