"""diagnose(): its numbers against scikit-learn, statsmodels and the definitions."""

import json
import math
import sys

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB

import sweep
from sweep.data.predictions import Predictions
from tests.support.predicted import calibrated


def _logistic(z, y, weight=None):
    return sm.GLM(y, sm.add_constant(z), family=sm.families.Binomial(), freq_weights=weight).fit(
        tol=1e-14, maxiter=200
    )


@pytest.fixture(scope="module")
def naive_bayes():
    x, y = load_breast_cancer(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    log_proba = cross_val_predict(GaussianNB(), x, y, cv=folds, method="predict_log_proba")
    return y, log_proba, sweep.diagnose(y, log_proba)


@pytest.fixture(scope="module")
def weighted():
    t, y = calibrated(700, 4)
    z, weight = 2 * t + 1, np.random.default_rng(1).uniform(0.2, 3, 700)
    return y, z, weight, sweep.diagnose(y, z, weight)


def test_the_optimum_is_that_of_statsmodels_and_scikit_learn(naive_bayes, weighted):
    y, log_proba, report = naive_bayes
    z = log_proba[:, 1] - log_proba[:, 0]
    result = report.recalibration
    b, a = _logistic(z, y).params
    assert (result.slope.value, result.intercept.value) == pytest.approx((a, b), rel=1e-8, abs=1e-8)
    free = LogisticRegression(C=np.inf, tol=1e-14, solver="newton-cholesky").fit(z[:, None], y)
    assert result.slope.value == pytest.approx(free.coef_[0, 0], rel=1e-8, abs=1e-8)
    assert result.intercept.value == pytest.approx(free.intercept_[0], rel=1e-8, abs=1e-8)
    y, z, weight, report = weighted
    b, a = _logistic(z, y, weight).params
    assert report.recalibration.slope.value == pytest.approx(a, rel=1e-8)
    assert report.recalibration.intercept.value == pytest.approx(b, rel=1e-8, abs=1e-8)


def test_the_numbers_are_those_of_scikit_learn(weighted):
    y, z, weight, report = weighted
    p = 1 / (1 + np.exp(-z))
    assert report.cross_entropy.value == pytest.approx(log_loss(y, p, sample_weight=weight))
    assert report.accuracy.value == pytest.approx(accuracy_score(y, z > 0, sample_weight=weight))
    brier = brier_score_loss(y, p, sample_weight=weight)
    assert report.brier.value == pytest.approx(brier)
    share = np.average(y, weights=weight)
    chance = log_loss(y, np.full(700, share), sample_weight=weight)
    assert report.baselines.base_rate_entropy.value == pytest.approx(chance)
    assert report.baselines.uniform_entropy == pytest.approx(math.log(2))
    assert report.baselines.majority_accuracy.value == pytest.approx(max(share, 1 - share))


def test_the_split_of_the_loss_is_that_of_three_fits(weighted):
    y, z, weight, report = weighted
    family = sm.families.Binomial()

    def least(columns, offset=None):
        model = sm.GLM(y, columns, family=family, freq_weights=weight, offset=offset)
        fit = model.fit(tol=1e-14)
        return log_loss(y, fit.fittedvalues, sample_weight=weight), fit.params[0]

    slope, a = least(z[:, None])
    intercept, b = least(np.ones((700, 1)), offset=z)
    both, _ = least(sm.add_constant(z))
    loss, result = report.cross_entropy.value, report.recalibration
    assert result.slope_alone == pytest.approx(a, rel=1e-8)
    assert result.intercept_alone == pytest.approx(b, rel=1e-8)
    assert result.by_slope.value == pytest.approx(loss - slope, rel=1e-8)
    assert result.by_intercept.value == pytest.approx(loss - intercept, rel=1e-8)
    assert result.by_both.value == pytest.approx(loss - both, rel=1e-8)
    assert result.cross_entropy.value == pytest.approx(both, rel=1e-10)


def test_naive_bayes_is_overconfident_and_few_samples_dominate(naive_bayes):
    y, log_proba, report = naive_bayes
    assert [finding.code for finding in report.findings] == [
        "few_samples_dominate",
        "overconfident",
    ]
    loss = -log_proba[np.arange(len(y)), y]
    worst = np.argsort(-loss)
    rows = report.finding("few_samples_dominate").numbers["rows"]
    assert rows == list(worst[: len(rows)])
    assert [sample.row for sample in report.worst] == list(worst[: len(report.worst)])
    assert [sample.loss for sample in report.worst] == pytest.approx(list(loss[worst[:20]]))


def test_every_number_has_an_interval_or_says_why_not(naive_bayes):
    report = naive_bayes[2]

    def estimates(value):
        if isinstance(value, dict):
            if {"value", "low", "high", "invalid"} == set(value):
                yield value
            else:
                for item in value.values():
                    yield from estimates(item)
        elif isinstance(value, list):
            for item in value:
                yield from estimates(item)

    result = list(estimates(report.to_dict()))
    assert len(result) > 20
    for estimate in result:
        if estimate["invalid"]:
            assert estimate["low"] is estimate["high"] is None
        else:
            assert estimate["low"] <= estimate["high"]
    shares = report.concentration
    assert "largest values" in shares.worst_1.invalid
    assert "cube-root" in report.threshold.gain.invalid


def test_intervals_cover_what_is_true():
    inside = []
    for seed in range(60):
        t, y = calibrated(400, seed)
        result = sweep.diagnose(y, 2 * t, replicates=200).recalibration.slope
        inside.append(result.low <= 0.5 <= result.high)
    assert 0.85 <= np.mean(inside) <= 1.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_intervals_of_what_is_saved_reach_zero_where_logits_are_calibrated(k, weighted):
    reached = []
    for seed in range(30):
        rng = np.random.default_rng([seed, k])
        t = rng.normal(0.0, 1.5, (300, k))
        y = np.argmax(t + rng.gumbel(size=t.shape), axis=1)
        weight = rng.exponential(1.0, 300) if weighted else None
        result = sweep.diagnose(y, t, weight, replicates=100).recalibration
        reached.append([result.by_slope.low == 0, result.by_both.low == 0])
        assert result.by_both.value <= result.by_both.high
    assert (np.mean(reached, axis=0) >= 0.8).all()


def test_intervals_of_what_is_saved_leave_out_zero_where_there_is_much_to_save():
    t, y = calibrated(500, 3)
    result = sweep.diagnose(y, 3 * t + 1, replicates=100).recalibration
    assert min(result.by_slope.low, result.by_intercept.low, result.by_both.low) > 0


@pytest.mark.parametrize("k", [2, 4])
def test_intervals_of_the_baselines_reach_equal_classes(k):
    inside = []
    for seed in range(30):
        rng = np.random.default_rng([seed, k])
        y = rng.integers(0, k, 300)
        z = rng.normal(0, 1, 300) if k == 2 else rng.normal(0, 1, (300, k))
        base = sweep.diagnose(y, z, replicates=100).baselines
        inside.append([base.base_rate_entropy.high >= math.log(k), base.majority_accuracy.low])
    entropy, majority = np.transpose(inside)
    assert np.mean(entropy) >= 0.8
    assert np.mean(majority <= 1 / k) >= 0.8


def test_the_majority_of_nearly_equal_classes_is_not_overrated():
    """Of three classes two are equal, so that the larger of both is so by chance."""
    inside = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        y = rng.choice(3, 500, p=[0.4, 0.4, 0.2])
        result = sweep.diagnose(y, rng.normal(0, 1, (500, 3)), replicates=200)
        low, high = result.baselines.majority_accuracy.low, result.baselines.majority_accuracy.high
        inside.append(low <= 0.4 <= high)
    assert np.mean(inside) >= 0.8


def test_shares_of_a_few_worst_samples_have_no_interval():
    for n, have_interval in ((150, (False, False)), (1000, (False, True)), (2000, (True, True))):
        t, y = calibrated(n, 1)
        result = sweep.diagnose(y, t, replicates=100).concentration
        worst = result.worst_1_percent, result.worst_10_percent
        assert tuple(not share.invalid for share in worst) == have_interval


def test_the_same_seed_gives_the_same_diagnosis():
    t, y = calibrated(300, 1)
    first, same = (sweep.diagnose(y, t, replicates=100, seed=5).to_dict() for _ in range(2))
    other = sweep.diagnose(y, t, replicates=100, seed=6).to_dict()
    assert first == same
    assert first["cross_entropy"] != other["cross_entropy"]


def test_a_diagnosis_is_a_json_document(naive_bayes):
    document = json.dumps(naive_bayes[2].to_dict(), allow_nan=False)
    assert json.loads(document)["optimum"]["cross_entropy"]["status"]["name"] == "finite"


def test_exact_probabilities_are_told_apart():
    y = np.tile([0, 1], 20)
    p = np.where(y == 1, 0.8, 0.3)
    p[:4] = [0.0, 1.0, 0.0, 0.0]  # the last one of these is wrong
    exact = sweep.diagnose(y, probabilities=p, replicates=0).exact
    assert (exact.count, exact.wrong) == (4, 1)
    assert exact.cross_entropy == pytest.approx(log_loss(y[4:], p[4:]))
    report = sweep.diagnose(y, probabilities=p, replicates=0)
    assert report.cross_entropy.value == pytest.approx(log_loss(y, p))
    result = report.finding("exact_zero_one")
    assert result.severity == "critical"
    assert "cross-entropy is infinite" in result.sentence
    clipped = sweep.diagnose(y, probabilities=p, clip=1e-7, replicates=0)
    assert clipped.cross_entropy.value == pytest.approx(log_loss(y, np.clip(p, 1e-7, 1 - 1e-7)))


def test_a_separable_sample_has_no_interval_of_its_slope():
    y = np.tile([0, 1], 30)
    z = (2 * y - 1) * np.linspace(1, 4, 60)
    report = sweep.diagnose(y, z, replicates=100)
    assert report.recalibration.slope.value == math.inf
    assert "no finite optimum" in report.recalibration.slope.invalid
    assert report.recalibration.cross_entropy.value == 0.0
    assert report.finding("separable").severity == "info"


def test_several_classes_have_a_slope_alone():
    rng = np.random.default_rng(0)
    t = rng.normal(0, 2, (1500, 4))
    y = np.argmax(t + rng.gumbel(size=t.shape), axis=1)
    report = sweep.diagnose(y, 2 * t)
    assert report.classes == ("0", "1", "2", "3")
    assert report.threshold is None
    assert report.baselines.uniform_entropy == pytest.approx(math.log(4))
    assert report.cross_entropy.value == pytest.approx(
        log_loss(y, np.exp(2 * t) / np.exp(2 * t).sum(axis=1, keepdims=True))
    )
    assert report.recalibration.slope.low < 0.5 < report.recalibration.slope.high
    assert math.isnan(report.recalibration.intercept.value)
    assert [row.label for row in report.by_class] == ["0", "1", "2", "3"]
    assert sum(row.n for row in report.by_class) == 1500
    assert [finding.code for finding in report.findings] == ["overconfident"]


def test_a_history_and_a_fit_are_judged_with_the_rest():
    t, y = calibrated(1000, 1)
    epochs = np.arange(30)
    history = {
        "loss": np.exp(-epochs / 20),
        "val_loss": 0.5 + 0.3 * (np.abs(epochs - 20) / 20),
    }
    report = sweep.diagnose(y, t, replicates=0, history=history, temperature=1e6)
    codes = {finding.code for finding in report.findings}
    assert codes == {"overfitting", "fit_misplaced"}
    assert report.fit.verdict == "diverged"


def test_predictions_that_were_read_are_diagnosed_as_they_are():
    t, y = calibrated(200, 1)
    data = Predictions.of(y, t)
    report = sweep.diagnose(data, replicates=0)
    assert report.predictions is data
    assert report.to_dict() == sweep.diagnose(y, t, replicates=0).to_dict()


@pytest.mark.parametrize("replicates", [1, 99])
def test_too_few_replicates_are_refused(replicates):
    t, y = calibrated(100, 1)
    with pytest.raises(sweep.InputError, match="a 95% interval needs at least 100"):
        sweep.diagnose(y, t, replicates=replicates)


@pytest.mark.parametrize("options", [{"replicates": -5}, {"seed": -1}], ids=str)
def test_numbers_of_draws_and_seeds_are_whole(options):
    t, y = calibrated(100, 1)
    ((name, value),) = options.items()
    with pytest.raises(sweep.InputError, match=f"^{name}={value}: must be a whole number"):
        sweep.diagnose(y, t, **({"replicates": 0} | options))


def test_a_fit_that_is_none_is_refused_before_the_bootstrap(monkeypatch):
    def bootstrap(*_):
        raise AssertionError

    # The name of the module is that of the function, which hides it in the package.
    monkeypatch.setattr(sys.modules["sweep.diagnosis.diagnose"], "bootstrap", bootstrap)
    t, y = calibrated(100, 1)
    with pytest.raises(sweep.InputError, match="a temperature other than 0"):
        sweep.diagnose(y, t, temperature=0)


def test_a_diagnosis_is_shown_in_a_few_lines():
    t, y = calibrated(2000, 1)
    report = sweep.diagnose(y, 3 * t, replicates=0)
    first, *rest = repr(report).splitlines()
    assert first.startswith(f"Diagnosis(n=2000, cross_entropy={report.cross_entropy.value:.6g}")
    assert rest == ["  critical: overconfident"]


def test_a_dozen_rows_are_said_to_be_few():
    t, y = calibrated(12, 3)
    report = sweep.diagnose(y, t)
    assert report.finding("too_few_samples") is not None
    assert report.n == 12


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_several_classes_that_are_all_right_or_all_wrong_have_no_finite_slope(sign):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    z = rng.uniform(0, 1, (120, 3))
    z[np.arange(120), y] += 2.0
    report = sweep.diagnose(y, sign * z, replicates=0)
    assert report.recalibration.slope.value == sign * math.inf
    assert report.finding("separable") is not None
    assert (report.finding("sign_flipped") is None) is (sign > 0)
