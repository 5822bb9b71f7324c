"""The deposit of points on a lattice, in one pass, on the devices or, in order, on the host."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base import devices
from sweep.base.progress import Step, ignore
from sweep.measure.compression.lattice import CHUNK, MOMENTS, Deposit, Lattice, sums_in_order
from sweep.measure.points import Points

Classes = tuple[Points, Points]
"""The points of class 0 and of class 1."""

MANTISSA, BIAS = 52, 1023
"""Bits of a float64's mantissa; what is added to its exponent."""

BYTES_PER_POINT = 128
"""Working memory for a point of a chunk."""

SHORTEST = 2**10
"""Points in the smallest call: chunks have few shapes, powers of two."""


def largest_chunk(budget: int) -> int:
    """Points in one call on each device, a power of two, within a budget of bytes."""
    room = budget // (2 * BYTES_PER_POINT * len(devices.available()))
    return min(CHUNK, 1 << (max(SHORTEST, room).bit_length() - 1))


def chunks(classes: Classes, chunk: int = CHUNK) -> int:
    """In how many chunks `deposit` sums two classes, each on one device."""
    size = chunk * len(devices.available())
    return len(devices.available()) * sum(-(-len(points) // size) for points in classes)


def deposit(classes: Classes, lattice: Lattice, step: Step = ignore, chunk: int = CHUNK) -> Deposit:
    """Sums the points of two classes into the bins of a lattice that covers them.

    Args:
        classes: class 0 and class 1; every x lies within the lattice.
        lattice: the bins.
        step: is told how many points have been summed, after each chunk.
        chunk: points in one call on each device.
    """
    with jax.enable_x64(True):
        sums = [
            _sum_in_order(points.ordered, lattice, step)
            if points.in_order and devices.on_host()
            else _sum(points, lattice, step, chunk)
            for points in classes
        ]
    moments = np.stack([total for total, _ in sums])
    chunks = sum(count for _, count in sums)
    points = sum(map(len, classes))
    counted = all(points.mass is None for points in classes)
    return Deposit(lattice, moments, points, counted, chunks)


def _sum(
    points: Points, lattice: Lattice, step: Step, chunk: int
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """Sums over each bin, and in how many chunks they were made."""
    shards = len(devices.available())
    width = max(SHORTEST, 1 << (lattice.bins - 1).bit_length())
    numbers = (lattice.exponent, lattice.bits, lattice.first << lattice.group)
    columns = [points.x] if points.mass is None else [points.x, points.mass]
    total, chunks = devices.spread(np.zeros(0), width * MOMENTS), 0
    for start in range(0, len(points), chunk * shards):
        count = min(chunk * shards, len(points) - start)
        length = max(SHORTEST, 1 << (-(-count // shards) - 1).bit_length())
        rows = [devices.spread(column[start : start + count], length) for column in columns]
        valid = np.clip(count - length * np.arange(shards), 0, length)
        before, total = total, _add(total, valid, rows, *numbers)
        before.block_until_ready()  # while one chunk is summed the next is sent, and no more
        chunks += shards
        step(count)
    tables = np.asarray(total).reshape(shards, width, MOMENTS)
    return np.sum(tables[:, : lattice.bins], axis=0), chunks


def _sum_in_order(
    points: Points, lattice: Lattice, step: Step
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """The same of ordered points, for which no device is needed."""
    sums = sums_in_order(points.x, points.mass, lattice)
    step(len(points))
    return sums


@jax.jit
def _add(
    total: Float[Array, "d wq"],
    valid: Int[Array, " d"],
    rows: list[Float[Array, "d m"]],
    exponent: Int[Array, ""],
    bits: Int[Array, ""],
    start: Int[Array, ""],
) -> Float[Array, "d wq"]:
    """Adds the moments of the first `valid` points in each row to a flat table, one a device."""

    def of_row(
        total: Float[Array, " wq"], valid: Int[Array, ""], *row: Float[Array, " m"]
    ) -> Float[Array, " wq"]:
        width = total.size // MOMENTS
        number, t = jax.vmap(partial(_place, exponent, bits))(row[0])
        number = jnp.where(jnp.arange(len(t)) < valid, number - start, width).astype(jnp.int32)
        term = row[1] if len(row) > 1 else jnp.ones_like(t)
        moments = []
        for _ in range(MOMENTS):
            sums = jnp.zeros(width + 1).at[number].add(term, mode="promise_in_bounds")
            moments.append(sums[:width])
            term = term * t
        return total + jnp.stack(moments, axis=-1).reshape(-1)

    return devices.on_each(of_row, 2 + len(rows))(total, valid, *rows)


def _place(
    exponent: Int[Array, ""], bits: Int[Array, ""], x: Float[Array, ""]
) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """Number of the bin that x lies in, and its position t in [-1, 1] there; exact."""
    size = jnp.abs(x) * _power_of_two(-exponent)
    binary_exponent = (jax.lax.bitcast_convert_type(size, jnp.int64) >> MANTISSA) - BIAS
    octave = jnp.maximum(binary_exponent - bits, 0)
    scaled = size * _power_of_two(-octave)
    whole = jnp.floor(scaled)
    number = (octave << bits) + whole.astype(jnp.int64)
    t = 2 * (scaled - whole) - 1
    return jnp.where(x < 0, -1 - number, number), jnp.where(x < 0, -t, t)


def _power_of_two(exponent: Int[Array, ""]) -> Float[Array, ""]:
    bits = (exponent.astype(jnp.int64) + BIAS) << MANTISSA
    return jax.lax.bitcast_convert_type(bits, jnp.float64)
