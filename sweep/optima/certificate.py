"""Certificate: how far from the optimum of cross-entropy (a, b) can be, by what a sketch knows.

The sketch is asked, not believed: at (a, b) the loss and its gradient are integrated bin by bin
from the moments, with a bound on the error of each bin. Where the gradient g and a matrix M that is
nowhere above the Hessian are known, so is how far away the optimum can be: for the displacement d,
the mean Hessian H >= M on the way and H d = -g,

    |d|_M <= |g|_(1/M)        and        0 <= loss(a, b) - least loss <= |g|^2_(1/M) / 2.

M must hold on the way. The curvature s(z) s(-z) of a point falls by a factor of at most exp(-|dz|)
when its logit moves by dz: it is self-concordant (Bach 2010, Self-concordant analysis for logistic
regression, Electronic Journal of Statistics 4). Here each bin has its own factor for a box of (a,
b), and the box is wide enough if the d that it gives lies in it.

About a pivot p, the logit is a*(x - p) + level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from sweep.base.rounding import UNIT
from sweep.measure.compression.lattice import CHUNK, MOMENTS
from sweep.measure.sketch.exact_sums import RESOLUTION
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics import chebyshev

ROUNDINGS = 128
"""Roundings of sums over bins and of what is summed, more than there are, in units of the terms."""

WIDENINGS = 12
"""Boxes that are tried, each twice as wide as the one before."""

LEBESGUE = 2.5
"""What the weights of a bin's Chebyshev points sum to at most, without sign, for each mass."""

REMAINDER = 1 / (math.factorial(MOMENTS) * 2 ** (MOMENTS - 1))
"""Of interpolation at MOMENTS Chebyshev points of [-1, 1], in units of the next derivative."""

CAUTION = 1 + 1e-9
"""What bounds are multiplied by, for their own rounding."""


class Certificate(NamedTuple):
    """Cross-entropy at (a, b), and how far off its optimum may be.

    Attributes:
        value: cross-entropy at (a, b) by the sketch, in nats.
        value_error: bound on its distance from the least cross-entropy; inf if none is known.
        a_error: bound on the distance from a to the slope of the optimum, likewise.
        b_error: the same of b.
        cut_error: the same of the cut -b/a; inf also where the sign of the slope is not known.
    """

    value: float
    value_error: float
    a_error: float
    b_error: float
    cut_error: float


def certify(sketch: Sketch, a: float, b: float) -> Certificate:
    """What is known of the optimum near (a, b).

    Args:
        sketch: of data whose classes overlap, so that there is one finite optimum.
        a: slope.
        b: intercept.
    """
    with np.errstate(all="ignore"):
        bins = [_Bins.of(sketch, label) for label in (0, 1)]
        pivot = _pivot(bins, a, b)
        level = float(Fraction(a) * Fraction(pivot) + Fraction(b))
        near = [_Near(found, pivot, a, level) for found in bins]
        loss = _summed(_integral(one.bins, one.loss) for one in near)
        by_slope = _summed(_integral(one.bins, one.by_slope) for one in near)
        by_level = _summed(_integral(one.bins, one.by_level) for one in near)
        box = _box(near, by_slope.largest, by_level.largest)
    total = sum(float(sketch.total(label)) for label in (0, 1))
    relative = ROUNDINGS * UNIT + 4 * sketch.rounding_of_masses
    error = (loss.error + box.decrease) / total + relative * loss.value / total
    return Certificate(
        value=loss.value / total,
        value_error=error * CAUTION,
        a_error=box.slope * CAUTION,
        b_error=box.of_intercept(pivot) * CAUTION + UNIT * abs(b),
        cut_error=_cut_error(box, pivot, a, b) * CAUTION,
    )


@dataclass(frozen=True, eq=False)
class _Bins:
    """The bins of one class that hold anything.

    Attributes:
        sign: +1 for class 1, -1 for class 0: the margin is this times the logit.
        centre: middle of each bin, shape (k,).
        half: half of its width.
        moments: sums of mass * t^j, shape (k, MOMENTS).
        errors: bounds on the errors of these.
    """

    sign: int
    centre: Float[np.ndarray, " k"]
    half: Float[np.ndarray, " k"]
    moments: Float[np.ndarray, "k q"]
    errors: Float[np.ndarray, "k q"]

    @classmethod
    def of(cls, sketch: Sketch, label: int) -> _Bins:
        deposit, edges = sketch.deposit, sketch.terms.lattice.edges
        held = deposit.moments[label, :, 0] > 0
        moments = deposit.moments[label, held]
        summed = (CHUNK + deposit.chunks) * UNIT * moments[:, :1]
        errors = np.repeat(summed + len(sketch.parts) * RESOLUTION, MOMENTS, axis=1)
        if sketch.counted:
            errors[:, 0] = 0.0
        centre, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        return cls(2 * label - 1, centre[held], half[held], moments, errors)


@dataclass(frozen=True, eq=False)
class _Function:
    """A function of x on some bins, as a function of t in [-1, 1] on each.

    Attributes:
        values: at MOMENTS Chebyshev points of each bin, shape (k, MOMENTS).
        sizes: bounds on it and on its derivatives by t, as many as MOMENTS + 1, shape (k,) each.
        rounding: bound on the error of the values.
    """

    values: Float[np.ndarray, "k q"]
    sizes: list[Float[np.ndarray, " k"]]
    rounding: Float[np.ndarray, " k"]


class _Near:
    """The bins of one class as the logit a*(x - pivot) + level sees them."""

    def __init__(self, bins: _Bins, pivot: float, a: float, level: float) -> None:
        self.bins = bins
        self.from_pivot = bins.centre - pivot
        self.furthest = np.abs(self.from_pivot) + bins.half
        self.reach = abs(a) * bins.half
        self.z = a * self.from_pivot + level
        self.z_rounding = 4 * UNIT * (abs(a) * self.furthest + abs(level))
        t = chebyshev.points(MOMENTS)
        self.x_nodes = self.from_pivot[:, None] + bins.half[:, None] * t
        margin = bins.sign * (self.z[:, None] + (a * bins.half)[:, None] * t)
        self.wrong_nodes, self.loss_nodes = _wrong(margin), np.logaddexp(0.0, -margin)
        # The least margin on a bin, and the largest curvature.
        self.worst = bins.sign * self.z - self.reach - self.z_rounding
        self.steepest = _curvature(np.maximum(np.abs(self.z) - self.reach - self.z_rounding, 0.0))

    @property
    def loss(self) -> _Function:
        """Cross-entropy of a point."""
        wrong = _wrong(self.worst)
        sizes = [np.logaddexp(0.0, -self.worst), *(self.reach * size for size in self._sizes[:-1])]
        return _Function(self.loss_nodes, sizes, wrong * self.z_rounding)

    @property
    def by_level(self) -> _Function:
        """Its derivative by the level."""
        values = -self.bins.sign * self.wrong_nodes
        return _Function(values, self._sizes, self.steepest * self.z_rounding)

    @property
    def by_slope(self) -> _Function:
        """Its derivative by the slope: x - pivot times that by the level."""
        own, half = self._sizes, self.bins.half
        sizes = [self.furthest * own[0]]
        sizes += [self.furthest * own[j] + j * half * own[j - 1] for j in range(1, len(own))]
        rounding = self.furthest * self.steepest * self.z_rounding
        return _Function(-self.bins.sign * self.wrong_nodes * self.x_nodes, sizes, rounding)

    @property
    def _sizes(self) -> list[Float[np.ndarray, " k"]]:
        """Bounds on the share of a point that is predicted wrongly, and its derivatives by t.

        The first four derivatives of s(z) are at most s(z) s(-z) in size: with u = 1 - 2 s(z) they
        are that times 1, u, (3 u^2 - 1) / 2 and 3 u^3 - 2 u.
        """
        powers = [self.reach**j * self.steepest for j in range(1, MOMENTS + 1)]
        return [_wrong(self.worst), *powers]

    def hessian(self, slope: float, level: float) -> Float[np.ndarray, "2 k"]:
        """A matrix below the Hessian in a box of that half-width, and bounds on its errors.

        Both as the entries slope-slope, slope-level and level-level, shape (2, 3).
        """
        away = slope * self.furthest + level
        least = _curvature(np.abs(self.z) + self.reach + self.z_rounding + away)
        mass, first, second = self.bins.moments[:, :3].T
        c, h = self.from_pivot, self.bins.half
        entries = (c * c * mass + 2 * c * h * first + h * h * second, c * mass + h * first, mass)
        relative = self.bins.errors[:, 1] + ROUNDINGS * UNIT * mass
        errors = (4 * self.furthest**2 * relative, 2 * self.furthest * relative, relative)
        return np.array([[np.sum(least * e) for e in group] for group in (entries, errors)])


class _Integral(NamedTuple):
    """A sum over the points, and a bound on its error."""

    value: float
    error: float

    @property
    def largest(self) -> float:
        """Bound on its size."""
        return abs(self.value) + self.error


def _integral(bins: _Bins, function: _Function) -> _Integral:
    """The sum of a function over the points of a class.

    On each bin its interpolant is summed exactly, which the moments know, and the remainder is
    bounded by the next derivative (`REMAINDER`). Errors of the moments are multiplied by the
    interpolant's coefficients, which are quotients of differences of the function.
    """
    to_nodes = np.linalg.inv(np.vander(chebyshev.points(MOMENTS), MOMENTS, increasing=True))
    value = float(np.sum((bins.moments @ to_nodes) * function.values))
    f0, f1, f2, f3, f4 = function.sizes
    mass = bins.moments[:, 0] + bins.errors[:, 0]
    coefficients = np.stack([f0 + f2 / 2, f1 + f3 / 6, f2 / 2, f3 / 6], axis=1)
    each = REMAINDER * f4 + LEBESGUE * function.rounding + ROUNDINGS * UNIT * f0
    return _Integral(value, float(np.sum(mass * each) + np.sum(coefficients * bins.errors)))


def _summed(parts: Iterable[_Integral]) -> _Integral:
    values, errors = zip(*parts, strict=True)
    return _Integral(sum(values), sum(errors))


class _Box(NamedTuple):
    """Where the optimum is, about (slope, level), and how much lower it can be.

    Attributes:
        slope: largest distance of its slope.
        level: largest distance of its level at the pivot.
        decrease: largest decrease of the loss, summed over the points.
        inverse: entries slope-slope, slope-level and level-level of a matrix above 1/M.
    """

    slope: float
    level: float
    decrease: float
    inverse: tuple[float, float, float]

    def of_intercept(self, pivot: float) -> float:
        """Largest distance of its intercept, which is level - slope * pivot."""
        return self.along(abs(pivot), 1.0)

    def along(self, slope: float, level: float) -> float:
        """Largest displacement in a direction with entries of at most these sizes."""
        return math.sqrt(2 * self.decrease * _square(self.inverse, slope, level))


NOWHERE = _Box(math.inf, math.inf, math.inf, (math.inf, math.inf, math.inf))
"""What is known of the optimum if nothing is."""


def _box(near: Sequence[_Near], by_slope: float, by_level: float) -> _Box:
    """The box that the optimum is in, where the gradient is at most so large.

    A box is sure if what follows from the Hessian on all of it lies within it.
    """
    tried = _box_within(near, 0.0, 0.0, by_slope, by_level)
    for doubling in range(1, WIDENINGS + 1):
        slope, level = tried.slope * 2**doubling, tried.level * 2**doubling
        found = _box_within(near, slope, level, by_slope, by_level)
        if found.slope < slope and found.level < level:
            return found
    return NOWHERE


def _box_within(
    near: Sequence[_Near], slope: float, level: float, by_slope: float, by_level: float
) -> _Box:
    """The box that follows from the least Hessian on a box of that half-width."""
    entries, errors = np.sum([one.hessian(slope, level) for one in near], axis=0).tolist()
    (aa, ab, bb), (aa_error, ab_error, bb_error) = entries, errors
    cross = abs(ab) + ab_error
    determinant = (aa - aa_error) * (bb - bb_error) - cross**2
    if not (determinant > 0 and aa > aa_error):
        return NOWHERE
    inverse = ((bb + bb_error) / determinant, cross / determinant, (aa + aa_error) / determinant)
    norm = _square(inverse, by_slope, by_level)
    slope, level = math.sqrt(norm * inverse[0]), math.sqrt(norm * inverse[2])
    return _Box(slope, level, norm / 2, inverse)


def _square(inverse: tuple[float, float, float], slope: float, level: float) -> float:
    """The largest v.(1/M).v of vectors with entries of at most these sizes."""
    aa, ab, bb = inverse
    return aa * slope * slope + 2 * ab * slope * level + bb * level * level


def _pivot(bins: Sequence[_Bins], a: float, b: float) -> float:
    """The mean of x weighted by curvature, where the Hessian is diagonal."""
    masses = [one.moments[:, 0] * _curvature(np.abs(a * one.centre + b)) for one in bins]
    total = sum(float(np.sum(mass)) for mass in masses)
    if not total > 0:
        return 0.0
    return sum(float(mass @ one.centre) for mass, one in zip(masses, bins, strict=True)) / total


def _cut_error(box: _Box, pivot: float, a: float, b: float) -> float:
    """Largest distance of the optimum's cut from -b/a, roundings of logits included."""
    if not abs(a) > box.slope:
        return math.inf
    cut = -b / a
    moved = box.along(abs(cut - pivot), 1.0) / (abs(a) - box.slope)
    return moved + 16 * UNIT * (abs(cut) + abs(pivot))


def _curvature(z: Float[np.ndarray, " *k"]) -> Float[np.ndarray, " *k"]:
    """s(z) s(-z) of z >= 0."""
    tail = np.exp(-z)
    return tail / (1.0 + tail) ** 2


def _wrong(margin: Float[np.ndarray, " *k"]) -> Float[np.ndarray, " *k"]:
    """s(-margin), the share of a point that is predicted wrongly."""
    tail = np.exp(-np.abs(margin))
    return np.where(margin >= 0, tail, 1.0) / (1.0 + tail)
