"""Damped Newton's method for the cross-entropy of weighted points, to rounding of its gradient.

The problem has only two parameters, but its data can be hard: x may be shifted by 1e6 or hold an
outlier at 1e8, weights may span twelve decades, and the classes may overlap in two points only. So
the inputs are centred and scaled, each step is solved where the Hessian is diagonal, and no step
goes farther than the quadratic model can be trusted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sweep.base.errors import InputError
from sweep.measure.measure import Measure

MAX_ITERATIONS = 300  # Newton steps; the hardest data of the tests take fewer than 60
MAX_HALVINGS = 60  # of one step
# Largest change of the logit in one step, as root mean square over the points that pull. A sound
# step is far shorter; a step that a vanishing curvature has made infinite becomes one to halve.
MAX_LOGIT_CHANGE = 1e6
CLOSE = 1e-8  # residual below which Newton converges quadratically, until rounding stops it


class Minimum(NamedTuple):
    """The optimum of cross-entropy."""

    a: float  # slope
    b: float  # intercept
    value: float  # cross-entropy there, in nats
    # larger of its two derivatives, by the intercept and by the slope, with x centred and in units
    # of its mean deviation; in nats. Gradient and value are those where Newton's method ends,
    # before a and b are rounded to float64; that matters where |a x| is large
    gradient: float
    iterations: int  # Newton steps taken


def minimise(measure: Measure) -> Minimum:
    """Minimises cross-entropy, to the last digits that its gradient has."""
    with np.errstate(all="ignore"):
        objective = _Objective(measure)
        state = objective.at(*objective.start)
        iterations = 0
        while iterations < MAX_ITERATIONS:
            following = _next_state(objective, state)
            if following is None:
                break
            if state.residual < CLOSE and not following.residual < state.residual / 2:
                break
            state, iterations = following, iterations + 1
        return _minimum(objective, state, iterations)


@dataclass(frozen=True, eq=False)
class _State:
    """Cross-entropy and its derivatives at z = slope * u + level, as sums of mass.

    `u` are centred, scaled inputs. Derivatives by the slope are taken about `pivot`, the mean of u
    weighted by curvature, where the Hessian is diagonal, so no outlier or offset spoils the solve.
    All numbers are NumPy's, because their division by 0 does not raise.
    """

    slope: float  # of the scaled logit
    level: float  # logit at u = 0
    loss: float  # cross-entropy summed over the mass
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

    def rise(self, start: _State) -> float:
        """Derivative of the loss here in the direction of the step from `start`."""
        by_slope, by_level = start.step
        by_level += by_slope * (self.pivot - start.pivot)
        return self.gradient[0] * by_slope + self.gradient[1] * by_level

    def resembles(self, other: _State) -> bool:
        """Whether both curvatures are within a factor of 4 of those of another state."""
        ratio = np.divide(self.curvature, other.curvature)
        return bool(np.all((ratio > 0.25) & (ratio < 4)))


class _Objective:
    """Cross-entropy of a measure in centred, scaled inputs u = (x - centre) / scale."""

    def __init__(self, measure: Measure) -> None:
        class0, class1 = measure.class0, measure.class1
        x = np.concatenate([class0.x, class1.x])
        self.mass = np.concatenate([class0.masses, class1.masses])
        self.sign = np.concatenate([np.full(len(class0), -1.0), np.full(len(class1), 1.0)])
        self.centre = np.median(x)
        # A power of two, so that scaling rounds nothing.
        _, exponent = np.frexp(np.max(np.abs(x - self.centre)))
        self.scale = np.ldexp(0.5, exponent)
        self.u = (x - self.centre) / self.scale
        self.start = (0.0, math.log(class1.total) - math.log(class0.total))

    @property
    def overlaps(self) -> bool:
        """Whether the classes still overlap after scaling has rounded x."""
        u0, u1 = self.u[self.sign < 0], self.u[self.sign > 0]
        return bool(np.min(u0) < np.max(u1) and np.min(u1) < np.max(u0))

    def at(self, slope: float, level: float) -> _State:
        """The state at a slope and level."""
        margin = self.sign * (slope * self.u + level)
        tail = np.exp(-np.abs(margin))  # never overflows; s(-margin) and s(z) s(-z) follow from it
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
            trust=(
                MAX_LOGIT_CHANGE / np.sqrt(np.sum(pull * offset**2) / np.sum(pull)),
                MAX_LOGIT_CHANGE,
            ),
        )


def _next_state(objective: _Objective, state: _State) -> _State | None:
    """The state after Newton's step, halved while it goes past the lowest point on its way.

    A step may go past it where the quadratic model holds and the loss falls. Elsewhere it could end
    where all points are fitted or lost for good, with no curvature left to come back by.
    """
    for halving in range(MAX_HALVINGS):
        following = objective.at(*state.moved(0.5**halving))
        if following.rise(state) <= 0:
            return following
        # 1e-13: what rounding may do to either sum.
        if following.resembles(state) and following.loss <= state.loss * (1 + 1e-13):
            return following
    return None


def _minimum(objective: _Objective, state: _State, iterations: int) -> Minimum:
    """The optimum in units of x; refuses a state that is none."""
    a = float(state.slope / objective.scale)
    b = float(state.level - state.slope * (objective.centre / objective.scale))
    finite = math.isfinite(a) and math.isfinite(b)
    if not (state.residual < CLOSE and objective.overlaps and finite):
        raise InputError(
            "the optimum of cross-entropy was not found: x and the weights span more than float64 "
            f"resolves (the gradient stays at {state.residual:.1e} of its terms); rescale x"
        )
    total_deviation = np.sum(objective.mass * np.abs(objective.u - state.pivot))
    by_slope, by_level = np.abs(state.gradient)
    return Minimum(
        a=a,
        b=b,
        value=float(state.loss / np.sum(objective.mass)),
        gradient=float(max(by_slope / total_deviation, by_level / np.sum(objective.mass))),
        iterations=iterations,
    )
