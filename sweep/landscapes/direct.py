"""Direct evaluation in cells: the definition for one (a, b), vmapped, jitted, tiled.

`integral` is the mathematics. Everything else cuts the cells into tiles and the points into blocks
of few shapes, so that nothing of the size of cells x n ever exists, few compilations serve a whole
call, and memory stays within a budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from sweep.base.grid import Grid
from sweep.base.progress import Step, ignore
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.metrics.metrics import Loss, Smooth
from sweep.metrics.profile import profile

ROW = 512  # points summed at once: in any order their sum is within 512 roundings, 6e-14 relative
TILE = 128 * 128  # most cells in a tile; more are no faster
PAIRS = 2**22  # pairs (cell, point) of one call where tiles are small; more are no faster
COPIES = 4  # budgeted arrays of tile x block: none if fused, but a compiler may need some
PADDING_STEP = 64  # rows are padded to a multiple, which bounds the number of compiled shapes


Axis = Float[np.ndarray, " p"]
Cells = Float[np.ndarray, "p q"]


class PointBlock(NamedTuple):
    """Rows of points on the device, padded to one of few shapes (r, m)."""

    x: Float[Array, "r m"]  # positions; 0 for padding
    limit: Float[Array, "r m"]  # inf; -inf for padding
    mass: Float[Array, "r m"] | None  # masses; None if all are 1


class CompensatedSums(NamedTuple):
    """Sums, and apart from them what rounding took away (Neumaier 1974)."""

    value: Float[Array, "*k"]
    lost: Float[Array, "*k"]


def integral(
    loss: Loss, rows: PointBlock, a: Float[Array, ""], b: Float[Array, ""], *, good: int
) -> Float[Array, " r"]:
    """Sum of loss(a*x + b) * mass over each row of points, for one (a, b)."""
    # Clipping moves padding, whose limit is -inf, to the infinite logit where the loss is 0. It
    # also keeps compilers from contracting product and sum: the definition has two roundings.
    if good > 0:
        losses = loss(jnp.maximum(a * rows.x, -rows.limit) + b)
    else:
        losses = loss(jnp.minimum(a * rows.x, rows.limit) + b)
    return jnp.sum(losses if rows.mass is None else losses * rows.mass, axis=-1)


def direct(
    measure: Measure, metric: Smooth, grid: Grid, dtype: str, budget: int, step: Step = ignore
) -> Float[np.ndarray, "P Q"]:
    """A smooth metric in every cell of a grid by summing over every point.

    Losses are computed in the dtype, and sums over rows accumulated in float64 either way. `step`
    receives the number of pairs (cell, point) in each block; these numbers add up to `work`.
    """
    b = np.broadcast_to(grid.b, grid.shape)
    return _evaluate(measure, metric, grid.a, b, dtype, budget, step)


def direct_cells(
    measure: Measure, metric: Smooth, a: Axis, b: Axis, dtype: str, budget: int, step: Step = ignore
) -> Axis:
    """`direct` in the cells (a_i, b_i), which need not form a grid."""
    return _evaluate(measure, metric, a, b[:, None], dtype, budget, step)[:, 0]


def work(measure: Measure, metric: Smooth, cells: int) -> int:
    """Number of pairs (cell, point) for which `direct` evaluates a loss."""
    return cells * sum(
        len(points)
        for _, *shares in metric.parts
        for share, points in zip(shares, measure.classes, strict=True)
        if share > 0
    )


def rounding_bound(measure: Measure, metric: Smooth, grid: Grid, dtype: str) -> float:
    """Bound on |direct - exact| / max(1, exact) over the grid, exact as defined in float64.

    It is infinite where the dtype cannot hold the numbers.
    """
    numbers = np.finfo(dtype)
    slope, intercept = float(np.max(np.abs(grid.a))), float(np.max(np.abs(grid.b)))
    x = measure.reach  # the largest |x|
    if max(slope, intercept, x) > float(numbers.max):
        return math.inf
    logit = slope * x + intercept
    # A loss grows like |z|, and a row sums ROW of them with masses below 1: near max / ROW the sum
    # of finite losses may overflow; 4 is a reserve. Where z itself overflows, the loss is infinite
    # by definition.
    if float(numbers.max) / (4 * ROW) < logit <= float(numbers.max):
        return math.inf
    unit, tiny = float(numbers.eps) / 2, float(numbers.tiny)
    # A device may take subnormal numbers for 0: an x or a below `tiny` changes a x by that times
    # the other factor, and the product and b may be lost, too.
    z_error = tiny * (slope + x + 2)
    if dtype == "float32":  # a, x, their product, b and z round: 4 units of |a x| + |b| together
        z_error += 4 * unit * (slope * x + intercept)
    lipschitz = max(profile(term.loss).lipschitz for term in metric.parts)
    # ROW: the sum over a row in any order. 32: a loss (a few units), its mass and share, and the
    # compensated sums over rows and blocks.
    return (ROW + 32) * unit + lipschitz * z_error


def tile_shape(shape: tuple[int, int], budget: int, dtype: str) -> tuple[int, int]:
    """Rows and columns of tiles for which COPIES of tile x ROW take at most half of the budget."""
    cell = COPIES * ROW * np.dtype(dtype).itemsize
    return squarest(shape, max(1, min(TILE, budget // (2 * cell))))


def squarest(shape: tuple[int, int], cells: int) -> tuple[int, int]:
    """Tiles of at most so many cells, square where the grid allows it, longer where it is thin."""
    width = min(shape[1], cells // min(shape[0], math.isqrt(cells)))
    return min(shape[0], cells // width), width


def most_rows(cells: int, budget: int, dtype: str) -> int:
    """Largest number of rows of a block, for tiles of `cells` cells.

    COPIES of tile x block take at most half of the budget. Two blocks, each on the device and on
    the host, take at most a quarter.
    """
    size = np.dtype(dtype).itemsize
    # 48 = 4 quarters x 2 blocks x 2 places x 3 columns: x, limit and mass.
    points = min(PAIRS // cells, budget // (2 * COPIES * size * cells), budget // (48 * size))
    return max(1, points // ROW)


def tiles(shape: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Cuts an array of a shape into tiles of at most these sizes, the last axis fastest."""
    return product(
        *(
            [slice(start, min(start + size, length)) for start in range(0, length, size)]
            for length, size in zip(shape, sizes, strict=True)
        )
    )


class Span(NamedTuple):
    """A stretch of a range: `length` numbers from `start`, padded to `padded` numbers."""

    start: int
    length: int
    padded: int

    @property
    def slice(self) -> slice:
        """The stretch, without padding."""
        return slice(self.start, self.start + self.length)

    @property
    def numbers(self) -> Int[np.ndarray, " k"]:
        """The numbers, the last one repeated as padding."""
        return self.start + np.minimum(np.arange(self.padded), self.length - 1)


def spans(n: int, largest: int) -> list[Span]:
    """Cuts n numbers into the fewest spans of one padded length, at most `largest`."""
    count = -(-n // largest)
    length = -(-n // count)
    return [Span(start, min(length, n - start), length) for start in range(0, n, length)]


class _Blocks:
    """The points of one class as device blocks: kept there if they fit, else sent each time."""

    def __init__(self, points: Points, dtype: str, most_rows: int, most_bytes: int) -> None:
        self._points, self._dtype, self.count = points, dtype, len(points)
        self._shape = _block_shape(len(points), most_rows)
        self._no_limit = self._on_device(np.full(math.prod(self._shape), np.inf), 0.0)
        columns = 2 if points.mass is None else 3  # x and limit, and mass
        fits = columns * len(points) * np.dtype(dtype).itemsize <= most_bytes
        self._kept = list(self._send()) if fits else None

    def __iter__(self) -> Iterator[PointBlock]:
        return self._send() if self._kept is None else iter(self._kept)

    def _send(self) -> Iterator[PointBlock]:
        x, mass, size = self._points.x, self._points.mass, self._no_limit.size
        for start in range(0, len(x), size):
            block = slice(start, start + size)
            count = len(x[block])
            is_full = count == size
            yield PointBlock(
                self._on_device(x[block], 0.0),
                self._no_limit if is_full else self._on_device(np.full(count, np.inf), -np.inf),
                None if mass is None else self._on_device(mass[block], 0.0),
            )

    def _on_device(self, values: Float[np.ndarray, " n"], padding: float) -> Float[Array, "r m"]:
        block = values.astype(self._dtype, copy=False)
        if len(block) < math.prod(self._shape):
            block = np.pad(block, (0, math.prod(self._shape) - len(block)), constant_values=padding)
        return jnp.asarray(block.reshape(self._shape))


def _block_shape(n: int, most: int) -> tuple[int, int]:
    """Rows, at most `most`, and width of blocks of n points: few shapes and little padding.

    Small data are padded to a 16th of the largest block, which takes no longer, so that all of them
    have one shape.
    """
    if n <= most // 16 * ROW:
        return most // 16, ROW
    rows = max(1, -(-n // ROW))
    width = PADDING_STEP * -(-max(1, n) // (rows * PADDING_STEP))
    height = -(-rows // -(-rows // most))
    step = 2 ** max(0, height.bit_length() - 5)  # five binary digits, then zeros: a 16th more
    return min(most, step * -(-height // step)), width


Passes = list[tuple[Loss, "_Blocks", float]]
"""Losses, each with the points of a class to integrate it over and the factor of the integral."""


def _evaluate(
    measure: Measure, metric: Smooth, a: Axis, b: Cells, dtype: str, budget: int, step: Step
) -> Cells:
    """The metric in the cells (a_i, b_ij), tile by tile."""
    measure = measure.normalised  # so that sums of masses do not over- or underflow
    total = metric.total(*measure.masses)
    height, width = tile_shape(b.shape, budget, dtype)
    out = np.empty(b.shape)
    with jax.enable_x64(True):
        most = most_rows(height * width, budget, dtype), budget // 8
        blocks = [_Blocks(p, dtype, *most) if len(p) else None for p in measure.classes]
        passes = [
            (loss, points, share / total)
            for loss, *shares in metric.parts
            for share, points in zip(shares, blocks, strict=True)
            if share > 0 and points is not None
        ]
        for rows in spans(len(a), height):
            for columns in spans(b.shape[1], width):
                counted = rows.length * columns.length  # without padding
                cells = a[rows.numbers], b[np.ix_(rows.numbers, columns.numbers)]
                mean = _tile(passes, *cells, dtype, counted, step)
                out[rows.slice, columns.slice] = mean[: rows.length, : columns.length]
    return out if metric.penalty is None else out + metric.penalty(a)[:, None]


def _tile(passes: Passes, a: Axis, b: Cells, dtype: str, counted: int, step: Step) -> Cells:
    """Sum over the passes in the cells of a tile, of which so many are counted as steps."""
    cells = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
    zeros = jnp.zeros(b.shape, jnp.float64)
    sums = CompensatedSums(zeros, zeros)
    for loss, points, share in passes:
        good, left = profile(loss).good, points.count
        for block in points:
            before = sums
            sums = _add(sums, *cells, block, share, loss=loss, good=good)
            before.value.block_until_ready()  # so that at most two blocks wait in memory
            step(counted * min(left, block.x.size))
            left -= block.x.size
    return np.asarray(sums.value + sums.lost)


@partial(jax.jit, static_argnames=("loss", "good"))
def _add(
    sums: CompensatedSums,
    a: Float[Array, " p"],
    b: Float[Array, "p q"],
    block: PointBlock,
    share: Float[Array, ""] | float,
    *,
    loss: Loss,
    good: int,
) -> CompensatedSums:
    def over_rows(a: Float[Array, ""], b: Float[Array, ""]) -> Float[Array, " r"]:
        return integral(loss, block, a, b, good=good)

    over_b = jax.vmap(over_rows, in_axes=(None, 0))
    rows = jax.vmap(over_b)(a, b).astype(jnp.float64)
    zero = jnp.zeros((), jnp.float64)
    total = lax.reduce(
        CompensatedSums(rows, jnp.zeros_like(rows)), CompensatedSums(zero, zero), _join, (2,)
    )
    return _join(sums, CompensatedSums(share * total.value, share * total.lost))


def _join(p: CompensatedSums, q: CompensatedSums) -> CompensatedSums:
    """The sum of two sums that are >= 0. An infinite sum has lost nothing."""
    value = p.value + q.value
    large, small = jnp.maximum(p.value, q.value), jnp.minimum(p.value, q.value)
    lost = jnp.where(jnp.isfinite(value), (large - value) + small, 0.0)
    return CompensatedSums(value, p.lost + q.lost + lost)
