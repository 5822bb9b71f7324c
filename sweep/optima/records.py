"""Records of the optima that `sweep.optimum` finds, for samples, populations and sketches."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from sweep.base.records import Record
from sweep.base.tables import Table, Tabular


class OptimumStatus(enum.Enum):
    """Whether cross-entropy has an optimum; each member's value is the sentence for the user."""

    finite = "Cross-entropy has exactly one optimum."
    separated = (
        "The classes are completely separated by a cut: cross-entropy falls towards 0 as the slope "
        "grows in size without bound, so it has no finite optimum."
    )
    quasi_separated = (
        "The classes are separated by a cut except for points exactly on it: cross-entropy falls "
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


STATUSES = tuple(OptimumStatus)
"""The position of a status is its code in tables of studies and runs."""


@dataclass(frozen=True)
class CrossEntropyOptimum:
    """The optimum of cross-entropy.

    Attributes:
        a: slope; nan unless the status is finite.
        b: intercept; nan unless the status is finite.
        value: the least cross-entropy in nats, or its infimum where there is no finite optimum;
            nan without points. A landscape at (a, b) can differ from it by up to about 1e-16 |a x|,
            because (a, b) and the logit are rounded.
        cut: where the predicted class changes, as in `sweep.measure.cuts`; nan unless the
            status is finite and a is not 0.
        orientation: +1 if class 1 is predicted above the cut, -1 if below, 0 if there is no cut.
        gradient: larger of the two derivatives at the optimum, in nats, as in
            `sweep.optima.cross_entropy`; nan unless the status is finite.
        iterations: Newton steps taken.
        status: whether there is a finite optimum; status.value is a sentence.
    """

    a: float
    b: float
    value: float
    cut: float
    orientation: int
    gradient: float
    iterations: int
    status: OptimumStatus


@dataclass(frozen=True)
class AccuracyOptimum:
    """The set of classifiers with the highest accuracy.

    Attributes:
        value: the highest accuracy, a fraction; nan without points.
        correct: mass predicted correctly: an int for hard labels without weights.
        cuts: maximal intervals (low, high, orientation) of optimal cuts t, ascending. With
            orientation +1, class 1 is x >= t and low < t <= high; with -1, class 1 is x <= t and
            low <= t < high. Both ends are points of the data. (As -b/a, a tie being class 0, the
            closed end changes sides: [low, high) for +1, (low, high] for -1.)
        constants: the constant predictions (0, 1 or both) that reach the same value.
        support: (min x, max x): beyond it a cut is a constant prediction; nan without points.
    """

    value: float
    correct: int | float
    cuts: tuple[tuple[float, float, int], ...]
    constants: tuple[int, ...]
    support: tuple[float, float]

    @property
    def rays(self) -> tuple[tuple[float, float], ...]:
        """Directions (a, b) from (0, 0) of the edges of the cones of highest accuracy."""
        ends = [(side, end) for low, high, side in self._outlined for end in (low, high)]
        ends += [
            (side, low if math.isinf(high) else high) for low, high, side in self.constant_cuts
        ]
        return tuple(_ray(side, end) for side, end in ends)

    @property
    def constant_cuts(self) -> tuple[tuple[float, float, int], ...]:
        """The best constants as intervals of cuts beyond all x, (low, high, orientation)."""
        low, high = self.support
        below, above = (-math.inf, low), (high, math.inf)
        beyond = ((*above, 1), (*below, -1)), ((*below, 1), (*above, -1))
        return tuple(interval for constant in self.constants for interval in beyond[constant])

    @property
    def _outlined(self) -> tuple[tuple[float, float, int], ...]:
        """The intervals whose cones `rays` outlines."""
        return self.cuts


def _ray(orientation: int, cut: float) -> tuple[float, float]:
    """The ray (a, -c a) of all classifiers with cut c = -b/a and a of one sign."""
    if math.isinf(cut):  # a constant prediction where x is unbounded
        return 0.0, -orientation * math.copysign(1.0, cut)
    return float(orientation), -orientation * cut


@dataclass(frozen=True)
class Optimum(Record, Tabular):
    """The optima of both metrics.

    Attributes:
        n: number of points; inf for a population.
        cross_entropy: the optimum of cross-entropy.
        accuracy: the optimum of accuracy.
        shared: whether the classifier at the cross-entropy optimum is one of the most accurate;
            None where cross-entropy has no finite optimum.
        regret: accuracy lost at the cross-entropy optimum, a fraction; nan without one. It can
            round to 0 although `shared` is False, where weighted masses hardly differ.
        distance: from its cut to the nearest optimal cut of the same orientation, in units of x;
            0 if shared, inf if no optimal cut has that orientation, nan without an optimum.
    """

    n: int | float
    cross_entropy: CrossEntropyOptimum
    accuracy: AccuracyOptimum
    shared: bool | None
    regret: float
    distance: float

    def tables(self) -> tuple[Table, ...]:
        """Both optima, and whether they are the same."""
        from sweep.optima import tables  # which tells the records apart

        return tables.tables(self)


@dataclass(frozen=True)
class PopulationOptimum(Optimum):
    """The optima of both metrics for a population, n = infinity.

    Cuts of highest accuracy are closed intervals; a single cut c is (c, c, orientation). `shared`
    is decided to a tolerance on the cut, `sweep.optima.population_accuracy.CUT_TOLERANCE`. Where
    rounding hides the crossing, eta and the accuracy lost decide (`BestIntervals.contains`).

    Attributes:
        law: name of the population.
        eta_excess: eta - 1/2 at the cut of the cross-entropy optimum, by the formula of eta even
            where x has no density; nan without a cut. If eta is continuous and this is not 0, that
            cut is not one of highest accuracy.
        bayes_accuracy: the highest accuracy of any classifier, not only of cuts; a fraction.
        conditional_entropy: the least cross-entropy of any model, in nats.
    """

    law: str
    eta_excess: float
    bayes_accuracy: float
    conditional_entropy: float


@dataclass(frozen=True)
class SketchAccuracy(AccuracyOptimum):
    """Bounds on the classifiers with the highest accuracy, from a sketch.

    The highest accuracy is at least `value`, which some classifier certainly reaches, and at most
    `upper`. `cuts` are stretches between edges known to the sketch: no best cut is outside of them,
    but not every cut inside need be one of the best. The same holds for `constants`.

    Attributes:
        upper: no classifier has a higher accuracy; equals `value` where that is known exactly.
    """

    upper: float

    @property
    def _outlined(self) -> tuple[tuple[float, float, int], ...]:
        """One interval for each orientation that holds all its stretches, which may be many."""
        intervals = []
        for side in (-1, 1):
            ends = [end for low, high, sign in self.cuts if sign == side for end in (low, high)]
            intervals += [(min(ends), max(ends), side)] if ends else []
        return tuple(intervals)


@dataclass(frozen=True)
class Errors:
    """Bounds on the distance of a sketch's cross-entropy optimum from that of all the data.

    All are nan where there is no finite optimum.

    Attributes:
        a: bound on the error of the slope.
        b: of the intercept.
        value: of the least cross-entropy, in nats.
        cut: of the cut; inf where the sign of the slope is uncertain.
    """

    a: float
    b: float
    value: float
    cut: float


@dataclass(frozen=True)
class SketchOptimum(Optimum):
    """The optima of both metrics by a sketch, with bounds on what it does not know.

    `status` is exact. `shared` is True or False only where that is certain, else None. `regret` is
    nan unless it is known exactly, and `distance` is nan unless it is 0.

    Attributes:
        accuracy: bounds on the highest accuracy and on where it is reached.
        errors: bounds on the distance of the cross-entropy optimum from that of all the data.
        regret_bounds: (lowest, highest) possible regret, fractions; nan without an optimum.
        scope: the slopes for which, and the tolerance to which, the sketch knows smooth metrics.
    """

    accuracy: SketchAccuracy
    errors: Errors
    regret_bounds: tuple[float, float]
    scope: str
