"""The optimum of a sketch is within its bounds, and certain only where they allow it."""

from functools import reduce

import numpy as np
import pytest

from sweep import InputError, Sample
from sweep.base.grid import Grid
from sweep.measure.measure import Measure
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch
from sweep.optima import optimum
from sweep.optima.records import SketchOptimum
from tests.support.problems import PROBLEMS
from tests.support.sketched_samples import SAMPLES, drawn, sketch_of

TOLERANCES = (1e-9, 1e-4, 1e-2)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("name", SAMPLES)
def test_the_optimum_of_all_data_is_within_the_errors(name, tolerance):
    sample = SAMPLES[name]
    true = optimum(sample).cross_entropy
    found = optimum(sketch_of(sample, tolerance=tolerance, parts=2))
    ce, errors = found.cross_entropy, found.errors
    rounding = 1e-15  # of the optimum of all data, and of a and b themselves
    conditioned = rounding * (1 + max(np.abs(sample.x - np.median(sample.x)).max(), 1e3))
    assert ce.status is true.status
    assert abs(ce.value - true.value) <= errors.value + rounding * (1 + true.value)
    assert abs(ce.a - true.a) <= errors.a + conditioned * (1e-3 + abs(true.a))
    assert abs(ce.b - true.b) <= errors.b + conditioned * (1 + abs(true.b))
    assert errors.value <= tolerance * max(1, true.value)
    assert errors.a > 0
    if np.isfinite(errors.cut):
        assert ce.orientation == true.orientation
        assert abs(ce.cut - true.cut) <= errors.cut + conditioned * (1 + abs(true.cut))
    else:
        assert abs(true.a) <= 2 * errors.a


@pytest.mark.parametrize("name", [name for name, p in PROBLEMS.items() if len(p.sample)])
def test_problems_with_exact_answers(name):
    problem = PROBLEMS[name]
    found = optimum(sketch_of(problem.sample, ends=(-8.0, 8.0)))
    ce, accuracy = found.cross_entropy, found.accuracy
    assert isinstance(found, SketchOptimum)
    assert ce.status.name == problem.status
    assert ce.orientation == problem.orientation
    assert ce.value == pytest.approx(problem.value, abs=1e-12)
    assert accuracy.value == pytest.approx(problem.accuracy, abs=1e-12)
    assert accuracy.value <= accuracy.upper <= accuracy.value + 1e-11
    assert accuracy.constants == problem.constants
    assert accuracy.cuts == problem.cuts  # these few points are told apart by the grid
    if problem.status == "finite":
        assert abs(ce.a - problem.a) <= found.errors.a + 1e-14
        assert abs(ce.b - problem.b) <= found.errors.b + 1e-14
        assert found.shared is (None if name == "no_information" else problem.shared)
    else:
        assert (found.shared, np.isnan(found.errors.a)) == (None, True)


def test_no_data_have_no_optimum():
    sketch = Sketch.empty(Schema.of(Grid(np.array([1.0]), np.array([0.0])), (0.0, 1.0)))
    found = optimum(sketch)
    assert found.cross_entropy.status.name == "empty"
    assert np.isnan(found.accuracy.value)
    assert (found.accuracy.cuts, found.accuracy.constants, found.shared) == ((), (), None)


def test_sharing_is_decided_only_where_it_is_certain():
    told = {name: optimum(sketch_of(sample, points=101)).shared for name, sample in SAMPLES.items()}
    assert told["few"] is optimum(SAMPLES["few"]).shared is not None
    assert {True, False, None} == {
        optimum(sketch_of(drawn(seed, 30, shape="integers"), points=101)).shared
        for seed in range(8)
    } | {told["normal"]}


def test_an_optimum_steeper_than_the_sketch_is_rejected_with_its_scope():
    sample = drawn(1, 5000, a=3.0)
    sentence = r"is at a slope of about (2\.9|3\.0).*this sketch answers \|a\| <= 1 at a tolerance"
    with pytest.raises(InputError, match=sentence):
        optimum(sketch_of(sample, a=1.0))
    with pytest.raises(
        InputError, match=r"no bound is known for the optimum near a = 2.* of 0\.9;"
    ):
        optimum(sketch_of(sample, a=3.1, tolerance=0.9))
    nearly = Sample([0.0, 1.0, 1.0 - 1e-9, 2.0], [0, 0, 1, 1])
    with pytest.raises(InputError, match=r"this sketch answers \|a\| <= 5"):
        optimum(sketch_of(nearly))


@pytest.mark.parametrize("size", [1e-12, 1e-16, 1e-18, 1e-22])
def test_tiny_weights_make_errors_large_or_are_rejected(size):
    sample = drawn(1, 500, weights="uniform")
    small = Sample(sample.x, sample.y, sample.weight * size)
    true = optimum(small)
    if size < 1e-17:
        with pytest.raises(InputError, match="too small to have been summed"):
            optimum(sketch_of(small))
        return
    found = optimum(sketch_of(small))
    assert abs(found.cross_entropy.a - true.cross_entropy.a) <= found.errors.a
    assert abs(found.cross_entropy.value - true.cross_entropy.value) <= found.errors.value
    assert found.accuracy.value - found.errors.value <= true.accuracy.value <= found.accuracy.upper


def test_merged_sketches_have_the_optimum_of_one():
    parts = [sketch_of(drawn(seed, 500), ends=(-8.0, 8.0)) for seed in range(4)]
    one, other = reduce(Sketch.merge, parts), reduce(Sketch.merge, parts[::-1])
    assert optimum(one) == optimum(other)
    assert optimum(Measure.from_sketch(one)) == optimum(one)
