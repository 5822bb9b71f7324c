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

from sweep import compressed, kernels
from sweep.clock import Clock
from sweep.compressed import Window
from sweep.data import InputError
from sweep.grid import Grid
from sweep.lattice import Deposit, chunks, deposit, largest_chunk
from sweep.losses import Loss, Smooth
from sweep.measure import Measure, Points
from sweep.plan import LARGEST, CompressionError, Plan, plan
from sweep.progress import bar

CHECKED_CELLS = 16
"""Cells in which a compressed result is checked against sums over points."""

CHECKED_POINTS = 2**14
"""Points of such a sum: of more data, evenly spaced ones are compressed and summed apart."""

PER_POINT = 8
"""Cost of depositing one point, in evaluations of a loss."""

MOST_BINS = 2**20
"""Bins from which on a deposit is no compression."""

BYTES_PER_BIN = 512
"""Working memory for a bin: the moments of two classes, on the device, summed and folded."""

OVERHEAD = 2_000_000
"""Cost of planning, folding and checking, in evaluations of a loss."""

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
    if method == "direct":
        return _direct(measure, request, clock)
    if request.dtype != "float64":
        if method == "auto":
            return _direct(measure, request, clock)
        raise InputError(
            f"the compressed method computes in float64, not in {request.dtype}; "
            "ask for float64 or for the direct method"
        )
    try:
        with clock.stage("plan"):
            planned = _planned(measure, request)
        if method == "auto" and _cost(planned, measure, request) > _direct_cost(measure, request):
            return _direct(measure, request, clock)
        return _compressed(measure, request, planned, clock)
    except CompressionError as reason:
        if method == "auto":
            return _direct(measure, request, clock)
        raise CompressionError(f"{reason}; ask for the direct method") from None


def _direct(measure: Measure, request: Request, clock: Clock) -> Answer:
    bound = _direct_bound(measure, request)
    _require(bound, request)
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


def _compressed(measure: Measure, request: Request, planned: Plan, clock: Clock) -> Answer:
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
            total = _total(metric, measure)
            values[metric.name] = compressed.evaluate(
                planned, windows, metric, total, request.budget, step
            )
    with clock.stage("verify"):
        observed = max(
            _observed(measure, planned, windows, metric, values[metric.name], request)
            for metric in request.metrics
        )
        if observed > bound + _direct_bound(measure, request):
            raise CompressionError(
                f"the check of the result found an error of {observed:.1e}, more than the bound of "
                f"{bound:.1e}, which is a fault of this program"
            )
    return Answer(
        values,
        bound,
        {
            "method": "compressed",
            "observed_error": observed,
            "checked_cells": min(CHECKED_CELLS, request.grid.cells),
            "checked_points": min(CHECKED_POINTS, measure.n),
            "bins": planned.lattice.bins,
            "nodes": max(len(window.x) for window in windows.values()),
            "dtype": "float64",
        },
    )


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
        instead = "" if request.dtype == "float64" else " or float64"
        raise CompressionError(
            f"tolerance {request.tolerance:g} cannot be promised in {request.dtype}: the error "
            f"may reach {bound:.1e}; ask for a larger tolerance{instead}"
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
    points = 0 if kept is not None and kept.lattice == planned.lattice else measure.n
    return PER_POINT * points + 2 * planned.evaluations * len(request.metrics) + OVERHEAD


def _deposited(measure: Measure, planned: Plan, request: Request) -> Deposit:
    kept = _kept.get(measure)
    if kept is None or kept.lattice != planned.lattice:
        with bar("deposit", measure.n, "points", request.progress) as step:
            chunk = largest_chunk(request.budget)
            kept = deposit(measure, planned.lattice, step, chunk)
        _kept[measure] = kept
    return kept


def _observed(
    measure: Measure,
    planned: Plan,
    windows: dict[int, Window],
    metric: Smooth,
    values: Float[np.ndarray, "P Q"],
    request: Request,
) -> float:
    """Largest error seen in a few cells, as a multiple of max(1, value).

    Of large data a part is compressed and summed apart, on the same plan; the whole is then held
    against its own nodes.
    """
    rng = np.random.default_rng(0)
    cells = rng.choice(request.grid.cells, min(CHECKED_CELLS, request.grid.cells), replace=False)
    row, column = np.divmod(cells, len(request.grid.b))
    part = _part(measure)
    truth = kernels.direct_cells(
        part, metric, request.grid.a[row], request.grid.b[column], "float64", request.budget
    )
    found = values[row, column]
    if part is measure:
        return _largest(found - truth, truth)
    nodes = compressed.at_cells(planned, windows, metric, _total(metric, measure), row, column)
    folded = compressed.fold(planned, deposit(part, planned.lattice))
    of_part = compressed.at_cells(planned, folded, metric, _total(metric, part), row, column)
    return _largest(found - nodes, nodes) + _largest(of_part - truth, truth)


def _total(metric: Smooth, measure: Measure) -> float:
    """What the metric's integral is divided by."""
    return metric.total(float(measure.class0.total), float(measure.class1.total))


def _largest(difference: Float[np.ndarray, " k"], value: Float[np.ndarray, " k"]) -> float:
    return float(np.max(np.abs(difference) / np.maximum(1.0, value)))


def _part(measure: Measure) -> Measure:
    """Every so many points of a measure: CHECKED_POINTS of them, or all if there are no more."""
    every = -(-measure.n // CHECKED_POINTS)
    if every == 1:
        return measure
    classes = (
        Points(p.x[::every], None if p.mass is None else p.mass[::every])
        for p in (measure.class0, measure.class1)
    )
    return Measure(*classes, n=CHECKED_POINTS, fingerprint=measure.fingerprint)
