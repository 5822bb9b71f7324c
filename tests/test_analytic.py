"""What is read off a loss's formula, against formulas worked out by hand and 30 digits."""

import mpmath
import numpy as np
import pytest

from sweep.analytic import HEIGHT, profile
from sweep.losses import softplus, softplus_of_minus


def test_cross_entropy_profile_is_what_calculus_says():
    known = profile(softplus)
    assert (known.good, known.level, known.slope) == (-1, 0.0, 1.0)
    assert known.lipschitz == pytest.approx(1.0, rel=0.011)
    assert known.derivatives[4] == pytest.approx(1 / 8, rel=0.011)  # at z = 0
    assert known.lipschitz >= 1.0
    assert known.derivatives[4] >= 1 / 8
    # |z sigmoid(z)| - softplus(z) is largest where z is very negative or positive: never above 0.
    assert 0 <= known.bend <= 0.3


def test_the_other_class_is_the_mirror_image():
    one, other = profile(softplus), profile(softplus_of_minus)
    assert one.good == -other.good
    assert one.derivatives == pytest.approx(other.derivatives)
    assert one.excess == pytest.approx(other.excess)


def test_excess_covers_the_strip():
    """Random points of the strip, in 30 digits, against the bound."""
    rng, known = np.random.default_rng(0), profile(softplus)
    with mpmath.workdps(30):
        for x, y in rng.uniform((-30, -HEIGHT), (30, HEIGHT), (2000, 2)):
            value = mpmath.log1p(mpmath.exp(mpmath.mpc(x, y)))
            assert abs(value - max(x, 0)) <= known.excess


def test_far_is_where_the_loss_is_straight():
    known = profile(softplus)
    for tolerance in (1e-3, 1e-6, 1e-10):
        far = known.far(tolerance)
        assert np.exp(-far) <= tolerance <= np.exp(-(far - 0.2))
    assert known.far(0.0) == np.inf


def test_a_loss_that_is_not_straight_far_out_is_refused():
    with pytest.raises(ValueError, match="straight line"):
        profile(lambda z: z * z)
