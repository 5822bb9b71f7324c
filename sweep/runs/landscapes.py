"""Landscapes as a kind of work: a task is a tile of one, computed from a sample, a law or a file.

Metrics have the dimensions (population, n, seed, a, b), or (data, a, b); a chunk of theirs is the
tile of one task. The numbers of each landscape, its optima among them, stand in tables without a
and b. The latest landscape stays prepared for its next tile; the values of a tile do not depend on
which others were computed before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sweep.base.errors import InputError
from sweep.data.sample import Sample, load
from sweep.landscapes.landscape import prepare
from sweep.landscapes.stack import sample
from sweep.measure.measure import Measure
from sweep.metrics.metrics import Counting, metric
from sweep.optima.optimum import optimum
from sweep.populations import Population
from sweep.runs import tables, tasks
from sweep.runs.directory import fingerprint
from sweep.runs.kind import Coordinate, Numbers, Place, StoreVariable, Values
from sweep.runs.spec.spec import Spec
from sweep.runs.tasks import TileTask

if TYPE_CHECKING:
    from sweep.landscapes.prepared import Prepared

COORDINATES = {
    "population": {"long_name": "law of (x, y)"},
    "data": {"long_name": "file of data"},
    "n": {"units": "count", "long_name": "points n of a sample; inf is the law itself"},
    "seed": {"long_name": "seed of a sample"},
    "a": {"units": "1 / unit of x", "long_name": "slope a"},
    "b": {"units": "1", "long_name": "intercept b"},
}
"""Attributes of each."""


@dataclass(frozen=True)
class Landscapes:
    """The landscapes of a spec.

    Attributes:
        spec: what they are of.
    """

    spec: Spec
    _latest: dict[tuple[Any, ...], _Landscape] = field(default_factory=dict, compare=False)

    def coordinates(self) -> dict[str, Coordinate]:
        """Those of each landscape, a and b; texts as objects, numbers as int64 if all are whole."""
        found = {}
        for name, values in self.spec.coordinates.items():
            text = isinstance(values[0], str)
            whole = all(isinstance(value, int) for value in values)
            found[name] = np.array(values, object if text else np.int64 if whole else np.float64)
        grid = self.spec.grid
        every = found | {"a": grid.a, "b": grid.b}
        return {name: Coordinate(values, COORDINATES[name]) for name, values in every.items()}

    def tables(self) -> dict[str, StoreVariable]:
        """Numbers of each landscape."""
        names, shape = tuple(self.spec.coordinates), self._outer
        return {
            name: StoreVariable(names, shape, shape, table.attributes)
            for name, table in tables.tables(self.spec.optimum).items()
        }

    def variables(self) -> dict[str, StoreVariable]:
        """The metrics."""
        spec = self.spec
        names, shape = (*spec.coordinates, "a", "b"), self._outer + spec.grid.shape
        chunk = (1,) * len(self._outer) + tile(spec)
        return {name: StoreVariable(names, shape, chunk, _described(name)) for name in spec.metrics}

    def attributes(self) -> dict[str, Any]:
        """The tolerance."""
        return {"tolerance": self.spec.tolerance}

    def count(self) -> int:
        """Tiles of all landscapes."""
        return tasks.count(self.spec)

    def copies(self, index: int) -> int:
        """Landscapes that get a tile: of the law itself one for each seed."""
        return len(tasks.task(self.spec, index).places)

    def named(self, index: int) -> dict[str, str | int]:
        """What a task is of, by dimension."""
        return tasks.named(self.spec, tasks.task(self.spec, index))

    def chunks(self, index: int) -> dict[str, tuple[Place, ...]]:
        """The tile, of every metric."""
        task = tasks.task(self.spec, index)
        places = tuple((*place, task.row, task.column) for place in task.places)
        return dict.fromkeys(self.spec.metrics, places)

    def cells(self, index: int) -> tuple[Place, ...]:
        """Its landscape, or landscapes."""
        return tasks.task(self.spec, index).places

    def examined(self) -> tuple[str, ...]:
        """Fingerprints of the files of data, all of which are read: a bad row is found at once.

        Raises:
            InputError: one of them is no sample.
        """
        spec = self.spec
        for path in spec.files:
            load(path, **columns(spec))
        return tuple(map(fingerprint, spec.files))

    def computed(self, index: int, data: tuple[str, ...]) -> tuple[Values, Numbers]:
        """The metrics of a tile, and, with the first one, the numbers of its landscape."""
        spec, task = self.spec, tasks.task(self.spec, index)
        if task.first:
            self._latest.clear()  # so that whatever the numbers are made from has no history
        landscape = self._prepared(task, data)
        numbers = _numbers(spec, landscape) if task.first else {}
        values = landscape.cells.tile(*tasks.slices(spec, task))
        return {name: values[name] for name in spec.metrics}, numbers

    @property
    def _outer(self) -> tuple[int, ...]:
        """Shape of a table: that of a metric without a and b."""
        return tuple(map(len, self.spec.coordinates.values()))

    def _prepared(self, task: TileTask, data: tuple[str, ...]) -> _Landscape:
        """The landscape of a task, prepared for any of its tiles."""
        key = data, task.source, task.n, task.seed
        if key not in self._latest:
            self._latest.clear()  # before the next, so that there is room for it
            self._latest[key] = _Landscape.of(_data(self.spec, task, data), self.spec)
        return self._latest[key]


def tile(spec: Spec) -> tuple[int, int]:
    """Cells of a chunk along a and along b."""
    rows, columns = spec.grid.shape
    return min(rows, spec.tile), min(columns, spec.tile)


def _described(name: str) -> dict[str, str]:
    """Attributes of a metric, as those of `sweep.landscape`."""
    found = metric(name)
    return {
        "units": found.units,
        "long_name": found.long_name,
        "source": found.source,
        "kind": "counting" if isinstance(found, Counting) else "smooth",
    }


def columns(spec: Spec) -> dict[str, Any]:
    """What `load` is told of the columns of data."""
    return {"x": spec.x, "y": spec.y, "weight": spec.weight}


def _data(spec: Spec, task: TileTask, data: tuple[str, ...]) -> Sample | Population:
    """What the landscape of a task is of.

    Raises:
        InputError: the file of data is not what it was when the run began, or no sample.
    """
    if task.n is not None:
        return sample(spec.laws[task.source], task.n, task.seed or 0)
    path = spec.files[task.source]
    found = load(path, **columns(spec))
    if fingerprint(path) != data[task.source]:
        raise InputError(f"{path}: was changed since the run began; put it back")
    return found


def _numbers(spec: Spec, landscape: _Landscape) -> dict[str, float]:
    """The numbers of a landscape, by table."""
    data = landscape.data
    points = math.inf if isinstance(data, Population) else float(data.n)
    found = {"points": points, "error_bound": landscape.cells.attributes["error_bound"]}
    if spec.optimum:
        found |= tables.optima(optimum(data))
    return {name: float(x) for name, x in found.items() if not math.isnan(x)}


class _Landscape(NamedTuple):
    """One landscape, of which tiles are asked for.

    Attributes:
        data: the measure of a sample, or a law.
        cells: the landscape.
    """

    data: Measure | Population
    cells: Prepared

    @classmethod
    def of(cls, data: Sample | Population, spec: Spec) -> _Landscape:
        """Plans for the whole grid."""
        source = data if isinstance(data, Population) else Measure.from_sample(data)
        cells = prepare(
            source,
            spec.grid.a,
            spec.grid.b,
            spec.metrics,
            tolerance=spec.tolerance,
            method=spec.method,
            dtype=spec.dtype,
            memory_budget=spec.memory * 2**20,
        )
        return cls(source, cells)
