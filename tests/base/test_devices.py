"""Several devices: the host's processor stands in for them, in a process of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import sweep
from sweep.base import devices
from sweep.measure.points import order

SCRIPT = """
import json, sys
import jax, numpy as np, sweep
rng = np.random.default_rng(0)
x = rng.normal(size=20_001)
y = rng.random(20_001) < 0.4
weight = rng.uniform(size=20_001)
found = {}
for name, sample in {"plain": sweep.Sample(x, y), "weighted": sweep.Sample(x, y, weight)}.items():
    grid = sweep.landscape(sample, "-10:10:130", "-5:5:33", method="compressed")
    found[name] = grid.cross_entropy.values.tolist()
    found[name + "_accuracy"] = grid.accuracy.values.tolist()
found["devices"] = len(jax.devices())
found["device"] = grid.attrs["device"]
print(json.dumps(found))
"""


def on_devices(count):
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True, text=True
    )
    return json.loads(done.stdout)


def test_two_devices_give_the_numbers_of_one():
    one, two = on_devices(1), on_devices(2)
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
