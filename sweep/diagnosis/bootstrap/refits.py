"""The recalibrations of bootstrap samples: best slope and intercept, together and each alone.

Whether a sample has a finite optimum is decided exactly, from the nodes it draws. Samples differ
from the data only in how often they draw each node, so their optima are near that of the data, and
a few steps of Newton's method on the device suffice from there. The few samples that it misses are
left to a slower, safer method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from sweep.base.errors import InputError
from sweep.diagnosis.bootstrap.nodes import LogitNodes
from sweep.diagnosis.recalibration import LossDecomposition, intercept_alone, slope_alone
from sweep.diagnosis.scores import entropy
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.metrics.logistic import loss_terms
from sweep.optima.batched import BatchDerivatives, Pair, PerSample, minimise_batch
from sweep.optima.cross_entropy import minimise

EIGHTHS = 8  # shapes that are compiled between a power of two and the next
TINY = float(np.finfo(np.float64).tiny)  # replaces 0 in a divisor
MAX_STEPS = 40  # Newton steps and halvings
CONVERGED = 1e-6  # length of a step; the error after it is of the order of its square: rounding

Row = Float[np.ndarray, " r"]
"""A number for each bootstrap sample."""

Selected = Bool[np.ndarray, " r"]
"""The bootstrap samples that an optimum is computed for."""

Start = tuple[Float[Array, ""], Float[Array, ""]]
"""The slope and level from which all samples start."""

SafeMethod = Callable[[Measure], tuple[float, float, float]]
"""Finds the optimum of one sample: two parameters and the loss."""


class BootstrapWeights:
    """Weight of each node in r bootstrap samples, on the host and on the device."""

    def __init__(self, weight: Float[np.ndarray, "r M"], batch_size: int) -> None:
        self.weight = weight
        samples, nodes = weight.shape  # padded with zeros to one of a few shapes
        padding = ((0, batch_size - samples), (0, _eighth(nodes) - nodes))
        with jax.enable_x64(True):
            self.padded = jnp.asarray(np.pad(weight, padding))

    def sums(self, columns: Float[np.ndarray, "M c"]) -> Float[np.ndarray, "r c"]:
        """Weighted sums of values at the nodes, for each sample.

        The threads of a BLAS on the host would wait actively and keep others from working.
        """
        padded = np.pad(columns, ((0, self.padded.shape[1] - len(columns)), (0, 0)))
        with jax.enable_x64(True):
            return np.asarray(_product(self.padded, jnp.asarray(padded)))[: len(self.weight)]


@jax.jit
def _product(weight: Float[Array, "R N"], columns: Float[Array, "N c"]) -> Float[Array, "R c"]:
    return weight @ columns


class Refits(NamedTuple):
    """Optima of r bootstrap samples.

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
class Refitter:
    """Recalibrates bootstrap samples."""

    nodes: LogitNodes  # that samples are drawn from
    start: LossDecomposition  # of the data: its optima are near those of the samples

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

        slope, level, loss = self._minimise(plane, near, samples, selected, safe)
        a = slope / unit
        return a, level - a * centre, loss

    def _by_slope(
        self, samples: BootstrapWeights, selected: Selected, drawn: Bool[np.ndarray, "r M"]
    ) -> Row:
        """Least loss with a slope alone, which is infinite where all margins have one sign."""
        nodes, slope = self.nodes, self.start.slope_alone
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
        return np.where(finite, self._minimise(plane, near, samples, finite, safe)[2], loss)

    def _by_intercept(self, samples: BootstrapWeights, selected: Selected) -> Row:
        """Least loss with an intercept alone."""

        def safe(measure: Measure) -> tuple[float, float, float]:
            b, value = intercept_alone(measure)
            return 0.0, b, value

        plane = np.zeros(len(self.nodes)), self._sign, self.nodes.margin
        near = 0.0, self.start.intercept_alone
        return self._minimise(plane, near, samples, selected, safe)[2]

    def _minimise(
        self,
        plane: tuple[np.ndarray, np.ndarray, np.ndarray],
        near: tuple[float, float],
        samples: BootstrapWeights,
        selected: Selected,
        safe: SafeMethod,
    ) -> tuple[Row, Row, Row]:
        """Parameters and loss of the selected samples, which have an optimum; nan for others."""
        count, nodes = samples.padded.shape
        fixed = np.array([float(not np.any(v)) for v in plane[:2]])
        padded = [np.pad(np.asarray(v, np.float64), (0, nodes - len(v))) for v in plane]
        padded_selected = np.pad(selected, (0, count - len(selected)))
        with jax.enable_x64(True):
            device_plane = Plane(*map(jnp.asarray, (*padded, fixed)))
            optima = _minimise(device_plane, near, samples.padded, jnp.asarray(padded_selected))
            *values, converged = (np.array(v[: len(selected)]) for v in optima)
        found = np.where(selected, np.stack(values), np.nan)
        for i in np.flatnonzero(selected & ~converged):
            try:
                found[:, i] = safe(self._measure(samples.weight[i]))
            except InputError:
                found[:, i] = np.nan
        slope, level, loss = found
        return slope, level, loss

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
        nodes = self.nodes
        return loss_terms(a * nodes.z + b, nodes.count * nodes.weight).curvature

    @cached_property
    def _sign(self) -> Float[np.ndarray, " M"]:
        return np.where(self.nodes.y, 1.0, -1.0)


class _ClassRanges(NamedTuple):
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
    def two_classes(self) -> Selected:
        """Whether both classes were drawn."""
        return (self.low0 <= self.high0) & (self.low1 <= self.high1)

    @property
    def overlap(self) -> Selected:
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


# --- on the device ------------------------------------------------------------------------------


class Plane(NamedTuple):
    """Log-odds of the true label at M nodes, slope * first + level * second + offset."""

    first: Float[Array, " M"]
    second: Float[Array, " M"]
    offset: Float[Array, " M"]
    fixed: Float[Array, " 2"]  # 1 for a parameter that has no effect anywhere and stays, else 0

    @property
    def directions(self) -> Float[Array, "M 2"]:
        """Derivatives of the log-odds."""
        return jnp.stack([self.first, self.second], 1)

    @property
    def squares(self) -> Float[Array, "M 3"]:
        """Products of the derivatives."""
        first, second = self.first, self.second
        return jnp.stack([first * first, first * second, second * second], 1)


@jax.jit
def _minimise(
    plane: Plane, near: Start, weight: Float[Array, "R M"], selected: Bool[Array, " R"]
) -> tuple[PerSample, PerSample, PerSample, Bool[Array, " R"]]:
    """Slope, level, loss and whether it converged of the selected samples, from near there."""
    total = jnp.sum(weight, -1)

    def derivatives(slope: PerSample, level: PerSample) -> BatchDerivatives:
        margin = slope[:, None] * plane.first[None] + level[:, None] * plane.second[None]
        margin += plane.offset[None]
        loss, wrong, curvature = loss_terms(margin)
        gradient = -(weight * wrong) @ plane.directions
        hessian = (weight * curvature) @ plane.squares
        sums = jnp.concatenate([jnp.sum(weight * loss, -1)[:, None], gradient, hessian], 1)
        return _means(slope, level, sums / total[:, None], plane.fixed)

    start, step = _chebyshev_step(plane, weight, total, near)
    skipped = ~selected | _is_close(start, step)
    best, converged = minimise_batch(
        derivatives, start, step, lambda at: _is_close(at, at.step), skipped, MAX_STEPS
    )
    by_slope, by_level = best.step
    # The last step is not evaluated: the quadratic model gives its loss to rounding.
    loss = best.loss - best.decrement / 2
    return best.slope + by_slope, best.level + by_level, loss, converged


def _is_close(at: BatchDerivatives, step: Pair) -> Bool[Array, " R"]:
    """Whether the next step leads to the optimum but for rounding.

    The bound is relative for the slope and absolute for the level, as an error of the level moves
    all log-odds by the same amount, however large it is.
    """
    close = jnp.abs(step[0]) < CONVERGED * (1 + jnp.abs(at.slope))
    return close & (jnp.abs(step[1]) < CONVERGED)


def _means(
    slope: PerSample, level: PerSample, means: Float[Array, "R 6"], fixed: Float[Array, " 2"]
) -> BatchDerivatives:
    """Derivatives from means; curvature 1 for a fixed parameter makes its step 0, not 0/0."""
    loss, g1, g0, h11, h10, h00 = means.T
    hessian = h11 + fixed[0], h10, h00 + fixed[1]
    return BatchDerivatives(slope, level, loss, (g1, g0), hessian)


def _chebyshev_step(
    plane: Plane, weight: Float[Array, "R M"], total: PerSample, near: Start
) -> tuple[BatchDerivatives, Pair]:
    """Derivatives of all samples at one point, and a third-order step from it (Chebyshev's method).

    One matrix product gives all sums, so third derivatives cost nothing and save an iteration.
    """
    first, second, squares = plane.first, plane.second, plane.squares
    loss, wrong, curvature = loss_terms(near[0] * first + near[1] * second + plane.offset)
    third = curvature * (2 * wrong - 1)
    cubes = jnp.concatenate([squares * first[:, None], (squares[:, 2] * second)[:, None]], 1)
    columns = [loss[:, None], -wrong[:, None] * plane.directions, curvature[:, None] * squares]
    means = weight @ jnp.concatenate([*columns, third[:, None] * cubes], 1) / total[:, None]
    slope, level = (jnp.broadcast_to(start, total.shape) for start in near)
    at = _means(slope, level, means[:, :6], plane.fixed)
    s1, s0 = at.step
    # Chebyshev: Newton's step s plus the step for the gradient T(s, s) / 2, T the third derivative.
    c30, c21, c12, c03 = means[:, 6:].T
    bend1 = c30 * s1 * s1 + 2 * c21 * s1 * s0 + c12 * s0 * s0
    bend0 = c21 * s1 * s1 + 2 * c12 * s1 * s0 + c03 * s0 * s0
    more1, more0 = at._replace(gradient=(bend1 / 2, bend0 / 2)).step
    return at, (s1 + more1, s0 + more0)
