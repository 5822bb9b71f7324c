"""Networks as they are judged: loss and accuracy on the test set, and what a diagnosis finds.

A network is judged as it is after the last epoch, or, where it stops early, as it was after the
epoch of its least validation loss; the test set chooses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from sweep.metrics.metrics import Counting, metric
from sweep.training.ensemble import stacked, trained
from sweep.training.experiments.catalogue import Cause
from sweep.training.experiments.recognition import findings_of
from sweep.training.results import CURVES

SHORTEST = 5
"""Epochs of the history of a network that stops early, at least: fewer say nothing."""

RECORDED = (*CURVES, "test_loss", "test_accuracy")
"""What is kept of every epoch."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Networks of every seed, all trained and stopped alike.

    Attributes:
        curves: those of `RECORDED`, by name, shape (seeds, epochs).
        judged_epoch: after which they are judged, from 1, shape (seeds,).
        diverged: whether a loss was not finite, shape (seeds,).
        metrics: of the cause, by name, shape (seeds,): loss and accuracy are of the test set,
            balanced accuracy of the validation set, whose logits are there; nan where training
            diverged.
        findings: codes that `sweep.diagnose` found of each network, on its validation set.
    """

    curves: Mapping[str, Float[np.ndarray, "s epochs"]]
    judged_epoch: Float[np.ndarray, " s"]
    diverged: Bool[np.ndarray, " s"]
    metrics: Mapping[str, Float[np.ndarray, " s"]]
    findings: tuple[frozenset[str], ...]

    @classmethod
    def together(cls, blocks: Sequence[Evaluation]) -> Evaluation:
        """Blocks of seeds as one."""

        def of(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

        return cls(
            of([one.curves for one in blocks]),
            np.concatenate([one.judged_epoch for one in blocks]),
            np.concatenate([one.diverged for one in blocks]),
            of([one.metrics for one in blocks]),
            tuple(found for one in blocks for found in one.findings),
        )


def evaluate(cause: Cause, seeds: Sequence[int], epochs: int) -> list[Evaluation]:
    """Networks without a remedy, and with each in turn; those of one seed see the same data.

    Args:
        cause: what is tried.
        seeds: of the networks and of their data.
        epochs: of training.
    """
    recorded = trained(cause.drawn, cause.combinations, seeds, epochs, [epochs])
    y = stacked(cause.drawn, seeds)[1][1]
    places = iter(range(1, len(cause.combinations)))
    found = [_evaluated(cause, recorded, y, 0, stops_early=False)]
    for remedy in cause.remedies:
        place = 0 if remedy.stops_early else next(places)
        found.append(_evaluated(cause, recorded, y, place, stops_early=remedy.stops_early))
    return found


def _evaluated(
    cause: Cause,
    recorded: Mapping[str, Shaped[np.ndarray, "s k ..."]],
    y: Float[np.ndarray, "s m"],
    place: int,
    *,
    stops_early: bool,
) -> Evaluation:
    own = {name: values[:, place] for name, values in recorded.items()}
    diverged = np.isfinite(own["diverged_epoch"])
    last = np.full(len(y), own["loss"].shape[1], float)
    epoch = np.where(np.isfinite(own["best_epoch"]), own["best_epoch"], 1) if stops_early else last
    logits = own["best_logits"] if stops_early else own["validation_logits"][:, -1]
    rows = np.arange(len(y)), epoch.astype(int) - 1
    every = {
        "loss": own["test_loss"][rows],
        "accuracy": own["test_accuracy"][rows],
        "balanced_accuracy": balanced_accuracy(logits, y),
    }
    findings = tuple(
        frozenset(("diverging",))
        if diverged[row]
        else findings_of(y[row], logits[row], {name: own[name][row, :until] for name in CURVES})
        for row, until in enumerate(np.maximum(SHORTEST, epoch).astype(int))
    )
    return Evaluation(
        {name: own[name] for name in RECORDED},
        epoch,
        diverged,
        {
            name: np.where(diverged, np.nan, every[name]).astype(np.float64)
            for name in cause.metrics
        },
        findings,
    )


def balanced_accuracy(
    z: Float[np.ndarray, "s m"], y: Float[np.ndarray, "s m"]
) -> Float[np.ndarray, " s"]:
    """Balanced accuracy of every network, class 1 iff z > 0."""
    one, chosen = y > 0, z > 0
    counts = chosen & one, chosen & ~one, ~chosen & one, ~chosen & ~one
    found = metric("balanced_accuracy")
    assert isinstance(found, Counting)
    return found.value(*(np.sum(which, axis=1) for which in counts))
