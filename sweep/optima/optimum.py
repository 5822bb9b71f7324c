"""optimum(): the exact optimum of cross-entropy and of accuracy, and whether they share it.

Each kind of data has its own way to the answer: points are scanned, a population is integrated
(`sweep.optima.of_population`), and a sketch is answered with bounds (`sweep.optima.of_sketch`).
"""

from __future__ import annotations

from typing import overload

from sweep.data.sample import Sample
from sweep.measure.measure import Measure, as_measure
from sweep.measure.sketch.sketch import Sketch
from sweep.optima.accuracy import accuracy_optimum, best_cuts, compare
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.of_population import population_optimum
from sweep.optima.of_sketch import sketch_optimum
from sweep.optima.records import Optimum, PopulationOptimum, SketchOptimum
from sweep.populations import Population


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
    return Optimum(measure.n, ce, accuracy_optimum(best), shared, regret, distance)
