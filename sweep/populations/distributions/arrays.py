"""One formula for arrays of NumPy and of JAX, on the host and while a kernel is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SHORTEST = 2**10
"""Values in the smallest call of a function of the user's own."""

ULP = 2.0**-52
"""Relative distance of neighbouring float64 numbers."""


def native(function: Callable[[Any], Any], values: Any) -> Any:
    """A function written with jax.numpy, of an array of JAX or, in float64, of one of NumPy.

    Those of NumPy are padded to a power of two: JAX compiles once for each length.
    """
    if namespace(values) is not np:
        return function(values)
    import jax

    x = np.asarray(values, np.float64)
    if not x.size:
        return x
    length = max(SHORTEST, 1 << (x.size - 1).bit_length())
    padded = np.pad(x.ravel(), (0, length - x.size), mode="edge")
    # At once, also where a kernel is being traced that asks for a table of a law.
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), np.errstate(all="ignore"):
        found = np.asarray(function(padded), np.float64)
    return np.array(np.broadcast_to(found, length)[: x.size]).reshape(x.shape)


def namespace(x: Any) -> Any:
    """NumPy or jax.numpy, whichever the array is of; NumPy for a number."""
    return x.__array_namespace__() if hasattr(x, "__array_namespace__") else np


def special(x: Any) -> Any:
    """The special functions of SciPy, or those of JAX, whichever the array is for."""
    if namespace(x) is np:
        import scipy.special as functions
    else:
        import jax.scipy.special as functions
    return functions
