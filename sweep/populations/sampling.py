"""Samples of a population, drawn on the device in ascending order of x, each from its own key.

The order statistics of n uniform numbers are the partial sums of n + 1 exponential ones over the
sum of all (Devroye 1986, Non-uniform random variate generation, V.2), and through a quantile
function they become a sample of any law: nothing is ever sorted. A sample is named by (seed, n,
replicate): its random numbers depend on nothing else, neither on how many are drawn at once nor on
which others are.

Work goes by pieces of PIECE points: what is made of one stays in a cache, and one core does it as
others work on other samples.
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
from sweep.base.ranges import whole
from sweep.data.sample import Sample
from sweep.populations import Population

PIECE = 2**14
"""Most points of a piece."""

AT_ONCE = 2**17
"""Points of one call, of small samples as many as it takes."""

GROUP = 64
"""Where a sample is cut into pieces, their length is a multiple of this one."""

BLOCK = 16
"""Terms that a product with a triangle of ones sums at once."""

LARGEST_SIZE = 2**31 - 2**20
"""Points of a sample, and number of a replicate: what int32 counts."""

SMALLEST, BELOW_ONE = 2.0**-1000, 1 - 2.0**-53
"""Ends of what a quantile function is asked for: numbers between 0 and 1."""


class SampleLayout(NamedTuple):
    """How samples of one size lie in arrays of shape (B, C, T, L).

    Attributes:
        n: points of a sample.
        batches: B, worked on one after the other.
        pieces: C, of which a sample consists; 1 unless it is large.
        samples: T, side by side in a piece; 1 unless they are small.
        length: L, points of one sample in a piece; in the last piece some may be beyond n.
    """

    n: int
    batches: int
    pieces: int
    samples: int
    length: int

    @classmethod
    def of(cls, n: int) -> SampleLayout:
        """The layout of samples of n points: always the same, so that their bits are."""
        pieces = -(-n // PIECE)
        length = n if pieces == 1 else -(-n // (pieces * GROUP)) * GROUP
        samples = max(1, PIECE // n)
        return cls(n, max(1, AT_ONCE // (n * samples)), pieces, samples, length)

    @property
    def together(self) -> int:
        """Samples of one call."""
        return self.batches * self.samples

    def row(self, values: Array, index: int) -> np.ndarray:
        """The n values of one sample, in their order, on the host."""
        batch, place = divmod(index, self.samples)
        return np.array(values[batch, :, place]).reshape(-1)[: self.n]


class Draws(NamedTuple):
    """Samples of one size, as `SampleLayout` has it; points beyond n repeat the last x.

    Attributes:
        x: positions, ascending in each sample.
        y: labels.
        lawful: whether every probability that was met is one.
    """

    x: Float[Array, "B C T L"]
    y: Bool[Array, "B C T L"]
    lawful: Bool[Array, ""]


def draw(law: Population, layout: SampleLayout, seed: int, first: int) -> Draws:
    """The samples `first`, `first + 1`, ... of a population, `layout.together` of them, in float64.

    To be called where `jax.enable_x64` holds.
    """
    with jax.threefry_partitionable(True):  # whatever the process has
        of_size = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), layout.n)
        sums, scale, bits = _uniforms(of_size, jnp.uint32(first), layout)
    return _through(law)(sums, scale, bits)


def sample(law: Population, n: int | float, seed: int = 0, replicate: int = 0) -> Sample:
    """One sample of a population, x ascending: the one that a study of that seed draws.

    Args:
        law: the population.
        n: number of points, a whole number.
        seed: of the random numbers.
        replicate: which of the samples of this seed and size.

    Raises:
        InputError: an argument is no such integer, or the law is none (see `Population`).
    """
    layout = SampleLayout.of(whole("n", n, 1, LARGEST_SIZE))
    seed, replicate = whole("seed", seed, 0), whole("replicate", replicate, 0, LARGEST_SIZE)
    law.require_valid()
    index = replicate % layout.together
    with jax.enable_x64(True):
        draws = draw(law, layout, seed, replicate - index)
        require_lawful(law, draws)
        return Sample(layout.row(draws.x, index), layout.row(draws.y, index))


def require_lawful(law: Population, draws: Draws) -> None:
    """Refuses samples of a law that gave something else than a probability.

    Raises:
        InputError: it did; where, if it does so once more on the host.
    """
    if bool(draws.lawful):
        return
    law.probability(np.asarray(draws.x))
    raise InputError(f"{law.name}: eta leaves [0, 1]; a probability is needed at every x")


class _Piece(NamedTuple):
    """Random numbers of a piece: partial sums of exponential ones, and 32 bits for each label."""

    sums: Float[Array, "T L"]
    bits: UInt32[Array, "T L"]


@partial(jax.jit, static_argnums=2)
def _uniforms(
    key: Key[Array, ""], first: Array, layout: SampleLayout
) -> tuple[Float[Array, "B C T L"], Float[Array, "B T"], UInt32[Array, "B C T L"]]:
    """Partial sums, what makes uniform numbers of them, and random bits."""
    replicates = first + jnp.arange(layout.together, dtype=jnp.uint32)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, replicates)

    def of_batch(keys: Key[Array, " T"]) -> tuple[_Piece, Float[Array, " T"]]:
        def of_piece(total: Float[Array, " T"], c: Array) -> tuple[Float[Array, " T"], _Piece]:
            own = jax.vmap(jax.random.fold_in, (0, None))(keys, c)
            spacings, bits = jax.vmap(partial(_randoms, length=layout.length))(own)
            inside = c * layout.length + jnp.arange(layout.length) < layout.n
            sums = total[:, None] + cumulative(jnp.where(inside[None], spacings, 0.0))
            return sums[:, -1], _Piece(sums, bits)

        start = jnp.zeros(layout.samples)
        total, pieces = lax.scan(of_piece, start, jnp.arange(layout.pieces))
        last = jax.vmap(jax.random.fold_in, (0, None))(keys, layout.pieces)
        return pieces, 1 / (total + jax.vmap(partial(_exponential, shape=()))(last))

    batches = keys.reshape(layout.batches, layout.samples)
    pieces, scale = lax.map(of_batch, batches)
    return pieces.sums, scale, pieces.bits


def _randoms(
    key: Key[Array, ""], length: int
) -> tuple[Float[Array, " length"], UInt32[Array, " length"]]:
    """Exponential numbers, and random bits."""
    spacing, label = jax.random.split(key)
    # Half of the bits of a float64 are enough for a label: P(y = 1 | x) is met to 2^-33.
    pairs = jax.random.bits(label, (-(-length // 2),), jnp.uint64)
    bits = lax.bitcast_convert_type(pairs, jnp.uint32).reshape(-1)[:length]
    return _exponential(spacing, (length,)), bits


def _exponential(key: Key[Array, ""], shape: tuple[int, ...]) -> Float[Array, " *shape"]:
    return -jnp.log(1 - jax.random.uniform(key, shape, jnp.float64))


def cumulative(x: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Partial sums along the rows: by products with a triangle of ones, which are fast."""
    n = x.shape[-1]
    if n <= BLOCK:
        return x @ jnp.triu(jnp.ones((n, n), x.dtype))
    blocks = jnp.pad(x, ((0, 0), (0, -n % BLOCK))).reshape(len(x), -1, BLOCK)
    inside = blocks @ jnp.triu(jnp.ones((BLOCK, BLOCK), x.dtype))
    totals = inside[..., -1]
    before = cumulative(totals) - totals
    return (inside + before[..., None]).reshape(len(x), -1)[:, :n]


Through = Callable[[Array, Array, Array], Draws]
"""Partial sums, scales and bits to samples."""

_compiled: WeakKeyDictionary[Population, Through] = WeakKeyDictionary()


def _through(law: Population) -> Through:
    """Random numbers to samples of a law, compiled once for each size."""
    if law not in _compiled:
        quantile, eta = law.x.quantile, law.eta

        def of_piece(piece: tuple[Array, Array, Array]) -> Draws:
            sums, scale, bits = piece
            chance = (bits.astype(jnp.float64) + 0.5) * 2.0**-32
            x = quantile(jnp.clip(sums * scale[:, None], SMALLEST, BELOW_ONE))
            probability = eta(x)
            lawful = jnp.all((probability >= 0) & (probability <= 1))
            return Draws(x, chance < probability, lawful)

        def through(sums: Array, scale: Array, bits: Array) -> Draws:
            batches, pieces = sums.shape[:2]
            scales = jnp.broadcast_to(scale[:, None], (batches, pieces, scale.shape[-1]))
            flat = [v.reshape(batches * pieces, *v.shape[2:]) for v in (sums, scales, bits)]
            x, y, lawful = lax.map(of_piece, tuple(flat))
            return Draws(x.reshape(sums.shape), y.reshape(sums.shape), jnp.all(lawful))

        _compiled[law] = jax.jit(through)
    return _compiled[law]
