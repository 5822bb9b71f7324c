"""The recalibrations of bootstrap samples: best slope and intercept, together and each alone.

Whether a sample has a finite optimum is decided exactly, from the nodes it draws. Newton's method
on the device finds the optima; the few that it misses are left to a slower, safer method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from sweep.base.errors import InputError
from sweep.diagnosis.bootstrap.newton import minimise_samples, node_sums, on_device
from sweep.diagnosis.bootstrap.nodes import LogitNodes
from sweep.diagnosis.one_parameter import intercept_alone, slope_alone
from sweep.diagnosis.scores import entropy
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.optima.newton import minimise

EIGHTHS = 8  # shapes that are compiled between a power of two and the next
TINY = float(np.finfo(np.float64).tiny)  # replaces 0 in a divisor

Row = Float[np.ndarray, " r"]
"""A number for each bootstrap sample."""

Selected = Bool[np.ndarray, " r"]
"""The bootstrap samples that an optimum is computed for."""

SafeMethod = Callable[[Measure], tuple[float, float, float]]
"""Finds the optimum of one sample: two parameters and the loss."""


@dataclass(frozen=True, eq=False)
class BootstrapWeights:
    """Weight of each node in r bootstrap samples."""

    weight: Float[np.ndarray, "r M"]  # shape (r, M)
    padded: Array  # the same on the device, padded with zeros

    @classmethod
    def of(cls, weight: Float[np.ndarray, "r M"], batch_size: int) -> BootstrapWeights:
        """Copies the weights of at most `batch_size` samples to the device."""
        return cls(weight, on_device(weight, (batch_size, _eighth(weight.shape[1]))))

    def sums(self, columns: Float[np.ndarray, "M c"]) -> Float[np.ndarray, "r c"]:
        """Weighted sums of values at the nodes, for each sample."""
        return node_sums(self.padded, columns)[: len(self.weight)]


@dataclass(frozen=True, eq=False)
class Refits:
    """Optima of r bootstrap samples, each field of shape (r,).

    All are nan where a sample has one class only, or where no method converges. Where the classes
    are separated, a is infinite, b is nan and the loss is its infimum; where all logits are equal,
    a and b are nan.
    """

    a: Row  # slope of the best recalibration
    b: Row  # intercept of the best recalibration
    both: Row  # cross-entropy at (a, b), in nats
    slope: Row  # least cross-entropy with a slope alone, b = 0
    intercept: Row  # least cross-entropy with an intercept alone, a = 1


@dataclass(frozen=True, eq=False)
class Start:
    """The optima of the data, near those of the samples; not finite where there are none."""

    a: float  # slope of the best recalibration
    b: float  # intercept of the best recalibration
    slope: float  # the best slope alone
    intercept: float  # the best intercept alone


@dataclass(frozen=True, eq=False)
class Refitter:
    """Recalibrates bootstrap samples."""

    nodes: LogitNodes  # the nodes that samples are drawn from
    start: Start  # the optima of the data

    def __call__(self, samples: BootstrapWeights) -> Refits:
        """The optima of samples."""
        weight, drawn = samples.weight, samples.weight > 0
        ranges = _ClassRanges.of(self.nodes, drawn)
        a, b, both = self._together(samples, ranges.overlap)
        for i in np.flatnonzero(ranges.two_classes & ~ranges.overlap):
            a[i], both[i] = ranges.direction[i], self._infimum(weight[i], ranges.tie[i])
        slope = self._by_slope(samples, ranges.two_classes, drawn)
        return Refits(a, b, both, slope, self._by_intercept(samples, ranges.two_classes))

    def _together(self, samples: BootstrapWeights, selected: Selected) -> tuple[Row, Row, Row]:
        """Slope, intercept and loss of the selected samples, whose classes overlap."""
        if not selected.any():
            none = np.full(len(selected), np.nan)
            return none, none.copy(), none.copy()
        nodes, start = self.nodes, self.start
        curvature = self._curvature(start.a, start.b)
        # Coordinates in which the Hessian of the data is a multiple of the unit matrix.
        centre = float(np.sum(curvature * nodes.z) / max(np.sum(curvature), TINY))
        unit = _rms(nodes.z - centre, curvature)
        plane = self._sign * ((nodes.z - centre) / unit), self._sign, np.zeros(len(nodes))
        near = start.a * unit, start.b + start.a * centre

        def safe(measure: Measure) -> tuple[float, float, float]:
            best = minimise(measure)
            return best.a * unit, best.b + best.a * centre, best.value

        theta, loss = self._minimise(plane, near, samples, selected, safe)
        a = theta[:, 0] / unit
        return a, theta[:, 1] - a * centre, loss

    def _by_slope(
        self, samples: BootstrapWeights, selected: Selected, drawn: Bool[np.ndarray, "r M"]
    ) -> Row:
        """Least loss with a slope alone, which is infinite where all margins have one sign."""
        nodes, slope = self.nodes, self.start.slope
        margin, weight = nodes.margin, samples.weight
        total = np.where(selected, np.sum(weight, axis=1), np.nan)
        loss = np.sum(weight[:, margin == 0], axis=1) / total * math.log(2)
        finite = drawn[:, margin > 0].any(axis=1) & drawn[:, margin < 0].any(axis=1) & selected
        if not finite.any():
            return loss
        unit = _rms(nodes.z, self._curvature(slope, 0.0))
        zeros = np.zeros(len(nodes))

        def safe(measure: Measure) -> tuple[float, float, float]:
            a, value = slope_alone(measure)
            return a * unit, 0.0, value

        plane, near = (margin / unit, zeros, zeros), (slope * unit, 0.0)
        return np.where(finite, self._minimise(plane, near, samples, finite, safe)[1], loss)

    def _by_intercept(self, samples: BootstrapWeights, selected: Selected) -> Row:
        """Least loss with an intercept alone."""

        def safe(measure: Measure) -> tuple[float, float, float]:
            b, value = intercept_alone(measure)
            return 0.0, b, value

        plane = np.zeros(len(self.nodes)), self._sign, self.nodes.margin
        return self._minimise(plane, (0.0, self.start.intercept), samples, selected, safe)[1]

    def _minimise(
        self,
        plane: tuple[np.ndarray, np.ndarray, np.ndarray],
        near: tuple[float, float],
        samples: BootstrapWeights,
        selected: Selected,
        safe: SafeMethod,
    ) -> tuple[Float[np.ndarray, "r 2"], Row]:
        """Parameters and loss of the selected samples, which have an optimum; nan for others."""
        theta, loss, converged = minimise_samples(plane, near, samples.padded, selected)
        theta[~selected], loss[~selected] = np.nan, np.nan
        for i in np.flatnonzero(selected & ~converged):
            try:
                *theta[i], loss[i] = safe(self._measure(samples.weight[i]))
            except InputError:
                theta[i], loss[i] = np.nan, np.nan
        return theta, loss

    def _measure(self, weight: Float[np.ndarray, " M"]) -> Measure:
        nodes, points = self.nodes, []
        for label in (False, True):
            kept = (nodes.y == label) & (weight > 0)
            points.append(Points(nodes.z[kept], weight[kept]))
        return Measure(*points, n=len(nodes), fingerprint="")

    def _infimum(self, weight: Float[np.ndarray, " M"], tie: float) -> float:
        """Infimum of a separated sample: the entropy of the only logit that both classes share."""
        z = self.nodes.z
        first, last = np.searchsorted(z, tie), np.searchsorted(z, tie, "right")
        tied, is_class1 = weight[first:last], self.nodes.y[first:last]
        mass = np.array([np.sum(tied[~is_class1]), np.sum(tied[is_class1])])
        if not np.all(mass):
            return 0.0
        return float(entropy(mass / np.sum(mass)) * np.sum(mass) / np.sum(weight))

    def _curvature(self, a: float, b: float) -> Float[np.ndarray, " M"]:
        """Second derivative of the loss of each node by its log-odds, at (a, b)."""
        tail = np.exp(-np.abs(a * self.nodes.z + b))
        return self.nodes.count * self.nodes.weight * tail / (1 + tail) ** 2

    @cached_property
    def _sign(self) -> Float[np.ndarray, " M"]:
        return np.where(self.nodes.y, 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class _ClassRanges:
    """The extreme logits of each class in each sample; (inf, -inf) for a class without samples."""

    low0: Row
    high0: Row
    low1: Row
    high1: Row

    @classmethod
    def of(cls, nodes: LogitNodes, drawn: Bool[np.ndarray, "r M"]) -> _ClassRanges:
        """The ranges of the nodes that were drawn."""
        ends = []
        for label in (False, True):
            z, of_class = nodes.z[nodes.y == label], drawn[:, nodes.y == label]
            if len(z) == 0:
                ends += [np.full(len(drawn), np.inf), np.full(len(drawn), -np.inf)]
                continue
            is_drawn = of_class.any(axis=1)
            first = np.argmax(of_class, axis=1)
            last = len(z) - 1 - np.argmax(of_class[:, ::-1], axis=1)
            ends += [np.where(is_drawn, z[first], np.inf), np.where(is_drawn, z[last], -np.inf)]
        return cls(*ends)

    @property
    def two_classes(self) -> Bool[np.ndarray, " r"]:
        """Whether both classes were drawn."""
        return (self.low0 <= self.high0) & (self.low1 <= self.high1)

    @property
    def overlap(self) -> Bool[np.ndarray, " r"]:
        """Whether slope and intercept have a finite optimum."""
        return self.two_classes & (self.low0 < self.high1) & (self.low1 < self.high0)

    @property
    def direction(self) -> Row:
        """The infinite slope of separated classes; nan where all logits are equal."""
        constant = (self.low0 == self.high1) & (self.low1 == self.high0)
        return np.where(constant, np.nan, np.where(self.high0 <= self.low1, np.inf, -np.inf))

    @property
    def tie(self) -> Row:
        """The only logit that separated classes can share."""
        return np.minimum(self.high0, self.high1)


def _rms(offset: Float[np.ndarray, " M"], weight: Float[np.ndarray, " M"]) -> float:
    """Weighted root mean square; 1 where it would be 0."""
    largest = max(float(np.max(np.abs(offset))), TINY)
    square = np.sum(weight * (offset / largest) ** 2) / max(np.sum(weight), TINY)
    return largest * math.sqrt(square) if square > 0 else 1.0


def _eighth(n: int) -> int:
    """The least number >= n that is a whole number of eighths of a power of two."""
    step = max(EIGHTHS, 2 ** (n - 1).bit_length() // (2 * EIGHTHS))
    return step * -(-n // step)
