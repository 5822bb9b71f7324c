"""How fast gradient descent grows where cross-entropy has no finite optimum, by theory.

Where a cut separates the classes, (a, b) grows like (a', b') log t, t the steps, and (a', b') is
the classifier of largest margin: the least a'^2 + b'^2 with a' x + b' >= 1 for class 1 and <= -1
for class 0 (Soudry et al. 2018, The implicit bias of gradient descent on separable data, JMLR 19,
theorem 3, with the constant 1 as a second input). Neither the learning rate, the start nor weights
change it, but the penalty of b beside a moves the cut off the middle where |x| is large.

Where points of both classes lie on the cut, they hold a x + b there, and the others drive the slope
along the line through it (Ji & Telgarsky 2019, The implicit bias of gradient descent on
nonseparable data, COLT, theorem 1.1): a' is one over the distance to the nearest of them.

An optimiser that divides by gradients, as Adam does, runs ahead until they are less than its
epsilon; from then on it is gradient descent with another learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float

from sweep.measure.measure import Measure
from sweep.optima.records import OptimumStatus


@dataclass(frozen=True)
class Growth:
    """What is added to (a, b) while the steps grow e-fold.

    Attributes:
        a: of the slope, per unit of x.
        b: of the intercept.
    """

    a: float
    b: float


def growth(measure: Measure, status: OptimumStatus) -> Growth | None:
    """How (a, b) grows by log t under gradient descent, t the steps.

    Args:
        measure: of points.
        status: of its optimum of cross-entropy.

    Returns:
        The growth; None where there is a finite optimum, or where x is constant.
    """
    if status in (OptimumStatus.separated, OptimumStatus.one_class):
        return _largest_margin(measure)
    if status is OptimumStatus.quasi_separated:
        return _about_tie(measure)
    return None


def _largest_margin(measure: Measure) -> Growth:
    """The classifier of largest margin, from the extremes of both classes.

    With y (x, 1) for every point, y = -1 for class 0, it is p / |p|^2, p the point of their convex
    hull nearest to (0, 0), which lies on an edge.
    """
    corners = [
        sign * np.array([x, 1.0])
        for sign, points in ((-1.0, measure.class0), (1.0, measure.class1))
        if len(points)
        for x in points.extremes
    ]
    pairs = combinations_with_replacement(corners, 2)
    nearest = min((_nearest(p, q) for p, q in pairs), key=lambda point: float(point @ point))
    a, b = nearest / (nearest @ nearest)
    return Growth(float(a), float(b))


def _nearest(p: Float[np.ndarray, " 2"], q: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " 2"]:
    """The point between p and q that is nearest to (0, 0)."""
    along = q - p
    length = along @ along
    share = np.clip(-(p @ along) / length, 0.0, 1.0) if length > 0 else 0.0
    return p + share * along


def _about_tie(measure: Measure) -> Growth:
    """The growth about a cut on which points of both classes lie."""
    (low0, high0), (low1, _) = measure.class0.extremes, measure.class1.extremes
    upward = high0 <= low1
    tie = high0 if upward else low0
    x = np.concatenate([measure.class0.x, measure.class1.x])
    a = (1 if upward else -1) / float(np.min(np.abs(x[x != tie] - tie)))
    return Growth(a, -a * tie)
