"""Networks of experiments by epoch, and with and without the remedy of each cause.

Lines are medians with bands over seeds; each cause has a row of panels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from sweep.figures.style import (
    ACCURACY_COLOUR,
    BLUE,
    CE_COLOUR,
    CLASS_COLOURS,
    GREY,
    STYLE,
    VERMILION,
    Legend,
    axis_label,
    bands_handle,
    draw_bands,
    in_style,
    label_decades,
    legend_above,
    minus,
)
from sweep.training.experiments.causes import CauseOutcome, Causes
from sweep.training.experiments.digits import Digits
from sweep.training.experiments.effects import RemedyOutcome
from sweep.training.experiments.outlier import Outlier
from sweep.training.problems import OUTLIER

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

# --- any networks -------------------------------------------------------------------------------

ROWS = (  # of each row the label, the end of the names of its curves, the colour of validation
    ("cross-entropy (nats)", "loss", CE_COLOUR),
    ("accuracy", "accuracy", ACCURACY_COLOUR),
)
LOSSES = ("loss", "validation_loss")
FAR = 5.0  # a loss leaves its panel beyond so many times the largest loss of other networks

HEIGHT = 1.3  # of a row, in inches

BEFORE, AFTER = VERMILION, BLUE

# Verdict on a difference -> its mark and colour.
_VERDICTS = {"shown": ("o", BLUE), "not shown": ("s", GREY), "opposite": ("X", VERMILION)}


@in_style
def curves(networks: Sequence[tuple[str, xr.Dataset]]) -> Figure:
    """Curves of networks beside each other, loss above accuracy.

    Args:
        networks: for each its title, and quantiles of loss, accuracy and those of validation, dims
            (level, epoch).
    """
    count, top = len(networks), _top([bands for _, bands in networks])
    figure = Figure(figsize=(3.5 if count == 1 else 7, 3.6))
    axes = figure.subplots(2, count, sharex="col", sharey="row", squeeze=False)
    for column, (title, bands) in zip(axes.T, networks, strict=True):
        for ax, (_, name, colour) in zip(column, ROWS, strict=True):
            _draw_both_sets(ax, bands, name, colour)
        column[0].set_title(title, loc="left")
        if remark := _why_empty(bands, top):
            column[0].text(0.5, 0.5, remark, transform=column[0].transAxes, ha="center")
        column[1].set(xlabel="epoch", xlim=(1, max(2, int(bands.epoch[-1]))))
        column[1].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for row, (label, *_) in zip(axes, ROWS, strict=True):
        row[0].set_ylabel(label)
    axes[0, 0].set_ylim(0, top)
    legend_above(figure, _curves_legend(), columns=2)
    return figure


def _draw_both_sets(ax: Axes, bands: xr.Dataset, name: str, colour: str) -> None:
    draw_bands(ax, bands[name], "epoch", BLUE)
    draw_bands(ax, bands[f"validation_{name}"], "epoch", colour)


def _top(networks: Sequence[xr.Dataset]) -> float | None:
    """Upper end of the loss axis: the largest loss, unless it is far above most other losses."""
    losses = [np.stack([bands[name].values for name in LOSSES]) for bands in networks]
    finite = [values[np.isfinite(values)] for values in losses]
    largest = [float(values.max()) for values in finite if values.size]
    return 1.05 * min(max(largest), FAR * min(largest)) if largest else None


def _why_empty(bands: xr.Dataset, top: float | None) -> str:
    """A remark if no loss of these networks is visible; else empty."""
    losses = bands.loss.values[np.isfinite(bands.loss.values)]
    if not losses.size:
        return "diverged"
    return "all above the axis" if top is not None and losses.min() > top else ""


def _curves_legend() -> Legend:
    return {
        "training set": {"color": BLUE},
        "median, 25% to 75%, 5% to 95%": bands_handle(),
        "validation set, loss": {"color": CE_COLOUR},
        "validation set, accuracy": {"color": ACCURACY_COLOUR},
    }


# --- data with an outlier -----------------------------------------------------------------------

MARKS = {0: "o", 1: "^"}  # of the classes, whose colours print the same in grey
BINS = 60
_GUIDE: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 0.8}


@in_style
def outlier_data(outcome: Outlier) -> Figure:
    """The training and the validation set on their line, with the outlier marked."""
    figure = Figure(figsize=(3.5, 1.75))
    ax = figure.add_subplot()
    rows = {"validation": outcome.sets.validation, "training": outcome.sets.training}
    for height, points in enumerate(rows.values()):
        for label, colour in CLASS_COLOURS.items():
            x = points.x[points.y == label, 0]
            ax.scatter(
                x, [height] * len(x), s=20, marker=MARKS[label], color=colour, alpha=0.7,
                linewidths=0, clip_on=False,
            )  # fmt: skip
    outlier_x = float(outcome.sets.validation.x[OUTLIER, 0])
    ax.scatter([outlier_x], [0], s=90, facecolors="none", edgecolors=CE_COLOUR, linewidths=1.2)
    ax.annotate(
        "outlier", (outlier_x, 0), (0, -9), textcoords="offset points", ha="center", va="top",
        color=CE_COLOUR,
    )  # fmt: skip
    ax.axvspan(*outcome.gap, color=GREY, alpha=0.2, linewidth=0)
    ax.set(ylim=(-0.75, 1.5), xlabel="x")
    ax.set_yticks(range(len(rows)), list(rows))
    handles: dict[str, Any] = {
        f"class {label}": {"marker": MARKS[label], "color": colour, "linestyle": ""}
        for label, colour in CLASS_COLOURS.items()
    }
    handles["no training point"] = Patch(color=GREY, alpha=0.2, linewidth=0)
    legend_above(figure, handles, columns=3)
    return figure


@in_style
def outlier_curves(outcome: Outlier) -> Figure:
    """Loss, accuracy and both parts of the loss by epoch: medians and bands over the networks."""
    figure = Figure(figsize=(7, 2.8))
    axes = figure.subplots(1, 3)
    for ax, (along, title, colours) in zip(axes, _PANELS, strict=True):
        for name, colour in colours.items():
            draw_bands(ax, outcome.bands[name], along, colour)
        ax.axvline(outcome.quantity("least_epoch").quantiles[2], **_GUIDE)
        ax.set_title(title, loc="left")
        ax.set(xlabel="epoch", xlim=(0, outcome.epochs))
        ax.set_ylabel("accuracy" if title == "accuracy" else "cross-entropy (nats)")
    axes[0].set_ylim(0, None)
    axes[1].set_ylim(0.4, 1.02)
    axes[2].set_yscale("log")
    label_decades(axes[2].yaxis)
    legend_above(figure, _outlier_legend(), columns=3)
    return figure


_PANELS = (  # of each panel the horizontal dimension, the title, and the colours of its curves
    ("epoch", "loss", {"loss": BLUE, "validation_loss": CE_COLOUR}),
    ("epoch", "accuracy", {"accuracy": BLUE, "validation_accuracy": ACCURACY_COLOUR}),
    (
        "kept_epoch",
        "loss: the outlier, and the rest",
        {"others_loss": GREY, "outlier_loss": CE_COLOUR},
    ),
)


def _outlier_legend() -> dict[str, Any]:
    return {
        "training set": {"color": BLUE},
        "right: mean of the rest": {"color": GREY},
        "validation set; right: the outlier": {"color": CE_COLOUR},
        "median, 25% to 75%, 10% to 90%": bands_handle(),
        "validation set, accuracy": {"color": ACCURACY_COLOUR},
        "least validation loss (median)": _GUIDE,
    }


@in_style
def outlier_losses(outcome: Outlier) -> Figure:
    """How many validation points have which loss at the end, on average over the networks."""
    figure = Figure(figsize=(3.5, 2.5))
    ax = figure.add_subplot()
    losses, y = outcome.table.point_loss.values, outcome.sets.validation.y
    is_outlier = np.arange(len(y)) == OUTLIER
    floor = 0.5 / len(losses)  # lower end of the axis: one point of one network is visible
    largest = losses.max(where=np.isfinite(losses), initial=1.0)
    edges = np.linspace(0, 1.02 * largest, BINS + 1)
    groups = {
        "class 0": (CLASS_COLOURS[0], ~is_outlier & (y == 0)),
        "class 1": (CLASS_COLOURS[1], ~is_outlier & (y == 1)),
        "the outlier": (CE_COLOUR, is_outlier),
    }
    for name, (colour, members) in groups.items():
        heights = np.histogram(losses[:, members], edges)[0] / len(losses)
        ax.stairs(heights, edges, baseline=floor, color=colour, fill=True, alpha=0.3)
        ax.stairs(heights, edges, baseline=floor, color=colour, label=name)
    ax.axvline(math.log(2), **_GUIDE, label="beyond ln 2: wrong")
    ax.set(yscale="log", ylim=(floor, 2.0 * len(y)), xlim=(0, edges[-1]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set(xlabel=axis_label(outcome.table.point_loss), ylabel="points per network")
    ax.legend(frameon=False)
    return figure


# --- images of digits ---------------------------------------------------------------------------

_MEAN: dict[str, Any] = {  # means at the two epochs that are compared
    "color": "black", "linestyle": "", "marker": "D", "markersize": 3.5,
    "markerfacecolor": "white", "clip_on": False, "zorder": 5,
}  # fmt: skip


@in_style
def digits_curves(outcome: Digits) -> Figure:
    """Loss and accuracy of both sets by epoch, medians and bands, and how their means change."""
    figure = Figure(figsize=(7, 3.1))
    axes = figure.subplots(1, 2)
    for ax, (label, name, colour) in zip(axes, ROWS, strict=True):
        _draw_both_sets(ax, outcome.bands, name, colour)
        _mark_change(ax, outcome, f"validation_{name}")
        ax.set(xlabel="epoch", ylabel=label, xlim=(0, outcome.epochs))
    axes[0].set_ylim(0, None)
    axes[1].set_ylim(_accuracy_floor(outcome), 1.01)
    legend = {
        f"{outcome.training} training images": {"color": BLUE},
        "median, 25% to 75%, 5% to 95%": bands_handle(),
        f"the other {outcome.validation}, cross-entropy": {"color": CE_COLOUR},
        f"means at epochs {outcome.first} and {outcome.epochs}": _MEAN,
        f"the other {outcome.validation}, accuracy": {"color": ACCURACY_COLOUR},
    }
    legend_above(figure, legend, columns=3)
    return figure


def _accuracy_floor(outcome: Digits) -> float:
    """Lower end of the accuracy axis: below nearly all networks from the first mean on."""
    lowest = outcome.bands.validation_accuracy.isel(level=0)
    low = float(lowest.sel(epoch=slice(outcome.first, None)).min())
    return max(0.0, low - 0.08) if low > 0 else 0.0  # nan if every network diverged


def _mark_change(ax: Axes, outcome: Digits, name: str) -> None:
    """The means at both epochs, and their difference."""
    change = outcome.change(name)
    ax.plot([outcome.first, outcome.epochs], [change.first, change.last], **_MEAN)
    units = "" if change.units == "1" else f" {change.units}"
    text = f"{change.difference:+.3f}{units}, 95%: {change.low:+.3f} to {change.high:+.3f}"
    if math.isnan(change.difference):
        text = "every network diverged"
    # Above the panel: curves may cross any text within it.
    title = minus(f"from epoch {outcome.first} to {outcome.epochs}\n{text}")
    ax.set_title(title, loc="right", fontsize=7)


def causes_gallery(outcome: Causes) -> Figure:
    """For each cause the validation loss and accuracy by epoch, and what its remedies change.

    Curves are without a remedy and with the first one. Differences are those on the test set with
    95% intervals; the accuracy is balanced where plain accuracy does not show the cause.
    """
    with matplotlib.rc_context({**STYLE, "font.size": 7, "axes.titlesize": 7}):
        rows = len(outcome.causes)
        figure = Figure(figsize=(7, HEIGHT * rows + 0.6))
        panels = figure.subplots(rows, 4, squeeze=False, width_ratios=(1, 1, 1, 1))
        for axes, cause in zip(panels, outcome.causes, strict=True):
            remedies = outcome.of(cause.name)
            _curves((axes[0], axes[1]), outcome, cause, remedies[0].remedy)
            _effects(axes[2], remedies, "loss", named=True)
            blind = len(remedies[0].effects) > 2
            _effects(axes[3], remedies, "balanced_accuracy" if blind else "accuracy", named=False)
            _title(axes[0], cause.title)
        heads = ("epoch", "epoch", "change of test loss (nats)", "change of accuracy")
        for ax, text in zip(panels[-1], heads, strict=True):
            ax.set_xlabel(text)
        legend_above(figure, _legend(), columns=3)
    return figure


def _title(ax: Axes, text: str) -> None:
    """A title that is wider than its panel and does not push the next panel away."""
    ax.set_title(" ")
    above: dict[str, Any] = {"xytext": (0, 6), "textcoords": "offset points"}
    ax.annotate(text, (0, 1), xycoords="axes fraction", fontweight="bold", in_layout=False, **above)


def _legend() -> Legend:
    band = Patch(alpha=0.2, color="black", linewidth=0)
    marks = {
        f"expected change: {verdict}": {"color": colour, "marker": mark, "markersize": 3.5}
        for verdict, (mark, colour) in _VERDICTS.items()
    }
    return {
        "without remedy": {"color": BEFORE},
        "with the first of the remedies": {"color": AFTER},
        "5% to 95% of the networks": (band,),
        **marks,
    }


def _curves(axes: Sequence[Axes], outcome: Causes, cause: CauseOutcome, remedy: str) -> None:
    """Loss and accuracy of the validation set, without a remedy and with one."""
    causes, remedies = outcome.bands.cause.values, outcome.bands.remedy.values
    for name, colour in (("none", BEFORE), (remedy, AFTER)):
        run = int(np.flatnonzero((causes == cause.name) & (remedies == name))[0])
        bands = outcome.bands.isel(run=run)
        for ax, curve in zip(axes, ("validation_loss", "validation_accuracy"), strict=True):
            draw_bands(ax, bands[curve], "epoch", colour)
    loss, accuracy = axes
    loss.set(yscale="log", ylabel="loss (nats)", xlim=(0, outcome.epochs))
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
    loss.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    loss.yaxis.set_minor_formatter(NullFormatter())
    accuracy.set(ylabel="accuracy", xlim=(0, outcome.epochs))


def _effects(ax: Axes, remedies: Sequence[RemedyOutcome], metric: str, *, named: bool) -> None:
    """The change of a metric by each remedy, with its interval."""
    for row, remedy in enumerate(remedies):
        effect = remedy.effect(metric)
        mark, colour = _VERDICTS[effect.verdict]
        ax.plot((effect.low, effect.high), (row, row), color=colour, linewidth=1.2)
        ax.plot(effect.difference, row, color=colour, marker=mark, markersize=3.5)
    ax.axvline(0, color="black", linewidth=0.6, linestyle=":")
    ax.set_ylim(len(remedies) - 0.5, -0.5)
    ax.set_yticks(range(len(remedies)), [remedy.remedy for remedy in remedies] if named else [])
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.xaxis.set_major_formatter("{x:g}")  # short, so that labels of small changes do not meet
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if metric == "balanced_accuracy":
        ax.set_title("balanced accuracy", loc="right")
