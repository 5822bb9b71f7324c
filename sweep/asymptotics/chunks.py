"""Samples on the device as chunks, and how results of chunks become results of samples.

The T samples of a batch lie side by side in C chunks of L points each, as
`sweep.populations.sampling.SampleLayout` arranges them: a small sample fills one chunk, a large one
many. `scan` and `replicates` are written for one chunk at a time, so that it stays in a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from sweep.populations.sampling import SampleLayout


class SampleChunk(NamedTuple):
    """One chunk of T samples.

    Attributes:
        x: positions, ascending.
        y: labels.
        inside: whether a point is one of the n points of its sample, not padding.
        rank: rank of each point in its sample, from 0.
        next_chunk_x: x of the first point of the next chunk; in the last chunk, its own last x.
    """

    x: Float[Array, "T L"]
    y: Bool[Array, "T L"]
    inside: Bool[Array, "1 L"]
    rank: Int[Array, "1 L"]
    next_chunk_x: Float[Array, " T"]

    @property
    def next_x(self) -> Float[Array, "T L"]:
        """The x of the following point, for each point."""
        return jnp.concatenate([self.x[:, 1:], self.next_chunk_x[:, None]], -1)


def split(x: Float[Array, "C T L"], y: Bool[Array, "C T L"], layout: SampleLayout) -> SampleChunk:
    """All chunks of a batch, stacked along the first axis of each field."""
    rank = jnp.arange(layout.chunks * layout.length, dtype=jnp.int32)
    rank = rank.reshape(layout.chunks, 1, layout.length)
    next_chunk_x = jnp.concatenate([x[1:, :, 0], x[-1:, :, -1]])
    return SampleChunk(x, y, rank < layout.n, rank, next_chunk_x)


def map_chunks(function: Callable[[Any], Any], stacked: Any) -> Any:
    """Applies a function to each chunk of a stack, and stacks the results."""
    (count, *_) = {len(leaf) for leaf in jax.tree.leaves(stacked)}
    if count > 1:
        return lax.map(function, stacked)
    only_chunk = jax.tree.map(lambda leaf: leaf[0], stacked)
    return jax.tree.map(lambda leaf: leaf[None], function(only_chunk))


def join(values: Shaped[Array, "C T L"]) -> Shaped[Array, "T n"]:
    """The chunks of each sample joined to one row."""
    return jnp.moveaxis(values, 0, 1).reshape(values.shape[1], -1)


def take(values: Shaped[Array, "C T L"], index: Int[Array, " T"]) -> Shaped[Array, " T"]:
    """One value of each sample, by its index in the sample."""
    length = values.shape[-1]
    return values[index // length, jnp.arange(values.shape[1]), index % length]
