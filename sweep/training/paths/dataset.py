"""What is recorded along paths of (a, b), as one dataset."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.progress import Step, ignore
from sweep.measure.confusion import confusion
from sweep.measure.measure import Measure
from sweep.metrics.metrics import METRICS, Counting, Smooth
from sweep.training.paths.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

ROUNDS = 8
"""Quadratures that are made for a law, each for the steepest slope on the paths before."""


def descended(
    settings: Settings, measure: Measure, budget: int, step: Step
) -> tuple[Measure, Float[np.ndarray, "o r l s t 2"], Float[np.ndarray, "o r l"]]:
    """(a, b) at the records of every path, and learning rates.

    A law is integrated anew where paths are steeper than its quadrature is made for; the measure
    that is good for all slopes comes back too.
    """
    rates = np.stack([settings.rates_of(name, measure) for name in settings.optimizers])
    steepest = 0.0
    for number in range(ROUNDS):
        told = step if number == 0 else ignore
        found = np.stack(
            [
                _of_one(settings, name, measure, rates[place], budget, told)
                for place, name in enumerate(settings.optimizers)
            ]
        )
        steepest = steepest_of(found[..., 0])
        if measure.quadrature is None or measure.quadrature.reaches(steepest):
            return measure, found, rates
        measure = Measure.from_population(measure.quadrature.law, 2 * steepest)
    raise InputError(
        f"a path is as steep as a = {steepest:.3g}, beyond what the law is integrated for; give "
        "fewer steps, or a sample of the law"
    )


def steepest_of(a: Float[np.ndarray, " ..."]) -> float:
    """The largest |a| that is a number."""
    return float(np.max(np.abs(a), where=np.isfinite(a), initial=0.0))


def _of_one(
    settings: Settings,
    name: str,
    measure: Measure,
    rates: Float[np.ndarray, "r l"],
    budget: int,
    step: Step,
) -> Float[np.ndarray, "r l s t 2"]:
    """(a, b) of all paths of one optimiser."""
    from sweep.training.paths.trajectories import trajectories

    places = list(product(*map(range, settings.shape)))
    starts = np.array([settings.starts[s] for _, _, s in places])
    rate = np.array([rates[r, k] for r, k, _ in places])
    l2 = np.array([settings.l2[k] for _, k, _ in places])
    found = trajectories(name, measure, starts, rate, l2, settings.records, budget, step)
    return found.reshape(*settings.shape, len(settings.records), 2)


def metrics(
    measure: Measure, a: Float[np.ndarray, "*k"], b: Float[np.ndarray, "*k"], budget: int
) -> dict[str, Float[np.ndarray, "*k"]]:
    """Cross-entropy and accuracy of classifiers; nan where a or b is no finite number."""
    from sweep.landscapes import direct

    finite = np.isfinite(a) & np.isfinite(b)
    ce, accuracy = METRICS["cross_entropy"], METRICS["accuracy"]
    assert isinstance(ce, Smooth)
    assert isinstance(accuracy, Counting)
    found = {one.name: np.full(a.shape, np.nan) for one in (ce, accuracy)}
    at = a[finite], b[finite]
    found[ce.name][finite] = direct.direct_cells(measure, ce, *at, "float64", budget)
    found[accuracy.name][finite] = accuracy.value(*confusion(measure, *at))
    return found


def labelled(
    settings: Settings,
    places: Float[np.ndarray, "o r l s t 2"],
    rates: Float[np.ndarray, "o r l"],
    values: dict[str, Float[np.ndarray, "o r l s t"]],
    attrs: dict[str, Any],
) -> xr.Dataset:
    """The dataset, with the dimensions (optimizer, learning_rate if several, l2, start, step).

    Args:
        settings: what was asked for.
        places: (a, b).
        rates: learning rates.
        values: metrics by name, those of validation data with `validation_` in front.
        attrs: of the dataset.
    """
    import xarray as xr

    dims = ("optimizer", "learning_rate", "l2", "start", "step")
    variables: dict[str, Any] = {
        "a": (dims, places[..., 0], {"units": "1 / unit of x", "long_name": "slope a"}),
        "b": (dims, places[..., 1], {"units": "1", "long_name": "intercept b"}),
    }
    for name, found in values.items():
        variables[name] = (dims, found, _about(name))
    if not settings.several:
        variables["rate"] = (dims[:3], rates, {"units": "1", "long_name": "learning rate"})
    dataset = xr.Dataset(variables, _coordinates(settings), attrs)
    return dataset if settings.several else dataset.isel(learning_rate=0)


def _about(name: str) -> dict[str, str]:
    """Units and long name of a metric."""
    own = name.removeprefix("validation_")
    words = {
        "objective": ("nats", "cross-entropy and penalty"),
        "cross_entropy": ("nats", "cross-entropy"),
        "accuracy": ("1", "accuracy"),
    }
    units, text = words[own]
    return {"units": units, "long_name": text if own == name else f"{text}, validation"}


def _coordinates(settings: Settings) -> dict[str, Any]:
    def entry(dim: str, values: Any, words: str, units: str = "1") -> Any:
        return dim, np.asarray(values), {"units": units, "long_name": words}

    found = {
        "optimizer": entry("optimizer", settings.optimizers, "optimizer"),
        "l2": entry("l2", settings.l2, "penalty l2 / 2 * a^2", "nats (unit of x)^2"),
        "start": entry("start", np.arange(len(settings.starts)), "number of the start"),
        "start_a": entry("start", settings.starts[:, 0], "slope a at the start", "1 / unit of x"),
        "start_b": entry("start", settings.starts[:, 1], "intercept b at the start"),
        "step": entry("step", settings.records, "steps done", "step"),
    }
    if settings.several:
        found["learning_rate"] = entry("learning_rate", settings.rates, "learning rate")
    return found
