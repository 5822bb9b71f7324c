"""Loss and accuracy by epoch of the networks of a run: medians and bands over their seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from sweep.figures.bands import bands_handle, draw_bands
from sweep.figures.style import ACCURACY_COLOUR, BLUE, CE_COLOUR, STYLE, legend_above

if TYPE_CHECKING:
    import xarray as xr

ROWS = (
    ("cross-entropy (nats)", "loss", CE_COLOUR),
    ("accuracy", "accuracy", ACCURACY_COLOUR),
)
"""Of each row its label, the end of the names of its curves, and the colour of validation."""

LOSSES = ("loss", "validation_loss")

FAR = 5.0
"""Times the largest loss of other networks, beyond which a loss leaves the panel."""


def curves(networks: Sequence[tuple[str, xr.Dataset]]) -> Figure:
    """Curves of networks beside each other, loss above accuracy.

    Args:
        networks: of each its title, and quantiles of loss, accuracy and those of validation, dims
            (level, epoch).
    """
    count, top = len(networks), _top([bands for _, bands in networks])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5 if count == 1 else 7, 3.6))
        axes = figure.subplots(2, count, sharex="col", sharey="row", squeeze=False)
        for column, (title, bands) in zip(axes.T, networks, strict=True):
            for ax, (_, name, colour) in zip(column, ROWS, strict=True):
                draw_bands(ax, bands[name], "epoch", BLUE)
                draw_bands(ax, bands[f"validation_{name}"], "epoch", colour)
            column[0].set_title(title, loc="left")
            if words := _missing(bands, top):
                column[0].text(0.5, 0.5, words, transform=column[0].transAxes, ha="center")
            column[1].set(xlabel="epoch", xlim=(1, max(2, int(bands.epoch[-1]))))
            column[1].xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for row, (label, *_) in zip(axes, ROWS, strict=True):
            row[0].set_ylabel(label)
        axes[0, 0].set_ylim(0, top)
        legend_above(figure, _legend(), columns=2)
    return figure


def _top(networks: Sequence[xr.Dataset]) -> float | None:
    """Where the axis of the loss ends: where all is seen, unless that is far above what most is."""
    every = [np.stack([bands[name].values for name in LOSSES]) for bands in networks]
    largest = [float(one[np.isfinite(one)].max()) for one in every if np.isfinite(one).any()]
    return 1.05 * min(max(largest), FAR * min(largest)) if largest else None


def _missing(bands: xr.Dataset, top: float | None) -> str:
    """What is said of networks of whose loss nothing is seen."""
    losses = bands.loss.values[np.isfinite(bands.loss.values)]
    if not losses.size:
        return "diverged"
    return "all above the axis" if top is not None and losses.min() > top else ""


def _legend() -> dict[str, Line2D | tuple[Patch, Line2D]]:
    return {
        "training set": Line2D([], [], color=BLUE),
        "median, 25% to 75%, 5% to 95%": bands_handle(),
        "validation set, loss": Line2D([], [], color=CE_COLOUR),
        "validation set, accuracy": Line2D([], [], color=ACCURACY_COLOUR),
    }
