"""The joint law of (x, y): a `Population` is a law of x and P(y = 1 | x).

Below it stand the functions from which the laws of the catalogue make P(y = 1 | x): inverse links
of a*x + b, and a step. They are elementwise and take arrays of NumPy or of JAX.
"""

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
from sweep.populations.distributions.protocol import Distribution, namespace, native, special

CHECKED = 2**12  # quantiles at which a law is checked, besides those of its tails
ATOM = 8  # so many equal quantiles in a row mean that one value of x has a probability


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """A law of (x, y), y in {0, 1}.

    Attributes:
        name: text that `sweep.populations.population` understands, or any name for your own law.
        x: the law of x.
        eta: P(y = 1 | x), an elementwise function of x written with jax.numpy.
        breaks: where eta jumps or has a kink, in units of x.
        id: short name in the catalogue; None for other laws.

    Raises:
        InputError: x is not a `Distribution`, eta is not a function, or breaks are not numbers.
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
        """(lowest, highest) value of x; they may be infinite."""
        return self.x.support

    @property
    def edges(self) -> tuple[float, ...]:
        """Where the law is not smooth, ascending, with the finite ends of the support."""
        low, high = self.support
        candidates = {*self.support, *self.x.breaks, *self.breaks}
        return tuple(sorted(x for x in candidates if low <= x <= high and math.isfinite(x)))

    def probability(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """P(y = 1 | x) on the host, as a fraction.

        Args:
            x: any shape.

        Raises:
            InputError: eta is outside [0, 1] or nan; the message names the first such x.
        """
        eta = native(self.eta, x)
        wrong = np.flatnonzero(~((eta >= 0) & (eta <= 1)))
        if wrong.size:
            wrong_eta, wrong_x = float(eta.flat[wrong[0]]), float(x.flat[wrong[0]])
            raise InputError(
                f"eta of {self.name} is {short(wrong_eta)} at x = {short(wrong_x)}; P(y = 1 | x) "
                "must be in [0, 1]"
            )
        return eta

    def require_valid(self) -> None:
        """Checks the law at some thousands of points.

        Raises:
            InputError: a function is not written with jax.numpy, quantiles are not finite, fall,
                stay constant or leave the support, or eta leaves [0, 1]; the message says where.
        """
        self._require_traceable()
        # Tails down to 2^-52: 1 - 2^-53 is the last float64 below 1.
        middles, tail = (np.arange(CHECKED) + 0.5) / CHECKED, 2.0 ** -np.arange(14, 53)
        u = np.concatenate([tail[::-1], middles, 1 - tail])
        x = np.asarray(self.x.quantile(u))
        self._require_rising(u, x)
        edges = np.array(self.edges)
        beside = np.concatenate([np.nextafter(edges, -math.inf), np.nextafter(edges, math.inf)])
        low, high = self.support
        self.probability(np.concatenate([x, beside[(beside > low) & (beside < high)]]))

    def _require_rising(self, u: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"]) -> None:
        """Refuses x that are not the quantiles of ascending u of a law with a density."""
        low, high = self.support

        def value_at(i: np.intp) -> str:
            return f"{short(x[i])} at u = {short(u[i])}"

        subject = f"the quantile function of {self.name}"
        outside = np.flatnonzero(~(np.isfinite(x) & (x >= low) & (x <= high)))
        if outside.size:
            raise InputError(
                f"{subject} is {value_at(outside[0])}; it must be finite and in the support, "
                f"[{short(low)}, {short(high)}]"
            )
        falls = np.flatnonzero(np.diff(x) < 0)
        if falls.size:
            raise InputError(
                f"{subject} falls from {value_at(falls[0])} to {value_at(falls[0] + 1)}; it must "
                "rise"
            )
        stays = np.flatnonzero(x[ATOM:] == x[:-ATOM])
        stays = stays[(u[stays] > ATOM / CHECKED) & (u[stays] < 1 - 2 * ATOM / CHECKED)]
        if stays.size:
            raise InputError(
                f"{subject} stays {value_at(stays[0])} and beyond; it must rise, because x has no "
                "density if a single value has a probability"
            )

    def _require_traceable(self) -> None:
        """Refuses functions that JAX cannot trace, or that are not elementwise."""
        import jax  # a second to load, and data without a law need none of it

        functions = {"the quantile function": self.x.quantile, "eta": self.eta}
        with jax.enable_x64(True):
            argument = jax.ShapeDtypeStruct((CHECKED,), np.float64)
            for subject, function in functions.items():
                try:
                    shape = jax.eval_shape(function, argument).shape
                except (AttributeError, TypeError, ValueError) as error:
                    raise InputError(
                        f"{subject} of {self.name} cannot be traced by JAX; write it elementwise "
                        "with jax.numpy, without a branch on a value"
                    ) from error
                if shape not in ((), (CHECKED,)):
                    raise InputError(
                        f"{subject} of {self.name} gives shape {shape} for an array of shape "
                        f"{(CHECKED,)}; it must be elementwise"
                    )


def _is_number(value: object) -> bool:
    """Whether a value is a number and not nan."""
    return isinstance(value, Real) and not math.isnan(value)


def logistic(z: Any) -> Any:
    """1 / (1 + exp(-z))."""
    return special(z).expit(z)


def probit(z: Any) -> Any:
    """The cdf of the standard normal law."""
    return special(z).ndtr(z)


def cloglog(z: Any) -> Any:
    """1 - exp(-exp(z))."""
    xp = namespace(z)
    return -xp.expm1(-xp.exp(xp.minimum(z, 700.0)))


def cauchit(z: Any) -> Any:
    """The cdf of the standard Cauchy law."""
    return 0.5 + namespace(z).arctan(z) / math.pi


def linear(
    link: Callable[[Any], Any], a: float, b: float, floor: float = 0.0, ceiling: float = 1.0
) -> Callable[[Any], Any]:
    """The function floor + (ceiling - floor) * link(a x + b)."""

    def eta(x: Any) -> Any:
        p = link(a * x + b)
        return p if (floor, ceiling) == (0.0, 1.0) else floor * (1 - p) + ceiling * p

    return eta


def step(at: float, below: float, above: float) -> Callable[[Any], Any]:
    """The function that is `below` up to x = `at` and `above` beyond."""

    def eta(x: Any) -> Any:
        return namespace(x).where(x > at, above, below)

    return eta
