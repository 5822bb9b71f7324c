"""Landscapes larger than memory: written to a Zarr store tile by tile, and thinned for figures.

A `Prepared` computes the tiles, `sweep.base.storage` writes them, each as one chunk of the store.
The lowest and highest values are found on the way, so that nobody has to read the store for them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Shaped

from sweep.base import storage
from sweep.base.grid import Grid
from sweep.base.progress import bar
from sweep.landscapes.direct import squarest, tiles
from sweep.landscapes.prepared import Prepared
from sweep.landscapes.stack import evenly_spaced

EDGE = 1000  # cells along the edge of a tile, which is a chunk of the store; fewer in little memory
WORK = 64  # bytes of working memory for a cell of a tile, beside its values
COPIES = 4  # copies of a tile in memory: computed, waiting, encoded and compressed
VIEW = 400  # most points on an axis of a figure


class Extreme(NamedTuple):
    """The lowest or highest value of a variable."""

    value: float  # in the unit of the variable
    row: int  # row of the first cell, row by row, with that value
    column: int  # column of that cell
    cells: int  # number of cells with that value


def landscape(
    prepared: Prepared,
    out: str | os.PathLike[str],
    budget: int,
    progress: bool | None,
    *,
    force: bool = False,
    attributes: Mapping[str, Any] = MappingProxyType({}),
) -> xr.Dataset:
    """Computes a landscape into a Zarr store; `attributes` are added to those of `prepared`."""
    chunks = tile_shape(prepared.grid, len(prepared.names), budget)
    variables = {
        name: storage.StoredVariable(
            ("a", "b"), prepared.grid.shape, chunks, attributes, prepared.dtypes[name]
        )
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
        for rows, columns in tiles(prepared.grid.shape, chunks):
            tile = prepared.compute(rows, columns)
            store.write((rows.start // chunks[0], columns.start // chunks[1]), tile.values)
            for name, values in tile.values.items():
                here = extremes(values, rows.start, columns.start)
                ends[name] = joined(ends[name], here) if name in ends else here
            observed_error = max(observed_error, tile.observed_error)
            step((rows.stop - rows.start) * (columns.stop - columns.start))
        store.wait()
        recorded = {name: described(prepared.grid, *both) for name, both in ends.items()}
        store.describe(prepared.final_attributes(observed_error) | {**attributes}, recorded)
    return xr.open_zarr(out, chunks=None)[list(prepared.names)]


def tile_shape(grid: Grid, variables: int, budget: int) -> tuple[int, int]:
    """Rows and columns of tiles that take at most a third of the budget."""
    cells = min(EDGE**2, max(1, budget // 3 // (8 * COPIES * variables + WORK)))
    return squarest(grid.shape, cells)


def extremes(
    values: Shaped[np.ndarray, "k m"], row: int = 0, column: int = 0
) -> tuple[Extreme, Extreme]:
    """The lowest and highest value of a tile that begins in that row and column; nan is ignored."""
    lowest, highest = (
        _extreme(values, end.reduce(values, axis=None), row, column) for end in (np.fmin, np.fmax)
    )
    return lowest, highest


def _extreme(values: Shaped[np.ndarray, "k m"], value: Any, row: int, column: int) -> Extreme:
    """Where a value of a tile is; nan is nowhere."""
    here = values == value
    i, j = divmod(int(np.argmax(here)), values.shape[1])
    return Extreme(value.item(), row + i, column + j, int(np.count_nonzero(here)))


def joined(p: tuple[Extreme, Extreme], q: tuple[Extreme, Extreme]) -> tuple[Extreme, Extreme]:
    """The extremes of two tiles together; of equal ones the first, with all cells."""

    def more_extreme(end: np.ufunc, p: Extreme, q: Extreme) -> Extreme:
        if p.value == q.value:
            first = min(p, q, key=lambda extreme: (extreme.row, extreme.column))
            return first._replace(cells=p.cells + q.cells)
        return p if end(p.value, q.value) == p.value else q

    return more_extreme(np.fmin, p[0], q[0]), more_extreme(np.fmax, p[1], q[1])


def described(grid: Grid, lowest: Extreme, highest: Extreme) -> dict[str, float | int]:
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
    """At most `most` slopes and intercepts of a landscape, with both ends of each, in memory."""
    kept = {
        axis: evenly_spaced(range(size), most)
        for axis, size in dataset.sizes.items()
        if axis in ("a", "b") and size > most
    }
    return dataset.isel(kept).load()
