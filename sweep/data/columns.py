"""Columns of numbers: what they must be, and what is wrong with them in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import NoReturn

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError

Where = Callable[[str, int], str]
"""Says where a value stands: (column, 0-based row) -> words for an error message."""


def element(column: str, row: int) -> str:
    """Where a value of an array stands."""
    return f"{column}[{row}]"


def array(name: str, values: ArrayLike, needed: str) -> Shaped[np.ndarray, " *shape"]:
    """Whatever NumPy makes of the values.

    Raises:
        InputError: they are ragged, where `needed` is needed, or masked.
    """
    try:
        made = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} is ragged; {needed} is needed") from None
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked values; leave these points out, or give them weight 0")
    return made


def column(name: str, values: ArrayLike, where: Where) -> Float[np.ndarray, " n"]:
    """The values as float64 that cannot be written; where they are float64 nothing is copied.

    Raises:
        InputError: they are not one-dimensional, or not real numbers.
    """
    made = array(name, values, "a one-dimensional array")
    if made.ndim != 1:
        raise InputError(f"{name} has shape {made.shape}; a one-dimensional array is needed")
    require_numbers(name, made, where)
    return read_only(made.astype(np.float64, copy=False))


def require_numbers(name: str, values: Shaped[np.ndarray, "n ..."], where: Where) -> None:
    """Refuses a column of anything but real numbers.

    Raises:
        InputError: names the first cell that is not a number, or the kind of all.
    """
    if values.dtype.kind in "OUST":
        _refuse_objects(name, values, where)
    require_kind(name, values)


def require_kind(name: str, values: Shaped[np.ndarray, " *shape"]) -> None:
    """Refuses an array whose dtype is not one of real numbers.

    Raises:
        InputError: names the dtype.
    """
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {values.dtype}; real numbers are needed")


def require_finite(name: str, values: Shaped[np.ndarray, "n ..."], where: Where) -> None:
    """Refuses nan and the infinities.

    Raises:
        InputError: names the first of them.
    """
    refuse(~np.isfinite(values), name, values, "is not a finite number", where)


def require_weights(name: str, values: Float[np.ndarray, " n"], where: Where) -> None:
    """Refuses weights that are negative, all zero, or too large to be added up.

    Raises:
        InputError: names the first negative one, or says what is the matter with all.
    """
    refuse(values < 0, name, values, "is negative", where)
    if len(values) and not values.any():
        raise InputError("every weight is 0; at least one point must count")
    with np.errstate(over="ignore"):
        total = values.sum()
    if not np.isfinite(total):
        raise InputError("the weights add up to infinity; scale them down")


def read_only(values: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, "n ..."]:
    """A view: nothing is copied, and nobody changes data under their fingerprint by it."""
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
    """Refuses values where any is bad.

    Raises:
        InputError: names the first of them, and says why.
    """
    if bad.any():
        row, *inner = (int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
        value = repr(float(values[row, *inner])).removesuffix(".0")
        within = "".join(f"[{i}]" for i in inner)
        raise InputError(f"{where(name, row)}{within} is {value}, which {why}")


def _refuse_objects(name: str, values: Shaped[np.ndarray, " n"], where: Where) -> NoReturn:
    """Names the first cell that is not a number, or the first one if all are."""
    cells = values.tolist()
    row = next((i for i, cell in enumerate(cells) if not _is_number(cell)), None)
    if row is not None:
        raise InputError(f"{where(name, row)} is {cells[row]!r}, which is not a number")
    first = f", such as {cells[0]!r}" if cells else ""
    raise InputError(f"{name} is an array of objects{first}; an array of numbers is needed")


def _is_number(cell: object) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, Real) and cell == cell  # nan is what an empty cell becomes
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # which Python reads, and nobody means
