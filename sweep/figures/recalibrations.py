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

if TYPE_CHECKING:
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
    "label": "the fit that was given",
}

UNCHANGED: dict[str, Any] = {"color": BLUE, "linewidth": 1, "linestyle": "-", "alpha": 0.6}
LEAST_LOSS: dict[str, Any] = {"color": CE_COLOUR, "linewidth": 1, "linestyle": "--"}
MOST_ACCURATE: dict[str, Any] = {"color": ACCURACY_COLOUR, "linewidth": 1.2, "linestyle": ":"}

DECADES = 30.0
"""Times its least value from which on a loss is drawn on a logarithmic scale."""


def draw_recalibrations(
    ax: Axes,
    metric: xr.DataArray,
    best: Optimum,
    fit: tuple[float, float] | None = None,
    **colours: Any,
) -> ScalarMappable:
    """The landscape of one metric, with both optima, the classifier and a fit of it.

    Args:
        ax: where it is drawn.
        metric: its values, with dims a and b.
        best: its optima.
        fit: (a, b) of a recalibration that was fitted elsewhere.
        colours: what else `pcolormesh` is to be given.
    """
    image = draw_landscape(ax, metric, best, norm_of(metric, metric.values), **colours)
    ax.plot(1.0, 0.0, **AS_IT_IS)
    if fit is not None:
        ax.plot(*fit, **FIT)
    return image


def draw_line(
    ax: Axes, at: np.ndarray, line: xr.Dataset, marks: Mapping[float, Mapping[str, Any]]
) -> Axes:
    """Cross-entropy and accuracy against one of a and b, on axes of their own at either side.

    Args:
        ax: gets the cross-entropy; over it are axes for the accuracy.
        at: where along the axis, shape (m,).
        line: both, of one dimension of length m.
        marks: the look of vertical lines, by their place; those that are not finite or beyond the
            axes are left out.

    Returns:
        The axes of the accuracy.
    """
    ce, accuracy = line.cross_entropy.values, line.accuracy.values
    ax.plot(at, ce, color=CE_COLOUR, zorder=3)
    ax.set_ylabel(axis_label(line.cross_entropy), color=CE_COLOUR)
    ax.set_xlim(float(at.min()), float(at.max()))
    if ce.min() > 0 and ce.max() > DECADES * ce.min():
        ax.set_yscale("log")
        label_decades(ax.yaxis)
    for place, look in marks.items():
        if math.isfinite(place) and at.min() <= place <= at.max():
            ax.axvline(place, zorder=1, **look)
    other = ax.twinx()
    other.spines["right"].set_visible(True)
    other.plot(at, accuracy, color=ACCURACY_COLOUR, linewidth=1, drawstyle="steps-mid")
    other.set_ylabel(axis_label(line.accuracy), color=ACCURACY_COLOUR)
    return other


def label_probabilities(ax: Axes, reach: float) -> None:
    """Ticks of a logit as probabilities, from -reach to reach: 0.01, 0.1, 0.5, ..."""
    step = max(1, math.floor(reach / math.log(10)) // 2)
    below = [(d * math.log(10) + math.log1p(-(10.0**-d)), d) for d in (step, 2 * step)]
    ticks = [(0.0, "0.5")]
    ticks += [(-at, f"{10.0**-d:g}" if d <= 3 else f"$10^{{-{d}}}$") for at, d in below]
    ticks += [(at, f"{1 - 10.0**-d:g}" if d <= 3 else f"$1-10^{{-{d}}}$") for at, d in below]
    ax.set_xticks(*zip(*ticks, strict=True))


def line_legend(*, threshold: bool) -> dict[str, Line2D]:
    """Handles of what `draw_line` draws, by their text; of the best threshold if that is shown."""
    legend = {
        "cross-entropy (left axes)": Line2D([], [], color=CE_COLOUR),
        "accuracy (right axes)": Line2D([], [], color=ACCURACY_COLOUR, linewidth=1),
        "as it is": Line2D([], [], **UNCHANGED),
        "least cross-entropy": Line2D([], [], **LEAST_LOSS),
    }
    if threshold:
        legend["best threshold nearest to 0.5"] = Line2D([], [], **MOST_ACCURATE)
    return legend
