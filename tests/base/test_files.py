import errno
import os

import pytest

from sweep import InputError
from sweep.base import files


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("bug")])
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_an_interruption_leaves_nothing_half_written(tmp_path, error, suffix):
    def write():
        with files.staged(tmp_path / f"r{suffix}") as partial:
            assert partial.suffix == suffix
            if suffix == ".zarr":
                partial.mkdir()
                (partial / "chunk").write_text("half")
            else:
                partial.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_overwrite_keeps_what_was_there(tmp_path):
    path = tmp_path / "r.nc"
    path.write_text("old")

    def write():
        with files.staged(path, force=True) as partial:
            partial.write_text("half of the new")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"r\.nc: cannot be written \(No space left on device\)"):
        write()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.nc"]


def test_destinations_that_cannot_be_written_are_refused_beforehand(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.nc").mkdir()
    for path, sentence in (
        (tmp_path / "missing" / "r.nc", "there is no directory"),
        (tmp_path / "file" / "r.nc", "is not a directory"),
        (tmp_path / "folder.nc", "is a directory and stays as it is"),
    ):
        with pytest.raises(InputError, match=sentence):
            files.require_free(path, force=True)


def test_links_are_written_through_and_special_files_left_alone(tmp_path):
    (tmp_path / "real.nc").write_text("old")
    (tmp_path / "link.nc").symlink_to("real.nc")
    with pytest.raises(InputError, match="exists already"):
        files.require_free(tmp_path / "link.nc")
    with files.staged(tmp_path / "link.nc", force=True) as partial:
        partial.write_text("new")
    assert (tmp_path / "link.nc").is_symlink()
    assert (tmp_path / "real.nc").read_text() == "new"
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(InputError, match="neither a file nor a directory"):
        files.require_free(tmp_path / "pipe.nc", force=True)


def test_a_read_only_directory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="is read-only"):
        files.require_free(tmp_path / "r.nc")
