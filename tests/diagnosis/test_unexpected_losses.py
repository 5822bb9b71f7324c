"""How many large losses the probabilities promise, against drawing labels from them."""

import numpy as np
import pytest

from sweep.diagnosis.findings.unexpected_losses import AT_LEAST, FEW, surprise
from sweep.diagnosis.scores import losses
from tests.support.predicted import calibrated, predictions


def _surprise(z, y, weight=None):
    made = predictions(z, y, weight)
    return surprise(made, made)


def test_what_is_promised_is_what_labels_drawn_from_the_probabilities_give():
    from sweep.diagnosis.findings.unexpected_losses import _promised

    rng = np.random.default_rng(0)
    for z in (rng.normal(0, 3, 400), rng.normal(0, 2, (400, 4))):
        levels = np.array([6.0, 4.0, 2.0, 1.0])
        draws = np.zeros((500, 4))
        for i in range(500):
            if z.ndim == 1:
                y = (rng.random(400) < 1 / (1 + np.exp(-z))).astype(int)
            else:
                y = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
            draws[i] = [(losses(predictions(z, y)) >= level).sum() for level in levels]
        promised = _promised(predictions(z, y), levels)
        error = draws.std(axis=0) / np.sqrt(500)
        assert np.all(np.abs(draws.mean(axis=0) - promised) < 4 * error)


@pytest.mark.parametrize("n", [100, 1000])
def test_a_calibrated_classifier_seldom_surprises(n):
    found = [_surprise(*calibrated(n, seed, spread=3.0)) for seed in range(300)]
    assert np.mean([one.apart > 0 for one in found]) < 0.01


def test_outliers_stand_apart_and_are_the_rows_that_were_made_so():
    t, y = calibrated(1000, 1)
    rows = np.array([3, 500, 999])
    t[rows] = np.where(y[rows] == 1, -40.0, 40.0)
    found = _surprise(t, y)
    assert found.apart == found.dominating >= 3
    assert set(rows) <= set(found.rows[: found.apart])
    assert found.impossible == 3


def test_what_recalibration_explains_does_not_stand_apart():
    t, y = calibrated(1000, 2)
    too_large = predictions(2.2 * t, y)
    alone = surprise(too_large, too_large)
    beside = surprise(too_large, predictions(t, y))
    assert alone.count == beside.count
    assert beside.apart <= beside.impossible


def test_few_is_a_share_and_never_less_than_five():
    t, y = calibrated(50, 0)
    assert _surprise(t, y).few == AT_LEAST
    t, y = calibrated(1000, 0)
    assert _surprise(t, y).few == FEW * 1000


def test_weights_count_in_the_shares():
    z, y = np.array([-1.0, 1.0, -30.0, *np.zeros(20)]), np.array([1, 0, 1, *np.arange(20) % 2])
    weight = np.ones(23)
    weight[2] = 0.0
    assert _surprise(z, y).shares[0] > 0.6
    assert _surprise(z, y, weight).shares[0] == 0.0


def test_no_loss_no_surprise():
    found = _surprise(np.full(20, 800.0), np.ones(20, int))
    assert (found.count, found.apart, found.dominating) == (0, 0, 0)
