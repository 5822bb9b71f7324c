"""The training curve on images of digits: its problem, what it counts, and `sweep train digits`."""

import json
import math
import sys
from inspect import signature

import numpy as np
import pytest
import xarray as xr
from scipy.stats import ttest_1samp
from sklearn.datasets import load_digits

from sweep import InputError, figures
from sweep.cli.commands import TRAIN_COMMANDS
from sweep.training import problems
from sweep.training.experiments.digits import FIRST, digits
from sweep.training.problems import PROBLEMS
from sweep.training.results import Share

SMALL = {"seeds": 20, "epochs": 200, "progress": False}
"""Of the experiment as it is, less."""

OPTIONS = ("--seeds=20", "--epochs=200", "--quiet")
"""The same on the command line."""


@pytest.fixture(scope="module")
def result():
    return digits(**SMALL)


@pytest.fixture(scope="module")
def lost():
    """All of whose networks diverge."""
    return digits(**SMALL | {"learning_rate": 1e30})


# The problem


def test_each_seed_puts_other_images_aside_and_none_is_in_both_sets():
    x, y = load_digits(return_X_y=True)
    drawn = [PROBLEMS["digits"].draw(seed) for seed in (0, 1, 0)]
    for one in drawn:
        assert (len(one.training), len(one.validation), one.inputs) == (150, len(y) - 150, 64)
        rows = np.concatenate([one.training.x, one.validation.x])
        classes = np.concatenate([one.training.y, one.validation.y])
        assert _sorted(rows * 16, classes) == _sorted(x, y % 2)
    np.testing.assert_array_equal(drawn[0].training.x, drawn[2].training.x)
    assert not np.array_equal(drawn[0].training.x, drawn[1].training.x)


def _sorted(rows, classes):
    return sorted(map(tuple, np.column_stack([rows, classes]).tolist()))


def test_without_scikit_learn_a_sentence_says_how_to_install_it(refused, monkeypatch):
    problems._images.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    error = refused(1, "train", "digits", *OPTIONS, "--out", "r")
    assert error.endswith("install it by pip install 'sweep[digits]'\n")


# What is counted


@pytest.mark.parametrize("name", ["loss", "accuracy", "validation_loss", "validation_accuracy"])
def test_changes_are_means_over_networks_with_the_interval_of_a_t_test(result, name):
    first, last = (result.table[name].sel(epoch=k).values.astype(float) for k in (FIRST, 200))
    one = result.change(name)
    low, high = ttest_1samp(last - first, 0).confidence_interval(0.95)
    expected = first.mean(), last.mean(), (last - first).mean(), low, high
    np.testing.assert_allclose(
        (one.first, one.last, one.difference, one.low, one.high), expected, rtol=1e-9
    )


def test_networks_of_which_both_rise_are_counted(result):
    table = result.table
    rises = [
        table[name].sel(epoch=200).values > table[name].sel(epoch=FIRST).values
        for name in ("validation_loss", "validation_accuracy")
    ]
    assert result.loss_rises == Share.among(rises[0])
    assert result.accuracy_rises == Share.among(rises[1])
    assert result.both_rise == Share.among(rises[0] & rises[1])
    assert result.both_rise.count <= min(result.loss_rises.count, result.accuracy_rises.count)


def test_the_least_loss_is_where_one_would_stop(result):
    table = result.table
    place = table.validation_loss.values.argmin(axis=1)
    assert result.least_epoch == np.median(place + 1)
    assert result.least_loss == np.median(table.validation_loss.min("epoch"))
    right = table.validation_accuracy.values[np.arange(20), place]
    assert result.least_accuracy == pytest.approx(right.astype(float).mean())


def test_learnt_by_heart_the_loss_rises_and_a_diagnosis_says_so(result):
    assert result.change("accuracy").last == 1.0
    assert result.change("loss").last < 0.01
    assert result.loss_rises.count >= 17
    assert result.change("validation_loss").low > 0
    assert result.change("validation_accuracy").low > 0
    assert result.both_rise.value >= 0.8
    assert result.findings["overconfident"].count == 20
    assert result.findings["loss_up_accuracy_up"].value >= 0.8
    assert list(result.findings.values()) == sorted(
        result.findings.values(), key=lambda share: -share.count
    )


def test_networks_that_are_hardly_trained_do_not_overfit():
    slow = digits(**SMALL | {"learning_rate": 1e-4})
    assert slow.loss_rises.count == 0
    assert slow.change("validation_loss").high < 0
    assert "loss_up_accuracy_up" not in slow.findings


def test_networks_that_diverge_are_counted_and_in_no_mean(lost):
    assert lost.diverged.count == 20
    assert lost.diverged_epoch == lost.table.diverged_epoch.min()
    assert (lost.both_rise.count, lost.both_rise.of) == (0, 20)
    assert lost.findings == {}
    numbers = [one.difference for one in lost.changes] + [lost.least_loss, lost.least_accuracy]
    assert all(map(math.isnan, numbers))
    json.dumps(lost.to_dict(), allow_nan=False)
    figures.digits_curves(lost)


def test_several_values_of_a_hyperparameter_are_refused():
    with pytest.raises(InputError, match="l2 holds several values; give one here"):
        digits(**SMALL, l2=[0.0, 0.1])


# The figure


def test_the_figure_shows_medians_bands_and_the_means_that_are_compared(result):
    figure = figures.digits_curves(result)
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == ["cross-entropy (nats)", "accuracy"]
    for ax, name in zip(figure.axes, ("loss", "accuracy"), strict=True):
        training, validation, means = ax.lines
        np.testing.assert_array_equal(training.get_ydata(), result.bands[name].sel(level=0.5))
        middle = result.bands[f"validation_{name}"].sel(level=0.5)
        np.testing.assert_array_equal(validation.get_ydata(), middle)
        one = result.change(f"validation_{name}")
        assert means.get_xydata().tolist() == [[FIRST, one.first], [200, one.last]]
        assert len(ax.collections) == 4
        assert middle.sel(epoch=FIRST) > ax.get_ylim()[0]


# The command line


def test_out_holds_what_was_found_and_files_that_diagnose_reads(run, tmp_path, result):
    code, out, _ = run("train", "digits", *OPTIONS, "--out", "new/r")
    assert code == 0
    names = ["json", "nc", "png"]
    files = [f"digits.{kind}" for kind in names] + ["digits_predictions.csv", "digits_history.csv"]
    folder = tmp_path / "new" / "r"
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    for line in out.splitlines():
        assert len(line) <= 80 or line.startswith("Try: ")
    assert f"validation loss rises {result.loss_rises.count} of 20" in " ".join(out.split())
    assert f"{result.change('validation_loss').difference:+.4f}" in out
    with xr.open_dataset(folder / "digits.nc") as stored:
        np.testing.assert_array_equal(stored.validation_loss, result.table.validation_loss)
    document = json.loads((folder / "digits.json").read_text())
    assert document["both_rise"] == result.to_dict()["both_rise"]
    command = out.splitlines()[-1].removeprefix("Try: sweep ").split()
    code, out, _ = run(*command, "--json", "--replicates=0")
    diagnosed = json.loads(out)
    assert code == 0
    last = result.table.validation_loss.isel(seed=0, epoch=-1).item()
    assert diagnosed["cross_entropy"]["value"] == pytest.approx(last, rel=1e-5)
    assert "overfitting" in [one["code"] for one in diagnosed["findings"]]


def test_json_is_one_document_in_which_what_diverged_is_null(run, lost):
    code, out, _ = run("train", "digits", *OPTIONS, "--learning-rate=1e30", "--json")
    assert code == 0
    assert json.loads(out) == lost.to_dict() | {"written": []}
    assert json.loads(out)["least_loss"] is None
    out = " ".join(str(lost).split())
    assert "20 networks diverged, the first in epoch" in out
    assert "nan" not in out


REFUSED = {
    "epochs": (["--epochs=99"], "epochs is 99: at least 100 are needed"),
    "seeds": (["--seeds=19"], "seeds is 19: at least 20 are needed"),
    "batch": (["--batch=151"], "the training set has 150 points; give at most 150"),
    "activation": (["--activation=gelu"], "there is no activation 'gelu'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_said_in_one_sentence(refused, name):
    options, sentence = REFUSED[name]
    assert sentence in refused(1, "train", "digits", *options, "--out", "new/r")


def test_the_help_tells_the_defaults_that_the_experiment_has():
    from sweep.cli.train_experiments import digits as command
    from sweep.training.experiments.digits import EPOCHS, NETWORK, SEEDS

    parameters = signature(command).parameters
    assert (parameters["seeds"].default, parameters["epochs"].default) == (SEEDS, EPOCHS)
    text = " ".join(TRAIN_COMMANDS["digits"][1].split())
    assert "two layers of 32 relu units, and adam with a learning rate of 0.003" in text
    assert (NETWORK["widths"], NETWORK["learning_rate"]) == ((32, 32), 0.003)
