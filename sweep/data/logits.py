"""Logits or probabilities, as classifiers give them, become finite logits.

A probability of exactly 0 or 1, or an infinite logit, is taken for one within the rounding unit of
the numbers that were given, and is remembered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.columns import Where, array, refuse, require_numbers

SUM_ERROR = 1e-3
"""Farthest from 1 that the probabilities of a sample may add up to."""

SPREAD = 0.5
"""Logits that all lie in [0, 1] are taken for probabilities if they differ by this much."""


class Logits(NamedTuple):
    """Logits, all of them finite.

    Attributes:
        logits: shape (n,), or (n, k) for k > 2 classes.
        columns: columns that they were given in.
        exact: whether a probability was exactly 0 or 1, shape (n,).
        taken_for: what 0 was taken for; nan if there was none.
    """

    logits: Float[np.ndarray, "n ..."]
    columns: int
    exact: Bool[np.ndarray, " n"]
    taken_for: float


def of_logits(name: str, values: ArrayLike, where: Where) -> Logits:
    """Logits: one for each sample, or one for each of its classes, up to a constant.

    Raises:
        InputError: they are not, or look like probabilities, or a sample has infinite ones from
            which no probability follows.
    """
    given = scores(name, values, where, probable=False)
    unit, given = _unit(given), given.astype(np.float64, copy=False)
    _require_logits(name, given)
    if given.ndim == 1:
        return _of_two(given, 1, unit)
    if given.shape[1] == 2:
        with np.errstate(invalid="ignore", over="ignore"):
            odds = given[:, 1] - given[:, 0]
        _refuse_rows(np.isnan(odds), name, where)
        return _of_two(odds, 2, unit)
    sure = (given == np.inf).sum(axis=1)
    _refuse_rows((sure > 1) | (given == -np.inf).all(axis=1), name, where)
    return _of_several(given, unit)


def of_probabilities(name: str, values: ArrayLike, where: Where, clip: float | None) -> Logits:
    """Logits of probabilities: of class 1, or one for each class.

    Where both classes have one, 1 - 1e-20 is not 1: the other says by how much it is less.

    Raises:
        InputError: they are not, or those of a sample do not add up to 1.
    """
    given = scores(name, values, where, probable=True)
    unit, given = _unit(given), given.astype(np.float64, copy=False)
    with np.errstate(divide="ignore"):
        if given.ndim == 1:
            return _clipped(_of_two(np.log(given) - np.log1p(-given), 1, unit), clip)
        _require_sums(name, given, where)
        logs = np.log(given)
    if given.shape[1] == 2:
        return _clipped(_of_two(logs[:, 1] - logs[:, 0], 2, unit), clip)
    odds = _of_several(logs, unit)
    if clip is None:
        return odds
    return odds._replace(logits=np.log(np.clip(given, clip, 1 - clip)), taken_for=float(clip))


def scores(
    name: str, values: ArrayLike, where: Where, *, probable: bool
) -> Shaped[np.ndarray, "n ..."]:
    """Logits or probabilities as they were given, of shape (n,), or (n, k) with k > 1.

    Args:
        name: what they are called.
        values: of shape (n,), (n, 1) or (n, k).
        where: says where one of them stands.
        probable: whether they must be probabilities.

    Raises:
        InputError: they are no numbers, or nan, or outside [0, 1] where they are probabilities.
    """
    given = array(name, values, "a number, or one for each class, for each sample")
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim not in (1, 2) or 0 in given.shape[1:]:
        raise InputError(
            f"{name} has shape {given.shape}; shape (n,), or (n, k) for k classes, is needed"
        )
    require_numbers(name, given, where)
    refuse(np.isnan(given), name, given, "is not a number", where)
    if probable:
        why = "is outside [0, 1]; if these are logits, give them as logits= (column `logit`)"
        refuse((given < 0) | (given > 1), name, given, why, where)
    return given


def _unit(values: Shaped[np.ndarray, "n ..."]) -> float:
    """The rounding unit of the numbers that were given."""
    floats = values.dtype.kind == "f" and values.dtype.itemsize <= 8
    return float(np.finfo(values.dtype if floats else np.float64).eps)


def _farthest(unit: float) -> float:
    """The logit of 1 less the unit."""
    return float(np.log1p(-unit) - np.log(unit))


def _of_two(logits: Float[np.ndarray, " n"], columns: int, unit: float) -> Logits:
    exact = np.isinf(logits)
    if not exact.any():
        return Logits(logits, columns, exact, np.nan)
    settled = np.where(exact, np.copysign(_farthest(unit), logits), logits)
    return Logits(settled, columns, exact, unit)


def _clipped(odds: Logits, clip: float | None) -> Logits:
    if clip is None:
        return odds
    most = _farthest(clip)
    # Of exact ones only the sign is sure, for they may have been taken for less than the clip.
    far = np.where(odds.exact, np.copysign(most, odds.logits), odds.logits)
    return odds._replace(logits=np.clip(far, -most, most), taken_for=float(clip))


def _of_several(logits: Float[np.ndarray, "n k"], unit: float) -> Logits:
    exact = np.asarray(np.isinf(logits).any(axis=1))
    if not exact.any():
        return Logits(logits, logits.shape[1], exact, np.nan)
    rows = logits[exact]
    sure = (rows == np.inf).any(axis=1, keepdims=True)
    rows = np.where(sure, np.where(rows == np.inf, 0.0, -np.inf), rows)
    largest = rows.max(axis=1, keepdims=True)
    total = largest + np.log(np.exp(rows - largest).sum(axis=1, keepdims=True))
    settled = logits.copy()
    settled[exact] = np.where(rows == -np.inf, total + np.log(unit), rows)
    return Logits(settled, logits.shape[1], exact, unit)


def _require_logits(name: str, values: Float[np.ndarray, "n ..."]) -> None:
    """Refuses what is more likely to be probabilities."""
    low, high = np.min(values, initial=np.inf), np.max(values, initial=-np.inf)
    if low < 0 or high > 1 or not high - low >= SPREAD:
        return
    remedy = "1/(1+exp(-logit)) as probabilities" if values.ndim == 1 else "each of them less 1"
    raise InputError(
        f"{name} lies between {low:.3g} and {high:.3g}, which look like probabilities; give them "
        "as probabilities= (column `probability`), or if they are logits all the same, "
        f"give {remedy}"
    )


def _require_sums(name: str, values: Float[np.ndarray, "n k"], where: Where) -> None:
    sums = values.sum(axis=1)
    bad = np.abs(sums - 1) > SUM_ERROR
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{where(name, row)} adds up to {sums[row]:.6g}; the probabilities of a sample must "
            "add up to 1 (divide them by their sum, or give logits)"
        )


def _refuse_rows(bad: Bool[np.ndarray, " n"], name: str, where: Where) -> None:
    if bad.any():
        raise InputError(
            f"{where(name, int(np.argmax(bad)))} has infinite logits of one sign, "
            "from which no probability follows"
        )
