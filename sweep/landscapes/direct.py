"""Direct evaluation in cells: the definition for one (a, b), vmapped, jitted, tiled.

`integral` is the mathematics; everything else cuts the
cells into tiles and the points into blocks of fixed shapes, so that nothing of the size of
cells x n ever exists, few compilations serve a whole call, and memory stays within a budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
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

ROW = 512
"""Points summed at once: in whatever order, their sum is within ROW/2 ulps (6e-14 relative)."""

TILE = 128 * 128
"""Most cells in a tile; more are no faster."""

PAIRS = 2**22
"""Pairs (cell, point) that one call evaluates where tiles are small; more are no faster."""

COPIES = 4
"""Arrays of tile x block that are budgeted for. Fused, there are none; a compiler may need some."""

PADDING_STEP = 64
"""Rows are padded to a multiple of this, which bounds the number of shapes to compile for."""


class PointBlock(NamedTuple):
    """Rows of points on the device, padded to one of few shapes (r, m).

    Attributes:
        x: positions; 0 for padding.
        limit: inf; -inf for padding.
        mass: masses; None if all are 1.
    """

    x: Float[Array, "r m"]
    limit: Float[Array, "r m"]
    mass: Float[Array, "r m"] | None


class CompensatedSums(NamedTuple):
    """Sums with what rounding took from them (Neumaier 1974)."""

    value: Float[Array, "*k"]
    lost: Float[Array, "*k"]


def integral(
    loss: Loss, rows: PointBlock, a: Float[Array, ""], b: Float[Array, ""], *, good: int
) -> Float[Array, " r"]:
    """Sum of loss(a*x + b) * mass over each row of points, for one (a, b).

    `good` is the sign of the infinite logit at which the loss is 0: padding is put there. This
    limit also stands between product and sum, so that no compiler contracts them into one
    rounding: the definition has two.
    """
    if good > 0:
        losses = loss(jnp.maximum(a * rows.x, -rows.limit) + b)
    else:
        losses = loss(jnp.minimum(a * rows.x, rows.limit) + b)
    return jnp.sum(losses if rows.mass is None else losses * rows.mass, axis=-1)


def direct(
    measure: Measure,
    metric: Smooth,
    grid: Grid,
    dtype: str,
    budget: int,
    step: Step = ignore,
) -> Float[np.ndarray, "P Q"]:
    """A smooth metric in every cell of a grid by summing over every point.

    Args:
        measure: data with at least one point.
        metric: the metric.
        grid: the cells.
        dtype: "float64" or "float32", in which losses are computed. Sums over rows are
            accumulated in float64 either way.
        budget: bytes that may be used beyond input and output.
        step: called after each block with the pairs (cell, point) it took, `work` in all.

    Returns:
        float64 array of shape (P, Q).
    """
    b = np.broadcast_to(grid.b, grid.shape)
    return _evaluate(measure, metric, grid.a, b, dtype, budget, step)


def direct_cells(
    measure: Measure,
    metric: Smooth,
    a: Float[np.ndarray, " k"],
    b: Float[np.ndarray, " k"],
    dtype: str,
    budget: int,
    step: Step = ignore,
) -> Float[np.ndarray, " k"]:
    """`direct` in the cells (a_i, b_i), which need not form a grid."""
    return _evaluate(measure, metric, a, b[:, None], dtype, budget, step)[:, 0]


def work(measure: Measure, metric: Smooth, cells: int) -> int:
    """Pairs (cell, point) that `direct` evaluates a loss for, and tells its `step` of."""
    return cells * sum(
        len(points)
        for part in metric.parts
        for on, points in ((part.on_class0, measure.class0), (part.on_class1, measure.class1))
        if on > 0
    )


def rounding_bound(measure: Measure, metric: Smooth, grid: Grid, dtype: str) -> float:
    """Bound on |direct - exact| / max(1, exact) over the grid, exact as defined in float64.

    The losses (a few units of rounding each) and the sums over a row round; sums over rows are
    compensated, and what is subnormal counts as 0 on the device. In float32 z rounds, too: its
    terms are off by 4 units of |a x| + |b| together, and a loss by its steepest slope times that.
    What float32 cannot hold is not promised at all.
    """
    numbers = np.finfo(dtype)
    slope, intercept = float(np.max(np.abs(grid.a))), float(np.max(np.abs(grid.b)))
    if max(slope, intercept, measure.reach) > float(numbers.max):
        return math.inf
    logit = slope * measure.reach + intercept
    if float(numbers.max) / (4 * ROW) < logit <= float(numbers.max):
        return math.inf  # the sum over a row of finite losses may overflow
    unit, tiny = float(numbers.eps) / 2, float(numbers.tiny)
    z = tiny * (slope + measure.reach + 2)
    if dtype == "float32":
        z += 4 * unit * (slope * measure.reach + intercept)
    lipschitz = max(profile(part.loss).lipschitz for part in metric.parts)
    return (ROW + 32) * unit + lipschitz * z


def tile_shape(shape: tuple[int, int], budget: int, dtype: str) -> tuple[int, int]:
    """Rows and columns of tiles whose COPIES of tile x ROW take at most half of the budget.

    Square where the grid allows it, longer where the grid is thin.
    """
    cell = COPIES * ROW * np.dtype(dtype).itemsize
    cells = max(1, min(TILE, budget // (2 * cell)))
    width = min(shape[1], cells // min(shape[0], math.isqrt(cells)))
    return min(shape[0], cells // width), width


def most_rows(cells: int, budget: int, dtype: str) -> int:
    """Rows of a block for tiles of so many cells.

    COPIES of tile x block take at most half of the budget; a block, the next one and what the
    host holds of both, a quarter.
    """
    size = np.dtype(dtype).itemsize
    points = min(PAIRS // cells, budget // (2 * COPIES * size * cells), budget // (48 * size))
    return max(1, points // ROW)


class Span(NamedTuple):
    """Part of a range: `length` numbers from `start`, evaluated as `padded` numbers."""

    start: int
    length: int
    padded: int

    @property
    def slice(self) -> slice:
        """Where they stand."""
        return slice(self.start, self.start + self.length)

    @property
    def numbers(self) -> Int[np.ndarray, " k"]:
        """The numbers, the last one repeated as padding."""
        return self.start + np.minimum(np.arange(self.padded), self.length - 1)


def spans(n: int, largest: int) -> list[Span]:
    """Cuts n numbers into the fewest spans of one padded length <= largest: no ragged last one."""
    count = -(-n // largest)
    length = -(-n // count)
    return [Span(start, min(length, n - start), length) for start in range(0, n, length)]


class _Blocks:
    """The points of one class as device blocks: kept there if they fit, else sent each time."""

    def __init__(self, points: Points, dtype: str, most_rows: int, room: int) -> None:
        self._points, self._dtype = points, dtype
        self._shape = _block_shape(len(points), most_rows)
        self._open = self._sent(np.full(math.prod(self._shape), np.inf), 0.0)
        fits = _columns(points) * len(points) * np.dtype(dtype).itemsize <= room
        self._kept = list(self._send()) if fits else None

    def __iter__(self) -> Iterator[PointBlock]:
        return self._send() if self._kept is None else iter(self._kept)

    def _send(self) -> Iterator[PointBlock]:
        x, mass = self._points.x, self._points.mass
        for start in range(0, len(x), self._open.size):
            part = slice(start, start + self._open.size)
            count = len(x[part])
            full = count == self._open.size
            yield PointBlock(
                self._sent(x[part], 0.0),
                self._open if full else self._sent(np.full(count, np.inf), -np.inf),
                None if mass is None else self._sent(mass[part], 0.0),
            )

    def _sent(self, values: Float[np.ndarray, " n"], padding: float) -> Float[Array, "r m"]:
        block = values.astype(self._dtype, copy=False)
        if len(block) < math.prod(self._shape):
            block = np.pad(block, (0, math.prod(self._shape) - len(block)), constant_values=padding)
        return jnp.asarray(block.reshape(self._shape))


def _columns(points: Points) -> int:
    """Arrays in a block."""
    return 2 if points.mass is None else 3


def _block_shape(n: int, most: int) -> tuple[int, int]:
    """Rows, at most `most`, and width of blocks of n points: few shapes and little padding.

    A 16th of the most is filled up, of a call that takes no longer for it: all small data have
    one shape.
    """
    if n <= most // 16 * ROW:
        return most // 16, ROW
    rows = max(1, -(-n // ROW))
    width = PADDING_STEP * -(-max(1, n) // (rows * PADDING_STEP))
    return min(most, _rounded(-(-rows // -(-rows // most)))), width


def _rounded(n: int) -> int:
    """The least number >= n of five binary digits and zeros: at most a 16th more."""
    step = 2 ** max(0, n.bit_length() - 5)
    return step * -(-n // step)


class _Pass(NamedTuple):
    """A loss to integrate over the points of a class, and what its integral is multiplied by."""

    loss: Loss
    points: Points
    share: float


def _passes(measure: Measure, metric: Smooth) -> list[_Pass]:
    total = metric.total(measure.class0.total, measure.class1.total)
    return [
        _Pass(part.loss, points, on / total)
        for part in metric.parts
        for on, points in ((part.on_class0, measure.class0), (part.on_class1, measure.class1))
        if on > 0 and len(points)
    ]


def _evaluate(
    measure: Measure,
    metric: Smooth,
    a: Float[np.ndarray, " P"],
    b: Float[np.ndarray, "P Q"],
    dtype: str,
    budget: int,
    step: Step,
) -> Float[np.ndarray, "P Q"]:
    """The metric in the cells (a_i, b_ij), tile by tile."""
    measure = measure.normalised
    passes = _passes(measure, metric)
    height, width = tile_shape(b.shape, budget, dtype)
    out = np.empty(b.shape)
    with jax.enable_x64(True):
        blocks = {
            points: _Blocks(points, dtype, most_rows(height * width, budget, dtype), budget // 8)
            for points in {one.points for one in passes}
        }
        for rows in spans(len(a), height):
            for columns in spans(b.shape[1], width):
                told = partial(_told, step, rows.length * columns.length)
                tile = a[rows.numbers], b[np.ix_(rows.numbers, columns.numbers)]
                mean = _tile(passes, blocks, *tile, dtype, told)
                out[rows.slice, columns.slice] = mean[: rows.length, : columns.length]
    return out if metric.penalty is None else out + metric.penalty(a)[:, None]


def _told(step: Step, cells: int, points: int) -> None:
    step(cells * points)


def _tile(
    passes: list[_Pass],
    blocks: dict[Points, _Blocks],
    a: Float[np.ndarray, " p"],
    b: Float[np.ndarray, "p q"],
    dtype: str,
    step: Step,
) -> Float[np.ndarray, "p q"]:
    """Sum over the passes in the cells of a tile."""
    cells = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
    zeros = jnp.zeros(b.shape, jnp.float64)
    sums = CompensatedSums(zeros, zeros)
    for loss, points, share in passes:
        good, left = profile(loss).good, len(points)
        for block in blocks[points]:
            before = sums
            sums = _add(sums, *cells, block, share, loss=loss, good=good)
            before.value.block_until_ready()  # so that no more than two blocks wait in memory
            step(min(left, block.x.size))
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
    whole = lax.reduce(
        CompensatedSums(rows, jnp.zeros_like(rows)), CompensatedSums(zero, zero), _join, (2,)
    )
    return _join(sums, CompensatedSums(share * whole.value, share * whole.lost))


def _join(one: CompensatedSums, other: CompensatedSums) -> CompensatedSums:
    """The sum of two sums that are >= 0. An infinite sum has lost nothing."""
    value = one.value + other.value
    large, small = jnp.maximum(one.value, other.value), jnp.minimum(one.value, other.value)
    lost = jnp.where(jnp.isfinite(value), (large - value) + small, 0.0)
    return CompensatedSums(value, one.lost + other.lost + lost)
