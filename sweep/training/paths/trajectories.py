"""The steps of optimisers of (a, b), compiled once for all paths that run side by side.

A path is a loop of steps between records, under `vmap` over starts, learning rates and penalties.
One call does few enough steps that a progress bar moves and Ctrl-C is heard; the number of steps is
an argument, so nothing is compiled again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base.errors import InputError
from sweep.base.progress import Step, ignore
from sweep.measure.measure import Measure
from sweep.metrics.logistic import softplus
from sweep.training.optimizers import transformation
from sweep.training.paths.settings import Settings

COPIES = 4  # arrays of paths x points that the memory budget must hold
PAIRS = 2**26  # pairs (path, point) that one call evaluates: less than a second
ROUNDS = 8  # quadratures made for a law, each for the steepest slope of the paths before


class SignedPoints(NamedTuple):
    """Points of both classes on the device.

    Attributes:
        x: positions, shape (m,).
        sign: +1 for class 1, -1 for class 0, shape (m,).
        mass: shares of the total mass, shape (m,).
    """

    x: Any
    sign: Any
    mass: Any

    @classmethod
    def of(cls, measure: Measure) -> SignedPoints:
        """The points of a measure, in float64."""
        class0, class1 = measure.class0, measure.class1
        return cls(
            np.concatenate([class0.x, class1.x]),
            np.concatenate([np.full(len(class0), -1.0), np.full(len(class1), 1.0)]),
            np.concatenate([class0.masses, class1.masses]) / float(measure.total),
        )


class _State(NamedTuple):
    """What goes from step to step."""

    ab: Any  # (a, b)
    moments: Any  # what the optimiser remembers


def descend(
    settings: Settings, measure: Measure, budget: int, step: Step
) -> tuple[Measure, Float[np.ndarray, "o r l s t 2"], Float[np.ndarray, "o r l"]]:
    """Follows the paths of all optimisers.

    A law is integrated again where paths are steeper than its quadrature allows.

    Args:
        settings: combinations that are followed.
        measure: measure of the data.
        budget: bytes of memory beyond input and output.
        step: is called with the number of steps that were done.

    Returns:
        The measure, good for all slopes of the paths; (a, b) at the recorded steps; and the
        learning rates.

    Raises:
        InputError: a path is steeper than any quadrature of the law allows.
    """
    rates = np.stack([settings.rates_of(name, measure) for name in settings.optimizers])
    steepest = 0.0
    for attempt in range(ROUNDS):
        report = step if attempt == 0 else ignore
        ab = np.stack(
            [
                _descend_one(settings, name, measure, rates[k], budget, report)
                for k, name in enumerate(settings.optimizers)
            ]
        )
        steepest = steepest_slope(ab[..., 0])
        if measure.quadrature is None or measure.quadrature.reaches(steepest):
            return measure, ab, rates
        measure = Measure.from_population(measure.quadrature.law, 2 * steepest)
    raise InputError(
        f"a path is as steep as a = {steepest:.3g}, beyond what the law is integrated for; give "
        "fewer steps, or a sample of the law"
    )


def steepest_slope(a: Float[np.ndarray, " ..."]) -> float:
    """The largest finite |a|; 0 without any."""
    return float(np.max(np.abs(a), where=np.isfinite(a), initial=0.0))


def _descend_one(
    settings: Settings,
    optimizer: str,
    measure: Measure,
    rates: Float[np.ndarray, "r l"],
    budget: int,
    step: Step,
) -> Float[np.ndarray, "r l s t 2"]:
    """(a, b) of all paths of one optimiser."""
    cells = list(product(*map(range, settings.shape)))
    starts = np.array([settings.starts[s] for _, _, s in cells])
    rate = np.array([rates[r, k] for r, k, _ in cells])
    l2 = np.array([settings.l2[k] for _, k, _ in cells])
    ab = trajectories(optimizer, measure, starts, rate, l2, settings.records, budget, step)
    return ab.reshape(*settings.shape, len(settings.records), 2)


def trajectories(
    optimizer: str,
    measure: Measure,
    starts: Float[np.ndarray, "k 2"],
    rates: Float[np.ndarray, " k"],
    l2: Float[np.ndarray, " k"],
    records: Int[np.ndarray, " r"],
    budget: int,
    step: Step = ignore,
) -> Float[np.ndarray, "k r 2"]:
    """(a, b) of every path at the recorded steps.

    Args:
        optimizer: name of the optimiser.
        measure: measure of the data.
        starts: (a, b) before the first step.
        rates: learning rates.
        l2: penalties.
        records: recorded steps, ascending from 0.
        budget: bytes of memory beyond input and output.
        step: is called with the number of steps that were done, over all paths.
    """
    ab = np.empty((len(starts), len(records), 2))
    size = max(1, budget // (8 * COPIES * max(1, measure.points)))  # paths; 8 bytes per number
    # Optax raises decay rates to the power of an integer step, which strict promotion forbids.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        points = jax.tree.map(jnp.asarray, SignedPoints.of(measure))
        for first in range(0, len(starts), size):
            rows = slice(first, first + size)
            start, advance = _compiled(optimizer)
            state = start(starts[rows])
            ab[rows, 0] = starts[rows]
            longest = max(1, PAIRS // (len(starts[rows]) * max(1, measure.points)))
            for k, count in enumerate(np.diff(records), start=1):
                for steps in _chunks(int(count), longest):
                    state = advance(points, rates[rows], l2[rows], state, np.int64(steps))
                    ab[rows, k] = np.asarray(state.ab)
                    step(steps * len(starts[rows]))
    return ab


def _chunks(count: int, longest: int) -> Iterator[int]:
    """Numbers that add up to a count, none above the longest."""
    while count > 0:
        yield min(count, longest)
        count -= longest


def objective(ab: Float[Array, " 2"], points: SignedPoints, l2: Float[Array, ""]) -> Any:
    """Mean cross-entropy in nats plus l2 / 2 * a^2 at (a, b).

    It is a function of the margins, so that the gradient of a point far on its own side keeps all
    its digits.
    """
    margin = points.sign * (ab[0] * points.x + ab[1])
    return jnp.sum(points.mass * softplus(-margin)) + l2 / 2 * ab[0] ** 2


@lru_cache(maxsize=64)
def _compiled(optimizer: str) -> Sequence[Callable[..., Any]]:
    """Two functions of paths side by side: their state at (a, b), and their state some steps on."""
    transform: Any = transformation(optimizer)
    start = jax.jit(jax.vmap(lambda ab: _State(ab, transform.init(ab))))
    advance = jax.vmap(partial(_advance, transform), in_axes=(None, 0, 0, 0, None))
    return start, jax.jit(advance)


def _advance(
    transform: Any,
    points: SignedPoints,
    rate: Float[Array, ""],
    l2: Float[Array, ""],
    state: _State,
    count: Int[Array, ""],
) -> _State:
    """Takes `count` steps of one path; `transform` is a gradient transformation of optax."""

    def once(_: Any, state: _State) -> _State:
        gradient = jax.grad(objective)(state.ab, points, l2)
        update, moments = transform.update(gradient, state.moments, state.ab)
        return _State(state.ab - rate * update, moments)

    return jax.lax.fori_loop(0, count, once, state)
