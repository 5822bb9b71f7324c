"""Lattice and Deposit: n points become sums over bins, in one pass, additively.

The bins are those of a short floating-point format: 2^(bits+1) of one width on either side of 0,
then octave after octave of 2^bits bins, each twice as wide as those before. Near 0 they are fine
enough for the steepest slope; far out they are as fine, relative to |x|, as the logit needs, since
what is far from the cut at one slope is near it at a smaller one only. So an outlier at 1e8 costs
27 octaves of bins, not 1e8 bins.

In each bin the deposit keeps sums of mass * t^j, j < MOMENTS, where t in [-1, 1] is the position
within the bin: all that interpolation at MOMENTS points of the bin needs to know of its content.
Deposits on one lattice add up, over chunks, devices, files and machines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep import devices
from sweep.data import InputError
from sweep.measure import Measure, Points
from sweep.progress import Step, ignore

MOMENTS = 4
"""Sums kept in each bin. With 4 the error falls with the fourth power of the bins' width."""

MANTISSA, BIAS = 52, 1023
"""Bits of a float64's mantissa; what is added to its exponent."""

TINY = float(np.finfo(np.float64).tiny)
"""The least float64 that is not subnormal."""

CHUNK = 2**18
"""Most points in one call on each device; more are no faster."""

LONG = 512
"""Points in a bin, on average, from which on bins of ordered points are summed one by one."""

BYTES_PER_POINT = 128
"""Working memory for a point of a chunk."""

SHORTEST = 2**10
"""Points in the smallest call: chunks have few shapes, powers of two."""


@dataclass(frozen=True)
class Lattice:
    """Bins over [low, high].

    Attributes:
        exponent: bins next to 0 are 2^exponent wide.
        bits: there are 2^bits bins in an octave.
        group: bins form panels of 2^group, which lie in one octave each.
        first: number of the first panel; panel 0 begins at 0, panel -1 ends there.
        panels: how many panels there are.
    """

    exponent: int
    bits: int
    group: int
    first: int
    panels: int

    @classmethod
    def over(cls, low: float, high: float, exponent: int, bits: int, group: int) -> Lattice:
        """The lattice whose panels cover [low, high]."""
        if -TINY < high < 0:
            high = 0.0  # which it is on a device that has no subnormal numbers
        first, last = (_panel(x, exponent, bits, group) for x in (low, high))
        return cls(exponent, bits, group, first, last - first + 1)

    @property
    def bins(self) -> int:
        """Number of bins."""
        return self.panels << self.group

    @cached_property
    def panel_ends(self) -> Float[np.ndarray, "k 2"]:
        """(lower, upper) end of each panel, shape (panels, 2)."""
        number = np.arange(self.first, self.first + self.panels)
        below = number < 0
        number = np.where(below, -1 - number, number)
        per_octave = 1 << (self.bits - self.group)
        octave = np.maximum(number // per_octave - 1, 0)
        width = np.ldexp(1.0, self.exponent + self.group + octave)
        inner = (number - octave * per_octave) * width
        low, high = np.where(below, -inner - width, inner), np.where(below, -inner, inner + width)
        return np.stack([low, high], axis=1)

    @property
    def edges(self) -> Float[np.ndarray, " k"]:
        """Where the bins begin, and where the last one ends, shape (bins + 1,)."""
        low, high = self.panel_ends.T
        width = (high - low) / (1 << self.group)
        begins = low[:, None] + width[:, None] * np.arange(1 << self.group)
        return np.append(begins.ravel(), high[-1])


@dataclass(frozen=True, eq=False)
class Deposit:
    """Moments of both classes on a lattice.

    Attributes:
        lattice: the bins.
        moments: sums of mass * t^j over each bin, shape (2, bins, MOMENTS), class 0 first.
        points: how many points were summed.
        counted: whether each of them had mass 1: then zeroth moments are exact counts.
        chunks: how many chunks were summed one by one and then added up.
    """

    lattice: Lattice
    moments: Float[np.ndarray, "2 bins q"]
    points: int
    counted: bool
    chunks: int

    def merge(self, other: Deposit) -> Deposit:
        """The deposit of both data together.

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
        """Mass, and in the second row the sum of mass * x, of class 0 and 1."""
        edges = self.lattice.edges
        centre, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        mass, first = self.moments[..., 0], self.moments[..., 1]
        return np.stack([np.sum(mass, axis=1), np.sum(centre * mass + half * first, axis=1)])


def largest_chunk(budget: int) -> int:
    """Points in one call on each device, a power of two, within a budget of bytes."""
    room = budget // (2 * BYTES_PER_POINT * len(devices.available()))
    return min(CHUNK, 1 << (max(SHORTEST, room).bit_length() - 1))


def chunks(measure: Measure, chunk: int = CHUNK) -> int:
    """In how many chunks `deposit` sums a measure, each on one device."""
    size = chunk * len(devices.available())
    classes = (measure.class0, measure.class1)
    return len(devices.available()) * sum(-(-len(points) // size) for points in classes)


def deposit(measure: Measure, lattice: Lattice, step: Step = ignore, chunk: int = CHUNK) -> Deposit:
    """Sums a measure into the bins of a lattice that covers it.

    Args:
        measure: the data; every x lies within the lattice.
        lattice: the bins.
        step: is told how many points have been summed, after each chunk.
        chunk: points in one call on each device.
    """
    with jax.enable_x64(True):
        sums = [
            _sum_in_order(points.ordered, lattice, step, chunk)
            if points.in_order and devices.on_host() and len(points) >= LONG * lattice.bins
            else _sum(points, lattice, step, chunk)
            for points in (measure.class0, measure.class1)
        ]
    moments = np.stack([total for total, _ in sums])
    chunks = sum(count for _, count in sums)
    points = len(measure.class0) + len(measure.class1)
    return Deposit(lattice, moments, points, measure.counted, chunks)


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
    points: Points, lattice: Lattice, step: Step, chunk: int
) -> tuple[Float[np.ndarray, "bins q"], int]:
    """The same of ordered points, of which a bin holds a stretch: no index, no scattering."""
    edges = lattice.edges
    # A point on an edge lies in the bin further from 0.
    ends = np.searchsorted(points.x, edges)
    ends[edges < 0] = np.searchsorted(points.x, edges[edges < 0], side="right")
    total = np.zeros((lattice.bins, MOMENTS))
    ones = np.ones(min(chunk, len(points)))
    for k, (first, last) in enumerate(pairwise(ends.tolist())):
        centre, half = (edges[k] + edges[k + 1]) / 2, (edges[k + 1] - edges[k]) / 2
        for start in range(first, last, chunk):
            stop = min(start + chunk, last)
            mass = ones[: stop - start] if points.mass is None else points.mass[start:stop]
            t = (points.x[start:stop] - centre) * (1 / half)
            total[k, 0] += stop - start if points.mass is None else np.sum(mass)
            power = t
            for j in range(1, MOMENTS):
                total[k, j] += mass @ power
                power = power * t
    step(len(points))
    return total, -(-len(points) // chunk)


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


def _panel(x: float, exponent: int, bits: int, group: int) -> int:
    """Number of the panel that x lies in: `_place` on the host."""
    size = math.ldexp(abs(x), -exponent)
    octave = max(math.frexp(size)[1] - 1 - bits, 0)
    number = (octave << bits) + int(math.ldexp(size, -octave))
    return (-1 - number if x < 0 else number) >> group
