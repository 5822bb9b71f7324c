"""optimum(): the exact optimum of cross-entropy and of accuracy, and whether they share it.

Cross-entropy is convex, so its optimum is a point found by Newton's method on all the data, if it
exists at all: the extremes of the two classes decide that first (Albert & Anderson 1984, On the
existence of maximum likelihood estimates in logistic regression models, Biometrika 71).

Accuracy is a step function of the cut, so its optimum is a *set*, found by one scan of the sorted
data: the intervals of cuts that give the highest number of correct predictions, each with its
orientation, and the constant classifiers where they do as well.

A population is its quadrature: the same Newton's method on the nodes, and a scan of its densities
(`sweep.optima.population_accuracy`) in place of the points.

A sketch is two points in each bin for Newton's method, and a certificate of how far off that can be
(`sweep.optima.certificate`); of accuracy it knows bounds (`sweep.optima.accuracy_bounds`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import overload

import numpy as np

from sweep.base.errors import InputError
from sweep.data.sample import Sample
from sweep.measure.confusion import BestCuts, best_cuts
from sweep.measure.cuts import cut
from sweep.measure.measure import Measure, as_measure
from sweep.measure.sketch.sketch import Sketch
from sweep.optima.accuracy_bounds import AccuracyBounds
from sweep.optima.newton import minimise
from sweep.optima.population_accuracy import BestIntervals, best_intervals
from sweep.optima.records import (
    AccuracyOptimum,
    CrossEntropyOptimum,
    Errors,
    Optimum,
    OptimumStatus,
    PopulationOptimum,
    SketchAccuracy,
    SketchOptimum,
)
from sweep.populations import Population
from sweep.populations.distributions.arrays import native
from sweep.populations.quadrature import Quadrature

LEAST = 1e-10
"""Cross-entropy of a population in nats, below which a quadrature does not see what decides it."""

ROUNDS = 20
"""Quadratures that are made for a population, each for the optimum on the one before."""


@overload
def optimum(data: Population) -> PopulationOptimum: ...
@overload
def optimum(data: Sketch) -> SketchOptimum: ...
@overload
def optimum(data: Sample | Measure) -> Optimum: ...
def optimum(data: Sample | Sketch | Population | Measure) -> Optimum:
    """The exact optimum of cross-entropy and of accuracy for p = sigmoid(a*x + b).

    Args:
        data: the sample, population, sketch or measure; soft labels and weights count as masses.

    Returns:
        The optima; of a population a `PopulationOptimum`; of a sketch a `SketchOptimum`, which says
        how wrong it can be.

    Raises:
        InputError: x and the weights span more than float64 resolves, so that the optimum of
            cross-entropy cannot be found; or a population cannot be integrated; or the optimum of
            cross-entropy is steeper than what a sketch answers.
    """
    if isinstance(data, Population):
        return _of_population(data)
    measure = as_measure(data)
    if measure.quadrature is not None:
        return _of_population(measure.quadrature.law)
    if measure.sketch is not None:
        return _of_sketch(measure, measure.sketch)
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
        if ce.status is not OptimumStatus.finite:
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


# --- sketches -----------------------------------------------------------------------------------


def _of_sketch(measure: Measure, sketch: Sketch) -> SketchOptimum:
    ce, errors = _certified(measure, sketch)
    known = AccuracyBounds(sketch)
    lower, upper = (_share(mass, known.total) for mass in known.most)
    slack = _share(known.slack, known.total)
    accuracy = SketchAccuracy(
        value=max(lower - slack, 0.0) if slack > 0 else lower,
        correct=known.most[0],
        cuts=known.cuts,
        constants=known.constants,
        support=known.support if known.total else (math.nan, math.nan),
        upper=min(upper + slack, 1.0) if slack > 0 else upper,
    )
    shared, regrets = _compare_bounds(ce, errors, known)
    regret = regrets[0] if regrets[0] == regrets[1] else math.nan
    distance = 0.0 if shared else math.nan
    return SketchOptimum(
        measure.n, ce, accuracy, shared, regret, distance, errors, regrets, sketch.scope
    )


def _require_summed(sketch: Sketch) -> None:
    """Refuses weights of which sums have lost more than the tolerance.

    Raises:
        InputError: says so.
    """
    if sketch.lost(0.0, 0.0) > sketch.terms.tolerance:
        raise InputError(
            "the weights of a class are too small to have been summed: scale all weights up, and "
            "sketch the data again"
        )


def _certified(measure: Measure, sketch: Sketch) -> tuple[CrossEntropyOptimum, Errors]:
    """The optimum of cross-entropy, with bounds on its errors.

    Raises:
        InputError: it is where the sketch knows nothing.
    """
    try:
        ce = cross_entropy_optimum(measure)
    except InputError:  # what stands for points that nearly separate the classes separates them
        raise _out_of_scope(sketch, "the optimum of cross-entropy was not found") from None
    if ce.status is not OptimumStatus.finite:
        if ce.value > 0:
            _require_summed(sketch)
        return ce, Errors(math.nan, math.nan, math.nan, math.nan)
    if abs(ce.a) > sketch.terms.slope:
        where = f"the optimum of cross-entropy is at a slope of about {ce.a:.6g}"
        raise _out_of_scope(sketch, where)
    from sweep.optima.certificate import certify  # which nothing but a sketch needs

    sure = certify(sketch, ce.a, ce.b)
    if not math.isfinite(sure.value_error):
        _require_summed(sketch)
        where = f"no bound is known for the optimum near a = {ce.a:.6g}, b = {ce.b:.6g}"
        raise _out_of_scope(sketch, where)
    errors = Errors(sure.a_error, sure.b_error, sure.value_error, sure.cut_error)
    return replace(ce, value=sure.value), errors


def _out_of_scope(sketch: Sketch, why: str) -> InputError:
    return InputError(
        f"{why}, and this sketch answers {sketch.scope}; sketch the data again with wider axes or "
        "a smaller tolerance"
    )


def _compare_bounds(
    ce: CrossEntropyOptimum, errors: Errors, known: AccuracyBounds
) -> tuple[bool | None, tuple[float, float]]:
    """Whether the optima are shared, if that is certain, and between what the regret lies."""
    if ce.status is not OptimumStatus.finite:
        return None, (math.nan, math.nan)
    cuts = (ce.cut - errors.cut, ce.cut + errors.cut)
    if math.isfinite(errors.cut) and known.sole(cuts, ce.orientation):
        return True, (0.0, 0.0)
    least, most = _correct_at(ce, errors, known)
    lower = max(known.most[0] - most - known.slack, 0)
    upper = max(known.most[1] - least + known.slack, 0)
    shared = True if upper == 0 else (False if lower > 0 else None)
    return shared, (_share(lower, known.total), _share(upper, known.total))


def _correct_at(
    ce: CrossEntropyOptimum, errors: Errors, known: AccuracyBounds
) -> tuple[int | float, int | float]:
    """Between what lies the mass that the optimum of cross-entropy predicts correctly."""
    if math.isfinite(errors.cut):
        return known.at((ce.cut - errors.cut, ce.cut + errors.cut), ce.orientation)
    reach = max(map(abs, known.support))
    if abs(ce.b) - errors.b > (abs(ce.a) + errors.a) * reach * (1 + 1e-9):
        return known.totals[ce.b > 0], known.totals[ce.b > 0]
    return 0, known.most[1]


def _share(mass: float, total: float) -> float:
    return mass / total if total else math.nan


# --- cross-entropy ------------------------------------------------------------------------------


def cross_entropy_optimum(measure: Measure) -> CrossEntropyOptimum:
    """The optimum of cross-entropy alone, which needs no order of the points.

    Raises:
        InputError: as for `optimum`.
    """
    status = _status(measure)
    if status is OptimumStatus.finite:
        return _finite_optimum(measure)
    value = _infimum(measure, status)
    return CrossEntropyOptimum(
        math.nan, math.nan, value, math.nan, _separating(measure), math.nan, 0, status
    )


def _status(measure: Measure) -> OptimumStatus:
    """Decided exactly by the extremes of x in each class."""
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


def _separating(measure: Measure) -> int:
    """Orientation of the cut that separates the classes; 0 if none does."""
    if _status(measure) not in (OptimumStatus.separated, OptimumStatus.quasi_separated):
        return 0
    return 1 if measure.class0.extremes[1] <= measure.class1.extremes[0] else -1


def _infimum(measure: Measure, status: OptimumStatus) -> float:
    """The value that cross-entropy approaches where it has no finite optimum, or keeps."""
    if status is OptimumStatus.empty:
        return math.nan
    if status in (OptimumStatus.one_class, OptimumStatus.separated):
        return 0.0
    # What is left is one x with both classes, whose best prediction is its share of class 1.
    (_, high0), (_, high1) = measure.class0.extremes, measure.class1.extremes
    tie = min(high0, high1)
    mass0, mass1 = (points.mass_at(tie) for points in measure.classes)
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
        status=OptimumStatus.finite,
    )


# --- the two together ---------------------------------------------------------------------------


def _compare(
    ce: CrossEntropyOptimum, best: BestCuts | BestIntervals
) -> tuple[bool | None, float, float]:
    """Whether the classifier at the cross-entropy optimum is optimal, its regret and distance."""
    if ce.status is not OptimumStatus.finite:
        return None, math.nan, math.nan
    where = cut(np.array(ce.a), np.array(ce.b))
    at = float(where.t), int(where.orientation)
    return best.contains(*at), best.regret(*at), best.distance(*at)
