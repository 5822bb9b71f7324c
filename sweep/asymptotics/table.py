"""The table of a study: the optima of samples of every size, beside what the population says.

Samples are drawn and solved on the device, as many at once as the memory budget has room for; what
they come to is the same, bit for bit, however many that is. Regrets are those of the population,
exact, neither of the sample nor on a grid.
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
from sweep.asymptotics.scan import STATUSES
from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.memory import RESULT_LIMIT
from sweep.base.progress import Step
from sweep.base.provenance import computed_by
from sweep.data.sample import Sample
from sweep.measure import confusion, cuts
from sweep.measure.measure import Measure
from sweep.optima.optimum import optimum
from sweep.optima.records import AccuracyOptimum, PopulationOptimum
from sweep.populations import Population, sampling
from sweep.populations.sampling import SampleLayout

if TYPE_CHECKING:
    import xarray as xr

BYTES_PER_POINT = 96
"""Working memory for a point of the samples that are solved at once."""

TAIL = 2.0**-20
"""Probability beyond the window that cuts are clipped to, at an end where x has none."""

TIE_RULE = (
    "the midpoint of the widest of the optimal cells between neighbouring points, the first of "
    "several; a constant prediction only where no cut between points is optimal"
)


Columns = dict[str, np.ndarray]
"""Arrays of one length by name, a value for each sample."""


@dataclass(frozen=True)
class StudyJob:
    """What a table is made of.

    Attributes:
        law: the population.
        sizes: all n, ascending.
        replicates: of each size.
        seed: of all samples.
        budget: bytes of working memory.
    """

    law: Population
    sizes: tuple[int, ...]
    replicates: int
    seed: int
    budget: int

    def require_room(self) -> None:
        """Refuses a table, or sizes of which not even one sample fits into the budget.

        Raises:
            InputError: there is one.
        """
        table = 8 * len(self.sizes) * self.replicates * len(_DESCRIBED)
        if table > RESULT_LIMIT:
            raise InputError(
                f"a table of {self.replicates} replicates at {len(self.sizes)} sizes would take "
                f"{table / 2**30:.1f} GiB of memory, more than the limit of "
                f"{RESULT_LIMIT / 2**30:.0f} GiB; ask for fewer replicates"
            )
        largest = max(self.sizes)
        if _bytes(largest) > self.budget:
            raise InputError(
                f"samples of {largest} points take {_bytes(largest) / 2**20:.0f} MiB of working "
                f"memory, and the budget is {self.budget / 2**20:.0f} MiB; raise it, or ask for "
                "smaller samples"
            )

    @property
    def points(self) -> int:
        """Points of all samples."""
        return sum(self.sizes) * self.replicates


def table(job: StudyJob, population: PopulationOptimum, measure: Measure, step: Step) -> xr.Dataset:
    """The optima of every sample, dims (n, replicate).

    Args:
        job: which samples.
        population: the optimum of their law.
        measure: of the law.
        step: told of points as they are done.

    Raises:
        InputError: the law is none, seen at a sampled point.
    """
    window = _window(job.law, population.cross_entropy.cut)
    columns = []
    for n in job.sizes:
        found = _concatenated(list(_solved(job, n, step)), job.replicates)
        columns.append(_columns(n, found, population, measure, window))
    return _labelled(job, {name: np.stack([c[name] for c in columns]) for name in columns[0]})


# --- samples to optima --------------------------------------------------------------------------


def _bytes(n: int) -> int:
    layout = SampleLayout.of(n)
    return layout.batches * layout.pieces * layout.samples * layout.length * BYTES_PER_POINT


def _solved(job: StudyJob, n: int, step: Step) -> Iterator[Columns]:
    """The optima of all samples of one size, some at a time, in their order."""
    layout = SampleLayout.of(n)
    places = _places()[: max(1, job.budget // _bytes(n))]
    starts = iter(range(0, job.replicates, layout.together))
    solve = partial(_solve, job.law, layout, job.seed)
    at_once = 1  # the first alone, which compiles for the others
    with ThreadPoolExecutor(len(places)) as pool:
        while batch := list(islice(starts, at_once)):
            at_once = len(places)
            for first, found in zip(batch, pool.map(solve, batch, places), strict=False):
                step(n * min(layout.together, job.replicates - first))
                yield found


def _places() -> list[Any]:
    """Where samples are solved at the same time: on each device, or each core of the host."""
    found = devices.available()
    return [found[0]] * devices.cores() if devices.on_host() else found


def _solve(law: Population, layout: SampleLayout, seed: int, first: int, device: Any) -> Columns:
    with jax.enable_x64(True), jax.default_device(device):
        draws = sampling.draw(law, layout, seed, first)
        optimal = jax.device_get(optima(draws.x, draws.y, layout))._asdict()
        sampling.require_lawful(law, draws)
        found = {name: np.array(values).reshape(-1) for name, values in optimal.items()}
        for row in np.flatnonzero(~found["converged"]).tolist():
            sample = Sample(layout.row(draws.x, row), layout.row(draws.y, row))
            for name, value in _by_host(sample).items():
                found[name][row] = value
    return found


def _by_host(sample: Sample) -> dict[str, float]:
    """What follows from the optimum of cross-entropy, found in the slower, safer way."""
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


def _concatenated(parts: Sequence[Columns], replicates: int) -> Columns:
    return {name: np.concatenate([part[name] for part in parts])[:replicates] for name in parts[0]}


# --- optima to columns --------------------------------------------------------------------------


def _columns(
    n: int,
    found: Columns,
    population: PopulationOptimum,
    measure: Measure,
    window: tuple[float, float],
) -> Columns:
    """The columns of a table for one size, each of shape (replicates,)."""
    finite = np.isfinite(found["a"])
    ce = cuts.cut(np.where(finite, found["a"], 0.0), np.where(finite, found["b"], 0.0))
    middle = (found["low"] + found["high"]) / 2  # infinite for a constant prediction
    highest = population.accuracy.value

    def known(values: Shaped[np.ndarray, " R"]) -> Float[np.ndarray, " R"]:
        return np.where(finite, values, np.nan)

    gap = known((found["correct_best"] - found["correct_cross_entropy"]) / n)
    return {
        "a": found["a"],
        "b": found["b"],
        "cross_entropy": found["cross_entropy"],
        "gradient": found["gradient"],
        "status": found["status"].astype(np.int8),
        "cut_cross_entropy": known(ce.t),
        "orientation_cross_entropy": np.where(finite, ce.orientation, 0).astype(np.int8),
        "cut_accuracy": middle,
        "orientation_accuracy": found["orientation"].astype(np.int8),
        "optimal_cells": found["optimal_cells"],
        "accuracy_cross_entropy": known(found["correct_cross_entropy"] / n),
        "accuracy_best": found["correct_best"] / n,
        "gap": gap,
        "shared": gap == 0,
        "distance": found["distance"],
        "regret_cross_entropy": known(highest - confusion.accuracy(measure, ce.t, ce.orientation)),
        "regret_accuracy": highest - confusion.accuracy(measure, middle, found["orientation"]),
        "cut_error_cross_entropy": known(_error(ce.t, population.cross_entropy.cut, window)),
        "cut_error_accuracy": _away(middle, found["orientation"], population.accuracy, window),
        "ones": found["ones"],
    }


def _window(law: Population, cut: float) -> tuple[float, float]:
    """What cuts are clipped to before distances are taken: -b/a has no mean.

    It is the support, or all but the outermost TAIL of x where that has no end; and it reaches as
    far as half its width beyond the population's own cut.
    """
    low, high = law.support
    ends = np.asarray(law.x.quantile(np.array([TAIL, 1 - TAIL])))
    low, high = (low if np.isfinite(low) else ends[0]), (high if np.isfinite(high) else ends[1])
    if not np.isfinite(cut):
        return float(low), float(high)
    half = (high - low) / 2
    return float(min(low, cut - half)), float(max(high, cut + half))


def _error(
    t: Float[np.ndarray, " R"], truth: float, window: tuple[float, float]
) -> Float[np.ndarray, " R"]:
    """Distance of clipped cuts from a true one; nan where there is none."""
    return np.abs(np.clip(t, *window) - truth)


def _away(
    t: Float[np.ndarray, " R"],
    orientation: Int[np.ndarray, " R"],
    best: AccuracyOptimum,
    window: tuple[float, float],
) -> Float[np.ndarray, " R"]:
    """Distance of clipped cuts from the nearest optimal one of their orientation, if there is any.

    Constant predictions are cuts beyond the support.
    """
    low, high = best.support
    found = list(best.cuts)
    for constant in best.constants:
        found += [(-np.inf, low, 2 * constant - 1), (high, np.inf, 1 - 2 * constant)]
    clipped, away = np.clip(t, *window), np.full((2, len(t)), np.inf)
    for side, sign in enumerate((1, -1)):
        mine = [ends[:2] for ends in found if ends[2] == sign] or [ends[:2] for ends in found]
        for start, stop in mine:
            distance = np.maximum(np.maximum(start - clipped, clipped - stop), 0)
            away[side] = np.minimum(away[side], distance)
    return np.where(orientation > 0, *away)


# --- columns to a dataset -----------------------------------------------------------------------

_DESCRIBED = {
    "a": ("1 / unit of x", "slope of the cross-entropy optimum"),
    "b": ("1", "intercept of the cross-entropy optimum"),
    "cross_entropy": ("nats", "least cross-entropy in the sample"),
    "gradient": ("nats", "larger derivative at the cross-entropy optimum"),
    "status": ("1", "whether cross-entropy has an optimum"),
    "cut_cross_entropy": ("unit of x", "cut of the cross-entropy optimum"),
    "orientation_cross_entropy": ("1", "+1: class 1 above it, -1: below, 0: no optimum"),
    "cut_accuracy": ("unit of x", "cut of highest accuracy"),
    "orientation_accuracy": ("1", "+1: class 1 above it, -1: below"),
    "optimal_cells": ("count", "cells between points, and constants, of highest accuracy"),
    "accuracy_cross_entropy": ("1", "accuracy in the sample at the cross-entropy optimum"),
    "accuracy_best": ("1", "highest accuracy in the sample"),
    "gap": ("1", "highest accuracy in the sample less that at the cross-entropy optimum"),
    "shared": ("1", "whether the gap is 0"),
    "distance": ("unit of x", "from the cross-entropy cut to the nearest optimal one"),
    "regret_cross_entropy": ("1", "population regret of the cross-entropy optimum"),
    "regret_accuracy": ("1", "population regret of the cut of highest accuracy"),
    "cut_error_cross_entropy": ("unit of x", "from the cross-entropy cut to the population's"),
    "cut_error_accuracy": ("unit of x", "from the cut of highest accuracy to the population's"),
    "ones": ("count", "points of class 1"),
}
"""Unit and meaning of each column."""


def _labelled(job: StudyJob, columns: Columns) -> xr.Dataset:
    import xarray as xr

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
