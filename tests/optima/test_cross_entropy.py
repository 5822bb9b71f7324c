import math

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from sklearn.linear_model import LogisticRegression

import sweep
from sweep import Sample
from sweep.optima.records import OptimumStatus
from tests.support import oracle
from tests.support.problems import PROBLEMS
from tests.support.small_samples import SAMPLES

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


@pytest.mark.parametrize("k", [1, 2, 3])
def test_cross_entropy_optimum_is_that_of_r(k, r_reference):
    ce, expected = sweep.optimum(sweep.data.illustration(k)).cross_entropy, r_reference[k]
    assert (ce.a, ce.b) == pytest.approx((expected["a"], expected["b"]), abs=1e-9)
    assert ce.value == pytest.approx(expected["cross_entropy"], abs=1e-12)
    assert ce.cut == pytest.approx(expected["cut"], abs=1e-9)
    assert ce.gradient < 1e-16


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


@pytest.mark.parametrize("light", [1e-12, 1e-17, 1e-200])
def test_infimum_of_a_tie_keeps_its_digits(light):
    heavy = 1e200 if light == 1e-200 else 1.0
    sample = Sample([1, 1], [0, 1], [heavy, light])
    with mpmath.workdps(60):
        p = mpmath.mpf(light) / (mpmath.mpf(light) + heavy)
        entropy = float(-p * mpmath.log(p) - (1 - p) * mpmath.log(1 - p))
    assert sweep.optimum(sample).cross_entropy.value == pytest.approx(entropy, rel=1e-14)


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


def test_value_is_that_of_the_landscape():
    sample = sweep.data.illustration(2)
    ce = sweep.optimum(sample).cross_entropy
    cell = sweep.landscape(sample, ce.a, ce.b, "cross_entropy").cross_entropy.item()
    assert ce.value == pytest.approx(cell, rel=1e-14)


def test_empty_weighted_sample_is_empty():
    assert sweep.optimum(Sample([], [], [])).cross_entropy.status is OptimumStatus.empty
