"""`bench()`: this library and its peers side by side in one run, and the ratios between them.

It measures three curves (time against n, time against cells, error against tolerance) and the
headline numbers, on `problem` or, where a name says so, on a published illustration. Every output
is checked before its time counts. A peer that is not installed is listed and skipped; one that
fails or returns a wrong output is removed, with every time that was taken of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sweep.base.records import plain
from sweep.benchmark.measurement import (
    CHECKED,
    FIRST_GUESS,
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
from sweep.benchmark.problem import (
    COMPRESSED,
    OURS,
    TOLERANCE,
    LandscapeProblem,
    Peer,
    Size,
    Values,
    problem,
    published,
    solve,
)
from sweep.benchmark.scoreboard import HeadlineNumber, headline_numbers
from sweep.data.sample import Sample
from sweep.landscapes.landscape import landscape
from sweep.measure.measure import Measure

SMALL = (1000, 6)  # (points, cells along an axis) of the very first run, which imports and compiles
TARGET_BUDGETS = 4  # a headline number may take so many times the budget of a point on a curve
LARGE_SECONDS = 8.0  # for the repeats of the large problem, or of a yardstick
TILED_EDGE = 1000  # edge of the warm-up grid before a landscape is written tile by tile

Square = tuple[int, int]  # a problem of n points on edge x edge cells: (n, edge)

Report = Callable[[str], None]  # is called with a line of text that says what is measured next


@dataclass(frozen=True)
class BenchmarkPlan:
    """The sizes that a benchmark measures."""

    name: str
    sizes: tuple[int, ...]  # n of the first curve, time against n
    edge: int  # its grid has edge x edge cells
    brute: int  # n on the first curve at which the fastest peer is compared
    edges: tuple[int, ...]  # grids of the second curve, time against cells
    points: int  # n of the second curve
    tolerances: tuple[float, ...]  # of the third curve, error against tolerance
    exact: Square  # problem of the third curve
    large: Square  # problem of the memory and of the numbers relative to numpy.sort
    direct: Square  # problem on which the direct method is compared
    budget: float  # seconds that one run of a brute-force peer may take at a point of a curve


_DEFAULT = BenchmarkPlan(
    name="default",
    sizes=(10_000, 100_000, 1_000_000, 10_000_000),
    edge=200,
    brute=1_000_000,
    edges=(10, 30, 100, 300, 1000),
    points=100_000,
    tolerances=tuple(float(f"1e-{k}") for k in range(3, 11)),
    exact=(100_000, 50),
    large=(10_000_000, 1000),
    direct=(100_000, 64),
    budget=0.3,
)

PLANS = {
    "quick": replace(
        _DEFAULT,
        name="quick",
        sizes=(10_000, 1_000_000),
        edge=100,
        edges=(10, 100),
        points=10_000,
        tolerances=_DEFAULT.tolerances[::2],
        exact=(10_000, 20),
        large=(1_000_000, 1000),
        direct=(10_000, 32),
        budget=0.08,
    ),
    "default": _DEFAULT,
    "full": replace(
        _DEFAULT,
        name="full",
        sizes=(*_DEFAULT.sizes, 100_000_000),
        edges=(*_DEFAULT.edges, 3000),
        exact=(1_000_000, 100),
        budget=5.0,
    ),
}


@dataclass(frozen=True)
class Bench:
    """The result of a benchmark."""

    plan: BenchmarkPlan
    machine: dict[str, Any]
    seconds: float  # duration of the benchmark
    peers: tuple[dict[str, Any], ...]  # of each its approach and first runs, or why it is out
    mismatches: tuple[str, ...]  # sentences on wrong outputs; times of such peers are left out
    against_n: tuple[Timing, ...]  # of every peer at every n
    against_cells: tuple[Timing, ...]  # of every peer on every grid
    against_tolerance: tuple[dict[str, Any], ...]  # error, bound and time at every tolerance
    targets: tuple[HeadlineNumber, ...]
    timings: dict[str, Any]  # what the headline numbers were computed from

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(vars(self))


class Contest:
    """The contestants, their rates so far, and why some are out.

    The very first run of each, which imports and compiles, is made at once.
    """

    def __init__(self, peers: Iterable[Peer], report: Report) -> None:
        self.mismatches: dict[str, str] = {}  # sentences on wrong outputs, by the peer's name
        self._peers = (*OURS, *peers)
        self._out = {peer.name: "not installed" for peer in self._peers if not peer.installed()}
        self._rates: dict[tuple[str, str], float] = {}
        self._starts: dict[str, dict[str, float]] = {}
        self._report = report
        for peer in self._in():
            report(f"first run: {peer.name}")
            self._starts[peer.name] = self.guarded(peer.name, partial(_start, peer), {})

    def run(self, problem: LandscapeProblem, budget: float, but: str = "") -> list[Timing]:
        """A timing of every contestant but one that computes in the problem's dtype."""
        P, Q = problem.cells
        self._report(f"n = {len(problem.x):g}, {P} x {Q} cells, {problem.dtype}")
        timings: list[Timing] = []
        for peer in self._in():
            if problem.dtype in peer.dtypes and peer.name != but:
                timings += self.guarded(peer.name, partial(self._timing, peer, problem, budget), [])
        return timings

    def _timing(self, peer: Peer, problem: LandscapeProblem, budget: float) -> list[Timing]:
        key = peer.name, problem.dtype
        timing = race(peer, problem, budget, rate=self._rates.get(key, FIRST_GUESS))
        self._rates[key] = timing.rate
        return [timing]

    def guarded(self, name: str, call: Callable[[], Any], otherwise: Any) -> Any:
        """The result of a call for a peer that is in; if the call fails, the peer is out.

        An error of this library itself is no reason to go on, and is raised.
        """
        if name in self._out:
            return otherwise
        try:
            return call()
        except Mismatch as mismatch:
            self.mismatches[name] = self._out[name] = str(mismatch)
        except Exception as error:
            if name in (peer.name for peer in OURS):
                raise
            # The fault is the peer's, and the others go on.
            self._out[name] = f"failed: {type(error).__name__}: {error}"
        return otherwise

    def kept(self, timings: Iterable[Timing]) -> tuple[Timing, ...]:
        """The timings of contestants that are still in."""
        return tuple(timing for timing in timings if timing.peer not in self._out)

    def described(self) -> tuple[dict[str, Any], ...]:
        """A record of every contestant: its approach and its first runs, or why it is out."""
        return tuple(
            {"peer": peer.name, "how": peer.how}
            | (
                {"skipped": self._out[peer.name]}
                if peer.name in self._out
                else self._starts[peer.name]
            )
            for peer in self._peers
        )

    def _in(self) -> list[Peer]:
        return [peer for peer in self._peers if peer.name not in self._out]


def _start(peer: Peer) -> dict[str, float]:
    """Seconds of a peer's very first run, which imports and compiles, and of the next one."""
    first, second = (stopwatch(lambda: peer.solve(problem(*SMALL)), 0)[0][0] for _ in range(2))
    return {"first_run_s": first, "second_run_s": second}


def bench(
    plan: BenchmarkPlan, peers: Iterable[Peer] = (), report: Report = lambda line: None
) -> Bench:
    """Measures this library and its peers, such as those of `benchmarks/peers`."""
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
    n, edge = plan.large
    report(f"n = {n:g}, {edge} x {edge} cells, beside numpy.sort")
    large = contest.guarded("sweep", partial(_large, plan.large), {})
    kept = {name: contest.kept(timings) for name, timings in others.items()}
    kept_against_n = contest.kept(against_n)
    brute, direct = Size(plan.brute, (plan.edge, plan.edge)), problem(*plan.direct).size
    return Bench(
        plan=plan,
        machine=machine(),
        seconds=time.perf_counter() - start,
        peers=contest.described(),
        mismatches=tuple(contest.mismatches.values()),
        against_n=kept_against_n,
        against_cells=contest.kept(against_cells),
        against_tolerance=() if "sweep" in contest.mismatches else errors,
        targets=headline_numbers(large, kept_against_n, kept, brute, direct),
        timings={"large": large, **kept},
    )


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
        f"sys.stdout.write(json.dumps(memory{square}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"skipped": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    return json.loads(done.stdout)
