"""The optimum of a sketch: certified, and never surer than it may be."""

import numpy as np
import pytest

from sweep import InputError, Sample
from sweep.base.grid import Grid
from sweep.measure.measure import Measure
from sweep.measure.sketch.builder import Sketcher, merged, rows_of
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch
from sweep.optima import optimum
from sweep.optima.accuracy_bounds import AccuracyBounds
from sweep.optima.certificate import certify
from sweep.optima.records import SketchOptimum
from tests.support.problems import PROBLEMS


def sketch_of(sample, a=5.0, tolerance=1e-9, ends=None, points=11, parts=1):
    """A sketch for |a| <= a, |b| <= 5 of a sample in some parts."""
    found = (float(np.min(sample.x)), float(np.max(sample.x))) if ends is None else ends
    grid = Grid(np.linspace(-a, a, points), np.linspace(-5, 5, points))
    maker = Sketcher(Schema.of(grid, found, tolerance=tolerance))
    for k in range(parts):
        weight = None if sample.weight is None else sample.weight[k::parts]
        maker.add(f"part {k}", rows_of([Sample(sample.x[k::parts], sample.y[k::parts], weight)]))
    return maker.sketch()


def drawn(seed, n, a=1.3, b=-0.4, shape="normal", labels="hard", weights=None):
    rng = np.random.default_rng(seed)
    x = {
        "normal": lambda: rng.normal(size=n),
        "uniform": lambda: rng.uniform(-2, 2, n),
        "exponential": lambda: rng.exponential(1, n) - 1,
        "cauchy": lambda: rng.standard_cauchy(n),
        "integers": lambda: rng.integers(-3, 4, n).astype(float),
        "two": lambda: np.where(rng.random(n) < 0.5, -1.0, 1.0) + 1e-3 * rng.normal(size=n),
    }[shape]()
    p = 1 / (1 + np.exp(-np.clip(a * x + b, -30, 30)))
    y = p if labels == "soft" else (rng.random(n) < p).astype(float)
    weight = {"uniform": rng.random(n), "decades": 10 ** rng.uniform(-6, 6, n), None: None}[weights]
    return Sample(x, y, weight)


def outlying(sample, *points):
    """The sample and some points far out: (x, y)."""
    x, y = zip(*points, strict=True)
    return Sample(np.append(sample.x, x), np.append(sample.y, y))


SAMPLES = {
    **{shape: drawn(1, 3000, shape=shape) for shape in ("normal", "uniform", "exponential")},
    "cauchy": drawn(2, 3000, shape="cauchy"),
    "integers": drawn(2, 3000, shape="integers"),
    "two heaps": drawn(2, 3000, shape="two"),
    "descending": drawn(3, 3000, a=-3.0, b=1.0),
    "steep": drawn(4, 20_000, a=4.7),
    "no slope": drawn(5, 3000, a=0.0),
    "rare": drawn(6, 20_000, b=-6.0),
    "few": drawn(7, 12, shape="uniform", a=0.5),
    "soft": drawn(8, 3000, labels="soft"),
    "weighted": drawn(9, 3000, weights="uniform"),
    "twelve decades": drawn(10, 3000, weights="decades"),
    "soft and weighted": drawn(11, 3000, labels="soft", weights="decades"),
    "fitting outlier": outlying(drawn(12, 3000), (1e8, 1)),
    "outlier against": outlying(drawn(13, 3000), (1e3, 0)),
    "absurd outlier against": outlying(drawn(13, 3000), (1e8, 0)),
    "outliers on both sides": outlying(drawn(14, 3000), (1e6, 1), (-1e7, 0), (40.0, 0)),
    "shifted": Sample(drawn(15, 3000).x + 1e6, drawn(15, 3000).y),
}
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


@pytest.mark.parametrize("seed", range(40))
def test_errors_are_honest_on_coarse_bins(seed):
    rng = np.random.default_rng(seed)
    shape = ("normal", "uniform", "exponential", "cauchy", "integers")[seed % 5]
    slope, weights = rng.normal(scale=2), (None, "uniform", "decades")[seed % 3]
    sample = drawn(seed, int(rng.integers(20, 400)), a=slope, shape=shape, weights=weights)
    true = optimum(sample).cross_entropy
    sketch = sketch_of(sample, a=max(1.0, 1.5 * abs(true.a)), tolerance=10 ** rng.uniform(-5, -1))
    found = optimum(sketch)
    assert abs(found.cross_entropy.a - true.a) <= found.errors.a
    assert abs(found.cross_entropy.b - true.b) <= found.errors.b
    assert abs(found.cross_entropy.value - true.value) <= found.errors.value


def test_errors_are_not_much_larger_than_they_must_be():
    sample = drawn(1, 100_000, a=2.0)
    true = optimum(sample).cross_entropy
    found = optimum(sketch_of(sample, tolerance=1e-3))
    missed = abs(found.cross_entropy.a - true.a)
    assert missed <= found.errors.a <= 100 * missed
    assert optimum(sketch_of(sample)).errors.a < 1e-11


def test_a_certificate_holds_anywhere():
    sample = drawn(3, 500, a=1.0)
    sketch, true = sketch_of(sample), optimum(sample).cross_entropy
    for off in (1e-6, 1e-3, 0.05):
        sure = certify(sketch, true.a + off, true.b - off)
        assert off <= sure.a_error <= 20 * off
        assert off <= sure.b_error <= 20 * off
        assert 0 <= sure.value - true.value <= sure.value_error <= 20 * off**2
    assert certify(sketch, -50.0, 0.0).a_error == np.inf  # from where Newton's model says nothing


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


@pytest.mark.parametrize("points", [1, 3, 41])
@pytest.mark.parametrize("name", SAMPLES)
def test_accuracy_is_within_its_bounds(name, points):
    sample = SAMPLES[name]
    true = optimum(sample)
    found = optimum(sketch_of(sample, points=points, tolerance=0.01 if points < 9 else 1e-6))
    accuracy = found.accuracy
    assert accuracy.value <= true.accuracy.value + 1e-12
    assert true.accuracy.value <= accuracy.upper
    for low, high, side in true.accuracy.cuts:
        assert any(lo <= low and high <= hi and s == side for lo, hi, s in accuracy.cuts)
    assert set(true.accuracy.constants) <= set(accuracy.constants)
    assert found.regret_bounds[0] - 1e-12 <= true.regret <= found.regret_bounds[1] + 1e-12
    assert found.shared in (None, true.shared)
    if sample.weight is None and np.isin(sample.y, (0, 1)).all():
        assert accuracy.correct == int(accuracy.correct)
        assert np.isnan(found.regret) or found.regret == true.regret


def test_sharing_is_certain_where_it_is_certain():
    told = {name: optimum(sketch_of(sample, points=101)).shared for name, sample in SAMPLES.items()}
    assert told["few"] is optimum(SAMPLES["few"]).shared is not None
    assert {True, False, None} == {
        optimum(sketch_of(drawn(seed, 30, shape="integers"), points=101)).shared
        for seed in range(8)
    } | {told["normal"]}


def test_every_cut_is_within_its_bracket():
    rng = np.random.default_rng(0)
    for name in ("few", "integers", "weighted", "normal"):
        sample = SAMPLES[name]
        known = AccuracyBounds(sketch_of(sample, points=5, tolerance=0.3))
        weight = np.ones(len(sample)) if sample.weight is None else sample.weight
        cuts = np.concatenate([rng.choice(sample.x, 20), rng.normal(size=20), [-np.inf, np.inf]])
        for low, high in zip(cuts, cuts + np.append(rng.exponential(0.1, 40), [0, 0]), strict=True):
            for side in (1, -1):
                least, most = known.correct((low, high), side)
                for t in (low, high):
                    above = sample.x >= t if side > 0 else sample.x <= t
                    correct = np.sum(weight * np.where(above, sample.y, 1 - sample.y))
                    assert least - known.slack <= correct <= most + known.slack


def test_an_optimum_steeper_than_the_sketch_is_refused_with_what_it_answers():
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
def test_weights_that_sums_lose_make_errors_large_or_are_refused(size):
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
    one, other = merged(parts), merged(parts[::-1])
    assert optimum(one) == optimum(other)
    assert optimum(Measure.from_sketch(one)) == optimum(one)
