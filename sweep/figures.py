"""Figures: records in, a matplotlib Figure out. Nothing here computes a metric or an optimum.

Colours are those of Okabe & Ito (2008) and the perceptually uniform viridis and cividis, so that
figures read the same for the colour-blind and in grey. Sizes suit one column (3.5 in) or two (7 in)
of a printed page. Figures are made without pyplot, so none is left open behind them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from sweep.data import InputError, Sample
from sweep.optimum import AccuracyOptimum, Optimum
from sweep.store import staged

if TYPE_CHECKING:
    import xarray as xr

BLUE, ORANGE, GREEN, VERMILION, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9"
PURPLE, GREY, BROWN = "#CC79A7", "#808080", "#7F4F24"
CLASS_COLOURS = {0: ORANGE, 1: BLUE}
CE_COLOUR, ACCURACY_COLOUR = VERMILION, GREEN
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}
PANELS = 3
"""Landscapes beside each other before a new row begins."""

FORMATS = (".png", ".pdf", ".svg")
"""Suffixes of the formats that `write` writes."""

DODGE_BEYOND = 200
"""Points are drawn one by one up to so many, beyond that as histograms."""


def write(figure: Figure, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Writes a figure in the format of the path's suffix: PNG, PDF or SVG.

    Raises:
        InputError: there is no such format, or the destination cannot be written.
    """
    require_format(path)
    with staged(path, force=force) as partial, matplotlib.rc_context(STYLE):
        # No version in the metadata: the same figure is the same file.
        kind = Path(path).suffix.lower().removeprefix(".")
        image = BytesIO()
        figure.savefig(image, format=kind, metadata={"Software": None} if kind == "png" else None)
        partial.write_bytes(image.getvalue())


def require_format(path: str | os.PathLike[str]) -> None:
    """Refuses a path that no figure can be written to.

    Raises:
        InputError: its suffix is not one of FORMATS.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"{path}: no such figure format; use .png, .pdf or .svg")


def sample(data: Sample, best: Optimum) -> Figure:
    """The sample, the fitted sigmoid, the cut of the cross-entropy optimum and the best cuts.

    Args:
        data: the points.
        best: their optimum.
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
            # A line of its own, for an interval may be thinner than a pixel.
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
        _legend_above(figure, legend, columns=2)
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
        _legend_above(figure, legend, columns=3)
    return figure


def landscapes(dataset: xr.Dataset, best: Optimum) -> Figure:
    """The landscapes of a dataset, PANELS in a row, with both optima drawn on each.

    Args:
        dataset: a landscape; its float variables are drawn, one a panel. A grid with one point on
            an axis is drawn as lines.
        best: the cross-entropy optimum is marked, the accuracy-optimal region outlined.
    """
    dataset = dataset.sortby(["a", "b"])
    names = [str(name) for name in dataset.data_vars if dataset[name].dtype.kind == "f"]
    with matplotlib.rc_context(STYLE):
        columns = min(PANELS, len(names))
        rows = -(-len(names) // columns)
        figure = Figure(figsize=(3.5 * columns, 3.1 * rows))
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes[len(names) :]:
            ax.set_axis_off()
        for ax, name in zip(axes, names, strict=False):
            if min(dataset.sizes["a"], dataset.sizes["b"]) == 1:
                _draw_line(ax, dataset[name])
            else:
                norm = _norm(dataset[name], dataset[name].values)
                image = _draw_landscape(ax, dataset[name], best, norm)
                _colour_bar(figure, ax, image, _label(dataset[name]), location="bottom")
        if min(dataset.sizes["a"], dataset.sizes["b"]) > 1:
            _legend_above(figure, _optimum_legend(best), columns=2)
    return figure


def small_multiples(columns: Sequence[tuple[str, xr.Dataset, Optimum]]) -> Figure:
    """Both landscapes of several samples: a column a sample, one colour scale a row.

    Args:
        columns: (title, landscape with `cross_entropy` and `accuracy`, optimum) of each sample.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 4.6))
        rows = figure.subplots(2, len(columns), squeeze=False)
        for axes, name in zip(rows, ("cross_entropy", "accuracy"), strict=True):
            metrics = [dataset.sortby(["a", "b"])[name] for _, dataset, _ in columns]
            norm = _norm(metrics[0], np.concatenate([metric.values.ravel() for metric in metrics]))
            images = [
                _draw_landscape(ax, metric, best, norm)
                for ax, metric, (_, _, best) in zip(axes, metrics, columns, strict=True)
            ]
            _colour_bar(figure, list(axes), images[0], _label(metrics[0]), location="right")
        for ax, (title, _, _) in zip(rows[0], columns, strict=True):
            ax.set(title=title, xlabel="")
        for ax in rows[:, 1:].flat:
            ax.set(ylabel="")
        _legend_above(figure, _optimum_legend(columns[0][2]), columns=2)
    return figure


def cells(dataset: xr.Dataset, best: Optimum) -> Figure:
    """Accuracy against cross-entropy over all cells of a landscape, the optimum marked.

    Args:
        dataset: a landscape with `cross_entropy` and `accuracy`.
        best: its cross-entropy optimum is marked.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5, 2.8))
        ax = figure.add_subplot()
        ce, accuracy = dataset.cross_entropy.values.ravel(), dataset.accuracy.values.ravel()
        # As an image even in a vector format: ten thousand marks are too many to print.
        ax.plot(ce, accuracy, ".", color=BLUE, markersize=2, alpha=0.3, mew=0, rasterized=True)
        ax.set(xlabel="cross-entropy (nats)", ylabel="accuracy", xscale="log")
        _label_decades(ax.xaxis)
        ax.axhline(best.accuracy.value, color=ACCURACY_COLOUR, linestyle=":")
        legend = {
            "cells of the grid": Line2D([], [], color=BLUE, marker=".", linestyle=""),
            "highest accuracy": Line2D([], [], color=ACCURACY_COLOUR, linestyle=":"),
        }
        if np.isfinite(best.cross_entropy.a):
            at = best.accuracy.value - best.regret
            ax.plot(best.cross_entropy.value, at, **_STAR)
            legend["least cross-entropy"] = Line2D([], [], **_STAR)
        _legend_above(figure, legend, columns=2)
    return figure


def bench(document: Mapping[str, Any]) -> Figure:
    """A benchmark's three curves: time against n, time against cells, error against tolerance.

    Args:
        document: what `Bench.to_dict()` returns, or the same read from JSON. Extrapolated times
            are drawn hollow, and dashed.
    """
    names = [peer["peer"] for peer in document["peers"] if "skipped" not in peer]
    plan = document["plan"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.2))
        axes = figure.subplots(1, 3)
        for name in names:
            own = [[t for t in document[k] if t["peer"] == name] for k in _CURVES]
            _draw_times(axes[0], name, own[0], lambda t: t["size"]["n"])
            _draw_times(axes[1], name, own[1], lambda t: math.prod(t["size"]["cells"]))
        _draw_errors(axes[2], document["against_tolerance"])
        edge = plan["edge"]
        axes[0].set(xlabel="points n", ylabel="time (s)", title=f"{edge} x {edge} cells")
        axes[1].set(xlabel="cells", ylabel="time (s)", title=f"n = {plan['points']} points")
        axes[2].set(
            xlabel="tolerance asked for", ylabel="error / max(1, value)", title="cross-entropy"
        )
        legend: dict[str, Artist] = {name: Line2D([], [], **_PEER[name]) for name in names}
        legend["extrapolated"] = Line2D(
            [], [], color="black", linestyle="--", marker="o", markerfacecolor="white", **_THIN
        )
        _legend_above(figure, legend, columns=5)
    return figure


_CURVES = ("against_n", "against_cells")
_THIN: dict[str, Any] = {"linewidth": 0.9, "markersize": 3.5}
_THICK: dict[str, Any] = {"linewidth": 1.8, "markersize": 5}
_PEER: dict[str, dict[str, Any]] = {
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
"""A colour and a mark for each, so that none rests on colour alone."""


def _draw_times(
    ax: Axes,
    name: str,
    timings: Sequence[Mapping[str, Any]],
    along: Callable[[Mapping[str, Any]], float],
) -> None:
    """A line whose measured part is solid and filled, whose rest is dashed and hollow."""
    style: dict[str, Any] = {"label": name, **_PEER[name]}
    hollow: dict[str, Any] = style | {
        "linestyle": "--",
        "linewidth": 0.7,
        "markerfacecolor": "white",
    }
    at, seconds = [along(t) for t in timings], [t["seconds"] for t in timings]
    ax.plot(at, seconds, **hollow)
    measured = [math.nan if t["extrapolated"] else t["seconds"] for t in timings]
    ax.plot(at, measured, **style)
    _log_log(ax)


def _draw_errors(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    asked = [row["tolerance"] for row in rows]
    ax.plot(asked, asked, color=GREY, linestyle=":", linewidth=1, label="asked for")
    for key, label, style in (
        ("error_bound", "stated bound", {"color": BLUE, "marker": "v", **_THIN}),
        ("error", "true error", {"color": VERMILION, "marker": "o", **_THIN}),
    ):
        # An error of 0 has no place on a logarithmic scale.
        ax.plot(asked, [max(row[key], 1e-17) for row in rows], label=label, **style)
    _log_log(ax)
    ax.invert_xaxis()
    ax.legend(frameon=False)


def _log_log(ax: Axes) -> None:
    ax.set(xscale="log", yscale="log")
    ax.grid(alpha=0.3, linewidth=0.5)


_STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 10,
    "markerfacecolor": CE_COLOUR,
    "markeredgecolor": "white",
    "markeredgewidth": 0.7,
    "linestyle": "",
    "zorder": 5,
}


def _draw_points(ax: Axes, data: Sample) -> None:
    if len(data) <= DODGE_BEYOND:
        colours = [CLASS_COLOURS[int(label > 0.5)] for label in data.y]
        ax.scatter(data.x, data.y, s=16, c=colours, alpha=0.7, linewidths=0, zorder=4)
        return
    bins = np.linspace(*_window(data.x, margin=0.0), 41)
    weight = np.ones(len(data)) if data.weight is None else data.weight
    mass = {0: (1 - data.y) * weight, 1: data.y * weight}
    heights = {label: np.histogram(data.x, bins, weights=mass[label])[0] for label in (0, 1)}
    tallest = max(height.max() for height in heights.values())
    for label, upward in ((0, 1), (1, -1)):
        share = 0.25 * upward * heights[label] / tallest
        ax.bar(
            bins[:-1], share, np.diff(bins), bottom=label, align="edge",
            color=CLASS_COLOURS[label], alpha=0.5, linewidth=0,
        )  # fmt: skip


def _window(x: np.ndarray, margin: float = 0.08) -> tuple[float, float]:
    """The span of x with a margin; of some width where x is constant."""
    wider = margin * float(np.ptp(x)) if np.ptp(x) > 0 else max(1.0, 0.1 * abs(float(x[0])))
    return float(x.min()) - wider, float(x.max()) + wider


def _draw_slice(ax: Axes, line: xr.Dataset, along: str) -> None:
    ax.plot(line[along], line.cross_entropy, color=CE_COLOUR)
    ax.set(xlabel=_label(line[along]), ylabel=_label(line.cross_entropy))
    ax.yaxis.label.set_color(CE_COLOUR)
    other = ax.twinx()
    other.spines["right"].set_visible(True)
    other.plot(line[along], line.accuracy, color=ACCURACY_COLOUR, linewidth=1)
    other.set_ylabel(_label(line.accuracy), color=ACCURACY_COLOUR)


def _draw_line(ax: Axes, metric: xr.DataArray) -> None:
    along = "a" if metric.sizes["a"] > 1 else "b"
    line = metric.squeeze("b" if along == "a" else "a")
    if _is_geometric(line[along].values):
        ax.set_xscale("log")
    steps = "steps-mid" if _counts(metric) else "default"
    marker = "." if line.size == 1 else ""
    ax.plot(line[along], line, marker=marker, color=BLUE, drawstyle=steps)
    ax.set(xlabel=_label(line[along]), ylabel=_label(metric))


def _draw_landscape(
    ax: Axes, metric: xr.DataArray, best: Optimum, norm: Normalize
) -> ScalarMappable:
    values = metric.transpose("b", "a")
    colours = "cividis" if _counts(metric) else "viridis"
    image = ax.pcolormesh(
        values.a, values.b, values, shading="nearest", cmap=colours, norm=norm, rasterized=True
    )
    for coordinate, scale in ((values.a.values, ax.set_xscale), (values.b.values, ax.set_yscale)):
        if _is_geometric(coordinate):
            scale("log")
    limits = ax.get_xlim(), ax.get_ylim()
    _outline(ax, best.accuracy, reach=max(abs(v) for v in (*limits[0], *limits[1])))
    if np.isfinite(best.cross_entropy.a):
        ax.plot(best.cross_entropy.a, best.cross_entropy.b, **_STAR)
    ax.set(xlim=limits[0], ylim=limits[1], xlabel=_label(metric.a), ylabel=_label(metric.b))
    return image


def _is_geometric(points: np.ndarray) -> bool:
    """Whether an ascending axis is one of positive points in geometric progression."""
    if len(points) < 3 or points[0] <= 0:
        return False
    ratios = points[1:] / points[:-1]
    return bool(ratios[0] > 1.001 and np.allclose(ratios, ratios[0], rtol=1e-6))


def _counts(metric: xr.DataArray) -> bool:
    """Whether a metric is a function of counts, hence a staircase."""
    return metric.attrs["kind"] == "counting"


def _norm(metric: xr.DataArray, values: np.ndarray) -> Normalize:
    """Linear for counting metrics; for losses logarithmic over at most three decades.

    The valley of a loss is flat beside its walls.
    """
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    if _counts(metric) or positive.size == 0 or positive.max() <= positive.min():
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        return Normalize(float(low), float(high))
    return LogNorm(max(positive.min(), positive.max() / 1e3), positive.max(), clip=True)


def _colour_bar(
    figure: Figure, axes: Axes | list[Axes], image: ScalarMappable, label: str, location: str
) -> None:
    bar = figure.colorbar(image, ax=axes, location=location, aspect=30, pad=0.02)
    bar.set_label(label)
    if isinstance(image.norm, LogNorm):
        _label_decades(bar.ax.xaxis if location == "bottom" else bar.ax.yaxis)


def _label_decades(scale: Axis) -> None:
    """Plain numbers on a logarithmic scale that spans a decade or less as often as several."""
    low, high = scale.get_view_interval()
    subs = (1, 1.5, 2, 3, 4, 5, 7) if high < 20 * low else (1, 3)
    scale.set_major_locator(LogLocator(subs=subs))
    scale.set_minor_locator(NullLocator())
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _outline(ax: Axes, accuracy: AccuracyOptimum, reach: float) -> None:
    """Edges of the accuracy-optimal region: a cone for each interval of cuts, apex at (0, 0).

    Classifiers with cut c = -b/a and a of one sign lie on the ray (a, -c a).
    """
    rays = [
        (orientation, -orientation * end)
        for low, high, orientation in accuracy.cuts
        for end in (low, high)
    ]
    low, high = accuracy.support
    if 0 in accuracy.constants:
        rays += [(1, -high), (-1, low)]
    if 1 in accuracy.constants:
        rays += [(1, -low), (-1, high)]
    if not rays:
        return
    # Each long enough to leave the axes whatever its slope, and of many points, for on
    # logarithmic axes it is no straight line. A nan separates one from the next.
    scaled = np.array(rays) * (3 * reach / np.max(np.abs(rays), axis=1, keepdims=True))
    along = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 200), [np.nan]])
    a, b = (np.outer(scaled[:, k], along).ravel() for k in (0, 1))
    ax.plot(a, b, **_EDGE)


_EDGE: dict[str, Any] = {
    "color": "white",
    "linewidth": 0.7,
    "path_effects": [Stroke(linewidth=1.8, foreground="black"), Normal()],
}


def _optimum_legend(best: Optimum) -> dict[str, Line2D]:
    legend = {"edges of highest accuracy": Line2D([], [], **_EDGE)}
    if np.isfinite(best.cross_entropy.a):
        legend["least cross-entropy"] = Line2D([], [], **_STAR)
    return legend


def _legend_above(
    figure: Figure, legend: Mapping[str, Artist | tuple[Artist, ...]], columns: int
) -> None:
    figure.legend(
        handles=list(legend.values()),
        labels=list(legend),
        loc="outside upper center",
        ncols=columns,
        frameon=False,
    )


def _label(array: xr.DataArray) -> str:
    name, units = array.attrs["long_name"], array.attrs["units"]
    return name if units == "1" or "/" in units else f"{name} ({units})"
