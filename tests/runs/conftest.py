"""Fixtures for the tests of runs."""

import pytest

from sweep.base import devices, provenance
from sweep.runs import store
from sweep.runs.directory import Directory, RunRecord
from tests.support.swept import SPEC


@pytest.fixture
def begun(tmp_path):
    """The directory of a run that began, but computed nothing."""
    directory = Directory(tmp_path / "out")
    directory.path.mkdir()
    base, device = str(tmp_path.absolute()), devices.describe()
    record = RunRecord(SPEC.to_toml(), SPEC.fingerprint, base, provenance.versions(), device, ())
    directory.begin(record)
    return directory


@pytest.fixture
def computed(monkeypatch):
    """Numbers of the tasks that are computed from here on."""
    numbers, compute = [], store.compute

    def counting(job, number):
        numbers.append(number)
        return compute(job, number)

    monkeypatch.setattr(store, "compute", counting)
    return numbers
