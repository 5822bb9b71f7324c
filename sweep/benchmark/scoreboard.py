"""A benchmark as text: lines of at most 80 characters, from its record as plain values."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 80


def scoreboard(document: Mapping[str, Any]) -> str:
    """The text.

    Args:
        document: what `Bench.to_dict()` returns, or the same read from JSON.
    """
    return "\n".join(
        [
            *_place(document["machine"]),
            "",
            *_times(document),
            "",
            *(_target(target) for target in document["targets"]),
            *_errors(document["against_tolerance"]),
            *_marks(document),
        ]
    )


def _place(machine: Mapping[str, Any]) -> list[str]:
    versions = machine["versions"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("jax", "numpy") if name in versions)
    simd = ", ".join(machine["numpy_simd"].get("found", [])) or "none"
    return textwrap.wrap(
        f"{machine['cores']} cores, {machine['processor']}, JAX on {machine['device']}, "
        f"Python {machine['python']}, {named} (SIMD beyond its baseline: {simd})",
        WIDTH,
    )


def _times(document: Mapping[str, Any]) -> Iterator[str]:
    """A line a peer: its very first run, and its time at every n."""
    plan, timings = document["plan"], document["against_n"]
    edge = plan["edge"]
    yield f"Seconds for both metrics on {edge} x {edge} cells, float64, warm"
    yield _row("", "first run", [f"n = {_short(n)}" for n in plan["sizes"]])
    for peer in document["peers"]:
        if "skipped" not in peer:
            own = [t for t in timings if t["peer"] == peer["peer"]]
            cells = [_seconds(t["seconds"]) + "*" * t["extrapolated"] for t in own]
            yield _row(peer["peer"], _seconds(peer["first_run_s"]), cells)
        else:
            yield from textwrap.wrap(
                f"  {peer['peer']:15}  {peer['skipped']}", WIDTH, subsequent_indent=" " * 19
            )


def _row(name: str, first: str, cells: Sequence[str]) -> str:
    return f"  {name:15}{first:>11}" + "".join(f"{cell:>10}" for cell in cells)


def _target(target: Mapping[str, Any]) -> str:
    value = "unknown" if target["value"] is None else f"{target['value']:.3g}"
    mark = "*" if target["extrapolated"] else " "
    text = target["text"].replace("sweep-direct", "direct")
    return f"  {text:57}{value:>9}{mark} {target['unit']}".rstrip()


def _errors(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    worst = max(row["error"] / row["tolerance"] for row in rows)
    ends = [f"{row['tolerance']:g}" for row in (rows[0], rows[-1])]
    return textwrap.wrap(
        f"At tolerances from {ends[0]} to {ends[1]} the true error stays below the stated bound, "
        f"and reaches {worst:.1g} of what was asked for at most.",
        WIDTH,
    )


def _marks(document: Mapping[str, Any]) -> list[str]:
    times = [*document["against_n"], *document["targets"]]
    if not any(entry["extrapolated"] for entry in times):
        return []
    return ["* extrapolated from the rate measured on a part of the problem"]


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 1e4 else _short(value)


def _short(value: float) -> str:
    """A large number as 1e6 or 2.5e6."""
    return f"{value:.1e}".replace(".0e", "e").replace("e+0", "e").replace("e+", "e")
