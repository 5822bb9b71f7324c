"""The interface of a law of x, whose formulas serve arrays of NumPy and of JAX alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

MIN_LENGTH = 2**10  # of an array in a call of a user's function: fewer lengths, fewer compilations
ULP = 2.0**-52  # relative distance of neighbouring float64 numbers


@runtime_checkable
class Distribution(Protocol):
    """A law of x. All methods are elementwise, for arrays of NumPy or of JAX in float64."""

    @property
    def support(self) -> tuple[float, float]:
        """(lowest, highest) value of x; they may be infinite."""
        ...

    @property
    def breaks(self) -> tuple[float, ...]:
        """Where the density jumps or has a kink, ascending, finite ends of the support included."""
        ...

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u, for u in [0, 1]."""
        ...

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        ...

    def survival(self, x: Any) -> Any:
        """Probability above x: 1 - cdf without its cancellation."""
        ...

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x, -inf where the density is 0."""
        ...

    def density(self, x: Any) -> Any:
        """Density at x."""
        ...


def native(function: Callable[[Any], Any], values: Any) -> Any:
    """Calls a function that is written with jax.numpy on an array of JAX or of NumPy.

    An array of NumPy is taken in float64 and padded to a power of two, because JAX compiles once
    for each length; the result is of NumPy too.
    """
    if namespace(values) is not np:
        return function(values)
    x = np.asarray(values, np.float64)
    if not x.size:
        return x
    length = max(MIN_LENGTH, 1 << (x.size - 1).bit_length())
    padded = np.pad(x.ravel(), (0, length - x.size), mode="edge")
    import jax  # a second to load, and data without a law need none of it

    # Evaluated at once, even while a kernel is traced that needs a table of a law.
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), np.errstate(all="ignore"):
        result = np.asarray(function(padded), np.float64)
    return np.array(np.broadcast_to(result, length)[: x.size]).reshape(x.shape)


def namespace(x: Any) -> Any:
    """The array module of x, numpy or jax.numpy; numpy for a plain number."""
    return x.__array_namespace__() if hasattr(x, "__array_namespace__") else np


def special(x: Any) -> Any:
    """The module of special functions for x: that of SciPy or of JAX."""
    if namespace(x) is not np:
        import jax.scipy.special  # loaded already: x is an array of JAX

        return jax.scipy.special
    import scipy.special  # 0.3 s, and needed for arrays of NumPy only

    return scipy.special
