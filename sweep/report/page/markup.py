"""Text as HTML: whatever is not HTML already is escaped when it becomes part of an element."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """Text that is HTML and is put into a page as it is."""


def tag(name: str, *children: str, **attributes: str) -> Html:
    """An element; children that are not `Html`, and all attributes, are escaped.

    Args:
        name: of the element.
        children: what it holds.
        attributes: of the element, with an underscore for each hyphen and one at the end of a
            name that Python keeps for itself (`class_`).
    """
    words = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{words}>{together(*children)}</{name}>")


def together(*children: str) -> Html:
    """Several pieces, one after the other."""
    return Html("".join(one if isinstance(one, Html) else escape(one) for one in children))


def table(
    caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]], words: int = 1
) -> Html:
    """A table whose first column names the rows, in a box that scrolls where it is too wide.

    Args:
        caption: what it shows.
        columns: heads of the columns.
        rows: the cells of each row.
        words: how many columns from the left hold words; the others hold numbers.
    """
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = [_row(cells, words) for cells in rows]
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(cells: Iterable[str], words: int) -> Html:
    first, *others = cells
    rest = (_cell(text, place < words) for place, text in enumerate(others, start=1))
    return tag("tr", tag("th", first, scope="row"), *rest)


def _cell(text: str, words: bool) -> Html:
    """A number stays on one line; words may take several, as a reason why there is none."""
    return tag("td", text) if words or "(" in text else tag("td", text, class_="number")
