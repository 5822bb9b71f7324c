"""limits(): what theory says of a population's samples as n grows, each power with its constant.

Everything comes from the law by quadrature: the sandwich variance of the cross-entropy optimum
(White 1982, Maximum likelihood estimation of misspecified models, Econometrica 50), and Chernoff's
distribution for the most accurate cut (Kim & Pollard 1990, Cube root asymptotics, Ann. Statist. 18;
Mohammadi & van de Geer 2005, Asymptotics in empirical risk minimization, JMLR 6). Its moments are
those of Groeneboom & Wellner (2001, Computing Chernoff's distribution, J. Comput. Graph. Statist.
10) and of Janson, Louchard & Martin-Löf (2010, The maximum of Brownian motion with parabolic drift,
Electron. J. Probab. 15). `regimes` decides which formula applies. Where theory has no constant, a
sentence says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sweep.asymptotics.regimes import Crossing, Jump, Regime, regime_of
from sweep.base.records import Record
from sweep.measure.measure import Measure
from sweep.metrics.logistic import loss_terms
from sweep.optima.population_accuracy import TIE
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus, PopulationOptimum
from sweep.populations import Population
from sweep.populations.quadrature import Quadrature

# Chernoff's variable Z = argmax(W(t) - t^2), W being a two-sided Brownian motion.
VARIANCE = 0.26355964129961018578  # Var Z
MEAN_SIZE = 0.412736550164291  # E |Z|
MEAN_HEIGHT = 3 * VARIANCE  # E max(W(t) - t^2): by scaling, three times the variance

QUANTITIES = (  # means over samples of n points, named as in the table of a study
    "cut_error_cross_entropy",
    "cut_error_accuracy",
    "regret_cross_entropy",
    "regret_accuracy",
    "gap",
    "shared",
)

REFERENCES = (  # sources of these limits, of their constants and of `verdict`
    "Lin, Y. (2004). A note on margin-based loss functions in classification. "
    "Statistics & Probability Letters 68(1), 73-82.",
    "Zhang, T. (2004). Statistical behavior and consistency of classification methods based on "
    "convex risk minimization. The Annals of Statistics 32(1), 56-85.",
    "Bartlett, P. L., Jordan, M. I. & McAuliffe, J. D. (2006). Convexity, classification, and "
    "risk bounds. Journal of the American Statistical Association 101(473), 138-156.",
    "Kitagawa, T., Sakaguchi, S. & Tetenov, A. (2021). Constrained classification and policy "
    "learning. arXiv:2106.12886.",
    "Elliott, G., Ghanem, D. & Krüger, F. (2016). Forecasting conditional probabilities of "
    "binary outcomes under misspecification. The Review of Economics and Statistics 98(4), "
    "742-755.",
    "Kim, J. & Pollard, D. (1990). Cube root asymptotics. The Annals of Statistics 18(1), 191-219.",
    "Mohammadi, L. & van de Geer, S. (2005). Asymptotics in empirical risk minimization. "
    "Journal of Machine Learning Research 6, 2027-2047.",
    "Groeneboom, P. & Wellner, J. A. (2001). Computing Chernoff's distribution. Journal of "
    "Computational and Graphical Statistics 10(2), 388-400.",
)


@dataclass(frozen=True)
class Limit:
    """The mean of a quantity over samples of n points: constant * n**exponent + second / n.

    Attributes:
        quantity: one of QUANTITIES.
        exponent: power of n; 0 where the mean tends to a constant > 0; None where theory has no
            power of n, or the mean falls faster than any.
        constant: in units of the quantity; None where it is not known.
        second: constant of the term in 1 / n, where it is known.
        note: a sentence: the source, or why there is none.
        next_exponent: where the mean tends to a constant > 0, the power of n with which it
            approaches that limit; None where it is not known. For the regret of cross-entropy, a
            smooth function of its cut, it is -1. For the gap it is that of the most accurate cut of
            a sample: -2/3 at a smooth crossing, -1 at a jump, a gap or a constant, and -1/2 where
            several cuts are equally good, because the best of several normal fluctuations counts.
    """

    quantity: str
    exponent: float | None
    constant: float | None
    second: float | None = None
    note: str = ""
    next_exponent: float | None = None


@dataclass(frozen=True)
class Limits(Record):
    """What theory says of a population's samples as n grows.

    Attributes:
        avar_a: limit of n Var(a) of the cross-entropy optimum; nan if there is no finite one.
        avar_b: limit of n Var(b).
        avar_cut: limit of n Var(-b / a), by the delta method.
        crossing: the cut c0 of highest accuracy, if it is one point at which eta crosses 1/2
            with a slope; else None.
        density: f(c0), per unit of x.
        slope: eta'(c0), per unit of x.
        chernoff_scale: (f eta'^2)^(-1/3); n^(1/3) (cut - c0) divided by it is Chernoff's variable.
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


def limits(data: Population | Measure, best: PopulationOptimum) -> Limits:
    """What theory says of a population's samples as n grows.

    Args:
        data: the population, or its measure.
        best: optimum of the population.

    Raises:
        InputError: the population cannot be integrated.
        TypeError: data is neither, or the measure of a sample.
    """
    quadrature = _quadrature(data, best.cross_entropy)
    measure = Measure.from_quadrature(quadrature)
    variance = sandwich(measure, best)
    regime = regime_of(measure, quadrature, best)
    theory, crossing = _Theory(regime, variance, best), regime.crossing
    return Limits(
        avar_a=variance.a,
        avar_b=variance.b,
        avar_cut=variance.cut,
        crossing=None if crossing is None else crossing.cut,
        density=None if crossing is None else crossing.density,
        slope=None if crossing is None else crossing.slope,
        chernoff_scale=None if crossing is None else _chernoff_scale(crossing),
        limits=tuple(getattr(theory, quantity)() for quantity in QUANTITIES),
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


# --- how samples scatter the cross-entropy optimum ----------------------------------------------


class AsymptoticVariance(NamedTuple):
    """n times the variances of the cross-entropy optimum; nan if there is no finite one."""

    a: float  # of the slope
    b: float  # of the intercept
    cut: float  # of the cut
    inverse: float  # (c, 1) H^-1 (c, 1)^T with H the Hessian and c the cut


def sandwich(measure: Measure, best: PopulationOptimum) -> AsymptoticVariance:
    """The sandwich H^-1 J H^-1 of White (1982), H the Hessian and J the variance of the gradient.

    It is computed in units u of x about a pivot in which H is diagonal.
    """
    ce = best.cross_entropy
    if not math.isfinite(ce.a):
        return AsymptoticVariance(math.nan, math.nan, math.nan, math.nan)
    x, mass, sign = measure.signed
    _, wrong, curvature = loss_terms(sign * (ce.a * x + ce.b))
    curvature *= mass
    pivot = float(np.sum(curvature * x) / np.sum(curvature))
    scale = math.sqrt(float(np.sum(curvature * (x - pivot) ** 2) / np.sum(curvature)))
    u = (x - pivot) / scale
    squared_gradient = mass * wrong**2
    hessian = float(np.sum(curvature))  # both diagonal entries: u has unit variance under curvature
    slopes, mixed, levels = (float(np.sum(squared_gradient * u**k)) / hessian**2 for k in (2, 1, 0))

    def along(by_slope: float, by_level: float) -> float:
        """The quadratic form of the sandwich, by the delta method."""
        return by_slope**2 * slopes + 2 * by_slope * by_level * mixed + by_level**2 * levels

    cut_u = (ce.cut - pivot) / scale
    return AsymptoticVariance(
        a=along(1, 0) / scale**2,
        b=along(-pivot / scale, 1),
        cut=along(cut_u, 1) / ce.a**2 if math.isfinite(ce.cut) else math.nan,
        inverse=(cut_u**2 + 1) / hessian,
    )


# --- the limits ---------------------------------------------------------------------------------

_KIM_POLLARD = "Kim & Pollard (1990), with Chernoff's distribution of Groeneboom & Wellner (2001)."
_GAP = f"{_KIM_POLLARD} The term in 1 / n is derived here, from the optimism of the fit."
_DELTA = "White (1982), and the delta method."
_NO_OPTIMUM = "Cross-entropy has no finite optimum."
_NO_CUT = "The optimum of cross-entropy is a constant, without a cut."
_FASTER = (
    "At no point of x does the sample's cut leave the set of the most accurate cuts, so it falls "
    "faster than any power of n."
)
_ENDS = "The sample's cut is among the few points next to the ends of the most accurate set."
_NOT_SHARED = "The optima are not shared, so the regret of the population remains."
_ROUNDING = "The optima are not shared, but the regret of the population is less than rounding."


class _Theory(NamedTuple):
    """What decides the limits, and a method for each of QUANTITIES."""

    regime: Regime
    variance: AsymptoticVariance
    best: PopulationOptimum

    def cut_error_cross_entropy(self) -> Limit:
        """The mean size of a normal variable of this variance is sqrt(2 variance / pi)."""
        name = "cut_error_cross_entropy"
        if self.best.shared is None:
            return Limit(name, None, None, note=_NO_OPTIMUM)
        if not math.isfinite(self.best.cross_entropy.cut):
            return Limit(name, None, None, note=_NO_CUT)
        return Limit(name, -1 / 2, math.sqrt(2 * self.variance.cut / math.pi), note=_DELTA)

    def cut_error_accuracy(self) -> Limit:
        return self._of_accuracy(
            "cut_error_accuracy", -1 / 3, lambda crossing: MEAN_SIZE * _chernoff_scale(crossing)
        )

    def regret_accuracy(self) -> Limit:
        return self._of_accuracy(
            "regret_accuracy", -2 / 3, lambda crossing: VARIANCE * _height(crossing)
        )

    def _of_accuracy(
        self, name: str, exponent: float, constant: Callable[[Crossing], float]
    ) -> Limit:
        """Cube-root asymptotics at a crossing; distances of single points, 1 / n, elsewhere."""
        regime = self.regime
        if regime.crossing is not None:
            return Limit(name, exponent, constant(regime.crossing), note=_KIM_POLLARD)
        if regime.several:
            return Limit(name, exponent, None, note=regime.note)
        if regime.jump is not None:
            note = "P(y = 1 | x) jumps past 1/2 at the most accurate cut."
            return Limit(name, -1.0, None, note=note)
        if regime.flat is not None:
            return Limit(name, -1.0, None, note=_ENDS)
        return Limit(name, None, None, note=regime.note)

    def regret_cross_entropy(self) -> Limit:
        """Accuracy is quadratic in the cut at a crossing, and piecewise linear at a jump."""
        name, regime = "regret_cross_entropy", self.regime
        if not self.best.shared:
            return self._remaining(name, -1.0)
        if regime.crossing is not None:
            constant = _curvature(regime.crossing) * self.variance.cut
            return Limit(name, -1.0, constant, note=_DELTA)
        if regime.jump is not None:
            return Limit(name, -1 / 2, self._regret_at_jump(regime.jump), note=_DELTA)
        if regime.flat is not None:
            return Limit(name, None, None, note=_FASTER)
        return Limit(name, -1.0 if regime.several else None, None, note=regime.note)

    def gap(self) -> Limit:
        """Highest accuracy in the sample minus that at the cross-entropy optimum."""
        name, regime = "gap", self.regime
        if not self.best.shared:
            return self._remaining(name, self._fluctuation())
        if regime.crossing is not None:
            crossing = regime.crossing
            slope = abs(self.best.cross_entropy.a)
            optimism = crossing.density / (2 * slope) * self.variance.inverse
            second = -(1 / 2 + optimism - _curvature(crossing) * self.variance.cut)
            return Limit(name, -2 / 3, MEAN_HEIGHT * _height(crossing), second, _GAP)
        if regime.jump is not None:
            return Limit(name, -1 / 2, self._regret_at_jump(regime.jump), note=_DELTA)
        if regime.flat is not None:
            r1, r2 = regime.flat.odds
            # The sum over m >= 1 of 1 - (1 - r1^m)(1 - r2^m): the heights of two random walks.
            height = r1 / (1 - r1) + r2 / (1 - r2) - r1 * r2 / (1 - r1 * r2)
            note = "Maxima of random walks from either end of the set."
            return Limit(name, -1.0, height, note=note)
        return Limit(name, None, None, note=regime.note)

    def _remaining(self, name: str, next_exponent: float | None) -> Limit:
        """The regret of the population, which the mean tends to where optima are not shared."""
        if self.best.shared is None:
            return Limit(name, None, None, note=_NO_OPTIMUM)
        if self.best.regret <= TIE:
            return Limit(name, None, None, note=_ROUNDING)
        return Limit(name, 0.0, self.best.regret, None, _NOT_SHARED, next_exponent)

    def _fluctuation(self) -> float | None:
        """The power of n with which a sample's best accuracy exceeds the population's."""
        if self.regime.crossing is not None:
            return -2 / 3
        if self.regime.jump is not None or self.regime.flat is not None:
            return -1.0
        return -1 / 2 if self.regime.several else None

    def shared(self) -> Limit:
        """The fraction of samples whose gap is 0."""
        name, flat = "shared", self.regime.flat
        if self.best.shared is None:
            return Limit(name, None, None, note=_NO_OPTIMUM)
        if self.best.bayes_accuracy <= 1 / 2 + TIE:
            note = "P(y = 1 | x) is 1/2 for all x, so every cut is as good."
            return Limit(name, None, None, note=note)
        if self.best.shared and flat is not None:
            r1, r2 = flat.odds
            return Limit(name, 0.0, (1 - r1) * (1 - r2), note="Neither random walk ever gains.")
        return Limit(name, None, 0.0, note="The optima of a sample almost never coincide.")

    def _regret_at_jump(self, jump: Jump) -> float:
        """Mean regret at a normal cut: accuracy falls as a straight line on either side."""
        return math.sqrt(self.variance.cut / (2 * math.pi)) * jump.step


def _chernoff_scale(crossing: Crossing) -> float:
    """(f eta'^2)^(-1/3), the scale of the most accurate cut's fluctuation."""
    return (crossing.density * crossing.slope**2) ** (-1 / 3)


def _curvature(crossing: Crossing) -> float:
    """Accuracy falls by f eta' (c - c0)^2 at a cut c near the crossing c0: f eta'."""
    return crossing.density * crossing.slope


def _height(crossing: Crossing) -> float:
    """(f / eta')^(1/3), the scale of accuracy's fluctuation near its maximum."""
    return (crossing.density / crossing.slope) ** (1 / 3)
