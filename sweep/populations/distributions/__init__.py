"""Distributions: laws of x, by their quantile function, cdf and density.

Each is a small record with the methods of `Distribution`. The methods are elementwise and take
arrays of NumPy or of JAX, so the same formulas draw samples on the device and integrate on the
host.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
