"""The progress of a run, by its log and its lock."""

import json
import os
import subprocess
import sys
import time

import msgspec
import pytest

import sweep
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.status import progress
from tests.support.swept import TASKS, done_task, write_log

BEGUN = {"name": "started", "pid": 7, "host": "here", "slots": 1, "done": 0, "total": TASKS}


def _silent(directory, seconds):
    """Lets the latest sign of life be some seconds ago."""
    os.utime(directory.events, (time.time() - seconds,) * 2)


def test_status_says_whether_a_run_is_finished_running_stalled_or_interrupted(begun, monkeypatch):
    assert sweep.status(begun.path).state.name == "interrupted"
    monkeypatch.setattr("sweep.runs.log.now", lambda: "2026-01-01T00:00:00.000Z")
    write_log(begun, done_task(0), BEGUN, done_task(1), done_task(8))
    started = 1767225600
    os.utime(begun.events, (started + 8,) * 2)
    status = progress(begun, written_to=True)
    assert (status.state.name, status.in_flight) == ("stalled", 0)
    assert (status.done, status.total) == (3, TASKS)
    assert status.rate == pytest.approx(2 / 8)
    assert (status.seconds, status.started) == (8, "2026-01-01T00:00:00Z")
    assert (status.pid, status.host) == (7, "here")
    assert status.size == 7 * (1 + 1 + 2)  # the law itself has a chunk for every seed
    _silent(begun, 0)
    status = progress(begun, written_to=True)
    assert (status.state.name, status.in_flight) == ("running", 1)
    assert status.eta == pytest.approx(7 / status.rate)
    assert status.silence == pytest.approx(0, abs=5)
    assert progress(begun, written_to=None).state.name == "running"
    assert sweep.status(begun.path).state.name == "interrupted"  # nobody holds the lock
    _silent(begun, 60)
    assert progress(begun, written_to=True).state.name == "stalled"
    assert progress(begun, written_to=None).state.name == "stalled"
    for event, state in (("interrupted", "interrupted"), ("finished", "finished")):
        write_log(begun, {"name": event})
        assert sweep.status(begun.path).state.name == state
        assert progress(begun, written_to=None).state.name == state
    begun.events.write_text("{")
    assert sweep.status(begun.path).state.name == "interrupted"


def test_a_run_is_running_while_its_lock_is_held(begun):
    write_log(begun, BEGUN)
    for _ in range(2):
        with begun.locked():
            assert begun.written_to()
            assert sweep.status(begun.path).state.name == "running"
        assert begun.written_to() is False
        assert sweep.status(begun.path).state.name == "interrupted"


def test_status_of_ten_thousand_tasks_loads_nothing_heavy(tmp_path):
    spec = sweep.Spec(population="W1", n=[10, 20, 30, 40], seed=list(range(2500)), a="0:1:2", b="0")
    directory = Directory(tmp_path / "out")
    directory.path.mkdir()
    directory.begin(RunRecord(spec.to_toml(), spec.fingerprint, "/", {}, "cpu", ()))
    write_log(directory, *map(done_task, range(0, 10_000, 2)))
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
    changed = msgspec.structs.replace(begun.read(), spec=text)
    begun.run_json.write_text(json.dumps(msgspec.to_builtins(changed)))
    with pytest.raises(sweep.InputError, match=r"run\.json: is damaged"):
        sweep.status(begun.path)
