"""Weights in a sketch: no mass vanishes or overflows, and bounds hold however small it is."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweep
from sweep import InputError, Sample, Sketch
from sweep.base.grid import Grid
from sweep.base.ranges import axis
from sweep.measure.sketch import builder
from sweep.measure.sketch.builder import Sketcher, rows_of
from sweep.measure.sketch.exact_sums import RESOLUTION
from sweep.measure.sketch.schema import Schema
from sweep.optima import optimum
from sweep.optima.records import OptimumStatus

ENDS = (-6.0, 6.0)


COUNTED = ("accuracy", "balanced_accuracy", "recall")


def schema(tolerance=1e-9):
    return Schema.of(Grid(axis("-5:5:5"), axis("-5:5:5")), ENDS, tolerance=tolerance)


def weighted_sketch(*samples, tolerance=1e-9):
    sketcher = Sketcher(schema(tolerance))
    for number, sample in enumerate(samples):
        sketcher.add(f"part {number}", rows_of([sample]))
    return sketcher.sketch()


def weighted(n, weight, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(*ENDS, n)
    return Sample(x, (rng.random(n) < 1 / (1 + np.exp(-x))).astype(float), weight)


def test_a_class_that_weighs_next_to_nothing_is_a_class():
    sample = weighted(400, None)
    sample = Sample(sample.x, sample.y, np.where(sample.y > 0, 1e-21, 1.0))
    sketch = weighted_sketch(sample)
    with pytest.raises(InputError, match="rounding alone may reach"):
        sweep.landscape(sketch, [-5, 0, 5], [0], ("balanced_accuracy",))
    with pytest.raises(InputError, match="too small to have been summed: scale all weights up"):
        optimum(sketch)


def test_light_points_in_many_bins_are_in_the_bound():
    sample = weighted(1500, np.full(1500, 0.9e-19))
    weight = sample.weight.copy()
    weight[[np.argmin(sample.y), np.argmax(sample.y)]] = 1e-8  # one of each class
    sample, cells = Sample(sample.x, sample.y, weight), ([-5, 0.5, 5], [-5, 0, 5])
    sketch = weighted_sketch(sample)
    bins = np.unique(np.digitize(sample.x, sketch.schema.lattice.edges))
    assert np.count_nonzero(sketch.deposit.moments[..., 0].any(axis=0)) == len(bins) > 1000
    with pytest.raises(InputError, match=r"cannot be promised.*with larger weights"):
        sweep.landscape(sketch, *cells, ("cross_entropy",))
    result = sweep.landscape(sketch, *cells, ("cross_entropy",), tolerance=1e-2).cross_entropy
    true = sweep.landscape(sample, *cells, ("cross_entropy",)).cross_entropy
    error = float(np.max(np.abs(result - true) / np.maximum(1, true)))
    assert 1e-9 < error <= result.error_bound


@settings(max_examples=6, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(-22, 12),
    st.floats(0, 12),
    st.sampled_from([1e-1, 1e-4, 1e-8]),
)
def test_what_is_answered_is_right_whatever_the_weights(seed, size, spread, tolerance):
    rng = np.random.default_rng(seed)
    sample = weighted(60, 10 ** (size + rng.uniform(-spread / 2, spread / 2, 60)), seed)
    parts = [
        Sample(sample.x[p], sample.y[p], sample.weight[p])
        for p in (slice(0, 20), slice(20, 21), slice(21, 60))
    ]
    sketch = weighted_sketch(*parts, tolerance=tolerance)
    cells = ([-5.0, -0.7, 0.0, 3.0], [-5.0, 0.3, 5.0])
    for name in ("cross_entropy", *COUNTED):
        try:
            result = sweep.landscape(sketch, *cells, (name,), tolerance=tolerance)
        except InputError:
            continue
        true = sweep.landscape(sample, *cells, (name,), tolerance=1e-6)[name]
        bound = result[name].error_bound + 1e-13
        if f"{name}_lower" in result:
            assert (result[f"{name}_lower"] - bound <= true).all()
            assert (true <= result[f"{name}_upper"] + bound).all()
        else:
            assert (abs(result[name] - true) <= bound * np.maximum(1, true)).all()
    _require_honest(sketch, optimum(sample))


def _require_honest(sketch, true):
    try:
        result = optimum(sketch)
    except InputError:
        return
    ce, best = result.cross_entropy, result.accuracy
    assert ce.status is true.cross_entropy.status
    assert best.value <= true.accuracy.value + 1e-14
    assert true.accuracy.value <= best.upper + 1e-14
    for low, high, side in true.accuracy.cuts:
        assert any(s == side and one <= low and high <= two for one, two, s in best.cuts)
    if ce.status is OptimumStatus.finite:
        assert abs(ce.a - true.cross_entropy.a) <= result.errors.a + 1e-12
        assert abs(ce.b - true.cross_entropy.b) <= result.errors.b + 1e-12
        assert abs(ce.value - true.cross_entropy.value) <= result.errors.value + 1e-13
        assert result.shared in (None, true.shared)


@pytest.mark.parametrize("spread", [False, True])
def test_masses_beyond_what_can_be_summed_are_refused_however_they_come(spread):
    x = np.linspace(-1, 1, 3) if spread else np.zeros(3)
    parts = [Sample(x + 1e-3 * k, [1.0, 0.0, 1.0], np.full(3, 2.0**58)) for k in range(8)]
    with pytest.raises(InputError, match=r"the weights add up to more than 2\^61; scale them down"):
        weighted_sketch(*parts)
    single = [weighted_sketch(part) for part in parts]
    some = reduce(Sketch.merge, single[:3])
    assert some.total(1) == 6 * 2.0**58
    for order in (single, single[::-1], [some, *single[3:]]):
        with pytest.raises(InputError, match=r"add up to more than 2\^61"):
            reduce(Sketch.merge, order)


def test_flushes_of_one_part_add_up_before_they_are_rounded(monkeypatch):
    sample = weighted(512, np.full(512, 1e-19))
    monkeypatch.setattr(builder, "MOST_WEIGHTED", 1)
    sketcher = Sketcher(schema())
    sketcher.add(
        "part",
        rows_of([Sample(sample.x[k::8], sample.y[k::8], sample.weight[k::8]) for k in range(8)]),
    )
    sketch = sketcher.sketch()
    masses = [np.sum(sample.weight[sample.y == label]) for label in (0, 1)]
    held = np.count_nonzero(sketch.inside.values, axis=1)
    for label in (0, 1):
        assert abs(sketch.total(label) - masses[label]) <= held[label] * RESOLUTION
        assert sketch.rounding_of_masses >= abs(sketch.total(label) / masses[label] - 1)


def test_a_start_that_fits_all_but_nothing_pulls_is_refused_in_a_sentence():
    """The data of one such case: weights over eleven decades, and bins as wide as all x."""
    x = [1.3363749217753786, 0.8848042726202634, -2.6492047973837693, -1.1257823218160727,
         -0.2813515967246622, -0.3923123102927698, 1.5001879354257974, -0.39056595060092314,
         -0.01597259809371323, -0.29378543111838884]  # fmt: skip
    weight = [3.1314515007160573e-05, 4.650736223188579e-08, 0.4119525385213151,
              3.66035454914734e-12, 0.0012771807005104484, 0.2346964161067045,
              0.012221030289804482, 1.1945849769673082e-11, 6.931243217378865e-08,
              3.4664769462716136e-11]  # fmt: skip
    slope = 0.005613372797834161
    grid = Grid(np.array([-slope, 0.0, slope]), np.array([-0.16, 0.0, 0.16]))
    sketcher = Sketcher(Schema.of(grid, (min(x), max(x)), tolerance=9.562054656267446e-09))
    sketcher.add("part", rows_of([Sample(x, [0, 0, 1, 0, 0, 1, 0, 0, 0, 1], weight)]))
    with pytest.raises(InputError, match=r"was not found, but this sketch answers"):
        optimum(sketcher.sketch())


def test_coarse_bins_of_far_points_pass_the_check():
    """What stands for points is moved to within their extremes, and so has not quite their mean."""
    rng = np.random.default_rng(1)
    sample = Sample(1e6 + rng.normal(size=300), (rng.random(300) < 0.5).astype(float),
                    10 ** rng.uniform(-6, 6, 300))  # fmt: skip
    grid = Grid(np.array([-1e-2, 1e-2]), np.array([-1.0, 1.0]))
    sketcher = Sketcher(
        Schema.of(grid, (float(sample.x.min()), float(sample.x.max())), tolerance=1e-2)
    )
    sketcher.add("part", rows_of([sample]))
    result = sweep.landscape(sketcher.sketch(), grid.a, grid.b, ("cross_entropy",), tolerance=1e-2)
    true = sweep.landscape(sample, grid.a, grid.b, ("cross_entropy",), tolerance=1e-6)
    error = np.abs(result.cross_entropy - true.cross_entropy) / np.maximum(1, true.cross_entropy)
    assert float(error.max()) <= result.cross_entropy.error_bound
