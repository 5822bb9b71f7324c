"""The page of a diagnosis: one HTML file that needs no network, with figures that answer.

What the page says is made here, so that it stands without the script; `page.js` draws the figures
from numbers that travel with the page, and `page.css` has its looks, dark and light and on paper.

Each module imports only from those above it, and from those above `page` in `sweep`:

    markup     text as HTML, escaped unless it is HTML already
    words      numbers as text
    findings   what is the matter, as HTML
    tables     the numbers of a diagnosis, as HTML
    figures    places for the figures, as HTML
    payload    the numbers that the script draws
    document   the whole of it, and the file
"""

from sweep.page.document import document, require_format, write

__all__ = ["document", "require_format", "write"]
