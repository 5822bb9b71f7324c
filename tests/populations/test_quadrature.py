from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from sweep import Measure
from sweep.metrics.logistic import softplus
from sweep.metrics.metrics import METRICS
from sweep.metrics.profile import profile
from sweep.populations import CATALOGUE, Population, Quantile
from sweep.populations.quadrature import Quadrature
from tests.support.formulas import FORMULAS, moved

INFINITE = (-np.inf, np.inf)


measure_of = cache(Measure.from_population)  # integrated once for all tests of a law


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
def test_masses_below_and_above_any_edge_are_exact(law):
    measure = measure_of(law)
    u = np.random.default_rng(0).uniform(size=500)
    x = np.concatenate([law.x.quantile(u), np.array([-np.inf, -1e9, 0.0, 1e9, np.inf])])
    below, above = (
        np.add(*pair) for pair in zip(measure.class0.split(x), measure.class1.split(x), strict=True)
    )
    np.testing.assert_allclose(below, law.x.cdf(x), rtol=0, atol=2e-14)
    np.testing.assert_allclose(above, law.x.survival(x), rtol=0, atol=2e-14)
    quadrature = measure.quadrature
    assert quadrature.rounding() < 1e-12
    assert np.max(np.abs(below - law.x.cdf(x))) <= quadrature.rounding()


@pytest.mark.parametrize("name", FORMULAS)
def test_classes_are_those_of_independent_formulas(name):
    formula, measure = FORMULAS[name], measure_of(CATALOGUE[name])
    assert measure.class1.total == pytest.approx(formula.mean(formula.eta), abs=1e-13)
    for t in (-1.3, 0.01, 0.8):
        expected = formula.mean(lambda x, t=t: formula.eta(x) * (x < t), t)
        (below,), (above,) = measure.class1.split(np.array([t]))
        assert below == pytest.approx(expected, abs=1e-13)
        assert above == pytest.approx(measure.class1.total - expected, abs=1e-13)


@pytest.mark.parametrize("name", ["W1", "W3", "D3", "D5", "S5"])
def test_moments_are_those_of_the_law(name):
    formula, measure = FORMULAS[name], measure_of(CATALOGUE[name])
    for power in (1, 2, 4):
        found = sum(p.mass @ p.x**power for p in (measure.class0, measure.class1))
        assert found == pytest.approx(formula.mean(lambda x, k=power: x**k), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ["W1", "D2", "D3", "S5"])
@pytest.mark.parametrize("slope", [1.0, 30.0, 1000.0])
def test_losses_up_to_the_slope_are_within_the_bound(name, slope):
    formula, quadrature = FORMULAS[name], Quadrature.of(CATALOGUE[name], slope)
    bound = quadrature.bound(profile(softplus), slope, 5.0)
    assert bound < 1e-10
    mass = quadrature.weights(0) + quadrature.weights(1)
    for b in (-5.0, 0.3, 4.0):
        near = [(z - b) / slope for z in (-40, -10, -3, 0, 3, 10, 40)]
        expected = formula.mean(lambda x, b=b: np.logaddexp(0, slope * x + b), *near)
        found = mass @ softplus(slope * quadrature.x + b)
        assert abs(found - expected) <= bound * max(1.0, expected) + 1e-13 * max(1.0, expected)


def test_the_bound_does_not_understate_the_error_of_panels_that_are_too_wide():
    quadrature = Quadrature.of(CATALOGUE["W1"], 1.0)
    fine = Quadrature.of(CATALOGUE["W1"], 3000.0)
    loss = METRICS["brier"].negative
    for slope in (300.0, 1000.0, 3000.0):
        found, expected = (
            (q.weights(0) + q.weights(1)) @ loss(slope * q.x + 0.1234 * slope)
            for q in (quadrature, fine)
        )
        error = abs(found - expected)
        assert error > 1e-12
        assert error <= quadrature.bound(profile(loss), slope, 0.1234 * slope)


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
@pytest.mark.parametrize(("shift", "scale"), [(0, 1e6), (0, 1e-6), (1e4, 1.0), (0, -1.0)])
def test_a_moved_law_has_the_masses_of_the_law(law, shift, scale):
    one, other = measure_of(law), Measure.from_population(moved(law, shift, scale))
    x = law.x.quantile(np.linspace(0.01, 0.99, 99))
    expected = one.class1.split(x)[0 if scale > 0 else 1]
    # At 1e4 neighbouring floats are 1.8e-12 apart, and the density is at most 1.
    found = other.class1.split(shift + scale * x)[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-12 if shift else 2e-14)


LAPLACE = Quantile(
    lambda u: jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 * (1 - u))), INFINITE, (0.0,)
)


def test_a_law_known_by_its_quantiles_only_is_integrated():
    law = Population("laplace", LAPLACE, lambda x: 1 / (1 + jnp.exp(-x)))
    measure = Measure.from_population(law)
    edges = np.array([-20.0, -1.0, 0.0, 0.5, 3.0])
    below = measure.class0.split(edges)[0] + measure.class1.split(edges)[0]
    expected = np.where(edges < 0, np.exp(edges) / 2, 1 - np.exp(-edges) / 2)
    np.testing.assert_allclose(below, expected, rtol=0, atol=1e-14)
