"""optimum(): the exact optimum of cross-entropy and of accuracy, and whether they share it.

Cross-entropy is convex, so its optimum is a point found by Newton's method on all the data, if it
exists at all: the extremes of the two classes decide that first (Albert & Anderson 1984, On the
existence of maximum likelihood estimates in logistic regression models, Biometrika 71).

Accuracy is a step function of the cut, so its optimum is a *set*, found by one scan of the sorted
data: the intervals of cuts that give the highest number of correct predictions, each with its
orientation, and the constant classifiers where they do as well.

A population is its quadrature: the same Newton's method on the nodes, and a scan of its densities
(`sweep.continuous`) in place of the points.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from sweep.continuous import BestIntervals, best_intervals
from sweep.cuts import BestCuts, best_cuts, cut
from sweep.data import InputError, Sample
from sweep.distributions.arrays import native
from sweep.measure import Measure, as_measure
from sweep.newton import minimise
from sweep.populations import Population
from sweep.quadrature import Quadrature
from sweep.records import plain

LEAST = 1e-10
"""Cross-entropy of a population in nats, below which a quadrature does not see what decides it."""

ROUNDS = 20
"""Quadratures that are made for a population, each for the optimum on the one before."""


class Status(enum.Enum):
    """Whether cross-entropy has an optimum; each member's value is the sentence for the user."""

    finite = "Cross-entropy has exactly one optimum."
    separated = (
        "The classes are completely separated by a cut: cross-entropy falls towards 0 as the slope "
        "grows in size without bound, so it has no finite optimum."
    )
    quasi_separated = (
        "The classes are separated by a cut but for points exactly on it: cross-entropy falls "
        "towards a limit as the slope grows in size without bound, so it has no finite optimum."
    )
    one_class = (
        "Only one class is present: cross-entropy falls towards 0 as the intercept grows in size "
        "without bound, so it has no finite optimum."
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
            nan for no points. Where |a x| is large, the rounding of (a, b) and of the logit makes a
            landscape at (a, b) differ from it, by up to about 1e-16 |a x|.
        cut: where the predicted class changes, as in `sweep.cuts`; nan unless the status is
            finite and a is not 0.
        orientation: +1 if class 1 is predicted above the cut, -1 if below, 0 if there is no cut.
        gradient: larger of the two derivatives there, in nats, as in `sweep.newton`; nan unless
            the status is finite.
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

    @property
    def rays(self) -> tuple[tuple[float, float], ...]:
        """Directions (a, b) from (0, 0) of the edges of the accuracy-optimal cones."""
        ends = [(side, end) for low, high, side in self.cuts for end in (low, high)]
        low, high = self.support
        if 0 in self.constants:
            ends += [(1, high), (-1, low)]
        if 1 in self.constants:
            ends += [(1, low), (-1, high)]
        return tuple(_ray(side, end) for side, end in ends)


def _ray(orientation: int, cut: float) -> tuple[float, float]:
    """Where the classifiers with cut c = -b/a and a of one sign lie: on the ray (a, -c a)."""
    if math.isinf(cut):  # as of a constant prediction where x has no bounds
        return 0.0, -orientation * math.copysign(1.0, cut)
    return float(orientation), -orientation * cut


@dataclass(frozen=True)
class Optimum:
    """The optima of both metrics.

    Attributes:
        n: number of points; inf for a population.
        cross_entropy: the optimum of cross-entropy.
        accuracy: the optimum of accuracy.
        shared: whether the classifier at the cross-entropy optimum is one of the most accurate;
            None where cross-entropy has no finite optimum.
        regret: accuracy lost at the cross-entropy optimum, a fraction; nan without one. Weighted
            masses may differ by so little that it rounds to 0, though not shared.
        distance: from its cut to the nearest optimal cut of the same orientation, in units of x;
            0 if shared, inf if no optimal cut has its orientation, nan without an optimum.
    """

    n: int | float
    cross_entropy: CrossEntropyOptimum
    accuracy: AccuracyOptimum
    shared: bool | None
    regret: float
    distance: float

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold; see `sweep.records.plain`."""
        return plain(self)


@dataclass(frozen=True)
class PopulationOptimum(Optimum):
    """The optima of both metrics for a population, n = infinity.

    Cuts of highest accuracy are closed intervals, a point being (c, c, orientation), and `shared`
    is decided to a tolerance on the cut, `sweep.continuous.CUT_TOLERANCE`, or by eta and the
    accuracy lost where rounding hides the crossing (`BestIntervals.contains`).

    Attributes:
        law: name of the population.
        eta_excess: eta - 1/2 at the cut of the cross-entropy optimum, by the formula of eta also
            where x never is; nan without a cut. Where it is not 0, and eta is continuous, that cut
            is not one of highest accuracy.
        bayes_accuracy: the highest accuracy of any classifier, not only of cuts; a fraction.
        conditional_entropy: the least cross-entropy of any model, in nats.
    """

    law: str
    eta_excess: float
    bayes_accuracy: float
    conditional_entropy: float


@overload
def optimum(data: Population) -> PopulationOptimum: ...
@overload
def optimum(data: Sample | Measure) -> Optimum: ...
def optimum(data: Sample | Population | Measure) -> Optimum:
    """The exact optimum of cross-entropy and of accuracy for p = sigmoid(a*x + b).

    Args:
        data: the sample, population or measure; soft labels and weights count as masses.

    Returns:
        The optima; of a population a `PopulationOptimum`.

    Raises:
        InputError: x and the weights span more than float64 resolves, so that the optimum of
            cross-entropy cannot be found; or a population cannot be integrated.
    """
    if isinstance(data, Population):
        return _of_population(data)
    measure = as_measure(data)
    if measure.quadrature is not None:
        return _of_population(measure.quadrature.law)
    ce = cross_entropy_optimum(measure)
    best = best_cuts(measure)
    shared, regret, distance = _compare(ce, best)
    return Optimum(measure.n, ce, _accuracy_optimum(best), shared, regret, distance)


def _accuracy_optimum(best: BestCuts | BestIntervals) -> AccuracyOptimum:
    return AccuracyOptimum(best.value, best.correct, best.intervals, best.constants, best.support)


# --- populations --------------------------------------------------------------------------------


def _of_population(law: Population) -> PopulationOptimum:
    quadrature, measure, ce = _settled(law)
    best = best_intervals(measure)
    shared, regret, distance = _compare(ce, best)
    return PopulationOptimum(
        n=math.inf,
        cross_entropy=ce,
        accuracy=_accuracy_optimum(best),
        shared=shared,
        regret=regret,
        distance=distance,
        law=law.name,
        eta_excess=_eta_excess(law, ce.cut, best.tolerance),
        bayes_accuracy=best.bayes_accuracy,
        conditional_entropy=quadrature.conditional_entropy,
    )


def _settled(law: Population) -> tuple[Quadrature, Measure, CrossEntropyOptimum]:
    """The optimum of cross-entropy on panels that are narrow where its logit needs it."""
    quadrature = Quadrature.about(law)
    for _ in range(ROUNDS):
        measure = Measure.from_quadrature(quadrature)
        ce = cross_entropy_optimum(measure)
        if ce.status is not Status.finite:
            return quadrature, measure, ce
        if ce.value < LEAST:
            raise InputError(
                f"{law.name}: the classes overlap so little that cross-entropy falls below "
                f"{LEAST:g} nats, where quadrature cannot find its optimum; take a law whose "
                "classes overlap more"
            )
        if quadrature.covers(ce.a, ce.b):
            return quadrature, measure, ce
        quadrature = Quadrature.near(law, ce.a, ce.b)
    raise InputError(
        f"{law.name}: the optimum of cross-entropy was not found, for it keeps moving as the "
        "quadrature is refined; rescale x"
    )


def _eta_excess(law: Population, at: float, tolerance: float) -> float:
    """P(y = 1 | x) - 1/2 at a cut, which is an edge of the law if only rounding is between them."""
    if not math.isfinite(at):
        return math.nan
    edges = [edge for edge in law.edges if abs(edge - at) <= tolerance]
    return native(law.eta, np.array([*edges, at])[:1]).item() - 0.5


# --- cross-entropy ------------------------------------------------------------------------------


def cross_entropy_optimum(measure: Measure) -> CrossEntropyOptimum:
    """The optimum of cross-entropy alone, which needs no order of the points.

    Raises:
        InputError: as for `optimum`.
    """
    status = _status(measure)
    if status is Status.finite:
        return _finite_optimum(measure)
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
    mass0, mass1 = (
        float(np.sum(points.masses[points.x == tie])) for points in (measure.class0, measure.class1)
    )
    return (_surprise(mass0, mass1) + _surprise(mass1, mass0)) / measure.total


def _surprise(mass: float, other: float) -> float:
    """The term mass * log((mass + other) / mass), also where one of the two is minute."""
    if other <= mass:
        return mass * math.log1p(other / mass)
    return mass * (math.log(mass + other) - math.log(mass))


def _finite_optimum(measure: Measure) -> CrossEntropyOptimum:
    found = minimise(measure)
    where = cut(np.array(found.a), np.array(found.b))
    return CrossEntropyOptimum(
        a=found.a,
        b=found.b,
        value=found.value,
        cut=float(where.t) if np.isfinite(where.t) else math.nan,
        orientation=int(np.sign(found.a)),
        gradient=found.gradient,
        iterations=found.iterations,
        status=Status.finite,
    )


# --- the two together ---------------------------------------------------------------------------


def _compare(
    ce: CrossEntropyOptimum, best: BestCuts | BestIntervals
) -> tuple[bool | None, float, float]:
    """Whether the classifier at the cross-entropy optimum is optimal, its regret and distance."""
    if ce.status is not Status.finite:
        return None, math.nan, math.nan
    where = cut(np.array(ce.a), np.array(ce.b))
    at = float(where.t), int(where.orientation)
    return best.contains(*at), best.regret(*at), best.distance(*at)
