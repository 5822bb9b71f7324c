"""Outputs are checked before a time counts, and times of a part are extrapolated and marked."""

import dataclasses

import numpy as np
import pytest
from peers import PEERS, numpy_loop

import sweep
from sweep.benchmark import measurement
from sweep.benchmark import problem as module
from sweep.benchmark.measurement import Mismatch
from sweep.benchmark.problem import COMPRESSED, OURS, LandscapeProblem, Peer, Size
from tests.support import oracle

ALWAYS = ("numpy", "sklearn", "jax")  # peers whose libraries the tests need anyway
CONTESTANTS = {peer.name: peer for peer in (*PEERS.values(), *OURS)}

WRONG = {
    "cross-entropy": lambda values: {"cross_entropy": values.cross_entropy + 1e-6},
    "accuracy": lambda values: {"accuracy": 1 - values.accuracy},
    "nan": lambda values: {"cross_entropy": values.cross_entropy * np.nan},
}


@pytest.fixture
def ragged():
    """Points on grid lines among them, on a grid that is not square."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(-1, 1, 150), rng.integers(-2, 3, 50).astype(float)])
    y = (rng.uniform(size=200) < 0.4).astype(float)
    return LandscapeProblem(x, y, np.linspace(-3, 3, 4), np.linspace(-2, 2, 9))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(peer.name, dtype) for peer in CONTESTANTS.values() for dtype in peer.dtypes],
)
def test_every_peer_that_is_there_equals_the_oracle(name, dtype, ragged):
    peer = CONTESTANTS[name]
    if not peer.installed():
        assert name not in ALWAYS
        # Numba, PyTorch, jax-grid-search and R are heavy, and nothing but `sweep bench` needs them.
        pytest.skip(f"{name} is not installed")
    problem = ragged.astype(dtype)
    values = peer.solve(problem)
    sample = sweep.Sample(problem.x, problem.y)
    ce = oracle.grid(oracle.cross_entropy, sample, problem.a, problem.b)
    np.testing.assert_allclose(values.cross_entropy, ce, rtol=1e-5 if dtype == "float32" else 1e-9)
    assert values.accuracy.shape == ce.shape
    measurement.require_equal(values, problem, measurement.truth(problem), name)


def test_the_slow_truth_is_the_definition(ragged):
    found = measurement.truth(ragged)
    sample = sweep.Sample(ragged.x, ragged.y)
    for i, j, ce, accuracy, doubt in zip(*dataclasses.astuple(found), strict=True):
        a, b = ragged.a[i], ragged.b[j]
        assert ce == pytest.approx(oracle.cross_entropy(sample, a, b), rel=1e-14)
        assert accuracy == oracle.correct(sample, a, b) / len(sample)
        assert doubt == np.mean(np.abs(oracle.logits(sample, a, b)) < 1e-14)
    assert (found.rows[0], found.columns[0]) == (0, 0)
    assert (found.rows[1], found.columns[1]) == (3, 8)
    assert found.doubt.max() > 0


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_output_has_no_time(name, ragged):
    def solve(problem):
        values = numpy_loop(problem)
        return dataclasses.replace(values, **WRONG[name](values))

    with pytest.raises(Mismatch, match=r"^p: (cross-entropy|accuracy) is off by .* at n = 200"):
        measurement.race(Peer("p", "", solve), ragged, 1.0)


def test_a_part_thins_the_grid_then_the_points(monkeypatch):
    monkeypatch.setattr(module, "LEAST_POINTS", 10)
    whole = module.problem(1000, 20)
    assert whole.part(10**6) is whole
    assert whole.part(300_000) is whole
    for evaluations in (200_000, 10_000, 3000, 100):
        part = whole.part(evaluations)
        assert part.size.evaluations == pytest.approx(evaluations, rel=0.2)
        assert set(part.a) <= set(whole.a)
        assert (part.a[0], part.a[-1]) == (-10, 10)
        assert (len(part.x) == 1000) == (evaluations > 4 * 1000)
    assert whole.part(1).size == Size(10, (2, 2))


def test_what_takes_too_long_is_extrapolated_and_marked(monkeypatch):
    monkeypatch.setattr(module, "LEAST_POINTS", 10)
    problem = module.problem(400, 10)
    whole = measurement.race(PEERS["numpy"], problem, 60.0, rate=1e9)
    assert not whole.extrapolated
    assert whole.size == whole.measured == problem.size
    part = measurement.race(PEERS["numpy"], problem, 1e-9)
    assert part.extrapolated
    assert part.size == problem.size
    assert part.measured == Size(10, (2, 2))
    assert part.seconds == pytest.approx(problem.size.evaluations / part.rate)
    ours = measurement.race(COMPRESSED, problem, 1e-9)
    assert not ours.extrapolated


def test_warm_times_do_not_hold_the_first_run():
    seconds = iter([0.2, 0.0, 0.0, 0.0, 0.0, 0.0])

    def slow_at_first(problem):
        measurement.time.sleep(next(seconds))
        return numpy_loop(problem)

    timing = measurement.race(Peer("p", "", slow_at_first), module.problem(50, 3), 9.0, 1e9)
    assert timing.first_s > 0.2 > timing.median_s >= timing.seconds > 0
    assert timing.repeats == measurement.REPEATS


def test_a_peers_own_clock_counts_where_it_has_one():
    def solve(problem):
        return dataclasses.replace(numpy_loop(problem), seconds=(9.0, 3.0, 2.0, 4.0))

    timing = measurement.race(Peer("p", "", solve), module.problem(50, 3), 100.0, 1e9)
    assert (timing.first_s, timing.seconds, timing.median_s, timing.repeats) == (9, 2, 3, 3)


def test_the_published_illustration_is_raced_on_its_own_grid():
    problem = module.published(3, 101)
    assert problem.size == Size(10_000, (101, 101))
    assert measurement.truth(problem).cross_entropy.min() > 0
