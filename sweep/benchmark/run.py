"""`bench()`: this library and its peers side by side in one run, and the ratios between them.

It measures three curves (time against n, time against cells, error against tolerance) and the
headline numbers, on `contest.problem` or, where a name says so, on a published illustration. Every
output is checked before its time counts; see `sweep.benchmark.measurement`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from sweep.base.records import plain
from sweep.benchmark.contest import COMPRESSED, Contest, Report, problem, published, solve
from sweep.benchmark.measurement import (
    CHECKED,
    TOLERANCE,
    Mismatch,
    Peak,
    Timing,
    Truth,
    machine,
    race,
    require_equal,
    stopwatch,
    truth,
)
from sweep.benchmark.peers import PEERS, LandscapeProblem, Size, Values
from sweep.benchmark.scoreboard import (
    HeadlineNumber,
    against_sort,
    fastest_peer,
    milliseconds,
    per_point,
    size_text,
)
from sweep.data.sample import Sample
from sweep.landscapes.landscape import landscape
from sweep.measure.measure import Measure

TARGET_BUDGETS = 4  # a headline number may take so many times the budget of a point on a curve
LARGE_SECONDS = 8.0  # for the repeats of the large problem, or of a yardstick
TILED_EDGE = 1000  # edge of the warm-up grid before a landscape is written tile by tile


class Square(NamedTuple):
    """The size of a problem: n points, edge x edge cells."""

    n: int
    edge: int

    @property
    def size(self) -> Size:
        """As a size."""
        return Size(self.n, (self.edge, self.edge))


@dataclass(frozen=True)
class BenchmarkPlan:
    """The sizes that a benchmark measures.

    Attributes:
        name: of the plan.
        sizes: n of the first curve, time against n.
        edge: its grid has edge x edge cells.
        brute: n on the first curve at which the fastest peer is compared.
        edges: grids of the second curve, time against cells.
        points: n of the second curve.
        tolerances: of the third curve, error against tolerance.
        exact: problem of the third curve.
        large: problem of the memory and of the numbers relative to numpy.sort.
        direct: problem on which the direct method is compared.
        budget: seconds that one run of a brute-force peer may take at a point of a curve.
    """

    name: str
    sizes: tuple[int, ...]
    edge: int
    brute: int
    edges: tuple[int, ...]
    points: int
    tolerances: tuple[float, ...]
    exact: Square
    large: Square
    direct: Square
    budget: float


TOLERANCES = tuple(float(f"1e-{k}") for k in range(3, 11))

PLANS = {
    plan.name: plan
    for plan in (
        BenchmarkPlan(
            name="quick",
            sizes=(10_000, 1_000_000),
            edge=100,
            brute=1_000_000,
            edges=(10, 100),
            points=10_000,
            tolerances=TOLERANCES[::2],
            exact=Square(10_000, 20),
            large=Square(1_000_000, 1000),
            direct=Square(10_000, 32),
            budget=0.08,
        ),
        BenchmarkPlan(
            name="default",
            sizes=(10_000, 100_000, 1_000_000, 10_000_000),
            edge=200,
            brute=1_000_000,
            edges=(10, 30, 100, 300, 1000),
            points=100_000,
            tolerances=TOLERANCES,
            exact=Square(100_000, 50),
            large=Square(10_000_000, 1000),
            direct=Square(100_000, 64),
            budget=0.3,
        ),
        BenchmarkPlan(
            name="full",
            sizes=(10_000, 100_000, 1_000_000, 10_000_000, 100_000_000),
            edge=200,
            brute=1_000_000,
            edges=(10, 30, 100, 300, 1000, 3000),
            points=100_000,
            tolerances=TOLERANCES,
            exact=Square(1_000_000, 100),
            large=Square(10_000_000, 1000),
            direct=Square(100_000, 64),
            budget=5.0,
        ),
    )
}
"""The plans by name."""


@dataclass(frozen=True)
class Bench:
    """The result of a benchmark.

    Attributes:
        plan: the sizes that were measured.
        machine: the machine; see `sweep.benchmark.measurement.machine`.
        seconds: duration of the benchmark.
        peers: for each peer its approach and its very first runs, or why it was skipped.
        mismatches: sentences on wrong outputs; times of such peers are left out.
        against_n: timings of every peer at every n.
        against_cells: timings of every peer on every grid.
        against_tolerance: error, bound and time at every tolerance.
        targets: the headline numbers.
        timings: all other timings, by purpose.
    """

    plan: BenchmarkPlan
    machine: dict[str, Any]
    seconds: float
    peers: tuple[dict[str, Any], ...]
    mismatches: tuple[str, ...]
    against_n: tuple[Timing, ...]
    against_cells: tuple[Timing, ...]
    against_tolerance: tuple[dict[str, Any], ...]
    targets: tuple[HeadlineNumber, ...]
    timings: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain Python values, for JSON and for the figure."""
        return plain(self)


def bench(
    plan: BenchmarkPlan, peers: Iterable[str] = tuple(PEERS), report: Report = lambda line: None
) -> Bench:
    """Measures this library and its peers.

    Args:
        plan: the sizes, such as `PLANS["quick"]`.
        peers: names from `sweep.benchmark.peers.PEERS`.
        report: called with a line of text that says what is measured next.
    """
    start = time.perf_counter()
    contest = Contest(peers, report)
    against_n = [t for n in plan.sizes for t in contest.run(problem(n, plan.edge), plan.budget)]
    against_cells = [
        t for edge in plan.edges for t in contest.run(problem(plan.points, edge), plan.budget)
    ]
    others = {"illustration_3": contest.run(published(3, 101), TARGET_BUDGETS * plan.budget)}
    for dtype in TOLERANCE:
        data = problem(*plan.direct).astype(dtype)
        others[f"direct_{dtype}"] = contest.run(data, TARGET_BUDGETS * plan.budget, but="sweep")
    report("error against tolerance")
    errors = contest.guarded("sweep", partial(_against_tolerance, plan), ())
    report(f"n = {plan.large.n:g}, {plan.large.edge} x {plan.large.edge} cells, beside numpy.sort")
    large = contest.guarded("sweep", partial(_large, plan.large), {})
    kept = {name: contest.kept(timings) for name, timings in others.items()}
    against_n = contest.kept(against_n)
    return Bench(
        plan=plan,
        machine=machine(),
        seconds=time.perf_counter() - start,
        peers=contest.described(),
        mismatches=tuple(contest.mismatches.values()),
        against_n=against_n,
        against_cells=contest.kept(against_cells),
        against_tolerance=() if "sweep" in contest.mismatches else errors,
        targets=tuple(_targets(plan, large, against_n, kept)),
        timings={"large": large, **kept},
    )


def _targets(
    plan: BenchmarkPlan,
    large: dict[str, Any],
    against_n: tuple[Timing, ...],
    others: dict[str, tuple[Timing, ...]],
) -> list[HeadlineNumber]:
    brute = [t for t in against_n if t.size.n == plan.brute]
    third, name = others["illustration_3"], "illustration 3, 101 x 101 cells"
    square = size_text(plan.direct.size)
    return [
        *against_sort(large),
        fastest_peer("fastest_peer", size_text(Square(plan.brute, plan.edge).size), brute),
        fastest_peer("illustration_3", name, third),
        milliseconds("illustration_3_ms", name, third),
        *(
            fastest_peer(key, f"{square}, {dtype}", others[key], "sweep-direct")
            for dtype in TOLERANCE
            for key in (f"direct_{dtype}",)
        ),
        *per_point(against_n),
    ]


def _against_tolerance(plan: BenchmarkPlan) -> tuple[dict[str, Any], ...]:
    """True error, stated bound and time, at every tolerance."""
    data = problem(*plan.exact)
    expected = truth(data, 4 * CHECKED, seed=1)
    return tuple(_at_tolerance(data, tolerance, expected) for tolerance in plan.tolerances)


def _at_tolerance(data: LandscapeProblem, tolerance: float, expected: Truth) -> dict[str, Any]:
    call = partial(solve, data, metrics=("cross_entropy",), tolerance=tolerance)
    seconds, values = stopwatch(call, LARGE_SECONDS / 10)
    error, bound = expected.error(values.cross_entropy), values.attrs["error_bound"]
    if not error <= bound <= tolerance:
        raise Mismatch(
            f"sweep: the tolerance is {tolerance:g}, the error {error:.2g} and its bound "
            f"{bound:.2g}"
        )
    return {"tolerance": tolerance, "error": error, "seconds": min(seconds), **values.attrs}


def _large(square: Square) -> dict[str, Any]:
    """The large problem: its times, a second grid on its measure, its yardsticks, its memory."""
    data = problem(*square)
    loss = replace(COMPRESSED, solve=partial(solve, metrics=("cross_entropy",)))
    return {
        "both": race(COMPRESSED, data, LARGE_SECONDS / 2, checked=20 * CHECKED),
        "cross_entropy": race(loss, data, LARGE_SECONDS / 2),
        "sort_s": min(stopwatch(lambda: np.sort(data.x), LARGE_SECONDS)[0]),
        "sum_s": min(stopwatch(lambda: data.x.sum(), LARGE_SECONDS)[0]),
        "second_grid_s": min(_second_grid(data) for _ in range(3)),
        "memory": _memory_of_child(square),
    }


def _second_grid(data: LandscapeProblem) -> float:
    """Seconds of cross-entropy on another grid of a measure that is compressed already."""
    compute = partial(
        landscape,
        Measure.from_sample(Sample(data.x, data.y)),
        metrics="cross_entropy",
        method="compressed",
        progress=False,
    )
    compute(a=data.a, b=data.b)
    other = LandscapeProblem(data.x, data.y, 0.9 * data.a, 0.9 * data.b)
    (seconds,), result = stopwatch(partial(compute, a=other.a, b=other.b), 0)
    values = Values(result["cross_entropy"].values, None)
    require_equal(values, other, truth(other), "sweep")
    return seconds


def memory(
    n: int, edge: int, method: str = "compressed", *, streamed: bool = False, **options: Any
) -> dict[str, Any]:
    """Peak memory of a landscape in this process beyond its input and output, in bytes.

    A small landscape is computed before, so that imports, compilation and threads do not count.

    Args:
        n: points.
        edge: the grid has edge x edge cells.
        method: of `sweep.landscape`.
        streamed: whether the landscape is written tile by tile, so that no output is in memory.
        options: other arguments of `sweep.landscape`.

    Returns:
        `n`, `cells`, `seconds`, the bytes of the `output` and `beyond` it, and the seconds of each
        of its `stages`.

    Raises:
        Mismatch: the landscape is wrong.
    """
    data = problem(n, edge)
    few, sample = Sample(data.x[:2048], data.y[:2048]), Sample(data.x, data.y)
    compute = partial(landscape, method=method, progress=False, **options)
    with TemporaryDirectory() as folder:
        out = {"out": Path(folder, "few.zarr")} if streamed else {}
        warm_up = slice(TILED_EDGE if streamed else None)
        compute(few, data.a[warm_up], data.b[warm_up], **out)
        out = {"out": Path(folder, "all.zarr")} if streamed else {}
        with Peak() as peak:
            (seconds,), result = stopwatch(partial(compute, sample, data.a, data.b, **out), 0)
        variables = result.data_vars.values()
        output = 0 if streamed else sum(variable.nbytes for variable in variables)
        values = Values(result["cross_entropy"].values, result["accuracy"].values)
        require_equal(values, data, truth(data), "sweep")
    return {
        "n": n,
        "cells": edge * edge,
        "seconds": seconds,
        "output": output,
        "beyond": peak.highest - peak.before - output,
        "stages": {key: value for key, value in result.attrs.items() if key.startswith("seconds_")},
    }


def _memory_of_child(square: Square) -> dict[str, Any]:
    """`memory` in a new process, where no memory was freed before that could be used again."""
    code = (
        "import json, sys; from sweep.benchmark.run import memory;"
        f"sys.stdout.write(json.dumps(memory({square.n}, {square.edge})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"skipped": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    return json.loads(done.stdout)
