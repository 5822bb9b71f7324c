"""Tables of results, shown as text by rich and as HTML by Jinja2."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from rich.console import RenderableType

DASH, INFINITY = "\N{EN DASH}", "\N{INFINITY}"
PLAIN = str.maketrans({DASH: "-", INFINITY: "inf", "\N{LESS-THAN OR EQUAL TO}": "<="})
WIDTH = 80  # columns of text where there is no terminal and COLUMNS does not say otherwise


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a title, with paragraphs below them; without rows, only paragraphs.

    Attributes:
        title: what the table shows; may be empty.
        columns: heads of the columns; empty for rows without heads.
        rows: cells as text, one for each column; the first names the row.
        notes: paragraphs below the rows.
        words: number of columns, from the left, that hold words; the others hold numbers.
        most: rows that are shown as text; HTML has them all.
    """

    title: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    words: int = 1
    most: int = 1000


class Tabular:
    """A result that lists its tables: `print` and notebooks show them."""

    def tables(self) -> tuple[Table, ...]:
        """The tables of the result, in the order of reading."""
        raise NotImplementedError

    def __str__(self) -> str:
        return text(self.tables())

    def _repr_html_(self) -> str:
        return rendered("base/tables.html.j2", tables=self.tables())


def text(tables: Iterable[Table], *, terminal: bool = False) -> str:
    """Tables as lines of text; a title follows an empty line.

    Args:
        tables: what to show.
        terminal: in the width and with the colours of standard output, if it is a terminal.
    """
    from rich.console import Console  # loads slowly, and only what is shown needs it
    from rich.text import Text  # as above

    console = Console(file=None if terminal else StringIO(), force_jupyter=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    with console.capture() as captured:
        for place, table in enumerate(tables):
            if table.title and place:
                console.print()
            for block in _blocks(table, console.width):
                console.print(block, soft_wrap=isinstance(block, Text))  # a Text is wrapped
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _blocks(table: Table, width: int) -> Iterator[RenderableType]:
    """The title, the rows and the notes of a table; cells fold, and paths in a sentence do not."""
    from rich.padding import Padding  # as in `text`
    from rich.table import Table as Grid  # as in `text`
    from rich.text import Text  # as in `text`

    def shown(words: str) -> Text:
        return Text(printable(words.translate(PLAIN)), overflow="fold")

    def sentence(words: str, indent: str, style: str = "") -> Text:
        lines = textwrap.wrap(
            printable(words.translate(PLAIN)),
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return Text("\n".join(lines), style)

    if table.title:
        yield sentence(table.title, "", "bold")
    if table.rows:
        grid = Grid(box=None, padding=(0, 2, 0, 0), show_header=bool(table.columns), pad_edge=False)
        for column in range(len(table.rows[0])):
            head = shown(table.columns[column]) if table.columns else ""
            justify = "left" if column < table.words else "right"
            grid.add_column(head, justify=justify, overflow="fold", header_style="dim")
        for row in table.rows[: table.most]:
            grid.add_row(*map(shown, row))
        yield Padding(grid, (0, 0, 0, 2))
    if len(table.rows) > table.most:
        yield f"  and {len(table.rows) - table.most} more (--json has them all)"
    for note in table.notes:
        yield sentence(note, "  ")


def printable(words: str) -> str:
    """Text without control characters: names come from files."""
    return "".join(letter if letter.isprintable() else "?" for letter in words)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader  # as in `text`

    package = Path(__file__).parents[1]
    environment = Environment(
        loader=FileSystemLoader(package), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "percent": percent}
    return environment


def rendered(template: str, **values: Any) -> str:
    """HTML from a template, whose path is relative to the package; values are escaped."""
    return _environment().get_template(template).render(values)


Form = Callable[[float], str]
"""Writes a number."""


def number(value: float, digits: int = 4) -> str:
    """So many significant digits, or more of a large number; a dash for nan."""
    return _finite(value, lambda v: f"{v:,.0f}" if 1e4 <= abs(v) < 1e9 else f"{v:.{digits}g}")


def percent(value: float, digits: int = 4) -> str:
    """A fraction in percent, with so many significant digits."""
    return _finite(value, lambda v: f"{100 * v:.{digits}g}%")


def _finite(value: float, form: Form) -> str:
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return INFINITY if value > 0 else f"-{INFINITY}"
    return form(value)
