"""A benchmark: time against the size of the problem, and error against the tolerance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.figures.style import (
    BLUE,
    BROWN,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Legend,
    in_style,
    legend_above,
    log_log,
)

_CURVES = ("against_n", "against_cells")
_THIN: dict[str, Any] = {"linewidth": 0.9, "markersize": 3.5}
_THICK: dict[str, Any] = {"linewidth": 1.8, "markersize": 5}
_PEER: dict[str, dict[str, Any]] = {  # a colour and a mark each: none needs colour alone
    "sweep": {"color": VERMILION, "marker": "o", "zorder": 4, **_THICK},
    "sweep-direct": {"color": BLUE, "marker": "s", "zorder": 3, **_THICK},
    "numpy": {"color": "black", "marker": "^", **_THIN},
    "sklearn": {"color": ORANGE, "marker": "v", **_THIN},
    "numba": {"color": GREEN, "marker": "D", **_THIN},
    "torch": {"color": PURPLE, "marker": "P", **_THIN},
    "jax": {"color": SKY, "marker": "X", **_THIN},
    "jax-grid-search": {"color": GREY, "marker": "<", **_THIN},
    "r": {"color": BROWN, "marker": ">", **_THIN},
}


@in_style
def bench(document: Mapping[str, Any]) -> Figure:
    """A benchmark's three curves: time against n, time against cells, error against tolerance.

    Args:
        document: result of `Bench.to_dict()`, or the same read from JSON. Extrapolated times are
            hollow and dashed.
    """
    names = [peer["peer"] for peer in document["peers"] if "skipped" not in peer]
    plan = document["plan"]
    figure = Figure(figsize=(7, 3.2))
    axes = figure.subplots(1, 3)
    for name in names:
        against_n, against_cells = (
            [timing for timing in document[curve] if timing["peer"] == name] for curve in _CURVES
        )
        _draw_times(axes[0], name, against_n, lambda t: t["size"]["n"])
        _draw_times(axes[1], name, against_cells, lambda t: math.prod(t["size"]["cells"]))
    _draw_errors(axes[2], document["against_tolerance"])
    edge = plan["edge"]
    axes[0].set(xlabel="points n", ylabel="time (s)", title=f"{edge} x {edge} cells")
    axes[1].set(xlabel="cells", ylabel="time (s)", title=f"n = {plan['points']} points")
    axes[2].set(xlabel="requested tolerance", ylabel="error / max(1, value)", title="cross-entropy")
    legend: Legend = {name: _PEER[name] for name in names}
    hollow = {"linestyle": "--", "marker": "o", "markerfacecolor": "white"}
    legend["extrapolated"] = _THIN | {"color": "black"} | hollow
    legend_above(figure, legend, columns=5)
    return figure


def _draw_times(
    ax: Axes,
    name: str,
    timings: Sequence[Mapping[str, Any]],
    along: Callable[[Mapping[str, Any]], float],
) -> None:
    """A line that is solid and filled where measured, dashed and hollow where extrapolated."""
    style: dict[str, Any] = {"label": name, **_PEER[name]}
    hollow = style | {"linestyle": "--", "linewidth": 0.7, "markerfacecolor": "white"}
    sizes, seconds = [along(t) for t in timings], [t["seconds"] for t in timings]
    ax.plot(sizes, seconds, **hollow)
    measured = [math.nan if t["extrapolated"] else t["seconds"] for t in timings]
    ax.plot(sizes, measured, **style)
    log_log(ax)


def _draw_errors(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """The stated bound and the true error, beside the requested tolerance."""
    tolerances = [row["tolerance"] for row in rows]
    ax.plot(tolerances, tolerances, color=GREY, linestyle=":", linewidth=1, label="requested")
    for key, label, style in (
        ("error_bound", "stated bound", {"color": BLUE, "marker": "v", **_THIN}),
        ("error", "true error", {"color": VERMILION, "marker": "o", **_THIN}),
    ):
        # A logarithmic scale cannot show an error of 0.
        ax.plot(tolerances, [max(row[key], 1e-17) for row in rows], label=label, **style)
    log_log(ax)
    ax.invert_xaxis()
    ax.legend(frameon=False)
