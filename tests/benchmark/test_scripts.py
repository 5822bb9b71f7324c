"""The benchmarks run, on small sizes; what they time is not judged."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import jax
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def _run(name, *arguments):
    """A script in its own process: its JSON document."""
    done = subprocess.run(
        [sys.executable, FOLDER / name, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture
def script(monkeypatch, capsys):
    """Runs a script in this process, which has imported and compiled much of it: its output."""

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        with jax.numpy_dtype_promotion("standard"):
            runpy.run_path(str(FOLDER / name), run_name="__main__")
        return capsys.readouterr().out

    return call


def _overwrites_nothing(script, *command):
    with pytest.raises(SystemExit, match="--force"):
        script(*command)


def test_cold_start_times_both_commands():
    document = _run("cold_start.py", "1")
    assert set(document["commands"]) == {"help", "illustrate"}
    assert {"cores", "device", "python", "versions"} <= set(document)


@pytest.mark.parametrize(("edge", "points"), [("100", "50000"), ("700", "200")])
def test_memory_stays_within_the_budget(edge, points):
    document = _run("memory.py", edge, points, "16")
    assert document["cells"] == int(edge) ** 2
    assert document["beyond_MiB"] <= document["budget_MiB"]


def test_memory_stays_within_the_budget_where_results_are_on_disk():
    document = _run("memory.py", "1500", "1000", "32", "compressed", "zarr")
    assert document["output_MiB"] == 0  # in memory, where 51 MiB would be
    assert document["beyond_MiB"] <= document["budget_MiB"]


def test_study_times_every_line_and_overwrites_nothing(script, tmp_path):
    out = tmp_path / "study.json"
    command = ["study.py", "--out", out, "--laws=W1,D3", "--repeats=1"]
    small = [*command, "--largest=1e3", "--points=2e4"]
    printed = script(*small)
    document = json.loads(out.read_text())
    lines = [(line["law"], line["n"]) for line in document["times"]]
    assert lines == [("W1", 100), ("W1", 1000), ("D3", 1000)]
    for line in document["times"]:
        assert line["ratio"] == line["study_s"] / line["draw_s"] > 0
        assert f"{line['ratio']:.2f}" in printed
    assert 0 < document["memory"]["beyond_MiB"] < document["memory"]["peak_MiB"]
    assert {"cores", "device", "python", "versions"} <= set(document)
    _overwrites_nothing(script, *small)


def test_stream_compares_before_it_times(script, tmp_path):
    out = tmp_path / "stream.json"
    command = ["stream.py", "--out", out, "--repeats=1", "--edge=20"]
    small = [*command, "--points=2e4", "--shards=3", "--folder", tmp_path]
    printed = script(*small)
    document = json.loads(out.read_text())
    found, ratios = document["found"], document["ratios"]
    assert found["stream"]["n"] == document["n"] == 20_000
    assert len({found[name]["sketch"] for name in ("stream", "one_worker", "two_workers")}) == 1
    assert [len(found[name]["workers"]) for name in ("one_worker", "two_workers")] == [1, 2]
    assert ratios["stream_to_read"] == found["stream"]["seconds"] / found["read"]["seconds"] > 0
    assert f"{ratios['two_workers_to_one']:.2f} times as fast" in printed
    assert all(len(one["load"]["busy"]) > 0 for name, one in found.items() if "load" in one)
    assert {"cores", "device", "python", "versions"} <= set(document)
    _overwrites_nothing(script, *small)
    assert list(tmp_path.iterdir()) == [out]


def test_examples_say_what_is_known_to_be_the_matter(script, tmp_path):
    command = ["examples.py", "--out", tmp_path, "--replicates=0"]  # no finding needs intervals
    printed = script(*command)
    expected = {
        "GaussianNB on breast": "overconfident",
        "LogisticRegression on breast cancer: fitted": "healthy",
        "LogisticRegression(class_weight=": "intercept_shifted",
        "LogisticRegression on breast cancer, three": "few_samples_dominate",
        "GaussianNB on ten": "overconfident",
    }
    starts = [printed.index(words) for words in expected]
    ends = [*starts[1:], len(printed)]
    said = dict(zip(expected, map(slice, starts, ends), strict=True))
    for words, code in expected.items():
        assert re.search(rf"^[A-Z]+  {code}$", printed[said[words]], re.MULTILINE)
    line = " ".join(printed[said["LogisticRegression on breast cancer, three"]].split())
    wrong = re.search(r"made wrong: rows (.*?), counted", line).group(1).split(", ")
    named = re.search(r"samples account for \d+% of the loss: rows ([\d, ]+) of", line).group(1)
    assert set(wrong) < set(named.split(", "))
    assert len(list(tmp_path.glob("diagnose_*.png"))) == 5
    _overwrites_nothing(script, *command)


def test_train_compares_curves_before_it_times(script, tmp_path):
    out = tmp_path / "train.json"
    command = ["train.py", "--out", out, "--networks=20", "--epochs=8"]
    small = [*command, "--few=2", "--repeats=1"]
    printed = script(*small)
    document = json.loads(out.read_text())
    rows, ratios = document["rows"], document["ratios"]
    assert {"loop", "vmapped_loop", "sweep"} == set(rows) - {"keras"}
    assert (rows["loop"]["networks"], rows["vmapped_loop"]["networks"]) == (2, 20)
    assert ("keras" in rows) == ("keras" in document["versions"])
    for name, ratio in ratios.items():
        one = rows[name.removesuffix("_to_sweep")]
        assert ratio == one["seconds_per_network"] / rows["sweep"]["seconds_per_network"] > 0
        assert one["largest_difference"] < 1e-3
    assert max(map(len, printed.splitlines())) <= 80
    assert {"cores", "device", "python", "versions"} <= set(document)
    _overwrites_nothing(script, *small)
