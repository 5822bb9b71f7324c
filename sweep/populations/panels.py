"""Panels: where the densities of both classes are polynomials, and fine enough for losses.

On each panel the densities, f (1 - eta) and f eta, are polynomials of degree NODES - 1 to the last
digits: panels are halved until the Legendre coefficients say so (Trefethen, Approximation Theory
and Approximation Practice, chapters 7 and 19). They are also halved until they are narrow for the
steepest slope asked for, the less so the less mass they hold; and for the losses of one a*x + b
only near its cut, for elsewhere they are straight lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sweep.base.errors import InputError
from sweep.base.rounding import UNIT
from sweep.metrics.profile import HEIGHT
from sweep.populations import Population
from sweep.populations.distributions.mixtures import Mixture
from sweep.populations.distributions.protocol import Distribution

NODES = 16
"""Nodes of a panel: they integrate polynomials of degree 2 NODES - 1 exactly."""

CHECKS = np.array([1e-11 - 1, -0.9985, -0.63, 0.0, 0.63, 0.9985, 1 - 1e-11])
"""Where on a panel [-1, 1] a polynomial is compared with the density, beside its own decay.

Next to both ends as well: a jump near an end would be between no two nodes.
"""

RESOLVED = 2.0**-46
"""Part of the density on a panel that its polynomial may miss: some roundings of an exponential."""

NOTHING = 1e-17
"""Mass that counts as none: where a panel misses no more than that, its shape does not matter."""

FAR = 1e-18
"""Mass of a tail beyond which there are no panels."""

MOST = 2**17
"""Panels, beyond which a law is refused."""

CURVED = 50.0
"""Logit, in size, from which on every loss is a straight line to the last digits."""

NEAR = 2.0
"""Factor by which a and b may change without panels being made anew."""

AT_ONCE = 2**11
"""Panels on which the density is evaluated in one call."""

SIZES = (2**8, 2**12, 2**16)
"""Numbers of x for which it is: few, for a law of the user's own is compiled for each."""

LOOKED = 2**12
"""Quantiles at which the panels that are done are compared with the law."""

LOOKS = 6
"""Times that panels are halved again where such a comparison fails."""

HEAVY = 1e-6
"""What lies beyond the panels may add to the mean of |x|, in interquartile ranges."""

KNOTS = 32
"""Panels of equal mass to begin with."""

_GAUSS = np.polynomial.legendre.leggauss(NODES)
T: Float[np.ndarray, " n"] = _GAUSS[0]
"""The nodes of a panel [-1, 1], ascending."""
WEIGHTS: Float[np.ndarray, " n"] = _GAUSS[1]
"""Their weights, whose sum is 2."""

_ALL = np.concatenate([T, CHECKS])
AT_NODES = np.polynomial.legendre.legvander(T, NODES - 1)
"""Values of the Legendre polynomials at the nodes, shape (NODES, NODES): one row a node."""
_AT_CHECKS = np.polynomial.legendre.legvander(CHECKS, NODES - 1)
TO_SERIES = (np.arange(NODES) + 0.5)[:, None] * (AT_NODES * WEIGHTS[:, None]).T
"""Turns values at the nodes into Legendre coefficients, shape (NODES, NODES)."""
_TO_SLOPES = np.stack(
    [
        np.polynomial.legendre.legval(T, np.polynomial.legendre.legder(unit))
        for unit in np.eye(NODES)
    ],
    axis=1,
)


@dataclass(frozen=True, eq=False)
class Panels:
    """Panels that are done, ascending.

    Attributes:
        edges: their ends, shape (k + 1,).
        values: f (1 - eta), f eta and f h(eta) at the nodes, h the entropy of eta in nats, shape
            (3, NODES, k).
        residual: what the polynomials miss of either density, shape (k,).
        beyond: mass below the first and above the last panel, at most.
    """

    edges: Float[np.ndarray, " e"]
    values: Float[np.ndarray, "3 n k"]
    residual: Float[np.ndarray, " k"]
    beyond: tuple[float, float]

    @classmethod
    def of(cls, law: Population, slope: float, intercept: float | None, spread: float) -> Panels:
        """The panels of a population.

        Args:
            law: the population.
            slope: largest |a| of the losses of a*x + b that they are for.
            intercept: if only losses of about slope * x + intercept are asked for.
            spread: interquartile range of x.

        Raises:
            InputError: the law cannot be resolved, or its tails are heavy, or its density is none.
        """
        edges, beyond = _first(law, spread)
        found = cls._halved(law, slope, intercept, edges, beyond)
        unseen = found._unseen(law)
        for _ in range(LOOKS):
            if not len(unseen):
                return found
            edges = np.unique(np.concatenate([found.edges, unseen]))
            found = cls._halved(law, slope, intercept, edges, beyond)
            unseen = found._unseen(law)
        if len(unseen):
            raise _unresolved(law, unseen[0])
        return found

    @classmethod
    def _halved(
        cls,
        law: Population,
        slope: float,
        intercept: float | None,
        edges: Float[np.ndarray, " e"],
        beyond: tuple[float, float],
    ) -> Panels:
        """The panels between edges, halved until each is done."""
        low, high = edges[:-1], edges[1:]
        done: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        count = 0
        while len(low):
            if count + len(low) > MOST:
                raise _too_many(law, slope, low, high)
            values = _values(law, low, high)
            residual, fine = _residual(values, low, high)
            fine &= _narrow(values, low, high, slope) | _straight(low, high, slope, intercept)
            middle = low + (high - low) / 2
            fine |= ~((low < middle) & (middle < high))
            done.append((low[fine], values[:, :NODES, fine], residual[fine]))
            count += int(np.count_nonzero(fine))
            low, middle, high = low[~fine], middle[~fine], high[~fine]
            low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        start, values, residual = (
            np.concatenate(parts, axis=-1) for parts in zip(*done, strict=True)
        )
        order = np.argsort(start)
        return cls(np.append(start[order], edges[-1]), values[..., order], residual[order], beyond)

    def _unseen(self, law: Population) -> Float[np.ndarray, " u"]:
        """Where the polynomials miss the densities between all that was looked at, ascending."""
        u = (np.arange(LOOKED) + np.random.default_rng(0).uniform(size=LOOKED)) / LOOKED
        x = np.asarray(law.x.quantile(u), np.float64)
        k = np.clip(np.searchsorted(self.edges, x) - 1, 0, len(self.edges) - 2)
        low, high = self.edges[k], self.edges[k + 1]
        half = (high - low) / 2
        t = np.clip((x - low) / half - 1, -1, 1)
        series = TO_SERIES @ self.values[:2]
        at = np.polynomial.legendre.legvander(t, NODES - 1)
        found = np.einsum("un,cnu->cu", at, series[..., k])
        density, eta = np.asarray(law.x.density(x), np.float64), law.probability(x)
        missed = np.max(np.abs(found - np.stack([density * (1 - eta), density * eta])), axis=0)
        allowed = 64 * _allowed(self.values[..., k], series[..., k], low, high)
        middle = low + half
        seen = (missed <= allowed) | (missed * 2 * half <= NOTHING)
        return np.unique(x[~seen & (low < middle) & (middle < high) & (low < x) & (x < high)])


def _first(law: Population, spread: float) -> tuple[Float[np.ndarray, " e"], tuple[float, float]]:
    """Edges to begin with, and the mass below and above them.

    Declared breaks, and quantiles between them, so that no part of x is narrow beside its panel;
    those of each part of a mixture too, for one that hardly ever occurs is between two of all x.
    """
    (low, below), (high, above) = _end(law, spread, -1), _end(law, spread, +1)
    breaks = np.array([low, *(e for e in law.edges if low < e < high), high])
    u = np.arange(1, KNOTS) / KNOTS
    knots = np.concatenate([np.asarray(x.quantile(u), np.float64) for x in _parts(law.x)])
    away = np.min(np.abs(knots[:, None] - breaks), axis=1) > 1e-6 * spread
    return np.unique(np.concatenate([breaks, knots[away & (low < knots) & (knots < high)]])), (
        below,
        above,
    )


def _parts(x: Distribution) -> list[Distribution]:
    """A law of x, and those that it is a mixture of."""
    inner = x.parts if isinstance(x, Mixture) else ()
    return [x, *(one for part in inner for one in _parts(part))]


def _end(law: Population, spread: float, side: int) -> tuple[float, float]:
    """The end of the support on a side, or where a tail of mass FAR begins; and the mass beyond."""
    end = law.support[0 if side < 0 else 1]
    if math.isfinite(end):
        return end, 0.0
    beyond = law.x.cdf if side < 0 else law.x.survival
    median = float(np.asarray(law.x.quantile(np.array([0.5])))[0])
    away = np.concatenate([[0.0], np.ldexp(spread, np.arange(200))])
    found = 1.0
    for _ in range(3):  # each time between the last that is too near and the first that is not
        mass = np.asarray(beyond(median + side * away), np.float64)
        first = max(1, int(np.argmax(mass <= FAR)))
        if not mass[first] <= FAR:
            raise InputError(
                f"{law.name}: more than {FAR:g} of x lies beyond {away[-1]:g}; a law with lighter "
                "tails is needed"
            )
        end, found = float(median + side * away[first]), float(mass[first])
        away = np.linspace(away[first - 1], away[first], 33)
    # A tail of 1 - cdf is 0 from where it is less than the rounding of 1.
    found = found if found > 0 else 2 * UNIT
    if abs(end - median) * found > HEAVY * spread:
        raise InputError(
            f"{law.name}: the tails of x are so heavy that its mean may not exist; a law with "
            "lighter tails is needed"
        )
    return end, found


def _values(
    law: Population, low: Float[np.ndarray, " k"], high: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "3 m k"]:
    """The values f (1 - eta), f eta and f h(eta) at nodes and checks, h the entropy of eta."""
    parts = [
        _some_values(law, low[start : start + AT_ONCE], high[start : start + AT_ONCE])
        for start in range(0, len(low), AT_ONCE)
    ]
    return np.concatenate(parts, axis=-1)


def _some_values(
    law: Population, low: Float[np.ndarray, " k"], high: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "3 m k"]:
    half = (high - low) / 2
    # Never at an end, where the law may jump.
    x = np.clip(
        low + half + _ALL[:, None] * half, np.nextafter(low, np.inf), np.nextafter(high, -np.inf)
    )
    padded = np.full(next(size for size in SIZES if size >= x.size), x.flat[0])
    padded[: x.size] = x.ravel()
    density = np.asarray(law.x.density(padded), np.float64)[: x.size].reshape(x.shape)
    eta = law.probability(padded)[: x.size].reshape(x.shape)
    bad = ~(np.isfinite(density) & (density >= 0))
    if bad.any():
        raise InputError(
            f"{law.name}: the density of x at x={x[bad][0]:.17g} is {density[bad][0]:g}; it must "
            "be a finite number that is not negative"
        )
    return np.stack([density * (1 - eta), density * eta, density * _entropy(eta)])


def _entropy(p: Float[np.ndarray, "*k"]) -> Float[np.ndarray, "*k"]:
    """Entropy of a label that is 1 with probability p, in nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(p > 0, p * np.log(p), 0.0) - np.where(p < 1, (1 - p) * np.log1p(-p), 0.0)


def _residual(
    values: Float[np.ndarray, "3 m k"], low: Float[np.ndarray, " k"], high: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """What the polynomials miss of the densities, and whether that is nothing, or is rounding."""
    nodes, checks = values[:, :NODES], values[:, NODES:]
    series = TO_SERIES @ nodes
    residual = np.maximum(
        np.max(np.abs(series[:, -3:]), axis=1),
        np.max(np.abs(_AT_CHECKS @ series - checks), axis=1),
    )
    allowed = _allowed(nodes, series, low, high)
    half = (high - low) / 2
    missed = np.max(residual, axis=0)
    fine = (missed <= allowed) | (missed * 2 * half <= NOTHING)
    return np.max(residual[:2], axis=0), fine


def _allowed(
    nodes: Float[np.ndarray, "3 n k"],
    series: Float[np.ndarray, "c n k"],
    low: Float[np.ndarray, " k"],
    high: Float[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """What a polynomial may miss by rounding alone, of values at the nodes and their series."""
    half = (high - low) / 2
    largest = np.max(nodes[0] + nodes[1], axis=0)
    # Rounding x moves the density by its slope; dividing by the half-width alone might overflow.
    slopes = np.max(np.abs(_TO_SLOPES @ series), axis=(0, 1))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        shaken = 8 * UNIT * np.maximum(np.abs(low), np.abs(high)) * (slopes / half)
    return RESOLVED * np.maximum(largest, np.max(nodes[2], axis=0)) + np.nan_to_num(shaken)


def _narrow(
    values: Float[np.ndarray, "3 m k"],
    low: Float[np.ndarray, " k"],
    high: Float[np.ndarray, " k"],
    slope: float,
) -> Bool[np.ndarray, " k"]:
    """Whether losses of that slope are polynomials on a panel, to NOTHING over its mass.

    Interpolation converges like rho^-NODES; a panel of half-width s has rho - 1/rho = 2 HEIGHT / s.
    """
    half = (high - low) / 2
    mass = half * (WEIGHTS @ (values[0, :NODES] + values[1, :NODES]))
    rho = np.maximum(mass / NOTHING, 1.0) ** (1 / NODES)
    return slope * half * (rho - 1 / rho) <= 2 * HEIGHT


def _straight(
    low: Float[np.ndarray, " k"], high: Float[np.ndarray, " k"], slope: float, b: float | None
) -> Bool[np.ndarray, " k"]:
    """Whether a panel is where no loss of about slope * x + b is curved."""
    if b is None:
        return np.zeros(len(low), bool)
    return (slope * low + b > NEAR**2 * CURVED) | (slope * high + b < -(NEAR**2) * CURVED)


def _too_many(
    law: Population, slope: float, low: Float[np.ndarray, " k"], high: Float[np.ndarray, " k"]
) -> InputError:
    """Why there are too many panels: because of the slope, or of the law."""
    if slope * float(np.median(high - low)) > HEIGHT / 8:
        return InputError(
            f"{law.name}: slopes as steep as {slope:g} need more than {MOST} panels of an x that "
            f"reaches from {np.min(low):g} to {np.max(high):g}; ask for slopes that are smaller in "
            "size, or take a law with lighter tails"
        )
    return _unresolved(law, low[0])


def _unresolved(law: Population, x: float) -> InputError:
    return InputError(
        f"{law.name}: the density of x and P(y = 1 | x) cannot be resolved near x={x:.17g}; "
        "name their jumps and kinks in breaks, or give smoother functions"
    )
