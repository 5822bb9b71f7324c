"""What the kinds of work of a run have in common, and how their tasks are numbered.

The kinds are landscapes (`sweep.runs.landscapes`) and networks (`sweep.runs.networks`), which have
the same methods; whatever starts, stores, checks or resumes a run works with either. The numbers of
tasks follow from the canonical values of a spec alone, so that `status` counts them without JAX.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from sweep.base.ranges import axis

Indices = tuple[int, ...]
"""Position of a chunk, or of an element of a table, along each dimension."""

Values = Mapping[str, Shaped[np.ndarray, "..."]]
"""The arrays that a task computed, by variable; at the end of an axis less than a chunk."""

Numbers = Mapping[str, float]
"""The scalars that a task computed, by table."""


class Coordinate(NamedTuple):
    """Values along a dimension."""

    values: Shaped[np.ndarray, " n"]  # texts as objects, or numbers
    attributes: Mapping[str, Any]  # units and long name


class TileIndex(NamedTuple):
    """A tile of a landscape, by indices; those of the size and seed are 0 for a file."""

    source: int  # law or file
    size: int
    seed: int | None  # None for the law itself and for a file
    row: int  # along a
    column: int  # along b


@dataclass(frozen=True)
class TileNumbers:
    """Numbers of the tasks of landscapes: a task is one tile of one landscape.

    The tiles of a landscape follow each other. The law itself (n = inf) is the same for every
    seed: its tiles are computed once and written for each seed.
    """

    sources: int  # laws or files
    finite_sizes: int  # finite sample sizes; 0 for files
    infinite: bool  # whether the law itself is computed; it is the last size
    seeds: int  # 1 for files
    tiles: tuple[int, int]  # of a landscape along a and along b

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TileNumbers:
        """The numbering for the canonical values of a spec."""
        axes = (values["a"], values["b"])
        lengths = (axis(v).size if isinstance(v, str) else len(v) for v in axes)
        rows, columns = (-(-length // values["tile"]) for length in lengths)
        if "data" in values:  # a file is a landscape of its own, as a law itself is
            return cls(len(values["data"]), 0, True, 1, (rows, columns))
        infinite = any(map(math.isinf, values["n"]))
        finite_sizes = len(values["n"]) - infinite
        seeds = len(values["seed"])
        return cls(len(values["population"]), finite_sizes, infinite, seeds, (rows, columns))

    @property
    def landscapes(self) -> int:
        """Landscapes that are computed for each source."""
        return self.finite_sizes * self.seeds + self.infinite

    def count(self) -> int:
        """Number of tasks."""
        return self.sources * self.landscapes * math.prod(self.tiles)

    def locate(self, task: int) -> TileIndex:
        """The tile that a task computes."""
        landscape, tile = divmod(task, math.prod(self.tiles))
        source, landscape = divmod(landscape, self.landscapes)
        size, seed = divmod(landscape, self.seeds)
        row, column = divmod(tile, self.tiles[1])
        return TileIndex(source, size, None if size == self.finite_sizes else seed, row, column)

    def copies(self, task: int) -> int:
        """Number of chunks of one variable that a task writes."""
        return self.seeds if self.locate(task).seed is None else 1


class SeedBlock(NamedTuple):
    """A block of seeds that is trained by one program, by indices."""

    source: int  # problem or file
    program: Indices  # along each axis of hyperparameters; 0 along axes of numbers
    block: int

    @property
    def first(self) -> bool:
        """Whether it is trained by the first program."""
        return not any(self.program)


@dataclass(frozen=True)
class BlockNumbers:
    """Numbers of the tasks of networks: a task trains one block of seeds by one program."""

    sources: int  # problems or files
    programs: tuple[int, ...]  # along each axis of hyperparameters: its values, or 1 for numbers
    blocks: int  # of seeds

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> BlockNumbers:
        """The numbering for the canonical values of a spec."""
        training = values["training"]
        settings = {k: v for k, v in training.items() if k not in ("problem", "keep")}
        axes = [value for value in settings.values() if isinstance(value, (list, tuple))]
        # In a canonical spec exactly the hyperparameters that share a program are floats.
        programs = tuple(1 if isinstance(v[0], float) else len(v) for v in axes)
        sources = values["data"] if "data" in values else training["problem"]
        seeds = len(values["seed"])
        return cls(len(sources), programs, -(-seeds // min(training["block"], seeds)))

    def count(self) -> int:
        """Number of tasks."""
        return self.sources * math.prod(self.programs) * self.blocks

    def locate(self, task: int) -> SeedBlock:
        """The block that a task trains; blocks change fastest."""
        program, block = divmod(task, self.blocks)
        source, program = divmod(program, math.prod(self.programs))
        shape = self.programs or (1,)
        along = tuple(int(k) for k in np.unravel_index(program, shape))
        return SeedBlock(source, along[: len(self.programs)], block)

    def copies(self, task: int) -> int:
        """Number of chunks of one variable that a task writes."""
        return 1


def numbering(values: Mapping[str, Any]) -> TileNumbers | BlockNumbers:
    """The numbering of tasks for the canonical values of a spec, as a dict or as parsed TOML."""
    return (BlockNumbers if "training" in values else TileNumbers).of(values)
