"""Interpolation: exact where it must be, and never worse than it says."""

import numpy as np
import pytest

from sweep.metrics import chebyshev
from sweep.metrics.logistic import softplus, softplus_of_minus
from sweep.metrics.profile import profile


@pytest.mark.parametrize("p", [1, 2, 3, 8, 31])
def test_polynomials_are_interpolated_exactly(p):
    rng = np.random.default_rng(p)
    coefficients = rng.normal(size=p)
    t = rng.uniform(-1, 1, 50)
    values = np.polynomial.chebyshev.chebval(chebyshev.points(p), coefficients)
    found = chebyshev.matrix(t, p) @ values
    assert found == pytest.approx(np.polynomial.chebyshev.chebval(t, coefficients), abs=1e-12)


def test_a_point_that_is_a_node_takes_its_value():
    nodes = chebyshev.points(7)
    assert np.array_equal(chebyshev.matrix(nodes, 7), np.eye(7))


@pytest.mark.parametrize("p", [1, 2, 5, 40, 300])
def test_weights_stay_within_the_lebesgue_constant(p):
    rows = chebyshev.matrix(np.linspace(-1, 1, 2001), p)
    assert np.sum(rows, axis=1) == pytest.approx(1.0)
    assert np.max(np.sum(np.abs(rows), axis=1)) <= chebyshev.lebesgue(p)


@pytest.mark.parametrize("loss", [softplus, softplus_of_minus])
@pytest.mark.parametrize("half", [0.1, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("p", [2, 5, 17, 60, 200])
def test_error_is_never_more_than_said(loss, half, p):
    t = np.linspace(-1, 1, 501)
    rows, nodes = chebyshev.matrix(t, p), chebyshev.points(p)
    for centre in (-50.0, -3.0, 0.0, 0.7, 10.0):
        found = rows @ loss(centre + half * nodes)
        worst = np.max(np.abs(found - loss(centre + half * t)))
        assert worst <= chebyshev.error(profile(loss), half, p) + 1e-14 * (50 + half)


@pytest.mark.parametrize("half", [0.0, 0.1, 4.0, 100.0])
def test_count_is_the_fewest(half):
    known = profile(softplus)
    p = chebyshev.count(known, half, 1e-10)
    assert chebyshev.error(known, half, p) <= 1e-10
    if p > 1:
        assert chebyshev.error(known, half, p - 1) > 1e-10
