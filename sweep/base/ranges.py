"""Axes of a grid, sizes of samples and pairs of numbers, from text or from numbers.

The command line and the Python functions accept the same text:

    -5:5:101         an axis of 101 points from -5 to 5, both ends included
    1e-3:1e3:61:log  an axis of 61 points in geometric progression, both ends included
    0,1,2.5          these points
    100:1e6:9:log    9 sample sizes in geometric progression, rounded to whole numbers
    100,1e4,inf      these sample sizes; inf is the population itself
    -3,2.5 or -8:8   a pair of numbers

An axis keeps the order in which it is given: it may hold one point, start or end at 0, descend, or
have any spacing. Sizes are whole numbers of points in ascending order.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sweep.base.errors import AxisError, InputError
from sweep.base.memory import require_room

DEFAULT_AXIS = "-5:5:101"  # slopes and intercepts where the caller gives none
SIZES_EXAMPLE = "100:1e6:9:log"
LARGEST = 2**53  # beyond it float64 does not hold every whole number
MOST_SIZES = 1000  # in one range


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
        points = _parse_axis(_Text(values, name, DEFAULT_AXIS, AxisError))
    else:
        try:
            points = np.atleast_1d(np.asarray(values, dtype=np.float64))
        except (TypeError, ValueError):
            raise AxisError(
                f"{name} is {values!r}; give numbers or text like {DEFAULT_AXIS}"
            ) from None
    if points.ndim != 1:
        raise AxisError(f"{name} has shape {points.shape}; one dimension is needed")
    if points.size == 0:
        raise AxisError(f"{name} is empty; at least one point is needed")
    if not np.isfinite(points).all():
        bad = points[~np.isfinite(points)][0]
        raise AxisError(f"{name} holds {bad:g}; every point must be a finite number")
    return points


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
    if isinstance(values, str):
        numbers = _parse_sizes(_Text(values, name, SIZES_EXAMPLE, InputError))
    else:
        try:
            numbers = np.asarray(values, dtype=np.float64).ravel().tolist()
        except (TypeError, ValueError):
            raise InputError(
                f"{name} is {values!r}; give numbers or text like {SIZES_EXAMPLE}"
            ) from None
    if not numbers:
        raise InputError(f"{name} is empty; at least one size is needed")
    return tuple(sorted({_size(number, name, infinite) for number in numbers}))


def pair(text: str, name: str, example: str) -> tuple[float, float]:
    """Two finite numbers from a text with the separator of the example, a comma or a colon.

    Raises:
        AxisError: the text is anything else; the message calls it `name`.
    """
    described = _Text(text, name, example, AxisError)
    fields = text.split(":" if ":" in example else ",")
    if len(fields) != 2:
        raise described.malformed("is not a pair of numbers")
    first, second = map(described.finite, fields)
    return first, second


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


@dataclass(frozen=True)
class _Text:
    """A text from the user, and how errors call it."""

    text: str
    name: str
    example: str
    error: type[InputError]

    def malformed(self, why: str) -> InputError:
        """The error for the text, given what is wrong with it."""
        return self.error(f"{self.name}={self.text} {why} (example: {self.name}={self.example})")

    def number(self, field: str) -> float:
        """The number that a part of the text is."""
        try:
            if "_" in field:  # Python reads 1_000; a user rarely means it
                raise ValueError
            return float(field)
        except ValueError:
            raise self.malformed(f"holds {field!r}, which is not a number") from None

    def finite(self, field: str) -> float:
        """The finite number that a part of the text is."""
        number = self.number(field)
        if not math.isfinite(number):
            raise self.malformed(f"holds {field!r}; every point must be a finite number")
        return number


def _parse_axis(text: _Text) -> Float[np.ndarray, " n"]:
    fields = text.text.split(":")
    if len(fields) == 1:
        return np.array([text.finite(field) for field in text.text.split(",")])
    spacing = fields[3] if len(fields) == 4 else "linear"
    if len(fields) not in (3, 4) or spacing not in ("linear", "log"):
        raise text.malformed("is not of the form LOW:HIGH:COUNT or LOW:HIGH:COUNT:log")
    low, high = text.finite(fields[0]), text.finite(fields[1])
    count = _axis_count(fields[2], text)
    if (count == 1) != (low == high):
        raise text.malformed("cannot include both ends; one point needs equal ends")
    if spacing == "log" and (low == 0 or high == 0 or (low > 0) != (high > 0)):
        raise text.malformed("is logarithmic, so both ends must be > 0 or both < 0")
    with np.errstate(all="ignore"):
        points = (np.linspace if spacing == "linear" else np.geomspace)(low, high, count)
    if not np.isfinite(points).all():
        raise text.malformed("spans more than float64 can hold")
    return points


def _axis_count(field: str, text: _Text) -> int:
    if not re.fullmatch(r"\s*[+-]?\d+\s*", field):
        raise text.malformed(f"asks for {field!r} points; a whole number is needed")
    if len(field) > 18:
        raise text.malformed("asks for more points than fit into memory")
    count = int(field)
    if count < 1:
        raise text.malformed(f"asks for {count} points; at least 1 is needed")
    subject = f"{text.name}={text.text}"
    require_room(subject, 8 * count, "use fewer points", " for the axis alone")
    return count


def _parse_sizes(text: _Text) -> list[float]:
    fields = text.text.split(":")
    if len(fields) == 1:
        return [_size_number(field, text) for field in text.text.split(",")]
    if len(fields) not in (3, 4) or (len(fields) == 4 and fields[3] != "log"):
        raise text.malformed("is not of the form LOW:HIGH:COUNT:log or LOW:HIGH:COUNT")
    low, high, count = (_size_number(field, text) for field in fields[:3])
    if not 1 <= low < high <= LARGEST:
        raise text.malformed("needs whole numbers with 1 <= LOW < HIGH")
    if not (count == int(min(count, MOST_SIZES)) and count >= 2):
        raise text.malformed(f"needs a whole COUNT from 2 to {MOST_SIZES}")
    space = np.geomspace if len(fields) == 4 else np.linspace
    return [float(n) for n in np.rint(space(low, high, int(count)))]


def _size_number(field: str, text: _Text) -> float:
    number = text.number(field)
    if math.isnan(number):
        raise text.malformed(f"holds {field!r}, which is not a number")
    return number


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
