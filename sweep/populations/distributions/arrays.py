"""One formula for arrays of NumPy and of JAX, on the host and while a kernel is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.scipy.special
import numpy as np

MIN_LENGTH = 2**10  # of an array in a call of a user's function: fewer lengths, fewer compilations
ULP = 2.0**-52  # relative distance of neighbouring float64 numbers


def native(function: Callable[[Any], Any], values: Any) -> Any:
    """Calls a function that is written with jax.numpy on an array of JAX or of NumPy.

    An array of NumPy is taken in float64 and padded to a power of two, because JAX compiles once
    for each length; the result is of NumPy too.

    Args:
        function: elementwise.
        values: any shape.
    """
    if namespace(values) is not np:
        return function(values)
    x = np.asarray(values, np.float64)
    if not x.size:
        return x
    length = max(MIN_LENGTH, 1 << (x.size - 1).bit_length())
    padded = np.pad(x.ravel(), (0, length - x.size), mode="edge")
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
        return jax.scipy.special
    import scipy.special  # 0.3 s, and needed for arrays of NumPy only

    return scipy.special
