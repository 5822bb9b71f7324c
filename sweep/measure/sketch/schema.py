"""Terms: what a sketch is made for, and so where it knows what, before any data are read.

The range of x and the largest slope decide how fine the bins are that moments are summed in; the
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
from sweep.metrics.metrics import Loss, Smooth, metric

MOST_CELLS = 2**24
"""Cells of a grid, at the cut of each of which there is a count."""

MOST_BINS = 2**19
"""Bins of a lattice."""

UNIFORM = 2**17
"""Bins up to which all are of one width, so that no intercept is too large."""

CELLS_AT_ONCE = 2**18
"""Cells whose cuts are found together."""


@dataclass(frozen=True, eq=False)
class Schema:
    """What a sketch is made for; sketches of the same terms can be merged.

    Attributes:
        grid: the cells in which counting metrics will be exact.
        ends: (lowest, highest) x that there may be.
        metrics: names of the metrics that were asked for.
        tolerance: largest error of the smooth ones, as a multiple of max(1, value).
        lattice: the bins.
    """

    grid: Grid
    ends: tuple[float, float]
    metrics: tuple[str, ...]
    tolerance: float
    lattice: Lattice

    @classmethod
    def of(
        cls,
        grid: Grid,
        ends: tuple[float, float],
        metrics: Sequence[str] = ("cross_entropy", "accuracy"),
        tolerance: float = 1e-9,
    ) -> Schema:
        """Terms with the coarsest lattice that will do.

        Args:
            grid: the cells in which counting metrics are to be exact; its largest |a| is that for
                which smooth ones are to be known.
            ends: (lowest, highest) x.
            metrics: names; cross-entropy is always among what will be known.
            tolerance: largest error of smooth metrics, as a multiple of max(1, value).

        Raises:
            InputError: the range is none, the grid has too many cells, a metric is unknown, or the
                tolerance cannot be kept.
        """
        low, high = map(float, ends)
        if not -math.inf < low <= high < math.inf:
            raise InputError(
                f"the range of x is {low:g} to {high:g}; two finite numbers are needed"
            )
        if grid.cells > MOST_CELLS:
            raise InputError(
                f"a grid of {len(grid.a)} x {len(grid.b)} cells is too large for a sketch, which "
                f"counts at the cut of each: at most {MOST_CELLS} are possible; ask for fewer"
            )
        names = tuple(metric(name).name for name in metrics)
        asked = _losses(("cross_entropy", *names))
        try:
            lattice = _lattice(grid, (low, high), asked, tolerance)
            _require_promise(grid, (high - low) / 2, asked, tolerance)
        except CompressionError as error:
            raise InputError(
                f"{error}; ask for a larger tolerance, smaller slopes or a narrower range of x"
            ) from None
        return cls(grid, (low, high), names, tolerance, lattice)

    @property
    def slope(self) -> float:
        """Largest |a| for which smooth metrics are known."""
        return float(np.max(np.abs(self.grid.a)))

    @property
    def intercept(self) -> float:
        """Largest |b| for which they are."""
        window = math.ldexp(1.0, self.lattice.exponent + self.lattice.bits + 1)
        if max(map(abs, self.ends)) <= window:
            return math.inf
        return float(np.max(np.abs(self.grid.b)))

    @cached_property
    def edges(self) -> Float[np.ndarray, " k"]:
        """Where the counts are: at the cuts of the grid and at the ends of bins, ascending."""
        found = [self.lattice.edges, *edges_of(self.grid)]
        return np.unique(np.concatenate(found)) + 0.0  # no -0.0

    def difference(self, other: Schema) -> str | None:
        """In what two terms differ, in words; None if they are the same."""
        if not np.array_equal(self.grid.a, other.grid.a):
            return "their axes a differ"
        if not np.array_equal(self.grid.b, other.grid.b):
            return "their axes b differ"
        pairs = {
            "tolerances": (self.tolerance, other.tolerance),
            "ranges of x": (self.ends, other.ends),
            "metrics": (self.metrics, other.metrics),
        }
        for what, (one, two) in pairs.items():
            if one != two:
                return f"their {what} are {_shown(one)} and {_shown(two)}"
        return "their bins differ" if self.lattice != other.lattice else None


def _shown(value: float | tuple[float | str, ...]) -> str:
    """What a term is, as it is asked for: 1e-9, -8:8, 'brier accuracy'."""
    if not isinstance(value, tuple):
        return short(value)
    numbers = [short(one) for one in value if isinstance(one, float)]
    return ":".join(numbers) if numbers else repr(" ".join(map(str, value)))


def outward(ends: tuple[float, float]) -> tuple[float, float]:
    """A range to make a sketch for: that of the data, rounded so that other parts of them agree.

    Args:
        ends: (lowest, highest) x of the data.

    Returns:
        The power of two that no |x| exceeds, on each side of 0 that data are on; where they are
        far from 0 for how much they spread, multiples of a power of two as large as the spread.
    """
    low, high = ends
    size, spread = max(abs(low), abs(high)), high - low
    if size == 0:
        return 0.0, 0.0
    if 4 * spread >= size:
        limit = _power_above(size)
        return -limit if low < 0 else 0.0, limit if high > 0 else 0.0
    grain = max(_power_above(spread) if spread > 0 else 0.0, math.ulp(size))
    return grain * math.floor(low / grain), grain * math.ceil(high / grain)


def _power_above(size: float) -> float:
    """The least power of two that is not less, or else the largest float."""
    fraction, exponent = math.frexp(size)
    exponent -= fraction == 0.5
    return math.ldexp(1.0, exponent) if exponent < sys.float_info.max_exp else sys.float_info.max


def _losses(metrics: Sequence[str]) -> list[Loss]:
    """The losses that smooth metrics among these need, each once."""
    smooth = [found for found in map(metric, metrics) if isinstance(found, Smooth)]
    return list(dict.fromkeys(part.loss for found in smooth for part in found.parts))


def _require_promise(grid: Grid, half: float, asked: Sequence[Loss], tolerance: float) -> None:
    """Refuses a tolerance that no data of this spread could keep, so that none are read for it.

    Far from 0 the grid may be out of reach, and the optimum not: so the range is taken about 0.
    """
    ends = -half, half
    lattice = _lattice(grid, ends, asked, tolerance)
    bound = plan(grid, ends, asked, tolerance, MOST_BINS, lattice).bound(0, counted=True)
    if bound > tolerance:
        raise CompressionError(
            f"tolerance {tolerance:g} cannot be promised of a sketch: the error may reach "
            f"{bound:.1e}"
        )


def _lattice(
    grid: Grid, ends: tuple[float, float], asked: Sequence[Loss], tolerance: float
) -> Lattice:
    """Bins of one width, unless they would be too many."""
    furthest = math.ldexp(
        float(np.max(np.abs(grid.a))), math.frexp(max(map(abs, ends)))[1]
    )  # with intercepts as large, no x is far from all cuts
    everywhere = Grid(grid.a, np.append(grid.b, furthest))
    try:
        return plan(everywhere, ends, asked, tolerance, UNIFORM).lattice
    except CompressionError:
        return plan(grid, ends, asked, tolerance, MOST_BINS).lattice


def edges_of(grid: Grid) -> Iterator[Float[np.ndarray, " k"]]:
    """The finite edges at the cuts of a grid, of some of its rows at a time, ascending."""
    rows = max(1, CELLS_AT_ONCE // len(grid.b))
    for start in range(0, len(grid.a), rows):
        part, _ = edges(grid.a[start : start + rows, None], grid.b[None, :])
        yield np.unique(part[np.isfinite(part)])
