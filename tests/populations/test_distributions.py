import math
import pickle
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from sweep import InputError
from sweep.populations.distributions.mixtures import Mixture
from sweep.populations.distributions.protocol import Distribution
from sweep.populations.distributions.quantiles import Quantile
from sweep.populations.distributions.standard import Exponential, Normal, Uniform

INF = math.inf


def _laplace(u):
    return jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 * (1 - u)))


def _with_gap(u):
    return jnp.where(u <= 0.5, -2 + 2 * u, 2 * u)


MIXTURES = {
    "near": Mixture((0.5, 0.5), (Normal(-1, 1), Normal(1, 1))),
    "wide": Mixture((0.5, 0.5), (Normal(0, 1), Normal(2, 3))),
    "rare": Mixture((0.95, 0.05), (Normal(0, 1), Normal(1.5, 1))),
    "far": Mixture((0.9, 0.1), (Normal(0, 1), Normal(-8, 0.5))),
    "three": Mixture((0.8, 0.1, 0.1), (Normal(), Normal(-6, 0.5), Normal(6, 0.5))),
    "farther": Mixture((0.5, 0.5), (Normal(-1e3, 1), Normal(1e3, 1e-3))),
    "gap": Mixture((0.5, 0.5), (Uniform(-2, -1), Uniform(1, 2))),
    "overlap": Mixture((0.25, 0.75), (Uniform(-2, 1), Uniform(0, 2))),
    "user's part": Mixture((0.4, 0.6), (Normal(), Quantile(_laplace, (-INF, INF), (0.0,)))),
    "jumps": Mixture((0.3, 0.3, 0.4), (Uniform(-1, 1), Exponential(2), Normal(1, 2))),
}

LAWS = {
    "uniform": Uniform(-3, 0.5),
    "normal": Normal(0.7, 1.5),
    "exponential": Exponential(2.5),
    "laplace": Quantile(_laplace, (-INF, INF), (0.0,)),
    "user's gap": Quantile(_with_gap, (-2.0, 2.0), (-1.0, 1.0)),
    **MIXTURES,
}

SCIPY = {
    "uniform": stats.uniform(-3, 3.5),
    "normal": stats.norm(0.7, 1.5),
    "exponential": stats.expon(scale=1 / 2.5),
    "laplace": stats.laplace(),
}

U = np.unique(
    np.concatenate(
        [2.0 ** -np.arange(50, 2, -1), np.arange(1, 500) / 500, 1 - 2.0 ** -np.arange(3, 45)]
    )
)
"""Probabilities: both tails, and what is between."""


def _on_device(function, values):
    with jax.enable_x64(True):
        return np.asarray(jax.jit(function)(jnp.asarray(values)))


@pytest.mark.parametrize("name", LAWS)
def test_every_law_has_the_methods(name):
    assert isinstance(LAWS[name], Distribution)
    assert not isinstance(np.ones(3), Distribution)


@pytest.mark.parametrize("name", SCIPY)
def test_functions_are_those_of_scipy(name):
    law, reference = LAWS[name], SCIPY[name]
    x = np.concatenate([reference.ppf(U), [-50.0, 50.0]])
    np.testing.assert_allclose(law.quantile(U), reference.ppf(U), rtol=1e-12, atol=1e-12)
    for mine, theirs in (
        (law.cdf(x), reference.cdf(x)),
        (law.survival(x), reference.sf(x)),
        (law.density(x), reference.pdf(x)),
        (law.log_density(x[:-2]), reference.logpdf(x[:-2])),
    ):
        rtol = 1e-6 if name == "laplace" else 1e-12
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-16)
    assert law.support == pytest.approx(reference.support())


@pytest.mark.parametrize("name", sorted(set(LAWS) - {"gap", "user's gap", "farther"}))
def test_quantile_of_the_cdf_is_x(name):
    law = LAWS[name]
    x = law.quantile(U[(U > 1e-12) & (U < 1 - 1e-9)])
    again = law.quantile(law.cdf(x))
    np.testing.assert_allclose(again, x, rtol=1e-12, atol=1e-14 / law.density(x).min())


@pytest.mark.parametrize("name", LAWS)
def test_cdf_of_the_quantile_is_u(name):
    law = LAWS[name]
    x = law.quantile(U)
    # At 1000 with a deviation of 1/1000, neighbouring x are 2e-11 apart in probability.
    rounding = 2e-16 + law.density(x) * np.spacing(np.abs(x))
    assert (np.abs(law.cdf(x) - U) <= 1e-13 * U + 2 * rounding).all()
    assert (np.abs(law.survival(x) - (1 - U)) <= 1e-11 * (1 - U) + 2 * rounding).all()
    np.testing.assert_allclose(law.cdf(x) + law.survival(x), 1, rtol=1e-15)


@pytest.mark.parametrize("name", sorted(set(LAWS) - {"farther"}))
def test_cdf_is_the_integral_of_the_density(name):
    law = LAWS[name]
    x = law.quantile(np.array([1e-12, 0.02, 0.3, 0.5, 0.77, 0.999]))
    for low, high in pairwise(x):
        inside = [edge for edge in law.breaks if low < edge < high]
        steps = np.unique([low, *inside, *np.linspace(low, high, 6), high])
        mass = math.fsum(
            quad(lambda t: float(law.density(np.array(t))), a, b, epsabs=1e-13)[0]
            for a, b in pairwise(steps)
        )
        assert mass == pytest.approx(float(law.cdf(high) - law.cdf(low)), abs=1e-12)


@pytest.mark.parametrize("name", sorted(set(LAWS) - {"laplace", "user's gap", "user's part"}))
def test_the_device_computes_what_the_host_does(name):
    law = LAWS[name]
    x = np.concatenate([law.quantile(U), np.array(law.breaks)])
    for function in ("cdf", "survival", "density", "log_density"):
        mine, theirs = _on_device(getattr(law, function), x), getattr(law, function)(x)
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-15, err_msg=function)


@pytest.mark.parametrize("name", ["laplace", "user's gap"])
def test_a_law_of_your_own_is_the_same_when_traced(name):
    law = LAWS[name]
    x = law.quantile(U)
    np.testing.assert_array_equal(_on_device(law.quantile, U), x)
    for function in ("cdf", "survival", "density"):
        mine, theirs = _on_device(getattr(law, function), x), getattr(law, function)(x)
        np.testing.assert_allclose(mine, theirs, rtol=1e-14, err_msg=function)


@pytest.mark.parametrize("name", sorted(set(LAWS) - set(MIXTURES)))
def test_quantiles_of_the_device_are_those_of_the_host(name):
    law = LAWS[name]
    np.testing.assert_allclose(_on_device(law.quantile, U), law.quantile(U), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", MIXTURES)
def test_tables_are_right_in_probability(name):
    law = MIXTURES[name]
    rng = np.random.default_rng(1)
    edges = law.cdf(np.array(law.breaks))
    u = np.concatenate([U, rng.random(200_000), edges, rng.random(999) * 1e-6, law._table.u])
    u = u[(u > 0) & (u < 1)]
    x = _on_device(law.quantile, u)
    error = np.abs(law.cdf(x) - u) - 2 * law.density(x) * np.spacing(np.abs(x))
    assert error.max() <= 1e-11
    assert (error / np.minimum(u, 1 - u))[np.minimum(u, 1 - u) > 1e-9].max() <= 1e-5
    assert (np.diff(x[np.argsort(u)]) >= 0).all()
    assert len(law._table.u) < 2**14


def test_a_mixture_of_uniforms_is_a_table_without_an_error():
    for name in ("gap", "overlap"):
        law = MIXTURES[name]
        np.testing.assert_allclose(_on_device(law.quantile, U), law.quantile(U), atol=1e-15)


def test_quantiles_step_over_a_gap():
    gap = MIXTURES["gap"]
    u = np.array([0, 0.25, 0.5 - 2.0**-54, 0.5, 0.5 + 2.0**-53, 0.75, 1])
    expected = [-2, -1.5, -1, -1, 1, 1.5, 2]
    np.testing.assert_allclose(gap.quantile(u), expected, rtol=1e-15)
    np.testing.assert_allclose(_on_device(gap.quantile, u), expected, rtol=1e-15)
    x = np.array([-1.0 + 1e-9, 0.0, 1 - 1e-9])
    assert not gap.density(x).any()
    assert not LAWS["user's gap"].density(x).any()
    np.testing.assert_allclose(LAWS["user's gap"].cdf(x), 0.5, rtol=3e-16)


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_of_0_and_1_are_the_ends_of_the_support(name):
    law, ends = LAWS[name], np.array([0.0, 1.0])
    np.testing.assert_array_equal(law.quantile(ends), law.support)
    np.testing.assert_array_equal(_on_device(law.quantile, ends), law.support)


@pytest.mark.parametrize("name", LAWS)
def test_there_is_nothing_outside_the_support(name):
    law = LAWS[name]
    low, high = law.support
    outside = np.array([low - 1, high + 1])
    np.testing.assert_array_equal(law.cdf(outside), [0, 1])
    np.testing.assert_array_equal(law.survival(outside), [1, 0])
    np.testing.assert_array_equal(law.density(outside), 0)
    np.testing.assert_array_equal(law.log_density(outside), -INF)


@pytest.mark.parametrize("name", LAWS)
def test_functions_take_numbers_and_arrays_of_any_shape(name):
    law = LAWS[name]
    u = np.full((2, 3), 0.3)
    assert law.quantile(u).shape == law.density(u).shape == (2, 3)
    assert float(law.quantile(0.3)) == law.quantile(u)[0, 0]
    assert float(law.cdf(0.3)) == law.cdf(u)[0, 0]
    assert law.quantile(np.empty(0)).shape == (0,)


def test_tails_of_your_own_law_keep_their_digits():
    law = LAWS["laplace"]
    for tail, rtol in ((1e-14, 1e-4), (1e-12, 1e-7), (1e-9, 1e-12)):
        x = np.array([-math.log(2 * tail)])
        assert law.survival(x) == pytest.approx(tail, rel=rtol)
        assert law.density(x) == pytest.approx(tail, rel=rtol)
    x = np.array([-600.0])
    assert law.cdf(x) == pytest.approx(math.exp(-600) / 2, rel=1e-12)
    assert law.density(x) == pytest.approx(math.exp(-600) / 2, rel=1e-12)


def test_breaks_are_where_densities_jump():
    assert Uniform(0, 2).breaks == (0, 2)
    assert Normal().breaks == ()
    assert Exponential().breaks == (0,)
    assert MIXTURES["gap"].breaks == (-2, -1, 1, 2)
    assert MIXTURES["jumps"].breaks == (-1, 0, 1)
    assert MIXTURES["jumps"].support == (-INF, INF)


@given(
    st.floats(0.01, 0.99),
    st.floats(-20, 20),
    st.floats(0.01, 10),
    st.floats(-20, 20),
    st.floats(0.01, 10),
)
def test_any_mixture_of_normals_is_inverted(weight, mean0, sd0, mean1, sd1):
    law = Mixture((1 - weight, weight), (Normal(mean0, sd0), Normal(mean1, sd1)))
    x = law.quantile(U)
    assert (np.diff(x) >= 0).all()
    # What a rounding of x is in probability.
    rounding = law.density(x) * np.spacing(np.abs(x))
    assert (np.abs(law.cdf(x) - U) <= 4e-16 + 2 * rounding).all()


def test_a_law_can_be_sent_to_another_process():
    law = MIXTURES["far"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(law)).quantile(U), law.quantile(U))


BAD = {
    "low=1 to high=-1; give finite numbers": lambda: Uniform(1, -1),
    "low=0 to high=0;": lambda: Uniform(0, 0),
    "low=-inf to high=0": lambda: Uniform(-INF, 0),
    "low=nan": lambda: Uniform(math.nan, 0),
    "sd=0; give finite numbers, sd above 0": lambda: Normal(0, 0),
    "mean=inf and sd=1": lambda: Normal(INF, 1),
    "sd=nan": lambda: Normal(0, math.nan),
    "rate=-1; give a finite number above 0": lambda: Exponential(-1),
    "2 weights and 1 parts; give one weight for each": lambda: Mixture((0.5, 0.5), (Normal(),)),
    "0 weights": lambda: Mixture((), ()),
    "are 0.5, 0.6; give numbers above 0 whose sum is 1": lambda: Mixture(
        (0.5, 0.6), (Normal(), Normal())
    ),
    "are 1, 0; give": lambda: Mixture((1.0, 0.0), (Normal(), Normal())),
    "are nan, 1; give": lambda: Mixture((math.nan, 1.0), (Normal(), Normal())),
    "from 1 to -1; give its lower end first": lambda: Quantile(_laplace, (1.0, -1.0)),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_parameters_are_rejected_in_one_sentence(sentence):
    with pytest.raises(InputError) as refused:
        BAD[sentence]()
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
