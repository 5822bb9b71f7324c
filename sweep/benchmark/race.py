"""Times of one computation: checked before they count, extrapolated where they would take too long.

A time never stands without the check: the first output is held against the definition in NumPy at
some cells, and a `Mismatch` is raised instead of a time. A brute-force peer whose time would exceed
a budget is timed on as large a part of the problem as the budget allows; the rest is arithmetic,
and the record says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from sweep.benchmark.peers import LandscapeProblem, Peer, Size, Values

T = TypeVar("T")

REPEATS = 5
"""Most warm runs of one computation."""

RATE = 1e6
"""Evaluations a second that a peer is taken for before anything is known of it."""

GROWTH = 1.5
"""A part is given up for a larger one that has at least so many times its evaluations."""

CHECKED = 500_000
"""Evaluations that one check may take, about: it decides how many cells are looked at."""

LEAST_CHECKED, MOST_CHECKED = 3, 64
"""Cells that a check looks at."""

WARM = 2.2
"""Budgets that the warm runs of brute force may take together: two runs, or more short ones."""

FAIR = 0.5
"""Seconds that the warm runs of what is not brute force may take, if the budget is less."""

BLOCK = 2**16
"""Points that a check takes together."""

CLOCK = 1e-7
"""Seconds that a clock can tell from none."""

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
"""Largest error of cross-entropy, as a multiple of max(1, value): what `landscape` promises."""


class Mismatch(Exception):  # noqa: N818  # a fact about a peer, not an error of this code
    """An output is not what the definition says; the message is one sentence."""


@dataclass(frozen=True)
class Timing:
    """How long a computation takes.

    Attributes:
        peer: who computed it.
        size: of the problem that the seconds are for.
        dtype: precision.
        first_s: seconds of the first run of this shape, compilation included, on `measured`.
        seconds: least of the warm runs; extrapolated in proportion to evaluations if so marked.
        median_s: median of the warm runs, likewise.
        repeats: how many warm runs there were.
        extrapolated: whether a part of the problem was timed instead of the whole.
        rate: evaluations a second that were measured.
        measured: size of what was timed.
        error: largest error of cross-entropy at the checked cells, a multiple of max(1, value).
        attrs: what the peer told about itself in its last run.
        first_attrs: and in its first.
    """

    peer: str
    size: Size
    dtype: str
    first_s: float
    seconds: float
    median_s: float
    repeats: int
    extrapolated: bool
    rate: float
    measured: Size
    error: float
    attrs: dict[str, Any] = field(default_factory=dict)
    first_attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Truth:
    """The definition in float64 NumPy at some cells.

    Attributes:
        rows: indices of slopes, shape (k,).
        columns: indices of intercepts, shape (k,).
        cross_entropy: in nats, shape (k,).
        accuracy: as a fraction, shape (k,).
        doubt: fraction of the points whose logit is 0 within rounding, so that one rounding
            instead of two may predict them otherwise, shape (k,).
    """

    rows: Int[np.ndarray, " k"]
    columns: Int[np.ndarray, " k"]
    cross_entropy: Float[np.ndarray, " k"]
    accuracy: Float[np.ndarray, " k"]
    doubt: Float[np.ndarray, " k"]

    def error(self, cross_entropy: Float[np.ndarray, "P Q"]) -> float:
        """Largest error at these cells, as a multiple of max(1, value); nan if one is nan."""
        away = np.abs(cross_entropy[self.rows, self.columns] - self.cross_entropy)
        return float(np.max(away / np.maximum(1, self.cross_entropy)))


def truth(problem: LandscapeProblem, evaluations: int = CHECKED, seed: int = 0) -> Truth:
    """The slow truth at two opposite corners and at random cells, few if there are many points."""
    P, Q = problem.cells
    count = min(MOST_CHECKED, max(LEAST_CHECKED, evaluations // len(problem.x)))
    cells = np.random.default_rng(seed).integers(0, P * Q, count)
    cells[:2] = 0, P * Q - 1
    rows, columns = np.divmod(cells, Q)
    rounding = 4 * float(np.finfo(problem.dtype).eps)
    exact = problem.astype("float64")
    found = [
        _cell(exact, a, b, rounding) for a, b in zip(exact.a[rows], exact.b[columns], strict=True)
    ]
    ce, accuracy, doubt = np.array(found).T
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
    """The error of cross-entropy, if it and accuracy are what they should be.

    Raises:
        Mismatch: they are not, or are nan.
    """
    size, dtype = problem.size, problem.dtype
    at = f"at n = {size.n}, {size.cells[0]} x {size.cells[1]} cells, {dtype}"
    error = expected.error(values.cross_entropy)
    if not error <= TOLERANCE[dtype]:
        raise Mismatch(f"{name}: cross-entropy is off by {error:.2g} {at}")
    if values.accuracy is not None:
        found = values.accuracy[expected.rows, expected.columns]
        slack = expected.doubt + 4 * float(np.finfo(dtype).eps)
        away = np.abs(found - expected.accuracy)
        if not np.all(away <= slack):
            raise Mismatch(f"{name}: accuracy is off by {np.max(away):.2g} {at}")
    return error


def race(
    peer: Peer, problem: LandscapeProblem, budget: float, rate: float = RATE, checked: int = CHECKED
) -> Timing:
    """Times a peer on a problem, or, by brute force, on as large a part as takes `budget` seconds.

    Args:
        peer: who computes.
        problem: what.
        budget: seconds of one run; its warm runs may take WARM times as much.
        rate: evaluations a second that it is known to do: a first guess.
        checked: evaluations that the check may take.

    Raises:
        Mismatch: an output is wrong.
    """
    part = problem.part(int(rate * budget)) if peer.brute else problem
    while True:
        timing, values = _timed(peer, part, budget)
        larger = problem.part(int(timing.rate * budget))
        if larger.evaluations < GROWTH * part.evaluations:
            break
        part = larger
    error = require_equal(values, part, truth(part, checked), peer.name)
    timing = replace(timing, error=error)
    return timing if part is problem else _extrapolated(timing, problem)


def stopwatch(call: Callable[[], T], budget: float) -> tuple[tuple[float, ...], T]:
    """Seconds of up to REPEATS runs, one or what fits into the budget, and the last result."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == REPEATS or sum(seconds) + min(seconds) > budget:
            return tuple(seconds), result


def _timed(peer: Peer, problem: LandscapeProblem, budget: float) -> tuple[Timing, Values]:
    """The times of a whole problem, and what is yet to be checked."""
    (first,), values = stopwatch(lambda: peer.solve(problem), 0)
    if values.seconds:
        first, *warm = values.seconds
        last = values
    else:
        allowed = WARM * budget if peer.brute else max(FAIR, budget)
        warm, last = stopwatch(lambda: peer.solve(problem), allowed)
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


def _extrapolated(timing: Timing, problem: LandscapeProblem) -> Timing:
    factor = problem.size.evaluations / timing.size.evaluations
    return replace(
        timing,
        size=problem.size,
        seconds=factor * timing.seconds,
        median_s=factor * timing.median_s,
        extrapolated=True,
    )
