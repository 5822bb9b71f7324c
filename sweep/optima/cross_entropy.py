"""Cross-entropy: whether it has a finite optimum, and that optimum by Newton's method.

Cross-entropy is convex in (a, b), so its optimum is one point, if there is one. The extremes of x
in each class decide that exactly (Albert & Anderson 1984, On the existence of maximum likelihood
estimates in logistic regression models, Biometrika 71).

The problem has only two parameters, but its data can be hard: x may be shifted by 1e6 or hold an
outlier at 1e8, weights may span twelve decades, and the classes may overlap in two points only. So
the inputs are centred and scaled, each step is solved where the Hessian is diagonal, and no step
goes farther than the quadratic model can be trusted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sweep.base.errors import InputError
from sweep.measure.cuts import cut
from sweep.measure.measure import Measure
from sweep.metrics.logistic import loss_terms
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus

MAX_ITERATIONS = 300  # Newton steps; the hardest data of the tests take fewer than 60
MAX_HALVINGS = 60  # of one step
# Largest change of the logit in one step, as root mean square over the points that pull. A sound
# step is far shorter; a step that a vanishing curvature has made infinite becomes one to halve.
MAX_LOGIT_CHANGE = 1e6
PULLS = 1e-100, 1e100  # penalties beyond either, in units of x, no longer change the optimum
CLOSE = 1e-8  # residual below which Newton converges quadratically, until rounding stops it


def cross_entropy_optimum(measure: Measure) -> CrossEntropyOptimum:
    """The optimum of cross-entropy alone, which needs no sorting of the points.

    Without a finite optimum the status says why, and the value is the infimum, in nats. InputError
    says that x and the weights span more than float64 resolves.
    """
    status = _status(measure)
    if status is OptimumStatus.finite:
        return minimise(measure)
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


# --- Newton's method ----------------------------------------------------------------------------


def minimise(measure: Measure, l2: float = 0.0) -> CrossEntropyOptimum:
    """Minimises mean cross-entropy + l2 / 2 * a^2, to the last digits that its gradient has.

    Both classes must have points, and overlap if there is no penalty, so that there is one finite
    optimum. InputError says that x and the masses span more than float64 resolves.
    """
    with np.errstate(all="ignore"):
        objective = _Objective(measure, l2)
        point = objective.at(*objective.start)
        iterations = 0
        while iterations < MAX_ITERATIONS:
            following = _next_point(objective, point)
            if following is None:
                break
            if point.residual < CLOSE and not following.residual < point.residual / 2:
                break
            point, iterations = following, iterations + 1
        return _optimum(objective, point, iterations)


@dataclass(frozen=True, eq=False)
class _NewtonPoint:
    """The objective and its derivatives at z = slope * u + level, as sums of mass.

    `u` are centred, scaled inputs. Derivatives by the slope are taken about `pivot`, the mean of u
    weighted by curvature, where the Hessian is diagonal, so no outlier or offset spoils the solve.
    All numbers are NumPy's, because their division by 0 does not raise.
    """

    slope: float  # of the scaled logit
    level: float  # logit at u = 0
    loss: float  # the objective summed over the mass
    pivot: float  # u about which the slope turns
    gradient: tuple[float, float]  # derivatives by the slope about the pivot and by the level
    curvature: tuple[float, float]  # second derivatives by the same; the mixed one is 0
    magnitude: tuple[float, float]  # sums of the sizes of the terms of the gradient
    trust: tuple[float, float]  # the longest step of either that is trusted

    @property
    def step(self) -> tuple[float, float]:
        """Newton's step in (slope, level at the pivot), each component no longer than trusted."""
        newton = np.nan_to_num(-np.divide(self.gradient, self.curvature), nan=0.0)
        slope, level = np.clip(newton, -np.asarray(self.trust), self.trust)
        return slope, level

    @property
    def residual(self) -> float:
        """The gradient as a fraction of the terms that cancel in it: about 1e-16 at the optimum."""
        gradient, size = np.abs(self.gradient), np.asarray(self.magnitude)
        return float(np.max(np.where(gradient == 0, 0.0, gradient / size)))

    def moved(self, fraction: float) -> tuple[float, float]:
        """(slope, level) after that fraction of the step."""
        by_slope, by_level = (fraction * s for s in self.step)
        return self.slope + by_slope, self.level + by_level - by_slope * self.pivot

    def rise(self, start: _NewtonPoint) -> float:
        """Derivative of the loss here in the direction of the step from `start`."""
        by_slope, by_level = start.step
        by_level += by_slope * (self.pivot - start.pivot)
        return self.gradient[0] * by_slope + self.gradient[1] * by_level

    def resembles(self, other: _NewtonPoint) -> bool:
        """Whether both curvatures are within a factor of 4 of those of another point."""
        ratio = np.divide(self.curvature, other.curvature)
        return bool(np.all((ratio > 0.25) & (ratio < 4)))


class _Objective:
    """The objective of a measure in centred, scaled inputs u = (x - centre) / scale."""

    def __init__(self, measure: Measure, l2: float) -> None:
        x, self.mass, self.sign = measure.signed
        self.centre = np.median(x)
        # A power of two, so that scaling rounds nothing.
        _, exponent = np.frexp(np.max(np.abs(x - self.centre)))
        self.scale = np.ldexp(0.5, exponent)
        self.u = (x - self.centre) / self.scale
        self.start = (0.0, math.log(measure.class1.total) - math.log(measure.class0.total))
        # The penalty of the slope for each unit of mass; the square of the scale may overflow.
        pull = np.clip(np.float64(l2) / self.scale / self.scale, *PULLS) if l2 else 0.0
        self.pull = np.sum(self.mass) * pull

    @property
    def has_optimum(self) -> bool:
        """Whether the classes still overlap after scaling has rounded x, or there is a penalty."""
        u0, u1 = self.u[self.sign < 0], self.u[self.sign > 0]
        overlaps = np.min(u0) < np.max(u1) and np.min(u1) < np.max(u0)
        return bool(overlaps or self.pull > 0)

    def at(self, slope: float, level: float) -> _NewtonPoint:
        """The point at a slope and level."""
        loss, pull, curve = loss_terms(self.sign * (slope * self.u + level), self.mass)
        pivot = np.sum(curve * self.u) / np.sum(curve)
        offset = self.u - pivot
        penalty = self.pull * slope
        return _NewtonPoint(
            slope=slope,
            level=level,
            loss=np.sum(loss) + penalty * slope / 2,
            pivot=pivot,
            gradient=(-np.sum(self.sign * pull * offset) + penalty, -np.sum(self.sign * pull)),
            curvature=(np.sum(curve * offset**2) + self.pull, np.sum(curve)),
            magnitude=(np.sum(pull * np.abs(offset)) + np.abs(penalty), np.sum(pull)),
            trust=(
                MAX_LOGIT_CHANGE / np.sqrt(np.sum(pull * offset**2) / np.sum(pull)),
                MAX_LOGIT_CHANGE,
            ),
        )


def _next_point(objective: _Objective, point: _NewtonPoint) -> _NewtonPoint | None:
    """The point after Newton's step, halved while it goes past the lowest point on its way.

    A step may go past it where the quadratic model holds and the loss falls. Elsewhere it could end
    where all points are fitted or lost for good, with no curvature left to come back by.
    """
    for halving in range(MAX_HALVINGS):
        following = objective.at(*point.moved(0.5**halving))
        if following.rise(point) <= 0:
            return following
        # 1e-13: what rounding may do to either sum.
        if following.resembles(point) and following.loss <= point.loss * (1 + 1e-13):
            return following
    return None


def _optimum(objective: _Objective, point: _NewtonPoint, iterations: int) -> CrossEntropyOptimum:
    """The optimum in units of x; refuses a point that is none.

    Gradient and value are those where Newton's method ends, before a and b are rounded to float64;
    that matters where |a x| is large. The gradient is the larger of the derivatives by the level
    and by the slope, with x centred and in units of its mean deviation.
    """
    a = float(point.slope / objective.scale)
    b = float(point.level - point.slope * (objective.centre / objective.scale))
    finite = math.isfinite(a) and math.isfinite(b)
    if not (point.residual < CLOSE and objective.has_optimum and finite):
        raise InputError(
            "the optimum of cross-entropy was not found: x and the weights span more than float64 "
            f"resolves (the gradient stays at {point.residual:.1e} of its terms); rescale x"
        )
    total = np.sum(objective.mass)
    total_deviation = np.sum(objective.mass * np.abs(objective.u - point.pivot))
    by_slope, by_level = np.abs(point.gradient)
    t = float(cut(np.array(a), np.array(b)).t)
    return CrossEntropyOptimum(
        a=a,
        b=b,
        value=float(point.loss / total),
        cut=t if math.isfinite(t) else math.nan,
        orientation=int(np.sign(a)),
        gradient=float(max(by_slope / total_deviation, by_level / total)),
        iterations=iterations,
        status=OptimumStatus.finite,
    )
