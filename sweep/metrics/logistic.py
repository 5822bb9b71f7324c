"""The logistic function and its logarithm, accurate for every logit.

Each function takes arrays of NumPy or JAX. `softplus` also takes complex arrays, on which the error
bounds of `sweep.metrics.profile` rest.
"""

from __future__ import annotations

from typing import Any


def softplus(z: Any) -> Any:
    """log(1 + exp(z)) in nats, to relative float precision for every finite or infinite z."""
    xp = z.__array_namespace__()
    if xp.isdtype(z.dtype, "complex floating"):
        positive = z.real > 0
        return xp.where(positive, z, 0.0) + xp.log1p(xp.exp(xp.where(positive, -z, z)))
    # maximum(z, -z) is |z|: its JAX derivative at 0 is 0, as here, while that of abs is 1.
    return xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.maximum(z, -z)))


def softplus_of_minus(z: Any) -> Any:
    """log(1 + exp(-z)) in nats: the cross-entropy of a point of class 1 with logit z."""
    return softplus(-z)


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)), with a relative error of at most |z| + 4 units even where it is tiny."""
    return z.__array_namespace__().exp(-softplus(-z))
