"""Networks trained on data with an outlier: the data, their curves, the losses of the points."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from sweep.figures.bands import bands_handle, draw_bands
from sweep.figures.samples import CLASS_COLOURS
from sweep.figures.style import (
    ACCURACY_COLOUR,
    BLUE,
    CE_COLOUR,
    GREY,
    STYLE,
    axis_label,
    label_decades,
    legend_above,
)
from sweep.training.problems import OUTLIER

if TYPE_CHECKING:
    from sweep.training.experiments.outlier import Outlier

MARKS = {0: "o", 1: "^"}
"""Of the classes, which print the same in grey."""

BINS = 60

_GUIDE: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 0.8}


def outlier_data(found: Outlier) -> Figure:
    """The training and the validation set on their line, with the outlier marked.

    Args:
        found: its sets are drawn.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5, 1.75))
        ax = figure.add_subplot()
        rows = {"validation": found.sets.validation, "training": found.sets.training}
        for height, points in enumerate(rows.values()):
            for label, colour in CLASS_COLOURS.items():
                x = points.x[points.y == label, 0]
                ax.scatter(
                    x, [height] * len(x), s=20, marker=MARKS[label], color=colour, alpha=0.7,
                    linewidths=0, clip_on=False,
                )  # fmt: skip
        odd = float(found.sets.validation.x[OUTLIER, 0])
        ax.scatter([odd], [0], s=90, facecolors="none", edgecolors=CE_COLOUR, linewidths=1.2)
        ax.annotate(
            "outlier", (odd, 0), (0, -9), textcoords="offset points", ha="center", va="top",
            color=CE_COLOUR,
        )  # fmt: skip
        ax.axvspan(*found.gap, color=GREY, alpha=0.2, linewidth=0)
        ax.set(ylim=(-0.75, 1.5), xlabel="x")
        ax.set_yticks(range(len(rows)), list(rows))
        handles: dict[str, Any] = {
            f"class {label}": Line2D([], [], marker=MARKS[label], color=colour, linestyle="")
            for label, colour in CLASS_COLOURS.items()
        }
        handles["no training point"] = Patch(color=GREY, alpha=0.2, linewidth=0)
        legend_above(figure, handles, columns=3)
    return figure


def outlier_curves(found: Outlier) -> Figure:
    """Loss, accuracy and what the loss is made of by epoch: medians and bands over the networks.

    Args:
        found: its bands are drawn.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.8))
        axes = figure.subplots(1, 3)
        for ax, (along, title, curves) in zip(axes, _PANELS, strict=True):
            for name, colour in curves.items():
                draw_bands(ax, found.bands[name], along, colour)
            ax.axvline(found.quantity("least_epoch").quantiles[2], **_GUIDE)
            ax.set_title(title, loc="left")
            ax.set(xlabel="epoch", xlim=(0, found.epochs))
            ax.set_ylabel("accuracy" if title == "accuracy" else "cross-entropy (nats)")
        axes[0].set_ylim(0, None)
        axes[1].set_ylim(0.4, 1.02)
        axes[2].set_yscale("log")
        label_decades(axes[2].yaxis)
        legend_above(figure, _legend(), columns=3)
    return figure


_PANELS = (
    ("epoch", "loss", {"loss": BLUE, "validation_loss": CE_COLOUR}),
    ("epoch", "accuracy", {"accuracy": BLUE, "validation_accuracy": ACCURACY_COLOUR}),
    (
        "kept_epoch",
        "loss: the outlier, and the rest",
        {"others_loss": GREY, "outlier_loss": CE_COLOUR},
    ),
)
"""Of each panel the dimension of its horizontal axis, its title, and the colours of its curves."""


def _legend() -> dict[str, Any]:
    return {
        "training set": Line2D([], [], color=BLUE),
        "right: mean of the rest": Line2D([], [], color=GREY),
        "validation set; right: the outlier": Line2D([], [], color=CE_COLOUR),
        "median, 25% to 75%, 10% to 90%": bands_handle(),
        "validation set, accuracy": Line2D([], [], color=ACCURACY_COLOUR),
        "least validation loss (median)": Line2D([], [], **_GUIDE),
    }


def outlier_losses(found: Outlier) -> Figure:
    """How many validation points have which loss at the end, in the mean over the networks.

    Args:
        found: its `point_loss` is drawn.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5, 2.5))
        ax = figure.add_subplot()
        losses, y = found.table.point_loss.values, found.sets.validation.y
        odd = np.arange(len(y)) == OUTLIER
        floor = 0.5 / len(losses)  # where the axis begins: one point of one network is seen
        largest = losses.max(where=np.isfinite(losses), initial=1.0)
        edges = np.linspace(0, 1.02 * largest, BINS + 1)
        groups = {
            "class 0": (CLASS_COLOURS[0], ~odd & (y == 0)),
            "class 1": (CLASS_COLOURS[1], ~odd & (y == 1)),
            "the outlier": (CE_COLOUR, odd),
        }
        for name, (colour, of) in groups.items():
            heights = np.histogram(losses[:, of], edges)[0] / len(losses)
            ax.stairs(heights, edges, baseline=floor, color=colour, fill=True, alpha=0.3)
            ax.stairs(heights, edges, baseline=floor, color=colour, label=name)
        ax.axvline(math.log(2), **_GUIDE, label="ln 2: beyond it wrong")
        ax.set(yscale="log", ylim=(floor, 2.0 * len(y)), xlim=(0, edges[-1]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set(xlabel=axis_label(found.table.point_loss), ylabel="points per network")
        ax.legend(frameon=False)
    return figure
