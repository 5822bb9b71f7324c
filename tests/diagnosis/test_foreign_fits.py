import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from sweep.base.errors import InputError
from sweep.diagnosis.foreign_fits import fit_findings, judge, platt_optimum
from sweep.diagnosis.recalibration import decompose
from tests.support.predicted import calibrated, predictions


def _best_for_smoothed(data):
    best = platt_optimum(data)
    return best.a, best.b


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is its only feature."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return self.classes_[(x[:, 0] > 0).astype(int)]


def _scaled(slope=2.0, shift=0.0, n=2000, seed=0):
    """Predictions whose optimum is near (1 / slope, -shift / slope)."""
    t, y = calibrated(n, seed)
    return predictions(slope * t + shift, y)


def _judged(data, **fit):
    return judge(data, decompose(data), **fit)


def _loss(data, a, b):
    z = a * data.logits + b
    return np.mean(np.logaddexp(0, np.where(data.y == 1, -z, z)))


# --- scikit-learn's -----------------------------------------------------------------------------


def _sklearn_platt(z, y, weight=None):
    """(A, B) of scikit-learn's sigmoid calibration of a frozen classifier."""
    frozen = FrozenEstimator(Scores().fit(z[:, None], y))
    model = CalibratedClassifierCV(frozen, method="sigmoid")
    model.fit(z[:, None], y, sample_weight=weight)
    (calibrator,) = model.calibrated_classifiers_[0].calibrators
    return calibrator.a_, calibrator.b_


@pytest.mark.filterwarnings("ignore:Since FrozenEstimator")  # it is not fitted, so needs no weights
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [40, 2000])
def test_smoothed_optimum_is_that_of_sklearn(n, weighted):
    t, y = calibrated(n, 3)
    weight = np.random.default_rng(0).uniform(0.5, 2, n) if weighted else None
    data = predictions(1.5 * t + 0.5, y, weight)
    platt = _sklearn_platt(data.logits, y, weight)
    # As exactly as its solver stops.
    assert _best_for_smoothed(data) == pytest.approx((-platt[0], -platt[1]), rel=2e-3, abs=2e-3)
    judged = _judged(data, platt=platt)
    assert judged.verdict == "optimal"
    assert (judged.a, judged.b) == (-platt[0], -platt[1])


def test_smoothed_optimum_is_that_of_a_general_minimiser():
    t, y = calibrated(60, 4)
    data = predictions(t, y)
    n1, n0 = np.sum(y == 1), np.sum(y == 0)
    target = np.where(y == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def smoothed(parameters):
        z = parameters[0] * t + parameters[1]
        return np.mean(target * np.logaddexp(0, -z) + (1 - target) * np.logaddexp(0, z))

    expected = minimize(smoothed, (1.0, 0.0), tol=1e-12, method="BFGS", options={"gtol": 1e-10})
    assert _best_for_smoothed(data) == pytest.approx(expected.x, rel=1e-6, abs=1e-7)


def test_fit_to_smoothed_targets_is_told_from_one_to_labels():
    data = _scaled(n=60)
    a, b = _best_for_smoothed(data)
    smoothed, labels = _judged(data, fitted=(a, b)), decompose(data)
    assert smoothed.verdict == "optimal"
    assert "optimal for Platt's smoothed targets" in smoothed.sentence
    assert smoothed.excess > 1e-6 * smoothed.cross_entropy
    plain = _judged(data, fitted=(labels.a, labels.b))
    assert plain.verdict == "optimal"
    assert "Platt" not in plain.sentence


def test_smoothed_optimum_of_separated_classes_is_finite():
    z, y = np.linspace(-3, 3, 40), np.repeat([0, 1], 20)
    data = predictions(z, y)
    a, b = _best_for_smoothed(data)
    judged = _judged(data, platt=(-a, -b))
    assert math.isfinite(a)
    assert judged.verdict == "optimal"
    assert "no finite optimum" in judged.sentence


# --- verdicts -----------------------------------------------------------------------------------


def test_platt_is_scikit_learns_sign_convention():
    data = _scaled()
    by_platt, by_slope = _judged(data, platt=(-0.7, 0.3)), _judged(data, fitted=(0.7, -0.3))
    assert by_platt == by_slope
    assert by_platt.cross_entropy == pytest.approx(_loss(data, 0.7, -0.3), rel=1e-14)
    assert by_platt.excess == pytest.approx(
        by_platt.cross_entropy - decompose(data).by_both, rel=1e-12
    )


def test_temperature_is_held_to_the_best_slope_alone():
    data = _scaled(slope=2.0, shift=1.0)
    judged = _judged(data, temperature=2.5)
    assert (judged.family, judged.a, judged.b) == ("temperature", 0.4, 0.0)
    assert (judged.best_a, judged.best_b) == (decompose(data).slope_alone, 0.0)
    assert judged.excess == pytest.approx(
        _loss(data, 0.4, 0) - _loss(data, judged.best_a, 0), rel=1e-9
    )


CASES = [
    ("optimal", {}),
    ("near", {"temperature": 1.98}),
    ("off", {"temperature": 1.3}),
    ("border", {"temperature": 10.0}),
    ("border", {"temperature": 0.9999 * 5.0}),
    ("border", {"fitted": (0.0500001, 0.0)}),
    ("border", {"platt": (-0.5, -5.0)}),
    ("off", {"platt": (-2.2, 0.1)}),
    ("diverged", {"temperature": 1_386_304}),
    ("diverged", {"temperature": 1e-3}),
    ("diverged", {"temperature": 1000}),
    ("diverged", {"fitted": (1e-9, 0.0)}),
    ("diverged", {"fitted": (1e6, 0.0)}),
    ("wrong_sign", {"temperature": -2.0}),
    ("wrong_sign", {"fitted": (-0.5, 0.0)}),
    ("wrong_sign", {"platt": (0.5, 0.0)}),
]


@pytest.mark.parametrize(("expected", "fit"), CASES)
def test_verdict(expected, fit):
    data = _scaled()
    judged = _judged(data, **(fit or {"temperature": 1 / decompose(data).slope_alone}))
    assert judged.verdict == expected, judged.sentence
    assert f"{judged.cross_entropy:.6g} nats" in judged.sentence
    assert [finding.code for finding in fit_findings(judged)] == ["fit_misplaced"] * (
        expected not in ("optimal", "near")
    )


def test_a_fit_on_a_bound_is_told(monkeypatch):
    data = _scaled()
    assert judge(data, decompose(data), temperature=3.3).verdict == "off"
    monkeypatch.setattr("sweep.diagnosis.foreign_fits.BOUNDS", (0.3, 3.3))
    judged = judge(data, decompose(data), temperature=3.3)
    assert judged.verdict == "border"
    assert "bound of 3.3." in judged.sentence


def test_a_bound_of_the_temperature_is_named():
    assert "bound of 10." in _judged(_scaled(), temperature=10.0).sentence


def test_shift_that_is_as_bad_as_a_constant_is_no_divergence():
    assert _judged(_scaled(), fitted=(0.5, 4.321)).verdict == "off"


def test_grave_verdicts_are_critical_findings():
    data = _scaled()
    (finding,) = fit_findings(_judged(data, temperature=1e6))
    assert finding.severity == "critical"
    assert finding.numbers["best_a"] == decompose(data).slope_alone
    (finding,) = fit_findings(_judged(data, temperature=1.3))
    assert finding.severity == "warning"


def test_near_is_a_likelihood_ratio_test():
    shares = []
    for seed in range(200):
        t, y = calibrated(300, seed)
        shares.append(_judged(predictions(t, y), fitted=(1.0, 0.0)).verdict in ("near", "optimal"))
    assert 0.9 < np.mean(shares) < 0.99


def test_weights_count_as_their_effective_number():
    t, y = calibrated(400, 1)
    data = predictions(t, y)
    scaled = predictions(t, y, np.full(400, 1e-3))
    assert _judged(data, fitted=(0.8, 0.0)).verdict == _judged(scaled, fitted=(0.8, 0.0)).verdict
    few = np.where(np.arange(400) < 20, 1.0, 1e-6)
    assert _judged(predictions(t, y, few), fitted=(0.8, 0.0)).verdict == "near"


def test_sign_of_chance_level_logits_is_open():
    rng = np.random.default_rng(2)
    data = predictions(rng.normal(size=400), rng.integers(0, 2, 400))
    assert _judged(data, fitted=(-0.3 * np.sign(decompose(data).a), 0.0)).verdict in ("off", "near")


# --- data without an optimum --------------------------------------------------------------------


def test_noise_makes_no_fit_a_critical_one():
    """One time in a hundred noise looks like a signal, so that a flat slope would be a fault."""
    rng = np.random.default_rng(3)
    verdicts = []
    for _ in range(300):
        data = predictions(rng.normal(0, 2, 300), rng.permutation(np.arange(300) % 2))
        verdicts.append(_judged(data, temperature=1_386_304.0).verdict)
    assert sum(v in ("wrong_sign", "diverged") for v in verdicts) <= 9
    assert sum(v == "near" for v in verdicts) >= 270


def test_flat_fit_of_separated_classes_is_one_that_diverged():
    y = np.arange(60) % 2
    data = predictions((2 * y - 1) * (1.0 + np.arange(60) / 60), y)
    judged = _judged(data, temperature=1_386_304.0)
    assert judged.verdict == "diverged"
    assert "no optimum to compare it with" in judged.sentence


def test_separated_classes_have_no_optimum():
    data = predictions(np.linspace(-3, 3, 40) + 0.01, np.repeat([0, 1], 20))
    judged = _judged(data, temperature=0.5)
    assert judged.verdict == "no_optimum"
    assert math.isnan(judged.best_a)
    assert judged.excess == judged.cross_entropy
    assert "only tells where its solver stopped" in judged.sentence
    assert fit_findings(judged) == []
    assert _judged(data, temperature=-0.5).verdict == "wrong_sign"


def test_equal_logits_have_no_optimum():
    data = predictions(np.full(20, 0.5), np.arange(20) % 2)
    judged = _judged(data, fitted=(3.0, 2.0))
    assert judged.verdict == "no_optimum"
    assert "all logits are equal" in judged.sentence


@pytest.mark.parametrize("a", [1e308, -1e308, 5e-324])
def test_absurd_slopes_are_judged_without_warnings(a):
    judged = _judged(_scaled(), fitted=(a, 0.0))
    assert judged.verdict in ("diverged", "wrong_sign")


# --- several classes ----------------------------------------------------------------------------


def test_temperature_of_several_classes():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (2000, 5))
    y = np.argmax(0.5 * z + rng.gumbel(size=z.shape), axis=1)
    data = predictions(z, y)
    judged = _judged(data, temperature=1.0)
    assert judged.verdict == "off"
    assert judged.cross_entropy == pytest.approx(
        np.mean(logsumexp(z, axis=1) - z[np.arange(2000), y]), rel=1e-13
    )
    assert judged.excess == pytest.approx(judged.cross_entropy - decompose(data).by_both, rel=1e-12)
    assert _judged(data, temperature=1 / judged.best_a).verdict == "optimal"
    assert _judged(data, temperature=1_386_304).verdict == "diverged"
    assert _judged(data, temperature=-1).verdict == "wrong_sign"


# --- what is no fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        ({"fitted": (1, 0), "temperature": 2}, "fitted and temperature are given together"),
        ({"fitted": (0, 1)}, "a slope other than 0"),
        ({"fitted": (1, math.nan)}, "give finite numbers"),
        ({"fitted": (math.inf, 0)}, "give finite numbers"),
        ({"fitted": (1,)}, "two numbers"),
        ({"fitted": 3.0}, "two numbers"),
        ({"fitted": "ab"}, "two numbers"),
        ({"fitted": [1, [2]]}, "two numbers"),
        ({"platt": (0, 0)}, "a slope other than 0"),
        ({"temperature": 0}, "a temperature other than 0"),
        ({"temperature": math.inf}, "give finite numbers"),
        ({"temperature": (1, 2)}, "one number"),
        ({"temperature": "2"}, "one number"),
        ({"temperature": True}, "one number"),
    ],
)
def test_no_fit_is_refused(fit, message):
    data = _scaled(n=50)
    with pytest.raises(InputError, match=message):
        _judged(data, **fit)


def test_intercepts_of_several_classes_are_refused():
    data = predictions(np.eye(12, 3), np.arange(12) % 3)
    with pytest.raises(InputError, match="fitted needs two classes, but there are 3"):
        _judged(data, fitted=(1, 0))


def test_no_fit_is_not_judged():
    assert _judged(_scaled(n=50)) is None
