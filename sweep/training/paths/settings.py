"""The settings of paths of (a, b): every combination that is followed, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.base.ranges import whole_number
from sweep.measure.measure import Measure
from sweep.training.hyperparameters import Hyperparameters

STEPS = 100_000  # default number of steps
STEPS_OF_MANY, MANY = 10_000, 1000  # default for more than MANY points
LEAST_STEPS = 100  # with fewer, a path does not show where it leads
MOST_STEPS = 10**9

RECORDS = 40  # recorded steps per decade

CORNERS = ((0.0, 0.0), (-3.0, 3.0), (3.0, 3.0), (3.0, -3.0))
"""Default starts (a, b), for x of mean 0 and standard deviation 1."""

ADAPTIVE_RATE = 0.05
"""Default learning rate of optimisers other than sgd, for x of size 1 or less: such optimisers move
every parameter by about this much in a step."""


@dataclass(frozen=True, eq=False)
class Settings:
    """All combinations of settings that are followed.

    Attributes:
        optimizers: names of the optimisers.
        rates: learning rates; None is `default_rate` for each optimiser and penalty.
        several: whether learning rates are a dimension of the result.
        l2: penalties.
        starts: (a, b), shape (starts, 2).
        records: recorded steps, ascending from 0.
    """

    optimizers: tuple[str, ...]
    rates: tuple[float, ...] | None
    several: bool
    l2: tuple[float, ...]
    starts: Float[np.ndarray, "s 2"]
    records: Int[np.ndarray, " r"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of learning rates, penalties and starts of each optimiser."""
        return 1 if self.rates is None else len(self.rates), len(self.l2), len(self.starts)

    @property
    def steps(self) -> int:
        """Steps of each path."""
        return int(self.records[-1])

    @property
    def total(self) -> int:
        """Steps of all paths together."""
        return len(self.optimizers) * math.prod(self.shape) * self.steps

    def rates_of(self, optimizer: str, measure: Measure) -> Float[np.ndarray, "r l"]:
        """Learning rates of an optimiser for each penalty."""
        if self.rates is None:
            return np.array([[default_rate(optimizer, measure, l2) for l2 in self.l2]])
        return np.repeat(np.array(self.rates)[:, None], len(self.l2), axis=1)


def default_rate(optimizer: str, measure: Measure, l2: float) -> float:
    """The default learning rate of an optimiser.

    For sgd it is one over the largest curvature that the objective has anywhere, so that gradient
    descent never rises (Nesterov 2004, Introductory lectures on convex optimization, theorem
    2.1.14).
    """
    mean, square = moments(measure)
    if optimizer.startswith("sgd"):
        # The Hessian is at most E[(x, 1)(x, 1)^T] / 4, because p (1 - p) <= 1/4, and the penalty.
        return float(1 / (np.linalg.eigvalsh([[square, mean], [mean, 1.0]])[-1] / 4 + l2))
    return ADAPTIVE_RATE / max(1.0, math.sqrt(square))


def moments(measure: Measure) -> tuple[float, float]:
    """Mean of x and mean of x^2."""
    classes = [(points.x, points.masses) for points in measure.classes]
    first, second = (
        sum(float(mass @ x**power) for x, mass in classes) / float(measure.total)
        for power in (1, 2)
    )
    return first, second


def check_settings(
    measure: Measure,
    starts: Sequence[Any] | np.ndarray | None,
    optimizers: Sequence[str],
    learning_rate: float | Sequence[float] | None,
    l2: Sequence[float],
    steps: int | None,
) -> Settings:
    """Checks the arguments of `paths`.

    Args:
        measure: measure of the data.
        starts: (a, b) of each start; None is CORNERS in units of the data.
        optimizers: names of the optimisers.
        learning_rate: one rate or several; None is `default_rate`.
        l2: penalties.
        steps: steps of each path; None is STEPS, or STEPS_OF_MANY for more than MANY points.

    Raises:
        InputError: an argument is invalid; the message says which one and why.
    """
    if steps is None:
        steps = STEPS if measure.points <= MANY else STEPS_OF_MANY
    steps = whole_number("steps", steps, 1, MOST_STEPS)
    if steps < LEAST_STEPS:
        raise InputError(
            f"steps is {steps}, too few to judge a path by; give at least {LEAST_STEPS}"
        )
    several = isinstance(learning_rate, Sequence)
    rates = (learning_rate,) if isinstance(learning_rate, float | int) else learning_rate
    names = [optimizers] if isinstance(optimizers, str) else optimizers
    return Settings(
        optimizers=_distinct("optimizer", names),
        rates=None if rates is None else _distinct("learning_rate", rates),
        several=several,
        l2=_distinct("l2", [l2] if isinstance(l2, (int, float)) else l2),
        starts=_starts(measure, starts),
        records=_records(steps),
    )


def _distinct(name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Valid values of a hyperparameter; raises InputError if there are none or two are equal."""
    canonical = [getattr(Hyperparameters(**{name: value}), name) for value in values]
    if not canonical:
        raise InputError(f"{name} is empty; give at least one value")
    for k, value in enumerate(canonical):
        if value in canonical[:k]:
            raise InputError(f"{name} holds {value} twice; give it once")
    # An optimiser keeps the name that the user gave, such as sgd, without its default parameters.
    return tuple(values if name == "optimizer" else canonical)


def _starts(
    measure: Measure, starts: Sequence[Any] | np.ndarray | None
) -> Float[np.ndarray, "s 2"]:
    """Starts of the paths; raises InputError if one is no pair of finite numbers."""
    if starts is None:
        mean, square = moments(measure)
        unit = math.sqrt(max(square - mean**2, 0.0)) or 1.0
        slopes = [float(f"{a / unit:.2g}") for a, _ in CORNERS]
        return np.array(
            [[a, round(b - a * mean, 2)] for a, (_, b) in zip(slopes, CORNERS, strict=True)]
        )
    try:
        pairs = np.array(starts, dtype=np.float64)
    except (TypeError, ValueError):
        pairs = np.empty((0, 2))
    if pairs.shape[1:] != (2,) or len(pairs) == 0 or not np.isfinite(pairs).all():
        raise InputError(f"starts is {starts!r}; pairs (a, b) of finite numbers are needed")
    return pairs


def _records(steps: int) -> Int[np.ndarray, " r"]:
    """Recorded steps: 0, and RECORDS of each decade up to the last step."""
    count = 1 + math.ceil(RECORDS * math.log10(steps))
    spaced = np.rint(np.geomspace(1, steps, count)).astype(np.int64)
    return np.unique(np.concatenate([[0], spaced]))
