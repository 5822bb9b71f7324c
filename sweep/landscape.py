"""landscape(): plan, compute, label. Metrics of the logistic model over a grid of (a, b)."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from sweep.cuts import Confusion, confusion, rounding_bound
from sweep.data import InputError, Sample
from sweep.grid import Grid, axis
from sweep.measure import Measure, as_measure

if TYPE_CHECKING:
    import xarray as xr

    from sweep.losses import Counting, Smooth

BUDGET = 512 * 2**20
"""Default bytes of working memory, beyond input and output."""

LEAST_BUDGET = 2**20
"""Bytes of working memory without which nothing can be planned."""

CELLS_AT_ONCE = 2**18
"""Cells whose counts are taken together; more are no faster."""

BYTES_PER_CELL = 512
"""Working memory for the counts of one cell: its cut, its searches, its table."""

METHODS = ("auto", "direct")
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
        method: "direct" sums over every point in every cell; "auto" chooses.
        dtype: "float64" or "float32", in which smooth losses are computed; counts do not depend
            on it.
        memory_budget: bytes that may be used beyond input and output.

    Returns:
        A Dataset with dims `a` (P,) and `b` (Q,) and a float64 variable for each metric:
        `cross_entropy` in nats, `accuracy` as a fraction. For hard labels without weights,
        `accuracy` comes with `correct`, the int64 count of correct predictions. Attributes of the
        dataset say what it was computed from, how, and with what bound on the error.

    Raises:
        InputError: an axis or metric is not understood, there are no points, the result would not
            fit into memory, the tolerance cannot be met, or JAX finds no device.
    """
    # jax takes a second to load: the first call pays for it, `import sweep` does not.
    from sweep import kernels
    from sweep.losses import Counting, Smooth

    grid = Grid(axis(a, "a"), axis(b, "b"))
    wanted = _wanted(metrics)
    smooth = [m for m in wanted if isinstance(m, Smooth)]
    counting = [m for m in wanted if isinstance(m, Counting)]
    _require_known("method", method, METHODS)
    _require_known("dtype", dtype, DTYPES)
    if memory_budget < LEAST_BUDGET:
        raise InputError(f"memory budget is {memory_budget} bytes; at least 1 MiB is needed")
    grid.require_room(len(wanted) + bool(counting))
    measure = as_measure(data)
    if not measure.total > 0:
        raise InputError("the sample has no points, so its metrics are means over nothing")
    bounds = [kernels.rounding_bound(measure, m, grid, dtype) for m in smooth]
    bound = max([*bounds, rounding_bound(measure) if counting else 0.0])
    _require_tolerance(tolerance, bound, dtype)

    provenance = _provenance()
    values = {m.name: kernels.direct(measure, m, grid, dtype, memory_budget) for m in smooth}
    values |= _count(measure, counting, grid, memory_budget)
    return _labelled(grid, values, wanted).assign_attrs(
        {
            "n": measure.n,
            "total_weight": measure.total,
            "sample_fingerprint": measure.fingerprint,
            "method": "direct",
            "tolerance": tolerance,
            "error_bound": bound,
            "dtype": dtype,
        }
        | provenance
    )


def _wanted(metrics: str | Sequence[str]) -> list[Smooth | Counting]:
    from sweep.losses import metric

    names = dict.fromkeys([metrics] if isinstance(metrics, str) else metrics)
    if not names:
        raise InputError("no metric was asked for; name at least one")
    return [metric(name) for name in names]


def _require_tolerance(tolerance: float, bound: float, dtype: str) -> None:
    if not 0 < tolerance < math.inf:
        raise InputError(f"tolerance is {tolerance!r}; a positive number is needed")
    if bound > tolerance:
        instead = "" if dtype == "float64" else " or float64"
        raise InputError(
            f"tolerance {tolerance:g} cannot be promised in {dtype}: rounding alone may reach "
            f"{bound:.1e}; ask for a larger tolerance{instead}"
        )


def _count(
    measure: Measure, counting: list[Counting], grid: Grid, budget: int
) -> dict[str, np.ndarray]:
    """Counting metrics, and `correct` beside accuracy, by blocks of cells."""
    values: dict[str, np.ndarray] = {m.name: np.empty(grid.cells) for m in counting}
    if "accuracy" in values and measure.counted:
        values["correct"] = np.empty(grid.cells, np.int64)
    size = max(1, min(CELLS_AT_ONCE, budget // (2 * BYTES_PER_CELL)))
    for start in range(0, grid.cells if counting else 0, size):
        cells = np.arange(start, min(start + size, grid.cells))
        row, column = np.divmod(cells, len(grid.b))
        table: Confusion = confusion(measure, grid.a[row], grid.b[column])
        for m in counting:
            values[m.name][cells] = m.value(*table)
        if "correct" in values:
            values["correct"][cells] = table.tp + table.tn
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


def _provenance() -> dict[str, str]:
    """Versions and the device of a computation; InputError if there is no such device."""
    import jax

    try:
        device = jax.devices()[0]
    except (AssertionError, RuntimeError) as error:  # JAX raises either, by what it was asked for
        asked = getattr(jax.config, "jax_platforms", None)
        raise InputError(
            f"JAX has no device of the platform {asked!r} that it was asked for (JAX_PLATFORMS)"
        ) from error
    return {
        "device": f"{device.platform}: {device.device_kind}, {platform.machine()}",
        "sweep_version": version("sweep"),
        "jax_version": jax.__version__,
    }


def _require_known(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"there is no {option} {value!r}; the known ones are {', '.join(known)}")
