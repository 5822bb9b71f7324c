"""A small run, and what to look at in one, for the tests of runs."""

import json
from pathlib import Path

import sweep

SPEC = sweep.Spec(
    population="W1",
    n=[20, 40, float("inf")],
    seed=[0, 3],
    a="-2:2:5",
    b="-1:1:3",
    metrics=["cross_entropy", "accuracy"],
    tile=3,
)
TASKS = 10
"""Two tiles of each of two samples of two sizes, and of the law itself."""


def store(out):
    """Every file of the store of a run, by its path in it."""
    root = Path(out) / "results.zarr"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def events(out, name):
    """The events of a name that a run logged."""
    lines = (Path(out) / "events.jsonl").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["event"] == name]
