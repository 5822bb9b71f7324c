"""The optima of a population, n = infinity.

A population is its quadrature: the same Newton's method runs on the nodes, and a scan of the
densities (`sweep.optima.population_accuracy`) takes the place of the scan of the points.
"""

from __future__ import annotations

import math

import numpy as np

from sweep.base.errors import InputError
from sweep.measure.measure import Measure
from sweep.optima.accuracy import accuracy_optimum, compare
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.population_accuracy import best_intervals
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus, PopulationOptimum
from sweep.populations import Population
from sweep.populations.distributions.arrays import native
from sweep.populations.quadrature import Quadrature

MIN_CROSS_ENTROPY = 1e-10  # nats; below it the few nodes in the overlap of the classes decide
MAX_QUADRATURES = 20  # each is made for the optimum that the one before gave


def population_optimum(law: Population) -> PopulationOptimum:
    """The exact optima of both metrics for a population.

    Args:
        law: the population.

    Raises:
        InputError: the law cannot be integrated, or its classes overlap so little that quadrature
            cannot find the optimum of cross-entropy.
    """
    quadrature, measure, ce = _converged(law)
    best = best_intervals(measure)
    shared, regret, distance = compare(ce, best)
    return PopulationOptimum(
        n=math.inf,
        cross_entropy=ce,
        accuracy=accuracy_optimum(best),
        shared=shared,
        regret=regret,
        distance=distance,
        law=law.name,
        eta_excess=_eta_excess(law, ce.cut, best.tolerance),
        bayes_accuracy=best.bayes_accuracy,
        conditional_entropy=quadrature.conditional_entropy,
    )


def _converged(law: Population) -> tuple[Quadrature, Measure, CrossEntropyOptimum]:
    """The optimum of cross-entropy on panels that are narrow wherever its loss is curved."""
    quadrature = Quadrature.about(law)
    for _ in range(MAX_QUADRATURES):
        measure = Measure.from_quadrature(quadrature)
        ce = cross_entropy_optimum(measure)
        if ce.status is not OptimumStatus.finite:
            return quadrature, measure, ce
        if ce.value < MIN_CROSS_ENTROPY:
            raise InputError(
                f"{law.name}: the classes overlap so little that cross-entropy falls below "
                f"{MIN_CROSS_ENTROPY:g} nats, where quadrature cannot find its optimum; use a law "
                "whose classes overlap more"
            )
        if quadrature.covers(ce.a, ce.b):
            return quadrature, measure, ce
        quadrature = Quadrature.near(law, ce.a, ce.b)
    raise InputError(
        f"{law.name}: the optimum of cross-entropy was not found, because it keeps moving as the "
        "quadrature is refined; rescale x"
    )


def _eta_excess(law: Population, cut: float, tolerance: float) -> float:
    """P(y = 1 | x) - 1/2 at a cut; at an edge of the law instead if one is within the tolerance."""
    if not math.isfinite(cut):
        return math.nan
    edges = [edge for edge in law.edges if abs(edge - cut) <= tolerance]
    return native(law.eta, np.array([*edges, cut])[:1]).item() - 0.5
