"""Time and memory of a sketch of data that come in Parquet shards, on one process and on workers.

A run writes the shards, then takes every measurement in a process of its own:

    read        pyarrow reads the shards, numpy.sort sorts each: what the others are compared with
    stream      one process makes the sketch, and of it the landscape of both metrics
    dask        one and two Dask workers of one thread make the sketch, each on its own core

Before any time counts, all sketches must be the same to the last bit, and some cells of the
landscape what the definition in NumPy gives. Prints a table, and writes a JSON document.

    python benchmarks/stream.py [--points 1e8] [--shards 64] [--edge 1000] [--out FILE]
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

MIB = 2**20

CELLS = 3
"""Cells that are compared with the definition."""

CLOSE = 1e-9
"""Error of cross-entropy that is asked for."""

SPAN = "-5:5"
"""Ends of the axes of a and of b."""

BLOCK = 2**20
"""Points of a cell whose losses are computed at once."""


def write_shard(path: Path, n: int, seed: int) -> None:
    """Points of a law whose labels follow a logit of 1.5 x - 0.5."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = rng.random(n) < 1 / (1 + np.exp(0.5 - 1.5 * x))
    pq.write_table(pa.table({"x": x, "y": y.astype(np.int8)}), path)


def shards_of(folder: Path) -> list[Path]:
    """The shards in a folder, in order."""
    return sorted(folder.glob("*.parquet"))


def read(folder: Path, threads: int) -> dict[str, Any]:
    """Reads and sorts shard by shard, as many at once as there are threads."""
    import pyarrow.parquet as pq

    def one(path: Path) -> tuple[float, float]:
        start = time.perf_counter()
        table = pq.read_table(path, columns=["x", "y"])
        x, _ = (table[name].to_numpy() for name in ("x", "y"))
        middle = time.perf_counter()
        np.sort(x)
        return middle - start, time.perf_counter() - middle

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(one, shards_of(folder)))
    seconds = time.perf_counter() - start
    reading, sorting = map(sum, zip(*parts, strict=True))
    return {"seconds": seconds, "reading_s": reading, "sorting_s": sorting, **_taken()}


def stream(folder: Path, edge: int) -> dict[str, Any]:
    """The sketch and the landscape, by this process; what is imported is, as before reading."""
    import jax  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import xarray  # noqa: F401

    import sweep
    from sweep.measure.sketch import builder

    text = f"{SPAN}:{edge}"
    start = time.perf_counter()
    with _load() as load:
        shards, terms = _asked(folder, edge)
        made = builder.sketch_files(shards, terms)
        sketched = time.perf_counter()
        found = sweep.landscape(made, text, text, tolerance=CLOSE, progress=False)
        ended = time.perf_counter()
    ce, correct = found["cross_entropy"].values, found["correct"].values
    rng = np.random.default_rng(0)
    cells = [(int(i), int(j)) for i, j in rng.integers(0, edge, (CELLS, 2))]
    return {
        "seconds": ended - start,
        "sketch_s": sketched - start,
        "load": load,
        **_taken(),
        "n": made.n,
        "compile_s": float(found.attrs["seconds_compile"]),
        "error_bound": float(found.attrs["error_bound"]),
        "sketch": _digest(made),
        "cells": [
            [float(found["a"][i]), float(found["b"][j]), float(ce[i, j]), int(correct[i, j])]
            for i, j in cells
        ],
    }


def dask(folder: Path, edge: int, workers: int) -> dict[str, Any]:
    """The sketch, by workers."""
    from sweep.measure.sketch import parallel

    start = time.perf_counter()
    with _dask(workers) as engine:
        begun = time.perf_counter()
        with _load() as load:
            made = parallel.sketch_files(engine, *_asked(folder, edge))
            ended = time.perf_counter()
        seconds = ended - start
        with _load() as load_again:  # by workers that have imported and allocated what they need
            again = parallel.sketch_files(engine, *_asked(folder, edge))
            ended_again = time.perf_counter()
        if not again.equals(made):
            raise SystemExit("the workers made another sketch the second time")
        held = _held()
    return {
        "seconds": seconds,
        "sketch_s": ended - begun,
        "again_s": ended_again - ended,
        "load": load,
        "load_again": load_again,
        **_taken(),
        "workers": held,
        "n": made.n,
        "sketch": _digest(made),
    }


def _asked(folder: Path, edge: int) -> tuple[Any, Any]:
    """The shards, and the terms of a sketch of them."""
    from sweep.base.grid import Grid
    from sweep.base.ranges import axis
    from sweep.data.shards import Shards
    from sweep.measure.sketch.schema import Schema

    shards, ab = Shards.of(shards_of(folder)), axis(f"{SPAN}:{edge}")
    ends = shards.ends()
    assert ends is not None
    return shards, Schema.of(Grid(ab, ab), ends, tolerance=CLOSE)


@contextmanager
def _dask(workers: int) -> Iterator[Any]:
    """As many workers of one core each, and the whole machine for whoever waits for them."""
    from sweep.cluster import Dask

    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:workers])
    with Dask(workers) as engine:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), cores)
        yield engine


@contextmanager
def _load() -> Iterator[dict[str, Any]]:
    """How busy each core was while the block ran, and how much of it was stolen, in percent."""
    import psutil

    found: dict[str, Any] = {}
    before = psutil.cpu_times(percpu=True)
    yield found
    for name in ("busy", "stolen"):
        found[name] = []
    for old, new in zip(before, psutil.cpu_times(percpu=True), strict=True):
        spent = {name: value - getattr(old, name) for name, value in new._asdict().items()}
        spent = {name: spent[name] for name in spent if not name.startswith("guest")}
        total = max(sum(spent.values()), 1e-9)
        idle, stolen = spent["idle"] + spent.get("iowait", 0.0), spent.get("steal", 0.0)
        found["busy"].append(round(100 * (total - idle - stolen) / total, 1))
        found["stolen"].append(round(100 * stolen / total, 1))


def _taken() -> dict[str, float]:
    """Seconds of a core and memory that this process has taken since it began."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_MiB": usage.ru_maxrss / 1024}


def _held() -> list[dict[str, float]]:
    """Seconds of a core and memory that each worker of this process has taken."""
    import psutil

    found = []
    for child in psutil.Process().children():
        if any("spawn_main" in word for word in child.cmdline()):
            times = child.cpu_times()
            status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
            peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
            found.append({"cpu_s": times.user + times.system, "peak_MiB": peak})
    return found


def _digest(sketch: Any) -> str:
    """Tells sketches apart that differ in any bit."""
    state = hashlib.sha256(repr(sketch.parts).encode())
    sums = (sketch.inside, sketch.moments, sketch.at_extremes)
    for array in (*(part for one in sums for part in (one.whole, one.part)), sketch.extremes):
        state.update(array.tobytes())
    return state.hexdigest()


def check(folder: Path, cells: list[list[float]]) -> None:
    """Refuses a landscape that is not what the definition gives in some cells."""
    import pyarrow.parquet as pq

    loss, correct, n = np.zeros(len(cells)), np.zeros(len(cells), np.int64), 0
    for path in shards_of(folder):
        table = pq.read_table(path)
        for start in range(0, len(table), BLOCK):
            x, y = (table[name].slice(start, BLOCK).to_numpy() for name in ("x", "y"))
            n += len(x)
            for k, (a, b, *_) in enumerate(cells):
                z = a * x + b
                loss[k] += np.sum(np.logaddexp(0.0, np.where(y == 1, -z, z)))
                correct[k] += np.count_nonzero((z > 0) == (y == 1))
    for (a, b, ce, right), total, count in zip(cells, loss, correct, strict=True):
        if right != count or abs(ce - total / n) > 2 * CLOSE * max(1.0, ce):
            raise SystemExit(
                f"a = {a}, b = {b}: {count} are right at a loss of {total / n}, by definition; "
                f"the landscape has {right} and {ce}"
            )


def in_child(step: str, folder: Path, *arguments: int) -> dict[str, Any]:
    """A step in a process in which nothing was done before."""
    command = [sys.executable, __file__, "--step", step, str(folder), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def measured(folder: Path, edge: int, repeats: int) -> dict[str, Any]:
    """The fastest of some rounds of every measurement."""
    from sweep.base import devices

    cores = devices.cores()
    rounds = [
        {
            "read": in_child("read", folder, 1),
            "read_in_threads": in_child("read", folder, cores),
            "stream": in_child("stream", folder, edge),
            "one_worker": in_child("dask", folder, edge, 1),
            "two_workers": in_child("dask", folder, edge, 2),
        }
        for _ in range(repeats)
    ]
    made = [run[name] for run in rounds for name in ("stream", "one_worker", "two_workers")]
    if len({(one["sketch"], one["n"]) for one in made}) > 1:
        raise SystemExit("the sketches are not the same in all runs")
    check(folder, rounds[0]["stream"]["cells"])

    def seconds(one: dict[str, Any]) -> float:
        return one["again_s"] if "workers" in one else one["seconds"]

    return {name: min((run[name] for run in rounds), key=seconds) for name in rounds[0]}


def summary(found: dict[str, Any]) -> dict[str, float]:
    """The ratios."""
    one, two = found["one_worker"], found["two_workers"]
    return {
        "stream_to_read": found["stream"]["seconds"] / found["read"]["seconds"],
        "stream_to_read_in_threads": (
            found["stream"]["seconds"] / found["read_in_threads"]["seconds"]
        ),
        "two_workers_to_one": one["again_s"] / two["again_s"],
        "two_workers_to_one_at_first": one["sketch_s"] / two["sketch_s"],
        "two_workers_to_one_with_start": one["seconds"] / two["seconds"],
    }


def print_table(document: dict[str, Any]) -> None:
    """What was found."""
    found, ratios = document["found"], document["ratios"]
    cells = f"{document['edge']} x {document['edge']} cells"
    size = f"{document['shards']} shards, {document['bytes'] / MIB:.0f} MiB"
    print(f"{document['n']:.3g} points in {size}; {cells}")
    for name, one in found.items():
        line = f"{name.replace('_', ' '):16} {one['seconds']:7.2f} s"
        workers = one.get("workers", [])
        cpu = sum(part["cpu_s"] for part in (one, *workers))
        line += f"  {cpu:6.2f} s of a core  {max(p['peak_MiB'] for p in (one, *workers)):5.0f} MiB"
        if "sketch_s" in one:
            line += f"  sketch {one['sketch_s']:5.2f} s, cores busy {one['load']['busy']} %"
        if "again_s" in one:
            line += f", again {one['again_s']:5.2f} s, {one['load_again']['busy']} %"
        print(line)
    print(f"stream / read: {ratios['stream_to_read']:.2f}, in threads "
          f"{ratios['stream_to_read_in_threads']:.2f}; two workers / one: "
          f"{ratios['two_workers_to_one']:.2f} times as fast, at first "
          f"{ratios['two_workers_to_one_at_first']:.2f}, "
          f"{ratios['two_workers_to_one_with_start']:.2f} with start")  # fmt: skip
    print(f"{document['cores']} cores, {document['device']}, jax {document['versions']['jax']}")


def step(name: str, folder: str, *arguments: str) -> None:
    """One measurement, as a JSON document."""
    steps: dict[str, Callable[..., dict[str, Any]]] = {"read": read, "stream": stream, "dask": dask}
    print(json.dumps(steps[name](Path(folder), *map(int, arguments))))


def main() -> None:
    """Writes the shards, measures, prints the table, and writes the document if asked to."""
    parser = argparse.ArgumentParser(description="Time and memory of a stream of shards.")
    parser.add_argument("--points", type=float, default=1e8, help="points of all shards")
    parser.add_argument("--shards", type=int, default=64, help="how many there are")
    parser.add_argument("--edge", type=int, default=1000, help="cells along a and along b")
    parser.add_argument("--repeats", type=int, default=2, help="rounds, of which the fastest count")
    parser.add_argument("--folder", type=Path, help="where shards are written (default: temporary)")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        step(*asked.step)
        return
    if asked.out is not None and asked.out.exists() and not asked.force:
        raise SystemExit(f"{asked.out} exists; give --force to overwrite it")
    from sweep.base.files import staged
    from sweep.benchmark.measurement import machine

    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        folder = Path(temporary)
        sizes = np.diff(np.linspace(0, int(asked.points), asked.shards + 1).astype(int)).tolist()
        for k, n in enumerate(sizes):
            write_shard(folder / f"{k:04}.parquet", n, k)
        found = measured(folder, asked.edge, asked.repeats)
        size = sum(path.stat().st_size for path in shards_of(folder))
    document = {
        "n": sum(sizes), "shards": asked.shards, "bytes": size, "edge": asked.edge,
        "repeats": asked.repeats, "found": found, "ratios": summary(found), **machine(),
    }  # fmt: skip
    print_table(document)
    if asked.out is not None:
        with staged(asked.out, force=asked.force) as partial_file:
            partial_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
