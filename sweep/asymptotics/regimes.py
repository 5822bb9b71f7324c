"""What kind of place the accuracy optimum of a population is: a crossing, a jump, or a flat.

The kind decides how fast the most accurate cut of a sample comes to it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sweep.measure.measure import Measure
from sweep.optima.population_accuracy import CUT_TOLERANCE, TIE
from sweep.optima.records import PopulationOptimum
from sweep.populations.quadrature import Quadrature

SMOOTH = 1e-6
"""Relative difference of two sides of a cut within which a function has no jump or kink there."""


class OneSidedLimits(NamedTuple):
    """Density of x, eta and its derivative on one side of a cut."""

    density: float
    eta: float
    slope: float


class Crossing(NamedTuple):
    """Where eta crosses 1/2 smoothly."""

    cut: float
    density: float
    slope: float


class Jump(NamedTuple):
    """Where eta jumps past 1/2: |2 eta - 1| times the density, summed over both sides."""

    step: float


class Flat(NamedTuple):
    """A gap in the support, or a constant prediction.

    Attributes:
        odds: of gaining to losing a point where the cut leaves the set, at either end.
    """

    odds: tuple[float, float]


class Regime(NamedTuple):
    """What the accuracy optimum is: one of three, or a sentence why it is none of them.

    Attributes:
        crossing: one smooth crossing.
        jump: one jump.
        flat: one gap, or one constant prediction.
        several: whether accuracy is highest at several smooth crossings.
        note: why theory has no constants, if it has none.
    """

    crossing: Crossing | None = None
    jump: Jump | None = None
    flat: Flat | None = None
    several: bool = False
    note: str = ""


def regime_of(measure: Measure, quadrature: Quadrature, best: PopulationOptimum) -> Regime:
    """The place of a population.

    Args:
        measure: the population.
        quadrature: its panels.
        best: its optimum.
    """
    cuts, constants = best.accuracy.cuts, best.accuracy.constants
    if len(cuts) + len(constants) > 1:
        smooth = not constants and all(
            low == high and _point(quadrature, low).crossing is not None for low, high, _ in cuts
        )
        return Regime(several=smooth, note="Accuracy is highest at several cuts.")
    if constants:
        return _constant(quadrature, best, constants[0])
    ((low, high, orientation),) = cuts
    if low == high:
        return _point(quadrature, low)
    if _mass(measure, low, high) > TIE:
        return Regime(note="P(y = 1 | x) is 1/2 on a whole interval of the most accurate cuts.")
    # What is below the low end is won by a point of class 1 if class 1 is above the cut.
    wins = (1, 0) if orientation > 0 else (0, 1)
    outside = _side(quadrature, low, -1), _side(quadrature, high, +1)
    return _flat(quadrature, outside, wins)


def _mass(measure: Measure, low: float, high: float) -> float:
    """The part of all mass between two ends."""
    parts = (np.diff(d.split(np.array([low, high]))[0]) for d in (measure.class0, measure.class1))
    return float(sum(part[0] for part in parts) / measure.total)


def _constant(quadrature: Quadrature, best: PopulationOptimum, label: int) -> Regime:
    """A constant prediction: the cut leaves the set where it enters the support."""
    if not all(math.isfinite(end) for end in quadrature.law.support):
        return Regime(note="A constant is the most accurate, and x has no last value.")
    low, high = best.accuracy.support
    inside = _side(quadrature, low, +1), _side(quadrature, high, -1)
    return _flat(quadrature, inside, (1 - label, 1 - label))


def _flat(
    quadrature: Quadrature, sides: tuple[OneSidedLimits, OneSidedLimits], wins: tuple[int, int]
) -> Regime:
    """A set of cuts that a sample's cut leaves at either end, towards sides won by a label."""
    if not all(side.density * quadrature.spread > SMOOTH for side in sides):
        return Regime(note="The density of x falls to 0 where the set of the best cuts ends.")
    lower, upper = (_odds(side, of=label) for side, label in zip(sides, wins, strict=True))
    if not (lower < 1 - SMOOTH and upper < 1 - SMOOTH):
        return Regime(note="The set of the most accurate cuts ends where eta is 1/2.")
    return Regime(flat=Flat((lower, upper)))


def _odds(side: OneSidedLimits, of: int) -> float:
    """Logits of a label."""
    wins = side.eta if of == 1 else 1 - side.eta
    return wins / (1 - wins) if wins < 1 else math.inf


def _point(quadrature: Quadrature, cut: float) -> Regime:
    """The one cut at which accuracy is highest."""
    left, right = (_Beside.of(quadrature, cut, side) for side in (-1, 1))
    if _jumps(left, right, "eta", 1.0):
        return _jump(left.near, right.near)
    one, other = left.near, right.near
    flattest = min(abs(one.slope), abs(other.slope)) * quadrature.spread
    if not (min(one.density, other.density) > 0 and flattest > SMOOTH):
        return Regime(note="P(y = 1 | x) does not cross 1/2 with a slope at the most accurate cut.")
    density, slope = (one.density + other.density) / 2, (one.slope + other.slope) / 2
    if _jumps(left, right, "density", density) or _jumps(left, right, "slope", abs(slope)):
        return Regime(note="The law has a jump or a kink at the most accurate cut.")
    return Regime(crossing=Crossing(cut, density, abs(slope)))


def _jump(left: OneSidedLimits, right: OneSidedLimits) -> Regime:
    """The one cut at which accuracy is highest, where eta jumps."""
    wrong = [abs(2 * side.eta - 1) * side.density for side in (left, right)]
    if min(wrong) > SMOOTH * max(left.density, right.density):
        return Regime(jump=Jump(sum(wrong)))
    return Regime(note="P(y = 1 | x) jumps to 1/2 at the most accurate cut.")


class _Beside(NamedTuple):
    """The law on one side of a cut, and twice as far away: how fast it changes there."""

    near: OneSidedLimits
    far: OneSidedLimits

    @classmethod
    def of(cls, quadrature: Quadrature, cut: float, side: int) -> _Beside:
        return cls(_side(quadrature, cut, side), _side(quadrature, cut, 2 * side))

    def change(self, name: str) -> float:
        return abs(getattr(self.far, name) - getattr(self.near, name))


def _jumps(left: _Beside, right: _Beside, name: str, scale: float) -> bool:
    """Whether a function is further apart on both sides of a cut than its change there explains.

    A steep function changes between the sides by as much as it does on both of them together.
    """
    apart = abs(getattr(right.near, name) - getattr(left.near, name))
    return apart > SMOOTH * scale + 4 * (left.change(name) + right.change(name))


def _side(quadrature: Quadrature, cut: float, side: int) -> OneSidedLimits:
    """The law on one side, so far away as cuts are told apart, or a multiple of that."""
    at = cut + side * CUT_TOLERANCE * quadrature.spread
    (f0, slope0), (f1, slope1) = quadrature.densities(at).tolist()
    if not f0 + f1 > 0:
        return OneSidedLimits(0.0, math.nan, math.nan)
    return OneSidedLimits(f0 + f1, f1 / (f0 + f1), (slope1 * f0 - f1 * slope0) / (f0 + f1) ** 2)
