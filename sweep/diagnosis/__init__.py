"""Why the loss and the accuracy of a classifier disagree: numbers, intervals and findings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
