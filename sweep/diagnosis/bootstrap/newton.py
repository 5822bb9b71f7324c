"""Newton's method on many bootstrap samples at once, on the device.

Samples differ from the data only in how often they draw each node, so their optima are near that of
the data, and a few steps from there suffice.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

MAX_STEPS = 40  # Newton steps and halvings
CONVERGED = 1e-6  # length of a step; the error after it is of the order of its square: rounding
ROUNDING = 1e-13  # relative rise of the loss that may be rounding
LOWEST = -700.0  # log-odds below it have a loss of minus themselves, to the last digit


class Plane(NamedTuple):
    """Log-odds of the true label at M nodes, theta[0] * first + theta[1] * second + offset."""

    first: Float[Array, " M"]  # shape (M,)
    second: Float[Array, " M"]  # shape (M,)
    offset: Float[Array, " M"]  # shape (M,)
    # shape (2,), 1 for a parameter that has no effect anywhere and stays fixed, else 0
    fixed: Float[Array, " 2"]


class RefitDerivatives(NamedTuple):
    """Mean cross-entropy of R samples, each at its theta, and its derivatives."""

    theta: Float[Array, "R 2"]
    loss: Float[Array, " R"]
    gradient: Float[Array, "R 2"]
    hessian: Float[Array, "R 3"]

    @property
    def step(self) -> Float[Array, "R 2"]:
        """Newton's step, by the inverse of the 2 x 2 Hessian."""
        (g1, g0), (h11, h10, h00) = self.gradient.T, self.hessian.T
        determinant = h11 * h00 - h10 * h10
        return jnp.stack([h10 * g0 - h00 * g1, h10 * g1 - h11 * g0], 1) / determinant[:, None]


class RefitOptima(NamedTuple):
    """Optima of R samples."""

    theta: Float[Array, "R 2"]
    loss: Float[Array, " R"]
    converged: Bool[Array, " R"]


class _State(NamedTuple):
    """A state of Newton's method."""

    best: RefitDerivatives  # the best point so far
    step: Float[Array, "R 2"]  # the step from there
    fraction: Float[Array, " R"]  # the fraction of the step that is tried next
    converged: Bool[Array, " R"]  # whether the next step leads to the optimum
    steps: Int[Array, ""]  # number of steps tried


def on_device(weight: Float[np.ndarray, "r M"], shape: tuple[int, int]) -> Float[Array, "R N"]:
    """Weight of each node in each sample on the device, padded to one of a few shapes."""
    if weight.shape != shape:
        weight = np.pad(
            weight, [(0, to - size) for to, size in zip(shape, weight.shape, strict=True)]
        )
    with jax.enable_x64(True):
        return jnp.asarray(weight)


def node_sums(
    weight: Float[Array, "R N"], columns: Float[np.ndarray, "M c"]
) -> Float[np.ndarray, "R c"]:
    """Weighted sums of values at the nodes, for weights that are `on_device`.

    The threads of a BLAS on the host would wait actively and keep others from working.
    """
    padded = np.pad(columns, ((0, weight.shape[1] - len(columns)), (0, 0)))
    with jax.enable_x64(True):
        return np.asarray(_product(weight, jnp.asarray(padded)))


@jax.jit
def _product(weight: Float[Array, "R N"], columns: Float[Array, "N c"]) -> Float[Array, "R c"]:
    return weight @ columns


def minimise_samples(
    plane: tuple[np.ndarray, np.ndarray, np.ndarray],
    start: tuple[float, float],
    weight: Float[Array, "R N"],
    selected: Bool[np.ndarray, " r"],
) -> tuple[Float[np.ndarray, "r 2"], Float[np.ndarray, " r"], Bool[np.ndarray, " r"]]:
    """The minima of the mean cross-entropy of samples."""
    samples, nodes = weight.shape
    padded = [np.pad(np.asarray(v, np.float64), (0, nodes - len(v))) for v in plane]
    fixed = np.array([float(not np.any(v)) for v in plane[:2]])
    padded_selected = np.pad(selected, (0, samples - len(selected)))
    with jax.enable_x64(True):
        device_plane = Plane(*map(jnp.asarray, (*padded, fixed)))
        optima = _minimise(device_plane, jnp.asarray(start), weight, jnp.asarray(padded_selected))
        theta, loss, converged = (np.array(v[: len(selected)]) for v in optima)
    return theta, loss, converged


@jax.jit
def _minimise(
    plane: Plane,
    start: Float[Array, " 2"],
    weight: Float[Array, "R M"],
    selected: Bool[Array, " R"],
) -> RefitOptima:
    total = jnp.sum(weight, -1)
    derivatives = partial(_derivatives, plane, weight, total)

    def unfinished(state: _State) -> Bool[Array, ""]:
        return jnp.any(~state.converged) & (state.steps < MAX_STEPS)

    def following(state: _State) -> _State:
        best = state.best
        trial = derivatives(best.theta + state.fraction[:, None] * state.step)
        lower = trial.loss <= best.loss + ROUNDING * best.loss
        accepted = lower & ~state.converged
        moved = jax.tree.map(lambda new, old: _where(accepted, new, old), trial, best)
        converged = state.converged | (accepted & _is_close(moved))
        fraction = jnp.where(accepted, 1.0, state.fraction / 2)
        # A rejected first step was Chebyshev's; along Newton's, the loss is sure to fall at first.
        return _State(moved, moved.step, fraction, converged, state.steps + 1)

    best, step = _chebyshev_step(plane, weight, total, start)
    converged = ~selected | _is_close(best)
    state = _State(best, step, jnp.ones_like(total), converged, jnp.int32(0))
    state = lax.while_loop(unfinished, following, state)
    best, step = state.best, state.best.step
    # The last step is not evaluated: the quadratic model gives its loss to rounding.
    loss = best.loss + jnp.sum(best.gradient * step, -1) / 2
    return RefitOptima(best.theta + step, loss, state.converged)


def _where(
    accepted: Bool[Array, " R"], new: Float[Array, "R ..."], old: Float[Array, "R ..."]
) -> Float[Array, "R ..."]:
    return jnp.where(accepted.reshape(-1, *(1,) * (new.ndim - 1)), new, old)


def _is_close(at: RefitDerivatives) -> Bool[Array, " R"]:
    """Whether the next step leads to the optimum but for rounding.

    The bound is relative for the slope and absolute for the level, as an error of the level moves
    all log-odds by the same amount, however large it is.
    """
    bound = CONVERGED * jnp.stack([1 + jnp.abs(at.theta[:, 0]), jnp.ones_like(at.loss)], 1)
    return jnp.all(jnp.abs(at.step) < bound, -1)


def _derivatives(
    plane: Plane, weight: Float[Array, "R M"], total: Float[Array, " R"], theta: Float[Array, "R 2"]
) -> RefitDerivatives:
    first, second, offset, fixed = plane
    margin = theta[:, :1] * first[None] + theta[:, 1:] * second[None] + offset[None]
    loss, wrong, curvature = _loss_terms(margin)
    gradient = -(weight * wrong) @ jnp.stack([first, second], 1)
    hessian = (weight * curvature) @ _squares(plane)
    return _means(theta, total, jnp.sum(weight * loss, -1), gradient, hessian, fixed)


def _chebyshev_step(
    plane: Plane, weight: Float[Array, "R M"], total: Float[Array, " R"], theta: Float[Array, " 2"]
) -> tuple[RefitDerivatives, Float[Array, "R 2"]]:
    """Derivatives of all samples at one theta, and a third-order step from it (Chebyshev's method).

    One matrix product gives all sums, so third derivatives cost nothing and save an iteration.
    """
    first, second, offset, fixed = plane
    loss, wrong, curvature = _loss_terms(theta[0] * first + theta[1] * second + offset)
    direction, squares = jnp.stack([first, second], 1), _squares(plane)
    third = curvature * (2 * wrong - 1)
    cubes = jnp.concatenate([squares * first[:, None], (squares[:, 2] * second)[:, None]], 1)
    columns = [loss[:, None], -wrong[:, None] * direction, curvature[:, None] * squares]
    sums = weight @ jnp.concatenate([*columns, third[:, None] * cubes], 1)
    everywhere = jnp.broadcast_to(theta, (len(weight), 2))
    at = _means(everywhere, total, sums[:, 0], sums[:, 1:3], sums[:, 3:6], fixed)
    newton = at.step
    # Chebyshev: Newton's step s plus the step for the gradient T(s, s) / 2, T the third derivative.
    c30, c21, c12, c03 = sums[:, 6:].T / total[None]
    s1, s0 = newton.T
    bend = [
        c30 * s1 * s1 + 2 * c21 * s1 * s0 + c12 * s0 * s0,
        c21 * s1 * s1 + 2 * c12 * s1 * s0 + c03 * s0 * s0,
    ]
    return at, newton + at._replace(gradient=jnp.stack(bend, 1) / 2).step


def _squares(plane: Plane) -> Float[Array, "M 3"]:
    first, second = plane.first, plane.second
    return jnp.stack([first * first, first * second, second * second], 1)


def _loss_terms(margin: Float[Array, "*r M"]) -> tuple[Float[Array, "*r M"], ...]:
    """Loss at some log-odds, minus its first derivative, and its second derivative."""
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
    fixed: Float[Array, " 2"],
) -> RefitDerivatives:
    """Sums divided by the mass; curvature 1 for a fixed parameter makes its step 0, not 0/0."""
    stiffness = jnp.stack([fixed[0], jnp.zeros_like(fixed[0]), fixed[1]])
    mass = total[:, None]
    return RefitDerivatives(theta, loss / total, gradient / mass, hessian / mass + stiffness[None])
