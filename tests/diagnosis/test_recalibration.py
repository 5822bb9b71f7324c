"""The best slope, intercept and temperature alone, against independent packages."""

import math

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp
from sklearn.linear_model import LogisticRegression

from sweep.data.sample import Sample
from sweep.diagnosis.recalibration import (
    WeightedRows,
    intercept_alone,
    slope_alone,
    temperature_optimum,
)
from sweep.measure.measure import Measure
from sweep.optima.records import OptimumStatus
from tests.support.predicted import calibrated, predictions


def _measure(z, y, weight=None):
    return Measure.from_sample(Sample(z, y, weight))


def _cross_entropy(z, y, weight=None):
    loss = np.logaddexp(0, np.where(np.asarray(y) == 1, -z, z))
    return np.average(loss, weights=weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("factor", "shift"), [(1, 0), (3, 1), (0.01, -2), (-2, 0.5), (1e6, 0)])
def test_they_are_those_of_statsmodels(factor, shift, weighted):
    t, y = calibrated(400, 1)
    z = factor * (t + shift)
    weight = np.random.default_rng(2).integers(1, 5, 400).astype(float) if weighted else None
    family = {"family": sm.families.Binomial(), "freq_weights": weight}
    slope = sm.GLM(y, (z / factor)[:, None], **family).fit(tol=1e-14, maxiter=100)
    a, value = slope_alone(_measure(z, y, weight))
    assert a * factor == pytest.approx(slope.params[0], rel=1e-9)
    assert value == pytest.approx(_cross_entropy(a * z, y, weight), rel=1e-13)
    if factor == 1e6:
        return
    intercept = sm.GLM(y, np.ones((400, 1)), offset=z, **family).fit(tol=1e-14, maxiter=100)
    b, value = intercept_alone(_measure(z, y, weight))
    assert b == pytest.approx(intercept.params[0], rel=1e-9)
    assert value == pytest.approx(_cross_entropy(z + b, y, weight), rel=1e-13)


NUMBERS = st.sampled_from([-1e8, -700.0, -3.0, -1.0, -1e-6, 0.0, 1e-6, 0.5, 2.0, 40.0, 1e8])
ROWS = st.lists(st.tuples(NUMBERS, st.booleans(), st.sampled_from([1e-6, 1.0, 1e6])), min_size=2)


@given(ROWS)
def test_no_slope_is_better(rows):
    z, y, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    a, value = slope_alone(_measure(z, y, weight))
    signed = np.where(y == 1, z, -z)
    if (signed >= 0).all() or (signed <= 0).all():
        side = math.nan if (z == 0).all() else math.inf if (signed >= 0).all() else -math.inf
        assert a == side or (math.isnan(a) and math.isnan(side))
        assert value == pytest.approx(weight[z == 0].sum() / weight.sum() * math.log(2))
        return
    wrong = weight * expit(-a * signed)
    assert abs(wrong @ signed) <= 1e-8 * (wrong @ np.abs(signed))
    assert value == pytest.approx(_cross_entropy(a * z, y, weight), rel=1e-9)


@given(ROWS)
def test_no_intercept_is_better(rows):
    z, y, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    b, value = intercept_alone(_measure(z, y, weight))
    if y.all() or not y.any():
        assert (b, value) == (math.inf if y.all() else -math.inf, 0.0)
        return
    sign = np.where(y == 1, 1.0, -1.0)
    wrong = weight * expit(-sign * (z + b))
    rounding = np.spacing(abs(b)) * wrong.sum()  # of z + b
    assert abs(wrong @ sign) <= 1e-8 * wrong.sum() + rounding
    assert value == pytest.approx(_cross_entropy(z + b, y, weight), rel=1e-9)


def test_gradients_are_those_of_rounding():
    t, y = calibrated(20_000, 3)
    z = 2 * t - 1
    a, _ = slope_alone(_measure(z, y))
    b, _ = intercept_alone(_measure(z, y))
    assert abs(np.mean((expit(a * z) - y) * z)) < 1e-14
    assert abs(np.mean(expit(z + b) - y)) < 1e-14


# --- several classes ----------------------------------------------------------------------------


def _drawn(n, k, seed=0, slope=1.0, spread=2.0):
    """Logits of which softmax(slope z) is right, and classes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, spread, (n, k))
    y = np.argmax(slope * z + rng.gumbel(size=z.shape), axis=1)
    return z, y


def _loss(z, y, a, weight=None):
    """Cross-entropy of softmax(a z), by its definition."""
    each = logsumexp(a * z, axis=1) - a * z[np.arange(len(y)), y]
    return np.average(each, weights=weight)


@pytest.mark.parametrize("k", [3, 10, 40])
@pytest.mark.parametrize("slope", [0.3, 1.0, 2.5, -0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_optimum_is_that_of_scipy(k, slope, weighted):
    z, y = _drawn(800, k, k, slope)
    weight = np.random.default_rng(1).gamma(0.5, size=800) if weighted else None
    optimum = temperature_optimum(predictions(z, y, weight))
    expected = minimize_scalar(
        lambda a: _loss(z, y, a, weight), (slope - 0.5, slope + 0.5), tol=1e-12
    )
    assert optimum.status is OptimumStatus.finite
    assert optimum.a == pytest.approx(expected.x, rel=1e-6)
    assert optimum.value == pytest.approx(expected.fun, rel=1e-13)
    assert optimum.value == pytest.approx(_loss(z, y, optimum.a, weight), rel=1e-13)
    assert abs(optimum.gradient) < 1e-14


def test_two_columns_are_logistic_regression_through_the_origin():
    z, y = _drawn(500, 2, 3, 0.6)
    z = np.column_stack([z, np.full(500, -1e4)])  # a third class that never is
    optimum = temperature_optimum(predictions(z, y))
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, solver="newton-cholesky")
    model.fit(z[:, [1]] - z[:, [0]], y)
    assert optimum.a == pytest.approx(model.coef_.item(), rel=1e-8)


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e6, 1e300])
def test_optimum_scales_with_the_logits(scale):
    z, y = _drawn(200, 4)
    scaled, unscaled = (temperature_optimum(predictions(by * z, y)) for by in (scale, 1.0))
    assert scaled.a * scale == pytest.approx(unscaled.a, rel=1e-12)
    assert scaled.value == pytest.approx(unscaled.value, rel=1e-14)


def test_hard_logits_agree_with_mpmath():
    z, y = _drawn(30, 4, 7)
    z[0] = [1e6, 0, -1e6, 3e5]  # and wrong by 1.3e6
    y[0] = 2
    z[1] += 1e9
    optimum = temperature_optimum(predictions(z, y))
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(v - row[c]) for v in row] for row, c in zip(z, y, strict=True)]

        def slope(a):
            total = mpmath.mpf(0)
            for row in rows:
                odds = [mpmath.exp(a * d) for d in row]
                total += mpmath.fdot(odds, row) / mpmath.fsum(odds)
            return total

        a = mpmath.findroot(slope, mpmath.mpf(optimum.a), tol=1e-60)
        value = mpmath.fsum(mpmath.log(mpmath.fsum(mpmath.exp(a * d) for d in r)) for r in rows)
        assert optimum.a == pytest.approx(float(a), rel=1e-11)
        assert optimum.value == pytest.approx(float(value / 30), rel=1e-14)


def test_minute_losses_keep_their_digits():
    z = np.array([[40.0, 0, 0], [0, 50.0, 0]])
    rows = WeightedRows.of(predictions(z, [0, 1]))
    assert rows.losses(rows.unit) == pytest.approx(2 * np.exp([-40.0, -50.0]), rel=1e-15)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(3, 6), st.floats(0.01, 100))
def test_optimum_is_no_worse_than_its_neighbours(seed, n, k, spread):
    z, y = _drawn(n, k, seed, 0.3, spread)
    weight = np.random.default_rng(seed).integers(0, 3, n).astype(float)
    weight[0] = 1.0
    optimum = temperature_optimum(predictions(z, y, weight))
    beside = [_loss(z, y, a / spread, weight) for a in np.linspace(-3, 3, 61)]
    assert optimum.value <= min(beside) + 1e-12
    if optimum.status is OptimumStatus.finite:
        beside = [_loss(z, y, optimum.a * by, weight) for by in (0.99, 1.01)]
        assert optimum.value <= min(beside) + 1e-14


@pytest.mark.parametrize("sign", [1, -1])
def test_rows_that_are_all_right_or_all_worst_are_separated(sign):
    z = sign * np.array([[3.0, 1.0, 2.0], [0.0, 4.0, 1.0], [0.0, 1.0, 5.0]])
    optimum = temperature_optimum(predictions(z, [0, 1, 2]))
    assert optimum.status is OptimumStatus.separated
    assert math.isnan(optimum.a)
    assert optimum.value == 0
    assert WeightedRows.of(predictions(z, [0, 1, 2])).direction == sign


def test_ties_at_the_top_leave_their_entropy():
    z = np.array([[3.0, 3.0, 2.0], [0.0, 4.0, 1.0], [5.0, 5.0, 5.0]])
    optimum = temperature_optimum(predictions(z, [0, 1, 2], [2.0, 1.0, 1.0]))
    assert optimum.status is OptimumStatus.quasi_separated
    assert optimum.value == pytest.approx((2 * math.log(2) + math.log(3)) / 4, rel=1e-15)
    assert optimum.value == pytest.approx(_loss(z, [0, 1, 2], 100, [2, 1, 1]), rel=1e-15)


def test_equal_logits_have_no_best_slope():
    optimum = temperature_optimum(predictions(np.full((12, 4), 2.5), np.arange(12) % 4))
    assert optimum.status is OptimumStatus.constant_x
    assert optimum.value == pytest.approx(math.log(4), rel=1e-15)


def test_rows_without_weight_do_not_count():
    z, y = _drawn(60, 3, 5)
    weight = np.ones(60)
    weight[:10] = 0
    optimum = temperature_optimum(predictions(z, y, weight))
    kept = temperature_optimum(predictions(z[10:], y[10:]))
    assert optimum.a == pytest.approx(kept.a, rel=1e-12)
    z[0, 1 - (y[0] > 0)] = 1e300  # which would move everything
    assert temperature_optimum(predictions(z, y, weight)).a == pytest.approx(kept.a, rel=1e-12)


def test_chunks_add_up():
    z, y = _drawn(100_000, 3, 2)
    optimum = temperature_optimum(predictions(z, y))
    assert optimum.value == pytest.approx(_loss(z, y, optimum.a), rel=1e-13)
    assert optimum.a == pytest.approx(1, abs=0.05)
