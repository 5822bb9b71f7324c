"""Samples on the device as pieces, and what is made of all pieces of each sample.

The T samples of a batch lie side by side in C pieces of L points each, as
`sweep.populations.sampling.SampleLayout`
has it: small samples in one piece, a large one in many. Functions are written for a piece.
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
    """A piece of T samples.

    Attributes:
        x: positions, ascending.
        y: labels.
        inside: whether a point is one of the n.
        place: of each point in its sample, from 0.
        following: x of the point after the piece; of the last one, itself.
    """

    x: Float[Array, "T L"]
    y: Bool[Array, "T L"]
    inside: Bool[Array, "1 L"]
    place: Int[Array, "1 L"]
    following: Float[Array, " T"]

    @property
    def after(self) -> Float[Array, "T L"]:
        """The x of the point after each."""
        return jnp.concatenate([self.x[:, 1:], self.following[:, None]], -1)


def pieces(x: Float[Array, "C T L"], y: Bool[Array, "C T L"], layout: SampleLayout) -> SampleChunk:
    """All pieces, along the first axis of each field."""
    place = jnp.arange(layout.pieces * layout.length, dtype=jnp.int32)
    place = place.reshape(layout.pieces, 1, layout.length)
    following = jnp.concatenate([x[1:, :, 0], x[-1:, :, -1]])
    return SampleChunk(x, y, place < layout.n, place, following)


def over(function: Callable[[Any], Any], every: Any) -> Any:
    """A function of each piece; its results along a first axis."""
    (count, *_) = {len(leaf) for leaf in jax.tree.leaves(every)}
    if count > 1:
        return lax.map(function, every)
    only = jax.tree.map(lambda leaf: leaf[0], every)
    return jax.tree.map(lambda leaf: leaf[None], function(only))


def flat(values: Shaped[Array, "C T L"]) -> Shaped[Array, "T n"]:
    """The points of each sample in one row."""
    return jnp.moveaxis(values, 0, 1).reshape(values.shape[1], -1)


def take(values: Shaped[Array, "C T L"], index: Int[Array, " T"]) -> Shaped[Array, " T"]:
    """One point of each sample."""
    length = values.shape[-1]
    return values[index // length, jnp.arange(values.shape[1]), index % length]
