"""What training minimises, and what its epochs are judged by, as functions of the logits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from sweep.metrics.metrics import Smooth, metric, softplus
from sweep.training.networks import Weights

CROSS_ENTROPY = metric("cross_entropy")


def mean(
    minimised: Smooth,
    z: Float[Array, " n"],
    y: Float[Array, " n"],
    present: Bool[Array, " n"] | None = None,
) -> Float[Array, ""]:
    """The metric of logits, without a penalty: a mean weighted by the weights of the classes.

    Args:
        minimised: the metric.
        z: logits.
        y: classes, 0 and 1.
        present: which points count; None counts all.
    """
    if minimised is CROSS_ENTROPY:
        return cross_entropy(z, y, present)
    terms = [p.loss(z) * (p.on_class0 * (1 - y) + p.on_class1 * y) for p in minimised.parts]
    w0, w1 = minimised.class_weights
    total, weight = sum(terms), w0 * (1 - y) + w1 * y
    if present is not None:
        total, weight = jnp.where(present, total, 0), jnp.where(present, weight, 0)
    return jnp.sum(total) / jnp.sum(weight)


def penalty(used: Collection[str], weights: Weights, numbers: Mapping[str, Any]) -> Any:
    """l1 * sum |w| + l2 / 2 * sum w^2 over the weights, biases apart."""
    found = 0.0
    if "l1" in used:
        # For |w| the larger of w and -w: JAX has the derivative of abs at 0 be 1, which would drive
        # a weight of 0 away from 0.
        found = found + numbers["l1"] * sum(jnp.sum(jnp.maximum(w, -w)) for w, _ in weights)
    if "l2" in used:
        found = found + numbers["l2"] / 2 * sum(jnp.sum(w * w) for w, _ in weights)
    return found


def cross_entropy(
    z: Float[Array, " n"], y: Float[Array, " n"], present: Bool[Array, " n"] | None = None
) -> Float[Array, ""]:
    """Mean cross-entropy in nats, of one exponential a point: most of the time goes there."""
    each = softplus(jnp.where(y > 0, -z, z))
    if present is None:
        return jnp.mean(each)
    return jnp.sum(jnp.where(present, each, 0)) / jnp.sum(present.astype(z.dtype))


def accuracy(z: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, ""]:
    """Share of points whose class is predicted, class 1 iff z > 0; of no number it is none."""
    right = jnp.mean(((z > 0) == (y > 0)).astype(z.dtype))
    return jnp.where(jnp.all(jnp.isfinite(z)), right, jnp.nan)
