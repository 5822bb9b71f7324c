"""A whole benchmark, its record, its text and figure, and the command."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from peers import PEERS, numpy_loop

from sweep import cli, figures
from sweep.base.tables import text as shown
from sweep.benchmark import problem
from sweep.benchmark import run as module
from sweep.benchmark.measurement import Mismatch
from sweep.benchmark.problem import OURS, Peer
from sweep.benchmark.run import PLANS, BenchmarkPlan, bench
from sweep.benchmark.scoreboard import scoreboard
from sweep.cli import bench as command
from sweep.figures import timings

TINY = BenchmarkPlan(  # on one grid but for one, for every other shape would be compiled for
    name="tiny",
    sizes=(50, 200),
    edge=4,
    brute=200,
    edges=(2, 4),
    points=200,
    tolerances=(1e-3, 1e-9),
    exact=(200, 4),
    large=(200, 4),
    direct=(200, 4),
    budget=0.002,
)
ALWAYS = ("numpy", "sklearn", "jax")


@pytest.fixture(scope="module")
def measured():
    """A whole benchmark, with a peer that is not there and one that breaks, and its progress."""
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem, "LEAST_POINTS", 20)
        others = [_peer("absent", _broken, installed=False), _peer("broken", _broken)]
        found = bench(TINY, [*(PEERS[name] for name in ALWAYS), *others], lines.append)
    return found, lines


@pytest.fixture(scope="module")
def document(measured):
    return json.loads(json.dumps(measured[0].to_dict(), allow_nan=False))


def _wrong(problem):
    values = numpy_loop(problem)
    return dataclasses.replace(values, cross_entropy=values.cross_entropy + 1e-6)


def _broken(problem):
    raise RuntimeError("no such kernel")


def _peer(name, solve, installed=True):
    return Peer(name, "a peer of the tests", solve, lambda: installed)


def test_a_bench_holds_curves_targets_and_all_that_is_needed_to_judge_them(measured, document):
    assert len(measured[1]) > 10
    described = {entry["peer"]: entry for entry in document["peers"]}
    assert described["absent"]["skipped"] == "not installed"
    assert described["broken"]["skipped"] == "failed: RuntimeError: no such kernel"
    assert described["jax"]["first_run_s"] > 0
    raced = {"sweep", "sweep-direct", *ALWAYS}
    for curve, points in (("against_n", 2), ("against_cells", 2)):
        assert sorted(t["peer"] for t in document[curve]) == sorted([*raced] * points)
        assert all(t["error"] <= 1e-9 and t["seconds"] > 0 for t in document[curve])
    for row in document["against_tolerance"]:
        assert row["error"] <= row["error_bound"] <= row["tolerance"]
    values = {target["name"]: target["value"] for target in document["targets"]}
    assert {"both_per_sort", "loss_per_sum", "second_grid", "per_point_200"} <= set(values)
    assert all(value is not None for value in values.values())
    assert {t["dtype"] for t in document["timings"]["direct_float32"]} == {"float32"}
    assert {"cores", "processor", "numpy_simd", "device", "versions"} <= set(document["machine"])
    text = shown(scoreboard(document))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "absent: not installed" in text
    assert "* extrapolated" in text


def test_a_peer_whose_output_is_wrong_is_out_with_all_its_times(monkeypatch):
    def wrong_on_large_problems(problem):
        return (_wrong if len(problem.x) > 150 else numpy_loop)(problem)

    monkeypatch.setattr(module, "_large", lambda square: {})
    monkeypatch.setattr(module, "SMALL", (100, 4))
    found = bench(TINY, [PEERS["numpy"], _peer("liar", wrong_on_large_problems)])
    assert len(found.mismatches) == 1
    assert "liar: cross-entropy is off by" in found.mismatches[0]
    assert all(t.peer != "liar" for t in (*found.against_n, *found.against_cells))
    assert all("liar" not in target.text for target in found.targets)


def test_a_bound_below_the_error_is_a_mismatch(monkeypatch):
    honest = module.solve

    def boasting(problem, **options):
        values = honest(problem, **options)
        return dataclasses.replace(values, attrs=values.attrs | {"error_bound": 0.0})

    monkeypatch.setattr(module, "solve", boasting)
    with pytest.raises(Mismatch, match=r"the tolerance is 0.001, the error .* and its bound 0"):
        module._against_tolerance(TINY)


def test_the_figure_is_drawn_from_the_json(document, tmp_path):
    figure = figures.bench(document)
    against_n, against_cells, errors = figure.axes
    assert [ax.get_xlabel() for ax in figure.axes] == ["points n", "cells", "requested tolerance"]
    assert [ax.get_ylabel() for ax in (against_n, errors)] == ["time (s)", "error / max(1, value)"]
    # Of each of the five: a dashed, hollow line of all times under a solid one of the measured.
    for ax in (against_n, against_cells):
        assert [line.get_linestyle() for line in ax.lines] == ["--", "-"] * 5
    for line, solid in zip(against_n.lines[::2], against_n.lines[1::2], strict=True):
        of_peer = [t for t in document["against_n"] if t["peer"] == line.get_label()]
        assert np.isnan(solid.get_ydata()).tolist() == [t["extrapolated"] for t in of_peer]
    figures.write(figure, tmp_path / "f.png")
    assert imread(tmp_path / "f.png").shape[1] == 1400


def test_where_the_library_itself_is_out_the_rest_is_still_shown(document):
    skipped = [{"peer": p["peer"], "how": "", "skipped": "wrong"} for p in document["peers"]]
    bare = document | {"peers": skipped, "against_tolerance": [], "against_n": [], "targets": []}
    figures.bench(bare)
    assert "  sweep: wrong" in shown(scoreboard(bare))


def test_without_other_tools_no_line_compares_them(document):
    unknown = document["targets"][0] | {"text": "fastest peer / sweep, 4 x 4 cells", "value": None}
    compared = document | {"targets": [unknown]}
    assert "fastest peer / sweep" in shown(scoreboard(compared))
    alone = compared | {"peers": document["peers"][:2]}
    assert "fastest peer" not in shown(scoreboard(alone))


@pytest.fixture
def run(capsys, tmp_path, monkeypatch, measured):
    """Runs `sweep bench` in an empty directory on a ready measurement: (exit code, out, err)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "measure", lambda *arguments: measured[0])

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(["bench", *arguments])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


def test_the_command_prints_a_table_and_writes_what_it_is_asked_for(run, document):
    code, out, err = run("--quick", "--out", "b.json", "--figure", "b.png")
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines()) <= 80
    assert out.startswith(shown(scoreboard(document)))
    assert "written: b.json\nwritten: b.png\n" in out
    assert out.splitlines()[-1].startswith("For all numbers give --json or --out FILE.json")
    assert json.loads(Path("b.json").read_text()) == document
    assert Path("b.png").stat().st_size > 10_000


def test_the_command_prints_one_document_as_json(run, document):
    code, out, err = run("--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == document


@pytest.mark.parametrize(
    ("options", "plan"), [([], "default"), (["--quick"], "quick"), (["--full"], "full")]
)
def test_the_command_measures_the_plan_with_the_peers_that_it_is_told(
    run, monkeypatch, measured, options, plan
):
    calls = []
    monkeypatch.setattr(command, "measure", lambda *args: calls.append(args) or measured[0])
    run(*options, "--peers", "numba,r")
    assert calls[0][0] == PLANS[plan]
    assert [peer.name for peer in calls[0][1]] == ["numba", "r"]


def test_without_names_the_command_measures_all_tools_of_a_checkout_and_none_elsewhere(
    run, monkeypatch, measured, tmp_path
):
    calls = []
    monkeypatch.setattr(command, "measure", lambda *args: calls.append(args) or measured[0])
    run()
    assert [peer.name for peer in calls[0][1]] == list(PEERS)
    monkeypatch.setattr(problem, "PEERS_OF_CHECKOUT", tmp_path / "missing.py")
    assert run()[0] == 0
    assert calls[1][1] == ()
    code, out, err = run("--peers", "numpy")
    assert (code, out) == (2, "")
    assert "only a checkout has the comparison with other tools" in err
    assert err.count("\n") == 1


def test_different_outputs_are_an_error_after_the_table(run, monkeypatch, measured):
    sentence = "liar: cross-entropy is off by 1"
    liar = dataclasses.replace(measured[0], mismatches=(sentence,))
    monkeypatch.setattr(command, "measure", lambda *arguments: liar)
    code, out, err = run("--out", "b.json")
    assert code == 1
    assert err == f"sweep: outputs differ, so the times do not count: {sentence}\n"
    assert "written: b.json" in out
    assert json.loads(Path("b.json").read_text())["mismatches"] == [sentence]


@pytest.mark.parametrize(
    ("code", "options", "sentence"),
    [
        (2, ["--peers", "numpy,abacus"], "--peers: there is no 'abacus'; there are numpy, sklearn"),
        (2, ["--quick", "--full"], "--quick and --full exclude each other"),
        (1, ["--out", "there.json"], "exists already"),
        (1, ["--out", "missing/b.json"], "there is no directory missing"),
        (1, ["--figure", "f.xyz"], "no such figure format"),
        (1, ["--out", "b.png", "--figure", "b.png"], "cannot be both"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(
    run, tmp_path, monkeypatch, code, options, sentence
):
    (tmp_path / "there.json").write_text("precious")
    monkeypatch.setattr(command, "measure", partial(pytest.fail, "it was computed"))
    found, out, err = run(*options)
    assert (found, out) == (code, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there.json"]


def test_ctrl_c_leaves_no_file(run, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure", interrupted)
    code, out, err = run("--out", "b.json", "--figure", "b.png")
    assert (code, out) == (130, "")
    assert err == "sweep: interrupted; nothing was left half-written\n"
    assert list(tmp_path.iterdir()) == []


def test_every_contestant_has_its_look_in_the_figure():
    assert set(timings._PEER) == set(PEERS) | {peer.name for peer in OURS}
