"""Cross-entropy over the slope, of any draw of samples of several classes, by interpolation.

Samples that are drawn again have optima near that of the data. There the loss of each sample, a
smooth function of the slope alone, is interpolated at Chebyshev points, so that the loss of a draw
is one product with its counts, whatever the number of classes, and its optimum the root of a
polynomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.polynomial import chebyshev as series

from sweep.diagnosis.temperature import WeightedRows
from sweep.metrics.chebyshev import points

REACH = 8.0
"""Standard errors of the optimum to each side of it in which those of draws are looked for."""

WIDEST = 3.0
"""The same in the logarithm of the slope at most: a factor of 20."""

RELATIVE = 0.4
"""Standard error, as a fraction of the slope, up to which slopes differ by factors."""

POINTS = (8, 16, 32, 64)
"""Points that are tried, until they are enough."""

ENOUGH = 1e-12
"""Sum of the last coefficients, relative to that of all, from which they are."""

STEPS = 60
"""Newton steps and bisections; bisection alone takes 53."""


class CurveMinima(NamedTuple):
    """Optima of draws.

    Attributes:
        slope: per unit; nonsense where it is not inside.
        value: cross-entropy there, in nats.
        inside: whether it is where the loss was interpolated.
    """

    slope: Float[np.ndarray, " r"]
    value: Float[np.ndarray, " r"]
    inside: Bool[np.ndarray, " r"]


@dataclass(frozen=True)
class Interval:
    """Slopes, per unit, on either side of the best one, which is at 0 in [-1, 1].

    Attributes:
        best: slope.
        width: to each side; of its logarithm if `by_factors`.
        by_factors: whether slopes differ by factors.
    """

    best: float
    width: float
    by_factors: bool

    @classmethod
    def about(cls, rows: WeightedRows, best: float) -> Interval:
        """Where the optima of draws are."""
        error = rows.error(best)
        if error < RELATIVE * abs(best):
            return cls(best, min(WIDEST, REACH * error / abs(best)), True)
        return cls(best, REACH * error, False)

    def at(self, t: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """The slopes at some t in [-1, 1]."""
        if self.by_factors:
            return self.best * np.exp(self.width * t)
        return self.best + self.width * t


def coefficients(rows: WeightedRows, over: Interval) -> Float[np.ndarray, "n p"] | None:
    """Of the Chebyshev series of each row's loss on an interval, by as few points as will do.

    None if no number of points does: where samples are few, or the logits of some beyond measure.
    """
    for p in POINTS:
        nodes = points(p)
        values = np.stack([rows.losses(t) for t in over.at(nodes).tolist()], axis=1)
        basis = series.chebvander(nodes, p - 1) * (2 / p)
        basis[:, 0] /= 2
        found = values @ basis
        size = rows.mass @ np.abs(found)
        if np.sum(size[-2:]) <= ENOUGH * np.sum(size):
            return found
    return None


def least(sums: Float[np.ndarray, "r p"], over: Interval) -> CurveMinima:
    """The optima of draws.

    Args:
        sums: mean of the coefficients of the rows in each draw.
        over: the interval that they are for.
    """
    first = series.chebder(sums, axis=1).T
    second = series.chebder(first, axis=0)
    above = np.ones(len(sums))
    below = -above
    inside = (_value(below, first) < 0) & (_value(above, first) > 0)
    t = np.zeros(len(sums))
    for _ in range(STEPS):
        gradient = _value(t, first)
        below, above = np.where(gradient < 0, t, below), np.where(gradient > 0, t, above)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = t - gradient / _value(t, second)
        following = np.where((step >= below) & (step <= above), step, (below + above) / 2)
        if np.all(np.abs(following - t)[inside] <= np.finfo(np.float64).eps):
            break
        t = following
    return CurveMinima(over.at(t), _value(t, sums.T), inside)


def _value(t: Float[np.ndarray, " r"], of: Float[np.ndarray, "p r"]) -> Float[np.ndarray, " r"]:
    """Of r series, each at its t."""
    return np.asarray(series.chebval(t, of, tensor=False))
