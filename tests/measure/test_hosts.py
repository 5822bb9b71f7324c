"""Processes that make one sketch together: two on this machine, over the loopback."""

import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from sweep import InputError
from sweep.data.shards import Shards
from sweep.measure.sketch import archive, builder, hosts
from sweep.measure.sketch.hosts import Host
from tests.support.parts import shard_files, sketch_schema

SCRIPT = """
import contextlib, os, pathlib, sys
from sweep import InputError, archive
from sweep.data.shards import Shards
from sweep.measure.sketch import hosts, parallel
from tests.support.parts import sketch_schema

@contextlib.contextmanager
def told():
    try:
        yield
    except InputError as error:
        print(error)
        sys.exit(1)

coordinator, process, folder, what = sys.argv[1:]
host = hosts.Host(coordinator, 2, int(process))
files = sorted(pathlib.Path(folder).glob("*.npy"))
shards = Shards.of(files[1:] if what == "fewer" and host.process else files)
with told(), hosts.together(host):
    if what == "gone" and host.process:
        os._exit(3)
    low, high = parallel.range_together(host, shards)
    sketch = parallel.sketched_together(host, shards, sketch_schema())
    archive.write(sketch, folder + f"/{process}.sketch")
    print(low, high)
"""


def _port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _both(folder, what="sketch"):
    """Codes and outputs of two processes that make a sketch of the files in a folder."""
    command = [sys.executable, "-c", SCRIPT, f"127.0.0.1:{_port()}"]
    started = [
        subprocess.Popen(
            [*command, str(process), folder, what],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in (0, 1)
    ]
    outputs = [process.communicate(timeout=60) for process in started]
    return [(p.returncode, *output) for p, output in zip(started, outputs, strict=True)]


def test_two_processes_make_the_sketch_of_one(tmp_path):
    shards = Shards.of(shard_files(tmp_path, [50, 400, 3, 120, 7]))
    low, high = shards.scan()
    assert _both(tmp_path) == [(0, f"{low} {high}\n", "")] * 2
    one = builder.sketch_files(shards, sketch_schema())
    for process in (0, 1):
        assert archive.read(tmp_path / f"{process}.sketch").equals(one)


def test_what_one_process_cannot_read_all_refuse(tmp_path):
    x = np.load(shard_files(tmp_path, [50, 60])[1])
    x[17, 0] = np.nan
    np.save(tmp_path / "shard1.npy", x)
    for code, out, err in _both(tmp_path):
        assert (code, err) == (1, "")
        assert "shard1.npy" in out
        assert "row 18" in out


@pytest.mark.parametrize(
    ("what", "said"),
    [("fewer", "were asked for different sketches"), ("gone", "another process ended before")],
)
def test_processes_that_do_not_go_together_are_told(tmp_path, what, said):
    shard_files(tmp_path, [5, 6, 7])
    found = _both(tmp_path, what)
    for code, out, err in found[: 1 if what == "gone" else 2]:
        assert (code, err) == (1, "")
        assert said in out


@pytest.mark.parametrize(
    ("coordinator", "processes", "process", "said"),
    [
        ("localhost", 2, 0, "localhost is not the address of a coordinator; give HOST:PORT"),
        ("localhost:x", 2, 0, "is not the address"),
        ("localhost:0", 2, 0, "is not the address"),
        ("localhost:70000", 2, 0, "is not the address"),
        ("localhost:9911", 2, 2, "process 2 of 2 does not exist; give a number from 0 to 1"),
        ("localhost:9911", 2, -1, "process -1 of 2 does not exist"),
        ("localhost:9911", 0, 0, "process 0 of 0 does not exist"),
    ],
)
def test_hosts_that_are_none_are_refused(coordinator, processes, process, said):
    with pytest.raises(InputError, match=said):
        Host(coordinator, processes, process)


def _meet(*all_hosts):
    """What each of some processes is told when they meet."""
    told = {}

    def meet(k, host):
        try:
            hosts._meet(host)
        except InputError as error:
            told[k] = str(error)

    threads = [threading.Thread(target=meet, args=pair) for pair in enumerate(all_hosts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_processes_meet_or_say_why_not(monkeypatch):
    monkeypatch.setattr(hosts, "PATIENCE", 0.5)
    here = f"127.0.0.1:{_port()}"
    assert _meet(Host(here, 3, 0), Host(here, 3, 2), Host(here, 3, 1)) == {}
    told = _meet(Host(here, 4, 0), Host(here, 4, 2))
    assert told[0] == told[1]
    assert "of 4 processes these have not come within 0.5 s: 1, 3;" in told[0]
    told = _meet(Host(here, 3, 0), Host(here, 3, 1), Host(here, 3, 1))
    assert "there are two processes 1" in told[0]
    told = _meet(Host(here, 2, 0), Host(here, 3, 1))
    assert "process 1 is told of 3 processes and process 0 of 2" in told[0] == told[1]
    assert f"process 0 does not answer at {here} within 0.5 s" in _meet(Host(here, 2, 1))[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        there = f"127.0.0.1:{taken.getsockname()[1]}"
        assert f"cannot listen at {there}" in _meet(Host(there, 2, 0))[0]
