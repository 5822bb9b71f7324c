"""A sample with its fitted sigmoid and best cuts, and slices through its landscape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sweep.data.sample import Sample
from sweep.figures.style import (
    ACCURACY_COLOUR,
    CE_COLOUR,
    CLASS_COLOURS,
    STYLE,
    axis_label,
    legend_above,
)
from sweep.optima.records import Optimum

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

MOST_POINTS = 200  # larger samples are drawn as histograms


def sample(data: Sample, best: Optimum) -> Figure:
    """The sample, the fitted sigmoid, the cut of the cross-entropy optimum and the best cuts.

    Args:
        data: the sample.
        best: its optimum.
    """
    with matplotlib.rc_context(STYLE):
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
            Line2D([], [], color=ACCURACY_COLOUR, linestyle=":", linewidth=1),
        )
        legend = {
            "sigmoid of least cross-entropy": Line2D([], [], color=CE_COLOUR),
            "its cut": Line2D([], [], color=CE_COLOUR, linestyle="--"),
            "cuts of highest accuracy": spans,
        }
        legend_above(figure, legend, columns=2)
    return figure


def slices(along_b: xr.Dataset, along_a: xr.Dataset, best: Optimum) -> Figure:
    """Cross-entropy and accuracy against b at the optimal a, and against a at the optimal b.

    Args:
        along_b: landscape with one a.
        along_a: landscape with one b.
        best: the optimum that the slices pass through.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.5))
        axes = figure.subplots(1, 2)
        ce = best.cross_entropy
        for ax, line, along, fixed in (
            (axes[0], along_b.squeeze("a"), "b", f"a = {ce.a:.3g}"),
            (axes[1], along_a.squeeze("b"), "a", f"b = {ce.b:.3g}"),
        ):
            _draw_slice(ax, line, along)
            ax.axvline(getattr(ce, along), color=CE_COLOUR, linestyle="--", linewidth=1)
            ax.set_title(f"at {fixed}", loc="left")
        legend = {
            "cross-entropy (left axes)": Line2D([], [], color=CE_COLOUR),
            "its optimum": Line2D([], [], color=CE_COLOUR, linestyle="--"),
            "accuracy (right axes)": Line2D([], [], color=ACCURACY_COLOUR),
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


def _draw_slice(ax: Axes, line: xr.Dataset, along: str) -> None:
    """Cross-entropy on the left axis, accuracy on the right."""
    ax.plot(line[along], line.cross_entropy, color=CE_COLOUR)
    ax.set(xlabel=axis_label(line[along]), ylabel=axis_label(line.cross_entropy))
    ax.yaxis.label.set_color(CE_COLOUR)
    other = ax.twinx()
    other.spines["right"].set_visible(True)
    other.plot(line[along], line.accuracy, color=ACCURACY_COLOUR, linewidth=1)
    other.set_ylabel(axis_label(line.accuracy), color=ACCURACY_COLOUR)
