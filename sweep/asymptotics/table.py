"""The table of a study: the optima of samples of every size, compared with the population.

Samples are drawn and solved on the device, as many at once as the memory budget allows; the results
are the same, bit for bit, whatever their number. Regrets are exact and those of the population: not
of the sample, and not on a grid. `study` builds on the table, and `rates` and `verdict` read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from sweep.asymptotics.replicates import optima
from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.memory import require_room
from sweep.base.progress import Step
from sweep.base.provenance import computed_by
from sweep.data.sample import Sample
from sweep.measure import confusion, cuts
from sweep.measure.measure import Measure
from sweep.optima.optimum import optimum
from sweep.optima.records import STATUSES, AccuracyOptimum, PopulationOptimum
from sweep.populations import Population, sampling
from sweep.populations.sampling import SampleLayout

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

BYTES_PER_POINT = 96  # working memory for each point of the samples that are solved at once
TAIL = 2.0**-20  # probability beyond the window that cuts are clipped to, where x is unbounded

TIE_RULE = (
    "the midpoint of the widest of the optimal cells between neighbouring points, the first of "
    "several; a constant prediction only where no cut between points is optimal"
)

Columns = dict[str, np.ndarray]  # name -> one value for each sample


@dataclass(frozen=True)
class StudyJob:
    """The samples of a table, and the memory to solve them in."""

    law: Population  # the population
    sizes: tuple[int, ...]  # all n, ascending
    replicates: int  # number of samples of each size
    seed: int  # seed of all samples
    budget: int  # working memory in bytes

    def require_room(self) -> None:
        """Rejects a table that is too large, and sizes of which not one sample fits the budget."""
        table = 8 * len(self.sizes) * self.replicates * len(_DESCRIBED)  # bytes
        subject = f"a table of {self.replicates} replicates at {len(self.sizes)} sizes"
        require_room(subject, table, "use fewer replicates")
        largest = max(self.sizes)
        if _bytes(largest) > self.budget:
            raise InputError(
                f"samples of {largest} points take {_bytes(largest) / 2**20:.0f} MiB of working "
                f"memory, and the budget is {self.budget / 2**20:.0f} MiB; raise the budget or use "
                "smaller samples"
            )

    @property
    def points(self) -> int:
        """Number of points of all samples together."""
        return sum(self.sizes) * self.replicates


def table(job: StudyJob, population: PopulationOptimum, measure: Measure, step: Step) -> xr.Dataset:
    """The optima of every sample, dims (n, replicate); `step` is told the points of each batch."""
    window = _window(job.law, population.cross_entropy.cut)
    rows = []
    for n in job.sizes:
        solved = _concatenate(list(_solve_all(job, n, step)), job.replicates)
        rows.append(_columns(n, solved, population, measure, window))
    return _dataset(job, {name: np.stack([row[name] for row in rows]) for name in rows[0]})


# --- samples to optima --------------------------------------------------------------------------


def _bytes(n: int) -> int:
    """Working memory for one call that solves samples of n points."""
    layout = SampleLayout.of(n)
    return layout.batches * layout.chunks * layout.samples * layout.length * BYTES_PER_POINT


def _solve_all(job: StudyJob, n: int, step: Step) -> Iterator[Columns]:
    """The optima of all samples of one size, some at a time, in their order."""
    layout = SampleLayout.of(n)
    workers = _devices()[: max(1, job.budget // _bytes(n))]
    starts = iter(range(0, job.replicates, layout.samples_per_call))
    solve = partial(_solve, job.law, layout, job.seed)
    at_once = 1  # the first batch alone: it compiles for the others
    with ThreadPoolExecutor(len(workers)) as pool:
        while batch := list(islice(starts, at_once)):
            at_once = len(workers)
            for first, columns in zip(batch, pool.map(solve, batch, workers), strict=False):
                step(n * min(layout.samples_per_call, job.replicates - first))
                yield columns


def _devices() -> list[Any]:
    """The device of each worker: every accelerator once, or the host once for each core."""
    available = devices.available()
    return [available[0]] * devices.cores() if devices.on_host() else available


def _solve(law: Population, layout: SampleLayout, seed: int, first: int, device: Any) -> Columns:
    """The optima of `layout.samples_per_call` samples, from replicate `first` on, on one device."""
    with jax.enable_x64(True), jax.default_device(device):
        draws = sampling.draw(law, layout, seed, first)
        arrays = jax.device_get(optima(draws.x, draws.y, layout))._asdict()
        sampling.require_valid_draws(law, draws)
        columns = {name: np.array(values).reshape(-1) for name, values in arrays.items()}
        for row in np.flatnonzero(~columns["converged"]).tolist():
            sample = Sample(layout.row(draws.x, row), layout.row(draws.y, row))
            for name, value in _solve_on_host(sample).items():
                columns[name][row] = value
    return columns


def _solve_on_host(sample: Sample) -> dict[str, float]:
    """The columns that depend on the cross-entropy optimum, by the slower, safer method."""
    best = optimum(sample)
    ce = best.cross_entropy
    return {
        "a": ce.a,
        "b": ce.b,
        "cross_entropy": ce.value,
        "gradient": ce.gradient,
        "correct_cross_entropy": best.accuracy.correct - round(best.regret * len(sample)),
        "distance": best.distance,
    }


def _concatenate(batches: Sequence[Columns], replicates: int) -> Columns:
    """The columns of the first `replicates` samples of all batches."""
    return {
        name: np.concatenate([batch[name] for batch in batches])[:replicates] for name in batches[0]
    }


# --- optima to columns --------------------------------------------------------------------------


def _columns(
    n: int,
    solved: Columns,
    population: PopulationOptimum,
    measure: Measure,
    window: tuple[float, float],
) -> Columns:
    """The columns of a table for one size, each of shape (replicates,)."""
    finite = np.isfinite(solved["a"])
    ce = cuts.cut(np.where(finite, solved["a"], 0.0), np.where(finite, solved["b"], 0.0))
    middle = (solved["low"] + solved["high"]) / 2  # infinite for a constant prediction
    highest = population.accuracy.value

    def where_finite(values: Shaped[np.ndarray, " R"]) -> Float[np.ndarray, " R"]:
        return np.where(finite, values, np.nan)

    accuracy_ce = confusion.accuracy(measure, ce.t, ce.orientation)
    accuracy_best = confusion.accuracy(measure, middle, solved["orientation"])
    gap = where_finite((solved["correct_best"] - solved["correct_cross_entropy"]) / n)
    columns = solved | {
        "status": solved["status"].astype(np.int8),
        "cut_cross_entropy": where_finite(ce.t),
        "orientation_cross_entropy": np.where(finite, ce.orientation, 0).astype(np.int8),
        "cut_accuracy": middle,
        "orientation_accuracy": solved["orientation"].astype(np.int8),
        "accuracy_cross_entropy": where_finite(solved["correct_cross_entropy"] / n),
        "accuracy_best": solved["correct_best"] / n,
        "gap": gap,
        "shared": gap == 0,
        "regret_cross_entropy": where_finite(highest - accuracy_ce),
        "regret_accuracy": highest - accuracy_best,
        "cut_error_cross_entropy": where_finite(
            np.abs(np.clip(ce.t, *window) - population.cross_entropy.cut)
        ),
        "cut_error_accuracy": _distance_to_optimal(
            middle, solved["orientation"], population.accuracy, window
        ),
    }
    return {name: columns[name] for name in _DESCRIBED}


def _window(law: Population, cut: float) -> tuple[float, float]:
    """The interval that cuts are clipped to before distances are averaged: -b/a has no mean.

    It is the support, or all but the outermost TAIL of x where the support is unbounded, and it
    extends at least half its width beyond the population's own cut.
    """
    low, high = law.support
    ends = np.asarray(law.x.quantile(np.array([TAIL, 1 - TAIL])))
    low, high = (low if np.isfinite(low) else ends[0]), (high if np.isfinite(high) else ends[1])
    if not np.isfinite(cut):
        return float(low), float(high)
    half_width_x = (high - low) / 2
    return float(min(low, cut - half_width_x)), float(max(high, cut + half_width_x))


def _distance_to_optimal(
    t: Float[np.ndarray, " R"],
    orientation: Int[np.ndarray, " R"],
    best: AccuracyOptimum,
    window: tuple[float, float],
) -> Float[np.ndarray, " R"]:
    """From clipped cuts to the nearest optimal cut, of their orientation if there is one.

    Constant predictions are cuts beyond the support.
    """
    optimal = [*best.cuts, *best.constant_cuts]
    clipped, away = np.clip(t, *window), np.full((2, len(t)), np.inf)
    for side, sign in enumerate((1, -1)):
        intervals = [ends[:2] for ends in optimal if ends[2] == sign]
        for start, stop in intervals or [ends[:2] for ends in optimal]:
            distance = np.maximum(np.maximum(start - clipped, clipped - stop), 0)
            away[side] = np.minimum(away[side], distance)
    return np.where(orientation > 0, *away)


# --- columns to a dataset -----------------------------------------------------------------------

_DESCRIBED = {  # column -> (unit, meaning)
    "a": ("1 / unit of x", "slope of the cross-entropy optimum"),
    "b": ("1", "intercept of the cross-entropy optimum"),
    "cross_entropy": ("nats", "least cross-entropy in the sample"),
    "gradient": ("nats", "larger derivative at the cross-entropy optimum"),
    "status": ("1", "whether cross-entropy has an optimum"),
    "cut_cross_entropy": ("unit of x", "cut of the cross-entropy optimum"),
    "orientation_cross_entropy": ("1", "+1: class 1 above it, -1: below, 0: no optimum"),
    "cut_accuracy": ("unit of x", "cut of highest accuracy"),
    "orientation_accuracy": ("1", "+1: class 1 above it, -1: below"),
    "optimal_cells": ("count", "cells between points, and constants, with highest accuracy"),
    "accuracy_cross_entropy": ("1", "accuracy in the sample at the cross-entropy optimum"),
    "accuracy_best": ("1", "highest accuracy in the sample"),
    "gap": ("1", "highest accuracy in the sample minus accuracy at the cross-entropy optimum"),
    "shared": ("1", "whether the gap is 0"),
    "distance": ("unit of x", "from the cross-entropy cut to the nearest optimal cut"),
    "regret_cross_entropy": ("1", "population regret of the cross-entropy optimum"),
    "regret_accuracy": ("1", "population regret of the cut of highest accuracy"),
    "cut_error_cross_entropy": ("unit of x", "from the cross-entropy cut to the population's"),
    "cut_error_accuracy": ("unit of x", "from the cut of highest accuracy to the population's"),
    "ones": ("count", "points of class 1"),
}


def _dataset(job: StudyJob, columns: Columns) -> xr.Dataset:
    """The columns, each of shape (N, replicates), as a dataset with units and meanings."""
    import xarray as xr  # takes 0.3 s to load

    attributes: dict[str, dict[str, Any]] = {
        name: {"units": units, "long_name": words} for name, (units, words) in _DESCRIBED.items()
    }
    attributes["status"] |= {
        "flag_values": np.arange(len(STATUSES), dtype=np.int8),
        "flag_meanings": " ".join(status.name for status in STATUSES),
    }
    attributes["cut_accuracy"]["tie_rule"] = TIE_RULE
    return xr.Dataset(
        {name: (("n", "replicate"), values, attributes[name]) for name, values in columns.items()},
        coords={
            "n": ("n", np.array(job.sizes), {"units": "count", "long_name": "points of a sample"}),
            "replicate": ("replicate", np.arange(job.replicates)),
        },
        attrs={
            "population": job.law.name,
            "seed": job.seed,
            "device": devices.describe(),
        }
        | computed_by(),
    )
