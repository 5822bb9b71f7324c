"""Samples of a population, drawn on the device in ascending order of x, each from its own key.

The order statistics of n uniform numbers are the partial sums of n + 1 exponential numbers divided
by the sum of all (Devroye 1986, Non-uniform random variate generation, V.2). A quantile function
turns them into an ordered sample of any law, so nothing is ever sorted. A sample is identified by
(seed, n, replicate): its random numbers do not depend on which samples are drawn together.

Samples are made in chunks of at most CHUNK points: the intermediate values of a chunk stay in the
cache of one core, while other cores work on other samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Key, UInt32

from sweep.base.errors import InputError
from sweep.base.ranges import whole_number
from sweep.data.sample import Sample
from sweep.populations import Population

CHUNK = 2**14  # most points of a chunk
POINTS_PER_CALL = 2**17  # small samples are drawn together until they have so many
GROUP = 64  # the length of a chunk of a large sample is a multiple of this
BLOCK = 16  # terms that a product with a triangle of ones sums at once
LARGEST_SIZE = 2**31 - 2**20  # of a sample, and largest number of a replicate: what int32 counts
# Ends of the arguments of a quantile function, which lie between 0 and 1.
SMALLEST, BELOW_ONE = 2.0**-1000, 1 - 2.0**-53


class SampleLayout(NamedTuple):
    """The layout of samples of one size in arrays of shape (B, C, T, L)."""

    n: int  # points of a sample
    batches: int  # B, processed one after the other
    chunks: int  # C, of which a sample consists; 1 unless it is large
    samples: int  # T, side by side in a chunk; 1 unless they are small
    length: int  # L, points of one sample in a chunk; the last chunk may have some beyond n

    @classmethod
    def of(cls, n: int) -> SampleLayout:
        """The layout of samples of n points; it depends on n alone, so that their bits do."""
        chunks = -(-n // CHUNK)
        length = n if chunks == 1 else -(-n // (chunks * GROUP)) * GROUP
        samples = max(1, CHUNK // n)
        return cls(n, max(1, POINTS_PER_CALL // (n * samples)), chunks, samples, length)

    @property
    def samples_per_call(self) -> int:
        """Samples that one call draws."""
        return self.batches * self.samples

    def row(self, values: Array, index: int) -> np.ndarray:
        """The n values of one sample, in order, on the host."""
        batch, column = divmod(index, self.samples)
        return np.array(values[batch, :, column]).reshape(-1)[: self.n]


class Draws(NamedTuple):
    """Samples of one size in the shape of `SampleLayout`; points beyond n repeat the last x."""

    x: Float[Array, "B C T L"]  # positions, ascending in each sample
    y: Bool[Array, "B C T L"]  # labels
    valid: Bool[Array, ""]  # whether P(y = 1 | x) is in [0, 1] at every x


def draw(law: Population, layout: SampleLayout, seed: int, first: int) -> Draws:
    """Draws `layout.samples_per_call` samples of a population, from number `first` on, in float64.

    Call it under `jax.enable_x64(True)`.
    """
    with jax.threefry_partitionable(True):  # whatever the setting of the process
        of_size = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), layout.n)
        sums, scale, bits = _uniforms(of_size, jnp.uint32(first), layout)
    return _transform(law)(sums, scale, bits)


def sample(law: Population, n: int | float, seed: int = 0, replicate: int = 0) -> Sample:
    """Draws one sample of a population, x ascending: the same that a study of that seed draws.

    Args:
        law: the population.
        n: number of points, a whole number.
        seed: of the random numbers.
        replicate: which of the samples of this seed and size.

    Raises:
        InputError: an argument is not such an integer, or the law is invalid (see `Population`).
    """
    layout = SampleLayout.of(whole_number("n", n, 1, LARGEST_SIZE))
    seed, replicate = (
        whole_number("seed", seed, 0),
        whole_number("replicate", replicate, 0, LARGEST_SIZE),
    )
    law.require_valid()
    index = replicate % layout.samples_per_call
    with jax.enable_x64(True):
        draws = draw(law, layout, seed, replicate - index)
        require_valid_draws(law, draws)
        return Sample(layout.row(draws.x, index), layout.row(draws.y, index))


def require_valid_draws(law: Population, draws: Draws) -> None:
    """Refuses samples at some x of which P(y = 1 | x) was not in [0, 1]."""
    if bool(draws.valid):
        return
    law.probability(np.asarray(draws.x))
    raise InputError(f"{law.name}: eta leaves [0, 1]; give a probability at every x")


class _Chunk(NamedTuple):
    """Random numbers of a chunk: partial sums of exponential numbers, and 32 bits a label."""

    sums: Float[Array, "T L"]
    bits: UInt32[Array, "T L"]


@partial(jax.jit, static_argnums=2)
def _uniforms(
    key: Key[Array, ""], first: Array, layout: SampleLayout
) -> tuple[Float[Array, "B C T L"], Float[Array, "B T"], UInt32[Array, "B C T L"]]:
    """Partial sums, the factors that make them uniform numbers, and random bits."""
    replicates = first + jnp.arange(layout.samples_per_call, dtype=jnp.uint32)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, replicates)

    def of_batch(keys: Key[Array, " T"]) -> tuple[_Chunk, Float[Array, " T"]]:
        def of_chunk(total: Float[Array, " T"], c: Array) -> tuple[Float[Array, " T"], _Chunk]:
            chunk_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, c)
            spacings, bits = jax.vmap(partial(_randoms, length=layout.length))(chunk_keys)
            inside = c * layout.length + jnp.arange(layout.length) < layout.n
            sums = total[:, None] + cumulative(jnp.where(inside[None], spacings, 0.0))
            return sums[:, -1], _Chunk(sums, bits)

        start = jnp.zeros(layout.samples)
        total, chunks = lax.scan(of_chunk, start, jnp.arange(layout.chunks))
        last = jax.vmap(jax.random.fold_in, (0, None))(keys, layout.chunks)
        return chunks, 1 / (total + jax.vmap(partial(_exponential, shape=()))(last))

    batches = keys.reshape(layout.batches, layout.samples)
    chunks, scale = lax.map(of_batch, batches)
    return chunks.sums, scale, chunks.bits


def _randoms(
    key: Key[Array, ""], length: int
) -> tuple[Float[Array, " length"], UInt32[Array, " length"]]:
    """Exponential random numbers, and random bits."""
    spacing, label = jax.random.split(key)
    # 32 bits are enough for a label: it has the probability P(y = 1 | x) to within 2^-33.
    pairs = jax.random.bits(label, (-(-length // 2),), jnp.uint64)
    bits = lax.bitcast_convert_type(pairs, jnp.uint32).reshape(-1)[:length]
    return _exponential(spacing, (length,)), bits


def _exponential(key: Key[Array, ""], shape: tuple[int, ...]) -> Float[Array, " *shape"]:
    """Exponential random numbers of mean 1."""
    return -jnp.log(1 - jax.random.uniform(key, shape, jnp.float64))


def cumulative(x: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Partial sums along the rows, by fast products with a triangle of ones."""
    n = x.shape[-1]
    if n <= BLOCK:
        return x @ jnp.triu(jnp.ones((n, n), x.dtype))
    blocks = jnp.pad(x, ((0, 0), (0, -n % BLOCK))).reshape(len(x), -1, BLOCK)
    inside = blocks @ jnp.triu(jnp.ones((BLOCK, BLOCK), x.dtype))
    totals = inside[..., -1]
    before = cumulative(totals) - totals
    return (inside + before[..., None]).reshape(len(x), -1)[:, :n]


Transform = Callable[[Array, Array, Array], Draws]  # of partial sums, scales and bits

_compiled: WeakKeyDictionary[Population, Transform] = WeakKeyDictionary()


def _transform(law: Population) -> Transform:
    """The function from random numbers to samples of a law, compiled once for each size."""
    if law not in _compiled:
        quantile, eta = law.x.quantile, law.eta

        def of_chunk(chunk: tuple[Array, Array, Array]) -> Draws:
            sums, scale, bits = chunk
            uniform = (bits.astype(jnp.float64) + 0.5) * 2.0**-32
            x = quantile(jnp.clip(sums * scale[:, None], SMALLEST, BELOW_ONE))
            probability = eta(x)
            valid = jnp.all((probability >= 0) & (probability <= 1))
            return Draws(x, uniform < probability, valid)

        def transform(sums: Array, scale: Array, bits: Array) -> Draws:
            batches, chunks = sums.shape[:2]
            scales = jnp.broadcast_to(scale[:, None], (batches, chunks, scale.shape[-1]))
            flat = [v.reshape(batches * chunks, *v.shape[2:]) for v in (sums, scales, bits)]
            x, y, valid = lax.map(of_chunk, tuple(flat))
            return Draws(x.reshape(sums.shape), y.reshape(sums.shape), jnp.all(valid))

        _compiled[law] = jax.jit(transform)
    return _compiled[law]
