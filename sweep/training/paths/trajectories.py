"""The loop over the steps of an optimiser of (a, b), compiled once for paths side by side.

One path is a loop of steps between records, under `vmap` over the starts and the numbers that paths
differ by. The steps of one call are few enough that a bar moves and Ctrl-C is heard; however many
there are, nothing is compiled again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base.progress import Step, ignore
from sweep.measure.measure import Measure
from sweep.metrics.metrics import softplus
from sweep.training.optimizers import optimizer

COPIES = 4
"""Arrays of paths x points that are budgeted for."""

PAIRS = 2**26
"""Pairs (path, point) that one call evaluates at most: less than a second."""


class Signed(NamedTuple):
    """Points on the device, of either class.

    Attributes:
        x: positions, shape (m,).
        sign: +1 for class 1, -1 for class 0, shape (m,).
        mass: their shares of all mass, shape (m,).
    """

    x: Any
    sign: Any
    mass: Any

    @classmethod
    def of(cls, measure: Measure) -> Signed:
        """The points of a measure, in float64."""
        zero, one = measure.class0, measure.class1
        return cls(
            np.concatenate([zero.x, one.x]),
            np.concatenate([np.full(len(zero), -1.0), np.full(len(one), 1.0)]),
            np.concatenate([zero.masses, one.masses]) / float(measure.total),
        )


class _State(NamedTuple):
    """What goes from step to step: (a, b), and what the optimiser keeps."""

    at: Any
    moments: Any


def objective(at: Float[Array, " 2"], points: Signed, l2: Float[Array, ""]) -> Float[Array, ""]:
    """Mean cross-entropy in nats plus l2 / 2 * a^2 at (a, b).

    Of the margins, so that the gradient of a point far on its own side keeps all its digits.
    """
    margin = points.sign * (at[0] * points.x + at[1])
    return jnp.sum(points.mass * softplus(-margin)) + l2 / 2 * at[0] ** 2


def trajectories(
    name: str,
    measure: Measure,
    starts: Float[np.ndarray, "k 2"],
    rates: Float[np.ndarray, " k"],
    l2: Float[np.ndarray, " k"],
    records: Int[np.ndarray, " r"],
    budget: int,
    step: Step = ignore,
) -> Float[np.ndarray, "k r 2"]:
    """(a, b) of every path after some steps.

    Args:
        name: of the optimiser.
        measure: of the data.
        starts: (a, b) before the first step.
        rates: learning rates.
        l2: penalties.
        records: steps, ascending, the first of them 0.
        budget: bytes that may be used beyond input and output.
        step: is told how many steps of all paths are done.
    """
    found = np.empty((len(starts), len(records), 2))
    size = max(1, budget // (8 * COPIES * max(1, measure.points)))
    # Optax raises decay rates to the power of a whole number of steps.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        points = jax.tree.map(jnp.asarray, Signed.of(measure))
        for first in range(0, len(starts), size):
            rows = slice(first, first + size)
            begin, advance = _compiled(name)
            state = begin(starts[rows])
            found[rows, 0] = starts[rows]
            longest = max(1, PAIRS // (len(starts[rows]) * max(1, measure.points)))
            for place, count in enumerate(np.diff(records), start=1):
                for part in _parts(int(count), longest):
                    state = advance(points, rates[rows], l2[rows], state, np.int64(part))
                    found[rows, place] = np.asarray(state.at)
                    step(part * len(starts[rows]))
    return found


def _parts(count: int, longest: int) -> Iterator[int]:
    """Numbers that add up to a count, none above the longest."""
    while count > 0:
        yield min(count, longest)
        count -= longest


@lru_cache(maxsize=64)
def _compiled(name: str) -> Sequence[Callable[..., Any]]:
    """The start of paths from their (a, b), and so many steps of all of them."""
    made: Any = optimizer(name).make()
    begin = jax.jit(jax.vmap(lambda at: _State(at, made.init(at))))
    advance = jax.vmap(partial(_advance, made), in_axes=(None, 0, 0, 0, None))
    return begin, jax.jit(advance)


def _advance(
    made: Any,
    points: Signed,
    rate: Float[Array, ""],
    l2: Float[Array, ""],
    state: _State,
    count: Int[Array, ""],
) -> _State:
    """Some steps of one path; `made` is the transformation of optax."""

    def once(_: Any, state: _State) -> _State:
        gradient = jax.grad(objective)(state.at, points, l2)
        update, moments = made.update(gradient, state.moments, state.at)
        return _State(state.at - rate * update, moments)

    return jax.lax.fori_loop(0, count, once, state)
