"""The two ways to a smooth metric over a grid, the choice between them, and the check afterwards.

`direct` sums over every point in every cell: cells x points. `compressed` deposits the points once
and then works on a few hundred nodes. Both meet the tolerance or refuse; `auto` takes the cheaper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from sweep import compressed, kernels, verify
from sweep.clock import Clock
from sweep.data import InputError
from sweep.grid import Grid
from sweep.lattice import Deposit, chunks, deposit, largest_chunk
from sweep.losses import Loss, Smooth
from sweep.measure import Measure
from sweep.plan import LARGEST, CompressionError, Plan, plan
from sweep.progress import bar

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
    """

    metrics: Sequence[Smooth]
    grid: Grid
    tolerance: float
    dtype: str
    budget: int
    progress: bool | None

    @property
    def losses(self) -> list[Loss]:
        """Every loss that a metric needs, once."""
        parts = [part for metric in self.metrics for part in metric.parts]
        return list(dict.fromkeys(p.loss for p in parts if p.on_class0 or p.on_class1))


@dataclass(frozen=True)
class Answer:
    """Smooth metrics in every cell, and how they came about.

    Attributes:
        values: an array of shape (P, Q) for each metric's name.
        bound: on |error| / max(1, value).
        attributes: method and dtype; of a compression also its sizes and its check.
    """

    values: dict[str, Float[np.ndarray, "P Q"]]
    bound: float
    attributes: dict[str, str | int | float]


def smooth(measure: Measure, request: Request, method: str, clock: Clock) -> Answer:
    """Smooth metrics over a grid by the method of that name.

    Raises:
        InputError: the tolerance cannot be met.
    """
    if method == "compressed" and request.dtype != "float64":
        raise InputError(
            f"the compressed method computes in float64, not in {request.dtype}; "
            "ask for float64 or for the direct method"
        )
    answer = None
    if method != "direct" and request.dtype == "float64":
        try:
            answer = _compressed(measure, request, clock, always=method == "compressed")
        except CompressionError as reason:
            if method == "compressed":
                raise CompressionError(f"{reason}; ask for the direct method") from None
    return answer or _direct(measure, request, clock)


def _direct(measure: Measure, request: Request, clock: Clock) -> Answer:
    bound = _direct_bound(measure, request)
    if bound > request.tolerance:
        instead = "" if request.dtype == "float64" else " or float64"
        raise InputError(
            f"tolerance {request.tolerance:g} cannot be promised in {request.dtype}: rounding "
            f"alone may reach {bound:.1e}; ask for a larger tolerance{instead}"
        )
    values = {}
    for metric in request.metrics:
        work = kernels.work(measure, metric, request.grid.cells)
        with (
            clock.stage("evaluate"),
            bar(f"{metric.name}, every point", work, "losses", request.progress) as step,
        ):
            values[metric.name] = kernels.direct(
                measure, metric, request.grid, request.dtype, request.budget, step
            )
    return Answer(values, bound, {"method": "direct", "dtype": request.dtype})


def _compressed(measure: Measure, request: Request, clock: Clock, *, always: bool) -> Answer | None:
    """By compression; None if that is no cheaper than the direct method, unless `always`."""
    with clock.stage("plan"):
        planned = _planned(measure, request)
        if not always and _cost(planned, measure, request) > _direct_cost(measure, request):
            return None
    with clock.stage("deposit"):
        deposited = _deposited(measure, planned, request)
    with clock.stage("fold"):
        windows = compressed.fold(planned, deposited)
        gain = compressed.gain(windows, float(measure.total))
        bound = planned.bound(deposited.chunks, measure.counted, gain)
        _require(bound, request)
    values = {}
    for metric in request.metrics:
        with (
            clock.stage("evaluate"),
            bar(metric.name, 2 * planned.evaluations, "losses", request.progress) as step,
        ):
            total = verify.total(metric, measure)
            values[metric.name] = compressed.evaluate(
                planned, windows, metric, total, request.budget, step
            )
    with clock.stage("verify"):
        result = verify.Result(planned, deposited, windows, values)
        found = verify.check(measure, request.metrics, result, bound, request.budget)
    sizes = {
        "bins": planned.lattice.bins,
        "nodes": max(len(window.x) for window in windows.values()),
    }
    how = {"method": "compressed", "dtype": "float64"}
    return Answer(values, bound, how | found._asdict() | sizes)


def _planned(measure: Measure, request: Request) -> Plan:
    """A plan on the lattice of the deposit there is, if that is fine enough, or else on its own."""
    _require_weights(measure)
    most_bins = min(MOST_BINS, request.budget // BYTES_PER_BIN)
    arguments = (request.grid, measure.ends, request.losses, request.tolerance, most_bins)
    kept = _kept.get(measure)
    if kept is not None:
        try:
            return _promising(plan(*arguments, lattice=kept.lattice), measure, request)
        except CompressionError:
            pass
    return _promising(plan(*arguments), measure, request)


def _require_weights(measure: Measure) -> None:
    """Refuses masses whose sums could leave the range of float64."""
    heaviest = measure.heaviest
    if not 1 / LARGEST < heaviest < LARGEST:
        raise CompressionError(f"weights as large as {heaviest:g} cannot be compressed")


def _promising(planned: Plan, measure: Measure, request: Request) -> Plan:
    """The plan, if it can keep the tolerance."""
    _require(
        planned.bound(chunks(measure, largest_chunk(request.budget)), measure.counted), request
    )
    return planned


def _require(bound: float, request: Request) -> None:
    if bound > request.tolerance:
        raise CompressionError(
            f"tolerance {request.tolerance:g} cannot be promised of a compression: the error may "
            f"reach {bound:.1e}"
        )


def _direct_bound(measure: Measure, request: Request) -> float:
    return max(
        kernels.rounding_bound(measure, metric, request.grid, request.dtype)
        for metric in request.metrics
    )


def _direct_cost(measure: Measure, request: Request) -> float:
    cells = request.grid.cells
    return sum(kernels.work(measure, metric, cells) for metric in request.metrics)


def _cost(planned: Plan, measure: Measure, request: Request) -> float:
    kept = _kept.get(measure)
    points = 0 if kept is not None and kept.lattice == planned.lattice else measure.points
    evaluations = 2 * planned.evaluations * len(request.metrics)
    groups = PER_GROUP * (len(planned.groups) + planned.levels)
    return PER_POINT * points + evaluations + groups + OVERHEAD


def _deposited(measure: Measure, planned: Plan, request: Request) -> Deposit:
    kept = _kept.get(measure)
    if kept is None or kept.lattice != planned.lattice:
        with bar("deposit", measure.points, "points", request.progress) as step:
            chunk = largest_chunk(request.budget)
            kept = deposit(measure, planned.lattice, step, chunk)
        _kept[measure] = kept
    return kept
