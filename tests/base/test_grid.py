import numpy as np
import pytest

from sweep.base.errors import InputError
from sweep.base.grid import Grid


def test_a_grid_beyond_memory_says_how_much_it_would_take():
    grid = Grid(np.zeros(40_000), np.zeros(25_000))
    assert (grid.shape, grid.cells) == ((40_000, 25_000), 10**9)
    with pytest.raises(InputError, match=r"40000 x 25000 = 1e\+09 cells would take 22\.4 GiB"):
        grid.require_room(3)
    Grid(np.zeros(10_000), np.zeros(10_000)).require_room(3)
