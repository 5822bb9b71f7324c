"""Versions and device that determine every bit of a result.

A run resumes only where they are unchanged: otherwise its store would mix results of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import xxhash

from sweep import __version__
from sweep.base.errors import InputError

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "xarray", "zarr", "numcodecs", "optax")
"""Distributions that compute or write results."""

SHOWING = (
    "__init__", "asymptotics", "base/executors", "base/progress", "base/provenance", "base/timing",
    "base/workers", "benchmark", "cli", "cluster", "diagnosis", "figures", "report",
    "runs/directory", "runs/execute", "runs/log", "runs/preview", "runs/status",
    "training/experiments", "training/paths",
)  # fmt: skip
"""Modules and packages of `sweep` on which no result of a run depends."""


@cache
def versions() -> dict[str, str]:
    """The version of each distribution, and a digest of the code of `sweep` as "sources"."""
    dependencies = {name: version(name) for name in PACKAGES}
    return {"sweep": __version__} | dependencies | {"sources": _sources()}


def computed_by() -> dict[str, str]:
    """Attributes of a result: {"sweep_version": ..., "jax_version": ...}."""
    return {"sweep_version": __version__, "jax_version": version("jax")}


def require_same(before: Mapping[str, str], path: Path) -> None:
    """Rejects versions that differ from `versions()` when the run in a directory began."""
    here = versions()
    different = [name for name in here if here[name] != before.get(name)]
    if not different:
        return
    packages = [name for name in different if name != "sources"]
    if packages:
        then = ", ".join(f"{name} {before.get(name, 'unknown')}" for name in packages)
        now = ", ".join(f"{name} {here[name]}" for name in packages)
        change = f"was begun with {then}, and here is {now}"
    else:
        change = f"was begun with other code of sweep {here['sweep']} than is here"
    raise InputError(
        f"{path}: {change}; results of both must not be mixed, so restore those versions, or "
        "begin another run"
    )


def require_device(before: str, here: str, path: Path) -> None:
    """Rejects a device, by `devices.describe()`, that is not the one on which a run began."""
    if before != here:
        raise InputError(
            f"{path}: was begun on {before}, and here is {here}; results of both must not be "
            "mixed, so resume on the device it was begun on, or begin another run"
        )


def _sources() -> str:
    """128-bit XXH3 digest, in hex, of all files of `sweep` on which results depend."""
    root = Path(__file__).parent.parent
    state = xxhash.xxh3_128()
    for path in sorted(root.rglob("*.py")):
        module = path.relative_to(root).with_suffix("").as_posix()
        if any(module == shown or module.startswith(f"{shown}/") for shown in SHOWING):
            continue
        state.update(f"{module}\0".encode())
        state.update(path.read_bytes())
    return state.hexdigest()
