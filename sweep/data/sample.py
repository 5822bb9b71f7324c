"""Samples: what a user's data must be, and how they are read from a file.

A `Sample`, or for models of the user's own a `Batch`, is the only form in which data enter the
engine; everything past this module may rely on it being finite, of equal lengths, with labels in
[0, 1] and weights >= 0. Whatever is wrong with them becomes one `InputError` whose sentence names
the file, the column, the row and the value.
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
    read_only,
    refuse,
    require_finite,
    require_kind,
    require_weights,
)

ILLUSTRATIONS = (1, 2, 3)
"""Numbers of the samples that ship with the package."""

ROWS_AT_ONCE = 2**12
"""Rows that are copied together for a fingerprint."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Sample:
    """n points (x, y) with optional weights.

    Attributes:
        x: inputs, shape (n,), any finite real numbers, in the user's unit.
        y: labels, shape (n,), in [0, 1]; values strictly between are soft labels, P(class 1).
        weight: weights >= 0, shape (n,), not all zero; None means that each point counts once.

    Raises:
        InputError: a column is not one-dimensional, not of real numbers, of another length than x,
            not finite, or outside its range. The sentence names the first offending value.
    """

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"] | None = None

    def __init__(self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> None:
        columns = {"x": x, "y": y} if weight is None else {"x": x, "y": y, "weight": weight}
        checked = _checked(columns, element)
        object.__setattr__(self, "x", checked["x"])
        object.__setattr__(self, "y", checked["y"])
        object.__setattr__(self, "weight", checked.get("weight"))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Sample(n={len(self)}, weighted={self.weight is not None})"

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex, of the columns in their order: names the data."""
        return digest(self.x, self.y, self.weight)


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Batch:
    """n inputs of any one shape, with labels and optional weights, for a model of the user's own.

    Attributes:
        x: inputs, shape (n, ...), finite. Integers that int32 holds stay integers, so that they
            may index.
        y: labels, shape (n,), in [0, 1]; values strictly between are soft labels, P(class 1).
        weight: weights >= 0, shape (n,), not all zero; None means that each input counts once.

    Raises:
        InputError: as for a `Sample`, but that x may have any trailing shape.
    """

    x: Shaped[np.ndarray, "n ..."]
    y: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"] | None = None

    def __init__(self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> None:
        columns = {"y": y} if weight is None else {"y": y, "weight": weight}
        checked = _checked(columns, element, _inputs(x))
        object.__setattr__(self, "x", checked["x"])
        object.__setattr__(self, "y", checked["y"])
        object.__setattr__(self, "weight", checked.get("weight"))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        shape = self.x.shape[1:]
        return f"Batch(n={len(self)}, shape={shape}, weighted={self.weight is not None})"

    @property
    def counted(self) -> bool:
        """Whether sums of masses are counts: hard labels without weights."""
        return self.weight is None and bool(np.all((self.y == 0) | (self.y == 1)))

    @property
    def total(self) -> int | float:
        """Sum of the weights: an int if there are none."""
        return len(self) if self.weight is None else float(np.sum(self.weight))

    @cached_property
    def fingerprint(self) -> str:
        """128-bit XXH3 digest, in hex: that of a `Sample` of the same columns."""
        return digest(self.x, self.y, self.weight)


def digest(*columns: Shaped[np.ndarray, "n ..."] | None) -> str:
    """128-bit XXH3 digest, in hex, of columns in their order."""
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
    """The k-th published illustration: n = 5, 100 or 10000 points for k = 1, 2 or 3.

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
            `.npz` (one array per column), `.parquet`, or else CSV with a header: `.tsv` if tabs
            separate its columns, `.gz` at the end if it is compressed.
        x: name of the column of inputs.
        y: name of the column of labels.
        weight: name of the column of weights; None takes a column `weight` if there is one.

    Raises:
        InputError: the file is missing, not of its kind, has no such column, no rows, or a value
            that a `Sample` refuses. Rows are counted from 1, without the header and empty lines.
    """
    path = Path(path)
    names = {"x": x, "y": y, "weight": "weight" if weight is None else weight}
    required = ("x", "y") if weight is None else tuple(names)
    table = tables.read(path, partial(tables.present, names, required))
    columns = {role: table[name] for role, name in names.items() if name in table}
    try:
        if len(columns["x"]) == 0:
            raise InputError("has no rows; at least one point is needed")
        return Sample(**_checked(columns, lambda role, row: f"{names[role]!r} in row {row + 1}"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _checked(
    columns: Mapping[str, ArrayLike],
    where: Where,
    inputs: Shaped[np.ndarray, "n ..."] | None = None,
) -> dict[str, np.ndarray]:
    """The columns as finite float64 arrays of one length, y in [0, 1], weights >= 0.

    Inputs of more dimensions than a column has are given apart, as numbers already.
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
    made = array("x", values, "an array of shape (n, ...)")
    if made.ndim == 0:
        raise InputError(f"x is {made.item()!r}; an array of shape (n, ...) is needed")
    require_kind("x", made)
    if made.dtype.kind in "iu" and made.dtype.itemsize == 8:  # which JAX would wrap to 4 bytes
        held = np.iinfo(np.int32)
        fits = np.min(made, initial=0) >= held.min and np.max(made, initial=0) <= held.max
        made = made.astype(np.int32 if fits else np.float64)
    return read_only(made)
