"""Sentences of 80 columns, and names, times, counts and sizes in words."""

from __future__ import annotations

import textwrap


def filled(text: str, indent: str = "") -> str:
    """A paragraph of at most 80 columns; all lines but the first are indented by two more."""
    return textwrap.fill(
        text,
        80,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def law_named(name: str, short: str | None) -> str:
    """The name of a law after its id, if it has one, with spaces where a line may break."""
    text = f"{short} = {name}" if short else name
    return text.replace(",", ", ")


def duration(seconds: float) -> str:
    """A time in at most two units: 0.4 s, 14 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    for unit, length, smaller, fraction in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if total >= length:
            return f"{total // length} {unit} {total % length // fraction} {smaller}"
    return f"{total // 60} min {total % 60} s" if total >= 60 else f"{total} s"


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 task, 2,000 tasks."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(count: int) -> str:
    """A number of bytes: 812 B, 1.2 GiB."""
    power = min(max(0, (count.bit_length() - 1) // 10), 5)
    unit = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")[power]
    number = count / 2 ** (10 * power)
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"
