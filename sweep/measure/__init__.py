"""Every kind of data becomes a `Measure`: two weighted point sets, one for each class."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
