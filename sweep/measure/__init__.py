"""Measures: every kind of data becomes two weighted point sets, one for each class.

Samples, populations (by quadrature), batches and sketches all become a `Measure`, so everything
above this package has one code path. `compression` makes the cost of smooth metrics independent of
the number of points, and `sketch` reads data larger than memory.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
