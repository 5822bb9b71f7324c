"""Sums: totals that are the same, bit for bit, in whatever order and tree they were added up.

Adding float64 rounds, so that (p + q) + r is not p + (q + r). Here a number is two integers, its
whole part and the rest in units of 2^-62, and adding integers is exact. Numbers of a size of 1e-3
to 1e15 lose nothing or next to nothing by it; see `RESOLUTION`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

BITS = 62
"""Bits of the part below 1. Two such parts, of either sign, add up within an int64."""

RESOLUTION = 2.0**-BITS
"""Largest error of a number, in its own unit: 2e-19. Below 2^9 float64 itself has no more."""

LARGEST = 2.0**61
"""Numbers must be smaller, and so must be their sums."""


@dataclass(frozen=True, eq=False)
class ExactSums:
    """Numbers whose addition is exact.

    Attributes:
        whole: the largest integers not above them.
        part: what is left, in units of 2^-62, in [0, 2^62).
    """

    whole: Int[np.ndarray, " *shape"]
    part: Int[np.ndarray, " *shape"]

    @classmethod
    def of(cls, values: Float[np.ndarray, " *shape"]) -> ExactSums:
        """The numbers, each to within RESOLUTION; none but 0 becomes 0.

        Raises:
            OverflowError: one is not smaller than LARGEST.
        """
        _require_small(values)
        part, whole = np.modf(values)
        part = np.rint(np.ldexp(part, BITS)).astype(np.int64)
        # What holds little is not to be taken for empty.
        part = np.where((part == 0) & (whole == 0), np.sign(values).astype(np.int64), part)
        return cls._carried(whole.astype(np.int64), part)

    @classmethod
    def counts(cls, values: Int[np.ndarray, " *shape"]) -> ExactSums:
        """Integers."""
        return cls(values, np.zeros_like(values))

    @classmethod
    def in_units(cls, values: Int[np.ndarray, " *shape"], bits: int) -> ExactSums:
        """Integers times 2^-bits, bits at most 62; nothing is rounded."""
        part = (values & ((1 << bits) - 1)) << (BITS - bits)
        return cls(values >> bits, part)

    @classmethod
    def _carried(
        cls, whole: Int[np.ndarray, " *shape"], part: Int[np.ndarray, " *shape"]
    ) -> ExactSums:
        carry = part >> BITS
        return cls(whole + carry, part - (carry << BITS))

    def __add__(self, other: ExactSums) -> ExactSums:
        """The sums of both, exactly.

        Raises:
            OverflowError: one is not smaller than LARGEST.
        """
        if self.integers and other.integers:
            found = ExactSums.counts(self.whole + other.whole)
        else:
            found = self._carried(self.whole + other.whole, self.part + other.part)
        _require_small(found.whole)
        return found

    @property
    def integers(self) -> bool:
        """Whether nothing is left of any."""
        return not self.part.any()

    def __getstate__(self) -> tuple[Any, Any]:
        """What is sent to another process: of integers half as much."""
        return self.whole, None if self.integers else self.part

    def __setstate__(self, state: tuple[Any, Any]) -> None:
        """Takes what was sent."""
        whole, part = state
        object.__setattr__(self, "whole", whole)
        object.__setattr__(self, "part", np.zeros_like(whole) if part is None else part)

    def __getitem__(self, index: int) -> ExactSums:
        return ExactSums(self.whole[index], self.part[index])

    def where(self, kept: Bool[np.ndarray, " *shape"]) -> ExactSums:
        """The numbers that are kept, and 0 in place of the others."""
        return ExactSums(np.where(kept, self.whole, 0), np.where(kept, self.part, 0))

    def equals(self, other: ExactSums) -> bool:
        """Whether all of them are the same."""
        return np.array_equal(self.whole, other.whole) and np.array_equal(self.part, other.part)

    @property
    def values(self) -> Float[np.ndarray, " *shape"]:
        """The numbers as float64, each rounded at most twice."""
        # From the nearest integer on, so that little below 0 is not 1 less what is almost 1.
        up = self.part >> (BITS - 1)
        rest = (self.part - (up << BITS)).astype(np.float64)
        return np.asarray((self.whole + up) + np.ldexp(rest, -BITS))

    @property
    def total(self) -> ExactSums:
        """The sum of all of them, of shape ().

        Raises:
            OverflowError: it is not smaller than LARGEST.
        """
        rest = _summed(self.part)
        whole = _summed(self.whole) + (rest >> BITS)
        _require_small(np.array(float(whole)))
        return ExactSums(np.array(whole), np.array(rest & ((1 << BITS) - 1)))


def _require_small(values: Shaped[np.ndarray, " *shape"]) -> None:
    if values.size and not (np.min(values) > -LARGEST and np.max(values) < LARGEST):
        raise OverflowError("numbers too large to be added up")


def _summed(values: Int[np.ndarray, " *shape"]) -> int:
    """The sum of integers, by halves: a million of these stay within an int64."""
    shift = BITS // 2
    high, low = values >> shift, values & ((1 << shift) - 1)
    return (int(np.sum(high)) << shift) + int(np.sum(low))
