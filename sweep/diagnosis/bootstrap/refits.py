"""The recalibrations of bootstrap samples: best slope and intercept, together and each alone.

Whether a sample has a finite optimum is decided exactly, as for the data, by the nodes that were
drawn. What Newton's method on the device does not reach is left to the slower and safer one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from sweep.base.errors import InputError
from sweep.diagnosis.bootstrap.nodes import LogitNodes
from sweep.diagnosis.one_parameter import intercept_alone, slope_alone
from sweep.diagnosis.scores import entropy
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.optima.newton import minimise

if TYPE_CHECKING:
    from jax import Array

EIGHTHS = 8
"""Shapes that are compiled for between a power of two and the next."""

TINY = float(np.finfo(np.float64).tiny)
"""In place of 0 in a divisor."""

Row = Float[np.ndarray, " r"]
"""A number for each bootstrap sample."""

Wanted = Bool[np.ndarray, " r"]
"""The samples that something is to be found of."""

Exact = Callable[[Measure], tuple[float, float, float]]
"""Finds the same as the device, of one sample: two parameters and the loss."""


@dataclass(frozen=True, eq=False)
class BootstrapWeights:
    """Weights of each node in r bootstrap samples.

    Attributes:
        weight: shape (r, M).
        on_device: the same on the device, padded.
    """

    weight: Float[np.ndarray, "r M"]
    on_device: Array

    @classmethod
    def of(cls, weight: Float[np.ndarray, "r M"], at_once: int) -> BootstrapWeights:
        """Sends weights of at most so many samples to the device."""
        from sweep.diagnosis.bootstrap.newton import sent

        return cls(weight, sent(weight, (at_once, _eighth(weight.shape[1]))))

    def sums(self, columns: Float[np.ndarray, "M c"]) -> Float[np.ndarray, "r c"]:
        """Sums of values at the nodes, by weight."""
        from sweep.diagnosis.bootstrap.newton import sums

        return sums(self.on_device, columns)[: len(self.weight)]


@dataclass(frozen=True, eq=False)
class Refits:
    """Optima of r bootstrap samples, each field of shape (r,).

    All are nan where only one class was drawn, or where nothing was found. Where the classes are
    separated, a is infinite, b nan and the loss its infimum; where all logits are equal, a and b
    are nan.

    Attributes:
        a: slope of the best recalibration.
        b: its intercept.
        both: cross-entropy there, in nats.
        slope: least cross-entropy with a slope alone, b = 0.
        intercept: least cross-entropy with an intercept alone, a = 1.
    """

    a: Row
    b: Row
    both: Row
    slope: Row
    intercept: Row


@dataclass(frozen=True, eq=False)
class Start:
    """The optima on the data, near which those of samples are; not finite where there are none.

    Attributes:
        a: slope of the best recalibration.
        b: its intercept.
        slope: the best slope alone.
        intercept: the best intercept alone.
    """

    a: float
    b: float
    slope: float
    intercept: float


@dataclass(frozen=True, eq=False)
class Refitter:
    """Finds the recalibrations of bootstrap samples.

    Attributes:
        nodes: what they are drawn from.
        start: the optima on the data.
    """

    nodes: LogitNodes
    start: Start

    def __call__(self, samples: BootstrapWeights) -> Refits:
        """The optima of samples."""
        weight, drawn = samples.weight, samples.weight > 0
        ends = _Ends.of(self.nodes, drawn)
        a, b, both = self._together(samples, ends.overlap)
        for i in np.flatnonzero(ends.two_classes & ~ends.overlap):
            a[i], both[i] = ends.direction[i], self._infimum(weight[i], ends.tie[i])
        slope = self._by_slope(samples, ends.two_classes, drawn)
        return Refits(a, b, both, slope, self._by_intercept(samples, ends.two_classes))

    def _together(self, samples: BootstrapWeights, wanted: Wanted) -> tuple[Row, Row, Row]:
        """Slope, intercept and loss, of samples whose classes overlap."""
        if not wanted.any():
            none = np.full(len(wanted), np.nan)
            return none, none.copy(), none.copy()
        nodes, start = self.nodes, self.start
        curve = self._curvature(start.a, start.b)
        # Where the Hessian on the data is the unit matrix, but for a factor.
        centre = float(np.sum(curve * nodes.z) / max(np.sum(curve), TINY))
        unit = _spread(nodes.z - centre, curve)
        plane = self._sign * ((nodes.z - centre) / unit), self._sign, np.zeros(len(nodes))
        near = start.a * unit, start.b + start.a * centre

        def exact(measure: Measure) -> tuple[float, float, float]:
            found = minimise(measure)
            return found.a * unit, found.b + found.a * centre, found.value

        theta, loss = self._descended(plane, near, samples, wanted, exact)
        a = theta[:, 0] / unit
        return a, theta[:, 1] - a * centre, loss

    def _by_slope(
        self, samples: BootstrapWeights, wanted: Wanted, drawn: Bool[np.ndarray, "r M"]
    ) -> Row:
        """Least loss with a slope alone, which is infinite where all margins have one sign."""
        nodes, slope = self.nodes, self.start.slope
        margin, weight = nodes.margin, samples.weight
        total = np.where(wanted, np.sum(weight, axis=1), np.nan)
        loss = np.sum(weight[:, margin == 0], axis=1) / total * math.log(2)
        finite = drawn[:, margin > 0].any(axis=1) & drawn[:, margin < 0].any(axis=1) & wanted
        if not finite.any():
            return loss
        curve = self._curvature(slope, 0.0)
        unit = _spread(nodes.z, curve)
        still = np.zeros(len(nodes))

        def exact(measure: Measure) -> tuple[float, float, float]:
            a, value = slope_alone(measure)
            return a * unit, 0.0, value

        plane, near = (margin / unit, still, still), (slope * unit, 0.0)
        return np.where(finite, self._descended(plane, near, samples, finite, exact)[1], loss)

    def _by_intercept(self, samples: BootstrapWeights, wanted: Wanted) -> Row:
        """Least loss with an intercept alone."""

        def exact(measure: Measure) -> tuple[float, float, float]:
            b, value = intercept_alone(measure)
            return 0.0, b, value

        plane = np.zeros(len(self.nodes)), self._sign, self.nodes.margin
        return self._descended(plane, (0.0, self.start.intercept), samples, wanted, exact)[1]

    def _descended(
        self,
        plane: tuple[np.ndarray, np.ndarray, np.ndarray],
        near: tuple[float, float],
        samples: BootstrapWeights,
        wanted: Wanted,
        exact: Exact,
    ) -> tuple[Float[np.ndarray, "r 2"], Row]:
        """Parameters and loss of samples that have an optimum, nan of others."""
        from sweep.diagnosis.bootstrap.newton import minimise

        theta, loss, converged = minimise(plane, near, samples.on_device, wanted)
        theta[~wanted], loss[~wanted] = np.nan, np.nan
        for i in np.flatnonzero(wanted & ~converged):
            try:
                *theta[i], loss[i] = exact(self._measure(samples.weight[i]))
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
        """Of a sample whose classes meet in one logit at most: what the points there have."""
        first, last = (
            np.searchsorted(self.nodes.z, tie),
            np.searchsorted(self.nodes.z, tie, "right"),
        )
        there, ones = weight[first:last], self.nodes.y[first:last]
        mass = np.array([np.sum(there[~ones]), np.sum(there[ones])])
        if not np.all(mass):
            return 0.0
        return float(entropy(mass / np.sum(mass)) * np.sum(mass) / np.sum(weight))

    def _curvature(self, a: float, b: float) -> Float[np.ndarray, " M"]:
        """By how much each node curves the loss of the data."""
        tail = np.exp(-np.abs(a * self.nodes.z + b))
        return self.nodes.count * self.nodes.weight * tail / (1 + tail) ** 2

    @cached_property
    def _sign(self) -> Float[np.ndarray, " M"]:
        return np.where(self.nodes.y, 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class _Ends:
    """The extreme logits of each class in each sample; (inf, -inf) where it was not drawn."""

    low0: Row
    high0: Row
    low1: Row
    high1: Row

    @classmethod
    def of(cls, nodes: LogitNodes, drawn: Bool[np.ndarray, "r M"]) -> _Ends:
        """Of the nodes that were drawn."""
        ends = []
        for label in (False, True):
            z, some = nodes.z[nodes.y == label], drawn[:, nodes.y == label]
            if len(z) == 0:
                ends += [np.full(len(drawn), np.inf), np.full(len(drawn), -np.inf)]
                continue
            any_drawn = some.any(axis=1)
            first, last = np.argmax(some, axis=1), len(z) - 1 - np.argmax(some[:, ::-1], axis=1)
            ends += [np.where(any_drawn, z[first], np.inf), np.where(any_drawn, z[last], -np.inf)]
        return cls(*ends)

    @property
    def two_classes(self) -> Bool[np.ndarray, " r"]:
        """Whether both classes were drawn."""
        return (self.low0 <= self.high0) & (self.low1 <= self.high1)

    @property
    def overlap(self) -> Bool[np.ndarray, " r"]:
        """Whether there is one finite optimum of slope and intercept."""
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


def _spread(offset: Float[np.ndarray, " M"], curve: Float[np.ndarray, " M"]) -> float:
    """Root mean square where the loss curves; 1 where it does so nowhere, or only at 0."""
    largest = max(float(np.max(np.abs(offset))), TINY)
    square = np.sum(curve * (offset / largest) ** 2) / max(np.sum(curve), TINY)
    return largest * math.sqrt(square) if square > 0 else 1.0


def _eighth(n: int) -> int:
    """The least number >= n that is a whole number of eighths of a power of two."""
    step = max(EIGHTHS, 2 ** (n - 1).bit_length() // (2 * EIGHTHS))
    return step * -(-n // step)
