"""The numbers that the library is judged by, each a ratio of two times of one benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.benchmark.peers import PEERS, Size
from sweep.benchmark.race import Timing


@dataclass(frozen=True)
class HeadlineNumber:
    """One such number.

    Attributes:
        name: for scripts.
        text: what was measured, in a few words.
        value: the number; nan where something that it needs is missing.
        unit: of the number; for a ratio, what it is a multiple of.
        extrapolated: whether a time behind it is.
    """

    name: str
    text: str
    value: float
    unit: str
    extrapolated: bool = False


def against_sort(large: Mapping[str, Any]) -> list[HeadlineNumber]:
    """The large problem in units of its yardsticks; empty if it was not measured."""
    if not large:
        return []
    both, loss, sort = large["both"], large["cross_entropy"], large["sort_s"]
    beyond = large["memory"].get("beyond", math.nan) / (8 * both.size.n)
    size = words(both.size)
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
    """The seconds of the fastest peer over ours, on one problem; `what` says which."""
    own = next((t for t in timings if t.peer == ours), None)
    best = min((t for t in timings if t.peer in PEERS), key=lambda t: t.seconds, default=None)
    if own is None or best is None:
        return HeadlineNumber(name, f"fastest peer / {ours}, {what}", math.nan, "times")
    return HeadlineNumber(
        name=name,
        text=f"{best.peer} / {ours}, {what}",
        value=best.seconds / own.seconds,
        unit="times",
        extrapolated=best.extrapolated or own.extrapolated,
    )


def milliseconds(name: str, what: str, timings: Sequence[Timing]) -> HeadlineNumber:
    """Our own time on one problem."""
    seconds = next((t.seconds for t in timings if t.peer == "sweep"), math.nan)
    return HeadlineNumber(name, f"sweep, {what}", 1e3 * seconds, "ms")


def per_point(timings: Sequence[Timing]) -> list[HeadlineNumber]:
    """Time over n at every n."""
    return [
        HeadlineNumber(
            f"per_point_{t.size.n}", f"time / n, {words(t.size)}", 1e9 * t.seconds / t.size.n, "ns"
        )
        for t in timings
        if t.peer == "sweep"
    ]


def words(size: Size) -> str:
    """A size as in 64 x 64 cells, n = 1e5."""
    n = f"{size.n:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{size.cells[0]} x {size.cells[1]} cells, n = {n}"
