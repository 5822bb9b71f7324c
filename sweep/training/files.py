"""Problems in files: rows of a table, of which each seed puts others aside for validation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.data import tables
from sweep.data.columns import column, refuse, require_finite
from sweep.training.problems import Problem
from sweep.training.split import Split, SplitPoints

WEIGHT = "weight"
"""Column that is no input: elsewhere it has the weights of points, which networks do not know."""

SHARE = 0.25
"""Of the rows that are put aside for validation, unless another is asked for."""


def from_file(
    path: str | os.PathLike[str], x: Sequence[str] = (), y: str = "y", validation: float = SHARE
) -> Problem:
    """The problem of a file: its rows are shuffled by the seed, and the first are for validation.

    Args:
        path: as for `sweep.data.load`.
        x: columns of the inputs; without any all but y and a column `weight`.
        y: column of the classes, 0 and 1.
        validation: share of the rows that are for validation, in (0, 1); of either set there is
            at least one.

    Raises:
        InputError: the file cannot be read, has no such column, a value that is not finite, a
            class that is neither 0 nor 1, or fewer than two rows.
    """
    path = Path(path)
    table = tables.read(path, partial(_chosen, tuple(x), y))
    with tables.told(path):
        inputs, classes = _checked(table, y)
    aside = min(max(1, round(validation * len(classes))), len(classes) - 1)
    return Problem(str(path), f"rows of {path.name}", partial(_drawn, inputs, classes, aside))


def _chosen(x: tuple[str, ...], y: str, names: list[str]) -> list[str]:
    """The columns of the inputs, and that of the classes, the last one."""
    inputs = list(x) or [name for name in names if name not in (y, WEIGHT)]
    for name in (*inputs, y):
        if name not in names:
            raise InputError(f"has no column {name!r}; its columns are {tables.listed(names)}")
    if not inputs:
        raise InputError(f"has no column of inputs; its columns are {tables.listed(names)}")
    if y in inputs:
        raise InputError(f"the column {y!r} is asked for as x and as y; give each its own")
    return [*inputs, y]


def _checked(
    table: tables.Table, y: str
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """Inputs and classes, finite, the latter 0 and 1."""
    rows = {len(values) for values in table.values()}
    if len(rows) > 1:
        raise InputError("has columns of different lengths; each point needs all of them")
    if (count := max(rows)) < 2:  # before anything else: columns of no rows are of no type
        raise InputError(
            f"has {count} row{'' if count == 1 else 's'}; at least 2 are needed, one to train and "
            "one to validate on"
        )
    columns = {name: column(name, values, _where) for name, values in table.items()}
    for name, values in columns.items():
        require_finite(name, values, _where)
    classes = columns.pop(y)
    refuse(~np.isin(classes, (0, 1)), y, classes, "is neither 0 nor 1", _where)
    return np.stack(list(columns.values()), axis=1), classes


def _where(name: str, row: int) -> str:
    return f"{name!r} in row {row + 1}"


def _drawn(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], aside: int, seed: int) -> Split:
    """The split of a seed."""
    order = np.random.default_rng(seed).permutation(len(y))
    validation, training = order[:aside], order[aside:]
    return Split(
        SplitPoints.of("training", x[training], y[training]),
        SplitPoints.of("validation", x[validation], y[validation]),
    )
