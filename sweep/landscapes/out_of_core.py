"""Landscapes larger than memory: written to a Zarr store tile by tile, and thinned for figures.

A `Prepared` computes the tiles, `sweep.base.storage` writes them, each as one chunk of the store.
The lowest and highest values are found on the way, so that nobody has to read the store for them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Shaped

from sweep.base import storage
from sweep.base.grid import Grid
from sweep.base.progress import bar
from sweep.landscapes.prepared import Prepared

EDGE = 1000  # cells along the edge of a tile, which is a chunk of the store; fewer in little memory
WORK = 64  # bytes of working memory for a cell of a tile, beside its values
COPIES = 4  # copies of a tile in memory: computed, waiting, encoded and compressed
VIEW = 400  # most points on an axis of a figure


class Extreme(NamedTuple):
    """The lowest or highest value of a variable.

    Attributes:
        value: in the unit of the variable.
        row: row of the first cell, row by row, with that value.
        column: column of that cell.
        cells: number of cells with that value.
    """

    value: float
    row: int
    column: int
    cells: int


def landscape(
    prepared: Prepared,
    out: str | os.PathLike[str],
    budget: int,
    progress: bool | None,
    *,
    force: bool = False,
    attributes: Mapping[str, Any] = MappingProxyType({}),
) -> xr.Dataset:
    """Computes a landscape into a Zarr store.

    Args:
        prepared: the landscape.
        out: path of the store.
        budget: bytes that may be used.
        progress: whether to show a bar; None shows it on a terminal only.
        force: overwrites an existing store.
        attributes: of the dataset, in addition to those of `prepared`.

    Returns:
        A lazily loaded dataset backed by the store.

    Raises:
        InputError: the store cannot be written, or a metric cannot be computed.
    """
    chunks = tile_shape(prepared.grid, len(prepared.names), budget)
    variables = {
        name: storage.StoredVariable(("a", "b"), prepared.dtypes[name], chunks, attributes)
        for name, attributes in prepared.variables.items()
    }
    ends: dict[str, tuple[Extreme, Extreme]] = {}
    observed_error = 0.0
    with (
        storage.open_chunked(
            out, xr.Dataset(coords=prepared.coordinates), variables, force=force
        ) as store,
        bar("landscape", prepared.grid.cells, "cells", progress) as step,
    ):
        for rows, columns in tiles(prepared.grid, chunks):
            tile = prepared.compute(rows, columns)
            store.write((rows.start // chunks[0], columns.start // chunks[1]), tile.values)
            for name, values in tile.values.items():
                here = extremes(values, rows.start, columns.start)
                ends[name] = joined(ends[name], here) if name in ends else here
            observed_error = max(observed_error, tile.observed_error)
            step((rows.stop - rows.start) * (columns.stop - columns.start))
        store.wait()
        described = {name: _described(prepared.grid, *both) for name, both in ends.items()}
        store.describe(prepared.final_attributes(observed_error) | {**attributes}, described)
    return xr.open_zarr(out, chunks=None)[list(prepared.names)]


def tile_shape(grid: Grid, variables: int, budget: int) -> tuple[int, int]:
    """Rows and columns of tiles that take at most a third of the budget."""
    cells = min(EDGE**2, max(1, budget // 3 // (8 * COPIES * variables + WORK)))
    rows = min(len(grid.a), math.isqrt(cells))
    columns = min(len(grid.b), cells // rows)
    return min(len(grid.a), cells // columns), columns


def tiles(grid: Grid, shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of all tiles of a grid."""
    for i in range(0, len(grid.a), shape[0]):
        for j in range(0, len(grid.b), shape[1]):
            yield (
                slice(i, min(i + shape[0], len(grid.a))),
                slice(j, min(j + shape[1], len(grid.b))),
            )


def extremes(
    values: Shaped[np.ndarray, "k m"], row: int = 0, column: int = 0
) -> tuple[Extreme, Extreme]:
    """The lowest and highest value of a tile that begins in that row and column; nan is ignored."""
    extremes = []
    for extreme, position in ((np.nanmin, np.argmin), (np.nanmax, np.argmax)):
        k = int(position(values))  # the first nan, if there is one
        if np.isnan(values.flat[k]) and not np.isnan(values).all():
            k = int(np.argmax(values == extreme(values)))
        value = values.flat[k]
        i, j = divmod(k, values.shape[1])
        cells = int(np.count_nonzero(values == value))
        extremes.append(Extreme(value.item(), row + i, column + j, cells))
    return extremes[0], extremes[1]


def joined(p: tuple[Extreme, Extreme], q: tuple[Extreme, Extreme]) -> tuple[Extreme, Extreme]:
    """The lowest and highest value of two tiles together."""
    return _more_extreme(1, p[0], q[0]), _more_extreme(-1, p[1], q[1])


def _more_extreme(sign: int, p: Extreme, q: Extreme) -> Extreme:
    """The lower of two, or for sign -1 the higher; of equal ones the first, with all cells."""
    if p.value == q.value:
        row, column = min((p.row, p.column), (q.row, q.column))
        return Extreme(p.value, row, column, p.cells + q.cells)
    if math.isnan(p.value):
        return q
    return q if sign * q.value < sign * p.value else p


def _described(grid: Grid, lowest: Extreme, highest: Extreme) -> dict[str, float | int]:
    """Extremes as attributes of a variable; none where it is nan everywhere."""
    return {
        name + suffix: value
        for name, extreme in (("lowest", lowest), ("highest", highest))
        if not math.isnan(extreme.value)
        for suffix, value in (
            ("", extreme.value),
            ("_a", float(grid.a[extreme.row])),
            ("_b", float(grid.b[extreme.column])),
            ("_cells", extreme.cells),
        )
    }


def thinned(dataset: xr.Dataset, most: int = VIEW) -> xr.Dataset:
    """A landscape at a few of its slopes and intercepts, both ends of each included, in memory.

    Args:
        dataset: has the dimensions a and b; a store is read chunk by chunk.
        most: largest number of points left on an axis, at least 2.
    """
    kept = {
        axis: np.unique(np.round(np.linspace(0, size - 1, most)).astype(np.int64))
        for axis, size in dataset.sizes.items()
        if axis in ("a", "b") and size > most
    }
    return dataset.isel(kept).load()
