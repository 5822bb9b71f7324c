"""The bootstrap of several classes, by sums over units: rows, or of many rows groups at random.

Every mean of a draw is a product of its counts with sums over units. Rows are dealt to groups at
random, so that groups drawn with replacement scatter ratios of sums as rows do. Shares of the loss
are no such sums: by rows they are found exactly, by groups to the first order in what a draw
changes, by the influence of each row (Hampel 1974, The Influence Curve, J. Am. Stat. Assoc. 69).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from sweep.data.predictions import Predictions
from sweep.diagnosis.bootstrap.binary import Replicates, in_parts, shares
from sweep.diagnosis.bootstrap.draws import draw_rows, seeds
from sweep.diagnosis.bootstrap.loss_curve import Interval, coefficients, least
from sweep.diagnosis.bootstrap.refits import Row
from sweep.diagnosis.report import TemperatureOptimum
from sweep.diagnosis.scores import class_shares, correct, entropy, losses, squared_errors
from sweep.diagnosis.temperature import WeightedRows
from sweep.optima.records import OptimumStatus

MOST, FEWEST = 2**14, 2**10
"""Units at most, and as few of them at most as many classes leave room for."""

ROOM = 2**22
"""Sums over units that there is room for: 32 MiB."""

SUMS = 48
"""Sums over a unit beside those by class."""


def bootstrap_several(
    predictions: Predictions, found: TemperatureOptimum, replicates: int, seed: int
) -> Replicates:
    """The numbers of bootstrap samples of the predictions of several classes.

    The slope is that of softmax(a z), nan where it is beyond what is known of groups; the intercept
    is nan.

    Args:
        predictions: of several classes.
        found: `sweep.diagnosis.temperature.temperature_optimum` of them.
        replicates: samples to draw, at least 1.
        seed: of the draws.
    """
    units = ResamplingUnits.of(predictions.with_weight, found, seed)
    units.prepare()
    return in_parts(units.drawn, seeds(units, replicates, seed))


@dataclass(frozen=True, eq=False)
class ResamplingUnits:
    """What bootstrap samples are drawn from.

    Attributes:
        predictions: the data, every row with weight.
        found: their optimum.
        unit: of each row, shape (n,), from 0.
        count: how many there are.
    """

    predictions: Predictions
    found: TemperatureOptimum
    unit: Int[np.ndarray, " n"]
    count: int

    @classmethod
    def of(cls, predictions: Predictions, found: TemperatureOptimum, seed: int) -> ResamplingUnits:
        """Each row by itself, or if there are too many, groups of them."""
        n, k = len(predictions), len(predictions.classes)
        most = min(MOST, max(FEWEST, ROOM // (3 * k + SUMS)))
        if n <= most:
            return cls(predictions, found, np.arange(n), n)
        dealt = np.random.default_rng(np.random.SeedSequence([seed, n])).permutation(n)
        return cls(predictions, found, dealt % most, most)

    def __len__(self) -> int:
        return self.count

    @property
    def grouped(self) -> bool:
        """Whether they are not rows."""
        return self.count < len(self.unit)

    def prepare(self) -> None:
        """Makes what all draws need, so that no two threads make it at once."""
        with np.errstate(invalid="ignore", divide="ignore"):
            self.of_draws(np.ones((1, self.count)))

    def drawn(self, generator: np.random.Generator, samples: int) -> Replicates:
        """The numbers of so many bootstrap samples."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.of_draws(draw_rows(self.count, generator, samples))

    def of_draws(self, count: Float[np.ndarray, "r U"]) -> Replicates:
        """The numbers of samples, by how often each unit is in them."""
        total, loss, right, squares = (count @ self._means).T
        by_class, class_loss, class_right = np.split(count @ self._by_class, 3, axis=1)
        share = by_class / total[:, None]
        slope, least_loss = self._optima(count, total)
        worst_1_percent, worst_10_percent, gini = self._shares(count, loss)
        saved = loss / total - least_loss
        return Replicates(
            cross_entropy=loss / total,
            accuracy=right / total,
            brier=squares / total,
            base_rate_entropy=entropy(share),
            majority_accuracy=share[:, self._majority],
            slope=slope,
            intercept=np.full(len(count), np.nan),
            recalibrated=least_loss,
            by_slope=saved,
            by_intercept=np.zeros(len(count)),
            by_both=saved,
            worst_1_percent=worst_1_percent,
            worst_10_percent=worst_10_percent,
            gini=gini,
            class_cross_entropy=class_loss / by_class,
            class_accuracy=class_right / by_class,
        )

    # --- sums over units --------------------------------------------------------------------

    def _sums(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " U"]:
        """Of values by weight over each unit."""
        return np.bincount(self.unit, self._weight * values, self.count)

    @cached_property
    def _weight(self) -> Float[np.ndarray, " n"]:
        """Of each row, in a unit in which no sum overflows."""
        return self.predictions.mass / np.max(self.predictions.mass)

    @cached_property
    def _loss(self) -> Float[np.ndarray, " n"]:
        return losses(self.predictions)

    @cached_property
    def _means(self) -> Float[np.ndarray, "U 4"]:
        """Weight, loss, what is right, and squared errors."""
        right = correct(self.predictions).astype(np.float64)
        columns = (np.ones(len(right)), self._loss, right, squared_errors(self.predictions))
        return np.stack([self._sums(column) for column in columns], axis=1)

    @cached_property
    def _by_class(self) -> Float[np.ndarray, "U m"]:
        """Weight, loss and what is right of each class, one after the other."""
        k, y = len(self.predictions.classes), self.predictions.y
        place, size = self.unit * k + y, self.count * k
        right = correct(self.predictions).astype(np.float64)
        columns = (self._weight, self._weight * self._loss, self._weight * right)
        sums = [np.bincount(place, column, size).reshape(-1, k) for column in columns]
        return np.concatenate(sums, axis=1)

    @cached_property
    def _majority(self) -> int:
        """The most frequent class of the data."""
        return int(np.argmax(class_shares(self.predictions)))

    # --- the best slope ---------------------------------------------------------------------

    def _optima(self, count: Float[np.ndarray, "r U"], total: Row) -> tuple[Row, Row]:
        """Slopes, and cross-entropies there."""
        if self.found.status is not OptimumStatus.finite:
            endless = self._rows.direction * np.inf if self._rows.direction else np.nan
            return np.full(len(count), endless), count @ self._sums(self._rows.ties) / total
        slope, value = np.full((2, len(count)), np.nan)
        inside = np.zeros(len(count), bool)
        if self._curves is not None:
            over, columns = self._curves
            near = least(count @ columns / total[:, None], over)
            inside = near.inside
            slope[inside] = near.slope[inside] / self._rows.unit
            value[inside] = near.value[inside]
        if self.grouped:
            return slope, value
        for i in np.flatnonzero(~inside):
            slope[i], value[i] = self._far(count[i])
        return slope, value

    @cached_property
    def _rows(self) -> WeightedRows:
        return WeightedRows.of(self.predictions)

    @cached_property
    def _curves(self) -> tuple[Interval, Float[np.ndarray, "U p"]] | None:
        """Cross-entropy of each unit near the best slope; None if it is not known there."""
        over = Interval.about(self._rows, self.found.a * self._rows.unit)
        each = coefficients(self._rows, over)
        if each is None:
            return None
        return over, np.stack([self._sums(column) for column in each.T], axis=1)

    def _far(self, count: Float[np.ndarray, " U"]) -> tuple[float, float]:
        """Slope and loss of a sample of rows of which they are far from those of the data."""
        rows = self._rows.drawn(count)
        best = rows.optimum
        if best.status is OptimumStatus.finite:
            return best.a, best.value
        return (rows.direction * np.inf if rows.direction else np.nan), best.value

    # --- shares of the loss -----------------------------------------------------------------

    def _shares(self, count: Float[np.ndarray, "r U"], loss: Row) -> tuple[Row, Row, Row]:
        """Worst 1%, worst 10% and Gini coefficient."""
        if self.grouped:
            worst_1_percent, worst_10_percent, gini = (count @ self._influences).T / loss
            return worst_1_percent, worst_10_percent, gini
        falling = np.argsort(-self._loss, kind="stable")
        counted = self.predictions.weight is None
        weight = count[:, falling] * self._weight[falling]
        return shares(weight, self._loss[falling], counted=counted)

    @cached_property
    def _influences(self) -> Float[np.ndarray, "U 3"]:
        """What each unit adds to the loss of the worst, and to that times the Gini coefficient."""
        order = np.argsort(self._loss)
        loss, weight = self._loss[order], self._weight[order]
        columns = np.empty((3, len(loss)))
        columns[:, order] = np.stack([*_worst(loss, weight), _differences(loss, weight)])
        return np.stack([self._sums(column) for column in columns], axis=1)


def _worst(
    loss: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> Iterator[Float[np.ndarray, " n"]]:
    """Influence of each row, in ascending order of loss, on the loss of the worst 1% and 10%."""
    below = np.cumsum(weight)
    for part in (0.01, 0.1):
        least_of_them = loss[np.searchsorted(below, (1 - part) * below[-1])]
        yield np.maximum(loss - least_of_them, 0.0) + part * least_of_them


def _differences(
    loss: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Influence of each row, likewise, on half the mean difference of two rows."""
    share = weight / np.sum(weight)
    below, part = np.cumsum(share), np.cumsum(share * loss)
    # Mean difference of each row from another: those below it, and those above.
    each = loss * (2 * below - 1) + part[-1] - 2 * part
    return each - np.sum(share * each) / 2
