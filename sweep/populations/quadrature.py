"""Quadrature: a population as panels of Gauss-Legendre nodes, n = infinity as weighted points.

On each of the `Panels` the densities of the two classes are polynomials. A loss is integrated
against them by its values at the nodes, which is exact up to how well polynomials of degree NODES
approximate the loss there; `bound` says how well that is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.rounding import UNIT
from sweep.metrics import chebyshev
from sweep.metrics.profile import Profile
from sweep.populations import Population
from sweep.populations.panels import (
    AT_NODES,
    CURVED,
    NEAR,
    NODES,
    TO_SERIES,
    WEIGHTS,
    Panels,
    T,
)

STEEPEST = 8.0
"""Slope, per interquartile range of x, that panels are narrow enough for if none is asked for."""

WHOLE = 1e-12
"""What the mass of all panels may deviate from 1."""


@dataclass(frozen=True, eq=False, repr=False)
class Quadrature:
    """The densities of both classes on panels.

    Attributes:
        law: the population.
        slope: |a| up to which the panels are narrow enough for losses of a*x + b, per unit of x.
        intercept: if not None, they are so only where |slope * x + intercept| <= NEAR**2 CURVED.
        spread: interquartile range of x.
        edges: ends of the panels, ascending, shape (k + 1,).
        series: Legendre coefficients of a panel's density times its half-width, for class 0 and
            class 1, shape (2, NODES, k).
        missed: bound on the mass that the polynomials miss on each panel, shape (k,).
        beyond: mass below the first and above the last panel, at most.
        conditional_entropy: mean of the entropy of y given x, in nats.
    """

    law: Population
    slope: float
    intercept: float | None
    spread: float
    edges: Float[np.ndarray, " e"]
    series: Float[np.ndarray, "2 n k"]
    missed: Float[np.ndarray, " k"]
    beyond: tuple[float, float]
    conditional_entropy: float

    @classmethod
    def of(
        cls, law: Population, slope: float | None = None, intercept: float | None = None
    ) -> Quadrature:
        """The panels of a population.

        Args:
            law: the population.
            slope: largest |a| that will be asked for; None takes STEEPEST over the interquartile
                range of x.
            intercept: if only losses of about slope * x + intercept will be asked for.

        Raises:
            InputError: the law cannot be resolved by panels, or its quantile function and its
                density do not fit; or the slope would need too many panels.
        """
        low, _, high = _quartiles(law)
        spread = high - low
        slope = STEEPEST / spread if slope is None else slope
        panels = Panels.of(law, slope, intercept, spread)
        half = np.diff(panels.edges) / 2
        series = np.einsum("jn,cnk->cjk", TO_SERIES, panels.values[:2]) * half
        found = cls(
            law,
            slope,
            intercept,
            spread,
            panels.edges,
            series,
            2 * half * panels.residual,
            panels.beyond,
            float(np.sum(half * (WEIGHTS @ panels.values[2]))),
        )
        found._require_whole()
        return found

    @classmethod
    def about(cls, law: Population) -> Quadrature:
        """The panels of a population for losses of a moderate slope whose cut is amid x."""
        law.require_valid()
        low, median, high = _quartiles(law)
        slope = STEEPEST / (high - low)
        return cls.of(law, slope, -slope * median)

    @classmethod
    def near(cls, law: Population, a: float, b: float) -> Quadrature:
        """The panels of a population for losses of a*x + b, a and b up to a factor of NEAR."""
        sign = math.copysign(NEAR, a)
        return cls.of(law, sign * a, sign * b)

    def reaches(self, slope: float) -> bool:
        """Whether the panels are narrow enough for losses of any a*x + b with |a| <= slope."""
        return self.intercept is None and slope <= self.slope

    def covers(self, a: float, b: float) -> bool:
        """Whether the panels are narrow enough wherever losses of a*x + b are curved."""
        if abs(a) > self.slope:
            return False
        if self.intercept is None or a == 0:
            return True
        ends = np.clip(np.array([-CURVED - b, CURVED - b]) / a, self.edges[0], self.edges[-1])
        return bool(np.all(np.abs(self.slope * ends + self.intercept) <= NEAR**2 * CURVED))

    @property
    def centre(self) -> Float[np.ndarray, " k"]:
        """Middle of each panel, shape (k,)."""
        return self.edges[:-1] + self.half

    @property
    def half(self) -> Float[np.ndarray, " k"]:
        """Half-width of each panel, shape (k,)."""
        return np.diff(self.edges) / 2

    @property
    def x(self) -> Float[np.ndarray, " m"]:
        """The nodes of all panels, ascending, shape (NODES * k,)."""
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
        found = self.series[:, :, panel].T / self.half[panel]
        slopes = np.polynomial.legendre.legder(found) / self.half[panel]
        values = (np.polynomial.legendre.legval(t, series) for series in (found, slopes))
        return np.stack(list(values), axis=1)

    def rounding(self) -> float:
        """Bound on the absolute error of a mass below or above any edge, of a total of 1."""
        return float(np.sum(self.missed)) + sum(self.beyond) + (len(self.mass) + 64) * UNIT

    def bound(self, profile: Profile, slope: float, intercept: float) -> float:
        """Bound on the error of a mean loss at |a| <= slope and |b| <= intercept.

        Args:
            profile: of the loss.
            slope: largest |a|.
            intercept: largest |b|.

        Returns:
            A bound on |error| / max(1, value): of the nodes, of what the polynomials miss, of the
            tails, and of rounding x and z.
        """
        widths, place = np.unique(self.half, return_inverse=True)
        errors = np.array([2 * chebyshev.error(profile, slope * w, NODES + 1) for w in widths])
        nodes = float(np.sum(self.mass * np.minimum(errors[place], self._largest(profile, slope))))
        mean = float(
            np.sum(self.mass * np.maximum(np.abs(self.edges[1:]), np.abs(self.edges[:-1])))
        )
        rounding = profile.lipschitz * UNIT * (4 * slope * mean + 3 * intercept)
        tails = sum(
            mass * profile.largest(2 * slope * abs(end) + intercept)
            for mass, end in zip(self.beyond, self.edges[[0, -1]], strict=True)
        )
        return nodes + self._shape(profile, slope, intercept) + float(rounding + tails)

    def _largest(self, profile: Profile, slope: float) -> Float[np.ndarray, " k"]:
        """How far a loss can be from a straight line on each panel."""
        return 2 * (profile.excess + abs(profile.level) + 2 * profile.slope * slope * self.half)

    def _shape(self, profile: Profile, slope: float, intercept: float) -> float:
        """What a mean loss may lack because polynomials miss some of the density.

        On some panels they miss a small part of it, and of the loss but for its climb; on the
        others the loss counts at its largest. Any choice of these is a bound; the least is taken.
        """
        share = self.missed / np.maximum(self.mass, np.finfo(np.float64).tiny)
        climb = profile.lipschitz * 2 * slope * self.half
        reach = np.maximum(np.abs(self.edges[1:]), np.abs(self.edges[:-1]))
        largest = profile.largest(0.0) + profile.slope * (slope * reach + intercept)
        order = np.argsort(share)
        others = np.sum(self.missed * largest) - np.cumsum((self.missed * largest)[order])
        return float(np.min(share[order] + np.maximum(others, 0.0)) + np.sum(self.missed * climb))

    def _require_whole(self) -> None:
        """Refuses a law whose panels do not hold all of it."""
        total = float(np.sum(self.mass))
        if not abs(total - 1) <= WHOLE:
            raise InputError(
                f"{self.law.name}: the density of x integrates to {total:.15g}, not to 1; check "
                "that the quantile function and the density fit, that all jumps stand among the "
                "breaks, and that x is not far from 0 for its spread"
            )


def _quartiles(law: Population) -> tuple[float, float, float]:
    """The quartiles of x."""
    quartiles = np.asarray(law.x.quantile(np.array([0.25, 0.5, 0.75])), np.float64)
    low, median, high = quartiles.tolist()
    if not STEEPEST / np.finfo(np.float64).max < high - low < math.inf:
        raise InputError(
            f"{law.name}: a quarter of x lies below {low:g} and a quarter above {high:g}; a law "
            "whose quartiles differ is needed"
        )
    return low, median, high
