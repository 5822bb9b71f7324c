"""landscape(): plan, compute, label. Metrics of the logistic model over a grid of (a, b)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from sweep.clock import Clock
from sweep.cuts import Confusion, confusion, rounding_bound
from sweep.data import InputError, Sample
from sweep.grid import Grid, axis
from sweep.measure import Measure, as_measure
from sweep.progress import bar

if TYPE_CHECKING:
    import xarray as xr

    from sweep.losses import Counting, Smooth

BUDGET = 512 * 2**20
"""Default bytes of working memory, beyond input and output."""

LEAST_BUDGET = 2**20
"""Bytes of working memory without which nothing can be planned."""

CELLS_AT_ONCE = 2**15
"""Cells whose counts are taken together; more are no faster."""

BYTES_PER_CELL = 512
"""Working memory for the counts of one cell: its cut, its searches, its table."""

DTYPES = ("float64", "float32")


def landscape(
    data: Sample | Measure,
    a: str | ArrayLike = "-5:5:101",
    b: str | ArrayLike = "-5:5:101",
    metrics: str | Sequence[str] = ("cross_entropy", "accuracy"),
    *,
    tolerance: float = 1e-9,
    method: str = "auto",
    dtype: str = "float64",
    memory_budget: int = BUDGET,
    progress: bool | None = None,
) -> xr.Dataset:
    """Metrics of p = sigmoid(a*x + b) in every cell of a grid of slopes a and intercepts b.

    The logit is z = fl(fl(a*x) + b) in float64, and class 1 is predicted iff z > 0. Accuracy
    counts are exact in every cell, ties included (see `sweep.cuts`).

    Args:
        data: the sample or measure.
        a: slopes, P points: text such as "-5:5:101" (both ends included; ":log" for geometric
            spacing; "0,1,2.5" for a list), a number or an array.
        b: intercepts, Q points, likewise.
        metrics: names from `sweep.losses.METRICS`.
        tolerance: largest error accepted in a smooth metric, as a multiple of max(1, value).
        method: "direct" sums over every point in every cell, at a cost of cells x points;
            "compressed" reads the points once (see `sweep.compressed`); "auto" takes the cheaper.
            Either keeps the tolerance or refuses. A `Measure` keeps its compression for the next
            grid; a `Sample` does not.
        dtype: "float64" or "float32", in which the direct method computes losses. The compressed
            method is in float64, and counts are exact.
        memory_budget: bytes that may be used beyond input and output.
        progress: whether to show progress bars on stderr for what takes more than two seconds;
            None shows them on a terminal only.

    Returns:
        A Dataset with dims `a` (P,) and `b` (Q,) and a float64 variable for each metric:
        `cross_entropy` in nats, `accuracy` as a fraction. For hard labels without weights,
        `accuracy` comes with `correct`, the int64 count of correct predictions. Attributes of the
        dataset say what it was computed from, on what device and how: `method`; `error_bound`, on
        |error| / max(1, value); the seconds of each stage, with compilation apart; and for a
        compression `observed_error`, the largest error seen in `checked_cells` cells against sums
        over `checked_points` points, and the number of `bins` and `nodes`.

    Raises:
        InputError: an axis or metric is not understood, there are no points, the result would not
            fit into memory, the tolerance cannot be met, or JAX finds no device.
    """
    # jax takes a second to load: the first call pays for it, `import sweep` does not.
    from sweep import devices
    from sweep.losses import Counting, Smooth
    from sweep.methods import METHODS, Request, smooth

    grid = Grid(axis(a, "a"), axis(b, "b"))
    wanted = _wanted(metrics)
    losses = [m for m in wanted if isinstance(m, Smooth)]
    counting = [m for m in wanted if isinstance(m, Counting)]
    _require_known("method", method, METHODS)
    _require_known("dtype", dtype, DTYPES)
    if memory_budget < LEAST_BUDGET:
        raise InputError(f"memory budget is {memory_budget} bytes; at least 1 MiB is needed")
    _require_tolerance(tolerance)
    grid.require_room(len(wanted) + bool(counting))
    measure = as_measure(data)
    if not measure.total > 0:
        raise InputError("the sample has no points, so its metrics are means over nothing")
    attributes = {
        "n": measure.n,
        "total_weight": measure.total,
        "sample_fingerprint": measure.fingerprint,
        "tolerance": tolerance,
        "error_bound": rounding_bound(measure) if counting else 0.0,
        "device": devices.describe(),
    }
    values: dict[str, np.ndarray] = {}
    clock = Clock()
    if losses:
        request = Request(losses, grid, tolerance, dtype, memory_budget, progress)
        answer = smooth(measure, request, method, clock)
        bound = max(attributes["error_bound"], answer.attributes["error_bound"])
        attributes |= answer.attributes | {"error_bound": bound}
        values |= answer.values
    if counting:
        with clock.stage("count"):
            devices.order(measure.class0, measure.class1)
            values |= _count(measure, counting, grid, memory_budget, progress)
    attributes |= clock.seconds | _versions()
    return _labelled(grid, values, wanted).assign_attrs(attributes)


def _wanted(metrics: str | Sequence[str]) -> list[Smooth | Counting]:
    from sweep.losses import metric

    names = dict.fromkeys([metrics] if isinstance(metrics, str) else metrics)
    if not names:
        raise InputError("no metric was asked for; name at least one")
    return [metric(name) for name in names]


def _require_tolerance(tolerance: float) -> None:
    if not 0 < tolerance < math.inf:
        raise InputError(f"tolerance is {tolerance!r}; a positive number is needed")


def _count(
    measure: Measure,
    counting: list[Counting],
    grid: Grid,
    budget: int,
    progress: bool | None,
) -> dict[str, np.ndarray]:
    """Counting metrics, and `correct` beside accuracy, by blocks of cells in threads."""
    values: dict[str, np.ndarray] = {m.name: np.empty(grid.cells) for m in counting}
    if "accuracy" in values and measure.counted:
        values["correct"] = np.empty(grid.cells, np.int64)
    workers = os.cpu_count() or 1
    size = max(1, min(CELLS_AT_ONCE, budget // (2 * BYTES_PER_CELL * workers)))

    def count(start: int) -> int:
        cells = np.arange(start, min(start + size, grid.cells))
        row, column = np.divmod(cells, len(grid.b))
        table: Confusion = confusion(measure, grid.a[row], grid.b[column])
        for m in counting:
            values[m.name][cells] = m.value(*table)
        if "correct" in values:
            values["correct"][cells] = table.tp + table.tn
        return len(cells)

    with (
        bar("counts", grid.cells, "cells", progress) as step,
        ThreadPoolExecutor(workers) as pool,
    ):
        for done in pool.map(count, range(0, grid.cells, size)):
            step(done)
    return {name: flat.reshape(grid.shape) for name, flat in values.items()}


def _labelled(
    grid: Grid, values: dict[str, np.ndarray], metrics: list[Smooth | Counting]
) -> xr.Dataset:
    import xarray as xr

    attributes = {
        m.name: {"units": m.units, "long_name": m.long_name, "source": m.source} for m in metrics
    }
    attributes["correct"] = {"units": "count", "long_name": "correct predictions"}
    return xr.Dataset(
        {name: (("a", "b"), array, attributes[name]) for name, array in values.items()},
        coords={
            "a": ("a", grid.a, {"units": "1 / unit of x", "long_name": "slope a"}),
            "b": ("b", grid.b, {"units": "1", "long_name": "intercept b"}),
        },
    )


@cache
def _versions() -> dict[str, str]:
    return {name + "_version": version(name) for name in ("sweep", "jax")}


def _require_known(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"there is no {option} {value!r}; the known ones are {', '.join(known)}")
