"""Movies: landscapes as n grows, and paths that move on landscapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from sweep.base.errors import InputError
from sweep.figures.movies import Movie
from sweep.figures.optima import STAR, optimum_legend
from sweep.figures.planes import colour_bar, draw_landscape, norm_of
from sweep.figures.style import CE_COLOUR, STYLE, axis_label, legend_above
from sweep.figures.trajectories import (
    COLOURS,
    END,
    METRICS,
    START,
    landscapes,
    of_first_rate,
    path_handles,
)
from sweep.landscapes.stack import evenly_spaced
from sweep.optima.records import Optimum

if TYPE_CHECKING:
    import xarray as xr

    from sweep.training.paths.run import Paths

RATE = 8
"""Frames of paths in a second."""

HOLD = 2
"""Seconds for which the last frame stays."""

SLOW = 3
"""Sizes n in a second."""

MOST = 60
"""Frames of a path."""

TRAIL: dict[str, Any] = {
    "color": CE_COLOUR,
    "linewidth": 1,
    "marker": "o",
    "markersize": 2.5,
    "path_effects": [Stroke(linewidth=2, foreground="white"), Normal()],
    "zorder": 4,
}
"""Where the optimum was at the sizes before."""


def growing(columns: Sequence[tuple[str, xr.Dataset, Optimum]]) -> Movie:
    """The landscapes of one law as n grows: a frame a size, the colours the same in all.

    Args:
        columns: (title, landscape, optimum) of each size, as `figures.small_multiples` takes them.

    Raises:
        InputError: there are fewer than two sizes, or an axis of fewer than two points.
    """
    if len(columns) < 2:
        raise InputError(f"an animation needs several sizes n, and there is {len(columns)}")
    first = columns[0][1]
    if min(first.sizes["a"], first.sizes["b"]) < 2:
        raise InputError("an animation needs at least two slopes a and two intercepts b")
    names = [str(name) for name in first.data_vars if first[name].dtype.kind == "f"]
    norms = {name: _norm([dataset[name] for _, dataset, _ in columns]) for name in names}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5 * len(names), 3.9))
        axes = figure.subplots(1, len(names), squeeze=False)[0]
        for ax, name in zip(axes, names, strict=True):
            image = draw_landscape(ax, first[name].sortby(["a", "b"]), columns[0][2], norms[name])
            colour_bar(figure, ax, image, axis_label(first[name]), location="bottom")
        legend: dict[str, Artist | tuple[Artist, ...]] = {
            **optimum_legend([(axes[0], best) for _, _, best in columns])
        }
        legend_above(figure, legend | {"at smaller n": Line2D([], [], **TRAIL)}, columns=3)
        _fix(figure, axes[0])

    def draw(frame: int) -> None:
        title, dataset, best = columns[frame]
        for ax, name in zip(axes, names, strict=True):
            ax.clear()
            draw_landscape(ax, dataset[name].sortby(["a", "b"]), best, norms[name])
            _draw_trail(ax, [one.cross_entropy for _, _, one in columns[: frame + 1]])
        axes[0].set_title(f"{title}, accuracy lost {best.regret:.2g}", loc="left")

    return Movie(figure, len(columns), draw, SLOW, HOLD * SLOW)


def moving(result: Paths, *, validation: bool = False) -> Movie:
    """Paths without a penalty, or with the least of those there are, as they move.

    Args:
        result: of several learning rates the first is drawn.
        validation: on the landscapes of the validation data, in place of those descended on.

    Raises:
        InputError: there are no validation data.
    """
    best, planes = landscapes(result, validation=validation)
    place = int(np.argmin([one.l2 for one in result.targets]))
    of = of_first_rate(result).isel(l2=place)
    steps = evenly_spaced(range(of.sizes["step"]), MOST)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 4.1))
        axes = figure.subplots(1, 2)
        for ax, name in zip(axes, METRICS, strict=True):
            metric = planes[place][name]
            image = draw_landscape(ax, metric, best, norm_of(metric, metric.values))
            colour_bar(figure, ax, image, axis_label(metric), location="bottom")
            limits = ax.get_xlim(), ax.get_ylim()
            ax.plot(of.start_a, of.start_b, **START)
            ax.set(xlim=limits[0], ylim=limits[1])
        lines = [_lines(ax, of.sizes["optimizer"], of.sizes["start"]) for ax in axes]

        legend: dict[str, Artist | tuple[Artist, ...]] = {**path_handles(result, COLOURS)}
        legend |= {"start": Line2D([], [], **START)} | optimum_legend([(axes[0], best)])
        legend_above(figure, legend, columns=3)
        _fix(figure, axes[0])

    def draw(frame: int) -> None:
        until = of.isel(step=slice(0, steps[frame] + 1))
        a, b = (until[name].transpose("optimizer", "start", "step").values for name in "ab")
        for pairs in lines:
            for (path, head), xs, ys in zip(
                pairs, a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]), strict=True
            ):
                path.set_data(xs, ys)
                head.set_data(xs[-1:], ys[-1:])
        axes[0].set_title(_after(int(until.step[-1])), loc="left")

    return Movie(figure, len(steps), draw, RATE, HOLD * RATE)


def _after(step: int) -> str:
    return f"after {step:,} step{'' if step == 1 else 's'}"


def _lines(ax: Axes, optimizers: int, starts: int) -> list[tuple[Line2D, Line2D]]:
    """The path and its head, of every start of every optimiser, the starts changing fastest."""
    outlined = [Stroke(linewidth=2.4, foreground="black"), Normal()]
    made: list[tuple[Line2D, Line2D]] = []
    for place in range(optimizers):
        colour = COLOURS[place % len(COLOURS)]
        above = 0.1 * (optimizers - place) / optimizers  # the first on top of the others
        for _ in range(starts):
            (path,) = ax.plot(
                [], [], color=colour, linewidth=1.3, path_effects=outlined, zorder=3 + above
            )
            look: dict[str, Any] = END | {"markerfacecolor": colour, "zorder": 4 + above}
            (head,) = ax.plot([], [], **look)
            made.append((path, head))
    return made


def _norm(metrics: Sequence[xr.DataArray]) -> Normalize:
    """One scale of colours for all sizes."""
    return norm_of(metrics[0], np.concatenate([one.values.ravel() for one in metrics]))


def _draw_trail(ax: Axes, optima: Sequence[Any]) -> None:
    """The optima of the sizes so far, as far as they are finite, on axes that keep their limits."""
    limits = ax.get_xlim(), ax.get_ylim()
    points = [(one.a, one.b) for one in optima if math.isfinite(one.a)]
    if len(points) > 1:
        ax.plot(*zip(*points, strict=True), **TRAIL)
        at = optima[-1]
        if math.isfinite(at.a):
            ax.plot(at.a, at.b, **STAR)
    ax.set(xlim=limits[0], ylim=limits[1])


def _fix(figure: Figure, ax: Axes) -> None:
    """Lays the figure out once, with room for a title: what moves must not move the axes."""
    ax.set_title("n", loc="left")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
