"""Laws of x that are given by their quantile function alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.populations.distributions.protocol import ULP, namespace, native

# A step of the quantile function beyond so many roundings is a jump; formulas may round some dozens
# of times.
JUMP_SLACK = 64


@dataclass(frozen=True)
class Quantile:
    """A law of your own, given by its quantile function.

    The cdf is found by bisection, and the density is one over the slope of the quantile function.
    A survival probability below 1e-16 is taken for 0, because no float64 is nearer to 1.

    Attributes:
        function: quantile function of u in [0, 1], elementwise, written with jax.numpy; it rises.
        support: (lowest, highest) value of x; they may be infinite.
        breaks: where the density jumps or has a kink, in units of x.

    Raises:
        InputError: function is not callable, or the lower end of the support is not the first.
    """

    function: Callable[[Any], Any]
    support: tuple[float, float]
    breaks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InputError(
                f"the quantile function is a {type(self.function).__name__}; give a function of u"
            )
        low, high = self.support
        if not low < high:
            raise InputError(
                f"the support reaches from {short(low)} to {short(high)}; give its lower end first"
            )

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u."""
        return native(self.function, u)

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        return native(self._compiled["cdf"], x)

    def survival(self, x: Any) -> Any:
        """Probability above x."""
        return native(self._compiled["survival"], x)

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x."""
        with np.errstate(divide="ignore"):
            return namespace(x).log(self.density(x))

    def density(self, x: Any) -> Any:
        """Density at x."""
        return native(self._compiled["density"], x)

    @cached_property
    def _compiled(self) -> dict[str, Callable[[Any], Any]]:
        """The cdf, survival and density for arrays of JAX, compiled."""

        def survival(x: Any) -> Any:
            inverse = self._invert(x)
            return (1 - inverse.u) + inverse.excess

        def density(x: Any) -> Any:
            inverse = self._invert(x)
            return jnp.where(inverse.smooth, 1 / inverse.slope, 0.0)

        functions = {"cdf": self._cdf, "survival": survival, "density": density}
        return {name: jax.jit(function) for name, function in functions.items()}

    def _cdf(self, x: Any) -> Any:
        """The least u whose quantile is at least x, by bisection over all float64 in [0, 1].

        Positive numbers have the order of their bits as integers, so 62 halvings find any of them.
        """

        def halve(_: Any, ends: tuple[Any, Any]) -> tuple[Any, Any]:
            low, high = ends
            middle = low + (high - low) // 2
            below = self.function(jax.lax.bitcast_convert_type(middle, jnp.float64)) < x
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        ends = np.array([0.0, 1.0]).view(np.int64)
        low, high = (jnp.full(jnp.shape(x), end) for end in ends)
        _, high = jax.lax.fori_loop(0, 62, halve, (low, high))
        u = jax.lax.bitcast_convert_type(high, jnp.float64)
        return jnp.where(x <= self.support[0], 0.0, jnp.where(x >= self.support[1], 1.0, u))

    def _invert(self, x: Any) -> Inverse:
        """The probability below x, finer than a float64 near 1, and the slope there.

        Both are continued from the nearest float64 by derivatives of the quantile function.
        """

        def slope_at(u: Any) -> Any:
            return jax.jvp(self.function, (u,), (jnp.ones_like(u),))

        u = self._cdf(x)
        (end, slope), (_, curvature) = jax.jvp(slope_at, (u,), (jnp.ones_like(u),))
        before = jnp.nextafter(u, 0.0)
        # A function that subtracts numbers of the size of x has their rounding errors.
        size = jnp.abs(end) + jnp.max(jnp.abs(self.function(jnp.array([0.25, 0.5, 0.75]))))
        jumps = end - self.function(before) > JUMP_SLACK * (slope * (u - before) + ULP * size)
        smooth = (u > 0) & (u < 1) & ~jumps
        excess = jnp.where(smooth, (end - x) / slope, 0.0)
        change = curvature * excess  # of the slope; not trusted beyond half of it
        small = jnp.abs(change) < slope / 2
        return Inverse(u, excess, jnp.where(small, slope - change, slope), smooth)


class Inverse(NamedTuple):
    """The inverse of a quantile function at x."""

    u: Any  # the least float64 whose quantile is at least x
    excess: Any  # u minus the probability below x
    slope: Any  # of the quantile function at that probability
    smooth: Any  # whether that slope exists: x is not an end of the support or in a gap
