"""optimum(): the exact optimum of cross-entropy and of accuracy, and whether they share it.

Cross-entropy is convex, so its optimum is a point found by Newton's method on all the data, if it
exists at all: the extremes of the two classes decide that first (Albert & Anderson 1984, On the
existence of maximum likelihood estimates in logistic regression models, Biometrika 71).

Accuracy is a step function of the cut, so its optimum is a *set*, found by one scan of the sorted
data: the intervals of cuts that give the highest number of correct predictions, each with its
orientation, and the constant classifiers where they do as well.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.cuts import BestCuts, best_cuts, cut
from sweep.data import InputError, Sample
from sweep.measure import Measure, Points, as_measure
from sweep.records import plain

MAX_ITERATIONS = 200
"""Newton steps; the hardest data tried in the tests take fewer than 60."""


class Status(enum.Enum):
    """Whether cross-entropy has an optimum; each member's value is the sentence for the user."""

    finite = "Cross-entropy has exactly one optimum."
    separated = (
        "The classes are completely separated by a cut: cross-entropy falls towards 0 as the slope "
        "grows without bound, so it has no finite optimum."
    )
    quasi_separated = (
        "The classes are separated by a cut but for points exactly on it: cross-entropy falls "
        "towards a limit as the slope grows without bound, so it has no finite optimum."
    )
    one_class = (
        "Only one class is present: cross-entropy falls towards 0 as the intercept grows without "
        "bound, so it has no finite optimum."
    )
    constant_x = (
        "x is constant, so slope and intercept cannot be told apart: every (a, b) that predicts "
        "the share of class 1 at this x is an optimum of cross-entropy."
    )
    empty = "There are no points, so there is nothing to optimise."


@dataclass(frozen=True)
class CrossEntropyOptimum:
    """The optimum of cross-entropy.

    Attributes:
        a: slope; nan unless the status is finite.
        b: intercept; nan unless the status is finite.
        value: the least cross-entropy in nats, or its infimum where there is no finite optimum;
            nan for no points.
        cut: where the predicted class changes, as in `sweep.cuts`; nan unless the status is
            finite and a is not 0.
        orientation: +1 if class 1 is predicted above the cut, -1 if below, 0 if there is no cut.
        gradient: largest of the two derivatives at the optimum, by intercept and by slope with x
            in units of its spread, in nats; nan unless the status is finite.
        iterations: Newton steps taken.
        status: whether there is an optimum; str(status.value) is a sentence.
    """

    a: float
    b: float
    value: float
    cut: float
    orientation: int
    gradient: float
    iterations: int
    status: Status


@dataclass(frozen=True)
class AccuracyOptimum:
    """The set of classifiers with the highest accuracy.

    Attributes:
        value: the highest accuracy, a fraction; nan for no points.
        correct: mass predicted correctly: an int for hard labels without weights.
        cuts: maximal intervals (low, high, orientation) of optimal cuts t, ascending. With
            orientation +1, class 1 is x >= t and low < t <= high; with -1, class 1 is x <= t and
            low <= t < high. Both ends are points of the data. (As -b/a, a tie being class 0, the
            closed end changes sides: [low, high) for +1, (low, high] for -1.)
        constants: the constant predictions (0, 1 or both) that reach the same value.
        support: (min x, max x): beyond it a cut is a constant prediction; nan for no points.
    """

    value: float
    correct: int | float
    cuts: tuple[tuple[float, float, int], ...]
    constants: tuple[int, ...]
    support: tuple[float, float]


@dataclass(frozen=True)
class Optimum:
    """The optima of both metrics.

    Attributes:
        n: number of points.
        cross_entropy: the optimum of cross-entropy.
        accuracy: the optimum of accuracy.
        shared: whether the classifier at the cross-entropy optimum is one of the most accurate;
            None where cross-entropy has no finite optimum.
        regret: accuracy lost at the cross-entropy optimum, a fraction; nan without one.
        distance: from its cut to the nearest optimal cut of the same orientation, in units of x;
            0 if shared, inf if no optimal cut has its orientation, nan without an optimum.
    """

    n: int
    cross_entropy: CrossEntropyOptimum
    accuracy: AccuracyOptimum
    shared: bool | None
    regret: float
    distance: float

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold; see `sweep.records.plain`."""
        return plain(self)


def optimum(data: Sample | Measure) -> Optimum:
    """The exact optimum of cross-entropy and of accuracy for p = sigmoid(a*x + b).

    Args:
        data: the sample or measure; soft labels and weights count as masses.

    Raises:
        InputError: Newton's method did not converge, which no data tried so far bring about.
    """
    measure = as_measure(data)
    ce = _cross_entropy_optimum(measure)
    best = best_cuts(measure)
    shared, regret, distance = _compare(ce, best)
    accuracy = AccuracyOptimum(
        best.value, best.correct, best.intervals, best.constants, best.support
    )
    return Optimum(measure.n, ce, accuracy, shared, regret, distance)


# --- cross-entropy ------------------------------------------------------------------------------


def _cross_entropy_optimum(measure: Measure) -> CrossEntropyOptimum:
    status = _status(measure)
    if status is Status.finite:
        return _newton(measure)
    value = _infimum(measure, status)
    return CrossEntropyOptimum(
        math.nan, math.nan, value, math.nan, _separating(measure), math.nan, 0, status
    )


def _status(measure: Measure) -> Status:
    """Decided exactly by the extremes of x in each class."""
    (low0, high0), (low1, high1) = measure.class0.extremes, measure.class1.extremes
    if len(measure.class0) == len(measure.class1) == 0:
        return Status.empty
    if len(measure.class0) == 0 or len(measure.class1) == 0:
        return Status.one_class
    if min(low0, low1) == max(high0, high1):
        return Status.constant_x
    if high0 < low1 or high1 < low0:
        return Status.separated
    if high0 == low1 or high1 == low0:
        return Status.quasi_separated
    return Status.finite


def _separating(measure: Measure) -> int:
    """Orientation of the cut that separates the classes; 0 if none does."""
    if _status(measure) not in (Status.separated, Status.quasi_separated):
        return 0
    return 1 if measure.class0.extremes[1] <= measure.class1.extremes[0] else -1


def _infimum(measure: Measure, status: Status) -> float:
    """The value that cross-entropy approaches where it has no finite optimum, or keeps."""
    if status is Status.empty:
        return math.nan
    if status in (Status.one_class, Status.separated):
        return 0.0
    # What is left is one x with both classes, whose best prediction is its share of class 1.
    (_, high0), (_, high1) = measure.class0.extremes, measure.class1.extremes
    tie = min(high0, high1)
    at_tie = [_mass_at(points, tie) for points in (measure.class0, measure.class1)]
    mass = sum(at_tie)
    return sum(-m * math.log(m / mass) for m in at_tie) / measure.total


def _mass_at(points: Points, x: float) -> float:
    there = points.x == x
    return float(np.count_nonzero(there) if points.mass is None else np.sum(points.mass[there]))


@dataclass(frozen=True, eq=False)
class _State:
    """Cross-entropy and its derivatives at z = slope * u + level, as sums of mass.

    `u` are centred, scaled inputs. The slope's derivatives are taken about `pivot`, the mean of u
    weighted by curvature, where the Hessian is diagonal: no outlier or offset can spoil the solve.
    """

    slope: float
    level: float
    loss: float
    pivot: float
    gradient: tuple[float, float]
    curvature: tuple[float, float]
    magnitude: tuple[float, float]

    @property
    def step(self) -> tuple[float, float]:
        """Newton's step in (slope, level at the pivot)."""
        (by_slope, by_level), (slope_curve, level_curve) = self.gradient, self.curvature
        return -by_slope / slope_curve, -by_level / level_curve

    @property
    def decrease(self) -> float:
        """What the quadratic model promises the step to gain."""
        return -sum(g * s for g, s in zip(self.gradient, self.step, strict=True)) / 2

    @property
    def residual(self) -> float:
        """The gradient as a fraction of the terms that cancel in it: about 1e-16 at the optimum."""
        pairs = zip(self.gradient, self.magnitude, strict=True)
        return max(abs(g) / size if size > 0 else 0.0 for g, size in pairs)

    def moved(self, fraction: float) -> tuple[float, float]:
        """(slope, level) after that fraction of the step."""
        by_slope, by_level = (fraction * s for s in self.step)
        return self.slope + by_slope, self.level + by_level - by_slope * self.pivot


class _Objective:
    """Cross-entropy of a measure in centred, scaled inputs u = (x - centre) / scale."""

    def __init__(self, measure: Measure) -> None:
        zero, one = measure.class0, measure.class1
        x = np.concatenate([zero.x, one.x])
        masses = [np.ones(len(p)) if p.mass is None else p.mass for p in (zero, one)]
        self.mass = np.concatenate(masses)
        self.sign = np.concatenate([np.full(len(zero), -1.0), np.full(len(one), 1.0)])
        self.centre = float(np.median(x))
        # A power of two, so that scaling rounds nothing.
        self.scale = math.ldexp(0.5, math.frexp(float(np.max(np.abs(x - self.centre))))[1])
        self.u = (x - self.centre) / self.scale
        self.start = (0.0, math.log(float(one.total) / float(zero.total)))

    def at(self, slope: float, level: float) -> _State:
        margin = self.sign * (slope * self.u + level)
        tail = np.exp(-np.abs(margin))
        wrong = np.where(margin >= 0, tail, 1.0) / (1.0 + tail)
        pull = self.mass * wrong
        curve = self.mass * tail / (1.0 + tail) ** 2
        pivot = float(np.sum(curve * self.u) / np.sum(curve))
        offset = self.u - pivot
        return _State(
            slope=slope,
            level=level,
            loss=float(np.sum(self.mass * (np.maximum(-margin, 0.0) + np.log1p(tail)))),
            pivot=pivot,
            gradient=(-float(np.sum(self.sign * pull * offset)), -float(np.sum(self.sign * pull))),
            curvature=(float(np.sum(curve * offset**2)), float(np.sum(curve))),
            magnitude=(float(np.sum(pull * np.abs(offset))), float(np.sum(pull))),
        )


def _newton(measure: Measure) -> CrossEntropyOptimum:
    """Damped Newton on the convex cross-entropy, to the last digits that its gradient has."""
    with np.errstate(all="ignore"):
        objective = _Objective(measure)
        state = objective.at(*objective.start)
        for iteration in range(MAX_ITERATIONS):
            following = _next(objective, state)
            if following is None:
                return _finite(measure, objective, state, iteration)
            state = following
    raise InputError(
        f"the optimum of cross-entropy was not found in {MAX_ITERATIONS} Newton steps "
        f"(gradient {state.residual:.1e} of its terms); rescale x"
    )


def _next(objective: _Objective, state: _State) -> _State | None:
    """The next iterate; None when the gradient has reached rounding and no longer falls."""
    if not state.decrease > 1e-13 * state.loss:
        following = objective.at(*state.moved(1.0))
        return following if following.residual < state.residual / 2 else None
    for halving in range(60):
        following = objective.at(*state.moved(0.5**halving))
        if following.loss <= state.loss - 1e-4 * 0.5**halving * state.decrease:
            return following
    return None


def _finite(
    measure: Measure, objective: _Objective, state: _State, iterations: int
) -> CrossEntropyOptimum:
    if not state.residual < 1e-9:
        raise InputError(
            "the optimum of cross-entropy was not found: x spans more than float64 resolves "
            f"(the gradient stays at {state.residual:.1e} of its terms); rescale x"
        )
    a = state.slope / objective.scale
    b = state.level - state.slope * (objective.centre / objective.scale)
    where = cut(np.array(a), np.array(b))
    spread = float(np.sum(objective.mass * np.abs(objective.u - state.pivot)))
    by_slope, by_level = (abs(g) for g in state.gradient)
    return CrossEntropyOptimum(
        a=a,
        b=b,
        value=_cross_entropy(measure, a, b),
        cut=float(where.t) if np.isfinite(where.t) else math.nan,
        orientation=int(np.sign(a)),
        gradient=max(by_slope / spread, by_level / measure.total),
        iterations=iterations,
        status=Status.finite,
    )


def _cross_entropy(measure: Measure, a: float, b: float) -> float:
    """The definition, in nats."""
    total = 0.0
    for points, sign in ((measure.class0, 1.0), (measure.class1, -1.0)):
        losses = np.logaddexp(0.0, sign * (a * points.x + b))
        total += float(np.sum(losses if points.mass is None else points.mass * losses))
    return total / measure.total


# --- the two together ---------------------------------------------------------------------------


def _compare(ce: CrossEntropyOptimum, best: BestCuts) -> tuple[bool | None, float, float]:
    """Whether the classifier at the cross-entropy optimum is optimal, its regret and distance."""
    if ce.status is not Status.finite:
        return None, math.nan, math.nan
    where = cut(np.array(ce.a), np.array(ce.b))
    at = float(where.t), int(where.orientation)
    return best.contains(*at), best.regret(*at), best.distance(*at)
