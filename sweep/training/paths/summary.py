"""Each path in numbers: where it began and ended, and what happened on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from sweep.training.paths.targets import Growth

OPTIMIZER_NAMES = {"sgd": "gradient descent", "adam": "Adam", "rmsprop": "RMSProp"}
"""Names of optimisers that see all points at each step; others keep the name the user gave."""

ROUNDING = 1e-13  # relative rounding error of a cross-entropy, generously


@dataclass(frozen=True)
class PathTarget:
    """The exact optimum of cross-entropy + l2 / 2 * a^2; a and b are nan where there is none.

    Attributes:
        l2: penalty.
        a: slope.
        b: intercept.
        objective: cross-entropy and penalty there in nats, or their infimum.
    """

    l2: float
    a: float
    b: float
    objective: float


@dataclass(frozen=True)
class Watched:
    """A path on the validation data.

    Attributes:
        least_step: recorded step of the least cross-entropy.
        cross_entropy: in nats, at that step and at the end.
        accuracy: at that step and at the end.
    """

    least_step: int
    cross_entropy: tuple[float, float]
    accuracy: tuple[float, float]


@dataclass(frozen=True)
class Path:
    """One path in numbers; those of its end are nan where it has no finite one.

    Attributes:
        optimizer: name of the optimiser.
        learning_rate: learning rate of all steps.
        l2: penalty l2 / 2 * a^2 that is added to cross-entropy.
        start: (a, b) before the first step.
        end: (a, b) after the last step.
        cross_entropy: in nats, at the start and at the end.
        accuracy: at the start, the highest recorded one, and at the end.
        given_up: the highest recorded accuracy minus that at the end.
        falling: whether the objective never rose from one record to the next by more than rounding.
        steady: first recorded step from which on accuracy equals that at the end.
        distance: distance of the end from the target, the larger of |a| and |b|; nan without one.
        growth: growth of (a, b) as the steps grow e-fold, in the last decade of steps.
        diverged: first recorded step at which a, b or the objective is not finite; nan without one.
        validation: the path on the validation data, if there are any.
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


def summarize(dataset: xr.Dataset, targets: Sequence[PathTarget]) -> tuple[Path, ...]:
    """Every path of a dataset in numbers.

    Args:
        dataset: as in `sweep.training.paths.run.Paths`.
        targets: target of each penalty.
    """
    by_penalty = {target.l2: target for target in targets}
    return tuple(_path(path, by_penalty[path.l2.item()]) for path in _single_paths(dataset))


def _single_paths(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Every path of a dataset, with `step` as its only dimension; starts change fastest."""
    dims = [name for name in ("optimizer", "learning_rate", "l2", "start") if name in dataset.dims]
    for indices in product(*(range(dataset.sizes[name]) for name in dims)):
        yield dataset.isel(dict(zip(dims, indices, strict=True)))


def _path(path: xr.Dataset, target: PathTarget) -> Path:
    steps, a, b = path.step.values, path.a.values, path.b.values
    ce, accuracy = path.cross_entropy.values, path.accuracy.values
    bad = ~np.isfinite(a + b + path.objective.values)
    highest = float(np.max(accuracy, where=np.isfinite(accuracy), initial=-np.inf))
    rate = path["learning_rate" if "learning_rate" in path.coords else "rate"]
    return Path(
        optimizer=str(path.optimizer.item()),
        learning_rate=float(rate),
        l2=target.l2,
        start=(float(a[0]), float(b[0])),
        end=(float(a[-1]), float(b[-1])),
        cross_entropy=(float(ce[0]), float(ce[-1])),
        accuracy=(float(accuracy[0]), highest, float(accuracy[-1])),
        given_up=highest - float(accuracy[-1]),
        falling=_falling(path.objective.values),
        steady=_steady(steps, accuracy),
        distance=max(abs(float(a[-1]) - target.a), abs(float(b[-1]) - target.b)),
        growth=Growth(_growth_rate(steps, a), _growth_rate(steps, b)),
        diverged=float(steps[np.argmax(bad)]) if bad.any() else math.nan,
        validation=_watched(path) if "validation_accuracy" in path else None,
    )


def _watched(path: xr.Dataset) -> Watched:
    ce, accuracy = path.validation_cross_entropy.values, path.validation_accuracy.values
    least = int(np.argmin(np.where(np.isfinite(ce), ce, np.inf)))
    return Watched(
        int(path.step.values[least]),
        (float(ce[least]), float(ce[-1])),
        (float(accuracy[least]), float(accuracy[-1])),
    )


def _falling(objective: Float[np.ndarray, " t"]) -> bool:
    """Whether the objective never rises by more than rounding; nan counts as a rise."""
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.diff(objective) <= ROUNDING * np.abs(objective[:-1])))


def _steady(steps: Int[np.ndarray, " t"], accuracy: Float[np.ndarray, " t"]) -> float:
    """The first step from which on accuracy equals that at the end."""
    different = np.flatnonzero(accuracy != accuracy[-1])
    if not np.isfinite(accuracy[-1]):
        return math.nan
    return float(steps[different[-1] + 1]) if different.size else float(steps[0])


def _growth_rate(steps: Int[np.ndarray, " t"], values: Float[np.ndarray, " t"]) -> float:
    """Slope of values against log t over the last decade of steps, by least squares."""
    last = 10 * steps >= steps[-1]
    t = np.log(steps[last])
    if not np.isfinite(values[last]).all():
        return math.nan
    t -= np.mean(t)
    return float(t @ values[last] / (t @ t))
