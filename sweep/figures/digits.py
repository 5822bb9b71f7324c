"""Networks trained on images of digits: loss and accuracy by epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sweep.figures.bands import draw_bands
from sweep.figures.style import ACCURACY_COLOUR, BLUE, CE_COLOUR, STYLE, legend_above

if TYPE_CHECKING:
    from sweep.training.experiments.digits import Digits

_MEAN: dict[str, Any] = {
    "color": "black",
    "linestyle": "",
    "marker": "D",
    "markersize": 3.5,
    "markerfacecolor": "white",
    "clip_on": False,
    "zorder": 5,
}
"""Means at the two epochs that are compared."""


def digits_curves(found: Digits) -> Figure:
    """Loss and accuracy of both sets by epoch: medians and bands over the networks.

    Args:
        found: its bands are drawn, and its changes from epoch to epoch.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.1))
        axes = figure.subplots(1, 2)
        panels = (
            ("loss", CE_COLOUR, "cross-entropy (nats)"),
            ("accuracy", ACCURACY_COLOUR, "accuracy"),
        )
        for ax, (name, colour, label) in zip(axes, panels, strict=True):
            draw_bands(ax, found.bands[name], "epoch", BLUE)
            draw_bands(ax, found.bands[f"validation_{name}"], "epoch", colour)
            _mark_change(ax, found, f"validation_{name}")
            ax.set(xlabel="epoch", ylabel=label, xlim=(0, found.epochs))
        axes[0].set_ylim(0, None)
        axes[1].set_ylim(_floor(found), 1.01)
        grey: dict[str, Any] = {"color": "black", "linewidth": 0}
        legend = {
            f"{found.training} images to train on": Line2D([], [], color=BLUE),
            "median, 25% to 75%, 5% to 95%": (
                Patch(alpha=0.15, **grey),
                Patch(alpha=0.25, **grey),
            ),
            f"the other {found.validation}, cross-entropy": Line2D([], [], color=CE_COLOUR),
            f"means at epochs {found.first} and {found.epochs}": Line2D([], [], **_MEAN),
            f"the other {found.validation}, accuracy": Line2D([], [], color=ACCURACY_COLOUR),
        }
        legend_above(figure, legend, columns=3)
    return figure


def _floor(found: Digits) -> float:
    """Where the axis of accuracy begins: below what nearly all networks reach at the first mean."""
    lowest = found.bands.validation_accuracy.isel(level=0).sel(epoch=slice(found.first, None))
    low = float(lowest.min())
    return max(0.0, low - 0.08) if low > 0 else 0.0  # nan where every network diverged


def _mark_change(ax: Axes, found: Digits, name: str) -> None:
    """The means at both epochs, and by how much they differ."""
    one = found.change(name)
    ax.plot([found.first, found.epochs], [one.first, one.last], **_MEAN)
    units = "" if one.units == "1" else f" {one.units}"
    text = f"{one.difference:+.3f}{units}, 95%: {one.low:+.3f} to {one.high:+.3f}"
    if math.isnan(one.difference):
        text = "every network diverged"
    # Above the panel: within it there is no place that curves never cross.
    title = f"from epoch {found.first} to {found.epochs}\n{text}".replace("-", "\u2212")
    ax.set_title(title, loc="right", fontsize=7)
