"""Confusion masses: exactly those of brute force, ties included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import sweep
from sweep import Measure, Sample
from sweep.measure.confusion import confusion
from tests.support import oracle


def _counts(sample, a, b):
    """`correct` of the landscape and of brute force, which must be the same integers."""
    result = sweep.landscape(sample, a, b, "accuracy").correct
    assert result.dtype == np.int64
    return result.values, oracle.grid(oracle.correct, sample, a, b)


TIES = {
    "integers on grid lines": (np.arange(-6.0, 7), np.arange(-3.0, 4), np.arange(-6.0, 7)),
    "tenths, whose products round": (
        np.arange(-30, 31) / 10,
        np.arange(-20, 21) / 10,
        np.arange(-40, 41) / 10,
    ),
    "b = 0 and a = 0": (np.array([-1.0, 0, 0, 2]), np.array([-1.0, 0, 1]), np.array([0.0, -0.0])),
    "duplicates": (np.repeat([-0.3, 0.1, 0.7], 4), np.linspace(-1, 1, 21), np.linspace(-1, 1, 21)),
    "subnormal x": (
        np.array([-5e-324, 0.0, 5e-324, 1e-320, 1e-310]),
        np.array([-2.0, -0.5, 0.25, 0.5, 1.0, 1e-5]),
        np.array([0.0, 5e-324, -5e-324, 1e-322, -1e-310]),
    ),
    "subnormal a": (
        np.array([-3.0, -0.4, 0.4, 0.6, 2.0]),
        np.array([5e-324, -5e-324, 1e-323]),
        np.array([0.0, 5e-324, -5e-324]),
    ),
    "overflowing cuts": (
        np.array([-1e308, -1.0, 1.0, 1e308]),
        np.array([1e-300, -1e-300, 1e-308]),
        np.array([1e10, -1e10, 0.0]),
    ),
    "shifted by 1e6": (
        1e6 + np.arange(8) / 8,
        np.array([-2.0, 0.1, 0.3, 1.0]),
        -1e6 * np.array([0.1, 0.3, 1.0, 1.000000375]),
    ),
}


@pytest.mark.parametrize("name", TIES)
def test_counts_are_those_of_brute_force_where_ties_are_many(name):
    x, a, b = TIES[name]
    rng = np.random.default_rng(0)
    for _ in range(5):
        result, expected = _counts(Sample(x, rng.integers(0, 2, len(x))), a, b)
        np.testing.assert_array_equal(result, expected)


NUMBERS = st.integers(-20, 20).map(lambda k: k / 10) | st.integers(-5, 5).map(float)


@given(
    arrays(float, st.integers(1, 30), elements=NUMBERS),
    arrays(float, st.integers(1, 8), elements=NUMBERS),
    arrays(float, st.integers(1, 8), elements=NUMBERS),
    st.randoms(use_true_random=False),
)
def test_counts_are_those_of_brute_force_in_every_cell(x, a, b, random):
    y = [random.randint(0, 1) for _ in x]
    result, expected = _counts(Sample(x, y), a, b)
    np.testing.assert_array_equal(result, expected)


@given(
    arrays(float, st.integers(1, 30), elements=NUMBERS),
    st.randoms(use_true_random=False),
)
def test_weighted_and_soft_accuracy_is_that_of_brute_force(x, random):
    y = [random.choice([0, 0.25, 1]) for _ in x]
    w = [random.choice([0, 0.1, 1, 1e12]) for _ in x]
    sample = Sample(x, y, [*w[:-1], 1.0])
    a, b = np.array([-1.0, 0, 0.3, 2]), np.array([-0.6, 0, 0.1])
    result = sweep.landscape(sample, a, b, "accuracy")
    assert "correct" not in result
    expected = oracle.grid(oracle.correct, sample, a, b) / sample.weight.sum()
    np.testing.assert_allclose(result.accuracy.values, expected, rtol=1e-13, atol=1e-15)


def test_four_masses_of_the_confusion_table():
    sample = Sample([-1, 0, 0, 1, 2], [0, 1, 0, 1, 0])
    table = confusion(Measure.from_sample(sample), np.array([1.0, -1.0, 0.0]), np.array([0.0]))
    # x > 0 is class 1; then x < 0; then nothing, for b = 0 is a tie.
    np.testing.assert_array_equal(table.tp, [1, 0, 0])
    np.testing.assert_array_equal(table.fp, [1, 1, 0])
    np.testing.assert_array_equal(table.fn, [1, 2, 2])
    np.testing.assert_array_equal(table.tn, [2, 2, 3])


def test_counts_stay_exact_where_float32_would_lose_them():
    n = 2**24 + 10
    x = np.concatenate([np.full(n, 1.0), [-1.0]])
    result = sweep.landscape(Sample(x, (x > 0).astype(float)), 1.0, 0.0, "accuracy")
    assert result.correct.item() == n + 1
