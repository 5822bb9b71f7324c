import os

import numpy as np
import pytest
import xarray as xr

from sweep import InputError
from sweep.base import files, storage

DATASET = xr.Dataset({"v": ("a", np.arange(3.0))})


@pytest.mark.parametrize("name", ["r.nc", "r.zarr"])
def test_existing_output_is_overwritten_only_by_force(tmp_path, name):
    path = tmp_path / name
    storage.save(DATASET, path)
    with pytest.raises(InputError, match="exists already; it is overwritten only with --force"):
        storage.save(DATASET + 1, path)
    storage.save(DATASET + 1, path, force=True)
    read = xr.open_dataset if name.endswith(".nc") else xr.open_zarr
    with read(path) as loaded:
        assert loaded.v[0] == 1
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_zarr_store_takes_the_place_of_a_file(tmp_path):
    (tmp_path / "r.zarr").write_text("a file")
    storage.save(DATASET, tmp_path / "r.zarr", force=True)
    with xr.open_zarr(tmp_path / "r.zarr") as loaded:
        assert loaded.v[2] == 2


def test_formats_are_told_by_the_suffix(tmp_path):
    with pytest.raises(InputError, match=r"results are written as \.nc or \.zarr"):
        storage.save(DATASET, tmp_path / "r.csv")


def test_a_failed_overwrite_of_a_zarr_store_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "r.zarr"
    storage.save(DATASET, path)
    replace = os.replace

    def fail_to_move_into_place(source, target):
        if target == path and ".partial" in source.name:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", fail_to_move_into_place)
    with pytest.raises(KeyboardInterrupt):
        storage.save(DATASET + 1, path, force=True)
    with xr.open_zarr(path) as loaded:
        assert loaded.v[0] == 0
    assert [p.name for p in tmp_path.iterdir()] == ["r.zarr"]


def test_a_directory_that_is_no_zarr_store_is_never_overwritten(tmp_path):
    folder = tmp_path / "mine.zarr"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="is a directory and stays as it is"):
        storage.save(DATASET, folder, force=True)
    assert (folder / "letter.txt").read_text() == "dear"
