"""Curves of many networks: their median, and bands between quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

if TYPE_CHECKING:
    import xarray as xr


def draw_bands(ax: Axes, bands: xr.DataArray, along: str, colour: str) -> None:
    """The median, and bands between the outer quantiles and between the inner ones.

    Args:
        ax: where it is drawn.
        bands: quantiles, dims (level, along), levels from low to high, the median in the middle.
        along: dimension of the horizontal axis.
        colour: of the line and the bands.
    """
    middle = len(bands.level) // 2
    x = bands[along].values
    for depth, alpha in zip(range(middle), (0.15, 0.25), strict=False):
        low, high = bands.isel(level=depth), bands.isel(level=-1 - depth)
        ax.fill_between(x, low.values, high.values, color=colour, alpha=alpha, linewidth=0)
    ax.plot(x, bands.isel(level=middle).values, color=colour, linewidth=1.3)


def bands_handle() -> tuple[Patch, Line2D]:
    """What stands for them in a legend."""
    return Patch(color="black", alpha=0.15, linewidth=0), Line2D([], [], color="black")
