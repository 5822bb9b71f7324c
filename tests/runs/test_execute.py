"""A run computes what its spec asks for; whatever stops it, the final store is the same."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pkgutil import resolve_name

import msgspec
import numpy as np
import pytest
import xarray as xr

import sweep
from sweep import InputError
from sweep.base import files
from sweep.base.executors import Serial
from sweep.runs import landscapes, log
from sweep.runs import store as store_module
from sweep.runs.directory import Directory
from tests.support.swept import SPEC, TASKS, events, store


class Killed(BaseException):
    """What stands for kill -9: nothing of the run may react to it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    sweep.run(SPEC, out)
    return out


@pytest.fixture
def copy(whole, tmp_path):
    """The same, to be damaged."""
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture
def deadly(monkeypatch):
    """Has the run not react to an exception, as if its process were gone."""
    monkeypatch.setattr("sweep.runs.execute._Run._stop", lambda *_: None)


# --- what is computed ---------------------------------------------------------------------------


def test_the_store_holds_the_results_of_landscape_and_optimum(whole):
    with xr.open_zarr(whole / "results.zarr") as opened:
        results = opened.load()
    assert dict(results.sizes) == {"population": 1, "n": 3, "seed": 2, "a": 5, "b": 3}
    for law in SPEC.population:
        for n in SPEC.n:
            for seed in SPEC.seed:
                data = sweep.sample(law, n, seed)
                landscape = results.sel(population=law, n=n, seed=seed)
                cells = sweep.landscape(data, SPEC.grid.a, SPEC.grid.b)
                np.testing.assert_array_equal(landscape.accuracy, cells.accuracy)
                np.testing.assert_allclose(landscape.cross_entropy, cells.cross_entropy, rtol=1e-12)
                _same_optimum(landscape, sweep.optimum(data))
    np.testing.assert_array_equal(results.points, [[[20, 20], [40, 40], [np.inf, np.inf]]])
    assert float(results.error_bound.max()) < 1e-9


def _same_optimum(landscape, optimum):
    ce, best = optimum.cross_entropy, optimum.accuracy
    assert landscape.optimum_a == pytest.approx(ce.a, rel=1e-9)
    assert landscape.optimum_b == pytest.approx(ce.b, rel=1e-9)
    assert landscape.least_cross_entropy == pytest.approx(ce.value)
    flags = landscape.optimum_status.attrs["flag_meanings"].split()
    assert flags[int(landscape.optimum_status)] == "finite"
    assert landscape.highest_accuracy == best.value
    assert landscape.optimal_cuts == len(best.cuts)
    cut = (landscape.optimal_cut_low, landscape.optimal_cut_high, landscape.optimal_cut_orientation)
    assert tuple(map(float, cut)) in best.cuts
    assert landscape.shared == optimum.shared
    assert landscape.regret == pytest.approx(optimum.regret)
    assert landscape.distance == pytest.approx(optimum.distance, rel=1e-6)


def test_the_store_says_what_it_was_computed_from(whole):
    with xr.open_zarr(whole / "results.zarr") as results:
        assert sweep.Spec.read(whole / "spec.toml") == SPEC
        assert results.attrs["spec"] == SPEC.to_toml() == (whole / "spec.toml").read_text()
        assert results.attrs["spec_fingerprint"] == SPEC.fingerprint
        assert results.attrs["device"].startswith("cpu")
        assert results.attrs["numpy_version"] == np.__version__
        assert results.cross_entropy.attrs["units"] == "nats"
        assert results.cross_entropy.chunks[-2:] == ((3, 2), (3,))


def test_files_of_data_have_their_own_dimension(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        x = rng.normal(size=30)
        rows = zip(x, rng.random(30) < 1 / (1 + np.exp(-x)), strict=True)
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "".join(f"{x},{int(y)}\n" for x, y in rows))
    spec = sweep.Spec(
        data=["one.csv", "two.csv"], a="-1:1:3", b="0,1", base=tmp_path, optimum=False
    )
    sweep.run(spec, tmp_path / "out")
    with xr.open_zarr(tmp_path / "out" / "results.zarr") as results:
        assert results.cross_entropy.dims == ("data", "a", "b")
        assert list(results.data.values) == ["one.csv", "two.csv"]
        assert "optimum_a" not in results
        np.testing.assert_array_equal(results.points, [30, 30])
        cells = sweep.landscape(sweep.data.load(tmp_path / "two.csv"), "-1:1:3", "0,1")
        np.testing.assert_allclose(results.cross_entropy[1], cells.cross_entropy, rtol=1e-12)
    (tmp_path / "two.csv").write_text("x,y\n1,0\n2,1\n")
    with pytest.raises(InputError, match=r"two\.csv has changed since the run began"):
        sweep.resume(tmp_path / "out")


class Backwards(Serial):
    """Does the last task first, and every third one twice, as if its worker had died."""

    slots = 3

    def run(self, function, items):
        for index in reversed(range(len(items))):
            for _ in range(1 + (index % 3 == 0)):
                result = function(items[index])
            yield index, result


def test_the_order_of_the_tasks_does_not_matter(whole, tmp_path):
    status = sweep.run(SPEC, tmp_path / "out", engine=Backwards())
    assert (status.state.name, status.done, status.total) == ("finished", TASKS, TASKS)
    assert store(tmp_path / "out") == store(whole)


# --- what stops it ------------------------------------------------------------------------------


def _dying(function, call, after):
    """The function, which at its call of that number never returns, or never begins."""
    calls = iter(range(10**6))

    def dies(*arguments, **options):
        last = next(calls) == call
        if last and not after:
            raise Killed
        result = function(*arguments, **options)
        if last:
            raise Killed
        return result

    return dies


def _half_a_mark(append):
    def torn(writer, event):
        if event.get("task") != 5:
            return append(writer, event)
        os.write(writer._file, log.line(event).encode()[:-20])
        raise Killed

    return torn


def _half_a_chunk(write):
    def torn(store, task, *rest):
        if task != 5:
            return write(store, task, *rest)
        (path,) = store.chunks(task)["accuracy"]
        path.with_name(f"{path.name}.1234{files.PARTIAL}").write_bytes(b"half of a ch")
        raise Killed

    return torn


def _one_chunk_of_two(replace):
    def stops(path, content, **options):
        replace(path, content, **options)
        if path.match("cross_entropy/c.0.1.0.0.0"):
            raise Killed

    return stops


WRITE, REPLACE = "sweep.runs.store.Store.write", "sweep.base.files.replace"
POINTS = {
    "only its beginning": ("sweep.runs.store.Store.repair", partial(_dying, call=0, after=False)),
    "half a store": (REPLACE, partial(_dying, call=20, after=False)),
    "no data": (WRITE, partial(_dying, call=5, after=False)),
    "half a chunk": (WRITE, _half_a_chunk),
    "one chunk of two": (REPLACE, _one_chunk_of_two),
    "data but no mark": (WRITE, partial(_dying, call=5, after=True)),
    "half a mark": ("sweep.runs.log.Writer._append", _half_a_mark),
    "a mark": ("sweep.runs.log.Writer.mark", partial(_dying, call=5, after=True)),
    "no tables": ("sweep.runs.store.Store.write_tables", partial(_dying, call=1, after=False)),
}
"""Where a run is killed, by what is there then: a function, and what makes it deadly."""


@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_at_any_point_ends_with_the_same_store(
    whole, tmp_path, monkeypatch, deadly, computed, point
):
    out, (name, dying) = tmp_path / "out", POINTS[point]
    with monkeypatch.context() as patch:
        patch.setattr(name, dying(resolve_name(name)))
        with pytest.raises(Killed):
            sweep.run(SPEC, out)
    marked = set(log.read(out / "events.jsonl").done)
    computed.clear()
    assert sweep.resume(out).state.name == "finished"
    assert sorted(computed) == sorted(set(range(TASKS)) - marked)
    assert store(out) == store(whole)


SCRIPT = """
import os, signal, sys, sweep
from tests.support.swept import SPEC, TASKS, events, store

def die(event):
    if event["event"] == "task" and event["done"] == 7:
        os.kill(os.getpid(), signal.SIGKILL)

sweep.run(SPEC, sys.argv[1], on_event=die)
"""


def test_kill_9_leaves_no_lock_and_loses_nothing(whole, tmp_path, computed):
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(out)], check=False)
    assert done.returncode == -signal.SIGKILL
    status = sweep.status(out)
    assert (status.state.name, status.done) == ("interrupted", 7)
    sweep.resume(out)
    assert computed == [7, 8, 9]
    assert store(out) == store(whole)


def test_a_disk_without_room_for_a_beginning_leaves_no_run_to_resume(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "out"
    monkeypatch.setattr(files, "replace", full)
    with pytest.raises(InputError, match=r"No space left on device\); the run did not begin"):
        sweep.run(SPEC, out)
    monkeypatch.undo()
    assert sweep.run(SPEC, out).state.name == "finished"


def test_ctrl_c_drops_the_task_and_says_how_to_continue(whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "checksum", _interrupting(store_module.checksum, 5))
        sentence = r"out: interrupted with 2 of 10 tasks done; continue with `sweep resume .*out`"
        with pytest.raises(KeyboardInterrupt, match=sentence):
            sweep.run(SPEC, out)
    with xr.open_zarr(out / "results.zarr") as results:
        assert int(results.accuracy.notnull().sum()) == 15
        assert int(results.optimum_a.notnull().sum()) == 1
    assert sweep.status(out).state.name == "interrupted"
    sweep.resume(out)
    assert store(out) == store(whole)


def _interrupting(function, call):
    calls = iter(range(10**6))

    def interrupts(content):
        if next(calls) == call:
            raise KeyboardInterrupt
        return function(content)

    return interrupts


def _full_from(function, is_last):
    """The function on a disk that is full from a call on that `is_last` tells."""
    full = []

    def fails(*arguments, **options):
        full.extend([True] * is_last(*arguments))
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*arguments, **options)

    return fails


FULL = {
    REPLACE: lambda path, content: path.match("cross_entropy/c.0.1.0.0.0"),
    "sweep.runs.log.Writer._append": lambda writer, event: event.get("task") == 4,
}


@pytest.mark.parametrize("name", FULL)
def test_a_full_disk_is_one_sentence_and_the_store_stays_valid(whole, tmp_path, monkeypatch, name):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(name, _full_from(resolve_name(name), FULL[name]))
        with pytest.raises(
            InputError, match=r"out: cannot be written \(No space left on device\); finished tasks"
        ):
            sweep.run(SPEC, out)
    with xr.open_zarr(out / "results.zarr") as results:
        assert int(results.accuracy.notnull().sum()) == 30
    assert sweep.status(out).done == 4
    sweep.resume(out)
    assert len(events(out, "task")) == TASKS
    assert store(out) == store(whole)


def test_a_task_that_fails_does_not_stop_the_others(whole, tmp_path, monkeypatch):
    out, sample = tmp_path / "out", landscapes.sample

    def refuses(law, n, seed):
        if n == 20 and seed == 3:
            raise InputError("it is Sunday")
        return sample(law, n, seed)

    with monkeypatch.context() as patch:
        patch.setattr(landscapes, "sample", refuses)
        sentence = r"2 of 10 tasks failed, the first \(.*seed 3.*\) because it is Sunday"
        with pytest.raises(InputError, match=sentence):
            sweep.run(SPEC, out)
    status = sweep.status(out)
    assert (status.state.name, status.done, status.failed) == ("interrupted", 8, 2)
    with xr.open_zarr(out / "results.zarr") as opened:
        assert int(opened.accuracy.isnull().sum()) == 15
    sweep.resume(out)
    assert store(out) == store(whole)


# --- what is damaged ----------------------------------------------------------------------------


CHUNK = "accuracy/c.0.1.1.1.0"
TASK = 7


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "is missing": lambda path: path.unlink(),
    "is truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "is corrupted": _flip,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_is_noticed_and_computed_again(whole, copy, computed, damage):
    DAMAGES[damage](copy / "results.zarr" / CHUNK)
    sweep.resume(copy)
    (event,) = events(copy, "damaged")
    assert event["sentence"] == f"results.zarr/{CHUNK} {damage}, so task {TASK} is computed again"
    assert computed == [TASK]
    assert store(copy) == store(whole)


def test_one_damaged_copy_of_what_all_seeds_share_is_noticed(whole, copy, computed):
    _flip(copy / "results.zarr" / "cross_entropy" / "c.0.2.1.0.0")
    sweep.resume(copy)
    assert computed == [8]
    assert store(copy) == store(whole)


def test_a_damaged_line_of_the_log_is_noticed(whole, copy, computed):
    lines = (copy / "events.jsonl").read_text().splitlines()
    lines[4] = lines[4].replace('"task": 3', '"task": 2')
    (copy / "events.jsonl").write_text("\n".join(lines) + "\n")
    sweep.resume(copy)
    assert [event["lines"] for event in events(copy, "torn")] == [1]
    assert computed == [3]
    assert store(copy) == store(whole)
    assert log.read(copy / "events.jsonl").broken == 0


def test_damaged_metadata_and_a_lost_spec_are_restored(whole, copy, computed):
    (copy / "results.zarr" / "zarr.json").write_text("{")
    (copy / "results.zarr" / "a" / "c.0").unlink()
    (copy / "spec.toml").unlink()
    sweep.resume(copy)
    assert [event["file"] for event in events(copy, "repaired")] == ["zarr.json"]
    assert computed == []
    assert store(copy) == store(whole)
    assert (copy / "spec.toml").read_bytes() == (whole / "spec.toml").read_bytes()


def test_what_killed_processes_left_is_removed_and_nothing_else(whole, copy):
    leftovers = ("accuracy/c.0.1.1.1.0.ab.partial", "accuracy/c.7.0.0.0.0", "a/zarr.json.c.partial")
    for name in leftovers:
        (copy / "results.zarr" / name).write_text("half")
    (copy / "results.zarr" / "accuracy" / "notes.txt").write_text("mine")
    sweep.resume(copy)
    assert [event["files"] for event in events(copy, "cleared")] == [len(leftovers)]
    assert store(copy) == store(whole) | {"accuracy/notes.txt": b"mine"}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("device", "gpu: H100, x86_64", r"computes on cpu: .*, but the run on gpu: H100, x86_64;"),
        ("sources", "ab", r"a worker has other code of sweep than this process; their results"),
    ],
)
def test_a_worker_that_would_compute_otherwise_computes_nothing(copy, name, value, sentence):
    (copy / "results.zarr" / "accuracy" / "c.0.0.0.0.0").unlink()
    record = Directory(copy).read()
    changes = {"device": value} if name == "device" else {"versions": {name: value}}
    job = store_module.RunJob(copy, SPEC, msgspec.structs.replace(record, **changes))
    with pytest.raises(InputError, match=sentence):
        store_module.compute(job, 0)
    assert not (copy / "results.zarr" / "accuracy" / "c.0.0.0.0.0").exists()


def test_a_finished_run_has_nothing_left_to_do(whole, copy, computed):
    assert sweep.resume(copy).state.name == "finished"
    assert computed == []
    assert len(events(copy, "finished")) == 2
