"""Figures: records in, a matplotlib Figure out. Nothing here computes a metric or an optimum.

Colours are those of Okabe & Ito (2008) and the perceptually uniform viridis and cividis, so that
figures read the same for colour-blind readers and in grey. Sizes fit one column (3.5 in) or two
(7 in) of a printed page. Figures are made without pyplot, so none stays open; only those of a
`sweep.LandscapeDisplay` are pyplot's, as its users expect.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
