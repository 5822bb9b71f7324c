"""The bootstrap of several classes, by sums over units: rows, or for many rows random groups.

Every mean over a draw is a product of its counts with sums over units. Rows are assigned to groups
at random, so that groups drawn with replacement vary like rows. Shares of the loss are not such
sums: for rows they are computed exactly, for groups to first order in the change of the counts, by
the influence of each row (Hampel 1974, The Influence Curve, J. Am. Stat. Assoc. 69).

The optimum of a draw is near that of the data. There the loss of each unit, a smooth function of
the slope, is interpolated at Chebyshev points, so the loss of a draw is one product with its counts
for any number of classes, and its optimum is the root of a polynomial.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.polynomial import chebyshev as series

from sweep.data.predictions import Predictions
from sweep.diagnosis.bootstrap.binary import LossShares, Replicates, by_batches, shares_of_samples
from sweep.diagnosis.bootstrap.nodes import batches, draw_rows
from sweep.diagnosis.bootstrap.refits import Refits, Row
from sweep.diagnosis.recalibration import WeightedRows
from sweep.diagnosis.report import TemperatureOptimum
from sweep.diagnosis.scores import class_shares, correct, squared_errors
from sweep.metrics.chebyshev import points
from sweep.optima.records import OptimumStatus

MAX_UNITS = 2**14
MIN_MAX_UNITS = 2**10  # the maximum does not fall below it, however many classes there are
MAX_SUMS = 2**22  # sums over units: 32 MiB
SUMS_BESIDES_CLASSES = 48  # sums over a unit that do not grow with the number of classes

HALF_WIDTH = 8.0  # of the interpolated slopes, in standard errors of the optimum
MAX_HALF_WIDTH_LOG = 3.0  # of the logarithm of the slope: a factor of 20
RELATIVE = 0.4  # standard error relative to the slope, below which slopes vary by factors
CHEBYSHEV_POINTS = (8, 16, 32, 64)  # tried in this order
INTERPOLATED = 1e-12  # sum of the last two coefficients relative to that of all
STEPS = 60  # Newton steps and bisections; bisection alone takes 53 for the bits of float64


def bootstrap_multiclass(
    predictions: Predictions, optimum: TemperatureOptimum, replicates: int, seed: int
) -> Replicates:
    """The scores of bootstrap samples of the predictions of several classes.

    The slope is that of softmax(a z), nan where it is outside the interpolated range of groups; the
    intercept is nan.
    """
    units = ResamplingUnits.of(predictions.with_weight, optimum, seed)
    units.prepare()
    return by_batches(units.draw, batches(units, replicates, seed))


@dataclass(frozen=True, eq=False)
class ResamplingUnits:
    """The units that bootstrap samples are drawn from."""

    predictions: Predictions  # the data, every row with weight
    optimum: TemperatureOptimum  # their best slope
    unit: Int[np.ndarray, " n"]  # unit of each row, from 0
    count: int  # number of units

    @classmethod
    def of(
        cls, predictions: Predictions, optimum: TemperatureOptimum, seed: int
    ) -> ResamplingUnits:
        """Single rows, or random groups of rows if there are too many."""
        n, k = len(predictions), len(predictions.classes)
        most = min(MAX_UNITS, max(MIN_MAX_UNITS, MAX_SUMS // (3 * k + SUMS_BESIDES_CLASSES)))
        if n <= most:
            return cls(predictions, optimum, np.arange(n), n)
        shuffled = np.random.default_rng(np.random.SeedSequence([seed, n])).permutation(n)
        return cls(predictions, optimum, shuffled % most, most)

    def __len__(self) -> int:
        return self.count

    @property
    def grouped(self) -> bool:
        """Whether units are groups of rows."""
        return self.count < len(self.unit)

    def prepare(self) -> None:
        """Computes what all draws share, so that no two threads compute it at once."""
        with np.errstate(invalid="ignore", divide="ignore"):
            self.scores(np.ones((1, self.count)))

    def draw(self, generator: np.random.Generator, samples: int) -> Replicates:
        """The scores of so many bootstrap samples."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.scores(draw_rows(self.count, generator, samples))

    def scores(self, count: Float[np.ndarray, "r U"]) -> Replicates:
        """The scores of samples, by how often each sample contains each unit."""
        sums = count @ self._columns
        by_class, class_loss, _ = np.split(sums[:, :-1], 3, axis=1)
        total, loss = np.sum(by_class, axis=1), np.sum(class_loss, axis=1)
        slope, least_loss = self._optima(count, total)
        undefined = np.full(len(count), np.nan)
        refits = Refits(slope, undefined, least_loss, least_loss, loss / total)
        return Replicates.of(sums, self._majority, refits, self._loss_shares(count, loss))

    # --- sums over units --------------------------------------------------------------------

    def _sums(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " U"]:
        """Weighted sums of the values over each unit."""
        return np.bincount(self.unit, self._weight * values, self.count)

    @cached_property
    def _weight(self) -> Float[np.ndarray, " n"]:
        """Weight of each row relative to the largest, so that no sum overflows."""
        return self.predictions.mass / np.max(self.predictions.mass)

    @cached_property
    def _columns(self) -> Float[np.ndarray, "U m"]:
        """The summands of `Replicates.of`, summed over each unit."""
        data, k = self.predictions, len(self.predictions.classes)
        cell, cells = self.unit * k + data.y, self.count * k
        summands = self._weight, self._weight * data.losses, self._weight * correct(data)
        by_class = [np.bincount(cell, v, cells).reshape(-1, k) for v in summands]
        return np.concatenate([*by_class, self._sums(squared_errors(data))[:, None]], axis=1)

    @cached_property
    def _majority(self) -> int:
        """The most frequent class of the data."""
        return int(np.argmax(class_shares(self.predictions)))

    # --- the best slope ---------------------------------------------------------------------

    def _optima(self, count: Float[np.ndarray, "r U"], total: Row) -> tuple[Row, Row]:
        """Best slopes, and cross-entropies there."""
        if self.optimum.status is not OptimumStatus.finite:
            slope = np.full(len(count), self._rows.slope_of(self.optimum))
            return slope, count @ self._sums(self._rows.tie_losses) / total
        slope, value = np.full((2, len(count)), np.nan)
        inside = np.zeros(len(count), bool)
        if self._curves is not None:
            interval, columns = self._curves
            minima = minimise_series(count @ columns / total[:, None], interval)
            inside = minima.inside
            slope[inside] = minima.slope[inside] / self._rows.unit
            value[inside] = minima.value[inside]
        if self.grouped:
            return slope, value
        for i in np.flatnonzero(~inside):
            rows = self._rows.resampled(count[i])
            slope[i], value[i] = rows.slope_of(rows.optimum), rows.optimum.value
        return slope, value

    @cached_property
    def _rows(self) -> WeightedRows:
        return WeightedRows.of(self.predictions)

    @cached_property
    def _curves(self) -> tuple[SlopeInterval, Float[np.ndarray, "U p"]] | None:
        """Series of the loss of each unit around the best slope; None if there is none."""
        interval = SlopeInterval.around(self._rows, self.optimum.a * self._rows.unit)
        by_row = coefficients(self._rows, interval)
        if by_row is None:
            return None
        return interval, np.stack([self._sums(column) for column in by_row.T], axis=1)

    # --- shares of the loss -----------------------------------------------------------------

    def _loss_shares(self, count: Float[np.ndarray, "r U"], loss: Row) -> LossShares:
        """The shares of the loss of samples, given their sums of it."""
        if self.grouped:
            return LossShares(*(count @ self._influences).T / loss)
        row_loss = self.predictions.losses
        falling = np.argsort(-row_loss, kind="stable")
        counted = self.predictions.weight is None
        weight = count[:, falling] * self._weight[falling]
        return shares_of_samples(weight, row_loss[falling], counted=counted)

    @cached_property
    def _influences(self) -> Float[np.ndarray, "U 3"]:
        """Influence of each unit on the loss of the worst, and on the loss times Gini."""
        order = np.argsort(self.predictions.losses)
        loss, weight = self.predictions.losses[order], self._weight[order]
        columns = np.empty((3, len(loss)))
        influences = [*_worst_influence(loss, weight), _pair_influence(loss, weight)]
        columns[:, order] = np.stack(influences)
        return np.stack([self._sums(column) for column in columns], axis=1)


def _worst_influence(
    loss: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> Iterator[Float[np.ndarray, " n"]]:
    """Influence of each row, in ascending order of loss, on the loss of the worst 1% and 10%."""
    below = np.cumsum(weight)
    for fraction in (0.01, 0.1):
        least_of_worst = loss[np.searchsorted(below, (1 - fraction) * below[-1])]
        yield np.maximum(loss - least_of_worst, 0.0) + fraction * least_of_worst


def _pair_influence(
    loss: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Influence of each row, in ascending order of loss, on half the mean pair difference."""
    share = weight / np.sum(weight)
    below, loss_below = np.cumsum(share), np.cumsum(share * loss)
    # Mean difference of each row from the rows below it, and from those above it.
    difference = loss * (2 * below - 1) + loss_below[-1] - 2 * loss_below
    return difference - np.sum(share * difference) / 2


# --- the loss against the slope, interpolated ---------------------------------------------------


class CurveMinima(NamedTuple):
    """Optima of draws."""

    slope: Float[np.ndarray, " r"]  # slope per unit; meaningless where it is not inside
    value: Float[np.ndarray, " r"]  # cross-entropy at that slope, in nats
    inside: Bool[np.ndarray, " r"]  # whether the optimum is inside the interval of interpolation


@dataclass(frozen=True)
class SlopeInterval:
    """An interval of slopes around the best one, mapped to t in [-1, 1] with the best at t = 0."""

    best: float  # best slope, per unit
    half_width: float  # half-width of the slope, or of its logarithm if `by_factors`
    by_factors: bool  # whether slopes vary by factors

    @classmethod
    def around(cls, rows: WeightedRows, best: float) -> SlopeInterval:
        """The interval that holds the optima of draws."""
        error = rows.standard_error(best)
        if error < RELATIVE * abs(best):
            return cls(best, min(MAX_HALF_WIDTH_LOG, HALF_WIDTH * error / abs(best)), True)
        return cls(best, HALF_WIDTH * error, False)

    def at(self, t: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """The slopes at t."""
        if self.by_factors:
            return self.best * np.exp(self.half_width * t)
        return self.best + self.half_width * t


def coefficients(rows: WeightedRows, interval: SlopeInterval) -> Float[np.ndarray, "n p"] | None:
    """Chebyshev coefficients of each row's loss on an interval, with as few points as suffice.

    None if no number of points suffices: for few samples, or where some logits are extreme.
    """
    for p in CHEBYSHEV_POINTS:
        nodes = points(p)
        values = np.stack([rows.losses(t) for t in interval.at(nodes).tolist()], axis=1)
        basis = series.chebvander(nodes, p - 1) * (2 / p)
        basis[:, 0] /= 2
        by_row = values @ basis
        size = rows.mass @ np.abs(by_row)
        if np.sum(size[-2:]) <= INTERPOLATED * np.sum(size):
            return by_row
    return None


def minimise_series(sums: Float[np.ndarray, "r p"], interval: SlopeInterval) -> CurveMinima:
    """The optima of draws, by Newton's method with bisection."""
    first = series.chebder(sums, axis=1).T
    second = series.chebder(first, axis=0)
    above = np.ones(len(sums))
    below = -above
    inside = (_values(below, first) < 0) & (_values(above, first) > 0)
    t = np.zeros(len(sums))
    for _ in range(STEPS):
        gradient = _values(t, first)
        below, above = np.where(gradient < 0, t, below), np.where(gradient > 0, t, above)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = t - gradient / _values(t, second)
        following = np.where((newton >= below) & (newton <= above), newton, (below + above) / 2)
        if np.all(np.abs(following - t)[inside] <= np.finfo(np.float64).eps):
            break
        t = following
    return CurveMinima(interval.at(t), _values(t, sums.T), inside)


def _values(
    t: Float[np.ndarray, " r"], coefficients: Float[np.ndarray, "p r"]
) -> Float[np.ndarray, " r"]:
    """The values of r series, each at its t."""
    return np.asarray(series.chebval(t, coefficients, tensor=False))
