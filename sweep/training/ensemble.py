"""Networks of several seeds and of every combination of hyperparameters, trained side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from sweep.base.errors import InputError
from sweep.training.hyperparameters import NAMES, NUMBERS, Hyperparameters
from sweep.training.problems import Problem

DTYPES = ("float32", "float64")

PREFIXES = ("", "validation_", "test_")
"""What the names of the variables of each set begin with, in the order of the sets."""


def trained(
    problem: Problem,
    combinations: Sequence[Hyperparameters],
    seeds: Sequence[int],
    epochs: int,
    kept: Sequence[int],
    dtype: str = "float32",
    weights: Any = None,
    deterministic: bool = False,
) -> dict[str, Shaped[np.ndarray, "s k ..."]]:
    """What was recorded of every network.

    Args:
        problem: what they learn.
        combinations: of hyperparameters.
        seeds: of the initial weights, of what is random in training, and of drawn problems.
        epochs: how many.
        kept: epochs after which the logits of the validation set are recorded, counted from 1;
            0 is before training.
        dtype: "float32" or "float64".
        weights: initial weights (W, b) of each layer, each with a first axis of the seeds; None
            draws them.
        deterministic: whether bits must not depend on how many threads there are, which makes
            networks of many points or units slower.

    Returns:
        By name as in `sweep.training.results.described`, with the axes (seeds, combinations), and
        then epochs, or kept epochs and points, or points.

    Raises:
        InputError: a batch is larger than the training set, or resampling lacks a class.
    """
    from sweep.training.compile import train
    from sweep.training.loop import Program

    sets = stacked(problem, seeds)
    inputs = sets[0][0].shape[-1]
    require_fitting(combinations, sets)
    found: dict[str, Any] = {}
    groups: dict[Any, list[int]] = {}
    for place, one in enumerate(combinations):
        groups.setdefault(structure(one), []).append(place)
    for places in groups.values():
        chosen = [combinations[place] for place in places]
        program = Program.of(chosen, inputs, epochs, dtype, deterministic)
        numbers = np.array([[getattr(one, name) for name in NUMBERS] for one in chosen])
        recorded = train(program, sets, numbers, np.array(seeds), np.array(kept, int), weights)
        for name, values in named(recorded).items():
            shape = (len(seeds), len(combinations), *values.shape[2:])
            found.setdefault(name, np.empty(shape, values.dtype))[:, places] = values
    return found


def stacked(
    problem: Problem, seeds: Sequence[int]
) -> list[tuple[Shaped[np.ndarray, "*seeds _ d"], Shaped[np.ndarray, "*seeds _"]]]:
    """(x, y) of each set; of a problem that is drawn with a first axis of the seeds."""
    if not problem.drawn:
        return [(points.x, points.y) for points in problem.draw(0).sets.values()]
    drawn = [problem.draw(seed).sets for seed in seeds]
    return [
        (np.stack([sets[name].x for sets in drawn]), np.stack([sets[name].y for sets in drawn]))
        for name in drawn[0]
    ]


def require_fitting(
    combinations: Sequence[Hyperparameters], sets: Sequence[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Refuses hyperparameters that the training set is too small for.

    Raises:
        InputError: a batch is larger than it, or there is nothing of a class to draw.
    """
    y = sets[0][1]
    n = y.shape[-1]
    for one in combinations:
        if one.batch is not None and one.batch > n:
            raise InputError(
                f"batch is {one.batch} and the training set has {n} points; give at most {n}, or "
                "full"
            )
        if one.resample and not (y.any(axis=-1).all() and (1 - y).any(axis=-1).all()):
            raise InputError("resample needs points of both classes in the training set")


def named(recorded: Any) -> dict[str, Shaped[np.ndarray, "s k ..."]]:
    """The variables, by name, of arrays with the axes (seeds, combinations) in front."""
    losses = {
        prefix + "loss": recorded.losses[:, :, place]
        for place, prefix in enumerate(PREFIXES[: recorded.losses.shape[2]])
    }
    right = {
        prefix + "accuracy": recorded.accuracies[:, :, place]
        for place, prefix in enumerate(PREFIXES[: recorded.accuracies.shape[2]])
    }
    return {
        "objective": recorded.objective,
        **losses,
        **right,
        "validation_logits": recorded.logits,
        "best_logits": recorded.best,
        "best_epoch": best_epoch(losses["validation_loss"]),
        "diverged_epoch": diverged_epoch(recorded.losses, recorded.accuracies),
    }


def best_epoch(losses: Float[np.ndarray, "*shape epochs"]) -> Float[np.ndarray, "*shape"]:
    """The epoch of the least loss, from 1; nan where none is a number."""
    least = np.where(np.isfinite(losses), losses, np.inf)
    return np.where(np.isfinite(least).any(axis=-1), np.argmin(least, axis=-1) + 1.0, np.nan)


def diverged_epoch(
    losses: Float[np.ndarray, "*shape sets epochs"],
    accuracies: Float[np.ndarray, "*shape sets epochs"],
) -> Float[np.ndarray, "*shape"]:
    """The first epoch, from 1, after which a loss or a logit is not finite; nan where none is.

    An infinite logit on the right side has loss 0, but no accuracy.
    """
    bad = ~(np.isfinite(losses) & np.isfinite(accuracies)).all(axis=-2)
    return np.where(bad.any(axis=-1), np.argmax(bad, axis=-1) + 1.0, np.nan)


def structure(one: Hyperparameters) -> tuple[Any, ...]:
    """What networks that are trained by one program have in common."""
    return tuple(getattr(one, name) for name in NAMES if name not in NUMBERS)
