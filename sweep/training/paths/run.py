"""paths(): where optimisers of the model p = sigmoid(a*x + b) go, on the landscapes of its metrics.

They descend cross-entropy from several starts, with and without a penalty. Accuracy has no gradient
to follow; it is recorded along the way. Paths are compared with the exact optimum where it is
finite, and with the growth that theory predicts where it is not (`targets`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.progress import bar
from sweep.base.records import plain
from sweep.base.tables import Table, Tabular
from sweep.data.sample import Sample
from sweep.landscapes.direct import direct_cells
from sweep.landscapes.landscape import landscape
from sweep.measure.confusion import confusion
from sweep.measure.measure import Measure, as_measure
from sweep.metrics.metrics import METRICS, Counting, Smooth
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum
from sweep.populations import Population
from sweep.training.paths import tables
from sweep.training.paths.targets import (
    Growth,
    Path,
    PathTarget,
    growth,
    path_target,
    summarize,
)
from sweep.training.paths.trajectories import Settings, check_settings, descend, steepest_slope
from sweep.training.results import described

Data = Sample | Population | Measure

METRIC_LABELS = {  # of each metric its unit and its name
    "objective": ("nats", "cross-entropy and penalty"),
    "cross_entropy": ("nats", "cross-entropy"),
    "accuracy": ("1", "accuracy"),
}

OPTIMIZERS = ("sgd", "adam")  # by default; on all points at once, sgd is gradient descent

L2 = (0.0, 0.1)  # default penalties, in nats times the square of x's unit

SMALLEST, LARGEST = 1e-100, 1e100  # sizes of x whose squares float64 can hold, with room for more

CELLS = 121  # slopes, and intercepts, of a landscape that paths are drawn on
MARGIN = 0.08  # of a landscape around what it shows, as a share of its span

FARTHEST, CLOSE = 1e3, 2.0
"""A landscape leaves out places more than FARTHEST times as far away as the starts and the optimum;
for paths that diverge, CLOSE times."""


@dataclass(frozen=True, eq=False)
class Paths(Tabular):
    """Paths on the plane of (a, b), and where they lead."""

    n: int | float  # points of the data; inf for a law
    steps: int  # steps of each path
    optimum: Optimum  # exact optimum of the data
    targets: tuple[PathTarget, ...]  # for each penalty the exact optimum of what is descended
    # what gradient descent without a penalty gains in the limit as steps grow e-fold; None
    # where the optimum is finite, and for laws
    growth: Growth | None
    # each path in numbers: optimisers, then learning rates, penalties and starts, the last
    # changing fastest
    paths: tuple[Path, ...]
    # all that was recorded: a, b, objective, cross_entropy, accuracy, and for validation data
    # validation_cross_entropy and validation_accuracy, with the dimensions (optimizer,
    # learning_rate if it was given as a list, l2, start, step); and start_a and start_b
    dataset: xr.Dataset
    # for each penalty the landscapes of cross-entropy (without the penalty) and accuracy, on
    # a grid that holds its paths
    planes: tuple[xr.Dataset, ...]
    validation: Optimum | None  # optimum of the validation data, if there are any
    validation_planes: tuple[xr.Dataset, ...]  # landscapes of the validation data on such grids

    def tables(self) -> tuple[Table, ...]:
        """Every path, and what they show."""
        return tuple(tables.tables(self))

    def to_dict(self) -> dict[str, Any]:
        """The numbers, without the datasets, as plain Python values."""
        names = ("n", "steps", "targets", "growth", "paths")
        values = {name: plain(getattr(self, name)) for name in names}
        return values | {"optimum": self.optimum.to_dict()}


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
    """Follows optimisers of p = sigmoid(a*x + b) on the landscapes of cross-entropy and accuracy.

    Each step uses all points, in float64. The objective is the mean cross-entropy of the data plus
    l2 / 2 * a^2; the intercept is not penalised.

    Args:
        data: a sample, a law for n = infinity, or a measure of either.
        starts: (a, b) of each start; None is `sweep.training.paths.trajectories.CORNERS` in units
            of the data.
        optimizers: names, of `sweep.training.hyperparameters.OPTIMIZERS`.
        learning_rate: learning rate of all steps; several become a dimension; None is
            `sweep.training.paths.trajectories.default_rate`.
        l2: penalties, in nats times the square of x's unit.
        steps: steps of each path; None is 100 000, or 10 000 for more than 1000 points.
        validation: data that are not descended on, and whose metrics are recorded too.
        memory_budget: bytes of memory beyond input and output; paths that do not fit are followed
            in turn.
        progress: whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        The paths, with about 40 records per decade of steps, and where they lead.

    Raises:
        InputError: an argument is invalid; the message says which one and why.
        TypeError: data are of an unknown type.
    """
    measure, validation_measure = _measure("data", data), _measure("validation", validation)
    assert measure is not None
    settings = check_settings(measure, starts, optimizers, learning_rate, l2, steps)
    best = optimum(data)
    with bar("descend", settings.total, "steps", progress) as step:
        measure, ab, rates = descend(settings, measure, memory_budget, step)
    values = _metrics(measure, ab, memory_budget)
    values = {"objective": _objective(values["cross_entropy"], ab, settings)} | values
    if validation_measure is not None:
        validation_measure = as_measure(validation_measure, steepest_slope(ab[..., 0]))
        watched = _metrics(validation_measure, ab, memory_budget)
        values |= {f"validation_{name}": array for name, array in watched.items()}
    dataset = _dataset(settings, ab, rates, values, {"n": measure.n, "steps": settings.steps})
    targets = tuple(path_target(measure, best, strength) for strength in settings.l2)
    return Paths(
        n=measure.n,
        steps=settings.steps,
        optimum=best,
        targets=targets,
        growth=None if math.isinf(measure.n) else growth(measure, best.cross_entropy.status),
        paths=summarize(dataset, targets),
        dataset=dataset,
        planes=_planes(measure, dataset, targets, memory_budget),
        validation=None if validation is None else optimum(validation),
        validation_planes=()
        if validation_measure is None
        else _planes(validation_measure, dataset, targets, memory_budget),
    )


def _measure(name: str, data: Data | None) -> Measure | None:
    """The measure of data; raises InputError for no points, a sketch, or an extreme unit of x."""
    if data is None:
        return None
    measure = as_measure(data)
    if measure.sketch is not None:
        raise InputError(f"{name} is a sketch, which has no points to descend on; give its data")
    if not measure.total:
        raise InputError(f"{name} has no points; at least one is needed")
    classes = (measure.class0.x, measure.class1.x)
    largest = max(float(np.max(np.abs(x), initial=0.0)) for x in classes)
    if largest and not SMALLEST <= largest <= LARGEST:
        raise InputError(
            f"{name} has an x of size {largest:.3g}; paths take squares of x, so give it in a unit "
            f"in which its sizes are between {SMALLEST:g} and {LARGEST:g}"
        )
    return measure


def _metrics(
    measure: Measure, ab: Float[np.ndarray, "*k 2"], budget: int
) -> dict[str, Float[np.ndarray, "*k"]]:
    """Cross-entropy and accuracy at (a, b); nan where a or b is not finite."""
    a, b = ab[..., 0], ab[..., 1]
    finite = np.isfinite(a) & np.isfinite(b)
    ce, accuracy = METRICS["cross_entropy"], METRICS["accuracy"]
    assert isinstance(ce, Smooth)
    assert isinstance(accuracy, Counting)
    values = {metric.name: np.full(a.shape, np.nan) for metric in (ce, accuracy)}
    cells = a[finite], b[finite]
    values[ce.name][finite] = direct_cells(measure, ce, *cells, "float64", budget)
    values[accuracy.name][finite] = accuracy.value(*confusion(measure, *cells))
    return values


def _objective(
    ce: Float[np.ndarray, "o r l s t"], ab: Float[np.ndarray, "o r l s t 2"], settings: Settings
) -> Float[np.ndarray, "o r l s t"]:
    """Cross-entropy and penalty."""
    l2 = np.array(settings.l2)[:, None, None]
    with np.errstate(over="ignore", invalid="ignore"):
        return ce + l2 / 2 * ab[..., 0] ** 2


def _dataset(
    settings: Settings,
    ab: Float[np.ndarray, "o r l s t 2"],
    rates: Float[np.ndarray, "o r l"],
    values: dict[str, Float[np.ndarray, "o r l s t"]],
    attrs: dict[str, Any],
) -> xr.Dataset:
    """The dataset, with the dimensions (optimizer, learning_rate if several, l2, start, step)."""
    dims = ("optimizer", "learning_rate", "l2", "start", "step")
    variables = {
        "a": described(dims, ab[..., 0], "1 / unit of x", "slope a"),
        "b": described(dims, ab[..., 1], "1", "intercept b"),
    }
    for name, array in values.items():
        metric = name.removeprefix("validation_")
        units, words = METRIC_LABELS[metric]
        variables[name] = described(
            dims, array, units, words if metric == name else f"{words}, validation"
        )
    if not settings.several:
        variables["rate"] = described(dims[:3], rates, "1", "learning rate")
    starts, numbers = settings.starts, np.arange(len(settings.starts))
    coordinates = {
        "optimizer": described("optimizer", np.array(settings.optimizers), "1", "optimizer"),
        "l2": described("l2", np.array(settings.l2), "nats (unit of x)^2", "penalty l2 / 2 * a^2"),
        "start": described("start", numbers, "1", "number of the start"),
        "start_a": described("start", starts[:, 0], "1 / unit of x", "slope a at the start"),
        "start_b": described("start", starts[:, 1], "1", "intercept b at the start"),
        "step": described("step", settings.records, "step", "steps done"),
    }
    if settings.several:
        rate = described("learning_rate", np.array(settings.rates), "1", "learning rate")
        coordinates["learning_rate"] = rate
    dataset = xr.Dataset(variables, coordinates, attrs)
    return dataset if settings.several else dataset.isel(learning_rate=0)


def _planes(
    measure: Measure, dataset: xr.Dataset, targets: Sequence[PathTarget], budget: int
) -> tuple[xr.Dataset, ...]:
    """For each penalty a landscape that holds its paths and their target."""
    planes = []
    for k, target in enumerate(targets):
        penalty_paths = dataset.isel(l2=k)
        a = _axis(penalty_paths.a.values, target.a)
        b = _axis(penalty_paths.b.values, target.b)
        planes.append(landscape(measure, a, b, memory_budget=budget, progress=False))
    return tuple(planes)


def _axis(values: Float[np.ndarray, " ..."], target: float) -> Float[np.ndarray, " k"]:
    """An axis over the target and the paths, with a margin, without the far end of divergence."""
    starts = values[..., 0]
    anchors = np.append(starts, [target] if math.isfinite(target) else [])
    finite = np.isfinite(values).all(axis=-1, keepdims=True)
    farthest = np.where(finite, FARTHEST, CLOSE) * max(1.0, float(np.max(np.abs(anchors))))
    shown = np.append(anchors, values[np.abs(values) <= farthest])
    low, high = float(shown.min()), float(shown.max())
    margin = MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, CELLS)
