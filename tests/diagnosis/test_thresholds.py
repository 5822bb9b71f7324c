"""Best thresholds against every threshold that there is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, metric_at_thresholds

from sweep.diagnosis.thresholds import FOLDS, best_threshold, most_evident_move, move_to
from sweep.optima import optimum
from tests.support.predicted import calibrated, predictions


def _best(z, y, weight=None, seed=0):
    data = predictions(z, y, weight)
    return best_threshold(data, optimum(data.sample).accuracy, seed)


def _tied(n, seed, weighted):
    rng = np.random.default_rng(seed)
    z = rng.integers(-4, 5, n).astype(float)
    y = (rng.random(n) < 0.5 + 0.08 * z).astype(int)
    return z, y, rng.integers(1, 4, n).astype(float) if weighted else None


@pytest.mark.parametrize("seed", range(5))
def test_the_best_accuracy_is_that_of_scikit_learn_at_every_threshold(seed):
    t, y = calibrated(300, seed)
    z = np.round(t + 1, 1)
    best = _best(z, y)
    p = 1 / (1 + np.exp(-z))
    cuts = np.concatenate([[-np.inf], np.unique(p)])
    highest = max(accuracy_score(y, p > cut) for cut in cuts)
    assert best.accuracy.value == highest
    assert best.gain.value == pytest.approx(highest - accuracy_score(y, z > 0), abs=1e-15)
    assert accuracy_score(y, p > best.nearest) == highest


def test_the_best_thresholds_are_those_of_metric_at_thresholds():
    t, y = calibrated(500, 7)
    p = 1 / (1 + np.exp(-(t - 1.5)))
    values, cuts = metric_at_thresholds(y, p, accuracy_score)
    best = _best(t - 1.5, y)
    assert best.accuracy.value == pytest.approx(values.max(), abs=1e-15)
    # Theirs predicts class 1 at p >= cut: each of their best cuts ends one of our intervals.
    ends = [high for low, high, orientation in best.probabilities if orientation > 0]
    assert np.allclose(sorted(cuts[np.isclose(values, values.max())])[-1], max(ends), rtol=1e-12)


def test_a_half_that_is_best_stays():
    assert _best([-3, -2, -1, 1, 2, 3], [0, 0, 0, 1, 1, 1]).nearest == 0.5


def test_no_threshold_may_beat_a_constant():
    best = _best([-1.0, -0.5, 0.5, 1.0, 2.0], [0, 0, 0, 0, 0])
    assert best.constants == (0,)
    assert np.isnan(best.nearest)


@given(st.integers(2, 40), st.integers(0, 10**6), st.booleans())
def test_the_walk_is_the_best_of_all_moves(n, seed, weighted):
    z, y, weight = _tied(n, seed, weighted)
    data = predictions(z, y, weight)
    w = np.ones(n) if weight is None else weight
    gains, evidence = [], []
    for cut in np.unique(np.concatenate([z, z - 1])):
        changed = (z > cut) != (z > 0)
        by = np.where((z > cut) == (y == 1), w, -w)[changed].sum()
        gains.append(by / w.sum())
        evidence.append(by / np.sqrt((w[changed] ** 2).sum()) if changed.any() else 0.0)
        move = move_to(data, float(cut))
        assert move.gain == pytest.approx(gains[-1], abs=1e-12)
        assert move.evidence == pytest.approx(evidence[-1], abs=1e-12)
    allowed = [e for e, gain in zip(evidence, gains, strict=True) if gain > 0 and gain >= 0.05]
    assert most_evident_move(data, 0.05).evidence == pytest.approx(
        max(allowed, default=0.0), abs=1e-9
    )


@given(st.integers(FOLDS, 60), st.integers(0, 10**6), st.booleans())
def test_the_cross_validated_gain_is_that_of_a_loop(n, seed, weighted):
    z, y, weight = _tied(n, seed, weighted)
    w = np.ones(n) if weight is None else weight
    order = np.argsort(z, kind="stable")
    z, y, w = z[order], y[order], w[order]
    fold = np.random.default_rng(3).permutation(n) % FOLDS
    cuts = [-np.inf, *np.unique(z)]
    total = 0.0
    for k in range(FOLDS):
        kept = fold != k
        scores = np.array([(w * ((z > cut) == (y == 1)))[kept].sum() for cut in cuts])
        equal = [cut for cut, score in zip(cuts, scores, strict=True) if score == scores.max()]
        passed = [np.searchsorted(z, cut, "right") for cut in equal]
        zero = np.searchsorted(z, 0.0, "right")
        cut = equal[int(np.argmin(np.abs(np.array(passed) - zero)))]
        right = (w * ((z > cut) == (y == 1)))[~kept].sum()
        total += right - (w * ((z > 0) == (y == 1)))[~kept].sum()
    best = _best(z, y, None if weight is None else w, seed=3)
    assert best.cross_validated_gain.value == pytest.approx(total / w.sum(), abs=1e-12)


def test_what_is_gained_by_choosing_is_not_gained_on_other_data():
    in_sample, held_out = [], []
    for seed in range(200):
        t, y = calibrated(100, seed)
        best = _best(t, y)
        in_sample.append(best.gain.value)
        held_out.append(best.cross_validated_gain.value)
    assert np.mean(in_sample) > 0.01
    assert np.mean(held_out) < 0
