"""Findings against classifiers of which the fault is known."""

from collections import Counter

import numpy as np
import pytest
from diagnosis_cases import all_cases
from sklearn.linear_model import LogisticRegression

import sweep
from sweep.diagnosis.diagnose import diagnose
from sweep.diagnosis.findings.rules import CODES
from tests.support.predicted import calibrated

CASES = all_cases()
CAUSES = sorted({case.cause for case in CASES})
LARGEST = 1_000  # samples; the benchmark tries more


def _codes(case, n, seed):
    arguments = case.draw(np.random.default_rng([seed, n]), n)
    return {finding.code for finding in diagnose(**arguments, replicates=0).findings}


def _runs(cause, seeds):
    for case in CASES:
        if case.cause == cause:
            sizes = [n for n in case.sizes if n <= LARGEST] or case.sizes[:1]
            yield from ((case, n, seed) for n in sizes for seed in range(seeds))


@pytest.mark.parametrize("cause", [cause for cause in CAUSES if cause != "healthy"])
def test_what_is_the_matter_is_found(cause):
    runs = [(case, _codes(case, n, seed)) for case, n, seed in _runs(cause, 5)]
    assert np.mean([cause in codes for _, codes in runs]) >= 0.95
    foreign = [codes - case.also - {cause} for case, codes in runs]
    assert np.mean([bool(codes) for codes in foreign]) <= 0.15, Counter(map(frozenset, foreign))


def test_false_alarms_are_rare():
    codes = [_codes(case, n, seed) for case, n, seed in _runs("healthy", 12)]
    assert len(codes) > 250
    false = [run for run in codes if run != {"healthy"}]
    assert len(false) <= 0.05 * len(codes), Counter(map(frozenset, false))


def test_every_code_has_a_case_or_a_history():
    learned = {"diverging", "loss_up_accuracy_up", "overfitting", "plateau", "fit_misplaced"}
    assert set(CAUSES) | learned == set(CODES)


def test_the_numbers_of_overconfidence_are_those_of_logistic_regression():
    t, y = calibrated(2000, 3)
    z = 3 * t
    finding = diagnose(y, z, replicates=0).finding("overconfident")
    alone = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12).fit(z[:, None], y)
    assert finding.numbers["slope"] == pytest.approx(alone.coef_[0, 0], rel=1e-6)
    assert f"{finding.numbers['slope']:.3g}" in finding.advice
    assert finding.severity == "critical"


def test_class_weights_are_told_by_their_ratio():
    t, y = calibrated(20_000, 5, level=-2.0)
    finding = diagnose(y, t + np.log(4.0), replicates=0).finding("intercept_shifted")
    assert finding.numbers["weight_ratio"] == pytest.approx(4.0, rel=0.1)
    assert "w1/w0" in finding.sentence


def test_what_slope_and_intercept_cost_together_is_not_told_of_each():
    t, y = calibrated(5000, 5)
    report = diagnose(y, 2 * t + 2, replicates=0)
    both = [report.finding(code) for code in ("overconfident", "intercept_shifted")]
    for finding in both:
        cost = f"{finding.numbers['by_both']:.3g} of the {report.cross_entropy.value:.3g} nats"
        assert f"; slope and intercept together cost {cost}" in finding.sentence
        assert "this costs" not in finding.sentence
    (alone,) = diagnose(y, 2 * t, replicates=0).findings
    assert f"; this costs {alone.numbers['by_both']:.3g} of the" in alone.sentence


def test_a_shift_is_told_by_the_names_of_the_classes():
    t, y = calibrated(5000, 5)
    names = np.array(["ham", "spam"])[y]
    towards_spam = diagnose(names, t + 1, pos_label="spam", replicates=0)
    sentence = towards_spam.finding("intercept_shifted").sentence
    assert "shifted towards class spam" in sentence
    assert "w1 is the weight of class spam" in sentence
    assert "share of class spam" in sentence
    towards_0 = diagnose(1 - y, t + 1, pos_label=0, replicates=0)
    assert "towards class 0" in towards_0.finding("intercept_shifted").sentence
    flipped = diagnose(names, -t, pos_label="spam", replicates=0).finding("sign_flipped")
    assert "large logits stand for class spam" in flipped.advice


@pytest.mark.parametrize(
    ("logits", "words"),
    [
        (np.full(200, 0.5), "all 200 samples have the same logit, 0.5."),
        (np.r_[np.full(198, 0.5), 3, 4], "198 of 200 samples have the same logit, 0.5."),
        (0.2 + np.linspace(0, 1e-9, 200), "98% of the logits, about 0.2, are within 9.8e-10 of"),
        (np.full((200, 3), 0.5), "all 200 samples have the same probabilities."),
    ],
)
def test_constant_predictions_are_said_to_be_as_alike_as_they_are(logits, words):
    y = np.arange(200) % (2 if logits.ndim == 1 else 3)
    finding = diagnose(y, logits, replicates=0).finding("constant_predictions")
    assert words in finding.sentence


def test_outliers_are_named_by_their_rows_and_do_not_make_it_overconfident():
    t, y = calibrated(1000, 8)
    t[123] = -60.0 if y[123] else 60.0
    report = diagnose(y, t, replicates=0)
    assert [finding.code for finding in report.findings] == ["few_samples_dominate"]
    (finding,) = report.findings
    assert finding.numbers["rows"] == [123]
    assert "row 123 of 1000" in finding.sentence
    rest = diagnose(np.delete(y, 123), np.delete(t, 123), replicates=0)
    assert finding.numbers["cross_entropy_of_others"] == pytest.approx(rest.cross_entropy.value)


def test_the_published_network_with_one_outlier():
    """Nineteen samples that are right, and one with a loss of 17."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 10)
    z = (2 * y - 1) * rng.uniform(4, 9, 20)
    z[3] = 17.0
    report = diagnose(y, z, replicates=0)
    finding = report.finding("few_samples_dominate")
    assert finding.numbers["rows"] == [3]
    assert finding.severity == "critical"
    assert report.accuracy.value == 0.95
    assert report.cross_entropy.value > report.baselines.base_rate_entropy.value


def test_accuracy_above_that_of_the_majority_is_seldom_said_to_hide():
    """A share of 20%, a sixth of which accuracy wins: 100 samples are few to see that."""
    false = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p = rng.beta(0.5, 2.0, 100)
        y = (rng.random(100) < p).astype(int)
        report = diagnose(y, probabilities=p, replicates=0)
        false += report.finding("imbalanced") is not None
    assert false <= 7


def test_logits_in_too_large_a_unit_are_too_small_besides_constant():
    t, y = calibrated(500, 1)
    codes = {finding.code for finding in diagnose(y, 1e-8 * t, replicates=0).findings}
    assert codes == {"constant_predictions", "underconfident"}


def test_few_samples_of_a_good_classifier_are_no_evidence_of_chance():
    """Weights that leave a few of fifty samples, of logits that are calibrated."""
    false = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        t = rng.normal(0.0, 2.0, 50)
        y = (rng.random(50) < 1 / (1 + np.exp(-t))).astype(int)
        report = diagnose(y, t, np.exp(0.7 * t), replicates=0)
        false += report.finding("chance_level") is not None
    assert false <= 12


@pytest.mark.parametrize("n", [50, 200])
def test_noise_of_few_samples_is_at_chance(n):
    detected = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        report = diagnose(rng.permutation(np.arange(n) % 2), rng.normal(0, 1, n), replicates=0)
        detected += report.finding("chance_level") is not None
    assert detected >= 55


def test_logits_that_are_right_but_for_their_sign():
    t, y = calibrated(500, 1)
    codes = [finding.code for finding in diagnose(y, -t, replicates=0).findings]
    assert codes == ["sign_flipped"]


def test_ignored_findings_are_not_made():
    t, y = calibrated(500, 1)
    report = diagnose(y, 3 * t, replicates=0, ignore=["overconfident"])
    assert [finding.code for finding in report.findings] == ["healthy"]
    sentence = report.findings[0].sentence
    assert "besides those ignored (overconfident)" in sentence
    assert "no other slope" not in sentence
    assert report.ignored == ("overconfident",)
    assert diagnose(y, 3 * t, replicates=0, ignore="overconfident").ignored == ("overconfident",)
    assert diagnose(y, t, replicates=0, ignore=["healthy"]).findings == ()


def test_an_unknown_code_is_refused():
    t, y = calibrated(100, 1)
    with pytest.raises(sweep.InputError, match="no finding 'overconfidence' to ignore; the codes"):
        diagnose(y, t, ignore=["overconfidence"])


def test_the_gravest_comes_first():
    t, y = calibrated(1000, 4)
    t = 3 * t + 4
    t[5] = 900.0 * (1 - 2 * y[5])
    severities = [finding.severity for finding in diagnose(y, t, replicates=0).findings]
    assert severities == sorted(severities, key=("critical", "warning", "info").index)
    assert len(severities) >= 3


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_weights_of_any_unit_give_the_same_findings(factor):
    t, y = calibrated(400, 2)
    weight = np.random.default_rng(0).uniform(0.5, 2, 400)
    plain = diagnose(y, factor * t, weight, replicates=0)
    scaled = diagnose(y, factor * t, 1e6 * weight, replicates=0)
    assert [finding.code for finding in plain.findings] == [
        finding.code for finding in scaled.findings
    ]


@pytest.mark.parametrize("shift", [-5000.0, -3.0, 3.0, 900.0])
@pytest.mark.parametrize("gap", [0.0, 4.0])
def test_sentences_have_numbers_also_for_separated_and_huge_logits(shift, gap):
    t, y = calibrated(200, 6)
    z = t + shift if not gap else (2 * y - 1) * (gap + np.abs(t)) + shift
    for finding in diagnose(y, z, replicates=0).findings:
        assert "nan" not in (finding.sentence + finding.advice).split()
        assert "=nan" not in finding.sentence.replace(" ", "")


def test_one_sample_above_the_majority_is_no_skill():
    y = (np.arange(300) < 30).astype(int)
    z = np.random.default_rng(0).normal(-2.2, 0.3, 300)
    z[0] = 1.0
    report = diagnose(y, z, replicates=0)
    assert report.accuracy.value > report.baselines.majority_accuracy.value
    assert report.finding("imbalanced") is not None
    z[:12] = 1.0
    assert diagnose(y, z, replicates=0).finding("imbalanced") is None
