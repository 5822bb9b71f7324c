"""causes(): what people name for a loss and an accuracy that part, tried with its remedies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.base.errors import InputError
from sweep.base.progress import Step, bar
from sweep.base.records import plain
from sweep.training.experiments.catalogue import CAUSES, Cause
from sweep.training.experiments.effects import Tried, tried
from sweep.training.experiments.evaluation import Evaluation, evaluate
from sweep.training.experiments.recognition import recognised
from sweep.training.experiments.requirements import require_epochs, require_seeds
from sweep.training.experiments.table import bands, tabulated
from sweep.training.statistics import Share

if TYPE_CHECKING:
    import xarray as xr

SEEDS = 100
EPOCHS = 200

FIRST_SEED = 1000
"""What is tried was chosen on seeds 0 to 99."""

FEWEST_SEEDS = 10
"""With fewer an interval by Student's t is no use, and a share of networks neither."""

FEWEST_EPOCHS = 150
"""With 100, one network in ten has not yet learned wrong labels by heart."""

BLOCK = 100
"""Seeds that are trained side by side: what a seed gives does not depend on it, but for the last
digits of float32."""

THREADS = 2
"""Causes under way at a time: while one is compiled, another is diagnosed."""


@dataclass(frozen=True)
class Recognised:
    """A cause without a remedy, and whether its networks are recognised by it.

    Attributes:
        name: of the cause.
        title: what it is.
        code: of the finding by which it must be recognised.
        recognised: share of the networks of which `sweep.diagnose` found it.
        loss: mean cross-entropy of the validation set at the end, in nats.
        accuracy: mean accuracy there, a fraction.
        base_rate_entropy: mean cross-entropy of predicting the shares of its classes, in nats.
        findings: share of the networks of which each code was found, the most frequent first.
        diverged: networks whose loss was not finite.
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
    """Every cause and every remedy, tried.

    Attributes:
        seeds: networks of each kind.
        epochs: of each.
        causes: without a remedy.
        remedies: of all causes, in their order.
        table: all that was recorded, dims (run, seed, epoch), and the effects of the remedies,
            dims (run, metric): see `sweep.training.experiments.table`.
        bands: quantiles over the networks of every curve, dims (level, run, epoch).
    """

    seeds: int
    epochs: int
    causes: tuple[Recognised, ...]
    remedies: tuple[Tried, ...]
    table: xr.Dataset
    bands: xr.Dataset

    def of(self, cause: str) -> tuple[Tried, ...]:
        """The remedies of a cause."""
        return tuple(one for one in self.remedies if one.cause == cause)

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
    """Trains networks in which loss and accuracy part for a known cause, and tries its remedies.

    Networks with and without a remedy are pairs: those of one seed see the same data, and begin
    with the same weights where their shapes are the same.

    Args:
        names: of causes, of `sweep.training.experiments.catalogue.CAUSES`; none is all of them.
        seeds: how many, from `FIRST_SEED`.
        epochs: how many.
        progress: whether to show a bar on stderr; None shows it on a terminal only.

    Raises:
        InputError: there is no such cause, or there are too few seeds or epochs.
    """
    chosen = _chosen(names)
    require_seeds(seeds, FEWEST_SEEDS)
    require_epochs(epochs, FEWEST_EPOCHS, "for a shorter history does not show every cause")
    numbers = range(FIRST_SEED, FIRST_SEED + seeds)
    total = seeds * sum(1 + len(cause.remedies) for cause in chosen)
    with bar("train and diagnose", total, "networks", progress) as step:
        every = _evaluated(chosen, numbers, epochs, step)
    remedies = tuple(
        tried(cause, remedy, runs[0], after)
        for cause, runs in zip(chosen, every, strict=True)
        for remedy, after in zip(cause.remedies, runs[1:], strict=True)
    )
    without = tuple(
        _recognised(cause, runs[0], numbers) for cause, runs in zip(chosen, every, strict=True)
    )
    table = tabulated(chosen, every, remedies, numbers)
    return Causes(seeds, epochs, without, remedies, table, bands(table))


def _chosen(names: Sequence[str]) -> list[Cause]:
    """The causes of these names, each once; all if there are none."""
    for name in names:
        if name not in CAUSES:
            raise InputError(f"there is no cause {name!r}; there are {', '.join(CAUSES)}")
    return [cause for name, cause in CAUSES.items() if name in names or not names]


def _evaluated(
    chosen: Sequence[Cause], numbers: range, epochs: int, step: Step
) -> list[tuple[Evaluation, ...]]:
    """Of each cause the networks without a remedy and with each, in the order of the causes."""
    blocks = [numbers[first : first + BLOCK] for first in range(0, len(numbers), BLOCK)]

    def work(block: range, cause: Cause) -> list[Evaluation]:
        made = evaluate(cause, block, epochs)
        step(len(block) * len(made))
        return made

    # Blocks outside, so that what one of a cause has compiled is there for its next.
    jobs = [(block, cause) for block in blocks for cause in chosen]
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = [pool.submit(work, *job) for job in jobs]
        try:
            made = [one.result() for one in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [
        tuple(Evaluation.together(runs) for runs in zip(*made[place :: len(chosen)], strict=True))
        for place in range(len(chosen))
    ]


def _recognised(cause: Cause, runs: Evaluation, numbers: range) -> Recognised:
    alive = ~runs.diverged
    loss, accuracy = (
        float(np.mean(runs.curves[f"validation_{name}"][alive, -1])) if alive.any() else math.nan
        for name in ("loss", "accuracy")
    )
    ones = [float(cause.drawn.draw(seed).validation.y.mean()) for seed in numbers]
    p = np.array([ones, [1 - share for share in ones]])
    return Recognised(
        cause.name,
        cause.title,
        cause.code,
        Share.among(np.array([cause.code in codes for codes in runs.findings])),
        loss,
        accuracy,
        float(np.mean(-np.sum(p * np.log(p), axis=0))),
        recognised(runs.findings),
        int(runs.diverged.sum()),
    )
