"""Smooth metrics over a grid: the two methods, and the choice between them.

`direct` sums over every point in every cell, at a cost of cells x points. `compressed` reads the
points once and then works on a few hundred nodes. Both keep the tolerance or refuse; `auto` takes
the cheaper one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.memory import LEAST_BUDGET
from sweep.base.progress import bar
from sweep.base.timing import Clock
from sweep.landscapes import compressed, direct
from sweep.landscapes.compressed import CompressedMetric
from sweep.landscapes.models import LandscapeMetric, PerSample
from sweep.measure.compression.deposit import Deposit, fold, gain
from sweep.measure.compression.lattice import Lattice
from sweep.measure.compression.plan import LARGEST, CompressionError, Plan, plan
from sweep.measure.compression.scatter import chunks, deposit, largest_chunk
from sweep.measure.measure import Measure
from sweep.metrics.metrics import Counting, Loss, Smooth, losses

# Costs are in evaluations of a loss, measured on a CPU. They only decide which method `auto` takes.
COST_OF_POINT = 8  # depositing one point
COST_OF_GROUP = 1_000_000  # each group of slopes, and each window
COST_OF_START = 5_000_000  # planning, folding and checking

METHODS = ("auto", "direct", "compressed")
DTYPES = ("float64", "float32")

MOST_BINS = 2**20  # with more bins a deposit is no compression
BYTES_PER_BIN = 512  # moments of two classes: on the device, summed, and folded

Kind = TypeVar("Kind", Smooth, Counting, PerSample)

_latest_deposits: WeakKeyDictionary[Measure, Deposit] = WeakKeyDictionary()
"""The latest deposit of each measure in use, kept for the next grid."""


@dataclass(frozen=True)
class LandscapeSettings:
    """What is computed, and how."""

    grid: Grid  # the cells
    metrics: tuple[LandscapeMetric, ...]  # at least one
    tolerance: float  # largest error accepted in a smooth metric, as a multiple of max(1, value)
    method: str  # "auto", "direct" or "compressed"
    dtype: str  # in which the direct method computes losses, and a model its logits
    budget: int  # bytes that may be used beyond input and output
    progress: bool | None  # whether preparing shows bars; None shows them on a terminal only
    # Whether a deposit that was made for another grid may serve. If so, the last digits depend on
    # what the measure was used for before.
    reuse: bool

    def __post_init__(self) -> None:
        """Refuses a choice or a number that is not valid."""
        dtype = getattr(self.dtype, "__name__", self.dtype)  # numpy.float32 has one
        for option, value, choices in (
            ("method", self.method, METHODS), ("dtype", dtype, DTYPES)
        ):  # fmt: skip
            if value not in choices:
                known = ", ".join(choices)
                raise InputError(f"there is no {option} {value!r}; choose one of {known}")
        for name, number in (("memory_budget", self.budget), ("tolerance", self.tolerance)):
            if not isinstance(number, Real) or math.isnan(number):
                raise InputError(f"{name} is {number!r}; a number is needed")
        if self.budget < LEAST_BUDGET:
            raise InputError(f"memory budget is {self.budget} bytes; at least 1 MiB is needed")
        if not 0 < self.tolerance < math.inf:
            raise InputError(f"tolerance is {self.tolerance!r}; a positive number is needed")
        self.__dict__.update(dtype=dtype, budget=int(self.budget))

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The metrics of a kind: smooth, counting or the caller's own."""
        return [metric for metric in self.metrics if isinstance(metric, kind)]

    @property
    def losses(self) -> list[Loss]:
        """Every loss that a smooth metric needs, once."""
        return losses(self.metrics)

    @property
    def steepest(self) -> tuple[float, float]:
        """The largest |a| and the largest |b|."""
        return float(np.max(np.abs(self.grid.a))), float(np.max(np.abs(self.grid.b)))

    def cells(self, rows: slice, columns: slice) -> Grid:
        """Some rows and columns of the grid."""
        return Grid(self.grid.a[rows], self.grid.b[columns])


class Tile(NamedTuple):
    """Metrics in some rows and columns of a grid."""

    values: dict[str, Shaped[np.ndarray, "k m"]]  # by name of the variable
    observed_error: float = 0.0  # largest |error| / max(1, value) that a check saw


TileSource = Callable[[slice, slice, bool | None], Tile]
"""Computes some metrics in rows and columns, from start to stop; the third says whether to show
progress bars, None on a terminal only."""


class SmoothSource(NamedTuple):
    """Smooth metrics by one of the two methods, prepared for any tile."""

    compute: TileSource
    bound: float  # on |error| / max(1, value)
    attributes: dict[str, Any]  # method, dtype, sizes and the check of the nodes, for the dataset


def smooth(measure: Measure, settings: LandscapeSettings, clock: Clock) -> SmoothSource:
    """The smooth metrics of the settings, at least one; refuses a tolerance that cannot be kept."""
    method, dtype = settings.method, settings.dtype
    if measure.sketch is not None:
        if method == "direct" or dtype != "float64":
            raise InputError(
                "a sketch has no points to sum over; ask for the compressed method in float64"
            )
        measure.sketch.require(settings.grid, settings.losses, settings.tolerance)
        method = "compressed"
    if method == "compressed" and dtype != "float64":
        raise InputError(
            f"the compressed method computes in float64, not in {dtype}; "
            "ask for float64 or for the direct method"
        )
    source = None
    if method != "direct" and dtype == "float64":
        try:
            source = _compressed(measure, settings, clock, always=method == "compressed")
        except CompressionError as reason:
            if method == "compressed":
                remedy = "ask for the direct method"
                if measure.sketch is not None:
                    remedy = (
                        "ask for a larger tolerance, or sketch the data again with larger weights"
                    )
                raise CompressionError(f"{reason}; {remedy}") from None
    return source or _direct(measure, settings, clock)


def _direct(measure: Measure, settings: LandscapeSettings, clock: Clock) -> SmoothSource:
    """The direct method, if it can keep the tolerance."""
    dtype = settings.dtype
    bound = max(
        direct.rounding_bound(measure, metric, settings.grid, dtype)
        for metric in settings.of(Smooth)
    )
    if bound > settings.tolerance:
        alternative = "" if dtype == "float64" else " or float64"
        raise InputError(
            f"tolerance {settings.tolerance:g} cannot be promised in {dtype}: rounding "
            f"alone may reach {bound:.1e}; ask for a larger tolerance{alternative}"
        )

    def compute(rows: slice, columns: slice, progress: bool | None) -> Tile:
        grid, values = settings.cells(rows, columns), {}
        for metric in settings.of(Smooth):
            work = direct.work(measure, metric, grid.cells)
            with (
                clock.stage("evaluate"),
                bar(f"{metric.name}, every point", work, "losses", progress) as step,
            ):
                values[metric.name] = direct.direct(
                    measure, metric, grid, dtype, settings.budget, step
                )
        return Tile(values)

    return SmoothSource(compute, bound, {"method": "direct", "dtype": dtype})


def _compressed(
    measure: Measure, settings: LandscapeSettings, clock: Clock, *, always: bool
) -> SmoothSource | None:
    """The compressed method; None if it is no cheaper than the direct one, unless `always`."""
    earlier = measure.sketch.deposit if measure.sketch is not None else None
    if earlier is None and settings.reuse:
        earlier = _latest_deposits.get(measure)
    with clock.stage("plan"):
        planned = _plan(measure, settings, earlier)
        if earlier is not None and earlier.lattice != planned.lattice:
            earlier = None
        if not always and _cost(planned, measure, settings, earlier) > sum(
            direct.work(measure, metric, settings.grid.cells) for metric in settings.of(Smooth)
        ):
            return None
    with clock.stage("deposit"):
        deposited = earlier
        if deposited is None:
            with bar("deposit", measure.points, "points", settings.progress) as step:
                chunk = largest_chunk(settings.budget)
                deposited = deposit(measure.classes, planned.lattice, step, chunk)
            if settings.reuse:
                _latest_deposits[measure] = deposited
    with clock.stage("fold"):
        windows = fold(planned, deposited)
        # The plan bounds what folding multiplies errors by; here is what it really was.
        largest_gain = gain(windows, float(measure.total))
        bound = _bound(planned, measure, settings, deposited.chunks, largest_gain)
    surfaces = {
        metric.name: CompressedMetric(
            planned, windows, metric, metric.total(*measure.masses), settings.budget
        )
        for metric in settings.of(Smooth)
    }
    with clock.stage("verify"):
        check = compressed.check(measure, [*surfaces.values()], deposited, bound)
    sizes = {
        "bins": planned.lattice.bins,
        "nodes": max(len(window.x) for window in windows.values()),
    }
    attributes = {"method": "compressed", "dtype": "float64"} | check._asdict() | sizes

    def compute(rows: slice, columns: slice, progress: bool | None) -> Tile:
        values, errors = {}, []
        for name, surface in surfaces.items():
            work = 2 * surface.plan.evaluations  # one loss for each class
            with clock.stage("evaluate"), bar(name, work, "losses", progress) as step:
                values[name] = surface.tile(rows, columns, step)
            with clock.stage("verify"):
                errors.append(surface.check(rows, columns, values[name], bound))
        return Tile(values, max(errors))

    return SmoothSource(compute, bound, attributes)


def _plan(measure: Measure, settings: LandscapeSettings, earlier: Deposit | None) -> Plan:
    """A plan on the lattice of an earlier deposit, if that is fine enough, or else a new one."""
    if not 1 / LARGEST < measure.heaviest < LARGEST:  # sums could leave the range of float64
        raise CompressionError(f"weights as large as {measure.heaviest:g} cannot be compressed")
    if measure.sketch is None:
        rounded_sums = chunks(measure.classes, largest_chunk(settings.budget))
        most_bins = min(MOST_BINS, settings.budget // BYTES_PER_BIN)
    else:
        rounded_sums = measure.sketch.deposit.chunks
        most_bins = measure.sketch.schema.lattice.bins
    arguments = (settings.grid, measure.ends, settings.losses, settings.tolerance, most_bins)

    def planned(lattice: Lattice | None) -> Plan:
        new = plan(*arguments, lattice=lattice)
        _bound(new, measure, settings, rounded_sums)
        return new

    if earlier is not None:
        try:
            return planned(earlier.lattice)
        except CompressionError:
            if measure.sketch is not None:  # it has no other lattice
                raise
    return planned(None)


def _bound(
    planned: Plan, measure: Measure, settings: LandscapeSettings, rounded: int, gain: float = 0.0
) -> float:
    """The bound of a plan with what a sketch loses; refuses one beyond the tolerance."""
    bound = planned.bound(rounded, measure.counted, gain)
    if measure.sketch is not None:
        bound += measure.sketch.lost(*settings.steepest)
    if bound > settings.tolerance:
        raise CompressionError(
            f"tolerance {settings.tolerance:g} cannot be promised of a compression: the error may "
            f"reach {bound:.1e}"
        )
    return bound


def _cost(
    planned: Plan, measure: Measure, settings: LandscapeSettings, earlier: Deposit | None
) -> float:
    """Cost of the compressed method, given a deposit on the lattice of the plan if there is one."""
    points = measure.points if earlier is None else 0
    evaluations = 2 * planned.evaluations * len(settings.of(Smooth))
    groups = len(planned.groups) + planned.levels
    return COST_OF_POINT * points + evaluations + COST_OF_GROUP * groups + COST_OF_START
