"""Where paths of (a, b) lead: to the optimum with a penalty, or on and on at a known speed.

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
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float

from sweep.measure.measure import Measure
from sweep.metrics.logistic import sigmoid, softplus
from sweep.optima.records import OptimumStatus

ITERATIONS = 200  # of Newton's method; the tests need fewer than 20
HALVINGS = 60  # of one step: 2^-60 of it is below rounding
SUFFICIENT = 1e-4  # share of the predicted fall that a step must reach (Armijo 1966)

CLOSE = 1e-12
"""Predicted fall of the objective, in nats, below which rounding hides whether it falls."""

PULLS = 1e-100, 1e100
"""Smallest and largest penalty in units of x: beyond either, the optimum no longer changes."""


@dataclass(frozen=True)
class Penalised:
    """The optimum with a penalty.

    Attributes:
        a: slope.
        b: intercept.
        objective: cross-entropy and penalty there, in nats.
    """

    a: float
    b: float
    objective: float


@dataclass(frozen=True)
class Growth:
    """What is added to (a, b) while the number of steps grows e-fold.

    Attributes:
        a: growth of the slope, per unit of x.
        b: growth of the intercept.
    """

    a: float
    b: float


def penalised(measure: Measure, l2: float) -> Penalised | None:
    """The minimum of cross-entropy + l2 / 2 * a^2.

    Args:
        measure: measure of the data.
        l2: penalty above 0, in nats times the square of x's unit.

    Returns:
        The minimum; None where a class is missing, so that b grows without bound.
    """
    if len(measure.class0) == 0 or len(measure.class1) == 0:
        return None
    problem = _PenalisedProblem(measure, l2)
    point = np.array([0.0, math.log(measure.class1.total) - math.log(measure.class0.total)])
    for _ in range(ITERATIONS):
        step, fall = problem.step(point)
        following = problem.line_search(point, step, fall)
        if following is None:
            break
        point = following
        if fall < CLOSE**2:
            break
    a = float(point[0] / problem.scale)
    return Penalised(a, float(point[1] - a * problem.center), problem.value(point))


class _PenalisedProblem:
    """The objective of (slope, level), logit slope * u + level, with u = (x - center) / scale."""

    def __init__(self, measure: Measure, l2: float) -> None:
        class0, class1 = measure.class0, measure.class1
        x = np.concatenate([class0.x, class1.x])
        self.mass = np.concatenate([class0.masses, class1.masses]) / float(measure.total)
        self.sign = np.concatenate([np.full(len(class0), -1.0), np.full(len(class1), 1.0)])
        self.center = float(self.mass @ x)
        self.scale = float(np.max(np.abs(x - self.center))) or 1.0
        self.u = (x - self.center) / self.scale
        with np.errstate(over="ignore", under="ignore"):
            pull = np.float64(l2) / self.scale / self.scale  # scale^2 may overflow
        self.pull = float(np.clip(pull, *PULLS))

    def value(self, point: Float[np.ndarray, " 2"]) -> float:
        margin = self.sign * (point[0] * self.u + point[1])
        return float(self.mass @ softplus(-margin) + self.pull / 2 * point[0] ** 2)

    def step(self, point: Float[np.ndarray, " 2"]) -> tuple[Float[np.ndarray, " 2"], float]:
        """Newton's step, and twice the fall that its quadratic model predicts."""
        margin = self.sign * (point[0] * self.u + point[1])
        wrong = sigmoid(-margin)
        force, curve = -self.sign * self.mass * wrong, self.mass * wrong * sigmoid(margin)
        gradient = np.array([force @ self.u + self.pull * point[0], np.sum(force)])
        mixed = curve @ self.u
        hessian = np.array([[curve @ self.u**2 + self.pull, mixed], [mixed, np.sum(curve)]])
        step = -np.linalg.solve(hessian, gradient)
        return step, float(-(gradient @ step))

    def line_search(
        self, point: Float[np.ndarray, " 2"], step: Float[np.ndarray, " 2"], fall: float
    ) -> Float[np.ndarray, " 2"] | None:
        """The end of the step, halved until the objective falls enough; None if it never does."""
        if fall < CLOSE:
            return point + step
        before = self.value(point)
        for halving in range(HALVINGS):
            share = 0.5**halving
            if self.value(point + share * step) <= before - SUFFICIENT * share * fall:
                return point + share * step
        return None


def growth(measure: Measure, status: OptimumStatus) -> Growth | None:
    """The growth of (a, b) with log t under gradient descent without a penalty.

    Args:
        measure: measure of points.
        status: status of its optimum of cross-entropy.

    Returns:
        The growth; None where there is a finite optimum, or where x is constant.
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
