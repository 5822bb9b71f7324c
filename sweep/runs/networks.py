"""Networks as a kind of work: a task trains a block of seeds by one program.

What is recorded has the dimensions (problem, seed, hyperparameters in lists..., epoch), or `data`
in the place of `problem`. Networks that differ by numbers such as the learning rate are trained
side by side and make up one chunk; what changes the program, such as the widths, makes a task of
its own. So the bits of a task do not depend on which others this process has done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.runs.directory import fingerprint
from sweep.runs.kind import Coordinate, Numbers, Place, StoreVariable, Values
from sweep.runs.spec.networks import Training
from sweep.runs.spec.spec import Spec
from sweep.training.blocks import alike, side_by_side
from sweep.training.ensemble import require_fitting, stacked, trained
from sweep.training.files import from_file
from sweep.training.hyperparameters import NUMBERS, written
from sweep.training.problems import Problem, problem
from sweep.training.results import VARIABLES, coordinates
from sweep.training.split import Split

CLASSES = "validation_y"
"""Classes of the validation set, which the tasks of the first program write."""

EPOCHS = ("best_epoch", "diverged_epoch", CLASSES)
"""Variables of float64 whatever the networks are of."""

SOURCES = {
    "problem": {"long_name": "what networks learn"},
    "data": {"long_name": "file of data"},
}
"""Attributes of the coordinates."""


class SeedBlock(NamedTuple):
    """A block of seeds, trained by one program.

    Attributes:
        source: which problem or file of the spec.
        structure: index of what changes the program along each axis of hyperparameters; 0 along
            axes of numbers.
        block: which block of seeds.
        first: whether it is the first program.
    """

    source: int
    structure: tuple[int, ...]
    block: int
    first: bool


@dataclass(frozen=True)
class Networks:
    """The networks of a spec.

    Attributes:
        spec: what they are trained on.
        training: how.
    """

    spec: Spec
    training: Training

    @property
    def source(self) -> str:
        """The first dimension."""
        return "data" if self.spec.of_data else "problem"

    @property
    def sources(self) -> tuple[str, ...]:
        """What networks learn: names of problems, or files as they are written."""
        return self.spec.data or self.training.problem

    def coordinates(self) -> dict[str, Coordinate]:
        """The source, seeds, hyperparameters in lists, epochs and kept epochs."""
        of, training = self.training.grid, self.training
        made = coordinates(of.axes, self.spec.seed, training.epochs, training.keep)
        found = {self.source: Coordinate(np.array(self.sources, object), SOURCES[self.source])}
        for name, (_, values, about) in made.items():
            texts = values.dtype.kind == "U"
            found[name] = Coordinate(values.astype(object) if texts else values, about)
        return found

    def tables(self) -> dict[str, StoreVariable]:
        """None."""
        return {}

    def variables(self) -> dict[str, StoreVariable]:
        """What is recorded, as by `sweep.train`."""
        recorded = set().union(*map(self._recorded, self._made))
        found = {n: self._variable(n, *VARIABLES[n]) for n in VARIABLES if n in recorded}
        about = {"units": "1", "long_name": "classes, validation set"}
        return found | {CLASSES: self._variable(CLASSES, ("point",), about)}

    def attributes(self) -> dict[str, Any]:
        """Hyperparameters that all networks have, and the precision."""
        fixed = {n: int(v) if isinstance(v, bool) else v for n, v in self.training.fixed.items()}
        return fixed | {"dtype": self.training.dtype}

    def count(self) -> int:
        """Blocks of seeds, of every program and source."""
        return len(self.sources) * math.prod(self._structures) * self._blocks

    def task(self, index: int) -> SeedBlock:
        """The task of that number: blocks change fastest, then programs."""
        rest, block = divmod(index, self._blocks)
        source, program = divmod(rest, math.prod(self._structures))
        structure = tuple(int(k) for k in np.unravel_index(program, self._structures or (1,)))
        return SeedBlock(source, structure[: len(self._structures)], block, program == 0)

    def copies(self, index: int) -> int:
        """One."""
        return 1

    def named(self, index: int) -> dict[str, str | int]:
        """What a task is of, by dimension; seeds from the first to the last."""
        task = self.task(index)
        seeds = self._seeds(task)
        found: dict[str, str | int] = {self.source: self.sources[task.source]}
        for (name, values), place in zip(self._axes.items(), task.structure, strict=True):
            if name not in NUMBERS:
                found[name] = str(written(name, values[place]))
        return found | {"seed": seeds[0] if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"}

    def chunks(self, index: int) -> dict[str, tuple[Place, ...]]:
        """One chunk of everything that is recorded."""
        task = self.task(index)
        place = (task.source, task.block, *task.structure)
        found = {
            name: ((*place, *(0 for _ in VARIABLES[name][0])),)
            for name in VARIABLES
            if name in self._recorded(self._made[task.source])
        }
        return found | ({CLASSES: ((task.source, task.block, 0),)} if task.first else {})

    def cells(self, index: int) -> tuple[Place, ...]:
        """None."""
        return ()

    def examined(self) -> tuple[str, ...]:
        """Fingerprints of the files of data, all of which are read: a bad row is found at once.

        Raises:
            InputError: one of them cannot be learnt from, or a batch is larger than its training
                set.
        """
        for name, made in zip(self._titles, self._made, strict=True):
            try:
                sets = [(points.x, points.y) for points in made.sets.values()]
                require_fitting(self.training.grid.every, sets)
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
        return tuple(map(fingerprint, self.spec.files))

    def computed(self, index: int, data: tuple[str, ...]) -> tuple[Values, Numbers]:
        """What is recorded of a block of seeds."""
        task = self.task(index)
        if data and fingerprint(self.spec.files[task.source]) != data[task.source]:
            path = self.spec.files[task.source]
            raise InputError(f"{path}: was changed since the run began; put it back")
        asked, seeds = self._problems[task.source], self._seeds(task)
        found = self._trained(task, asked, seeds)
        chosen = self._chosen(task).shape
        values = {
            name: array.reshape(1, len(seeds), *chosen, *array.shape[2:])
            for name, array in found.items()
        }
        if task.first:
            classes = stacked(asked, seeds)[1][1]
            values[CLASSES] = np.broadcast_to(classes, (1, len(seeds), classes.shape[-1]))
        return values, {}

    def _trained(
        self, task: SeedBlock, asked: Problem, seeds: list[int]
    ) -> dict[str, Shaped[np.ndarray, "s k ..."]]:
        """What is recorded, with the axes (seeds, combinations) in front."""
        training, made = self.training, self._made[task.source]
        every = [training.grid.every[k] for k in self._chosen(task).ravel()]
        budget = self.spec.memory * 2**20
        most = side_by_side(made, every, training.epochs, len(training.keep), budget)
        how = training.epochs, training.keep, training.dtype
        parts = [
            trained(asked, every, [seeds[k] for k in rows], *how, deterministic=True)
            for rows in alike(len(seeds), most, self._block)
        ]
        return {
            name: np.concatenate([part[name] for part in parts])[: len(seeds)] for name in parts[0]
        }

    @property
    def _axes(self) -> Mapping[str, tuple[Any, ...]]:
        """Hyperparameters given in lists."""
        return self.training.grid.axes

    @property
    def _structures(self) -> tuple[int, ...]:
        """Programs along each axis of hyperparameters."""
        return tuple(1 if name in NUMBERS else len(v) for name, v in self._axes.items())

    @property
    def _block(self) -> int:
        """Seeds of a chunk."""
        return min(self.training.block, len(self.spec.seed))

    @property
    def _blocks(self) -> int:
        return -(-len(self.spec.seed) // self._block)

    def _seeds(self, task: SeedBlock) -> list[int]:
        start = task.block * self._block
        return list(self.spec.seed[start : start + self._block])

    def _chosen(self, task: SeedBlock) -> Shaped[np.ndarray, "*shape"]:
        """Which combinations a task trains, by axis of hyperparameters."""
        shape = tuple(map(len, self._axes.values()))
        numbers = np.arange(len(self.training.grid.every)).reshape(shape)
        chosen = (
            slice(None) if name in NUMBERS else slice(place, place + 1)
            for name, place in zip(self._axes, task.structure, strict=True)
        )
        return np.asarray(numbers[tuple(chosen)])

    @cached_property
    def _problems(self) -> tuple[Problem, ...]:
        if not self.spec.of_data:
            return tuple(map(problem, self.training.problem))
        assert self.training.validation is not None
        x, y = self.spec.x or (), self.spec.y
        return tuple(from_file(path, x, y, self.training.validation) for path in self.spec.files)

    @cached_property
    def _made(self) -> tuple[Split, ...]:
        """The split of the first seed, of whose shape those of all seeds are."""
        return tuple(one.draw(self.spec.seed[0]) for one in self._problems)

    @property
    def _titles(self) -> tuple[Any, ...]:
        return self.spec.files or self.sources

    def _recorded(self, made: Split) -> set[str]:
        """Names of what is recorded of networks that learn from a split."""
        return {n for n in VARIABLES if made.test is not None or not n.startswith("test_")}

    def _variable(
        self, name: str, inner: tuple[str, ...], about: Mapping[str, Any]
    ) -> StoreVariable:
        """A variable with these dimensions after the seed and the hyperparameters."""
        axes = {} if name == CLASSES else self._axes
        sizes = {
            "epoch": self.training.epochs,
            "kept_epoch": len(self.training.keep),
            "point": max(len(made.validation) for made in self._made),
        }
        last = tuple(sizes[one] for one in inner)
        lengths = tuple(map(len, axes.values()))
        chunk = tuple(len(v) if n in NUMBERS else 1 for n, v in axes.items())
        return StoreVariable(
            (self.source, "seed", *axes, *inner),
            (len(self.sources), len(self.spec.seed), *lengths, *last),
            (1, self._block, *chunk, *last),
            about,
            "float64" if name in EPOCHS else self.training.dtype,
        )
