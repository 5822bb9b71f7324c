"""A quantile function as a table of cubics, which a device reads faster than it finds roots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from sweep.populations.distributions.arrays import ULP
from sweep.populations.distributions.protocol import Distribution

FARTHEST = 2.0**-53
"""Probability of either tail that a table leaves out; no float64 below 1 is nearer to it."""

DRIFT = 2.0**-40
"""Error of a table in probability, |F(Q(u)) - u|, at which its cubics are fine enough; 1e-12."""

RELATIVE_DRIFT = 1e-6
"""And in units of the probability of the tail, where that is less."""

LONGEST = 2**16
"""Knots of a table that is finer than it need be for any law of sense."""


@dataclass(frozen=True, eq=False)
class CubicTable:
    """A quantile function as cubics: in probability it is right to `DRIFT`.

    Attributes:
        u: probabilities at the knots, ascending, shape (k,).
        cubics: x = c0 + c1 t + c2 t^2 + c3 t^3, with t in [0, 1] the position of u between its
            knots, shape (4, k - 1).
        support: the ends of the values that x can have.
    """

    u: Float[np.ndarray, " k"]
    cubics: Float[np.ndarray, "4 intervals"]
    support: tuple[float, float]

    @classmethod
    def of(cls, law: Distribution) -> CubicTable:
        """The table of a law whose cdf and density are known.

        Intervals of x are halved until the cubic through both ends, with the slopes 1 / density
        there, hits the cdf in between.
        """
        ends, reached = np.array(law.support), law.quantile(np.array([FARTHEST, 1 - FARTHEST]))
        low, high = np.where(np.isfinite(ends), ends, reached)
        inner = [x for x in law.breaks if low < x < high]
        x = np.unique(np.concatenate([np.linspace(low, high, 129), inner]))
        while True:
            table, left, right = cls._through(law, x)
            rough = table._rough(law)
            between = (x[left] + x[right]) / 2
            rough &= (between > x[left]) & (between < x[right])
            if len(x) > LONGEST or not rough.any():
                return table
            x = np.sort(np.concatenate([x, between[rough]]))

    @classmethod
    def _through(cls, law: Distribution, x: Float[np.ndarray, " n"]) -> tuple[CubicTable, Any, Any]:
        """The table with knots at x, and the numbers of the x at the ends of its intervals.

        Where there is no probability between knots, there is no interval.
        """
        u, first, count = np.unique(law.cdf(x), return_index=True, return_counts=True)
        left, right = (first + count - 1)[:-1], first[1:]
        width, rise = np.diff(u), x[right] - x[left]
        with np.errstate(divide="ignore"):
            starts = width / law.density(np.nextafter(x[left], math.inf))
            ends = width / law.density(np.nextafter(x[right], -math.inf))
        # Slopes up to three times the mean one leave the cubic monotone (Fritsch & Carlson 1980).
        starts, ends = np.minimum(starts, 3 * rise), np.minimum(ends, 3 * rise)
        cubics = np.stack([x[left], starts, 3 * rise - 2 * starts - ends, starts + ends - 2 * rise])
        return cls(u, cubics, law.support), left, right

    def _rough(self, law: Distribution) -> Bool[np.ndarray, " intervals"]:
        """Which cubics are not fine enough yet."""
        rough = np.zeros(len(self.u) - 1, bool)
        for t in (0.25, 0.5, 0.75):
            u = self.u[:-1] + t * np.diff(self.u)
            x = _horner(self.cubics, t)
            rounding = 2 * ULP + law.density(x) * np.spacing(np.abs(x))
            allowed = np.minimum(DRIFT, RELATIVE_DRIFT * np.minimum(u, 1 - u)) + rounding
            rough |= np.abs(law.cdf(x) - u) > allowed
        return rough

    def at(self, u: Any) -> Any:
        """The quantile of u, an array of JAX."""
        import jax.numpy as jnp

        k = self._interval(u)
        start, width, *cubic = (
            jnp.asarray(column).at[k].get(mode="promise_in_bounds")
            for column in (self.u[:-1], np.diff(self.u), *self.cubics)
        )
        x = _horner(cubic, jnp.clip((u - start) / width, 0.0, 1.0))
        low, high = self.support
        return jnp.where(u <= 0, low, jnp.where(u >= 1, high, x))

    def _interval(self, u: Any) -> Any:
        """The number of the last interval that begins below u, or 0.

        Bisection, unrolled: half the time of `jnp.searchsorted` on a CPU, of which it knows that no
        number it looks up is out of bounds.
        """
        import jax.numpy as jnp

        count = len(self.u) - 1
        step = 1 << max(count - 1, 0).bit_length()
        starts = jnp.asarray(np.pad(self.u[:-1], (0, step - count), constant_values=math.inf))
        k = jnp.zeros(jnp.shape(u), jnp.int32)
        while step > 1:
            step //= 2
            there = starts.at[k + step].get(mode="promise_in_bounds")
            k = jnp.where(there < u, k + step, k)
        return k


def _horner(cubics: Any, t: Any) -> Any:
    c0, c1, c2, c3 = cubics
    return c0 + t * (c1 + t * (c2 + t * c3))
