import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import sweep
from sweep import InputError
from sweep.populations import (
    CATALOGUE,
    FAMILIES,
    IDS,
    Mixture,
    Normal,
    Population,
    Quantile,
    Uniform,
    population,
)
from tests.support.checkout import loaded_after

INF = math.inf


def _sigmoid(z):
    return 1 / (1 + mpmath.exp(-z))


def _normal(x, mean=0, sd=1):
    return mpmath.npdf(x, mean, sd)


def _cloglog(z):
    return 1 - mpmath.exp(-mpmath.exp(z))


def _two(prior, mean0, sd0, mean1, sd1):
    def eta(x):
        one, zero = prior * _normal(x, mean1, sd1), (1 - prior) * _normal(x, mean0, sd0)
        return one / (zero + one)

    return eta


def _contaminated(*outliers):
    """Outliers are (weight, mean, P(y = 1)), of deviation 1/2; the rest is sigmoid(3x), N(0, 1)."""

    def eta(x):
        core = (1 - mpmath.fsum(w for w, _, _ in outliers)) * _normal(x)
        masses = [w * _normal(x, mean, 0.5) for w, mean, _ in outliers]
        ones = core * _sigmoid(3 * x) + mpmath.fsum(
            mass * p for mass, (_, _, p) in zip(masses, outliers, strict=True)
        )
        return ones / (core + mpmath.fsum(masses))

    return eta


ETA = {
    "W1": _sigmoid,
    "W2": lambda x: _sigmoid(0.3 * x + 0.5),
    "W3": _sigmoid,
    "W4": lambda x: _sigmoid(2 * x - 1),
    "W5": lambda x: _sigmoid(1.5 * x - mpmath.log(19) - mpmath.mpf(9) / 8),
    "W6": _two(0.5, -1, 1, 1, 1),
    "M1": lambda x: mpmath.ncdf(x + 0.3),
    "D1": lambda x: _cloglog(2 * x - 1),
    "D2": _two(0.5, 0, 1, 2, 3),
    "D3": _contaminated((0.1, -8, 0.9)),
    "D4": lambda x: 0.3 + 0.7 * _sigmoid(3 * x),
    "D5": lambda x: 0.1 + 0.8 * (x > 1),
    "D6": lambda x: 0.5 + 0.8 * x**3 - 0.32 * x,
    "D7": _contaminated((0.1, -6, 0.9), (0.1, 6, 0.1)),
    "S1": lambda x: mpmath.ncdf(x),
    "S2": lambda x: 0.2 + 0.6 * (x > 0),
    "S3": lambda x: 0.1 + 0.8 * _sigmoid(4 * x),
    "S4": lambda x: 0.5 + mpmath.atan(2 * (x - 0.7)) / mpmath.pi,
    "S5": lambda x: _cloglog(1.5 * x - 0.2),
}
"""P(y = 1 | x) of the table, in the words of the table."""

DENSITY = {
    **dict.fromkeys(("W1", "W2", "D6", "S2"), lambda x: mpmath.mpf(0.5) * (abs(x) <= 1)),
    **dict.fromkeys(("W3", "W4", "M1", "D1", "S1"), _normal),
    "W5": lambda x: 0.95 * _normal(x) + 0.05 * _normal(x, 1.5),
    "W6": lambda x: (_normal(x, -1) + _normal(x, 1)) / 2,
    "D2": lambda x: (_normal(x) + _normal(x, 2, 3)) / 2,
    "D3": lambda x: 0.9 * _normal(x) + 0.1 * _normal(x, -8, 0.5),
    "D4": lambda x: (abs(x) <= 3) / mpmath.mpf(6),
    "D5": lambda x: mpmath.exp(-x) * (x >= 0),
    "D7": lambda x: 0.8 * _normal(x) + 0.1 * (_normal(x, -6, 0.5) + _normal(x, 6, 0.5)),
    "S3": lambda x: (_normal(x, -2) + _normal(x, 2)) / 2,
    "S4": lambda x: _normal(x, 0.7, 1.5),
    "S5": lambda x: mpmath.mpf(0.5) * (1 <= abs(x) <= 2),
}

EDGES = {
    **dict.fromkeys(("W1", "W2", "D6"), (-1, 1)),
    "D4": (-3, 3),
    "D5": (0, 1),
    "S2": (-1, 0, 1),
    "S5": (-2, -1, 1, 2),
}
"""Where a law is not smooth; nowhere, of those that are not here."""

X = np.array([-40, -9, -7.9, -6, -4, -1.7, -1, -0.2, 0, 0.3, 0.6, 1, 1.5, 2.71, 6, 9, 40])


def test_the_catalogue_is_the_table_in_its_order():
    assert list(CATALOGUE) == list(ETA)
    assert [law.id for law in CATALOGUE.values()] == list(ETA)
    assert [law.name for law in CATALOGUE.values()] == list(IDS)
    assert {law.name.partition("(")[0] for law in CATALOGUE.values()} == set(FAMILIES)
    for law in CATALOGUE.values():
        assert repr(law) == f"Population({law.name})"


@pytest.mark.parametrize("key", ETA)
def test_eta_and_density_are_those_of_the_table(key):
    law = CATALOGUE[key]
    x = X[(np.abs(X) <= 1) | (key != "D6")]
    with mpmath.workdps(80):
        eta = [float(ETA[key](mpmath.mpf(v))) for v in x]
        density = [float(DENSITY[key](mpmath.mpf(v))) for v in x]
    np.testing.assert_allclose(law.probability(x), eta, rtol=2e-13, atol=0)
    np.testing.assert_allclose(law.x.density(x), density, rtol=2e-13, atol=1e-300)


@pytest.mark.parametrize("key", CATALOGUE)
def test_the_device_computes_the_same_eta(key):
    law = CATALOGUE[key]
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(law.eta)(jnp.asarray(X)))
    np.testing.assert_allclose(found, law.probability(X), rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("key", CATALOGUE)
def test_laws_of_the_catalogue_are_laws(key):
    law = CATALOGUE[key]
    law.require_valid()
    assert law.edges == EDGES.get(key, ())
    assert law.support == law.x.support
    far = law.probability(np.array([-1e8, -1e4, 1e4, 1e8]))
    assert ((far >= 0) & (far <= 1)).all()


def test_a_step_is_below_at_its_edge():
    assert CATALOGUE["S2"].probability(np.array([0.0, 1e-300])).tolist() == [0.2, 0.8]
    assert CATALOGUE["D5"].probability(np.array([1.0, np.nextafter(1, 2)])).tolist() == [0.1, 0.9]


SAME = {
    "W1": ["W1", "w1", " w1 ", "uniform_logit", "uniform_logit()", CATALOGUE["W1"]],
    "W2": ["W2", "uniform_logit(a=0.3,b=0.5)", "uniform_logit(0.3, 0.50)"],
    "W5": ["W5", "two_normals(0.05, 0, 1, 1.5, 1)"],
    "M1": ["M1", sweep.populations.normal_probit(b=0.3), "normal_probit(b=.3)"],
    "S1": ["S1", sweep.populations.normal_probit, "normal_probit"],
    "D7": ["D7", "twice_contaminated_logit"],
}


@pytest.mark.parametrize("key", SAME)
def test_however_it_is_asked_for_it_is_the_same_object(key):
    assert {id(population(asked)) for asked in SAME[key]} == {id(CATALOGUE[key])}


def test_parameters_make_another_law_without_an_id():
    law = sweep.populations.uniform_logit(a=2, low=0)
    assert (law.name, law.id) == ("uniform_logit(a=2,b=0,low=0,high=1)", None)
    assert law.support == (0, 1)
    assert population(law.name) is law
    with mpmath.workdps(30):
        assert law.probability(np.array([0.5])) == pytest.approx(float(_sigmoid(1)), rel=1e-15)


def test_every_family_is_an_attribute():
    for name, family in FAMILIES.items():
        assert getattr(sweep.populations, name) is family
        assert name in sweep.populations.__all__
        family().require_valid()


BAD = {
    "W9": "there is no law 'W9'; the known laws are uniform_logit(a=1,b=0,low=-1,high=1), ",
    "": "there is no law ''",
    "unifrom_logit(a=1)": "there is no law 'unifrom_logit'",
    "W1(a=2)": "there is no law 'W1'",
    "uniform_logit(": "does not name a law; write its parameters in one pair of parentheses, such as",
    "uniform_logit(a=x)": "a=x is not a number; ask for uniform_logit(a=1,b=0,low=-1,high=1)",
    "uniform_logit(c=1)": "uniform_logit has no parameter 'c'; ask for uniform_logit(",
    "uniform_logit(1, a=1)": "uniform_logit has a twice",
    "uniform_logit(a=1, a=1)": "has a twice; give it once",
    "uniform_logit(1,2,3,4,5)": "uniform_logit has 5 parameters; it takes 4",
    "uniform_logit(a=nan)": "a=nan is outside [-1000000, 1000000]",
    "uniform_logit(low=1)": "reaches from low=1 to high=1; give finite numbers, low below high",
    "uniform_step(low=2)": "reaches from low=2 to high=1",
    "uniform_step(above=1.1)": "above=1.1 is outside [0, 1]",
    "normal_logit(sd=0)": "sd=0 is outside [1e-06, 1000000]; ask for normal_logit(",
    "normal_logit(sd=-1)": "sd=-1 is outside",
    "two_normals(prior=0)": "prior=0 is outside [1e-09, 0.999999999]",
    "exponential_step(rate=0)": "rate=0 is outside",
    "uniform_floor_logit(floor=-0.1)": "floor=-0.1 is outside [0, 1]",
    "contaminated_logit(p=2)": "p=2 is outside [0, 1]",
    "twice_contaminated_logit(share0=0.5,share1=0.5)": "share0 + share1 is 1; give shares whose sum is below 1",
    "gap_cloglog(inner=2)": "has no x; give inner below outer",
    "uniform_cubic(c0=0.9)": "at x = 1; P(y = 1 | x) must be in [0, 1] over the whole",
    "uniform_cubic(c0=0.75,c1=0,c2=-1,c3=0,low=-0.5)": "is -0.25 at x = 1;",
    "uniform_cubic(c0=0.9,c1=0.5,c2=-0.5,c3=0)": "is -0.09999999999999998 at x = -1",
    "uniform_cubic(c0=0.9,c1=0.5,c2=-0.5,c3=0,low=0)": "is 1.025 at x = 0.5",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_texts_are_refused_in_one_sentence(text):
    with pytest.raises(InputError) as refused:
        population(text)
    assert BAD[text] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_law_lists_every_law_with_its_parameters_and_the_ids():
    with pytest.raises(InputError) as refused:
        population("normal")
    for family in FAMILIES.values():
        assert family.signature in str(refused.value)
    assert str(refused.value).endswith(", ".join(CATALOGUE))


def _laplace(u):
    return jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 * (1 - u)))


def _logistic(x):
    return 1 / (1 + jnp.exp(-x))


def test_a_law_of_the_users_own():
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


def test_the_users_breaks_are_edges_where_they_are_inside_the_support():
    law = Population("step", Uniform(0, 2), lambda x: 0.2 + 0.5 * (x > 1), (1.0, 5.0, -INF))
    assert law.edges == (0, 1, 2)
    normal = Population("step", Normal(), lambda x: 0.2 + 0.5 * (x > 1), (1.0, INF))
    assert normal.edges == (1,)


def test_a_constant_eta_will_do():
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
def test_laws_that_are_none_are_refused_in_one_sentence(name):
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


def test_what_is_no_law_is_refused_with_the_remedy():
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


def test_a_mixture_far_from_its_parts_has_an_eta():
    law = sweep.populations.contaminated_logit(mean=-900, sd=0.001, p=0.25)
    x = np.array([-1e5, -900, -300, 0.0, 300, 1e5])
    np.testing.assert_allclose(law.probability(x), [0, 0.25, 0, 0.5, 1, 1], atol=1e-300)
    assert isinstance(law.x, Mixture)


def test_the_reference_speaks_of_these_laws():
    path = Path(__file__).parents[1] / "reference" / "theory.json"
    reference = json.loads(path.read_text())["populations"]
    assert set(reference) <= set(CATALOGUE)
    for key, row in reference.items():
        eta = CATALOGUE[key].probability(np.array([float(row["CE_cut"])])).item()
        assert eta == pytest.approx(row["eta_at_CE_cut"], abs=1e-12)


def test_breaks_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match=r"breaks of own is \(0\.0, nan\); give numbers"):
        _own(breaks=(0.0, math.nan))
