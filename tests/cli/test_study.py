"""`sweep study`: what it prints and writes, and what it refuses."""

import json
import subprocess
import sys

import pytest
import xarray as xr
from matplotlib.image import imread

from sweep.asymptotics.tables import _with_error
from sweep.landscapes.stack import evenly_spaced

COMMAND = [sys.executable, "-m", "sweep", "study"]
OPTIONS = ("--n=100:10000:3:log", "--replicates=50", "--seed=1")


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """Two laws studied, once for all tests: (what was printed, the directory)."""
    folder = tmp_path_factory.mktemp("study")
    done = subprocess.run(
        [*COMMAND, "W1", "D4", *OPTIONS, "--out", "r", "--quiet"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, folder / "r"


def test_both_questions_are_answered_apart(studied):
    out, _ = studied
    first, second = out.split("\nD4 = ")
    for part, answer, verdict in (
        (first, "They share an optimum", "Verdict at epsilon = 0.001: share"),
        (second, "They do not share an optimum", "Verdict at epsilon = 0.001: do not share"),
    ):
        assert part.index("A. In the population") < part.index(answer) < part.index("B. In samples")
        assert verdict in part
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_table_by_n_and_rates_beside_theory_are_printed(studied):
    first = studied[0].split("\nD4 = ")[0].splitlines()
    rows = [line.split() for line in first if line[:6].strip() in ("100", "1000", "1e4")]
    assert [row[0] for row in rows] == ["100", "1000", "1e4"]
    assert all(len(row) == 8 and row[6].endswith("%") for row in rows)
    assert int(rows[0][7]) >= int(rows[-1][7]) == 0  # without an optimum
    rates = {line[2:28].strip(): line[28:].split() for line in first if " ± " in line}
    assert rates["error of the CE cut"][3] == "-1/2"
    assert rates["error of the CE cut"][-1] == "1.66"
    assert rates["gap in the sample"][3] == "-2/3"
    assert rates["gap in the sample"][-1] == "0.9962"
    assert any("theory -1.041" in line for line in first)


def test_references_are_printed_once(studied):
    assert studied[0].count("References") == 1
    assert "Groeneboom" in studied[0]


def test_files_and_figures_are_written(studied):
    out, folder = studied
    parts = (".nc", "_rates.png", "_landscapes.png")
    names = {f"{law}{part}" for law in ("W1", "D4") for part in parts}
    assert {path.name for path in folder.iterdir()} == names | {"study.json", "verdicts.png"}
    assert all(f"written: r/{name}" in out for name in names)
    assert all(imread(path).shape[1] == 1400 for path in folder.glob("*.png"))
    with xr.open_dataset(folder / "W1.nc") as table:
        assert dict(table.sizes) == {"n": 3, "replicate": 50}
        assert float(table.gap.min()) >= 0
    document = json.loads((folder / "study.json").read_text())
    first, second = document["studies"]
    assert (first["id"], second["id"]) == ("W1", "D4")
    assert (first["seed"], first["replicates"], first["sizes"][-1]) == (1, 50, 10000)
    assert first["verdict"]["name"] == "share"
    assert second["verdict"]["name"] == "do_not_share"


def test_one_document_in_json_and_nothing_else(run, studied):
    code, out, err = run("study", "w1", "W1", *OPTIONS, "--json", "--quiet")
    assert (code, err) == (0, "")
    (again,) = json.loads(out)["studies"]
    assert again == json.loads((studied[1] / "study.json").read_text())["studies"][0]


def test_one_size_needs_no_slope(run):
    code, out, _ = run("study", "W1", "--n", "1000", "--replicates", "20", "--no-rates")
    assert code == 0
    assert "inconclusive" in out
    assert "log-log" not in out


BAD = {
    "no law": (2, [], "POPULATIONS"),
    "one size": (1, ["W1", "--n", "1e4"], "--n holds one size, 10000, and a slope needs two"),
    "infinity": (1, ["W1", "--n", "10,inf"], "--n holds inf"),
    "size": (1, ["W1", "--n", "100:1e6:9:lin"], "is not of the form"),
    "replicates": (1, ["W1", "--replicates", "1"], "--replicates=1: at least 2"),
    "epsilon": (1, ["W1", "--epsilon", "0"], "--epsilon is 0.0; a loss of accuracy"),
    "negative epsilon": (1, ["W1", "--epsilon=-1"], "--epsilon is -1.0; a loss of accuracy"),
    "nan": (1, ["W1", "--epsilon", "nan"], "--epsilon is nan"),
    "seed": (1, ["W1", "--seed", "-1"], "seed is -1"),
    "memory": (2, ["W1", "--memory", "0"], "--memory=0"),
    "part of a replicate": (2, ["W1", "--replicates", "2.5"], 'convert "2.5" into int'),
    "part of a seed": (2, ["W1", "--seed", "1.5"], 'convert "1.5" into int'),
    "hyphen": (1, ["W1", "--n", "-5,100"], "--n"),
    "no room": (1, ["W1", "--replicates", "99999999999"], "a table of 99999999999 replicates"),
    "second law of no use": (1, ["W1", "two_normals(sd0=1e6,sd1=1e-6)"], "two_normals"),
    "words": (2, ["W1", "--replicates", "many"], "--replicates"),
    "second law": (1, ["W1", "W9"], "there is no law 'W9'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_studied_is_refused_before_the_work(refused, name):
    code, arguments, sentence = BAD[name]
    assert sentence in refused(code, "study", *arguments, "--out", "new/folder")


def test_files_that_are_there_are_overwritten_only_by_force(refused, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "W1_rates.png").write_text("precious")
    error = refused(1, "study", "W1", *OPTIONS, "--out", "r")
    assert "W1_rates.png: exists already; it is overwritten only with --force" in error
    (tmp_path / "file").write_text("precious")
    assert "file: cannot be made (File exists)" in refused(1, "study", "W1", "--out", "file")
    assert (tmp_path / "r" / "W1_rates.png").read_text() == "precious"


def test_a_failure_while_writing_leaves_no_file(refused, monkeypatch, tmp_path):
    from sweep import figures
    from sweep.base.errors import InputError

    def failing(study):
        raise InputError("no ink")

    monkeypatch.setattr(figures, "rates", failing)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "study.json").write_text("former")
    with pytest.raises(AssertionError, match="no ink"):  # what is computed is printed first
        refused(1, "study", "W1", "--n=100,10000", "--replicates=5", "--out", "r", "--force")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["study.json"]
    assert (tmp_path / "r" / "study.json").read_text() == "former"


def test_landscapes_are_drawn_for_sizes_spread_evenly():
    assert evenly_spaced((10,), 4) == [10]
    assert evenly_spaced((10, 100), 4) == [10, 100]
    assert evenly_spaced(tuple(range(1, 10)), 4) == [1, 4, 6, 9]


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (-0.498, 0.0081, "-0.4980 ± 0.0081"),
        (78.3, 11.2, "78 ± 11"),
        (-0.02, 2.1, "0.0 ± 2.1"),
        (0.031969, 2e-5, "0.03197 ± 0.00002"),
        (9.59e-7, 4e-6, "(1.0 ± 4.0)e-6"),
        (3e-12, 2e-14, "(3.00 ± 0.02)e-12"),
        (123456.0, 1960.0, "123456 ± 1960"),
    ],
)
def test_numbers_have_the_digits_of_their_errors_and_stay_in_their_column(value, half, text):
    assert _with_error(value, half / 1.96, 17) == text
