"""Damped Newton on the cross-entropy of a measure, to the last digits that its gradient has.

The problem is small, two parameters, but its data are not tame: x may be shifted by 1e6, hold an
outlier at 1e8 or weights over twelve decades, and classes may overlap in two points only. So the
inputs are centred and scaled, each step is solved where the Hessian is diagonal, and no step goes
farther than the quadratic model can be trusted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sweep.base.errors import InputError
from sweep.measure.measure import Measure

MAX_ITERATIONS = 300
"""Newton steps; the hardest data tried in the tests take fewer than 60."""

MAX_HALVINGS = 60
"""Halvings of one step."""

TRUST = 1e6
"""Largest change of the logit, as root mean square over the points that pull, in one step.

Far more than a sound step makes; it turns one that a vanishing curvature has made infinite into one
that can be halved.
"""

CLOSE = 1e-8
"""Residual from which Newton converges quadratically, until rounding stops it."""


class Minimum(NamedTuple):
    """The optimum of cross-entropy.

    Attributes:
        a: slope.
        b: intercept.
        value: cross-entropy there, in nats.
        gradient: larger of its two derivatives, by the intercept and by the slope, with x centred
            and in units of its mean deviation; in nats. Like the value it is taken where Newton's
            method ends, before a and b are rounded to float64, which matters where |a x| is large.
        iterations: Newton steps taken.
    """

    a: float
    b: float
    value: float
    gradient: float
    iterations: int


def minimise(measure: Measure) -> Minimum:
    """Where cross-entropy is least, to the last digits that its gradient has.

    Args:
        measure: data whose classes overlap, so that there is one finite optimum.

    Raises:
        InputError: x and the masses span more than float64 resolves.
    """
    with np.errstate(all="ignore"):
        objective = _Objective(measure)
        state = objective.at(*objective.start)
        iterations = 0
        while iterations < MAX_ITERATIONS:
            following = _next(objective, state)
            if following is None:
                break
            if state.residual < CLOSE and not following.residual < state.residual / 2:
                break
            state, iterations = following, iterations + 1
        return _minimum(objective, state, iterations)


@dataclass(frozen=True, eq=False)
class _State:
    """Cross-entropy and its derivatives at z = slope * u + level, as sums of mass.

    `u` are centred, scaled inputs. The slope's derivatives are taken about `pivot`, the mean of u
    weighted by curvature, where the Hessian is diagonal: no outlier or offset can spoil the solve.
    All numbers are NumPy's, whose division by 0 raises nothing.
    """

    slope: float
    level: float
    loss: float
    pivot: float
    gradient: tuple[float, float]
    curvature: tuple[float, float]
    magnitude: tuple[float, float]
    trust: tuple[float, float]

    @property
    def step(self) -> tuple[float, float]:
        """Newton's step in (slope, level at the pivot), each part no longer than trusted."""
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

    def rise(self, along: _State) -> float:
        """Derivative of the loss here in the direction of another state's step."""
        by_slope, by_level = along.step
        by_level += by_slope * (self.pivot - along.pivot)
        return self.gradient[0] * by_slope + self.gradient[1] * by_level

    def resembles(self, other: _State) -> bool:
        """Whether the curvatures are those of another state to a factor of 4."""
        ratio = np.divide(self.curvature, other.curvature)
        return bool(np.all((ratio > 0.25) & (ratio < 4)))


class _Objective:
    """Cross-entropy of a measure in centred, scaled inputs u = (x - centre) / scale."""

    def __init__(self, measure: Measure) -> None:
        zero, one = measure.class0, measure.class1
        x = np.concatenate([zero.x, one.x])
        self.mass = np.concatenate([zero.masses, one.masses])
        self.sign = np.concatenate([np.full(len(zero), -1.0), np.full(len(one), 1.0)])
        self.centre = np.median(x)
        # A power of two, so that scaling rounds nothing.
        _, exponent = np.frexp(np.max(np.abs(x - self.centre)))
        self.scale = np.ldexp(0.5, exponent)
        self.u = (x - self.centre) / self.scale
        self.start = (0.0, math.log(one.total) - math.log(zero.total))

    @property
    def overlaps(self) -> bool:
        """Whether the classes still overlap after scaling has rounded x."""
        zero, one = self.u[self.sign < 0], self.u[self.sign > 0]
        return bool(np.min(zero) < np.max(one) and np.min(one) < np.max(zero))

    def at(self, slope: float, level: float) -> _State:
        margin = self.sign * (slope * self.u + level)
        tail = np.exp(-np.abs(margin))
        wrong = np.where(margin >= 0, tail, 1.0) / (1.0 + tail)
        pull = self.mass * wrong
        curve = self.mass * tail / (1.0 + tail) ** 2
        pivot = np.sum(curve * self.u) / np.sum(curve)
        offset = self.u - pivot
        return _State(
            slope=slope,
            level=level,
            loss=np.sum(self.mass * (np.maximum(-margin, 0.0) + np.log1p(tail))),
            pivot=pivot,
            gradient=(-np.sum(self.sign * pull * offset), -np.sum(self.sign * pull)),
            curvature=(np.sum(curve * offset**2), np.sum(curve)),
            magnitude=(np.sum(pull * np.abs(offset)), np.sum(pull)),
            trust=(TRUST / np.sqrt(np.sum(pull * offset**2) / np.sum(pull)), TRUST),
        )


def _next(objective: _Objective, state: _State) -> _State | None:
    """The state after Newton's step, halved as long as it goes past the lowest point on its way.

    It may go past where the quadratic model holds and the loss falls. Elsewhere it could land where
    every point is fitted or lost for good and no curvature is left to come back by.
    """
    for halving in range(MAX_HALVINGS):
        following = objective.at(*state.moved(0.5**halving))
        if following.rise(state) <= 0:
            return following
        if following.resembles(state) and following.loss <= state.loss * (1 + 1e-13):
            return following
    return None


def _minimum(objective: _Objective, state: _State, iterations: int) -> Minimum:
    a = float(state.slope / objective.scale)
    b = float(state.level - state.slope * (objective.centre / objective.scale))
    found = state.residual < CLOSE and objective.overlaps and math.isfinite(a) and math.isfinite(b)
    if not found:
        raise InputError(
            "the optimum of cross-entropy was not found: x and the weights span more than float64 "
            f"resolves (the gradient stays at {state.residual:.1e} of its terms); rescale x"
        )
    spread = np.sum(objective.mass * np.abs(objective.u - state.pivot))
    by_slope, by_level = np.abs(state.gradient)
    return Minimum(
        a=a,
        b=b,
        value=float(state.loss / np.sum(objective.mass)),
        gradient=float(max(by_slope / spread, by_level / np.sum(objective.mass))),
        iterations=iterations,
    )
