"""The best slope alone and the best intercept alone, against independent packages."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from sweep.data.sample import Sample
from sweep.diagnosis.one_parameter import intercept_alone, slope_alone
from sweep.measure.measure import Measure
from tests.support.predicted import calibrated


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
