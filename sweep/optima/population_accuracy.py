"""The most accurate cuts of a population: an exact scan of its densities.

The accuracy of {x > c} rises with c where class 0 is the denser one and falls where class 1 is, so
that it can be highest only where f0 - f1 changes its sign from + to -, anywhere on a stretch where
it is 0 (a gap in the support, or P(y = 1 | x) = 1/2), or for a constant prediction. On each panel
of the quadrature f0 - f1 is a polynomial, whose roots are the eigenvalues of its companion matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from sweep.measure.confusion import accuracy
from sweep.measure.measure import Measure
from sweep.populations.panels import NOTHING, T

TIE = 1e-13
"""Accuracy within which two cuts are equally good: some hundreds of roundings."""

CUT_TOLERANCE = 1e-9
"""Distance within which two cuts are one, in interquartile ranges of x."""

FLAT = 1e-13
"""Where |f0 - f1| is less, as a fraction of f0 + f1 on a panel, eta is 1/2 there."""

AT_AN_END = 1e-12
"""Roots nearer to the end of a panel [-1, 1] are at the end."""

_LOOK = np.concatenate([[-1.0], T, [1.0]])
_LOOKS = np.polynomial.legendre.legvander(_LOOK, len(T) - 1)


class SignInterval(NamedTuple):
    """An interval of x on which f0 - f1 has one sign: +1, -1 or 0."""

    low: float
    high: float
    sign: int


@dataclass(frozen=True, eq=False)
class BestIntervals:
    """Every classifier {x >= t} or {x <= t} of a population that gets the most mass right.

    What `sweep.measure.cuts.BestCuts` is for points.

    Attributes:
        measure: the population.
        stretches: where f0 - f1 has one sign, ascending, neighbours of different signs; what has
            no mass below or above all x is left out.
        candidates: intervals (low, high, orientation) on which accuracy has a local maximum.
        values: accuracy on each, shape (k,).
        correct: the highest mass predicted correctly by any cut or constant.
    """

    measure: Measure
    stretches: tuple[SignInterval, ...]
    candidates: tuple[tuple[float, float, int], ...]
    values: Float[np.ndarray, " k"]
    correct: float

    @property
    def value(self) -> float:
        """The highest accuracy."""
        return self.correct / self.measure.total

    @property
    def _good(self) -> list[tuple[float, float, int]]:
        """The candidates that are best, those as good as a constant by rounding included."""
        good = self.values >= self.value - TIE
        return sorted(c for c, best in zip(self.candidates, good, strict=True) if best)

    @cached_property
    def intervals(self) -> tuple[tuple[float, float, int], ...]:
        """Maximal closed intervals (low, high, orientation); a point is (c, c, orientation).

        What has no mass to speak of beyond it is the constant and not named beside it.
        """
        return tuple(found for found in self._good if not self._is_constant(*found))

    def _is_constant(self, low: float, high: float, orientation: int) -> bool:
        """Whether cuts tell all x from no mass, so that they are one of the best constants."""
        parts = [
            [np.array(side) for side in density.split(np.array([low, high]))]
            for density in (self.measure.class0, self.measure.class1)
        ]
        below, above = np.sum(parts, axis=0) / self.measure.total
        one = 1 if orientation > 0 else 0  # the constant if all x is above the cut
        return (one in self.constants and bool(below[1] <= TIE)) or (
            1 - one in self.constants and bool(above[0] <= TIE)
        )

    @property
    def constants(self) -> tuple[int, ...]:
        """The constant predictions among the best."""
        masses = (self.measure.class0.total, self.measure.class1.total)
        least = (self.value - TIE) * self.measure.total
        return tuple(label for label, mass in enumerate(masses) if mass >= least)

    @property
    def support(self) -> tuple[float, float]:
        """(lowest, highest) x, or where a tail of `sweep.populations.panels.FAR` begins."""
        return self.stretches[0].low, self.stretches[-1].high

    @property
    def bayes_accuracy(self) -> float:
        """The highest accuracy of any classifier at all: the better class on every stretch."""
        edges = np.array([self.stretches[0].low, *(s.high for s in self.stretches)])
        parts = [
            np.diff(density.split(edges)[0])
            for density in (self.measure.class0, self.measure.class1)
        ]
        return float(np.sum(np.maximum(*parts)) / self.measure.total)

    @property
    def tolerance(self) -> float:
        """Distance within which two cuts are one, in units of x."""
        assert self.measure.quadrature is not None
        return CUT_TOLERANCE * self.measure.quadrature.spread

    def contains(self, t: float, orientation: int) -> bool:
        """Whether the classifier with that cut is among the best, as far as rounding tells.

        It is within `tolerance` of one; or eta is 1/2 at t and no mass to speak of is lost between
        them, for a root of f0 - f1 of a high multiplicity, or with a small slope, is known to fewer
        digits.
        """
        return self.distance(t, orientation) == 0

    def regret(self, t: float, orientation: int) -> float:
        """Accuracy that the classifier with that cut lacks of the highest."""
        if self.contains(t, orientation):
            return 0.0
        found = accuracy(self.measure, np.array([t]), np.array([orientation]))
        return max(0.0, self.value - float(found[0]))

    def distance(self, t: float, orientation: int) -> float:
        """From t to the nearest of the best cuts of that orientation; inf if there is none."""
        cuts = self._best(orientation)
        gaps = (0.0 if low <= t <= high else max(low - t, t - high) for low, high in cuts)
        nearest = float(min(gaps, default=math.inf))
        if nearest <= self.tolerance or (self._is_even(t) and self._lost(t, cuts) <= TIE):
            return 0.0
        return nearest

    def _best(self, orientation: int) -> list[tuple[float, float]]:
        """The best cuts of an orientation, with those beyond x that are a constant."""
        cuts = [(low, high) for low, high, sign in self._good if sign == orientation]
        low, high = self.support
        for constant in self.constants:
            below = (constant == 1) == (orientation > 0)
            cuts.append((-math.inf, low) if below else (high, math.inf))
        return cuts

    def _is_even(self, t: float) -> bool:
        """Whether both classes are as dense at t, to rounding."""
        quadrature, (low, high) = self.measure.quadrature, self.support
        assert quadrature is not None
        if not low <= t <= high:
            return False
        f0, f1 = quadrature.densities(t)[:, 0].tolist()
        return abs(f0 - f1) <= FLAT * (f0 + f1) and f0 + f1 > 0

    def _lost(self, t: float, cuts: list[tuple[float, float]]) -> float:
        """Integral of |f0 - f1| from t to the nearest of the cuts, as a part of all mass."""
        ends = np.array([low if t < low else high for low, high in cuts])
        if not len(ends):
            return math.inf
        edges = np.array([self.stretches[0].low, *(s.high for s in self.stretches)])
        bounds = np.clip(np.append(ends, t), *self.support)
        at = np.unique(np.concatenate([edges, bounds]))
        change = np.abs(_differences(self.measure, at))
        below = np.concatenate([[0.0], np.cumsum(change)])[np.searchsorted(at, bounds)]
        return float(np.min(np.abs(below[:-1] - below[-1])) / self.measure.total)


def _differences(measure: Measure, edges: Float[np.ndarray, " k"]) -> Float[np.ndarray, " m"]:
    """Mass of class 0 less that of class 1 between edges, ascending, shape (k - 1,)."""
    return np.diff(measure.class0.split(edges)[0] - measure.class1.split(edges)[0])


def best_intervals(measure: Measure) -> BestIntervals:
    """The most accurate cuts of a population.

    Args:
        measure: of a population, see `Measure.from_population`.
    """
    stretches = _stretches(measure)
    candidates = tuple(
        (low, high, orientation)
        for orientation in (1, -1)
        for low, high in _peaks(stretches, orientation)
    )
    t = np.array([low + (high - low) / 2 for low, high, _ in candidates])
    orientation = np.array([sign for *_, sign in candidates], np.int64)
    values = accuracy(measure, t, orientation)
    constants = (measure.class0.total, measure.class1.total)
    correct = max(*constants, float(np.max(values, initial=0.0)) * measure.total)
    return BestIntervals(measure, stretches, candidates, values, correct)


def _peaks(stretches: tuple[SignInterval, ...], orientation: int) -> list[tuple[float, float]]:
    """Where accuracy stops rising and begins to fall as the cut goes up.

    A flat stretch at an end of x is as good as a constant; it counts where it may be a peak.
    """
    found = []
    slopes = [orientation * s.sign for s in stretches]
    for k, (stretch, slope) in enumerate(zip(stretches, slopes, strict=True)):
        before = slopes[k - 1] if k else 1
        after = slopes[k + 1] if k + 1 < len(slopes) else -1
        if slope == 0 and before > 0 > after:
            found.append((stretch.low, stretch.high))
        elif slope > 0 > after and k + 1 < len(slopes):
            found.append((stretch.high, stretch.high))
    return found


def _stretches(measure: Measure) -> tuple[SignInterval, ...]:
    """Where f0 - f1 has one sign."""
    quadrature = measure.quadrature
    assert quadrature is not None
    difference = quadrature.series[0] - quadrature.series[1]
    values = _LOOKS @ difference
    scale = np.max(np.abs(_LOOKS @ (quadrature.series[0] + quadrature.series[1])), axis=0)
    level = np.sign(difference[0]).astype(np.int64)
    level[np.max(np.abs(values), axis=0) <= FLAT * scale] = 0
    mixed = (level != 0) & (quadrature.mass > NOTHING)
    mixed &= ~(np.all(values > 0, axis=0) | np.all(values < 0, axis=0))
    pieces: list[SignInterval] = []
    massive = np.flatnonzero(quadrature.mass > 0)
    for k in range(massive[0], massive[-1] + 1):
        low, high = quadrature.edges[k], quadrature.edges[k + 1]
        if mixed[k]:
            pieces += _within(difference[:, k], low, high)
        else:
            pieces.append(SignInterval(low, high, int(level[k])))
    # Where x is large, rounding may let f0 - f1 waver over a few floats.
    tolerance = CUT_TOLERANCE * quadrature.spread
    wide = [piece for piece in _merged(pieces) if piece.high - piece.low > tolerance]
    return tuple(_merged(_levelled(measure, _merged(_closed(wide)))))


def _levelled(measure: Measure, pieces: list[SignInterval]) -> list[SignInterval]:
    """Stretches with those flat that only rounding tells from a flat one.

    They are next to a flat stretch, or several in a row with more on either side, and accuracy
    changes over each of them by rounding: so it does where a flat stretch ends in a kink.
    """
    edges = np.array([pieces[0].low, *(piece.high for piece in pieces)])
    change = np.abs(_differences(measure, edges)) / measure.total
    small = [piece.sign == 0 or bool(c <= TIE) for piece, c in zip(pieces, change, strict=True)]
    found: list[SignInterval] = []
    for is_small, run in groupby(zip(small, pieces, strict=True), key=lambda pair: pair[0]):
        row = [piece for _, piece in run]
        inside = row[0] is not pieces[0] and row[-1] is not pieces[-1]
        flat = any(piece.sign == 0 for piece in row) or (len(row) > 1 and inside)
        found += [piece._replace(sign=0) for piece in row] if is_small and flat else row
    return found


def _within(series: Float[np.ndarray, " n"], low: float, high: float) -> list[SignInterval]:
    """The stretches of one panel, from the roots of its series."""
    roots = np.polynomial.legendre.legroots(series)
    real = np.sort(roots.real[np.abs(roots.imag) < 1e-8])
    inside = real[np.abs(real) < 1 - AT_AN_END]
    slope = np.polynomial.legendre.legder(series)
    for _ in range(2):
        inside = inside - np.polynomial.legendre.legval(inside, series) / (
            np.polynomial.legendre.legval(inside, slope)
        )
    t = np.concatenate([[-1.0], np.sort(inside[np.abs(inside) < 1 - AT_AN_END]), [1.0]])
    signs = np.sign(np.polynomial.legendre.legval((t[:-1] + t[1:]) / 2, series))
    x = low + (high - low) / 2 * (1 + t)
    x[-1] = high
    return [
        SignInterval(float(start), float(stop), int(sign))
        for start, stop, sign in zip(x[:-1], x[1:], signs, strict=True)
    ]


def _closed(pieces: list[SignInterval]) -> list[SignInterval]:
    """Pieces each of which begins where the one before ends."""
    lows = [pieces[0].low, *(piece.high for piece in pieces[:-1])]
    return [piece._replace(low=low) for piece, low in zip(pieces, lows, strict=True)]


def _merged(pieces: list[SignInterval]) -> list[SignInterval]:
    """Neighbours of one sign as one stretch."""
    runs = (list(run) for _, run in groupby(pieces, key=lambda piece: piece.sign))
    return [SignInterval(float(run[0].low), float(run[-1].high), run[0].sign) for run in runs]
