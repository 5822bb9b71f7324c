"""The problem of a benchmark, and the contestants that compute it: this library with both methods.

A `Peer` is any other way to compute it. Peers by other libraries are in `benchmarks/peers` of a
checkout, and nowhere in an installed package.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sweep.data.sample import Sample, illustration
from sweep.landscapes.landscape import landscape

SLOPES, INTERCEPTS = (-10.0, 10.0), (-5.0, 5.0)  # ends of the axes

LEAST_EDGE, LEAST_POINTS = 2, 100_000
"""The smallest part of a problem that may be timed for the whole: lines along an axis, points."""

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
"""Largest error of cross-entropy, as a multiple of max(1, value): what `landscape` promises."""

RECORDED = (
    "method", "nodes", "bins", "error_bound", "observed_error", "checked_cells", "checked_points",
)  # fmt: skip
"""Attributes of a landscape that are recorded, beside all whose names start with `seconds_`."""

PEERS_OF_CHECKOUT = Path(__file__).parents[2] / "benchmarks" / "peers" / "__init__.py"


@dataclass(frozen=True)
class Size:
    """The size of a computation: points, and cells (P, Q)."""

    n: int
    cells: tuple[int, int]

    @property
    def evaluations(self) -> int:
        """Pairs of a cell and a point; the time of brute force is proportional to them."""
        return self.n * self.cells[0] * self.cells[1]

    def __str__(self) -> str:
        """The size as in 64 x 64 cells, n = 1e5."""
        n = f"{self.n:.0e}".replace("e+0", "e").replace("e+", "e")
        return f"{self.cells[0]} x {self.cells[1]} cells, n = {n}"


@dataclass(frozen=True, eq=False)
class LandscapeProblem:
    """A landscape to compute, in the dtype of its arrays; labels are 0 or 1, axes ascend."""

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    a: Float[np.ndarray, " P"]
    b: Float[np.ndarray, " Q"]

    @property
    def size(self) -> Size:
        """The number of points and of cells."""
        return Size(len(self.x), self.cells)

    @property
    def cells(self) -> tuple[int, int]:
        """(P, Q)."""
        return len(self.a), len(self.b)

    @property
    def dtype(self) -> str:
        """The dtype of all arrays."""
        return str(self.x.dtype)

    def astype(self, dtype: str) -> LandscapeProblem:
        """The same problem in another precision."""
        columns = (self.x, self.y, self.a, self.b)
        return LandscapeProblem(*(column.astype(dtype, copy=False) for column in columns))

    def part(self, evaluations: int) -> LandscapeProblem:
        """A part of the problem with about so many evaluations, or all of it if that is most.

        First the grid gets coarser, down to LEAST_EDGE lines. Then points are left out, down to
        LEAST_POINTS, which is enough for the work on the points to outweigh that on the cell.
        """
        if evaluations > 0.7 * self.size.evaluations:
            return self
        total = len(self.a) * len(self.b)
        cells = min(total, max(LEAST_EDGE**2, evaluations // len(self.x)))
        share = math.sqrt(cells / total)
        n = min(len(self.x), max(LEAST_POINTS, evaluations // cells))
        return LandscapeProblem(
            self.x[:n], self.y[:n], _thinned(self.a, share), _thinned(self.b, share)
        )


def _thinned(axis: Float[np.ndarray, " n"], share: float) -> Float[np.ndarray, " m"]:
    count = min(len(axis), max(LEAST_EDGE, round(share * len(axis))))
    return axis[np.linspace(0, len(axis) - 1, count).astype(int)]


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


@dataclass(frozen=True, eq=False)
class Values:
    """The output of a peer: NumPy arrays, so that a device has finished when they are there."""

    cross_entropy: Float[np.ndarray, "P Q"]  # nats
    accuracy: Float[np.ndarray, "P Q"] | None  # fraction; None if it was not computed
    seconds: tuple[float, ...] = ()  # of each run, by the peer's own clock if it has one
    attrs: dict[str, Any] = field(default_factory=dict)  # what else the peer reports


@dataclass(frozen=True)
class Peer:
    """One way to compute a landscape."""

    name: str
    how: str  # its approach, in a few words
    solve: Callable[[LandscapeProblem], Values]
    installed: Callable[[], bool] = lambda: True
    dtypes: tuple[str, ...] = ("float64", "float32")
    brute: bool = True  # whether its time is proportional to cells times points


def solve(
    problem: LandscapeProblem,
    method: str = "compressed",
    metrics: Sequence[str] = ("cross_entropy", "accuracy"),
    tolerance: float | None = None,
) -> Values:
    """This library as a peer; each run makes its own sample, so that it reads every point."""
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
    attrs = {k: v for k, v in result.attrs.items() if k in RECORDED or k.startswith("seconds_")}
    return Values(
        result["cross_entropy"].values,
        result["accuracy"].values if "accuracy" in result else None,
        attrs={k: v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()},
    )


COMPRESSED = Peer("sweep", "the data once, then the grid", solve, dtypes=("float64",), brute=False)
DIRECT = Peer("sweep-direct", "every point in every cell", partial(solve, method="direct"))
OURS = (COMPRESSED, DIRECT)


def other_peers() -> dict[str, Peer]:
    """The peers by other libraries, by name; none where there is no checkout."""
    if not PEERS_OF_CHECKOUT.exists():
        return {}
    spec = importlib.util.spec_from_file_location("peers", PEERS_OF_CHECKOUT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PEERS
