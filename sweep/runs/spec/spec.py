"""A spec: what a sweep computes, from TOML or in Python, by the names of `sweep.landscape`.

    population = ["W1", "D1"]          # or data = ["a.csv", "b.parquet"]
    n = "100:1e6:5:log"                # or a list; inf is the population itself
    seed = [0, 1, 2]
    a = "-5:5:101"
    b = "-5:5:101"
    metrics = ["cross_entropy", {name = "focal", gamma = [1, 2, 5]}]

Or the networks that it trains, by the names of `sweep.train`:

    seed = "0:999:1000"

    [training]
    problem = "outlier"                # or data = ["a.csv"] before the table
    learning_rate = [0.01, 0.05]

A spec is checked when it is made, all but its files of data, and from then on every value is in
its canonical form, whichever way it was written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from sweep.base.grid import DEFAULT_AXIS, Grid, axis
from sweep.populations import Population, population
from sweep.runs.spec import landscapes, toml
from sweep.runs.spec.schema import KEYS, SpecError, require_known, typed
from sweep.runs.spec.values import MOST_TASKS, about

if TYPE_CHECKING:
    from sweep.runs.spec.networks import Training

METRICS = ("cross_entropy", "accuracy")
_Names = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_Numbers = str | float | Sequence[Any] | np.ndarray
_Metric = str | Mapping[str, Any]


@dataclass(frozen=True, init=False)
class Spec:
    """What a sweep computes: a landscape of each law at each size and seed, or of each file.

    Or networks, if there is a table `training`; then what is of landscapes has its usual values,
    and `seed` is that of `sweep.train`.

    Every argument may be given as in TOML: one value, several in a list, or a text. The attributes
    are canonical, and two specs are equal if they ask for the same of the same places.

    Attributes:
        population: laws, ids such as "W1" or names with all their parameters.
        data: files, as written; what `files` resolves. Either these or laws.
        n: sizes of the samples of each law, ascending; inf, the default, is the law itself.
        seed: of the samples, in the order given; 0 unless given.
        a: slopes, as the text of an axis or its points.
        b: intercepts, likewise.
        metrics: names with all their parameters; of a table such as
            {name = "focal", gamma = [1, 2]} one for each combination of what its lists hold.
        tolerance: largest error accepted in a smooth metric, as a multiple of max(1, value).
        method: how smooth metrics are computed: "auto", "direct" or "compressed".
        dtype: precision of the direct method, "float64" or "float32".
        memory: working memory in MiB.
        x: column of inputs of the data; for networks columns, of which None is all but y and
            `weight`.
        y: column of labels of the data.
        weight: column of weights; None takes a column `weight` if there is one.
        optimum: whether the exact optima are found too.
        tile: most cells of a chunk of the store along a, and along b.
        training: the table of networks; None for landscapes.
        base: the directory that the files of data are relative to; no part of what is computed.

    Raises:
        SpecError: a value is of the wrong type, empty, unknown or named twice; the sentence, which
            begins with the key, says so.
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
        given = locals()
        checked = {key: typed(key, _plain(given[key])) for key in KEYS}
        if checked["training"] is None:
            made = landscapes.canonical(checked, Path(base))
        else:
            from sweep.runs.spec import networks  # for which no other spec waits

            made = networks.canonical(checked, Path(base))
        for key, value in made.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "base", Path(base))
        if self.training is None:
            self._require_room()

    @classmethod
    def read(cls, path: str | os.PathLike[str], base: str | os.PathLike[str] | None = None) -> Spec:
        """The spec in a file of TOML.

        Args:
            path: the file.
            base: what its files of data are relative to; None is the directory of the file.

        Raises:
            InputError: it cannot be read, is not TOML or no spec; the sentence begins with the
                path, and has the line.
        """
        text = toml.read(path)
        values = toml.parsed(text, path)
        try:
            return cls.of(values, Path(path).parent if base is None else base)
        except SpecError as error:
            line = None if error.key is None else toml.line_of(text, error.key)
            place = f"{path}, line {line}" if line else path
            raise SpecError(f"{place}: {error}", error.key) from None

    @classmethod
    def of(cls, values: Mapping[str, Any], base: str | os.PathLike[str] = "") -> Spec:
        """The spec of a mapping, such as a TOML document.

        Args:
            values: by key.
            base: what its files of data are relative to.

        Raises:
            SpecError: there is no such key, or as of the class.
        """
        require_known(values)
        if isinstance(values.get("training"), Mapping):
            from sweep.runs.spec import networks

            networks.require_no_landscapes(values)
        for key, value in values.items():
            if isinstance(value, (list, tuple)) and not value:
                raise SpecError(f"{key} is empty; {KEYS[key].needed}", key)
        return cls(**{key: typed(key, _plain(value)) for key, value in values.items()}, base=base)

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
        a, b = (one if isinstance(one, str) else np.array(one) for one in (self.a, self.b))
        return Grid(axis(a, "a"), axis(b, "b"))

    @property
    def of_data(self) -> bool:
        """Whether files are asked for, and not laws."""
        return bool(self.data)

    @property
    def coordinates(self) -> dict[str, tuple[str, ...] | tuple[int | float, ...]]:
        """What each landscape is of, by dimension, in the order of the store's.

        {"population": ..., "n": ..., "seed": ...}, or {"data": ...}.
        """
        if self.of_data:
            return {"data": self.data}
        return {"population": self.population, "n": self.n, "seed": self.seed}

    @property
    def landscapes(self) -> int:
        """Landscapes of the store, those of n = infinity once for every seed."""
        return math.prod(map(len, self.coordinates.values()))

    @property
    def tiles(self) -> tuple[int, int]:
        """Chunks of one landscape along a and along b."""
        rows, columns = self.grid.shape
        return -(-rows // self.tile), -(-columns // self.tile)

    def require_data(self) -> None:
        """Refuses a spec of which a file of data is not there.

        Raises:
            SpecError: names it.
        """
        for name, path in zip(self.data, self.files, strict=True):
            if not path.exists():
                where = "" if Path(name).is_absolute() else f" in {self.base.absolute()}"
                raise SpecError(f"data holds {name!r}, and there is no such file{where}", "data")
            if path.is_dir():
                raise SpecError(
                    f"data holds {name!r}, which is a directory; name its files", "data"
                )

    def to_dict(self) -> dict[str, Any]:
        """The canonical value of every key that the spec has a use for, in their order."""
        values = {key: getattr(self, key) for key in KEYS if key not in self._unused}
        if self.training is None:
            return values
        return {k: v for k, v in values.items() if v is not None} | {
            "training": self.training.to_dict()
        }

    @property
    def _unused(self) -> set[str]:
        """Keys that make no difference here."""
        columns = {"x", "y"}
        if self.training is not None:
            from sweep.runs.spec import networks

            return {*networks.LANDSCAPES, *(() if self.of_data else {"data", *columns})}
        sampled = {"population", "n", "seed"} if self.of_data else {"data", *columns, "weight"}
        return {*sampled, "training"}

    def to_toml(self) -> str:
        """The canonical text: `Spec.of` makes an equal spec of what it says."""
        return toml.text(self.to_dict())

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex, of the canonical values, the axes by their points."""
        found = self.to_dict()
        axes = {name: tuple(getattr(self.grid, name).tolist()) for name in ("a", "b")}
        points = {name: values for name, values in axes.items() if name in found}
        return xxhash.xxh3_128_hexdigest(toml.text(found | points).encode())

    def _require_room(self) -> None:
        a, b = self.grid.a, self.grid.b
        with about("tile"):
            Grid(a[: self.tile], b[: self.tile]).require_room(len(self.metrics) + 1)
        tasks = self.landscapes * math.prod(self.tiles)
        if tasks > MOST_TASKS:
            raise SpecError(
                f"the store would have {tasks} chunks, more than the {MOST_TASKS} that it may; ask "
                "for fewer landscapes, or for a larger tile",
                "tile",
            )


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, NumPy's numbers as Python's, and paths as texts."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
