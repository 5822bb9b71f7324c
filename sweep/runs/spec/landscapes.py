"""Canonical values of a spec of landscapes, independent of the way they were written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.base.ranges import axis, sizes
from sweep.landscapes.smooth import DTYPES, METHODS
from sweep.landscapes.stack import require_drawable
from sweep.metrics.metrics import metric
from sweep.populations import population
from sweep.runs.spec import schema
from sweep.runs.spec.schema import SpecError, as_list


def canonical(values: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The canonical value of every key, given a value of the right type for each."""
    laws, data = _laws(as_list(values["population"])), schema.data_files(values["data"], base)
    if laws and data:
        raise SpecError("population and data exclude each other; give one", "data")
    if not (laws or data):
        raise SpecError(
            "there is neither population nor data; give laws, such as "
            'population = ["W1", "D1"], or files, such as data = ["a.csv", "b.parquet"]'
        )
    if data:
        why = "is for samples of a population; leave it out beside data"
        schema.require_unset(values, {"n": schema.UNSET, "seed": schema.UNSET}, why)
    else:
        why = "names a column of data; leave it out beside population"
        schema.require_unset(values, {"x": (None, "x"), "y": ("y",), "weight": (None,)}, why)
    x = "x" if values["x"] is None else values["x"]
    tolerance, method, dtype = values["tolerance"], values["method"], values["dtype"]
    return {
        "population": laws,
        "data": data,
        "n": () if data else _sizes(values["n"]),
        "seed": () if data else schema.seed_values(values["seed"]),
        "a": _axis("a", values["a"]),
        "b": _axis("b", values["b"]),
        "metrics": _metrics(values["metrics"]),
        "tolerance": schema.checked("tolerance", tolerance, 0 < tolerance < math.inf),
        "method": schema.checked("method", method, method in METHODS),
        "dtype": schema.checked("dtype", dtype, dtype in DTYPES),
        "memory": schema.positive_integer("memory", values["memory"]),
        "x": schema.checked("x", x, isinstance(x, str) and x != ""),
        "y": schema.checked("y", values["y"], values["y"] != ""),
        "weight": schema.checked("weight", values["weight"], values["weight"] != ""),
        "optimum": values["optimum"],
        "tile": schema.positive_integer("tile", values["tile"]),
        "training": None,
    }


def _laws(texts: Sequence[str]) -> tuple[str, ...]:
    """The ids of laws that the spec names by id, else names with all parameters."""
    for text in texts:
        if not text.strip():
            raise schema.refusal("population", text, "holds")
    with schema.key_errors("population"):
        laws = [population(text) for text in texts]
    schema.distinct("population", texts, [law.name for law in laws])
    return tuple(
        law.id if law.id and law.id == text.strip().upper() else law.name
        for text, law in zip(texts, laws, strict=True)
    )


def _sizes(values: Any) -> tuple[int | float, ...]:
    """Sizes of samples, ascending; the population alone if there are none."""
    if values in schema.UNSET:
        return (math.inf,)
    with schema.key_errors("n"):
        ascending = sizes(values, infinite=True)
        for n in ascending:
            require_drawable(n)
    if not (isinstance(values, str) and ":" in values):  # a range may round two sizes to one
        elements = values.split(",") if isinstance(values, str) else as_list(values)
        schema.distinct("n", elements, [sizes(element, infinite=True) for element in elements])
    return ascending


def _axis(key: str, value: Any) -> str | tuple[float, ...]:
    """The text of an axis without spaces, or its points."""
    with schema.key_errors(key):
        points = tuple((axis(value, key) + 0.0).tolist())  # no -0.0
    schema.distinct(key, points, points)
    return value.replace(" ", "") if isinstance(value, str) else points


def _metrics(entries: Any) -> tuple[str, ...]:
    texts = [text for entry in as_list(entries) for text in _combinations(entry)]
    with schema.key_errors("metrics"):
        names = [metric(text).name for text in texts]
    return schema.distinct("metrics", texts, names)


def _combinations(entry: Any) -> Iterator[str]:
    """The metrics of an entry; a table gives one for each combination of values in its lists."""
    if isinstance(entry, str):
        yield entry
        return
    name = entry.get("name")
    if not isinstance(name, str):
        raise SpecError(
            f"metrics holds {schema.shortened(entry)}; it needs a name, as in "
            '{name = "focal", gamma = [0, 1, 2]}',
            "metrics",
        )
    lists = {key: _numbers(name, key, value) for key, value in entry.items() if key != "name"}
    for numbers in itertools.product(*lists.values()):
        pairs = zip(lists, numbers, strict=True)
        parameters = ",".join(f"{key}={number!r}" for key, number in pairs)
        yield f"{name}({parameters})" if parameters else name


def _numbers(name: str, parameter: str, value: Any) -> list[float]:
    """The values of a parameter of a metric."""
    values = as_list(value)
    for number in values or [value]:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            fault = "is empty" if value == [] else f"is {schema.shortened(number)}"
            raise SpecError(
                f"metrics: {parameter} of {name} {fault}; a number or a list of numbers is needed",
                "metrics",
            )
    return values
