"""A law of (x, y), and what makes it valid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.populations.distributions.arrays import native
from sweep.populations.distributions.protocol import Distribution

CHECKED = 2**12
"""Quantiles at which a law is checked, besides those of its tails."""

ATOM = 8
"""So many equal quantiles in a row are taken for a probability of one value."""


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """A law of (x, y), y in {0, 1}.

    Attributes:
        name: how it is asked for, or any name of a law of the user's own.
        x: the law of x.
        eta: P(y = 1 | x), a function of x, elementwise, written with jax.numpy.
        breaks: where eta jumps or has a kink, in units of x.
        id: its short name, of those in the catalogue.

    Raises:
        InputError: x is no law, or eta is no function.
    """

    name: str
    x: Distribution
    eta: Callable[[Any], Any]
    breaks: tuple[float, ...] = ()
    id: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.x, Distribution):
            raise InputError(
                f"x of {self.name} is a {type(self.x).__name__}; give one of "
                "sweep.populations.Uniform, Normal, Exponential, Mixture and Quantile"
            )
        if not callable(self.eta):
            raise InputError(
                f"eta of {self.name} is a {type(self.eta).__name__}; give a function of x"
            )
        if not isinstance(self.breaks, (tuple, list)) or not all(map(_is_number, self.breaks)):
            raise InputError(
                f"breaks of {self.name} is {self.breaks!r}; give numbers, such as (0.0, 1.5)"
            )

    def __repr__(self) -> str:
        return f"Population({self.name})"

    @property
    def support(self) -> tuple[float, float]:
        """The ends of the values that x can have; they may be infinite."""
        return self.x.support

    @property
    def edges(self) -> tuple[float, ...]:
        """Where the law is not smooth, ascending, finite ends of the support included."""
        low, high = self.support
        every = {*self.support, *self.x.breaks, *self.breaks}
        return tuple(sorted(x for x in every if low <= x <= high and math.isfinite(x)))

    def probability(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """P(y = 1 | x) on the host, as a fraction.

        Raises:
            InputError: it is outside [0, 1] or no number somewhere.
        """
        found = native(self.eta, x)
        wrong = np.flatnonzero(~((found >= 0) & (found <= 1)))
        if wrong.size:
            value, where = float(found.flat[wrong[0]]), float(x.flat[wrong[0]])
            raise InputError(
                f"eta of {self.name} is {short(value)} at x = {short(where)}; P(y = 1 | x) must be "
                "in [0, 1]"
            )
        return found

    def require_valid(self) -> None:
        """Refuses a law that is none, as far as a look at some thousands of points can tell.

        Raises:
            InputError: a function is not written with jax.numpy, a quantile is not finite, falls,
                stays or is outside the support, or eta is outside [0, 1]; the sentence says where.
        """
        self._require_traceable()
        middles, tail = (np.arange(CHECKED) + 0.5) / CHECKED, 2.0 ** -np.arange(14, 53)
        u = np.concatenate([tail[::-1], middles, 1 - tail])
        x = np.asarray(self.x.quantile(u))
        self._require_rising(u, x)
        edges = np.array(self.edges)
        beside = np.concatenate([np.nextafter(edges, -math.inf), np.nextafter(edges, math.inf)])
        low, high = self.support
        self.probability(np.concatenate([x, beside[(beside > low) & (beside < high)]]))

    def _require_rising(self, u: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"]) -> None:
        """Refuses quantiles x of u, ascending, that are none."""
        low, high = self.support

        def at(place: np.intp) -> str:
            return f"{short(x[place])} at u = {short(u[place])}"

        what = f"the quantile function of {self.name}"
        outside = np.flatnonzero(~(np.isfinite(x) & (x >= low) & (x <= high)))
        if outside.size:
            raise InputError(
                f"{what} is {at(outside[0])}; it must be finite and in the support, "
                f"[{short(low)}, {short(high)}]"
            )
        falls = np.flatnonzero(np.diff(x) < 0)
        if falls.size:
            raise InputError(
                f"{what} falls from {at(falls[0])} to {at(falls[0] + 1)}; it must rise"
            )
        stays = np.flatnonzero(x[ATOM:] == x[:-ATOM])
        stays = stays[(u[stays] > ATOM / CHECKED) & (u[stays] < 1 - 2 * ATOM / CHECKED)]
        if stays.size:
            raise InputError(
                f"{what} stays {at(stays[0])} and beyond; it must rise, for x has no density where "
                "one value has a probability of its own"
            )

    def _require_traceable(self) -> None:
        """Refuses functions that JAX cannot trace."""
        import jax

        functions = {"the quantile function": self.x.quantile, "eta": self.eta}
        with jax.enable_x64(True):
            argument = jax.ShapeDtypeStruct((CHECKED,), np.float64)
            for what, function in functions.items():
                try:
                    shape = jax.eval_shape(function, argument).shape
                except (AttributeError, TypeError, ValueError) as error:
                    raise InputError(
                        f"{what} of {self.name} cannot be traced by JAX; write it with jax.numpy, "
                        "elementwise, without a branch on a value"
                    ) from error
                if shape not in ((), (CHECKED,)):
                    raise InputError(
                        f"{what} of {self.name} gives shape {shape} for an array of shape "
                        f"{(CHECKED,)}; it must be elementwise"
                    )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not math.isnan(value)
