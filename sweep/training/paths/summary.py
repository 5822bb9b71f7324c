"""What a path comes to, in numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sweep.training.paths.growth import Growth

if TYPE_CHECKING:
    import xarray as xr

OPTIMIZER_NAMES = {"sgd": "gradient descent", "adam": "Adam", "rmsprop": "RMSProp"}
"""What optimisers are called on all points at once; others by the name they are asked for."""

ROUNDING = 1e-13
"""Relative error of a cross-entropy, generously."""


@dataclass(frozen=True)
class PathTarget:
    """The exact optimum of cross-entropy + l2 / 2 * a^2; a and b are nan where there is none.

    Attributes:
        l2: the penalty.
        a: slope.
        b: intercept.
        objective: cross-entropy and penalty there, in nats, or their infimum.
    """

    l2: float
    a: float
    b: float
    objective: float


@dataclass(frozen=True)
class Watched:
    """What validation data say of a path.

    Attributes:
        least_step: recorded step of the least cross-entropy.
        cross_entropy: in nats, there and at the end.
        accuracy: there and at the end.
    """

    least_step: int
    cross_entropy: tuple[float, float]
    accuracy: tuple[float, float]


@dataclass(frozen=True)
class Path:
    """One path, in numbers; those of its end are nan where it has no finite one.

    Attributes:
        optimizer: its name.
        learning_rate: of all its steps.
        l2: penalty l2 / 2 * a^2 that is added to cross-entropy.
        start: (a, b) before the first step.
        end: (a, b) after the last.
        cross_entropy: in nats at the start and at the end.
        accuracy: at the start, the highest that was recorded, and at the end.
        given_up: accuracy that it had on the way and has no more at the end.
        falling: whether what is descended never rose from one record to the next, by more than
            rounding can.
        steady: first recorded step from which on accuracy is as at the end.
        distance: of the end from the target, the larger one of |a| and |b|; nan without one.
        growth: what (a, b) gained as steps grew e-fold, in the last decade of steps.
        diverged: first recorded step after which a, b or the objective is no finite number; nan
            where there is none.
        validation: of validation data, if there are any.
    """

    optimizer: str
    learning_rate: float
    l2: float
    start: tuple[float, float]
    end: tuple[float, float]
    cross_entropy: tuple[float, float]
    accuracy: tuple[float, float, float]
    given_up: float
    falling: bool
    steady: float
    distance: float
    growth: Growth
    diverged: float
    validation: Watched | None


def numbers(dataset: xr.Dataset, targets: Sequence[PathTarget]) -> tuple[Path, ...]:
    """Every path of a dataset in numbers.

    Args:
        dataset: as in `sweep.training.paths.run.Paths`.
        targets: of each penalty.
    """
    by_penalty = {one.l2: one for one in targets}
    return tuple(_path(one, by_penalty[one.l2.item()]) for one in each(dataset))


def each(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Every path of a dataset, with `step` as its one dimension; starts change fastest."""
    dims = [name for name in ("optimizer", "learning_rate", "l2", "start") if name in dataset.dims]
    for places in product(*(range(dataset.sizes[name]) for name in dims)):
        yield dataset.isel(dict(zip(dims, places, strict=True)))


def _path(one: xr.Dataset, target: PathTarget) -> Path:
    steps, a, b = one.step.values, one.a.values, one.b.values
    ce, accuracy = one.cross_entropy.values, one.accuracy.values
    bad = ~np.isfinite(a + b + one.objective.values)
    highest = float(np.max(accuracy, where=np.isfinite(accuracy), initial=-np.inf))
    return Path(
        optimizer=str(one.optimizer.item()),
        learning_rate=float(one["learning_rate" if "learning_rate" in one.coords else "rate"]),
        l2=target.l2,
        start=(float(a[0]), float(b[0])),
        end=(float(a[-1]), float(b[-1])),
        cross_entropy=(float(ce[0]), float(ce[-1])),
        accuracy=(float(accuracy[0]), highest, float(accuracy[-1])),
        given_up=highest - float(accuracy[-1]),
        falling=_falling(one.objective.values),
        steady=_steady(steps, accuracy),
        distance=max(abs(float(a[-1]) - target.a), abs(float(b[-1]) - target.b)),
        growth=Growth(gained(steps, a), gained(steps, b)),
        diverged=float(steps[np.argmax(bad)]) if bad.any() else math.nan,
        validation=_watched(one) if "validation_accuracy" in one else None,
    )


def _watched(one: xr.Dataset) -> Watched:
    ce, accuracy = one.validation_cross_entropy.values, one.validation_accuracy.values
    least = int(np.argmin(np.where(np.isfinite(ce), ce, np.inf)))
    return Watched(
        int(one.step.values[least]),
        (float(ce[least]), float(ce[-1])),
        (float(accuracy[least]), float(accuracy[-1])),
    )


def _falling(objective: Float[np.ndarray, " t"]) -> bool:
    """Whether it never rises by more than rounding can; one that is no number has risen."""
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.diff(objective) <= ROUNDING * np.abs(objective[:-1])))


def _steady(steps: Int[np.ndarray, " t"], accuracy: Float[np.ndarray, " t"]) -> float:
    """The first step from which on accuracy is as at the end."""
    other = np.flatnonzero(accuracy != accuracy[-1])
    if not np.isfinite(accuracy[-1]):
        return math.nan
    return float(steps[other[-1] + 1]) if other.size else float(steps[0])


def gained(steps: Int[np.ndarray, " t"], values: Float[np.ndarray, " t"]) -> float:
    """Slope of values against log t over the last decade of steps, by least squares."""
    last = 10 * steps >= steps[-1]
    t = np.log(steps[last])
    if not np.isfinite(values[last]).all():
        return math.nan
    t -= np.mean(t)
    return float(t @ values[last] / (t @ t))
