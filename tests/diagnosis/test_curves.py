import mpmath
import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss
from statsmodels.stats.proportion import proportion_confint

import sweep
from sweep import InputError
from sweep.diagnosis import curves
from tests.support.predicted import calibrated, predictions


def diagnosed(data):
    return sweep.diagnose(data, replicates=0)


def _overconfident(n=400, seed=0, weighted=False):
    t, y = calibrated(n, seed)
    weight = np.random.default_rng(seed).uniform(0, 3, n) if weighted else None
    return diagnosed(predictions(3 * t + 1, y, weight))


def _multiclass(n=300, k=4, seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, (n, k))
    y = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
    return diagnosed(predictions(scale * z, y))


@pytest.fixture(scope="module")
def binary():
    return _overconfident()


@pytest.fixture(scope="module")
def multiclass():
    return _multiclass()


def _probabilities(diagnosis, a):
    p = np.exp(a * diagnosis.predictions.logits)
    return p / p.sum(axis=1, keepdims=True)


def test_the_plane_holds_the_classifier_the_optimum_and_the_origin_with_room(binary):
    result = curves.plane(binary, cells=21)
    assert dict(result.sizes) == {"a": 21, "b": 21}
    best = binary.optimum.cross_entropy
    for a, b in ((0, 0), (1, 0), (best.a, best.b)):
        assert result.a.min() < a < result.a.max()
        assert result.b.min() < b < result.b.max()
    z, y = binary.predictions.logits, binary.predictions.y
    for i, j in ((3, 4), (20, 0)):
        p = 1 / (1 + np.exp(-(result.a.values[i] * z + result.b.values[j])))
        assert result.cross_entropy.values[i, j] == pytest.approx(log_loss(y, p), rel=1e-5)
        assert result.accuracy.values[i, j] == np.mean((p > 0.5) == y)


def test_the_plane_of_separated_classes_is_about_the_classifier():
    z = np.arange(-5.0, 5.0) + 0.5
    result = curves.plane(diagnosed(predictions(z, z > 1)), cells=11)
    assert result.a.values[[0, -1]] == pytest.approx([-0.5, 1.5])
    assert np.isfinite(result.cross_entropy).all()


def test_the_slope_alone_has_intercept_zero(binary):
    result = curves.along_slope(binary, cells=5)
    assert result.b.values.tolist() == [0.0]
    z, y = binary.predictions.logits, binary.predictions.y
    for a, ce in zip(result.a.values, result.cross_entropy.values[:, 0], strict=True):
        assert ce == pytest.approx(log_loss(y, 1 / (1 + np.exp(-a * z))), rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_threshold_passes_through_the_best_one(weighted):
    diagnosis = _overconfident(weighted=weighted)
    result = curves.along_intercept(diagnosis, cells=11)
    best = diagnosis.optimum.accuracy.value
    assert float(result.accuracy.max()) == pytest.approx(best, abs=1e-12)
    assert 0.0 in result.b
    assert diagnosis.recalibration.intercept_alone in result.b
    p = 1 / (1 + np.exp(-diagnosis.predictions.logits))
    y, weight = diagnosis.predictions.y, diagnosis.predictions.weight
    for t, accuracy in zip(result.threshold.values, result.accuracy.values[0], strict=True):
        if abs(t - 0.5) > 1e-12:  # at 0 the coordinate is rounded, as is the best cut's
            near = np.min(np.abs(p - t)) < 1e-12
            assert near or accuracy == pytest.approx(np.average((p > t) == y, weights=weight))


@pytest.mark.parametrize("shift", [-7.0, 7.0, 0.0])
def test_the_best_cut_is_nearest_to_zero_and_best(shift):
    t, y = calibrated(200, 3)
    diagnosis = diagnosed(predictions(t + shift, y))
    cut = curves.best_cut(diagnosis)
    z = diagnosis.predictions.logits
    assert np.mean((z > cut) == y) == diagnosis.optimum.accuracy.value
    nearer = np.linspace(0, cut, 2000)[:-1] if cut else []
    assert all(np.mean((z > c) == y) < diagnosis.optimum.accuracy.value for c in nearer)


def test_the_best_cut_below_a_sample_at_zero_is_seen_to_be_below_it():
    z = np.array([-2.0, -1, 0, 0, 0, 1, 2, 3, 4, 5])
    diagnosis = diagnosed(predictions(z, z > -0.5))
    assert -1 < curves.best_cut(diagnosis) < 0
    assert curves.along_intercept(diagnosis, 5).accuracy.max() == 1


def test_there_is_no_cut_where_a_constant_is_best():
    z = np.array([1.0, -1.0] * 10)
    assert np.isnan(curves.best_cut(diagnosed(predictions(z, z < 0))))
    assert np.isnan(curves.best_cut(_multiclass()))


def test_several_classes_have_a_line_and_no_plane(multiclass):
    for refusing in (curves.plane, curves.along_intercept):
        with pytest.raises(InputError, match="4 classes, but a landscape over"):
            refusing(multiclass)
    result = curves.along_slope(multiclass, cells=7)
    assert result.cross_entropy.dims == ("a",)
    y = multiclass.predictions.y
    for a, ce, accuracy in zip(result.a.values, result.cross_entropy, result.accuracy, strict=True):
        p = _probabilities(multiclass, a)
        assert float(ce) == pytest.approx(log_loss(y, p), rel=1e-12)
        assert float(accuracy) == pytest.approx(np.mean(p.argmax(axis=1) == y))


def test_a_line_of_several_classes_is_the_same_by_pieces_and_weighted(multiclass, monkeypatch):
    y = multiclass.predictions.y
    weight = np.random.default_rng(1).uniform(0, 2, len(y))
    weighted = diagnosed(predictions(multiclass.predictions.logits, y, weight))
    at_once = curves.along_slope(weighted, cells=5)
    monkeypatch.setattr(curves, "CHUNK_LOGITS", 40)
    pieces = curves.along_slope(weighted, cells=5)
    np.testing.assert_allclose(pieces.cross_entropy, at_once.cross_entropy, rtol=1e-13)
    p = _probabilities(multiclass, at_once.a.values[3])
    expected = log_loss(y, p, sample_weight=weight)
    assert float(at_once.cross_entropy[3]) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(curves, "MAX_EXPONENTIALS", 100)
    assert curves.along_slope(weighted).sizes == {"a": 21}


def test_a_line_of_several_classes_holds_logits_of_any_size():
    z = np.array([[1e6, 0, -1e6], [0, 1e6, 5.0], [0.0, 0, 0], [1e6, 1e6, 0]])
    result = curves.along_slope(diagnosed(predictions(z, [0, 1, 2, 0])), cells=5)
    assert np.isfinite(result.cross_entropy).all()
    chance = float(result.cross_entropy.sel(a=0.0))
    assert chance == pytest.approx(np.log(3))


@pytest.mark.parametrize("z", [-800.0, -40.0, -1e-9, 0.0, 3.0, 40.0, 700.0])
def test_losses_lose_no_digits(z):
    with mpmath.workdps(50):
        expected = [float(mpmath.log1p(mpmath.exp(s * mpmath.mpf(z)))) for s in (1, -1)]
    two = predictions([z, z, *range(10)], [0, 1] * 6).losses
    np.testing.assert_allclose(two[:2], expected, rtol=1e-14)
    third = [z, 0.0, -np.inf if z > 0 else -2000.0]
    rows = predictions(np.nan_to_num([third, third], neginf=-2000.0), [1, 0])
    three = rows.losses
    np.testing.assert_allclose(three, expected, rtol=1e-14)


def test_losses_are_those_of_scikit_learn(binary, multiclass):
    y, z = binary.predictions.y, binary.predictions.logits
    expected = log_loss(y, 1 / (1 + np.exp(-z)))
    assert binary.predictions.losses.mean() == pytest.approx(expected, rel=1e-9)
    expected = log_loss(multiclass.predictions.y, _probabilities(multiclass, 1.0))
    assert multiclass.predictions.losses.mean() == pytest.approx(expected, rel=1e-12)


def test_the_histogram_counts_every_sample_once_in_its_class(binary, multiclass):
    for diagnosis in (binary, multiclass):
        result = curves.loss_histogram(diagnosis, bins=9)
        assert result.edges[0] == 0
        assert result.edges[-1] == diagnosis.predictions.losses.max()
        counts = np.bincount(diagnosis.predictions.y)
        assert result.counts.sum(axis=1).tolist() == counts.tolist()
        sample_loss = diagnosis.predictions.losses
        inside = (sample_loss >= result.edges[2]) & (sample_loss < result.edges[3])
        assert result.counts[:, 2].sum() == inside.sum()


@pytest.mark.parametrize("n", [10, 400, 5000])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_lorenz_curve_holds_the_shares_of_the_least_losses(n, weighted):
    diagnosis = _overconfident(n, weighted=weighted)
    result = curves.lorenz(diagnosis)
    assert len(result.samples) <= 500
    for ends in (result.samples, result.loss):
        assert ends[[0, -1]].tolist() == [0, 1]
        assert (np.diff(ends) >= 0).all()
    sample_loss = diagnosis.predictions.losses
    weight = diagnosis.predictions.weight
    weight = np.ones(n) if weight is None else weight
    for share, loss in zip(result.samples, result.loss, strict=True):
        least, left = 0.0, share * weight.sum()
        for row in np.argsort(sample_loss):
            least += min(left, weight[row]) * sample_loss[row]
            left = max(0.0, left - weight[row])
        assert loss == pytest.approx(least / (weight @ sample_loss), abs=1e-9)
    if n < 500 and not weighted:
        gini = 1 - 2 * np.trapezoid(result.loss, result.samples)
        assert gini == pytest.approx(diagnosis.concentration.gini.value, abs=1e-12)
    if n == 5000:  # the worst sample is a step of its own
        assert result.loss[-2] == pytest.approx(
            1 - weight[sample_loss.argmax()] * sample_loss.max() / (weight @ sample_loss)
        )


def test_the_lorenz_curve_of_no_loss_is_not_a_number():
    z = np.array([-800.0, 800.0] * 6)
    assert np.isnan(curves.lorenz(diagnosed(predictions(z, z > 0))).loss).all()


def test_reliability_is_that_of_scikit_learn_and_statsmodels(binary):
    best = binary.optimum.cross_entropy
    for a, b in ((1.0, 0.0), (best.a, best.b), (-0.5, 1.0)):
        result = curves.reliability(binary, a, b)
        z, y = binary.predictions.logits, binary.predictions.y
        p = 1 / (1 + np.exp(-(a * z + b)))
        observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
        np.testing.assert_allclose(result.predicted, predicted, rtol=1e-12)
        np.testing.assert_allclose(result.observed, observed, rtol=1e-12)
        right = np.round(result.observed * result.count)
        low, high = proportion_confint(right, result.count, method="wilson")
        np.testing.assert_allclose(result.low, low, atol=1e-12)
        np.testing.assert_allclose(result.high, high, atol=1e-12)


def test_bins_of_reliability_split_no_ties_and_leave_out_no_sample():
    rng = np.random.default_rng(0)
    z = rng.integers(-2, 3, 500).astype(float)
    result = curves.reliability(diagnosed(predictions(z, rng.random(500) < 0.5)))
    np.testing.assert_allclose(result.predicted, 1 / (1 + np.exp(-np.arange(-2.0, 3.0))))
    assert result.count.tolist() == [np.sum(z == level) for level in range(-2, 3)]
    assert len(curves.reliability(_overconfident(), a=0.0).count) == 1


def test_weights_count_in_reliability_as_so_many_samples(binary):
    z, y = binary.predictions.logits, binary.predictions.y
    times = np.random.default_rng(0).integers(1, 4, len(z))
    weighted = curves.reliability(diagnosed(predictions(z, y, times)))
    repeated = curves.reliability(diagnosed(predictions(np.repeat(z, times), np.repeat(y, times))))
    np.testing.assert_allclose(weighted.predicted, repeated.predicted)
    np.testing.assert_allclose(weighted.observed, repeated.observed)
    # ... but they are no more samples than there are rows.
    assert (weighted.high - weighted.low > repeated.high - repeated.low).all()
    constant = curves.reliability(diagnosed(predictions(z, y, np.full(len(z), 7.0))))
    np.testing.assert_allclose(constant.low, curves.reliability(binary).low)


def test_reliability_of_several_classes_is_that_of_the_predicted_one(multiclass):
    result = curves.reliability(multiclass, a=0.5, bins=5)
    p = _probabilities(multiclass, 0.5)
    sure, right = p.max(axis=1), p.argmax(axis=1) == multiclass.predictions.y
    observed, predicted = calibration_curve(right, sure, n_bins=5, strategy="quantile")
    np.testing.assert_allclose(result.predicted, predicted, rtol=1e-12)
    np.testing.assert_allclose(result.observed, observed, rtol=1e-12)


def test_reliability_refuses_what_is_no_recalibration(binary):
    with pytest.raises(InputError, match="give finite numbers"):
        curves.reliability(binary, a=float("nan"))


def test_the_landscapes_agree_with_the_optimum(binary):
    best = binary.optimum.cross_entropy
    assert float(curves.plane(binary).cross_entropy.min()) >= best.value
    at = sweep.landscape(binary.predictions.sample, best.a, best.b)
    assert at.cross_entropy.item() == pytest.approx(best.value)
