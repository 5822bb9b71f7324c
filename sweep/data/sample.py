"""Samples: the requirements on a user's data, and reading them from a file.

Data enter the engine only as a `Sample` or, for a user's own model, as a `Batch`. All other modules
rely on finite values, equal lengths, labels in [0, 1] and weights >= 0. Bad data raise one
`InputError` whose message names the file, the column, the row and the value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import resources
from pathlib import Path

import numpy as np
import xxhash
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data import tables
from sweep.data.columns import (
    Where,
    array,
    column,
    element,
    present,
    read_only,
    refuse,
    require_finite,
    require_kind,
    require_weights,
)

ILLUSTRATIONS = (1, 2, 3)  # numbers of the samples that ship with the package
ROWS_AT_ONCE = 2**12  # rows that a fingerprint copies together


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Sample:
    """n points (x, y) with optional weights.

    Attributes:
        x: inputs, shape (n,), finite real numbers in any unit.
        y: labels, shape (n,), in [0, 1]; values strictly between are soft labels, P(class 1).
        weight: weights >= 0, shape (n,), not all zero; None means that each point counts once.

    Raises:
        InputError: a column is not one-dimensional, does not hold real numbers, differs from x in
            length, or holds a value that is not finite or out of range. The message names the
            first bad value.
    """

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"] | None = None

    def __init__(self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> None:
        columns = {"x": x, "y": y} if weight is None else {"x": x, "y": y, "weight": weight}
        self.__dict__.update(_checked(columns, element))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Sample(n={len(self)}, weighted={self.weight is not None})"

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex, of the columns in order; it identifies the data."""
        return digest(self.x, self.y, self.weight)


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Batch:
    """n inputs of any shape, with labels and optional weights, for a user's own model.

    Attributes:
        x: inputs, shape (n, ...), finite. Integers that fit into int32 stay integers, so that a
            model can use them as indices.
        y: labels, shape (n,), in [0, 1]; values strictly between are soft labels, P(class 1).
        weight: weights >= 0, shape (n,), not all zero; None means that each input counts once.

    Raises:
        InputError: as for a `Sample`, except that x may have any trailing shape.
    """

    x: Shaped[np.ndarray, "n ..."]
    y: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"] | None = None

    def __init__(self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> None:
        columns = {"y": y} if weight is None else {"y": y, "weight": weight}
        self.__dict__.update(_checked(columns, element, _inputs(x)))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        shape = self.x.shape[1:]
        return f"Batch(n={len(self)}, shape={shape}, weighted={self.weight is not None})"

    @property
    def counted(self) -> bool:
        """Whether masses are counts: the labels are 0 or 1, and there are no weights."""
        return self.weight is None and bool(np.all((self.y == 0) | (self.y == 1)))

    @property
    def total(self) -> int | float:
        """Sum of the weights; the number of inputs, an int, if there are no weights."""
        return len(self) if self.weight is None else float(np.sum(self.weight))

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex; a `Sample` of the same columns has the same digest."""
        return digest(self.x, self.y, self.weight)


def digest(*columns: Shaped[np.ndarray, "n ..."] | None) -> str:
    """128-bit XXH3 digest, in hex, of columns in order; None stands for a missing column."""
    state = xxhash.xxh3_128()
    for values in columns:
        if values is None:
            state.update(b"none")
            continue
        if values.ndim > 1:
            state.update(repr(values.shape).encode())
        for start in range(0, len(values), ROWS_AT_ONCE):
            rows = values[start : start + ROWS_AT_ONCE]
            state.update(np.ascontiguousarray(rows, "<f8").data)
    return state.hexdigest()


def illustration(k: int) -> Sample:
    """The sample of published illustration k, with n = 5, 100 or 10000 points for k = 1, 2 or 3.

    Raises:
        InputError: k is not 1, 2 or 3.
    """
    if k not in ILLUSTRATIONS:
        raise InputError(f"there is no illustration {k!r}; the illustrations are 1, 2 and 3")
    source = resources.files("sweep.data") / "illustrations" / f"illustration{int(k)}.csv"
    with resources.as_file(source) as path:
        return load(path)


def load(
    path: str | os.PathLike[str], *, x: str = "x", y: str = "y", weight: str | None = None
) -> Sample:
    """Reads a sample from a file.

    Args:
        path: `.npy` (a structured array, or shape (n, 2) or (n, 3) in the order x, y, weight),
            `.npz` (one array per column), or `.parquet`; any other file is CSV with a header:
            `.tsv` if tabs separate its columns, with `.gz` at the end if it is compressed.
        x: name of the column of inputs.
        y: name of the column of labels.
        weight: name of the column of weights; None takes a column `weight` if there is one.

    Raises:
        InputError: the file is missing, does not have the format of its suffix, lacks a column,
            has no rows, or holds a value that a `Sample` rejects. Row numbers start at 1, without
            the header and empty lines.
    """
    path = Path(path)
    names = {"x": x, "y": y, "weight": "weight" if weight is None else weight}
    required = ("x", "y") if weight is None else tuple(names)
    table = tables.read(path, partial(present, names, required))
    columns = {role: table[name] for role, name in names.items() if name in table}
    try:
        if len(columns["x"]) == 0:
            raise InputError("has no rows; at least one point is needed")
        return of_checked(_checked(columns, lambda role, row: f"{names[role]!r} in row {row + 1}"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def of_checked(columns: Mapping[str, np.ndarray]) -> Sample:
    """The sample of columns that hold what a `Sample` needs, as float64."""
    sample = object.__new__(Sample)
    sample.__dict__.update(columns)
    return sample


def _checked(
    columns: Mapping[str, ArrayLike],
    where: Where,
    inputs: Shaped[np.ndarray, "n ..."] | None = None,
) -> dict[str, np.ndarray]:
    """The columns as finite float64 arrays of equal length, with y in [0, 1] and weights >= 0.

    `inputs` takes the place of column x if x has several dimensions; it must hold numbers.
    """
    checked = {} if inputs is None else {"x": inputs}
    checked |= {name: column(name, values, where) for name, values in columns.items()}
    n = len(checked["x"])
    for name, values in checked.items():
        if len(values) != n:
            raise InputError(f"x has {n} values but {name} has {len(values)}; give one for each x")
        require_finite(name, values, where)
    y, weight = checked["y"], checked.get("weight")
    refuse((y < 0) | (y > 1), "y", y, "is outside [0, 1]", where)
    if weight is not None:
        require_weights("weight", weight, where)
    return checked


def _inputs(values: ArrayLike) -> Shaped[np.ndarray, "n ..."]:
    inputs = array("x", values, "an array of shape (n, ...)")
    if inputs.ndim == 0:
        raise InputError(f"x is {inputs.item()!r}; an array of shape (n, ...) is needed")
    require_kind("x", inputs)
    if inputs.dtype.kind in "iu" and inputs.dtype.itemsize == 8:  # JAX would wrap them to 4 bytes
        limits = np.iinfo(np.int32)
        fits = np.min(inputs, initial=0) >= limits.min and np.max(inputs, initial=0) <= limits.max
        inputs = inputs.astype(np.int32 if fits else np.float64)
    return read_only(inputs)
