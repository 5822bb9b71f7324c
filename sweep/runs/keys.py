"""Keys of a spec: what each may hold, and the sentences that refuse anything else.

The types are checked by msgspec, which says where in a value it found what it did not expect.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sweep.errors import InputError
from sweep.families import short


class SpecError(InputError):
    """A spec asks for what cannot be done.

    Attributes:
        key: the key that does; None if it is none in particular.
    """

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class Key(NamedTuple):
    """What a key may hold: its type, and the same in words, with an example."""

    type: Any
    needed: str


_Names = str | list[str]
_Numbers = str | float | list[float]

KEYS = {
    "population": Key(_Names, 'a law or a list of laws is needed, such as ["W1", "D1"]'),
    "data": Key(_Names, 'a file or a list of files is needed, such as ["a.csv", "b.parquet"]'),
    "n": Key(_Numbers, 'sizes are needed, such as "100:1e6:9:log" or [100, 1e4, inf]'),
    "seed": Key(_Numbers, "whole numbers are needed, such as 0 or [0, 1, 2]"),
    "a": Key(_Numbers, 'an axis is needed, such as "-5:5:101" or [0, 1, 2.5]'),
    "b": Key(_Numbers, 'an axis is needed, such as "-5:5:101" or [0, 1, 2.5]'),
    "metrics": Key(
        str | dict[str, Any] | list[str | dict[str, Any]],
        'metrics are needed, such as ["accuracy", "focal(gamma=3)"] or '
        '[{name = "focal", gamma = [0, 1, 2]}]',
    ),
    "tolerance": Key(float, "a positive number is needed, such as 1e-9"),
    "method": Key(str, 'a text is needed: "auto", "direct" or "compressed"'),
    "dtype": Key(str, 'a text is needed: "float64" or "float32"'),
    "memory": Key(float, "a whole number of MiB is needed, such as 512"),
    "x": Key(str, 'the name of a column is needed, such as "x"'),
    "y": Key(str, 'the name of a column is needed, such as "y"'),
    "weight": Key(str | None, 'the name of a column is needed, such as "weight"'),
    "optimum": Key(bool, "true or false is needed"),
    "tile": Key(float, "a whole number of cells is needed, such as 500"),
}
"""By name, in the order in which a spec is written."""


def require_known(names: Iterable[str]) -> None:
    """Refuses a key that there is not.

    Raises:
        SpecError: suggests the nearest that there is.
    """
    for name in names:
        if name in KEYS:
            continue
        near = difflib.get_close_matches(name, KEYS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(KEYS)}"
        raise SpecError(f"there is no key {name!r}; {hint}", name)


def typed(key: str, value: Any) -> Any:
    """The value, if it is of the type that the key may hold.

    Raises:
        SpecError: it is not; says what it is and what is needed.
    """
    from msgspec import ValidationError, convert  # which `import sweep` does not load

    try:
        return convert(value, KEYS[key].type)
    except OverflowError:
        raise refused(key, value) from None
    except ValidationError as error:
        inside = re.search(r"\$\[(\d+)\]", str(error))
        if inside is None:
            raise refused(key, value) from None
        raise refused(key, value[int(inside.group(1))], "holds") from None


def refused(key: str, value: Any, verb: str = "is") -> SpecError:
    """The sentence that refuses a value of a key."""
    return SpecError(f"{key} {verb} {shown(value)}; {KEYS[key].needed}", key)


def shown(value: Any) -> str:
    """A value in a sentence, shortened."""
    if isinstance(value, Mapping):
        return f"a table with {', '.join(map(repr, value))}" if value else "an empty table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return short(value)
    if isinstance(value, (str, int, list, tuple)) or value is None:
        return reprlib.repr(list(value) if isinstance(value, tuple) else value)
    return f"{value} ({type(value).__name__})"
