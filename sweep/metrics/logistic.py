"""The logistic function, its logarithm and derivatives of cross-entropy, accurate for any logit.

Each function takes arrays of NumPy or JAX. `softplus` also takes complex arrays, on which the error
bounds of `sweep.metrics.profile` rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class LossTerms(NamedTuple):
    """Cross-entropy of points by their margin, the log-odds of their class, and its derivatives."""

    loss: Any  # in nats
    wrong: Any  # probability of the other class: the first derivative is minus that
    curvature: Any  # second derivative


def loss_terms(margin: Any, mass: Any = 1.0) -> LossTerms:
    """Terms of points with a mass at real margins, with one exponential for all of them."""
    xp = margin.__array_namespace__()
    tail = xp.exp(-xp.abs(margin))  # never overflows
    wrong = xp.where(margin >= 0, tail, 1.0) / (1.0 + tail)
    loss = xp.maximum(-margin, 0.0) + xp.log1p(tail)
    return LossTerms(mass * loss, mass * wrong, mass * tail / (1.0 + tail) ** 2)


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
