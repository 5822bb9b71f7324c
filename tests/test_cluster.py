"""Work on Dask workers: the results of this process, whatever happens to workers."""

import logging
import operator
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

import sweep
from sweep import InputError, cluster
from sweep.base import workers
from sweep.base.executors import Serial
from sweep.base.provenance import versions
from sweep.cli.app import UsageError
from sweep.cli.options import engine
from sweep.cluster import AHEAD, GROUP, Dask
from sweep.data.shards import Shards
from sweep.measure.sketch import builder
from tests.support.parts import shard_files, sketch_schema


@pytest.fixture(scope="module")
def dask():
    with Dask(workers=2) as started:
        yield started


def _square(number):
    return number * number


def _landscape(seed):
    """Which of two threads of BLAS computes a cell can be seen in its last bit."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=20_000)
    sample = sweep.Sample(x, generator.random(x.size) < 0.5)
    found = sweep.landscape(sample, "-5:5:101", "-5:5:101")
    return found["cross_entropy"].values.tobytes(), found["correct"].values.tobytes()


def _refuse(number):
    raise InputError(f"{number} cannot be done")


def _cores(seconds):
    """Where this is, once it has started what computes on several threads."""
    import jax

    jax.device_put(0.0).block_until_ready()
    time.sleep(seconds)
    return os.getpid(), os.sched_getaffinity(0)


def _die_once(folder, number):
    """Kills its worker the first time that it is tried, and counts the times."""
    with open(folder / str(number), "a") as tried:
        tried.write(".")
    if number == 3 and os.path.getsize(folder / "3") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _unmergeable(one, other):
    return one + str(other)


def _die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def _sleep(seconds):
    time.sleep(seconds)
    return frozenset([os.getpid()])


def _ordered(one, function, items):
    return [result for _, result in sorted(one.run(function, items))]


@pytest.mark.parametrize("count", [1, 2, 5, 3 * GROUP + 1])
def test_runs_and_reduces_as_this_process_does(dask, count):
    items = list(range(count))
    assert sorted(dask.run(_square, items)) == [*enumerate(map(_square, items))]
    done = []
    assert dask.reduce(_square, items, operator.add, done.append) == sum(map(_square, items))
    assert sorted(done) == items


def test_has_nothing_to_do(dask):
    for one in (dask, Serial()):
        assert list(one.run(_square, [])) == []
        with pytest.raises(ValueError, match="no items"):
            one.reduce(_square, [], operator.add)


def test_serial_reduces_in_order():
    done = []
    assert Serial().reduce(str, [1, 2, 3], operator.add, done.append) == "123"
    assert done == [0, 1, 2]


def test_computes_the_same_bits_as_this_process(dask):
    seeds = [0]
    assert _ordered(dask, _landscape, seeds) == _ordered(Serial(), _landscape, seeds)


def test_sketches_the_same_as_this_process(dask, tmp_path):
    paths = shard_files(tmp_path, [50, 0, 400, 3, 120])
    shards, schema = Shards.of(paths), sketch_schema()
    read = []
    found = builder.sketch_with(dask, shards, schema, read.append)
    assert sum(read) == len(paths)
    assert found.equals(builder.sketch_files(shards, schema))
    assert found.equals(builder.sketch_with(Serial(), shards, schema))
    assert found.n == 573


def test_a_row_that_is_refused_by_a_worker_is_named(dask, tmp_path):
    paths = shard_files(tmp_path, [50, 60])
    x, y = np.load(paths[1]).T
    x[17] = np.nan
    np.save(paths[1], np.stack([x, y], axis=1))
    with pytest.raises(InputError, match=r"shard1.npy: .*row 18"):
        builder.sketch_with(dask, Shards.of(paths), sketch_schema())


@pytest.mark.parametrize("items", [1, 2, 5, 100])
def test_groups_are_of_about_as_many_bytes(tmp_path, items):
    sizes = [9, 0, 0, 5, 30, 1, 1, 1, 1, 1, 14, 2]
    paths = [tmp_path / str(k) for k in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(bytes(size))
    groups = [*builder.groups_of(paths, items)]
    assert [k for group in groups for k in group] == [*range(len(sizes))]
    assert 1 <= len(groups) <= items
    even, largest = sum(sizes) / items, max(sizes)
    assert all(sum(sizes[k] for k in group) <= even + largest for group in groups)


def test_workers_share_the_cores_of_this_process(dask):
    found = dict(_ordered(dask, _cores, [0.05] * 8))
    mine = os.sched_getaffinity(0)
    assert len(found) == 2
    assert os.getpid() not in found
    assert set.union(*found.values()) == mine
    assert sum(map(len, found.values())) == max(2, len(mine))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_shares_of_the_cores_are_as_equal_as_can_be(count, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 5, 6})
    shares = workers.shares(count)
    assert len(shares) == count
    assert {core for share in shares for core in share} == {1, 3, 5, 6}
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == max(count, 4)


def test_raises_what_an_item_raises_and_goes_on(dask):
    with pytest.raises(InputError, match=r"^7 cannot be done$"):
        list(dask.run(_refuse, [7, 7, 7]))
    with pytest.raises(InputError, match=r"^7 cannot be done$"):
        dask.reduce(_refuse, [7, 7, 7], operator.add)
    assert _ordered(dask, _square, [3]) == [9]


def test_raises_what_merging_raises(dask):
    with pytest.raises(TypeError, match="unsupported operand"):
        dask.reduce(_square, [1, 2], _unmergeable)


def test_drops_what_is_not_finished_when_it_is_not_wanted(dask):
    results = dask.run(_sleep, [0.0, *[0.2] * 50])
    next(results)
    results.close()
    start = time.perf_counter()
    assert _ordered(dask, _square, [2]) == [4]
    assert time.perf_counter() - start < 5  # of 50 * 0.2 / 2


def test_a_worker_that_is_killed_costs_only_time(dask, tmp_path):
    items = list(range(12))
    assert _ordered(dask, partial(_die_once, tmp_path), items) == items
    tried = [os.path.getsize(tmp_path / str(number)) for number in items]
    assert tried[3] == 2
    assert all(count <= 2 for count in tried)
    assert sum(tried) <= len(items) + AHEAD  # what the worker had been given


def test_what_a_killed_worker_had_merged_is_made_again(dask, tmp_path):
    items = list(range(12))
    found = dask.reduce(partial(_die_once, tmp_path), items, operator.add)
    assert found == sum(items)
    assert os.path.getsize(tmp_path / "3") == 2


def test_says_nothing_of_workers_that_die(tmp_path):
    script = (
        "from functools import partial\n"
        "from pathlib import Path\n"
        "from tests.test_cluster import _die, _die_once\n"
        "from sweep import InputError\n"
        "from sweep.cluster import Dask\n"
        "with Dask(workers=2) as dask:\n"
        f"    print(sorted(dask.run(partial(_die_once, Path({str(tmp_path)!r})), [3, 4])))\n"
        "    try:\n"
        "        list(dask.run(_die, [0]))\n"
        "    except InputError as error:\n"
        "        print(error)\n"
    )
    once = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=once
    )
    first, second = done.stdout.splitlines()
    assert first == "[(0, 3), (1, 4)]"
    assert "killed every Dask worker that tried it" in second
    assert done.stderr == ""


def test_ends_at_once_when_it_is_interrupted():
    script = (
        "import signal\n"
        "from tests.test_cluster import _sleep\n"
        "from sweep.cluster import Dask\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job of a shell ignores it
        "with Dask(workers=2) as dask:\n"
        "    for _, pids in dask.run(_sleep, [0.0, 60.0, 60.0]):\n"
        "        print(*pids, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        worker = int(process.stdout.readline())
        start = time.perf_counter()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all
        _, err = process.communicate(timeout=30)
    assert time.perf_counter() - start < 5
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert err.count("Traceback") == 1
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.fixture
def scheduler():
    """A scheduler that was started by someone else: (its process, its address)."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host=127.0.0.1"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command += [f"--port={port}", "--no-dashboard"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        last = time.monotonic() + 30
        while time.monotonic() < last:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield process, f"tcp://127.0.0.1:{port}"
        process.kill()


def test_works_on_the_workers_of_a_scheduler_until_it_goes_away(scheduler, monkeypatch):
    process, address = scheduler
    monkeypatch.setattr(workers, "PATIENCE", 8.0)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    with subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL) as worker:
        with Dask(scheduler=address) as dask:
            assert _ordered(dask, _square, [1, 2, 3]) == [1, 4, 9]
            process.kill()
            with pytest.raises(InputError, match="the Dask scheduler went away"):
                list(dask.run(_sleep, [0.5, 0.5]))
        worker.kill()


def test_a_scheduler_without_workers_is_refused(scheduler, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 1.0)
    with pytest.raises(InputError, match="has no workers; start some with `dask worker tcp"):
        Dask(scheduler=scheduler[1]).__enter__()


@pytest.mark.parametrize("address", ["nonsense", "foo://bar:1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InputError, match="is not the address of a Dask scheduler"):
        Dask(scheduler=address).__enter__()


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match=f"answers at {address} within 0.5 s"):
            Dask(scheduler=address).__enter__()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("jax", r"jax \d.* and this process 0\.1"),
        ("zarr", r"zarr \d.* and this process 0\.1"),  # which writes what tasks have computed
        ("sources", "other code of sweep than this process"),
    ],
)
def test_other_versions_of_a_worker_are_refused(dask, monkeypatch, name, says):
    monkeypatch.setattr(cluster, "versions", lambda: {**versions(), name: "0.1"})
    with pytest.raises(InputError, match=f"worker has {says}"):
        list(dask.run(_square, [1]))


def test_distributed_is_asked_for_where_it_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install distributed"):
        Dask(workers=1).__enter__()


def test_leaves_the_process_as_it_was():
    environment, levels = dict(os.environ), logging.getLogger("distributed").level
    with Dask(workers=1):
        assert logging.getLogger("distributed").level > logging.CRITICAL
    assert dict(os.environ) == environment
    assert logging.getLogger("distributed").level == levels


def test_options_choose_the_engine():
    assert isinstance(engine(None, None), Serial)
    assert isinstance(engine(2, None), Dask)
    assert isinstance(engine(None, "tcp://10.0.0.1:8786"), Dask)
    with pytest.raises(UsageError, match="exclude each other"):
        engine(2, "tcp://10.0.0.1:8786")
    with pytest.raises(UsageError, match="--workers=0: at least 1"):
        engine(0, None)
    with pytest.raises(InputError, match="0 workers"):
        Dask(workers=0)
    with pytest.raises(TypeError, match="either"):
        Dask()
