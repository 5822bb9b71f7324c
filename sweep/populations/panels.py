"""Panels: intervals of x on which the densities of both classes are polynomials.

On each panel the densities f (1 - eta) and f eta equal polynomials of degree NODES - 1 up to
rounding: panels are halved until their Legendre coefficients have decayed that far (Trefethen,
Approximation Theory and Approximation Practice, chapters 7 and 19). Panels are also halved until
they are narrow enough for the steepest loss to be integrated; the less mass a panel has, the wider
it may be. If they are for the losses of one a*x + b only, they need to be narrow only near its cut,
because elsewhere these losses are straight lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sweep.base.errors import InputError
from sweep.base.intervals import UNIT
from sweep.metrics.profile import HEIGHT
from sweep.populations import Population
from sweep.populations.distributions.mixtures import Mixture
from sweep.populations.distributions.protocol import Distribution

NODES = 16  # of a panel; they integrate polynomials of degree 2 NODES - 1 exactly
# Where on a panel [-1, 1] a polynomial is compared with the density, besides the decay of its own
# coefficients. Two are next to the ends: a jump near an end would lie between no two nodes.
CHECKS = np.array([1e-11 - 1, -0.9985, -0.63, 0.0, 0.63, 0.9985, 1 - 1e-11])
# Fraction of the density on a panel that its polynomial may miss: 2^7 roundings, because a density
# is an exponential whose argument, often tens in size, is rounded too.
RESOLVED = 2.0**-46
UNSEEN_SLACK = 64  # factor on this between nodes and checks, where nothing was fitted or compared
NEGLIGIBLE_MASS = 1e-17  # a panel that misses less is done: below UNIT, and of a total of 1
TAIL_MASS = 1e-18  # there are no panels in a tail beyond which there is no more mass than this
MAX_PANELS = 2**17  # a law that needs more is refused
# |logit| from which on every loss is a straight line to rounding: it differs from its asymptote by
# about exp(-50) = 2e-22.
CURVED_LOGIT = 50.0
REUSE_FACTOR = 2.0  # by which a and b may change before panels have to be made anew
PANELS_PER_CALL = 2**11  # on which the density is evaluated at once
PADDED_SIZES = (2**8, 2**12, 2**16)  # lengths of x in a call: few, as JAX compiles once for each
CHECK_QUANTILES = 2**12  # at which finished panels are compared with the law
MAX_REFINEMENTS = 6  # how often panels are halved again where that comparison fails
# What lies beyond the panels may contribute so much to the mean of |x|, in interquartile ranges.
MAX_TAIL_MEAN = 1e-6
START_PANELS = 32  # of equal mass, to begin with
DOUBLINGS = 200  # of the distance from the median at which a tail is looked for: 2^200 is far

PerPanel = Float[np.ndarray, " k"]
Flags = Bool[np.ndarray, " k"]  # for each panel
Values = Float[np.ndarray, "3 m k"]
"""f (1 - eta), f eta and f h(eta) at the nodes, then the checks, of each panel; h is the entropy of
eta in nats."""

_GAUSS = np.polynomial.legendre.leggauss(NODES)
T: Float[np.ndarray, " n"] = _GAUSS[0]  # the nodes of a panel [-1, 1], ascending
WEIGHTS: Float[np.ndarray, " n"] = _GAUSS[1]  # of the nodes; their sum is 2

_NODES_AND_CHECKS = np.concatenate([T, CHECKS])
# Values of the Legendre polynomials, shape (points, NODES): one row for each node or check.
AT_NODES = np.polynomial.legendre.legvander(T, NODES - 1)
_AT_CHECKS = np.polynomial.legendre.legvander(CHECKS, NODES - 1)
# Turns values at the nodes into Legendre coefficients, shape (NODES, NODES): coefficient j is
# (j + 1/2) times the integral of the values times P_j, which the nodes give exactly.
TO_SERIES = (np.arange(NODES) + 0.5)[:, None] * (AT_NODES * WEIGHTS[:, None]).T
# Turns Legendre coefficients into derivatives at the nodes, shape (NODES, NODES).
_TO_SLOPES = np.stack(
    [
        np.polynomial.legendre.legval(T, np.polynomial.legendre.legder(coefficients))
        for coefficients in np.eye(NODES)
    ],
    axis=1,
)


@dataclass(frozen=True, eq=False)
class Panels:
    """The finished panels of a population, ascending."""

    edges: Float[np.ndarray, " e"]  # ends of the panels, in units of x, shape (k + 1,)
    # f (1 - eta), f eta and f h(eta) at the nodes, h the entropy of eta in nats
    values: Float[np.ndarray, "3 n k"]
    # how much the polynomials miss of either density, at most, shape (k,)
    residual: Float[np.ndarray, " k"]
    beyond: tuple[float, float]  # bounds on the mass below the first and above the last panel

    @classmethod
    def of(
        cls, law: Population, slope: float, intercept: float | None, interquartile_range: float
    ) -> Panels:
        """The panels of a population."""
        edges, beyond = _start_edges(law, interquartile_range)
        unresolved = np.empty(0)
        for _ in range(MAX_REFINEMENTS + 1):
            edges = np.unique(np.concatenate([edges, unresolved]))
            panels = cls._halved(law, slope, intercept, edges, beyond)
            unresolved = panels._unresolved(law)
            if not len(unresolved):
                return panels
            edges = panels.edges
        raise _unresolved_error(law, unresolved[0])

    @classmethod
    def _halved(
        cls,
        law: Population,
        slope: float,
        intercept: float | None,
        edges: Float[np.ndarray, " e"],
        beyond: tuple[float, float],
    ) -> Panels:
        """The panels between edges, halved until each is fine enough."""
        low, high = edges[:-1], edges[1:]
        done: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        count = 0
        while len(low):
            if count + len(low) > MAX_PANELS:
                raise _too_many_error(law, slope, low, high)
            values = _values(law, low, high)
            residual, fine = _residual(values, low, high)
            fine &= _narrow(values, low, high, slope) | _straight(low, high, slope, intercept)
            middle = low + (high - low) / 2
            fine |= ~((low < middle) & (middle < high))  # no float is left between the ends
            done.append((low[fine], values[:, :NODES, fine], residual[fine]))
            count += int(np.count_nonzero(fine))
            low, middle, high = low[~fine], middle[~fine], high[~fine]
            low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        start, values, residual = (
            np.concatenate(parts, axis=-1) for parts in zip(*done, strict=True)
        )
        order = np.argsort(start)
        return cls(np.append(start[order], edges[-1]), values[..., order], residual[order], beyond)

    def _unresolved(self, law: Population) -> Float[np.ndarray, " u"]:
        """The x, ascending, at which the polynomials miss the densities at a fresh set of points.

        A narrow feature can hide between all nodes and checks; random quantiles find it unless it
        has hardly any mass.
        """
        jitter = np.random.default_rng(0).uniform(size=CHECK_QUANTILES)
        u = (np.arange(CHECK_QUANTILES) + jitter) / CHECK_QUANTILES
        x = np.asarray(law.x.quantile(u), np.float64)
        k = np.clip(np.searchsorted(self.edges, x) - 1, 0, len(self.edges) - 2)
        low, high = self.edges[k], self.edges[k + 1]
        half = (high - low) / 2
        t = np.clip((x - low) / half - 1, -1, 1)
        series = TO_SERIES @ self.values[:2]
        legendre = np.polynomial.legendre.legvander(t, NODES - 1)
        fitted = np.einsum("un,cnu->cu", legendre, series[..., k])
        density, eta = np.asarray(law.x.density(x), np.float64), law.probability(x)
        missed = np.max(np.abs(fitted - np.stack([density * (1 - eta), density * eta])), axis=0)
        allowed = UNSEEN_SLACK * _rounding(self.values[..., k], series[..., k], low, high)
        middle = low + half
        resolved = (missed <= allowed) | (missed * 2 * half <= NEGLIGIBLE_MASS)
        return np.unique(x[~resolved & (low < middle) & (middle < high) & (low < x) & (x < high)])


def _start_edges(
    law: Population, interquartile_range: float
) -> tuple[Float[np.ndarray, " e"], tuple[float, float]]:
    """The edges to begin with, and the mass below and above them.

    They are the declared breaks, and quantiles between them so that no feature of x is narrow
    compared with its panel. Each component of a mixture adds its own quantiles, because a rare one
    can lie between two neighbouring quantiles of all x.
    """
    low, below = _tail_start(law, interquartile_range, -1)
    high, above = _tail_start(law, interquartile_range, +1)
    breaks = np.array([low, *(e for e in law.edges if low < e < high), high])
    u = np.arange(1, START_PANELS) / START_PANELS
    knots = np.concatenate([np.asarray(x.quantile(u), np.float64) for x in _components(law.x)])
    away = np.min(np.abs(knots[:, None] - breaks), axis=1) > 1e-6 * interquartile_range
    return np.unique(np.concatenate([breaks, knots[away & (low < knots) & (knots < high)]])), (
        below,
        above,
    )


def _components(x: Distribution) -> list[Distribution]:
    """A law of x and, if it is a mixture, all its components."""
    parts = x.parts if isinstance(x, Mixture) else ()
    return [x, *(component for part in parts for component in _components(part))]


def _tail_start(law: Population, interquartile_range: float, side: int) -> tuple[float, float]:
    """The end of the support on a side or the start of a tail of TAIL_MASS; and the mass beyond."""
    end = law.support[0 if side < 0 else 1]
    if math.isfinite(end):
        return end, 0.0
    mass_beyond = law.x.cdf if side < 0 else law.x.survival
    median = float(np.asarray(law.x.quantile(np.array([0.5])))[0])
    distances = np.concatenate([[0.0], np.ldexp(interquartile_range, np.arange(DOUBLINGS))])
    beyond = 1.0
    # Three times: where is the first distance that is far enough? The next look goes between it and
    # the one before, 32 times finer, so that the end is too far by at most 1/32^2 of the distance.
    for _ in range(3):
        mass = np.asarray(mass_beyond(median + side * distances), np.float64)
        first = max(1, int(np.argmax(mass <= TAIL_MASS)))
        if not mass[first] <= TAIL_MASS:
            raise InputError(
                f"{law.name}: more than {TAIL_MASS:g} of x lies beyond {distances[-1]:g}; use a "
                "law with lighter tails"
            )
        end, beyond = float(median + side * distances[first]), float(mass[first])
        distances = np.linspace(distances[first - 1], distances[first], 33)
    # A tail computed as 1 - cdf is 0 already below the rounding of 1, which is 2 UNIT.
    beyond = beyond if beyond > 0 else 2 * UNIT
    if abs(end - median) * beyond > MAX_TAIL_MEAN * interquartile_range:
        raise InputError(
            f"{law.name}: the tails of x are so heavy that its mean may not exist; use a law with "
            "lighter tails"
        )
    return end, beyond


def _values(law: Population, low: PerPanel, high: PerPanel) -> Values:
    """The values at nodes and checks."""
    starts = range(0, len(low), PANELS_PER_CALL)
    slices = [slice(start, start + PANELS_PER_CALL) for start in starts]
    return np.concatenate([_values_of_slice(law, low[s], high[s]) for s in slices], axis=-1)


def _values_of_slice(law: Population, low: PerPanel, high: PerPanel) -> Values:
    """The same for so few panels that all fits into one call."""
    half = (high - low) / 2
    # Never at an end of a panel, because the law may jump there.
    x = np.clip(
        low + half + _NODES_AND_CHECKS[:, None] * half,
        np.nextafter(low, np.inf),
        np.nextafter(high, -np.inf),
    )
    padded = np.full(next(size for size in PADDED_SIZES if size >= x.size), x.flat[0])
    padded[: x.size] = x.ravel()
    density = np.asarray(law.x.density(padded), np.float64)[: x.size].reshape(x.shape)
    eta = law.probability(padded)[: x.size].reshape(x.shape)
    bad = ~(np.isfinite(density) & (density >= 0))
    if bad.any():
        raise InputError(
            f"{law.name}: the density of x at x={x[bad][0]:.17g} is {density[bad][0]:g}; it must "
            "be finite and not negative"
        )
    return np.stack([density * (1 - eta), density * eta, density * _entropy(eta)])


def _entropy(p: Float[np.ndarray, "*k"]) -> Float[np.ndarray, "*k"]:
    """Entropy of a label that is 1 with probability p, in nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(p > 0, p * np.log(p), 0.0) - np.where(p < 1, (1 - p) * np.log1p(-p), 0.0)


def _residual(values: Values, low: PerPanel, high: PerPanel) -> tuple[PerPanel, Flags]:
    """How much the polynomials miss of the densities, and whether rounding explains it.

    A polynomial misses at least its last coefficients, and what it misses at the checks; the last
    three are taken, because an even or odd density has every other one equal to 0.
    """
    nodes, checks = values[:, :NODES], values[:, NODES:]
    series = TO_SERIES @ nodes
    residual = np.maximum(
        np.max(np.abs(series[:, -3:]), axis=1),
        np.max(np.abs(_AT_CHECKS @ series - checks), axis=1),
    )
    allowed = _rounding(nodes, series, low, high)
    half = (high - low) / 2
    missed = np.max(residual, axis=0)
    fine = (missed <= allowed) | (missed * 2 * half <= NEGLIGIBLE_MASS)
    return np.max(residual[:2], axis=0), fine


def _rounding(
    nodes: Float[np.ndarray, "3 n k"],
    series: Float[np.ndarray, "c n k"],
    low: PerPanel,
    high: PerPanel,
) -> PerPanel:
    """How much a polynomial may miss by rounding alone, given values at nodes and their series."""
    half = (high - low) / 2
    largest = np.max(nodes[0] + nodes[1], axis=0)
    slopes = np.max(np.abs(_TO_SLOPES @ series), axis=(0, 1))
    # Rounding x moves the density by its slope: x = low + half + t * half takes 3 roundings of |x|,
    # and the law's own formulas shift and scale it once or twice more, which makes 8 at most. The
    # slopes are divided by the half-width first, because 1 / half alone might overflow.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        by_rounded_x = 8 * UNIT * np.maximum(np.abs(low), np.abs(high)) * (slopes / half)
    return RESOLVED * np.maximum(largest, np.max(nodes[2], axis=0)) + np.nan_to_num(by_rounded_x)


def _narrow(values: Values, low: PerPanel, high: PerPanel, slope: float) -> Flags:
    """Whether losses of that slope are polynomials on a panel, to NEGLIGIBLE_MASS over its mass.

    Interpolation at NODES points converges like rho^-NODES if the loss is analytic in the ellipse
    of parameter rho. The logit has the half-width s = slope * half on the panel, and losses are
    analytic up to HEIGHT, so that rho - 1/rho = 2 HEIGHT / s.
    """
    half = (high - low) / 2
    mass = half * (WEIGHTS @ (values[0, :NODES] + values[1, :NODES]))
    rho = np.maximum(mass / NEGLIGIBLE_MASS, 1.0) ** (1 / NODES)  # that suffices
    return slope * half * (rho - 1 / rho) <= 2 * HEIGHT


def _straight(low: PerPanel, high: PerPanel, slope: float, b: float | None) -> Flags:
    """Whether all losses of about slope * x + b are straight lines on a panel.

    Panels made for F * (a, b), with F = REUSE_FACTOR, also serve (a, b) / F, whose logits are F**2
    times smaller; hence the limit.
    """
    if b is None:
        return np.zeros(len(low), bool)
    limit = REUSE_FACTOR**2 * CURVED_LOGIT
    return (slope * low + b > limit) | (slope * high + b < -limit)


def _too_many_error(law: Population, slope: float, low: PerPanel, high: PerPanel) -> InputError:
    """The error for too many panels: because of the slope if they are narrow for it, or the law."""
    if slope * float(np.median(high - low)) > HEIGHT / 8:
        return InputError(
            f"{law.name}: slopes as steep as {slope:g} need more than {MAX_PANELS} panels between "
            f"x = {np.min(low):g} and x = {np.max(high):g}; use smaller slopes, or a law with "
            "lighter tails"
        )
    return _unresolved_error(law, low[0])


def _unresolved_error(law: Population, x: float) -> InputError:
    """The error for a law that polynomials do not resolve near x."""
    return InputError(
        f"{law.name}: the density of x and P(y = 1 | x) cannot be resolved near x={x:.17g}; "
        "name their jumps and kinks in breaks, or use smoother functions"
    )
