"""The log of a run: a line that is not what was written is noticed."""

import json
import os
import resource
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.base import files
from sweep.runs import log
from sweep.runs.log import Chunk, Done
from tests.support.swept import done_task

TASKS = st.builds(
    Done,
    st.integers(0, 10**7),
    st.floats(0, 1e6),
    st.dictionaries(st.text(), st.builds(Chunk, st.text(), st.integers(0, 10**9)), max_size=3),
    st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
)


def _line(done):
    """The line of a task that is done."""
    return log.line(log.task_event(done, {"seconds": done.seconds}))


@given(TASKS)
def test_a_line_of_the_log_reads_back(done):
    content = log.Log()
    content.add(log.parsed(_line(done)))
    assert content.done == {done.task: done}
    assert "\n" not in _line(done)


@given(TASKS, st.data())
def test_a_line_with_any_byte_changed_or_cut_off_is_noticed(done, data):
    line = _line(done)
    k = data.draw(st.integers(0, len(line) - 1))
    assert log.parsed(line[:k]) is None
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != line[k]))
    assert log.parsed(line[:k] + other + line[k + 1 :]) is None


def test_a_torn_last_line_is_removed_and_the_next_one_begins_anew(tmp_path):
    path = tmp_path / "events.jsonl"
    first = _line(done_task(0))
    path.write_text(f"{first}\n{_line(done_task(1))[:-9]}")
    assert (log.read(path).done, log.read(path).broken) == ({0: done_task(0)}, 1)
    assert log.repair(path).broken == 1
    assert path.read_text() == f"{first}\n"
    writer = log.Writer(path)
    with writer.alive():
        writer.mark(done_task(2), seconds=0.25)
    content = log.read(path)
    assert (content.done, content.broken) == ({0: done_task(0), 2: done_task(2)}, 0)


@pytest.mark.parametrize("text", ["", "torn", "torn" * 40_000, "torn\n"])
def test_lines_are_only_added_to_whole_ones(tmp_path, text):
    path = tmp_path / "lines"
    first = log.line({"event": "first"}) + "\n"
    path.write_text(first + text)
    log.repair(path)
    writer = log.Writer(path)
    with writer.alive():
        writer("second")
    lines = path.read_text().splitlines(keepends=True)
    assert lines[0] == first
    assert [json.loads(line)["event"] for line in lines] == ["first", "second"]


def test_a_task_whose_chunks_are_damaged_is_not_done_until_it_is_done_again(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = log.Writer(path)
    with writer.alive():
        writer.mark(done_task(4), seconds=0.25)
        writer("damaged", task=4)
        assert log.read(path).done == {}
        writer.mark(done_task(4), seconds=0.25)
    assert log.read(path).done == {4: done_task(4)}


def test_a_disk_that_takes_half_of_a_line_gives_it_back(tmp_path):
    path = tmp_path / "lines"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = log.Writer(path)
    with writer.alive():
        writer("first")
        before = path.read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, hard))
        try:
            with pytest.raises(OSError, match="No space left"):
                writer.mark(done_task(0), seconds=0.25)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == before
        writer("second")
    assert (log.read(path).broken, log.read(path).latest["event"]) == (0, "second")


def test_a_log_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "INTERVAL", 0.01)
    path = tmp_path / "events.jsonl"
    with log.Writer(path).alive():
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime == pytest.approx(time.time(), abs=9)
    os.utime(path, (0, 0))
    time.sleep(0.05)
    assert path.stat().st_mtime == 0


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
