"""Distributions: laws of x, by their quantile function, cdf and density.

All are small records with the methods of `Distribution`. Their functions are elementwise and take
arrays of NumPy or of JAX, so that a population is drawn from on the device and integrated on the
host by the same formulas.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
