"""Smooth metrics over a grid: the two methods, the choice between them, and the check afterwards.

`direct` sums over every point in every cell, at a cost of cells x points. `compressed` reads the
points once and then works on a few hundred nodes. Both keep the tolerance or refuse; `auto` takes
the cheaper one.

Method, plan and deposit are chosen once for the whole grid. Any tile can then be computed, and its
cells are the same to the bit whatever other tiles were computed before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.progress import bar
from sweep.base.timing import Clock
from sweep.landscapes import direct, verification
from sweep.landscapes.compressed import CompressedMetric
from sweep.landscapes.models import LandscapeMetric, PerSample
from sweep.measure.compression.deposit import Deposit, fold, gain
from sweep.measure.compression.plan import LARGEST, CompressionError, Plan, plan
from sweep.measure.compression.scatter import chunks, deposit, largest_chunk
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Counting, Loss, Smooth

# Costs are in evaluations of a loss, measured on a CPU. They only decide which method `auto` takes.
COST_OF_POINT = 8  # depositing one point
COST_OF_GROUP = 1_000_000  # each group of slopes, and each window
COST_OF_START = 5_000_000  # planning, folding and checking

MOST_BINS = 2**20  # with more bins a deposit is no compression
BYTES_PER_BIN = 512  # moments of two classes: on the device, summed, and folded

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
    # whether preparing shows progress bars; None shows them on a terminal only
    progress: bool | None
    # whether a deposit that was made for another grid may serve. If so, the last digits depend on
    # what the measure was used for before
    reuse: bool

    @property
    def smooth(self) -> list[Smooth]:
        """The smooth metrics."""
        return [metric for metric in self.metrics if isinstance(metric, Smooth)]

    @property
    def counting(self) -> list[Counting]:
        """The counting metrics."""
        return [metric for metric in self.metrics if isinstance(metric, Counting)]

    @property
    def per_sample(self) -> list[PerSample]:
        """The caller's own metrics."""
        return [metric for metric in self.metrics if isinstance(metric, PerSample)]

    @property
    def losses(self) -> list[Loss]:
        """Every loss that a smooth metric needs, once."""
        terms = [term for metric in self.smooth for term in metric.parts]
        return list(dict.fromkeys(t.loss for t in terms if t.on_class0 or t.on_class1))

    @property
    def steepest(self) -> tuple[float, float]:
        """The largest |a| and the largest |b|."""
        return float(np.max(np.abs(self.grid.a))), float(np.max(np.abs(self.grid.b)))

    def cells(self, rows: slice, columns: slice) -> Grid:
        """Some rows and columns of the grid."""
        return Grid(self.grid.a[rows], self.grid.b[columns])


class Tile(NamedTuple):
    """Metrics in some rows and columns of a grid."""

    values: dict[str, Shaped[np.ndarray, "k m"]]  # an array for each variable's name
    observed_error: float = 0.0  # largest |error| / max(1, value) that a check saw


@dataclass(frozen=True, eq=False)
class Direct:
    """Smooth metrics by sums over every point."""

    measure: Measure  # the data
    settings: LandscapeSettings  # what is computed
    bound: float  # on |error| / max(1, value)
    attributes: dict[str, Any]  # method and dtype, for the dataset
    clock: Clock  # counts the seconds

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        """The metrics in rows and columns, from start to stop; `progress` shows bars."""
        settings = self.settings
        grid = settings.cells(rows, columns)
        values = {}
        for metric in settings.smooth:
            work = direct.work(self.measure, metric, grid.cells)
            with (
                self.clock.stage("evaluate"),
                bar(f"{metric.name}, every point", work, "losses", progress) as step,
            ):
                values[metric.name] = direct.direct(
                    self.measure, metric, grid, settings.dtype, settings.budget, step
                )
        return Tile(values)


@dataclass(frozen=True, eq=False)
class Compressed:
    """Smooth metrics by the nodes of a compression."""

    surfaces: dict[str, CompressedMetric]  # the metrics by name
    bound: float  # on |error| / max(1, value)
    attributes: dict[str, Any]  # method, dtype, sizes and the check of the nodes, for the dataset
    clock: Clock  # counts the seconds

    def compute(self, rows: slice, columns: slice, progress: bool | None = False) -> Tile:
        """The metrics in rows and columns, from start to stop; `progress` shows bars."""
        values, errors = {}, []
        for name, surface in self.surfaces.items():
            work = 2 * surface.plan.evaluations  # one loss for each class
            with self.clock.stage("evaluate"), bar(name, work, "losses", progress) as step:
                values[name] = surface.tile(rows, columns, step)
            with self.clock.stage("verify"):
                errors.append(
                    verification.check_tile(surface, rows, columns, values[name], self.bound)
                )
        return Tile(values, max(errors))


def smooth(measure: Measure, settings: LandscapeSettings, clock: Clock) -> Direct | Compressed:
    """The smooth metrics of the settings, prepared for any tile."""
    method, dtype = settings.method, settings.dtype
    if measure.sketch is not None:
        _require_answerable(measure.sketch, settings)
        method = "compressed"
    if method == "compressed" and dtype != "float64":
        raise InputError(
            f"the compressed method computes in float64, not in {dtype}; "
            "ask for float64 or for the direct method"
        )
    compressed = None
    if method != "direct" and dtype == "float64":
        try:
            compressed = _compressed(measure, settings, clock, always=method == "compressed")
        except CompressionError as reason:
            if method == "compressed":
                raise CompressionError(f"{reason}; {_remedy(measure)}") from None
    return compressed or _direct(measure, settings, clock)


def _remedy(measure: Measure) -> str:
    """What to ask for where a compression cannot keep the tolerance."""
    if measure.sketch is None:
        return "ask for the direct method"
    return "ask for a larger tolerance, or sketch the data again with larger weights"


def _require_answerable(sketch: Sketch, settings: LandscapeSettings) -> None:
    """Refuses settings that a sketch, which has no points, cannot answer."""
    if settings.method == "direct" or settings.dtype != "float64":
        raise InputError(
            "a sketch has no points to sum over; ask for the compressed method in float64"
        )
    sketch.require(settings.grid, settings.losses, settings.tolerance)


def _direct(measure: Measure, settings: LandscapeSettings, clock: Clock) -> Direct:
    """The direct method, if it can keep the tolerance."""
    dtype = settings.dtype
    bound = max(
        direct.rounding_bound(measure, metric, settings.grid, dtype) for metric in settings.smooth
    )
    if bound > settings.tolerance:
        alternative = "" if dtype == "float64" else " or float64"
        raise InputError(
            f"tolerance {settings.tolerance:g} cannot be promised in {dtype}: rounding "
            f"alone may reach {bound:.1e}; ask for a larger tolerance{alternative}"
        )
    return Direct(measure, settings, bound, {"method": "direct", "dtype": dtype}, clock)


def _compressed(
    measure: Measure, settings: LandscapeSettings, clock: Clock, *, always: bool
) -> Compressed | None:
    """The compressed method; None if it is no cheaper than the direct one, unless `always`."""
    with clock.stage("plan"):
        planned = _plan(measure, settings)
        if not always and _cost(planned, measure, settings) > _direct_cost(measure, settings):
            return None
    with clock.stage("deposit"):
        deposited = _deposit(measure, planned, settings)
    with clock.stage("fold"):
        windows = fold(planned, deposited)
        # The plan bounds what folding multiplies errors by; here is what it really was.
        largest_gain = gain(windows, float(measure.total))
        bound = planned.bound(deposited.chunks, measure.counted, largest_gain)
        bound += _lost_by_sketch(measure, settings)
        _require_bound(bound, settings)
    with clock.stage("verify"):
        nodes = verification.CheckedNodes(planned, deposited, windows)
        check = verification.check(measure, settings.smooth, nodes, bound, settings.budget)
    sizes = {
        "bins": planned.lattice.bins,
        "nodes": max(len(window.x) for window in windows.values()),
    }
    surfaces = {
        metric.name: CompressedMetric(
            planned, windows, metric, verification.total(metric, measure), settings.budget
        )
        for metric in settings.smooth
    }
    attributes = {"method": "compressed", "dtype": "float64"} | check._asdict() | sizes
    return Compressed(surfaces, bound, attributes, clock)


def _plan(measure: Measure, settings: LandscapeSettings) -> Plan:
    """A plan on the lattice of an earlier deposit, if that is fine enough, or else a new one."""
    _require_weights(measure)
    most_bins = min(MOST_BINS, settings.budget // BYTES_PER_BIN)
    if measure.sketch is not None:
        most_bins = measure.sketch.schema.lattice.bins
    arguments = (settings.grid, measure.ends, settings.losses, settings.tolerance, most_bins)
    earlier = _earlier_deposit(measure, settings)
    if earlier is not None:
        try:
            return _checked_plan(plan(*arguments, lattice=earlier.lattice), measure, settings)
        except CompressionError:
            if measure.sketch is not None:  # it has no other lattice
                raise
    return _checked_plan(plan(*arguments), measure, settings)


def _lost_by_sketch(measure: Measure, settings: LandscapeSettings) -> float:
    """Bound on the error of the sums in a sketch, which comes on top of the bound of a plan."""
    return 0.0 if measure.sketch is None else measure.sketch.lost(*settings.steepest)


def _require_weights(measure: Measure) -> None:
    """Refuses masses whose sums could leave the range of float64."""
    heaviest = measure.heaviest
    if not 1 / LARGEST < heaviest < LARGEST:
        raise CompressionError(f"weights as large as {heaviest:g} cannot be compressed")


def _checked_plan(planned: Plan, measure: Measure, settings: LandscapeSettings) -> Plan:
    """The plan, if it can keep the tolerance."""
    if measure.sketch is None:
        rounded_sums = chunks(measure.classes, largest_chunk(settings.budget))
    else:
        rounded_sums = measure.sketch.deposit.chunks
    bound = planned.bound(rounded_sums, measure.counted)
    _require_bound(bound + _lost_by_sketch(measure, settings), settings)
    return planned


def _require_bound(bound: float, settings: LandscapeSettings) -> None:
    if bound > settings.tolerance:
        raise CompressionError(
            f"tolerance {settings.tolerance:g} cannot be promised of a compression: the error may "
            f"reach {bound:.1e}"
        )


def _direct_cost(measure: Measure, settings: LandscapeSettings) -> float:
    cells = settings.grid.cells
    return sum(direct.work(measure, metric, cells) for metric in settings.smooth)


def _cost(planned: Plan, measure: Measure, settings: LandscapeSettings) -> float:
    """Cost of the compressed method."""
    earlier = _earlier_deposit(measure, settings)
    is_deposited = earlier is not None and earlier.lattice == planned.lattice
    points = 0 if is_deposited else measure.points
    evaluations = 2 * planned.evaluations * len(settings.smooth)
    groups = len(planned.groups) + planned.levels
    return COST_OF_POINT * points + evaluations + COST_OF_GROUP * groups + COST_OF_START


def _earlier_deposit(measure: Measure, settings: LandscapeSettings) -> Deposit | None:
    """The deposit of a sketch, or that of an earlier grid if it may be used."""
    if measure.sketch is not None:
        return measure.sketch.deposit
    return _latest_deposits.get(measure) if settings.reuse else None


def _deposit(measure: Measure, planned: Plan, settings: LandscapeSettings) -> Deposit:
    """The deposit of a measure on the lattice of a plan: an earlier one, or a new one."""
    earlier = _earlier_deposit(measure, settings)
    if earlier is not None and earlier.lattice == planned.lattice:
        return earlier
    with bar("deposit", measure.points, "points", settings.progress) as step:
        new = deposit(measure.classes, planned.lattice, step, largest_chunk(settings.budget))
    if settings.reuse:
        _latest_deposits[measure] = new
    return new
