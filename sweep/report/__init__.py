"""The page of a diagnosis: one HTML file that needs no network, with figures that answer.

What the page says is made here, so that it stands without the script; `page.js` draws the figures
from numbers that travel with the page, and `page.css` has its looks, dark and light and on paper.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
