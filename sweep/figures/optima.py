"""Both optima on the plane of (a, b): a star, and the cones of highest accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from sweep.figures.style import CE_COLOUR
from sweep.optima.records import AccuracyOptimum, CrossEntropyOptimum, Optimum

STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 10,
    "markerfacecolor": CE_COLOUR,
    "markeredgecolor": "white",
    "markeredgewidth": 0.7,
    "linestyle": "",
    "zorder": 5,
}

EDGE: dict[str, Any] = {
    "color": "white",
    "linewidth": 0.7,
    "path_effects": [Stroke(linewidth=1.8, foreground="black"), Normal()],
}

LEAST, EDGES = "least cross-entropy", "edges of highest accuracy"
"""What legends call them."""

_ARROW = STAR | {"marker": "v", "markersize": 7}
"""How a legend shows the arrow."""

_WORDS: dict[str, Any] = {
    "fontsize": 6.5,
    "bbox": {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1.2},
    "zorder": 6,
}
"""Words on a landscape, readable on every colour of it."""

_NONE = {
    "separated": "separated:\nno finite optimum",
    "quasi_separated": "separated:\nno finite optimum",
    "one_class": "one class only:\nno finite optimum",
    "constant_x": "constant input:\nno single optimum",
    "empty": "no points",
}
"""What stands in place of the star, by the name of the status."""


def mark(ax: Axes, ce: CrossEntropyOptimum) -> None:
    """The optimum of cross-entropy on axes whose limits are set.

    A star; where it lies beyond the axes an arrow at their border, with the coordinate that does;
    where there is none, words that say why.
    """
    if not math.isfinite(ce.a):
        ax.text(0.5, 0.04, _NONE[ce.status.name], transform=ax.transAxes, ha="center", **_WORDS)
    elif _beyond(ax, ce):
        _point_at(ax, ce)
    else:
        ax.plot(ce.a, ce.b, label=LEAST, **STAR)


def _beyond(ax: Axes, ce: CrossEntropyOptimum) -> dict[str, float]:
    """Its coordinates, of a and b, that lie beyond the axes."""
    limits = {"a": (ce.a, ax.get_xlim()), "b": (ce.b, ax.get_ylim())}
    return {name: at for name, (at, ends) in limits.items() if not min(ends) <= at <= max(ends)}


def _point_at(ax: Axes, ce: CrossEntropyOptimum) -> None:
    """An arrow that ends where the border is nearest to the optimum, and says what lies beyond."""
    beyond = _beyond(ax, ce)
    place = ax.transAxes.inverted().transform(ax.transData.transform((ce.a, ce.b)))
    end = np.clip(place, 0.0, 1.0)
    step = np.where(["a" in beyond, "b" in beyond], np.sign(place - end), 0.0)
    start = end - 0.2 * step / np.hypot(*step)
    ax.annotate(
        "",
        xy=tuple(end),
        xytext=tuple(start),
        xycoords="axes fraction",
        arrowprops={
            "arrowstyle": "-|>,head_width=0.25,head_length=0.45",
            "color": CE_COLOUR,
            "linewidth": 1.5,
            "shrinkA": 0,
            "shrinkB": 0,
            "path_effects": [Stroke(linewidth=2.6, foreground="white"), Normal()],
        },
        zorder=5,
    )
    text = "\n".join(f"{name} = {at:.3g}".replace("-", "\u2212") for name, at in beyond.items())
    sides = {"left": 0.0, "center": 0.5, "right": 1.0}
    across = min(sides, key=lambda side: abs(sides[side] - start[0]))
    upward = "bottom" if start[1] < 0.5 else "top"
    shift = 0.03 if upward == "bottom" else -0.03
    ax.text(
        start[0], start[1] + shift, text, transform=ax.transAxes, ha=across, va=upward, **_WORDS
    )


def outline(ax: Axes, accuracy: AccuracyOptimum, reach: float) -> None:
    """Edges of the accuracy-optimal region: a cone for each interval of cuts, apex at (0, 0)."""
    rays = accuracy.rays
    if not rays:
        return
    # Each long enough to leave the axes whatever its slope, and of many points, for on
    # logarithmic axes it is no straight line. A nan separates one from the next.
    scaled = np.array(rays) * (3 * reach / np.max(np.abs(rays), axis=1, keepdims=True))
    along = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 200), [np.nan]])
    a, b = (np.outer(scaled[:, k], along).ravel() for k in (0, 1))
    ax.plot(a, b, label=EDGES, **EDGE)


def optimum_legend(drawn: Iterable[tuple[Axes, Optimum]]) -> dict[str, Line2D]:
    """Handles of what is drawn of the optima, each on its axes, by their text."""
    legend = {EDGES: Line2D([], [], **EDGE)}
    finite = [(ax, best.cross_entropy) for ax, best in drawn if math.isfinite(best.cross_entropy.a)]
    if not all(_beyond(ax, ce) for ax, ce in finite):
        legend[LEAST] = Line2D([], [], **STAR)
    if any(_beyond(ax, ce) for ax, ce in finite):
        legend[f"{LEAST}, beyond the axes"] = Line2D([], [], **_ARROW)
    return legend
