"""Sketches: data of any size in constant memory, and sketches of parts add up exactly.

A `Schema` fixes what a sketch can answer, a `Sketcher` reads rows batch by batch, and `archive`
keeps sketches on disk.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
