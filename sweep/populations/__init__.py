"""Populations: laws of (x, y), as a law of x and P(y = 1 | x).

A `Population` is what a sample is drawn from and what n = infinity means: it is integrated by
quadrature where a sample is summed. The laws of the table, and `CATALOGUE` of those with an id, are
members of families, one for each form; "uniform_logit(a=0.3,b=0.5)" asks for one. A law of the
user's own is a `Population` made of any `Distribution` and a function.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
