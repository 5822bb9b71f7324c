"""The optimum of cross-entropy with an L2 penalty of the slope: Newton's method, halved steps.

mean cross-entropy + l2 / 2 * a^2, the intercept apart, has one minimum as soon as both classes are
there, however well a cut separates them. scikit-learn's `LogisticRegression(C=1 / (l2 * n))` seeks
the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sweep.measure.measure import Measure
from sweep.metrics.metrics import sigmoid, softplus

ITERATIONS = 200
"""Steps of Newton's method; what the tests try takes fewer than 20."""

HALVINGS = 60
"""Halvings of one step."""

CLOSE = 1e-12
"""Fall of the objective promised by a step, in nats, below which rounding hides whether it does."""


PULLS = 1e-100, 1e100
"""Least and largest penalty in units of x: beyond either the optimum is as it is there."""


@dataclass(frozen=True)
class Penalised:
    """The optimum.

    Attributes:
        a: slope.
        b: intercept.
        objective: cross-entropy and penalty there, in nats.
    """

    a: float
    b: float
    objective: float


def penalised(measure: Measure, l2: float) -> Penalised | None:
    """Where cross-entropy + l2 / 2 * a^2 is least.

    Args:
        measure: data.
        l2: > 0, in nats times the square of x's unit.

    Returns:
        The optimum; None where a class is missing, so that b grows without bound.
    """
    if len(measure.class0) == 0 or len(measure.class1) == 0:
        return None
    problem = _Problem(measure, l2)
    here = np.array([0.0, math.log(measure.class1.total) - math.log(measure.class0.total)])
    for _ in range(ITERATIONS):
        step, promised = problem.step(here)
        following = problem.along(here, step, promised)
        if following is None:
            break
        here = following
        if promised < CLOSE**2:
            break
    a = float(here[0] / problem.scale)
    return Penalised(a, float(here[1] - a * problem.centre), problem.value(here))


class _Problem:
    """The objective of (slope, level), logit slope * u + level, with u = (x - centre) / scale."""

    def __init__(self, measure: Measure, l2: float) -> None:
        zero, one = measure.class0, measure.class1
        x = np.concatenate([zero.x, one.x])
        self.mass = np.concatenate([zero.masses, one.masses]) / float(measure.total)
        self.sign = np.concatenate([np.full(len(zero), -1.0), np.full(len(one), 1.0)])
        self.centre = float(self.mass @ x)
        self.scale = float(np.max(np.abs(x - self.centre))) or 1.0
        self.u = (x - self.centre) / self.scale
        with np.errstate(over="ignore", under="ignore"):
            pull = np.float64(l2) / self.scale / self.scale  # whose square may be too large
        self.pull = float(np.clip(pull, *PULLS))

    def value(self, at: Float[np.ndarray, " 2"]) -> float:
        margin = self.sign * (at[0] * self.u + at[1])
        return float(self.mass @ softplus(-margin) + self.pull / 2 * at[0] ** 2)

    def step(self, at: Float[np.ndarray, " 2"]) -> tuple[Float[np.ndarray, " 2"], float]:
        """Newton's step, and twice the fall that its quadratic model promises."""
        margin = self.sign * (at[0] * self.u + at[1])
        wrong = sigmoid(-margin)
        force, curve = -self.sign * self.mass * wrong, self.mass * wrong * sigmoid(margin)
        gradient = np.array([force @ self.u + self.pull * at[0], np.sum(force)])
        mixed = curve @ self.u
        hessian = np.array([[curve @ self.u**2 + self.pull, mixed], [mixed, np.sum(curve)]])
        step = -np.linalg.solve(hessian, gradient)
        return step, float(-(gradient @ step))

    def along(
        self, at: Float[np.ndarray, " 2"], step: Float[np.ndarray, " 2"], promised: float
    ) -> Float[np.ndarray, " 2"] | None:
        """The step halved until the objective falls as it should (Armijo 1966)."""
        if promised < CLOSE:
            return at + step
        before = self.value(at)
        for halving in range(HALVINGS):
            share = 0.5**halving
            if self.value(at + share * step) <= before - 1e-4 * share * promised:
                return at + share * step
        return None
