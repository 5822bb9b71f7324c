"""The numbers that the library is judged by, and a benchmark as tables.

Each headline number is a ratio of two times of one benchmark, or a time of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.base.tables import Table
from sweep.benchmark.measurement import Timing
from sweep.benchmark.problem import OURS, Size


@dataclass(frozen=True)
class HeadlineNumber:
    """A number that the library is judged by."""

    name: str  # for scripts
    text: str  # what was measured, in a few words
    value: float  # nan where a measurement for it is missing
    unit: str  # for a ratio, the name of its denominator
    extrapolated: bool = False  # whether one of its times is extrapolated


def headline_numbers(
    large: Mapping[str, Any],
    against_n: Sequence[Timing],
    others: Mapping[str, Sequence[Timing]],
    brute: Size,
    direct: Size,
) -> tuple[HeadlineNumber, ...]:
    """All of them: of the large problem, of the first curve, at `brute` on it, and of others."""
    third, name = others["illustration_3"], "illustration 3, 101 x 101 cells"
    ours = next((t.seconds for t in third if t.peer == "sweep"), math.nan)
    at_brute = [t for t in against_n if t.size == brute]
    by_dtype = {key: key.removeprefix("direct_") for key in others if key != "illustration_3"}
    return (
        *_against_sort(large),
        _fastest_peer("fastest_peer", str(brute), at_brute),
        _fastest_peer("illustration_3", name, third),
        HeadlineNumber("illustration_3_ms", f"sweep, {name}", 1e3 * ours, "ms"),
        *(
            _fastest_peer(key, f"{direct}, {dtype}", others[key], "sweep-direct")
            for key, dtype in by_dtype.items()
        ),
        *(
            HeadlineNumber(
                f"per_point_{t.size.n}", f"time / n, {t.size}", 1e9 * t.seconds / t.size.n, "ns"
            )
            for t in against_n
            if t.peer == "sweep"
        ),
    )


def _against_sort(large: Mapping[str, Any]) -> list[HeadlineNumber]:
    """The times of the large problem as multiples of `numpy.sort` and `sum`; none without it."""
    if not large:
        return []
    both, loss, sort, total = (large[k] for k in ("both", "cross_entropy", "sort_s", "sum_s"))
    beyond = large["memory"].get("beyond", math.nan) / (8 * both.size.n)
    rows = (
        ("both_per_sort", "both metrics", both.seconds / sort, "x sort(x)"),
        ("loss_per_sort", "loss alone", loss.seconds / sort, "x sort(x)"),
        ("both_per_sum", "both metrics", both.seconds / total, "x x.sum()"),
        ("loss_per_sum", "loss alone", loss.seconds / total, "x x.sum()"),
        ("sum", "x.sum()", total, "s"),
        ("error", "error / max(1, loss)", both.error, ""),
        ("second_grid", "loss, a second grid", large["second_grid_s"], "s"),
        ("memory", "extra memory", beyond, "x 8n bytes"),
    )
    return [HeadlineNumber(n, f"{what}, {both.size}", value, unit) for n, what, value, unit in rows]


def _fastest_peer(
    name: str, what: str, timings: Sequence[Timing], ours: str = "sweep"
) -> HeadlineNumber:
    """How many times as long as this library, under the name `ours`, the fastest peer takes."""
    our = next((t for t in timings if t.peer == ours), None)
    peers = [t for t in timings if t.peer not in {peer.name for peer in OURS}]
    if our is None or not peers:
        return HeadlineNumber(name, f"fastest peer / {ours}, {what}", math.nan, "times")
    best = min(peers, key=lambda t: t.seconds)
    return HeadlineNumber(
        name,
        f"{best.peer} / {ours}, {what}",
        best.seconds / our.seconds,
        "times",
        best.extrapolated or our.extrapolated,
    )


def scoreboard(document: Mapping[str, Any]) -> Iterator[Table]:
    """A benchmark as tables.

    Args:
        document: the result of `Bench.to_dict()`, or the same read from JSON.
    """
    yield Table(notes=(_machine(document["machine"]),))
    yield _times(document)
    marked = [*document["against_n"], *document["targets"]]
    alone = len(document["peers"]) == len(OURS)  # then no number compares tools
    targets = [t for t in document["targets"] if not (alone and "fastest peer" in t["text"])]
    errors = document["against_tolerance"]
    notes = [_errors(errors)] if errors else []
    if any(entry["extrapolated"] for entry in marked):
        notes.append("* extrapolated from the rate on a part of the problem")
    rows = tuple(map(_target, targets))
    yield Table(title="Headline numbers", rows=rows, notes=tuple(notes), words=2)


def _machine(machine: Mapping[str, Any]) -> str:
    versions = machine["versions"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("jax", "numpy") if name in versions)
    simd = ", ".join(machine["numpy_simd"].get("found", [])) or "none"
    return (
        f"{machine['cores']} cores, {machine['processor']}, JAX on {machine['device']}, "
        f"Python {machine['python']}, {named} (SIMD beyond its baseline: {simd})"
    )


def _times(document: Mapping[str, Any]) -> Table:
    """A row for each peer: its very first run, and its time at every n."""
    plan, timings, rows, skipped = document["plan"], document["against_n"], [], []
    for peer in document["peers"]:
        if "skipped" in peer:
            skipped.append(f"{peer['peer']}: {peer['skipped']}")
            continue
        of_peer = [t for t in timings if t["peer"] == peer["peer"]]
        cells = (_seconds(t["seconds"]) + "*" * t["extrapolated"] for t in of_peer)
        rows.append((peer["peer"], _seconds(peer["first_run_s"]), *cells))
    edge = plan["edge"]
    return Table(
        title=f"Seconds for both metrics on {edge} x {edge} cells, float64, warm",
        columns=("", "first run", *(f"n = {_short(n)}" for n in plan["sizes"])),
        rows=tuple(rows),
        notes=tuple(skipped),
    )


def _target(target: Mapping[str, Any]) -> tuple[str, str]:
    value = "unknown" if target["value"] is None else f"{target['value']:.3g}"
    text = target["text"].replace("sweep-direct", "direct")
    return text, f"{value}{'*' * target['extrapolated']} {target['unit']}".rstrip()


def _errors(rows: Sequence[Mapping[str, Any]]) -> str:
    worst = max(row["error"] / row["tolerance"] for row in rows)
    return (
        f"At tolerances from {rows[0]['tolerance']:g} to {rows[-1]['tolerance']:g} the true error "
        f"stays below the stated bound and is at most {worst:.1g} of the tolerance."
    )


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 1e4 else _short(value)


def _short(value: float) -> str:
    """A large number as 1e6 or 2.5e6."""
    return f"{value:.1e}".replace(".0e", "e").replace("e+0", "e").replace("e+", "e")
