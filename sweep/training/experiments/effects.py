"""Networks with and without a remedy: how they are judged, what changes, and all of it as a table.

A network is judged as it is after the last epoch or, if it stops early, as it was after the epoch
of its least validation loss; the test set chooses nothing. The effect of a remedy is the mean
paired difference over seeds, compared with what is said of the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Shaped

from sweep.diagnosis.findings.rules import CODES
from sweep.metrics.metrics import Counting, metric
from sweep.training.ensemble import stacked_sets, train_networks
from sweep.training.experiments.catalogue import Cause, Direction, Remedy
from sweep.training.experiments.protocol import finding_shares, network_findings
from sweep.training.results import CURVES, Share, attributes, difference, quantile_bands

SHORTEST = 5  # epochs in the history of a network that stops early: fewer show nothing

RECORDED = (*CURVES, "test_loss", "test_accuracy")  # what is kept of every epoch

METRICS = {"loss": "nats", "accuracy": "1", "balanced_accuracy": "1"}
"""Metrics that networks are judged by, with their units."""

MARGIN = {"loss": 0.01, "accuracy": 0.005, "balanced_accuracy": 0.005}
"""A change within the margin, in nats and in fractions, counts as none."""

VERDICTS = ("shown", "not shown", "opposite")
DIRECTIONS = ("down", "none", "up")

NO_REMEDY = "none"  # coordinate of networks without a remedy

BAND_LEVELS = (0.05, 0.5, 0.95)  # quantiles of the bands


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Networks of many seeds, all trained and stopped in one way.

    Attributes:
        curves: curves of `RECORDED`, by name, shape (seeds, epochs).
        judged_epoch: epoch after which each network is judged, from 1, shape (seeds,).
        diverged: whether a loss was not finite, shape (seeds,).
        metrics: metrics of the cause, by name, shape (seeds,). Loss and accuracy are those of the
            test set; balanced accuracy is that of the validation set, whose logits are recorded.
            They are nan where training diverged.
        findings: codes of the findings of `sweep.diagnose` about each network, on its validation
            set.
    """

    curves: Mapping[str, Float[np.ndarray, "s epochs"]]
    judged_epoch: Float[np.ndarray, " s"]
    diverged: Bool[np.ndarray, " s"]
    metrics: Mapping[str, Float[np.ndarray, " s"]]
    findings: tuple[frozenset[str], ...]

    @classmethod
    def concatenate(cls, blocks: Sequence[Evaluation]) -> Evaluation:
        """Joins blocks of seeds."""

        def join(arrays: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
            return {name: np.concatenate([block[name] for block in arrays]) for name in arrays[0]}

        return cls(
            join([block.curves for block in blocks]),
            np.concatenate([block.judged_epoch for block in blocks]),
            np.concatenate([block.diverged for block in blocks]),
            join([block.metrics for block in blocks]),
            tuple(codes for block in blocks for codes in block.findings),
        )


def evaluate(cause: Cause, seeds: Sequence[int], epochs: int) -> list[Evaluation]:
    """Trains networks without a remedy and with each; those of one seed see the same data.

    Args:
        cause: the cause and its remedies.
        seeds: seeds of the networks and of their data.
        epochs: number of epochs.
    """
    recorded = train_networks(cause.drawn, cause.combinations, seeds, epochs, [epochs])
    y = stacked_sets(cause.drawn, seeds)[1][1]
    combination = iter(range(1, len(cause.combinations)))
    evaluations = [_evaluate(cause, recorded, y, 0, stops_early=False)]
    for remedy in cause.remedies:
        k = 0 if remedy.stops_early else next(combination)
        evaluations.append(_evaluate(cause, recorded, y, k, stops_early=remedy.stops_early))
    return evaluations


def _evaluate(
    cause: Cause,
    recorded: Mapping[str, Shaped[np.ndarray, "s k ..."]],
    y: Float[np.ndarray, "s m"],
    combination: int,
    *,
    stops_early: bool,
) -> Evaluation:
    arrays = {name: values[:, combination] for name, values in recorded.items()}
    diverged, best = np.isfinite(arrays["diverged_epoch"]), arrays["best_epoch"]
    last = np.full(len(y), arrays["loss"].shape[1], float)
    epoch = np.where(np.isfinite(best), best, 1) if stops_early else last
    logits = arrays["best_logits"] if stops_early else arrays["validation_logits"][:, -1]
    judged = np.arange(len(y)), epoch.astype(int) - 1
    values = {
        "loss": arrays["test_loss"][judged],
        "accuracy": arrays["test_accuracy"][judged],
        "balanced_accuracy": balanced_accuracy(logits, y),
    }
    findings = tuple(
        frozenset(("diverging",))
        if diverged[k]
        else network_findings(y[k], logits[k], {name: arrays[name][k, :until] for name in CURVES})
        for k, until in enumerate(np.maximum(SHORTEST, epoch).astype(int))
    )
    return Evaluation(
        {name: arrays[name] for name in RECORDED},
        epoch,
        diverged,
        {n: np.where(diverged, np.nan, values[n]).astype(np.float64) for n in cause.metrics},
        findings,
    )


def balanced_accuracy(
    z: Float[np.ndarray, "s m"], y: Float[np.ndarray, "s m"]
) -> Float[np.ndarray, " s"]:
    """Balanced accuracy of each network, with class 1 predicted where z > 0."""
    positive, predicted = y > 0, z > 0
    tp, fp = predicted & positive, predicted & ~positive
    fn, tn = ~predicted & positive, ~predicted & ~positive
    balanced = metric("balanced_accuracy")
    assert isinstance(balanced, Counting)
    return balanced.value(*(np.sum(cell, axis=1) for cell in (tp, fp, fn, tn)))


@dataclass(frozen=True)
class Effect:
    """The effect of a remedy on one metric.

    Attributes:
        metric: loss (nats), accuracy or balanced_accuracy (fractions).
        before: mean over the seeds without the remedy.
        after: mean with it.
        difference: mean of after - before over the seeds.
        low: lower end of its 95% interval, by Student's t over the seeds; nan without one.
        high: upper end.
        said: direction in which the remedy is said to change the metric.
        verdict: one of `VERDICTS`. Up or down is shown if the interval excludes 0 on that side, and
            the opposite if on the other side; none is shown if the interval is within `MARGIN`, and
            the opposite if it is outside. Each verdict stands alone: without any effect, one
            interval in twenty excludes 0 by chance.
        pairs: number of seeds whose training did not diverge, with or without the remedy.
    """

    metric: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    said: Direction
    verdict: str
    pairs: int


@dataclass(frozen=True)
class RemedyOutcome:
    """The result of trying a remedy.

    Attributes:
        cause: name of the cause.
        remedy: name of the remedy.
        source: who recommends it.
        effects: effect on every metric of the cause.
        findings: share of the networks with the remedy in which `sweep.diagnose` makes each
            finding, by code.
        diverged: networks with the remedy whose loss was not finite.
    """

    cause: str
    remedy: str
    source: str
    effects: tuple[Effect, ...]
    findings: Mapping[str, Share]
    diverged: int

    def effect(self, metric: str) -> Effect:
        """The effect on a metric."""
        return next(effect for effect in self.effects if effect.metric == metric)


def compare(cause: Cause, remedy: Remedy, before: Evaluation, after: Evaluation) -> RemedyOutcome:
    """Compares networks with and without a remedy, seed by seed."""
    effects = tuple(
        effect(name, before.metrics[name], after.metrics[name], remedy.said[name])
        for name in cause.metrics
    )
    shares, diverged = finding_shares(after.findings), int(after.diverged.sum())
    return RemedyOutcome(cause.name, remedy.name, remedy.source, effects, shares, diverged)


def effect(
    metric: str, before: Float[np.ndarray, " s"], after: Float[np.ndarray, " s"], said: Direction
) -> Effect:
    """The mean paired difference with its interval and verdict; nan where training diverged."""
    change = difference(before, after)
    return Effect(
        metric=metric,
        before=change.before,
        after=change.after,
        difference=change.mean,
        low=change.low,
        high=change.high,
        said=said,
        verdict=verdict(said, change.low, change.high, MARGIN[metric]),
        pairs=change.pairs,
    )


def verdict(said: Direction, low: float, high: float, margin: float) -> str:
    """Whether an interval shows what is said, see `Effect`."""
    if said == "none":
        shown, opposite = -margin < low and high < margin, high < -margin or margin < low
    elif said == "up":
        shown, opposite = low > 0, high < 0
    else:
        shown, opposite = high < 0, low > 0
    return VERDICTS[0] if shown else VERDICTS[2] if opposite else VERDICTS[1]


def causes_dataset(
    causes: Sequence[Cause],
    evaluations: Sequence[Sequence[Evaluation]],
    outcomes: Sequence[RemedyOutcome],
    seeds: Sequence[int],
) -> xr.Dataset:
    """Everything recorded, as one dataset.

    A run is a cause without a remedy or with one; the coordinates `cause` and `remedy` name them.

    Args:
        causes: the causes.
        evaluations: networks of each cause, first without a remedy.
        outcomes: outcomes of all remedies, in the same order.
        seeds: seeds of the networks.

    Returns:
        The curves of `RECORDED` with dims (run, seed, epoch); `judged`, the metrics of networks,
        with dims (run, seed, metric), at `judged_epoch`; whether each finding was made, `found`,
        with dims (run, seed, code); and for each remedy the `difference` it makes, the ends `low`
        and `high` of its 95% interval, what is `said` of it and the `verdict`, with dims (run,
        metric).
    """
    runs = [run for cause_runs in evaluations for run in cause_runs]
    names = [
        (cause.name, name)
        for cause in causes
        for name in (NO_REMEDY, *(remedy.name for remedy in cause.remedies))
    ]
    variables = _network_variables(runs) | _effect_variables(names, outcomes)
    epochs = runs[0].curves["loss"].shape[1]
    coordinates = {
        "cause": ("run", [cause for cause, _ in names], {"long_name": "cause"}),
        "remedy": ("run", [remedy for _, remedy in names], {"long_name": "remedy"}),
        "seed": ("seed", np.array(seeds), {"units": "1", "long_name": "seed"}),
        "epoch": ("epoch", np.arange(1, epochs + 1), {"units": "epoch", "long_name": "epoch"}),
        "metric": ("metric", [*METRICS], {"long_name": "judged by"}),
        "code": ("code", [*CODES], {"long_name": "code of a finding"}),
    }
    return xr.Dataset(variables, coordinates)


def causes_bands(table: xr.Dataset) -> xr.Dataset:
    """Quantiles over the networks of every curve of `causes_dataset`, dims (level, run, epoch)."""
    return quantile_bands(table, RECORDED, BAND_LEVELS)


def _network_variables(runs: Sequence[Evaluation]) -> dict[str, Any]:
    """Variables with a value for each network."""

    def stack(arrays: Sequence[Any], dims: Sequence[str], words: str, units: str) -> Any:
        return ("run", "seed", *dims), np.stack(arrays), {"units": units, "long_name": words}

    variables: dict[str, Any] = {
        name: (("run", "seed", "epoch"), np.stack([r.curves[name] for r in runs]), attributes(name))
        for name in RECORDED
    }
    missing = np.full(len(runs[0].diverged), np.nan)
    judged = [np.stack([r.metrics.get(n, missing) for n in METRICS], axis=1) for r in runs]
    variables["judged"] = stack(judged, ("metric",), "by what it is judged", "nats or fraction")
    epochs = [run.judged_epoch for run in runs]
    variables["judged_epoch"] = stack(epochs, (), "epoch it is judged after", "epoch")
    diverged = [run.diverged.astype(np.int8) for run in runs]
    variables["diverged"] = stack(diverged, (), "1 where a loss was not finite", "1")
    flags = [np.array([[c in codes for c in CODES] for codes in r.findings], np.int8) for r in runs]
    variables["found"] = stack(flags, ("code",), "1 where the finding was made", "1")
    return variables


def _effect_variables(
    names: Sequence[tuple[str, str]], outcomes: Sequence[RemedyOutcome]
) -> dict[str, Any]:
    """What each remedy changes; nan for networks without one."""
    shape = len(names), len(METRICS)
    values = {
        name: np.full(shape, np.nan) for name in ("difference", "low", "high", "said", "verdict")
    }
    for outcome in outcomes:
        for effect in outcome.effects:
            cell = names.index((outcome.cause, outcome.remedy)), [*METRICS].index(effect.metric)
            values["difference"][cell] = effect.difference
            values["low"][cell], values["high"][cell] = effect.low, effect.high
            values["said"][cell] = DIRECTIONS.index(effect.said) - 1
            values["verdict"][cell] = 1 - VERDICTS.index(effect.verdict)
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
