"""The optima of both metrics by a sketch, with bounds on what the sketch does not know.

Newton's method runs on two points in each bin that stand for the data there, and
`sweep.optima.certificate` bounds how far from the true optimum that can lead.

The accuracy of a cut has bounds as well. A sketch knows the mass of each class below some edges:
the cuts of its grid, the ends of its bins, and each class's own extremes, where it also knows the
mass of the points at the extreme. The mass below any other edge lies between the masses below the
known edges on either side of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from sweep.base.errors import InputError
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.optima.accuracy import merged
from sweep.optima.certificate import certify
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.records import (
    CrossEntropyOptimum,
    Errors,
    OptimumStatus,
    SketchAccuracy,
    SketchOptimum,
)

Number = int | float  # a mass: an int where points are counted


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
    value, errors = certify(sketch, ce.a, ce.b)
    if not math.isfinite(errors.value):
        _require_summed(sketch)
        reason = f"no bound is known for the optimum near a = {ce.a:.6g}, b = {ce.b:.6g}"
        raise _out_of_scope(sketch, reason)
    return replace(ce, value=value), errors


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
) -> tuple[Number, Number]:
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


# --- bounds on the accuracy of cuts ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class AccuracyBounds:
    """Bounds on the mass that classifiers predict correctly, from a sketch."""

    sketch: Sketch  # the sketch

    @cached_property
    def totals(self) -> tuple[Number, Number]:
        """Mass of class 0 and of class 1."""
        return self.sketch.total(0), self.sketch.total(1)

    @property
    def total(self) -> Number:
        """Mass of both classes."""
        return self.totals[0] + self.totals[1]

    @cached_property
    def slack(self) -> float:
        """Bound on the rounding error of a difference of two correct masses; 0 for counts."""
        # A correct mass is made of three sums, off by at most 2 of these bounds together (see
        # `sweep.optima.accuracy.best_cuts`); the difference of two correct masses by 4.
        return 4 * self.sketch.rounding_of_masses * self.total if self.total else 0.0

    @cached_property
    def support(self) -> tuple[float, float]:
        """(lowest, highest) x of both classes; (inf, -inf) without points."""
        low, high = self.sketch.extremes.T
        return float(np.min(low)), float(np.max(high))

    @cached_property
    def highest(self) -> tuple[Number, Number]:
        """Bounds on the highest mass that any classifier predicts correctly.

        The lower bound is certainly reached: at a known edge, or by a constant prediction.
        """
        lower, upper = (
            _number(max(*self.totals, *(np.max(masses, initial=0) for masses in both)))
            for both in zip(*self._stretches.values(), strict=True)
        )
        return lower, max(lower, upper)

    @cached_property
    def cuts(self) -> tuple[tuple[float, float, int], ...]:
        """The stretches (low, high, orientation) between known edges that may hold a best cut."""
        threshold = self.highest[0] - self.slack
        stretches = [
            stretch
            for orientation, (_, possible) in self._stretches.items()
            for stretch in merged(self._edges, possible >= threshold, orientation)
        ]
        return tuple(sorted(stretches))

    @cached_property
    def constants(self) -> tuple[int, ...]:
        """The constant predictions that may be among the best."""
        if not self.total:
            return ()
        return tuple(c for c in (0, 1) if self.totals[c] >= self.highest[0] - self.slack)

    def correct(self, cut_range: tuple[float, float], orientation: int) -> tuple[Number, Number]:
        """Bounds on the mass that a cut predicts correctly."""
        ends = np.array(cut_range)
        if orientation < 0:  # {x <= t} is {x < the next float}
            ends = np.nextafter(ends, np.inf)
        (low0, high0), (low1, high1) = (self._below(label, ends) for label in (0, 1))
        if orientation > 0:
            lower, upper = low0[0] - high1[1], high0[1] - low1[0]
            return _number(self.totals[1] + lower), _number(self.totals[1] + upper)
        lower, upper = low1[0] - high0[1], high1[1] - low0[0]
        return _number(self.totals[0] + lower), _number(self.totals[0] + upper)

    def certainly_best(self, cut_range: tuple[float, float], orientation: int) -> bool:
        """Whether a cut in that range is certainly one of the best.

        It is if it lies in the only stretch that may hold a best cut, and no point is in there.
        """
        if len(self.cuts) != 1 or self.constants:
            return False
        (low, high, side), (first, last) = self.cuts[0], cut_range
        within = low < first and last <= high if side > 0 else low <= first and last < high
        edges = np.array([np.nextafter(low, np.inf), high])
        empty = all(most[1] == least[0] for least, most in (self._below(k, edges) for k in (0, 1)))
        return side == orientation and within and empty

    def _below(
        self, label: int, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Bounds on the mass of a class below each edge."""
        known_edges, below = self._known[label]
        first = np.searchsorted(known_edges, edges, side="right")
        last = np.searchsorted(known_edges, edges, side="left")
        return np.append(below[:1] * 0, below)[first], np.append(below, self.totals[label])[last]

    @cached_property
    def _known(self) -> list[tuple[Float[np.ndarray, " k"], Shaped[np.ndarray, " k"]]]:
        """For class 0 and 1, the edges below which the mass is known, ascending, and that mass."""
        return [self._known_of(label) for label in (0, 1)]

    def _known_of(self, label: int) -> tuple[Float[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """The same for one class: edges of the sketch inside its extremes, and the extremes."""
        edges, below = self.sketch.schema.edges, self.sketch.below(label)[:-1]
        low, high = self.sketch.extremes[label]
        if low > high:
            return edges, below
        total = self.totals[label]
        at_low, at_high = self.sketch.at_extremes[label].values.astype(below.dtype)
        # Just below and just above the points at either extreme.
        extremes = np.array([low, np.nextafter(low, np.inf), high, np.nextafter(high, np.inf)])
        masses = np.array([0, at_low, total - at_high, total], below.dtype)
        inner = (edges > extremes[1]) & (edges < high)
        # Edges may coincide where the extremes are equal or neighbours; the later one knows more.
        unique_edges, last = np.unique(
            np.concatenate([extremes[:2], edges[inner], extremes[2:]])[::-1], return_index=True
        )
        return unique_edges, np.concatenate([masses[:2], below[inner], masses[2:]])[::-1][last]

    @cached_property
    def _edges(self) -> Float[np.ndarray, " k"]:
        """The edges below which the mass of a class is known, from the lowest to the highest x."""
        edges = np.unique(np.concatenate([known_edges for known_edges, _ in self._known]))
        low, high = self.support
        return edges[(edges >= low) & (edges <= high)]

    @cached_property
    def _stretches(self) -> dict[int, tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]]:
        """By orientation, correct masses of cuts between neighbouring edges.

        A cut c splits {x < c} from {x >= c}; a stretch of cuts holds its upper edge, not its lower
        one. The first array is what a cut at the upper end of each stretch has at least, the second
        the most of any cut in the stretch.
        """
        return {1: self._between_edges(0, 1), -1: self._between_edges(1, 0)}

    def _between_edges(
        self, lower: int, upper: int
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """The masses of cuts below which class `lower` is predicted, and above it `upper`."""
        edges, total = self._edges, self.totals[upper]
        low, high = self._below(lower, edges[1:])
        _, most = self._below(upper, edges[1:])
        least, _ = self._below(upper, np.nextafter(edges[:-1], np.inf))
        return low + (total - most), high + (total - least)


def _number(value: Any) -> Number:
    """The value as a Python number."""
    return value.item() if isinstance(value, np.number) else value
