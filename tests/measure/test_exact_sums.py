"""Sums: the same bits in whatever order, and no error that matters."""

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
    """The numbers as fractions, by what the two integers mean."""
    return [
        Fraction(int(whole)) + Fraction(int(part), 2**62)
        for whole, part in zip(sums.whole.ravel(), sums.part.ravel(), strict=True)
    ]


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_a_number_is_kept_to_the_resolution(numbers):
    for number, kept in zip(numbers, exact(ExactSums.of(np.array(numbers))), strict=True):
        assert abs(kept - Fraction(number)) <= Fraction(RESOLUTION)


@given(st.lists(NUMBERS, min_size=2, max_size=20), st.randoms())
def test_any_order_and_tree_gives_the_same_bits(numbers, random):
    terms = [ExactSums.of(np.array([number])) for number in numbers]
    whole = reduce(ExactSums.__add__, terms)
    while len(terms) > 1:
        random.shuffle(terms)
        terms.append(terms.pop() + terms.pop())
    assert terms[0].equals(whole)
    assert exact(whole)[0] == sum(exact(ExactSums.of(np.array(numbers))), Fraction(0))


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
    assert counts.whole.tolist() == [2**60 + 3, 12]
    assert not counts.part.any()


@pytest.mark.parametrize("numbers", [[3.0, -5.0], [0.5, -1e-9]])
def test_sums_are_the_same_in_another_process(numbers):
    sums = ExactSums.of(np.array(numbers))
    assert pickle.loads(pickle.dumps(sums)).equals(sums)
    assert sums.integers == all(number.is_integer() for number in numbers)


@pytest.mark.parametrize("number", [LARGEST, -LARGEST, np.inf, np.nan])
def test_what_is_too_large_is_refused(number):
    with pytest.raises(OverflowError):
        ExactSums.of(np.array([0.0, number]))
