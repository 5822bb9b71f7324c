"""Families: metrics, or laws, that differ by parameters, and the texts that ask for them.

One `Family` of metrics is "focal", of which "focal(gamma=3)" is a member; one of laws is
"uniform_logit". Both are asked for by the same texts, understood by `parse_call`, and both refuse
parameters that they do not have in the same words. What a family is made of, its formula, stands
with the metrics in `losses` and with the laws in `populations`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from sweep.base.errors import InputError

Member = TypeVar("Member")
"""What a family makes: a metric, or a law."""


class Parameter(NamedTuple):
    """A number that the members of a family depend on, in [low, high]."""

    name: str
    default: float
    low: float
    high: float


class Call(NamedTuple):
    """A name, and the parameters that a text gives in parentheses after it, as texts.

    Attributes:
        name: the name.
        values: parameters without a name, in their order.
        named: those with one.
    """

    name: str
    values: tuple[str, ...]
    named: dict[str, str]


@dataclass(frozen=True)
class Family(Generic[Member]):
    """Members that differ by parameters; called with them it gives the member.

    The same parameters give the same member, the same object: kernels are compiled once for each.

    Attributes:
        name: what the name of each begins with.
        parameters: in the order of a call.
        formula: (name, *parameters) -> member.
    """

    name: str
    parameters: tuple[Parameter, ...]
    formula: Callable[..., Member]

    def __call__(self, *values: float | str, **named: float | str) -> Member:
        """The member of these parameters; those not given have their defaults.

        Raises:
            InputError: a parameter is unknown, given twice, no number or out of its range, or they
                do not go together.
        """
        given = self._paired(values, named)
        numbers = tuple(
            _checked(self.signature, p, given.get(p.name, p.default)) for p in self.parameters
        )
        return _made(self, numbers)

    @property
    def signature(self) -> str:
        """As one would ask for it, with the defaults."""
        return self.named(tuple(p.default for p in self.parameters))

    def named(self, numbers: tuple[float, ...]) -> str:
        """The name of the member with these parameters."""
        pairs = zip(self.parameters, numbers, strict=True)
        return f"{self.name}({','.join(f'{p.name}={short(v)}' for p, v in pairs)})"

    def _paired(
        self, values: tuple[float | str, ...], named: dict[str, float | str]
    ) -> dict[str, float | str]:
        names = [p.name for p in self.parameters]
        if len(values) > len(names):
            raise InputError(
                f"{self.name} has {len(values)} parameters; it takes {len(names)}, as in "
                f"{self.signature}"
            )
        given = dict(zip(names, values, strict=False))
        for name, value in named.items():
            if name not in names:
                raise InputError(f"{self.name} has no parameter {name!r}; ask for {self.signature}")
            if name in given:
                raise InputError(
                    f"{self.name} has {name} twice; give it once, as in {self.signature}"
                )
            given[name] = value
        return given


@cache
def _made(family: Family[Any], numbers: tuple[float, ...]) -> Any:
    return family.formula(family.named(numbers), *numbers)


def _checked(signature: str, parameter: Parameter, value: float | str) -> float:
    name, low, high = parameter.name, parameter.low, parameter.high
    try:
        number = float(value) + 0.0  # no -0.0
    except (ValueError, OverflowError):
        raise InputError(f"{name}={value} is not a number; ask for {signature}") from None
    if not low <= number <= high:
        raise InputError(
            f"{name}={short(number)} is outside [{short(low)}, {short(high)}]; ask for {signature}"
        )
    return number


def short(number: float) -> str:
    """The shortest text that float() reads back, without a needless .0."""
    return repr(float(number)).removesuffix(".0")


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def parse_call(text: str, kind: str, example: str) -> Call:
    """Name, positional and named parameters of a text such as "focal(gamma=3)".

    Args:
        text: what was asked for.
        kind: what it is the name of, for the sentence that refuses it.
        example: a text that would be right.

    Raises:
        InputError: the parentheses do not match, or the parameters are in no order.
    """
    whole = re.fullmatch(r"\s*([^()]*?)\s*(?:\(([^()]*)\))?\s*", text)
    if whole is None:
        raise InputError(
            f"{text!r} is no name of {_a(kind)} with its parameters in one pair of parentheses, "
            f"such as {example}"
        )
    name, inside = whole.groups()
    positional, named = [], {}
    for item in inside.split(",") if inside and inside.strip() else ():
        key, equals, value = (piece.strip() for piece in item.partition("="))
        if not equals:
            if named:
                raise InputError(f"{text!r} has {key!r} without a name after one with a name")
            positional.append(key)
        elif key in named:
            raise InputError(f"{text!r} has {key} twice; give it once")
        else:
            named[key] = value
    return Call(name, tuple(positional), named)
