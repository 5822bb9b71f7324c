"""The most accurate cuts of a population: an exact scan of its densities.

The accuracy of {x > c} rises with c where class 0 is the denser class and falls where class 1 is.
So it can be highest only where f0 - f1 changes its sign from + to -, anywhere on a stretch where it
is 0 (a gap in the support, or P(y = 1 | x) = 1/2), or for a constant prediction. On each panel of
the quadrature f0 - f1 is a polynomial, whose roots are the eigenvalues of its companion matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from sweep.measure.confusion import accuracy
from sweep.measure.measure import Measure
from sweep.optima.records import AccuracyOptimum
from sweep.populations.panels import NEGLIGIBLE_MASS, T

TIE = 1e-13  # accuracy within which two cuts are equally good: some hundreds of roundings
CUT_TOLERANCE = 1e-9  # distance within which two cuts are one, in interquartile ranges of x
FLAT = 1e-13  # eta counts as 1/2 where |f0 - f1| is a smaller fraction of f0 + f1, as for TIE
# A root that is nearer to an end of a panel [-1, 1] counts as the end. f0 - f1 is nearly 0 between
# the two, so that this changes accuracy by far less than TIE.
AT_AN_END = 1e-12
MAX_IMAGINARY = 1e-8  # of a real root: rounding splits a double one by the root of some UNIT

_SIGN_POINTS = np.concatenate([[-1.0], T, [1.0]])  # of a panel, at which signs are compared
_AT_SIGN_POINTS = np.polynomial.legendre.legvander(_SIGN_POINTS, len(T) - 1)


class SignInterval(NamedTuple):
    """An interval of x on which f0 - f1 has one sign: +1, -1 or 0."""

    low: float
    high: float
    sign: int


@dataclass(frozen=True, eq=False)
class BestIntervals:
    """All classifiers {x >= t} and {x <= t} that predict the most mass of a population correctly.

    It answers the questions that `sweep.optima.accuracy.BestCuts` answers for points.
    """

    measure: Measure  # the population
    # intervals of x on which f0 - f1 has one sign, ascending; neighbours differ in sign. They cover
    # all x except for ends without mass
    stretches: tuple[SignInterval, ...]
    # intervals (low, high, orientation) of cuts that are best to rounding, ascending, also those
    # that equal a constant prediction
    good: list[tuple[float, float, int]]
    optimum: AccuracyOptimum  # without cuts that have almost no mass beyond them

    @property
    def bayes_accuracy(self) -> float:
        """The highest accuracy of any classifier: it predicts the denser class on each stretch."""
        edges = _edges(self.stretches)
        masses = [np.diff(density.split(edges)[0]) for density in self.measure.classes]
        return float(np.sum(np.maximum(*masses)) / self.measure.total)

    @property
    def tolerance(self) -> float:
        """Distance within which two cuts are one, in units of x."""
        assert self.measure.quadrature is not None
        return CUT_TOLERANCE * self.measure.quadrature.interquartile_range

    def contains(self, t: float, orientation: int) -> bool:
        """Whether the classifier with that cut is among the best, as far as rounding tells.

        It is within `tolerance` of one; or eta is 1/2 at t and less than TIE is lost between them,
        because a root of f0 - f1 with a small slope or of a high multiplicity has fewer digits.
        """
        return self.distance(t, orientation) == 0

    def regret(self, t: float, orientation: int) -> float:
        """Highest accuracy minus that of the classifier with that cut, a fraction."""
        if self.contains(t, orientation):
            return 0.0
        at_cut = accuracy(self.measure, np.array([t]), np.array([orientation]))
        return max(0.0, self.optimum.value - float(at_cut[0]))

    def distance(self, t: float, orientation: int) -> float:
        """From t to the nearest of the best cuts of that orientation; inf if there is none."""
        cuts = [
            (low, high)
            for low, high, sign in (*self.good, *self.optimum.constant_cuts)
            if sign == orientation
        ]
        gaps = (0.0 if low <= t <= high else max(low - t, t - high) for low, high in cuts)
        nearest = float(min(gaps, default=math.inf))
        if nearest <= self.tolerance or (self._is_even(t) and self._lost(t, cuts) <= TIE):
            return 0.0
        return nearest

    def _is_even(self, t: float) -> bool:
        """Whether both classes are equally dense at t, to rounding."""
        quadrature, (low, high) = self.measure.quadrature, self.optimum.support
        assert quadrature is not None
        if not low <= t <= high:
            return False
        f0, f1 = quadrature.densities(t)[:, 0].tolist()
        return abs(f0 - f1) <= FLAT * (f0 + f1) and f0 + f1 > 0

    def _lost(self, t: float, cuts: list[tuple[float, float]]) -> float:
        """Integral of |f0 - f1| from t to the nearest of the cuts, as a fraction of all mass."""
        ends = np.array([low if t < low else high for low, high in cuts])
        if not len(ends):
            return math.inf
        bounds = np.clip(np.append(ends, t), *self.optimum.support)
        x = np.unique(np.concatenate([_edges(self.stretches), bounds]))
        change = np.abs(_mass_differences(self.measure, x))
        below = np.concatenate([[0.0], np.cumsum(change)])[np.searchsorted(x, bounds)]
        return float(np.min(np.abs(below[:-1] - below[-1])) / self.measure.total)


def _mass_differences(measure: Measure, edges: Float[np.ndarray, " k"]) -> Float[np.ndarray, " m"]:
    """Mass of class 0 minus that of class 1 between ascending edges, shape (k - 1,)."""
    return np.diff(measure.class0.split(edges)[0] - measure.class1.split(edges)[0])


def _edges(stretches: Sequence[SignInterval]) -> Float[np.ndarray, " k"]:
    """The ends of neighbouring stretches, ascending."""
    return np.array([stretches[0].low, *(stretch.high for stretch in stretches)])


def best_intervals(measure: Measure) -> BestIntervals:
    """Finds the most accurate cuts of a population."""
    stretches = _stretches(measure)
    candidates = [
        (low, high, orientation)
        for orientation in (1, -1)
        for low, high in _peaks(stretches, orientation)
    ]
    t = np.array([low + (high - low) / 2 for low, high, _ in candidates])
    orientation = np.array([sign for *_, sign in candidates], np.int64)
    values = accuracy(measure, t, orientation)
    masses = measure.class0.total, measure.class1.total
    correct = max(*masses, float(np.max(values, initial=0.0)) * measure.total)
    value = correct / measure.total
    good = sorted(candidates[k] for k in np.flatnonzero(values >= value - TIE))
    least = (value - TIE) * measure.total
    constants = tuple(label for label, mass in enumerate(masses) if mass >= least)
    optimum = AccuracyOptimum(
        value=value,
        correct=correct,
        cuts=tuple(cut for cut in good if not _is_constant(measure, constants, *cut)),
        constants=constants,
        support=(stretches[0].low, stretches[-1].high),
    )
    return BestIntervals(measure, stretches, good, optimum)


def _is_constant(
    measure: Measure, constants: tuple[int, ...], low: float, high: float, orientation: int
) -> bool:
    """Whether all cuts of an interval equal one of the best constants, up to a mass of TIE."""
    masses = [density.split(np.array([low, high])) for density in measure.classes]
    below, above = np.sum(masses, axis=0) / measure.total
    label_above = 1 if orientation > 0 else 0
    return (label_above in constants and bool(below[1] <= TIE)) or (
        1 - label_above in constants and bool(above[0] <= TIE)
    )


def _peaks(stretches: tuple[SignInterval, ...], orientation: int) -> list[tuple[float, float]]:
    """The intervals of cuts at which accuracy stops rising and begins to fall.

    Before the lowest x accuracy counts as rising, after the highest as falling: then a flat stretch
    at an end, which equals a constant prediction, is found too.
    """
    peaks = []
    slopes = [orientation * s.sign for s in stretches]
    for k, (stretch, slope) in enumerate(zip(stretches, slopes, strict=True)):
        before = slopes[k - 1] if k else 1
        after = slopes[k + 1] if k + 1 < len(slopes) else -1
        if slope == 0 and before > 0 > after:
            peaks.append((stretch.low, stretch.high))
        elif slope > 0 > after and k + 1 < len(slopes):
            peaks.append((stretch.high, stretch.high))
    return peaks


def _stretches(measure: Measure) -> tuple[SignInterval, ...]:
    """The intervals of x on which f0 - f1 has one sign."""
    quadrature = measure.quadrature
    assert quadrature is not None
    difference = quadrature.series[0] - quadrature.series[1]
    values = _AT_SIGN_POINTS @ difference
    scale = np.max(np.abs(_AT_SIGN_POINTS @ (quadrature.series[0] + quadrature.series[1])), axis=0)
    sign = np.sign(difference[0]).astype(np.int64)  # of the mean of f0 - f1
    sign[np.max(np.abs(values), axis=0) <= FLAT * scale] = 0
    mixed = (sign != 0) & (quadrature.mass > NEGLIGIBLE_MASS)
    mixed &= ~(np.all(values > 0, axis=0) | np.all(values < 0, axis=0))
    pieces: list[SignInterval] = []
    massive = np.flatnonzero(quadrature.mass > 0)
    for k in range(massive[0], massive[-1] + 1):
        low, high = quadrature.edges[k], quadrature.edges[k + 1]
        if mixed[k]:
            pieces += _split_at_roots(difference[:, k], low, high)
        else:
            pieces.append(SignInterval(low, high, int(sign[k])))
    # Where x is large, rounding can make f0 - f1 change sign several times within a few floats.
    tolerance = CUT_TOLERANCE * quadrature.interquartile_range
    wide = [piece for piece in _merged(pieces) if piece.high - piece.low > tolerance]
    return tuple(_merged(_flattened(measure, _merged(_without_gaps(wide)))))


def _flattened(measure: Measure, pieces: list[SignInterval]) -> list[SignInterval]:
    """The pieces, with sign 0 for those that differ from a flat stretch by rounding only.

    Such a piece changes accuracy by at most TIE. It is flat if it is in a row of such pieces with a
    flat one, or in a row of several that does not reach an end of x: this happens where a flat
    stretch ends in a kink.
    """
    change = np.abs(_mass_differences(measure, _edges(pieces))) / measure.total
    small = [piece.sign == 0 or bool(c <= TIE) for piece, c in zip(pieces, change, strict=True)]
    flattened: list[SignInterval] = []
    for is_small, run in groupby(zip(small, pieces, strict=True), key=lambda pair: pair[0]):
        row = [piece for _, piece in run]
        inside = row[0] is not pieces[0] and row[-1] is not pieces[-1]
        flat = any(piece.sign == 0 for piece in row) or (len(row) > 1 and inside)
        flattened += [piece._replace(sign=0) for piece in row] if is_small and flat else row
    return flattened


def _split_at_roots(series: Float[np.ndarray, " n"], low: float, high: float) -> list[SignInterval]:
    """The stretches of one panel, between the roots of its Legendre series."""
    roots = np.polynomial.legendre.legroots(series)
    real = np.sort(roots.real[np.abs(roots.imag) < MAX_IMAGINARY])
    inside = real[np.abs(real) < 1 - AT_AN_END]
    slope = np.polynomial.legendre.legder(series)
    for _ in range(2):  # Newton steps, which restore the digits that the eigenvalues lost
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


def _without_gaps(pieces: list[SignInterval]) -> list[SignInterval]:
    """The pieces, each extended down to the end of the one before."""
    lows = [pieces[0].low, *(piece.high for piece in pieces[:-1])]
    return [piece._replace(low=low) for piece, low in zip(pieces, lows, strict=True)]


def _merged(pieces: list[SignInterval]) -> list[SignInterval]:
    """The pieces, with neighbours of one sign merged."""
    runs = (list(run) for _, run in groupby(pieces, key=lambda piece: piece.sign))
    return [SignInterval(float(run[0].low), float(run[-1].high), run[0].sign) for run in runs]
