"""optimum(): the exact optimum of cross-entropy and of accuracy, and whether they share it.

Each kind of data has its own way to the answer: points are scanned; a population is a quadrature,
with Newton's method on its nodes and a scan of its densities (`sweep.optima.population_accuracy`);
and a sketch is answered with bounds (`sweep.optima.of_sketch`).
"""

from __future__ import annotations

import math
from typing import overload

import numpy as np

from sweep.base.errors import InputError
from sweep.data.sample import Sample
from sweep.measure.measure import Measure, as_measure
from sweep.measure.sketch.sketch import Sketch
from sweep.optima.accuracy import best_cuts, compare
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.of_sketch import sketch_optimum
from sweep.optima.population_accuracy import best_intervals
from sweep.optima.records import (
    CrossEntropyOptimum,
    Optimum,
    OptimumStatus,
    PopulationOptimum,
    SketchOptimum,
)
from sweep.populations import Population
from sweep.populations.distributions.protocol import native
from sweep.populations.quadrature import Quadrature

MIN_CROSS_ENTROPY = 1e-10  # nats; below it the few nodes in the overlap of the classes decide
MAX_QUADRATURES = 20  # each is made for the optimum that the one before gave


@overload
def optimum(data: Population) -> PopulationOptimum: ...


@overload
def optimum(data: Sketch) -> SketchOptimum: ...


@overload
def optimum(data: Sample | Measure) -> Optimum: ...


def optimum(data: Sample | Sketch | Population | Measure) -> Optimum:
    """The exact optimum of cross-entropy and of accuracy for p = sigmoid(a*x + b).

    Args:
        data: a sample, population, sketch or measure; soft labels and weights count as masses.

    Returns:
        The optima: a `PopulationOptimum` for a population, a `SketchOptimum` with error bounds for
        a sketch.

    Raises:
        InputError: x and the weights span more than float64 resolves, so that the optimum of
            cross-entropy cannot be found; a population cannot be integrated; or the optimum of
            cross-entropy is steeper than the slopes that a sketch was made for.
    """
    if isinstance(data, Population):
        return population_optimum(data)
    measure = as_measure(data)
    if measure.quadrature is not None:
        return population_optimum(measure.quadrature.law)
    if measure.sketch is not None:
        return sketch_optimum(measure, measure.sketch)
    ce = cross_entropy_optimum(measure)
    best = best_cuts(measure)
    shared, regret, distance = compare(ce, best)
    return Optimum(measure.n, ce, best.optimum, shared, regret, distance)


def population_optimum(law: Population) -> PopulationOptimum:
    """The exact optima of both metrics for a population."""
    quadrature, measure, ce = _converged(law)
    best = best_intervals(measure)
    shared, regret, distance = compare(ce, best)
    return PopulationOptimum(
        n=math.inf,
        cross_entropy=ce,
        accuracy=best.optimum,
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
