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

from sweep.asymptotics.regimes import Crossing, Jump, Regime, regime_of
from sweep.asymptotics.sandwich import AsymptoticVariance, sandwich
from sweep.base.records import plain
from sweep.measure.measure import Measure
from sweep.optima.population_accuracy import TIE
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus, PopulationOptimum
from sweep.populations import Population
from sweep.populations.quadrature import Quadrature

VARIANCE = 0.26355964129961018578
"""Var Z, with Z = argmax(W(t) - t^2) Chernoff's variable and W a two-sided Brownian motion."""

MEAN_SIZE = 0.412736550164291
"""E |Z|."""

MEAN_HEIGHT = 3 * VARIANCE
"""E max(W(t) - t^2): by scaling, three times the variance."""

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
        """Plain Python values that JSON can hold; see `sweep.base.records.plain`."""
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
    spread = sandwich(measure, best)
    place = regime_of(measure, quadrature, best)
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
    finite = ce.status is OptimumStatus.finite
    return Quadrature.near(data, ce.a, ce.b) if finite else Quadrature.about(data)


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


def _cut_error_cross_entropy(
    place: Regime, spread: AsymptoticVariance, best: PopulationOptimum
) -> _Found:
    if best.shared is None:
        return _Found(None, None, None, _NO_OPTIMUM)
    if not math.isfinite(best.cross_entropy.cut):
        return _Found(
            None, None, None, "The optimum of cross-entropy is a constant, without a cut."
        )
    return _Found(-1 / 2, math.sqrt(2 * spread.cut / math.pi), None, _DELTA)


def _cut_error_accuracy(
    place: Regime, spread: AsymptoticVariance, best: PopulationOptimum
) -> _Found:
    def crossing(at: Crossing) -> float:
        return MEAN_SIZE * (at.density * at.slope**2) ** (-1 / 3)

    return _of_accuracy(place, -1 / 3, crossing)


def _regret_accuracy(place: Regime, spread: AsymptoticVariance, best: PopulationOptimum) -> _Found:
    return _of_accuracy(place, -2 / 3, lambda at: VARIANCE * _height(at))


def _of_accuracy(place: Regime, exponent: float, constant: Callable[[Crossing], float]) -> _Found:
    if place.crossing is not None:
        return _Found(exponent, constant(place.crossing), None, _KIM_POLLARD)
    if place.several:
        return _Found(exponent, None, None, place.note)
    if place.jump is not None:
        return _Found(-1.0, None, None, "P(y = 1 | x) jumps past 1/2 at the most accurate cut.")
    if place.flat is not None:
        return _Found(-1.0, None, None, _ENDS)
    return _Found(None, None, None, place.note)


def _regret_cross_entropy(
    place: Regime, spread: AsymptoticVariance, best: PopulationOptimum
) -> _Found:
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


def _gap(place: Regime, spread: AsymptoticVariance, best: PopulationOptimum) -> _Found:
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


def _fluctuation(place: Regime) -> float | None:
    """The power of n with which the accuracy of a sample's best cut exceeds the population's."""
    if place.crossing is not None:
        return -2 / 3
    if place.jump is not None or place.flat is not None:
        return -1.0
    return -1 / 2 if place.several else None


def _shared(place: Regime, spread: AsymptoticVariance, best: PopulationOptimum) -> _Found:
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


def _curvature(at: Crossing) -> float:
    """Accuracy falls by f eta' (c - c0)^2 at a cut c near the crossing c0."""
    return at.density * at.slope


def _height(at: Crossing) -> float:
    """(f / eta')^(1/3), the scale of accuracy's fluctuation near its maximum."""
    return (at.density / at.slope) ** (1 / 3)


def _at_jump(jump: Jump, spread: AsymptoticVariance) -> float:
    """Mean regret at a normal cut: accuracy falls as a straight line on either side."""
    return math.sqrt(spread.cut / (2 * math.pi)) * jump.step
