"""Time of a study for each point of each sample, beside the time of drawing its random numbers.

Timed is all that makes the rows of a study's table: samples, both optima, regrets in the
population. Beside it stands the time in which JAX draws as many exponential and as many uniform
numbers in float64, which make a sample of (x, y), in the same run and on the same cores. Neither
includes compilation, nor the quadrature, which is done once for a law. Before a time counts, a row
is compared with the optimum that `sweep.optimum` computes by another method. Memory is that of a
new process.

    python benchmarks/study.py [--out FILE.json] [--force]
                               [--points 2e7] [--largest 1e6] [--repeats 3] [--laws W1,W4,W5,D3]
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

import sweep
from sweep.asymptotics.table import StudyJob, table
from sweep.base import devices
from sweep.base.files import staged
from sweep.base.memory import MEMORY_BUDGET
from sweep.benchmark.measurement import Peak, machine
from sweep.populations import sampling

LAWS = "W1,W4,W5,D3"  # the first at several sizes, the others at the largest
SMALLEST = 100  # points of a sample; with fewer, work that is not for each point would dominate
DRAWN = 10**6  # least numbers in an array that is drawn; each array costs a call
CLOSE = 1e-9  # relative difference from the optimum of `sweep.optimum` that may be rounding

MIB = 2**20


class Subject:
    """A law with its optimum and its quadrature, which a study computes once."""

    def __init__(self, name: str) -> None:
        self.law = sweep.populations.population(name)
        self.best = sweep.optimum(self.law)
        self.measure = sweep.Measure.from_population(self.law)

    def rows(self, n: int, replicates: int, seed: int) -> xr.Dataset:
        """The table of a study of one size."""
        job = StudyJob(self.law, (n,), replicates, seed, MEMORY_BUDGET)
        return table(job, self.best, self.measure, lambda points: None)


def require_equal(subject: Subject, n: int) -> None:
    """Refuses a table whose first row differs from `sweep.optimum` for the same sample."""
    row = subject.rows(n, 1, 0).isel(n=0, replicate=0)
    best = sweep.optimum(sampling.sample(subject.law, n))
    ce = best.cross_entropy
    values = [row.a, row.b, row.cross_entropy, row.accuracy_best, row.gap]
    expected = [ce.a, ce.b, ce.value, best.accuracy.value, best.regret]
    if not np.allclose(values, expected, rtol=CLOSE, atol=CLOSE, equal_nan=True):
        raise SystemExit(
            f"{subject.law.id}, n = {n}: the optimum is {expected}, the study has {values}"
        )


def least(run: Callable[[int], object], repeats: int) -> float:
    """Seconds of the fastest of some runs, each with another seed."""
    times = []
    for seed in range(1, repeats + 1):
        start = time.perf_counter()
        run(seed)
        times.append(time.perf_counter() - start)
    return min(times)


def draw_seconds(points: int, size: int, repeats: int) -> float:
    """Seconds in which JAX draws `points` numbers of both kinds, in arrays of `size`.

    The arrays are drawn one after another, or as many at once as there are cores; the faster way
    counts.
    """

    @jax.jit
    def numbers(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        first, second = jax.random.split(key)
        exponential = jax.random.exponential(first, (size,), np.float64)
        return exponential, jax.random.uniform(second, (size,), np.float64)

    def draw_array(seed: int, number: int) -> None:
        with jax.enable_x64(True):
            jax.block_until_ready(numbers(jax.random.fold_in(jax.random.key(seed), number)))

    def draw_all(threads: int, seed: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(partial(draw_array, seed), range(math.ceil(points / size))))

    draw_array(0, 0)  # which compiles
    threads = {1, devices.cores() if devices.on_host() else 1}
    return min(least(partial(draw_all, count), repeats) for count in threads)


def measured(name: str, n: int, points: int, repeats: int) -> dict[str, Any]:
    """A line of the table: a law at one size, with about `points` points in all samples."""
    subject = Subject(name)
    require_equal(subject, n)
    samples = sampling.SampleLayout.of(n).samples_per_call
    replicates = max(2, round(points / n / samples)) * samples
    subject.rows(n, replicates, 0)  # which compiles
    total = replicates * n
    study = least(partial(subject.rows, n, replicates), repeats)
    size = min(max(n, DRAWN), total)
    draw = draw_seconds(total, size, repeats) * total / (math.ceil(total / size) * size)
    return {
        "law": name,
        "n": n,
        "replicates": replicates,
        "study_s": study,
        "draw_s": draw,
        "study_ns_per_point": 1e9 * study / total,
        "draw_ns_per_point": 1e9 * draw / total,
        "ratio": study / draw,
    }


def memory(n: int, replicates: int) -> dict[str, Any]:
    """Peak memory of a study of W1 in this process, in MiB, compilation apart."""
    subject = Subject("W1")
    subject.rows(n, devices.cores() + 1, 0)
    with Peak() as peak:
        subject.rows(n, replicates, 1)
    return {
        "law": "W1",
        "n": n,
        "replicates": replicates,
        "peak_MiB": peak.highest / MIB,
        "beyond_MiB": (peak.highest - peak.before) / MIB,
        "budget_MiB": MEMORY_BUDGET / MIB,
    }


def memory_of_child(n: int, replicates: int) -> dict[str, Any]:
    """`memory` in a new process, where no memory was freed before."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory", str(n), str(replicates)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def print_table(document: dict[str, Any]) -> None:
    """The main numbers, in lines of 80 columns."""
    print("time for each point of each sample, beside that of drawing its random numbers")
    print(f"{'law':6}{'n':>9}{'replicates':>12}{'study':>12}{'drawing':>12}{'ratio':>8}")
    for line in document["times"]:
        study, draw = line["study_ns_per_point"], line["draw_ns_per_point"]
        print(
            f"{line['law']:6}{line['n']:>9}{line['replicates']:>12}{study:>9.1f} ns"
            f"{draw:>9.1f} ns{line['ratio']:>8.2f}"
        )
    peak = document["memory"]
    print(
        f"memory of {peak['law']}, n = {peak['n']}, {peak['replicates']} replicates: "
        f"{peak['beyond_MiB']:.0f} MiB more at its peak,\n{peak['peak_MiB']:.0f} MiB in all"
    )
    print(f"{document['cores']} cores, {document['device']}, jax {document['versions']['jax']}")


def main() -> None:
    """Measures, prints the table, and writes the document for --out."""
    parser = argparse.ArgumentParser(description="Time and memory of a study.")
    parser.add_argument("--points", type=float, default=2e7, help="points of all samples in a line")
    parser.add_argument("--largest", type=float, default=1e6, help="the largest n")
    parser.add_argument("--repeats", type=int, default=3, help="runs; the fastest counts")
    parser.add_argument("--laws", default=LAWS, help="ids; the first at several sizes")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument("--memory", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        print(json.dumps(memory(*args.memory)))
        return
    if args.out is not None and args.out.exists() and not args.force:
        raise SystemExit(f"{args.out} exists; give --force to overwrite it")
    points, largest = int(args.points), int(args.largest)
    first, *others = args.laws.split(",")
    sizes = sorted(largest // 10**k for k in range(4) if largest // 10**k >= SMALLEST)
    lines = [*((first, n) for n in sizes), *((name, largest) for name in others)]
    document = {
        "memory": memory_of_child(largest, max(2, points // largest)),
        "times": [measured(name, n, points, args.repeats) for name, n in lines],
        "repeats": args.repeats,
        **machine(),
    }
    print_table(document)
    if args.out is not None:
        with staged(args.out, force=args.force) as partial_file:
            partial_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
