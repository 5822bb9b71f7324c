"""The logistic function and its logarithm, to full float precision at every logit."""

from __future__ import annotations

from typing import Any


def softplus(z: Any) -> Any:
    """log(1 + exp(z)) in nats, to relative float precision for every finite or infinite z."""
    xp = z.__array_namespace__()
    if xp.isdtype(z.dtype, "complex floating"):
        up = z.real > 0
        return xp.where(up, z, 0.0) + xp.log1p(xp.exp(xp.where(up, -z, z)))
    # For |z| the larger of z and -z: JAX has the derivative of abs at 0 be 1, and of this be 0.
    return xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.maximum(z, -z)))


def softplus_of_minus(z: Any) -> Any:
    """log(1 + exp(-z)): the cross-entropy of a point of class 1 with logit z."""
    return softplus(-z)


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)), to a relative precision of |z| + 4 units also where it is minute."""
    return z.__array_namespace__().exp(-softplus(-z))
