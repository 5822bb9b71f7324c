import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import sweep
from sweep import Measure, Sample
from sweep.measure.cuts import cut
from sweep.measure.points import Points
from sweep.optima.records import OptimumStatus
from tests.support import oracle
from tests.support.problems import PROBLEMS
from tests.support.small_samples import SAMPLES, noisy


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


def test_problem_table_covers_every_status():
    assert {problem.status for problem in PROBLEMS.values()} == set(OptimumStatus.__members__)


def test_status_is_a_sentence():
    assert all(status.value.endswith(".") and len(status.value) > 30 for status in OptimumStatus)


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
    x, y = noisy(seed, 40)
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


def test_a_measure_has_the_optimum_of_its_sample():
    sample = sweep.data.illustration(2)
    assert sweep.optimum(Measure.from_sample(sample)) == sweep.optimum(sample)


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
