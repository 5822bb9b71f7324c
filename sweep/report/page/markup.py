"""HTML elements, and numbers as text. Text that is not `Html` is escaped inside an element."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from sweep.diagnosis.report import Estimate

DASH = "\N{EN DASH}"
INFINITY = "\N{INFINITY}"

Form = Callable[[float], str]
"""Writes a number."""


class Html(str):
    """Text that is HTML already, and is not escaped."""


def tag(name: str, *children: str, **attributes: str) -> Html:
    """An element; children that are not `Html`, and all attributes, are escaped.

    Args:
        name: of the element.
        children: what it holds.
        attributes: of the element, with an underscore for each hyphen and one at the end of a
            name that Python keeps for itself (`class_`).
    """
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{written}>{together(*children)}</{name}>")


def together(*children: str) -> Html:
    """Several pieces in a row."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def table(
    caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]], words: int = 1
) -> Html:
    """A table whose first column names the rows, in a box that scrolls if the table is too wide.

    Args:
        caption: what it shows.
        columns: heads of the columns.
        rows: the cells of each row.
        words: number of columns, from the left, that hold words; the others hold numbers.
    """
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = [_row(cells, words) for cells in rows]
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(cells: Iterable[str], words: int) -> Html:
    first, *others = cells
    rest = (_cell(text, column < words) for column, text in enumerate(others, start=1))
    return tag("tr", tag("th", first, scope="row"), *rest)


def _cell(text: str, words: bool) -> Html:
    """A number stays on one line; words, such as the reason for a missing number, may wrap."""
    return tag("td", text) if words or "(" in text else tag("td", text, class_="number")


def number(value: float) -> str:
    """Four significant digits, or more of a large number; a dash for nan."""
    return _finite(value, lambda v: f"{v:,.0f}" if 1e4 <= abs(v) < 1e9 else f"{v:.4g}")


def percent(value: float) -> str:
    """A fraction in percent, with four significant digits."""
    return _finite(value, lambda v: f"{100 * v:.4g}%")


def _finite(value: float, form: Form) -> str:
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return INFINITY if value > 0 else f"-{INFINITY}"
    return form(value)


def interval(estimate: Estimate, form: Form = number) -> str:
    """Both ends, or a dash with the reason why there is no interval."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return f"{DASH} ({estimate.invalid or 'has no value'})"
    return f"{form(estimate.low)} to {form(estimate.high)}"


def anything(value: Any) -> str:
    """A value of any type that stands behind a finding."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {anything(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(anything, value))
    return DASH if value is None else str(value)


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 sample", "2,000 samples"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
