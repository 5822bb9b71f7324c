"""Deposits: n points become a few moments in each bin of a lattice, in one pass.

In each bin a deposit keeps the sums of mass * t^j for j < MOMENTS, where t in [-1, 1] is a point's
position within its bin. That is all that interpolation at MOMENTS points of the bin needs to know.
Deposits on one lattice add up, over chunks, devices, files and machines. Points in ascending order
are summed on the host, where each bin holds a contiguous run of them; all others are scattered into
the bins on the devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base import devices
from sweep.base.errors import InputError
from sweep.base.progress import Step, ignore
from sweep.measure.compression.lattice import CHUNK, MOMENTS, Lattice
from sweep.measure.points import Points

PIECE = 2**16  # most ordered points that are summed at once: their temporaries stay in a cache
FINE = 38  # exact sums count t^j in units of 2^-38: 2^24 terms of at most 1 fit into an int64
MANTISSA, BIAS = 52, 1023  # bits of a float64's mantissa, and what is added to its exponent
BYTES_PER_POINT = 128  # working memory for a point of a chunk
SHORTEST = 2**10  # points in the smallest call: lengths are powers of two, so few are compiled

Classes = tuple[Points, Points]
"""The points of class 0 and of class 1."""


@dataclass(frozen=True, eq=False)
class Deposit:
    """Moments of both classes on a lattice.

    Attributes:
        lattice: the bins.
        moments: sums of mass * t^j over each bin, shape (2, bins, MOMENTS), class 0 first.
        points: number of points in the sums.
        counted: whether every point has mass 1, so that zeroth moments are exact counts.
        chunks: number of separately rounded sums that were added up; an error bound needs it.
    """

    lattice: Lattice
    moments: Float[np.ndarray, "2 bins q"]
    points: int
    counted: bool
    chunks: int

    def merge(self, other: Deposit) -> Deposit:
        """The deposit of both data sets together.

        Raises:
            InputError: the lattices differ.
        """
        if self.lattice != other.lattice:
            raise InputError(
                "deposits on different lattices cannot be merged; deposit both on one lattice"
            )
        return Deposit(
            self.lattice,
            self.moments + other.moments,
            self.points + other.points,
            self.counted and other.counted,
            self.chunks + other.chunks,
        )

    @property
    def totals(self) -> Float[np.ndarray, "2 2"]:
        """Row 0: the mass of class 0 and 1. Row 1: their sums of mass * x."""
        edges = self.lattice.edges
        centre, half_width = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        mass, first = self.moments[..., 0], self.moments[..., 1]
        return np.stack([np.sum(mass, axis=1), np.sum(centre * mass + half_width * first, axis=1)])


def deposit(classes: Classes, lattice: Lattice, step: Step = ignore, chunk: int = CHUNK) -> Deposit:
    """Sums the points of two classes into the bins of a lattice.

    Args:
        classes: class 0 and class 1; every x lies within the lattice.
        lattice: the bins.
        step: receives the number of points summed, after each chunk.
        chunk: points in one call on each device.
    """
    with jax.enable_x64(True):
        sums = [
            _summed_on_host(points.ordered, lattice, step)
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


def ordered_moments(
    x: Float[np.ndarray, " m"], mass: Float[np.ndarray, " m"] | None, lattice: Lattice
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """Sums of mass * t^j over each bin, for points in ascending order.

    Args:
        x: positions, ascending, within the lattice, shape (m,).
        mass: their masses, shape (m,); None if each is 1.
        lattice: the bins.

    Returns:
        The sums, shape (bins, MOMENTS), and the number of pieces that were summed one by one.
    """
    total = np.zeros((lattice.bins, MOMENTS))
    for piece in _pieces(x, lattice):
        power = np.ones(len(piece.t)) if mass is None else mass[piece.rows]
        for j in range(MOMENTS):
            total[piece.bins, j] += np.add.reduceat(power, piece.begins)
            power = power * piece.t
    return total, -(-len(x) // PIECE)


def exact_ordered_moments(
    x: Float[np.ndarray, " m"], lattice: Lattice
) -> Int[np.ndarray, "bins q"]:
    """Sums of t^j over each bin, of at most 2^24 ordered points of mass 1, in units of 2^-FINE.

    Each t^j is rounded to a multiple of 2^-FINE. Sums of integers do not depend on the order or the
    pieces in which points come. The rounding, 2^-38, is less than CHUNK * 2^-53 = 2^-35, which the
    bound of a plan allows a `Deposit` for each unit of mass.
    """
    total = np.zeros((lattice.bins, MOMENTS), np.int64)
    for piece in _pieces(x, lattice):
        total[piece.bins, 0] += piece.points << FINE
        power = np.ldexp(piece.t, FINE)
        for j in range(1, MOMENTS):
            total[piece.bins, j] += np.add.reduceat(power.astype(np.int64), piece.begins)
            power *= piece.t
    return total


class _Piece(NamedTuple):
    """Some ordered points, by bin.

    Attributes:
        rows: the points.
        bins: the bins that hold any of them, ascending, shape (k,).
        begins: where each bin's points begin, counted from the start of `rows`, shape (k,).
        points: number of points in each bin, shape (k,).
        t: position of each point within its bin, in [-1, 1].
    """

    rows: slice
    bins: Int[np.ndarray, " k"]
    begins: Int[np.ndarray, " k"]
    points: Int[np.ndarray, " k"]
    t: Float[np.ndarray, " m"]


def _pieces(x: Float[np.ndarray, " m"], lattice: Lattice) -> Iterator[_Piece]:
    """Ordered points in pieces of PIECE: a bin holds a contiguous run, so nothing is scattered."""
    edges = lattice.edges
    # A point on an edge lies in the bin further from 0.
    ends = np.searchsorted(x, edges)
    ends[edges < 0] = np.searchsorted(x, edges[edges < 0], side="right")
    centre, scale = (edges[1:] + edges[:-1]) / 2, 2 / np.diff(edges)
    for start in range(0, len(x), PIECE):
        rows = slice(start, min(start + PIECE, len(x)))
        first = np.searchsorted(ends, rows.start, side="right") - 1
        last = np.searchsorted(ends, rows.stop)
        within = np.clip(ends[first : last + 1], rows.start, rows.stop) - rows.start
        count = np.diff(within)
        held = np.flatnonzero(count)
        count, begins, bins = count[held], within[held], first + held
        t = (x[rows] - np.repeat(centre[bins], count)) * np.repeat(scale[bins], count)
        yield _Piece(rows, bins, begins, count, t)


def _summed_on_host(
    points: Points, lattice: Lattice, step: Step
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """Moments of ordered points, and the number of pieces."""
    sums = ordered_moments(points.x, points.mass, lattice)
    step(len(points))
    return sums


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
