"""Networks trained with and without remedies: a row of panels for each cause."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from sweep.figures.style import BLUE, GREY, STYLE, VERMILION, draw_bands, legend_above
from sweep.training.experiments.causes import CauseOutcome, Causes
from sweep.training.experiments.effects import RemedyOutcome

HEIGHT = 1.3  # of a row, in inches

BEFORE, AFTER = VERMILION, BLUE

# Verdict on a difference -> its mark and colour.
_VERDICTS = {"shown": ("o", BLUE), "not shown": ("s", GREY), "opposite": ("X", VERMILION)}


def causes_gallery(outcome: Causes) -> Figure:
    """For each cause the validation loss and accuracy by epoch, and what its remedies change.

    Curves are without a remedy and with the first one. Differences are those on the test set with
    95% intervals; the accuracy is balanced where plain accuracy does not show the cause.

    Args:
        outcome: the experiment; its bands and the effects of its remedies are drawn.
    """
    with matplotlib.rc_context({**STYLE, "font.size": 7, "axes.titlesize": 7}):
        rows = len(outcome.causes)
        figure = Figure(figsize=(7, HEIGHT * rows + 0.6))
        panels = figure.subplots(rows, 4, squeeze=False, width_ratios=(1, 1, 1, 1))
        for axes, cause in zip(panels, outcome.causes, strict=True):
            remedies = outcome.of(cause.name)
            _curves((axes[0], axes[1]), outcome, cause, remedies[0].remedy)
            _effects(axes[2], remedies, "loss", named=True)
            blind = len(remedies[0].effects) > 2
            _effects(axes[3], remedies, "balanced_accuracy" if blind else "accuracy", named=False)
            _title(axes[0], cause.title)
        heads = ("epoch", "epoch", "change of test loss (nats)", "change of accuracy")
        for ax, text in zip(panels[-1], heads, strict=True):
            ax.set_xlabel(text)
        legend_above(figure, _legend(), columns=3)
    return figure


def _title(ax: Axes, text: str) -> None:
    """A title that is wider than its panel and does not push the next panel away."""
    ax.set_title(" ")
    ax.annotate(
        text,
        (0, 1),
        xytext=(0, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        fontweight="bold",
        in_layout=False,
    )


def _legend() -> dict[str, Line2D | tuple[Patch, ...]]:
    band = Patch(alpha=0.2, color="black", linewidth=0)
    marks = {
        f"expected change: {verdict}": Line2D([], [], color=colour, marker=mark, markersize=3.5)
        for verdict, (mark, colour) in _VERDICTS.items()
    }
    return {
        "without remedy": Line2D([], [], color=BEFORE),
        "with the first of the remedies": Line2D([], [], color=AFTER),
        "5% to 95% of the networks": (band,),
        **marks,
    }


def _curves(axes: Sequence[Axes], outcome: Causes, cause: CauseOutcome, remedy: str) -> None:
    """Loss and accuracy of the validation set, without a remedy and with one."""
    causes, remedies = outcome.bands.cause.values, outcome.bands.remedy.values
    for name, colour in (("none", BEFORE), (remedy, AFTER)):
        run = int(np.flatnonzero((causes == cause.name) & (remedies == name))[0])
        bands = outcome.bands.isel(run=run)
        for ax, curve in zip(axes, ("validation_loss", "validation_accuracy"), strict=True):
            draw_bands(ax, bands[curve], "epoch", colour)
    loss, accuracy = axes
    loss.set(yscale="log", ylabel="loss (nats)", xlim=(0, outcome.epochs))
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
    loss.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    loss.yaxis.set_minor_formatter(NullFormatter())
    accuracy.set(ylabel="accuracy", xlim=(0, outcome.epochs))


def _effects(ax: Axes, remedies: Sequence[RemedyOutcome], metric: str, *, named: bool) -> None:
    """The change of a metric by each remedy, with its interval."""
    for row, remedy in enumerate(remedies):
        effect = remedy.effect(metric)
        mark, colour = _VERDICTS[effect.verdict]
        ax.plot((effect.low, effect.high), (row, row), color=colour, linewidth=1.2)
        ax.plot(effect.difference, row, color=colour, marker=mark, markersize=3.5)
    ax.axvline(0, color="black", linewidth=0.6, linestyle=":")
    ax.set_ylim(len(remedies) - 0.5, -0.5)
    ax.set_yticks(range(len(remedies)), [remedy.remedy for remedy in remedies] if named else [])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if metric == "balanced_accuracy":
        ax.set_title("balanced accuracy", loc="right")
