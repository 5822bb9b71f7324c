import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from sweep.diagnosis.temperature import WeightedRows, temperature_optimum
from sweep.optima.records import OptimumStatus
from tests.support.predicted import predictions


def drawn(n, k, seed=0, slope=1.0, spread=2.0):
    """Logits of which softmax(slope z) is right, and classes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, spread, (n, k))
    y = np.argmax(slope * z + rng.gumbel(size=z.shape), axis=1)
    return z, y


def loss(z, y, a, weight=None):
    """Cross-entropy of softmax(a z), by its definition."""
    each = logsumexp(a * z, axis=1) - a * z[np.arange(len(y)), y]
    return np.average(each, weights=weight)


@pytest.mark.parametrize("k", [3, 10, 40])
@pytest.mark.parametrize("slope", [0.3, 1.0, 2.5, -0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_optimum_is_that_of_scipy(k, slope, weighted):
    z, y = drawn(800, k, k, slope)
    weight = np.random.default_rng(1).gamma(0.5, size=800) if weighted else None
    found = temperature_optimum(predictions(z, y, weight))
    expected = minimize_scalar(
        lambda a: loss(z, y, a, weight), (slope - 0.5, slope + 0.5), tol=1e-12
    )
    assert found.status is OptimumStatus.finite
    assert found.a == pytest.approx(expected.x, rel=1e-6)
    assert found.value == pytest.approx(expected.fun, rel=1e-13)
    assert found.value == pytest.approx(loss(z, y, found.a, weight), rel=1e-13)
    assert abs(found.gradient) < 1e-14


def test_two_columns_are_logistic_regression_through_the_origin():
    z, y = drawn(500, 2, 3, 0.6)
    z = np.column_stack([z, np.full(500, -1e4)])  # a third class that never is
    found = temperature_optimum(predictions(z, y))
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, solver="newton-cholesky")
    model.fit(z[:, [1]] - z[:, [0]], y)
    assert found.a == pytest.approx(model.coef_.item(), rel=1e-8)


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e6, 1e300])
def test_optimum_scales_with_the_logits(scale):
    z, y = drawn(200, 4)
    found, unscaled = (temperature_optimum(predictions(by * z, y)) for by in (scale, 1.0))
    assert found.a * scale == pytest.approx(unscaled.a, rel=1e-12)
    assert found.value == pytest.approx(unscaled.value, rel=1e-14)


def test_hard_logits_agree_with_mpmath():
    z, y = drawn(30, 4, 7)
    z[0] = [1e6, 0, -1e6, 3e5]  # and wrong by 1.3e6
    y[0] = 2
    z[1] += 1e9
    found = temperature_optimum(predictions(z, y))
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(v - row[c]) for v in row] for row, c in zip(z, y, strict=True)]

        def slope(a):
            total = mpmath.mpf(0)
            for row in rows:
                odds = [mpmath.exp(a * d) for d in row]
                total += mpmath.fdot(odds, row) / mpmath.fsum(odds)
            return total

        a = mpmath.findroot(slope, mpmath.mpf(found.a), tol=1e-60)
        value = mpmath.fsum(mpmath.log(mpmath.fsum(mpmath.exp(a * d) for d in r)) for r in rows)
        assert found.a == pytest.approx(float(a), rel=1e-11)
        assert found.value == pytest.approx(float(value / 30), rel=1e-14)


def test_minute_losses_keep_their_digits():
    z = np.array([[40.0, 0, 0], [0, 50.0, 0]])
    rows = WeightedRows.of(predictions(z, [0, 1]))
    assert rows.losses(rows.unit) == pytest.approx(2 * np.exp([-40.0, -50.0]), rel=1e-15)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(3, 6), st.floats(0.01, 100))
def test_optimum_is_no_worse_than_its_neighbours(seed, n, k, spread):
    z, y = drawn(n, k, seed, 0.3, spread)
    weight = np.random.default_rng(seed).integers(0, 3, n).astype(float)
    weight[0] = 1.0
    found = temperature_optimum(predictions(z, y, weight))
    beside = [loss(z, y, a / spread, weight) for a in np.linspace(-3, 3, 61)]
    assert found.value <= min(beside) + 1e-12
    if found.status is OptimumStatus.finite:
        beside = [loss(z, y, found.a * by, weight) for by in (0.99, 1.01)]
        assert found.value <= min(beside) + 1e-14


@pytest.mark.parametrize("sign", [1, -1])
def test_rows_that_are_all_right_or_all_worst_are_separated(sign):
    z = sign * np.array([[3.0, 1.0, 2.0], [0.0, 4.0, 1.0], [0.0, 1.0, 5.0]])
    found = temperature_optimum(predictions(z, [0, 1, 2]))
    assert found.status is OptimumStatus.separated
    assert math.isnan(found.a)
    assert found.value == 0
    assert WeightedRows.of(predictions(z, [0, 1, 2])).direction == sign


def test_ties_at_the_top_leave_their_entropy():
    z = np.array([[3.0, 3.0, 2.0], [0.0, 4.0, 1.0], [5.0, 5.0, 5.0]])
    found = temperature_optimum(predictions(z, [0, 1, 2], [2.0, 1.0, 1.0]))
    assert found.status is OptimumStatus.quasi_separated
    assert found.value == pytest.approx((2 * math.log(2) + math.log(3)) / 4, rel=1e-15)
    assert found.value == pytest.approx(loss(z, [0, 1, 2], 100, [2, 1, 1]), rel=1e-15)


def test_equal_logits_have_no_best_slope():
    found = temperature_optimum(predictions(np.full((12, 4), 2.5), np.arange(12) % 4))
    assert found.status is OptimumStatus.constant_x
    assert found.value == pytest.approx(math.log(4), rel=1e-15)


def test_rows_without_weight_do_not_count():
    z, y = drawn(60, 3, 5)
    weight = np.ones(60)
    weight[:10] = 0
    found = temperature_optimum(predictions(z, y, weight))
    kept = temperature_optimum(predictions(z[10:], y[10:]))
    assert found.a == pytest.approx(kept.a, rel=1e-12)
    z[0, 1 - (y[0] > 0)] = 1e300  # which would move everything
    assert temperature_optimum(predictions(z, y, weight)).a == pytest.approx(kept.a, rel=1e-12)


def test_parts_add_up():
    z, y = drawn(100_000, 3, 2)
    found = temperature_optimum(predictions(z, y))
    assert found.value == pytest.approx(loss(z, y, found.a), rel=1e-13)
    assert found.a == pytest.approx(1, abs=0.05)
