import json
import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression

import sweep
from sweep import Measure, Sample
from sweep.measure.cuts import cut
from sweep.measure.points import Points
from sweep.optima.records import OptimumStatus
from tests.support import oracle
from tests.support.problems import PROBLEMS


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
    assert {problem.status for problem in PROBLEMS.values()} == set(OptimumStatus.__members__)


def test_status_is_a_sentence():
    assert all(status.value.endswith(".") and len(status.value) > 30 for status in OptimumStatus)


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
    "soft outlier at 1e9": lambda x, y: (
        np.append(x, 1e9),
        np.clip(np.append(y, 1), 1e-9, 1 - 1e-9),
        None,
    ),
    "weights over 400 decades": lambda x, y: (x, y, np.where(x > 0, 1e-200, 1e200)),
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
    assert ce.status is OptimumStatus.finite
    assert ce.gradient < 1e-13
    assert ce.iterations < 60
    # The returned (a, b) are rounded; what that does to the logits it does to the derivatives.
    rounding = 1e-15 * np.max(np.abs(ce.a * sample.x))
    derivatives = oracle.exact_gradient(sample, ce.a, ce.b)
    assert np.max(np.abs(derivatives)) < 1e-14 + rounding


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
    if best.cross_entropy.status is not OptimumStatus.finite:
        assert best.shared is None
        assert math.isnan(best.regret)
        assert math.isnan(best.distance)
        return
    ce = best.cross_entropy
    at_optimum = oracle.correct(sample, ce.a, ce.b) / np.sum(oracle.weights(sample))
    assert best.regret == pytest.approx(best.accuracy.value - at_optimum, abs=1e-14)
    points = np.unique(sample.x)
    where = cut(np.array(ce.a), np.array(ce.b))
    t, orientation = where.t.item(), where.orientation.item()
    k = np.searchsorted(points, t, side="left" if orientation > 0 else "right")
    _, optimal = oracle.best_cuts(sample)
    assert best.shared == ((k, orientation) in optimal)
    # Cut k lies between points k - 1 and k, beyond the ends without limit.
    ends = [-np.inf, *points, np.inf]
    gaps = [max(ends[j] - t, t - ends[j + 1], 0) for j, side in optimal if side == orientation]
    expected = min(gaps, default=np.inf) if np.isfinite(t) else np.inf
    assert best.distance == (0 if best.shared else expected)


def test_no_optimal_cut_of_its_orientation_is_infinitely_far_away():
    # The outlier turns the slope; the best cuts have class 1 below.
    sample = Sample([0, 1, 2, 3, 4, 100], [1, 1, 1, 0, 0, 1])
    best = sweep.optimum(sample)
    assert {orientation for *_, orientation in best.accuracy.cuts} == {-1}
    assert (best.cross_entropy.orientation, best.shared, best.distance) == (1, False, np.inf)


def test_ties_of_weights_are_found_among_many_points_at_few_positions():
    zeros, ones, both = 165, 46, 1174
    x = np.repeat([0.0, 1.0], [zeros + ones, 2 * both])
    y = np.repeat([0, 1, 0, 1], [zeros, ones, both, both])
    plain = sweep.optimum(Sample(x, y))
    heavy = sweep.optimum(Sample(x, y, np.full(len(x), 0.6)))
    assert plain.accuracy.cuts == heavy.accuracy.cuts == ((0.0, 1.0, 1),)
    assert plain.accuracy.constants == heavy.accuracy.constants == (0,)
    assert plain.shared is heavy.shared is True


@pytest.mark.parametrize("light", [1e-12, 1e-17, 1e-200])
def test_infimum_of_a_tie_keeps_its_digits(light):
    heavy = 1e200 if light == 1e-200 else 1.0
    sample = Sample([1, 1], [0, 1], [heavy, light])
    with mpmath.workdps(60):
        p = mpmath.mpf(light) / (mpmath.mpf(light) + heavy)
        entropy = float(-p * mpmath.log(p) - (1 - p) * mpmath.log(1 - p))
    assert sweep.optimum(sample).cross_entropy.value == pytest.approx(entropy, rel=1e-14)


def test_one_light_outlier_does_not_slow_the_way():
    ce = sweep.optimum(
        Sample([0, 650, 0.004, 1800], [1, 0, 0, 1], [1, 4e-9, 8e-6, 1e-11])
    ).cross_entropy
    # From an independent Newton in 60 digits.
    assert ce.a == pytest.approx(-3015.0291137829151, rel=1e-10)
    assert ce.b == pytest.approx(12.311430883412566, rel=1e-10)
    assert ce.value == pytest.approx(6.5383306315607e-5, rel=1e-13)
    assert ce.iterations < 60


def test_weighted_sums_that_tie_are_compared_exactly():
    # In floats 0.2 + 0.2 + 0.2 and 0.6 differ, and so would the two cuts.
    best = sweep.optimum(Sample([0, 1, 2, 3], [1, 0, 1, 0], [0.2, 0.2, 0.2, 0.7]))
    assert best.accuracy.cuts == ((0.0, 1.0, -1), (2.0, 3.0, -1))


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
    assume(plain.cross_entropy.status is OptimumStatus.finite)
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


@pytest.mark.parametrize("base", [0.1, 0.5, 0.9])  # so that constants are among the best, or not
@pytest.mark.parametrize("seed", range(5))
def test_rays_are_where_the_highest_accuracy_begins_or_ends(base, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=20), rng.random(20) < base
    best = sweep.optimum(Sample(x, y.astype(float))).accuracy
    assert best.rays
    for a, b in best.rays:
        angles = math.atan2(b, a) + np.array([-1e-7, 1e-7])
        logits = np.outer(np.cos(angles), x) + np.sin(angles)[:, None]
        assert sorted(np.mean((logits > 0) == y, axis=1) == best.value) == [False, True]


def test_measure_is_taken_as_well_as_sample():
    sample = sweep.data.illustration(2)
    assert sweep.optimum(Measure.from_sample(sample)) == sweep.optimum(sample)


def test_empty_weighted_sample_is_empty():
    assert sweep.optimum(Sample([], [], [])).cross_entropy.status is OptimumStatus.empty


def test_classes_may_be_counted_and_weighted_at_once():
    mixed = Measure(
        Points(np.array([0.0, 1.0])), Points(np.array([0.5, 2.0]), np.array([1.0, 1.0])), 4, "mixed"
    )
    plain = sweep.optimum(Sample([0, 1, 0.5, 2], [0, 0, 1, 1]))
    found = sweep.optimum(mixed)
    assert found.accuracy == plain.accuracy
    assert found.cross_entropy.a == pytest.approx(plain.cross_entropy.a, rel=1e-12)


@pytest.mark.parametrize("name", PROBLEMS)
def test_record_is_json(name):
    document = json.loads(
        json.dumps(sweep.optimum(PROBLEMS[name].sample).to_dict(), allow_nan=False)
    )
    assert document["cross_entropy"]["status"]["name"] == PROBLEMS[name].status
    assert set(document) >= {"cross_entropy", "accuracy", "shared", "regret", "distance"}


@pytest.mark.parametrize(
    "x",
    [
        np.array([-1e308, 1e-300, 2e-300, 1e308, 1.5e-300, 3e-300]),
        np.array([0, 1, 2, 3, 4, 5]) * 1e-310,
    ],
)
def test_x_beyond_what_float64_resolves_is_refused(x):
    with pytest.raises(sweep.InputError, match="rescale x"):
        sweep.optimum(Sample(x, [0, 1, 0, 1, 0, 1]))
