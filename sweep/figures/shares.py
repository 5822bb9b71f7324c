"""Where the loss of a classifier comes from, and whether its probabilities come true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from sweep.diagnosis.curves import Histogram, Lorenz, Reliability
from sweep.diagnosis.report import Concentration, Worst
from sweep.figures.samples import CLASS_COLOURS
from sweep.figures.style import BLUE, CE_COLOUR, GREY

OUTLIER: dict[str, Any] = {
    "marker": "v",
    "color": CE_COLOUR,
    "markersize": 4.5,
    "markeredgewidth": 0,
    "linestyle": "",
    "zorder": 4,
}

BEFORE: dict[str, Any] = {"color": BLUE, "marker": "o", "label": "as it is"}
AFTER: dict[str, Any] = {"color": CE_COLOUR, "marker": "*", "label": "at the optimum"}

FLOOR = 0.6
"""Where the logarithmic axis of numbers of samples begins: one sample is seen."""

_GUIDE: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": ":", "zorder": 1}


def draw_losses(
    ax: Axes, histogram: Histogram, names: Sequence[str], outliers: Sequence[Worst]
) -> None:
    """How many samples have which loss, on a logarithmic scale, with the outliers by row.

    Args:
        ax: where it is drawn.
        histogram: of the losses; two classes are told apart, several are not.
        names: of the classes.
        outliers: samples that are marked, largest loss first.
    """
    counts = histogram.counts
    if len(counts) == 2:
        rows = [(counts[k], CLASS_COLOURS[k], f"class {shortened(names[k])}") for k in (0, 1)]
        # At p = 1/2: a sample with a larger loss is predicted wrongly.
        ax.axvline(math.log(2), label="ln 2: beyond it wrong", **_GUIDE)
    else:
        rows = [(counts.sum(axis=0), BLUE, "all classes")]
    for row, colour, label in rows:
        ax.stairs(row, histogram.edges, baseline=FLOOR, color=colour, fill=True, alpha=0.3)
        ax.stairs(row, histogram.edges, baseline=FLOOR, color=colour, linewidth=1.1, label=label)
    tallest = max(1, int(counts.sum(axis=0).max()))
    ax.set(yscale="log", ylim=(FLOOR, 4.0 * tallest), xlabel="loss (nats)", ylabel="samples")
    ax.set_xlim(0.0, 1.03 * float(histogram.edges[-1]))
    if tallest < 10:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    if outliers:
        _draw_outliers(ax, outliers)


def _draw_outliers(ax: Axes, outliers: Sequence[Worst]) -> None:
    places = [one.loss for one in outliers]
    ax.plot(places, [1.6] * len(places), **OUTLIER, label=f"worst {len(places)}")
    first = outliers[0]
    ax.text(
        first.loss, 2.1, f"row {first.row}", ha="right", va="bottom", fontsize=6.5, zorder=5,
        bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6},
    )  # fmt: skip


def draw_lorenz(ax: Axes, curve: Lorenz, shares: Concentration) -> None:
    """The Lorenz curve of the loss beside that of equal losses, with the share of the worst 10%."""
    ax.plot((0, 1), (0, 1), **_GUIDE)
    if np.isfinite(curve.loss).all():
        ax.plot(curve.samples, curve.loss, color=CE_COLOUR)
        ax.fill_between(curve.samples, curve.loss, curve.samples, color=CE_COLOUR, alpha=0.15)
    rows = (
        ("worst 1%", shares.worst_1_percent.value),
        ("worst 10%", shares.worst_10_percent.value),
    )
    words = [f"{name}: {100 * share:.0f}%" for name, share in rows if math.isfinite(share)]
    if math.isfinite(shares.gini.value):
        words.append(f"Gini {shares.gini.value:.2f}")
    ax.text(0.05, 0.96, "\n".join(words), va="top", fontsize=7, transform=ax.transAxes)
    ax.set(
        xlim=(0, 1), ylim=(0, 1), xlabel="share of the samples, best first",
        ylabel="share of the loss",
    )  # fmt: skip


def draw_reliability(
    ax: Axes, before: Reliability, after: Reliability | None, *, several: bool
) -> None:
    """How often predictions come true, with 95% intervals, before and after recalibration."""
    ax.plot((0, 1), (0, 1), **_GUIDE)
    for found, look in ((before, BEFORE), (after, AFTER)):
        if found is None:
            continue
        away = np.stack([found.observed - found.low, found.high - found.observed])
        ax.errorbar(
            found.predicted, found.observed, away,
            linewidth=1, markersize=4 if look is BEFORE else 6, markeredgewidth=0,
            elinewidth=0.8, **look,
        )  # fmt: skip
    what = "largest probability" if several else "probability of class 1"
    ends = _window([found for found in (before, after) if found is not None])
    ax.set(xlim=ends, ylim=ends, xlabel=what, ylabel="share that came true")


def _window(drawn: Sequence[Reliability]) -> tuple[float, float]:
    """From 0 to 1, unless everything is in less than half of it."""
    low = min(float(min(one.predicted.min(), one.low.min())) for one in drawn)
    high = max(float(max(one.predicted.max(), one.high.max())) for one in drawn)
    low, high = (low, high) if high - low < 0.5 else (0.0, 1.0)
    room = 0.02 * (high - low)
    return low - room, high + room


def shortened(name: str, most: int = 12) -> str:
    """A name as far as there is room, its dollars no mathematics."""
    cut = name if len(name) <= most else f"{name[: most - 1]}…"
    return cut.replace("$", r"\$")
