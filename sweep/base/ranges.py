"""Sizes of samples: whole numbers of points, and inf for the population itself.

As text, which is the form of the command line, a size is 100 or 1e6 or inf; several are a list
100,1e4,inf or a range, rounded to whole numbers:

    100:1e6:9:log  9 sizes from 100 to 1e6 in geometric progression, both ends included
    100:500:5      5 sizes from 100 to 500, both ends included
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sweep.base.errors import InputError

LARGEST = 2**53
"""Beyond it float64 no longer tells a number of points from the next."""

MOST = 1000
"""Sizes that one range may hold."""


def sizes(
    asked: str | ArrayLike, name: str = "n", *, infinite: bool = False
) -> tuple[int | float, ...]:
    """The sizes that were asked for, ascending, each once.

    Args:
        asked: text as in the module's docstring, a number, or several.
        name: how error messages call them.
        infinite: whether inf, the population, is one of those that may be asked for.

    Returns:
        An int each; inf as a float, last.

    Raises:
        InputError: one is not a whole number of points >= 1, or inf where it must be finite.
    """
    found = _parsed(asked, name) if isinstance(asked, str) else _numbers(asked, name)
    if not found:
        raise InputError(f"{name} is empty; at least one size is needed")
    return tuple(sorted({_size(value, name, infinite) for value in found}))


def size_text(n: float) -> str:
    """A size in as few characters as name it exactly: 100, 1e4, 31623, inf."""
    if math.isinf(n):
        return "inf"
    plain = str(int(n))
    digits = plain.rstrip("0")
    point = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    short = f"{point}e{len(plain) - 1}"
    return short if n >= 1e4 and len(short) < len(plain) else plain


def size_title(n: float) -> str:
    """What a figure calls a size: n = 1e4, n = ∞."""
    return "n = ∞" if math.isinf(n) else f"n = {size_text(n)}"


def whole(name: str, value: Any, least: int, most: int = LARGEST) -> int:
    """A whole number.

    Args:
        name: how error messages call it.
        value: an integer, or a float that is one.
        least: the least that is accepted.
        most: the largest.

    Raises:
        InputError: it is none, or out of range.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    number: Any = value
    if not real or not least <= number <= most or number != int(number):
        raise InputError(f"{name} is {value!r}; a whole number from {least} to {most} is needed")
    return int(number)


def _parsed(text: str, name: str) -> list[float]:
    parts = text.split(":")
    if len(parts) == 1:
        return [_number(part, text, name) for part in text.split(",")]
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise _malformed(text, name, "is not of the form LOW:HIGH:COUNT:log or LOW:HIGH:COUNT")
    low, high, count = (_number(part, text, name) for part in parts[:3])
    if not 1 <= low < high <= LARGEST:
        raise _malformed(text, name, "needs whole numbers with 1 <= LOW < HIGH")
    if not (count == int(min(count, MOST)) and count >= 2):
        raise _malformed(text, name, f"needs a whole COUNT from 2 to {MOST}")
    spaced = np.geomspace if len(parts) == 4 else np.linspace
    return [float(n) for n in np.rint(spaced(low, high, int(count)))]


def _numbers(asked: ArrayLike, name: str) -> list[float]:
    try:
        return np.asarray(asked, dtype=np.float64).ravel().tolist()
    except (TypeError, ValueError):
        raise InputError(
            f"{name} is {asked!r}; numbers or text like 100:1e6:9:log are needed"
        ) from None


def _number(part: str, text: str, name: str) -> float:
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if math.isnan(value) or "_" in part:  # which Python reads, and nobody means
        raise _malformed(text, name, f"holds {part!r}, which is not a number")
    return value


def _size(value: float, name: str, infinite: bool) -> int | float:
    if value == math.inf:
        if infinite:
            return math.inf
        raise InputError(f"{name} holds inf; only finite sizes can be drawn from a population here")
    if not 1 <= value <= LARGEST or value != int(value):
        raise InputError(
            f"{name} holds {value:g}; a size is a whole number of points, at least 1"
            + (f" and at most {LARGEST}" if value > LARGEST else "")
        )
    return int(value)


def _malformed(text: str, name: str, why: str) -> InputError:
    return InputError(f"{name}={text} {why} (example: {name}=100:1e6:9:log)")
