"""Points: running sums of masses do not drift."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweep.measure.points import cumulative


@given(arrays(float, st.integers(0, 200), elements=st.floats(1e-6, 1e6)))
def test_cumulative_is_the_running_sum(mass):
    expected = np.concatenate([[0.0], np.cumsum(mass.astype(np.longdouble)).astype(float)])
    np.testing.assert_allclose(cumulative(mass), expected, rtol=1e-14)


def test_cumulative_does_not_drift():
    mass = np.full(10**6, 0.1)
    assert cumulative(mass)[-1] == pytest.approx(1e5, rel=1e-14)
    assert np.cumsum(mass)[-1] != pytest.approx(1e5, rel=1e-12)  # the plain sum does
