"""What is measured: smooth losses of the logit, and functions of the confusion counts."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
