"""Certificate: a bound on the distance from (a, b) to the optimum of cross-entropy, by a sketch.

At (a, b) the loss and its gradient are integrated bin by bin from the moments of the sketch, with a
bound on the error of each bin. Let g be the gradient and M a matrix that is nowhere above the
Hessian between (a, b) and the optimum. For the displacement d to the optimum, the mean Hessian
H >= M on the way and H d = -g, so that

    |d|_M <= |g|_(1/M)        and        0 <= loss(a, b) - least loss <= |g|^2_(1/M) / 2.

M must hold on the way. The curvature s(z) s(-z) of a point falls by a factor of at most exp(-|dz|)
when its logit moves by dz: it is self-concordant (Bach 2010, Self-concordant analysis for logistic
regression, Electronic Journal of Statistics 4). Here each bin has its own factor for a box of (a,
b), and the box is wide enough if the d that follows from it lies inside.

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

from sweep.base.intervals import UNIT
from sweep.measure.compression.lattice import CHUNK, MOMENTS
from sweep.measure.sketch.exact_sums import RESOLUTION
from sweep.measure.sketch.sketch import Sketch
from sweep.metrics import chebyshev
from sweep.metrics.logistic import loss_terms
from sweep.optima.records import Errors

# Roundings, in units of the terms, of the sums over bins and of their terms: NumPy's pairwise sums
# round about 16 + log2(bins) times, and a term of MOMENTS nodes some dozens of times.
ROUNDINGS = 128
WIDENINGS = 12  # boxes that are tried, each twice as wide as the one before
# Bound on the sum of the sizes of the Chebyshev weights that share out one mass: the Lebesgue
# constant of MOMENTS = 4 points is 1.85.
LEBESGUE = 2.5
# Error of interpolation at p = MOMENTS Chebyshev points of [-1, 1] in units of the p-th derivative:
# 1 / p! times the largest value of their node polynomial, 2^(1 - p).
REMAINDER = 1 / (math.factorial(MOMENTS) * 2 ** (MOMENTS - 1))
CAUTION = 1 + 1e-9  # factor on bounds, for their own rounding


def certify(sketch: Sketch, a: float, b: float) -> tuple[float, Errors]:
    """Cross-entropy at (a, b) in nats, and how far (a, b) is at most from the optimum of all data.

    The classes must overlap. Errors are infinite if no bound is known.
    """
    with np.errstate(all="ignore"):
        bins = [_Bins.of(sketch, label) for label in (0, 1)]
        pivot = _pivot(bins, a, b)
        level = float(Fraction(a) * Fraction(pivot) + Fraction(b))
        classes = [_BinLogits(class_bins, pivot, a, level) for class_bins in bins]
        loss = _summed(_integral(c.bins, c.loss) for c in classes)
        by_slope = _summed(_integral(c.bins, c.by_slope) for c in classes)
        by_level = _summed(_integral(c.bins, c.by_level) for c in classes)
        box = _box(classes, by_slope.largest, by_level.largest)
    total = sum(float(sketch.total(label)) for label in (0, 1))
    # The mean divides by the total, a sum of two masses; the moments have such errors as well.
    relative = ROUNDINGS * UNIT + 4 * sketch.rounding_of_masses
    error = (loss.error + box.decrease) / total + relative * loss.value / total
    return loss.value / total, Errors(
        a=box.slope * CAUTION,
        b=box.along(abs(pivot), 1.0) * CAUTION + UNIT * abs(b),  # of level - slope * pivot
        value=error * CAUTION,
        cut=_cut_error(box, pivot, a, b) * CAUTION,
    )


@dataclass(frozen=True, eq=False)
class _Bins:
    """The bins of one class that hold any mass."""

    sign: int  # +1 for class 1, -1 for class 0: the margin is this times the logit
    centre: Float[np.ndarray, " k"]  # middle of each bin, in units of x
    half: Float[np.ndarray, " k"]  # half-width of each bin, in units of x
    # sums of mass * t^j, where t in [-1, 1] is the position in the bin
    moments: Float[np.ndarray, "k q"]
    errors: Float[np.ndarray, "k q"]  # bounds on the errors of the moments

    @classmethod
    def of(cls, sketch: Sketch, label: int) -> _Bins:
        """The bins of class 0 or 1 of a sketch."""
        deposit, edges = sketch.deposit, sketch.schema.lattice.edges
        occupied = deposit.moments[label, :, 0] > 0
        moments = deposit.moments[label, occupied]
        # A sum in a chunk rounds at most CHUNK times, adding up the chunks once for each, and every
        # part of the data is rounded once to the resolution of exact sums.
        summed = (CHUNK + deposit.chunks) * UNIT * moments[:, :1]
        errors = np.repeat(summed + len(sketch.parts) * RESOLUTION, MOMENTS, axis=1)
        if sketch.counted:
            errors[:, 0] = 0.0
        centre, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        return cls(2 * label - 1, centre[occupied], half[occupied], moments, errors)


@dataclass(frozen=True, eq=False)
class _Function:
    """A function of x on some bins, as a function of t in [-1, 1] on each."""

    values: Float[np.ndarray, "k q"]  # at MOMENTS Chebyshev points of each bin
    # bounds on its derivatives by t of orders 0 to MOMENTS, each
    sizes: list[Float[np.ndarray, " k"]]
    rounding: Float[np.ndarray, " k"]  # bound on the error of the values


class _BinLogits:
    """The bins of one class in terms of the logit a*(x - pivot) + level."""

    def __init__(self, bins: _Bins, pivot: float, a: float, level: float) -> None:
        self.bins = bins
        self.from_pivot = bins.centre - pivot  # middle of each bin, in units of x
        self.furthest = np.abs(self.from_pivot) + bins.half  # largest |x - pivot| in each bin
        self.half_z = abs(a) * bins.half  # half-width of each bin in logits
        self.z = a * self.from_pivot + level  # logit at the middle of each bin
        # Roundings of x - pivot, of the product, of the level and of the sum.
        self.z_rounding = 4 * UNIT * (abs(a) * self.furthest + abs(level))
        t = chebyshev.points(MOMENTS)
        self.x_nodes = self.from_pivot[:, None] + bins.half[:, None] * t  # from the pivot
        margin = bins.sign * (self.z[:, None] + (a * bins.half)[:, None] * t)
        self.loss_nodes, self.wrong_nodes, _ = loss_terms(margin)
        min_margin = bins.sign * self.z - self.half_z - self.z_rounding
        self.max_loss, self.max_wrong, _ = loss_terms(min_margin)
        least_size = np.maximum(np.abs(self.z) - self.half_z - self.z_rounding, 0.0)
        self.max_curvature = loss_terms(least_size).curvature

    @property
    def loss(self) -> _Function:
        """Cross-entropy of a point; each derivative by t brings a factor half_z."""
        by_t = [self.half_z * size for size in self._wrong_sizes[:-1]]
        return _Function(self.loss_nodes, [self.max_loss, *by_t], self.max_wrong * self.z_rounding)

    @property
    def by_level(self) -> _Function:
        """Derivative of cross-entropy by the level."""
        values = -self.bins.sign * self.wrong_nodes
        return _Function(values, self._wrong_sizes, self.max_curvature * self.z_rounding)

    @property
    def by_slope(self) -> _Function:
        """Derivative of cross-entropy by the slope, x - pivot times that by the level.

        The sizes follow from Leibniz' rule: x - pivot has the derivative `half` by t, and no other.
        """
        w, half = self._wrong_sizes, self.bins.half
        sizes = [self.furthest * w[0]]
        sizes += [self.furthest * w[j] + j * half * w[j - 1] for j in range(1, len(w))]
        rounding = self.furthest * self.max_curvature * self.z_rounding
        return _Function(-self.bins.sign * self.wrong_nodes * self.x_nodes, sizes, rounding)

    @property
    def _wrong_sizes(self) -> list[Float[np.ndarray, " k"]]:
        """Bounds on the share of a point that is predicted wrongly and on its derivatives by t.

        The first four derivatives of s(z) are at most s(z) s(-z) in size: with u = 1 - 2 s(z) they
        are that times 1, u, (3 u^2 - 1) / 2 and 3 u^3 - 2 u.
        """
        powers = [self.half_z**j * self.max_curvature for j in range(1, MOMENTS + 1)]
        return [self.max_wrong, *powers]

    def hessian(self, slope: float, level: float) -> Float[np.ndarray, "2 k"]:
        """A matrix below the Hessian in a box of (slope, level), and bounds on its errors."""
        away = slope * self.furthest + level  # largest change of a logit in the box
        min_curvature = loss_terms(np.abs(self.z) + self.half_z + self.z_rounding + away).curvature
        mass, first, second = self.bins.moments[:, :3].T
        c, h = self.from_pivot, self.bins.half
        entries = (c * c * mass + 2 * c * h * first + h * h * second, c * mass + h * first, mass)
        relative = self.bins.errors[:, 1] + ROUNDINGS * UNIT * mass
        # |c| + h is furthest, so that the coefficients of the moments in an entry sum to at most
        # furthest^2, or furthest; 4 and 2 leave room for the rounding of x - pivot.
        errors = (4 * self.furthest**2 * relative, 2 * self.furthest * relative, relative)
        return np.array([[np.sum(min_curvature * e) for e in group] for group in (entries, errors)])


class _Integral(NamedTuple):
    """A sum over the points, and a bound on its error."""

    value: float
    error: float

    @property
    def largest(self) -> float:
        """Bound on the size of the true sum."""
        return abs(self.value) + self.error


def _integral(bins: _Bins, function: _Function) -> _Integral:
    """The sum of a function over the points of a class.

    On each bin the sum of its interpolant follows exactly from the moments, and the remainder is
    bounded by the next derivative (`REMAINDER`). Errors of the moments are multiplied by the
    coefficients of the interpolant, which are divided differences of the function.
    """
    to_nodes = np.linalg.inv(np.vander(chebyshev.points(MOMENTS), MOMENTS, increasing=True))
    value = float(np.sum((bins.moments @ to_nodes) * function.values))
    f0, f1, f2, f3, f4 = function.sizes
    mass = bins.moments[:, 0] + bins.errors[:, 0]
    # The interpolant is a cubic through points symmetric about 0: its coefficients of t^2 and t^3
    # are at most f2 / 2! and f3 / 3!, and those of 1 and t at most f0 and f1 plus these.
    coefficients = np.stack([f0 + f2 / 2, f1 + f3 / 6, f2 / 2, f3 / 6], axis=1)
    per_mass = REMAINDER * f4 + LEBESGUE * function.rounding + ROUNDINGS * UNIT * f0
    return _Integral(value, float(np.sum(mass * per_mass) + np.sum(coefficients * bins.errors)))


def _summed(parts: Iterable[_Integral]) -> _Integral:
    """The sum over both classes."""
    values, errors = zip(*parts, strict=True)
    return _Integral(sum(values), sum(errors))


class _Box(NamedTuple):
    """A box about (slope, level) that holds the optimum."""

    slope: float  # largest distance to the slope of the optimum
    level: float  # largest distance to the level of the optimum at the pivot
    decrease: float  # largest decrease of the loss down to the optimum, summed over the points
    # entries slope-slope, slope-level and level-level of a matrix above 1/M
    inverse: tuple[float, float, float]

    def along(self, slope: float, level: float) -> float:
        """Largest v.d for displacements d and vectors v with entries of at most these sizes.

        By Cauchy-Schwarz v.d <= |v|_(1/M) |d|_M, and |d|_M^2 <= 2 decrease.
        """
        return math.sqrt(2 * self.decrease * _square(self.inverse, slope, level))


UNBOUNDED = _Box(math.inf, math.inf, math.inf, (math.inf, math.inf, math.inf))  # no bound is known


def _box(classes: Sequence[_BinLogits], by_slope: float, by_level: float) -> _Box:
    """The box that certainly holds the optimum, given bounds on the sizes of the gradient.

    A box is certain if the one that follows from the least Hessian on all of it lies within it.
    """
    start = _implied_box(classes, 0.0, 0.0, by_slope, by_level)
    for doubling in range(1, WIDENINGS + 1):
        slope, level = start.slope * 2**doubling, start.level * 2**doubling
        box = _implied_box(classes, slope, level, by_slope, by_level)
        if box.slope < slope and box.level < level:
            return box
    return UNBOUNDED


def _implied_box(
    classes: Sequence[_BinLogits], slope: float, level: float, by_slope: float, by_level: float
) -> _Box:
    """The box that follows from the least Hessian on a box of these half-widths."""
    entries, errors = np.sum([c.hessian(slope, level) for c in classes], axis=0).tolist()
    (aa, ab, bb), (aa_error, ab_error, bb_error) = entries, errors
    cross = abs(ab) + ab_error
    determinant = (aa - aa_error) * (bb - bb_error) - cross**2
    if not (determinant > 0 and aa > aa_error):
        return UNBOUNDED
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
    weights = [c.moments[:, 0] * loss_terms(a * c.centre + b).curvature for c in bins]
    total = sum(float(np.sum(weight)) for weight in weights)
    if not total > 0:
        return 0.0
    return sum(float(w @ c.centre) for w, c in zip(weights, bins, strict=True)) / total


def _cut_error(box: _Box, pivot: float, a: float, b: float) -> float:
    """Largest distance from -b/a to the cut of the optimum, roundings of logits included."""
    if not abs(a) > box.slope:
        return math.inf
    cut = -b / a
    # At this cut the logit of the optimum differs from 0 by at most `along`, and its slope is at
    # least |a| - box.slope. 16: a few roundings of -b/a, of the pivot and of their difference.
    moved = box.along(abs(cut - pivot), 1.0) / (abs(a) - box.slope)
    return moved + 16 * UNIT * (abs(cut) + abs(pivot))
