"""Columns of tables: which a file has, and requirements on the numbers in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import NamedTuple, NoReturn

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError

Where = Callable[[str, int], str]
"""Locates a value in an error message: (column, 0-based row) -> words."""

Choice = Callable[[list[str]], Iterable[str]]
"""Chooses the columns to read, given the names of all columns of a file."""

Table = dict[str, Shaped[np.ndarray, "n ..."]]
"""Columns by name."""


class Header(NamedTuple):
    """What a file declares about its columns before its rows are read."""

    columns: tuple[str, ...]  # the chosen ones, in the order of the choice
    types: Mapping[str, str]  # NumPy dtype by column; empty without rows, and for CSV
    rows: int | None  # None if the file does not declare it


def listed(names: Iterable[str]) -> str:
    """Names as a list in an error message."""
    return ", ".join(map(repr, names)) or "none"


def present(columns: Mapping[str, str], required: Iterable[str], names: list[str]) -> list[str]:
    """The columns to read that a file has."""
    for role in required:
        if columns[role] not in names:
            hint = f"give another name with --{role}, and separate columns by commas"
            raise InputError(
                f"has no column {columns[role]!r}; its columns are {listed(names)} ({hint})"
            )
    return [name for name in columns.values() if name in names]


def require_single(chosen: Iterable[str], names: list[str]) -> None:
    """Rejects a chosen column that a file has more than once."""
    for name in chosen:
        if (count := names.count(name)) > 1:
            raise InputError(f"has {count} columns {name!r}; each needs a name of its own")


def element(column: str, row: int) -> str:
    """Location of a value in an array, such as "y[3]"."""
    return f"{column}[{row}]"


def array(
    name: str, values: ArrayLike, needed: str, *, flat: bool = False
) -> Shaped[np.ndarray, " *shape"]:
    """The user's values as NumPy converts them; `needed` tells a user of ragged ones what is.

    With `flat`, shape (n, 1) becomes (n,).
    """
    try:
        converted = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} is ragged; {needed} is needed") from None
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked values; leave these points out, or give them weight 0")
    return (
        converted[:, 0] if flat and converted.ndim == 2 and converted.shape[1] == 1 else converted
    )


def column(name: str, values: ArrayLike, where: Where) -> Float[np.ndarray, " n"]:
    """Values of shape (n,) as a read-only float64 array, which copies only other types."""
    converted = array(name, values, "a one-dimensional array")
    if converted.ndim != 1:
        raise InputError(f"{name} has shape {converted.shape}; a one-dimensional array is needed")
    require_numbers(name, converted, where)
    return read_only(converted.astype(np.float64, copy=False))


def require_numbers(name: str, values: Shaped[np.ndarray, "n ..."], where: Where) -> None:
    """Rejects values that are not real numbers, by the first such cell or by the dtype."""
    if values.dtype.kind in "OUST":
        _refuse_objects(name, values, where)
    require_kind(name, values)


def require_kind(name: str, values: Shaped[np.ndarray, " *shape"]) -> None:
    """Rejects an array whose dtype does not hold real numbers."""
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {values.dtype}; real numbers are needed")


def require_finite(name: str, values: Shaped[np.ndarray, "n ..."], where: Where) -> None:
    """Rejects nan and the infinities, by the first of them."""
    refuse(~np.isfinite(values), name, values, "is not a finite number", where)


def require_weights(name: str, values: Float[np.ndarray, " n"], where: Where) -> None:
    """Rejects weights that are negative, all zero, or have an infinite sum."""
    refuse(values < 0, name, values, "is negative", where)
    if len(values) and not values.any():
        raise InputError("every weight is 0; at least one point must count")
    with np.errstate(over="ignore"):
        total = values.sum()
    if not np.isfinite(total):
        raise InputError("the weights add up to infinity; scale them down")


def read_only(values: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, "n ..."]:
    """A read-only view, so that nobody changes data after their fingerprint was computed."""
    view = values.view()
    view.flags.writeable = False
    return view


def refuse(
    bad: Bool[np.ndarray, "n ..."],
    name: str,
    values: Shaped[np.ndarray, "n ..."],
    why: str,
    where: Where,
) -> None:
    """Rejects values of which any is bad, by the first: "... is ..., which" and then `why`."""
    if bad.any():
        row, *inner = (int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
        value = repr(float(values[row, *inner])).removesuffix(".0")
        within = "".join(f"[{i}]" for i in inner)
        raise InputError(f"{where(name, row)}{within} is {value}, which {why}")


def _refuse_objects(name: str, values: Shaped[np.ndarray, " n"], where: Where) -> NoReturn:
    """Names the first cell that is not a number, or the first cell if all are numbers."""
    cells = values.tolist()
    row = next((i for i, cell in enumerate(cells) if not _is_number(cell)), None)
    if row is not None:
        raise InputError(f"{where(name, row)} is {cells[row]!r}, which is not a number")
    first = f", such as {cells[0]!r}" if cells else ""
    raise InputError(f"{name} is an array of objects{first}; an array of numbers is needed")


def _is_number(cell: object) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, Real) and cell == cell  # an empty cell of a file becomes nan
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python reads 1_000; a user rarely means it
