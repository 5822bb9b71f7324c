"""Recalibrations of a classifier, and how much of the loss a slope, an intercept and both can save.

The best slope alone, intercept alone and temperature are convex problems in one number, which
Newton's method solves inside a bracket. `sweep.optima.cross_entropy` finds slope and intercept
together.

With several classes cross-entropy is the mean of log(sum_j exp(a d_j)), where d_j is the logit of
class j less that of the true class. It has no minimum over a where no d_j is positive, as each
sample then gains by a larger a, and none where no d_j is negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sweep.data.predictions import Predictions
from sweep.diagnosis.report import TemperatureOptimum
from sweep.diagnosis.scores import class_shares, entropy, mean
from sweep.measure.measure import Measure
from sweep.metrics.logistic import loss_terms
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus

SEPARATED = (OptimumStatus.separated, OptimumStatus.quasi_separated)
"""Statuses of classes that a cut of the logit separates, so that the best slope is infinite."""

MAX_STEPS = 2200  # Newton steps and halvings; float64 has fewer powers of two
QUADRATIC = 1e-8  # relative gradient below which Newton's method converges quadratically
WIDE_BRACKET = 16.0  # ratio of the ends of a bracket above which it is halved in logarithms

CHUNK_LOGITS = 2**17  # 1 MiB, so that temporary arrays stay in a cache
THREADS = 2  # chunks that are worked on at a time
START_ROWS = 2**14  # rows whose optimum is close to that of many more


@dataclass(frozen=True)
class LossDecomposition:
    """Cross-entropies of a classifier in nats, as it is and recalibrated."""

    as_is: float  # at (a, b) = (1, 0)
    by_slope: float  # at the best a with b = 0
    by_intercept: float  # at the best b with a = 1; `as_is` for several classes
    by_both: float  # at (a*, b*), or its infimum
    entropy: float  # of predicting the class shares
    a: float  # a*; infinite if the classes are separated, nan if all logits are equal
    b: float  # b*; nan without a finite optimum, 0 for several classes
    slope_alone: float  # the best a with b = 0
    intercept_alone: float  # the best b with a = 1; 0 for several classes
    status: OptimumStatus  # whether there is a finite optimum


def decompose(
    predictions: Predictions, optimum: CrossEntropyOptimum | TemperatureOptimum | None = None
) -> LossDecomposition:
    """The decomposition of the loss."""
    as_is = mean(predictions.losses, predictions.weight)
    chance = float(entropy(class_shares(predictions)))
    if isinstance(optimum, TemperatureOptimum) or not predictions.binary:
        assert not isinstance(optimum, CrossEntropyOptimum)
        best = optimum or temperature_optimum(predictions)
        separated = best.status in SEPARATED
        a = WeightedRows.of(predictions).slope_of(best) if separated else best.a
        value = min(best.value, as_is)
        return LossDecomposition(as_is, value, as_is, value, chance, a, 0.0, a, 0.0, best.status)
    optimum = optimum or cross_entropy_optimum(predictions.measure)
    a, by_slope = slope_alone(predictions.measure)
    b, by_intercept = intercept_alone(predictions.measure)
    return LossDecomposition(
        as_is=as_is,
        by_slope=min(by_slope, as_is),
        by_intercept=min(by_intercept, as_is),
        by_both=min(optimum.value, by_slope, by_intercept),
        entropy=chance,
        a=optimum.orientation * math.inf if optimum.status in SEPARATED else optimum.a,
        b=optimum.b,
        slope_alone=a,
        intercept_alone=b,
        status=optimum.status,
    )


# --- two classes --------------------------------------------------------------------------------


def slope_alone(measure: Measure) -> tuple[float, float]:
    """The best slope a with b = 0, and the cross-entropy there in nats.

    a is infinite where every x is on the right side of 0, or every one on the wrong side, and the
    value is then the infimum; it is nan where all x are 0.
    """
    class1, class0 = measure.class1.extremes, measure.class0.extremes
    lowest, highest = min(class1[0], -class0[1]), max(class1[1], -class0[0])
    if lowest >= 0 or highest <= 0:
        a = math.nan if lowest == highest == 0 else math.copysign(math.inf, highest + lowest)
        return a, _mass_at_zero(measure) * math.log(2) / measure.total
    # The unit is the largest |x|, and the sign is such that the best slope is not negative.
    _, exponent = np.frexp(measure.reach)
    unit = float(np.ldexp(0.5, exponent))
    line = _Line.of(measure, unit=unit)
    sign = 1.0 if line.at(0.0).gradient <= 0 else -1.0
    oriented = _Line(line.mass, sign * line.direction, line.offset)
    t = minimise_on_line(oriented.at, 0.0, 0.0, math.inf)
    return sign * t / unit, oriented.at(t).loss / measure.total


def intercept_alone(measure: Measure) -> tuple[float, float]:
    """The best intercept b with a = 1, and its cross-entropy in nats; infinite for one class."""
    if len(measure.class1) == 0 or len(measure.class0) == 0:
        return (-math.inf if len(measure.class1) == 0 else math.inf), 0.0
    line = _Line.of(measure, unit=None)
    # At b* the mean probability is the base rate, so some x + b* are above its logit, some below.
    prior = math.log(measure.class1.total) - math.log(measure.class0.total)
    low, high = measure.ends
    start = min(max(prior, prior - high), prior - low)
    b = minimise_on_line(line.at, start, prior - high, prior - low)
    return b, line.at(b).loss / measure.total


def _mass_at_zero(measure: Measure) -> float:
    """Mass of the points at x = 0."""
    return sum(float(np.sum(p.masses[p.x == 0])) for p in (measure.class0, measure.class1))


@dataclass(frozen=True, eq=False)
class LineDerivatives:
    """Cross-entropy at a point of a line, and its derivatives; sums over the mass."""

    loss: float  # cross-entropy, in nats
    gradient: float  # first derivative
    curvature: float  # second derivative
    magnitude: float  # sum of the absolute terms of the gradient

    @property
    def relative_gradient(self) -> float:
        """The gradient as a fraction of the terms that cancel in it."""
        return abs(self.gradient) / self.magnitude if self.gradient else 0.0


@dataclass(frozen=True, eq=False)
class _Line:
    """Log-odds of the true label, direction * t + offset, of points with mass."""

    mass: Float[np.ndarray, " m"]  # mass of each point
    direction: Float[np.ndarray, " m"]  # derivative of its log-odds by t
    offset: Float[np.ndarray, " #m"]

    @classmethod
    def of(cls, measure: Measure, unit: float | None) -> _Line:
        """The line of the slope, with x in this unit; of the intercept if `unit` is None."""
        x, mass, sign = measure.signed
        if unit is not None:
            return cls(mass, sign * x / unit, np.zeros(1))
        return cls(mass, sign, sign * x)

    def at(self, t: float) -> LineDerivatives:
        """Cross-entropy and derivatives at t."""
        loss, pull, curvature = loss_terms(self.direction * t + self.offset, self.mass)
        gradient = -pull * self.direction
        return LineDerivatives(
            loss=float(np.sum(loss)),
            gradient=float(np.sum(gradient)),
            curvature=float(np.sum(curvature * self.direction**2)),
            magnitude=float(np.sum(np.abs(gradient))),
        )


def minimise_on_line(
    derivatives: Callable[[float], LineDerivatives], t: float, low: float, high: float
) -> float:
    """The minimum of a convex loss in [low, high], by Newton's method inside a bracket.

    The sign of the gradient tells the side of the minimum, so each step narrows the bracket; a
    Newton step that leaves it is replaced by halving.
    """
    with np.errstate(all="ignore"):
        here, best = derivatives(t), (math.inf, t)
        for _ in range(MAX_STEPS):
            # Once quadratic, a step that does not halve the gradient is at rounding.
            residual = here.relative_gradient
            if residual == 0 or (residual < QUADRATIC and not residual < best[0] / 2):
                break
            best = min(best, (residual, t))
            low, high = (low, t) if here.gradient > 0 else (t, high)
            newton = t - here.gradient / here.curvature if here.curvature > 0 else math.inf
            following = newton if low < newton < high or newton == t else _middle(low, high)
            if following in (low, high, t):
                break
            t = following
            here = derivatives(t)
    return min(best, (here.relative_gradient, t))[1]


def _middle(low: float, high: float) -> float:
    """A number inside a bracket, in the middle of the logarithms where its ends are far apart."""
    if math.isinf(high):
        return max(WIDE_BRACKET * low, WIDE_BRACKET)
    if low > 0 and high > WIDE_BRACKET * low:
        return math.sqrt(low) * math.sqrt(high)
    if low == 0:
        return high / WIDE_BRACKET
    return low + (high - low) / 2


# --- several classes ----------------------------------------------------------------------------


def temperature_optimum(predictions: Predictions) -> TemperatureOptimum:
    """The optimum of cross-entropy over softmax(a z)."""
    return WeightedRows.of(predictions).optimum


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """The samples of several classes that have weight."""

    z: Float[np.ndarray, "n k"]  # logits divided by `unit`, none above 1 in size
    y: Int[np.ndarray, " n"]  # true classes
    mass: Float[np.ndarray, " n"]  # weights with a sum of 1
    unit: float  # unit of the logits, a power of two

    @classmethod
    def of(cls, predictions: Predictions) -> WeightedRows:
        """The rows of some predictions."""
        kept = predictions.with_weight
        z, mass = kept.logits, kept.mass / np.max(kept.mass)
        _, exponent = np.frexp(max(np.max(z), -np.min(z)))
        unit = float(np.ldexp(1.0, exponent))
        return cls(z / unit, kept.y, mass / np.sum(mass), unit)

    def resampled(self, count: Float[np.ndarray, " n"]) -> WeightedRows:
        """Each row as often as it was drawn; rows that were not drawn are left out."""
        kept = count > 0
        mass = self.mass[kept] * count[kept]
        return WeightedRows(self.z[kept], self.y[kept], mass / np.sum(mass), self.unit)

    def at(self, t: float) -> LineDerivatives:
        """Cross-entropy and its derivatives at the slope t per unit."""
        sums = np.zeros(4)
        for chunk, terms in self.by_chunk(lambda d, y: _terms(d, y, t)):
            sums += [self.mass[chunk] @ term for term in terms]
        return LineDerivatives(*sums.tolist())

    def losses(self, t: float) -> Float[np.ndarray, " n"]:
        """Cross-entropy of each row in nats, at the slope t per unit."""
        chunks = self.by_chunk(lambda d, y: _terms(d, y, t))
        return np.concatenate([terms[0] for _, terms in chunks])

    def by_chunk(self, function: Callable[[Any, Any], Any]) -> Iterator[tuple[slice, Any]]:
        """(rows, function(d, y)) of each chunk, with differences d (k, m) and classes y (m,)."""
        rows = max(1, CHUNK_LOGITS // self.z.shape[1])
        chunks = [slice(start, start + rows) for start in range(0, len(self.z), rows)]
        if len(chunks) == 1:
            yield chunks[0], function(*self._differences(chunks[0]))
            return
        with ThreadPoolExecutor(THREADS) as pool:
            values = pool.map(lambda chunk: function(*self._differences(chunk)), chunks)
            yield from zip(chunks, values, strict=True)

    def _differences(self, chunk: slice) -> tuple[Float[np.ndarray, "k m"], Int[np.ndarray, " m"]]:
        """Logits of a chunk less those of the true class, and the true classes."""
        z, y = np.ascontiguousarray(self.z[chunk].T), self.y[chunk]
        return z - z[y, np.arange(len(y))], y

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """The least and the largest difference d; that of the true class is 0."""
        chunks = [pair for _, pair in self.by_chunk(lambda d, _: (np.min(d), np.max(d)))]
        return float(min(low for low, _ in chunks)), float(max(high for _, high in chunks))

    @property
    def status(self) -> OptimumStatus:
        """Whether there is a finite optimum."""
        low, high = self.extremes
        if low == high == 0:
            return OptimumStatus.constant_x
        if low < 0 < high:
            return OptimumStatus.finite
        tied = self.mass @ self.tie_losses > 0
        return OptimumStatus.quasi_separated if tied else OptimumStatus.separated

    @property
    def direction(self) -> int:
        """Sign of the infinite slope; 0 if the best slope is finite, or if all are equal."""
        low, high = self.extremes
        return 0 if low < 0 < high else int(low < 0) - int(high > 0)

    def slope_of(self, best: TemperatureOptimum) -> float:
        """The best slope; infinite where it grows without bound, nan where all are equal."""
        return self.direction * math.inf if self.direction else best.a

    @cached_property
    def tie_losses(self) -> Float[np.ndarray, " n"]:
        """Loss of each row at an infinite slope: log of how many logits equal the true one."""
        chunks = self.by_chunk(lambda d, _: np.log(np.sum(d == 0, axis=0)))
        return np.concatenate([losses for _, losses in chunks])

    def standard_error(self, t: float) -> float:
        """Standard error of the optimum t, by the sandwich of gradients and curvature."""
        chunks = self.by_chunk(lambda d, y: _terms(d, y, t))
        gradient = np.concatenate([terms[1] for _, terms in chunks])
        return float(np.sqrt(np.sum((self.mass * gradient) ** 2)) / self.at(t).curvature)

    @property
    def _start(self) -> float:
        """The optimum of a part of many rows; nan where there is none."""
        if len(self.z) <= 2 * START_ROWS:
            return math.nan
        some = slice(None, None, len(self.z) // START_ROWS)
        mass = self.mass[some] / np.sum(self.mass[some])
        return WeightedRows(self.z[some], self.y[some], mass, 1.0).optimum.a

    @cached_property
    def optimum(self) -> TemperatureOptimum:
        """The optimum of cross-entropy over the slope."""
        status = self.status
        if status is not OptimumStatus.finite:
            infimum = float(self.mass @ self.tie_losses)
            return TemperatureOptimum(math.nan, infimum, math.nan, status)
        # The sign is such that the best slope is not negative.
        sign = -1.0 if self.at(0.0).gradient > 0 else 1.0
        start = sign * self._start
        oriented = replace(self, z=self.z if sign > 0 else -self.z)
        t = sign * minimise_on_line(oriented.at, start if start > 0 else 0.0, 0.0, math.inf)
        best = self.at(t)
        return TemperatureOptimum(t / self.unit, best.loss, best.gradient * self.unit, status)


def _terms(
    d: Float[np.ndarray, "k m"], y: Int[np.ndarray, " m"], t: float
) -> tuple[Float[np.ndarray, " m"], ...]:
    """Loss of each row, its first and second derivative by t, and the size of the first."""
    odds = t * d
    top = np.max(odds, axis=0)
    np.exp(np.subtract(odds, top, out=odds), out=odds)
    true = np.exp(-top)
    odds[y, np.arange(len(y))] = 0.0
    others = np.sum(odds, axis=0)
    total = true + others
    gradient = np.sum(odds * d, axis=0) / total
    curvature = (np.sum(odds * (d - gradient) ** 2, axis=0) + true * gradient**2) / total
    # Where the true class is the likeliest, top is 0 and nothing is subtracted from `others`.
    loss = top + np.log1p(others - (1.0 - true))
    return loss, gradient, curvature, np.abs(gradient)
