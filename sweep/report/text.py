"""Text in lines of 80 columns; names, times, numbers and sizes in words."""

from __future__ import annotations

import textwrap


def filled(text: str, indent: str = "") -> str:
    """A paragraph of lines of 80 columns at most, all but the first indented by two more."""
    return textwrap.fill(
        text,
        80,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def law_named(name: str, short: str | None) -> str:
    """A law, after its id if it has one, with spaces at which a line may end."""
    whole = f"{short} = {name}" if short else name
    return whole.replace(",", ", ")


def paragraph(text: str) -> str:
    """A paragraph indented by two, of lines of 80 columns at most."""
    return textwrap.fill(
        text, 80, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )


def duration(seconds: float) -> str:
    """A time in at most two units: 0.4 s, 14 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, length, below, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {below}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def counted(count: int, noun: str) -> str:
    """So many of a noun: 1 task, 2 tasks."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: int) -> str:
    """A number of bytes: 812 B, 1.2 GiB."""
    power = min(max(0, (count.bit_length() - 1) // 10), 5)
    unit = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")[power]
    number = count / 2 ** (10 * power)
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"
