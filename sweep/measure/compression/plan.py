"""Plan: how a grid will be evaluated on compressed data, and how wrong that can be.

A plan is made before the data are touched, from the grid, the range of x, the losses and the
tolerance alone.

**Which nodes serve which slopes.** A loss of z = a*x + b is curved only near z = 0; from |z| equal
to `far` on it is straight to within the tolerance. So at slope a only x with |a x| < max|b| + far
need nodes; of all other x the mass and the mean suffice. The windows |x| < R, 2R, 4R, ... of the
lattice hold all of x in the end, and a slope takes the largest one with |a| R <= `reach`, twice
what is near. In the logit all windows look alike: panels of one half-width, with as many nodes.

**What can be wrong** is added up in `Plan.bound`: interpolation in the bins, in the panels and from
the core to the grid (`sweep.metrics.chebyshev`), the straight lines far out, and rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.rounding import UNIT
from sweep.measure.compression.lattice import CHUNK, MOMENTS, Lattice
from sweep.metrics import chebyshev
from sweep.metrics.metrics import Loss
from sweep.metrics.profile import Profile, profile

SHARE = 1 / 16
"""Part of the tolerance that each kind of interpolation error may take."""

PANEL = 4.0
"""Half-width of a panel in the logit: wider ones need more nodes each, narrower ones are more."""

WIDEST = 8.0
"""Half-width up to which the panels of a deposit that was made for another grid are used."""

MOST_BITS = 30
"""Bits of a bin's number within an octave from which on bins are as fine as rounding."""

LARGEST = 1e100
"""Slopes, intercepts, positions and logits up to which nothing overflows on the way."""

LOWEST = -400
"""Exponent of 2 below which all x count as one: times LARGEST they are still nothing."""

SMALLEST = 2.0**-60
"""Logit below which all logits count as one."""


class CompressionError(InputError):
    """The compressed method cannot do what was asked for; the direct method can."""


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Points at which a function on part of an axis is evaluated so as to have it on all of it.

    Attributes:
        points: the axis' own points or, if they are fewer, Chebyshev points, shape (r,).
        t: where the axis' own points lie in [-1, 1], shape (k,); None if `points` are these.
        error: bound on the interpolation error.
        lebesgue: what interpolation multiplies errors by at most.
    """

    points: Float[np.ndarray, " r"]
    t: Float[np.ndarray, " k"] | None = None
    error: float = 0.0
    lebesgue: float = 1.0

    def __len__(self) -> int:
        return len(self.points if self.t is None else self.t)

    @property
    def rounding(self) -> float:
        """Roundings that interpolation adds, in units of the largest value."""
        return 0.0 if self.t is None else (len(self.points) + 8) * UNIT

    def matrix(self, part: slice | Int[np.ndarray, " k"]) -> Float[np.ndarray, "k r"] | None:
        """Turns values at `points` into values on a part of the axis; None if they are those."""
        return None if self.t is None else chebyshev.matrix(self.t[part], len(self.points))


@dataclass(frozen=True, eq=False)
class Group:
    """Slopes that share a window.

    Attributes:
        level: number of the window, from 1.
        rows: which slopes of the grid, shape (k,).
        slopes: where these are sampled.
    """

    level: int
    rows: Int[np.ndarray, " k"]
    slopes: Interpolation


@dataclass(frozen=True, eq=False)
class Plan:
    """How to evaluate losses over a grid on data of a known range.

    Attributes:
        grid: the cells.
        profiles: what is known of the losses.
        tolerance: largest error, as a multiple of max(1, value).
        lattice: where the data are to be deposited.
        nodes: Chebyshev nodes in each panel.
        reach: |a x| up to which there are nodes.
        far: |z| from which on losses are straight lines; inf where no x is beyond the nodes.
        levels: number of the smallest window that holds all of x.
        groups: the slopes by window.
        intercepts: where intercepts are sampled.
    """

    grid: Grid
    profiles: tuple[Profile, ...]
    tolerance: float
    lattice: Lattice
    nodes: int
    reach: float
    far: float
    levels: int
    groups: tuple[Group, ...]
    intercepts: Interpolation

    @property
    def half(self) -> float:
        """Half-width of a panel in the logit at the steepest slope of its window."""
        return _half(self.lattice, self.reach)

    @property
    def gain(self) -> float:
        """What the weights of nodes sum to at most, without sign, for each unit of mass."""
        return chebyshev.lebesgue(MOMENTS) * chebyshev.lebesgue(self.nodes)

    @cached_property
    def evaluations(self) -> int:
        """Evaluations of each loss at most."""
        window = 4 << (self.lattice.bits - self.lattice.group)
        nodes = self.nodes * min(window, self.lattice.panels)
        slopes = sum(len(group.slopes.points) for group in self.groups)
        return slopes * len(self.intercepts.points) * nodes

    def bound(self, chunks: int, counted: bool, gain: float = 0.0) -> float:
        """Bound on |error| / max(1, value) in every cell, the value as defined on real numbers.

        Args:
            chunks: in how many chunks the data are summed.
            counted: whether masses are counts, whose sums are exact.
            gain: what the weights of nodes do sum to, if that turns out to be more than `gain`.
        """
        gain = max(gain, self.gain)
        return self._interpolation(gain) + self._rounding(chunks, counted, gain)

    def _interpolation(self, gain: float) -> float:
        """Errors that would be there without rounding."""
        bins = max(_bin_error(p, self._bin_half) for p in self.profiles)
        panels = max(chebyshev.error(p, self.half, self.nodes) for p in self.profiles)
        tails = 0.0 if math.isinf(self.far) else 2 * self.tolerance * SHARE
        core = max(
            group.slopes.error + group.slopes.lebesgue * self.intercepts.error
            for group in self.groups
        )
        # Panels merge into panels of half the slope each time: their errors sum to less than twice.
        return bins + 2 * chebyshev.lebesgue(MOMENTS) * panels + tails + gain * core

    def _rounding(self, chunks: int, counted: bool, gain: float) -> float:
        """Errors of float64, each as a multiple of max(1, value).

        A node stands for points within a panel of it, so that its loss is at most theirs plus what
        the loss climbs over a panel. Rounding z costs |z loss'(z)| <= loss + `bend` a time.
        """
        climb = max(p.lipschitz for p in self.profiles)
        nearby = 1 + 2 * climb * self.half
        bend = max(p.bend for p in self.profiles)
        bins = (MOMENTS << self.lattice.group) + 2 * self.nodes * self.levels + 8
        window = self.nodes * (4 << (self.lattice.bits - self.lattice.group))
        sums = (bins + min(window, self.lattice.panels * self.nodes) + 16) * UNIT * gain * nearby
        z = 6 * UNIT * gain * (1 + bend + climb * self.reach)
        deposited = (0 if counted else nearby) + MOMENTS * climb * self._bin_half
        moments = (CHUNK + chunks) * UNIT * deposited
        largest = max(p.largest(self.reach + self._steepest_intercept) for p in self.profiles)
        core = max(
            (group.slopes.rounding + self.intercepts.rounding)
            * group.slopes.lebesgue
            * self.intercepts.lebesgue
            for group in self.groups
        )
        tails = 0.0
        if not math.isinf(self.far):
            tails = 64 * UNIT * (1 + 2 * self._steepest_intercept / self.far)
        return sums + z + moments + largest * core + tails

    @property
    def _steepest_intercept(self) -> float:
        return float(np.max(np.abs(self.grid.b)))

    @property
    def _bin_half(self) -> float:
        return self.reach / 2 ** (self.lattice.bits + 2)


def plan(
    grid: Grid,
    ends: tuple[float, float],
    losses: Sequence[Loss],
    tolerance: float,
    most_bins: int,
    lattice: Lattice | None = None,
) -> Plan:
    """The plan for some losses over a grid.

    Args:
        grid: the cells.
        ends: (lowest, highest) x of the data.
        losses: the losses of the logit.
        tolerance: largest error, as a multiple of max(1, value).
        most_bins: bins that a lattice may have.
        lattice: one that the data have been deposited on already; by default the coarsest that
            will do.

    Raises:
        CompressionError: numbers too large, a lattice too fine, or one given that is too coarse.
    """
    task = _task(grid, ends, losses, tolerance)
    if lattice is None:
        lattice = _lattice(ends, task)
    if lattice.bins > most_bins:
        raise CompressionError(
            f"the data spread over {lattice.bins} bins, for which there is room for {most_bins}"
        )
    window = lattice.bits + 1 + lattice.exponent  # the smallest window is |x| < 2^window
    levels = max(1, task.top - window + 1)
    whole = max(math.ldexp(task.steepest, window + levels - 1), SMALLEST)
    # The steepest slope needs a window, also where the smallest one is wider than what is near.
    reach = max(min(whole, task.near), math.ldexp(task.steepest, window))
    _require_fine(lattice, reach, task, window)
    share = task.share / (2 * chebyshev.lebesgue(MOMENTS))
    nodes = max(chebyshev.count(p, _half(lattice, reach), share) for p in task.profiles)
    sampling = _sampling(task, reach, nodes)
    groups = tuple(
        Group(level, rows, sampling.of(grid.a[rows], _outermost(lattice, task.size, level)))
        for level, rows in _levels(grid.a, reach, window, levels)
    )
    return Plan(
        grid,
        task.profiles,
        tolerance,
        lattice,
        nodes,
        reach,
        task.far if whole > reach else math.inf,
        levels,
        groups,
        sampling.of(grid.b, 1.0),
    )


@dataclass(frozen=True)
class _Task:
    """What a plan must be good for.

    Attributes:
        profiles: what is known of the losses.
        share: what each kind of interpolation error may be.
        steepest: largest |a|.
        intercept: largest |b|.
        size: largest |x|, which is below 2^top.
        far: |z| from which on the losses are straight.
        bin_half: half-width of the widest bins that will do, in the logit.
    """

    profiles: tuple[Profile, ...]
    share: float
    steepest: float
    intercept: float
    size: float
    far: float
    bin_half: float

    @property
    def top(self) -> int:
        """Exponent of 2 above all |x|."""
        return max(math.frexp(self.size)[1], LOWEST)

    @property
    def near(self) -> float:
        """|a x| that a window takes where not all of x is near."""
        return 2 * (self.intercept + self.far)


def _task(grid: Grid, ends: tuple[float, float], losses: Sequence[Loss], tolerance: float) -> _Task:
    """The task, unless its numbers are too large or its tolerance too fine."""
    steepest, intercept = float(np.max(np.abs(grid.a))), float(np.max(np.abs(grid.b)))
    size = max(abs(end) for end in ends)
    if max(steepest, intercept, size) > LARGEST:
        raise CompressionError(f"numbers beyond {LARGEST:g} cannot be compressed")
    profiles = tuple(profile(loss) for loss in losses)
    share = min(tolerance, 1.0) * SHARE
    far = max(p.far(share) for p in profiles)
    if math.isinf(far):
        raise CompressionError(f"tolerance {tolerance:g} is finer than a compression can be")
    bin_half = min(_finest_bin(p, share) for p in profiles)
    return _Task(profiles, share, steepest, intercept, size, far, bin_half)


def _sampling(task: _Task, reach: float, nodes: int) -> _Sampling:
    """What sampling an axis may cost where panels have so many nodes."""
    gain = chebyshev.lebesgue(MOMENTS) * chebyshev.lebesgue(nodes)
    largest = max(p.largest(reach + task.intercept) for p in task.profiles)
    return _Sampling(task.profiles, task.share / gain / 4, task.share / largest)


@dataclass(frozen=True)
class _Sampling:
    """When Chebyshev points stand in for an axis: where they are fewer and harmless."""

    profiles: tuple[Profile, ...]
    tolerance: float
    rounding: float

    def of(self, axis: Float[np.ndarray, " k"], size: float) -> Interpolation:
        """Samples of an axis; `size` is the largest factor that its values meet in the logit."""
        low, high = float(np.min(axis)), float(np.max(axis))
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        logit = half * size
        p = max(chebyshev.count(profile, logit, self.tolerance) for profile in self.profiles)
        lebesgue = chebyshev.lebesgue(p)
        if p >= len(axis) or (p + 8) * UNIT * lebesgue**2 > self.rounding:
            return Interpolation(axis)
        t = np.clip((axis - middle) / half, -1, 1) if half > 0 else np.zeros(len(axis))
        error = max(chebyshev.error(profile, logit, p) for profile in self.profiles)
        points = middle + half * chebyshev.points(p)
        return Interpolation(points, t, error, lebesgue)


def _lattice(ends: tuple[float, float], task: _Task) -> Lattice:
    """The coarsest lattice that will do; its first window holds all of x if all is near."""
    whole = max(math.ldexp(task.steepest, task.top), SMALLEST)
    reach = min(whole, task.near)
    window = task.top if whole <= task.near else math.frexp(reach / task.steepest)[1] - 1
    group_bits = max(0, math.ceil(math.log2(reach / PANEL)) - 2)
    bits = max(group_bits, math.ceil(math.log2(reach / task.bin_half)) - 2)
    if bits > MOST_BITS:
        raise CompressionError(
            f"logits reach {reach:.3g} near the cuts, which takes bins as fine as rounding"
        )
    return Lattice.over(*ends, window - bits - 1, bits, bits - group_bits)


def _require_fine(lattice: Lattice, reach: float, task: _Task, window: int) -> None:
    """Refuses a lattice that is too coarse for what is asked of it."""
    fits = math.ldexp(task.steepest, window) <= reach * (1 + 4 * UNIT)
    fine = reach / 2 ** (lattice.bits + 2) <= task.bin_half
    if not fits or not fine or _half(lattice, reach) > WIDEST:
        raise CompressionError("the data were compressed for smaller slopes or a larger tolerance")


def _levels(
    slopes: Float[np.ndarray, " P"], reach: float, window: int, levels: int
) -> Iterator[tuple[int, Int[np.ndarray, " k"]]]:
    """Slopes by the largest window that they may take, those with far x by sign, too."""
    left = np.arange(len(slopes))
    for level in range(levels, 0, -1):
        within = np.abs(slopes[left]) * math.ldexp(1.0, window + level - 1) <= reach * (
            1 + 4 * UNIT
        )
        rows, left = left[within], left[~within]
        parts = [rows] if level == levels else [rows[slopes[rows] > 0], rows[slopes[rows] < 0]]
        yield from ((level, part) for part in parts if len(part))


def _finest_bin(profile: Profile, share: float) -> float:
    """Half-width of bins, in the logit, at which `_bin_error` is the share."""
    return (share / _bin_error(profile, 1.0)) ** (1 / MOMENTS)


def _bin_error(profile: Profile, half: float) -> float:
    """Error of interpolation at MOMENTS Chebyshev points of a bin: the classical remainder."""
    steepest = profile.derivatives[MOMENTS]
    return steepest * half**MOMENTS / (math.factorial(MOMENTS) * 2 ** (MOMENTS - 1))


def _outermost(lattice: Lattice, size: float, level: int) -> float:
    """Largest |x| of a node where |x| of the data is at most `size`: the end of its panel."""
    width = math.ldexp(1.0, lattice.exponent + lattice.group + level - 1)
    window = math.ldexp(1.0, lattice.exponent + lattice.bits + level)
    return min(window, width * (size // width + 1))


def _half(lattice: Lattice, reach: float) -> float:
    """Half-width of a panel in the logit where |a x| is at most reach in a window."""
    return reach / (4 << (lattice.bits - lattice.group))
