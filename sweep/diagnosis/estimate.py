"""A number with its interval, or the reason why it has none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

LEVEL = 0.95
"""Coverage of every interval."""

FEWEST = 0.9
"""Share of the replicates that must have a value for there to be an interval."""


@dataclass(frozen=True)
class Estimate:
    """A statistic of the sample, with a bootstrap interval.

    Attributes:
        value: of the sample as it is.
        low: lower end of the 95% percentile interval; nan without one.
        high: upper end; nan without one.
        invalid: why there is no interval; empty where there is one.
    """

    value: float
    low: float
    high: float
    invalid: str = ""

    @classmethod
    def of(cls, value: float, replicates: Float[np.ndarray, " R"]) -> Estimate:
        """The percentile interval; replicates that have no value are nan, infinite ones count."""
        known = replicates[~np.isnan(replicates)]
        if math.isnan(value) or len(known) < FEWEST * max(1, len(replicates)):
            return cls.without(value, "too few bootstrap samples have a value")
        # Of observed values, for between a finite and an infinite one there is nothing.
        low, high = np.quantile(
            known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), method="inverted_cdf"
        ).tolist()
        return cls(float(value), low, high)

    def reaching(self, bound: float) -> Estimate:
        """The interval, made to reach a number; as it is where there is none."""
        if self.invalid:
            return self
        return replace(self, low=min(self.low, bound), high=max(self.high, bound))

    @classmethod
    def without(cls, value: float, reason: str) -> Estimate:
        """A number that has no interval."""
        return cls(float(value), math.nan, math.nan, reason)
