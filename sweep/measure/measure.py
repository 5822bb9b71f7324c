"""Measure: the waist of the engine. Every kind of data becomes two weighted point sets.

With labels y_i in [0, 1] and weights w_i, a sample is the pair of measures

    mu_1 = sum_i y_i w_i delta(x_i)        mu_0 = sum_i (1 - y_i) w_i delta(x_i),

and every metric is a functional of the two, linear up to a final ratio. Points without mass are
dropped, so the extremes of a class are those of points that count. A population has a `Density` for
each class, and a sketch has bins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.ranges import DEFAULT_AXIS, axis
from sweep.data.sample import Sample, digest
from sweep.measure.points import Halves, Points, cumulative, pick
from sweep.measure.sketch.builder import Sketcher, rows_of
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import BinnedPoints, Sketch
from sweep.populations import Population
from sweep.populations.panels import NODES
from sweep.populations.quadrature import Quadrature

FloatArray = Float[np.ndarray, " m"]

RESIDUE = 2.0**-50  # share of a class's mass, 1e-15, below which a mass is only rounding


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Density(Points):
    """One class of a population: the nodes of a quadrature, and the density between them.

    Nodes serve smooth metrics; the Legendre series give the mass below a cut for counting metrics.
    """

    edges: Float[np.ndarray, " e"]  # ends of the panels, ascending
    series: Float[np.ndarray, "n k"]  # coefficients of each panel's density times half-width

    @classmethod
    def of(cls, quadrature: Quadrature, label: int) -> Density:
        """The density of one class of a population."""
        x, mass = quadrature.x, quadrature.weights(label)
        kept = mass > 0
        return cls(x[kept], mass[kept], edges=quadrature.edges, series=quadrature.series[label])

    def split(self, edges: Float[np.ndarray, " k"]) -> Halves:
        """Mass below and above each edge, by the integral of the series: nodes do not matter."""
        clipped = np.clip(edges, self.edges[0], self.edges[-1])
        panel = np.searchsorted(self.edges, clipped, side="right") - 1
        panel = np.clip(panel, 0, self.series.shape[1] - 1)
        half_width_x = np.diff(self.edges)[panel] / 2
        t = np.clip((clipped - self.edges[panel]) / half_width_x - 1, -1.0, 1.0)
        # The integral over a panel is twice the coefficient of P_0: all others integrate to 0.
        panel_mass = 2 * self.series[0, panel]
        left = np.clip(self._integral(panel, t), 0.0, np.maximum(panel_mass, 0.0))
        below, above = self._below[panel] + left, self._above[panel] + (panel_mass - left)
        # Rounding leaves a residue where there is no mass; it must not become a ratio's divisor.
        residue = RESIDUE * self.total
        return np.where(below > residue, below, 0.0), np.where(above > residue, above, 0.0)

    def _integral(
        self, panel: Int[np.ndarray, " k"], t: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """Mass on a panel below t in [-1, 1]."""
        # Bonnet's recursion: (j + 1) P_{j+1}(t) = (2j + 1) t P_j(t) - j P_{j-1}(t).
        before, now = np.ones_like(t), t
        mass = self._integrated[0, panel] + self._integrated[1, panel] * t
        for j in range(1, NODES):
            before, now = now, ((2 * j + 1) * t * now - j * before) / (j + 1)
            mass += self._integrated[j + 1, panel] * now
        return mass

    @cached_property
    def _integrated(self) -> Float[np.ndarray, "m k"]:
        """Legendre coefficients of the integral from -1."""
        return np.polynomial.legendre.legint(self.series, lbnd=-1, axis=0)

    @cached_property
    def _below(self) -> Float[np.ndarray, " k"]:
        """Mass below each panel."""
        return cumulative(2 * self.series[0])[:-1]

    @cached_property
    def _above(self) -> Float[np.ndarray, " k"]:
        """Mass above each panel."""
        return cumulative(2 * self.series[0, ::-1])[-2::-1]


@dataclass(frozen=True, eq=False, repr=False)
class Measure:
    """The weighted points of class 0 and of class 1, and the data they come from.

    Attributes:
        class0: the points of class 0, with masses (1 - y) w.
        class1: the points of class 1, with masses y w.
        n: number of data points that the measure stands for; inf for a population.
        fingerprint: identifies the data that the measure was made from.
        quadrature: of a population; None for a sample.
        sketch: of data that were sketched; None for others. `class0` and `class1` then hold the
            points that represent its bins.
    """

    class0: Points
    class1: Points
    n: int | float
    fingerprint: str
    quadrature: Quadrature | None = None
    sketch: Sketch | None = None

    def __repr__(self) -> str:
        return f"Measure(n={self.n}, class0={self.class0!r}, class1={self.class1!r})"

    @classmethod
    def from_sample(cls, sample: Sample) -> Measure:
        """The measure of a sample; its masses are counts if labels are hard and weights absent."""
        x, y, w = sample.x, sample.y, sample.weight
        if w is None:
            with ThreadPoolExecutor(2) as pool:
                x0, x1 = pool.map(lambda label: pick(x, y, label, np.empty(len(x))), (0, 1))
            if len(x0) + len(x1) == len(x):
                return cls(Points(x0), Points(x1), len(sample), sample.fingerprint)
        weight = np.ones_like(x) if w is None else w
        class0, class1 = _with_mass(x, (1 - y) * weight), _with_mass(x, y * weight)
        return cls(class0, class1, len(sample), sample.fingerprint)

    @classmethod
    def from_population(cls, law: Population, slope: float | None = None) -> Measure:
        """The measure of a population, by quadrature; its mass is 1.

        Args:
            law: the population.
            slope: largest |a|, per unit of x, at which losses of a*x + b will be integrated; None
                takes `sweep.populations.quadrature.STEEPEST` over the interquartile range of x.

        Raises:
            InputError: the law is not valid, or cannot be integrated at such slopes.
        """
        law.require_valid()
        return cls.from_quadrature(Quadrature.of(law, slope))

    @classmethod
    def from_quadrature(cls, found: Quadrature) -> Measure:
        """The measure of a population whose quadrature exists already."""
        class0, class1 = Density.of(found, 0), Density.of(found, 1)
        fingerprint = digest(found.x, found.weights(0), found.weights(1))
        return cls(class0, class1, math.inf, fingerprint, found)

    @classmethod
    def from_batches(
        cls,
        batches: Iterable[Any],
        *,
        a: str | ArrayLike = DEFAULT_AXIS,
        b: str | ArrayLike = DEFAULT_AXIS,
        metrics: Sequence[str] = ("cross_entropy", "accuracy"),
        tolerance: float = 1e-9,
        range: tuple[float, float] | None = None,  # noqa: A002 as in numpy.histogram
    ) -> Measure:
        """The measure of data that come in batches, read once in constant memory.

        It answers what its sketch answers (see `sweep.Sketch`): smooth metrics within the tolerance
        for every |a| up to the largest of the axis a; counting metrics exactly on the grid of the
        axes, and with a lower and an upper bound elsewhere.

        Args:
            batches: samples, or tuples (x, y) or (x, y, weight) of arrays of equal length.
            a: slopes, as in `sweep.landscape`.
            b: intercepts, as in `sweep.landscape`.
            metrics: names of the metrics that the sketch must answer.
            tolerance: largest error of a smooth metric, as a multiple of max(1, value).
            range: (lowest, highest) possible x; without it the batches are read twice, which is
                impossible for an iterator.

        Raises:
            InputError: there are no batches, one is not a sample, an x is outside the range, or the
                tolerance cannot be met.
        """
        grid = Grid(axis(a, "a"), axis(b, "b"))
        ends = _ends(batches) if range is None else range
        sketcher = Sketcher(Schema.of(grid, ends, metrics, tolerance))
        sketcher.add("batches", rows_of(_samples(batches)))
        return cls.from_sketch(sketcher.sketch())

    @classmethod
    def from_sketch(cls, sketch: Sketch) -> Measure:
        """The measure of a sketch."""
        class0, class1 = BinnedPoints.of(sketch, 0), BinnedPoints.of(sketch, 1)
        return cls(class0, class1, sketch.n, sketch.fingerprint, sketch=sketch)

    @property
    def classes(self) -> tuple[Points, Points]:
        """The points of class 0 and of class 1."""
        return self.class0, self.class1

    @property
    def signed(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Positions and masses of all points, and +1 for those of class 1, -1 for class 0."""
        x = np.concatenate([self.class0.x, self.class1.x])
        mass = np.concatenate([self.class0.masses, self.class1.masses])
        return x, mass, np.repeat([-1.0, 1.0], [len(self.class0), len(self.class1)])

    @property
    def masses(self) -> tuple[float, float]:
        """Masses of class 0 and of class 1."""
        return float(self.class0.total), float(self.class1.total)

    @property
    def points(self) -> int:
        """Number of points of both classes: what it costs to evaluate a loss on all of them."""
        return len(self.class0) + len(self.class1)

    @property
    def counted(self) -> bool:
        """Whether masses are counts: hard labels without weights."""
        return self.class0.counted and self.class1.counted

    @property
    def total(self) -> int | float:
        """Mass of both classes: the denominator of a mean."""
        return self.class0.total + self.class1.total

    @property
    def normalised(self) -> Measure:
        """The same measure in a unit of mass, a power of two, that makes every mass less than 1.

        Nothing is rounded, and no sum of a moderate number of losses over- or underflows, even in
        float32. Counts stay counts.
        """
        if all(points.mass is None for points in self.classes):
            return self
        _, exponent = np.frexp(self.heaviest)
        class0, class1 = (Points(p.x, np.ldexp(p.masses, -exponent)) for p in self.classes)
        return replace(self, class0=class0, class1=class1)

    @cached_property
    def heaviest(self) -> float:
        """Mass of the heaviest point."""
        if all(points.mass is None for points in self.classes):
            return 1.0
        return max(float(np.max(p.masses, initial=0.0)) for p in self.classes)

    @property
    def ends(self) -> tuple[float, float]:
        """(lowest, highest) x; (0, 0) without points."""
        if self.points == 0:
            return 0.0, 0.0
        low, high = zip(self.class0.extremes, self.class1.extremes, strict=True)
        return min(low), max(high)

    @property
    def reach(self) -> float:
        """Largest |x|; 0 without points."""
        return max(map(abs, self.ends))


def as_measure(data: object, slope: float | None = None) -> Measure:
    """The measure of a sample, a population, a sketch or a measure; anything else is a TypeError.

    A population is integrated at slopes up to `slope`, as by `Measure.from_population`; a measure
    of one that was made for smaller slopes is made again.
    """
    if isinstance(data, Population):
        return Measure.from_population(data, slope)
    if isinstance(data, Measure):
        quadrature = data.quadrature
        if quadrature is not None and slope is not None and not quadrature.reaches(slope):
            return Measure.from_population(quadrature.law, slope)
        return data
    if isinstance(data, Sample):
        return Measure.from_sample(data)
    if isinstance(data, Sketch):
        return Measure.from_sketch(data)
    raise TypeError(
        f"data is a {type(data).__name__}; give sweep.Sample(x, y), sweep.data.load(path), "
        "a law of sweep.populations, a sweep.Sketch or a sweep.Measure"
    )


def _with_mass(x: Float[np.ndarray, " n"], mass: Float[np.ndarray, " n"]) -> Points:
    """The points that have any mass."""
    kept = mass > 0
    return Points(x[kept], mass[kept])


def _samples(batches: Iterable[Any]) -> Iterator[Sample]:
    """Batches as samples; names the batch that is not one."""
    for number, batch in enumerate(batches):
        try:
            yield batch if isinstance(batch, Sample) else Sample(*batch)
        except InputError as error:
            raise InputError(f"batch {number}: {error}") from None
        except TypeError:
            raise InputError(
                f"batch {number} is a {type(batch).__name__}; give a sweep.Sample or a tuple "
                "(x, y) or (x, y, weight)"
            ) from None


def _ends(batches: Iterable[Any]) -> tuple[float, float]:
    """The (lowest, highest) x of batches that can be read again afterwards."""
    if iter(batches) is batches:
        raise InputError(
            "batches is an iterator, which can be read only once; give range=(low, high) of x, or "
            "a list of batches"
        )
    ends = [(np.min(s.x), np.max(s.x)) for s in _samples(batches) if len(s)]
    if not ends:
        raise InputError("the batches have no points; give at least one point")
    lowest, highest = zip(*ends, strict=True)
    return float(min(lowest)), float(max(highest))
