"""The regime of a population: whether its accuracy optimum is a crossing, a jump, or a flat.

The regime decides how fast the most accurate cut of a sample approaches that of the population, and
with which constant; `limits` has the formulas.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sweep.measure.measure import Measure
from sweep.optima.population_accuracy import CUT_TOLERANCE, TIE
from sweep.optima.records import PopulationOptimum
from sweep.populations.quadrature import Quadrature

SMOOTH = 1e-6  # relative difference between the sides of a cut that is no jump or kink


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
    """Where eta jumps past 1/2; step is |2 eta - 1| times the density, summed over both sides."""

    step: float


class Flat(NamedTuple):
    """A gap in the support, or a constant prediction."""

    # odds of gaining rather than losing a point where the cut leaves the set, at each end
    odds: tuple[float, float]


class Regime(NamedTuple):
    """The kind of the accuracy optimum: one of three, or a sentence why it is none of them."""

    crossing: Crossing | None = None  # one smooth crossing
    jump: Jump | None = None  # one jump
    flat: Flat | None = None  # one gap, or one constant prediction
    several: bool = False  # whether accuracy is highest at several smooth crossings
    note: str = ""  # why theory has no constants; empty if it has


def regime_of(measure: Measure, quadrature: Quadrature, best: PopulationOptimum) -> Regime:
    """The regime of a population."""
    cuts, constants = best.accuracy.cuts, best.accuracy.constants
    if len(cuts) + len(constants) > 1:
        smooth = not constants and all(
            low == high and _single_cut(quadrature, low).crossing is not None
            for low, high, _ in cuts
        )
        return Regime(several=smooth, note="Accuracy is highest at several cuts.")
    if constants:
        return _constant(quadrature, best, constants[0])
    ((low, high, orientation),) = cuts
    if low == high:
        return _single_cut(quadrature, low)
    if _mass_between(measure, low, high) > TIE:
        return Regime(note="P(y = 1 | x) is 1/2 on a whole interval of the most accurate cuts.")
    # A cut below the low end gains a point of class 1 if class 1 is above the cut.
    gained = (1, 0) if orientation > 0 else (0, 1)
    outside = _one_side(quadrature, low, -1), _one_side(quadrature, high, +1)
    return _flat(quadrature, outside, gained)


def _mass_between(measure: Measure, low: float, high: float) -> float:
    """The fraction of all mass between two ends."""
    ends = np.array([low, high])
    masses = (np.diff(points.split(ends)[0]) for points in (measure.class0, measure.class1))
    return float(sum(mass[0] for mass in masses) / measure.total)


def _constant(quadrature: Quadrature, best: PopulationOptimum, label: int) -> Regime:
    """A constant prediction: the cut leaves the set where it enters the support."""
    if not all(math.isfinite(end) for end in quadrature.law.support):
        return Regime(note="A constant is the most accurate, and x has no last value.")
    low, high = best.accuracy.support
    inside = _one_side(quadrature, low, +1), _one_side(quadrature, high, -1)
    return _flat(quadrature, inside, (1 - label, 1 - label))


def _flat(
    quadrature: Quadrature, sides: tuple[OneSidedLimits, OneSidedLimits], gained: tuple[int, int]
) -> Regime:
    """A set of cuts; beyond each end a sample's cut gains the points of one label."""
    if not all(side.density * quadrature.interquartile_range > SMOOTH for side in sides):
        return Regime(note="The density of x falls to 0 where the set of the best cuts ends.")
    lower, upper = (_odds(side, label) for side, label in zip(sides, gained, strict=True))
    if not (lower < 1 - SMOOTH and upper < 1 - SMOOTH):
        return Regime(note="The set of the most accurate cuts ends where eta is 1/2.")
    return Regime(flat=Flat((lower, upper)))


def _odds(side: OneSidedLimits, label: int) -> float:
    """Odds of a label on one side."""
    p = side.eta if label == 1 else 1 - side.eta
    return p / (1 - p) if p < 1 else math.inf


def _single_cut(quadrature: Quadrature, cut: float) -> Regime:
    """The regime where accuracy is highest at one cut."""
    left, right = (_Side.of(quadrature, cut, side) for side in (-1, 1))
    if _jumps(left, right, "eta", 1.0):
        return _jump(left.near, right.near)
    below, above = left.near, right.near
    flattest = min(abs(below.slope), abs(above.slope)) * quadrature.interquartile_range
    if not (min(below.density, above.density) > 0 and flattest > SMOOTH):
        return Regime(note="P(y = 1 | x) does not cross 1/2 with a slope at the most accurate cut.")
    density, slope = (below.density + above.density) / 2, (below.slope + above.slope) / 2
    if _jumps(left, right, "density", density) or _jumps(left, right, "slope", abs(slope)):
        return Regime(note="The law has a jump or a kink at the most accurate cut.")
    return Regime(crossing=Crossing(cut, density, abs(slope)))


def _jump(left: OneSidedLimits, right: OneSidedLimits) -> Regime:
    """The regime where accuracy is highest at one cut at which eta jumps."""
    wrong = [abs(2 * side.eta - 1) * side.density for side in (left, right)]
    if min(wrong) > SMOOTH * max(left.density, right.density):
        return Regime(jump=Jump(sum(wrong)))
    return Regime(note="P(y = 1 | x) jumps to 1/2 at the most accurate cut.")


class _Side(NamedTuple):
    """The law on one side of a cut, and twice as far away, which shows how fast it changes."""

    near: OneSidedLimits
    far: OneSidedLimits

    @classmethod
    def of(cls, quadrature: Quadrature, cut: float, side: int) -> _Side:
        return cls(_one_side(quadrature, cut, side), _one_side(quadrature, cut, 2 * side))

    def change(self, name: str) -> float:
        """How much a field changes from near to far."""
        return abs(getattr(self.far, name) - getattr(self.near, name))


def _jumps(left: _Side, right: _Side, name: str, scale: float) -> bool:
    """Whether a function differs more between the sides of a cut than its slopes there explain."""
    difference = abs(getattr(right.near, name) - getattr(left.near, name))
    # A steep smooth function changes between the sides (two steps) by as much as on both together
    # (one step each); four times that leaves room for its curvature.
    return difference > SMOOTH * scale + 4 * (left.change(name) + right.change(name))


def _one_side(quadrature: Quadrature, cut: float, side: int) -> OneSidedLimits:
    """The law beside a cut, side times the distance at which cuts are told apart."""
    x = cut + side * CUT_TOLERANCE * quadrature.interquartile_range
    (f0, slope0), (f1, slope1) = quadrature.densities(x).tolist()
    if not f0 + f1 > 0:
        return OneSidedLimits(0.0, math.nan, math.nan)
    return OneSidedLimits(f0 + f1, f1 / (f0 + f1), (slope1 * f0 - f1 * slope0) / (f0 + f1) ** 2)
