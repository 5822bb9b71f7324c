"""Mixtures: x follows one of several laws, chosen at random.

On the host a quantile is the root of the cdf. A device reads it from a table of cubics instead,
which is faster than finding roots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.populations.distributions.protocol import ULP, Distribution, namespace

MAX_STEPS = 200  # of root finding; every third halves the bracket
TAIL = 2.0**-53  # probability of either tail that a table leaves out: the last u is 1 - 2^-53
# A table is fine enough where its error in probability, |F(Q(u)) - u|, is below both of these.
MAX_ERROR = 2.0**-40  # 1e-12
MAX_RELATIVE_ERROR = 1e-6  # in units of the probability of the tail
MAX_KNOTS = 2**16  # a table stops here; laws that are integrated need far fewer


@dataclass(frozen=True)
class Mixture:
    """A mixture: x follows one of several laws, chosen at random.

    On the host its quantile is exact to rounding; on the device its error in probability is below
    1e-11.

    Attributes:
        weights: probability of each part, > 0; their sum is 1.
        parts: the laws.

    Raises:
        InputError: the numbers of weights and parts differ, or the weights are not positive with
            sum 1.
    """

    weights: tuple[float, ...]
    parts: tuple[Distribution, ...]

    def __post_init__(self) -> None:
        weights = self.weights
        if len(weights) != len(self.parts) or not weights:
            raise InputError(
                f"a mixture has {len(weights)} weights and {len(self.parts)} parts; give one "
                "weight for each"
            )
        if not (min(weights) > 0 and abs(math.fsum(weights) - 1) < 1e-12):
            raise InputError(
                f"the weights of a mixture are {', '.join(map(short, weights))}; give numbers "
                "above 0 whose sum is 1"
            )

    @property
    def support(self) -> tuple[float, float]:
        """(lowest, highest) value of any part."""
        lows, highs = zip(*(part.support for part in self.parts), strict=True)
        return min(lows), max(highs)

    @property
    def breaks(self) -> tuple[float, ...]:
        """The breaks of all parts."""
        return tuple(sorted({x for part in self.parts for x in part.breaks}))

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u."""
        if namespace(u) is np:
            return self._root(np.asarray(u, np.float64))
        return self._table.at(u)

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        return sum(w * part.cdf(x) for w, part in self._weighted)

    def survival(self, x: Any) -> Any:
        """Probability above x."""
        return sum(w * part.survival(x) for w, part in self._weighted)

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x."""
        xp = namespace(x)
        logs = [math.log(w) + part.log_density(x) for w, part in self._weighted]
        total = logs[0]
        for other in logs[1:]:
            total = xp.logaddexp(total, other)
        return total

    def density(self, x: Any) -> Any:
        """Density at x."""
        return sum(w * part.density(x) for w, part in self._weighted)

    @property
    def _weighted(self) -> tuple[tuple[float, Distribution], ...]:
        """Each weight with its part."""
        return tuple(zip(self.weights, self.parts, strict=True))

    @cached_property
    def _table(self) -> CubicTable:
        """The quantile function for the device."""
        return CubicTable.of(self)

    def _root(self, u: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The root of the cdf, between the lowest and the highest quantile of any part.

        Newton's method solves for the logarithm of the smaller tail, which is nearly linear far
        out, inside a bracket that every third step halves.
        """
        with np.errstate(all="ignore"):
            ends = [part.quantile(u) for part in self.parts]
            low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
            lower, tail = u <= 0.5, np.minimum(u, 1 - u)
            x = np.where(lower, low, high)
            done = (low == high) | ~(tail > 0)
            x = np.where(done, x, low + (high - low) / 2)
            for step in range(MAX_STEPS):
                mass = np.where(lower, self.cdf(x), self.survival(x))
                below = np.where(lower, mass < tail, mass > tail)
                low, high = np.where(below, x, low), np.where(below, high, x)
                off, density = np.log(mass / tail), self.density(x)
                newton = x - np.where(lower, off, -off) * (mass / density)
                take_newton = (newton > low) & (newton < high) & (step % 3 < 2)
                following = np.where(take_newton, newton, low + (high - low) / 2)
                near = (np.abs(off) <= 2 * ULP) | (np.abs(newton - x) <= ULP * np.abs(x))
                done |= (near & (density > 0)) | (high - low <= ULP * np.abs(x))
                if done.all():
                    break
                x = np.where(done, x, following)
        return x


@dataclass(frozen=True, eq=False)
class CubicTable:
    """A quantile function as piecewise cubics, with an error in probability of about MAX_ERROR."""

    u: Float[np.ndarray, " k"]  # probabilities at the knots, ascending, shape (k,)
    # coefficients c of x = c0 + c1 t + c2 t^2 + c3 t^3, where t in [0, 1] is the position of u
    # between its knots, shape (4, k - 1)
    cubics: Float[np.ndarray, "4 intervals"]
    support: tuple[float, float]  # (lowest, highest) value of x

    @classmethod
    def of(cls, law: Distribution) -> CubicTable:
        """The table of a law, from its cdf and density.

        Intervals of x are halved until the cubic through both ends, with the slopes 1 / density
        there, agrees with the cdf in between.
        """
        ends, tails = np.array(law.support), law.quantile(np.array([TAIL, 1 - TAIL]))
        low, high = np.where(np.isfinite(ends), ends, tails)
        inner = [x for x in law.breaks if low < x < high]
        x = np.unique(np.concatenate([np.linspace(low, high, 129), inner]))
        while True:
            table, left, right = cls._through(law, x)
            rough = table._rough(law)
            between = (x[left] + x[right]) / 2
            rough &= (between > x[left]) & (between < x[right])
            if len(x) > MAX_KNOTS or not rough.any():
                return table
            x = np.sort(np.concatenate([x, between[rough]]))

    @classmethod
    def _through(cls, law: Distribution, x: Float[np.ndarray, " n"]) -> tuple[CubicTable, Any, Any]:
        """The table with knots at x, and the indices of x at the ends of its intervals.

        Neighbouring knots with no probability between them form no interval.
        """
        u, first, count = np.unique(law.cdf(x), return_index=True, return_counts=True)
        left, right = (first + count - 1)[:-1], first[1:]
        width, rise = np.diff(u), x[right] - x[left]
        with np.errstate(divide="ignore"):
            starts = width / law.density(np.nextafter(x[left], math.inf))
            ends = width / law.density(np.nextafter(x[right], -math.inf))
        # A cubic is monotone if its end slopes are at most three times the mean slope (Fritsch &
        # Carlson 1980).
        starts, ends = np.minimum(starts, 3 * rise), np.minimum(ends, 3 * rise)
        cubics = np.stack([x[left], starts, 3 * rise - 2 * starts - ends, starts + ends - 2 * rise])
        return cls(u, cubics, law.support), left, right

    def _rough(self, law: Distribution) -> Bool[np.ndarray, " intervals"]:
        """Which cubics are not accurate enough yet."""
        rough = np.zeros(len(self.u) - 1, bool)
        for t in (0.25, 0.5, 0.75):
            u = self.u[:-1] + t * np.diff(self.u)
            x = _horner(self.cubics, t)
            # Two roundings of the cdf, and one of x in terms of probability.
            rounding = 2 * ULP + law.density(x) * np.spacing(np.abs(x))
            relative = MAX_RELATIVE_ERROR * np.minimum(u, 1 - u)
            allowed = np.minimum(MAX_ERROR, relative) + rounding
            rough |= np.abs(law.cdf(x) - u) > allowed
        return rough

    def at(self, u: Any) -> Any:
        """The quantile of u, an array of JAX."""
        jnp = namespace(u)
        k = self._interval(u)
        start, width, *cubic = (
            jnp.asarray(column).at[k].get(mode="promise_in_bounds")
            for column in (self.u[:-1], np.diff(self.u), *self.cubics)
        )
        x = _horner(cubic, jnp.clip((u - start) / width, 0.0, 1.0))
        low, high = self.support
        return jnp.where(u <= 0, low, jnp.where(u >= 1, high, x))

    def _interval(self, u: Any) -> Any:
        """The index of the last interval that begins below u, or 0.

        This unrolled bisection takes half the time of `jnp.searchsorted` on a CPU, because it
        promises that no index is out of bounds.
        """
        jnp = namespace(u)
        count = len(self.u) - 1
        step = 1 << max(count - 1, 0).bit_length()
        starts = jnp.asarray(np.pad(self.u[:-1], (0, step - count), constant_values=math.inf))
        k = jnp.zeros(jnp.shape(u), jnp.int32)
        while step > 1:
            step //= 2
            candidate = starts.at[k + step].get(mode="promise_in_bounds")
            k = jnp.where(candidate < u, k + step, k)
        return k


def _horner(cubics: Any, t: Any) -> Any:
    """The values of cubics at t."""
    c0, c1, c2, c3 = cubics
    return c0 + t * (c1 + t * (c2 + t * c3))
