"""Several devices: a second process splits the host's processor into two."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import sweep
from sweep import Sample
from sweep.base import devices
from sweep.measure.compression.scatter import order
from tests.support.checkout import ROOT

CODE = (
    "import json; from tests.base.test_devices import landscapes; print(json.dumps(landscapes()))"
)


def landscapes():
    """Values of compressed landscapes, with the devices that computed them."""
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=20_001), rng.random(20_001) < 0.4, rng.uniform(size=20_001)
    values = {}
    for name, sample in (("plain", Sample(x, y)), ("weighted", Sample(x, y, weight))):
        grid = sweep.landscape(sample, "-10:10:130", "-5:5:33", method="compressed")
        values[name] = grid.cross_entropy.values.tolist()
        values[f"{name}_accuracy"] = grid.accuracy.values.tolist()
    return values | {"devices": len(jax.devices()), "device": grid.attrs["device"]}


def on_two_devices():
    """The values of `landscapes` from a process with two devices."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment, cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_two_devices_give_the_numbers_of_one():
    one, two = landscapes(), on_two_devices()
    assert (one["devices"], two["devices"]) == (1, 2)
    assert two["device"].startswith("2 x cpu")
    for name in ("plain", "weighted"):
        assert two[name] == pytest.approx(np.array(one[name]), rel=1e-14)
        assert two[name + "_accuracy"] == one[name + "_accuracy"]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_devices_sort_is_numpys(monkeypatch, weighted):
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000).round(1)
    y, weight = rng.random(1000) < 0.4, rng.uniform(size=1000)
    sample = sweep.Sample(x, y, weight if weighted else None)
    expected = sweep.landscape(sample, "-3:3:13", "-2:2:9", ("accuracy", "cross_entropy"))
    monkeypatch.setattr(devices, "on_host", lambda: False)
    found = sweep.landscape(sample, "-3:3:13", "-2:2:9", ("accuracy", "cross_entropy"))
    assert found.accuracy.values == pytest.approx(expected.accuracy.values, rel=1e-14)
    measure = sweep.Measure.from_sample(sample)
    order(measure.class0, measure.class1)
    for points in (measure.class0, measure.class1):
        assert np.array_equal(points.ordered.x, np.sort(points.x))
        if weighted:
            pairs = sorted(zip(points.x, points.mass, strict=True))
            assert sorted(zip(points.ordered.x, points.ordered.mass, strict=True)) == pairs
