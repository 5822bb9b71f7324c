"""Lattices: panels that cover the range of x."""

from hypothesis import given
from hypothesis import strategies as st

from sweep.measure.compression.lattice import Lattice


@given(
    st.floats(-1e9, 1e9, allow_subnormal=False),
    st.integers(-12, 3),
    st.integers(0, 6),
    st.integers(0, 3),
)
def test_a_lattice_over_a_point_has_one_panel_around_it(x, exponent, bits, group):
    lattice = Lattice.over(x, x, exponent, bits, min(group, bits))
    assert lattice.panels == 1
    low, high = lattice.panel_ends[0]
    assert low <= x <= high
