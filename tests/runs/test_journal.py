"""The journal of a run: a line that is not what was written is noticed."""

import contextlib
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.base import files
from sweep.runs import journal
from sweep.runs.journal import Chunk, Done
from tests.support.swept import done_task

NUMBERS = st.floats(allow_nan=False)
DONE = st.builds(
    Done,
    st.integers(0, 10**7),
    st.floats(0, 1e6),
    st.dictionaries(st.text(), st.builds(Chunk, st.text(), st.integers(0, 10**9)), max_size=3),
    st.dictionaries(st.text(), NUMBERS, max_size=3),
)


@given(DONE)
def test_a_line_of_the_journal_reads_back(done):
    assert journal.parsed(journal.line(done)) == done
    assert "\n" not in journal.line(done)


@given(DONE, st.data())
def test_a_line_with_any_byte_changed_or_cut_off_is_noticed(done, data):
    line = journal.line(done)
    k = data.draw(st.integers(0, len(line) - 1))
    assert journal.parsed(line[:k]) is None
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != line[k]))
    assert journal.parsed(line[:k] + other + line[k + 1 :]) is None


def test_a_torn_last_line_is_not_read_and_the_next_one_begins_anew(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text(f"{journal.line(done_task(0))}\n{journal.line(done_task(1))[:-9]}")
    assert journal.read(path) == ({0: done_task(0)}, 1, 1)
    with contextlib.closing(files.Lines(path)) as lines:
        journal.append(lines, done_task(2))
    assert journal.read(path) == ({0: done_task(0), 2: done_task(2)}, 2, 0)


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
