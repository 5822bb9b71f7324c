"""causes(): causes for which loss and accuracy disagree, tried together with their remedies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sweep.base.errors import InputError
from sweep.base.progress import Step, bar
from sweep.base.tables import Table
from sweep.training.experiments import tables
from sweep.training.experiments.effects import (
    BAND_LEVELS,
    CAUSES,
    RECORDED,
    Cause,
    Evaluation,
    RemedyOutcome,
    causes_dataset,
    compare,
    evaluate,
)
from sweep.training.experiments.protocol import (
    Experiment,
    finding_shares,
    require_epochs,
    require_seeds,
)
from sweep.training.results import Share, quantile_bands

SEEDS = 100
EPOCHS = 200

FIRST_SEED = 1000  # the strengths of causes were chosen on seeds 0 to 99

FEWEST_SEEDS = 10  # with fewer, intervals by Student's t and shares of networks are useless
FEWEST_EPOCHS = 150  # with 100, one network in ten has not yet learned wrong labels by heart

BLOCK = 100  # seeds trained side by side; it changes only the last digits of float32

THREADS = 2  # causes under way at a time: while one is compiled, another is diagnosed


@dataclass(frozen=True)
class CauseOutcome:
    """A cause without a remedy, and whether its networks are recognised."""

    name: str
    title: str
    code: str  # of the finding that must recognise it
    recognised: Share  # of the networks with that finding of `sweep.diagnose`
    loss: float  # mean cross-entropy of the validation set at the end, in nats
    accuracy: float  # mean accuracy of the validation set at the end, a fraction
    base_rate_entropy: float  # mean cross-entropy of predicting the shares of its classes, in nats
    findings: Mapping[str, Share]  # of the networks, by code, the most frequent first
    diverged: int  # number of networks whose loss was not finite


@dataclass(frozen=True)
class Causes(Experiment):
    """The results of all causes and remedies."""

    seeds: int  # networks of each cause and remedy
    epochs: int  # of each network
    causes: tuple[CauseOutcome, ...]  # each cause without a remedy
    remedies: tuple[RemedyOutcome, ...]  # of all causes, in their order
    table: xr.Dataset  # see `sweep.training.experiments.effects.causes_dataset`
    bands: xr.Dataset  # dims (level, run, epoch)

    def tables(self) -> tuple[Table, ...]:
        """What is common to all causes, then each cause with its remedies."""
        return tuple(tables.of_causes(self))

    def of(self, cause: str) -> tuple[RemedyOutcome, ...]:
        """The remedies of a cause."""
        return tuple(outcome for outcome in self.remedies if outcome.cause == cause)


def causes(
    names: Sequence[str] = (),
    *,
    seeds: int = SEEDS,
    epochs: int = EPOCHS,
    progress: bool | None = None,
) -> Causes:
    """Trains networks whose loss and accuracy disagree for a known cause, and tries its remedies.

    Networks with and without a remedy are pairs: those of one seed see the same data, and start
    with the same weights where their shapes are the same.

    Args:
        names: names of causes, of `sweep.training.experiments.effects.CAUSES`; none is all.
        seeds: number of seeds, from `FIRST_SEED`.
        epochs: number of epochs.
        progress: whether to show a bar on stderr; None shows it on a terminal only.

    Raises:
        InputError: a cause is unknown, or there are too few seeds or epochs.
    """
    chosen = _choose(names)
    require_seeds(seeds, FEWEST_SEEDS)
    require_epochs(epochs, FEWEST_EPOCHS, "for a shorter history does not show every cause")
    seed_range = range(FIRST_SEED, FIRST_SEED + seeds)
    total = seeds * sum(1 + len(cause.remedies) for cause in chosen)
    with bar("train and diagnose", total, "networks", progress) as step:
        evaluations = _evaluate_all(chosen, seed_range, epochs, step)
    outcomes: list[CauseOutcome] = []
    remedies: list[RemedyOutcome] = []
    for cause, (before, *others) in zip(chosen, evaluations, strict=True):
        outcomes.append(_outcome(cause, before, seed_range))
        for remedy, after in zip(cause.remedies, others, strict=True):
            remedies.append(compare(cause, remedy, before, after))
    table = causes_dataset(chosen, evaluations, remedies, seed_range)
    bands = quantile_bands(table, RECORDED, BAND_LEVELS)
    return Causes(seeds, epochs, tuple(outcomes), tuple(remedies), table, bands)


def _choose(names: Sequence[str]) -> list[Cause]:
    """The causes of these names, each once; all of them without names."""
    for name in names:
        if name not in CAUSES:
            raise InputError(f"there is no cause {name!r}; there are {', '.join(CAUSES)}")
    return [cause for name, cause in CAUSES.items() if name in names or not names]


def _evaluate_all(
    chosen: Sequence[Cause], seeds: range, epochs: int, step: Step
) -> list[tuple[Evaluation, ...]]:
    """For each cause the networks without a remedy and with each."""
    blocks = [seeds[first : first + BLOCK] for first in range(0, len(seeds), BLOCK)]

    def work(block: range, cause: Cause) -> list[Evaluation]:
        evaluations = evaluate(cause, block, epochs)
        step(len(block) * len(evaluations))
        return evaluations

    # Blocks are the outer loop, so that the second block of a cause finds its program compiled.
    jobs = [(block, cause) for block in blocks for cause in chosen]
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(work, *job) for job in jobs]
        try:
            results = [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [
        tuple(map(Evaluation.concatenate, zip(*results[k :: len(chosen)], strict=True)))
        for k in range(len(chosen))
    ]


def _outcome(cause: Cause, runs: Evaluation, seeds: range) -> CauseOutcome:
    alive = ~runs.diverged
    loss, accuracy = (
        float(np.mean(runs.curves[f"validation_{name}"][alive, -1])) if alive.any() else math.nan
        for name in ("loss", "accuracy")
    )
    ones = [float(cause.drawn.draw(seed).validation.y.mean()) for seed in seeds]
    p = np.array([ones, [1 - share for share in ones]])
    return CauseOutcome(
        cause.name,
        cause.title,
        cause.code,
        Share.among(np.array([cause.code in codes for codes in runs.findings])),
        loss,
        accuracy,
        float(np.mean(-np.sum(p * np.log(p), axis=0))),
        finding_shares(runs.findings),
        int(runs.diverged.sum()),
    )
