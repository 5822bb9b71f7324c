"""Schema: what a sketch is made for, and so what it can answer, before any data are read.

The range of x and the largest slope decide how fine the bins are in which moments are summed. The
grid decides at which cuts points are counted.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.base.grid import Grid
from sweep.measure.compression.lattice import Lattice
from sweep.measure.compression.plan import CompressionError, plan
from sweep.measure.cuts import edges
from sweep.metrics.metrics import Loss, metric
from sweep.metrics.metrics import losses as losses_of

MOST_CELLS = 2**24  # cells of a grid; each adds a count for both classes, 512 MiB in all
MOST_BINS = 2**19  # bins of a lattice: 32 MiB of moments for both classes
UNIFORM = 2**17  # bins up to which all have one width, so that every intercept can be answered
CELLS_AT_ONCE = 2**18  # cells whose cuts are computed together


@dataclass(frozen=True, eq=False)
class Schema:
    """What a sketch is made for; sketches of equal schemas can be merged."""

    grid: Grid  # the cells in which counting metrics are exact
    ends: tuple[float, float]  # (lowest, highest) possible x
    metrics: tuple[str, ...]  # names of the requested metrics
    tolerance: float  # largest error of the smooth ones, as a multiple of max(1, value)
    lattice: Lattice  # the bins

    @classmethod
    def of(
        cls,
        grid: Grid,
        ends: tuple[float, float],
        metrics: Sequence[str] = ("cross_entropy", "accuracy"),
        tolerance: float = 1e-9,
    ) -> Schema:
        """The schema with the coarsest lattice that is fine enough, or an InputError.

        Smooth metrics, cross-entropy always among them, will be known up to the largest |a|.
        """
        low, high = map(float, ends)
        if not -math.inf < low <= high < math.inf:
            raise InputError(
                f"the range of x is {low:g} to {high:g}; give two finite numbers, the lower first"
            )
        if grid.cells > MOST_CELLS:
            raise InputError(
                f"a grid of {len(grid.a)} x {len(grid.b)} cells is too large for a sketch, which "
                f"counts at the cut of each cell; give at most {MOST_CELLS} cells"
            )
        names = tuple(metric(name).name for name in metrics)
        losses = losses_of(map(metric, ("cross_entropy", *names)))
        try:
            lattice = _lattice(grid, (low, high), losses, tolerance)
            _require_attainable(grid, (high - low) / 2, losses, tolerance)
        except CompressionError as error:
            raise InputError(
                f"{error}; give a larger tolerance, smaller slopes or a narrower range of x"
            ) from None
        return cls(grid, (low, high), names, tolerance, lattice)

    @property
    def slope(self) -> float:
        """Largest |a| at which smooth metrics are known."""
        return float(np.max(np.abs(self.grid.a)))

    @property
    def intercept(self) -> float:
        """Largest |b| at which smooth metrics are known; inf if all bins have one width."""
        uniform = math.ldexp(1.0, self.lattice.exponent + self.lattice.bits + 1)
        if max(map(abs, self.ends)) <= uniform:
            return math.inf
        return float(np.max(np.abs(self.grid.b)))

    @cached_property
    def edges(self) -> Float[np.ndarray, " k"]:
        """Where points are counted: at the cuts of the grid and the ends of bins, ascending."""
        return np.unique(np.concatenate([self.lattice.edges, *cut_edges(self.grid)])) + 0.0  # no -0

    def difference(self, other: Schema) -> str | None:
        """The first difference of two schemas in words; None if they are equal."""
        if not np.array_equal(self.grid.a, other.grid.a):
            return "their axes a differ"
        if not np.array_equal(self.grid.b, other.grid.b):
            return "their axes b differ"
        pairs = {
            "tolerances": (self.tolerance, other.tolerance),
            "ranges of x": (self.ends, other.ends),
            "metrics": (self.metrics, other.metrics),
        }
        for name, (first, second) in pairs.items():
            if first != second:
                return f"their {name} are {_as_option(first)} and {_as_option(second)}"
        return "their bins differ" if self.lattice != other.lattice else None


def _as_option(value: float | tuple[float | str, ...]) -> str:
    """A value of a schema as the command line takes it: 1e-9, -8:8, 'brier accuracy'."""
    if not isinstance(value, tuple):
        return short(value)
    numbers = [short(number) for number in value if isinstance(number, float)]
    return ":".join(numbers) if numbers else repr(" ".join(map(str, value)))


def round_outward(ends: tuple[float, float]) -> tuple[float, float]:
    """The range of some data, rounded outward so that other parts of the data get the same range.

    It is the smallest power of two that is at least all |x|, on each side of 0 that has data; if x
    is far from 0 compared with the width of its range, multiples of a power of two of that width.
    """
    low, high = ends
    size, width = max(abs(low), abs(high)), high - low
    if size == 0:
        return 0.0, 0.0
    if 4 * width >= size:
        limit = _power_of_two_above(size)
        return -limit if low < 0 else 0.0, limit if high > 0 else 0.0
    grain = max(_power_of_two_above(width) if width > 0 else 0.0, math.ulp(size))
    return grain * math.floor(low / grain), grain * math.ceil(high / grain)


def _power_of_two_above(size: float) -> float:
    """The smallest power of two that is at least this size, or else the largest float."""
    fraction, exponent = math.frexp(size)
    exponent -= fraction == 0.5
    return math.ldexp(1.0, exponent) if exponent < sys.float_info.max_exp else sys.float_info.max


def _require_attainable(
    grid: Grid, half_width_x: float, losses: Sequence[Loss], tolerance: float
) -> None:
    """Refuses, before data are read, a tolerance that no data in a range of this width can keep.

    Far from 0 the cuts of the grid may all lie outside the range while the optimum lies inside, so
    the range is centred at 0.
    """
    ends = -half_width_x, half_width_x
    lattice = _lattice(grid, ends, losses, tolerance)
    bound = plan(grid, ends, losses, tolerance, MOST_BINS, lattice).bound(0, counted=True)
    if bound > tolerance:
        raise CompressionError(
            f"tolerance {tolerance:g} cannot be promised of a sketch: the error may reach "
            f"{bound:.1e}"
        )


def _lattice(
    grid: Grid, ends: tuple[float, float], losses: Sequence[Loss], tolerance: float
) -> Lattice:
    """Bins of one width if that needs at most UNIFORM bins, else wider bins far from 0."""
    # With an intercept as large as the largest |a x|, every x is near some cut, so the lattice is
    # uniform over all x.
    furthest = math.ldexp(float(np.max(np.abs(grid.a))), math.frexp(max(map(abs, ends)))[1])
    with_all_cuts = Grid(grid.a, np.append(grid.b, furthest))
    try:
        return plan(with_all_cuts, ends, losses, tolerance, UNIFORM).lattice
    except CompressionError:
        return plan(grid, ends, losses, tolerance, MOST_BINS).lattice


def cut_edges(grid: Grid) -> Iterator[Float[np.ndarray, " k"]]:
    """The finite edges at the cuts of a grid, ascending, in blocks of rows of the grid."""
    rows = max(1, CELLS_AT_ONCE // len(grid.b))
    for start in range(0, len(grid.a), rows):
        block, _ = edges(grid.a[start : start + rows, None], grid.b[None, :])
        yield np.unique(block[np.isfinite(block)])
