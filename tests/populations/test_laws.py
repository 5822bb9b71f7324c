import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import sweep
from sweep.populations import (
    CATALOGUE,
    FAMILIES,
    IDS,
    Mixture,
)

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
def test_laws_of_the_catalogue_are_valid(key):
    law = CATALOGUE[key]
    law.require_valid()
    assert law.edges == EDGES.get(key, ())
    assert law.support == law.x.support
    far = law.probability(np.array([-1e8, -1e4, 1e4, 1e8]))
    assert ((far >= 0) & (far <= 1)).all()


def test_a_step_is_below_at_its_edge():
    assert CATALOGUE["S2"].probability(np.array([0.0, 1e-300])).tolist() == [0.2, 0.8]
    assert CATALOGUE["D5"].probability(np.array([1.0, np.nextafter(1, 2)])).tolist() == [0.1, 0.9]


def test_every_family_is_an_attribute():
    for name, family in FAMILIES.items():
        assert getattr(sweep.populations, name) is family
        assert name in sweep.populations.__all__
        family().require_valid()


def test_a_mixture_far_from_its_parts_has_an_eta():
    law = sweep.populations.contaminated_logit(mean=-900, sd=0.001, p=0.25)
    x = np.array([-1e5, -900, -300, 0.0, 300, 1e5])
    np.testing.assert_allclose(law.probability(x), [0, 0.25, 0, 0.5, 1, 1], atol=1e-300)
    assert isinstance(law.x, Mixture)


def test_the_reference_has_the_same_laws():
    path = Path(__file__).parents[1] / "reference" / "theory.json"
    reference = json.loads(path.read_text())["populations"]
    assert set(reference) <= set(CATALOGUE)
    for key, row in reference.items():
        eta = CATALOGUE[key].probability(np.array([float(row["CE_cut"])])).item()
        assert eta == pytest.approx(row["eta_at_CE_cut"], abs=1e-12)
