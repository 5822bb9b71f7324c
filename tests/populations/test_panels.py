import jax.numpy as jnp
import numpy as np
import pytest

from sweep import InputError, Measure
from sweep.populations import CATALOGUE, Normal, Population, Quantile, Uniform, population
from sweep.populations.quadrature import Quadrature
from tests.support.formulas import moved

INFINITE = (-np.inf, np.inf)


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
def test_an_undeclared_jump_is_found(at):
    declared = Population("d", Uniform(), lambda x: jnp.where(x > at, 0.9, 0.2), (at,))
    hidden = Population("h", Uniform(), lambda x: jnp.where(x > at, 0.9, 0.2))
    one, other = (Measure.from_population(law) for law in (declared, hidden))
    edges = np.linspace(-1, 1, 101)
    for side in ("class0", "class1"):
        expected, found = (getattr(m, side).split(edges)[0] for m in (one, other))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


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
def test_laws_that_cannot_be_integrated_are_rejected_in_one_sentence(name):
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
