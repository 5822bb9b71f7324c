"""`sweep bench`: this library and others side by side on this machine, outputs checked first."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
