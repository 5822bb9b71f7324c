import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sweep
from sweep.asymptotics.replicates import optima
from sweep.optima.records import STATUSES
from sweep.populations import CATALOGUE, sampling

STATUS = {status: code for code, status in enumerate(STATUSES)}


def solve(x, y):
    """The optima of one sample, as NumPy arrays."""
    layout = sampling.SampleLayout.of(len(x))._replace(batches=1, samples=1)
    assert layout.chunks == 1
    with jax.enable_x64(True):
        x, y = (jax.numpy.asarray(v)[None, None, None] for v in (x, y))
        return flattened(optima(x.astype(float), y.astype(bool), layout))


def flattened(solved):
    return type(solved)(*(np.asarray(values).reshape(-1) for values in solved))


def check(solved, row, x, y):
    """One sample's optima against `sweep.optimum`, which was tested against brute force."""
    truth = sweep.optimum(sweep.Sample(x, y))
    ce, n = truth.cross_entropy, len(x)
    assert solved.status[row] == STATUS[ce.status]
    assert solved.ones[row] == np.sum(y)
    assert solved.correct_best[row] == truth.accuracy.correct
    low, high, orientation = solved.low[row], solved.high[row], solved.orientation[row]
    if np.isinf(low) or np.isinf(high):
        assert not truth.accuracy.cuts
        assert (1 if np.isinf(low) else 0) in truth.accuracy.constants
    else:
        holding = [c for c in truth.accuracy.cuts if c[2] == orientation]
        assert any(start <= low and high <= stop for start, stop, _ in holding)
    if ce.status.name != "finite":
        assert np.isnan([solved.a[row], solved.b[row], solved.distance[row]]).all()
        return
    if not solved.converged[row]:
        return
    scale = np.std(x)
    assert solved.a[row] == pytest.approx(ce.a, rel=1e-9, abs=1e-9 / scale)
    assert solved.b[row] == pytest.approx(ce.b, rel=1e-9, abs=1e-9 * (1 + abs(ce.a) * max(abs(x))))
    assert solved.cross_entropy[row] == pytest.approx(ce.value, rel=1e-11)
    assert solved.gradient[row] < 1e-12  # where Newton stops: a decrement of 1e-24
    if abs(ce.a) * scale > 1e-9:  # else the cut is where rounding puts it
        if np.min(np.abs(ce.a * x + ce.b)) > 1e-11:  # else rounding decides on a point at the cut
            correct = truth.accuracy.correct - round(truth.regret * n)
            assert solved.correct_cross_entropy[row] == correct
        assert solved.distance[row] == pytest.approx(truth.distance, rel=1e-6, abs=1e-7 * scale)


@pytest.mark.parametrize("n", [1, 5, 316, 31_623])
@pytest.mark.parametrize("law", ["W1", "W5", "D3", "S4"])
def test_the_optima_are_those_of_each_sample(law, n):
    layout = sampling.SampleLayout.of(n)
    with jax.enable_x64(True):
        draws = sampling.draw(CATALOGUE[law], layout, 11, 0)
        solved = flattened(optima(draws.x, draws.y, layout))
    assert solved.converged.mean() > 0.99
    for row in range(0, layout.samples_per_call, -(-layout.samples_per_call // 12)):
        check(solved, row, layout.row(draws.x, row), layout.row(draws.y, row))


values = st.integers(-3, 3) | st.floats(-10, 10, allow_subnormal=False).map(lambda v: round(v, 3))


@given(st.lists(st.tuples(values, st.booleans()), min_size=6, max_size=6))
def test_ties_and_every_status(points):
    points = sorted(points, key=lambda point: point[0])
    x, y = (np.array(column) for column in zip(*points, strict=True))
    check(solve(x, y), 0, x.astype(float), y)


@pytest.mark.parametrize(
    ("x", "y", "status"),
    [
        ([0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1], "separated"),
        ([0, 1, 2, 3, 4, 5], [1, 1, 1, 0, 0, 0], "separated"),
        ([0, 1, 2, 2, 4, 5], [0, 0, 0, 1, 1, 1], "quasi_separated"),
        ([0, 1, 2, 2, 4, 5], [1, 1, 0, 1, 0, 0], "quasi_separated"),
        ([0, 1, 2, 3, 4, 5], [1, 1, 1, 1, 1, 1], "one_class"),
        ([2, 2, 2, 2, 2, 2], [0, 1, 0, 1, 0, 1], "constant_x"),
        ([0, 1, 2, 3, 4, 5], [0, 1, 0, 1, 0, 1], "finite"),
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 0, 0], "finite"),
    ],
)
def test_whether_there_is_an_optimum(x, y, status):
    x, y = np.array(x, float), np.array(y, bool)
    solved = solve(x, y)
    assert STATUSES[solved.status[0]].name == status
    check(solved, 0, x, y)


def test_optimal_cells_are_counted():
    # By class 1 above there are one error between 0 and 1, and one between 2 and 3.5.
    solved = solve([-1.0, 0.0, 1.0, 2.0, 3.5, 4.5], [0, 0, 1, 0, 1, 1])
    assert (solved.correct_best[0], solved.optimal_cells[0]) == (5, 2)
    assert (solved.low[0], solved.high[0], solved.orientation[0]) == (2.0, 3.5, 1)
    # Both constants and nothing else.
    solved = solve([1.0] * 6, [0, 1] * 3)
    assert solved.optimal_cells[0] == 2


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0), (1e-6, 0), (1, 1e4), (1e3, -1e6)])
def test_units_of_x_do_not_matter(scale, shift):
    layout = sampling.SampleLayout.of(316)
    with jax.enable_x64(True):
        draws = sampling.draw(CATALOGUE["W4"], layout, 2, 0)
        x = draws.x * scale + shift
        solved = flattened(optima(x, draws.y, layout))
    for row in (0, 100, 200):
        check(solved, row, layout.row(x, row), layout.row(draws.y, row))
