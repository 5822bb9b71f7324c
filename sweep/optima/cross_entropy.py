"""Cross-entropy: whether it has a finite optimum, and that optimum.

Cross-entropy is convex in (a, b), so its optimum is one point, if there is one. The extremes of x
in each class decide that exactly (Albert & Anderson 1984, On the existence of maximum likelihood
estimates in logistic regression models, Biometrika 71); `sweep.optima.newton` then finds the point.
"""

from __future__ import annotations

import math

import numpy as np

from sweep.measure.cuts import cut
from sweep.measure.measure import Measure
from sweep.optima.newton import minimise
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus


def cross_entropy_optimum(measure: Measure) -> CrossEntropyOptimum:
    """Finds the optimum of cross-entropy alone, which needs no sorting of the points."""
    status = _status(measure)
    if status is OptimumStatus.finite:
        return _finite_optimum(measure)
    value = _infimum(measure, status)
    orientation = _separating_orientation(measure, status)
    return CrossEntropyOptimum(
        math.nan, math.nan, value, math.nan, orientation, math.nan, 0, status
    )


def _status(measure: Measure) -> OptimumStatus:
    """Decides by the extremes of x in each class whether there is a finite optimum."""
    (low0, high0), (low1, high1) = measure.class0.extremes, measure.class1.extremes
    if len(measure.class0) == len(measure.class1) == 0:
        return OptimumStatus.empty
    if len(measure.class0) == 0 or len(measure.class1) == 0:
        return OptimumStatus.one_class
    if min(low0, low1) == max(high0, high1):
        return OptimumStatus.constant_x
    if high0 < low1 or high1 < low0:
        return OptimumStatus.separated
    if high0 == low1 or high1 == low0:
        return OptimumStatus.quasi_separated
    return OptimumStatus.finite


def _separating_orientation(measure: Measure, status: OptimumStatus) -> int:
    """Orientation of the cut that separates the classes; 0 if none does."""
    if status not in (OptimumStatus.separated, OptimumStatus.quasi_separated):
        return 0
    return 1 if measure.class0.extremes[1] <= measure.class1.extremes[0] else -1


def _infimum(measure: Measure, status: OptimumStatus) -> float:
    """The infimum of cross-entropy where there is no unique finite optimum, in nats."""
    if status is OptimumStatus.empty:
        return math.nan
    if status in (OptimumStatus.one_class, OptimumStatus.separated):
        return 0.0
    # Only the points at one x keep a loss: there both classes occur, and the best prediction is
    # their share of class 1, so the loss is the entropy of that share.
    (_, high0), (_, high1) = measure.class0.extremes, measure.class1.extremes
    tie = min(high0, high1)
    mass0, mass1 = (points.mass_at(tie) for points in measure.classes)
    return (_entropy_term(mass0, mass1) + _entropy_term(mass1, mass0)) / measure.total


def _entropy_term(mass: float, other: float) -> float:
    """The term mass * log((mass + other) / mass), accurate also where one mass is tiny."""
    if other <= mass:
        return mass * math.log1p(other / mass)
    return mass * (math.log(mass + other) - math.log(mass))


def _finite_optimum(measure: Measure) -> CrossEntropyOptimum:
    """The optimum by Newton's method, for a measure that has one."""
    minimum = minimise(measure)
    optimal_cut = cut(np.array(minimum.a), np.array(minimum.b))
    return CrossEntropyOptimum(
        a=minimum.a,
        b=minimum.b,
        value=minimum.value,
        cut=float(optimal_cut.t) if np.isfinite(optimal_cut.t) else math.nan,
        orientation=int(np.sign(minimum.a)),
        gradient=minimum.gradient,
        iterations=minimum.iterations,
        status=OptimumStatus.finite,
    )
