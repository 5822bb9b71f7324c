"""Exact sums: the same bits in any order, and an error below the resolution."""

import pickle
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.measure.sketch.exact_sums import LARGEST, RESOLUTION, ExactSums

NUMBERS = st.floats(-1e15, 1e15, allow_subnormal=True)


def exact(sums):
    """The numbers as fractions of their two integers."""
    return [
        Fraction(int(integer)) + Fraction(int(fraction), 2**62)
        for integer, fraction in zip(sums.integer.ravel(), sums.fraction.ravel(), strict=True)
    ]


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_a_number_is_kept_to_the_resolution(numbers):
    for number, kept in zip(numbers, exact(ExactSums.of(np.array(numbers))), strict=True):
        assert abs(kept - Fraction(number)) <= Fraction(RESOLUTION)


@given(st.lists(NUMBERS, min_size=2, max_size=20), st.randoms())
def test_any_order_and_tree_gives_the_same_bits(numbers, random):
    left = [ExactSums.of(np.array([number])) for number in numbers]
    total = reduce(ExactSums.__add__, left)
    while len(left) > 1:
        random.shuffle(left)
        left.append(left.pop() + left.pop())
    assert left[0].equals(total)
    assert exact(total)[0] == sum(exact(ExactSums.of(np.array(numbers))), Fraction(0))


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_values_and_total_are_rounded_sums(numbers):
    sums = ExactSums.of(np.array(numbers))
    assert sums.values == pytest.approx(numbers, rel=4e-16, abs=3e-19)
    assert exact(sums.total)[0] == sum(exact(sums), Fraction(0))


def test_many_parts_do_not_overflow():
    many = ExactSums.of(np.full(2**16, 1 - 2.0**-53))
    assert exact(many.total)[0] == 2**16 * Fraction(1 - 2.0**-53)


def test_counts_stay_counts():
    counts = ExactSums.counts(np.array([3, 5])) + ExactSums.counts(np.array([2**60, 7]))
    assert counts.integer.tolist() == [2**60 + 3, 12]
    assert not counts.fraction.any()


@pytest.mark.parametrize("numbers", [[3.0, -5.0], [0.5, -1e-9]])
def test_sums_are_the_same_in_another_process(numbers):
    sums = ExactSums.of(np.array(numbers))
    assert pickle.loads(pickle.dumps(sums)).equals(sums)
    assert sums.is_integer == all(number.is_integer() for number in numbers)


@pytest.mark.parametrize("number", [LARGEST, -LARGEST, np.inf, np.nan])
def test_what_is_too_large_is_refused(number):
    with pytest.raises(OverflowError):
        ExactSums.of(np.array([0.0, number]))
