"""Whole reports of results: lines of text for the terminal, and the offline page of a diagnosis."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
