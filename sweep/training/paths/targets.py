"""Paths of (a, b) in numbers, and where they lead: to an optimum, or on and on at a known speed.

**With an L2 penalty** of the slope, mean cross-entropy + l2 / 2 * a^2 has one minimum as soon as
there are points of both classes, however well a cut separates them. Newton's method with halved
steps finds it; scikit-learn's `LogisticRegression(C=1 / (l2 * n))` minimises the same function.

**Without a penalty**, where a cut separates the classes, gradient descent lets (a, b) grow like
(a', b') log t in the number of steps t, and (a', b') is the classifier of largest margin: the least
a'^2 + b'^2 with a' x + b' >= 1 for class 1 and <= -1 for class 0 (Soudry et al. 2018, The implicit
bias of gradient descent on separable data, JMLR 19, theorem 3, with the constant 1 as a second
input). The learning rate, the start and weights do not change it. Since b is penalised like a in
that margin, the cut is not in the middle where |x| is large.

Where points of both classes lie on the cut, they fix a x + b there, and the other points drive the
slope along the line through it (Ji & Telgarsky 2019, The implicit bias of gradient descent on
nonseparable data, COLT, theorem 1.1): a' is one over the distance to the nearest of them.

An optimiser that divides by gradients, as Adam does, runs ahead until gradients are smaller than
its epsilon; from then on it is gradient descent with another learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from sweep.measure.measure import Measure
from sweep.optima.cross_entropy import minimise
from sweep.optima.records import Optimum, OptimumStatus

OPTIMIZER_NAMES = {"sgd": "gradient descent", "adam": "Adam", "rmsprop": "RMSProp"}
"""Names of optimisers that see all points at each step; others keep the name the user gave."""

ROUNDING = 1e-13  # relative rounding error of a cross-entropy, generously


@dataclass(frozen=True)
class PathTarget:
    """The exact optimum of cross-entropy + l2 / 2 * a^2; a and b are nan where there is none."""

    l2: float
    a: float
    b: float
    objective: float  # cross-entropy and penalty there in nats, or their infimum


@dataclass(frozen=True)
class Growth:
    """What is added to (a, b) while the number of steps grows e-fold."""

    a: float
    b: float


def path_target(measure: Measure, best: Optimum, l2: float) -> PathTarget:
    """The exact optimum with a penalty, or without one where it is 0."""
    if l2:
        return penalised(measure, l2)
    return PathTarget(0.0, best.cross_entropy.a, best.cross_entropy.b, best.cross_entropy.value)


def penalised(measure: Measure, l2: float) -> PathTarget:
    """The optimum with a penalty above 0; nan where a class is missing: b grows without bound."""
    if len(measure.class0) == 0 or len(measure.class1) == 0:
        return PathTarget(l2, math.nan, math.nan, math.nan)
    best = minimise(measure, l2)
    return PathTarget(l2, best.a, best.b, best.value)


def growth(measure: Measure, status: OptimumStatus) -> Growth | None:
    """The growth of (a, b) with log t under gradient descent without a penalty.

    None where there is a finite optimum, by its status, or where x is constant.
    """
    if status in (OptimumStatus.separated, OptimumStatus.one_class):
        return _largest_margin(measure)
    if status is OptimumStatus.quasi_separated:
        return _around_tie(measure)
    return None


def _largest_margin(measure: Measure) -> Growth:
    """The classifier of largest margin, from the extremes of both classes.

    With y (x, 1) for every point, y = -1 for class 0, it is p / |p|^2, where p is the point of
    their convex hull that is nearest to (0, 0); p lies on an edge.
    """
    corners = [
        sign * np.array([x, 1.0])
        for sign, points in ((-1.0, measure.class0), (1.0, measure.class1))
        if len(points)
        for x in points.extremes
    ]
    pairs = combinations_with_replacement(corners, 2)
    nearest = min((_nearest(p, q) for p, q in pairs), key=lambda point: float(point @ point))
    a, b = nearest / (nearest @ nearest)
    return Growth(float(a), float(b))


def _nearest(p: Float[np.ndarray, " 2"], q: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " 2"]:
    """The point between p and q that is nearest to (0, 0)."""
    edge = q - p
    square = edge @ edge
    share = np.clip(-(p @ edge) / square, 0.0, 1.0) if square > 0 else 0.0
    return p + share * edge


def _around_tie(measure: Measure) -> Growth:
    """The growth around a cut on which points of both classes lie."""
    (low0, high0), (low1, _) = measure.class0.extremes, measure.class1.extremes
    upward = high0 <= low1
    tie = high0 if upward else low0
    x = np.concatenate([measure.class0.x, measure.class1.x])
    a = (1 if upward else -1) / float(np.min(np.abs(x[x != tie] - tie)))
    return Growth(a, -a * tie)


# --- paths in numbers ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Watched:
    """A path on the validation data."""

    least_step: int  # recorded step of the least cross-entropy
    cross_entropy: tuple[float, float]  # in nats, at that step and at the end
    accuracy: tuple[float, float]  # at that step and at the end


@dataclass(frozen=True)
class Path:
    """One path in numbers; those of its end are nan where it has no finite one."""

    optimizer: str  # name of the optimiser
    learning_rate: float  # learning rate of all steps
    l2: float  # penalty l2 / 2 * a^2 that is added to cross-entropy
    start: tuple[float, float]  # (a, b) before the first step
    end: tuple[float, float]  # (a, b) after the last step
    cross_entropy: tuple[float, float]  # in nats, at the start and at the end
    accuracy: tuple[float, float, float]  # at the start, the highest recorded one, and at the end
    given_up: float  # the highest recorded accuracy minus that at the end
    # whether the objective never rose from one record to the next by more than rounding
    falling: bool
    steady: float  # first recorded step from which on accuracy equals that at the end
    # distance of the end from the target, the larger of |a| and |b|; nan without one
    distance: float
    growth: Growth  # growth of (a, b) as the steps grow e-fold, in the last decade of steps
    # first recorded step at which a, b or the objective is not finite; nan without one
    diverged: float
    validation: Watched | None  # the path on the validation data, if there are any


def summarize(dataset: xr.Dataset, targets: Sequence[PathTarget]) -> tuple[Path, ...]:
    """Every path of a dataset in numbers."""
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
