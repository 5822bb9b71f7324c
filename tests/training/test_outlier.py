"""The experiment with an outlier: what it counts, what Keras finds, and `sweep train outlier`."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

import sweep
from sweep.cli.commands import TRAIN_COMMANDS
from sweep.training.experiments.effects import CAUSES
from sweep.training.experiments.outlier import (
    CLAIMS,
    KERAS,
    PUBLISHED,
    QUANTITIES,
    Statistics,
    outlier,
)
from sweep.training.problems import OUTLIER, PROBLEMS

ROOT = Path(__file__).parents[2]
SMALL = ("--seeds=30", "--epochs=100", "--quiet")


# Against Keras


def _agrees(keras):
    """Trains with Keras' initial weights, and compares every epoch."""
    weights = [(keras["weight0"], keras["bias0"]), (keras["weight1"], keras["bias1"])]
    seeds, epochs = keras["validation_loss"].shape
    ours = sweep.train(
        "outlier", seeds=seeds, epochs=epochs, keep=[0, epochs], weights=weights, progress=False,
        **PUBLISHED,
    )  # fmt: skip
    assert np.abs(ours.validation_loss.values - keras["validation_loss"]).max() < 1e-3
    # Keras tells the training loss that its step began with: that of the epoch before.
    assert np.abs(ours.loss.values[:, :-1] - keras["loss"][:, 1:]).max() < 1e-3
    assert np.abs(ours.validation_accuracy.values - keras["validation_accuracy"]).max() < 1e-6
    return ours


def _ranges(keras):
    """What is told of Keras' networks: least and greatest."""
    losses = keras["validation_loss"]
    result = {
        "final_loss": losses[:, -1],
        "least_loss": losses.min(axis=1),
        "least_epoch": losses.argmin(axis=1) + 1,
        "final_accuracy": keras["validation_accuracy"][:, -1],
        "outlier_loss": -np.log(keras["validation_probabilities"][:, OUTLIER]),
    }
    return {name: (values.min(), values.max()) for name, values in result.items()}


def _assert_as_stated(keras):
    for name, result in _ranges(keras).items():
        digits = {"least_epoch": 0, "outlier_loss": 1}.get(name, 3)
        np.testing.assert_allclose(result, KERAS[name], atol=0.51 * 10**-digits)


def test_curves_are_those_that_keras_found_from_the_same_weights():
    with np.load(ROOT / "tests" / "reference" / "keras_outlier.npz") as keras:
        ours = _agrees(keras)
        _assert_as_stated(keras)
        x = PROBLEMS["outlier"].draw(0).validation.x
        hidden = np.maximum(x @ keras["weight0"] + keras["bias0"][:, None], 0)
        untrained = (hidden @ keras["weight1"])[..., 0] + keras["bias1"]
    np.testing.assert_allclose(ours.validation_logits.values[:, 0], untrained, atol=1e-6)


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="keras is not installed")
def test_curves_are_those_of_keras_itself(tmp_path):
    sets = PROBLEMS["outlier"].draw(0)
    data = {"x": sets.training.x, "y": sets.training.y}
    data |= {"validation_x": sets.validation.x, "validation_y": sets.validation.y}
    np.savez(tmp_path / "data.npz", **data)
    command = [sys.executable, ROOT / "benchmarks" / "keras_fit.py", "data.npz", "out.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    with np.load(tmp_path / "out.npz") as keras:
        _agrees(keras)
        _assert_as_stated(keras)
        assert (keras["seconds"] > 0).all()


# What is counted


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        # By its name the module is the function that the face of the package offers.
        patch.setattr(sys.modules["sweep.training.experiments.outlier"], "DIAGNOSED", 20)
        return outlier(progress=False)


def test_the_loss_of_most_networks_rises_while_accuracy_holds_in_few(result):
    assert result.published
    assert 0.68 < result.claim("rises").value < 0.8
    main = result.claim("rises_and_holds")
    assert 0.12 < main.low < main.value < main.high < 0.25
    assert result.claim("others_rise").count == 0  # without the outlier it rises in none
    assert main.count <= result.claim("rises_and_loses_one").count <= result.claim("rises").count
    assert main.count <= result.claim("rises_and_holds_for_a_time").count


def test_medians_are_within_what_six_networks_of_keras_found(result):
    for name, (low, high) in KERAS.items():
        quantity = result.quantity(name)
        assert quantity.keras == (low, high)
        assert low - 1e-6 <= quantity.quantiles[2] <= high + 1e-6


def test_claims_are_counted_as_they_are_worded(result):
    table, counts = result.table, dict.fromkeys(CLAIMS, 0)
    y = table.validation_y.values
    for seed in range(200):
        own = table.isel(seed=seed)
        losses, right = own.validation_loss.values, np.round(20 * own.validation_accuracy.values)
        least = int(np.argmin(losses))
        assert least + 1 == int(own.best_epoch)
        up, change = losses[-1] > 1.5 * losses[least], right[-1] - right[least]
        times = [
            e
            for e in range(least + 1, 300)
            if losses[e] > 1.5 * losses[least] and right[e] >= right[least]
        ]
        rest = [
            np.delete(np.log1p(np.exp(np.where(y > 0, -z, z))), OUTLIER).mean()
            for z in (own.best_logits.values, own.validation_logits.values[-1])
        ]
        counts["rises"] += up
        counts["holds"] += change >= 0
        counts["rises_and_holds"] += up and change >= 0
        counts["rises_and_improves"] += up and change > 0
        counts["rises_and_loses_one"] += up and change >= -1
        counts["rises_and_holds_for_a_time"] += bool(times)
        counts["rises_and_training_holds"] += up and own.accuracy[-1] >= own.accuracy[least]
        counts["others_rise"] += rest[1] > 1.5 * rest[0]
    statistics = Statistics.of(table.isel(seed=slice(200)))
    assert {name: int(true.sum()) for name, true in statistics.claims().items()} == counts


def test_points_between_the_classes_are_what_accuracy_loses(result):
    low, high = result.gap
    wrong = {one.row for one in result.wrong if one.final.value > 0.2}
    assert wrong == {OUTLIER, 4, 6}
    assert all(low < result.wrong[row].x < high for row in (4, 6))
    logits = result.table.validation_logits.values[:, -1, 4]
    assert result.wrong[4].final.count == np.sum(logits > 0)


def test_dead_networks_and_findings_are_counted(result):
    table = result.table
    ends = table.validation_logits.values[:, -1]
    assert result.constant_at_start.count == 0
    assert result.constant_at_end.count == np.sum(np.ptp(ends, axis=1) == 0) > 30
    assert result.findings["few_samples_dominate"].of == 20
    assert result.findings["few_samples_dominate"].value > 0.5
    counts = [share.count for share in result.findings.values()]
    assert counts == sorted(counts, reverse=True)
    losses = table.point_loss.values
    np.testing.assert_allclose(losses.mean(axis=1), table.validation_loss[:, -1], rtol=1e-5)
    bands = result.bands
    np.testing.assert_allclose(
        bands.outlier_loss.values[2, -1], result.quantity("outlier_loss").quantiles[2]
    )
    assert list(bands.kept_epoch.values[[0, -1]]) == [0, 300]


def test_networks_that_diverge_are_counted_and_left_out():
    lost = outlier(seeds=30, epochs=100, widths="none", learning_rate=1e38, progress=False)
    assert not lost.published
    assert lost.diverged.count == 30
    assert lost.diverged_epoch == lost.table.diverged_epoch.min()
    document = json.loads(json.dumps(lost.to_dict(), allow_nan=False))
    assert {one["name"] for one in document["quantities"]} == set(QUANTITIES)
    assert all(one["quantiles"] == [None] * 5 for one in document["quantities"])


BAD = {
    "seeds": ({"seeds": 19}, "seeds is 19: at least 20 are needed"),
    "many seeds": ({"seeds": 10**9}, "at most 100,000 are trained at once"),
    "epochs": ({"epochs": 99}, "epochs is 99: at least 100 are needed"),
    "several": ({"learning_rate": [0.1, 0.2]}, "learning_rate holds several values"),
    "rate": ({"learning_rate": 0}, "learning_rate is 0; a number above 0"),
    "activation": ({"activation": "selu"}, "there is no activation 'selu'; the known ones are"),
    "batch": ({"batch": 21}, "batch is 21 and the training set has 20 points"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_judged_is_refused(name):
    given, sentence = BAD[name]
    with pytest.raises(sweep.InputError, match=sentence):
        outlier(progress=False, **given)


# On the command line


@pytest.fixture(scope="module")
def few():
    """The experiment on a few networks, once for all tests of the command line."""
    return outlier(seeds=30, epochs=100, widths="none", progress=False)


@pytest.fixture
def quick(few, monkeypatch):
    """The command line with the experiment done already; what it was asked for."""
    asked = {}

    def given(**arguments):
        asked.update(arguments)
        return few

    monkeypatch.setattr("sweep.cli.train_experiments.compute_outlier", given)
    return asked


def test_what_is_printed_fits_and_files_are_written(run, quick, tmp_path):
    code, out, err = run("train", "outlier", *SMALL, "--widths=3-2", "--l2=0.1", "--out", "r")
    assert (code, err) == (0, "")
    assert quick["widths"] == "3-2"
    assert (quick["l2"], quick["seeds"], quick["epochs"]) == (0.1, 30, 100)
    assert "activation" not in quick  # what is not given is as it was published
    assert max(map(len, out.splitlines())) <= 80
    assert "accuracy has not fallen since" in out
    assert "widths none" in out
    assert "Keras" not in out  # of other epochs nothing is known
    names = {"outlier.json", "outlier.nc"}
    names |= {f"outlier_{part}.png" for part in ("data", "curves", "losses")}
    assert {path.name for path in (tmp_path / "r").iterdir()} == names
    assert all(f"written: r/{name}" in out for name in names)
    assert imread(tmp_path / "r" / "outlier_curves.png").shape[1] == 1400
    with xr.open_dataset(tmp_path / "r" / "outlier.nc") as table:
        assert table.sizes.items() >= {"seed": 30, "epoch": 100, "point": 20}.items()
    document = json.loads((tmp_path / "r" / "outlier.json").read_text())
    assert document["claims"][0]["share"]["of"] == 30


def test_keras_stands_beside_what_was_published(result):
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.endswith("Keras, six") for line in lines)
    assert any(line.endswith("9.4-10.6") for line in lines)


def test_one_document_in_json_and_nothing_else(run, quick):
    code, out, err = run("train", "outlier", *SMALL, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["written"] == []
    assert document["diverged_epoch"] is None


def test_an_interrupt_while_writing_leaves_nothing(refused, quick, monkeypatch):
    from sweep import figures

    def interrupted(result):
        raise KeyboardInterrupt

    monkeypatch.setattr(figures, "outlier_losses", interrupted)
    error = refused(130, "train", "outlier", *SMALL, "--json", "--out", "new/r")
    assert "nothing was left half-written" in error


USAGE = {
    "experiment": (2, ["nothing"], 'Unknown command "nothing". Available commands: outlier'),
    "option": (2, ["outlier", "--width", "3"], "--width"),
    "part of a seed": (2, ["outlier", "--seeds", "2.5"], 'convert "2.5" into int'),
    "seeds without end": (2, ["outlier", "--seeds", "inf"], 'convert "inf" into int'),
    "memory": (2, ["outlier", "--memory", "0"], "--memory=0"),
    "rate": (1, ["outlier", "--learning-rate", "-1"], "learning_rate is -1"),
    "widths": (1, ["outlier", "--widths", "3-0"], "widths is 0"),
    "schedule": (1, ["outlier", "--schedule", "step"], "there is no schedule 'step'"),
    "epochs": (1, ["outlier", "--epochs", "10"], "at least 100 are needed"),
}


@pytest.mark.parametrize("name", USAGE)
def test_what_is_wrong_is_said_in_one_sentence(refused, name):
    code, arguments, sentence = USAGE[name]
    assert sentence in refused(code, "train", *arguments, "--out", "new/r")


def test_every_experiment_has_its_help(run):
    code, out, _ = run("train", "--help")
    assert code == 0
    for name, (_, words) in TRAIN_COMMANDS.items():
        first, *more = words.splitlines()
        assert f"│ {name}" in out
        _, own, _ = run("train", name, "--help")
        assert first in own
        assert all(line.strip() in own for line in more)


def test_the_help_names_every_cause():
    words = TRAIN_COMMANDS["causes"][1].replace(",", " ").replace(".", " ").split()
    assert [word for word in words if word in CAUSES] == list(CAUSES)
