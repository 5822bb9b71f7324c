"""`Settings`: what paths of (a, b) are asked for, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.base.ranges import whole
from sweep.measure.measure import Measure
from sweep.training.hyperparameters import Hyperparameters

STEPS, STEPS_OF_MANY, MANY = 100_000, 10_000, 1000
"""Steps unless asked for; fewer where there are more than MANY points."""

LEAST_STEPS = 100
"""With fewer, a path does not show what it comes to."""

MOST_STEPS = 10**9

RECORDS = 40
"""Steps that are recorded in each decade."""

CORNERS = ((0.0, 0.0), (-3.0, 3.0), (3.0, 3.0), (3.0, -3.0))
"""Starts unless others are given, where x has mean 0 and standard deviation 1."""

ADAPTIVE_RATE = 0.05
"""Default learning rate of optimisers other than sgd, where x is of size 1 or less: they move every
parameter by about as much in a step."""


@dataclass(frozen=True, eq=False)
class Settings:
    """What paths are asked for: all combinations.

    Attributes:
        optimizers: names.
        rates: learning rates; None is `default_rate` for each optimiser and penalty.
        several: whether the rates are a dimension of the result.
        l2: penalties.
        starts: (a, b), shape (starts, 2).
        records: steps that are recorded, ascending from 0.
    """

    optimizers: tuple[str, ...]
    rates: tuple[float, ...] | None
    several: bool
    l2: tuple[float, ...]
    starts: Float[np.ndarray, "s 2"]
    records: Int[np.ndarray, " r"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Learning rates, penalties and starts of each optimiser."""
        return 1 if self.rates is None else len(self.rates), len(self.l2), len(self.starts)

    @property
    def steps(self) -> int:
        """Of each path."""
        return int(self.records[-1])

    @property
    def total(self) -> int:
        """Steps of all paths together."""
        return len(self.optimizers) * math.prod(self.shape) * self.steps

    def rates_of(self, name: str, measure: Measure) -> Float[np.ndarray, "r l"]:
        """Learning rates of an optimiser, for each penalty."""
        if self.rates is None:
            return np.array([[default_rate(name, measure, l2) for l2 in self.l2]])
        return np.repeat(np.array(self.rates)[:, None], len(self.l2), axis=1)


def default_rate(name: str, measure: Measure, l2: float) -> float:
    """The learning rate of an optimiser unless one is given.

    Of sgd one over the largest curvature that the objective has anywhere, so that gradient descent
    never rises (Nesterov 2004, Introductory lectures on convex optimization, theorem 2.1.14).
    """
    mean, square = moments(measure)
    if name.startswith("sgd"):
        return float(1 / (np.linalg.eigvalsh([[square, mean], [mean, 1.0]])[-1] / 4 + l2))
    return ADAPTIVE_RATE / max(1.0, math.sqrt(square))


def moments(measure: Measure) -> tuple[float, float]:
    """Mean of x, and of its square."""
    parts = [(points.x, points.masses) for points in measure.classes]
    first, second = (
        sum(float(mass @ x**power) for x, mass in parts) / float(measure.total) for power in (1, 2)
    )
    return first, second


def settings(
    measure: Measure,
    starts: Sequence[Any] | np.ndarray | None,
    optimizers: Sequence[str],
    learning_rate: float | Sequence[float] | None,
    l2: Sequence[float],
    steps: int | None,
) -> Settings:
    """What is asked for, checked.

    Args:
        measure: of the data.
        starts: None is CORNERS in units of the data.
        optimizers: names.
        learning_rate: one or several; None is `default_rate`.
        l2: penalties.
        steps: of each path; None is STEPS, or STEPS_OF_MANY for more than MANY points.

    Raises:
        InputError: it cannot be.
    """
    if steps is None:
        steps = STEPS if measure.points <= MANY else STEPS_OF_MANY
    steps = whole("steps", steps, 1, MOST_STEPS)
    if steps < LEAST_STEPS:
        raise InputError(
            f"steps is {steps}, too few to judge a path by; give at least {LEAST_STEPS}"
        )
    several = isinstance(learning_rate, Sequence)
    rates = (learning_rate,) if isinstance(learning_rate, float | int) else learning_rate
    return Settings(
        optimizers=_each("optimizer", [optimizers] if isinstance(optimizers, str) else optimizers),
        rates=None if rates is None else _each("learning_rate", rates),
        several=several,
        l2=_each("l2", [l2] if isinstance(l2, (int, float)) else l2),
        starts=_starts(measure, starts),
        records=records(steps),
    )


def _each(name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Values of a hyperparameter, checked, each once.

    Raises:
        InputError: there are none, one is there twice, or cannot be.
    """
    found = [getattr(Hyperparameters(**{name: value}), name) for value in values]
    if not found:
        raise InputError(f"{name} is empty; give at least one value")
    for place, value in enumerate(found):
        if value in found[:place]:
            raise InputError(f"{name} holds {value} twice; give it once")
    # An optimiser keeps the name that it was asked for by, such as sgd, though it has parameters.
    return tuple(values if name == "optimizer" else found)


def _starts(
    measure: Measure, starts: Sequence[Any] | np.ndarray | None
) -> Float[np.ndarray, "s 2"]:
    """Where paths begin.

    Raises:
        InputError: there are none, or one is no pair of finite numbers.
    """
    if starts is None:
        mean, square = moments(measure)
        unit = math.sqrt(max(square - mean**2, 0.0)) or 1.0
        slopes = [float(f"{a / unit:.2g}") for a, _ in CORNERS]
        return np.array(
            [[a, round(b - a * mean, 2)] for a, (_, b) in zip(slopes, CORNERS, strict=True)]
        )
    try:
        found = np.array(starts, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty((0, 2))
    if found.shape[1:] != (2,) or len(found) == 0 or not np.isfinite(found).all():
        raise InputError(f"starts is {starts!r}; pairs (a, b) of finite numbers are needed")
    return found


def records(steps: int) -> Int[np.ndarray, " r"]:
    """Steps that are recorded: 0, and RECORDS of each decade up to the last."""
    many = 1 + math.ceil(RECORDS * math.log10(steps))
    spaced = np.rint(np.geomspace(1, steps, many)).astype(np.int64)
    return np.unique(np.concatenate([[0], spaced]))
