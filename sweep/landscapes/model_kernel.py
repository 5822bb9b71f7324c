"""Evaluation of any `logit(params, x)` on every sample in every cell of its slice.

`cell_sums` is the mathematics of one cell. Everything else cuts the cells into tiles and the
samples into blocks of one fixed shape each, which is compiled once. Their sizes follow from the
memory that the model's own intermediates take. `sweep.landscapes.direct` does the same, faster, for
the logistic model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr
from jaxtyping import Array, Float, Int, Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.progress import Step, ignore
from sweep.data.sample import Batch
from sweep.landscapes.direct import ROW, TILE, Span, spans
from sweep.landscapes.models import (
    LandscapeMetric,
    Logit,
    Params,
    PerSample,
    Slice,
    place,
    require_scalars,
)
from sweep.measure.confusion import Confusion
from sweep.metrics.metrics import Counting, Smooth

Axis = Float[np.ndarray, " c"]

Term = Callable[[Float[Array, ""], Float[Array, ""]], Float[Array, ""]]
"""What a sample of mass 1 adds to a sum, from its logit z and its label y in [0, 1]."""

COMPILED = 16  # models, each with its metrics, that stay compiled for the next call


class SampleBlock(NamedTuple):
    """Samples on the device; those of mass 0 are padding, or have no weight."""

    x: Shaped[Array, "m ..."]
    y: Float[Array, " m"]
    mass: Float[Array, " m"]


class CellSums(NamedTuple):
    """Sums over a block in a cell, and its first sample whose logit is nan, or else -1."""

    terms: tuple[Float[Array, " *cells"], ...]
    undefined: Int[Array, " *cells"]


def cell_sums(
    logit: Logit,
    terms: tuple[Term, ...],
    origin: Params,
    directions: tuple[Params, Params],
    block: SampleBlock,
    a: Float[Array, ""],
    b: Float[Array, ""],
) -> CellSums:
    """Sums of mass * term(z, y), z = logit(params(a, b), x), over a block, for one (a, b)."""
    params = place(origin, directions, a, b)
    z = jax.vmap(partial(logit, params))(block.x).astype(block.y.dtype)
    has_mass = block.mass > 0

    def total(term: Term) -> Float[Array, ""]:
        return jnp.sum(jnp.where(has_mass, block.mass * jax.vmap(term)(z, block.y), 0.0))

    undefined = has_mass & jnp.isnan(z)
    first = jnp.where(jnp.any(undefined), jnp.argmax(undefined), -1)
    return CellSums(tuple(total(term) for term in terms), first)


def evaluate(
    model: Slice,
    batch: Batch,
    grid: Grid,
    metrics: Sequence[LandscapeMetric],
    dtype: str,
    budget: int,
    step: Step = ignore,
) -> dict[str, np.ndarray]:
    """Metrics of a model in every cell of its slice, with `correct` where accuracy is a count.

    Sums over blocks are accumulated in float64 whatever the dtype is; `step` receives the number of
    (cell, sample) pairs of each block.
    """
    for metric in metrics:
        if isinstance(metric, Smooth) and metric.penalty is not None:
            raise InputError(
                f"{metric.name} penalises the slope a, which a model of your own does not have; "
                "ask for another metric"
            )
    summed = tuple(m for m in metrics if not isinstance(m, Counting))
    counting = [m for m in metrics if isinstance(m, Counting)]
    with jax.enable_x64(dtype == "float64"):
        plane = _plane(model, dtype)
        require_scalars(model.logit, plane[0], summed, _input(batch, dtype), dtype)
        function = partial(_compiled(model.logit, summed, bool(counting)), *plane)
        tile, rows = _plan(function, batch, grid.cells, dtype, budget)
        blocks = _Blocks(batch, rows, dtype, budget // 8)
        a, b = _cast("a", grid.a, dtype), _cast("b", grid.b, dtype)
        values: dict[str, np.ndarray] = {}
        for cells in spans(grid.cells, tile):
            i, j = np.divmod(cells.numbers, len(grid.b))
            sums = _tile(function, blocks, a[i], b[j], cells.length, step)
            for name, tile_values in _values(sums, summed, counting, blocks).items():
                flat = values.setdefault(name, np.empty(grid.cells, tile_values.dtype))
                flat[cells.slice] = tile_values
    return {name: flat.reshape(grid.shape) for name, flat in values.items()}


def _linear(params: Params, x: Float[Array, ""]) -> Float[Array, ""]:
    # The definition has two roundings, and a compiler would contract a*x + b into one. It cannot
    # know that `unit` is 1, and the product with 1 is exact.
    a, b, unit = params
    return unit * (a * x) + b


LINEAR = Slice(_linear, (0.0, 0.0, 1.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
"""The logistic model: its parameters are (a, b, 1)."""


@lru_cache(maxsize=COMPILED)
def _compiled(
    logit: Logit, summed: tuple[Smooth | PerSample, ...], counting: bool
) -> Callable[..., CellSums]:
    """`cell_sums` over a tile of cells: a sum for each metric, then the confusion masses."""
    terms = tuple(_term(metric) for metric in summed) + (CONFUSION if counting else ())
    over_cells = jax.vmap(
        partial(cell_sums, jax.jit(logit), terms), in_axes=(None, None, None, 0, 0)
    )
    return jax.jit(over_cells)


def _term(metric: Smooth | PerSample) -> Term:
    """What a sample adds to the sum of a metric."""
    if isinstance(metric, PerSample):
        return lambda z, y: jnp.asarray(metric.function(z, y)).astype(z.dtype)

    def term(z: Float[Array, ""], y: Float[Array, ""]) -> Float[Array, ""]:
        total = jnp.zeros_like(z)
        for loss, on_class0, on_class1 in metric.parts:
            share = on_class0 * (1 - y) + on_class1 * y
            # Where the sample has no mass in the class, an infinite loss must not give 0 * inf.
            total += jnp.where(share > 0, share * loss(z), 0.0)
        return total

    return term


CONFUSION: tuple[Term, ...] = (
    lambda z, y: jnp.where(z > 0, y, 0.0),
    lambda z, y: jnp.where(z > 0, 1 - y, 0.0),
    lambda z, y: jnp.where(z > 0, 0.0, y),
    lambda z, y: jnp.where(z > 0, 0.0, 1 - y),
)
"""What a sample adds to the masses tp, fp, fn and tn."""


def _plane(model: Slice, dtype: str) -> tuple[Params, tuple[Params, Params]]:
    """The origin and the directions of a slice on the device."""

    def send(name: str, tree: Params) -> Params:
        return jax.tree.map(lambda leaf: jnp.asarray(_cast(name, leaf, dtype)), tree)

    along_a, along_b = model.directions
    directions = send("directions[0]", along_a), send("directions[1]", along_b)
    return send("origin", model.origin), directions


def _cast(name: str, values: Any, dtype: str) -> Float[np.ndarray, " *shape"]:
    """Numbers in a dtype that can hold them."""
    with np.errstate(over="ignore"):
        cast = np.asarray(values).astype(dtype)
    if not np.isfinite(cast).all():
        raise InputError(f"{name} holds a number beyond the range of {dtype}; ask for float64")
    return cast


class _Blocks:
    """The samples as device blocks of one shape: kept there if they fit, else sent each time."""

    def __init__(self, batch: Batch, rows: int, dtype: str, most_bytes: int) -> None:
        self._batch, self._dtype, self.counted = batch, dtype, batch.counted
        self._spans = spans(len(batch), rows)
        heaviest = 1.0 if batch.weight is None else np.max(batch.weight)
        self._exponent = int(np.frexp(heaviest)[1])
        self.masses = self._masses()  # of class 0 and class 1
        x, columns = _input(batch, dtype), 2 * np.dtype(dtype).itemsize  # y and mass
        fits = len(batch) * (x.size * x.dtype.itemsize + columns) <= most_bytes
        self._kept = list(self._send()) if fits else None

    def __iter__(self) -> Iterator[tuple[Span, SampleBlock]]:
        return self._send() if self._kept is None else iter(self._kept)

    def _send(self) -> Iterator[tuple[Span, SampleBlock]]:
        batch = self._batch
        for span in self._spans:
            rows = span.numbers
            x = batch.x[rows]
            x = _cast("x", x, self._dtype) if x.dtype.kind == "f" else x
            y = batch.y[rows].astype(self._dtype)
            yield span, SampleBlock(jnp.asarray(x), jnp.asarray(y), jnp.asarray(self._mass(span)))

    def _masses(self) -> tuple[float, float]:
        """Masses of class 0 and class 1."""
        mass0, mass1 = 0.0, 0.0
        for span in self._spans:
            mass = self._mass(span)[: span.length].astype(np.float64)
            y = self._batch.y[span.slice].astype(self._dtype)
            mass0 += float(np.sum((1 - y) * mass))
            mass1 += float(np.sum(y * mass))
        return mass0, mass1

    def _mass(self, span: Span) -> Float[np.ndarray, " m"]:
        """Masses in units of a power of two in which no sum of them over- or underflows."""
        mass, weight = np.zeros(span.padded, self._dtype), self._batch.weight
        if weight is None:
            mass[: span.length] = 1.0
        else:
            mass[: span.length] = np.ldexp(weight[span.slice], -self._exponent)
        return mass


def _input(batch: Batch, dtype: str) -> jax.ShapeDtypeStruct:
    """Shape and dtype of one x on the device: integers stay integers."""
    kept = np.dtype(dtype) if batch.x.dtype.kind == "f" else batch.x.dtype
    return jax.ShapeDtypeStruct(batch.x.shape[1:], kept)


def _tile(
    function: Callable[..., CellSums], blocks: _Blocks, a: Axis, b: Axis, cells: int, step: Step
) -> Float[np.ndarray, "terms cells"]:
    """Sums over all samples in the first `cells` of a tile; the others are padding."""
    total: Any = 0.0
    for span, block in blocks:
        sums = function(block, jnp.asarray(a), jnp.asarray(b))
        undefined = np.asarray(sums.undefined)
        if np.any(undefined >= 0):
            cell = int(np.argmax(undefined >= 0))
            raise InputError(
                f"the model's logit is nan at a={a[cell]:g}, b={b[cell]:g} for "
                f"x[{span.start + undefined[cell]}]; narrow the grid, or make the model defined "
                "there"
            )
        terms = np.stack([np.asarray(term, np.float64) for term in sums.terms])
        with np.errstate(invalid="ignore"):  # a user's metric may add inf to -inf
            total = total + terms[:, :cells]
        step(cells * span.length)
    return total


def _values(
    sums: Float[np.ndarray, "terms cells"],
    summed: Sequence[Smooth | PerSample],
    counting: Sequence[Counting],
    blocks: _Blocks,
) -> dict[str, Shaped[np.ndarray, " cells"]]:
    """Metrics from their sums over all samples."""
    values = {
        m.name: row / (m.total(*blocks.masses) if isinstance(m, Smooth) else sum(blocks.masses))
        for m, row in zip(summed, sums, strict=False)
    }
    if not counting:
        return values
    masses = sums[len(summed) :]
    table = Confusion(*(masses.astype(np.int64) if blocks.counted else masses))
    values |= {metric.name: metric.value(*table) for metric in counting}
    if "accuracy" in values and blocks.counted:
        values["correct"] = table.tp + table.tn
    return values


def _plan(
    function: Callable[..., CellSums], batch: Batch, cells: int, dtype: str, budget: int
) -> tuple[int, int]:
    """Cells in a tile and samples in a block that together take at most 3/4 of the budget.

    The memory is counted as if the compiler fused nothing and freed nothing. Then it is a constant
    plus terms proportional to the cells, to the samples and to their pairs, and four small shapes
    determine these four numbers.
    """

    def bytes_for(cells: int, rows: int) -> int:
        array: Any = jax.ShapeDtypeStruct
        one = _input(batch, dtype)
        x = array((rows, *one.shape), one.dtype)
        block = SampleBlock(x, array((rows,), dtype), array((rows,), dtype))
        ab = array((cells,), dtype)
        return _bytes(jax.make_jaxpr(function)(block, ab, ab).jaxpr)

    least, room = bytes_for(1, 1), budget - budget // 4
    if least > room:
        raise InputError(
            f"one cell and one sample of this model may take {least / 2**20:.3g} MiB; ask for a "
            f"memory budget of at least {math.ceil(least / room * budget / 2**20)} MiB instead of "
            f"{budget / 2**20:.3g} MiB"
        )
    by_row, by_cell = bytes_for(1, 2) - least, bytes_for(2, 1) - least
    by_pair = bytes_for(2, 2) - least - by_row - by_cell
    rows = min(len(batch), ROW, 1 + (room - least) // by_row)
    left = room - least - (rows - 1) * by_row
    return min(cells, TILE, 1 + left // (by_cell + (rows - 1) * by_pair)), rows


def _bytes(jaxpr: Jaxpr) -> int:
    """Bytes of all inputs, intermediates and outputs of a computation, nested ones included."""
    variables: list[Any] = [*jaxpr.invars, *(v for eqn in jaxpr.eqns for v in eqn.outvars)]
    parameters = jax.tree.leaves(
        [eqn.params for eqn in jaxpr.eqns], is_leaf=lambda p: isinstance(p, ClosedJaxpr | Jaxpr)
    )
    return sum(v.aval.size * v.aval.dtype.itemsize for v in variables) + sum(
        _bytes(p.jaxpr if isinstance(p, ClosedJaxpr) else p)
        for p in parameters
        if isinstance(p, ClosedJaxpr | Jaxpr)
    )
