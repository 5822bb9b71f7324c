"""The two ways to a smooth metric over a grid, the choice between them, and the check afterwards.

`direct` sums over every point in every cell: cells x points. `compressed` deposits the points once
and then works on a few hundred nodes. Both meet the tolerance or refuse; `auto` takes the cheaper.

What is chosen, planned and deposited is so for the whole grid. Then any part of it can be had, and
its cells are the same to the bit whatever other parts were asked for before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.progress import bar
from sweep.base.timing import Clock
from sweep.landscapes import direct, verification
from sweep.landscapes.compressed import CompressedMetric
from sweep.measure.compression.deposit import chunks, deposit, largest_chunk
from sweep.measure.compression.fold import fold, gain
from sweep.measure.compression.lattice import Deposit
from sweep.measure.compression.plan import LARGEST, CompressionError, Plan, plan
from sweep.measure.measure import Measure
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics.metrics import Loss, Smooth

PER_POINT = 8
"""Cost of depositing one point, in evaluations of a loss."""

MOST_BINS = 2**20
"""Bins from which on a deposit is no compression."""

BYTES_PER_BIN = 512
"""Working memory for a bin: the moments of two classes, on the device, summed and folded."""

OVERHEAD = 5_000_000
"""Cost of planning, folding and checking, likewise."""

PER_GROUP = 1_000_000
"""Cost of each group of slopes, and of each window."""

_kept: WeakKeyDictionary[Measure, Deposit] = WeakKeyDictionary()
"""The latest deposit of each measure in use, for the next grid."""


@dataclass(frozen=True)
class Request:
    """What is asked of a method.

    Attributes:
        metrics: smooth metrics.
        grid: the cells.
        tolerance: largest error accepted, as a multiple of max(1, value).
        dtype: in which the direct method computes losses; the compressed one is float64.
        budget: bytes of working memory.
        progress: whether to show bars; None where stderr is a terminal.
        reuse: whether a deposit that was made for another grid will do.
    """

    metrics: Sequence[Smooth]
    grid: Grid
    tolerance: float
    dtype: str
    budget: int
    progress: bool | None
    reuse: bool = True

    @property
    def losses(self) -> list[Loss]:
        """Every loss that a metric needs, once."""
        parts = [part for metric in self.metrics for part in metric.parts]
        return list(dict.fromkeys(p.loss for p in parts if p.on_class0 or p.on_class1))


class GridPart(NamedTuple):
    """Metrics in some rows and columns of a grid.

    Attributes:
        values: an array for each metric's name.
        observed_error: largest |error| / max(1, value) that a check saw.
    """

    values: dict[str, Shaped[np.ndarray, "k m"]]
    observed_error: float = 0.0


@dataclass(frozen=True, eq=False)
class Direct:
    """Smooth metrics by sums over every point.

    Attributes:
        measure: the data.
        request: what is asked for.
        bound: on |error| / max(1, value).
        attributes: how it is done.
        clock: counts the seconds.
    """

    measure: Measure
    request: Request
    bound: float
    attributes: dict[str, str | int | float]
    clock: Clock

    def part(self, rows: slice, columns: slice, progress: bool | None = False) -> GridPart:
        """The metrics in rows and columns, from start to stop; `progress` shows bars."""
        request = self.request
        grid = Grid(request.grid.a[rows], request.grid.b[columns])
        values = {}
        for metric in request.metrics:
            work = direct.work(self.measure, metric, grid.cells)
            with (
                self.clock.stage("evaluate"),
                bar(f"{metric.name}, every point", work, "losses", progress) as step,
            ):
                values[metric.name] = direct.direct(
                    self.measure, metric, grid, request.dtype, request.budget, step
                )
        return GridPart(values)


@dataclass(frozen=True, eq=False)
class Compressed:
    """Smooth metrics by the nodes of a compression.

    Attributes:
        surfaces: the metrics by name.
        bound: on |error| / max(1, value).
        attributes: how it is done: method and dtype, sizes, and the check of the nodes.
        clock: counts the seconds.
    """

    surfaces: dict[str, CompressedMetric]
    bound: float
    attributes: dict[str, str | int | float]
    clock: Clock

    def part(self, rows: slice, columns: slice, progress: bool | None = False) -> GridPart:
        """The metrics in rows and columns, from start to stop; `progress` shows bars.

        Raises:
            CheckError: they are not what they should be, which is a fault of this program.
        """
        values, seen = {}, []
        for name, surface in self.surfaces.items():
            work = 2 * surface.plan.evaluations
            with self.clock.stage("evaluate"), bar(name, work, "losses", progress) as step:
                values[name] = surface.part(rows, columns, step)
            with self.clock.stage("verify"):
                part = rows, columns, values[name]
                seen.append(verification.check_part(surface, *part, self.bound))
        return GridPart(values, max(seen))


def smooth(measure: Measure, request: Request, method: str, clock: Clock) -> Direct | Compressed:
    """Smooth metrics over a grid by the method of that name, to be had part by part.

    Raises:
        InputError: the tolerance cannot be met.
    """
    if measure.sketch is not None:
        method = _of_sketch(measure.sketch, request, method)
    if method == "compressed" and request.dtype != "float64":
        raise InputError(
            f"the compressed method computes in float64, not in {request.dtype}; "
            "ask for float64 or for the direct method"
        )
    found = None
    if method != "direct" and request.dtype == "float64":
        try:
            found = _compressed(measure, request, clock, always=method == "compressed")
        except CompressionError as reason:
            if method == "compressed":
                raise CompressionError(f"{reason}; {_instead(measure)}") from None
    return found or _direct(measure, request, clock)


def _instead(measure: Measure) -> str:
    """What to do where a compression cannot keep the tolerance."""
    if measure.sketch is None:
        return "ask for the direct method"
    return "ask for a larger tolerance, or sketch the data again with larger weights"


def _of_sketch(sketch: Sketch, request: Request, method: str) -> str:
    """The one method for a sketch, which has no points.

    Raises:
        InputError: another one is asked for, or the sketch cannot answer.
    """
    if method == "direct" or request.dtype != "float64":
        raise InputError(
            "a sketch has no points to sum over: take the compressed method, in float64"
        )
    sketch.require(request.grid, request.losses, request.tolerance)
    return "compressed"


def _direct(measure: Measure, request: Request, clock: Clock) -> Direct:
    bound = _direct_bound(measure, request)
    if bound > request.tolerance:
        instead = "" if request.dtype == "float64" else " or float64"
        raise InputError(
            f"tolerance {request.tolerance:g} cannot be promised in {request.dtype}: rounding "
            f"alone may reach {bound:.1e}; ask for a larger tolerance{instead}"
        )
    how: dict[str, str | int | float] = {"method": "direct", "dtype": request.dtype}
    return Direct(measure, request, bound, how, clock)


def _compressed(
    measure: Measure, request: Request, clock: Clock, *, always: bool
) -> Compressed | None:
    """By compression; None if that is no cheaper than the direct method, unless `always`."""
    with clock.stage("plan"):
        planned = _planned(measure, request)
        if not always and _cost(planned, measure, request) > _direct_cost(measure, request):
            return None
    with clock.stage("deposit"):
        deposited = _deposited(measure, planned, request)
    with clock.stage("fold"):
        windows = fold(planned, deposited)
        largest = gain(windows, float(measure.total))
        bound = planned.bound(deposited.chunks, measure.counted, largest)
        bound += _lost(measure, request.grid)
        _require(bound, request)
    with clock.stage("verify"):
        nodes = verification.CheckedNodes(planned, deposited, windows)
        found = verification.check(measure, request.metrics, nodes, bound, request.budget)
    sizes = {
        "bins": planned.lattice.bins,
        "nodes": max(len(window.x) for window in windows.values()),
    }
    how = {"method": "compressed", "dtype": "float64"}
    surfaces = {
        metric.name: CompressedMetric(
            planned, windows, metric, verification.total(metric, measure), request.budget
        )
        for metric in request.metrics
    }
    return Compressed(surfaces, bound, how | found._asdict() | sizes, clock)


def _planned(measure: Measure, request: Request) -> Plan:
    """A plan on the lattice of the deposit there is, if that is fine enough, or else on its own."""
    _require_weights(measure)
    most_bins = min(MOST_BINS, request.budget // BYTES_PER_BIN)
    if measure.sketch is not None:
        most_bins = measure.sketch.terms.lattice.bins
    arguments = (request.grid, measure.ends, request.losses, request.tolerance, most_bins)
    kept = _held(measure, request)
    if kept is not None:
        try:
            return _promising(plan(*arguments, lattice=kept.lattice), measure, request)
        except CompressionError:
            if measure.sketch is not None:  # whose lattice is the only one
                raise
    return _promising(plan(*arguments), measure, request)


def _lost(measure: Measure, grid: Grid) -> float:
    """Bound on what the sums of a sketch lost, beyond the bound of a plan."""
    if measure.sketch is None:
        return 0.0
    slope, intercept = (float(np.max(np.abs(points))) for points in (grid.a, grid.b))
    return measure.sketch.lost(slope, intercept)


def _require_weights(measure: Measure) -> None:
    """Refuses masses whose sums could leave the range of float64."""
    heaviest = measure.heaviest
    if not 1 / LARGEST < heaviest < LARGEST:
        raise CompressionError(f"weights as large as {heaviest:g} cannot be compressed")


def _promising(planned: Plan, measure: Measure, request: Request) -> Plan:
    """The plan, if it can keep the tolerance."""
    if measure.sketch is None:
        pieces = chunks(measure.classes, largest_chunk(request.budget))
    else:
        pieces = measure.sketch.deposit.chunks
    _require(planned.bound(pieces, measure.counted) + _lost(measure, request.grid), request)
    return planned


def _require(bound: float, request: Request) -> None:
    if bound > request.tolerance:
        raise CompressionError(
            f"tolerance {request.tolerance:g} cannot be promised of a compression: the error may "
            f"reach {bound:.1e}"
        )


def _direct_bound(measure: Measure, request: Request) -> float:
    return max(
        direct.rounding_bound(measure, metric, request.grid, request.dtype)
        for metric in request.metrics
    )


def _direct_cost(measure: Measure, request: Request) -> float:
    cells = request.grid.cells
    return sum(direct.work(measure, metric, cells) for metric in request.metrics)


def _cost(planned: Plan, measure: Measure, request: Request) -> float:
    kept = _held(measure, request)
    points = 0 if kept is not None and kept.lattice == planned.lattice else measure.points
    evaluations = 2 * planned.evaluations * len(request.metrics)
    groups = PER_GROUP * (len(planned.groups) + planned.levels)
    return PER_POINT * points + evaluations + groups + OVERHEAD


def _held(measure: Measure, request: Request) -> Deposit | None:
    """The deposit of a measure that there is, if it may be used."""
    if measure.sketch is not None:
        return measure.sketch.deposit
    return _kept.get(measure) if request.reuse else None


def _deposited(measure: Measure, planned: Plan, request: Request) -> Deposit:
    """The deposit of a measure on the lattice of a plan: the one that there is, or made here."""
    kept = _held(measure, request)
    if kept is None or kept.lattice != planned.lattice:
        with bar("deposit", measure.points, "points", request.progress) as step:
            chunk = largest_chunk(request.budget)
            kept = deposit(measure.classes, planned.lattice, step, chunk)
        if request.reuse:
            _kept[measure] = kept
    return kept
