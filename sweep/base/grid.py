"""Axes of the (a, b) grid: linear, logarithmic or explicit, from text or from numbers.

An axis is a float64 array in the order in which it was given: it may hold one point, start or end
at 0, descend, or be spaced anyhow. The text form is the one of the command line:

    -5:5:101        101 points from -5 to 5, both ends included
    1e-3:1e3:61:log 61 points in geometric progression, both ends included
    0,1,2.5         these points
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.base.memory import RESULT_LIMIT

DEFAULT_AXIS = "-5:5:101"
"""Slopes and intercepts where none are given."""


class AxisError(InputError):
    """An axis is not of a form that `axis` understands."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells {(a_i, b_j)} of a landscape.

    Attributes:
        a: slopes, shape (P,).
        b: intercepts, shape (Q,).
    """

    a: Float[np.ndarray, " P"]
    b: Float[np.ndarray, " Q"]

    @property
    def shape(self) -> tuple[int, int]:
        """(P, Q)."""
        return len(self.a), len(self.b)

    @property
    def cells(self) -> int:
        """P x Q."""
        return len(self.a) * len(self.b)

    def bytes_of(self, variables: int) -> int:
        """Bytes that results take where each cell gets so many float64 or int64 values."""
        return 8 * self.cells * variables

    def require_room(self, variables: int, instead: str = "") -> None:
        """Refuses a grid whose results would not fit.

        Args:
            variables: how many float64 or int64 values each cell gets.
            instead: what else could be asked for.

        Raises:
            InputError: they would take more than RESULT_LIMIT bytes.
        """
        needed = self.bytes_of(variables)
        if needed > RESULT_LIMIT:
            raise InputError(
                f"a grid of {len(self.a)} x {len(self.b)} = {self.cells:.3g} cells would take "
                f"{needed / 2**30:.1f} GiB of memory for its results, more than the limit of "
                f"{RESULT_LIMIT / 2**30:.0f} GiB; ask for fewer points{instead}"
            )


def axis(values: str | ArrayLike, name: str = "axis") -> Float[np.ndarray, " n"]:
    """An axis from its text form or from numbers.

    Args:
        values: text as in the module's docstring, or a number, or a one-dimensional array.
        name: how error messages call the axis.

    Returns:
        float64 array of shape (n,), n >= 1, finite.

    Raises:
        AxisError: the text is malformed, the numbers are not finite, or there are none.
        InputError: the axis would not fit into memory.
    """
    if isinstance(values, str):
        return _parsed(values, name)
    try:
        points = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise AxisError(f"{name} is {values!r}; numbers or text like -5:5:101 are needed") from None
    if points.ndim != 1:
        raise AxisError(f"{name} has shape {points.shape}; one dimension is needed")
    return _explicit(points, name)


def _parsed(text: str, name: str) -> Float[np.ndarray, " n"]:
    parts = text.split(":")
    if len(parts) == 1:
        points = [_number(part, text, name) for part in text.split(",")]
        return _explicit(np.array(points, dtype=np.float64), name)
    spaced = parts[3] if len(parts) == 4 else "linear"
    if len(parts) not in (3, 4) or spaced not in ("linear", "log"):
        raise _malformed(text, name, "is not of the form LOW:HIGH:COUNT or LOW:HIGH:COUNT:log")
    low, high = _number(parts[0], text, name), _number(parts[1], text, name)
    count = _count(parts[2], text, name)
    if (count == 1) != (low == high):
        raise _malformed(text, name, "cannot include both ends: one point goes with equal ends")
    if spaced == "linear":
        return _space(np.linspace, low, high, count, text, name)
    if low == 0 or high == 0 or (low > 0) != (high > 0):
        raise _malformed(text, name, "is logarithmic: both ends must be > 0 or both < 0")
    return _space(np.geomspace, low, high, count, text, name)


def _explicit(points: Float[np.ndarray, " n"], name: str) -> Float[np.ndarray, " n"]:
    if points.size == 0:
        raise AxisError(f"{name} is empty; at least one point is needed")
    if not np.isfinite(points).all():
        bad = points[~np.isfinite(points)][0]
        raise AxisError(f"{name} holds {bad:g}; every point must be a finite number")
    return points


def _space(
    spaced: Callable[..., np.ndarray], low: float, high: float, count: int, text: str, name: str
) -> Float[np.ndarray, " n"]:
    with np.errstate(all="ignore"):
        points = spaced(low, high, count)
    if not np.isfinite(points).all():
        raise _malformed(text, name, "spans more than float64 can hold")
    return points


def _number(text: str, whole: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _malformed(whole, name, f"holds {text!r}, which is not a number") from None
    if not np.isfinite(value):
        raise _malformed(whole, name, f"holds {text!r}; every point must be a finite number")
    return value


def _count(text: str, whole: str, name: str) -> int:
    try:
        count = int(text[:19])
    except ValueError:
        raise _malformed(
            whole, name, f"asks for {text!r} points; a whole number is needed"
        ) from None
    if len(text) > 18:
        raise _malformed(whole, name, "asks for more points than there is memory for")
    if count < 1:
        raise _malformed(whole, name, f"asks for {count} points; at least 1 is needed")
    if 8 * count > RESULT_LIMIT:
        raise InputError(
            f"{name}={whole} would take {8 * count / 2**30:.1f} GiB of memory for the axis alone, "
            f"more than the limit of {RESULT_LIMIT / 2**30:.0f} GiB; ask for fewer points"
        )
    return count


def _malformed(text: str, name: str, why: str) -> AxisError:
    return AxisError(f"{name}={text} {why} (example: {name}=-5:5:101)")
