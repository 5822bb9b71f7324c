"""Measurements: times that are checked before they count, peak memory, and where both were taken.

A time never stands without the check: the first output is compared with the definition in NumPy at
some cells, and a wrong one raises `Mismatch` instead. A brute-force peer whose time would exceed a
budget is timed on as large a part of the problem as the budget allows; its time for the whole
problem is extrapolated, and the record says so. The scripts in `benchmarks/` measure with `Peak`
and record their `machine`, too.
"""

from __future__ import annotations

import math
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

import sweep
from sweep.base import devices
from sweep.benchmark.problem import TOLERANCE, LandscapeProblem, Peer, Size, Values

T = TypeVar("T")

REPEATS = 5  # most warm runs of one computation
FIRST_GUESS = 1e6  # evaluations a second that a peer is assumed to do before it was measured
GROWTH = 1.5  # a part is timed again if a larger one has at least so many times its evaluations
WARM_BUDGETS = 2.2  # budgets for all warm runs of brute force: two long runs, or more short ones
WARM_SECONDS = 0.5  # seconds for all warm runs of anything else, if the budget is less
CLOCK = 1e-7  # seconds below which a clock cannot tell a time from 0

CHECKED = 500_000  # evaluations of one check, about: this decides how many cells are checked
LEAST_CELLS, MOST_CELLS = 3, 64  # cells that a check looks at
BLOCK = 2**16  # points that a check takes at once, so that temporaries stay in a cache

PACKAGES = (
    "jax", "jaxlib", "numpy", "xarray", "matplotlib", "scikit-learn", "numba", "torch",
    "jax-grid-search", "optax", "keras",
)  # fmt: skip
"""Distributions whose versions are recorded where they are installed."""

MEMORY_INTERVAL = 0.002  # seconds between two readings of the resident memory


class Mismatch(Exception):  # noqa: N818  # a fact about a peer, not an error of this code
    """An output differs from the definition; the message is one sentence."""


@dataclass(frozen=True)
class Timing:
    """The time of a computation."""

    peer: str  # that computed
    size: Size  # of the problem that the seconds are for
    dtype: str
    first_s: float  # seconds of the first run of this shape, compilation included, on `measured`
    seconds: float  # least of the warm runs, in proportion to evaluations if `extrapolated`
    median_s: float  # median of the warm runs, in the same proportion
    repeats: int  # number of warm runs
    extrapolated: bool  # whether a part of the problem was timed instead of the whole
    rate: float  # evaluations a second that were measured
    measured: Size  # of the problem that was timed
    error: float  # largest error of cross-entropy at the checked cells / max(1, value)
    attrs: dict[str, Any] = field(default_factory=dict)  # what the peer reported on its last run
    first_attrs: dict[str, Any] = field(default_factory=dict)  # on its first run


@dataclass(frozen=True, eq=False)
class Truth:
    """The definition in float64 NumPy at some cells."""

    rows: Int[np.ndarray, " k"]  # indices of slopes
    columns: Int[np.ndarray, " k"]  # indices of intercepts
    cross_entropy: Float[np.ndarray, " k"]  # nats
    accuracy: Float[np.ndarray, " k"]  # fraction
    # Fraction of the points whose logit is 0 within rounding, so that one rounding instead of two
    # may change their prediction.
    doubt: Float[np.ndarray, " k"]

    def error(self, cross_entropy: Float[np.ndarray, "P Q"]) -> float:
        """Largest error at these cells, as a multiple of max(1, value); nan if one is nan."""
        difference = np.abs(cross_entropy[self.rows, self.columns] - self.cross_entropy)
        return float(np.max(difference / np.maximum(1, self.cross_entropy)))


def truth(problem: LandscapeProblem, evaluations: int = CHECKED, seed: int = 0) -> Truth:
    """The definition at two opposite corners and at random cells, few if there are many points."""
    P, Q = problem.cells
    count = min(MOST_CELLS, max(LEAST_CELLS, evaluations // len(problem.x)))
    cells = np.random.default_rng(seed).integers(0, P * Q, count)
    cells[:2] = 0, P * Q - 1
    rows, columns = np.divmod(cells, Q)
    rounding = 4 * float(np.finfo(problem.dtype).eps)  # a product and a sum, in peer and truth
    exact = problem.astype("float64")
    values = [
        _cell(exact, a, b, rounding) for a, b in zip(exact.a[rows], exact.b[columns], strict=True)
    ]
    ce, accuracy, doubt = np.array(values).T
    return Truth(rows, columns, ce, accuracy, doubt)


def _cell(
    problem: LandscapeProblem, a: float, b: float, rounding: float
) -> tuple[float, float, float]:
    """Cross-entropy, accuracy and doubt of one cell, by blocks of points."""
    sums = []
    for start in range(0, len(problem.x), BLOCK):
        x, y = (column[start : start + BLOCK] for column in (problem.x, problem.y))
        product = a * x
        z = product + b
        loss = np.logaddexp(0, np.where(y > 0, -z, z)).sum()
        unsure = np.abs(z) <= rounding * (np.abs(product) + abs(b))
        sums.append((loss, np.count_nonzero((z > 0) == (y > 0)), np.count_nonzero(unsure)))
    loss, correct, doubtful = (
        math.fsum(column) / len(problem.x) for column in zip(*sums, strict=True)
    )
    return loss, correct, doubtful


def require_equal(values: Values, problem: LandscapeProblem, expected: Truth, name: str) -> float:
    """The largest error of cross-entropy, as a multiple of max(1, value), of the peer `name`.

    Raises Mismatch where a metric differs from the definition or is nan.
    """
    size, dtype = problem.size, problem.dtype
    where = f"at n = {size.n}, {size.cells[0]} x {size.cells[1]} cells, {dtype}"
    error = expected.error(values.cross_entropy)
    if not error <= TOLERANCE[dtype]:
        raise Mismatch(f"{name}: cross-entropy is off by {error:.2g} {where}")
    if values.accuracy is not None:
        accuracy = values.accuracy[expected.rows, expected.columns]
        # Points in doubt may count either way, and the mean of the others is rounded.
        slack = expected.doubt + 4 * float(np.finfo(dtype).eps)
        difference = np.abs(accuracy - expected.accuracy)
        if not np.all(difference <= slack):
            raise Mismatch(f"{name}: accuracy is off by {np.max(difference):.2g} {where}")
    return error


def race(
    peer: Peer,
    problem: LandscapeProblem,
    budget: float,
    rate: float = FIRST_GUESS,
    checked: int = CHECKED,
) -> Timing:
    """Times a peer on a problem, or, if it uses brute force, on as much as `budget` seconds allow.

    Seconds are those of one run; `rate` is a first guess of evaluations a second, and `checked` is
    the number of evaluations that the check may take. Raises Mismatch where the output is wrong.
    """
    part = problem.part(int(rate * budget)) if peer.brute else problem
    while True:
        timing, values = _timed(peer, part, budget)
        larger = problem.part(int(timing.rate * budget))
        if larger.size.evaluations < GROWTH * part.size.evaluations:
            break
        part = larger
    error = require_equal(values, part, truth(part, checked), peer.name)
    factor = problem.size.evaluations / part.size.evaluations
    return replace(
        timing,
        size=problem.size,
        seconds=factor * timing.seconds,
        median_s=factor * timing.median_s,
        extrapolated=part is not problem,
        error=error,
    )


def stopwatch(call: Callable[[], T], budget: float) -> tuple[tuple[float, ...], T]:
    """Seconds of each of up to REPEATS runs that fit into the budget, and the last result."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == REPEATS or sum(seconds) + min(seconds) > budget:
            return tuple(seconds), result


def _timed(peer: Peer, problem: LandscapeProblem, budget: float) -> tuple[Timing, Values]:
    """The times of a whole problem, and the first output, which is yet to be checked."""
    (first,), values = stopwatch(lambda: peer.solve(problem), 0)
    if values.seconds:  # by the peer's own clock
        first, *warm = values.seconds
        last = values
    else:
        warm_budget = WARM_BUDGETS * budget if peer.brute else max(WARM_SECONDS, budget)
        warm, last = stopwatch(lambda: peer.solve(problem), warm_budget)
    least = max(min(warm), CLOCK)
    timing = Timing(
        peer=peer.name,
        size=problem.size,
        dtype=problem.dtype,
        first_s=first,
        seconds=least,
        median_s=median(warm),
        repeats=len(warm),
        extrapolated=False,
        rate=problem.size.evaluations / least,
        measured=problem.size,
        error=math.nan,
        attrs=last.attrs,
        first_attrs=values.attrs,
    )
    return timing, values


class Peak:
    """The highest resident memory of this process while the block runs, and that `before` it."""

    def __enter__(self) -> Peak:
        import psutil  # in an extra: only measurements of memory need it

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
        while not self._done.wait(MEMORY_INTERVAL):
            self.highest = max(self.highest, self._process.memory_info().rss)


def machine() -> dict[str, Any]:
    """The machine as a dict: cores, processor, SIMD features that NumPy uses, device, versions."""
    return {
        "cores": devices.cores(),
        "processor": _processor(),
        # numpy.sort, the yardstick of some ratios, chooses its algorithm by them.
        "numpy_simd": np.show_config(mode="dicts")["SIMD Extensions"],  # pyright: ignore  # a dict
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "device": devices.describe(),
        "versions": {"sweep": sweep.__version__}
        | {name: number for name in PACKAGES if (number := _version(name))},
    }


def _processor() -> str:
    """The processor's model, which `platform` does not know on Linux."""
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
