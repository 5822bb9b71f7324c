"""Laws of the user's own, of which only the quantile function is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.populations.distributions.arrays import ULP, namespace, native


@dataclass(frozen=True)
class Quantile:
    """A law of the user's own, given by its quantile function.

    Its cdf is found by bisection, and its density is one over the slope of the quantile function.
    Where less than 1e-16 is above x, it is taken for 0: a float64 is no nearer to 1.

    Attributes:
        function: quantile function of u in [0, 1], elementwise, written with jax.numpy; it rises.
        support: the ends of the values that x can have; they may be infinite.
        breaks: where the density jumps or has a kink, in units of x.

    Raises:
        InputError: there is no function, or the ends of the support are not in their order.
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
        """The x below which the probability is u."""
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
        """The cdf and what follows from it, of arrays of JAX."""
        import jax
        import jax.numpy as jnp

        def survival(x: Any) -> Any:
            found = self._invert(x)
            return (1 - found.u) + found.excess

        def density(x: Any) -> Any:
            found = self._invert(x)
            return jnp.where(found.smooth, 1 / found.slope, 0.0)

        functions = {"cdf": self._cdf, "survival": survival, "density": density}
        return {name: jax.jit(function) for name, function in functions.items()}

    def _cdf(self, x: Any) -> Any:
        """The least u whose quantile is at least x, by bisection over all float64 in [0, 1].

        Numbers above 0 are in the order of their bits, so that 62 halvings find any of them.
        """
        import jax
        import jax.numpy as jnp

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

        Both are continued from a float64 by the derivatives of the quantile function.
        """
        import jax
        import jax.numpy as jnp

        def slope_at(u: Any) -> Any:
            return jax.jvp(self.function, (u,), (jnp.ones_like(u),))

        u = self._cdf(x)
        (end, slope), (_, curvature) = jax.jvp(slope_at, (u,), (jnp.ones_like(u),))
        before = jnp.nextafter(u, 0.0)
        # A function that takes numbers of the size of x from each other is rounded like those.
        size = jnp.abs(end) + jnp.max(jnp.abs(self.function(jnp.array([0.25, 0.5, 0.75]))))
        jumps = end - self.function(before) > 64 * (slope * (u - before) + ULP * size)
        smooth = (u > 0) & (u < 1) & ~jumps
        excess = jnp.where(smooth, (end - x) / slope, 0.0)
        change = curvature * excess
        small = jnp.abs(change) < slope / 2
        return Inverse(u, excess, jnp.where(small, slope - change, slope), smooth)


class Inverse(NamedTuple):
    """A quantile function near x.

    Attributes:
        u: the least float64 whose quantile is at least x.
        excess: how much the probability below x is less than u.
        slope: of the quantile function at that probability.
        smooth: whether there is a slope: x is no end of the support, and not jumped across.
    """

    u: Any
    excess: Any
    slope: Any
    smooth: Any
