"""Landscapes larger than memory: written tile by tile, and looked at thinned out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from sweep.base import storage
from sweep.base.grid import Grid
from sweep.base.progress import bar

if TYPE_CHECKING:
    import xarray as xr

    from sweep.landscapes.prepared import Prepared

EDGE = 1000
"""Cells along the edge of a tile, which is a chunk of the store, unless memory is short."""

WORK = 64
"""Bytes of working memory for a cell of a tile, beside its values."""

COPIES = 4
"""Times that values of a tile are in memory: computed, waiting, encoded and compressed."""

VIEW = 400
"""Most points on an axis of what is drawn."""


class Extreme(NamedTuple):
    """The lowest or highest value of a variable.

    Attributes:
        value: in the unit of the variable.
        row: of the first cell, row by row, that has it.
        column: of that cell.
        cells: how many have it.
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
    """A landscape as a Zarr store, opened.

    Args:
        prepared: the landscape.
        out: where the store is written.
        budget: bytes that may be used.
        progress: whether to show a bar; None where stderr is a terminal.
        force: overwrites what is there.
        attributes: that it gets beside its own.

    Raises:
        InputError: the store cannot be written, or a metric cannot be computed.
    """
    import xarray as xr

    chunks = tile_shape(prepared.grid, len(prepared.names), budget)
    variables = {
        name: storage.StoredVariable(("a", "b"), prepared.dtypes[name], chunks, attributes)
        for name, attributes in prepared.variables.items()
    }
    ends: dict[str, tuple[Extreme, Extreme]] = {}
    seen = 0.0
    with (
        storage.growing(
            out, xr.Dataset(coords=prepared.coordinates), variables, force=force
        ) as written,
        bar("landscape", prepared.grid.cells, "cells", progress) as step,
    ):
        for rows, columns in tiles(prepared.grid, chunks):
            part = prepared.part(rows, columns)
            written.write((rows.start // chunks[0], columns.start // chunks[1]), part.values)
            for name, values in part.values.items():
                found = extremes(values, rows.start, columns.start)
                ends[name] = joined(ends[name], found) if name in ends else found
            seen = max(seen, part.observed_error)
            step((rows.stop - rows.start) * (columns.stop - columns.start))
        written.wait()
        described = {name: _described(prepared.grid, *found) for name, found in ends.items()}
        written.describe(prepared.history(seen) | {**attributes}, described)
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
    """The lowest and highest value of a tile, nan left out, which begins in that row and column."""
    found = []
    for least, place in ((np.nanmin, np.argmin), (np.nanmax, np.argmax)):
        at = int(place(values))
        if np.isnan(values.flat[at]) and not np.isnan(values).all():
            at = int(np.argmax(values == least(values)))
        value = values.flat[at]
        i, j = divmod(at, values.shape[1])
        cells = int(np.count_nonzero(values == value))
        found.append(Extreme(value.item(), row + i, column + j, cells))
    return found[0], found[1]


def joined(one: tuple[Extreme, Extreme], other: tuple[Extreme, Extreme]) -> tuple[Extreme, Extreme]:
    """The lowest and highest value of two parts together."""
    lowest, highest = (
        _first(sign, *both)
        for sign, both in zip((1, -1), zip(one, other, strict=True), strict=True)
    )
    return lowest, highest


def _first(sign: int, one: Extreme, other: Extreme) -> Extreme:
    """The lower of two, the higher for a sign of -1; of equal ones the first, with all cells."""
    if one.value == other.value:
        row, column = min((one.row, one.column), (other.row, other.column))
        return Extreme(one.value, row, column, one.cells + other.cells)
    if math.isnan(one.value):
        return other
    return other if sign * other.value < sign * one.value else one


def _described(grid: Grid, lowest: Extreme, highest: Extreme) -> dict[str, float | int]:
    """Extremes as attributes of a variable; none where it is nan everywhere."""
    return {
        name + suffix: value
        for name, end in (("lowest", lowest), ("highest", highest))
        if not math.isnan(end.value)
        for suffix, value in (
            ("", end.value),
            ("_a", float(grid.a[end.row])),
            ("_b", float(grid.b[end.column])),
            ("_cells", end.cells),
        )
    }


def thinned(dataset: xr.Dataset, most: int = VIEW) -> xr.Dataset:
    """A landscape at a few of its slopes and intercepts, both ends of each among them, in memory.

    Args:
        dataset: with dimensions a and b; what is on disk is read chunk by chunk.
        most: points to be left on an axis at most, at least 2.
    """
    places = {
        axis: np.unique(np.round(np.linspace(0, size - 1, most)).astype(np.int64))
        for axis, size in dataset.sizes.items()
        if axis in ("a", "b") and size > most
    }
    return dataset.isel(places).load()
