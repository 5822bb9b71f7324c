"""Networks of many seeds and combinations of hyperparameters, trained side by side in blocks.

All networks of a block of seeds, with every combination of numbers such as the learning rate, are
trained by one call of a program that is compiled once: one `lax.scan` over the epochs under two
`vmap`, over the combinations inside and the seeds outside. Blocks run in threads, because XLA
shares nothing but long sums among the cores. The number of seeds in a block does not depend on the
number of cores, since it may change the last digits of float32.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.training.hyperparameters import NUMBERS, Hyperparameters
from sweep.training.loop import PointsOnDevice, Program, Recorded, train_one
from sweep.training.problems import Problem
from sweep.training.results import PREFIXES
from sweep.training.split import Split

SIDE = 256  # networks trained side by side on a processor: more are no faster

SHARES = 8  # blocks that share the memory budget on a processor, if it holds so many seeds

MOST_PROGRAMS = 256  # compiled programs that are kept, the latest ones

QUICK_OPTIONS = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""Options of XLA for a processor: it compiles in a third of the time, and the code is as fast."""


def train_in_blocks(
    problem: Problem,
    combinations: Sequence[Hyperparameters],
    seeds: Sequence[int],
    epochs: int,
    kept: Sequence[int],
    dtype: str,
    weights: Any,
    budget: int,
    step: Callable[[int], None],
) -> dict[str, Shaped[np.ndarray, "s k ..."]]:
    """Trains as `train_networks` does, within a budget of working memory."""
    first = problem.draw(seeds[0])
    block = room = seeds_within_budget(first, combinations, epochs, len(kept), budget)
    threads = 1
    if devices.on_host():
        block = min(max(1, room // SHARES), -(-SIDE // len(combinations)))
        threads = min(devices.cores(), room // block)
    blocks = list(equal_blocks(len(seeds), block))

    def train_block(rows: Shaped[np.ndarray, " size"]) -> dict[str, Any]:
        start = None if weights is None else [(w[rows], b[rows]) for w, b in weights]
        chosen = [seeds[k] for k in rows]
        return train_networks(problem, combinations, chosen, epochs, kept, dtype, start)

    results = []
    with ThreadPoolExecutor(min(threads, len(blocks))) as pool:
        for rows, result in zip(blocks, pool.map(train_block, blocks), strict=True):
            results.append(result)
            step(len(set(rows.tolist())) * len(combinations))
    return {
        name: np.concatenate([result[name] for result in results])[: len(seeds)]
        for name in results[0]
    }


def equal_blocks(n: int, most: int, total: int | None = None) -> Iterator[Shaped[np.ndarray, " s"]]:
    """Indices of n seeds in blocks of one size, which share a compiled program."""
    total = total or n
    size = -(-total // -(-total // most))
    for start in range(0, n, size):
        yield np.minimum(np.arange(start, start + size), n - 1)


def seeds_within_budget(
    split: Split, combinations: Sequence[Hyperparameters], epochs: int, kept: int, budget: int
) -> int:
    """Number of seeds whose networks fit side by side into a budget in bytes, at least 1."""
    n, m = len(split.training), len(split.validation)
    largest = max((len(points) for points in split.sets.values()), default=n)
    units = max(split.inputs + 2 * sum(c.widths) + 2 for c in combinations)
    layers = [(split.inputs, *c.widths, 1) for c in combinations]
    weights = max(sum(a * b + b for a, b in pairwise(sizes)) for sizes in layers)
    curves = 1 + 2 * len(split.sets)  # the objective; loss and accuracy of each set
    # Generous, for there are gradients, moments and temporaries: 3 copies of all units, which stand
    # before and after the activation, 8 of the weights, and 2 rows of logits besides the kept ones.
    numbers = 3 * largest * units + 8 * weights + curves * epochs + (kept + 2) * m
    return max(1, budget // (8 * numbers * len(combinations)))  # 8 bytes each


def train_networks(
    problem: Problem,
    combinations: Sequence[Hyperparameters],
    seeds: Sequence[int],
    epochs: int,
    kept: Sequence[int],
    dtype: str = "float32",
    weights: Any = None,
    deterministic: bool = False,
) -> dict[str, Shaped[np.ndarray, "s k ..."]]:
    """Trains one network for every seed and combination of hyperparameters."""
    sets = stacked_sets(problem, seeds)
    inputs = sets[0][0].shape[-1]
    require_fitting(combinations, sets)
    arrays: dict[str, Any] = {}
    groups: dict[Hyperparameters, list[int]] = {}  # combinations that share a program
    for k, combination in enumerate(combinations):
        groups.setdefault(combination.structure, []).append(k)
    for structure, members in groups.items():
        group = [combinations[k] for k in members]
        used = frozenset(name for name in NUMBERS[1:] if any(getattr(c, name) for c in group))
        sizes = (inputs, *structure.widths, 1)
        program = Program(structure, sizes, used, epochs, dtype, deterministic)
        numbers = np.array([[getattr(one, name) for name in NUMBERS] for one in group])
        recorded = _train(program, sets, numbers, np.array(seeds), np.array(kept, int), weights)
        for name, values in _by_name(recorded).items():
            shape = (len(seeds), len(combinations), *values.shape[2:])
            arrays.setdefault(name, np.empty(shape, values.dtype))[:, members] = values
    return arrays


def stacked_sets(
    problem: Problem, seeds: Sequence[int]
) -> list[tuple[Shaped[np.ndarray, "*seeds _ d"], Shaped[np.ndarray, "*seeds _"]]]:
    """(x, y) of each set; with a first axis of seeds if each seed draws its own split."""
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
    """Rejects hyperparameters that the training set is too small for."""
    y = sets[0][1]
    n = y.shape[-1]
    for combination in combinations:
        if combination.batch is not None and combination.batch > n:
            raise InputError(
                f"batch is {combination.batch} and the training set has {n} points; give at most "
                f"{n}, or full"
            )
        if combination.resample and not (y.any(axis=-1).all() and (1 - y).any(axis=-1).all()):
            raise InputError("resample needs points of both classes in the training set")


def _by_name(recorded: Recorded) -> dict[str, Shaped[np.ndarray, "s k ..."]]:
    """The recorded arrays by variable, with the axes (seeds, combinations) in front."""
    losses, accuracies = (
        {prefix + name: values[:, :, k] for k, prefix in enumerate(PREFIXES[: values.shape[2]])}
        for name, values in (("loss", recorded.losses), ("accuracy", recorded.accuracies))
    )
    return {
        "objective": recorded.objective,
        **losses,
        **accuracies,
        "validation_logits": recorded.logits,
        "best_logits": recorded.best,
        "best_epoch": _best_epoch(losses["validation_loss"]),
        "diverged_epoch": _diverged_epoch(recorded.losses, recorded.accuracies),
    }


def _best_epoch(losses: Float[np.ndarray, "*shape epochs"]) -> Float[np.ndarray, "*shape"]:
    """The epoch of the least loss, from 1; nan where no loss is finite."""
    finite = np.where(np.isfinite(losses), losses, np.inf)
    return np.where(np.isfinite(finite).any(axis=-1), np.argmin(finite, axis=-1) + 1.0, np.nan)


def _diverged_epoch(
    losses: Float[np.ndarray, "*shape sets epochs"],
    accuracies: Float[np.ndarray, "*shape sets epochs"],
) -> Float[np.ndarray, "*shape"]:
    """The first epoch, from 1, after which a loss or a logit is not finite; nan where all are.

    An infinite logit on the correct side has loss 0, but its accuracy is nan.
    """
    bad = ~(np.isfinite(losses) & np.isfinite(accuracies)).all(axis=-2)
    return np.where(bad.any(axis=-1), np.argmax(bad, axis=-1) + 1.0, np.nan)


def _train(
    program: Program,
    sets: Sequence[tuple[Shaped[np.ndarray, "*seeds _ d"], Shaped[np.ndarray, "*seeds _"]]],
    numbers: Shaped[np.ndarray, "k numbers"],
    seeds: Int[np.ndarray, " s"],
    kept: Int[np.ndarray, " c"],
    weights: Any,
) -> Recorded:
    """Trains the networks of one program; columns of `numbers` are `NUMBERS`.

    The arrays of the result have the axes (seeds, combinations) in front.
    """
    # Optax raises decay rates to the power of an integer step, which strict promotion forbids.
    promotion = jax.numpy_dtype_promotion("standard")
    with jax.enable_x64(program.dtype == "float64"), promotion:
        dtype = np.dtype(program.dtype)
        points = tuple(PointsOnDevice(x.astype(dtype), y.astype(dtype)) for x, y in sets)
        start = None if weights is None else jax.tree.map(lambda w: np.asarray(w, dtype), weights)
        keys, epochs = seeds.astype(np.uint32), kept.astype(np.int32)
        arguments = points, numbers.astype(dtype), keys, epochs, start
        return jax.tree.map(np.asarray, _compiled(program, arguments)(*arguments))


_compiling = threading.Lock()
_programs: dict[Any, Callable[..., Recorded]] = {}


def _compiled(program: Program, arguments: tuple[Any, ...]) -> Callable[..., Recorded]:
    """The compiled program for arguments of these shapes, shared by all threads."""
    sets, *_, weights = arguments
    key = program, *(array.shape for array in jax.tree.leaves(arguments)), weights is None
    with _compiling:
        if key not in _programs:
            function = _side_by_side(program, sets[0].x.ndim == 2, weights is None)
            if len(_programs) == MOST_PROGRAMS:
                del _programs[next(iter(_programs))]
            _programs[key] = _compile_quickly(function.lower(*arguments))
        return _programs[key]


def _compile_quickly(lowered: Any) -> Callable[..., Recorded]:
    if not devices.on_host():
        return lowered.compile()
    try:
        return lowered.compile(QUICK_OPTIONS)
    except jax.errors.JaxRuntimeError:  # another version of XLA may lack one of the options
        return lowered.compile()


def _side_by_side(program: Program, shared: bool, drawn: bool) -> Any:
    """The function of (sets, numbers, seeds, kept, weights), to be compiled.

    `shared`: all seeds have the same sets; `drawn`: initial weights are drawn, not given.
    """
    over_numbers = jax.vmap(partial(train_one, program), in_axes=(None, 0, None, None, None))
    sets_axis, weights_axis = (None if shared else 0), (None if drawn else 0)
    return jax.jit(jax.vmap(over_numbers, in_axes=(sets_axis, None, 0, None, weights_axis)))
