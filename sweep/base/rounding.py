"""The rounding unit of float64, in which this package counts every error bound."""

UNIT = 2.0**-53  # largest relative error of one rounding to nearest
