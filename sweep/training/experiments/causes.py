"""causes(): causes for which loss and accuracy disagree, tried together with their remedies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from sweep.base.errors import InputError
from sweep.base.progress import Step, bar
from sweep.base.records import plain
from sweep.training.experiments.catalogue import CAUSES, Cause
from sweep.training.experiments.effects import (
    Evaluation,
    RemedyOutcome,
    causes_bands,
    causes_dataset,
    compare,
    evaluate,
)
from sweep.training.experiments.protocol import finding_shares, require_epochs, require_seeds
from sweep.training.results import Share

SEEDS = 100
EPOCHS = 200

FIRST_SEED = 1000  # the strengths of causes were chosen on seeds 0 to 99

FEWEST_SEEDS = 10  # with fewer, intervals by Student's t and shares of networks are useless
FEWEST_EPOCHS = 150  # with 100, one network in ten has not yet learned wrong labels by heart

BLOCK = 100  # seeds trained side by side; it changes only the last digits of float32

THREADS = 2  # causes under way at a time: while one is compiled, another is diagnosed


@dataclass(frozen=True)
class CauseOutcome:
    """A cause without a remedy, and whether its networks are recognised.

    Attributes:
        name: name of the cause.
        title: short description.
        code: code of the finding that must recognise it.
        recognised: share of the networks with that finding of `sweep.diagnose`.
        loss: mean cross-entropy of the validation set at the end, in nats.
        accuracy: mean accuracy of the validation set at the end, a fraction.
        base_rate_entropy: mean cross-entropy of predicting the shares of its classes, in nats.
        findings: share of the networks with each finding, by code, the most frequent first.
        diverged: number of networks whose loss was not finite.
    """

    name: str
    title: str
    code: str
    recognised: Share
    loss: float
    accuracy: float
    base_rate_entropy: float
    findings: Mapping[str, Share]
    diverged: int


@dataclass(frozen=True)
class Causes:
    """The results of all causes and remedies.

    Attributes:
        seeds: networks of each cause and remedy.
        epochs: epochs of each network.
        causes: each cause without a remedy.
        remedies: remedies of all causes, in their order.
        table: everything recorded, dims (run, seed, epoch), and the effects of the remedies, dims
            (run, metric): see `sweep.training.experiments.effects.causes_dataset`.
        bands: quantiles over the networks of every curve, dims (level, run, epoch).
    """

    seeds: int
    epochs: int
    causes: tuple[CauseOutcome, ...]
    remedies: tuple[RemedyOutcome, ...]
    table: xr.Dataset
    bands: xr.Dataset

    def of(self, cause: str) -> tuple[RemedyOutcome, ...]:
        """The remedies of a cause."""
        return tuple(outcome for outcome in self.remedies if outcome.cause == cause)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the table and the bands, as plain Python values."""
        left_out = ("table", "bands")
        return plain({name: value for name, value in vars(self).items() if name not in left_out})


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
        names: names of causes, of `sweep.training.experiments.catalogue.CAUSES`; none is all.
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
    remedies = tuple(
        compare(cause, remedy, runs[0], after)
        for cause, runs in zip(chosen, evaluations, strict=True)
        for remedy, after in zip(cause.remedies, runs[1:], strict=True)
    )
    outcomes = tuple(
        _outcome(cause, runs[0], seed_range)
        for cause, runs in zip(chosen, evaluations, strict=True)
    )
    table = causes_dataset(chosen, evaluations, remedies, seed_range)
    return Causes(seeds, epochs, outcomes, remedies, table, causes_bands(table))


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
