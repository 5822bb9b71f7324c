"""Axes of a grid and sizes of samples, from text or from numbers.

The command line and the Python functions accept the same text:

    -5:5:101         an axis of 101 points from -5 to 5, both ends included
    1e-3:1e3:61:log  an axis of 61 points in geometric progression, both ends included
    0,1,2.5          these points
    100:1e6:9:log    9 sample sizes in geometric progression, rounded to whole numbers
    100,1e4,inf      these sample sizes; inf is the population itself

An axis keeps the order in which it is given: it may hold one point, start or end at 0, descend, or
have any spacing. Sizes are whole numbers of points in ascending order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sweep.base.errors import AxisError, InputError
from sweep.base.memory import RESULT_LIMIT

DEFAULT_AXIS = "-5:5:101"  # slopes and intercepts where the caller gives none
SIZES_EXAMPLE = "100:1e6:9:log"
LARGEST = 2**53  # beyond it float64 does not hold every whole number
MOST_SIZES = 1000  # in one range

Malformed: TypeAlias = Callable[[str], InputError]
"""Makes the error for a text, given what is wrong with it."""


def axis(values: str | ArrayLike, name: str = "axis") -> Float[np.ndarray, " n"]:
    """An axis from its text form or from numbers.

    Args:
        values: text as in the module's docstring, or a number, or a one-dimensional array.
        name: what error messages call the axis.

    Returns:
        float64 array of shape (n,), n >= 1, finite.

    Raises:
        AxisError: the text is malformed, a number is not finite, or there are no numbers.
        InputError: the axis does not fit into memory.
    """
    if isinstance(values, str):
        return _parse_axis(values, name)
    try:
        points = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise AxisError(f"{name} is {values!r}; give numbers or text like {DEFAULT_AXIS}") from None
    if points.ndim != 1:
        raise AxisError(f"{name} has shape {points.shape}; one dimension is needed")
    return _finite_points(points, name)


def sizes(
    values: str | ArrayLike, name: str = "n", *, infinite: bool = False
) -> tuple[int | float, ...]:
    """Sample sizes from their text form or from numbers, ascending and without repetitions.

    Args:
        values: text as in the module's docstring, a number, or several numbers.
        name: what error messages call the sizes.
        infinite: whether inf, the population, is allowed.

    Returns:
        Each size as an int; inf as a float, last.

    Raises:
        InputError: a size is not a whole number of points >= 1, or is inf where that is not
            allowed.
    """
    numbers = _parse_sizes(values, name) if isinstance(values, str) else _numbers(values, name)
    if not numbers:
        raise InputError(f"{name} is empty; at least one size is needed")
    return tuple(sorted({_size(number, name, infinite) for number in numbers}))


def size_text(n: float) -> str:
    """The shortest exact text of a size: 100, 1e4, 31623, inf."""
    if math.isinf(n):
        return "inf"
    digits = str(int(n))
    mantissa = digits.rstrip("0")
    if len(mantissa) > 1:
        mantissa = f"{mantissa[0]}.{mantissa[1:]}"
    scientific = f"{mantissa}e{len(digits) - 1}"
    return scientific if n >= 1e4 and len(scientific) < len(digits) else digits


def size_title(n: float) -> str:
    """The label of a size in a figure: n = 1e4, n = ∞."""
    return "n = ∞" if math.isinf(n) else f"n = {size_text(n)}"


def whole_number(name: str, value: Any, least: int, most: int = LARGEST) -> int:
    """The value as an int.

    Args:
        name: what error messages call the value.
        value: an integer, or a float that equals one.
        least: smallest value that is allowed.
        most: largest value that is allowed.

    Raises:
        InputError: the value is not a whole number, or is out of range.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    number: Any = value
    if not real or not least <= number <= most or number != int(number):
        raise InputError(f"{name} is {value!r}; a whole number from {least} to {most} is needed")
    return int(number)


def _malformed(error: type[InputError], text: str, name: str, example: str, why: str) -> InputError:
    return error(f"{name}={text} {why} (example: {name}={example})")


def _parse_axis(text: str, name: str) -> Float[np.ndarray, " n"]:
    malformed = partial(_malformed, AxisError, text, name, DEFAULT_AXIS)
    fields = text.split(":")
    if len(fields) == 1:
        points = [_finite_number(field, malformed) for field in text.split(",")]
        return _finite_points(np.array(points, dtype=np.float64), name)
    spacing = fields[3] if len(fields) == 4 else "linear"
    if len(fields) not in (3, 4) or spacing not in ("linear", "log"):
        raise malformed("is not of the form LOW:HIGH:COUNT or LOW:HIGH:COUNT:log")
    low, high = _finite_number(fields[0], malformed), _finite_number(fields[1], malformed)
    count = _axis_count(fields[2], f"{name}={text}", malformed)
    if (count == 1) != (low == high):
        raise malformed("cannot include both ends; one point needs equal ends")
    if spacing == "linear":
        return _spaced(np.linspace, low, high, count, malformed)
    if low == 0 or high == 0 or (low > 0) != (high > 0):
        raise malformed("is logarithmic, so both ends must be > 0 or both < 0")
    return _spaced(np.geomspace, low, high, count, malformed)


def _finite_points(points: Float[np.ndarray, " n"], name: str) -> Float[np.ndarray, " n"]:
    if points.size == 0:
        raise AxisError(f"{name} is empty; at least one point is needed")
    if not np.isfinite(points).all():
        bad = points[~np.isfinite(points)][0]
        raise AxisError(f"{name} holds {bad:g}; every point must be a finite number")
    return points


def _spaced(
    space: Callable[..., np.ndarray], low: float, high: float, count: int, malformed: Malformed
) -> Float[np.ndarray, " n"]:
    with np.errstate(all="ignore"):
        points = space(low, high, count)
    if not np.isfinite(points).all():
        raise malformed("spans more than float64 can hold")
    return points


def _axis_count(field: str, text: str, malformed: Malformed) -> int:
    try:
        count = int(field[:19])
    except ValueError:
        raise malformed(f"asks for {field!r} points; a whole number is needed") from None
    if len(field) > 18:
        raise malformed("asks for more points than fit into memory")
    if count < 1:
        raise malformed(f"asks for {count} points; at least 1 is needed")
    if 8 * count > RESULT_LIMIT:
        raise InputError(
            f"{text} would take {8 * count / 2**30:.1f} GiB of memory for the axis alone, "
            f"more than the limit of {RESULT_LIMIT / 2**30:.0f} GiB; use fewer points"
        )
    return count


def _parse_sizes(text: str, name: str) -> list[float]:
    malformed = partial(_malformed, InputError, text, name, SIZES_EXAMPLE)
    fields = text.split(":")
    if len(fields) == 1:
        return [_size_number(field, malformed) for field in text.split(",")]
    if len(fields) not in (3, 4) or (len(fields) == 4 and fields[3] != "log"):
        raise malformed("is not of the form LOW:HIGH:COUNT:log or LOW:HIGH:COUNT")
    low, high, count = (_size_number(field, malformed) for field in fields[:3])
    if not 1 <= low < high <= LARGEST:
        raise malformed("needs whole numbers with 1 <= LOW < HIGH")
    if not (count == int(min(count, MOST_SIZES)) and count >= 2):
        raise malformed(f"needs a whole COUNT from 2 to {MOST_SIZES}")
    space = np.geomspace if len(fields) == 4 else np.linspace
    return [float(n) for n in np.rint(space(low, high, int(count)))]


def _numbers(values: ArrayLike, name: str) -> list[float]:
    try:
        return np.asarray(values, dtype=np.float64).ravel().tolist()
    except (TypeError, ValueError):
        raise InputError(
            f"{name} is {values!r}; give numbers or text like {SIZES_EXAMPLE}"
        ) from None


def _size(number: float, name: str, infinite: bool) -> int | float:
    if number == math.inf:
        if infinite:
            return math.inf
        raise InputError(f"{name} holds inf; only finite sizes can be drawn from a population here")
    if not 1 <= number <= LARGEST or number != int(number):
        raise InputError(
            f"{name} holds {number:g}; a size is a whole number of points, at least 1"
            + (f" and at most {LARGEST}" if number > LARGEST else "")
        )
    return int(number)


def _number(field: str, malformed: Malformed) -> float:
    try:
        return float(field)
    except ValueError:
        raise malformed(f"holds {field!r}, which is not a number") from None


def _finite_number(field: str, malformed: Malformed) -> float:
    number = _number(field, malformed)
    if not np.isfinite(number):
        raise malformed(f"holds {field!r}; every point must be a finite number")
    return number


def _size_number(field: str, malformed: Malformed) -> float:
    number = _number(field, malformed)
    if math.isnan(number) or "_" in field:  # Python reads 1_000; a user rarely means it
        raise malformed(f"holds {field!r}, which is not a number")
    return number
