import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sweep import InputError
from sweep.populations import (
    Normal,
    Population,
    Quantile,
    Uniform,
    population,
)
from tests.support.checkout import loaded_after

INF = math.inf


def _laplace(u):
    return jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 * (1 - u)))


def _logistic(x):
    return 1 / (1 + jnp.exp(-x))


def test_a_law_of_your_own_has_its_density_and_eta():
    law = Population("laplace_logit", x=Quantile(_laplace, support=(-INF, INF)), eta=_logistic)
    law.require_valid()
    assert population(law) is law
    assert (law.id, law.edges, law.support) == (None, (), (-INF, INF))
    x = np.linspace(-20, 20, 41)
    np.testing.assert_allclose(law.x.density(x), np.exp(-np.abs(x)) / 2, rtol=1e-12)
    np.testing.assert_allclose(law.probability(x), 1 / (1 + np.exp(-x)), rtol=1e-15)
    assert law.probability(x).dtype == np.float64
    with jax.enable_x64(True):
        drawn = jax.jit(lambda u: law.eta(law.x.quantile(u)))(jnp.array([0.5, 0.9]))
    np.testing.assert_allclose(drawn, [0.5, 1 / (1 + 0.2)], rtol=1e-14)


def test_your_breaks_are_edges_where_they_are_inside_the_support():
    law = Population("step", Uniform(0, 2), lambda x: 0.2 + 0.5 * (x > 1), (1.0, 5.0, -INF))
    assert law.edges == (0, 1, 2)
    normal = Population("step", Normal(), lambda x: 0.2 + 0.5 * (x > 1), (1.0, INF))
    assert normal.edges == (1,)


def test_eta_may_be_constant():
    law = Population("coin", Normal(), lambda x: 0.3)
    law.require_valid()
    assert law.probability(np.zeros((2, 2))).tolist() == [[0.3, 0.3], [0.3, 0.3]]


def _own(quantile=_laplace, eta=_logistic, support=(-INF, INF), breaks=()):
    return Population("own", Quantile(quantile, support), eta, breaks)


REFUSED = {
    "eta above 1": (_own(eta=lambda x: 0.5 + x), "eta of own is", "must be in [0, 1]"),
    "eta above 1 far out": (
        _own(eta=lambda x: jnp.where(x > 30, 1.5, 0.5)),
        "eta of own is 1.5 at x = 3",
        "must be in [0, 1]",
    ),
    "eta nan": (_own(eta=lambda x: 0.5 + 0 * jnp.log(x)), "eta of own is nan at x = -"),
    "eta nan beside a break": (
        _own(eta=lambda x: jnp.where((x > 0.1) & (x < 0.1 + 1e-12), jnp.nan, 0.5), breaks=(0.1,)),
        "eta of own is nan at x = 0.10000000000000002",
    ),
    "falls": (
        _own(lambda u: -u, support=(-1.0, 1.0)),
        "the quantile function of own falls from -2.2",
        "it must rise",
    ),
    "falls somewhere": (
        _own(lambda u: u + jnp.sin(9 * u), support=(-9.0, 9.0)),
        "the quantile function of own falls from ",
    ),
    "not finite": (_own(lambda u: jnp.log(u - 0.3)), "is nan at u = 2.2", "must be finite"),
    "infinite": (
        _own(lambda u: jnp.where(u > 0.7, jnp.inf, u)),
        "is inf at u = 0.7000732421875; it must be finite and in the support, [-inf, inf]",
    ),
    "outside": (
        _own(lambda u: 3 * u, support=(0.0, 2.0)),
        "is 2.0006103515625 at u = 0.6668701171875; it must be finite and in the support, [0, 2]",
    ),
    "atom": (
        _own(lambda u: jnp.maximum(u, 0.25), support=(0.25, 1.0)),
        "the quantile function of own stays 0.25 at u = ",
        "it must rise, because x has no density if a single value has a probability",
    ),
    "NumPy's": (_own(lambda u: np.log(u)), "quantile function of own cannot be traced by JAX"),
    "branches": (_own(eta=lambda x: 0.2 if x < 0 else 0.8), "eta of own cannot be traced by JAX"),
    "math": (_own(eta=lambda x: math.exp(-x * x)), "eta of own cannot be traced"),
    "no number": (_own(eta=lambda x: "0.5"), "eta of own cannot be traced"),
    "shape": (_own(eta=lambda x: x[:3]), "eta of own gives shape (3,)", "must be elementwise"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_laws_are_rejected_in_one_sentence(name):
    law, *sentence = REFUSED[name]
    with pytest.raises(InputError) as refused:
        law.require_valid()
    assert "\n" not in str(refused.value)
    for part in sentence:
        assert part in str(refused.value)


def test_probability_names_the_first_x_that_is_wrong():
    law = Population("line", Uniform(0, 2), lambda x: x)
    with pytest.raises(InputError, match=r"eta of line is 1\.5 at x = 1\.5"):
        law.probability(np.array([[0.5, 1.0], [1.5, 2.0]]))


def test_wrong_types_are_rejected_with_the_remedy():
    loaded_after(
        "import sweep\n"
        "from sweep.populations import Population, Uniform, population\n"
        "bad = {\n"
        "    'x of own is a function; give one of': lambda: Population('own', print, abs),\n"
        "    'eta of own is a float; give a function': lambda: Population('own', Uniform(), 0.5),\n"
        "    'the quantile function is a int': lambda: sweep.populations.Quantile(3, (0, 1)),\n"
        "    'the law is a int; give a name such as uniform_logit(': lambda: population(3),\n"
        "}\n"
        "for sentence, make in bad.items():\n"
        "    try:\n"
        "        make()\n"
        "    except sweep.InputError as error:\n"
        "        assert sentence.replace('a function;', 'a builtin') in str(error).replace(\n"
        "            'a builtin_function_or_method;', 'a builtin'), error\n"
        "    else:\n"
        "        raise AssertionError('accepted')"
    )


def test_breaks_that_are_not_numbers_are_rejected():
    with pytest.raises(InputError, match=r"breaks of own is \(0\.0, nan\); give numbers"):
        _own(breaks=(0.0, math.nan))
