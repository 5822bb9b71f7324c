"""Direct evaluation over a grid: the definition for one (a, b), vmapped, jitted, tiled.

Only this module and `pairs` compile. `integral` is the mathematics; everything else cuts the
grid into tiles and the points into blocks of fixed shapes, so that nothing of the size of
grid x n ever exists, one compilation serves a whole call, and memory stays within a budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sweep.grid import Grid
from sweep.losses import Loss, Smooth
from sweep.measure import Measure, Points

BLOCK = 512
"""Points summed at once: in whatever order, their sum is within BLOCK/2 ulps (6e-14 relative)."""

TILE = 128 * 128
"""Most cells in a tile; more are no faster."""

COPIES = 4
"""Arrays of tile x block that are budgeted for. Fused, there are none; a compiler may need some."""

PADDING_STEP = 64
"""Blocks are padded to a multiple of this, which bounds the number of shapes to compile for."""


class Block(NamedTuple):
    """Points on the device, padded with x = nan to one of few shapes (m,)."""

    x: Float[Array, " m"]
    mass: Float[Array, " m"] | None


class Sums(NamedTuple):
    """Running sums of one tile with what rounding took from them (Neumaier 1974)."""

    value: Float[Array, "p q"]
    lost: Float[Array, "p q"]


def integral(
    loss: Loss,
    products: Float[Array, " m"],
    b: Float[Array, ""],
    mass: Float[Array, " m"] | None,
) -> Float[Array, ""]:
    """Sum of mass * loss(a*x + b) over a block of points, for one (a, b), given products a*x."""
    losses = loss(products + b)
    return jnp.sum(losses if mass is None else mass * losses)


def direct(
    measure: Measure, metric: Smooth, grid: Grid, dtype: str, budget: int
) -> Float[np.ndarray, "P Q"]:
    """A smooth metric in every cell by summing over every point.

    Args:
        measure: data with at least one point.
        metric: the metric.
        grid: the cells.
        dtype: "float64" or "float32", in which losses are computed. Sums over blocks are
            accumulated in float64 either way.
        budget: bytes that may be used beyond input and output.

    Returns:
        float64 array of shape (P, Q).
    """
    measure = measure.normalised
    out = np.empty(grid.shape)
    height, width = tile_shape(grid.shape, budget, dtype)
    with jax.enable_x64(True):
        classes = [
            _Class(loss, jnp.asarray(harmless, dtype), _Blocks(points, dtype, budget // 8))
            for loss, harmless, points in (
                (metric.negative, -np.inf, measure.class0),
                (metric.positive, np.inf, measure.class1),
            )
        ]
        for rows in spans(len(grid.a), height):
            for columns in spans(len(grid.b), width):
                a = jnp.asarray(_padded(grid.a, rows), dtype)
                b = jnp.asarray(_padded(grid.b, columns), dtype)
                sums = _tile(classes, a, b)
                out[rows.cells, columns.cells] = sums[: rows.length, : columns.length]
    out /= measure.total
    return out


def rounding_bound(measure: Measure, metric: Smooth, grid: Grid, dtype: str) -> float:
    """Bound on |direct - exact| / max(1, exact) over the grid, exact as defined in float64.

    The losses (a few ulps each) and their sums round, and what is subnormal counts as 0 on the
    device. In float32 z rounds, too: its terms are off by 4 units of rounding of |a x| + |b|
    together, and a loss by `lipschitz` times that. What float32 cannot hold is not promised at all.
    """
    numbers = np.finfo(dtype)
    slope, intercept = float(np.max(np.abs(grid.a))), float(np.max(np.abs(grid.b)))
    if max(slope, intercept, measure.reach) > float(numbers.max):
        return math.inf
    unit, tiny = float(numbers.eps) / 2, float(numbers.tiny)
    z = tiny * (slope + measure.reach + 2)
    if dtype == "float32":
        z += 4 * unit * (slope * measure.reach + intercept)
    return (BLOCK + 16) * unit + metric.lipschitz * z


def tile_shape(shape: tuple[int, int], budget: int, dtype: str) -> tuple[int, int]:
    """Rows and columns of tiles whose COPIES of tile x block take at most half of the budget.

    Square where the grid allows it, longer where the grid is thin.
    """
    cell = COPIES * BLOCK * np.dtype(dtype).itemsize
    cells = max(1, min(TILE, budget // (2 * cell)))
    width = min(shape[1], cells // min(shape[0], math.isqrt(cells)))
    return min(shape[0], cells // width), width


class Span(NamedTuple):
    """Part of a sequence: `length` points from `start`, evaluated as `padded` points."""

    start: int
    length: int
    padded: int

    @property
    def cells(self) -> slice:
        """Where they stand."""
        return slice(self.start, self.start + self.length)


def spans(n: int, largest: int) -> list[Span]:
    """Cuts n points into the fewest spans of one padded length <= largest: no ragged last one."""
    count = -(-n // largest)
    length = -(-n // count)
    return [Span(start, min(length, n - start), length) for start in range(0, n, length)]


def _padded(axis: Float[np.ndarray, " n"], span: Span) -> Float[np.ndarray, " k"]:
    part = axis[span.cells]
    return np.concatenate([part, np.full(span.padded - span.length, part[-1])])


class _Blocks:
    """The points of one class as device blocks: kept there if they fit, else sent each time."""

    def __init__(self, points: Points, dtype: str, room: int) -> None:
        columns = 1 if points.mass is None else 2
        fits = columns * len(points) * np.dtype(dtype).itemsize <= room
        self._points, self._dtype = points, dtype
        self._kept = list(self._send()) if fits else None

    def __iter__(self) -> Iterator[Block]:
        return self._send() if self._kept is None else iter(self._kept)

    def _send(self) -> Iterator[Block]:
        n = len(self._points)
        if n == 0:
            return
        count = -(-n // BLOCK)
        length = PADDING_STEP * -(-n // (count * PADDING_STEP))
        for start in range(0, n, length):
            stop = min(start + length, n)
            x = self._column(self._points.x, start, stop, length, np.nan)
            mass = self._points.mass
            yield Block(x, None if mass is None else self._column(mass, start, stop, length, 0.0))

    def _column(
        self, values: Float[np.ndarray, " n"], start: int, stop: int, length: int, padding: float
    ) -> Float[Array, " m"]:
        block = np.full(length, padding, self._dtype)
        block[: stop - start] = values[start:stop]
        return jnp.asarray(block)


class _Class(NamedTuple):
    """A class with its loss and the logit at which that loss is 0."""

    loss: Loss
    harmless: Float[Array, ""]
    blocks: _Blocks


def _tile(
    classes: list[_Class], a: Float[Array, " p"], b: Float[Array, " q"]
) -> Float[np.ndarray, "p q"]:
    zeros = jnp.zeros((len(a), len(b)), jnp.float64)
    sums = Sums(zeros, zeros)
    for loss, harmless, blocks in classes:
        for block in blocks:
            products = _products(a, block.x, harmless)
            sums = _add(sums, products, b, block.mass, loss=loss)
    return np.asarray(sums.value + sums.lost)


@jax.jit
def _products(
    a: Float[Array, " p"], x: Float[Array, " m"], harmless: Float[Array, ""]
) -> Float[Array, "p m"]:
    """fl(a*x), and for padding the infinite logit at which the loss is 0, so that it adds nothing.

    This is a call of its own because a compiler that sees a*x + b whole contracts it into one
    rounding, and the definition has two.
    """

    def row(a: Float[Array, ""]) -> Float[Array, " m"]:
        return jnp.where(jnp.isnan(x), harmless, a * x)

    return jax.vmap(row)(a)


@partial(jax.jit, static_argnames="loss")
def _add(
    sums: Sums,
    products: Float[Array, "p m"],
    b: Float[Array, " q"],
    mass: Float[Array, " m"] | None,
    *,
    loss: Loss,
) -> Sums:
    over_b = jax.vmap(partial(integral, loss), in_axes=(None, 0, None))
    block = jax.vmap(over_b, in_axes=(0, None, None))(products, b, mass).astype(jnp.float64)
    value = sums.value + block
    # Losses are >= 0. An infinite sum has lost nothing.
    large, small = jnp.maximum(sums.value, block), jnp.minimum(sums.value, block)
    lost = jnp.where(jnp.isfinite(value), (large - value) + small, 0.0)
    return Sums(value, sums.lost + lost)
