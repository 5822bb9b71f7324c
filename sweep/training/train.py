"""train(): networks by the thousand, over seeds and hyperparameters, as one dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.progress import bar
from sweep.base.ranges import whole

if TYPE_CHECKING:
    import xarray as xr

    from sweep.training.hyperparameters import Hyperparameters, Setting
    from sweep.training.problems import Problem
    from sweep.training.split import Split

MOST_EPOCHS = 10**6
LARGEST_SEED = 2**32 - 1


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
    `train("outlier", learning_rate=[0.01, 0.05])`. For `widths` a list of lists does. Networks of
    one seed begin with the same weights and see the same batches, so they are pairs.

    Args:
        data: a problem by name, of `sweep.training.problems.PROBLEMS`; one of your own; or a
            split, see `sweep.training.split.split`.
        seeds: how many, from 0; or each of them.
        epochs: how many.
        keep: epochs after which the logits of the validation set are recorded, counted from 1;
            0 is before training, and None the last one.
        weights: initial weights (W, b) of each layer, shapes (seeds, units in, units out) and
            (seeds, units out), the output layer last; None draws them by seed.
        dtype: "float32", or "float64".
        memory_budget: bytes that may be used beyond input and output; more seeds than fit are
            trained in turn.
        progress: whether to show a bar on stderr; None shows it on a terminal only.
        **hyperparameters: see `sweep.training.hyperparameters.Hyperparameters`.

    Returns:
        A dataset with the dimensions (seed, hyperparameters given in lists..., epoch): loss and
        accuracy of the training set, the same with `validation_` and `test_` in front of the
        others, objective; and without epochs diverged_epoch, NaN where training did not diverge,
        best_epoch and best_logits, those of the least validation loss, and validation_logits
        at every kept_epoch. Losses are cross-entropies in nats whatever is minimised; each is
        measured at the end of its epoch, without dropout or noise.

    Raises:
        InputError: what is asked for cannot be; the sentence says why.
    """
    # `sweep` imports this module, and `sweep --help` has no use for those.
    from sweep.training.blocks import trained_in_blocks
    from sweep.training.ensemble import DTYPES
    from sweep.training.hyperparameters import combinations
    from sweep.training.problems import problem
    from sweep.training.results import dataset

    asked = problem(data)
    axes, every = combinations(hyperparameters)
    numbers = _seeds(seeds)
    epochs = whole("epochs", epochs, 1, MOST_EPOCHS)
    kept = _kept(keep, epochs)
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}; {' or '.join(DTYPES)} is needed")
    made = asked.draw(numbers[0])
    if weights is not None:
        weights = _weights(weights, every, len(numbers), made.inputs)
    with bar("train", len(numbers) * len(every), "networks", progress) as step:
        found = trained_in_blocks(
            asked, every, numbers, epochs, kept, dtype, weights, memory_budget, step
        )
    classes = (
        np.stack([asked.draw(seed).validation.y for seed in numbers])
        if asked.drawn
        else made.validation.y
    )
    fixed = {n: v for n, v in asdict(every[0]).items() if n not in axes}
    about = _attributes(asked, fixed, dtype)
    return dataset(found, axes, numbers, epochs, kept, classes, about)


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    if isinstance(seeds, (int, float)):
        return list(range(whole("seeds", seeds, 1, LARGEST_SEED)))
    found = [whole("seeds", seed, 0, LARGEST_SEED) for seed in seeds]
    if not found:
        raise InputError("seeds is empty; give how many, or each of them")
    if len(set(found)) < len(found):
        twice = next(seed for place, seed in enumerate(found) if seed in found[:place])
        raise InputError(f"seeds holds {twice} twice; give it once")
    return found


def _kept(keep: Sequence[int] | None, epochs: int) -> list[int]:
    return [epochs] if keep is None else [whole("keep", epoch, 0, epochs) for epoch in keep]


def _weights(
    weights: Any, every: Sequence[Hyperparameters], seeds: int, inputs: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The initial weights, of the shapes that the network needs."""
    sizes = (inputs, *every[0].widths, 1)
    needed = [((seeds, a, b), (seeds, b)) for a, b in pairwise(sizes)]
    made = [(np.asarray(w), np.asarray(b)) for w, b in weights]
    shapes = [(w.shape, b.shape) for w, b in made]
    if shapes != needed or len({one.widths for one in every}) > 1:
        raise InputError(f"weights have the shapes {shapes}; {needed} are needed")
    return made


def _attributes(asked: Problem, fixed: Mapping[str, Setting], dtype: str) -> dict[str, Any]:
    from sweep.base import devices
    from sweep.training.hyperparameters import written

    values = {name: _attribute(written(name, value)) for name, value in fixed.items()}
    return {"problem": asked.name, **values, "dtype": dtype, "device": devices.describe()}


def _attribute(value: float | str | bool) -> float | str | int:
    """A value as files can hold it: netCDF has no truth values."""
    return int(value) if isinstance(value, bool) else value
