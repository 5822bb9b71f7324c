"""Networks of many seeds, in blocks of seeds that are alike and share the cores.

A block is trained by one call, of which XLA shares no more than long sums among threads. How many
seeds it has does not depend on how many cores there are, for the last digits of float32 may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Shaped

from sweep.training.ensemble import trained
from sweep.training.hyperparameters import Hyperparameters
from sweep.training.problems import Problem
from sweep.training.split import Split

SIDE = 256
"""Networks that are trained side by side on a processor: more are no faster."""

SHARES = 8
"""Blocks that a budget is shared by on a processor, if it has room for so many seeds."""


def trained_in_blocks(
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
    """As `sweep.training.ensemble.trained`, within a budget of working memory.

    Args:
        problem: what is learned.
        combinations: of hyperparameters.
        seeds: of the networks.
        epochs: how many.
        kept: epochs whose logits are recorded.
        dtype: "float32" or "float64".
        weights: initial weights, or None to draw them.
        budget: bytes.
        step: is told how many networks were trained.
    """
    from sweep.base import devices

    most = room = side_by_side(problem.draw(seeds[0]), combinations, epochs, len(kept), budget)
    threads = 1
    if devices.on_host():
        most = min(max(1, room // SHARES), -(-SIDE // len(combinations)))
        threads = min(devices.cores(), room // most)
    places = list(alike(len(seeds), most))

    def one(rows: Shaped[np.ndarray, " size"]) -> dict[str, Any]:
        own = None if weights is None else [(w[rows], b[rows]) for w, b in weights]
        return trained(problem, combinations, [seeds[k] for k in rows], epochs, kept, dtype, own)

    parts = []
    with ThreadPoolExecutor(min(threads, len(places))) as pool:
        for rows, part in zip(places, pool.map(one, places), strict=True):
            parts.append(part)
            step(len(set(rows.tolist())) * len(combinations))
    return {name: np.concatenate([part[name] for part in parts])[: len(seeds)] for name in parts[0]}


def alike(n: int, most: int, of: int | None = None) -> Iterator[Shaped[np.ndarray, " size"]]:
    """Places of n seeds in blocks of one size, for which the same is compiled.

    Args:
        n: how many seeds; where they do not fill the last block, the last place fills it.
        most: seeds of a block.
        of: seeds whose blocks have the same size, where n may be fewer; None is n.
    """
    of = of or n
    size = -(-of // -(-of // most))
    for start in range(0, n, size):
        yield np.minimum(np.arange(start, start + size), n - 1)


def side_by_side(
    made: Split, every: Sequence[Hyperparameters], epochs: int, kept: int, budget: int
) -> int:
    """Seeds that a budget of working memory has room for side by side.

    Args:
        made: a split; that of every seed is of its shape.
        every: combinations of hyperparameters, all of which each seed is trained with.
        epochs: how many.
        kept: epochs whose logits are recorded.
        budget: bytes.
    """
    n, m = len(made.training), len(made.validation)
    largest = max((len(points) for points in made.sets.values()), default=n)
    units = max(made.inputs + 2 * sum(one.widths) + 2 for one in every)
    sizes = max(
        sum(a * b + b for a, b in pairwise(s))
        for s in ((made.inputs, *one.widths, 1) for one in every)
    )
    network = 3 * largest * units + 8 * sizes + (1 + 2 * len(made.sets)) * epochs + (kept + 2) * m
    return max(1, budget // (8 * network * len(every)))
