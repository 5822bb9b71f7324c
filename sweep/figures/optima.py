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

LEAST, EDGES = "least cross-entropy", "edges of highest accuracy"  # texts of legends

_ARROW = STAR | {"marker": "v", "markersize": 7}  # the arrow, in a legend

_TEXT: dict[str, Any] = {  # readable on every colour of a landscape
    "fontsize": 6.5,
    "bbox": {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1.2},
    "zorder": 6,
}

_NO_STAR = {  # status -> text in place of the star
    "separated": "separated:\nno finite optimum",
    "quasi_separated": "separated:\nno finite optimum",
    "one_class": "one class only:\nno finite optimum",
    "constant_x": "constant input:\nno single optimum",
    "empty": "no points",
}


def mark(ax: Axes, ce: CrossEntropyOptimum) -> None:
    """Marks the optimum of cross-entropy on axes whose limits are set.

    It is a star; if it lies beyond the axes, an arrow at their border with its coordinates; if
    there is no finite optimum, a text that says why.
    """
    if not math.isfinite(ce.a):
        ax.text(0.5, 0.04, _NO_STAR[ce.status.name], transform=ax.transAxes, ha="center", **_TEXT)
    elif _beyond(ax, ce):
        _point_at(ax, ce)
    else:
        ax.plot(ce.a, ce.b, label=LEAST, **STAR)


def _beyond(ax: Axes, ce: CrossEntropyOptimum) -> dict[str, float]:
    """Those of its coordinates a and b that lie beyond the axes."""
    limits = {"a": (ce.a, ax.get_xlim()), "b": (ce.b, ax.get_ylim())}
    return {
        name: value for name, (value, ends) in limits.items() if not min(ends) <= value <= max(ends)
    }


def _point_at(ax: Axes, ce: CrossEntropyOptimum) -> None:
    """An arrow that ends where the border is nearest to the optimum, with its coordinates."""
    beyond = _beyond(ax, ce)
    position = ax.transAxes.inverted().transform(ax.transData.transform((ce.a, ce.b)))
    end = np.clip(position, 0.0, 1.0)
    step = np.where(["a" in beyond, "b" in beyond], np.sign(position - end), 0.0)
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
    text = "\n".join(f"{name} = {value:.3g}" for name, value in beyond.items())
    text = text.replace("-", "\u2212")
    sides = {"left": 0.0, "center": 0.5, "right": 1.0}
    across = min(sides, key=lambda side: abs(sides[side] - start[0]))
    upward = "bottom" if start[1] < 0.5 else "top"
    shift = 0.03 if upward == "bottom" else -0.03
    ax.text(start[0], start[1] + shift, text, transform=ax.transAxes, ha=across, va=upward, **_TEXT)


def outline(ax: Axes, accuracy: AccuracyOptimum, largest: float) -> None:
    """Edges of the accuracy-optimal region: a cone for each interval of cuts, apex at (0, 0).

    Args:
        ax: axes to draw on.
        accuracy: the optimum.
        largest: largest absolute value of a and b on the axes.
    """
    rays = accuracy.rays
    if not rays:
        return
    # Each ray is long enough to leave the axes at any slope, and has many points because it is no
    # straight line on logarithmic axes. A nan separates it from the next.
    scaled = np.array(rays) * (3 * largest / np.max(np.abs(rays), axis=1, keepdims=True))
    along = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 200), [np.nan]])
    a, b = (np.outer(scaled[:, k], along).ravel() for k in (0, 1))
    ax.plot(a, b, label=EDGES, **EDGE)


def optimum_legend(panels: Iterable[tuple[Axes, Optimum]]) -> dict[str, Line2D]:
    """Legend handles of the optima that are drawn, each on its axes, by their text."""
    legend = {EDGES: Line2D([], [], **EDGE)}
    finite = [
        (ax, best.cross_entropy) for ax, best in panels if math.isfinite(best.cross_entropy.a)
    ]
    if not all(_beyond(ax, ce) for ax, ce in finite):
        legend[LEAST] = Line2D([], [], **STAR)
    if any(_beyond(ax, ce) for ax, ce in finite):
        legend[f"{LEAST}, beyond the axes"] = Line2D([], [], **_ARROW)
    return legend
