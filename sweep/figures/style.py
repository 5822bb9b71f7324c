"""What figures have in common: colours, labels, legends, and how one becomes a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from sweep.base.errors import InputError
from sweep.base.storage import staged

if TYPE_CHECKING:
    import xarray as xr

BLUE, ORANGE, GREEN, VERMILION, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9"
PURPLE, GREY, BROWN = "#CC79A7", "#808080", "#7F4F24"
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

FORMATS = (".png", ".pdf", ".svg")
"""Suffixes of the formats that `write` writes."""


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


def log_log(ax: Axes) -> None:
    """Logarithmic scales, with a faint grid."""
    ax.set(xscale="log", yscale="log")
    ax.grid(alpha=0.3, linewidth=0.5)


def label_decades(scale: Axis) -> None:
    """Plain numbers on a logarithmic scale that spans a decade or less as often as several."""
    low, high = scale.get_view_interval()
    subs = (1, 1.5, 2, 3, 4, 5, 7) if high < 20 * low else (1, 3)
    scale.set_major_locator(LogLocator(subs=subs))
    scale.set_minor_locator(NullLocator())
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def legend_above(
    figure: FigureBase, legend: Mapping[str, Artist | tuple[Artist, ...]], columns: int
) -> None:
    """One legend over all panels, from handles by their text."""
    figure.legend(
        handles=list(legend.values()),
        labels=list(legend),
        loc="outside upper center",
        ncols=columns,
        frameon=False,
    )


def axis_label(array: xr.DataArray) -> str:
    """What an axis of this quantity is called, with the unit where there is one."""
    name, units = array.attrs["long_name"], array.attrs["units"]
    return name if units == "1" or "/" in units else f"{name} ({units})"
