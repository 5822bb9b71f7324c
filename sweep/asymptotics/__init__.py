"""What happens to both optima as n grows: theory, fresh samples of every size, and a verdict."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
