"""Peak memory of a landscape beyond its input and output, against the budget it was given.

A few cells are checked against the definition in NumPy before anything is reported. Prints one JSON
document.

    python benchmarks/memory.py [EDGE] [POINTS] [BUDGET_MIB]        (default 300 100000 512)
"""

import json
import platform
import sys
import threading
import time
from importlib.metadata import version

import jax
import numpy as np
import psutil
import xarray as xr

import sweep
from sweep.landscape import BUDGET

INTERVAL = 0.002
"""Seconds between two looks at the resident memory."""


class Peak:
    """The highest resident memory of this process while the block runs, in bytes."""

    def __enter__(self) -> "Peak":
        self._process = psutil.Process()
        self.before = self.highest = self._process.memory_info().rss
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self.highest = max(self.highest, self._process.memory_info().rss)


def check(sample: sweep.Sample, landscape: xr.Dataset) -> None:
    """Stops unless both metrics are those of the definition in the corners and the middle."""
    rows, columns = landscape.cross_entropy.shape
    for i, j in ((0, 0), (0, columns - 1), (rows - 1, 0), (rows // 2, columns // 2)):
        cell = landscape.isel(a=i, b=j)
        z = cell.a.item() * sample.x + cell.b.item()
        loss = np.mean(np.logaddexp(0, np.where(sample.y > 0, -z, z)))
        np.testing.assert_allclose(cell.cross_entropy.item(), loss, rtol=1e-12)
        assert cell.correct.item() == np.sum((z > 0) == (sample.y > 0))


def main() -> None:
    """Measures one landscape and prints what it took."""
    edge = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    points = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    budget = int(sys.argv[3]) * 2**20 if len(sys.argv) > 3 else BUDGET
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, points)
    sample = sweep.Sample(x, rng.uniform(size=points) < 1 / (1 + np.exp(-x)))
    axes = f"-10:10:{edge}", f"-5:5:{edge}"
    few = sweep.Sample(x[:2048], sample.y[:2048])
    sweep.landscape(few, *axes, memory_budget=budget)  # imports, compiles, starts threads
    start = time.perf_counter()
    with Peak() as peak:
        landscape = sweep.landscape(sample, *axes, memory_budget=budget)
    elapsed = time.perf_counter() - start
    check(sample, landscape)
    output = sum(variable.nbytes for variable in landscape.data_vars.values())
    document = {
        "cells": edge * edge,
        "points": points,
        "seconds": elapsed,
        "evaluations_per_second": edge * edge * points / elapsed,
        "output_MiB": output / 2**20,
        "beyond_MiB": (peak.highest - peak.before - output) / 2**20,
        "budget_MiB": budget / 2**20,
        "device": str(jax.devices()[0]),
        "cores": psutil.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("sweep", "jax", "numpy")},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
