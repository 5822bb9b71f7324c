"""Time and memory of a sketch of Parquet shards, in one process and on workers.

A run writes the shards, then makes every measurement in a new process:

    read        pyarrow reads the shards and numpy.sort sorts each: the yardstick
    stream      one process makes the sketch, and from it the landscape of both metrics
    dask        one and two Dask workers of one thread make the sketch, each on its own core

Before any time counts, all sketches must be the same to the last bit, and some cells of the
landscape must agree with the definition in NumPy. Prints a table, and writes a JSON document.

Modules are imported in functions because the memory of a step must not include those of others.

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

CELLS = 3  # cells that are compared with the definition
TOLERANCE = 1e-9  # of cross-entropy
AXIS_ENDS = "-5:5"  # of a and of b
BLOCK = 2**20  # points of a cell whose losses are computed at once


def write_shard(path: Path, n: int, seed: int) -> None:
    """Writes points of a law with P(y = 1 | x) = sigmoid(1.5 x - 0.5)."""
    import pyarrow as pa  # not in every step
    import pyarrow.parquet as pq  # not in every step

    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = rng.random(n) < 1 / (1 + np.exp(0.5 - 1.5 * x))
    pq.write_table(pa.table({"x": x, "y": y.astype(np.int8)}), path)


def shards_of(folder: Path) -> list[Path]:
    """The shards in a folder, in order."""
    return sorted(folder.glob("*.parquet"))


def read(folder: Path, threads: int) -> dict[str, Any]:
    """Reads and sorts shard by shard, `threads` shards at once."""
    import pyarrow.parquet as pq  # not in every step

    def read_shard(path: Path) -> tuple[float, float]:
        start = time.perf_counter()
        table = pq.read_table(path, columns=["x", "y"])
        x, _ = (table[name].to_numpy() for name in ("x", "y"))
        middle = time.perf_counter()
        np.sort(x)
        return middle - start, time.perf_counter() - middle

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        times = list(pool.map(read_shard, shards_of(folder)))
    seconds = time.perf_counter() - start
    reading, sorting = map(sum, zip(*times, strict=True))
    return {"seconds": seconds, "reading_s": reading, "sorting_s": sorting, **_usage()}


def stream(folder: Path, edge: int) -> dict[str, Any]:
    """The sketch and the landscape in this process; imports are not timed, as for `read`."""
    import jax  # noqa: F401  # imported before the clock starts
    import pyarrow.parquet  # noqa: F401  # imported before the clock starts
    import xarray  # noqa: F401  # imported before the clock starts

    import sweep  # not in every step
    from sweep.measure.sketch import builder  # not in every step

    text = f"{AXIS_ENDS}:{edge}"
    start = time.perf_counter()
    with _load() as load:
        sketch = builder.sketch_files(*_shards_and_schema(folder, edge))
        sketched = time.perf_counter()
        landscape = sweep.landscape(sketch, text, text, tolerance=TOLERANCE, progress=False)
        ended = time.perf_counter()
    ce, correct = landscape["cross_entropy"].values, landscape["correct"].values
    rng = np.random.default_rng(0)
    cells = [(int(i), int(j)) for i, j in rng.integers(0, edge, (CELLS, 2))]
    return {
        "seconds": ended - start,
        "sketch_s": sketched - start,
        "load": load,
        **_usage(),
        "n": sketch.n,
        "compile_s": float(landscape.attrs["seconds_compile"]),
        "error_bound": float(landscape.attrs["error_bound"]),
        "sketch": _digest(sketch),
        "cells": [
            [
                float(landscape["a"][i]),
                float(landscape["b"][j]),
                float(ce[i, j]),
                int(correct[i, j]),
            ]
            for i, j in cells
        ],
    }


def dask(folder: Path, edge: int, workers: int) -> dict[str, Any]:
    """The sketch on workers."""
    from sweep.measure.sketch import builder  # not in every step

    start = time.perf_counter()
    with _dask(workers) as executor:
        begun = time.perf_counter()
        with _load() as load:
            sketch = builder.sketch_with(executor, *_shards_and_schema(folder, edge))
            ended = time.perf_counter()
        seconds = ended - start
        with _load() as load_again:  # the workers have imported and allocated what they need
            again = builder.sketch_with(executor, *_shards_and_schema(folder, edge))
            ended_again = time.perf_counter()
        if not again.equals(sketch):
            raise SystemExit("the workers made another sketch the second time")
        usage_of_workers = _usage_of_workers()
    return {
        "seconds": seconds,
        "sketch_s": ended - begun,
        "again_s": ended_again - ended,
        "load": load,
        "load_again": load_again,
        **_usage(),
        "workers": usage_of_workers,
        "n": sketch.n,
        "sketch": _digest(sketch),
    }


def _shards_and_schema(folder: Path, edge: int) -> tuple[Any, Any]:
    """The shards, and the schema of a sketch of them."""
    from sweep.base.grid import Grid  # not in every step
    from sweep.base.ranges import axis  # not in every step
    from sweep.data.shards import Shards  # not in every step
    from sweep.measure.sketch.schema import Schema  # not in every step

    shards, ab = Shards.of(shards_of(folder)), axis(f"{AXIS_ENDS}:{edge}")
    ends = shards.ends()
    assert ends is not None
    return shards, Schema.of(Grid(ab, ab), ends, tolerance=TOLERANCE)


@contextmanager
def _dask(workers: int) -> Iterator[Any]:
    """Workers of one core each; the process that waits for them may use all cores."""
    from sweep.cluster import Dask  # optional: needs distributed

    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:workers])
    with Dask(workers) as executor:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), cores)
        yield executor


@contextmanager
def _load() -> Iterator[dict[str, Any]]:
    """Percent of the time of each core that was busy, or stolen, while the block ran."""
    import psutil  # optional

    load: dict[str, Any] = {}
    before = psutil.cpu_times(percpu=True)
    yield load
    load["busy"], load["stolen"] = [], []
    for old, new in zip(before, psutil.cpu_times(percpu=True), strict=True):
        spent = {name: value - getattr(old, name) for name, value in new._asdict().items()}
        spent = {name: spent[name] for name in spent if not name.startswith("guest")}
        total = max(sum(spent.values()), 1e-9)
        idle, stolen = spent["idle"] + spent.get("iowait", 0.0), spent.get("steal", 0.0)
        load["busy"].append(round(100 * (total - idle - stolen) / total, 1))
        load["stolen"].append(round(100 * stolen / total, 1))


def _usage() -> dict[str, float]:
    """Seconds of a core and peak memory of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_MiB": usage.ru_maxrss / 1024}


def _usage_of_workers() -> list[dict[str, float]]:
    """Seconds of a core and peak memory of each worker of this process so far."""
    import psutil  # optional

    usage = []
    for child in psutil.Process().children():
        if any("spawn_main" in word for word in child.cmdline()):
            times = child.cpu_times()
            status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
            peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
            usage.append({"cpu_s": times.user + times.system, "peak_MiB": peak})
    return usage


def _digest(sketch: Any) -> str:
    """A hash of every bit of a sketch."""
    state = hashlib.sha256(repr(sketch.parts).encode())
    sums = (sketch.inside, sketch.moments, sketch.at_extremes)
    integers = [array for exact in sums for array in (exact.integer, exact.fraction)]
    for array in (*integers, sketch.extremes):
        state.update(array.tobytes())
    return state.hexdigest()


def check(folder: Path, cells: list[list[float]]) -> None:
    """Refuses a landscape that differs from the definition in some cells."""
    import pyarrow.parquet as pq  # not in every step

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
        if right != count or abs(ce - total / n) > 2 * TOLERANCE * max(1.0, ce):
            raise SystemExit(
                f"a = {a}, b = {b}: by definition {count} points are correct and the loss is "
                f"{total / n}; the landscape has {right} and {ce}"
            )


def in_child(step: str, folder: Path, *arguments: int) -> dict[str, Any]:
    """A step in a new process."""
    command = [sys.executable, __file__, "--step", step, str(folder), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def measured(folder: Path, edge: int, repeats: int) -> dict[str, Any]:
    """The fastest of `repeats` rounds of every measurement."""
    from sweep.base import devices  # not in every step

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
    sketches = [run[name] for run in rounds for name in ("stream", "one_worker", "two_workers")]
    if len({(sketch["sketch"], sketch["n"]) for sketch in sketches}) > 1:
        raise SystemExit("the sketches differ between runs")
    check(folder, rounds[0]["stream"]["cells"])

    def seconds(result: dict[str, Any]) -> float:
        return result["again_s"] if "workers" in result else result["seconds"]

    return {name: min((run[name] for run in rounds), key=seconds) for name in rounds[0]}


def summary(results: dict[str, Any]) -> dict[str, float]:
    """The ratios."""
    one, two = results["one_worker"], results["two_workers"]
    return {
        "stream_to_read": results["stream"]["seconds"] / results["read"]["seconds"],
        "stream_to_read_in_threads": (
            results["stream"]["seconds"] / results["read_in_threads"]["seconds"]
        ),
        "two_workers_to_one": one["again_s"] / two["again_s"],
        "two_workers_to_one_at_first": one["sketch_s"] / two["sketch_s"],
        "two_workers_to_one_with_start": one["seconds"] / two["seconds"],
    }


def print_table(document: dict[str, Any]) -> None:
    """All measurements, in lines."""
    results, ratios = document["found"], document["ratios"]
    cells = f"{document['edge']} x {document['edge']} cells"
    size = f"{document['shards']} shards, {document['bytes'] / MIB:.0f} MiB"
    print(f"{document['n']:.3g} points in {size}; {cells}")
    for name, result in results.items():
        line = f"{name.replace('_', ' '):16} {result['seconds']:7.2f} s"
        workers = result.get("workers", [])
        cpu = sum(process["cpu_s"] for process in (result, *workers))
        line += (
            f"  {cpu:6.2f} s of a core  {max(p['peak_MiB'] for p in (result, *workers)):5.0f} MiB"
        )
        if "sketch_s" in result:
            line += f"  sketch {result['sketch_s']:5.2f} s, cores busy {result['load']['busy']} %"
        if "again_s" in result:
            line += f", again {result['again_s']:5.2f} s, {result['load_again']['busy']} %"
        print(line)
    print(f"stream / read: {ratios['stream_to_read']:.2f}, in threads "
          f"{ratios['stream_to_read_in_threads']:.2f}; two workers / one: "
          f"{ratios['two_workers_to_one']:.2f} times as fast, at first "
          f"{ratios['two_workers_to_one_at_first']:.2f}, "
          f"{ratios['two_workers_to_one_with_start']:.2f} with start")  # fmt: skip
    print(f"{document['cores']} cores, {document['device']}, jax {document['versions']['jax']}")


def step(name: str, folder: str, *arguments: str) -> None:
    """Prints one measurement as a JSON document."""
    steps: dict[str, Callable[..., dict[str, Any]]] = {"read": read, "stream": stream, "dask": dask}
    print(json.dumps(steps[name](Path(folder), *map(int, arguments))))


def main() -> None:
    """Writes the shards, measures, prints the table, and writes the document for --out."""
    parser = argparse.ArgumentParser(description="Time and memory of a sketch of shards.")
    parser.add_argument("--points", type=float, default=1e8, help="points of all shards")
    parser.add_argument("--shards", type=int, default=64, help="number of shards")
    parser.add_argument("--edge", type=int, default=1000, help="cells along a and along b")
    parser.add_argument("--repeats", type=int, default=2, help="rounds; the fastest count")
    parser.add_argument("--folder", type=Path, help="directory for the shards (default: temporary)")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        step(*args.step)
        return
    if args.out is not None and args.out.exists() and not args.force:
        raise SystemExit(f"{args.out} exists; give --force to overwrite it")
    from sweep.base.files import staged  # not in every step
    from sweep.benchmark.measurement import machine  # not in every step

    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        folder = Path(temporary)
        sizes = np.diff(np.linspace(0, int(args.points), args.shards + 1).astype(int)).tolist()
        for k, n in enumerate(sizes):
            write_shard(folder / f"{k:04}.parquet", n, k)
        results = measured(folder, args.edge, args.repeats)
        size = sum(path.stat().st_size for path in shards_of(folder))
    document = {
        "n": sum(sizes), "shards": args.shards, "bytes": size, "edge": args.edge,
        "repeats": args.repeats, "found": results, "ratios": summary(results), **machine(),
    }  # fmt: skip
    print_table(document)
    if args.out is not None:
        with staged(args.out, force=args.force) as partial_file:
            partial_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
