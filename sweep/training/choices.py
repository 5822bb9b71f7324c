"""Activations, optimisers and learning-rate schedules by name: "relu", "leaky_relu(slope=0.1)".

This module knows which names and parameters are valid, so that a spec is checked without JAX. What
a choice computes stands where it runs: activations in `networks`, the rest in `optimizers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, parse_call


@dataclass(frozen=True)
class Choice:
    """A valid choice.

    Attributes:
        name: canonical name, with all parameters: "leaky_relu(slope=0.1)".
        family: name without parameters: "leaky_relu".
        values: parameters in their order.
    """

    name: str
    family: str
    values: tuple[float, ...]


Choices = Mapping[str, Family[Choice]]


def _family(name: str, *parameters: Parameter) -> Family[Choice]:
    def choice(full_name: str, *values: float) -> Choice:
        return Choice(full_name if values else name, name, values)

    return Family(name, parameters, choice)


def _by_name(*families: Family[Choice]) -> Choices:
    return {family.name: family for family in families}


_EPSILON = Parameter("eps", 1e-7, 1e-30, 1.0)  # Keras's default; optax's is 1e-8
_FINAL = Parameter("final", 0.01, 1e-30, 1.0)  # share of the learning rate that is left at the end

ACTIVATIONS = _by_name(
    _family("relu"),
    _family("leaky_relu", Parameter("slope", 0.01, 0.0, 1.0)),
    _family("sigmoid"),
    _family("tanh"),
)

OPTIMIZERS = _by_name(
    _family(
        "adam", Parameter("b1", 0.9, 0.0, 0.999999), Parameter("b2", 0.999, 0.0, 0.999999), _EPSILON
    ),
    _family("sgd", Parameter("momentum", 0.0, 0.0, 0.999999)),
    _family("rmsprop", Parameter("decay", 0.9, 0.0, 0.999999), _EPSILON),
)

SCHEDULES = _by_name(
    _family("constant"),
    _family("cosine", _FINAL),
    _family("exponential", _FINAL),
    _family("linear", _FINAL),
    _family("warmup_cosine", Parameter("share", 0.1, 0.0, 0.9), _FINAL),
)


def activation(text: str) -> Choice:
    """The activation that a text names; raises InputError with the list of valid ones."""
    return _lookup("activation", ACTIVATIONS, text)


def optimizer(text: str) -> Choice:
    """The optimiser that a text names; raises InputError with the list of valid ones."""
    return _lookup("optimizer", OPTIMIZERS, text)


def schedule(text: str) -> Choice:
    """The schedule that a text names; raises InputError with the list of valid ones."""
    return _lookup("schedule", SCHEDULES, text)


def _lookup(kind: str, choices: Choices, text: str) -> Choice:
    name, values, named = parse_call(text, kind, next(iter(choices)))
    if name not in choices:
        valid = ", ".join(f.signature if f.parameters else name for name, f in choices.items())
        raise InputError(f"there is no {kind} {text!r}; the known ones are {valid}")
    family = choices[name]
    if (values or named) and not family.parameters:
        raise InputError(f"{name} has no parameters; write {name} in place of {text!r}")
    return family(*values, **named)
