"""Networks as a kind of work: a task trains a block of seeds by one program.

Recorded variables have the dimensions (problem, seed, hyperparameters in lists..., epoch), with
`data` in place of `problem` for files. Networks that differ by numbers such as the learning rate
are trained side by side and share a chunk; each value of a hyperparameter that changes the program,
such as the widths, is a task of its own. So the bits of a task do not depend on which other tasks
this process has computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.storage import StoredVariable
from sweep.runs.directory import fingerprint, require_unchanged
from sweep.runs.kind import (
    BlockNumbers,
    Coordinate,
    Indices,
    Numbers,
    SeedBlock,
    Values,
)
from sweep.runs.spec.networks import Training
from sweep.runs.spec.spec import Spec
from sweep.training.ensemble import (
    equal_blocks,
    require_fitting,
    seeds_within_budget,
    stacked_sets,
    train_networks,
)
from sweep.training.hyperparameters import NUMBERS, coordinate_value
from sweep.training.problems import Problem, from_file, problem
from sweep.training.results import VARIABLES, coordinates, dimensions
from sweep.training.split import Split

CLASSES = "validation_y"  # classes of the validation set; tasks of the first program write them
FLOAT64 = ("best_epoch", "diverged_epoch", CLASSES)  # whatever the precision of the networks

SOURCES = {
    "problem": {"long_name": "what networks learn"},
    "data": {"long_name": "file of data"},
}
"""Attributes of the first coordinate."""


@dataclass(frozen=True)
class Networks:
    """The networks of a spec, by the methods of `sweep.runs.landscapes.Landscapes`."""

    spec: Spec
    training: Training

    @property
    def source(self) -> str:
        """The first dimension."""
        return "data" if self.spec.of_data else "problem"

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of problems, or files as the spec writes them."""
        return self.spec.data or self.training.problem

    def coordinates(self) -> dict[str, Coordinate]:
        """The source, seeds, hyperparameters in lists, epochs and kept epochs."""
        training = self.training
        trained_coordinates = coordinates(
            self._axes, self.spec.seed, training.epochs, training.keep
        )
        sources = Coordinate(np.array(self.sources, object), SOURCES[self.source])
        return {self.source: sources} | {
            name: Coordinate(v.astype(object) if v.dtype.kind == "U" else v, attributes)
            for name, (_, v, attributes) in trained_coordinates.items()
        }

    def tables(self) -> dict[str, StoredVariable]:
        """No tables."""
        return {}

    def variables(self) -> dict[str, StoredVariable]:
        """The variables that `sweep.train` records."""
        recorded = set().union(*map(_recorded, self._splits))
        variables = {n: self._variable(n, *VARIABLES[n]) for n in VARIABLES if n in recorded}
        attributes = {"units": "1", "long_name": "classes, validation set"}
        return variables | {CLASSES: self._variable(CLASSES, ("point",), attributes)}

    def attributes(self) -> dict[str, Any]:
        """Hyperparameters that all networks share, and the precision."""
        fixed = {n: int(v) if isinstance(v, bool) else v for n, v in self.training.fixed.items()}
        return fixed | {"dtype": self.training.dtype}

    @cached_property
    def numbers(self) -> BlockNumbers:
        """The numbers of the tasks."""
        return BlockNumbers.of(self.spec.to_dict())

    def describe(self, task: int) -> dict[str, str | int]:
        """What a task trains, by dimension; seeds from the first to the last."""
        block = self.numbers.locate(task)
        seeds = self._seeds(block)
        description: dict[str, str | int] = {self.source: self.sources[block.source]}
        for (name, values), k in zip(self._axes.items(), block.program, strict=True):
            if name not in NUMBERS:
                description[name] = str(coordinate_value(name, values[k]))
        return description | {"seed": seeds[0] if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"}

    def chunks(self, task: int) -> dict[str, tuple[Indices, ...]]:
        """One chunk of every recorded variable."""
        block = self.numbers.locate(task)
        outer = (block.source, block.block, *block.program)
        chunks: dict[str, tuple[Indices, ...]] = {
            name: ((*outer, *(0 for _ in VARIABLES[name][0])),)
            for name in VARIABLES
            if name in _recorded(self._splits[block.source])
        }
        return chunks | ({CLASSES: ((block.source, block.block, 0),)} if block.first else {})

    def cells(self, task: int) -> tuple[Indices, ...]:
        """No elements of tables."""
        return ()

    def check_data(self) -> tuple[str, ...]:
        """Reads all files of data, and returns their fingerprints."""
        for name, split in zip(self.spec.files or self.sources, self._splits, strict=True):
            try:
                sets = [(points.x, points.y) for points in split.sets.values()]
                require_fitting(self.training.grid.combinations, sets)
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
        return tuple(map(fingerprint, self.spec.files))

    def compute(self, task: int, data: tuple[str, ...]) -> tuple[Values, Numbers]:
        """The recorded variables of a block of seeds."""
        block = self.numbers.locate(task)
        if data:
            require_unchanged(self.spec.files[block.source], data[block.source])
        problem, seeds = self._problems[block.source], self._seeds(block)
        shape = self._combinations(block).shape
        values = {
            name: array.reshape(1, len(seeds), *shape, *array.shape[2:])
            for name, array in self._train(block, problem, seeds).items()
        }
        if block.first:
            classes = stacked_sets(problem, seeds)[1][1]
            values[CLASSES] = np.broadcast_to(classes, (1, len(seeds), classes.shape[-1]))
        return values, {}

    def _train(
        self, block: SeedBlock, problem: Problem, seeds: list[int]
    ) -> dict[str, Shaped[np.ndarray, "s k ..."]]:
        """The recorded variables, with the axes (seeds, combinations) in front."""
        training, split = self.training, self._splits[block.source]
        combinations = [training.grid.combinations[k] for k in self._combinations(block).ravel()]
        budget = self.spec.memory * 2**20
        most = seeds_within_budget(split, combinations, training.epochs, len(training.keep), budget)
        how = training.epochs, training.keep, training.dtype
        parts = [
            train_networks(
                problem, combinations, [seeds[k] for k in rows], *how, deterministic=True
            )
            for rows in equal_blocks(len(seeds), most, self._block_size)
        ]
        return {
            name: np.concatenate([part[name] for part in parts])[: len(seeds)] for name in parts[0]
        }

    @property
    def _axes(self) -> Mapping[str, tuple[Any, ...]]:
        """Hyperparameters given in lists."""
        return self.training.grid.axes

    @property
    def _block_size(self) -> int:
        """Seeds of a chunk."""
        return min(self.training.block, len(self.spec.seed))

    def _seeds(self, block: SeedBlock) -> list[int]:
        start = block.block * self._block_size
        return list(self.spec.seed[start : start + self._block_size])

    def _combinations(self, block: SeedBlock) -> Shaped[np.ndarray, "*shape"]:
        """Indices of the combinations that a task trains, by axis of hyperparameters."""
        shape = tuple(map(len, self._axes.values()))
        indices = np.arange(len(self.training.grid.combinations)).reshape(shape)
        selection = (
            slice(None) if name in NUMBERS else slice(k, k + 1)
            for name, k in zip(self._axes, block.program, strict=True)
        )
        return np.asarray(indices[tuple(selection)])

    @cached_property
    def _problems(self) -> tuple[Problem, ...]:
        if not self.spec.of_data:
            return tuple(map(problem, self.training.problem))
        assert self.training.validation is not None
        x, y = self.spec.x or (), self.spec.y
        return tuple(from_file(path, x, y, self.training.validation) for path in self.spec.files)

    @cached_property
    def _splits(self) -> tuple[Split, ...]:
        """The split of the first seed for each source; those of other seeds have the same shape."""
        return tuple(problem.draw(self.spec.seed[0]) for problem in self._problems)

    def _variable(
        self, name: str, inner: tuple[str, ...], attributes: Mapping[str, Any]
    ) -> StoredVariable:
        """A variable with the inner dimensions after the seed and the hyperparameters."""
        axes = {} if name == CLASSES else self._axes
        sizes = {
            "epoch": self.training.epochs,
            "kept_epoch": len(self.training.keep),
            "point": max(len(split.validation) for split in self._splits),
        }
        inner_shape = tuple(sizes[dimension] for dimension in inner)
        lengths = tuple(map(len, axes.values()))
        chunk = tuple(len(v) if n in NUMBERS else 1 for n, v in axes.items())
        return StoredVariable(
            (self.source, "seed", *dimensions(axes), *inner),
            (len(self.sources), len(self.spec.seed), *lengths, *inner_shape),
            (1, self._block_size, *chunk, *inner_shape),
            attributes,
            np.dtype("f8" if name in FLOAT64 else self.training.dtype),
        )


def _recorded(split: Split) -> set[str]:
    """Names of the variables that are recorded of networks that learn from a split."""
    return {n for n in VARIABLES if split.test is not None or not n.startswith("test_")}
