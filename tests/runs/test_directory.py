"""The directory of a run: who may write to it, and what `run` and `resume` refuse."""

import json
import math
import os
import re

import pytest

import sweep
from sweep import InputError
from sweep.base import files, provenance
from sweep.runs.directory import Directory, require_spec
from tests.support.swept import SPEC, write_log


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
        (
            {"versions": provenance.versions() | {"sweep": "0.0.1", "sources": "ab"}},
            rf"out: .* sweep 0\.0\.1, and here is sweep {re.escape(sweep.__version__)}; results of",
        ),
        ({"device": "gpu: H100, x86_64"}, r"out: was begun on gpu: H100, x86_64, and here is cpu"),
        ({"format": 1}, "was written by an older version of sweep, in format 1; this version"),
        ({"format": 3}, "was written by a newer version of sweep, in format 3; this version"),
        ({"format": None}, r"run\.json: is damaged"),
        ({"base": 3}, r"run\.json: is damaged"),
    ],
)
def test_a_run_of_another_version_device_or_format_is_not_resumed(begun, changes, sentence):
    _edit(begun.run_json, **changes)
    before = sorted(begun.path.iterdir())
    with pytest.raises(InputError, match=sentence):
        sweep.resume(begun.path)
    assert sorted(begun.path.iterdir()) == before


def test_a_changed_spec_is_refused_by_the_name_of_what_changed(begun):
    text = begun.spec.read_text()
    begun.spec.write_text(f"# the same\n{text}".replace('"-2:2:5"', "[-2.0, -1.0, 0.0, 1.0, 2.0]"))
    spec = require_spec(begun, begun.read())
    assert spec == SPEC
    begun.spec.write_text(text.replace("seed = [0, 3]", "seed = [0, 4]").replace("1e-09", "1e-06"))
    with pytest.raises(
        InputError, match=r"has changed since the run began \(seed, tolerance differs\)"
    ):
        sweep.resume(begun.path)
    begun.spec.write_text("seed = [")
    with pytest.raises(InputError, match=r"spec\.toml, line 1: is not TOML"):
        sweep.resume(begun.path)


@pytest.mark.parametrize(
    ("before", "after"), [("seed = [0, 3]", "seed = [0, 1]"), ("seed = [0, 3]", "seed = [0, 3")]
)
def test_a_run_whose_spec_is_damaged_in_run_json_is_not_resumed(begun, before, after):
    spec = json.loads(begun.run_json.read_text())["spec"]
    _edit(begun.run_json, spec=spec.replace(before, after))
    with pytest.raises(InputError, match=r"run\.json: is damaged"):
        sweep.resume(begun.path)


def test_a_second_writer_is_refused_and_told_who_is_the_first(begun):
    write_log(begun, {"name": "started", "pid": 7, "host": "there"})
    with (
        begun.locked(),
        pytest.raises(InputError, match=r"out: process 7 on there is writing to it"),
    ):
        sweep.resume(begun.path)
    with begun.locked():  # it was released
        pass


def test_a_directory_that_is_not_free_is_refused(begun, tmp_path, monkeypatch):
    for name, sentence in (
        ("out", "holds this run already; continue it with `sweep resume .*out`"),
        ("mine", "mine: is not empty and not a run; choose another directory"),
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
    with pytest.raises(InputError, match="was interrupted before its run began; use `sweep run`"):
        sweep.resume(tmp_path / "out")
    assert Directory(tmp_path / "out").unused()


def test_a_directory_without_a_run_is_refused_by_resume_and_status(tmp_path):
    for function in (sweep.resume, sweep.status):
        with pytest.raises(InputError, match="no such directory; start a run with `sweep run`"):
            function(tmp_path / "none")
        with pytest.raises(InputError, match=r"is not a run \(it has no run\.json\)"):
            function(tmp_path)
