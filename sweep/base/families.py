"""Families of metrics or laws with parameters, and the texts that name their members.

"focal" is a `Family` of metrics and "focal(gamma=3)" one of its members; "uniform_logit" is a
family of laws. `parse_call` reads the texts of both, and both reject wrong parameters with the same
messages. The formulas of the members are in `sweep.metrics` and `sweep.populations`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from sweep.base.errors import InputError

Member = TypeVar("Member")
"""What a family makes: a metric or a law."""


class Parameter(NamedTuple):
    """A number in [low, high] that distinguishes the members of a family."""

    name: str
    default: float
    low: float
    high: float


class Call(NamedTuple):
    """A name and the parameters, as texts, that follow it in parentheses."""

    name: str
    values: tuple[str, ...]  # positional parameters
    named: dict[str, str]


@dataclass(frozen=True)
class Family(Generic[Member]):
    """Members that differ by parameters; calling the family with parameters returns a member.

    Equal parameters return the same object, so that JAX compiles one kernel per member.

    Attributes:
        name: first word of every member's name.
        parameters: in the order of a call.
        formula: (name, *parameters) -> member.
    """

    name: str
    parameters: tuple[Parameter, ...]
    formula: Callable[..., Member]

    def __call__(self, *values: float | str, **named: float | str) -> Member:
        """The member with these parameters; missing parameters take their defaults.

        Raises:
            InputError: a parameter is unknown, repeated, not a number or out of its range, or the
                parameters are not compatible with each other.
        """
        by_name = self._by_name(values, named)
        numbers = tuple(
            _checked(self.signature, p, by_name.get(p.name, p.default)) for p in self.parameters
        )
        return _member(self, numbers)

    @property
    def signature(self) -> str:
        """Text that names the member with the default parameters."""
        return self.named(tuple(p.default for p in self.parameters))

    def named(self, numbers: tuple[float, ...]) -> str:
        """The name of the member with these parameters."""
        pairs = zip(self.parameters, numbers, strict=True)
        return f"{self.name}({','.join(f'{p.name}={short(v)}' for p, v in pairs)})"

    def _by_name(
        self, values: tuple[float | str, ...], named: dict[str, float | str]
    ) -> dict[str, float | str]:
        names = [p.name for p in self.parameters]
        if len(values) > len(names):
            raise InputError(
                f"{self.name} has {len(values)} parameters; it takes {len(names)}, as in "
                f"{self.signature}"
            )
        by_name = dict(zip(names, values, strict=False))
        for name, value in named.items():
            if name not in names:
                raise InputError(f"{self.name} has no parameter {name!r}; ask for {self.signature}")
            if name in by_name:
                raise InputError(
                    f"{self.name} has {name} twice; give it once, as in {self.signature}"
                )
            by_name[name] = value
        return by_name


@cache
def _member(family: Family[Any], numbers: tuple[float, ...]) -> Any:
    return family.formula(family.named(numbers), *numbers)


def _checked(signature: str, parameter: Parameter, value: float | str) -> float:
    name, low, high = parameter.name, parameter.low, parameter.high
    try:
        number = float(value) + 0.0  # turns -0.0 into 0.0
    except (ValueError, OverflowError):
        raise InputError(f"{name}={value} is not a number; ask for {signature}") from None
    if not low <= number <= high:
        raise InputError(
            f"{name}={short(number)} is outside [{short(low)}, {short(high)}]; ask for {signature}"
        )
    return number


def short(number: float) -> str:
    """The shortest text from which float() recovers the number, without a trailing .0."""
    return repr(float(number)).removesuffix(".0")


def parse_call(text: str, kind: str, example: str) -> Call:
    """Name and parameters of a text such as "focal(gamma=3)"."""
    match = re.fullmatch(r"\s*([^()]*?)\s*(?:\(([^()]*)\))?\s*", text)
    if match is None:
        article = "an" if kind[0] in "aeiou" else "a"
        raise InputError(
            f"{text!r} does not name {article} {kind}; write its parameters in one pair of "
            f"parentheses, such as {example}"
        )
    name, inside = match.groups()
    values, named = [], {}
    for item in inside.split(",") if inside and inside.strip() else ():
        key, equals, value = (piece.strip() for piece in item.partition("="))
        if not equals:
            if named:
                raise InputError(f"{text!r} has {key!r} without a name after one with a name")
            values.append(key)
        elif key in named:
            raise InputError(f"{text!r} has {key} twice; give it once")
        else:
            named[key] = value
    return Call(name, tuple(values), named)
