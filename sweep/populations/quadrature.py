"""Quadrature: a population as weighted points, the Gauss-Legendre nodes of its panels.

On each of the `Panels` the densities of the two classes are polynomials. A loss is integrated
against them by its values at the nodes. That is exact if the loss is a polynomial of degree NODES
there, and `bound` says how far it is from one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.intervals import UNIT
from sweep.metrics import chebyshev
from sweep.metrics.profile import Profile
from sweep.populations import Population
from sweep.populations.panels import (
    AT_NODES,
    CURVED_LOGIT,
    NODES,
    REUSE_FACTOR,
    TO_SERIES,
    WEIGHTS,
    Panels,
    T,
)

STEEPEST = 8.0  # default slope of the losses that panels are for, per interquartile range of x
MAX_MASS_ERROR = 1e-12  # of all panels; their rounding is below it unless x is far from 0


@dataclass(frozen=True, eq=False, repr=False)
class Quadrature:
    """The densities of both classes as polynomials on panels."""

    law: Population  # the population
    # |a| up to which the panels are narrow enough for losses of a*x + b, per unit of x
    slope: float
    # None, or the panels are narrow enough only where losses of about slope * x + intercept are
    # curved
    intercept: float | None
    interquartile_range: float  # of x
    edges: Float[np.ndarray, " e"]  # ends of the panels, ascending, in units of x, shape (k + 1,)
    # Legendre coefficients of a panel's density times its half-width, for class 0 and class 1,
    # shape (2, NODES, k)
    series: Float[np.ndarray, "2 n k"]
    # bound on the mass that the polynomials miss on each panel, shape (k,)
    missed: Float[np.ndarray, " k"]
    beyond: tuple[float, float]  # bounds on the mass below the first and above the last panel
    conditional_entropy: float  # mean of the entropy of y given x, in nats

    @classmethod
    def of(
        cls, law: Population, slope: float | None = None, intercept: float | None = None
    ) -> Quadrature:
        """The panels of a population."""
        low, _, high = _quartiles(law)
        interquartile_range = high - low
        slope = STEEPEST / interquartile_range if slope is None else slope
        panels = Panels.of(law, slope, intercept, interquartile_range)
        half = np.diff(panels.edges) / 2
        series = np.einsum("jn,cnk->cjk", TO_SERIES, panels.values[:2]) * half
        quadrature = cls(
            law,
            slope,
            intercept,
            interquartile_range,
            panels.edges,
            series,
            2 * half * panels.residual,
            panels.beyond,
            float(np.sum(half * (WEIGHTS @ panels.values[2]))),
        )
        quadrature._require_total_of_one()
        return quadrature

    @classmethod
    def about(cls, law: Population) -> Quadrature:
        """The panels of a population for losses of moderate slope with a cut near the median."""
        law.require_valid()
        low, median, high = _quartiles(law)
        slope = STEEPEST / (high - low)
        return cls.of(law, slope, -slope * median)

    @classmethod
    def near(cls, law: Population, a: float, b: float) -> Quadrature:
        """The panels of a population for losses of a*x + b, a and b up to a factor REUSE_FACTOR."""
        factor = math.copysign(REUSE_FACTOR, a)  # negative with a, as slopes here are positive
        return cls.of(law, factor * a, factor * b)

    def reaches(self, slope: float) -> bool:
        """Whether the panels are narrow enough for losses of every a*x + b with |a| <= slope."""
        return self.intercept is None and slope <= self.slope

    def covers(self, a: float, b: float) -> bool:
        """Whether the panels are narrow enough wherever losses of a*x + b are curved."""
        if abs(a) > self.slope:
            return False
        if self.intercept is None or a == 0:
            return True
        ends = np.array([-CURVED_LOGIT - b, CURVED_LOGIT - b]) / a
        ends = np.clip(ends, self.edges[0], self.edges[-1])
        limit = REUSE_FACTOR**2 * CURVED_LOGIT  # as for the panels
        return bool(np.all(np.abs(self.slope * ends + self.intercept) <= limit))

    @property
    def centre(self) -> Float[np.ndarray, " k"]:
        """Middle of each panel, in units of x, shape (k,)."""
        return self.edges[:-1] + self.half

    @property
    def half(self) -> Float[np.ndarray, " k"]:
        """Half-width of each panel, in units of x, shape (k,)."""
        return np.diff(self.edges) / 2

    @property
    def x(self) -> Float[np.ndarray, " m"]:
        """The nodes of all panels, ascending, in units of x, shape (NODES * k,)."""
        return (self.centre[:, None] + self.half[:, None] * T).ravel()

    @cached_property
    def mass(self) -> Float[np.ndarray, " k"]:
        """Mass of each panel, shape (k,)."""
        return 2 * np.sum(self.series[:, 0], axis=0)

    def weights(self, label: int) -> Float[np.ndarray, " m"]:
        """Masses of the nodes for one class, shape (NODES * k,)."""
        return (WEIGHTS * (self.series[label].T @ AT_NODES.T)).ravel()

    def densities(self, x: float) -> Float[np.ndarray, "2 2"]:
        """Densities of class 0 and 1 at x, and their derivatives, shape (class, derivative)."""
        panel = int(np.clip(np.searchsorted(self.edges, x) - 1, 0, len(self.mass) - 1))
        t = (x - self.edges[panel]) / self.half[panel] - 1
        density = self.series[:, :, panel].T / self.half[panel]
        slope = np.polynomial.legendre.legder(density) / self.half[panel]
        values = (np.polynomial.legendre.legval(t, series) for series in (density, slope))
        return np.stack(list(values), axis=1)

    def rounding(self) -> float:
        """Bound on the absolute error of a mass below or above any edge, of a total of 1."""
        # The masses of k panels are added up, at most 1 in all: k roundings. Within the panel that
        # holds the edge a series of NODES terms is evaluated: 64, or 4 roundings of 16 terms.
        return float(np.sum(self.missed)) + sum(self.beyond) + (len(self.mass) + 64) * UNIT

    def bound(self, profile: Profile, slope: float, intercept: float) -> float:
        """Bound on |error| / max(1, value) of a mean loss at |a| <= slope and |b| <= intercept.

        It adds up the errors of the nodes, of what the polynomials miss, of the tails, and of
        rounding x and the logit z.
        """
        # The nodes integrate polynomials of degree 2 NODES - 1 exactly, and a density has degree
        # NODES - 1, so that only the distance of the loss from a polynomial of degree NODES counts:
        # once in the integral and once in the sum over the nodes, hence the 2.
        halves, index = np.unique(self.half, return_inverse=True)
        errors = np.array([2 * chebyshev.error(profile, slope * h, NODES + 1) for h in halves])
        from_line = 2 * self._distance_from_line(profile, slope)
        nodes = float(np.sum(self.mass * np.minimum(errors[index], from_line)))
        mean_x = float(np.sum(self.mass * self._largest_x))
        # z = a x + b: x = centre + half * t is rounded twice, a x and the sum once each, so 4 times
        # in units of a x. The sum rounds b once; 3 leave room for kernels that shift b.
        rounding = profile.lipschitz * UNIT * (4 * slope * mean_x + 3 * intercept)
        # `Panels` has refused heavy tails; in a light one the mean of |x| is below twice its start.
        tails = sum(
            mass * profile.largest(2 * slope * abs(end) + intercept)
            for mass, end in zip(self.beyond, self.edges[[0, -1]], strict=True)
        )
        return nodes + self._shape(profile, slope, intercept) + float(rounding + tails)

    @property
    def _largest_x(self) -> Float[np.ndarray, " k"]:
        """Largest |x| on each panel, in units of x."""
        return np.maximum(np.abs(self.edges[1:]), np.abs(self.edges[:-1]))

    def _distance_from_line(self, profile: Profile, slope: float) -> Float[np.ndarray, " k"]:
        """Bound on the distance of a loss from a straight line on each panel.

        The line is an asymptote of the loss; if the panel holds z = 0, the other asymptote differs
        from it by at most the level and the climb over the logits of the panel, 2 slope * half.
        """
        return profile.excess + abs(profile.level) + 2 * profile.slope * slope * self.half

    def _shape(self, profile: Profile, slope: float, intercept: float) -> float:
        """Bound on the error of a mean loss because polynomials miss some of the density.

        On some panels they miss a small share of the mass: there the mean loss has that share as
        its relative error, apart from what the loss varies on the panel. On all other panels the
        loss counts with its largest value. Any choice of these panels gives a bound; the panels are
        sorted by that share, and the best split is taken.
        """
        share = self.missed / np.maximum(self.mass, np.finfo(np.float64).tiny)
        variation = profile.lipschitz * 2 * slope * self.half
        largest = profile.largest(0.0) + profile.slope * (slope * self._largest_x + intercept)
        order = np.argsort(share)
        others = np.sum(self.missed * largest) - np.cumsum((self.missed * largest)[order])
        best = float(np.min(share[order] + np.maximum(others, 0.0)))
        return best + float(np.sum(self.missed * variation))

    def _require_total_of_one(self) -> None:
        """Refuses a law whose density does not integrate to 1 over the panels."""
        total = float(np.sum(self.mass))
        if not abs(total - 1) <= MAX_MASS_ERROR:
            raise InputError(
                f"{self.law.name}: the density of x integrates to {total:.15g}, not to 1; check "
                "that the quantile function and the density agree, that breaks names all jumps, "
                "and that x is not far from 0 compared with its interquartile range"
            )


def _quartiles(law: Population) -> tuple[float, float, float]:
    """The quartiles of x; refuses a law whose quartiles coincide or are infinite."""
    quartiles = np.asarray(law.x.quantile(np.array([0.25, 0.5, 0.75])), np.float64)
    low, median, high = quartiles.tolist()
    if not STEEPEST / np.finfo(np.float64).max < high - low < math.inf:
        raise InputError(
            f"{law.name}: a quarter of x lies below {low:g} and a quarter above {high:g}; use a "
            "law whose quartiles differ"
        )
    return low, median, high
