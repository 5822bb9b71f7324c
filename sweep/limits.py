"""limits(): what theory says of a population's samples as n grows, each with its constant.

From the law by quadrature: the sandwich variance of the cross-entropy optimum (White 1982, Maximum
likelihood estimation of misspecified models, Econometrica 50), and Chernoff's distribution for the
most accurate cut (Kim & Pollard 1990, Cube root asymptotics, Ann. Statist. 18; Mohammadi & van de
Geer 2005, Asymptotics in empirical risk minimization, JMLR 6). Its moments are those of Groeneboom
& Wellner (2001, Computing Chernoff's distribution, J. Comput. Graph. Statist. 10) and of Janson,
Louchard & Martin-Löf (2010, The maximum of Brownian motion with parabolic drift, Electron. J.
Probab. 15). Where theory has no constant, a sentence says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sweep.continuous import CUT_TOLERANCE, TIE
from sweep.measure import Measure
from sweep.optimum import CrossEntropyOptimum, PopulationOptimum, Status
from sweep.populations import Population
from sweep.quadrature import Quadrature
from sweep.records import plain

VARIANCE = 0.26355964129961018578
"""Var Z, with Z = argmax(W(t) - t^2) Chernoff's variable and W a two-sided Brownian motion."""

MEAN_SIZE = 0.412736550164291
"""E |Z|."""

MEAN_HEIGHT = 3 * VARIANCE
"""E max(W(t) - t^2): by scaling, three times the variance."""

SMOOTH = 1e-6
"""Relative difference of two sides of a cut within which a function has no jump or kink there."""

QUANTITIES = (
    "cut_error_cross_entropy",
    "cut_error_accuracy",
    "regret_cross_entropy",
    "regret_accuracy",
    "gap",
    "shared",
)
"""What has a limit: means over samples of n points, named as in a study's table."""


@dataclass(frozen=True)
class Limit:
    """The mean of a quantity over samples of n points: constant * n**exponent + second / n.

    Attributes:
        quantity: one of QUANTITIES.
        exponent: power of n; 0 where the mean tends to a constant > 0; None where theory has no
            power of n, or the mean falls faster than any.
        constant: in units of the quantity; None where it is not known.
        second: of the term in 1 / n, where it is known.
        note: a sentence: where it is from, or why there is none.
        next_exponent: where the mean tends to a constant > 0, the power of n with which what it
            still lacks falls: -1 for the regret of cross-entropy, a smooth function of its cut; for
            the gap, that of the most accurate cut of a sample: -2/3 at a smooth crossing, -1 at a
            jump, a gap or a constant, -1/2 where several cuts are equally good, for then the best
            of several normal fluctuations is taken. None where it is not known.
    """

    quantity: str
    exponent: float | None
    constant: float | None
    second: float | None = None
    note: str = ""
    next_exponent: float | None = None


@dataclass(frozen=True)
class Limits:
    """What theory says of a population's samples as n grows.

    Attributes:
        avar_a: limit of n Var(a) of the cross-entropy optimum; nan where there is none.
        avar_b: of n Var(b).
        avar_cut: of n Var(-b / a), by the delta method.
        crossing: the cut c0 of highest accuracy, where it is one point at which eta crosses 1/2
            with a slope; else None.
        density: f(c0), per unit of x.
        slope: eta'(c0), per unit of x.
        chernoff_scale: (f eta'^2)^(-1/3), by which n^(1/3) (cut - c0) is Chernoff's variable.
        limits: one for each of QUANTITIES.
    """

    avar_a: float
    avar_b: float
    avar_cut: float
    crossing: float | None
    density: float | None
    slope: float | None
    chernoff_scale: float | None
    limits: tuple[Limit, ...]

    def of(self, quantity: str) -> Limit:
        """The limit of a quantity."""
        return next(limit for limit in self.limits if limit.quantity == quantity)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold; see `sweep.records.plain`."""
        return plain(self)


def limits(data: Population | Measure, best: PopulationOptimum) -> Limits:
    """What theory says of a population's samples as n grows.

    Args:
        data: the population, or its measure.
        best: its optimum.

    Raises:
        InputError: the population cannot be integrated.
        TypeError: data is of another kind, or the measure of a sample.
    """
    quadrature = _quadrature(data, best.cross_entropy)
    measure = Measure.from_quadrature(quadrature)
    spread = _sandwich(measure, best)
    place = _place(measure, quadrature, best)
    made = (formula(place, spread, best) for formula in _FORMULAS)
    at = place.crossing
    return Limits(
        avar_a=spread.a,
        avar_b=spread.b,
        avar_cut=spread.cut,
        crossing=None if at is None else at.cut,
        density=None if at is None else at.density,
        slope=None if at is None else at.slope,
        chernoff_scale=None if at is None else (at.density * at.slope**2) ** (-1 / 3),
        limits=tuple(
            Limit(quantity, *limit) for quantity, limit in zip(QUANTITIES, made, strict=True)
        ),
    )


def _quadrature(data: Population | Measure, ce: CrossEntropyOptimum) -> Quadrature:
    """The panels of a population, narrow enough for the optimum of cross-entropy."""
    if isinstance(data, Measure):
        if data.quadrature is None:
            raise TypeError("data is the measure of a sample; give a population or its measure")
        if data.quadrature.covers(ce.a, ce.b):
            return data.quadrature
        data = data.quadrature.law
    finite = ce.status is Status.finite
    return Quadrature.near(data, ce.a, ce.b) if finite else Quadrature.about(data)


# --- the optimum of cross-entropy ---------------------------------------------------------------


class _Spread(NamedTuple):
    """n times the variances of the cross-entropy optimum; nan where there is none.

    Attributes:
        a: of the slope.
        b: of the intercept.
        cut: of the cut.
        inverse: (c, 1) H^-1 (c, 1)^T with H the Hessian and c the cut.
    """

    a: float
    b: float
    cut: float
    inverse: float


def _sandwich(measure: Measure, best: PopulationOptimum) -> _Spread:
    """H^-1 J H^-1, with x in units of its spread about the pivot, where H is diagonal."""
    ce = best.cross_entropy
    if not math.isfinite(ce.a):
        return _Spread(math.nan, math.nan, math.nan, math.nan)
    zero, one = measure.class0, measure.class1
    x = np.concatenate([zero.x, one.x])
    mass = np.concatenate([zero.masses, one.masses])
    sign = np.concatenate([np.full(len(zero), -1.0), np.full(len(one), 1.0)])
    tail = np.exp(-np.abs(ce.a * x + ce.b))
    wrong = np.where(sign * (ce.a * x + ce.b) >= 0, tail, 1.0) / (1 + tail)
    curve = mass * tail / (1 + tail) ** 2
    pivot = float(np.sum(curve * x) / np.sum(curve))
    scale = math.sqrt(float(np.sum(curve * (x - pivot) ** 2) / np.sum(curve)))
    u = (x - pivot) / scale
    pull = mass * wrong**2
    hessian = float(np.sum(curve))  # twice on the diagonal: u has unit variance under the curve
    slopes, mixed, levels = (float(np.sum(pull * u**k)) / hessian**2 for k in (2, 1, 0))

    def along(by_slope: float, by_level: float) -> float:
        return by_slope**2 * slopes + 2 * by_slope * by_level * mixed + by_level**2 * levels

    away = (ce.cut - pivot) / scale
    return _Spread(
        a=along(1, 0) / scale**2,
        b=along(-pivot / scale, 1),
        cut=along(away, 1) / ce.a**2 if math.isfinite(ce.cut) else math.nan,
        inverse=(away**2 + 1) / hessian,
    )


# --- the most accurate cuts ---------------------------------------------------------------------


class _Side(NamedTuple):
    """Density of x, eta and its derivative on one side of a cut."""

    density: float
    eta: float
    slope: float


class _Crossing(NamedTuple):
    """Where eta crosses 1/2 smoothly."""

    cut: float
    density: float
    slope: float


class _Jump(NamedTuple):
    """Where eta jumps past 1/2: |2 eta - 1| times the density, summed over both sides."""

    step: float


class _Flat(NamedTuple):
    """A gap in the support, or a constant prediction.

    Attributes:
        odds: of gaining to losing a point where the cut leaves the set, at either end.
    """

    odds: tuple[float, float]


class _Place(NamedTuple):
    """What the accuracy optimum is: one of three, or a sentence why it is none of them.

    Attributes:
        crossing: one smooth crossing.
        jump: one jump.
        flat: one gap, or one constant prediction.
        several: whether accuracy is highest at several smooth crossings.
        note: why theory has no constants, if it has none.
    """

    crossing: _Crossing | None = None
    jump: _Jump | None = None
    flat: _Flat | None = None
    several: bool = False
    note: str = ""


def _place(measure: Measure, quadrature: Quadrature, best: PopulationOptimum) -> _Place:
    cuts, constants = best.accuracy.cuts, best.accuracy.constants
    if len(cuts) + len(constants) > 1:
        smooth = not constants and all(
            low == high and _point(quadrature, low).crossing is not None for low, high, _ in cuts
        )
        return _Place(several=smooth, note="Accuracy is highest at several cuts.")
    if constants:
        return _constant(quadrature, best, constants[0])
    ((low, high, orientation),) = cuts
    if low == high:
        return _point(quadrature, low)
    if _mass(measure, low, high) > TIE:
        return _Place(note="P(y = 1 | x) is 1/2 on a whole interval of the most accurate cuts.")
    # What is below the low end is won by a point of class 1 if class 1 is above the cut.
    wins = (1, 0) if orientation > 0 else (0, 1)
    outside = _side(quadrature, low, -1), _side(quadrature, high, +1)
    return _flat(quadrature, outside, wins)


def _mass(measure: Measure, low: float, high: float) -> float:
    """The part of all mass between two ends."""
    parts = (np.diff(d.split(np.array([low, high]))[0]) for d in (measure.class0, measure.class1))
    return float(sum(part[0] for part in parts) / measure.total)


def _constant(quadrature: Quadrature, best: PopulationOptimum, label: int) -> _Place:
    """A constant prediction: the cut leaves the set where it enters the support."""
    if not all(math.isfinite(end) for end in quadrature.law.support):
        return _Place(note="A constant is the most accurate, and x has no last value.")
    low, high = best.accuracy.support
    inside = _side(quadrature, low, +1), _side(quadrature, high, -1)
    return _flat(quadrature, inside, (1 - label, 1 - label))


def _flat(quadrature: Quadrature, sides: tuple[_Side, _Side], wins: tuple[int, int]) -> _Place:
    """A set of cuts that a sample's cut leaves at either end, towards sides won by a label."""
    if not all(side.density * quadrature.spread > SMOOTH for side in sides):
        return _Place(note="The density of x falls to 0 where the set of the best cuts ends.")
    lower, upper = (_odds(side, of=label) for side, label in zip(sides, wins, strict=True))
    if not (lower < 1 - SMOOTH and upper < 1 - SMOOTH):
        return _Place(note="The set of the most accurate cuts ends where eta is 1/2.")
    return _Place(flat=_Flat((lower, upper)))


def _odds(side: _Side, of: int) -> float:
    """Odds of a label."""
    wins = side.eta if of == 1 else 1 - side.eta
    return wins / (1 - wins) if wins < 1 else math.inf


def _point(quadrature: Quadrature, cut: float) -> _Place:
    """The one cut at which accuracy is highest."""
    left, right = (_Beside.of(quadrature, cut, side) for side in (-1, 1))
    if _jumps(left, right, "eta", 1.0):
        return _jump(left.near, right.near)
    one, other = left.near, right.near
    flattest = min(abs(one.slope), abs(other.slope)) * quadrature.spread
    if not (min(one.density, other.density) > 0 and flattest > SMOOTH):
        return _Place(note="P(y = 1 | x) does not cross 1/2 with a slope at the most accurate cut.")
    density, slope = (one.density + other.density) / 2, (one.slope + other.slope) / 2
    if _jumps(left, right, "density", density) or _jumps(left, right, "slope", abs(slope)):
        return _Place(note="The law has a jump or a kink at the most accurate cut.")
    return _Place(crossing=_Crossing(cut, density, abs(slope)))


def _jump(left: _Side, right: _Side) -> _Place:
    """The one cut at which accuracy is highest, where eta jumps."""
    wrong = [abs(2 * side.eta - 1) * side.density for side in (left, right)]
    if min(wrong) > SMOOTH * max(left.density, right.density):
        return _Place(jump=_Jump(sum(wrong)))
    return _Place(note="P(y = 1 | x) jumps to 1/2 at the most accurate cut.")


class _Beside(NamedTuple):
    """The law on one side of a cut, and twice as far away: how fast it changes there."""

    near: _Side
    far: _Side

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


def _side(quadrature: Quadrature, cut: float, side: int) -> _Side:
    """The law on one side, so far away as cuts are told apart, or a multiple of that."""
    at = cut + side * CUT_TOLERANCE * quadrature.spread
    (f0, slope0), (f1, slope1) = quadrature.densities(at).tolist()
    if not f0 + f1 > 0:
        return _Side(0.0, math.nan, math.nan)
    return _Side(f0 + f1, f1 / (f0 + f1), (slope1 * f0 - f1 * slope0) / (f0 + f1) ** 2)


# --- the limits, in the order of QUANTITIES -----------------------------------------------------


class _Found(NamedTuple):
    """A `Limit` without its quantity."""

    exponent: float | None
    constant: float | None
    second: float | None
    note: str
    next_exponent: float | None = None


_KIM_POLLARD = "Kim & Pollard (1990), with Chernoff's distribution of Groeneboom & Wellner (2001)."
_GAP = f"{_KIM_POLLARD} The term in 1 / n is derived here, from the optimism of the fit."
_DELTA = "White (1982), and the delta method."
_NO_OPTIMUM = "Cross-entropy has no finite optimum."
_GAP_IN_X = "No point of x is where the sample's cut leaves the set of the most accurate."
_ENDS = "The sample's cut is among the few points next to the ends of the most accurate set."
_NOT_SHARED = "The optima are not shared, so the regret of the population remains."
_ROUNDING = "The optima are not shared, but the regret of the population is less than rounding."


def _cut_error_cross_entropy(place: _Place, spread: _Spread, best: PopulationOptimum) -> _Found:
    if best.shared is None:
        return _Found(None, None, None, _NO_OPTIMUM)
    if not math.isfinite(best.cross_entropy.cut):
        return _Found(
            None, None, None, "The optimum of cross-entropy is a constant, without a cut."
        )
    return _Found(-1 / 2, math.sqrt(2 * spread.cut / math.pi), None, _DELTA)


def _cut_error_accuracy(place: _Place, spread: _Spread, best: PopulationOptimum) -> _Found:
    def crossing(at: _Crossing) -> float:
        return MEAN_SIZE * (at.density * at.slope**2) ** (-1 / 3)

    return _of_accuracy(place, -1 / 3, crossing)


def _regret_accuracy(place: _Place, spread: _Spread, best: PopulationOptimum) -> _Found:
    return _of_accuracy(place, -2 / 3, lambda at: VARIANCE * _height(at))


def _of_accuracy(place: _Place, exponent: float, constant: Callable[[_Crossing], float]) -> _Found:
    if place.crossing is not None:
        return _Found(exponent, constant(place.crossing), None, _KIM_POLLARD)
    if place.several:
        return _Found(exponent, None, None, place.note)
    if place.jump is not None:
        return _Found(-1.0, None, None, "P(y = 1 | x) jumps past 1/2 at the most accurate cut.")
    if place.flat is not None:
        return _Found(-1.0, None, None, _ENDS)
    return _Found(None, None, None, place.note)


def _regret_cross_entropy(place: _Place, spread: _Spread, best: PopulationOptimum) -> _Found:
    if best.shared is None:
        return _Found(None, None, None, _NO_OPTIMUM)
    if not best.shared:
        return _remaining(best, -1.0)
    if place.crossing is not None:
        return _Found(-1.0, _curvature(place.crossing) * spread.cut, None, _DELTA)
    if place.jump is not None:
        return _Found(-1 / 2, _at_jump(place.jump, spread), None, _DELTA)
    if place.flat is not None:
        return _Found(None, None, None, f"{_GAP_IN_X} So it falls faster than any power of n.")
    return _Found(-1.0 if place.several else None, None, None, place.note)


def _gap(place: _Place, spread: _Spread, best: PopulationOptimum) -> _Found:
    if best.shared is None:
        return _Found(None, None, None, _NO_OPTIMUM)
    if not best.shared:
        return _remaining(best, _fluctuation(place))
    if place.crossing is not None:
        at = place.crossing
        optimism = at.density / (2 * abs(best.cross_entropy.a)) * spread.inverse
        second = -(1 / 2 + optimism - _curvature(at) * spread.cut)
        return _Found(-2 / 3, MEAN_HEIGHT * _height(at), second, _GAP)
    if place.jump is not None:
        return _Found(-1 / 2, _at_jump(place.jump, spread), None, _DELTA)
    if place.flat is not None:
        r1, r2 = place.flat.odds
        # The sum over m >= 1 of 1 - (1 - r1^m)(1 - r2^m): the heights of two random walks.
        walks = r1 / (1 - r1) + r2 / (1 - r2) - r1 * r2 / (1 - r1 * r2)
        return _Found(-1.0, walks, None, "Maxima of random walks from either end of the set.")
    return _Found(None, None, None, place.note)


def _remaining(best: PopulationOptimum, next_exponent: float | None) -> _Found:
    """The regret of the population, which is what the mean tends to."""
    if best.regret <= TIE:
        return _Found(None, None, None, _ROUNDING)
    return _Found(0.0, best.regret, None, _NOT_SHARED, next_exponent)


def _fluctuation(place: _Place) -> float | None:
    """The power of n with which the accuracy of a sample's best cut exceeds the population's."""
    if place.crossing is not None:
        return -2 / 3
    if place.jump is not None or place.flat is not None:
        return -1.0
    return -1 / 2 if place.several else None


def _shared(place: _Place, spread: _Spread, best: PopulationOptimum) -> _Found:
    if best.shared is None:
        return _Found(None, None, None, _NO_OPTIMUM)
    if best.bayes_accuracy <= 1 / 2 + TIE:
        return _Found(None, None, None, "P(y = 1 | x) is 1/2 for all x, so every cut is as good.")
    if best.shared and place.flat is not None:
        r1, r2 = place.flat.odds
        return _Found(0.0, (1 - r1) * (1 - r2), None, "Neither random walk ever gains.")
    return _Found(None, 0.0, None, "The optima of a sample almost never coincide.")


_FORMULAS = (
    _cut_error_cross_entropy,
    _cut_error_accuracy,
    _regret_cross_entropy,
    _regret_accuracy,
    _gap,
    _shared,
)


def _curvature(at: _Crossing) -> float:
    """Accuracy falls by f eta' (c - c0)^2 at a cut c near the crossing c0."""
    return at.density * at.slope


def _height(at: _Crossing) -> float:
    """(f / eta')^(1/3), the scale of accuracy's fluctuation near its maximum."""
    return (at.density / at.slope) ** (1 / 3)


def _at_jump(jump: _Jump, spread: _Spread) -> float:
    """Mean regret at a normal cut: accuracy falls as a straight line on either side."""
    return math.sqrt(spread.cut / (2 * math.pi)) * jump.step
