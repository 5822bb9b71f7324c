"""Dense networks with one output: initial weights, and the logits they give."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sweep.training.activations import Activation
from sweep.training.deterministic import affine

Weights = Sequence[tuple[Any, Any]]
"""(W, b) of each layer, shapes (units in, units out) and (units out,), the output layer last."""


def initial(
    key: PRNGKeyArray, sizes: tuple[int, ...], bias: Float[Array, ""]
) -> tuple[tuple[Array, Array], ...]:
    """Initial weights: uniform within sqrt(6 / (in + out)) (Glorot & Bengio 2010, equation 16).

    Args:
        key: of the random numbers.
        sizes: units of each layer, inputs and the one output included.
        bias: of the hidden units, in the precision of the weights; that of the output is 0.
    """
    keys = jax.random.split(key, len(sizes) - 1)
    made = []
    for place, (before, after) in enumerate(pairwise(sizes)):
        most = (6 / (before + after)) ** 0.5
        w = jax.random.uniform(keys[place], (before, after), bias.dtype, -most, most)
        hidden = place < len(sizes) - 2
        made.append((w, jnp.full((after,), bias if hidden else 0, bias.dtype)))
    return tuple(made)


def logits(
    weights: Weights,
    x: Float[Array, "n d"],
    activation: Activation,
    kept: Sequence[Float[Array, "n _"]] = (),
    deterministic: bool = False,
) -> Float[Array, " n"]:
    """Logits of class 1.

    Args:
        weights: of every layer.
        x: inputs.
        activation: of the hidden units.
        kept: what the outputs of each hidden layer are multiplied by, for dropout; or nothing.
        deterministic: whether bits must not depend on threads, see `sweep.training.deterministic`.
    """
    apply = affine if deterministic else _affine
    *hidden, (w, b) = weights
    outputs = x
    for place, (into, bias) in enumerate(hidden):
        outputs = activation(apply(outputs, into, bias))
        if kept:
            outputs = outputs * kept[place]
    return apply(outputs, w, b)[:, 0]


def _affine(
    x: Float[Array, "n d"], w: Float[Array, "d u"], b: Float[Array, " u"]
) -> Float[Array, "n u"]:
    return x @ w + b[None, :]


def dropped(
    key: PRNGKeyArray, widths: tuple[int, ...], n: int, rate: Float[Array, ""]
) -> list[Float[Array, "n _"]]:
    """What hidden outputs are multiplied by under dropout: 0, or 1 / (1 - rate).

    Srivastava et al. (2014), Dropout, JMLR 15, section 10, in its inverted form.
    """
    keys = jax.random.split(key, len(widths))
    return [
        jnp.where(jax.random.uniform(keys[k], (n, width), rate.dtype) < rate, 0, 1 / (1 - rate))
        for k, width in enumerate(widths)
    ]
