import numpy as np
import pytest

import sweep
from sweep import Sample
from sweep.optima.records import OptimumStatus
from tests.support import oracle
from tests.support.small_samples import noisy

HARD = {
    "shifted by 1e6": lambda x, y: (x + 1e6, y, None),
    "tiny": lambda x, y: (x * 1e-150, y, None),
    "huge": lambda x, y: (x * 1e150, y, None),
    "outlier at 1e8": lambda x, y: (np.append(x, 1e8), np.append(y, 1), None),
    "wrong outlier at 1e8": lambda x, y: (np.append(x, 1e8), np.append(y, 0), None),
    "wrong outlier at -1e4": lambda x, y: (np.append(x, -1e4), np.append(y, 1), None),
    "weights over 12 decades": lambda x, y: (x, y, 10.0 ** np.linspace(-6, 6, len(x))),
    "one in a million": lambda x, y: (x, np.where(y > 0, 1e-6, 0), None),
    "soft outlier at 1e9": lambda x, y: (
        np.append(x, 1e9),
        np.clip(np.append(y, 1), 1e-9, 1 - 1e-9),
        None,
    ),
    "weights over 400 decades": lambda x, y: (x, y, np.where(x > 0, 1e-200, 1e200)),
    "almost separated": lambda x, y: (
        np.append(np.where(y > 0, np.abs(x) + 0.1, -np.abs(x) - 0.1), [-1e-9, 1e-9]),
        np.append(y, [1, 0]),
        None,
    ),
    "Cauchy": lambda x, y: (np.tan(np.pi * (np.arange(len(x)) + 0.5) / len(x)), y, None),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", HARD)
def test_gradient_vanishes_to_rounding_on_hard_data(name, seed):
    sample = Sample(*HARD[name](*noisy(seed)))
    best = sweep.optimum(sample)
    ce = best.cross_entropy
    assert ce.status is OptimumStatus.finite
    assert ce.gradient < 1e-13
    assert ce.iterations < 60
    # The returned (a, b) are rounded; what that does to the logits it does to the derivatives.
    rounding = 1e-15 * np.max(np.abs(ce.a * sample.x))
    derivatives = oracle.exact_gradient(sample, ce.a, ce.b)
    assert np.max(np.abs(derivatives)) < 1e-14 + rounding


def test_a_light_outlier_does_not_slow_convergence():
    ce = sweep.optimum(
        Sample([0, 650, 0.004, 1800], [1, 0, 0, 1], [1, 4e-9, 8e-6, 1e-11])
    ).cross_entropy
    # From an independent Newton in 60 digits.
    assert ce.a == pytest.approx(-3015.0291137829151, rel=1e-10)
    assert ce.b == pytest.approx(12.311430883412566, rel=1e-10)
    assert ce.value == pytest.approx(6.5383306315607e-5, rel=1e-13)
    assert ce.iterations < 60


@pytest.mark.parametrize(
    "x",
    [
        np.array([-1e308, 1e-300, 2e-300, 1e308, 1.5e-300, 3e-300]),
        np.array([0, 1, 2, 3, 4, 5]) * 1e-310,
    ],
)
def test_x_beyond_what_float64_resolves_is_rejected(x):
    with pytest.raises(sweep.InputError, match="rescale x"):
        sweep.optimum(Sample(x, [0, 1, 0, 1, 0, 1]))
