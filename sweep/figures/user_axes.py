"""Landscapes on a user's axes, or on those of a figure that pyplot shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sweep.figures.optima import optimum_legend
from sweep.figures.planes import colour_bar
from sweep.figures.recalibrations import AS_IT_IS, draw_recalibrations
from sweep.figures.style import STYLE, axis_label, legend_above
from sweep.optima.records import Optimum

if TYPE_CHECKING:
    import xarray as xr


def canvas(count: int) -> np.ndarray:
    """Axes beside each other, shape (count,), of a new figure that pyplot knows and shows."""
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        _, axes = pyplot.subplots(1, count, figsize=(3.5 * count, 3.3), squeeze=False)
    return axes[0]


def draw(
    axes: Sequence[Axes] | np.ndarray,
    metrics: Sequence[xr.DataArray],
    best: Optimum,
    *,
    colorbar: bool,
    own: bool,
    **colours: Any,
) -> None:
    """A landscape on each of the axes, with both optima and the classifier.

    Args:
        axes: where they are drawn, m of them.
        metrics: what is drawn, m of them, with dims a and b.
        best: the optimum of the data.
        colorbar: whether each gets a colour bar.
        own: whether the figure is ours, to be styled and to get a legend.
        colours: what else `pcolormesh` is to be given.
    """
    with matplotlib.rc_context(STYLE if own else {}):
        for ax, metric in zip(axes, metrics, strict=True):
            metric = metric.sortby(["a", "b"])
            image = draw_recalibrations(ax, metric, best, **colours)
            if colorbar:
                colour_bar(ax.figure, ax, image, axis_label(metric), location="right")
            else:
                ax.set_title(axis_label(metric), loc="left")
        if own:
            legend = {"as it is, (1, 0)": Line2D([], [], **AS_IT_IS)}
            legend |= optimum_legend([(axes[0], best)])
            legend_above(axes[0].figure, legend, columns=1 if len(axes) == 1 else 3)
