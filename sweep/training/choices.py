"""Choices by name, with parameters where they have any: "relu", "leaky_relu(slope=0.1)"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, parsed


@dataclass(frozen=True)
class Choice:
    """One of several ways to do something.

    Attributes:
        name: as it is asked for, with all its parameters.
        make: makes what does it, which imports what that needs.
    """

    name: str
    make: Callable[..., Any]


Choices = Mapping[str, Family[Choice]]
"""What there is to choose from, by name."""


def choice(name: str, of: Callable[..., Any], *parameters: Parameter) -> Family[Choice]:
    """An entry of `Choices`.

    Args:
        name: without parameters.
        of: makes what does it, by the values of the parameters.
        parameters: what it depends on.
    """

    def made(full: str, *values: float) -> Choice:
        return Choice(full if values else name, partial(of, *values))

    return Family(name, parameters, made)


def chosen(kind: str, choices: Choices, asked: str) -> Choice:
    """The choice that a text asks for.

    Args:
        kind: what is chosen, for the sentence that refuses it.
        choices: from what.
        asked: the text.

    Raises:
        InputError: there is none of that name, or its parameters are not understood.
    """
    every = ", ".join(f.signature if f.parameters else name for name, f in choices.items())
    name, values, named = parsed(asked, kind, next(iter(choices)))
    if name not in choices:
        raise InputError(f"there is no {kind} {asked!r}; the known ones are {every}")
    found = choices[name]
    if (values or named) and not found.parameters:
        raise InputError(f"{name} has no parameters, so {asked!r} is not understood")
    return found(*values, **named)
