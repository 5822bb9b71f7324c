"""Findings about training histories with a known fault."""

import math
from collections import Counter

import diagnosis_histories as histories
import numpy as np
import pytest
from diagnosis_histories import CHANCE, history
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from sweep.diagnosis.findings.training_history import Curve, history_findings

DRAWS = {10: 60, 30: 60, 100: 20, 1000: 4}  # epochs: number of histories

LENGTHS = tuple(DRAWS)


def codes(recorded, chance=None):
    return {finding.code for finding in history_findings(recorded, chance)}


def shares(make, epochs, chance=None):
    """How often each finding is made of histories that have one cause."""
    draws = (np.random.default_rng([epochs, seed]) for seed in range(DRAWS[epochs]))
    counts = Counter(code for rng in draws for code in codes(make(rng, epochs), chance))
    return Counter({code: count / DRAWS[epochs] for code, count in counts.items()})


# --- noisy histories ----------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", LENGTHS)
def test_healthy_histories_give_nothing(epochs):
    draws = (np.random.default_rng([1, epochs, seed]) for seed in range(3 * DRAWS[epochs]))
    by_run = [codes(histories.healthy(rng, epochs), CHANCE) for rng in draws]
    assert np.mean([bool(run) for run in by_run]) <= 0.01


@pytest.mark.parametrize("epochs", LENGTHS)
@pytest.mark.parametrize("strength", [0.3, 1.0, 3.0])
def test_overfitting_is_found(epochs, strength):
    def make(rng, epochs):
        return histories.overfitted(rng, epochs, strength)[0]

    assert shares(make, epochs)["overfitting"] >= 0.95


@pytest.mark.parametrize("epochs", [30, 100, 1000])
def test_slight_overfitting_is_found_in_longer_histories(epochs):
    def make(rng, epochs):
        return histories.overfitted(rng, epochs, 0.1)[0]

    assert shares(make, epochs)["overfitting"] >= 0.95


@pytest.mark.parametrize("epochs", LENGTHS)
@pytest.mark.parametrize("strength", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("gain", [0.0, 0.05])
def test_loss_up_with_accuracy_not_down_is_found(epochs, strength, gain):
    def make(rng, epochs):
        return histories.overfitted(rng, epochs, strength, gain)[0]

    assert shares(make, epochs)["loss_up_accuracy_up"] >= 0.95


@pytest.mark.parametrize("epochs", LENGTHS)
def test_accuracy_that_falls_with_the_rising_loss_is_no_paradox(epochs):
    def make(rng, epochs):
        return histories.overfitted(rng, epochs, 1.0, -0.1)[0]

    assert shares(make, epochs)["loss_up_accuracy_up"] <= 0.05


@pytest.mark.parametrize("epochs", LENGTHS)
@pytest.mark.parametrize("strength", [0.15, 0.5, 3.0])
def test_rising_training_loss_is_found(epochs, strength):
    def make(rng, epochs):
        return histories.rising(rng, epochs, strength)

    share = shares(make, epochs)
    assert share["diverging"] >= 0.95
    assert share["overfitting"] <= 0.05


@pytest.mark.parametrize("epochs", LENGTHS)
@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_oscillation_is_found(epochs, strength):
    def make(rng, epochs):
        return histories.oscillating(rng, epochs, strength)

    assert shares(make, epochs)["diverging"] >= 0.95


@pytest.mark.parametrize("epochs", LENGTHS)
@pytest.mark.parametrize("size", [0.001, 0.01, 0.02])
@pytest.mark.parametrize("drop", [0.0, 0.01])
def test_plateau_is_found(epochs, size, drop):
    def make(rng, epochs):
        return histories.stuck(rng, epochs, drop, size)

    share = shares(make, epochs)
    assert share["plateau"] >= 0.95
    assert share["overfitting"] <= 0.05


@pytest.mark.parametrize("epochs", LENGTHS)
def test_stalling_at_chance_is_a_plateau_only_where_chance_is_known(epochs):
    def make(rng, epochs):
        return histories.stuck(rng, epochs, size=0.003, start=1.5)

    assert shares(make, epochs, CHANCE)["plateau"] >= 0.95
    assert shares(make, epochs)["plateau"] == 0


@pytest.mark.parametrize("epochs", LENGTHS)
def test_learning_that_is_soon_done_is_no_plateau(epochs):
    for learned in (1, 2, 5):
        loss = 0.2 + 0.5 * np.exp(-np.arange(epochs) / learned)
        assert history_findings(history(loss, loss + 0.02), CHANCE) == ()
        assert history_findings(history(loss, loss + 0.02)) == ()


@pytest.mark.parametrize("epochs", LENGTHS)
@pytest.mark.parametrize("level", [0.1, 0.45, 0.62])
def test_what_was_learned_before_the_first_epoch_ended_is_no_plateau(epochs, level):
    for seed in range(20):
        rng = np.random.default_rng([epochs, seed])
        loss = level * histories.noise(rng, epochs, 0.005)
        assert codes(history(loss, 1.02 * loss), CHANCE) == set()


# --- what the findings say ----------------------------------------------------------------------


def test_overfitting_says_when_to_stop_and_what_that_saves():
    val_loss = [0.7, 0.6, 0.5, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.9]
    val_acc = [0.6, 0.7, 0.8, 0.84, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    loss = np.linspace(0.7, 0.1, 11)
    (finding,) = history_findings(history(loss, val_loss, None, val_acc))
    assert finding.code == "overfitting"
    assert finding.severity == "warning"
    assert finding.numbers == pytest.approx(
        {
            "epoch": 4,
            "validation_loss_there": 0.45,
            "validation_loss_at_end": 0.9,
            "saved_nats": 0.45,
            "saved_accuracy": 0.04,
            "training_loss_there": 0.52,
            "training_loss_at_end": 0.16,
        }
    )
    assert "epoch 4 (0.45 nats)" in finding.sentence
    assert "saves 0.45 nats and gains 4 percentage points" in finding.advice


@pytest.mark.parametrize("epochs", [20, 100, 1000])
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_turn_is_dated_to_a_tenth_of_the_history(epochs, strength):
    dated = []
    for seed in range(20):
        rng = np.random.default_rng([2, epochs, seed])
        recorded, turn = histories.overfitted(rng, epochs, strength)
        findings = [f for f in history_findings(recorded) if f.code == "overfitting"]
        dated += [abs(f.numbers["epoch"] - turn) <= 0.1 * epochs + 1 for f in findings]
    assert len(dated) >= 18
    assert np.mean(dated) >= 0.95


def test_rising_accuracy_and_level_accuracy_are_told_apart():
    val_loss = [0.7, 0.6, 0.5, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    loss = np.linspace(0.7, 0.1, 10)

    def sentence(val_acc):
        findings = history_findings(history(loss, val_loss, None, val_acc))
        return next(f.sentence for f in findings if f.code == "loss_up_accuracy_up")

    assert sentence(np.linspace(0.6, 0.9, 10)).startswith("Loss up, accuracy up")
    assert sentence(np.full(10, 0.8)).startswith("Loss up, accuracy level")


def test_divergence_is_critical_and_comes_first():
    loss = np.r_[np.linspace(0.7, 0.3, 6), 0.6, 2.0, 5.0, 9.0]
    findings = history_findings(history(loss, loss))
    assert findings[0].code == "diverging"
    assert findings[0].severity == "critical"
    assert findings[0].numbers["epoch"] == 6
    assert findings[0].numbers["best"] == pytest.approx(0.3)
    assert "0.3 at epoch 6" in findings[0].sentence


def test_swings_are_told_by_their_size():
    loss = 0.6 + 0.15 * (-1.0) ** np.arange(20)
    (finding,) = history_findings(history(loss))
    assert finding.code == "diverging"
    assert finding.numbers["swing"] == pytest.approx(0.3)
    assert "swings by 0.3" in finding.sentence


def test_plateau_names_the_chance_level():
    (finding,) = history_findings(history(np.full(10, 1.1)), math.log(3))
    assert finding.code == "plateau"
    assert finding.numbers == {"start": 1.1, "end": 1.1, "chance": math.log(3)}
    assert "chance level is 1.099" in finding.sentence


def test_epochs_are_those_of_the_history():
    recorded = history(np.r_[np.linspace(0.7, 0.3, 6), 0.6, 2.0, 5.0, 9.0])
    shifted = type(recorded)(recorded.epochs - 1, recorded.loss, None, None, None)
    assert history_findings(shifted)[0].numbers["epoch"] == 5


def test_one_bad_last_epoch_and_short_histories_say_nothing():
    val_loss = np.r_[np.geomspace(0.7, 0.3, 11), 0.6]
    assert history_findings(history(np.linspace(0.7, 0.1, 12), val_loss)) == ()
    assert history_findings(history([0.7, 5.0, 90.0, 900.0])) == ()


def test_five_epochs_of_plain_overfitting_are_enough():
    recorded = history([0.7, 0.5, 0.3, 0.2, 0.1, 0.05], [0.6, 0.3, 0.5, 0.7, 0.9, 1.1])
    assert codes(recorded) == {"overfitting"}


# --- curves -------------------------------------------------------------------------------------


@given(st.integers(5, 300), st.integers(0, 2**32 - 1), st.floats(-5, 5), st.floats(1e-6, 1e6))
def test_findings_do_not_depend_on_the_unit(epochs, seed, shift, scale):
    values = np.random.default_rng(seed).normal(size=epochs)
    first, other = Curve(values), Curve(scale * (values + shift))
    assert other.rise == pytest.approx(scale * first.rise, rel=1e-6, abs=1e-9 * scale)
    assert other.chance_rise == pytest.approx(scale * first.chance_rise, rel=1e-6, abs=1e-9 * scale)
    assert other.minimum == first.minimum


@pytest.mark.parametrize("epochs", [5, 39, 40, 100, 1000])
def test_levels_are_medians_of_the_epochs_around(epochs):
    curve = Curve(np.random.default_rng(0).normal(size=epochs))
    half = curve.window // 2
    around = [curve.values[max(0, i - half) : i + half + 1] for i in range(epochs)]
    assert np.array_equal(curve.levels, [np.median(values) for values in around])


def test_straight_line_has_no_noise():
    assert Curve(np.linspace(1, 0, 50)).error == pytest.approx(0, abs=1e-15)
    assert Curve(np.linspace(1, 0, 50)).chance_rise == pytest.approx(0, abs=1e-14)


def test_error_is_that_of_white_noise():
    rng = np.random.default_rng(5)
    curves = [Curve(rng.normal(size=400)) for _ in range(200)]
    ends = np.array([c.end for c in curves])
    known = np.median([c.error for c in curves]) / 2**0.5
    # Taken rather too large than too small: it is the larger of two estimates.
    assert np.std(ends) < known < 2 * np.std(ends)


def test_rise_of_flat_noise_is_within_doubt():
    exceeds = [
        (c := Curve(histories.noise(np.random.default_rng([m, seed]), m, 1.0))).rise > c.chance_rise
        for m in (10, 20, 50, 200)
        for seed in range(250)
    ]
    assert np.mean(exceeds) < 0.02


def test_residuals_are_those_of_two_monotone_curves():
    values = np.array([5.0, 4.0, 4.5, 1.0, 2.0, 1.5, 3.0, 2.9])
    expected = np.r_[
        values[:3] - isotonic_regression(values[:3], increasing=False).x,
        values[3:] - isotonic_regression(values[3:]).x,
    ]
    assert Curve(values)._residuals == pytest.approx(expected)
    assert expected == pytest.approx([0, -0.25, 0.25, 0, 0.25, -0.25, 0.05, -0.05])
