"""The numbers that the library is judged by, and a benchmark as text.

Each headline number is a ratio of two times of one benchmark, or a time of it. `scoreboard` renders
the record of a benchmark in lines of at most 80 characters.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.benchmark.measurement import Timing
from sweep.benchmark.peers import PEERS, Size

WIDTH = 80


@dataclass(frozen=True)
class HeadlineNumber:
    """A number that the library is judged by.

    Attributes:
        name: for scripts.
        text: what was measured, in a few words.
        value: the number; nan where a measurement for it is missing.
        unit: of the number; for a ratio, the name of its denominator.
        extrapolated: whether one of its times is extrapolated.
    """

    name: str
    text: str
    value: float
    unit: str
    extrapolated: bool = False


def against_sort(large: Mapping[str, Any]) -> list[HeadlineNumber]:
    """The times of the large problem as multiples of `numpy.sort` and `sum`.

    Args:
        large: measurements of the large problem; empty if it was not measured.
    """
    if not large:
        return []
    both, loss, sort = large["both"], large["cross_entropy"], large["sort_s"]
    beyond = large["memory"].get("beyond", math.nan) / (8 * both.size.n)
    size = size_text(both.size)
    return [
        HeadlineNumber("both_per_sort", f"both metrics, {size}", both.seconds / sort, "x sort(x)"),
        HeadlineNumber("loss_per_sort", f"loss alone, {size}", loss.seconds / sort, "x sort(x)"),
        HeadlineNumber(
            "both_per_sum", f"both metrics, {size}", both.seconds / large["sum_s"], "x x.sum()"
        ),
        HeadlineNumber(
            "loss_per_sum", f"loss alone, {size}", loss.seconds / large["sum_s"], "x x.sum()"
        ),
        HeadlineNumber("sum", f"x.sum(), {size}", large["sum_s"], "s"),
        HeadlineNumber("error", f"error / max(1, loss), {size}", both.error, ""),
        HeadlineNumber("second_grid", f"loss, a second grid, {size}", large["second_grid_s"], "s"),
        HeadlineNumber("memory", f"extra memory, {size}", beyond, "x 8n bytes"),
    ]


def fastest_peer(
    name: str, what: str, timings: Sequence[Timing], ours: str = "sweep"
) -> HeadlineNumber:
    """How many times as long as this library the fastest peer takes.

    Args:
        name: of the number.
        what: the problem, in words.
        timings: of one problem.
        ours: name under which this library computed.
    """
    our = next((t for t in timings if t.peer == ours), None)
    best = min((t for t in timings if t.peer in PEERS), key=lambda t: t.seconds, default=None)
    if our is None or best is None:
        return HeadlineNumber(name, f"fastest peer / {ours}, {what}", math.nan, "times")
    return HeadlineNumber(
        name=name,
        text=f"{best.peer} / {ours}, {what}",
        value=best.seconds / our.seconds,
        unit="times",
        extrapolated=best.extrapolated or our.extrapolated,
    )


def milliseconds(name: str, what: str, timings: Sequence[Timing]) -> HeadlineNumber:
    """The time of this library on one problem; `what` names the problem."""
    seconds = next((t.seconds for t in timings if t.peer == "sweep"), math.nan)
    return HeadlineNumber(name, f"sweep, {what}", 1e3 * seconds, "ms")


def per_point(timings: Sequence[Timing]) -> list[HeadlineNumber]:
    """The time of this library for each point, at every n."""
    return [
        HeadlineNumber(
            f"per_point_{t.size.n}",
            f"time / n, {size_text(t.size)}",
            1e9 * t.seconds / t.size.n,
            "ns",
        )
        for t in timings
        if t.peer == "sweep"
    ]


def size_text(size: Size) -> str:
    """A size as in 64 x 64 cells, n = 1e5."""
    n = f"{size.n:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{size.cells[0]} x {size.cells[1]} cells, n = {n}"


def scoreboard(document: Mapping[str, Any]) -> str:
    """A benchmark as text.

    Args:
        document: the result of `Bench.to_dict()`, or the same read from JSON.
    """
    return "\n".join(
        [
            *_machine(document["machine"]),
            "",
            *_times(document),
            "",
            *(_target(target) for target in document["targets"]),
            *_errors(document["against_tolerance"]),
            *_marks(document),
        ]
    )


def _machine(machine: Mapping[str, Any]) -> list[str]:
    versions = machine["versions"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("jax", "numpy") if name in versions)
    simd = ", ".join(machine["numpy_simd"].get("found", [])) or "none"
    return textwrap.wrap(
        f"{machine['cores']} cores, {machine['processor']}, JAX on {machine['device']}, "
        f"Python {machine['python']}, {named} (SIMD beyond its baseline: {simd})",
        WIDTH,
    )


def _times(document: Mapping[str, Any]) -> Iterator[str]:
    """A line for each peer: its very first run, and its time at every n."""
    plan, timings = document["plan"], document["against_n"]
    edge = plan["edge"]
    yield f"Seconds for both metrics on {edge} x {edge} cells, float64, warm"
    yield _row("", "first run", [f"n = {_short(n)}" for n in plan["sizes"]])
    for peer in document["peers"]:
        if "skipped" not in peer:
            of_peer = [t for t in timings if t["peer"] == peer["peer"]]
            cells = [_seconds(t["seconds"]) + "*" * t["extrapolated"] for t in of_peer]
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
        f"At tolerances from {ends[0]} to {ends[1]} the true error stays below the stated bound "
        f"and is at most {worst:.1g} of the tolerance.",
        WIDTH,
    )


def _marks(document: Mapping[str, Any]) -> list[str]:
    times = [*document["against_n"], *document["targets"]]
    if not any(entry["extrapolated"] for entry in times):
        return []
    return ["* extrapolated from the rate on a part of the problem"]


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 1e4 else _short(value)


def _short(value: float) -> str:
    """A large number as 1e6 or 2.5e6."""
    return f"{value:.1e}".replace(".0e", "e").replace("e+0", "e").replace("e+", "e")
