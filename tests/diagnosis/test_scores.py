"""The numbers of the data as they are: against scikit-learn, and against definitions in slow."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from sweep.diagnosis import scores as module
from sweep.diagnosis.scores import scores, shares, squared_errors
from tests.support.predicted import calibrated, predictions


def _multiclass(n=300, k=4, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    weight = rng.exponential(size=n) if weighted else None
    return predictions(rng.normal(0, 3, (n, k)), rng.integers(0, k, n), weight)


def _two(n=301, seed=0, weighted=False):
    z, y = calibrated(n, seed)
    weight = np.random.default_rng(seed).exponential(size=n) if weighted else None
    return predictions(3 * z + 1, y, weight)


def _softmax(z):
    odds = np.exp(z - z.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("draw", [_two, _multiclass])
def test_scores_are_those_of_scikit_learn(draw, weighted):
    data = draw(weighted=weighted)
    z = data.logits if data.logits.ndim == 2 else np.stack([0 * data.logits, data.logits], 1)
    p, by = _softmax(z), {"sample_weight": data.weight}
    labels = list(range(p.shape[1]))
    result = scores(data)
    assert result.cross_entropy == pytest.approx(metrics.log_loss(data.y, p, labels=labels, **by))
    predicted = p.argmax(1)
    assert result.accuracy == pytest.approx(metrics.accuracy_score(data.y, predicted, **by))
    assert result.brier == pytest.approx(
        metrics.brier_score_loss(data.y, p, labels=labels, scale_by_half=len(labels) == 2, **by)
    )
    recall = metrics.recall_score(data.y, predicted, average=None, **by)
    np.testing.assert_allclose(result.class_accuracy, recall)
    share = result.class_share
    constant = np.tile(share, (len(p), 1))
    base = metrics.log_loss(data.y, constant, labels=labels, **by)
    assert result.base_rate_entropy == pytest.approx(base)
    assert result.majority_accuracy == pytest.approx(share.max())
    assert result.class_n.sum() == len(data)
    assert share @ result.class_cross_entropy == pytest.approx(result.cross_entropy)


@pytest.mark.parametrize("z", [-800.0, -40.0, -1e-9, 0.0, 0.5, 37.0, 60.0, 700.0])
def test_losses_keep_their_digits(z):
    with mpmath.workdps(40):
        q = 1 / (1 + mpmath.exp(mpmath.mpf(z)))
        loss, error = mpmath.log1p(mpmath.exp(-mpmath.mpf(z))), q**2
    two_classes = predictions([z, -z], [1, 0])
    three_classes = predictions([[0, z, -2000.0], [0, -2000.0, z]], [1, 2])
    for data in (two_classes, three_classes):
        np.testing.assert_allclose(data.losses, float(loss), rtol=4e-16)
    with np.errstate(under="ignore"):
        for data, pairs in ((two_classes, 1), (three_classes, 2)):
            np.testing.assert_allclose(squared_errors(data), pairs * float(error), rtol=3e-13)


def test_several_classes_are_the_same_in_parts(monkeypatch):
    at_once, in_parts = _multiclass(), _multiclass()
    expected = np.stack([at_once.losses, squared_errors(at_once)])
    monkeypatch.setattr(module, "CHUNK_LOGITS", 64)
    monkeypatch.setattr("sweep.data.predictions.LOGITS_AT_ONCE", 64)
    actual = np.stack([in_parts.losses, squared_errors(in_parts)])
    np.testing.assert_array_equal(actual, expected)


def test_ties_go_to_class_0_or_the_first_of_the_largest():
    assert scores(predictions([0.0, 0.0, 0.0], [0, 0, 1])).accuracy == pytest.approx(2 / 3)
    tied = predictions([[1, 1, 0], [0, 1, 1], [2, 2, 2]], [0, 2, 1])
    assert scores(tied).accuracy == pytest.approx(1 / 3)


def test_a_class_without_weight_has_no_numbers():
    result = scores(predictions([1.0, 2.0, -1.0], [1, 1, 0], [1.0, 2.0, 0.0]))
    assert np.isnan(result.class_cross_entropy[0])
    assert np.isnan(result.class_accuracy[0])
    assert result.base_rate_entropy == 0.0


# --- shares -------------------------------------------------------------------------------------


def _brute(loss):
    """By the definitions, of samples that count once each."""
    falling = sorted(loss, reverse=True)
    n, total = len(falling), sum(falling)
    part = {k: sum(falling[:k]) / total for k in (1, 5, -(-n // 100), -(-n // 10))}
    pairs = sum(abs(a - b) for a in loss for b in loss)
    half = next(k for k in range(n + 1) if sum(falling[:k]) >= total / 2 * (1 - 1e-9))
    return (*part.values(), pairs / (2 * n * total), half) if len(part) == 4 else None


@pytest.mark.parametrize("n", [201, 700, 1000])
def test_shares_are_those_of_the_definitions(n):
    loss = np.random.default_rng(n).exponential(size=n).round(1)
    np.testing.assert_allclose(shares(loss), _brute(loss), rtol=1e-10)


@given(st.lists(st.sampled_from([0.0, 1e-12, 0.5, 1.0, 1.0 + 1e-9, 30.0, 1e300]), min_size=1))
def test_shares_of_ties_and_outliers(loss):
    loss = np.array(loss)
    result = shares(loss)
    if not loss.any():
        assert np.isnan(result[:5]).all()
        assert result.half == 0
        return
    scaled = loss / loss.max()
    falling = np.sort(scaled)[::-1]
    assert result.worst_1 == pytest.approx(falling[0] / falling.sum())
    assert result.worst_5 == pytest.approx(falling[:5].sum() / falling.sum())
    first = falling[: -(-len(loss) // 10)]
    assert result.worst_10_percent == pytest.approx(first.sum() / falling.sum())
    pairs = np.abs(scaled[:, None] - scaled).sum()
    assert result.gini == pytest.approx(pairs / (2 * len(loss) * scaled.sum()), abs=1e-12)
    assert 0 <= result.worst_1 <= result.worst_5 <= 1 + 1e-12
    assert 1 <= result.half <= len(loss) // 2 + 1


def test_equal_losses_have_no_gini_and_half_of_the_samples():
    result = shares(np.full(10, 0.1))
    assert result.gini == pytest.approx(0, abs=1e-15)
    assert result.half == 5


def test_weights_count_samples():
    rng = np.random.default_rng(1)
    loss, weight = rng.exponential(size=200), rng.integers(0, 4, 200).astype(float)
    result, repeated = shares(loss, weight), shares(np.repeat(loss, weight.astype(int)))
    assert result.gini == pytest.approx(repeated.gini)
    # The worst tenth of the weight ends inside a row.
    order = np.argsort(-loss)
    left, got = weight.sum() / 10, 0.0
    for row in order:
        taken = min(weight[row], left)
        left, got = left - taken, got + taken * loss[row]
    assert result.worst_10_percent == pytest.approx(got / (weight @ loss))
    assert result.worst_1 == pytest.approx((weight * loss).max() / (weight @ loss))


def test_weights_have_no_unit():
    rng = np.random.default_rng(2)
    loss, weight = rng.exponential(size=200), rng.exponential(size=200)
    np.testing.assert_allclose(shares(loss, weight), shares(loss, 1e-200 * weight))
