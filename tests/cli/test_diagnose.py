import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import sweep
from sweep.diagnosis.report import Estimate, Finding, JudgedFit
from tests.support.predicted import calibrated

ROOT = str(Path(__file__).parents[2])
Z, Y = calibrated(200)
Z3 = np.random.default_rng(1).normal(size=(200, 3))
ANIMALS = ["cat", "dog", "owl"]
FOUND = (
    Finding("overconfident", "critical", "The logits are too large, " * 9, "Divide them.", {}),
    Finding("imbalanced", "warning", "One class is rare.", "Weigh it.", {"share": 0.1}),
)
FIT = JudgedFit(0.5, 0, 0.7, 0.1, "platt", 1, 0.1, "wrong_sign", "The fit is the wrong way round.")


@pytest.fixture
def asked(monkeypatch):
    """What `sweep.diagnose` was asked for; what it finds is replaced."""
    calls, really = [], sweep.diagnose

    def diagnose(data, **options):
        calls.append({"data": data} | options)
        made = really(data, replicates=100)
        return replace(made, findings=FOUND, fit=FIT, ignored=tuple(options["ignore"]))

    monkeypatch.setattr(sweep, "diagnose", diagnose)
    return calls


@pytest.fixture
def files(tmp_path):
    pd.DataFrame({"y": Y, "logit": Z}).to_csv(tmp_path / "p.csv", index=False)
    pd.DataFrame({"y": Y, "probability": expit(Z)}).to_csv(tmp_path / "q.csv", index=False)
    named = {f"logit_{name}": Z3[:, k] for k, name in enumerate(ANIMALS)}
    labels = np.array(ANIMALS)[np.arange(200) % 3]
    pd.DataFrame(named | {"y": labels}).to_csv(tmp_path / "several.csv", index=False)
    history = {"loss": [0.7, 0.5, 0.4], "val_loss": [0.7, 0.6, 0.6]}
    (tmp_path / "h.json").write_text(json.dumps(history))
    return tmp_path


def test_findings_come_first_and_then_the_numbers(run, asked, files):
    code, out, err = run("diagnose", "p.csv")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(
        "p.csv: 200 samples of 2 classes; intervals from 100 bootstrap samples"
    )
    assert lines[2] == "CRITICAL  overconfident"
    assert max(len(line) for line in lines) <= 80
    order = ["CRITICAL", "Divide them.", "WARNING  imbalanced", "wrong sign", "Key numbers"]
    order += ["Recalibrated", "thresholds", "How few", "Each class", "largest loss;"]
    places = [out.index(words) for words in order]
    assert places == sorted(places)


def test_numbers_are_those_of_the_record(run, asked, files):
    _, out, _ = run("diagnose", "p.csv")
    made = sweep.diagnose(asked[0]["data"], ignore=())
    ce, split = made.cross_entropy, made.recalibration
    words = " ".join(out.split())
    for estimate in (ce, split.slope, split.intercept, split.by_both):
        assert f" {estimate.value:.4g} {estimate.low:.4g} to {estimate.high:.4g} " in words
    right = made.accuracy
    assert f" {100 * right.value:.4g}% {100 * right.low:.4g}% to {100 * right.high:.4g}% " in words
    assert f"{made.concentration.half} of 200 samples account for half of the loss." in out
    first = made.worst[0]
    assert f" {first.row} {first.label} {first.predicted} {first.probability:.4g} " in words
    for one in made.by_class:
        assert f" {one.label} {one.n} {100 * one.share:.3g}% " in words


def test_several_classes_have_a_slope_alone_and_no_thresholds(run, asked, files):
    code, out, err = run("diagnose", "several.csv")
    assert (code, err) == (0, "")
    assert asked[0]["data"].classes == tuple(ANIMALS)
    assert out.startswith("several.csv: 200 samples of 3 classes; ")
    assert "Recalibrated by softmax(a z)" in " ".join(out.split())
    assert "intercept" not in out
    assert "thresholds" not in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_quiet_is_without_numbers(run, asked, files):
    _, out, _ = run("diagnose", "p.csv", "--quiet", "--ignore", "healthy", "plateau")
    assert "CRITICAL  overconfident" in out
    assert "Numbers" not in out
    assert out.endswith("Left out: healthy, plateau.\n")


def test_json_is_one_document_and_the_same_in_a_file(run, asked, files):
    code, out, err = run("diagnose", "p.csv", "--json", "--out", "o.json")
    assert (code, err) == (0, "")
    expected = sweep.diagnose(asked[0]["data"], ignore=()).to_dict()
    assert json.loads(out) == json.loads((files / "o.json").read_text()) == expected
    assert "predictions" not in expected


def test_figure_page_and_document_are_written_together(run, asked, files):
    code, out, err = run(
        "diagnose", "p.csv", "--figure=f.png", "--html", "p.html", "--out", "o.json"
    )
    assert (code, err) == (0, "")
    assert out.endswith("written: o.json\nwritten: f.png\nwritten: p.html\n")
    assert (files / "f.png").stat().st_size > 10_000
    assert "p.csv" in (files / "p.html").read_text(encoding="utf-8")


def test_what_cannot_all_be_written_is_not_written_at_all(run, asked, files, monkeypatch):
    from sweep import report

    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "write", fails)
    before = sorted(files.iterdir())
    code, out, err = run("diagnose", "p.csv", "--out=o.json", "--figure=f.png", "--html=p.html")
    assert (code, out) == (1, "")
    assert err.endswith("p.html: cannot be written (No space left on device)\n")
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize("option", ["--figure=f.png", "--html=p.html"])
def test_a_full_disk_names_the_file_that_was_asked_for(run, asked, files, monkeypatch, option):
    real = os.replace

    def fails(source, to):
        if ".partial" in str(to):  # what the figure or the page moves into place
            raise OSError(28, "No space left on device")
        real(source, to)

    monkeypatch.setattr(os, "replace", fails)
    _, _, err = run("diagnose", "p.csv", option)
    path = option.partition("=")[2]
    assert err == f"sweep: {path}: cannot be written (No space left on device)\n"


OPTIONS = {
    "a fit": (["--fitted", "-1,0.5"], {"fitted": (-1, 0.5)}),
    "a fit by =": (["--fitted=-1,0.5"], {"fitted": (-1, 0.5)}),
    "Platt's": (["--platt", "-1.5,2e-1"], {"platt": (-1.5, 0.2)}),
    "a temperature": (["--temperature", "1.5"], {"temperature": 1.5}),
    "a negative temperature": (["--temperature", "-2"], {"temperature": -2}),
    "replicates": (["--replicates=1e4", "--seed=7"], {"replicates": 10_000, "seed": 7}),
    "codes": (["--ignore", "healthy", "--seed=1"], {"ignore": ("healthy",)}),
    "defaults": (
        [],
        {"replicates": 1000, "seed": 0, "ignore": (), "history": None, "fitted": None},
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_passed_on(run, asked, files, name):
    options, expected = OPTIONS[name]
    code, _, err = run("diagnose", "p.csv", *options)
    assert (code, err) == (0, "")
    assert {key: asked[0][key] for key in expected} == expected


def test_columns_labels_and_clips_are_passed_on(run, asked, files):
    run("diagnose", "q.csv", "--clip", "1e-3", "--pos-label", "0")
    first = asked[0]["data"]
    assert first.classes == ("1", "0")
    assert first.taken_for == 1e-3
    table = pd.DataFrame({"truth": 2 * Y - 1, "p": expit(Z), "s": Z, "w": np.arange(200)})
    table.to_parquet(files / "r.parquet")
    options = ["--y", "truth", "--weight", "w", "--pos-label", "-1"]
    for columns in (["--logit", "s"], ["--probability", "p"]):
        code, _, err = run("diagnose", "r.parquet", *columns, *options)
        assert (code, err) == (0, "")
        data = asked[-1]["data"]
        assert data.y.tolist() == (1 - Y).tolist()
        np.testing.assert_allclose(data.logits, Z, rtol=1e-9)
        assert data.weight.tolist() == list(range(200))


def test_a_history_is_read(run, asked, files):
    run("diagnose", "p.csv", "--history", "h.json")
    assert asked[0]["history"].val_loss.tolist() == [0.7, 0.6, 0.6]


USAGE = {
    "no file": ([], "PREDICTIONS"),
    "words": (["p.csv", "--fitted", "a,b"], "--fitted=a,b holds 'a', which is not a number"),
    "one number": (["p.csv", "--platt=1"], "--platt=1 is not a pair of numbers"),
    "three": (["p.csv", "--fitted=1,2,3"], "--fitted=1,2,3 is not a pair of numbers"),
    "temperature": (["p.csv", "--temperature", "hot"], "--temperature"),
    "two fits": (["p.csv", "--fitted=1,0", "--temperature=2"], "exclude each other"),
    "both": (["p.csv", "--logit=l", "--probability=p"], "--logit and --probability exclude"),
    "code": (["p.csv", "--ignore", "everything"], "--ignore: there is no finding 'everything'"),
    "replicates": (["p.csv", "--replicates", "many"], "--replicates"),
    "option": (["p.csv", "--no-such"], "--no-such"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_exits_with_2(refused, asked, files, name):
    arguments, sentence = USAGE[name]
    assert sentence in refused(2, "diagnose", *arguments, "--out", "o.json")
    assert asked == []


BAD = {
    "missing": (["missing.csv"], "missing.csv: no such file"),
    "a directory": (["."], "is a directory"),
    "no column": (["p.csv", "--y", "truth"], "p.csv: has no column 'truth'"),
    "logits": (["q.csv", "--logit=probability"], "look like probabilities"),
    "clip": (["q.csv", "--clip=0.7"], "clip=0.7: a probability between 0 and 0.5"),
    "label": (["p.csv", "--pos-label=2"], "pos_label '2' is none of the labels, which are 0, 1"),
    "history": (["p.csv", "--history", "p.csv"], "p.csv: has no training loss"),
    "no history": (["p.csv", "--history", "none.json"], "none.json: no such file"),
    "data overwritten": (["p.csv", "--out", "p.csv", "--force"], "p.csv: holds the data"),
    "history overwritten": (
        ["p.csv", "--history=h.json", "--out=h.json", "--force"],
        "h.json: holds the data",
    ),
    "one file for two": (["p.csv", "--out=o.svg", "--figure=o.svg"], "the result and the figure"),
    "the same page": (["p.csv", "--out=o.html", "--html=./o.html"], "the result and the page"),
    "figure": (["p.csv", "--figure", "f.xyz"], "no such figure format"),
    "page": (["p.csv", "--html", "p.txt"], "p.txt: a page is written as .html"),
    "folder": (["p.csv", "--html", "none/p.html"], "there is no directory none"),
    "taken": (["p.csv", "--out", "q.csv"], "exists already"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_done_is_one_sentence(refused, asked, files, name):
    arguments, sentence = BAD[name]
    assert sentence in refused(1, "diagnose", *arguments)
    assert asked == []


def test_what_has_no_number_is_a_dash_with_the_reason(run, files):
    table = {"y": np.arange(20) > 9, "probability": expit(np.arange(20) - 9.5)}
    table["probability"][3] = 1.0
    pd.DataFrame(table).to_csv("wrong.csv")
    pd.DataFrame(table | {"probability": expit(np.arange(20) - 9.5)}).to_csv("s.csv")
    code, out, err = run("diagnose", "s.csv", "--replicates=100")
    assert (code, err) == (0, "")
    assert re.search(r"\n  calibration intercept b\* +- +- \(1\)\n", out)
    assert "(1) No interval: there is no finite optimum." in out
    assert "(1) No interval: the bootstrap is inconsistent for a best threshold" in out
    assert "completely separated by a cut" in out
    assert "nan" not in out
    _, out, _ = run("diagnose", "wrong.csv", "--replicates=0")
    words = " ".join(out.split())
    assert "1 sample has a probability of exactly 0 or 1, of which 1 gave 0 to what" in words
    assert "nan" not in out


def test_names_of_classes_of_any_length_and_kind_fit(run, asked, files):
    names = ["\x1b[31mred\n", "x" * 300, *(f"class {k}" for k in range(28))]
    rng = np.random.default_rng(0)
    table = {f"logit_{name}": rng.normal(size=60) for name in names}
    pd.DataFrame(table | {"y": np.arange(60) % 30}).to_parquet(files / "many.parquet")
    code, out, err = run("diagnose", "many.parquet")
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "\x1b" not in out
    assert "and 10 more (--json has them all)" in out


def test_thresholds_are_of_the_class_that_was_named(run, files):
    pd.DataFrame({"y": 1 - Y, "logit": Z}).to_csv(files / "not.csv", index=False)
    code, out, _ = run("diagnose", "not.csv", "--pos-label=0", "--replicates=0")
    assert code == 0
    words = " ".join(out.split())
    assert "thresholds t of the probability of class 0: class 0 where" in words
    assert "class 1 where" not in words


def test_logits_that_are_all_equal_are_not_called_x(run, files):
    pd.DataFrame({"y": Y, "logit": 0.5}).to_csv(files / "equal.csv", index=False)
    _, out, _ = run("diagnose", "equal.csv", "--replicates=0")
    assert "All logits are equal" in out
    assert "x is constant" not in out


def test_a_terminal_obeys_no_name_of_a_class(run, files):
    names = np.where(np.arange(200) % 10 == 0, "\x1b[31mred", "ham")
    pd.DataFrame({"y": names, "logit": Z}).to_csv(files / "red.csv", index=False)
    code, out, err = run("diagnose", "red.csv", "--pos-label=ham", "--replicates=0")
    assert (code, err) == (0, "")
    assert "red" in out
    assert "\x1b" not in out


def test_weights_and_large_numbers_fit(run, files, monkeypatch):
    wide, right = Estimate(-1.2345e-100, -1.2345e-100, 1.2345e-100), Estimate(0.99, 0.98, 0.999)
    really = sweep.diagnose

    def diagnose(data, **_):
        made = really(data, replicates=0)
        classes = tuple(
            replace(one, n=10**8, cross_entropy=wide, accuracy=right) for one in made.by_class
        )
        return replace(made, n=10**8, cross_entropy=wide, by_class=classes)

    monkeypatch.setattr(sweep, "diagnose", diagnose)
    pd.DataFrame({"y": Y, "logit": Z, "weight": 0.5}).to_csv(files / "w.csv")
    _, out, _ = run("diagnose", "w.csv")
    assert out.startswith("w.csv: 100,000,000 samples of 2 classes, weighted\n")
    assert max(len(line) for line in out.splitlines()) <= 80


SLOW = """
import sys, time
from pathlib import Path
import sweep
from sweep import cli, report

def slow(*_, **__):
    Path(begun).touch()
    time.sleep(60)

what, begun = sys.argv[1:3]
del sys.argv[1:3]

if what == "computing":
    sweep.diagnose = slow
else:
    report.write = slow
cli.main()
"""


@pytest.mark.parametrize("what", ["computing", "writing"])
def test_ctrl_c_is_one_sentence_and_leaves_nothing(files, tmp_path_factory, what):
    begun = tmp_path_factory.mktemp("begun") / "begun"
    before = sorted(files.iterdir())
    outputs = ["--out=o.json", "--figure=f.png", "--html=p.html"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, what, begun, "diagnose", "p.csv", "--replicates=0", *outputs],
        cwd=files,
        env=os.environ | {"PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not begun.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert err == "sweep: interrupted; nothing was left half-written\n"
    assert sorted(files.iterdir()) == before
