"""Causes for which loss and accuracy disagree, their remedies, and what each remedy changes.

Causes and remedies are listed in `catalogue.toml`. A network is judged as it is after the last
epoch or, if it stops early, as it was after the epoch of its least validation loss; the test set
chooses nothing. The effect of a remedy is the mean paired difference over seeds, compared with what
is said of the remedy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Shaped

from sweep.diagnosis.findings.rules import CODES
from sweep.metrics.metrics import Counting, metric
from sweep.training.ensemble import stacked_sets, train_networks
from sweep.training.experiments.protocol import finding_shares, network_findings
from sweep.training.hyperparameters import Hyperparameters, single_combination
from sweep.training.problems import PROBLEMS, Problem
from sweep.training.results import CURVES, VARIABLES, Share, described, difference

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


# --- causes and remedies ------------------------------------------------------------------------

Direction = Literal["up", "down", "none"]  # in which a remedy is said to change a metric


@dataclass(frozen=True)
class Remedy:
    """Something that people do about a cause."""

    name: str
    # How it is said to change loss and accuracy of the test set, and perhaps balanced_accuracy of
    # the validation set.
    said: Mapping[str, Direction]
    source: str  # who says so
    change: Mapping[str, Any] = field(default_factory=dict)  # hyperparameters that it changes
    stops_early: bool = False  # whether networks are judged at the least validation loss


@dataclass(frozen=True)
class Cause:
    """A reason why loss and accuracy disagree, as an experiment."""

    name: str
    title: str
    code: str  # of the finding with which `sweep.diagnose` must recognise it
    problem: str  # what networks learn, a name of `sweep.training.problems.PROBLEMS`
    hyperparameters: Mapping[str, Any]  # without a remedy
    remedies: tuple[Remedy, ...]  # the first one changes the course of training most
    blind: bool = False  # whether accuracy does not show it, so balanced accuracy is measured too

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that networks are judged by."""
        return ("loss", "accuracy", *(("balanced_accuracy",) if self.blind else ()))

    @property
    def drawn(self) -> Problem:
        """The problem itself."""
        return PROBLEMS[self.problem]

    @property
    def combinations(self) -> list[Hyperparameters]:
        """What is trained: without a remedy, and with each that does more than stop early."""
        changes = [{}, *(remedy.change for remedy in self.remedies if not remedy.stops_early)]
        return [single_combination({**self.hyperparameters, **change}) for change in changes]


def _catalogue() -> Iterator[Cause]:
    file = resources.files("sweep.training.experiments") / "catalogue.toml"
    for name, cause in tomllib.loads(file.read_text("utf-8")).items():
        remedies = tuple(Remedy(**remedy) for remedy in cause.pop("remedies"))
        yield Cause(name, remedies=remedies, **cause)


CAUSES = {cause.name: cause for cause in _catalogue()}


# --- networks with and without a remedy ---------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Networks of many seeds, all trained and stopped in one way.

    Loss and accuracy among the metrics are those of the test set; balanced accuracy is that of the
    validation set, whose logits are recorded. They are nan where training diverged.
    """

    curves: Mapping[str, Float[np.ndarray, "s epochs"]]  # those of `RECORDED`
    judged_epoch: Float[np.ndarray, " s"]  # after which each network is judged, from 1
    diverged: Bool[np.ndarray, " s"]  # whether a loss was not finite
    metrics: Mapping[str, Float[np.ndarray, " s"]]  # those of the cause
    findings: tuple[frozenset[str], ...]  # codes of `sweep.diagnose` on each validation set

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
    """Trains networks without a remedy and with each; those of one seed see the same data."""
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

    Up or down is shown if the interval excludes 0 on that side, and the opposite if on the other
    side; none is shown if the interval is within `MARGIN`, and the opposite if it is outside. Each
    verdict stands alone: without any effect, one interval in twenty excludes 0 by chance.
    """

    metric: str  # loss (nats), accuracy or balanced_accuracy (fractions)
    before: float  # mean over the seeds without the remedy
    after: float  # mean with it
    difference: float  # mean of after - before over the seeds
    low: float  # ends of its 95% interval, by Student's t over the seeds; nan without one
    high: float
    said: Direction  # direction in which the remedy is said to change the metric
    verdict: str  # one of `VERDICTS`
    pairs: int  # number of seeds whose training did not diverge, with or without the remedy


@dataclass(frozen=True)
class RemedyOutcome:
    """The result of trying a remedy."""

    cause: str
    remedy: str
    source: str  # who recommends it
    effects: tuple[Effect, ...]  # on every metric of the cause
    findings: Mapping[str, Share]  # of the networks with the remedy, by code
    diverged: int  # networks with the remedy whose loss was not finite

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
    shown = verdict(said, change.low, change.high, MARGIN[metric])
    return Effect(metric=metric, said=said, verdict=shown, **change._asdict())


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
    """Everything recorded; a run is a cause without a remedy or with one, as coordinates name it.

    The curves of `RECORDED` have the dims (run, seed, epoch); `judged`, the metrics of networks,
    (run, seed, metric); whether each finding was `found`, (run, seed, code); the `difference` that
    a remedy makes, its interval, what is `said` and the `verdict`, (run, metric).
    """
    runs = [run for cause_runs in evaluations for run in cause_runs]
    names = [
        (cause.name, name)
        for cause in causes
        for name in (NO_REMEDY, *(remedy.name for remedy in cause.remedies))
    ]
    epochs = runs[0].curves["loss"].shape[1]
    coordinates = {
        "cause": ("run", [cause for cause, _ in names], {"long_name": "cause"}),
        "remedy": ("run", [remedy for _, remedy in names], {"long_name": "remedy"}),
        "seed": described("seed", np.array(seeds), "1", "seed"),
        "epoch": described("epoch", np.arange(1, epochs + 1), "epoch", "epoch"),
        "metric": ("metric", [*METRICS], {"long_name": "judged by"}),
        "code": ("code", [*CODES], {"long_name": "code of a finding"}),
    }
    variables = _network_variables(runs) | _effect_variables(names, outcomes)
    return xr.Dataset(variables, coordinates)


def _network_variables(runs: Sequence[Evaluation]) -> dict[str, Any]:
    """Variables with a value for each network."""
    missing = np.full(len(runs[0].diverged), np.nan)
    judged = [np.stack([r.metrics.get(n, missing) for n in METRICS], axis=1) for r in runs]
    flags = [np.array([[c in codes for c in CODES] for codes in r.findings], np.int8) for r in runs]
    diverged = [r.diverged.astype(np.int8) for r in runs]

    def of_networks(values: Sequence[Any], units: str, words: str, *dims: str) -> Any:
        return described(("run", "seed", *dims), np.stack(values), units, words)

    curves = {
        name: of_networks([r.curves[name] for r in runs], *VARIABLES[name][1].values(), "epoch")
        for name in RECORDED
    }
    epochs = [r.judged_epoch for r in runs]
    return curves | {
        "judged": of_networks(judged, "nats or fraction", "by what it is judged", "metric"),
        "judged_epoch": of_networks(epochs, "epoch", "epoch it is judged after"),
        "diverged": of_networks(diverged, "1", "1 where a loss was not finite"),
        "found": of_networks(flags, "1", "1 where the finding was made", "code"),
    }


def _effect_variables(
    names: Sequence[tuple[str, str]], outcomes: Sequence[RemedyOutcome]
) -> dict[str, Any]:
    """What each remedy changes; nan for networks without one."""
    words = {
        "difference": "mean paired difference that the remedy makes",
        "low": "lower end of its 95% interval",
        "high": "upper end of its 95% interval",
        "said": "direction it is said to have: 1 up, 0 none, -1 down",
        "verdict": "1 if that is shown, 0 if it is not shown, -1 if the opposite is",
    }
    values = np.full((len(words), len(names), len(METRICS)), np.nan)
    for outcome in outcomes:
        for effect in outcome.effects:
            run = names.index((outcome.cause, outcome.remedy))
            cell = run, [*METRICS].index(effect.metric)
            said, verdict = DIRECTIONS.index(effect.said) - 1, 1 - VERDICTS.index(effect.verdict)
            values[:, *cell] = effect.difference, effect.low, effect.high, said, verdict
    return {
        name: described(("run", "metric"), value, "1", words[name])
        for name, value in zip(words, values, strict=True)
    }
