"""Plan: how a grid will be evaluated on compressed data, and how large the error can be.

A plan needs the grid, the range of x, the losses and the tolerance, and none of the data.

**Which nodes serve which slopes.** A loss of z = a*x + b is curved only near z = 0; beyond some |z|
it is a straight line to within the tolerance. So at slope a only the x with |a x| < max|b| + that
|z| need nodes; of all other x the mass and the mean suffice. The windows |x| < R, 2R, 4R, ... of
the lattice hold all x in the end. A slope takes the largest window that stays within a fixed
half-width in the logit, |a| R. In the logit all windows look alike: panels of one half-width, each
with the same number of nodes.

**What can go wrong** is added up in `Plan.bound`: interpolation in the bins, in the panels and from
the core to the grid (`sweep.metrics.chebyshev`), the straight lines far out, and rounding.

Half-widths are in the logit, |a x| at the steepest slope that meets them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float, Int

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.intervals import UNIT
from sweep.measure.compression.lattice import CHUNK, MOMENTS, Lattice
from sweep.metrics import chebyshev
from sweep.metrics.metrics import Loss
from sweep.metrics.profile import Profile, profile

SHARE = 1 / 16  # of the tolerance, for each interpolation error: bins, panels, core; lines have two
PANEL = 4.0  # half-width of a panel: wider ones need more nodes each, narrower ones are more
WIDEST = 8.0  # half-width up to which panels of a deposit made for another grid are used
MOST_BITS = 30  # bits of a bin's number in an octave: with more, bins are as fine as rounding
LARGEST = 1e100  # slopes, intercepts, positions and logits up to which no product overflows
LOWEST = -400  # |x| < 2^-400 counts as 0: at the steepest slope, LARGEST, the logit is below 1e-20
SMALLEST = 2.0**-60  # logits below this count as one, which keeps quotients of them finite


class CompressionError(InputError):
    """The compressed method cannot meet the request; the direct method can."""


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Points of an axis at which a function is evaluated, to be interpolated to the whole axis."""

    points: Float[np.ndarray, " r"]  # the axis' own points or, if they are fewer, Chebyshev points
    t: Float[np.ndarray, " k"] | None = None  # where its own points lie in [-1, 1]; None if taken
    error: float = 0.0  # bound on the interpolation error
    lebesgue: float = 1.0  # factor by which interpolation multiplies errors at most

    @property
    def rounding(self) -> float:
        """Rounding error that interpolation adds, as a multiple of the largest value."""
        # A dot product of r terms, and 8 roundings of each barycentric weight.
        return 0.0 if self.t is None else (len(self.points) + 8) * UNIT

    def matrix(self, rows: slice | Int[np.ndarray, " k"]) -> Float[np.ndarray, "k r"] | None:
        """The matrix from values at `points` to some rows of the axis; None for the identity."""
        return None if self.t is None else chebyshev.matrix(self.t[rows], len(self.points))


@dataclass(frozen=True, eq=False)
class SlopeGroup:
    """Slopes that share a window."""

    level: int  # number of the window, from 1
    rows: Int[np.ndarray, " k"]  # which slopes of the grid, shape (k,)
    slopes: Interpolation  # where these are sampled


@dataclass(frozen=True, eq=False)
class Plan:
    """How to evaluate losses over a grid on data of a known range."""

    grid: Grid  # the cells
    profiles: tuple[Profile, ...]  # size, slopes and asymptotes of each loss
    tolerance: float  # largest error, as a multiple of max(1, value)
    lattice: Lattice  # the bins for the deposit
    nodes: int  # Chebyshev nodes in each panel
    window_half_width_logit: float  # largest |a x| at which a slope has nodes
    straight_logit: float  # |z| from which losses are straight lines; inf if nodes hold all x
    levels: int  # number of the smallest window that holds all x
    groups: tuple[SlopeGroup, ...]  # the slopes by window
    intercepts: Interpolation  # where intercepts are sampled

    @property
    def gain(self) -> float:
        """Bound on the sum of the nodes' |weights| per unit of mass: two interpolations."""
        return chebyshev.lebesgue(MOMENTS) * chebyshev.lebesgue(self.nodes)

    @cached_property
    def evaluations(self) -> int:
        """Bound on the evaluations of each loss."""
        slopes = sum(len(group.slopes.points) for group in self.groups)
        return slopes * len(self.intercepts.points) * self._most_nodes

    def bound(self, chunks: int, counted: bool, gain: float = 0.0) -> float:
        """Bound on |error| / max(1, value) in every cell, the value as defined on real numbers."""
        gain = max(gain, self.gain)
        return self._interpolation_error(gain) + self._rounding_error(chunks, counted, gain)

    def _interpolation_error(self, gain: float) -> float:
        """Error that there would be without rounding, per unit of mass."""
        panel, nodes = self._panel_half_width_logit, self.nodes
        bins = max(_bin_error(p, self._bin_half_width_logit) for p in self.profiles)
        panels = max(chebyshev.error(p, panel, nodes) for p in self.profiles)
        # Each point beyond the nodes errs by at most one share; the factor 2 is a margin.
        lines = 0.0 if math.isinf(self.straight_logit) else 2 * self.tolerance * SHARE
        # Interpolation over a amplifies the error of that over b; node weights sum to the gain.
        core = max(
            group.slopes.error + group.slopes.lebesgue * self.intercepts.error
            for group in self.groups
        )
        # A bin's 4 local masses sum to lebesgue(4) per unit of mass, without sign. A panel that is
        # merged into one of twice the width had at most half its error: all sum to less than twice.
        return bins + 2 * chebyshev.lebesgue(MOMENTS) * panels + lines + gain * core

    def _rounding_error(self, chunks: int, counted: bool, gain: float) -> float:
        """Errors of float64, each as a multiple of max(1, value)."""
        climb = max(p.lipschitz for p in self.profiles)
        bend = max(p.bend for p in self.profiles)
        # A node stands for points at most a panel away, so its loss is at most theirs plus this.
        nearby = 1 + 2 * climb * self._panel_half_width_logit
        # A weight sums 4 moments of each bin of a panel, then 2 panels' nodes at each merge; 8 for
        # the entries of the matrices. The integral sums all nodes; 16 for a loss and its weights.
        weights = (MOMENTS << self.lattice.group) + 2 * self.nodes * self.levels + 8
        sums = (weights + self._most_nodes + 16) * UNIT * gain * nearby
        # A relative error u of z costs u |z loss'(z)| <= u (loss + bend). If a x and b cancel, an
        # error u |a x| costs at most that times the loss's slope. x, a x and the sum: 6 roundings.
        z = 6 * UNIT * gain * (1 + bend + climb * self.window_half_width_logit)
        # A sum of CHUNK terms has as many roundings. That of masses scales the loss; those of the
        # MOMENTS sums scale no more than what the loss varies within a bin.
        deposited = (0 if counted else nearby) + MOMENTS * climb * self._bin_half_width_logit
        moments = (CHUNK + chunks) * UNIT * deposited
        # Interpolation from the core rounds in units of the largest loss on it.
        intercept = float(np.max(np.abs(self.grid.b)))
        largest = max(p.largest(self.window_half_width_logit + intercept) for p in self.profiles)
        core = max(
            (group.slopes.rounding + self.intercepts.rounding)
            * group.slopes.lebesgue
            * self.intercepts.lebesgue
            for group in self.groups
        )
        # The pairwise sums over bins and the line have at most 64 roundings, each relative to
        # |a x| + |b| <= |z| + 2 |b|, where |z| >= straight_logit.
        straight = self.straight_logit
        lines = 0.0 if math.isinf(straight) else 64 * UNIT * (1 + 2 * intercept / straight)
        return sums + z + moments + largest * core + lines

    @property
    def _most_nodes(self) -> int:
        """Bound on the nodes of a window, which has 2^(bits + 1) bins on either side of 0."""
        window = 4 << (self.lattice.bits - self.lattice.group)
        return self.nodes * min(window, self.lattice.panels)

    @property
    def _panel_half_width_logit(self) -> float:
        return self.lattice.panel_half_width(self.window_half_width_logit)

    @property
    def _bin_half_width_logit(self) -> float:
        return self.lattice.bin_half_width(self.window_half_width_logit)


def plan(
    grid: Grid,
    ends: tuple[float, float],
    losses: Sequence[Loss],
    tolerance: float,
    most_bins: int,
    lattice: Lattice | None = None,
) -> Plan:
    """The plan for some losses over a grid."""
    needs = _needs(grid, ends, losses, tolerance)
    if lattice is None:
        lattice = _lattice(ends, needs)
    if lattice.bins > most_bins:
        raise CompressionError(
            f"the data need {lattice.bins} bins, and there is room for {most_bins}"
        )
    window = lattice.bits + 1 + lattice.exponent  # the smallest window is |x| < 2^window
    levels = max(1, needs.exponent_above_x - window + 1)
    all_x = max(math.ldexp(needs.steepest, window + levels - 1), SMALLEST)
    # The steepest slope needs a window, even if the smallest window is wider than necessary.
    half_width_logit = max(
        min(all_x, needs.window_half_width_logit), math.ldexp(needs.steepest, window)
    )
    _require_fine(lattice, half_width_logit, needs, window)
    panel = lattice.panel_half_width(half_width_logit)
    share = needs.share / (2 * chebyshev.lebesgue(MOMENTS))  # as in Plan._interpolation_error
    nodes = max(chebyshev.count(p, panel, share) for p in needs.profiles)
    sampled = partial(_sampled, needs, half_width_logit, nodes)
    groups = tuple(
        SlopeGroup(level, rows, sampled(grid.a[rows], _outermost_x(lattice, needs, level)))
        for level, rows in _levels(grid.a, half_width_logit, window, levels)
    )
    return Plan(
        grid,
        needs.profiles,
        tolerance,
        lattice,
        nodes,
        half_width_logit,
        needs.straight_logit if all_x > half_width_logit else math.inf,
        levels,
        groups,
        sampled(grid.b, 1.0),
    )


@dataclass(frozen=True)
class _Needs:
    """What a plan must be good for."""

    profiles: tuple[Profile, ...]
    share: float  # largest value of each interpolation error
    steepest: float  # largest |a|
    intercept: float  # largest |b|
    largest_x: float  # largest |x|
    straight_logit: float  # |z| from which the losses are straight lines
    bin_half_width_logit: float  # of the widest bins that are fine enough

    @property
    def exponent_above_x(self) -> int:
        """The k for which all |x| are below 2^k."""
        return max(math.frexp(self.largest_x)[1], LOWEST)

    @property
    def window_half_width_logit(self) -> float:
        """Half-width that leaves only straight lines outside: windows double, hence the 2."""
        return 2 * (self.intercept + self.straight_logit)


def _needs(
    grid: Grid, ends: tuple[float, float], losses: Sequence[Loss], tolerance: float
) -> _Needs:
    """The needs; refuses numbers that are too large and a tolerance that is too fine."""
    steepest, intercept = float(np.max(np.abs(grid.a))), float(np.max(np.abs(grid.b)))
    largest_x = max(abs(end) for end in ends)
    if max(steepest, intercept, largest_x) > LARGEST:
        raise CompressionError(f"numbers beyond {LARGEST:g} cannot be compressed")
    profiles = tuple(profile(loss) for loss in losses)
    share = min(tolerance, 1.0) * SHARE
    straight = max(p.far(share) for p in profiles)
    if math.isinf(straight):
        raise CompressionError(f"tolerance {tolerance:g} is finer than a compression can be")
    # `_bin_error` grows with the fourth power of the width.
    bin_half_width_logit = min((share / _bin_error(p, 1.0)) ** (1 / MOMENTS) for p in profiles)
    return _Needs(profiles, share, steepest, intercept, largest_x, straight, bin_half_width_logit)


def _sampled(
    needs: _Needs, window: float, nodes: int, axis: Float[np.ndarray, " k"], factor: float
) -> Interpolation:
    """Chebyshev points in place of an axis where they are fewer and their errors harmless.

    The largest number that multiplies values of the axis in the logit is `factor`.
    """
    gain = chebyshev.lebesgue(MOMENTS) * chebyshev.lebesgue(nodes)
    # 4: the two axes together err by 1 + lebesgue times this, and the latter is about 3.
    tolerance = needs.share / gain / 4
    rounding = needs.share / max(p.largest(window + needs.intercept) for p in needs.profiles)
    low, high = float(np.min(axis)), float(np.max(axis))
    middle, half = low / 2 + high / 2, high / 2 - low / 2
    logit = half * factor
    p = max(chebyshev.count(profile, logit, tolerance) for profile in needs.profiles)
    lebesgue = chebyshev.lebesgue(p)
    # As `Interpolation.rounding`, with the amplification by both axes.
    if p >= len(axis) or (p + 8) * UNIT * lebesgue**2 > rounding:
        return Interpolation(axis)
    t = np.clip((axis - middle) / half, -1, 1) if half > 0 else np.zeros(len(axis))
    error = max(chebyshev.error(profile, logit, p) for profile in needs.profiles)
    return Interpolation(middle + half * chebyshev.points(p), t, error, lebesgue)


def _lattice(ends: tuple[float, float], needs: _Needs) -> Lattice:
    """The coarsest lattice that is fine enough, with one window if no x is far from the cuts."""
    all_x = max(math.ldexp(needs.steepest, needs.exponent_above_x), SMALLEST)
    half_width_logit = min(all_x, needs.window_half_width_logit)
    window = needs.exponent_above_x
    if all_x > half_width_logit:
        window = math.frexp(half_width_logit / needs.steepest)[1] - 1
    # Solves `panel_half_width` <= PANEL, and `bin_half_width` for the bins.
    group_bits = max(0, math.ceil(math.log2(half_width_logit / PANEL)) - 2)
    bits = max(group_bits, math.ceil(math.log2(half_width_logit / needs.bin_half_width_logit)) - 2)
    if bits > MOST_BITS:
        raise CompressionError(
            f"logits reach {half_width_logit:.3g} near the cuts and need bins as fine as rounding"
        )
    return Lattice.over(*ends, window - bits - 1, bits, bits - group_bits)


def _require_fine(lattice: Lattice, half_width_logit: float, needs: _Needs, window: int) -> None:
    """Refuses a lattice that is too coarse for the needs."""
    fits = math.ldexp(needs.steepest, window) <= half_width_logit * (1 + 4 * UNIT)
    fine = lattice.bin_half_width(half_width_logit) <= needs.bin_half_width_logit
    if not fits or not fine or lattice.panel_half_width(half_width_logit) > WIDEST:
        raise CompressionError("the data were compressed for smaller slopes or a larger tolerance")


def _levels(
    slopes: Float[np.ndarray, " P"], half_width_logit: float, window: int, levels: int
) -> Iterator[tuple[int, Int[np.ndarray, " k"]]]:
    """Slopes by the largest window they may take; those that leave x outside also by sign."""
    left = np.arange(len(slopes))
    for level in range(levels, 0, -1):
        logit = np.abs(slopes[left]) * math.ldexp(1.0, window + level - 1)
        within = logit <= half_width_logit * (1 + 4 * UNIT)
        rows, left = left[within], left[~within]
        groups = [rows] if level == levels else [rows[slopes[rows] > 0], rows[slopes[rows] < 0]]
        yield from ((level, group) for group in groups if len(group))


def _bin_error(profile: Profile, half_width_logit: float) -> float:
    """Error of interpolation at q = MOMENTS Chebyshev points: |f^(q)| h^q / (q! 2^(q-1))."""
    steepest = profile.derivatives[MOMENTS]
    return steepest * half_width_logit**MOMENTS / (math.factorial(MOMENTS) * 2 ** (MOMENTS - 1))


def _outermost_x(lattice: Lattice, needs: _Needs, level: int) -> float:
    """Largest |x| of a node in a window: the outer end of the last panel that holds data."""
    width = math.ldexp(1.0, lattice.exponent + lattice.group + level - 1)
    window = math.ldexp(1.0, lattice.exponent + lattice.bits + level)
    return min(window, width * (needs.largest_x // width + 1))
