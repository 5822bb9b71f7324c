"""Newton's method for the cross-entropy of many samples at once, on the device.

Samples for which it does not converge are left to `sweep.optima.cross_entropy`, which is slower and
safer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

CLOSE = 1e-14  # squared decrement below which Newton converges quadratically until rounding
ROUNDING = 1e-13  # relative rise of the loss that may be rounding

PerSample = Float[Array, " R"]
"""A number for each of R samples."""

Pair = tuple[PerSample, PerSample]
"""Slopes and levels."""


class BatchDerivatives(NamedTuple):
    """Mean cross-entropy of R samples, each at its slope and level, and its derivatives."""

    slope: PerSample
    level: PerSample
    loss: PerSample
    gradient: Pair
    hessian: tuple[PerSample, PerSample, PerSample]  # slope-slope, slope-level, level-level

    @property
    def step(self) -> Pair:
        """Newton's step."""
        (g1, g0), (h11, h10, h00) = self.gradient, self.hessian
        determinant = h11 * h00 - h10 * h10
        return (h10 * g0 - h00 * g1) / determinant, (h10 * g1 - h11 * g0) / determinant

    @property
    def decrement(self) -> PerSample:
        """Squared Newton decrement: twice the fall of the loss that Newton's step expects."""
        by_slope, by_level = self.step
        return -(self.gradient[0] * by_slope + self.gradient[1] * by_level)


class _State(NamedTuple):
    """Newton's method under way."""

    best: BatchDerivatives  # the best point so far
    step: Pair  # from there
    fraction: PerSample  # of the step, to try next
    converged: Bool[Array, " R"]
    tried: Int[Array, ""]  # number of steps


def minimise_batch(
    derivatives: Callable[[PerSample, PerSample], BatchDerivatives],
    start: BatchDerivatives,
    first_step: Pair,
    is_optimum: Callable[[BatchDerivatives], Bool[Array, " R"]],
    skipped: Bool[Array, " R"],
    max_steps: int,
) -> tuple[BatchDerivatives, Bool[Array, " R"]]:
    """The last points of Newton's method with halved steps, and whether each is the optimum.

    `derivatives` maps slopes and levels to the loss there; `skipped` samples stay where they are.
    """

    def unfinished(state: _State) -> Bool[Array, ""]:
        return jnp.any(~state.converged) & (state.tried < max_steps)

    def next_state(state: _State) -> _State:
        best = state.best
        by_slope, by_level = (state.fraction * step for step in state.step)
        trial = derivatives(best.slope + by_slope, best.level + by_level)
        lower = trial.loss <= best.loss + ROUNDING * jnp.abs(best.loss)
        close = jnp.isfinite(best.loss) & (best.decrement < CLOSE)
        # So close, Newton squares the decrement; if it does not fall to a quarter, it is rounding.
        stuck = close & ~(trial.decrement < best.decrement / 4)
        accepted = lower & ~stuck & ~state.converged
        moved = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), trial, best)
        converged = state.converged | stuck | (accepted & is_optimum(moved))
        fraction = jnp.where(accepted, 1.0, state.fraction / 2)
        # Along Newton's step, which the first one need not be, the loss is sure to fall at first.
        return _State(moved, moved.step, fraction, converged, state.tried + 1)

    one = jnp.ones_like(start.loss)
    state = _State(start, first_step, one, skipped, jnp.int32(0))
    state = lax.while_loop(unfinished, next_state, state)
    return state.best, state.converged
