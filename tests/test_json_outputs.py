"""What commands print with `--json` is what version 0.1.0 printed: keys, numbers and names.

The record, with the files that the commands read, is `reference/json_outputs.json`. Sentences may
be reworded, and values that depend on the moment or the machine are not compared.
"""

import json
from pathlib import Path

import pytest

RECORD = json.loads((Path(__file__).parent / "reference" / "json_outputs.json").read_text())

MOMENTARY = {
    "time", "pid", "host", "seconds", "rate", "eta", "silence", "started", "size", "device",
    "sweep_version", "jax_version",
}  # fmt: skip
"""Keys whose values depend on the moment, the machine or the version."""

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""Room for the last digits, which depend on the processor."""


def _compared(value):
    """The value without what may differ; sentences and paths keep only that they are text."""
    if isinstance(value, dict):
        return {
            key: None if key in MOMENTARY or key.startswith("seconds_") else _compared(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_compared(item) for item in value]
    return "text" if isinstance(value, str) and " " in value else value


def _require_equal(ours, recorded, where):
    if isinstance(recorded, dict):
        assert list(ours) == list(recorded), where
        for key in recorded:
            _require_equal(ours[key], recorded[key], f"{where}.{key}")
    elif isinstance(recorded, list):
        assert len(ours) == len(recorded), where
        for row, pair in enumerate(zip(ours, recorded, strict=True)):
            _require_equal(*pair, f"{where}[{row}]")
    elif isinstance(recorded, float):
        assert ours == pytest.approx(recorded, rel=RELATIVE, abs=ABSOLUTE), where
    else:
        assert ours == recorded, where


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the commands read; later commands read what earlier wrote."""
    path = tmp_path_factory.mktemp("outputs")
    for name, text in RECORD["files"].items():
        (path / name).write_text(text)
    return path


@pytest.mark.parametrize("name", RECORD["commands"])
def test_the_output_is_as_recorded(name, folder, run, monkeypatch):
    entry = RECORD["commands"][name]
    monkeypatch.chdir(folder)
    code, out, err = run(*entry["command"].split(), "--json")
    assert code == 0, err
    documents = [json.loads(line) for line in out.splitlines()]
    for ours, recorded in zip(documents, entry["output"], strict=True):
        _require_equal(_compared(ours), _compared(recorded), name)
