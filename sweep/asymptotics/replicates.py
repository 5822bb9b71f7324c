"""The optima of many samples at once, on the device.

Samples come in ascending order of x, as `sweep.populations.sampling` draws them, T side by side in
an array; batches of them are solved one after the other. `scan` finds the accuracy optimum, and
Newton's method in this module the cross-entropy optimum. Newton's method starts on a compressed
sample, in which two nodes replace each group of neighbouring points and keep its number, mean,
variance and third moment. From that optimum it goes on with all the points, so that the reported
gradient is that of the sample. Samples for which it does not converge are left to
`sweep.optima.cross_entropy`, which is slower and safer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from sweep.asymptotics import scan as accuracy
from sweep.asymptotics.scan import SampleChunk, map_chunks, split, take
from sweep.measure.points import gauss
from sweep.optima.batched import BatchDerivatives, minimise_batch
from sweep.optima.records import STATUSES, OptimumStatus
from sweep.populations.sampling import CHUNK, GROUP, SampleLayout

GROUPS = ((2**13, GROUP), (2**8, 16))  # (least n, neighbouring points that two nodes replace)

MAX_STEPS = 60  # more Newton steps than any sample takes that is not nearly separated
DONE = 1e-24  # squared Newton decrement at the optimum: a distance of 1e-12 to it
LOWEST = -700.0  # logits are clipped here: exp(700) does not overflow, and the loss is as good as 0


class Optima(NamedTuple):
    """The optima of samples, each field of shape (B, T)."""

    a: Float[Array, "B T"]  # slope of the cross-entropy optimum; nan if there is no finite one
    b: Float[Array, "B T"]  # its intercept
    cross_entropy: Float[Array, "B T"]  # its value, in nats
    # larger of the two derivatives there, with x centred and in units of its mean absolute
    # deviation
    gradient: Float[Array, "B T"]
    # whether Newton's method converged; True also if there is no finite optimum
    converged: Bool[Array, "B T"]
    status: Int[Array, "B T"]  # index into STATUSES
    ones: Int[Array, "B T"]  # points of class 1
    correct_cross_entropy: Int[Array, "B T"]  # correct predictions at the cross-entropy optimum
    correct_best: Int[Array, "B T"]  # most correct predictions
    # the widest cell of optimal cuts is (low, high]; infinite for a constant prediction
    low: Float[Array, "B T"]
    high: Float[Array, "B T"]  # upper end of that cell
    orientation: Int[Array, "B T"]  # of that cell; +1 if class 1 is predicted above the cut
    # number of optimal cells between neighbouring points, plus optimal constants
    optimal_cells: Int[Array, "B T"]
    # from the cross-entropy cut to the nearest optimal cut of its orientation
    distance: Float[Array, "B T"]


@partial(jax.jit, static_argnums=2)
def optima(x: Float[Array, "B C T L"], y: Bool[Array, "B C T L"], layout: SampleLayout) -> Optima:
    """The optima of samples in float64, x ascending in each."""
    return lax.map(lambda batch: _of_batch(batch[0], batch[1], layout), (x, y))


def _of_batch(x: Float[Array, "C T L"], y: Bool[Array, "C T L"], layout: SampleLayout) -> Optima:
    """Both optima of the samples of one batch."""
    chunks = split(x, y, layout)
    scores = accuracy.scan(chunks, layout)
    best = accuracy.best_cells(chunks, scores, layout)
    status = accuracy.status(chunks, scores, best, layout)
    finite = status == STATUSES.index(OptimumStatus.finite)
    ce = _minimise(chunks, scores.ones, layout)

    def where_finite(value: Float[Array, " T"]) -> Float[Array, " T"]:
        return jnp.where(finite, value, jnp.nan)

    return Optima(
        a=where_finite(ce.a),
        b=where_finite(ce.b),
        cross_entropy=where_finite(ce.loss),
        gradient=where_finite(ce.gradient),
        converged=ce.converged | ~finite,
        status=status,
        ones=scores.ones,
        correct_cross_entropy=accuracy.correct(chunks, scores, ce.a, ce.b, layout),
        correct_best=scores.correct,
        low=best.low,
        high=best.high,
        orientation=best.orientation,
        optimal_cells=best.cells,
        distance=where_finite(accuracy.distance(chunks, scores, ce.a, ce.b)),
    )


# --- the cross-entropy optimum ------------------------------------------------------------------


class _CrossEntropyOptima(NamedTuple):
    """Optima of cross-entropy of T samples; fields as in `Optima`."""

    a: Float[Array, " T"]
    b: Float[Array, " T"]
    loss: Float[Array, " T"]
    gradient: Float[Array, " T"]
    converged: Bool[Array, " T"]


class _Nodes(NamedTuple):
    """Weighted points in R rows; u is x relative to the centre of the sample."""

    u: Float[Array, "R T m"]
    weight: Float[Array, "R T m"]


_Loss = Callable[[Float[Array, " T"], Float[Array, " T"]], BatchDerivatives]  # of (slope, level)


def _minimise(
    chunks: SampleChunk, ones: Int[Array, " T"], layout: SampleLayout
) -> _CrossEntropyOptima:
    """The least cross-entropy of each sample; meaningless where it has no finite optimum."""
    n = layout.n
    centre = take(chunks.x, jnp.full_like(ones, n // 2))[:, None]

    def sum_of_labels(chunk: SampleChunk) -> Float[Array, " T"]:
        return jnp.sum(jnp.where(chunk.y & chunk.inside, chunk.x - centre, 0.0), -1)

    fraction = ones.astype(centre.dtype) / n
    label_means = jnp.sum(map_chunks(sum_of_labels, chunks), 0) / n, fraction

    def loss_of_points(slope: Float[Array, " T"], level: Float[Array, " T"]) -> BatchDerivatives:
        def of_chunk(chunk: SampleChunk) -> tuple[Array, ...]:
            terms = _terms(chunk.x - centre, slope, level, chunk.inside)
            return tuple(jnp.sum(term, -1) for term in terms)

        means = [jnp.sum(sums, 0) / n for sums in map_chunks(of_chunk, chunks)]
        return _derivatives(slope, level, means, label_means)

    # The best constant prediction; 0 where there is one class only, so that all stays finite.
    level = jnp.log(fraction) - jnp.log1p(-fraction)
    start = jnp.zeros_like(level), jnp.where(jnp.isfinite(level), level, 0.0)
    group = next((group for least, group in GROUPS if n >= least), 1)
    nodes = _compress(chunks, centre, group)

    def loss_of_nodes(slope: Float[Array, " T"], level: Float[Array, " T"]) -> BatchDerivatives:
        def of_row(row: _Nodes) -> tuple[Array, ...]:
            terms = _terms(row.u, slope, level, jnp.ones_like(row.u, bool))
            return tuple(jnp.sum(row.weight * term, -1) for term in terms)

        means = [jnp.sum(sums, 0) / n for sums in map_chunks(of_row, nodes)]
        return _derivatives(slope, level, means, label_means)

    if group > 1:
        near, valid = _newton(loss_of_nodes, *start)
        start = jnp.where(valid, near.slope, start[0]), jnp.where(valid, near.level, start[1])
    best, converged = _newton(loss_of_points, *start)
    deviation = jnp.sum(jnp.abs(nodes.u) * nodes.weight, (0, 2)) / n
    by_slope, by_level = jnp.abs(best.gradient[0]) / deviation, jnp.abs(best.gradient[1])
    b = best.level - best.slope * centre[:, 0]
    gradient = jnp.maximum(by_slope, by_level)
    return _CrossEntropyOptima(best.slope, b, best.loss, gradient, converged)


def _compress(chunks: SampleChunk, centre: Float[Array, "T 1"], group: int) -> _Nodes:
    """The samples with two nodes for each group of neighbours, in as few rows as chunks allow."""

    def of_chunk(chunk: SampleChunk) -> tuple[Array, Array]:
        return _gauss_nodes(chunk.x - centre, chunk.inside.astype(centre.dtype), group)

    u, weight = (jnp.moveaxis(v, 0, 1) for v in map_chunks(of_chunk, chunks))
    samples = len(u)
    u, weight = u.reshape(samples, -1), weight.reshape(samples, -1)
    rows = -(-u.size // CHUNK)
    padding = ((0, 0), (0, -u.shape[-1] % rows))
    u, weight = (jnp.pad(v, padding).reshape(samples, rows, -1) for v in (u, weight))
    return _Nodes(jnp.swapaxes(u, 0, 1), jnp.swapaxes(weight, 0, 1))


def _gauss_nodes(
    u: Float[Array, "T L"], weight: Float[Array, "1 L"], group: int
) -> tuple[Float[Array, "T m"], Float[Array, "T m"]]:
    """Gauss's rule of two nodes for each full group of neighbours; the remainder stays as it is."""
    grouped = u.shape[-1] // group * group if group > 1 else 0
    remainder, its_weight = u[:, grouped:], jnp.broadcast_to(weight, u.shape)[:, grouped:]
    if not grouped:
        return remainder, its_weight
    points, mass = (v[:, :grouped].reshape(len(v), -1, group) for v in (u, weight))
    total = jnp.sum(mass, -1)
    offset = (points - points[..., :1]) * mass
    first, second, third = (jnp.sum(offset**k, -1) / jnp.maximum(total, 1) for k in (1, 2, 3))
    # Central moments.
    mean, variance = points[..., 0] + first, second - first * first
    distance, share = gauss(variance, third - 3 * first * second + 2 * first**3)
    nodes, weights = mean[None] + distance, total[None] * share
    return (
        jnp.concatenate([*nodes, remainder], -1),
        jnp.concatenate([*weights, its_weight], -1),
    )


def _terms(
    u: Float[Array, "T m"],
    slope: Float[Array, " T"],
    level: Float[Array, " T"],
    inside: Bool[Array, "#T m"],
) -> tuple[Float[Array, "T m"], ...]:
    """For each point softplus(z) and its derivatives in slope and level; 0 if not inside."""
    z = jnp.where(inside, jnp.maximum(slope[:, None] * u + level[:, None], LOWEST), LOWEST)
    one_plus = 1 + jnp.exp(-z)
    p = 1 / one_plus
    curvature = p * (1 - p)
    return z + jnp.log(one_plus), p * u, p, curvature * u * u, curvature * u, curvature


def _derivatives(
    slope: Float[Array, " T"],
    level: Float[Array, " T"],
    means: list[Float[Array, " T"]],
    label_means: tuple[Float[Array, " T"], Float[Array, " T"]],
) -> BatchDerivatives:
    """Cross-entropy from means of `_terms`: the terms y z of the labels are subtracted."""
    loss, by_slope, by_level, h11, h10, h00 = means
    loss = loss - slope * label_means[0] - level * label_means[1]
    gradient = by_slope - label_means[0], by_level - label_means[1]
    return BatchDerivatives(slope, level, loss, gradient, (h11, h10, h00))


def _newton(
    loss: _Loss, slope: Float[Array, " T"], level: Float[Array, " T"]
) -> tuple[BatchDerivatives, Bool[Array, " T"]]:
    """Newton's method with steps halved while the loss rises: its last point, and convergence."""
    # A first step of 0 from an infinite loss evaluates the start, so the loss compiles only once.
    zero, one = jnp.zeros_like(slope), jnp.ones_like(slope)
    start = BatchDerivatives(
        slope, level, jnp.full_like(slope, jnp.inf), (zero, zero), (one, zero, one)
    )
    none = jnp.zeros_like(slope, bool)
    return minimise_batch(loss, start, (zero, zero), _is_done, none, MAX_STEPS)


def _is_done(at: BatchDerivatives) -> Bool[Array, " T"]:
    return at.decrement <= DONE
