"""Scatter: the devices sum points in any order into the bins of a lattice.

Points in ascending order are summed by NumPy instead where the host is the device. What needs no
device stands in `deposit`, so that a command that reads a sketch does not load JAX.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base import devices
from sweep.base.progress import Step, ignore
from sweep.measure.compression.deposit import Deposit, ordered_moments
from sweep.measure.compression.lattice import CHUNK, MOMENTS, Lattice
from sweep.measure.points import Columns, Points

MANTISSA, BIAS = 52, 1023  # bits of a float64's mantissa, and what is added to its exponent
BYTES_PER_POINT = 128  # working memory for a point of a chunk
SHORTEST = 2**10  # points in the smallest call: lengths are powers of two, so few are compiled

Classes = tuple[Points, Points]
"""The points of class 0 and of class 1."""


def deposit(classes: Classes, lattice: Lattice, step: Step = ignore, chunk: int = CHUNK) -> Deposit:
    """Sums the points of two classes into the bins of a lattice."""
    with jax.enable_x64(True):
        sums = [
            ordered_moments(points.ordered.x, points.ordered.mass, lattice, step)
            if points.in_order and devices.on_host()
            else _summed_on_devices(points, lattice, step, chunk)
            for points in classes
        ]
    moments = np.stack([moments for moments, _ in sums])
    chunks = sum(count for _, count in sums)
    counted = all(points.mass is None for points in classes)
    return Deposit(lattice, moments, sum(map(len, classes)), counted, chunks)


def largest_chunk(budget: int) -> int:
    """Points in one call on each device, a power of two, within a budget of bytes."""
    room = budget // (2 * BYTES_PER_POINT * len(devices.available()))
    return min(CHUNK, 1 << (max(SHORTEST, room).bit_length() - 1))


def chunks(classes: Classes, chunk: int = CHUNK) -> int:
    """Number of chunks in which `deposit` sums two classes, each on one device."""
    size = chunk * len(devices.available())
    return len(devices.available()) * sum(-(-len(points) // size) for points in classes)


def _summed_on_devices(
    points: Points, lattice: Lattice, step: Step, chunk: int
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """Moments of points in any order, and the number of chunks."""
    shards = len(devices.available())
    width = max(SHORTEST, 1 << (lattice.bins - 1).bit_length())
    numbers = (lattice.exponent, lattice.bits, lattice.first << lattice.group)
    columns = [points.x] if points.mass is None else [points.x, points.mass]
    total, chunks = devices.to_shards(np.zeros(0), width * MOMENTS), 0
    for start in range(0, len(points), chunk * shards):
        count = min(chunk * shards, len(points) - start)
        length = max(SHORTEST, 1 << (-(-count // shards) - 1).bit_length())
        rows = [devices.to_shards(column[start : start + count], length) for column in columns]
        valid = np.clip(count - length * np.arange(shards), 0, length)
        before, total = total, _add(total, valid, rows, *numbers)
        before.block_until_ready()  # one chunk is sent while another is summed, and no more
        chunks += shards
        step(count)
    tables = np.asarray(total).reshape(shards, width, MOMENTS)
    return np.sum(tables[:, : lattice.bins], axis=0), chunks


@jax.jit
def _add(
    total: Float[Array, "d wq"],
    valid: Int[Array, " d"],
    rows: list[Float[Array, "d m"]],
    exponent: Int[Array, ""],
    bits: Int[Array, ""],
    start: Int[Array, ""],
) -> Float[Array, "d wq"]:
    """Adds the moments of the first `valid` points of each row to a flat table on each device."""

    def of_row(
        total: Float[Array, " wq"], valid: Int[Array, ""], *row: Float[Array, " m"]
    ) -> Float[Array, " wq"]:
        width = total.size // MOMENTS
        number, t = jax.vmap(partial(_bin_of, exponent, bits))(row[0])
        # Padding goes to an extra bin behind the last one.
        number = jnp.where(jnp.arange(len(t)) < valid, number - start, width).astype(jnp.int32)
        power = row[1] if len(row) > 1 else jnp.ones_like(t)
        moments = []
        for _ in range(MOMENTS):
            sums = jnp.zeros(width + 1).at[number].add(power, mode="promise_in_bounds")
            moments.append(sums[:width])
            power = power * t
        return total + jnp.stack(moments, axis=-1).reshape(-1)

    return devices.on_each(of_row, 2 + len(rows))(total, valid, *rows)


def _bin_of(
    exponent: Int[Array, ""], bits: Int[Array, ""], x: Float[Array, ""]
) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """Number of the bin that x lies in, and its position t in [-1, 1] there.

    Scaling by powers of two and the floor are exact, so only the last step of t can round.
    """
    size = jnp.abs(x) * _power_of_two(-exponent)
    binary_exponent = (jax.lax.bitcast_convert_type(size, jnp.int64) >> MANTISSA) - BIAS
    octave = jnp.maximum(binary_exponent - bits, 0)
    scaled = size * _power_of_two(-octave)
    floor = jnp.floor(scaled)
    number = (octave << bits) + floor.astype(jnp.int64)
    t = 2 * (scaled - floor) - 1
    return jnp.where(x < 0, -1 - number, number), jnp.where(x < 0, -t, t)


def _power_of_two(exponent: Int[Array, ""]) -> Float[Array, ""]:
    bits = (exponent.astype(jnp.int64) + BIAS) << MANTISSA
    return jax.lax.bitcast_convert_type(bits, jnp.float64)


def order(*classes: Points) -> None:
    """Sorts the points of each class once: in threads on the host, or on the first device."""
    if not devices.on_host():
        for points in classes:
            if not points.in_order:
                columns = _sorted_on_device(points.x, points.mass)
                vars(points)["ordered"] = Points(*columns)  # the cached property
    with ThreadPoolExecutor(max(1, len(classes))) as pool:
        tuple(pool.map(lambda points: points.ordered, classes))


def _sorted_on_device(x: Float[np.ndarray, " m"], mass: Float[np.ndarray, " m"] | None) -> Columns:
    """As `sort`, by the first device."""
    with jax.enable_x64(True):
        if mass is None:
            return np.asarray(jnp.sort(x)), None
        ascending, masses = jax.lax.sort((jnp.asarray(x), jnp.asarray(mass)), num_keys=1)
        return np.asarray(ascending), np.asarray(masses)
