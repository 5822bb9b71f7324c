"""Matrix products whose bits do not depend on how many threads compute them.

XLA shares long sums among the threads that it has, on CPUs one for each core that the process may
use, and adds up in another order with more of them. Runs whose tasks are done by any workers, in
any order, and are the same to the last bit, must not: so they add up pieces that are too short to
be shared, one after the other.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PIECE = 64
"""Terms of a sum that is not shared: with 1, 2, 16 or 64 threads the bits were the same."""


def product(a: Float[Array, "m k"], b: Float[Array, "k n"]) -> Float[Array, "m n"]:
    """A b, added up piece by piece of k."""
    m, k = a.shape
    if k <= PIECE:
        return a @ b
    pieces = -(-k // PIECE)
    beyond = pieces * PIECE - k
    left = jnp.pad(a.T, ((0, beyond), (0, 0))).reshape(pieces, PIECE, m)
    right = jnp.pad(b, ((0, beyond), (0, 0))).reshape(pieces, PIECE, -1)

    def add(
        found: Float[Array, "m n"], piece: tuple[Float[Array, "p m"], Float[Array, "p n"]]
    ) -> tuple[Float[Array, "m n"], None]:
        return found + piece[0].T @ piece[1], None

    return jax.lax.scan(add, jnp.zeros((m, b.shape[1]), a.dtype), (left, right))[0]


@jax.custom_vjp
def affine(
    x: Float[Array, "n d"], w: Float[Array, "d u"], b: Float[Array, " u"]
) -> Float[Array, "n u"]:
    """X w + b; its derivative is made of such products, too."""
    return product(x, w) + b[None, :]


def _forward(
    x: Float[Array, "n d"], w: Float[Array, "d u"], b: Float[Array, " u"]
) -> tuple[Float[Array, "n u"], tuple[Float[Array, "n d"], Float[Array, "d u"]]]:
    return affine(x, w, b), (x, w)


def _backward(
    kept: tuple[Float[Array, "n d"], Float[Array, "d u"]], slope: Float[Array, "n u"]
) -> tuple[Float[Array, "n d"], Float[Array, "d u"], Float[Array, " u"]]:
    x, w = kept
    ones = jnp.ones((1, len(x)), x.dtype)
    return product(slope, w.T), product(x.T, slope), product(ones, slope)[0]


affine.defvjp(_forward, _backward)
