"""Landscapes as a kind of work: a task computes one tile of the landscape of a sample, law or file.

Metrics have the dimensions (population, n, seed, a, b), or (data, a, b); a chunk of a metric is the
tile of one task. The scalars of each landscape, its optima among them, fill tables without a and b.
The latest landscape stays prepared for its next tile; the values of a tile do not depend on which
tiles were computed before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from sweep.base.ranges import size_text
from sweep.base.storage import StoredVariable
from sweep.data.sample import Sample, load
from sweep.landscapes.landscape import prepare
from sweep.landscapes.models import described
from sweep.landscapes.prepared import Prepared
from sweep.landscapes.stack import sample
from sweep.measure.measure import Measure
from sweep.metrics.metrics import metric
from sweep.optima.optimum import optimum
from sweep.optima.records import STATUSES, AccuracyOptimum, Optimum
from sweep.populations import Population
from sweep.runs.directory import fingerprint, require_unchanged
from sweep.runs.kind import Coordinate, Indices, Numbers, TileIndex, TileNumbers, Values
from sweep.runs.spec.spec import Spec

COORDINATES = {
    "population": {"long_name": "law of (x, y)"},
    "data": {"long_name": "file of data"},
    "n": {"units": "count", "long_name": "points n of a sample; inf is the law itself"},
    "seed": {"long_name": "seed of a sample"},
    "a": {"units": "1 / unit of x", "long_name": "slope a"},
    "b": {"units": "1", "long_name": "intercept b"},
}
"""Attributes of each coordinate."""


def _table(units: str, long_name: str, *flags: str) -> dict[str, Any]:
    """Attributes of a table by the CF conventions; flags are the meanings of 0, 1, ..."""
    meanings = {
        "flag_values": [float(k) for k in range(len(flags))],
        "flag_meanings": " ".join(flags),
    }
    return {"units": units, "long_name": long_name} | (meanings if flags else {})


TABLES = {
    "points": _table("count", "points that the landscape is of; inf is the law itself"),
    "error_bound": _table("1", "bound on |error| / max(1, value) of every metric with a bound"),
}
OPTIMUM_TABLES = {
    "optimum_a": _table("1 / unit of x", "slope of the cross-entropy optimum"),
    "optimum_b": _table("1", "intercept of the cross-entropy optimum"),
    "least_cross_entropy": _table("nats", "least cross-entropy, or its infimum"),
    "optimum_cut": _table("unit of x", "cut of the cross-entropy optimum"),
    "optimum_orientation": _table("1", "+1: class 1 above that cut, -1: below, 0: no cut"),
    "optimum_status": _table(
        "1", "whether cross-entropy has an optimum", *(status.name for status in STATUSES)
    ),
    "highest_accuracy": _table("1", "highest accuracy"),
    "optimal_cuts": _table("count", "intervals of cuts of highest accuracy; 0: only constants"),
    "optimal_cut_low": _table("unit of x", "lower end of the widest of these intervals"),
    "optimal_cut_high": _table("unit of x", "its upper end"),
    "optimal_cut_orientation": _table("1", "+1: class 1 above a cut in it, -1: below"),
    "shared": _table("1", "whether the cross-entropy optimum is most accurate", "no", "yes"),
    "regret": _table("1", "accuracy lost at the cross-entropy optimum"),
    "distance": _table("unit of x", "from its cut to the nearest optimal one of its orientation"),
}
"""Attributes of the scalars of each landscape, by table."""


@dataclass(frozen=True)
class Landscapes:
    """The landscapes of a spec. Tasks are numbered from 0."""

    spec: Spec
    _latest: dict[Any, tuple[Measure | Population, Prepared]] = field(
        default_factory=dict, compare=False
    )

    def coordinates(self) -> dict[str, Coordinate]:
        """Coordinates by dimension, in the order of the store; whole numbers are int64."""
        coordinates: dict[str, Any] = {}
        for name, values in self.spec.coordinates.items():
            text = isinstance(values[0], str)
            whole = all(isinstance(value, int) for value in values)
            dtype = object if text else np.int64 if whole else np.float64
            coordinates[name] = np.array(values, dtype)
        coordinates |= {"a": self.spec.grid.a, "b": self.spec.grid.b}
        return {name: Coordinate(v, COORDINATES[name]) for name, v in coordinates.items()}

    def tables(self) -> dict[str, StoredVariable]:
        """Arrays of one chunk each, with the scalars of all landscapes."""
        names, shape = tuple(self.spec.coordinates), self._outer_shape
        tables = TABLES | (OPTIMUM_TABLES if self.spec.optimum else {})
        return {
            name: StoredVariable(names, shape, shape, attributes)
            for name, attributes in tables.items()
        }

    def variables(self) -> dict[str, StoredVariable]:
        """The metrics, whose chunks the tasks write."""
        spec = self.spec
        names, shape = (*spec.coordinates, "a", "b"), self._outer_shape + spec.grid.shape
        sides = tuple(min(length, spec.tile) for length in spec.grid.shape)
        chunk = (1,) * len(self._outer_shape) + sides
        return {
            name: StoredVariable(names, shape, chunk, described(metric(name)))
            for name in spec.metrics
        }

    def attributes(self) -> dict[str, Any]:
        """Attributes of the store beyond those of every run."""
        return {"tolerance": self.spec.tolerance}

    @cached_property
    def numbers(self) -> TileNumbers:
        """The numbers of the tasks."""
        return TileNumbers.of(self.spec.to_dict())

    def slices(self, tile: TileIndex) -> tuple[slice, slice]:
        """The cells of a tile, along a and along b."""
        (rows, columns), side = self.spec.grid.shape, self.spec.tile
        return (
            slice(tile.row * side, min((tile.row + 1) * side, rows)),
            slice(tile.column * side, min((tile.column + 1) * side, columns)),
        )

    def describe(self, task: int) -> dict[str, str | int]:
        """What a task computes, for people: {"population": "W1", "n": "1e4", ...}."""
        spec, tile = self.spec, self.numbers.locate(task)
        if spec.of_data:
            description: dict[str, str | int] = {"data": spec.data[tile.source]}
        else:
            n = size_text(spec.n[tile.size])
            description = {"population": spec.population[tile.source], "n": n}
            description |= {} if tile.seed is None else {"seed": spec.seed[tile.seed]}
        return description | ({} if spec.tiles == (1, 1) else {"tile": f"{tile.row},{tile.column}"})

    def chunks(self, task: int) -> dict[str, tuple[Indices, ...]]:
        """Chunks that a task writes, by metric; they hold the same bytes."""
        tile = self.numbers.locate(task)
        chunks = tuple((*indices, tile.row, tile.column) for indices in self.cells(task))
        return dict.fromkeys(self.spec.metrics, chunks)

    def cells(self, task: int) -> tuple[Indices, ...]:
        """The landscapes with the tile, along the dimensions before a and b."""
        source, size, seed, *_ = self.numbers.locate(task)
        if self.spec.of_data:
            return ((source,),)
        seeds = range(len(self.spec.seed)) if seed is None else (seed,)
        return tuple((source, size, k) for k in seeds)

    def check_data(self) -> tuple[str, ...]:
        """Reads all files of data, to find a bad row at once, and returns their fingerprints."""
        for path in self.spec.files:
            load(path, **column_names(self.spec))
        return tuple(map(fingerprint, self.spec.files))

    def compute(self, task: int, data: tuple[str, ...]) -> tuple[Values, Numbers]:
        """The metrics of a tile; the first tile adds the scalars of its landscape."""
        tile = self.numbers.locate(task)
        first = tile.row == tile.column == 0
        if first:
            self._latest.clear()  # the scalars must not depend on what was computed before
        source, landscape = self._prepared(tile, data)
        bound = landscape.attributes["error_bound"]
        numbers = _scalars(source, bound, self.spec.optimum) if first else {}
        values = landscape.tile(*self.slices(tile))
        return {name: values[name] for name in self.spec.metrics}, numbers

    @property
    def _outer_shape(self) -> Indices:
        """Shape of a table: that of a metric without a and b."""
        return tuple(map(len, self.spec.coordinates.values()))

    def _prepared(
        self, tile: TileIndex, data: tuple[str, ...]
    ) -> tuple[Measure | Population, Prepared]:
        """The landscape of a tile, prepared for any of its tiles, and what it is of."""
        key = data, tile[:3]
        if key not in self._latest:
            self._latest.clear()  # frees the memory before the next one takes it
            spec, points = self.spec, _read_or_draw(self.spec, tile, data)
            source = points if isinstance(points, Population) else Measure.from_sample(points)
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
            self._latest[key] = source, cells
        return self._latest[key]


def column_names(spec: Spec) -> dict[str, Any]:
    """The arguments of `load` that name the columns of the data."""
    return {"x": spec.x, "y": spec.y, "weight": spec.weight}


def _read_or_draw(spec: Spec, tile: TileIndex, data: tuple[str, ...]) -> Sample | Population:
    """The sample or law of a tile; a file of data must be the one that the run began with."""
    if not spec.of_data:
        seed = 0 if tile.seed is None else spec.seed[tile.seed]
        return sample(spec.laws[tile.source], spec.n[tile.size], seed)
    path = spec.files[tile.source]
    points = load(path, **column_names(spec))
    require_unchanged(path, data[tile.source])
    return points


def _scalars(source: Measure | Population, error_bound: float, best: bool) -> dict[str, float]:
    """The scalars of a landscape, by table; those that do not exist are left out."""
    points = math.inf if isinstance(source, Population) else float(source.n)
    scalars = {"points": points, "error_bound": error_bound}
    if best:
        scalars |= _optimum_scalars(optimum(source))
    return {name: float(value) for name, value in scalars.items() if not math.isnan(value)}


def _optimum_scalars(best: Optimum) -> Mapping[str, float]:
    """The scalars of the optima, by table; nan where there is none."""
    cross_entropy = best.cross_entropy
    return {
        "optimum_a": cross_entropy.a,
        "optimum_b": cross_entropy.b,
        "least_cross_entropy": cross_entropy.value,
        "optimum_cut": cross_entropy.cut,
        "optimum_orientation": float(cross_entropy.orientation),
        "optimum_status": float(STATUSES.index(cross_entropy.status)),
        "shared": math.nan if best.shared is None else float(best.shared),
        "regret": best.regret,
        "distance": best.distance,
    } | _accuracy_scalars(best.accuracy)


def _accuracy_scalars(best: AccuracyOptimum) -> dict[str, float]:
    """The highest accuracy, and the widest interval of cuts that reach it, the first of several."""
    scalars = {"highest_accuracy": best.value, "optimal_cuts": float(len(best.cuts))}
    if best.cuts:
        low, high, orientation = max(best.cuts, key=lambda cut: cut[1] - cut[0])
        scalars |= {
            "optimal_cut_low": low,
            "optimal_cut_high": high,
            "optimal_cut_orientation": float(orientation),
        }
    return scalars
