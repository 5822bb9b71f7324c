"""The progress of a run, and the heartbeat of the process that writes to it."""

import contextlib
import dataclasses
import json
import subprocess
import sys
import time

import pytest

import sweep
from sweep.base import files
from sweep.runs import heartbeat, journal
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.heartbeat import Beat
from tests.support.swept import TASKS, done_task


def _beating(directory, **changes):
    beat = dataclasses.asdict(Beat.begin(TASKS)) | changes
    directory.heartbeat.write_text(json.dumps(beat))
    return sweep.status(directory.path)


def test_status_says_whether_a_run_is_finished_running_stalled_or_interrupted(begun):
    assert sweep.status(begun.path).state.name == "interrupted"
    now = time.time()
    with contextlib.closing(files.Lines(begun.journal)) as lines:
        for task in (0, 1, 8):
            journal.append(lines, done_task(task))
    status = _beating(begun, started=now - 8, before=1, done=3, in_flight=1)
    assert (status.state.name, status.in_flight) == ("running", 1)
    assert (status.done, status.total) == (3, TASKS)
    assert status.rate == pytest.approx(2 / 8, rel=0.1)
    assert status.eta == pytest.approx(7 * 4, rel=0.1)
    assert status.size == 7 * (1 + 1 + 2)  # the law itself has a chunk for every seed
    assert _beating(begun, time=now - 60).state.name == "stalled"
    assert _beating(begun, time=now - 60, host="elsewhere").state.name == "stalled"
    assert _beating(begun, birth="before").state.name == "interrupted"
    assert _beating(begun, pid=2**22 + 1).state.name == "interrupted"
    assert _beating(begun, state="interrupted").state.name == "interrupted"
    assert _beating(begun, state="finished").state.name == "finished"
    begun.heartbeat.write_text("{")
    assert sweep.status(begun.path).state.name == "interrupted"


def test_a_heart_beats_while_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)
    path, beat = tmp_path / "beat", Beat.begin(5)
    with heartbeat.Heart(path, beat):
        first = heartbeat.read(path)
        assert (first.state, first.alive) == ("running", True)
        beat.done = 3
        while heartbeat.read(path).done != 3:
            time.sleep(0.01)
        beat.state = "finished"
    assert heartbeat.read(path).state == "finished"


def test_status_of_ten_thousand_tasks_loads_nothing_heavy(tmp_path):
    spec = sweep.Spec(population="W1", n=[10, 20, 30, 40], seed=list(range(2500)), a="0:1:2", b="0")
    directory = Directory(tmp_path / "out")
    directory.path.mkdir()
    directory.begin(RunRecord(spec.to_toml(), spec.fingerprint, "/", {}, "cpu", ()))
    journal.rewrite(directory.journal, map(done_task, range(0, 10_000, 2)))
    script = (
        "import sys, sweep\n"
        f"run = sweep.status({str(directory.path)!r})\n"
        "assert (run.done, run.total, run.size) == (5000, 10000, 35000), run\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"jax", "xarray", "zarr", "pandas", "scipy", "filelock"} & set(done.stdout.split())


@pytest.mark.parametrize("text", ["", "population = 3", "tile = 0\ndata = []\na = 1\nb = 1"])
def test_status_of_a_damaged_spec_is_refused(begun, text):
    begun.run_json.write_text(json.dumps(json.loads(begun.run_json.read_text()) | {"spec": text}))
    with pytest.raises(sweep.InputError, match=r"run\.json: is damaged"):
        sweep.status(begun.path)
