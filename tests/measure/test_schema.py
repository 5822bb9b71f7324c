"""Schemas: what they refuse before any data are read."""

import numpy as np
import pytest

from sweep import InputError
from sweep.base.grid import Grid
from sweep.base.ranges import axis
from sweep.measure.sketch.schema import MOST_CELLS, Schema
from tests.support.sketches import GRID, sample, sketch_of


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": Grid(axis("-8:8:16"), axis("-5:5:11"))}, "their axes a differ"),
        ({"grid": Grid(axis("-8:8:17"), axis("-5:6:11"))}, "their axes b differ"),
        ({"tolerance": 1e-6}, "their tolerances are"),
        ({"metrics": ("brier",)}, "their metrics are"),
        ({"ends": (-100.0, 100.0)}, "their ranges of x are"),
    ],
)
def test_sketches_of_other_schemas_do_not_merge(order, change, message):
    schema = {"grid": GRID, "ends": (-10.0, 10.0), "tolerance": 1e-9}
    pair = [
        sketch_of(sample("normal", seed=k), schema=Schema.of(**(schema | other)))
        for k, other in enumerate(({}, change))
    ]
    with pytest.raises(InputError, match=f"cannot be merged: {message}"):
        pair[order[0]].merge(pair[order[1]])


@pytest.mark.parametrize(
    ("ends", "message"),
    [((1.0, 0.0), "is 1 to 0"), ((0.0, np.inf), "is 0 to inf"), ((np.nan, 1.0), "is nan to 1")],
)
def test_a_range_is_two_numbers(ends, message):
    with pytest.raises(InputError, match=f"the range of x {message}"):
        Schema.of(GRID, ends)


def test_a_grid_with_too_many_cuts_is_refused():
    side = round(MOST_CELLS**0.5) + 1
    grid = Grid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    with pytest.raises(InputError, match="is too large for a sketch"):
        Schema.of(grid, (0.0, 1.0))
