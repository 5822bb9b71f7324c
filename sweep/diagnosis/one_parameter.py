"""The best slope alone and the best intercept alone: what each by itself would save of the loss.

`sweep.optima.newton` finds the best slope and intercept together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sweep.measure.measure import Measure

MAX_STEPS = 2200
"""Newton steps and halvings; more than there are powers of two in float64."""

CLOSE = 1e-8
"""Gradient, as a fraction of its terms, from which Newton's method converges quadratically."""

FAR = 16.0
"""Ratio of the ends of a bracket from which it is halved in logarithms."""


def slope_alone(measure: Measure) -> tuple[float, float]:
    """The a that is best with b = 0, and the cross-entropy there in nats.

    Args:
        measure: data with at least one point.

    Returns:
        a, and the value; a is infinite, and the value its infimum, where no x is on the wrong side
        of 0, or none on the right side; nan where all x are 0, for then every a is as good.
    """
    one, zero = measure.class1.extremes, measure.class0.extremes
    lowest, highest = min(one[0], -zero[1]), max(one[1], -zero[0])
    if lowest >= 0 or highest <= 0:
        a = math.nan if lowest == highest == 0 else math.copysign(math.inf, highest + lowest)
        return a, _at_zero(measure) * math.log(2) / measure.total
    # In units of the farthest x, and turned so that the best slope is not negative.
    _, exponent = np.frexp(measure.reach)
    scale = float(np.ldexp(0.5, exponent))
    line = _Line.of(measure, unit=scale)
    turn = 1.0 if line.at(0.0).gradient <= 0 else -1.0
    turned = _Line(line.mass, turn * line.direction, line.offset)
    found = least(turned.at, 0.0, 0.0, math.inf)
    return turn * found / scale, turned.at(found).loss / measure.total


def intercept_alone(measure: Measure) -> tuple[float, float]:
    """The b that is best with a = 1, and the cross-entropy there in nats.

    Args:
        measure: data with at least one point.

    Returns:
        b, and the value; b is infinite, and the value 0, where only one class is present.
    """
    if len(measure.class1) == 0 or len(measure.class0) == 0:
        return (-math.inf if len(measure.class1) == 0 else math.inf), 0.0
    line = _Line.of(measure, unit=None)
    odds = math.log(measure.class1.total) - math.log(measure.class0.total)
    low, high = measure.ends
    found = least(line.at, min(max(odds, odds - high), odds - low), odds - high, odds - low)
    return found, line.at(found).loss / measure.total


def _at_zero(measure: Measure) -> float:
    """Mass of the points at 0."""
    return sum(float(np.sum(p.masses[p.x == 0])) for p in (measure.class0, measure.class1))


@dataclass(frozen=True, eq=False)
class LineDerivatives:
    """Cross-entropy somewhere on a line, as sums of mass."""

    loss: float
    gradient: float
    curvature: float
    magnitude: float

    @property
    def residual(self) -> float:
        """The gradient as a fraction of the terms that cancel in it."""
        return abs(self.gradient) / self.magnitude if self.gradient else 0.0


@dataclass(frozen=True, eq=False)
class _Line:
    """Log-odds of what came true, direction * t + offset, of points with mass.

    Attributes:
        mass: of each point, shape (m,).
        direction: by how much t moves it, shape (m,).
        offset: at t = 0, shape (m,).
    """

    mass: Float[np.ndarray, " m"]
    direction: Float[np.ndarray, " m"]
    offset: Float[np.ndarray, " #m"]

    @classmethod
    def of(cls, measure: Measure, unit: float | None) -> _Line:
        """By the slope, x being in that unit; or by the intercept, if there is none."""
        zero, one = measure.class0, measure.class1
        mass = np.concatenate([zero.masses, one.masses])
        signed = np.concatenate([-zero.x, one.x])
        if unit is not None:
            return cls(mass, signed / unit, np.zeros(1))
        sign = np.concatenate([np.full(len(zero), -1.0), np.full(len(one), 1.0)])
        return cls(mass, sign, signed)

    def at(self, t: float) -> LineDerivatives:
        margin = self.direction * t + self.offset
        tail = np.exp(-np.abs(margin))
        wrong = np.where(margin >= 0, tail, 1.0) / (1.0 + tail)
        pull = self.mass * wrong * self.direction
        curve = self.mass * self.direction**2 * (tail / (1.0 + tail) ** 2)
        return LineDerivatives(
            loss=float(np.sum(self.mass * (np.maximum(-margin, 0.0) + np.log1p(tail)))),
            gradient=-float(np.sum(pull)),
            curvature=float(np.sum(curve)),
            magnitude=float(np.sum(np.abs(pull))),
        )


def least(of: Callable[[float], LineDerivatives], t: float, low: float, high: float) -> float:
    """Where the loss is least between two ends, by Newton's method inside a bracket.

    The gradient rises, so its sign says on which side the minimum is; a step that leaves what is
    known so, halves it instead.
    """
    with np.errstate(all="ignore"):
        at, best = of(t), (math.inf, t)
        for _ in range(MAX_STEPS):
            if at.residual == 0 or (at.residual < CLOSE and not at.residual < best[0] / 2):
                break
            best = min(best, (at.residual, t))
            low, high = (low, t) if at.gradient > 0 else (t, high)
            step = t - at.gradient / at.curvature if at.curvature > 0 else math.inf
            following = step if low < step < high or step == t else _middle(low, high)
            if following in (low, high, t):
                break
            t = following
            at = of(t)
    return min(best, (at.residual, t))[1]


def _middle(low: float, high: float) -> float:
    """A number between two others, in their logarithms where they are far apart."""
    if math.isinf(high):
        return max(FAR * low, FAR)
    if low > 0 and high > FAR * low:
        return math.sqrt(low) * math.sqrt(high)
    if low == 0:
        return high / FAR
    return low + (high - low) / 2
