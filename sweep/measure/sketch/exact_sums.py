"""Exact sums: totals that are the same, bit for bit, in whatever order they are added up.

Adding float64 rounds, so (p + q) + r is not p + (q + r). Here a number is two integers, its floor
and the rest in units of 2^-62, and adding integers is exact. So sketches merge associatively and
commutatively to the last bit. Numbers between 1e-3 and 1e15 lose next to nothing; see `RESOLUTION`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

BITS = 62  # of the fraction: the sum of two fractions, of either sign, still fits into an int64
RESOLUTION = 2.0**-BITS  # largest error of a number, absolute, 2e-19; float64 is coarser above 2^-9
LARGEST = 2.0**61  # numbers must be smaller, so that two of them and a carry fit into an int64


@dataclass(frozen=True, eq=False)
class ExactSums:
    """Numbers whose addition is exact."""

    integer: Int[np.ndarray, " *shape"]  # the floor of each number
    fraction: Int[np.ndarray, " *shape"]  # the rest in units of 2^-62, in [0, 2^62)

    @classmethod
    def of(cls, values: Float[np.ndarray, " *shape"]) -> ExactSums:
        """The numbers, each to within RESOLUTION; only 0 becomes 0."""
        _require_small(values)
        fraction, integer = np.modf(values)
        fraction = np.rint(np.ldexp(fraction, BITS)).astype(np.int64)
        # A bin that holds little mass must not look empty: round away from 0.
        vanished = (fraction == 0) & (integer == 0)
        fraction = np.where(vanished, np.sign(values).astype(np.int64), fraction)
        return cls._carried(integer.astype(np.int64), fraction)

    @classmethod
    def counts(cls, values: Int[np.ndarray, " *shape"]) -> ExactSums:
        """The integers."""
        return cls(values, np.zeros_like(values))

    @classmethod
    def in_units(cls, values: Int[np.ndarray, " *shape"], bits: int) -> ExactSums:
        """The integers times 2^-bits, bits <= 62; nothing is rounded."""
        fraction = (values & ((1 << bits) - 1)) << (BITS - bits)
        return cls(values >> bits, fraction)

    @classmethod
    def _carried(
        cls, integer: Int[np.ndarray, " *shape"], fraction: Int[np.ndarray, " *shape"]
    ) -> ExactSums:
        """The same numbers with fractions in [0, 1)."""
        carry = fraction >> BITS
        return cls(integer + carry, fraction - (carry << BITS))

    def __add__(self, other: ExactSums) -> ExactSums:
        """The sums of both, exactly."""
        if self.is_integer and other.is_integer:
            sums = ExactSums.counts(self.integer + other.integer)
        else:
            sums = self._carried(self.integer + other.integer, self.fraction + other.fraction)
        _require_small(sums.integer)
        return sums

    @property
    def is_integer(self) -> bool:
        """Whether all numbers are integers."""
        return not self.fraction.any()

    def __getstate__(self) -> tuple[Any, Any]:
        """What is sent to another process: half as much for integers."""
        return self.integer, None if self.is_integer else self.fraction

    def __setstate__(self, state: tuple[Any, Any]) -> None:
        """Restores what `__getstate__` sent."""
        integer, fraction = state
        object.__setattr__(self, "integer", integer)
        object.__setattr__(
            self, "fraction", np.zeros_like(integer) if fraction is None else fraction
        )

    def __getitem__(self, index: int) -> ExactSums:
        return ExactSums(self.integer[index], self.fraction[index])

    def where(self, kept: Bool[np.ndarray, " *shape"]) -> ExactSums:
        """The numbers where `kept` is true, and 0 elsewhere."""
        return ExactSums(np.where(kept, self.integer, 0), np.where(kept, self.fraction, 0))

    def equals(self, other: ExactSums) -> bool:
        """Whether all numbers are the same."""
        return np.array_equal(self.integer, other.integer) and np.array_equal(
            self.fraction, other.fraction
        )

    @property
    def values(self) -> Float[np.ndarray, " *shape"]:
        """The numbers as float64, each rounded at most twice."""
        # The fraction is taken from the nearest integer: -1e-9 is 0 - 1e-9, not -1 + (1 - 1e-9),
        # which would round to -1 + 1.
        up = self.fraction >> (BITS - 1)
        rest = (self.fraction - (up << BITS)).astype(np.float64)
        return np.asarray((self.integer + up) + np.ldexp(rest, -BITS))

    @property
    def total(self) -> ExactSums:
        """The sum of all numbers, of shape ()."""
        rest = _integer_sum(self.fraction)
        integer = _integer_sum(self.integer) + (rest >> BITS)
        _require_small(np.array(float(integer)))
        return ExactSums(np.array(integer), np.array(rest & ((1 << BITS) - 1)))


def _require_small(values: Shaped[np.ndarray, " *shape"]) -> None:
    """Raises OverflowError unless all values are between -LARGEST and LARGEST."""
    if values.size and not (np.min(values) > -LARGEST and np.max(values) < LARGEST):
        raise OverflowError("numbers too large to be added up")


def _integer_sum(values: Int[np.ndarray, " *shape"]) -> int:
    """The sum of integers; their halves of 31 bits are summed apart, so 2^32 fit into an int64."""
    shift = BITS // 2
    high, low = values >> shift, values & ((1 << shift) - 1)
    return (int(np.sum(high)) << shift) + int(np.sum(low))
