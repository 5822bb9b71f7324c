"""Measure: the waist of the engine. Every kind of data becomes two weighted point sets.

With labels y_i in [0, 1] and weights w_i, a sample is the pair of measures

    mu_1 = sum_i y_i w_i delta(x_i)        mu_0 = sum_i (1 - y_i) w_i delta(x_i),

and every metric is a functional of the two, linear up to a final ratio. A point with a soft label
stands in both. Points without mass are dropped, so that the extremes of a class are real.

A population has densities in place of points. Its measure is that of the nodes of a quadrature,
which is all that a smooth metric needs, and a `Density` of each class knows the mass below any x.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.base.grid import DEFAULT_AXIS, Grid, axis
from sweep.data.sample import Sample, digest
from sweep.measure.points import Points, cumulative, pick
from sweep.measure.sketch.binned_points import BinnedPoints
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch
from sweep.populations import Population
from sweep.populations.panels import NODES
from sweep.populations.quadrature import Quadrature

RESIDUE = 2.0**-50
"""Share of a class's density that is rounding rather than mass: 1e-15."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Density(Points):
    """One class of a population: the nodes of a quadrature, and the density between them.

    Attributes:
        edges: ends of the panels, ascending, shape (k + 1,).
        series: Legendre coefficients of each panel's density times half-width, shape (NODES, k).
    """

    edges: Float[np.ndarray, " e"]
    series: Float[np.ndarray, "n k"]

    @classmethod
    def of(cls, quadrature: Quadrature, label: int) -> Density:
        """The density of one class of a population."""
        x, mass = quadrature.x, quadrature.weights(label)
        kept = mass > 0
        return cls(x[kept], mass[kept], edges=quadrature.edges, series=quadrature.series[label])

    def split(
        self, edges: Float[np.ndarray, " k"]
    ) -> tuple[Shaped[np.ndarray, " k"], Shaped[np.ndarray, " k"]]:
        """Mass below and above each edge, by the integral of the series: no node is in the way."""
        within = np.clip(edges, self.edges[0], self.edges[-1])
        panel = np.searchsorted(self.edges, within, side="right") - 1
        panel = np.clip(panel, 0, self.series.shape[1] - 1)
        half = np.diff(self.edges)[panel] / 2
        t = np.clip((within - self.edges[panel]) / half - 1, -1.0, 1.0)
        whole = 2 * self.series[0, panel]
        inside = np.clip(self._integral(panel, t), 0.0, np.maximum(whole, 0.0))
        below, above = self._below[panel] + inside, self._above[panel] + (whole - inside)
        # What is left by rounding where there is nothing would be a ratio's divisor.
        nothing = RESIDUE * self.total
        return np.where(below > nothing, below, 0.0), np.where(above > nothing, above, 0.0)

    def _integral(
        self, panel: Int[np.ndarray, " k"], t: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """Mass on a panel below t in [-1, 1], term by term of Bonnet's recursion."""
        before, now = np.ones_like(t), t
        found = self._integrated[0, panel] + self._integrated[1, panel] * t
        for j in range(1, NODES):
            before, now = now, ((2 * j + 1) * t * now - j * before) / (j + 1)
            found += self._integrated[j + 1, panel] * now
        return found

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
    """Two class-conditional point sets and where they come from.

    Attributes:
        class0: the points of class 0, with masses (1 - y) w.
        class1: the points of class 1, with masses y w.
        n: number of data points that it stands for; inf for a population.
        fingerprint: names the data that it was made from.
        quadrature: of a population; None for a sample.
        sketch: of a stream, whose points are those that stand for the ones that were read.
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
        """The measure of a sample; masses stay counts if it has hard labels and no weights."""
        x, y, w = sample.x, sample.y, sample.weight
        if w is None:
            with ThreadPoolExecutor(2) as pool:
                zero, one = pool.map(lambda label: _labelled(x, y, label), (0, 1))
            if len(zero) + len(one) == len(x):
                return cls(Points(zero), Points(one), len(sample), sample.fingerprint)
        weight = np.ones_like(x) if w is None else w
        class0, class1 = _massive(x, (1 - y) * weight), _massive(x, y * weight)
        return cls(class0, class1, len(sample), sample.fingerprint)

    @classmethod
    def from_population(cls, law: Population, slope: float | None = None) -> Measure:
        """The measure of a population, by quadrature; its mass is 1.

        Args:
            law: the population.
            slope: largest |a| for which losses of a*x + b will be integrated, per unit of x; None
                takes `sweep.populations.quadrature.STEEPEST` over the interquartile range of x.

        Raises:
            InputError: the law is not valid, or cannot be integrated, or not for slopes as steep;
                see `sweep.populations.quadrature.Quadrature.of`.
        """
        law.require_valid()
        return cls.from_quadrature(Quadrature.of(law, slope))

    @classmethod
    def from_quadrature(cls, found: Quadrature) -> Measure:
        """The measure of a population whose quadrature is at hand."""
        class0, class1 = Density.of(found, 0), Density.of(found, 1)
        name = digest(found.x, found.weights(0), found.weights(1))
        return cls(class0, class1, math.inf, name, found)

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
        """The measure of data that come in batches, read once in memory that n does not matter for.

        It answers what its sketch does (see `sweep.Sketch`): smooth metrics for every |a| up to the
        largest of the axis a, to the tolerance; counting metrics exactly on the grid of the axes,
        and between two numbers elsewhere.

        Args:
            batches: samples, or tuples (x, y) or (x, y, weight) of arrays of one length.
            a: slopes, as in `sweep.landscape`.
            b: intercepts.
            metrics: names of metrics that will be asked for.
            tolerance: largest error of a smooth metric, as a multiple of max(1, value).
            range: (lowest, highest) x that there may be; without it the batches are gone through
                twice, which an iterator cannot be.

        Raises:
            InputError: there are no batches, one is no sample, x is outside the range, or the
                tolerance cannot be kept.
        """
        from sweep.measure.sketch.builder import (  # with the readers of files: not for all
            Sketcher,
            rows_of,
        )

        grid = Grid(axis(a, "a"), axis(b, "b"))
        ends = _ends(batches) if range is None else range
        maker = Sketcher(Schema.of(grid, ends, metrics, tolerance))
        maker.add("batches", rows_of(_samples(batches)))
        return cls.from_sketch(maker.sketch())

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
    def points(self) -> int:
        """Points of both classes, which is what evaluating them costs."""
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
        """The measure in a unit of mass, a power of two, in which the heaviest point is below 1.

        Nothing is rounded, and no sum of a moderate number of losses over- or underflows, in
        float32 either. Counts stay counts.
        """
        if all(points.mass is None for points in self.classes):
            return self
        _, exponent = np.frexp(self.heaviest)
        class0, class1 = (
            Points(p.x, np.ldexp(p.masses, -exponent)) for p in (self.class0, self.class1)
        )
        return replace(self, class0=class0, class1=class1)

    @cached_property
    def heaviest(self) -> float:
        """Mass of the heaviest point."""
        if all(points.mass is None for points in self.classes):
            return 1.0
        return max(float(np.max(p.masses, initial=0.0)) for p in (self.class0, self.class1))

    @property
    def ends(self) -> tuple[float, float]:
        """(lowest, highest) x; (0, 0) where there are no points."""
        if self.points == 0:
            return 0.0, 0.0
        low, high = zip(self.class0.extremes, self.class1.extremes, strict=True)
        return min(low), max(high)

    @property
    def reach(self) -> float:
        """Largest |x|; 0 where there are no points."""
        ends = (*self.class0.extremes, *self.class1.extremes)
        return max((abs(end) for end in ends if np.isfinite(end)), default=0.0)


def as_measure(data: object, slope: float | None = None) -> Measure:
    """The measure of anything that has one.

    Args:
        data: a sample, a population, a sketch or a measure.
        slope: largest |a| for which a population is to be integrated, as in
            `Measure.from_population`; a measure that was made for less is made anew.

    Raises:
        InputError: a population cannot be integrated.
        TypeError: data is of another kind.
    """
    if isinstance(data, Population):
        return Measure.from_population(data, slope)
    if isinstance(data, Measure):
        made = data.quadrature
        if made is not None and slope is not None and not made.reaches(slope):
            return Measure.from_population(made.law, slope)
        return data
    if isinstance(data, Sample):
        return Measure.from_sample(data)
    if isinstance(data, Sketch):
        return Measure.from_sketch(data)
    raise TypeError(
        f"data is a {type(data).__name__}; give sweep.Sample(x, y), sweep.data.load(path), "
        "a law of sweep.populations, a sweep.Sketch or a sweep.Measure"
    )


def _labelled(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], label: int
) -> Float[np.ndarray, " m"]:
    """The positions with a label."""
    found = np.empty(len(x))
    return found[: pick(x, y, label, found)]


def _samples(batches: Iterable[Any]) -> Iterator[Sample]:
    """Batches as samples.

    Raises:
        InputError: says which one is none.
    """
    for number, batch in enumerate(batches):
        try:
            yield batch if isinstance(batch, Sample) else Sample(*batch)
        except InputError as error:
            raise InputError(f"batch {number}: {error}") from None
        except TypeError:
            raise InputError(
                f"batch {number} is a {type(batch).__name__}; a sweep.Sample or a tuple (x, y) or "
                "(x, y, weight) is needed"
            ) from None


def _ends(batches: Iterable[Any]) -> tuple[float, float]:
    """The (lowest, highest) x of batches that can be gone through once more."""
    if iter(batches) is batches:
        raise InputError(
            "batches is an iterator, which cannot be gone through twice; give range=(low, high) "
            "of x, or something that can"
        )
    ends = [(np.min(s.x), np.max(s.x)) for s in _samples(batches) if len(s)]
    if not ends:
        raise InputError("there are no batches with points; at least one point is needed")
    lowest, highest = zip(*ends, strict=True)
    return float(min(lowest)), float(max(highest))


def _massive(x: Float[np.ndarray, " n"], mass: Float[np.ndarray, " n"]) -> Points:
    kept = mass > 0
    return Points(x[kept], mass[kept])
