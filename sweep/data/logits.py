"""Converts the logits or probabilities of a classifier to finite logits.

A probability of exactly 0 or 1, or an infinite logit, is replaced by one within the rounding unit
of the user's numbers, and marked as exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.columns import Where, array, refuse, require_numbers

SUM_ERROR = 1e-3  # largest distance from 1 of the sum of a sample's probabilities
PROBABILITY_RANGE = 0.5  # logits in [0, 1] that differ by this much look like probabilities


class Logits(NamedTuple):
    """Finite logits."""

    logits: Float[np.ndarray, "n ..."]  # shape (n,), or (n, k) for k > 2 classes
    columns: int  # number of columns of the user's array
    exact: Bool[np.ndarray, " n"]  # whether a probability was exactly 0 or 1, shape (n,)
    taken_for: float  # replacement of a probability of 0; nan if there was none


def finite_logits(
    name: str,
    values: Shaped[np.ndarray, "n ..."],
    where: Where,
    clip: float | None = None,
    *,
    probable: bool,
) -> Logits:
    """Finite logits of checked `scores`: of logits, or of probabilities, clipped or not."""
    unit, numbers = _unit(values), values.astype(np.float64, copy=False)
    if probable:
        return _of_probabilities(name, numbers, unit, where, clip)
    return _of_logits(name, numbers, unit, where)


def _of_logits(name: str, numbers: Float[np.ndarray, "n ..."], unit: float, where: Where) -> Logits:
    _require_logits(name, numbers)
    if numbers.ndim == 1:
        return _binary(numbers, 1, unit)
    if numbers.shape[1] == 2:
        with np.errstate(invalid="ignore", over="ignore"):
            logits = numbers[:, 1] - numbers[:, 0]
        _refuse_rows(np.isnan(logits), name, where)
        return _binary(logits, 2, unit)
    certain = (numbers == np.inf).sum(axis=1)
    _refuse_rows((certain > 1) | (numbers == -np.inf).all(axis=1), name, where)
    return _multiclass(numbers, unit)


def _of_probabilities(
    name: str, numbers: Float[np.ndarray, "n ..."], unit: float, where: Where, clip: float | None
) -> Logits:
    """Logits of probabilities.

    Two columns keep more digits than one: 1e-20 in one column shows by how much the rounded 1 in
    the other column is less than 1.
    """
    with np.errstate(divide="ignore"):
        if numbers.ndim == 1:
            return _clipped(_binary(np.log(numbers) - np.log1p(-numbers), 1, unit), clip)
        _require_sums(name, numbers, where)
        logs = np.log(numbers)
    if numbers.shape[1] == 2:
        return _clipped(_binary(logs[:, 1] - logs[:, 0], 2, unit), clip)
    finite = _multiclass(logs, unit)
    if clip is None:
        return finite
    return finite._replace(logits=np.log(np.clip(numbers, clip, 1 - clip)), taken_for=float(clip))


def scores(
    name: str, values: ArrayLike, where: Where, *, probable: bool
) -> Shaped[np.ndarray, "n ..."]:
    """Logits or probabilities as an array of shape (n,), or (n, k) with k > 1."""
    numbers = array(name, values, "a number, or one for each class, for each sample", flat=True)
    if numbers.ndim not in (1, 2) or 0 in numbers.shape[1:]:
        raise InputError(
            f"{name} has shape {numbers.shape}; shape (n,), or (n, k) for k classes, is needed"
        )
    require_numbers(name, numbers, where)
    refuse(np.isnan(numbers), name, numbers, "is not a number", where)
    if probable:
        why = "is outside [0, 1]; if these are logits, give them as logits= (column `logit`)"
        refuse((numbers < 0) | (numbers > 1), name, numbers, why, where)
    return numbers


def _unit(values: Shaped[np.ndarray, "n ..."]) -> float:
    """Spacing of floats above 1 in the dtype of the user's numbers."""
    floats = values.dtype.kind == "f" and values.dtype.itemsize <= 8
    return float(np.finfo(values.dtype if floats else np.float64).eps)


def _logit_of_1_less(unit: float) -> float:
    """The logit of 1 - unit."""
    return float(np.log1p(-unit) - np.log(unit))


def _binary(logits: Float[np.ndarray, " n"], columns: int, unit: float) -> Logits:
    """Replaces infinite log-odds by those of the probabilities unit and 1 - unit."""
    exact = np.isinf(logits)
    if not exact.any():
        return Logits(logits, columns, exact, np.nan)
    finite = np.where(exact, np.copysign(_logit_of_1_less(unit), logits), logits)
    return Logits(finite, columns, exact, unit)


def _clipped(finite: Logits, clip: float | None) -> Logits:
    if clip is None:
        return finite
    largest = _logit_of_1_less(clip)
    # An exact probability keeps only its sign: its replacement may lie inside the clipped range.
    logits = np.where(finite.exact, np.copysign(largest, finite.logits), finite.logits)
    return finite._replace(logits=np.clip(logits, -largest, largest), taken_for=float(clip))


def _multiclass(logits: Float[np.ndarray, "n k"], unit: float) -> Logits:
    """Replaces infinite logits in rows, so that a probability of 0 becomes the unit."""
    exact = np.asarray(np.isinf(logits).any(axis=1))
    if not exact.any():
        return Logits(logits, logits.shape[1], exact, np.nan)
    rows = logits[exact]
    certain = (rows == np.inf).any(axis=1, keepdims=True)
    rows = np.where(certain, np.where(rows == np.inf, 0.0, -np.inf), rows)
    largest = rows.max(axis=1, keepdims=True)
    total = largest + np.log(np.exp(rows - largest).sum(axis=1, keepdims=True))
    finite = logits.copy()
    finite[exact] = np.where(rows == -np.inf, total + np.log(unit), rows)
    return Logits(finite, logits.shape[1], exact, unit)


def _require_logits(name: str, values: Float[np.ndarray, "n ..."]) -> None:
    """Rejects values that look like probabilities."""
    low, high = np.min(values, initial=np.inf), np.max(values, initial=-np.inf)
    if low < 0 or high > 1 or not high - low >= PROBABILITY_RANGE:
        return
    remedy = "1/(1+exp(-logit)) as probabilities" if values.ndim == 1 else "each logit minus 1"
    raise InputError(
        f"{name} lies between {low:.3g} and {high:.3g}, which look like probabilities; give them "
        f"as probabilities= (column `probability`), or if they are really logits, give {remedy}"
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
