"""Mixtures: x follows one of several laws, chosen at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.families import short
from sweep.populations.distributions.arrays import ULP, namespace
from sweep.populations.distributions.cubics import CubicTable
from sweep.populations.distributions.protocol import Distribution

STEPS = 200
"""Steps of a root, of which every third halves its bracket."""


@dataclass(frozen=True)
class Mixture:
    """A mixture: x follows one of several laws, chosen at random.

    On the host its quantile is the root of the cdf, to the last digits; on the device a table of
    cubics, whose error in probability is below 1e-11.

    Attributes:
        weights: probability of each part, > 0; their sum is 1.
        parts: the laws.

    Raises:
        InputError: there is no weight for each part, or they are no probabilities.
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
        """From the least to the largest value of any part."""
        lows, highs = zip(*(part.support for part in self.parts), strict=True)
        return min(lows), max(highs)

    @property
    def breaks(self) -> tuple[float, ...]:
        """Those of all parts."""
        return tuple(sorted({x for part in self.parts for x in part.breaks}))

    def quantile(self, u: Any) -> Any:
        """The x below which the probability is u."""
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
        return tuple(zip(self.weights, self.parts, strict=True))

    @cached_property
    def _table(self) -> CubicTable:
        return CubicTable.of(self)

    def _root(self, u: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The root of the cdf, between the least and the largest quantile of a part.

        Newton's method for the logarithm of the smaller tail, which is nearly straight far out,
        inside a bracket that every third step halves.
        """
        with np.errstate(all="ignore"):
            ends = [part.quantile(u) for part in self.parts]
            low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
            lower, tail = u <= 0.5, np.minimum(u, 1 - u)
            x = np.where(lower, low, high)
            done = (low == high) | ~(tail > 0)
            x = np.where(done, x, low + (high - low) / 2)
            for step in range(STEPS):
                found = np.where(lower, self.cdf(x), self.survival(x))
                below = np.where(lower, found < tail, found > tail)
                low, high = np.where(below, x, low), np.where(below, high, x)
                off, density = np.log(found / tail), self.density(x)
                newton = x - np.where(lower, off, -off) * (found / density)
                sound = (newton > low) & (newton < high) & (step % 3 < 2)
                following = np.where(sound, newton, low + (high - low) / 2)
                near = (np.abs(off) <= 2 * ULP) | (np.abs(newton - x) <= ULP * np.abs(x))
                done |= (near & (density > 0)) | (high - low <= ULP * np.abs(x))
                if done.all():
                    break
                x = np.where(done, x, following)
        return x
