"""How far samples scatter the cross-entropy optimum: its sandwich variance, by quadrature.

White (1982, Maximum likelihood estimation of misspecified models, Econometrica 50).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sweep.measure.measure import Measure
from sweep.optima.records import PopulationOptimum


class AsymptoticVariance(NamedTuple):
    """n times the variances of the cross-entropy optimum; nan where there is none.

    Attributes:
        a: of the slope.
        b: of the intercept.
        cut: of the cut.
        inverse: (c, 1) H^-1 (c, 1)^T with H the Hessian and c the cut.
    """

    a: float
    b: float
    cut: float
    inverse: float


def sandwich(measure: Measure, best: PopulationOptimum) -> AsymptoticVariance:
    """H^-1 J H^-1, with x in units of its spread about the pivot, where H is diagonal."""
    ce = best.cross_entropy
    if not math.isfinite(ce.a):
        return AsymptoticVariance(math.nan, math.nan, math.nan, math.nan)
    zero, one = measure.class0, measure.class1
    x = np.concatenate([zero.x, one.x])
    mass = np.concatenate([zero.masses, one.masses])
    sign = np.concatenate([np.full(len(zero), -1.0), np.full(len(one), 1.0)])
    tail = np.exp(-np.abs(ce.a * x + ce.b))
    wrong = np.where(sign * (ce.a * x + ce.b) >= 0, tail, 1.0) / (1 + tail)
    curve = mass * tail / (1 + tail) ** 2
    pivot = float(np.sum(curve * x) / np.sum(curve))
    scale = math.sqrt(float(np.sum(curve * (x - pivot) ** 2) / np.sum(curve)))
    u = (x - pivot) / scale
    pull = mass * wrong**2
    hessian = float(np.sum(curve))  # twice on the diagonal: u has unit variance under the curve
    slopes, mixed, levels = (float(np.sum(pull * u**k)) / hessian**2 for k in (2, 1, 0))

    def along(by_slope: float, by_level: float) -> float:
        return by_slope**2 * slopes + 2 * by_slope * by_level * mixed + by_level**2 * levels

    away = (ce.cut - pivot) / scale
    return AsymptoticVariance(
        a=along(1, 0) / scale**2,
        b=along(-pivot / scale, 1),
        cut=along(away, 1) / ce.a**2 if math.isfinite(ce.cut) else math.nan,
        inverse=(away**2 + 1) / hessian,
    )
