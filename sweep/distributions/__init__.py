"""Distributions: laws of x, by their quantile function, cdf and density.

All are small records with the methods of `Distribution`. Their functions are elementwise and take
arrays of NumPy or of JAX, so that a population is drawn from on the device and integrated on the
host by the same formulas. Each module imports only from those above it, and from those above
`distributions` in `sweep`:

    arrays     one formula for arrays of NumPy and of JAX
    protocol   what a law of x can be asked: `Distribution`
    standard   uniform, normal and exponential laws
    cubics     a quantile function as a table of cubics
    mixtures   a law chosen at random among several
    quantiles  a law of the user's own, of which only the quantile function is known
"""

from sweep.distributions.mixtures import Mixture
from sweep.distributions.protocol import Distribution
from sweep.distributions.quantiles import Quantile
from sweep.distributions.standard import Exponential, Normal, Uniform

__all__ = ["Distribution", "Exponential", "Mixture", "Normal", "Quantile", "Uniform"]
