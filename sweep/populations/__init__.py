"""Populations: laws of (x, y), as a law of x and P(y = 1 | x).

A `Population` is drawn from to make samples, and integrated by quadrature for n = infinity, where a
sample would be summed. `CATALOGUE` holds the laws with an id. They are members of families, one for
each form, and a text such as "uniform_logit(a=0.3,b=0.5)" names a member. A law of your own is a
`Population` made of any `Distribution` and a function.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
