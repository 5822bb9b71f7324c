"""Cuts: each is the last float on its side of the decision."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweep.measure.cuts import cut

ANY = st.floats(allow_nan=False, allow_infinity=False)


TINY = st.floats(-1e-300, 1e-300)


def _positive(a, t, b):
    with np.errstate(over="ignore"):
        return np.float64(a) * np.float64(t) + np.float64(b) > 0


@given(ANY | TINY, ANY | TINY)
def test_cut_is_the_last_float_on_its_side(a, b):
    where = cut(np.array(a), np.array(b))
    t = where.t.item()
    if a == 0:
        assert t == (-np.inf if b > 0 else np.inf)
        return
    outward = -np.inf if a > 0 else np.inf
    assert where.orientation == (1 if a > 0 else -1)
    # t = +-inf away from every x: no x is of class 1. t = outward: every x is.
    if np.isfinite(t):
        assert _positive(a, t, b)
    if t != outward:
        with np.errstate(over="ignore"):
            beyond = np.nextafter(t, outward)
        assert not np.isfinite(beyond) or not _positive(a, beyond, b)
