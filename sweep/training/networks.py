"""What a dense network with one output computes: initial weights, logits, loss and penalty.

These are functions of one network; `loop` trains with them and `ensemble` runs many side by side.
Matrix products come in two forms. A plain product is fast, but XLA shares long sums among its
threads, one for each core that the process may use, and adds in another order with more of them.
The tasks of a run must give the same bits on any machine, so `deterministic_affine` adds pieces
that are too short to be shared, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from sweep.metrics.logistic import softplus
from sweep.metrics.metrics import Smooth, metric
from sweep.training.hyperparameters import choice

Weights = Sequence[tuple[Any, Any]]
"""(W, b) of each layer, shapes (units in, units out) and (units out,), the output layer last."""

Activation = Callable[[Any], Any]  # elementwise

CROSS_ENTROPY = metric("cross_entropy")

PIECE = 64  # terms of a sum that XLA does not share: 1, 2, 16 and 64 threads gave the same bits


def initial_weights(
    key: PRNGKeyArray, sizes: tuple[int, ...], bias: Float[Array, ""]
) -> tuple[tuple[Array, Array], ...]:
    """Weights uniform within sqrt(6 / (in + out)) (Glorot & Bengio 2010, equation 16)."""
    keys = jax.random.split(key, len(sizes) - 1)
    layers = []
    for k, (units_in, units_out) in enumerate(pairwise(sizes)):
        limit = (6 / (units_in + units_out)) ** 0.5
        w = jax.random.uniform(keys[k], (units_in, units_out), bias.dtype, -limit, limit)
        hidden = k < len(sizes) - 2
        layers.append((w, jnp.full((units_out,), bias if hidden else 0, bias.dtype)))
    return tuple(layers)


def logits(
    weights: Weights,
    x: Float[Array, "n d"],
    function: Activation,
    masks: Sequence[Float[Array, "n _"]] = (),
    deterministic: bool = False,
) -> Float[Array, " n"]:
    """Logits of class 1."""
    affine = deterministic_affine if deterministic else _affine
    *hidden, (w, b) = weights
    outputs = x
    for k, (w_hidden, b_hidden) in enumerate(hidden):
        outputs = function(affine(outputs, w_hidden, b_hidden))
        if masks:
            outputs = outputs * masks[k]
    return affine(outputs, w, b)[:, 0]


def activation_function(name: str) -> Activation:
    """The activation of this name, elementwise on a JAX array."""
    activation = choice("activation", name)
    return _ACTIVATIONS[activation.family](*activation.values)


def _leaky_relu(slope: float) -> Activation:
    """Maps z < 0 to slope * z, and keeps other z (Maas et al. 2013, section 2)."""
    return lambda z: jax.nn.leaky_relu(z, slope)


_ACTIVATIONS: dict[str, Callable[..., Activation]] = {
    "relu": lambda: jax.nn.relu,  # its derivative at 0 is 0
    "leaky_relu": _leaky_relu,
    "sigmoid": lambda: jax.nn.sigmoid,
    "tanh": lambda: jnp.tanh,
}


def dropout_masks(
    key: PRNGKeyArray, widths: tuple[int, ...], n: int, rate: Float[Array, ""]
) -> list[Float[Array, "n _"]]:
    """Factors of hidden outputs under dropout: 0, or 1 / (1 - rate).

    Srivastava et al. (2014), Dropout, JMLR 15, section 10, in its inverted form.
    """
    keys = jax.random.split(key, len(widths))
    return [
        jnp.where(jax.random.uniform(keys[k], (n, width), rate.dtype) < rate, 0, 1 / (1 - rate))
        for k, width in enumerate(widths)
    ]


def _affine(
    x: Float[Array, "n d"], w: Float[Array, "d u"], b: Float[Array, " u"]
) -> Float[Array, "n u"]:
    return x @ w + b[None, :]


@jax.custom_vjp
def deterministic_affine(
    x: Float[Array, "n d"], w: Float[Array, "d u"], b: Float[Array, " u"]
) -> Float[Array, "n u"]:
    """X w + b, whose bits and those of its derivative do not depend on the number of threads."""
    return _product(x, w) + b[None, :]


def _forward(
    x: Float[Array, "n d"], w: Float[Array, "d u"], b: Float[Array, " u"]
) -> tuple[Float[Array, "n u"], tuple[Float[Array, "n d"], Float[Array, "d u"]]]:
    return deterministic_affine(x, w, b), (x, w)


def _backward(
    residuals: tuple[Float[Array, "n d"], Float[Array, "d u"]], cotangent: Float[Array, "n u"]
) -> tuple[Float[Array, "n d"], Float[Array, "d u"], Float[Array, " u"]]:
    x, w = residuals
    ones = jnp.ones((1, len(x)), x.dtype)
    return _product(cotangent, w.T), _product(x.T, cotangent), _product(ones, cotangent)[0]


deterministic_affine.defvjp(_forward, _backward)


def _product(a: Float[Array, "m k"], b: Float[Array, "k n"]) -> Float[Array, "m n"]:
    """A b, added up by pieces of k."""
    m, k = a.shape
    if k <= PIECE:
        return a @ b
    pieces = -(-k // PIECE)
    padding = pieces * PIECE - k
    left = jnp.pad(a.T, ((0, padding), (0, 0))).reshape(pieces, PIECE, m)
    right = jnp.pad(b, ((0, padding), (0, 0))).reshape(pieces, PIECE, -1)

    def add(
        total: Float[Array, "m n"], piece: tuple[Float[Array, "p m"], Float[Array, "p n"]]
    ) -> tuple[Float[Array, "m n"], None]:
        return total + piece[0].T @ piece[1], None

    return jax.lax.scan(add, jnp.zeros((m, b.shape[1]), a.dtype), (left, right))[0]


def mean_loss(
    loss: Smooth,
    z: Float[Array, " n"],
    y: Float[Array, " n"],
    present: Bool[Array, " n"] | None = None,
) -> Float[Array, ""]:
    """The loss without a penalty: a mean that the class weights of the metric weight."""
    if loss is CROSS_ENTROPY:
        return cross_entropy(z, y, present)
    terms = [p.loss(z) * (p.on_class0 * (1 - y) + p.on_class1 * y) for p in loss.parts]
    w0, w1 = loss.class_weights
    total, weight = sum(terms), w0 * (1 - y) + w1 * y
    if present is not None:
        total, weight = jnp.where(present, total, 0), jnp.where(present, weight, 0)
    return jnp.sum(total) / jnp.sum(weight)


def penalty(used: Collection[str], weights: Weights, numbers: Mapping[str, Any]) -> Any:
    """l1 * sum |w| + l2 / 2 * sum w^2 over the weights; biases are not penalised."""
    total = 0.0
    if "l1" in used:
        # |w| is written as max(w, -w): JAX takes the derivative of abs at 0 to be 1, which would
        # drive a weight of 0 away from 0.
        total = total + numbers["l1"] * sum(jnp.sum(jnp.maximum(w, -w)) for w, _ in weights)
    if "l2" in used:
        total = total + numbers["l2"] / 2 * sum(jnp.sum(w * w) for w, _ in weights)
    return total


def cross_entropy(
    z: Float[Array, " n"], y: Float[Array, " n"], present: Bool[Array, " n"] | None = None
) -> Float[Array, ""]:
    """Mean cross-entropy in nats, with one exponential per point: most of the time goes here."""
    losses = softplus(jnp.where(y > 0, -z, z))
    if present is None:
        return jnp.mean(losses)
    return jnp.sum(jnp.where(present, losses, 0)) / jnp.sum(present.astype(z.dtype))


def accuracy(z: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, ""]:
    """Share of points with z > 0 exactly where y = 1; nan if a logit is not finite."""
    right = jnp.mean(((z > 0) == (y > 0)).astype(z.dtype))
    return jnp.where(jnp.all(jnp.isfinite(z)), right, jnp.nan)
