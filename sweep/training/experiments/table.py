"""Causes and remedies as one dataset: every network by epoch, as it is judged, and the effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.diagnosis.findings.rules import CODES
from sweep.training.experiments.catalogue import Cause
from sweep.training.experiments.effects import VERDICTS, Tried
from sweep.training.experiments.evaluation import RECORDED, Evaluation
from sweep.training.results import attributes
from sweep.training.statistics import quantile_bands

if TYPE_CHECKING:
    import xarray as xr

NOTHING = "none"
"""The remedy of networks without one."""

METRICS = {"loss": "nats", "accuracy": "1", "balanced_accuracy": "1"}
"""By what networks are judged, with the units."""

DIRECTIONS = ("down", "none", "up")

LEVELS = (0.05, 0.5, 0.95)
"""Of the bands."""


def tabulated(
    chosen: Sequence[Cause],
    every: Sequence[Sequence[Evaluation]],
    remedies: Sequence[Tried],
    numbers: Sequence[int],
) -> xr.Dataset:
    """The dataset.

    A run is a cause without a remedy, or with one of them; the coordinates `cause` and `remedy`
    along it say which.

    Args:
        chosen: the causes.
        every: networks of each cause, first without a remedy.
        remedies: their effects, in the same order.
        numbers: the seeds.

    Returns:
        The curves of `sweep.training.experiments.evaluation.RECORDED` with dims (run, seed, epoch);
        `judged`, what networks are judged by, with dims (run, seed, metric), at `judged_epoch`;
        whether each finding was made, `found`, with dims (run, seed, code); and of each remedy the
        `difference` it makes, with the ends `low` and `high` of its 95% interval, what is `said` of
        it and the `verdict`, with dims (run, metric).
    """
    import xarray as xr

    runs = [one for runs in every for one in runs]
    names = [
        (cause.name, name)
        for cause in chosen
        for name in (NOTHING, *(remedy.name for remedy in cause.remedies))
    ]
    variables = _networks(runs) | _effects(names, remedies)
    epochs = runs[0].curves["loss"].shape[1]
    coordinates = {
        "cause": ("run", [cause for cause, _ in names], {"long_name": "cause"}),
        "remedy": ("run", [remedy for _, remedy in names], {"long_name": "remedy"}),
        "seed": ("seed", np.array(numbers), {"units": "1", "long_name": "seed"}),
        "epoch": ("epoch", np.arange(1, epochs + 1), {"units": "epoch", "long_name": "epoch"}),
        "metric": ("metric", [*METRICS], {"long_name": "judged by"}),
        "code": ("code", [*CODES], {"long_name": "code of a finding"}),
    }
    return xr.Dataset(variables, coordinates)


def bands(table: xr.Dataset) -> xr.Dataset:
    """Quantiles over the networks of every curve, dims (level, run, epoch).

    Args:
        table: as `tabulated` makes it.
    """
    return quantile_bands(table, RECORDED, LEVELS)


def _networks(runs: Sequence[Evaluation]) -> dict[str, Any]:
    """What there is of every network."""

    def stacked(parts: Sequence[Any], dims: Sequence[str], words: str, units: str) -> Any:
        return ("run", "seed", *dims), np.stack(parts), {"units": units, "long_name": words}

    variables: dict[str, Any] = {
        name: (("run", "seed", "epoch"), np.stack([r.curves[name] for r in runs]), attributes(name))
        for name in RECORDED
    }
    empty = np.full(len(runs[0].diverged), np.nan)
    by = [np.stack([run.metrics.get(name, empty) for name in METRICS], axis=1) for run in runs]
    variables["judged"] = stacked(by, ("metric",), "by what it is judged", "nats or fraction")
    epochs = [run.judged_epoch for run in runs]
    variables["judged_epoch"] = stacked(epochs, (), "epoch it is judged after", "epoch")
    lost = [run.diverged.astype(np.int8) for run in runs]
    variables["diverged"] = stacked(lost, (), "1 where a loss was not finite", "1")
    made = [np.array([[c in one for c in CODES] for one in r.findings], np.int8) for r in runs]
    variables["found"] = stacked(made, ("code",), "1 where the finding was made", "1")
    return variables


def _effects(names: Sequence[tuple[str, str]], remedies: Sequence[Tried]) -> dict[str, Any]:
    """What every remedy changes; nan of networks without one."""
    shape = len(names), len(METRICS)
    values = {
        name: np.full(shape, np.nan) for name in ("difference", "low", "high", "said", "verdict")
    }
    for one in remedies:
        for effect in one.effects:
            place = names.index((one.cause, one.remedy)), [*METRICS].index(effect.metric)
            values["difference"][place] = effect.difference
            values["low"][place], values["high"][place] = effect.low, effect.high
            values["said"][place] = DIRECTIONS.index(effect.said) - 1
            values["verdict"][place] = 1 - VERDICTS.index(effect.verdict)
    words = {
        "difference": "mean paired difference that the remedy makes",
        "low": "lower end of its 95% interval",
        "high": "upper end of its 95% interval",
        "said": "direction it is said to have: 1 up, 0 none, -1 down",
        "verdict": "1 if that is shown, 0 if it is not shown, -1 if the opposite is",
    }
    return {
        name: (("run", "metric"), value, {"units": "1", "long_name": words[name]})
        for name, value in values.items()
    }
