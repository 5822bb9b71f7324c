"""Loss and accuracy over the recalibrations (a, b) of a classifier, which is itself at (1, 0)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.lines import Line2D

from sweep.figures.planes import draw_landscape, norm_of
from sweep.figures.style import ACCURACY_COLOUR, BLUE, CE_COLOUR, axis_label, label_decades
from sweep.optima.records import Optimum

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

AS_IT_IS: dict[str, Any] = {
    "marker": "o",
    "markersize": 6,
    "markerfacecolor": "white",
    "markeredgecolor": BLUE,
    "markeredgewidth": 1.8,
    "linestyle": "",
    "zorder": 5,
    "label": "the classifier as it is, (1, 0)",
}

FIT: dict[str, Any] = AS_IT_IS | {
    "marker": "D",
    "markersize": 5,
    "markeredgecolor": "black",
    "markeredgewidth": 1.2,
    "label": "the given fit",
}

UNCHANGED: dict[str, Any] = {"color": BLUE, "linewidth": 1, "linestyle": "-", "alpha": 0.6}
LEAST_LOSS: dict[str, Any] = {"color": CE_COLOUR, "linewidth": 1, "linestyle": "--"}
MOST_ACCURATE: dict[str, Any] = {"color": ACCURACY_COLOUR, "linewidth": 1.2, "linestyle": ":"}

LOG_FROM = 30.0  # a loss has a logarithmic axis if its ends have at least this ratio


def draw_recalibrations(
    ax: Axes,
    metric: xr.DataArray,
    best: Optimum,
    fit: tuple[float, float] | None = None,
    **colours: Any,
) -> ScalarMappable:
    """The landscape of one metric, with both optima, the classifier and another fit.

    Args:
        ax: axes to draw on.
        metric: the values, with dims a and b.
        best: the optimum of the data.
        fit: (a, b) of a recalibration that was fitted elsewhere.
        colours: further arguments of `pcolormesh`.
    """
    image = draw_landscape(ax, metric, best, norm_of(metric, metric.values), **colours)
    ax.plot(1.0, 0.0, **AS_IT_IS)
    if fit is not None:
        ax.plot(*fit, **FIT)
    return image


def draw_line(
    ax: Axes,
    position: np.ndarray,
    line: xr.Dataset,
    marks: Mapping[float, Mapping[str, Any]],
) -> Axes:
    """Cross-entropy and accuracy against one of a and b, each with its own vertical axis.

    Args:
        ax: axes for the cross-entropy; axes for the accuracy are added to them.
        position: positions along the horizontal axis, shape (m,).
        line: both metrics, of one dimension of length m.
        marks: position -> look of vertical lines; those that are not finite or beyond the axes are
            left out.

    Returns:
        The axes of the accuracy.
    """
    ce, accuracy = line.cross_entropy.values, line.accuracy.values
    ax.plot(position, ce, color=CE_COLOUR, zorder=3)
    ax.set_ylabel(axis_label(line.cross_entropy), color=CE_COLOUR)
    ax.set_xlim(float(position.min()), float(position.max()))
    if ce.min() > 0 and ce.max() > LOG_FROM * ce.min():
        ax.set_yscale("log")
        label_decades(ax.yaxis)
    for value, look in marks.items():
        if math.isfinite(value) and position.min() <= value <= position.max():
            ax.axvline(value, zorder=1, **look)
    right = ax.twinx()
    right.spines["right"].set_visible(True)
    right.plot(position, accuracy, color=ACCURACY_COLOUR, linewidth=1, drawstyle="steps-mid")
    right.set_ylabel(axis_label(line.accuracy), color=ACCURACY_COLOUR)
    return right


def label_probabilities(ax: Axes, largest: float) -> None:
    """Labels logits from -largest to largest as probabilities: 0.01, 0.1, 0.5, ..."""
    step = max(1, math.floor(largest / math.log(10)) // 2)
    # The logit of 1 - 10^-d is log(10^d - 1) = d log(10) + log(1 - 10^-d).
    logits = [(d * math.log(10) + math.log1p(-(10.0**-d)), d) for d in (step, 2 * step)]
    ticks = [(0.0, "0.5")]
    ticks += [(-z, f"{10.0**-d:g}" if d <= 3 else f"$10^{{-{d}}}$") for z, d in logits]
    ticks += [(z, f"{1 - 10.0**-d:g}" if d <= 3 else f"$1-10^{{-{d}}}$") for z, d in logits]
    ax.set_xticks(*zip(*ticks, strict=True))


def line_legend(*, threshold: bool) -> dict[str, Line2D]:
    """Legend handles of `draw_line` by their text, with the best threshold if it is shown."""
    legend = {
        "cross-entropy (left axes)": Line2D([], [], color=CE_COLOUR),
        "accuracy (right axes)": Line2D([], [], color=ACCURACY_COLOUR, linewidth=1),
        "as it is": Line2D([], [], **UNCHANGED),
        "least cross-entropy": Line2D([], [], **LEAST_LOSS),
    }
    if threshold:
        legend["best threshold nearest to 0.5"] = Line2D([], [], **MOST_ACCURATE)
    return legend
