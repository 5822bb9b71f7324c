"""Sketches: what they answer against the points themselves, and merging in any order."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweep
from sweep import InputError, Measure, Sample, Sketch
from sweep.base.grid import Grid
from sweep.base.ranges import axis
from sweep.landscapes.direct import direct_cells
from sweep.measure.confusion import confusion
from sweep.measure.sketch.schema import Schema
from sweep.metrics.metrics import METRICS, Counting
from tests.support.sketches import GRID, KINDS, SHAPES, sample, schema_for, sketch_of, split_at


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_counts_on_its_own_grid_are_exact(shape, kind):
    whole = sample(shape, kind)
    of_sketch = Measure.from_sketch(sketch_of(*split_at(whole, [100, 500])))
    result = confusion(of_sketch, GRID.a[:, None], GRID.b)
    z = GRID.a[:, None, None] * whole.x + GRID.b[:, None]
    mass = np.ones(len(whole)) if whole.weight is None else whole.weight
    truth = [
        np.sum(np.where(positive, share * mass, 0), axis=-1)
        for share in (whole.y, 1 - whole.y)
        for positive in (z > 0, z <= 0)
    ]
    for mine, exact in zip((result.tp, result.fn, result.fp, result.tn), truth, strict=True):
        if kind == "hard":
            assert mine.dtype == np.int64
            assert np.array_equal(mine, exact)
        else:
            total = max(np.max(exact), np.min(truth))
            assert np.max(np.abs(mine - exact)) <= 1e-12 * total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_smooth_metrics_keep_their_bound_wherever_they_are_promised(shape, kind):
    whole = sample(shape, kind)
    sketch = sketch_of(whole)
    intercept = min(sketch.schema.intercept, 1000.0)
    assert intercept >= 5
    a, b = np.array([-8.0, -0.3, 0.0, 1e-3, 5.0, 8.0]), np.linspace(-intercept, intercept, 7)
    metrics = ("cross_entropy", "weighted_cross_entropy(w0=1,w1=7)")
    result = sweep.landscape(sketch, a, b, metrics)
    a_cells, b_cells = (grid.ravel() for grid in np.meshgrid(a, b, indexing="ij"))
    for name in metrics:
        metric = sweep.metrics.metrics.metric(name)
        truth = direct_cells(
            Measure.from_sample(whole), metric, a_cells, b_cells, "float64", 2**26
        ).reshape(len(a), len(b))
        error = np.abs(result[metric.name].values - truth) / np.maximum(1, truth)
        assert np.max(error) <= result[metric.name].error_bound <= 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_counting_metrics_lie_between_their_bounds(shape, kind):
    whole = sample(shape, kind)
    names = [name for name, metric in METRICS.items() if isinstance(metric, Counting)]
    a, b = "-7.7:7.1:9", "-30:31:23"
    result = sweep.landscape(sketch_of(whole), a, b, names)
    truth = sweep.landscape(whole, a, b, names)
    slack = 0 if kind == "hard" else 1e-12
    if "accuracy_lower" not in result:  # constant x: each cut is beyond all points
        assert shape == "constant"
        return
    for name in names:
        lower, exact, upper = (result[name + end].values for end in ("_lower", "", "_upper"))
        assert np.all(lower - slack <= truth[name])
        assert np.all(truth[name] <= upper + slack)
        assert np.array_equal(np.isnan(exact), lower != upper) or kind != "hard"
        known = ~np.isnan(exact)
        assert exact[known] == pytest.approx(truth[name].values[known], abs=slack)
    # No farther apart than what lies within a bin.
    if shape == "normal":
        assert float(np.max(result.accuracy_upper - result.accuracy_lower)) < 0.02


def test_the_cells_of_its_grid_give_what_a_sample_gives():
    whole = sample("normal")
    result, truth = (
        sweep.landscape(data, "-8:8:17", "-5:5:11") for data in (sketch_of(whole), whole)
    )
    assert (
        list(result.data_vars) == list(truth.data_vars) == ["cross_entropy", "accuracy", "correct"]
    )
    assert np.array_equal(result.correct, truth.correct)
    assert result.accuracy.error_bound == truth.accuracy.error_bound
    assert result.attrs["n"] == 900


@pytest.mark.parametrize("kind", KINDS)
def test_64_parts_merged_in_random_orders_and_trees_are_the_same_bits(kind):
    whole = sample("normal", kind, n=6400)
    rng = np.random.default_rng(1)
    parts = split_at(whole, np.sort(rng.choice(np.arange(1, 6400), 63, replace=False)))
    schema = schema_for(whole)
    together = sketch_of(*parts, schema=schema)
    single = [sketch_of(part, schema=schema, first=k) for k, part in enumerate(parts)]
    assert reduce(Sketch.merge, single).equals(together)
    for _ in range(5):
        left = [single[k] for k in rng.permutation(64)]
        while len(left) > 1:
            i, j = rng.choice(len(left), 2, replace=False)
            pair = left[i].merge(left[j])
            left = [other for k, other in enumerate(left) if k not in (i, j)] + [pair]
        assert left[0].equals(together)
    assert together.n == 6400
    by_parts, truth = (sweep.landscape(data, "-8:8:17", "-5:5:11") for data in (together, whole))
    error = np.abs(by_parts.cross_entropy - truth.cross_entropy)
    assert float(np.max(error)) <= by_parts.error_bound + truth.error_bound
    assert np.array_equal(by_parts.accuracy, truth.accuracy) or kind != "hard"


@settings(max_examples=30)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.sampled_from(KINDS), st.randoms())
def test_merging_is_associative_and_commutative_and_has_a_neutral_element(sizes, kind, random):
    schema = Schema.of(Grid(axis("-2:2:3"), axis("-1:1:3")), (-50.0, 50.0))
    parts = [sample("normal", kind, n + 1, seed=k) for k, n in enumerate(sizes)]
    sketch = [sketch_of(part, schema=schema, first=k) for k, part in enumerate(parts)]
    whole = reduce(Sketch.merge, sketch, Sketch.empty(schema))
    random.shuffle(sketch)
    assert reduce(lambda right, left: left.merge(right), sketch).equals(whole)
    assert whole.merge(Sketch.empty(schema)).equals(whole)


def test_bounds_hold_what_small_weights_lose():
    whole = sample("normal")
    light, heavy = (
        sketch_of(Sample(whole.x, whole.y, np.full(len(whole), weight)))
        for weight in (2.0**-26, 1.0)
    )
    bounds = [
        sweep.landscape(sketch, GRID.a, GRID.b, "cross_entropy").attrs["error_bound"]
        for sketch in (light, heavy)
    ]
    lost = light.lost(8.0, 5.0)
    assert lost > 1e-12
    assert bounds[0] - bounds[1] == pytest.approx(lost, rel=1e-3)


def test_no_part_is_merged_twice_under_any_name():
    one, other = sample("normal", seed=1), sample("normal", seed=2)
    schema = schema_for(one, other)
    both = sketch_of(one, other, schema=schema)
    with pytest.raises(InputError, match=r"part 7 \(900 points\) is in both .* as part 1; merge"):
        both.merge(sketch_of(other, schema=schema, first=7))
    with pytest.raises(InputError, match="part 2 has the same rows as part 0"):
        sketch_of(one, other, one, schema=schema)


def test_what_it_cannot_answer_is_refused_with_what_it_can():
    sketch = sketch_of(sample("normal"))
    message = (
        r"this sketch answers \|a\| <= 8 at a tolerance of 1e-09, and the request has \|a\| <= 50"
    )
    with pytest.raises(InputError, match=message):
        sweep.landscape(sketch, "-50:50:11")
    with pytest.raises(InputError, match=r"the request has \|a\| <= 8.*1e-12"):
        sweep.landscape(sketch, "-8:8:17", "-5:5:11", tolerance=1e-12)
    with pytest.raises(InputError, match="this sketch answers"):
        sweep.landscape(sketch, "-8:8:17", "-5:5:11", "focal(gamma=100)")
    for options in ({"method": "direct"}, {"dtype": "float32"}):
        with pytest.raises(InputError, match="a sketch has no points to sum over"):
            sweep.landscape(sketch, **options)
    with pytest.raises(InputError, match="counts exactly only at the cuts of its own grid"):
        confusion(Measure.from_sketch(sketch), np.array([1.234]), np.array([0.567]))


def test_extremes_and_what_is_right_there_add_up():
    schema = Schema.of(GRID, (-2.0, 2.0))
    x, y = np.array([-1.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])
    sketch = sketch_of(Sample(x, y), Sample(x[2:], y[2:]), Sample(x[:1] / 2, y[:1]), schema=schema)
    zero, one = Measure.from_sketch(sketch).classes
    assert (zero.extremes, one.extremes) == ((-1.0, 1.0), (1.0, 1.0))
    assert (zero.mass_at(-1.0), zero.mass_at(1.0), one.mass_at(1.0)) == (1.0, 2.0, 2.0)
