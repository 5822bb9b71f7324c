"""The rounding unit of float64, in which every error bound of this package is counted."""

UNIT = 2.0**-53
"""Largest relative error of one rounding to nearest: half the spacing of floats above 1."""
