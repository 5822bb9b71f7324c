"""Density: one class of a population, which knows the mass below any x exactly.

A population has densities in place of points. Smooth metrics only need the nodes of a quadrature,
which a `Density` holds as weighted points. Counting metrics need the mass on one side of a cut,
which it integrates from the Legendre series of the density on each panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Shaped

from sweep.measure.points import Points, cumulative
from sweep.populations.panels import NODES
from sweep.populations.quadrature import Quadrature

RESIDUE = 2.0**-50  # share of a class's mass, 1e-15, below which a mass is only rounding


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
