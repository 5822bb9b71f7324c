"""Several devices: the host's processor stands in for them, in a process of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

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
