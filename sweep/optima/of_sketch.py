"""The optima of both metrics by a sketch, with bounds on what the sketch does not know.

Newton's method runs on two points in each bin that stand for the data there, and
`sweep.optima.certificate` bounds how far from the true optimum that can lead.
`sweep.optima.accuracy_bounds` bounds the accuracy of any cut.
"""

from __future__ import annotations

import math
from dataclasses import replace

from sweep.base.errors import InputError
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.optima.accuracy_bounds import AccuracyBounds
from sweep.optima.certificate import certify
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.records import (
    CrossEntropyOptimum,
    Errors,
    OptimumStatus,
    SketchAccuracy,
    SketchOptimum,
)


def sketch_optimum(measure: Measure, sketch: Sketch) -> SketchOptimum:
    """The optima of both metrics by a sketch, with their error bounds."""
    ce, errors = _certified(measure, sketch)
    bounds = AccuracyBounds(sketch)
    lower, upper = (_share(mass, bounds.total) for mass in bounds.highest)
    slack = _share(bounds.slack, bounds.total)
    accuracy = SketchAccuracy(
        value=max(lower - slack, 0.0) if slack > 0 else lower,
        correct=bounds.highest[0],
        cuts=bounds.cuts,
        constants=bounds.constants,
        support=bounds.support if bounds.total else (math.nan, math.nan),
        upper=min(upper + slack, 1.0) if slack > 0 else upper,
    )
    shared, regret_bounds = _compare(ce, errors, bounds)
    regret = regret_bounds[0] if regret_bounds[0] == regret_bounds[1] else math.nan
    distance = 0.0 if shared else math.nan
    return SketchOptimum(
        measure.n, ce, accuracy, shared, regret, distance, errors, regret_bounds, sketch.scope
    )


def _certified(measure: Measure, sketch: Sketch) -> tuple[CrossEntropyOptimum, Errors]:
    """The optimum of cross-entropy with bounds on its errors; refuses one out of scope."""
    try:
        ce = cross_entropy_optimum(measure)
    except InputError:  # the points that stand for nearly separated classes are fully separated
        raise _out_of_scope(sketch, "the optimum of cross-entropy was not found") from None
    if ce.status is not OptimumStatus.finite:
        if ce.value > 0:
            _require_summed(sketch)
        return ce, Errors(math.nan, math.nan, math.nan, math.nan)
    if abs(ce.a) > sketch.schema.slope:
        reason = f"the optimum of cross-entropy is at a slope of about {ce.a:.6g}"
        raise _out_of_scope(sketch, reason)
    certificate = certify(sketch, ce.a, ce.b)
    if not math.isfinite(certificate.value_error):
        _require_summed(sketch)
        reason = f"no bound is known for the optimum near a = {ce.a:.6g}, b = {ce.b:.6g}"
        raise _out_of_scope(sketch, reason)
    errors = Errors(
        certificate.a_error, certificate.b_error, certificate.value_error, certificate.cut_error
    )
    return replace(ce, value=certificate.value), errors


def _require_summed(sketch: Sketch) -> None:
    """Refuses weights so small that their sums have lost more than the tolerance."""
    if sketch.lost(0.0, 0.0) > sketch.schema.tolerance:
        raise InputError(
            "the weights of a class are too small to have been summed: scale all weights up, and "
            "sketch the data again"
        )


def _out_of_scope(sketch: Sketch, reason: str) -> InputError:
    """The error for an optimum that the sketch cannot answer for."""
    return InputError(
        f"{reason}, but this sketch answers {sketch.scope}; sketch the data again with wider axes "
        "or a smaller tolerance"
    )


def _compare(
    ce: CrossEntropyOptimum, errors: Errors, bounds: AccuracyBounds
) -> tuple[bool | None, tuple[float, float]]:
    """Whether the optima are shared, None if uncertain, and bounds on the regret."""
    if ce.status is not OptimumStatus.finite:
        return None, (math.nan, math.nan)
    cut_range = (ce.cut - errors.cut, ce.cut + errors.cut)
    if math.isfinite(errors.cut) and bounds.certainly_best(cut_range, ce.orientation):
        return True, (0.0, 0.0)
    least, most = _correct_at(ce, errors, bounds)
    lower = max(bounds.highest[0] - most - bounds.slack, 0)
    upper = max(bounds.highest[1] - least + bounds.slack, 0)
    shared = True if upper == 0 else (False if lower > 0 else None)
    return shared, (_share(lower, bounds.total), _share(upper, bounds.total))


def _correct_at(
    ce: CrossEntropyOptimum, errors: Errors, bounds: AccuracyBounds
) -> tuple[int | float, int | float]:
    """Bounds on the mass that the optimum of cross-entropy predicts correctly."""
    if math.isfinite(errors.cut):
        return bounds.correct((ce.cut - errors.cut, ce.cut + errors.cut), ce.orientation)
    # The sign of a is not known. If |b| exceeds |a x| for all x, the prediction is constant; 1e-9
    # is far more than the roundings of this comparison.
    farthest_x = max(map(abs, bounds.support))
    if abs(ce.b) - errors.b > (abs(ce.a) + errors.a) * farthest_x * (1 + 1e-9):
        return bounds.totals[ce.b > 0], bounds.totals[ce.b > 0]
    return 0, bounds.highest[1]


def _share(mass: float, total: float) -> float:
    """Mass as a fraction of the total; nan without mass."""
    return mass / total if total else math.nan
