"""A spec: what a sweep computes, from TOML or in Python, by the names of `sweep.landscape`.

    population = ["W1", "D1"]          # or data = ["a.csv", "b.parquet"]
    n = "100:1e6:5:log"                # or a list; inf is the population itself
    seed = [0, 1, 2]
    a = "-5:5:101"
    b = "-5:5:101"
    metrics = ["cross_entropy", {name = "focal", gamma = [1, 2, 5]}]

Or which networks it trains, by the names of `sweep.train`:

    seed = "0:999:1000"

    [training]
    problem = "outlier"                # or data = ["a.csv"] before the table
    learning_rate = [0.01, 0.05]

A spec is checked when it is made, except for its files of data. Its attributes are canonical: they
do not depend on how the values were written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from sweep.base.grid import Grid
from sweep.base.ranges import DEFAULT_AXIS, axis
from sweep.populations import Population, population
from sweep.runs.spec import landscapes, networks, toml
from sweep.runs.spec.networks import Training
from sweep.runs.spec.schema import (
    KEYS,
    MOST_TASKS,
    SpecError,
    key_errors,
    require_known_keys,
    typed,
)

METRICS = ("cross_entropy", "accuracy")
_Names = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_Numbers = str | float | Sequence[Any] | np.ndarray
_Metric = str | Mapping[str, Any]


@dataclass(frozen=True, init=False)
class Spec:
    """What a sweep computes: a landscape of each law at each size and seed, or of each file.

    With a table `training` it computes networks instead: `seed` is that of `sweep.train`, and keys
    of landscapes have their defaults.

    Every argument may be given as in TOML: one value, a list of values, or a text. The attributes
    are canonical; two specs with equal attributes are equal, whatever `base` is.

    Attributes:
        population: laws, by ids such as "W1" or by names with all their parameters.
        data: files, as the spec writes them; `files` resolves them. Excludes `population`.
        n: sizes of the samples of each law, ascending; the default, inf, is the law itself.
        seed: seeds of the samples, in the order of the spec; the default is 0.
        a: slopes, as the text of an axis or its points.
        b: intercepts, as the text of an axis or its points.
        metrics: names with all their parameters; a table such as {name = "focal", gamma = [1, 2]}
            gives one for each combination of values in its lists.
        tolerance: largest error of a smooth metric, as a multiple of max(1, value).
        method: how smooth metrics are computed: "auto", "direct" or "compressed".
        dtype: precision of the direct method, "float64" or "float32".
        memory: working memory in MiB.
        x: column of inputs of the data; for networks several columns, or None for all columns but y
            and `weight`.
        y: column of labels of the data.
        weight: column of weights; None takes the column `weight` if there is one.
        optimum: whether to find the exact optima, too.
        tile: most cells of a chunk of the store along a, and along b.
        training: the table of networks; None for landscapes.
        base: directory that files of data are relative to; not part of the fingerprint.

    Raises:
        SpecError: a value has the wrong type, or is empty, unknown or given twice; the message
            begins with the key.
    """

    population: tuple[str, ...]
    data: tuple[str, ...]
    n: tuple[int | float, ...]
    seed: tuple[int, ...]
    a: str | tuple[float, ...]
    b: str | tuple[float, ...]
    metrics: tuple[str, ...]
    tolerance: float
    method: str
    dtype: str
    memory: int
    x: str | tuple[str, ...] | None
    y: str
    weight: str | None
    optimum: bool
    tile: int
    training: Training | None
    base: Path = field(compare=False)

    def __init__(
        self,
        *,
        population: _Names = (),
        data: _Names = (),
        n: _Numbers = (),
        seed: _Numbers = (),
        a: _Numbers = DEFAULT_AXIS,
        b: _Numbers = DEFAULT_AXIS,
        metrics: _Metric | Sequence[_Metric] = METRICS,
        tolerance: float = 1e-9,
        method: str = "auto",
        dtype: str = "float64",
        memory: int | float = 512,
        x: str | Sequence[str] | None = None,
        y: str = "y",
        weight: str | None = None,
        optimum: bool = True,
        tile: int | float = 500,
        training: Mapping[str, Any] | None = None,
        base: str | os.PathLike[str] = "",
    ) -> None:
        arguments = locals()
        self._set({key: arguments[key] for key in KEYS}, base)

    def _set(self, values: Mapping[str, Any], base: str | os.PathLike[str]) -> None:
        """Sets every attribute to its canonical value."""
        values = {key: typed(key, _plain(value)) for key, value in values.items()}
        if values["training"] is None:
            canonical = landscapes.canonical(values, Path(base))
        else:
            canonical = networks.canonical(values, Path(base), DEFAULTS)
        for key, value in (canonical | {"base": Path(base)}).items():
            object.__setattr__(self, key, value)
        if self.training is None:
            self._require_room()

    @classmethod
    def read(cls, path: str | os.PathLike[str], base: str | os.PathLike[str] | None = None) -> Spec:
        """The spec in a TOML file.

        Args:
            path: the file.
            base: directory that files of data are relative to; None is the directory of the file.

        Raises:
            InputError: the file cannot be read, is not TOML or not a spec; the message begins with
                the path and the line.
        """
        text = toml.read(path)
        values = toml.parsed(text, path)
        try:
            return cls.of(values, Path(path).parent if base is None else base)
        except SpecError as error:
            line = None if error.key is None else toml.line_of(text, error.key)
            where = f"{path}, line {line}" if line else path
            raise SpecError(f"{where}: {error}", error.key) from None

    @classmethod
    def of(cls, values: Mapping[str, Any], base: str | os.PathLike[str] = "") -> Spec:
        """The spec of a mapping, such as a parsed TOML file.

        Args:
            values: by key.
            base: directory that files of data are relative to.

        Raises:
            SpecError: a key is unknown or its value invalid, see the class.
        """
        require_known_keys(values)
        if isinstance(values.get("training"), Mapping):
            networks.require_no_landscape_keys(values)
        for key, value in values.items():
            if isinstance(value, (list, tuple)) and not value:
                raise SpecError(f"{key} is empty; {KEYS[key].needed}", key)
        spec = object.__new__(cls)
        spec._set({**DEFAULTS, **values}, base)
        return spec

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled for workers: the attributes, and nothing that was computed from them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def laws(self) -> tuple[Population, ...]:
        """The laws, in the order of `population`."""
        return tuple(map(population, self.population))

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files of data, in the order of `data`."""
        return tuple(self.base / name for name in self.data)

    @cached_property
    def grid(self) -> Grid:
        """The cells of every landscape, shape (P, Q)."""
        a, b = (v if isinstance(v, str) else np.array(v) for v in (self.a, self.b))
        return Grid(axis(a, "a"), axis(b, "b"))

    @property
    def of_data(self) -> bool:
        """Whether the spec is of files, not of laws or problems."""
        return bool(self.data)

    @property
    def coordinates(self) -> dict[str, tuple[str, ...] | tuple[int | float, ...]]:
        """Coordinates of the landscapes: of population, n and seed, or of data."""
        if self.of_data:
            return {"data": self.data}
        return {"population": self.population, "n": self.n, "seed": self.seed}

    @property
    def landscapes(self) -> int:
        """Number of landscapes in the store, those of n = infinity once for every seed."""
        return math.prod(map(len, self.coordinates.values()))

    @property
    def tiles(self) -> tuple[int, int]:
        """Number of chunks of one landscape along a and along b."""
        rows, columns = self.grid.shape
        return -(-rows // self.tile), -(-columns // self.tile)

    def require_data(self) -> None:
        """Rejects a spec whose files of data do not exist.

        Raises:
            SpecError: names the first that is missing.
        """
        for name, path in zip(self.data, self.files, strict=True):
            if not path.exists():
                where = "" if Path(name).is_absolute() else f" in {self.base.absolute()}"
                raise SpecError(f"data holds {name!r}, but there is no such file{where}", "data")
            if path.is_dir():
                raise SpecError(
                    f"data holds {name!r}, which is a directory; name its files", "data"
                )

    def to_dict(self) -> dict[str, Any]:
        """The canonical value of every key that applies, in the order of the text."""
        unused = {"training"} if self.of_data else {"training", "data", "x", "y", "weight"}
        if self.training is not None:
            unused |= {*networks.LANDSCAPE_KEYS}
        elif self.of_data:
            unused |= {"population", "n", "seed"}
        values = {key: getattr(self, key) for key in KEYS if key not in unused}
        if self.training is None:
            return values
        values = {key: value for key, value in values.items() if value is not None}
        return values | {"training": self.training.to_dict()}

    def to_toml(self) -> str:
        """The canonical text, from which `Spec.of` makes an equal spec once it is parsed."""
        return toml.text(self.to_dict())

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex, of the canonical values, the axes by their points."""
        values = self.to_dict()
        axes = {name: tuple(getattr(self.grid, name).tolist()) for name in ("a", "b")}
        points = {name: v for name, v in axes.items() if name in values}
        return xxhash.xxh3_128_hexdigest(toml.text(values | points).encode())

    def _require_room(self) -> None:
        a, b = self.grid.a, self.grid.b
        with key_errors("tile"):
            Grid(a[: self.tile], b[: self.tile]).require_room(len(self.metrics) + 1)
        tasks = self.landscapes * math.prod(self.tiles)
        if tasks > MOST_TASKS:
            raise SpecError(
                f"the store would have {tasks} chunks, more than the limit of {MOST_TASKS}; ask "
                "for fewer landscapes, or for a larger tile",
                "tile",
            )


DEFAULTS = {key: signature(Spec).parameters[key].default for key in KEYS}


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, NumPy's numbers as Python's, and paths as texts."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(element) for key, element in value.items()}
    return [_plain(element) for element in value] if isinstance(value, (list, tuple)) else value
