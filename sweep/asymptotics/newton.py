"""The cross-entropy optimum of samples, by Newton's method on the compressed sample.

Neighbouring points are compressed to two, with their number, mean, variance and third moment. From
the optimum of these Newton's method goes on with all the points, so that the gradient that is
reported is that of the sample. What it does not reach is left to `sweep.optima.newton`, which is
slower and safer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from sweep.asymptotics.chunks import SampleChunk, over, take
from sweep.populations.sampling import GROUP, PIECE, SampleLayout

GROUPS = ((2**13, GROUP), (2**8, 16))
"""From so many points on, so many neighbours are compressed to two."""

MAX_STEPS = 60
"""Newton steps; more than any sample that is not nearly separated takes."""

DONE = 1e-24
"""Newton decrement, squared, at which the optimum is found: a distance of 1e-12."""

CLOSE = 1e-14
"""That from which on Newton's method converges quadratically, until rounding stops it."""

ROUNDING = 1e-13
"""Rise of the loss, relative, that may be rounding."""

LOWEST = -700.0
"""Logits below are taken for this one, whose loss is as good as 0, so that nothing overflows."""


class BatchDerivatives(NamedTuple):
    """Mean cross-entropy of T samples at their (slope, level), and its derivatives."""

    slope: Float[Array, " T"]
    level: Float[Array, " T"]
    loss: Float[Array, " T"]
    gradient: tuple[Float[Array, " T"], Float[Array, " T"]]
    hessian: tuple[Float[Array, " T"], Float[Array, " T"], Float[Array, " T"]]

    @property
    def step(self) -> tuple[Float[Array, " T"], Float[Array, " T"]]:
        """Newton's."""
        (g1, g0), (h11, h10, h00) = self.gradient, self.hessian
        scale = h11 * h00 - h10 * h10
        return (h10 * g0 - h00 * g1) / scale, (h10 * g1 - h11 * g0) / scale

    @property
    def decrement(self) -> Float[Array, " T"]:
        """Squared: twice the fall of the loss that Newton's step expects."""
        by_slope, by_level = self.step
        return -(self.gradient[0] * by_slope + self.gradient[1] * by_level)


class BatchOptima(NamedTuple):
    """Optima of cross-entropy, each field of shape (T,); see `replicates.Optima`."""

    a: Float[Array, " T"]
    b: Float[Array, " T"]
    loss: Float[Array, " T"]
    gradient: Float[Array, " T"]
    converged: Bool[Array, " T"]


class BatchNodes(NamedTuple):
    """Weighted points, relative to the centre of their sample."""

    u: Float[Array, "R T m"]
    weight: Float[Array, "R T m"]


Sums = Callable[[Float[Array, " T"], Float[Array, " T"]], BatchDerivatives]
"""(slope, level) -> cross-entropy there."""


def minimise(every: SampleChunk, ones: Int[Array, " T"], layout: SampleLayout) -> BatchOptima:
    """Where the cross-entropy of each sample is least; nonsense where it has no finite optimum."""
    n = layout.n
    centre = take(every.x, jnp.full_like(ones, n // 2))[:, None]

    def labels(piece: SampleChunk) -> Float[Array, " T"]:
        return jnp.sum(jnp.where(piece.y & piece.inside, piece.x - centre, 0.0), -1)

    share = ones.astype(centre.dtype) / n
    means = jnp.sum(over(labels, every), 0) / n, share

    def of_points(slope: Float[Array, " T"], level: Float[Array, " T"]) -> BatchDerivatives:
        def of_piece(piece: SampleChunk) -> tuple[Array, ...]:
            terms = _terms(piece.x - centre, slope, level, piece.inside)
            return tuple(jnp.sum(term, -1) for term in terms)

        return _at(slope, level, [jnp.sum(v, 0) / n for v in over(of_piece, every)], means)

    level = jnp.log(share) - jnp.log1p(-share)
    start = jnp.zeros_like(level), jnp.where(jnp.isfinite(level), level, 0.0)
    group = next((group for least, group in GROUPS if n >= least), 1)
    nodes = _compressed(every, centre, group)

    def of_nodes(slope: Float[Array, " T"], level: Float[Array, " T"]) -> BatchDerivatives:
        def of_row(row: BatchNodes) -> tuple[Array, ...]:
            terms = _terms(row.u, slope, level, jnp.ones_like(row.u, bool))
            return tuple(jnp.sum(row.weight * term, -1) for term in terms)

        return _at(slope, level, [jnp.sum(v, 0) / n for v in over(of_row, nodes)], means)

    if group > 1:
        near, found = _newton(of_nodes, *start)
        start = jnp.where(found, near.slope, start[0]), jnp.where(found, near.level, start[1])
    at, converged = _newton(of_points, *start)
    spread = jnp.sum(jnp.abs(nodes.u) * nodes.weight, (0, 2)) / n
    by_slope, by_level = jnp.abs(at.gradient[0]) / spread, jnp.abs(at.gradient[1])
    b = at.level - at.slope * centre[:, 0]
    return BatchOptima(at.slope, b, at.loss, jnp.maximum(by_slope, by_level), converged)


def _compressed(every: SampleChunk, centre: Float[Array, "T 1"], group: int) -> BatchNodes:
    """The samples with each group of neighbours replaced by two nodes, in rows of few pieces."""

    def of_piece(piece: SampleChunk) -> tuple[Array, Array]:
        return _gauss(piece.x - centre, piece.inside.astype(centre.dtype), group)

    u, weight = (jnp.moveaxis(v, 0, 1) for v in over(of_piece, every))
    samples = len(u)
    u, weight = u.reshape(samples, -1), weight.reshape(samples, -1)
    rows = -(-u.size // PIECE)
    spare = ((0, 0), (0, -u.shape[-1] % rows))
    u, weight = (jnp.pad(v, spare).reshape(samples, rows, -1) for v in (u, weight))
    return BatchNodes(jnp.swapaxes(u, 0, 1), jnp.swapaxes(weight, 0, 1))


def _gauss(
    u: Float[Array, "T L"], weight: Float[Array, "1 L"], group: int
) -> tuple[Float[Array, "T m"], Float[Array, "T m"]]:
    """Nodes and weights: of each group of neighbours two, by Gauss's rule; the rest as it is."""
    whole = u.shape[-1] // group * group if group > 1 else 0
    alone, its_weight = u[:, whole:], jnp.broadcast_to(weight, u.shape)[:, whole:]
    if not whole:
        return alone, its_weight
    grouped, mass = (v[:, :whole].reshape(len(v), -1, group) for v in (u, weight))
    total = jnp.sum(mass, -1)
    offset = (grouped - grouped[..., :1]) * mass
    first, second, third = (jnp.sum(offset**k, -1) / jnp.maximum(total, 1) for k in (1, 2, 3))
    mean, variance = grouped[..., 0] + first, second - first * first
    third = third - 3 * first * second + 2 * first**3
    half = jnp.where(variance > 0, third / (2 * variance), 0.0)
    reach = jnp.sqrt(variance + half * half)
    tilt = jnp.where(reach > 0, half / reach, 0.0)
    nodes = [mean + half - reach, mean + half + reach, alone]
    weights = [total * (1 + tilt) / 2, total * (1 - tilt) / 2, its_weight]
    return jnp.concatenate(nodes, -1), jnp.concatenate(weights, -1)


def _terms(
    u: Float[Array, "T m"],
    slope: Float[Array, " T"],
    level: Float[Array, " T"],
    inside: Bool[Array, "#T m"],
) -> tuple[Float[Array, "T m"], ...]:
    """Of each point: softplus(z), and its derivatives by z times powers of u; 0 if not inside."""
    z = jnp.where(inside, jnp.maximum(slope[:, None] * u + level[:, None], LOWEST), LOWEST)
    odds = 1 + jnp.exp(-z)
    p = 1 / odds
    curve = p * (1 - p)
    return z + jnp.log(odds), p * u, p, curve * u * u, curve * u, curve


def _at(
    slope: Float[Array, " T"],
    level: Float[Array, " T"],
    means: list[Float[Array, " T"]],
    ones: tuple[Float[Array, " T"], Float[Array, " T"]],
) -> BatchDerivatives:
    """What means of `_terms` are, with the labels' share of the loss taken off."""
    loss, by_slope, by_level, h11, h10, h00 = means
    loss = loss - slope * ones[0] - level * ones[1]
    gradient = by_slope - ones[0], by_level - ones[1]
    return BatchDerivatives(slope, level, loss, gradient, (h11, h10, h00))


class _State(NamedTuple):
    """Newton's method under way.

    Attributes:
        at: the best so far.
        fraction: of Newton's step from there that is tried next.
        converged: whether it is the optimum.
        steps: tried so far.
    """

    at: BatchDerivatives
    fraction: Float[Array, " T"]
    converged: Bool[Array, " T"]
    steps: Int[Array, ""]


def _newton(
    sums: Sums, slope: Float[Array, " T"], level: Float[Array, " T"]
) -> tuple[BatchDerivatives, Bool[Array, " T"]]:
    """Newton's method, a step halved while the loss rises; where it ends, and whether well."""

    def unfinished(state: _State) -> Bool[Array, ""]:
        return jnp.any(~state.converged) & (state.steps < MAX_STEPS)

    def following(state: _State) -> _State:
        at = state.at
        by_slope, by_level = (state.fraction * step for step in at.step)
        trial = sums(at.slope + by_slope, at.level + by_level)
        lower = trial.loss <= at.loss + ROUNDING * jnp.abs(at.loss)
        close = jnp.isfinite(at.loss) & (at.decrement < CLOSE)
        stuck = close & ~(trial.decrement < at.decrement / 4)
        taken = lower & ~stuck & ~state.converged
        moved = jax.tree.map(lambda new, old: jnp.where(taken, new, old), trial, at)
        converged = state.converged | stuck | (taken & (moved.decrement <= DONE))
        fraction = jnp.where(taken, 1.0, state.fraction / 2)
        return _State(moved, fraction, converged, state.steps + 1)

    # A first step of 0 from where the loss is infinite: so the sums are compiled only once.
    zero, one = jnp.zeros_like(slope), jnp.ones_like(slope)
    start = BatchDerivatives(
        slope, level, jnp.full_like(slope, jnp.inf), (zero, zero), (one, zero, one)
    )
    state = _State(start, one, jnp.zeros_like(slope, bool), jnp.int32(0))
    state = lax.while_loop(unfinished, following, state)
    return state.at, state.converged
