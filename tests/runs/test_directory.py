"""The files of a run: one that is not what was written is seen, and strange ones are refused."""

import contextlib
import dataclasses
import json
import math
import os
import resource
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sweep
from sweep import InputError
from sweep.base import files, provenance
from sweep.runs import heartbeat, journal, tasks
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.heartbeat import Beat
from sweep.runs.journal import Chunk, Done
from tests.support.swept import SPEC, TASKS

NUMBERS = st.floats(allow_nan=False)
DONE = st.builds(
    Done,
    st.integers(0, 10**7),
    st.floats(0, 1e6),
    st.dictionaries(st.text(), st.builds(Chunk, st.text(), st.integers(0, 10**9)), max_size=3),
    st.dictionaries(st.text(), NUMBERS, max_size=3),
)


# --- the journal --------------------------------------------------------------------------------


@given(DONE)
def test_a_line_of_the_journal_reads_back(done):
    assert journal.parsed(journal.line(done)) == done
    assert "\n" not in journal.line(done)


@given(DONE, st.data())
def test_a_line_with_any_byte_changed_or_cut_off_is_seen(done, data):
    line = journal.line(done)
    at = data.draw(st.integers(0, len(line) - 1))
    assert journal.parsed(line[:at]) is None
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != line[at]))
    assert journal.parsed(line[:at] + other + line[at + 1 :]) is None


def _done(task):
    return Done(task, 0.25, {"accuracy": Chunk("ab", 7)}, {"distance": math.inf})


def test_a_torn_last_line_is_not_read_and_the_next_one_begins_anew(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text(f"{journal.line(_done(0))}\n{journal.line(_done(1))[:-9]}")
    assert journal.read(path) == ({0: _done(0)}, 1, 1)
    with contextlib.closing(files.Lines(path)) as lines:
        journal.append(lines, _done(2))
    assert journal.read(path) == ({0: _done(0), 2: _done(2)}, 2, 0)


@pytest.mark.parametrize("text", ["", "a\n", "torn", "a\nto", "a\n" + "torn" * 40_000])
def test_lines_are_only_added_to_whole_ones(tmp_path, text):
    path = tmp_path / "lines"
    path.write_text(text)
    with contextlib.closing(files.Lines(path)) as lines:
        lines.append("b")
    assert path.read_text() == ("a\n" if text.startswith("a\n") else "") + "b\n"


def test_a_disk_that_takes_half_of_a_line_gives_it_back(tmp_path):
    path = tmp_path / "lines"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with contextlib.closing(files.Lines(path)) as lines:
        lines.append("a" * 10)
        resource.setrlimit(resource.RLIMIT_FSIZE, (15, hard))
        try:
            with pytest.raises(OSError, match="No space left"):
                lines.append("b" * 10)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        lines.append("c")
    assert path.read_text() == "a" * 10 + "\nc\n"


def test_a_file_that_cannot_be_written_whole_stays_what_it_was(tmp_path):
    path = tmp_path / "file"
    files.replace(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.replace(path, b"n" * 101)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# --- tasks --------------------------------------------------------------------------------------


@given(
    st.integers(1, 3),
    st.sets(st.sampled_from([10, 20, 30, math.inf]), min_size=1),
    st.integers(1, 3),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)),
)
def test_tasks_write_every_chunk_once(laws, sizes, seeds, grid):
    rows, columns, side = grid
    spec = sweep.Spec(
        population=["W1", "D1", "D2"][:laws],
        n=sorted(sizes),
        seed=list(range(seeds)),
        a=[float(k) for k in range(rows)],
        b=[float(k) for k in range(columns)],
        tile=side,
    )
    every = [tasks.task(spec, index) for index in range(tasks.count(spec))]
    chunks = [(*place, one.row, one.column) for one in every for place in one.places]
    shape = (laws, len(sizes), seeds, *spec.tiles)
    assert len(set(chunks)) == len(chunks) == math.prod(shape)
    assert all(0 <= k < most for chunk in chunks for k, most in zip(chunk, shape, strict=True))
    cells = sum(
        math.prod(len(range(*part.indices(10))) for part in tasks.slices(spec, one))
        for one in every
    )
    samples = laws * (len(sizes) * seeds - (math.inf in sizes) * (seeds - 1))
    assert cells == samples * rows * columns


# --- who may write ------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path):
    """The directory of a run that was begun, of which nothing is computed."""
    from sweep.base import devices

    directory = Directory(tmp_path / "out")
    directory.path.mkdir()
    base, device = str(tmp_path.absolute()), devices.describe()
    made = RunRecord(SPEC.to_toml(), SPEC.fingerprint, base, provenance.versions(), device, ())
    directory.begin(made)
    return directory


def _edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"versions": provenance.versions() | {"jax": "0.1", "numpy": "1.0"}},
            r"out: was begun with jax 0\.1, numpy 1\.0, and here is jax [0-9.]+, numpy [0-9.]+;",
        ),
        (
            {"versions": provenance.versions() | {"sources": "ab"}},
            r"out: was begun with other code of sweep [0-9.]+ than is here; results of both must",
        ),
        ({"device": "gpu: H100, x86_64"}, r"out: was begun on gpu: H100, x86_64, and here is cpu"),
        ({"format": 2}, "was written by a newer sweep, in format 2; this one reads 1"),
        ({"format": None}, r"run\.json: is damaged"),
        ({"base": 3}, r"run\.json: is damaged"),
    ],
)
def test_a_run_of_something_else_is_not_gone_on_with(begun, changes, sentence):
    _edit(begun.begun, **changes)
    before = sorted(begun.path.iterdir())
    with pytest.raises(InputError, match=sentence):
        sweep.resume(begun.path)
    assert sorted(begun.path.iterdir()) == before


def test_a_changed_spec_is_refused_by_the_name_of_what_changed(begun):
    text = begun.spec.read_text()
    begun.spec.write_text(f"# the same\n{text}".replace('"-2:2:5"', "[-2.0, -1.0, 0.0, 1.0, 2.0]"))
    spec = begun.require_spec(begun.read())
    assert spec == SPEC
    begun.spec.write_text(text.replace("seed = [0, 3]", "seed = [0, 4]").replace("1e-09", "1e-06"))
    with pytest.raises(
        InputError, match=r"changed since the run began \(seed, tolerance differs\)"
    ):
        sweep.resume(begun.path)
    begun.spec.write_text("seed = [")
    with pytest.raises(InputError, match=r"spec\.toml, line 1: is not TOML"):
        sweep.resume(begun.path)


@pytest.mark.parametrize(
    ("before", "after"), [("seed = [0, 3]", "seed = [0, 1]"), ("seed = [0, 3]", "seed = [0, 3")]
)
def test_a_spec_that_was_damaged_in_run_json_is_not_gone_on_with(begun, before, after):
    _edit(begun.begun, spec=json.loads(begun.begun.read_text())["spec"].replace(before, after))
    with pytest.raises(InputError, match=r"run\.json: is damaged"):
        sweep.resume(begun.path)


def test_a_second_writer_is_refused_and_told_who_is_the_first(begun):
    begun.heartbeat.write_text(json.dumps(dataclasses.asdict(Beat.begin(TASKS))))
    with (
        begun.held(),
        pytest.raises(InputError, match=rf"out: process {os.getpid()} on .* is writing to it"),
    ):
        sweep.resume(begun.path)
    with begun.held():  # it was given back
        pass


def test_a_directory_that_is_not_free_is_refused(begun, tmp_path, monkeypatch):
    for name, sentence in (
        ("out", "holds this run already; go on with it by `sweep resume .*out`"),
        ("mine", "mine: is not empty and no run; choose another directory"),
        ("file", "file: is not a directory and stays as it is"),
        ("no/out", "cannot be made because there is no directory .*no$"),
    ):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / "thesis.tex").touch()
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=sentence):
            sweep.run(SPEC, tmp_path / name)
    other = sweep.Spec(population="W1", n=[20, 40, math.inf], seed=[1], a="-2:2:5", b="-1:1:3")
    with pytest.raises(InputError, match=r"holds another run \(seed, tile differs\)"):
        sweep.run(other, tmp_path / "out")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match=r"new: cannot be written because .* is read-only"):
        sweep.run(SPEC, tmp_path / "new")


def test_a_disk_that_is_full_before_it_begins_is_one_sentence(tmp_path, monkeypatch):
    def full(path, content, **options):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(files, "replace", full)
    with pytest.raises(InputError, match=r"out: cannot be written \(No space left on device\)"):
        sweep.run(SPEC, tmp_path / "out")
    with pytest.raises(InputError, match="was interrupted before its run began; begin it again"):
        sweep.resume(tmp_path / "out")
    assert Directory(tmp_path / "out").unused()


def test_what_is_no_run_is_neither_gone_on_with_nor_told_of(tmp_path):
    for function in (sweep.resume, sweep.status):
        with pytest.raises(InputError, match="no such directory; begin a run with `sweep run`"):
            function(tmp_path / "none")
        with pytest.raises(InputError, match=r"is no run, for it has no run\.json"):
            function(tmp_path)


# --- status -------------------------------------------------------------------------------------


def _beating(directory, **changes):
    beat = dataclasses.asdict(Beat.begin(TASKS)) | changes
    directory.heartbeat.write_text(json.dumps(beat))
    return sweep.status(directory.path)


def test_status_tells_what_a_run_is_at(begun):
    assert sweep.status(begun.path).state.name == "interrupted"
    now = time.time()
    with contextlib.closing(files.Lines(begun.journal)) as lines:
        for task in (0, 1, 8):
            journal.append(lines, _done(task))
    found = _beating(begun, started=now - 8, before=1, done=3, in_flight=1)
    assert (found.state.name, found.done, found.total, found.in_flight) == ("running", 3, TASKS, 1)
    assert found.rate == pytest.approx(2 / 8, rel=0.1)
    assert found.eta == pytest.approx(7 * 4, rel=0.1)
    assert found.size == 7 * (1 + 1 + 2)  # of the law itself, a chunk for every seed
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
    journal.rewrite(directory.journal, map(_done, range(0, 10_000, 2)))
    script = (
        "import sys, sweep\n"
        f"found = sweep.status({str(directory.path)!r})\n"
        "assert (found.done, found.total, found.size) == (5000, 10000, 35000), found\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"jax", "xarray", "zarr", "pandas", "scipy", "filelock"} & set(done.stdout.split())
