"""Newton's method on many bootstrap samples at once, on the device.

They differ from the data only in how often each node is drawn, so the optimum of the data is near
that of each of them, and a few steps from there are enough.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

MAX_STEPS = 40
"""Newton steps and halvings."""

DONE = 1e-6
"""Length of a step after which what is left, its square, is rounding."""

ROUNDING = 1e-13
"""Rise of the loss, relative, that may be rounding."""

LOWEST = -700.0
"""Log-odds below this one have a loss of minus themselves, to the last digit."""


class Plane(NamedTuple):
    """Log-odds of what came true, theta[0] * first + theta[1] * second + offset, at M nodes.

    Attributes:
        first: shape (M,).
        second: shape (M,).
        offset: shape (M,).
        held: (2,) 1 for a parameter whose direction is 0 everywhere, so that it stays; else 0.
    """

    first: Float[Array, " M"]
    second: Float[Array, " M"]
    offset: Float[Array, " M"]
    held: Float[Array, " 2"]


class RefitDerivatives(NamedTuple):
    """Mean cross-entropy of R samples, each at its theta, and its derivatives."""

    theta: Float[Array, "R 2"]
    loss: Float[Array, " R"]
    gradient: Float[Array, "R 2"]
    hessian: Float[Array, "R 3"]

    @property
    def step(self) -> Float[Array, "R 2"]:
        """Newton's."""
        (g1, g0), (h11, h10, h00) = self.gradient.T, self.hessian.T
        scale = h11 * h00 - h10 * h10
        return jnp.stack([h10 * g0 - h00 * g1, h10 * g1 - h11 * g0], 1) / scale[:, None]


class RefitOptima(NamedTuple):
    """Optima of R samples."""

    theta: Float[Array, "R 2"]
    loss: Float[Array, " R"]
    converged: Bool[Array, " R"]


class _State(NamedTuple):
    """Newton's method under way.

    Attributes:
        at: the best so far.
        step: to take from there.
        fraction: of it that is tried next.
        converged: whether the next step leads to the optimum.
        steps: tried so far.
    """

    at: RefitDerivatives
    step: Float[Array, "R 2"]
    fraction: Float[Array, " R"]
    converged: Bool[Array, " R"]
    steps: Int[Array, ""]


def sent(weight: Float[np.ndarray, "r M"], shape: tuple[int, int]) -> Float[Array, "R N"]:
    """Weights of each node in each sample on the device, padded to one of few shapes."""
    if weight.shape != shape:
        weight = np.pad(
            weight, [(0, to - size) for to, size in zip(shape, weight.shape, strict=True)]
        )
    with jax.enable_x64(True):
        return jnp.asarray(weight)


def sums(
    weight: Float[Array, "R N"], columns: Float[np.ndarray, "M c"]
) -> Float[np.ndarray, "R c"]:
    """Sums of values at the nodes, by weight, in samples that were `sent`.

    BLAS on the host would do, but its threads wait for more by counting, where others could work.
    """
    padded = np.pad(columns, ((0, weight.shape[1] - len(columns)), (0, 0)))
    with jax.enable_x64(True):
        return np.asarray(_product(weight, jnp.asarray(padded)))


@jax.jit
def _product(weight: Float[Array, "R N"], columns: Float[Array, "N c"]) -> Float[Array, "R c"]:
    return weight @ columns


def minimise(
    plane: tuple[np.ndarray, np.ndarray, np.ndarray],
    start: tuple[float, float],
    weight: Float[Array, "R N"],
    wanted: Bool[np.ndarray, " r"],
) -> tuple[Float[np.ndarray, "r 2"], Float[np.ndarray, " r"], Bool[np.ndarray, " r"]]:
    """Where the mean cross-entropy of samples is least.

    Args:
        plane: (first, second, offset) as in `Plane`.
        start: where to begin.
        weight: of each node in each sample, `sent`.
        wanted: the samples that it is to be found of.

    Returns:
        (theta, loss there, whether it was found); nonsense where it was not, or not wanted.
    """
    samples, nodes = weight.shape
    padded = [np.pad(np.asarray(v, np.float64), (0, nodes - len(v))) for v in plane]
    held = np.array([float(not np.any(v)) for v in plane[:2]])
    asked = np.pad(wanted, (0, samples - len(wanted)))
    with jax.enable_x64(True):
        on_device = Plane(*map(jnp.asarray, (*padded, held)))
        found = _minimise(on_device, jnp.asarray(start), weight, jnp.asarray(asked))
        theta, loss, converged = (np.array(v[: len(wanted)]) for v in found)
    return theta, loss, converged


@jax.jit
def _minimise(
    plane: Plane, start: Float[Array, " 2"], weight: Float[Array, "R M"], wanted: Bool[Array, " R"]
) -> RefitOptima:
    total = jnp.sum(weight, -1)
    sums = partial(_at, plane, weight, total)

    def unfinished(state: _State) -> Bool[Array, ""]:
        return jnp.any(~state.converged) & (state.steps < MAX_STEPS)

    def following(state: _State) -> _State:
        at = state.at
        trial = sums(at.theta + state.fraction[:, None] * state.step)
        lower = trial.loss <= at.loss + ROUNDING * at.loss
        taken = lower & ~state.converged
        moved = jax.tree.map(lambda new, old: _chosen(taken, new, old), trial, at)
        converged = state.converged | (taken & _close(moved))
        fraction = jnp.where(taken, 1.0, state.fraction / 2)
        # Where the step failed, Newton's is safer than the first one was: the loss falls along it.
        return _State(moved, moved.step, fraction, converged, state.steps + 1)

    at, step = _ahead(plane, weight, total, start)
    state = _State(at, step, jnp.ones_like(total), ~wanted | _close(at), jnp.int32(0))
    state = lax.while_loop(unfinished, following, state)
    at, step = state.at, state.at.step
    return RefitOptima(
        at.theta + step, at.loss + jnp.sum(at.gradient * step, -1) / 2, state.converged
    )


def _chosen(
    taken: Bool[Array, " R"], new: Float[Array, "R ..."], old: Float[Array, "R ..."]
) -> Float[Array, "R ..."]:
    return jnp.where(taken.reshape(-1, *(1,) * (new.ndim - 1)), new, old)


def _close(at: RefitDerivatives) -> Bool[Array, " R"]:
    """Whether the next step leads to the optimum but for rounding.

    The slope's is relative, the level's is not: however high, it moves the log-odds by as much.
    """
    least = DONE * jnp.stack([1 + jnp.abs(at.theta[:, 0]), jnp.ones_like(at.loss)], 1)
    return jnp.all(jnp.abs(at.step) < least, -1)


def _at(
    plane: Plane, weight: Float[Array, "R M"], total: Float[Array, " R"], theta: Float[Array, "R 2"]
) -> RefitDerivatives:
    first, second, offset, held = plane
    margin = theta[:, :1] * first[None] + theta[:, 1:] * second[None] + offset[None]
    loss, wrong, curve = _terms(margin)
    gradient = -(weight * wrong) @ jnp.stack([first, second], 1)
    hessian = (weight * curve) @ _squares(plane)
    return _means(theta, total, jnp.sum(weight * loss, -1), gradient, hessian, held)


def _ahead(
    plane: Plane, weight: Float[Array, "R M"], total: Float[Array, " R"], theta: Float[Array, " 2"]
) -> tuple[RefitDerivatives, Float[Array, "R 2"]]:
    """The same where all samples are at one place, and a step from there (Chebyshev's method).

    One product of matrices has all sums, so third derivatives cost nothing and save an iteration.
    """
    first, second, offset, held = plane
    loss, wrong, curve = _terms(theta[0] * first + theta[1] * second + offset)
    direction, squares = jnp.stack([first, second], 1), _squares(plane)
    third = curve * (2 * wrong - 1)
    cubes = jnp.concatenate([squares * first[:, None], (squares[:, 2] * second)[:, None]], 1)
    columns = [loss[:, None], -wrong[:, None] * direction, curve[:, None] * squares]
    sums = weight @ jnp.concatenate([*columns, third[:, None] * cubes], 1)
    there = jnp.broadcast_to(theta, (len(weight), 2))
    at = _means(there, total, sums[:, 0], sums[:, 1:3], sums[:, 3:6], held)
    step = at.step
    c30, c21, c12, c03 = sums[:, 6:].T / total[None]
    by1, by2 = step.T
    bend = [
        c30 * by1 * by1 + 2 * c21 * by1 * by2 + c12 * by2 * by2,
        c21 * by1 * by1 + 2 * c12 * by1 * by2 + c03 * by2 * by2,
    ]
    return at, step + at._replace(gradient=jnp.stack(bend, 1) / 2).step


def _squares(plane: Plane) -> Float[Array, "M 3"]:
    first, second = plane.first, plane.second
    return jnp.stack([first * first, first * second, second * second], 1)


def _terms(margin: Float[Array, "*r M"]) -> tuple[Float[Array, "*r M"], ...]:
    """Loss at each of some log-odds, minus its derivative, and its second derivative."""
    tail = jnp.exp(-jnp.maximum(margin, LOWEST))
    right = 1 / (1 + tail)
    wrong = tail * right
    loss = jnp.log1p(tail) + jnp.maximum(LOWEST - margin, 0.0)
    return loss, wrong, wrong * right


def _means(
    theta: Float[Array, "R 2"],
    total: Float[Array, " R"],
    loss: Float[Array, " R"],
    gradient: Float[Array, "R 2"],
    hessian: Float[Array, "R 3"],
    held: Float[Array, " 2"],
) -> RefitDerivatives:
    """Of sums. A parameter that is held gets a curvature, so that its step is 0 rather than 0/0."""
    stays = jnp.stack([held[0], jnp.zeros_like(held[0]), held[1]])
    by = total[:, None]
    return RefitDerivatives(theta, loss / total, gradient / by, hessian / by + stays[None])
