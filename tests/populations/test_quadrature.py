import jax.numpy as jnp
import numpy as np
import pytest

from sweep import InputError, Measure
from sweep.metrics.logistic import softplus
from sweep.metrics.metrics import METRICS
from sweep.metrics.profile import profile
from sweep.populations import CATALOGUE, Normal, Population, Quantile, Uniform, population
from sweep.populations.quadrature import Quadrature
from tests.support.formulas import FORMULAS, moved

INFINITE = (-np.inf, np.inf)


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
def test_masses_below_and_above_any_edge_are_exact(law):
    measure = Measure.from_population(law)
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
    formula, measure = FORMULAS[name], Measure.from_population(CATALOGUE[name])
    assert measure.class1.total == pytest.approx(formula.mean(formula.eta), abs=1e-13)
    for t in (-1.3, 0.01, 0.8):
        expected = formula.mean(lambda x, t=t: formula.eta(x) * (x < t), t)
        (below,), (above,) = measure.class1.split(np.array([t]))
        assert below == pytest.approx(expected, abs=1e-13)
        assert above == pytest.approx(measure.class1.total - expected, abs=1e-13)


@pytest.mark.parametrize("name", ["W1", "W3", "D3", "D5", "S5"])
def test_moments_are_those_of_the_law(name):
    formula, measure = FORMULAS[name], Measure.from_population(CATALOGUE[name])
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


def test_panels_of_one_logit_are_few_however_steep_it_is():
    steep = Population("steep", Normal(), lambda x: 1 / (1 + jnp.exp(-1e6 * x + 3e5)))
    quadrature = Quadrature.near(steep, 1e6, -3e5)
    assert len(quadrature.mass) < 1000
    assert quadrature.covers(1e6, -3e5)
    assert quadrature.covers(1.4e6, -4.2e5)
    assert not quadrature.covers(1e6, 3e5)
    assert not quadrature.covers(3e6, -9e5)
    with pytest.raises(InputError, match=r"slopes as steep as 1e\+06 need more than 131072 panels"):
        Quadrature.of(steep, 1e6)


@pytest.mark.parametrize("at", [0.1234567, -0.9, 1 / 3, 1e-9])
def test_a_jump_that_nobody_declared_is_found(at):
    declared = Population("d", Uniform(), lambda x: jnp.where(x > at, 0.9, 0.2), (at,))
    hidden = Population("h", Uniform(), lambda x: jnp.where(x > at, 0.9, 0.2))
    one, other = (Measure.from_population(law) for law in (declared, hidden))
    edges = np.linspace(-1, 1, 101)
    for side in ("class0", "class1"):
        expected, found = (getattr(m, side).split(edges)[0] for m in (one, other))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
@pytest.mark.parametrize(("shift", "scale"), [(0, 1e6), (0, 1e-6), (1e4, 1.0), (0, -1.0)])
def test_a_moved_law_has_the_masses_of_the_law(law, shift, scale):
    one, other = (Measure.from_population(w) for w in (law, moved(law, shift, scale)))
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


class Misfit(Normal):
    def density(self, x):
        return 1.001 * super().density(x)


def _refused(x, eta=lambda x: 0.3 + 0 * x):
    return Population("mine", x, eta)


BAD = {
    "noise": (
        _refused(Uniform(), lambda x: 0.5 + 0.4 * jnp.sin(1e9 * x)),
        "cannot be resolved near x=.*; name their jumps and kinks in breaks",
    ),
    "cauchy": (
        _refused(Quantile(lambda u: jnp.tan(np.pi * (u - 0.5)), INFINITE)),
        "mine: the tails of x are so heavy that its mean may not exist",
    ),
    "a density of another law": (_refused(Misfit()), "integrates to 1.001, not to 1"),
    "rounding": (moved(CATALOGUE["W3"], 1e12, 1.0), "not to 1; check .* far from 0 compared with"),
    "eta above 1": (_refused(Uniform(), lambda x: 0.5 + x), r"must be in \[0, 1\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_laws_that_cannot_be_integrated_are_refused_in_one_sentence(name):
    law, sentence = BAD[name]
    with pytest.raises(InputError, match=sentence):
        Measure.from_population(law)


def test_a_cluster_that_hardly_ever_occurs_is_integrated_too():
    law = population("contaminated_logit(share=1e-5,mean=-30000)")
    measure = Measure.from_population(law)
    assert measure.total == pytest.approx(1, abs=1e-12)
    masses = [
        density.split(np.array([-15000.0]))[0][0] for density in (measure.class0, measure.class1)
    ]
    assert sum(masses) == pytest.approx(1e-5, rel=1e-9)


def test_a_quantile_function_that_cancels_does_not_jump():
    law = Population("mine", Quantile(lambda u: 1 - jnp.sqrt(1 - u), (0.0, 1.0)), lambda x: x)
    measure = Measure.from_population(law)  # the density is 2 (1 - x)
    assert measure.class1.total == pytest.approx(1 / 3, rel=1e-12)


@pytest.mark.parametrize("at", [0.2345, -0.71828])
def test_a_bump_that_is_narrow_beside_the_panels_is_found(at):
    law = Population("mine", Uniform(), lambda x: 0.3 + 0.4 * jnp.exp(-(((x - at) / 1e-4) ** 2)))
    measure = Measure.from_population(law)
    assert measure.class1.total == pytest.approx(0.3 + 0.2e-4 * np.sqrt(np.pi), abs=1e-14)
