"""The contestants of a benchmark: this library with both methods, and its peers.

All compute one family of problems. A peer that is not installed is listed and skipped. A peer that
fails or returns a wrong output is removed, with every time that was taken of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from sweep.benchmark.measurement import FIRST_GUESS, TOLERANCE, Mismatch, Timing, race, stopwatch
from sweep.benchmark.peers import PEERS, LandscapeProblem, Peer, Values
from sweep.data.sample import Sample, illustration
from sweep.landscapes.landscape import landscape

SLOPES, INTERCEPTS = (-10.0, 10.0), (-5.0, 5.0)  # ends of the axes
SMALL = (1000, 6)  # (points, cells along an axis) of the very first run, which imports and compiles

RECORDED = (
    "method", "nodes", "bins", "error_bound", "observed_error", "checked_cells", "checked_points",
)  # fmt: skip
"""Attributes of a landscape that are recorded, beside all whose names start with `seconds_`."""

Report = Callable[[str], None]
"""Called with a line of text that says what is measured next."""


def problem(n: int, edge: int) -> LandscapeProblem:
    """The problem with n points and edge x edge cells, always the same.

    x is uniform on (-1, 1), and y = 1 with probability sigmoid(x).
    """
    x, y = _points(n)
    return LandscapeProblem(x, y, np.linspace(*SLOPES, edge), np.linspace(*INTERCEPTS, edge))


@lru_cache(maxsize=1)
def _points(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    x = rng.uniform(-1, 1, n)
    return x, (rng.uniform(size=n) * (1 + np.exp(-x)) < 1).astype(np.float64)


def published(k: int, edge: int) -> LandscapeProblem:
    """The k-th published illustration, a and b in [-5, 5]."""
    sample, axis = illustration(k), np.linspace(-5, 5, edge)
    return LandscapeProblem(sample.x, sample.y, axis, axis)


def solve(
    problem: LandscapeProblem,
    method: str = "compressed",
    metrics: Sequence[str] = ("cross_entropy", "accuracy"),
    tolerance: float | None = None,
) -> Values:
    """This library as a peer. Each run makes its own sample, so that it reads every point.

    Args:
        problem: is computed.
        method: of `sweep.landscape`.
        metrics: of `sweep.landscape`; cross-entropy is among them.
        tolerance: of `sweep.landscape`; None takes that of the problem's dtype.
    """
    result = landscape(
        Sample(problem.x, problem.y),
        problem.a,
        problem.b,
        metrics,
        method=method,
        dtype=problem.dtype,
        tolerance=TOLERANCE[problem.dtype] if tolerance is None else tolerance,
        progress=False,
    )
    accuracy = result["accuracy"].values if "accuracy" in result else None
    return Values(result["cross_entropy"].values, accuracy, attrs=_recorded(result.attrs))


def _recorded(attrs: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in attrs.items() if k in RECORDED or k.startswith("seconds_")}
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in kept.items()}


COMPRESSED = Peer(
    "sweep", "the data once, then the grid", solve, lambda: True, ("float64",), brute=False
)
DIRECT = Peer(
    "sweep-direct", "every point in every cell", partial(solve, method="direct"), lambda: True
)
OURS = (COMPRESSED, DIRECT)
"""This library with both methods."""


class Contest:
    """The contestants, their rates so far, and why some are out.

    Attributes:
        mismatches: sentences on wrong outputs, by the peer's name.
    """

    def __init__(self, peers: Iterable[str], report: Report) -> None:
        """Makes the very first run of each contestant, which imports and compiles.

        Args:
            peers: names from `sweep.benchmark.peers.PEERS`.
            report: called with a line of text that says what is measured next.
        """
        self.mismatches: dict[str, str] = {}
        self._peers = (*OURS, *(PEERS[name] for name in peers))
        self._out = {peer.name: "not installed" for peer in self._peers if not peer.installed()}
        self._rates: dict[tuple[str, str], float] = {}
        self._starts: dict[str, dict[str, float]] = {}
        self._report = report
        for peer in self._in():
            report(f"first run: {peer.name}")
            self._starts[peer.name] = self.guarded(peer.name, partial(_start, peer), {})

    def run(self, problem: LandscapeProblem, budget: float, but: str = "") -> tuple[Timing, ...]:
        """A timing of every contestant that computes in the problem's dtype.

        Args:
            problem: is computed.
            budget: seconds for one run.
            but: name of a contestant that does not take part.
        """
        P, Q = problem.cells
        self._report(f"n = {len(problem.x):g}, {P} x {Q} cells, {problem.dtype}")
        timings: list[Timing] = []
        for peer in self._in():
            if problem.dtype in peer.dtypes and peer.name != but:
                timings += self.guarded(peer.name, partial(self._timing, peer, problem, budget), [])
        return tuple(timings)

    def _timing(self, peer: Peer, problem: LandscapeProblem, budget: float) -> list[Timing]:
        key = peer.name, problem.dtype
        timing = race(peer, problem, budget, rate=self._rates.get(key, FIRST_GUESS))
        self._rates[key] = timing.rate
        return [timing]

    def guarded(self, name: str, call: Callable[[], Any], otherwise: Any) -> Any:
        """Calls for a peer. If the call fails, the peer is out.

        Args:
            name: of the peer.
            call: is called, unless the peer is out.
            otherwise: is returned if there is no result.

        Raises:
            Exception: this library failed, which is no reason to go on.
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
            | ({"skipped": self._out[peer.name]} if peer.name in self._out else {})
            | ({} if peer.name in self._out else self._starts[peer.name])
            for peer in self._peers
        )

    def _in(self) -> list[Peer]:
        return [peer for peer in self._peers if peer.name not in self._out]


def _start(peer: Peer) -> dict[str, float]:
    """Seconds of a peer's very first run, which imports and compiles, and of the next one."""
    first, second = (stopwatch(lambda: peer.solve(problem(*SMALL)), 0)[0][0] for _ in range(2))
    return {"first_run_s": first, "second_run_s": second}
