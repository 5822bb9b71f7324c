"""The canonical values of a spec of landscapes: the same for all the ways to write the same.

The values come in with the types of `sweep.runs.spec.schema`; here they get their meaning, or are
refused by a sentence that begins with the key.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.base.grid import axis
from sweep.base.ranges import sizes
from sweep.landscapes.landscape import DTYPES, METHODS
from sweep.landscapes.stack import require_drawable
from sweep.metrics.metrics import metric
from sweep.populations import population
from sweep.runs.spec.schema import SpecError, refused, shown
from sweep.runs.spec.values import (
    about,
    column,
    files,
    known,
    listed,
    require_once,
    seeds,
    whole_number,
)


def canonical(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The canonical value of every key.

    Args:
        given: a value for every key, of its type; () for what is left out.
        base: the directory that the files of data are relative to.

    Raises:
        SpecError: one has no meaning, or they do not go together.
    """
    laws, data = _laws(listed(given["population"])), files(listed(given["data"]), base)
    _require_one(laws, data)
    (_require_no_samples if data else _require_no_columns)(given)
    return {
        "population": laws,
        "data": data,
        "n": () if data else _sizes(given["n"]),
        "seed": () if data else seeds(given["seed"]),
        "a": _axis("a", given["a"]),
        "b": _axis("b", given["b"]),
        "metrics": _metrics(given["metrics"]),
        "tolerance": _positive("tolerance", given["tolerance"]),
        "method": known("method", given["method"], METHODS),
        "dtype": known("dtype", given["dtype"], DTYPES),
        "memory": whole_number("memory", given["memory"]),
        "x": column("x", _one_column(given["x"])),
        "y": column("y", given["y"]),
        "weight": None if given["weight"] is None else column("weight", given["weight"]),
        "optimum": given["optimum"],
        "tile": whole_number("tile", given["tile"]),
        "training": None,
    }


def _require_one(laws: Sequence[str], data: Sequence[str]) -> None:
    if laws and data:
        raise SpecError("population and data exclude each other; give one", "data")
    if not (laws or data):
        raise SpecError(
            "there is neither population nor data; give laws, such as "
            'population = ["W1", "D1"], or files, such as data = ["a.csv", "b.parquet"]'
        )


def _require_no_samples(given: Mapping[str, Any]) -> None:
    for key in ("n", "seed"):
        if given[key] not in ((), []):
            raise SpecError(f"{key} is of samples of a population; leave it out beside data", key)


def _require_no_columns(given: Mapping[str, Any]) -> None:
    for key, usual in (("x", (None, "x")), ("y", ("y",)), ("weight", (None,))):
        if given[key] not in usual:
            raise SpecError(f"{key} is a column of data; leave it out beside population", key)


def _laws(asked: Sequence[str]) -> tuple[str, ...]:
    """Ids where they were given, else names with all parameters."""
    laws = []
    for text in asked:
        if not text.strip():
            raise refused("population", text, "holds")
        with about("population"):
            laws.append(population(text))
    require_once("population", asked, [law.name for law in laws])
    return tuple(
        law.id if law.id == text.strip().upper() else law.name
        for text, law in zip(asked, laws, strict=True)
    )


def _sizes(asked: Any) -> tuple[int | float, ...]:
    """As of `sweep.base.ranges`, and the population alone if none is given."""
    if asked in ((), []):
        return (math.inf,)
    with about("n"):
        found = sizes(asked, infinite=True)
        for n in found:
            require_drawable(n)
    # A range may round two of its sizes to one.
    pieces = [] if isinstance(asked, str) and ":" in asked else _pieces(asked)
    require_once("n", pieces, [sizes(one, infinite=True) for one in pieces])
    return found


def _axis(key: str, asked: Any) -> str | tuple[float, ...]:
    """The text, or the points."""
    with about(key):
        points = tuple((axis(asked, key) + 0.0).tolist())  # no -0.0
    require_once(key, points, points)
    return asked.replace(" ", "") if isinstance(asked, str) else points


def _metrics(asked: Any) -> tuple[str, ...]:
    texts = [text for entry in listed(asked) for text in _members(entry)]
    names = []
    for text in texts:
        with about("metrics"):
            names.append(metric(text).name)
    require_once("metrics", texts, names)
    return tuple(names)


def _members(entry: Any) -> Iterator[str]:
    """The metrics of an entry: of a table one for each combination of what its lists hold."""
    if isinstance(entry, str):
        yield entry
        return
    name = entry.get("name")
    if not isinstance(name, str):
        raise SpecError(
            f"metrics holds {shown(entry)}; it needs a name, as in "
            '{name = "focal", gamma = [0, 1, 2]}',
            "metrics",
        )
    lists = {key: _numbers(name, key, value) for key, value in entry.items() if key != "name"}
    for numbers in itertools.product(*lists.values()):
        pairs = zip(lists, numbers, strict=True)
        inside = ",".join(f"{key}={number!r}" for key, number in pairs)
        yield f"{name}({inside})" if inside else name


def _numbers(name: str, parameter: str, value: Any) -> list[float]:
    """The values of a parameter of a metric."""
    values = listed(value)
    for one in values or [value]:
        if isinstance(one, bool) or not isinstance(one, (int, float)):
            what = "is empty" if value == [] else f"is {shown(one)}"
            raise SpecError(
                f"metrics: {parameter} of {name} {what}; a number or a list of numbers is needed",
                "metrics",
            )
    return values


def _positive(key: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise refused(key, value)
    return value


def _one_column(value: str | list[str] | None) -> str:
    if isinstance(value, list):
        raise refused("x", value)
    return "x" if value is None else value


def _pieces(asked: Any) -> list[Any]:
    """What a list holds, given as one or as text."""
    return asked.split(",") if isinstance(asked, str) else listed(asked)
