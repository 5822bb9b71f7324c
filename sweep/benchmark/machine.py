"""What a measurement depends on: the machine, the versions, and how memory is watched."""

from __future__ import annotations

import platform
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import sweep
from sweep.base import devices

PACKAGES = (
    "jax", "jaxlib", "numpy", "xarray", "matplotlib", "scikit-learn", "numba", "torch",
    "jax-grid-search", "optax", "keras",
)  # fmt: skip
"""Distributions whose versions are recorded where they are installed."""

INTERVAL = 0.002
"""Seconds between two looks at the resident memory."""


def machine() -> dict[str, Any]:
    """The machine as a dict: cores, processor, SIMD features that NumPy uses, device, versions."""
    return {
        "cores": devices.cores(),
        "processor": _processor(),
        # numpy.sort picks its algorithm by them, and is the yardstick of some ratios.
        "numpy_simd": np.show_config(mode="dicts")["SIMD Extensions"],  # pyright: ignore
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "device": devices.describe(),
        "versions": {"sweep": sweep.__version__}
        | {name: found for name in PACKAGES if (found := _version(name))},
    }


class Peak:
    """The highest resident memory of this process while the block runs.

    Attributes:
        before: bytes when the block begins.
        highest: the most bytes since then.
    """

    def __enter__(self) -> Peak:
        import psutil

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


def _processor() -> str:
    """The processor's model; Linux does not tell `platform`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
