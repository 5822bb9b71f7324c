"""Landscapes: every metric over a grid of (a, b), in memory or on disk, with error bounds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
