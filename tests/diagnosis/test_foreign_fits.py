import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from sweep.base.errors import InputError
from sweep.diagnosis.decomposition import decompose
from sweep.diagnosis.foreign_fits import fit_findings, judge, platt_optimum
from tests.support.predicted import calibrated, predictions


def best_for_smoothed(of):
    found = platt_optimum(of)
    return found.a, found.b


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is its only feature."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return self.classes_[(x[:, 0] > 0).astype(int)]


def made(slope=2.0, shift=0.0, n=2000, seed=0):
    """Predictions whose optimum is near (1 / slope, -shift / slope)."""
    t, y = calibrated(n, seed)
    return predictions(slope * t + shift, y)


def verdict(of, **fit):
    return judge(of, decompose(of), **fit)


def loss(of, a, b):
    z = a * of.logits + b
    return np.mean(np.logaddexp(0, np.where(of.y == 1, -z, z)))


# --- scikit-learn's -----------------------------------------------------------------------------


def sklearn_platt(z, y, weight=None):
    """(A, B) of scikit-learn's sigmoid calibration of a frozen classifier."""
    frozen = FrozenEstimator(Scores().fit(z[:, None], y))
    model = CalibratedClassifierCV(frozen, method="sigmoid")
    model.fit(z[:, None], y, sample_weight=weight)
    (one,) = model.calibrated_classifiers_[0].calibrators
    return one.a_, one.b_


@pytest.mark.filterwarnings("ignore:Since FrozenEstimator")  # it is not fitted, so needs no weights
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [40, 2000])
def test_smoothed_optimum_is_that_of_sklearn(n, weighted):
    t, y = calibrated(n, 3)
    weight = np.random.default_rng(0).uniform(0.5, 2, n) if weighted else None
    of = predictions(1.5 * t + 0.5, y, weight)
    platt = sklearn_platt(of.logits, y, weight)
    # As exactly as its solver stops.
    assert best_for_smoothed(of) == pytest.approx((-platt[0], -platt[1]), rel=2e-3, abs=2e-3)
    found = verdict(of, platt=platt)
    assert found.verdict == "optimal"
    assert (found.a, found.b) == (-platt[0], -platt[1])


def test_smoothed_optimum_is_that_of_a_general_minimiser():
    t, y = calibrated(60, 4)
    of = predictions(t, y)
    one, zero = np.sum(y == 1), np.sum(y == 0)
    target = np.where(y == 1, (one + 1) / (one + 2), 1 / (zero + 2))

    def smoothed(at):
        z = at[0] * t + at[1]
        return np.mean(target * np.logaddexp(0, -z) + (1 - target) * np.logaddexp(0, z))

    expected = minimize(smoothed, (1.0, 0.0), tol=1e-12, method="BFGS", options={"gtol": 1e-10})
    assert best_for_smoothed(of) == pytest.approx(expected.x, rel=1e-6, abs=1e-7)


def test_fit_to_smoothed_targets_is_told_from_one_to_labels():
    of = made(n=60)
    a, b = best_for_smoothed(of)
    smoothed, labels = verdict(of, fitted=(a, b)), decompose(of)
    assert smoothed.verdict == "optimal"
    assert "optimal for Platt's smoothed targets" in smoothed.sentence
    assert smoothed.excess > 1e-6 * smoothed.cross_entropy
    plain = verdict(of, fitted=(labels.a, labels.b))
    assert plain.verdict == "optimal"
    assert "Platt" not in plain.sentence


def test_smoothed_optimum_of_separated_classes_is_finite():
    z, y = np.linspace(-3, 3, 40), np.repeat([0, 1], 20)
    of = predictions(z, y)
    a, b = best_for_smoothed(of)
    found = verdict(of, platt=(-a, -b))
    assert math.isfinite(a)
    assert found.verdict == "optimal"
    assert "no finite optimum" in found.sentence


# --- verdicts -----------------------------------------------------------------------------------


def test_platt_is_scikit_learns_sign_convention():
    of = made()
    one, other = verdict(of, platt=(-0.7, 0.3)), verdict(of, fitted=(0.7, -0.3))
    assert one == other
    assert one.cross_entropy == pytest.approx(loss(of, 0.7, -0.3), rel=1e-14)
    assert one.excess == pytest.approx(one.cross_entropy - decompose(of).by_both, rel=1e-12)


def test_temperature_is_held_to_the_best_slope_alone():
    of = made(slope=2.0, shift=1.0)
    found = verdict(of, temperature=2.5)
    assert (found.family, found.a, found.b) == ("temperature", 0.4, 0.0)
    assert (found.best_a, found.best_b) == (decompose(of).slope_alone, 0.0)
    assert found.excess == pytest.approx(loss(of, 0.4, 0) - loss(of, found.best_a, 0), rel=1e-9)


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
    of = made()
    found = verdict(of, **(fit or {"temperature": 1 / decompose(of).slope_alone}))
    assert found.verdict == expected, found.sentence
    assert f"{found.cross_entropy:.6g} nats" in found.sentence
    assert [one.code for one in fit_findings(found)] == ["fit_misplaced"] * (
        expected not in ("optimal", "near")
    )


def test_bounds_of_ones_own_are_known():
    of = made()
    assert judge(of, decompose(of), temperature=3.3).verdict == "off"
    found = judge(of, decompose(of), temperature=3.3, bounds=[0.3, 3.3])
    assert found.verdict == "border"
    assert "bound of 3.3." in found.sentence


def test_temperature_on_a_bound_is_told_as_one():
    assert "bound of 10." in verdict(made(), temperature=10.0).sentence


def test_shift_that_is_as_bad_as_a_constant_is_no_divergence():
    assert verdict(made(), fitted=(0.5, 4.321)).verdict == "off"


def test_grave_verdicts_are_critical_findings():
    of = made()
    (finding,) = fit_findings(verdict(of, temperature=1e6))
    assert finding.severity == "critical"
    assert finding.numbers["best_a"] == decompose(of).slope_alone
    (finding,) = fit_findings(verdict(of, temperature=1.3))
    assert finding.severity == "warning"


def test_near_is_a_likelihood_ratio_test():
    shares = []
    for seed in range(200):
        t, y = calibrated(300, seed)
        shares.append(verdict(predictions(t, y), fitted=(1.0, 0.0)).verdict in ("near", "optimal"))
    assert 0.9 < np.mean(shares) < 0.99


def test_weights_count_as_their_effective_number():
    t, y = calibrated(400, 1)
    of = predictions(t, y)
    scaled = predictions(t, y, np.full(400, 1e-3))
    assert verdict(of, fitted=(0.8, 0.0)).verdict == verdict(scaled, fitted=(0.8, 0.0)).verdict
    few = np.where(np.arange(400) < 20, 1.0, 1e-6)
    assert verdict(predictions(t, y, few), fitted=(0.8, 0.0)).verdict == "near"


def test_sign_of_chance_level_logits_is_open():
    rng = np.random.default_rng(2)
    of = predictions(rng.normal(size=400), rng.integers(0, 2, 400))
    assert verdict(of, fitted=(-0.3 * np.sign(decompose(of).a), 0.0)).verdict in ("off", "near")


# --- data without an optimum --------------------------------------------------------------------


def test_noise_makes_no_fit_a_critical_one():
    """One time in a hundred noise looks like a signal, so that a flat slope would be a fault."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(300):
        of = predictions(rng.normal(0, 2, 300), rng.permutation(np.arange(300) % 2))
        found.append(verdict(of, temperature=1_386_304.0).verdict)
    assert sum(one in ("wrong_sign", "diverged") for one in found) <= 9
    assert sum(one == "near" for one in found) >= 270


def test_flat_fit_of_separated_classes_is_one_that_diverged():
    y = np.arange(60) % 2
    of = predictions((2 * y - 1) * (1.0 + np.arange(60) / 60), y)
    found = verdict(of, temperature=1_386_304.0)
    assert found.verdict == "diverged"
    assert "no optimum to compare it with" in found.sentence


def test_separated_classes_have_no_optimum():
    of = predictions(np.linspace(-3, 3, 40) + 0.01, np.repeat([0, 1], 20))
    found = verdict(of, temperature=0.5)
    assert found.verdict == "no_optimum"
    assert math.isnan(found.best_a)
    assert found.excess == found.cross_entropy
    assert "only tells where its solver stopped" in found.sentence
    assert fit_findings(found) == []
    assert verdict(of, temperature=-0.5).verdict == "wrong_sign"


def test_equal_logits_have_no_optimum():
    of = predictions(np.full(20, 0.5), np.arange(20) % 2)
    found = verdict(of, fitted=(3.0, 2.0))
    assert found.verdict == "no_optimum"
    assert "all logits are equal" in found.sentence


@pytest.mark.parametrize("a", [1e308, -1e308, 5e-324])
def test_absurd_slopes_are_judged_without_warnings(a):
    found = verdict(made(), fitted=(a, 0.0))
    assert found.verdict in ("diverged", "wrong_sign")


# --- several classes ----------------------------------------------------------------------------


def test_temperature_of_several_classes():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (2000, 5))
    y = np.argmax(0.5 * z + rng.gumbel(size=z.shape), axis=1)
    of = predictions(z, y)
    found = verdict(of, temperature=1.0)
    assert found.verdict == "off"
    assert found.cross_entropy == pytest.approx(
        np.mean(logsumexp(z, axis=1) - z[np.arange(2000), y]), rel=1e-13
    )
    assert found.excess == pytest.approx(found.cross_entropy - decompose(of).by_both, rel=1e-12)
    assert verdict(of, temperature=1 / found.best_a).verdict == "optimal"
    assert verdict(of, temperature=1_386_304).verdict == "diverged"
    assert verdict(of, temperature=-1).verdict == "wrong_sign"


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
    of = made(n=50)
    with pytest.raises(InputError, match=message):
        verdict(of, **fit)


def test_intercepts_of_several_classes_are_refused():
    of = predictions(np.eye(12, 3), np.arange(12) % 3)
    with pytest.raises(InputError, match="fitted needs two classes, but there are 3"):
        verdict(of, fitted=(1, 0))


def test_no_fit_is_not_judged():
    assert verdict(made(n=50)) is None
