"""Both optima: on the plane of (a, b), over a sample, and in slices through its landscape."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke

from sweep.data.sample import Sample
from sweep.figures.style import (
    ACCURACY_COLOUR,
    CE_COLOUR,
    CLASS_COLOURS,
    Legend,
    draw_line,
    in_style,
    legend_above,
    minus,
)
from sweep.optima.records import AccuracyOptimum, CrossEntropyOptimum, Optimum

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

STAR: dict[str, Any] = {
    "marker": "*", "markersize": 10, "markerfacecolor": CE_COLOUR, "markeredgecolor": "white",
    "markeredgewidth": 0.7, "linestyle": "", "zorder": 5,
}  # fmt: skip

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

MOST_POINTS = 200  # larger samples are drawn as histograms


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
    arrow: dict[str, Any] = {
        "arrowstyle": "-|>,head_width=0.25,head_length=0.45", "color": CE_COLOUR, "linewidth": 1.5,
        "shrinkA": 0, "shrinkB": 0,
        "path_effects": [Stroke(linewidth=2.6, foreground="white"), Normal()],
    }  # fmt: skip
    ax.annotate("", tuple(end), tuple(start), xycoords="axes fraction", arrowprops=arrow, zorder=5)
    text = "\n".join(f"{name} = {value:.3g}" for name, value in beyond.items())
    sides = {"left": 0.0, "center": 0.5, "right": 1.0}
    across = min(sides, key=lambda side: abs(sides[side] - start[0]))
    upward = "bottom" if start[1] < 0.5 else "top"
    shift = 0.03 if upward == "bottom" else -0.03
    at = start[0], start[1] + shift
    ax.text(*at, minus(text), transform=ax.transAxes, ha=across, va=upward, **_TEXT)


def outline(ax: Axes, accuracy: AccuracyOptimum, largest: float) -> None:
    """Edges of the accuracy-optimal region: a cone for each interval of cuts, apex at (0, 0)."""
    rays = accuracy.rays
    if not rays:
        return
    # Each ray is long enough to leave the axes at any slope, and has many points because it is no
    # straight line on logarithmic axes. A nan separates it from the next.
    scaled = np.array(rays) * (3 * largest / np.max(np.abs(rays), axis=1, keepdims=True))
    along = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 200), [np.nan]])
    a, b = (np.outer(scaled[:, k], along).ravel() for k in (0, 1))
    ax.plot(a, b, label=EDGES, **EDGE)


def optimum_legend(panels: Iterable[tuple[Axes, Optimum]]) -> Legend:
    """Legend handles of the optima that are drawn, each on its axes, by their text."""
    legend = {EDGES: EDGE}
    finite = [
        (ax, best.cross_entropy) for ax, best in panels if math.isfinite(best.cross_entropy.a)
    ]
    if not all(_beyond(ax, ce) for ax, ce in finite):
        legend[LEAST] = STAR
    if any(_beyond(ax, ce) for ax, ce in finite):
        legend[f"{LEAST}, beyond the axes"] = _ARROW
    return legend


@in_style
def sample(data: Sample, best: Optimum) -> Figure:
    """The sample, the fitted sigmoid, the cut of the cross-entropy optimum and the best cuts.

    Args:
        data: the sample.
        best: its optimum.
    """
    figure = Figure(figsize=(3.5, 2.6))
    ax = figure.add_subplot()
    _draw_points(ax, data)
    low, high = _window(data.x)
    ax.set(xlim=(low, high), ylim=(-0.12, 1.12), xlabel="x", ylabel="y and P(y = 1 | x)")
    ce = best.cross_entropy
    if np.isfinite(ce.a):
        x = np.linspace(low, high, 400)
        ax.plot(x, 0.5 * (1 + np.tanh((ce.a * x + ce.b) / 2)), color=CE_COLOUR)
    if np.isfinite(ce.cut):
        ax.axvline(ce.cut, color=CE_COLOUR, linestyle="--")
    for start, stop, _ in best.accuracy.cuts:
        # A line too: the interval may be thinner than a pixel.
        ax.axvspan(start, stop, color=ACCURACY_COLOUR, alpha=0.25, linewidth=0)
        ax.axvline((start + stop) / 2, color=ACCURACY_COLOUR, linestyle=":", linewidth=1)
    spans = (
        Patch(color=ACCURACY_COLOUR, alpha=0.25, linewidth=0),
        {"color": ACCURACY_COLOUR, "linestyle": ":", "linewidth": 1},
    )
    legend = {
        "sigmoid of least cross-entropy": {"color": CE_COLOUR},
        "its cut": {"color": CE_COLOUR, "linestyle": "--"},
        "cuts of highest accuracy": spans,
    }
    legend_above(figure, legend, columns=2)
    return figure


@in_style
def slices(along_b: xr.Dataset, along_a: xr.Dataset, best: Optimum) -> Figure:
    """Cross-entropy and accuracy against b at the optimal a, and against a at the optimal b.

    Args:
        along_b: landscape with one a.
        along_a: landscape with one b.
        best: the optimum that the slices pass through.
    """
    figure = Figure(figsize=(7, 2.5))
    axes = figure.subplots(1, 2)
    ce = best.cross_entropy
    for ax, line, along, fixed in (
        (axes[0], along_b.squeeze("a"), "b", f"a = {ce.a:.3g}"),
        (axes[1], along_a.squeeze("b"), "a", f"b = {ce.b:.3g}"),
    ):
        draw_line(ax, line, line[along])
        ax.axvline(getattr(ce, along), color=CE_COLOUR, linestyle="--", linewidth=1)
        ax.set_title(f"at {fixed}", loc="left")
    legend = {
        "cross-entropy (left axes)": {"color": CE_COLOUR},
        "its optimum": {"color": CE_COLOUR, "linestyle": "--"},
        "accuracy (right axes)": {"color": ACCURACY_COLOUR},
    }
    legend_above(figure, legend, columns=3)
    return figure


def _draw_points(ax: Axes, data: Sample) -> None:
    """The points at y = 0 and 1, or histograms of their mass if there are many."""
    if len(data) <= MOST_POINTS:
        colours = [CLASS_COLOURS[int(label > 0.5)] for label in data.y]
        ax.scatter(data.x, data.y, s=16, c=colours, alpha=0.7, linewidths=0, zorder=4)
        return
    bins = np.linspace(*_window(data.x, margin=0.0), 41)
    weight = np.ones(len(data)) if data.weight is None else data.weight
    mass = {0: (1 - data.y) * weight, 1: data.y * weight}
    heights = {label: np.histogram(data.x, bins, weights=mass[label])[0] for label in (0, 1)}
    tallest = max(height.max() for height in heights.values())
    for label, upward in ((0, 1), (1, -1)):
        bar_heights = 0.25 * upward * heights[label] / tallest
        ax.bar(
            bins[:-1], bar_heights, np.diff(bins), bottom=label, align="edge",
            color=CLASS_COLOURS[label], alpha=0.5, linewidth=0,
        )  # fmt: skip


def _window(x: np.ndarray, margin: float = 0.08) -> tuple[float, float]:
    """The range of x with a margin; of positive width where x is constant."""
    wider = margin * float(np.ptp(x)) if np.ptp(x) > 0 else max(1.0, 0.1 * abs(float(x[0])))
    return float(x.min()) - wider, float(x.max()) + wider
