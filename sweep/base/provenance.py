"""What computes: the versions and the device on which every bit of a result may depend.

A run goes on only where they are the same, for otherwise its store would hold results of both.
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
"""Distributions that compute results or write them."""

SHOWING = (
    "__init__", "asymptotics", "base/executors", "base/progress", "base/provenance", "base/timing",
    "base/workers", "benchmark", "cli", "cluster", "diagnosis", "figures", "report",
    "runs/directory", "runs/events", "runs/execute", "runs/heartbeat", "runs/journal",
    "runs/preview", "runs/recovery", "runs/status", "training/experiments", "training/paths",
)  # fmt: skip
"""Modules and packages of this one that no result of a run depends on."""


@cache
def versions() -> dict[str, str]:
    """Of every distribution, and as `sources` a digest of the code of this one."""
    others = {name: version(name) for name in PACKAGES}
    return {"sweep": __version__} | others | {"sources": _sources()}


def computed_by() -> dict[str, str]:
    """Attributes of a result: {"sweep_version": ..., "jax_version": ...}."""
    return {"sweep_version": __version__, "jax_version": version("jax")}


def require_same(before: Mapping[str, str], path: Path) -> None:
    """Refuses to go on with other versions than a run was begun with.

    Raises:
        InputError: says which differ, from what to what.
    """
    here = versions()
    different = [name for name in here if here[name] != before.get(name)]
    if not different:
        return
    packages = [name for name in different if name != "sources"]
    if packages:
        then = ", ".join(f"{name} {before.get(name, 'unknown')}" for name in packages)
        now = ", ".join(f"{name} {here[name]}" for name in packages)
        what = f"was begun with {then}, and here is {now}"
    else:
        what = f"was begun with other code of sweep {here['sweep']} than is here"
    raise InputError(
        f"{path}: {what}; results of both must not be mixed, so go on with what it was begun with, "
        "or begin another run"
    )


def require_device(before: str, here: str, path: Path) -> None:
    """Refuses to go on with another device.

    Raises:
        InputError: says which.
    """
    if before != here:
        raise InputError(
            f"{path}: was begun on {before}, and here is {here}; results of both must not be "
            "mixed, so go on with the device it was begun on, or begin another run"
        )


def _sources() -> str:
    """128-bit XXH3 digest, in hex, of every file of this package that results depend on."""
    root = Path(__file__).parent.parent
    state = xxhash.xxh3_128()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).with_suffix("").as_posix()
        if any(place == shown or place.startswith(f"{shown}/") for shown in SHOWING):
            continue
        state.update(f"{place}\0".encode())
        state.update(path.read_bytes())
    return state.hexdigest()
