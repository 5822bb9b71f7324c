"""Causes and remedies: what is drawn, what is recognised, what is compared, and how it is told."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

import sweep
from sweep.cli import main
from sweep.diagnosis.findings.rules import CODES
from sweep.training.experiments.causes import causes
from sweep.training.experiments.effects import (
    CAUSES,
    MARGIN,
    Evaluation,
    balanced_accuracy,
    compare,
    effect,
    evaluate,
    verdict,
)
from sweep.training.experiments.protocol import two_columns

SEEDS = range(20)
EPOCHS = 200


def test_every_cause_has_a_code_of_its_own_and_every_remedy_says_what_it_does():
    assert len({cause.code for cause in CAUSES.values()}) == len(CAUSES) == 7
    for cause in CAUSES.values():
        assert cause.code in CODES
        assert cause.drawn.draw(0).test is not None
        assert len(cause.combinations) == 1 + sum(not one.stops_early for one in cause.remedies)
        for remedy in cause.remedies:
            assert set(remedy.said) >= set(cause.metrics)
            assert remedy.stops_early or remedy.change


def test_logits_between_0_and_1_are_diagnosed_as_logits():
    z, y = np.linspace(0.1, 0.9, 40), np.tile([0.0, 1.0], 20)
    with pytest.raises(sweep.InputError, match="look like probabilities"):
        sweep.diagnose(y, z, replicates=0)
    result = sweep.diagnose(y, two_columns(z), replicates=0)
    same = sweep.diagnose(y, probabilities=1 / (1 + np.exp(-z)), replicates=0)
    assert [one.code for one in result.findings] == [one.code for one in same.findings]
    for logits in (z - 0.5, 3 * z):  # and what else there is means what it meant
        own, given = (sweep.diagnose(y, one, replicates=0) for one in (two_columns(logits), logits))
        assert [one.code for one in own.findings] == [one.code for one in given.findings]


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_networks_are_recognised_by_their_cause(cause):
    stop = tuple(one for one in cause.remedies if one.stops_early)
    without, *stopped = evaluate(replace(cause, remedies=stop), SEEDS, EPOCHS)
    count = sum(cause.code in codes for codes in without.findings)
    assert count >= 0.9 * len(SEEDS)
    for early in stopped:  # the same networks, as they were
        losses = without.curves["validation_loss"]
        at = np.argmin(losses, axis=1)
        np.testing.assert_array_equal(early.judged_epoch, at + 1)
        own = early.curves["test_loss"][np.arange(len(at)), at]
        np.testing.assert_array_equal(early.metrics["loss"], own.astype(float))
    if cause.name == "imbalance":
        loss, accuracy = (without.curves[f"validation_{n}"][:, -1] for n in ("loss", "accuracy"))
        assert np.mean(accuracy) == pytest.approx(0.95, abs=0.015)
        entropy = -0.05 * np.log(0.05) - 0.95 * np.log(0.95)
        assert np.mean(loss) - 2 * stats.sem(loss) > 1.2 * entropy  # of one or other it is less


def test_training_that_diverges_is_counted_and_left_out_of_the_pairs():
    cause = replace(
        CAUSES["learning_rate"],
        hyperparameters={**CAUSES["learning_rate"].hyperparameters, "learning_rate": 1e38},
        remedies=(),
    )  # the program that the cause itself is tried by
    (lost,) = evaluate(cause, SEEDS, EPOCHS)
    assert lost.diverged.all()
    assert lost.findings == (frozenset({"diverging"}),) * len(SEEDS)
    remedy = CAUSES["learning_rate"].remedies[0]
    result = compare(cause, remedy, lost, lost)
    assert result.diverged == len(SEEDS)
    assert {(one.pairs, one.verdict) for one in result.effects} == {(0, "not shown")}
    assert np.isnan([one.low for one in result.effects]).all()


def test_balanced_accuracy_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(4, 30)), (rng.random((4, 30)) < 0.2).astype(float)
    z[0, :5] = 0
    expected = [balanced_accuracy_score(truth, row > 0) for truth, row in zip(y, z, strict=True)]
    np.testing.assert_allclose(balanced_accuracy(z, y), expected)


def test_effects_are_paired_differences_with_the_interval_of_students_t():
    rng = np.random.default_rng(1)
    before = rng.normal(1.0, 5.0, 40)
    after = before - 0.1 + rng.normal(0, 0.01, 40)
    after[7] = np.nan
    result = effect("loss", before, after, "down")
    kept = np.isfinite(after)
    paired = stats.ttest_rel(after[kept], before[kept])
    np.testing.assert_allclose((result.low, result.high), paired.confidence_interval(0.95))
    assert result.pairs == 39
    assert result.after - result.before == pytest.approx(result.difference)
    assert result.verdict == "shown"
    assert effect("loss", before, after, "up").verdict == "opposite"


@pytest.mark.parametrize(
    ("said", "low", "high", "expected"),
    [
        ("up", 0.1, 0.2, "shown"),
        ("up", -0.1, 0.2, "not shown"),
        ("up", 0.0, 0.0, "not shown"),
        ("up", -0.2, -0.1, "opposite"),
        ("down", -0.2, -0.1, "shown"),
        ("down", 0.1, 0.2, "opposite"),
        ("none", -0.009, 0.009, "shown"),
        ("none", -0.009, 0.011, "not shown"),
        ("none", 0.011, 0.02, "opposite"),
        ("none", -0.02, -0.011, "opposite"),
    ],
)
def test_verdicts_hold_what_is_said_against_the_interval(said, low, high, expected):
    assert verdict(said, low, high, MARGIN["loss"]) == expected


def test_blocks_of_seeds_are_put_together_in_their_order():
    def block(start):
        values = np.arange(start, start + 2.0)
        return Evaluation(
            {"loss": values[:, None]}, values, values > 1, {"loss": values}, (frozenset(),) * 2
        )

    result = Evaluation.concatenate([block(0), block(2)])
    np.testing.assert_array_equal(result.metrics["loss"], np.arange(4.0))
    assert result.curves["loss"].shape == (4, 1)
    assert len(result.findings) == 4


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 4.0])
def test_findings_do_not_depend_on_the_bootstrap(factor):
    rng = np.random.default_rng(0)
    t = rng.normal(0, 2, 300)
    y = (rng.random(300) < 1 / (1 + np.exp(-t))).astype(int)
    codes = [
        [one.code for one in sweep.diagnose(y, factor * t, replicates=count).findings]
        for count in (0, 100)
    ]
    assert codes[0] == codes[1]


def test_the_command_tells_what_each_remedy_changes(tmp_path, capsys):
    out = tmp_path / "made"
    with pytest.raises(SystemExit) as stopped:
        main(["train", "causes", "dead_activations", "--seeds=10", "--epochs=150", f"--out={out}"])
    assert not stopped.value.code
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80 + len(str(out))
    assert "constant_predictions found in 100%" in text
    document = json.loads((out / "causes.json").read_text())
    assert document["causes"][0]["recognised"]["value"] == 1
    leaky, _, lower = document["remedies"]
    assert {one["verdict"] for one in leaky["effects"]} == {"shown"}
    assert {(one["difference"], one["verdict"]) for one in lower["effects"]} == {(0, "not shown")}
    with xr.open_dataset(out / "causes.nc") as table:
        assert table.sizes["run"] == 4
        assert table.difference.sel(metric="loss").values[1] == leaky["effects"][0]["difference"]
        assert np.isnan(table.difference.values[0]).all()
        assert table.found.sel(code="constant_predictions").values[0].all()
    assert np.ptp(imread(out / "causes.png")) > 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["bad_luck"], "there is no cause 'bad_luck'; there are imbalance, overfitting"),
        (["--seeds=9"], "seeds is 9: at least 10 are needed"),
        (["--epochs=149"], "epochs is 149: at least 150 are needed"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_sentence(arguments, part, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train", "causes", *arguments])
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert part in error
    assert len(error.splitlines()) == 1


def test_causes_are_tried_each_once_in_their_order():
    with pytest.raises(sweep.InputError, match="no cause"):
        causes(["overfitting", "overfit"])
