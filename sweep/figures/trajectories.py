"""Paths of optimisers of (a, b): on the landscapes of both metrics, and step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from sweep.base.errors import InputError
from sweep.figures.optima import STAR, optimum_legend
from sweep.figures.planes import draw_landscape
from sweep.figures.style import (
    BLUE,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Legend,
    axis_label,
    in_style,
    kept_limits,
    label_decades,
    legend_above,
    minus,
)
from sweep.optima.records import Optimum
from sweep.training.paths.run import Paths
from sweep.training.paths.targets import OPTIMIZER_NAMES

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

COLOURS = (SKY, ORANGE, PURPLE, VERMILION)  # of optimisers on landscapes, in their order
DARK = (BLUE, ORANGE, PURPLE, VERMILION)  # the same on white

MANY_DECADES = 1e3  # a log axis with this ratio of its ends or more labels powers of 10
LARGEST = 1e9  # slopes of diverging paths are drawn up to here

METRICS = ("cross_entropy", "accuracy")

TARGET: dict[str, Any] = STAR | {"marker": "D", "markersize": 5.5}  # the optimum with a penalty

START: dict[str, Any] = {
    "marker": "o", "markersize": 4, "markerfacecolor": "white", "markeredgecolor": "black",
    "markeredgewidth": 0.7, "linestyle": "", "zorder": 4.2,
}  # fmt: skip
END: dict[str, Any] = START | {"marker": "s", "markersize": 4.5}
THEORY: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1}
OPTIMUM: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1}


@in_style
def paths(result: Paths, *, validation: bool = False) -> Figure:
    """Paths on the landscapes of both metrics: one row for each metric, one column a penalty.

    Args:
        result: the paths; of several learning rates the first is drawn.
        validation: whether to draw on the landscapes of the validation data instead of those of the
            training data.

    Raises:
        InputError: there are no validation data.
    """
    best, planes = landscapes(result, validation=validation)
    figure = Figure(figsize=(max(3.5, 0.4 + 3.3 * len(planes)), 6.2))
    rows = figure.subplots(2, len(planes), squeeze=False)
    for row, name in zip(rows, METRICS, strict=True):
        for i, (ax, plane) in enumerate(zip(row, planes, strict=True)):
            draw_landscape(ax, plane[name], best, bar="bottom")
            draw_paths(ax, first_rate(result).isel(l2=i))
            target = result.targets[i]
            if target.l2 > 0 and math.isfinite(target.a):
                ax.plot(target.a, target.b, **TARGET)
                if not (validation or math.isfinite(best.cross_entropy.a)):
                    for text in list(ax.texts):  # "no finite optimum": with a penalty there is
                        text.remove()
    for ax, target in zip(rows[0], result.targets, strict=True):
        ax.set_title(_title(target.l2))
    optima = optimum_legend([(ax, best) for ax in rows[0]])
    legend = path_looks(result, COLOURS) | {"start": START, "end": END} | optima
    if any(target.l2 > 0 and math.isfinite(target.a) for target in result.targets):
        legend["least with the penalty"] = TARGET
    legend_above(figure, legend, columns=4 if len(planes) > 1 else 2)
    return figure


@in_style
def path_curves(result: Paths) -> Figure:
    """Cross-entropy, accuracy and the slope a against the steps: one row for each penalty.

    Args:
        result: the paths; of several learning rates the first is drawn. All starts are drawn, but
            only the first with validation data, which double the lines.
    """
    dataset = first_rate(result)
    validated = "validation_accuracy" in dataset
    if validated:
        dataset = dataset.isel(start=[0])
    figure = Figure(figsize=(7, 0.6 + 2.0 * len(result.targets)))
    rows = figure.subplots(len(result.targets), 3, squeeze=False, sharex=True)
    for i, (row, target) in enumerate(zip(rows, result.targets, strict=True)):
        of_penalty = dataset.isel(l2=i)
        for ax, name in zip(row, (*METRICS, "a"), strict=True):
            _draw_curves(ax, of_penalty, name)
        a, b = of_penalty.start_a.item(0), of_penalty.start_b.item(0)
        start = minus(f", from ({a:g}, {b:g})") if validated else ""
        row[0].set_title(_title(target.l2) + start, loc="left")
        row[0].set_yscale("log")
        low, high = row[0].get_ylim()
        if high < MANY_DECADES * low:
            label_decades(row[0].yaxis)
        if math.isfinite(target.a):
            row[2].axhline(target.a, **OPTIMUM)
        if target.l2 == 0 and result.growth is not None:
            _draw_theory(row[2], of_penalty, result.growth.a)
    for ax in rows[-1]:
        ax.set_xlabel("steps")
    legend_above(figure, _curves_legend(result, validated), columns=5)
    return figure


def _curves_legend(result: Paths, validated: bool) -> Legend:
    legend = path_looks(result, DARK)
    if validated:
        legend["validation data"] = {"color": "black", "linestyle": "-."}
    if any(math.isfinite(target.a) for target in result.targets):
        legend["exact optimum"] = OPTIMUM
    if result.growth is not None and any(target.l2 == 0 for target in result.targets):
        legend[minus(f"theory: a grows by {result.growth.a:.3g} log t")] = THEORY
    return legend


def landscapes(result: Paths, *, validation: bool) -> tuple[Optimum, tuple[xr.Dataset, ...]]:
    """The optimum, and for each penalty the landscape to draw paths on."""
    if not validation:
        return result.optimum, result.planes
    if result.validation is None:
        raise InputError("these paths have no validation data; draw them on the training data")
    return result.validation, result.validation_planes


def first_rate(result: Paths) -> xr.Dataset:
    """The dataset of the first learning rate."""
    dataset = result.dataset
    return dataset.isel(learning_rate=0) if "learning_rate" in dataset.dims else dataset


def _title(l2: float) -> str:
    return "without a penalty" if l2 == 0 else f"with the penalty {l2:g}/2 a\u00b2"


def path_looks(result: Paths, colours: tuple[str, ...]) -> Legend:
    """Legend handles of the optimisers, by their names."""
    names = [str(name) for name in result.dataset.optimizer.values]
    return {
        OPTIMIZER_NAMES.get(name, name): {"color": colours[i % len(colours)]}
        for i, name in enumerate(names)
    }


def draw_paths(ax: Axes, dataset: xr.Dataset) -> list[tuple[Line2D, Line2D]]:
    """All paths with one penalty, on axes that keep their limits.

    Returns the path and its end for every start of every optimiser, the starts changing fastest.
    """
    outlined = [Stroke(linewidth=2.4, foreground="black"), Normal()]
    count, lines = dataset.sizes["optimizer"], []
    with kept_limits(ax):
        ax.plot(dataset.start_a, dataset.start_b, **START)
        for i, start in np.ndindex(count, dataset.sizes["start"]):
            path = dataset.isel(optimizer=i, start=start)
            colour, above = COLOURS[i % len(COLOURS)], 0.1 * (count - i) / count  # the first on top
            look: dict[str, Any] = {"color": colour, "linewidth": 1.3, "path_effects": outlined}
            end: dict[str, Any] = END | {"markerfacecolor": colour, "zorder": 4 + above}
            lines += [
                (
                    *ax.plot(path.a, path.b, zorder=3 + above, **look),
                    *ax.plot(path.a[-1:], path.b[-1:], **end),
                )
            ]
    return lines


def _draw_curves(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    """One quantity of all paths with one penalty, against the steps after the first."""
    after = dataset.isel(step=slice(1, None))
    for i in range(dataset.sizes["optimizer"]):
        look: dict[str, Any] = {"color": DARK[i % len(DARK)], "linewidth": 1, "alpha": 0.8}
        for start in range(dataset.sizes["start"]):
            path = after.isel(optimizer=i, start=start)
            path = path.where(abs(path.a) < LARGEST)
            ax.plot(path.step, path[name], **look)
            if f"validation_{name}" in path:
                ax.plot(path.step, path[f"validation_{name}"], linestyle="-.", **look)
    ax.set(xscale="log", ylabel=axis_label(dataset[name]))


def _draw_theory(ax: Axes, dataset: xr.Dataset, growth: float) -> None:
    """The line of theory through the end of the first path, over the last two decades of steps."""
    last = dataset.isel(optimizer=0, start=0, step=-1)
    steps = np.geomspace(last.step.item() / 100, last.step.item(), 20)
    ax.plot(steps, last.a.item() + growth * np.log(steps / last.step.item()), zorder=5, **THEORY)
