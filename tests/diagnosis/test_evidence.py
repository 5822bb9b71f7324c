"""Unexpected losses: expected numbers against drawing labels from the probabilities."""

import numpy as np
import pytest

from sweep.diagnosis.findings.evidence import (
    FEW_AT_LEAST,
    FEW_SHARE,
    expected_number,
    unexpected_losses,
)
from tests.support.predicted import calibrated, predictions


def _unexpected(z, y, weight=None):
    data = predictions(z, y, weight)
    return unexpected_losses(data, data)


def test_expected_numbers_are_those_of_labels_drawn_from_the_probabilities():
    rng = np.random.default_rng(0)
    for z in (rng.normal(0, 3, 400), rng.normal(0, 2, (400, 4))):
        levels = np.array([6.0, 4.0, 2.0, 1.0])
        draws = np.zeros((500, 4))
        for i in range(500):
            if z.ndim == 1:
                y = (rng.random(400) < 1 / (1 + np.exp(-z))).astype(int)
            else:
                y = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
            draws[i] = [(predictions(z, y).losses >= level).sum() for level in levels]
        expected = expected_number(predictions(z, y), levels)
        error = draws.std(axis=0) / np.sqrt(500)
        assert np.all(np.abs(draws.mean(axis=0) - expected) < 4 * error)


@pytest.mark.parametrize("n", [100, 1000])
def test_a_calibrated_classifier_seldom_has_unexpected_losses(n):
    samples = [_unexpected(*calibrated(n, seed, spread=3.0)) for seed in range(300)]
    assert np.mean([sample.apart > 0 for sample in samples]) < 0.01


def test_the_rows_made_outliers_stand_apart():
    t, y = calibrated(1000, 1)
    rows = np.array([3, 500, 999])
    t[rows] = np.where(y[rows] == 1, -40.0, 40.0)
    unexpected = _unexpected(t, y)
    assert unexpected.apart == unexpected.dominating >= 3
    assert set(rows) <= set(unexpected.rows[: unexpected.apart])
    assert unexpected.impossible == 3


def test_what_recalibration_explains_does_not_stand_apart():
    t, y = calibrated(1000, 2)
    too_large = predictions(2.2 * t, y)
    without = unexpected_losses(too_large, too_large)
    explained = unexpected_losses(too_large, predictions(t, y))
    assert without.count == explained.count
    assert explained.apart <= explained.impossible


def test_few_is_a_share_and_never_less_than_five():
    t, y = calibrated(50, 0)
    assert _unexpected(t, y).few == FEW_AT_LEAST
    t, y = calibrated(1000, 0)
    assert _unexpected(t, y).few == FEW_SHARE * 1000


def test_weights_count_in_the_shares():
    z, y = np.array([-1.0, 1.0, -30.0, *np.zeros(20)]), np.array([1, 0, 1, *np.arange(20) % 2])
    weight = np.ones(23)
    weight[2] = 0.0
    assert _unexpected(z, y).shares[0] > 0.6
    assert _unexpected(z, y, weight).shares[0] == 0.0


def test_no_loss_no_unexpected():
    unexpected = _unexpected(np.full(20, 800.0), np.ones(20, int))
    assert (unexpected.count, unexpected.apart, unexpected.dominating) == (0, 0, 0)
