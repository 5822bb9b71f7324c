"""What a remedy changes: paired differences over seeds, beside what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sweep.training.experiments.catalogue import Cause, Direction, Remedy
from sweep.training.experiments.evaluation import Evaluation
from sweep.training.experiments.recognition import recognised
from sweep.training.statistics import Share, difference

MARGIN = {"loss": 0.01, "accuracy": 0.005, "balanced_accuracy": 0.005}
"""Changes within it, in nats and in fractions, are none."""

VERDICTS = ("shown", "not shown", "opposite")


@dataclass(frozen=True)
class Effect:
    """What a remedy does to one metric.

    Attributes:
        metric: loss (nats), accuracy or balanced_accuracy (fractions).
        before: mean over the seeds without the remedy.
        after: mean with it.
        difference: mean of after less before, of each seed.
        low: lower end of its 95% interval, by Student's t over the seeds; nan without one.
        high: upper end.
        said: in which direction the remedy is said to change it.
        verdict: of `VERDICTS`. Up or down is shown if the interval excludes 0 on that side, and
            opposite if on the other; none is shown if the interval is within `MARGIN`, and opposite
            if it is outside. Each stands by itself: of changes that are none, every twentieth
            interval excludes 0 by chance.
        pairs: seeds that count: of which training did not diverge, before nor after.
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
class Tried:
    """A remedy, tried.

    Attributes:
        cause: its name.
        remedy: its name.
        source: where it is recommended.
        effects: on every metric of the cause.
        findings: share of the networks with the remedy of which `sweep.diagnose` found each code.
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
        return next(one for one in self.effects if one.metric == metric)


def tried(cause: Cause, remedy: Remedy, before: Evaluation, after: Evaluation) -> Tried:
    """What a remedy does, network by network of the same seed."""
    effects = tuple(
        effect(name, before.metrics[name], after.metrics[name], remedy.said[name])
        for name in cause.metrics
    )
    shares = recognised(after.findings)
    return Tried(cause.name, remedy.name, remedy.source, effects, shares, int(after.diverged.sum()))


def effect(
    metric: str, before: Float[np.ndarray, " s"], after: Float[np.ndarray, " s"], said: Direction
) -> Effect:
    """The mean paired difference with its interval, held against what is said.

    Args:
        metric: its name.
        before: of every seed; nan where there is none.
        after: the same with the remedy.
        said: of the remedy.
    """
    found = difference(before, after)
    return Effect(
        metric=metric,
        before=found.before,
        after=found.after,
        difference=found.mean,
        low=found.low,
        high=found.high,
        said=said,
        verdict=verdict(said, found.low, found.high, MARGIN[metric]),
        pairs=found.pairs,
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
