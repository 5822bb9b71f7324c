"""What the figures share: colours, labels, legends, bands, and writing a figure to a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from sweep.base.errors import InputError
from sweep.base.files import staged

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

BLUE, ORANGE, GREEN, VERMILION, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9"
PURPLE, GREY, BROWN = "#CC79A7", "#808080", "#7F4F24"
CE_COLOUR, ACCURACY_COLOUR = VERMILION, GREEN
CLASS_COLOURS = {0: ORANGE, 1: BLUE}
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}

Legend = dict[str, Any]
"""Of each text the look of a line, an artist, or a tuple of either, one on top of the other."""

in_style = matplotlib.rc_context(STYLE)  # decorates the functions that make figures

LOG_FROM = 30.0  # a loss has a logarithmic axis if its ends have at least this ratio

FORMATS = (".png", ".pdf", ".svg")  # suffixes of the formats that `write` writes


def write(figure: Figure, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Writes a figure in the format of the path's suffix: PNG, PDF or SVG.

    Args:
        figure: the figure.
        path: path of the file.
        force: whether to overwrite an existing file.

    Raises:
        InputError: the format is unknown, or the destination cannot be written.
    """
    require_format(path)
    with staged(path, force=force) as partial, matplotlib.rc_context(STYLE):
        # No version in the metadata: the same figure gives the same file.
        kind = Path(path).suffix.lower().removeprefix(".")
        image = BytesIO()
        figure.savefig(image, format=kind, metadata={"Software": None} if kind == "png" else None)
        partial.write_bytes(image.getvalue())


def require_format(path: str | os.PathLike[str]) -> None:
    """Rejects a path whose suffix is not one of FORMATS.

    Raises:
        InputError: the suffix is another one.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"{path}: no such figure format; use .png, .pdf or .svg")


@contextmanager
def kept_limits(ax: Axes) -> Iterator[tuple[float, float, float, float]]:
    """Axes that have the same limits (left, right, low, high) after the block as before it."""
    limits = *ax.get_xlim(), *ax.get_ylim()
    yield limits
    ax.set(xlim=limits[:2], ylim=limits[2:])


def log_log(ax: Axes) -> None:
    """Logarithmic scales, with a faint grid."""
    ax.set(xscale="log", yscale="log")
    ax.grid(alpha=0.3, linewidth=0.5)


def label_decades(scale: Axis) -> None:
    """Plain numbers on a logarithmic scale, whether it spans several decades or less than one."""
    low, high = scale.get_view_interval()
    subs = (1, 1.5, 2, 3, 4, 5, 7) if high < 20 * low else (1, 3)
    scale.set_major_locator(LogLocator(subs=subs))
    scale.set_minor_locator(NullLocator())
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def handles(legend: Legend) -> dict[str, Any]:
    """Arguments of a legend of matplotlib."""

    def artist(entry: Any) -> Any:
        if isinstance(entry, tuple):
            return tuple(map(artist, entry))
        return Line2D([], [], **entry) if isinstance(entry, dict) else entry

    return {"handles": [artist(entry) for entry in legend.values()], "labels": list(legend)}


def legend_above(figure: FigureBase, legend: Legend, columns: int) -> None:
    """One legend above all panels."""
    above: dict[str, Any] = {"loc": "outside upper center", "ncols": columns, "frameon": False}
    figure.legend(**handles(legend), **above)


def minus(text: str) -> str:
    """A text whose hyphens are minus signs, as in the labels of ticks."""
    return text.replace("-", "\u2212")


def axis_label(array: xr.DataArray) -> str:
    """The label of an axis for this quantity, with its unit where it has one."""
    name, units = array.attrs["long_name"], array.attrs["units"]
    return name if units == "1" or "/" in units else f"{name} ({units})"


def draw_bands(ax: Axes, bands: xr.DataArray, along: str, colour: str) -> None:
    """Curves of many networks: their median, and bands between the outer and inner quantiles."""
    middle = len(bands.level) // 2
    x = bands[along].values
    for depth, alpha in zip(range(middle), (0.15, 0.25), strict=False):
        low, high = bands.isel(level=depth), bands.isel(level=-1 - depth)
        ax.fill_between(x, low.values, high.values, color=colour, alpha=alpha, linewidth=0)
    ax.plot(x, bands.isel(level=middle).values, color=colour, linewidth=1.3)


def bands_handle() -> tuple[Patch, Line2D]:
    """The legend handle of bands and their median."""
    return Patch(color="black", alpha=0.15, linewidth=0), Line2D([], [], color="black")


def draw_line(ax: Axes, line: xr.Dataset, position: xr.DataArray) -> None:
    """Cross-entropy and accuracy along a line, each with its own vertical axis."""
    ce = line.cross_entropy.values
    ax.plot(position, ce, color=CE_COLOUR, zorder=3)
    ax.set(xlabel=axis_label(position), xlim=(float(position.min()), float(position.max())))
    ax.set_ylabel(axis_label(line.cross_entropy), color=CE_COLOUR)
    if ce.min() > 0 and ce.max() > LOG_FROM * ce.min():
        ax.set_yscale("log")
        label_decades(ax.yaxis)
    right = ax.twinx()
    right.spines["right"].set_visible(True)
    right.plot(position, line.accuracy, color=ACCURACY_COLOUR, linewidth=1, drawstyle="steps-mid")
    right.set_ylabel(axis_label(line.accuracy), color=ACCURACY_COLOUR)
