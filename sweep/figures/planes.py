"""Landscapes over the plane of (a, b), with both optima on each."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from sweep.figures.optima import STAR, mark, optimum_legend, outline
from sweep.figures.style import (
    ACCURACY_COLOUR,
    BLUE,
    axis_label,
    in_style,
    kept_limits,
    label_decades,
    legend_above,
)
from sweep.optima.records import Optimum

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

PANELS = 3  # landscapes in a row
LETTERS = 19  # letters of a label that fit into an inch


@in_style
def landscapes(dataset: xr.Dataset, best: Optimum) -> Figure:
    """The landscapes of a dataset, PANELS in a row, with both optima drawn on each.

    Args:
        dataset: a landscape; each of its float variables gets a panel. A grid with one point on an
            axis is drawn as lines.
        best: the cross-entropy optimum is marked, the accuracy-optimal region outlined.
    """
    names = metric_names(dataset)
    is_line = min(dataset.sizes["a"], dataset.sizes["b"]) == 1
    columns = min(PANELS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3.5 * columns, 3.1 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax, name in zip(axes, names, strict=False):
        if is_line:
            _draw_line(ax, dataset[name].sortby(["a", "b"]))
        else:
            draw_landscape(ax, dataset[name], best, bar="bottom")
    if not is_line:
        legend_above(figure, optimum_legend([(axes[0], best)]), columns=2)
    return figure


@in_style
def small_multiples(columns: Sequence[tuple[str, xr.Dataset, Optimum]]) -> Figure:
    """The landscapes of several samples: one column for each sample, one row for each metric.

    The panels of a row share their colour scale.

    Args:
        columns: (title, landscape, optimum) of each sample; all landscapes have the same metrics.
            Five or six fit the 7 in of a page; more make the figure wider.
    """
    names = metric_names(columns[0][1])
    width = max(1.3 + 1.14 * len(columns), min(7.0, 1.6 + 1.8 * len(columns)))
    edge = (width - 1.6) / len(columns)
    figure = Figure(figsize=(width, 1.0 + edge * len(names)))
    rows = figure.subplots(len(names), len(columns), squeeze=False)
    for axes, name in zip(rows, names, strict=True):
        metrics = [dataset[name] for _, dataset, _ in columns]
        norm = norm_of(metrics)
        images = [
            draw_landscape(ax, metric, best, norm)
            for ax, metric, (_, _, best) in zip(axes, metrics, columns, strict=True)
        ]
        label = textwrap.fill(axis_label(metrics[0]), max(12, int(LETTERS * edge)))
        colour_bar(figure, list(axes), images[0], label, location="right")
    for ax, (title, _, _) in zip(rows[0], columns, strict=True):
        ax.set_title(title)
    for ax in rows.flat:
        _few_ticks(ax)
    _label_outside(rows)
    panels = [(ax, best) for ax, (_, _, best) in zip(rows[0], columns, strict=True)]
    legend_above(figure, optimum_legend(panels), columns=3)
    return figure


def metric_names(dataset: xr.Dataset) -> list[str]:
    """The metrics of a landscape; its counts are none."""
    return [str(name) for name in dataset.data_vars if dataset[name].dtype.kind == "f"]


def _few_ticks(ax: Axes) -> None:
    """At most four intervals between the ticks of linear axes."""
    for scale in (ax.xaxis, ax.yaxis):
        if scale.get_scale() == "linear":
            scale.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def _label_outside(rows: np.ndarray) -> None:
    """Labels on the left and below only; numbers too where neighbours share their limits."""
    for ax in rows[:-1].flat:
        ax.set_xlabel("")
    for ax in rows[:, 1:].flat:
        ax.set_ylabel("")
    if len({ax.get_ylim() for ax in rows.flat}) == 1:
        for ax in rows[:, 1:].flat:
            ax.tick_params(labelleft=False)
    for column in rows.T:
        if len({ax.get_xlim() for ax in column}) == 1:
            for ax in column[:-1]:
                ax.tick_params(labelbottom=False)


@in_style
def cells(dataset: xr.Dataset, best: Optimum) -> Figure:
    """Accuracy against cross-entropy over all cells of a landscape, the optimum marked.

    Args:
        dataset: a landscape with `cross_entropy` and `accuracy`.
        best: its cross-entropy optimum is marked.
    """
    figure = Figure(figsize=(3.5, 2.8))
    ax = figure.add_subplot()
    ce, accuracy = dataset.cross_entropy.values.ravel(), dataset.accuracy.values.ravel()
    # Rasterized even in a vector format: ten thousand marks are too many to print.
    ax.plot(ce, accuracy, ".", color=BLUE, markersize=2, alpha=0.3, mew=0, rasterized=True)
    ax.set(xlabel="cross-entropy (nats)", ylabel="accuracy", xscale="log")
    label_decades(ax.xaxis)
    ax.axhline(best.accuracy.value, color=ACCURACY_COLOUR, linestyle=":")
    legend = {
        "cells of the grid": {"color": BLUE, "marker": ".", "linestyle": ""},
        "highest accuracy": {"color": ACCURACY_COLOUR, "linestyle": ":"},
    }
    if np.isfinite(best.cross_entropy.a):
        accuracy_at_optimum = best.accuracy.value - best.regret
        ax.plot(best.cross_entropy.value, accuracy_at_optimum, **STAR)
        legend["least cross-entropy"] = STAR
    legend_above(figure, legend, columns=2)
    return figure


def _draw_line(ax: Axes, metric: xr.DataArray) -> None:
    """One metric along the axis that has more than one point."""
    along = "a" if metric.sizes["a"] > 1 else "b"
    line = metric.squeeze("b" if along == "a" else "a")
    if _is_geometric(line[along].values):
        ax.set_xscale("log")
    steps = "steps-mid" if _counts(metric) else "default"
    marker = "." if line.size == 1 else ""
    ax.plot(line[along], line, marker=marker, color=BLUE, drawstyle=steps)
    ax.set(xlabel=axis_label(line[along]), ylabel=axis_label(metric))


def draw_landscape(
    ax: Axes,
    metric: xr.DataArray,
    best: Optimum,
    norm: Normalize | None = None,
    bar: str = "",
    **colours: Any,
) -> ScalarMappable:
    """One landscape with both optima, on axes that get its limits.

    `norm` is that of the metric unless several landscapes share one; `bar` is the side of a colour
    bar, if there is one; `colours` are further arguments of `pcolormesh`.
    """
    values = metric.sortby(["a", "b"]).transpose("b", "a")
    defaults: dict[str, Any] = {
        "shading": "nearest",
        "cmap": "cividis" if _counts(metric) else "viridis",
        "norm": norm or norm_of([metric]),
        "rasterized": True,
    }
    if {"vmin", "vmax"} & set(colours):
        del defaults["norm"]  # matplotlib accepts either limits or a norm
    image = ax.pcolormesh(values.a, values.b, values, **defaults | colours)
    for coordinate, scale in ((values.a.values, ax.set_xscale), (values.b.values, ax.set_yscale)):
        if _is_geometric(coordinate):
            scale("log")
    ax.set(xlabel=axis_label(metric.a), ylabel=axis_label(metric.b))
    with kept_limits(ax) as (left, right, low, high):
        outline(ax, best.accuracy, largest=max(map(abs, (left, right, low, high))))
    mark(ax, best.cross_entropy)
    if bar:
        colour_bar(ax.figure, ax, image, axis_label(metric), location=bar)
    return image


def _is_geometric(points: np.ndarray) -> bool:
    """Whether an ascending axis has positive points in geometric progression."""
    if len(points) < 3 or points[0] <= 0:
        return False
    ratios = points[1:] / points[:-1]
    return bool(ratios[0] > 1.001 and np.allclose(ratios, ratios[0], rtol=1e-6))


def _counts(metric: xr.DataArray) -> bool:
    """Whether a metric is a function of counts, hence piecewise constant."""
    return metric.attrs["kind"] == "counting"


def norm_of(metrics: Sequence[xr.DataArray]) -> Normalize:
    """Normalization of the colours of one metric: linear if it counts, logarithmic for losses.

    The valley of a loss is flat compared with its walls, so the logarithmic scale covers at most
    three decades.
    """
    values = np.concatenate([metric.values.ravel() for metric in metrics])
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    if _counts(metrics[0]) or positive.size == 0 or positive.max() <= positive.min():
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        return Normalize(float(low), float(high))
    return LogNorm(max(positive.min(), positive.max() / 1e3), positive.max(), clip=True)


def colour_bar(
    figure: FigureBase, axes: Axes | list[Axes], image: ScalarMappable, label: str, location: str
) -> None:
    """A colour bar at one side of axes, labelled with plain numbers."""
    bar = figure.colorbar(image, ax=axes, location=location, aspect=30, pad=0.02)
    bar.set_label(label)
    if isinstance(image.norm, LogNorm):
        label_decades(bar.ax.xaxis if location == "bottom" else bar.ax.yaxis)
