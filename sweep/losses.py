"""Metrics: losses of the logit (smooth) and functions of the confusion counts (counting).

A smooth metric is the mean of l1(z) over class 1 and of l0(z) over class 0, z the logit; a
counting metric is a function of the four masses of the confusion table. One entry in `METRICS`
is all that a metric needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sweep.data import InputError

Loss = Callable[[Any], Any]
"""A loss of the logit z, elementwise, written for arrays of NumPy or JAX, real or complex."""


@dataclass(frozen=True)
class Smooth:
    """A mean of per-sample losses of the logit z.

    Attributes:
        name: the variable's name in a landscape.
        units: unit of the metric.
        long_name: what figures write on an axis.
        source: where the formula stands.
        positive: l1, the loss of a point of class 1; 0 as z -> +inf.
        negative: l0, the loss of a point of class 0; 0 as z -> -inf.
        lipschitz: largest |dl/dz|, through which a rounding error of z reaches the loss.
    """

    name: str
    units: str
    long_name: str
    source: str
    positive: Loss
    negative: Loss
    lipschitz: float


@dataclass(frozen=True)
class Counting:
    """A function of the confusion masses, broadcasting over arrays.

    Attributes:
        name: the variable's name in a landscape.
        units: unit of the metric.
        long_name: what figures write on an axis.
        source: where the formula stands.
        value: (tp, fp, fn, tn) -> metric; array shapes are kept.
    """

    name: str
    units: str
    long_name: str
    source: str
    value: Callable[[Any, Any, Any, Any], Any]


def softplus(z: Any) -> Any:
    """log(1 + exp(z)) in nats, to relative float precision for every finite or infinite z."""
    xp = z.__array_namespace__()
    if xp.isdtype(z.dtype, "complex floating"):
        up = z.real > 0
        return xp.where(up, z, 0.0) + xp.log1p(xp.exp(xp.where(up, -z, z)))
    return xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))


def softplus_of_minus(z: Any) -> Any:
    """log(1 + exp(-z)): the cross-entropy of a point of class 1 with logit z."""
    return softplus(-z)


METRICS: dict[str, Smooth | Counting] = {
    metric.name: metric
    for metric in (
        Smooth(
            name="cross_entropy",
            units="nats",
            long_name="cross-entropy",
            source="Good (1952), Rational Decisions, J. R. Stat. Soc. B 14, section 8",
            positive=softplus_of_minus,
            negative=softplus,
            lipschitz=1.0,
        ),
        Counting(
            name="accuracy",
            units="1",
            long_name="accuracy",
            source="fraction of the mass whose class is predicted, class 1 iff z > 0",
            value=lambda tp, fp, fn, tn: (tp + tn) / (tp + fp + fn + tn),
        ),
    )
}


def metric(name: str) -> Smooth | Counting:
    """The metric of that name.

    Raises:
        InputError: there is none; the sentence lists those there are.
    """
    if name not in METRICS:
        known = ", ".join(METRICS)
        raise InputError(f"there is no metric {name!r}; the known metrics are {known}")
    return METRICS[name]
