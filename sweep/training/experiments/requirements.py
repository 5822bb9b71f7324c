"""What every experiment needs to be judged: seeds and epochs enough, and one network of a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweep.base.errors import InputError
from sweep.base.ranges import whole
from sweep.training.hyperparameters import Hyperparameters, combinations
from sweep.training.train import LARGEST_SEED, MOST_EPOCHS

MOST_SEEDS = 100_000
"""What is recorded of more has no room: it takes 10 KiB of a network at least."""


def require_seeds(seeds: int | Sequence[int], fewest: int) -> None:
    """Refuses seeds that are too few for statistics over them, or too many to be held.

    Raises:
        InputError: says how many are needed.
    """
    count = seeds if isinstance(seeds, (int, float)) else len(seeds)
    if whole("seeds", count, 1, LARGEST_SEED) < fewest:
        raise InputError(
            f"seeds is {count}: at least {fewest} are needed for quantiles and intervals"
        )
    if count > MOST_SEEDS:
        raise InputError(
            f"seeds is {count:g}: at most {MOST_SEEDS:,} are trained at once; what is recorded of "
            "them takes 10 KiB each"
        )


def require_epochs(epochs: int, fewest: int, reason: str) -> None:
    """Refuses epochs that are too few for what is judged.

    Args:
        epochs: how many.
        fewest: that are needed.
        reason: why, the end of the sentence.

    Raises:
        InputError: says how many are needed, and why.
    """
    if whole("epochs", epochs, 1, MOST_EPOCHS) < fewest:
        raise InputError(f"epochs is {epochs}: at least {fewest} are needed, {reason}")


def single(given: Mapping[str, Any]) -> Hyperparameters:
    """The one combination of hyperparameters.

    Raises:
        InputError: one of them holds several values.
    """
    axes, (own, *_) = combinations(given)
    for name in axes:
        raise InputError(f"{name} holds several values; give one here, sweep.train takes several")
    return own
