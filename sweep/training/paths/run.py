"""paths(): where optimisers of the model p = sigmoid(a*x + b) go, on the landscapes of its metrics.

They descend cross-entropy, from several starts, with and without a penalty. What that does to
accuracy is recorded on the way: it has no gradient to follow. Where there is a finite optimum they
are held against it; where there is none, what (a, b) gains as the steps grow e-fold is held against
theory (`sweep.training.paths.growth`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.progress import bar
from sweep.base.records import plain
from sweep.data.sample import Sample
from sweep.landscapes.landscape import landscape
from sweep.measure.measure import Measure, as_measure
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum
from sweep.populations import Population
from sweep.training.paths.dataset import descended, labelled, metrics, steepest_of
from sweep.training.paths.growth import Growth, growth
from sweep.training.paths.penalised import penalised
from sweep.training.paths.settings import Settings, settings
from sweep.training.paths.summary import Path, PathTarget, numbers

if TYPE_CHECKING:
    import xarray as xr

Data = Sample | Population | Measure

OPTIMIZERS = ("sgd", "adam")
"""Of the paths unless others are asked for; of the full set, sgd is gradient descent."""

L2 = (0.0, 0.1)
"""Penalties unless others are asked for, in nats times the square of x's unit."""

SMALLEST, LARGEST = 1e-100, 1e100
"""Sizes of x whose squares float64 can hold, with room for more."""

CELLS = 121
"""Slopes, and intercepts, of a landscape that paths are drawn on."""

MARGIN = 0.08
"""Of a landscape around what it shows, as a share of its span."""

FARTHEST, CLOSE = 1e3, 2.0
"""Places that are as many times as far away as the starts or the optimum are not shown, and less of
paths that diverge."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Paths on the plane of (a, b), and what is known of where they lead.

    Attributes:
        n: points of the data; inf for a law.
        steps: of each path.
        optimum: of the data, exact.
        targets: for each penalty the exact optimum of what is descended.
        growth: what gradient descent without a penalty gains in the limit as steps grow e-fold;
            None where it comes to an end, and for laws.
        paths: each in numbers: optimisers, then learning rates, penalties and starts, the last
            changing fastest.
        dataset: all that was recorded: a, b, objective, cross_entropy, accuracy, and of validation
            data validation_cross_entropy and validation_accuracy, with the dimensions (optimizer,
            learning_rate if it was given as a list, l2, start, step); and start_a and start_b.
        planes: for each penalty the landscape that holds its paths, of cross-entropy, without the
            penalty, and accuracy.
        validation: the optimum of the validation data, if there are any.
        validation_planes: their landscapes, likewise.
    """

    n: int | float
    steps: int
    optimum: Optimum
    targets: tuple[PathTarget, ...]
    growth: Growth | None
    paths: tuple[Path, ...]
    dataset: xr.Dataset
    planes: tuple[xr.Dataset, ...]
    validation: Optimum | None
    validation_planes: tuple[xr.Dataset, ...]

    def to_dict(self) -> dict[str, Any]:
        """What was found, without the datasets, as plain Python values."""
        names = ("n", "steps", "targets", "growth", "paths")
        found = {name: plain(getattr(self, name)) for name in names}
        return found | {"optimum": self.optimum.to_dict()}


def paths(
    data: Data,
    *,
    starts: Sequence[Any] | np.ndarray | None = None,
    optimizers: Sequence[str] = OPTIMIZERS,
    learning_rate: float | Sequence[float] | None = None,
    l2: Sequence[float] = L2,
    steps: int | None = None,
    validation: Data | None = None,
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = None,
) -> Paths:
    """The paths of optimisers of p = sigmoid(a*x + b), on the landscapes of both metrics.

    Each step is of all points, in float64. What is descended is the mean cross-entropy of the data
    plus l2 / 2 * a^2, the intercept apart.

    Args:
        data: a sample, a law for n = infinity, or a measure of either.
        starts: (a, b) that paths begin at; None is `sweep.training.paths.settings.CORNERS` in
            units of the data.
        optimizers: of `sweep.training.optimizers.OPTIMIZERS`.
        learning_rate: of all steps; several become a dimension; None is
            `sweep.training.paths.settings.default_rate`.
        l2: penalties.
        steps: of each path; None is 100 000, or 10 000 for more than 1000 points.
        validation: data that are not descended on, whose metrics are recorded too.
        memory_budget: bytes that may be used beyond input and output; more paths than fit are
            followed in turn.
        progress: whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        What was recorded, after about 40 steps of each decade, and what is known of it.

    Raises:
        InputError: what is asked for cannot be; the sentence says why.
        TypeError: data are of a kind that is not known.
    """
    measure, judged = _measure("data", data), _measure("validation", validation)
    assert measure is not None
    asked = settings(measure, starts, optimizers, learning_rate, l2, steps)
    best = optimum(data)
    with bar("descend", asked.total, "steps", progress) as step:
        measure, places, rates = descended(asked, measure, memory_budget, step)
    values = metrics(measure, places[..., 0], places[..., 1], memory_budget)
    values = {"objective": _penalised(values["cross_entropy"], places, asked)} | values
    if judged is not None:
        judged = as_measure(judged, steepest_of(places[..., 0]))
        own = metrics(judged, places[..., 0], places[..., 1], memory_budget)
        values |= {f"validation_{name}": found for name, found in own.items()}
    dataset = labelled(asked, places, rates, values, {"n": measure.n, "steps": asked.steps})
    targets = tuple(_target(measure, best, one) for one in asked.l2)
    return Paths(
        n=measure.n,
        steps=asked.steps,
        optimum=best,
        targets=targets,
        growth=None if math.isinf(measure.n) else growth(measure, best.cross_entropy.status),
        paths=numbers(dataset, targets),
        dataset=dataset,
        planes=_planes(measure, dataset, targets, memory_budget),
        validation=None if validation is None else optimum(validation),
        validation_planes=()
        if judged is None
        else _planes(judged, dataset, targets, memory_budget),
    )


def _measure(name: str, data: Data | None) -> Measure | None:
    """The measure of data.

    Raises:
        InputError: there are no points, or a sketch in their place, or the unit of x is absurd.
    """
    if data is None:
        return None
    measure = as_measure(data)
    if measure.sketch is not None:
        raise InputError(f"{name} is a sketch, which knows no path; give the data it was made from")
    if not measure.total:
        raise InputError(f"{name} has no points; at least one is needed")
    parts = (measure.class0.x, measure.class1.x)
    largest = max(float(np.max(np.abs(x), initial=0.0)) for x in parts)
    if largest and not SMALLEST <= largest <= LARGEST:
        raise InputError(
            f"{name} has an x of size {largest:.3g}; paths take squares of x, so give it in a unit "
            f"in which its sizes are between {SMALLEST:g} and {LARGEST:g}"
        )
    return measure


def _penalised(
    ce: Float[np.ndarray, "o r l s t"], places: Float[np.ndarray, "o r l s t 2"], asked: Settings
) -> Float[np.ndarray, "o r l s t"]:
    """What is descended: cross-entropy and penalty."""
    l2 = np.array(asked.l2)[:, None, None]
    with np.errstate(over="ignore", invalid="ignore"):
        return ce + l2 / 2 * places[..., 0] ** 2


def _target(measure: Measure, best: Optimum, l2: float) -> PathTarget:
    """The exact optimum with a penalty."""
    if l2 == 0:
        ce = best.cross_entropy
        return PathTarget(0.0, ce.a, ce.b, ce.value)
    found = penalised(measure, l2)
    if found is None:
        return PathTarget(l2, math.nan, math.nan, math.nan)
    return PathTarget(l2, found.a, found.b, found.objective)


def _planes(
    measure: Measure, dataset: xr.Dataset, targets: Sequence[PathTarget], budget: int
) -> tuple[xr.Dataset, ...]:
    """For each penalty a landscape that holds its paths and their target."""
    found = []
    for place, target in enumerate(targets):
        of = dataset.isel(l2=place)
        a = _axis(of.a.values, target.a)
        b = _axis(of.b.values, target.b)
        found.append(landscape(measure, a, b, memory_budget=budget, progress=False))
    return tuple(found)


def _axis(values: Float[np.ndarray, " ..."], target: float) -> Float[np.ndarray, " k"]:
    """An axis over the target and the paths, with a margin; not to where they diverge to."""
    starts = values[..., 0]
    known = np.append(starts, [target] if math.isfinite(target) else [])
    whole = np.isfinite(values).all(axis=-1, keepdims=True)
    farthest = np.where(whole, FARTHEST, CLOSE) * max(1.0, float(np.max(np.abs(known))))
    shown = np.append(known, values[np.abs(values) <= farthest])
    low, high = float(shown.min()), float(shown.max())
    margin = MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, CELLS)
