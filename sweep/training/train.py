"""train(): networks by the thousand, over seeds and hyperparameters, as one dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.progress import bar
from sweep.base.ranges import whole_number
from sweep.training.ensemble import train_in_blocks
from sweep.training.hyperparameters import (
    DTYPES,
    LARGEST_SEED,
    MOST_EPOCHS,
    Hyperparameters,
    Setting,
    combinations,
    coordinate_value,
)
from sweep.training.problems import Problem, problem
from sweep.training.results import dataset
from sweep.training.split import Split


def train(
    data: str | Problem | Split,
    *,
    seeds: int | Sequence[int] = 100,
    epochs: int = 300,
    keep: Sequence[int] | None = None,
    weights: Any = None,
    dtype: str = "float32",
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = None,
    **hyperparameters: Any,
) -> xr.Dataset:
    """Trains one network for every seed and every combination of hyperparameters.

    A hyperparameter given as a list becomes a dimension of the result:
    `train("outlier", learning_rate=[0.01, 0.05])`; for `widths`, a list of lists does, and the
    dimension of `loss` is called `loss_function`. Networks of one seed start with the same weights
    and see the same batches, so they are pairs.

    Args:
        data: name of a problem, of `sweep.training.problems.PROBLEMS`; a problem; or a split, see
            `sweep.training.split`.
        seeds: number of seeds, from 0; or each of them.
        epochs: number of epochs.
        keep: epochs after which the logits of the validation set are recorded, counted from 1;
            0 is before training, and None is the last epoch.
        weights: initial weights (W, b) of each layer, shapes (seeds, units in, units out) and
            (seeds, units out), the output layer last; None draws them by seed.
        dtype: "float32" or "float64".
        memory_budget: bytes of memory beyond input and output; seeds that do not fit are trained in
            turn.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        **hyperparameters: see `sweep.training.hyperparameters.Hyperparameters`.

    Returns:
        A dataset with the dimensions (seed, hyperparameters given as lists..., epoch): loss and
        accuracy of the training set, those of the other sets with `validation_` and `test_` in
        front, and objective. Without the dimension epoch: diverged_epoch, NaN where training did
        not diverge; best_epoch and best_logits, those of the least validation loss; and
        validation_logits at every kept_epoch. Losses are cross-entropies in nats whatever training
        minimises, measured at the end of each epoch, without dropout or noise.

    Raises:
        InputError: an argument is invalid; the message says which one and why.
    """
    learned = problem(data)
    axes, grid = combinations(hyperparameters)
    seed_list = _seeds(seeds)
    epochs = whole_number("epochs", epochs, 1, MOST_EPOCHS)
    kept = [epochs] if keep is None else [whole_number("keep", k, 0, epochs) for k in keep]
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}; {' or '.join(DTYPES)} is needed")
    first = learned.draw(seed_list[0])
    if weights is not None:
        weights = _weights(weights, grid, len(seed_list), first.inputs)
    with bar("train", len(seed_list) * len(grid), "networks", progress) as step:
        arrays = train_in_blocks(
            learned, grid, seed_list, epochs, kept, dtype, weights, memory_budget, step
        )
    classes = (
        np.stack([learned.draw(seed).validation.y for seed in seed_list])
        if learned.drawn
        else first.validation.y
    )
    fixed = {name: value for name, value in asdict(grid[0]).items() if name not in axes}
    attrs = _attributes(learned, fixed, dtype)
    return dataset(arrays, axes, seed_list, epochs, kept, classes, attrs)


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    if isinstance(seeds, (int, float)):
        return list(range(whole_number("seeds", seeds, 1, LARGEST_SEED)))
    values = [whole_number("seeds", seed, 0, LARGEST_SEED) for seed in seeds]
    if not values:
        raise InputError("seeds is empty; give a number of seeds, or each of them")
    if len(set(values)) < len(values):
        twice = next(seed for k, seed in enumerate(values) if seed in values[:k])
        raise InputError(f"seeds holds {twice} twice; give it once")
    return values


def _weights(
    weights: Any, grid: Sequence[Hyperparameters], seeds: int, inputs: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The initial weights; raises InputError if their shapes are not those of the network."""
    sizes = (inputs, *grid[0].widths, 1)
    needed = [((seeds, a, b), (seeds, b)) for a, b in pairwise(sizes)]
    layers = [(np.asarray(w), np.asarray(b)) for w, b in weights]
    shapes = [(w.shape, b.shape) for w, b in layers]
    if shapes != needed or len({combination.widths for combination in grid}) > 1:
        raise InputError(f"weights have the shapes {shapes}; {needed} are needed")
    return layers


def _attributes(learned: Problem, fixed: Mapping[str, Setting], dtype: str) -> dict[str, Any]:
    values = {name: _attribute(coordinate_value(name, value)) for name, value in fixed.items()}
    return {"problem": learned.name, **values, "dtype": dtype, "device": devices.describe()}


def _attribute(value: float | str | bool) -> float | str | int:
    """A value as files can hold it: netCDF has no booleans."""
    return int(value) if isinstance(value, bool) else value
