"""`sweep run`, `sweep resume` and `sweep status`: what they print, draw and refuse."""

import io
import json
import math
import sys

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.base.executors import Serial
from sweep.base.wording import counted, duration, size
from sweep.cli import runs as command
from sweep.runs import preview
from sweep.runs.status import State, Status

SPEC = 'population = ["W1"]\nn = [20, 50, inf]\na = "-2:2:9"\nb = "-1:1:5"\n'


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "s.toml").write_text(SPEC)
    return "s.toml"


def test_a_run_says_what_it_wrote_and_status_that_it_is_finished(run, spec, tmp_path):
    code, out, err = run("run", spec, "--out", "r", "--figure", "r/f.png", "--quiet")
    assert (code, err) == (0, "")
    first, *written = out.splitlines()
    assert first.startswith("r: 3 tasks done, ")
    assert written == ["  written: r/results.zarr", "  written: r/f.png"]
    results = xr.open_zarr(tmp_path / "r" / "results.zarr", chunks=None)
    assert results.cross_entropy.dims == ("population", "n", "seed", "a", "b")
    assert not results.cross_entropy.isnull().any()
    code, out, err = run("status", "r")
    assert (code, err) == (0, "")
    assert out.startswith("r: finished, 3 of 3 tasks, 100%\n")
    found = json.loads(run("status", "r", "--json")[1])
    assert (found["state"]["name"], found["done"], found["total"]) == ("finished", 3, 3)


def test_the_figure_of_a_run_is_that_of_its_landscapes(run, spec, tmp_path):
    assert run("run", spec, "--out", "r", "--figure", "run.png", "--quiet")[0] == 0
    axes = ("--n=20,50,inf", "--a=-2:2:9", "--b=-1:1:5")
    assert run("landscape", "--population", "W1", *axes, "--figure", "other.png")[0] == 0
    assert (tmp_path / "run.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_the_log_is_one_object_a_line(run, spec, tmp_path):
    code, out, err = run("run", spec, "--out", "r", "--json", "--quiet")
    assert (code, err) == (0, "")
    events = [json.loads(line) for line in out.splitlines()]
    lines = (tmp_path / "r" / "events.jsonl").read_text().splitlines()
    for event, logged in zip(events, map(json.loads, lines), strict=True):
        more = {"check", "slots", "chunks", "numbers"}
        assert event == {key: value for key, value in logged.items() if key not in more}
    assert [one["event"] for one in events] == ["started", "task", "task", "task", "finished"]
    assert [one.get("n") for one in events[1:4]] == ["20", "50", "inf"]


def test_an_interrupted_run_says_how_to_go_on(run, spec, tmp_path, monkeypatch):
    def interrupt(event):
        if event["event"] == "task" and event["done"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_print_damage", interrupt)
    code, out, err = run("run", spec, "--out", "r", "--quiet")
    assert (code, out) == (130, "")
    assert err == ("sweep: r: interrupted with 2 of 3 tasks done; continue with `sweep resume r`\n")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("status", "r")
    assert code == 0
    sentence = "No process is working on it; `sweep resume"
    assert out.startswith(f"r: interrupted, 2 of 3 tasks, 66%\n  {sentence}")
    code, out, err = run("resume", "r", "--quiet", "--json")
    assert (code, err) == (0, "")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events == ["resumed", "task", "finished"]


def test_damage_is_told_when_a_run_goes_on(run, spec, tmp_path):
    assert run("run", spec, "--out", "r", "--quiet")[0] == 0
    chunk = next(
        path
        for path in sorted((tmp_path / "r" / "results.zarr" / "accuracy").rglob("*"))
        if path.is_file() and path.name != "zarr.json"
    )
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-1])
    code, out, err = run("resume", "r", "--quiet")
    assert code == 0
    assert out.startswith("r: 3 tasks done")
    assert "so task 0 is computed again\n" in err
    assert chunk.read_bytes() == whole


def test_data_are_found_beside_the_spec_from_anywhere(run, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text("u,y\n0,1\n1,0\n2,1\n3,1\n")
    (folder / "s.toml").write_text('data = ["a.csv", "b.csv"]\nx = "u"\na = "0:1:3"\nb = "0:1:4"\n')
    code, _, err = run("run", "folder/s.toml", "--out", "r", "--figure", "f.png", "--quiet")
    assert (code, err) == (0, "")
    results = xr.open_zarr(tmp_path / "r" / "results.zarr", chunks=None)
    assert results.accuracy.dims == ("data", "a", "b")
    assert results.data.values.tolist() == ["a.csv", "b.csv"]
    assert [panel.title for panel in preview.panels(tmp_path / "r")] == ["a.csv", "b.csv"]
    (folder / "b.csv").write_text("u,y\n0,1\n1,0\n")
    code, _, err = run("resume", "r")
    assert code == 1
    assert "b.csv has changed" in err


BAD = {
    "no spec": (2, ["run", "--out", "r"], "SPEC"),
    "no directory": (2, ["run", "s.toml"], "--out"),
    "spec is missing": (1, ["run", "t.toml", "--out", "r"], "t.toml: no such file"),
    "misspelt": (1, ["run", "misspelt.toml", "--out", "r"], "line 2: unknown key 'nn'"),
    "syntax": (1, ["run", "syntax.toml", "--out", "r"], "syntax.toml, line 1: is not TOML"),
    "no data": (1, ["run", "data.toml", "--out", "r"], "data.toml: data holds 'a.csv'"),
    "workers": (2, ["run", "s.toml", "--out", "r", "--workers", "0"], "--workers=0: at least 1"),
    "part of a worker": (2, ["run", "s.toml", "--out", "r", "--workers", "1.5"], "--workers"),
    "two engines": (
        2,
        ["resume", "r", "--workers", "2", "--scheduler", "tcp://localhost:1"],
        "--workers and --scheduler exclude each other",
    ),
    "place": (1, ["run", "s.toml", "--out", "no/r"], "no/r: cannot be made because there is no"),
    "file": (1, ["run", "s.toml", "--out", "s.toml"], "s.toml: is not a directory"),
    "not empty": (1, ["run", "s.toml", "--out", "."], ".: is not empty and not a run"),
    "figure": (1, ["run", "s.toml", "--out", "r", "--figure", "f.bmp"], "f.bmp: no such figure"),
    "figure in the run": (1, ["run", "s.toml", "--out", "r", "--figure", "r/f.bmp"], "r/f.bmp: no"),
    "figure is there": (1, ["run", "s.toml", "--out", "r", "--figure", "f.png"], "exists already"),
    "figure of a resumed run": (1, ["resume", "r", "--figure", "f.png"], "exists already"),
    "resume nothing": (1, ["resume", "r"], "r: no such directory; start a run with `sweep run`"),
    "resume another": (1, ["resume", "."], ".: is not a run"),
    "status of nothing": (1, ["status", "r"], "r: no such directory"),
    "status of another": (1, ["status", "."], ".: is not a run"),
    "status of no directory": (2, ["status"], "Command"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_run_is_refused(refused, spec, tmp_path, name):
    (tmp_path / "misspelt.toml").write_text('population = "W1"\nnn = 3\n')
    (tmp_path / "syntax.toml").write_text("population = W1\n")
    (tmp_path / "data.toml").write_text('data = "a.csv"\n')
    (tmp_path / "f.png").touch()
    code, arguments, sentence = BAD[name]
    assert sentence in refused(code, *arguments)


def test_a_run_is_not_begun_or_resumed_as_another(run, spec, tmp_path):
    assert run("run", spec, "--out", "r", "--quiet")[0] == 0
    code, _, err = run("run", spec, "--out", "r")
    assert (code, err.count("\n")) == (1, 1)
    assert "continue it with `sweep resume r`" in err
    (tmp_path / spec).write_text(SPEC.replace("50", "60"))
    code, _, err = run("run", spec, "--out", "r")
    assert (code, err.count("\n")) == (1, 1)
    assert "another run (n differs)" in err
    changed = (tmp_path / "r" / "spec.toml").read_text().replace("-2:2:9", "-3:3:9")
    (tmp_path / "r" / "spec.toml").write_text(changed)
    code, _, err = run("resume", "r")
    assert (code, err.count("\n")) == (1, 1)
    assert "has changed since the run began (a differs)" in err


class _Closed(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def test_a_run_goes_on_though_nobody_reads_its_log(monkeypatch):
    told = []

    def work(on_event, **options):
        for k in range(3):
            on_event({"event": "task", "done": k})
            told.append(k)

    monkeypatch.setattr(sys, "stdout", _Closed())
    with pytest.raises(BrokenPipeError):
        command._work(work, (), Serial(), quiet=True, as_json=True)
    assert told == [0, 1, 2]


def _status(state, **more):
    usual = {
        "path": "/a/rather/long/path/of/a/directory/that/holds/a/run/of/many/tasks",
        "state": State[state],
        "done": 9999,
        "total": 10000,
        "failed": 0,
        "in_flight": 4,
        "rate": 12.345,
        "eta": 1234.5,
        "size": 2**31,
        "seconds": 86400.0 * 3,
        "silence": 0.4,
        "started": "2026-01-01T00:00:00Z",
        "pid": 1234567,
        "host": "a-node-with-a-long-name.cluster.example.org",
    }
    return Status(**usual | more)


SAID = {
    "running": (
        {},
        ["12.3 tasks a second, 4 in flight, 20 min 34 s left", "last sign of life 0.4 s ago"],
    ),
    "stalled": (
        {"eta": math.nan, "silence": 100.0},
        ["4 in flight process", "last sign of life 1 min 40 s ago"],
    ),
    "interrupted": (
        {"rate": math.nan, "eta": math.nan, "failed": 1, "in_flight": 0},
        ["1 task failed", "`sweep resume` continues"],
    ),
    "finished": (
        {"done": 10000},
        ["finished, 10,000 of 10,000", "tasks, 100%\n  2 GiB of results"],
    ),
}


@pytest.mark.parametrize("state", SAID)
def test_a_status_fits_a_terminal(state):
    more, sentences = SAID[state]
    out = str(_status(state, **more))
    assert max(map(len, out.splitlines())) <= 80
    joined = " ".join(out.split())
    for sentence in sentences:
        assert " ".join(sentence.split()) in joined
    assert ("process" in out) is (state != "finished")
    assert ("100%" in out) is (state == "finished")


def test_times_and_sizes_in_words():
    times = {0.0: "0.0 s", 9.94: "9.9 s", 9.96: "10 s", 59.6: "1 min 0 s", 3599.0: "59 min 59 s"}
    times |= {3600.0: "1 h 0 min", 86399.6: "1 d 0 h", 90000.0: "1 d 1 h", 1e7: "115 d 17 h"}
    assert {seconds: duration(seconds) for seconds in times} == times
    sizes = {0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 2**30: "1 GiB"}
    sizes |= {2**20 * 1020: "1020 MiB", 2**50: "1 PiB", 2**60: "1024 PiB"}
    assert {count: size(count) for count in sizes} == sizes
    assert (counted(1, "task"), counted(0, "task")) == ("1 task", "0 tasks")


def test_a_figure_shows_the_laws_at_one_size_or_the_first_at_many(monkeypatch):
    monkeypatch.setattr(preview, "MOST_LANDSCAPES", 2)
    laws = {"population": ["W1", "D1", "S1"], "seed": [7, 8]}
    shown = preview._selected(sweep.Spec(**laws))
    places = [(title, *place.values()) for title, place, _ in shown]
    assert places == [("W1", 0, 0, 0), ("S1", 2, 0, 0)]
    shown = preview._selected(sweep.Spec(**laws, n=[20, 30, 40, math.inf]))
    places = [(title, *place.values()) for title, place, _ in shown]
    assert places == [("n = 20", 0, 0, 0), ("n = ∞", 0, 3, 0)]
    sample, law = (data for *_, data in shown)
    assert np.array_equal(sample.x, sweep.sample("W1", 20, 7).x)
    assert law.name == sweep.populations.population("W1").name
