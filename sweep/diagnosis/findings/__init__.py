"""The findings of a diagnosis: rules that turn its numbers into a sentence and advice."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
