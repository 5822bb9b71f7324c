"""The accuracy of all data is within the bounds of a sketch."""

import numpy as np
import pytest

from sweep.optima import optimum
from sweep.optima.of_sketch import AccuracyBounds
from tests.support.sketched_samples import SAMPLES, sketch_of


@pytest.mark.parametrize("points", [1, 3, 41])
@pytest.mark.parametrize("name", SAMPLES)
def test_accuracy_is_within_its_bounds(name, points):
    sample = SAMPLES[name]
    true = optimum(sample)
    found = optimum(sketch_of(sample, points=points, tolerance=0.01 if points < 9 else 1e-6))
    accuracy = found.accuracy
    assert accuracy.value <= true.accuracy.value + 1e-12
    assert true.accuracy.value <= accuracy.upper
    for low, high, side in true.accuracy.cuts:
        assert any(lo <= low and high <= hi and s == side for lo, hi, s in accuracy.cuts)
    assert set(true.accuracy.constants) <= set(accuracy.constants)
    assert found.regret_bounds[0] - 1e-12 <= true.regret <= found.regret_bounds[1] + 1e-12
    assert found.shared in (None, true.shared)
    if sample.weight is None and np.isin(sample.y, (0, 1)).all():
        assert accuracy.correct == int(accuracy.correct)
        assert np.isnan(found.regret) or found.regret == true.regret


def test_the_correct_mass_of_a_cut_is_within_its_bounds():
    rng = np.random.default_rng(0)
    for name in ("few", "integers", "weighted", "normal"):
        sample = SAMPLES[name]
        known = AccuracyBounds(sketch_of(sample, points=5, tolerance=0.3))
        weight = np.ones(len(sample)) if sample.weight is None else sample.weight
        cuts = np.concatenate([rng.choice(sample.x, 20), rng.normal(size=20), [-np.inf, np.inf]])
        for low, high in zip(cuts, cuts + np.append(rng.exponential(0.1, 40), [0, 0]), strict=True):
            for side in (1, -1):
                least, most = known.correct((low, high), side)
                for t in (low, high):
                    above = sample.x >= t if side > 0 else sample.x <= t
                    correct = np.sum(weight * np.where(above, sample.y, 1 - sample.y))
                    assert least - known.slack <= correct <= most + known.slack
