"""Laws of x with closed formulas: uniform, normal and exponential."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.populations.distributions.protocol import namespace, special

LOG_ROOT_TWO_PI = math.log(2 * math.pi) / 2  # normalises the normal density


@dataclass(frozen=True)
class Uniform:
    """The uniform law.

    Attributes:
        low: least x.
        high: largest x.

    Raises:
        InputError: the ends are not finite, or low is not below high.
    """

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise InputError(
                f"a uniform law reaches from low={short(self.low)} to high={short(self.high)}; "
                "give finite numbers, low below high"
            )

    @property
    def support(self) -> tuple[float, float]:
        """The two ends."""
        return self.low, self.high

    @property
    def breaks(self) -> tuple[float, ...]:
        """The two ends."""
        return self.low, self.high

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u."""
        # Rounded this way it cannot fall or leave the support.
        return namespace(u).minimum(self.low + (self.high - self.low) * u, self.high)

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        return namespace(x).clip((x - self.low) / (self.high - self.low), 0.0, 1.0)

    def survival(self, x: Any) -> Any:
        """Probability above x."""
        return namespace(x).clip((self.high - x) / (self.high - self.low), 0.0, 1.0)

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x."""
        level = -math.log(self.high - self.low)
        return namespace(x).where((x >= self.low) & (x <= self.high), level, -math.inf)

    def density(self, x: Any) -> Any:
        """Density at x."""
        level = 1 / (self.high - self.low)
        return namespace(x).where((x >= self.low) & (x <= self.high), level, 0.0)


@dataclass(frozen=True)
class Normal:
    """The normal law.

    Attributes:
        mean: its mean.
        sd: its standard deviation, > 0.

    Raises:
        InputError: a parameter is not finite or the standard deviation is not above 0.
    """

    mean: float = 0.0
    sd: float = 1.0
    support = (-math.inf, math.inf)
    breaks = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.sd < math.inf):
            raise InputError(
                f"a normal law has mean={short(self.mean)} and sd={short(self.sd)}; give finite "
                "numbers, sd above 0"
            )

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u."""
        return self.mean + self.sd * special(u).ndtri(u)

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        return special(x).ndtr((x - self.mean) / self.sd)

    def survival(self, x: Any) -> Any:
        """Probability above x."""
        return special(x).ndtr((self.mean - x) / self.sd)

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x."""
        z = (x - self.mean) / self.sd
        return -z * z / 2 - (LOG_ROOT_TWO_PI + math.log(self.sd))

    def density(self, x: Any) -> Any:
        """Density at x."""
        return namespace(x).exp(self.log_density(x))


@dataclass(frozen=True)
class Exponential:
    """The exponential law, on x >= 0.

    Attributes:
        rate: one over its mean, > 0.

    Raises:
        InputError: the rate is not finite or not above 0.
    """

    rate: float = 1.0
    support = (0.0, math.inf)
    breaks = (0.0,)

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise InputError(
                f"an exponential law has rate={short(self.rate)}; give a finite number above 0"
            )

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u."""
        with np.errstate(divide="ignore"):  # u = 1
            return -namespace(u).log1p(-u) / self.rate

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        xp = namespace(x)
        return -xp.expm1(-self.rate * xp.maximum(x, 0.0))

    def survival(self, x: Any) -> Any:
        """Probability above x."""
        xp = namespace(x)
        return xp.exp(-self.rate * xp.maximum(x, 0.0))

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x."""
        return namespace(x).where(x >= 0, math.log(self.rate) - self.rate * x, -math.inf)

    def density(self, x: Any) -> Any:
        """Density at x."""
        return namespace(x).exp(self.log_density(x))
