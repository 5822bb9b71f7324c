"""What is read off a loss's formula, against formulas worked out by hand and 30 digits."""

import mpmath
import numpy as np
import pytest

from sweep.metrics.logistic import softplus, softplus_of_minus
from sweep.metrics.metrics import metric
from sweep.metrics.profile import HEIGHT, profile


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


@pytest.mark.parametrize(
    "name", ["cross_entropy", "brier", "focal(0.5)", "focal(10)", "focal(100)"]
)
def test_excess_covers_the_strip(name):
    """Points at random and on the edge of the strip, where the poles are near."""
    loss = metric(name).negative
    known, rng = profile(loss), np.random.default_rng(0)
    z = rng.uniform(-30, 30, 20_000) + 1j * rng.uniform(-HEIGHT, HEIGHT, 20_000)
    edge = np.linspace(-3, 3, 100_001) + 1j * HEIGHT
    for points in (z, edge):
        straight = np.where(points.real > 0, known.level + known.slope * np.abs(points.real), 0)
        assert np.max(np.abs(loss(points) - straight)) <= known.excess


def test_formulas_hold_on_the_complex_plane():
    """Random points of the strip against 30 digits: bounds are read off these values."""
    rng = np.random.default_rng(0)
    with mpmath.workdps(30):
        for x, y in rng.uniform((-30, -HEIGHT), (30, HEIGHT), (500, 2)):
            q = 1 / (1 + mpmath.exp(-mpmath.mpc(x, y)))
            exact = {
                "cross_entropy": -mpmath.log(1 - q),
                "brier": q**2,
                "focal(2.5)": -(q**2.5) * mpmath.log(1 - q),
            }
            for name, value in exact.items():
                found = metric(name).negative(np.array([complex(x, y)]))[0]
                assert abs(found - complex(value)) <= 1e-12 * (1 + abs(value))


def test_far_is_where_the_loss_is_straight():
    known = profile(softplus)
    for tolerance in (1e-3, 1e-6, 1e-10):
        far = known.far(tolerance)
        assert np.exp(-far) <= tolerance <= np.exp(-(far - 0.2))
    assert known.far(0.0) == np.inf


def test_a_loss_that_is_not_straight_far_out_is_refused():
    with pytest.raises(ValueError, match="straight line"):
        profile(lambda z: z * z)
