"""The best temperature of a classifier of several classes: the optimum of softmax(a z) over a.

Cross-entropy is the mean of log(sum_j exp(a d_j)), d_j the logit of class j less that of the class
that came true. It is convex in a, so that Newton's method inside a bracket finds its optimum, if
there is one: none where no d_j is positive, for then each sample only gains by a larger a, and none
where no d_j is negative.
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
from sweep.diagnosis.one_parameter import LineDerivatives, least
from sweep.diagnosis.report import TemperatureOptimum
from sweep.optima.records import OptimumStatus

AT_ONCE = 2**17
"""Logits that are taken at once, 1 MiB, so that what is made of them stays in a cache."""

FEW = 2**14
"""Rows whose optimum is near that of many."""

THREADS = 2
"""Parts that are under way at a time."""


def temperature_optimum(predictions: Predictions) -> TemperatureOptimum:
    """The optimum of cross-entropy over softmax(a z).

    Args:
        predictions: of several classes.
    """
    return WeightedRows.of(predictions).optimum


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Samples of several classes that have weight.

    Attributes:
        z: logits in a unit in which none is above 1 in size, shape (n, k).
        y: classes that came true, shape (n,).
        mass: weights with a sum of 1, shape (n,).
        unit: of the logits, a power of two.
    """

    z: Float[np.ndarray, "n k"]
    y: Int[np.ndarray, " n"]
    mass: Float[np.ndarray, " n"]
    unit: float

    @classmethod
    def of(cls, predictions: Predictions) -> WeightedRows:
        """Those of some predictions."""
        kept = predictions.with_weight
        z, mass = kept.logits, kept.mass / np.max(kept.mass)
        _, exponent = np.frexp(max(np.max(z), -np.min(z)))
        unit = float(np.ldexp(1.0, exponent))
        return cls(z / unit, kept.y, mass / np.sum(mass), unit)

    def drawn(self, count: Float[np.ndarray, " n"]) -> WeightedRows:
        """The rows as often as they were drawn, those that were drawn at all."""
        kept = count > 0
        mass = self.mass[kept] * count[kept]
        return WeightedRows(self.z[kept], self.y[kept], mass / np.sum(mass), self.unit)

    def at(self, t: float) -> LineDerivatives:
        """Cross-entropy at a slope per unit, and its derivatives."""
        sums = np.zeros(4)
        for part, terms in self.each(lambda d, y: _terms(d, y, t)):
            sums += [self.mass[part] @ term for term in terms]
        return LineDerivatives(*sums.tolist())

    def losses(self, t: float) -> Float[np.ndarray, " n"]:
        """Cross-entropy of each row in nats, at a slope per unit."""
        return np.concatenate([terms[0] for _, terms in self.each(lambda d, y: _terms(d, y, t))])

    def each(self, of: Callable[[Any, Any], Any]) -> Iterator[tuple[slice, Any]]:
        """A function of the differences d, shape (k, m), and classes, shape (m,), of some rows."""
        rows = max(1, AT_ONCE // self.z.shape[1])
        parts = [slice(start, start + rows) for start in range(0, len(self.z), rows)]

        def there(part: slice) -> Any:
            z, y = np.ascontiguousarray(self.z[part].T), self.y[part]
            return of(z - z[y, np.arange(len(y))], y)

        if len(parts) == 1:
            yield parts[0], there(parts[0])
            return
        with ThreadPoolExecutor(THREADS) as pool:
            yield from zip(parts, pool.map(there, parts), strict=True)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The least and the largest of all differences; of the class that came true, it is 0."""
        found = [ends for _, ends in self.each(lambda d, _: (np.min(d), np.max(d)))]
        return float(min(low for low, _ in found)), float(max(high for _, high in found))

    @property
    def status(self) -> OptimumStatus:
        """Whether there is a finite optimum."""
        low, high = self.ends
        if low == high == 0:
            return OptimumStatus.constant_x
        if low < 0 < high:
            return OptimumStatus.finite
        return (
            OptimumStatus.quasi_separated if self.mass @ self.ties > 0 else OptimumStatus.separated
        )

    @property
    def direction(self) -> int:
        """Sign of the slope that has no bound; 0 if there is none."""
        low, high = self.ends
        return 0 if low < 0 < high else int(low < 0) - int(high > 0)

    @cached_property
    def ties(self) -> Float[np.ndarray, " n"]:
        """Cross-entropy of each row that no slope takes away: of logits that equal the true one."""
        found = self.each(lambda d, _: np.log(np.sum(d == 0, axis=0)))
        return np.concatenate([log for _, log in found])

    def error(self, t: float) -> float:
        """Standard error of the optimum, which is at that slope per unit, by the sandwich."""
        pull = np.concatenate([terms[1] for _, terms in self.each(lambda d, y: _terms(d, y, t))])
        return float(np.sqrt(np.sum((self.mass * pull) ** 2)) / self.at(t).curvature)

    @property
    def _start(self) -> float:
        """The optimum of some of many rows; nan where there is none."""
        if len(self.z) <= 2 * FEW:
            return math.nan
        some = slice(None, None, len(self.z) // FEW)
        mass = self.mass[some] / np.sum(self.mass[some])
        return WeightedRows(self.z[some], self.y[some], mass, 1.0).optimum.a

    @cached_property
    def optimum(self) -> TemperatureOptimum:
        """That of cross-entropy."""
        status = self.status
        if status is not OptimumStatus.finite:
            return TemperatureOptimum(math.nan, float(self.mass @ self.ties), math.nan, status)
        # Turned so that the best slope is not negative.
        turn = -1.0 if self.at(0.0).gradient > 0 else 1.0
        start = turn * self._start
        turned = replace(self, z=self.z if turn > 0 else -self.z)
        t = turn * least(turned.at, start if start > 0 else 0.0, 0.0, math.inf)
        there = self.at(t)
        return TemperatureOptimum(t / self.unit, there.loss, there.gradient * self.unit, status)


def _terms(
    d: Float[np.ndarray, "k m"], y: Int[np.ndarray, " m"], t: float
) -> tuple[Float[np.ndarray, " m"], ...]:
    """Loss of each row, its two derivatives by t, and the size of the first."""
    odds = t * d
    top = np.max(odds, axis=0)
    np.exp(np.subtract(odds, top, out=odds), out=odds)
    own = np.exp(-top)
    odds[y, np.arange(len(y))] = 0.0
    rest = np.sum(odds, axis=0)
    total = own + rest
    pull = np.sum(odds * d, axis=0) / total
    curve = (np.sum(odds * (d - pull) ** 2, axis=0) + own * pull**2) / total
    # Where the class that came true is the likeliest, top is 0 and nothing is taken from rest.
    return top + np.log1p(rest - (1.0 - own)), pull, curve, np.abs(pull)
