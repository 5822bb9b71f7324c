import json
import math
from itertools import pairwise

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression

import sweep
from sweep import Measure, Sample
from sweep.optimum import Status
from tests import oracle
from tests.problems import PROBLEMS


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_is_solved_exactly(name):
    problem = PROBLEMS[name]
    best = sweep.optimum(problem.sample)
    ce, accuracy = best.cross_entropy, best.accuracy
    assert ce.status.name == problem.status
    assert [ce.a, ce.b, ce.value] == pytest.approx(
        [problem.a, problem.b, problem.value], rel=1e-13, abs=1e-14, nan_ok=True
    )
    assert ce.orientation == problem.orientation
    assert accuracy.value == pytest.approx(problem.accuracy, rel=1e-15, nan_ok=True)
    assert accuracy.cuts == problem.cuts
    assert accuracy.constants == problem.constants
    assert best.shared is problem.shared


UNBOUNDED = [
    name
    for name, problem in PROBLEMS.items()
    if problem.status in ("separated", "quasi_separated", "one_class")
    and name != "separated_by_an_ulp"  # whose infimum takes a slope of 1e17 to approach
]


@pytest.mark.parametrize("name", UNBOUNDED)
def test_infimum_without_an_optimum_is_approached_but_not_passed(name):
    problem = PROBLEMS[name]
    best = sweep.optimum(problem.sample).cross_entropy
    x = problem.sample.x
    if problem.status == "one_class":
        middle = x.min() - 1 if problem.constants == (1,) else x.max() + 1
    elif problem.status == "separated":
        middle = np.mean(problem.cuts[0][:2])
    else:
        middle = 1.0
    # Along the ray whose cut is `middle`; points on it keep the logit of their share of class 1.
    on_it = problem.sample.y[x == middle]
    shift = math.log(on_it.mean() / (1 - on_it.mean())) if len(on_it) else 0.0
    values = [
        oracle.cross_entropy(problem.sample, a, shift - a * middle)
        for a in np.array([5.0, 20.0, 300.0]) * (best.orientation or 1)
    ]
    assert values[0] > values[1] >= values[2] >= best.value - 1e-15
    assert values[-1] == pytest.approx(best.value, abs=1e-12)


def test_problem_table_covers_every_status():
    assert {problem.status for problem in PROBLEMS.values()} == set(Status.__members__)


def test_status_is_a_sentence():
    assert all(status.value.endswith(".") and len(status.value) > 30 for status in Status)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_cross_entropy_optimum_is_that_of_r(k, r_reference):
    ce, expected = sweep.optimum(sweep.data.illustration(k)).cross_entropy, r_reference[k]
    assert (ce.a, ce.b) == pytest.approx((expected["a"], expected["b"]), abs=1e-9)
    assert ce.value == pytest.approx(expected["cross_entropy"], abs=1e-12)
    assert ce.cut == pytest.approx(expected["cut"], abs=1e-9)
    assert ce.gradient < 1e-16


@pytest.mark.parametrize("k", [1, 2, 3])
def test_accuracy_optimum_is_that_of_r(k, r_reference):
    best, expected = sweep.optimum(sweep.data.illustration(k)), r_reference[k]
    assert best.accuracy.correct == expected["grid_max_correct"]
    assert best.regret == (expected["grid_max_correct"] - expected["correct_at_optimum"]) / best.n


def test_illustration_1_has_two_open_closed_intervals_and_does_not_share():
    sample = sweep.data.illustration(1)
    best = sweep.optimum(sample)
    assert best.accuracy.cuts == ((-0.3, 0.0, 1), (0.9, 1.0, 1))
    assert (best.accuracy.correct, best.shared) == (4, False)
    assert best.cross_entropy.cut == pytest.approx(0.516, abs=5e-4)
    assert best.distance == best.accuracy.cuts[1][0] - best.cross_entropy.cut
    # The tie rule decides the ends: the cut t is the lowest x of class 1, and t = -b/a + an ulp.
    for low, high, _ in best.accuracy.cuts:
        for b, expected in ((-low, 4), (-high, 3), (-np.nextafter(high, low), 4)):
            assert oracle.correct(sample, 1.0, b) == expected


def _with_statsmodels(sample):
    design = sm.add_constant(sample.x)
    fit = sm.GLM(sample.y, design, sm.families.Binomial(), freq_weights=oracle.weights(sample))
    return fit.fit(tol=1e-14, tol_criterion="params", maxiter=200).params[::-1]


@pytest.mark.parametrize("seed", range(5))
def test_optimum_is_that_of_other_packages(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(1, 2, 300)
    y = (rng.uniform(size=300) < 1 / (1 + np.exp(0.5 - x))).astype(float)
    sample = Sample(x, y, rng.uniform(0.1, 3, 300))
    ce = sweep.optimum(sample).cross_entropy
    assert (ce.a, ce.b) == pytest.approx(_with_statsmodels(sample), abs=1e-9)
    sklearn = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000, solver="newton-cholesky")
    sklearn.fit(x[:, None], y, sample_weight=sample.weight)
    assert (ce.a, ce.b) == pytest.approx((sklearn.coef_[0, 0], sklearn.intercept_[0]), abs=1e-8)


def _noisy(seed, n=200):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, (rng.uniform(size=n) < 1 / (1 + np.exp(-1.5 * x + 0.3))).astype(float)


HARD = {
    "shifted by 1e6": lambda x, y: (x + 1e6, y, None),
    "tiny": lambda x, y: (x * 1e-150, y, None),
    "huge": lambda x, y: (x * 1e150, y, None),
    "outlier at 1e8": lambda x, y: (np.append(x, 1e8), np.append(y, 1), None),
    "wrong outlier at 1e8": lambda x, y: (np.append(x, 1e8), np.append(y, 0), None),
    "wrong outlier at -1e4": lambda x, y: (np.append(x, -1e4), np.append(y, 1), None),
    "weights over 12 decades": lambda x, y: (x, y, 10.0 ** np.linspace(-6, 6, len(x))),
    "one in a million": lambda x, y: (x, np.where(y > 0, 1e-6, 0), None),
    "almost separated": lambda x, y: (
        np.append(np.where(y > 0, np.abs(x) + 0.1, -np.abs(x) - 0.1), [-1e-9, 1e-9]),
        np.append(y, [1, 0]),
        None,
    ),
    "Cauchy": lambda x, y: (np.tan(np.pi * (np.arange(len(x)) + 0.5) / len(x)), y, None),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", HARD)
def test_gradient_vanishes_to_rounding_on_hard_data(name, seed):
    sample = Sample(*HARD[name](*_noisy(seed)))
    best = sweep.optimum(sample)
    ce = best.cross_entropy
    assert ce.status is Status.finite
    assert ce.gradient < 1e-13
    assert ce.iterations < 60
    # No neighbour is lower by more than its rounding.
    for a, b in ((1.001, 1), (0.999, 1), (1, 1.001), (1, 0.999)):
        step = oracle.cross_entropy(sample, ce.a * a, ce.b * b)
        assert step >= ce.value * (1 - 1e-14)


POSITIONS = st.integers(-4, 4).map(float)
SAMPLES = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=POSITIONS),
        arrays(float, n, elements=st.sampled_from([0.0, 0.0, 1.0, 1.0, 0.25])),
        st.none() | arrays(float, n, elements=st.sampled_from([0.1, 0.2, 0.3, 1.0, 1e12, 1e-6])),
    )
)


@given(SAMPLES)
def test_accuracy_optimum_is_the_whole_set_that_brute_force_finds(columns):
    sample = Sample(*columns)
    accuracy = sweep.optimum(sample).accuracy
    most, found = oracle.best_cuts(sample)
    points = np.unique(sample.x)
    m = len(points)
    told = {
        (k, orientation)
        for low, high, orientation in accuracy.cuts
        for k in range(np.searchsorted(points, low) + 1, np.searchsorted(points, high) + 1)
    }
    told |= {pair for c in accuracy.constants for pair in (((0, -1), (m, 1)), ((m, -1), (0, 1)))[c]}
    assert accuracy.correct == pytest.approx(most, rel=1e-15)
    assert told == found
    # Maximal: no two intervals of one orientation touch.
    for orientation in (1, -1):
        spans = [cut for cut in accuracy.cuts if cut[2] == orientation]
        assert all(left[1] < right[0] for left, right in pairwise(spans))


@given(SAMPLES)
def test_shared_regret_and_distance_agree_with_the_definition(columns):
    sample = Sample(*columns)
    best = sweep.optimum(sample)
    if best.cross_entropy.status is not Status.finite:
        assert best.shared is None
        assert math.isnan(best.regret)
        assert math.isnan(best.distance)
        return
    ce = best.cross_entropy
    at_optimum = oracle.correct(sample, ce.a, ce.b) / np.sum(oracle.weights(sample))
    assert best.regret == pytest.approx(best.accuracy.value - at_optimum, abs=1e-14)
    assert best.shared == (best.regret == 0) or best.regret < 1e-14
    assert best.distance >= 0
    if best.shared:
        assert best.distance == 0


@given(SAMPLES)
def test_status_is_decided_by_the_extremes(columns):
    sample = Sample(*columns)
    status = sweep.optimum(sample).cross_entropy.status.name
    mass = oracle.weights(sample)
    one, zero = sample.x[sample.y * mass > 0], sample.x[(1 - sample.y) * mass > 0]
    if len(one) == 0 or len(zero) == 0:
        expected = "one_class"
    elif len(np.unique(np.append(one, zero))) == 1:
        expected = "constant_x"
    elif zero.max() < one.min() or one.max() < zero.min():
        expected = "separated"
    elif zero.max() <= one.min() or one.max() <= zero.min():
        expected = "quasi_separated"
    else:
        expected = "finite"
    assert status == expected


@given(SAMPLES, st.permutations(range(12)))
def test_order_of_points_does_not_matter(columns, order):
    sample = Sample(*columns)
    order = [i for i in order if i < len(sample)]
    shuffled = Sample(*(None if c is None else c[order] for c in columns))
    one, other = sweep.optimum(sample), sweep.optimum(shuffled)
    assert one.accuracy.cuts == other.accuracy.cuts
    assert one.accuracy.constants == other.accuracy.constants
    assert one.cross_entropy.status is other.cross_entropy.status


@given(st.integers(0, 1000), st.sampled_from([-3.0, 0.0, 1e4]), st.sampled_from([-2.0, 0.5, 1.0]))
def test_shift_and_scale_of_x_move_the_optimum_along(seed, shift, scale):
    x, y = _noisy(seed, 40)
    plain = sweep.optimum(Sample(x, y))
    assume(plain.cross_entropy.status is Status.finite)
    moved = sweep.optimum(Sample(scale * x + shift, y))
    ce, other = plain.cross_entropy, moved.cross_entropy
    assert other.a * scale == pytest.approx(ce.a, rel=1e-10)
    assert other.b + other.a * shift == pytest.approx(ce.b, rel=1e-8, abs=1e-8)
    assert other.value == pytest.approx(ce.value, rel=1e-12)
    assert other.orientation == ce.orientation * np.sign(scale)
    assert moved.accuracy.correct == plain.accuracy.correct
    assert len(moved.accuracy.cuts) == len(plain.accuracy.cuts)
    assert moved.shared == plain.shared


@given(SAMPLES)
def test_swapping_the_labels_swaps_the_sign(columns):
    x, y, w = columns
    one, other = sweep.optimum(Sample(x, y, w)), sweep.optimum(Sample(x, 1 - y, w))
    assert other.cross_entropy.status is one.cross_entropy.status
    assert other.cross_entropy.a == pytest.approx(-one.cross_entropy.a, abs=1e-9, nan_ok=True)
    assert other.cross_entropy.b == pytest.approx(-one.cross_entropy.b, abs=1e-9, nan_ok=True)
    assert other.accuracy.constants == tuple(sorted(1 - c for c in one.accuracy.constants))
    mirrored = {(low, high, -orientation) for low, high, orientation in one.accuracy.cuts}
    assert set(other.accuracy.cuts) == mirrored


@given(SAMPLES.filter(lambda columns: columns[2] is None))
def test_a_point_of_weight_two_is_two_points(columns):
    x, y, _ = columns
    twice = sweep.optimum(Sample(np.append(x, x), np.append(y, y)))
    heavy = sweep.optimum(Sample(x, y, np.full(len(x), 2.0)))
    assert twice.accuracy == heavy.accuracy
    assert twice.cross_entropy.value == pytest.approx(heavy.cross_entropy.value, rel=1e-14)


def test_value_is_that_of_the_landscape():
    sample = sweep.data.illustration(2)
    ce = sweep.optimum(sample).cross_entropy
    cell = sweep.landscape(sample, ce.a, ce.b, "cross_entropy").cross_entropy.item()
    assert ce.value == pytest.approx(cell, rel=1e-14)


def test_measure_is_taken_as_well_as_sample():
    sample = sweep.data.illustration(2)
    assert sweep.optimum(Measure.from_sample(sample)) == sweep.optimum(sample)


@pytest.mark.parametrize("name", PROBLEMS)
def test_record_is_json(name):
    document = json.loads(
        json.dumps(sweep.optimum(PROBLEMS[name].sample).to_dict(), allow_nan=False)
    )
    assert document["cross_entropy"]["status"]["name"] == PROBLEMS[name].status
    assert set(document) >= {"cross_entropy", "accuracy", "shared", "regret", "distance"}


def test_x_beyond_what_float64_resolves_is_refused():
    x = np.array([-1e308, 1e-300, 2e-300, 1e308, 1.5e-300, 3e-300])
    with pytest.raises(sweep.InputError, match="rescale x"):
        sweep.optimum(Sample(x, [0, 1, 0, 1, 0, 1]))
