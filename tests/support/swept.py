"""A small run, and functions that read what it wrote, for the tests of runs."""

import json
import math
from pathlib import Path

import sweep
from sweep.runs import log
from sweep.runs.log import Chunk, Done

SPEC = sweep.Spec(
    population="W1",
    n=[20, 40, float("inf")],
    seed=[0, 3],
    a="-2:2:5",
    b="-1:1:3",
    metrics=["cross_entropy", "accuracy"],
    tile=3,
)
TASKS = 10  # two tiles of each of two samples of two sizes, and of the law itself


def store(out):
    """The content of every file of the store, by its path in the store."""
    root = Path(out) / "results.zarr"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def events(out, name):
    """The logged events with a name."""
    lines = (Path(out) / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def done_task(task):
    """A task that is marked as done, with one chunk of 7 bytes."""
    return Done(task, 0.25, {"accuracy": Chunk("ab", 7)}, {"distance": math.inf})


def write_log(directory, *entries):
    """Writes the log of a run: events as dicts, and tasks that are done."""
    writer = log.Writer(directory.events)
    with writer.alive():
        for entry in entries:
            if isinstance(entry, Done):
                writer.mark(entry, seconds=entry.seconds)
            else:
                writer(**entry)
