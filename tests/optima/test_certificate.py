"""The certificate of an optimum is honest, and not much larger than it must be."""

import numpy as np
import pytest

from sweep.optima import optimum
from sweep.optima.certificate import certify
from tests.support.sketched_samples import drawn, sketch_of


@pytest.mark.parametrize("seed", range(40))
def test_errors_are_honest_on_coarse_bins(seed):
    rng = np.random.default_rng(seed)
    shape = ("normal", "uniform", "exponential", "cauchy", "integers")[seed % 5]
    slope, weights = rng.normal(scale=2), (None, "uniform", "decades")[seed % 3]
    sample = drawn(seed, int(rng.integers(20, 400)), a=slope, shape=shape, weights=weights)
    true = optimum(sample).cross_entropy
    sketch = sketch_of(sample, a=max(1.0, 1.5 * abs(true.a)), tolerance=10 ** rng.uniform(-5, -1))
    found = optimum(sketch)
    assert abs(found.cross_entropy.a - true.a) <= found.errors.a
    assert abs(found.cross_entropy.b - true.b) <= found.errors.b
    assert abs(found.cross_entropy.value - true.value) <= found.errors.value


def test_errors_are_not_much_larger_than_they_must_be():
    sample = drawn(1, 100_000, a=2.0)
    true = optimum(sample).cross_entropy
    found = optimum(sketch_of(sample, tolerance=1e-3))
    missed = abs(found.cross_entropy.a - true.a)
    assert missed <= found.errors.a <= 100 * missed
    assert optimum(sketch_of(sample)).errors.a < 1e-11


def test_a_certificate_holds_anywhere():
    sample = drawn(3, 500, a=1.0)
    sketch, true = sketch_of(sample), optimum(sample).cross_entropy
    for off in (1e-6, 1e-3, 0.05):
        value, errors = certify(sketch, true.a + off, true.b - off)
        assert off <= errors.a <= 20 * off
        assert off <= errors.b <= 20 * off
        assert 0 <= value - true.value <= errors.value <= 20 * off**2
    assert certify(sketch, -50.0, 0.0)[1].a == np.inf  # from where Newton's model says nothing
