"""A diagnosis as one figure on a page: landscapes, where the loss comes from, and reliability.

The landscapes are over recalibrations (a, b) of the classifier, which is itself at (1, 0).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from sweep.diagnosis import curves
from sweep.diagnosis.curves import Histogram, Lorenz, Reliability
from sweep.diagnosis.report import Concentration, Diagnosis, Worst
from sweep.figures.optima import optimum_legend
from sweep.figures.planes import draw_landscape
from sweep.figures.style import (
    ACCURACY_COLOUR,
    BLUE,
    CE_COLOUR,
    CLASS_COLOURS,
    GREY,
    axis_label,
    draw_line,
    in_style,
    legend_above,
)
from sweep.optima.records import Optimum

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

AS_IT_IS: dict[str, Any] = {
    "marker": "o", "markersize": 6, "markerfacecolor": "white", "markeredgecolor": BLUE,
    "markeredgewidth": 1.8, "linestyle": "", "zorder": 5,
    "label": "the classifier as it is, (1, 0)",
}  # fmt: skip

FIT: dict[str, Any] = AS_IT_IS | {
    "marker": "D", "markersize": 5, "markeredgecolor": "black", "markeredgewidth": 1.2,
    "label": "the given fit",
}  # fmt: skip

UNCHANGED: dict[str, Any] = {"color": BLUE, "linewidth": 1, "linestyle": "-", "alpha": 0.6}
LEAST_LOSS: dict[str, Any] = {"color": CE_COLOUR, "linewidth": 1, "linestyle": "--"}
MOST_ACCURATE: dict[str, Any] = {"color": ACCURACY_COLOUR, "linewidth": 1.2, "linestyle": ":"}

OUTLIERS = 5  # samples to mark, unless a finding says how many dominate
BINS = 10  # most bins of reliability; also the fewest samples of a bin, except with two bins
FLOOR = 0.6  # lower end of the logarithmic axis of numbers of samples: one sample is visible

OUTLIER: dict[str, Any] = {
    "marker": "v", "color": CE_COLOUR, "markersize": 4.5, "markeredgewidth": 0, "linestyle": "",
    "zorder": 4,
}  # fmt: skip

BEFORE: dict[str, Any] = {"color": BLUE, "marker": "o", "label": "as it is"}
AFTER: dict[str, Any] = {"color": CE_COLOUR, "marker": "*", "label": "at the optimum"}

_GUIDE: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": ":", "zorder": 1}


def draw_recalibrations(
    ax: Axes,
    metric: xr.DataArray,
    best: Optimum,
    fit: tuple[float, float] | None = None,
    bar: str = "",
    **colours: Any,
) -> None:
    """A landscape with the classifier, and a fit made elsewhere; see `draw_landscape`."""
    draw_landscape(ax, metric, best, bar=bar, **colours)
    ax.plot(1.0, 0.0, **AS_IT_IS)
    if fit is not None:
        ax.plot(*fit, **FIT)


def _draw_marks(ax: Axes, marks: Mapping[float, Mapping[str, Any]]) -> None:
    """Vertical lines at the positions that are finite and on the axes."""
    low, high = ax.get_xlim()
    for value, look in marks.items():
        if math.isfinite(value) and low <= value <= high:
            ax.axvline(value, zorder=1, **look)


def label_probabilities(ax: Axes, largest: float) -> None:
    """Labels logits from -largest to largest as probabilities: 0.01, 0.1, 0.5, ..."""
    step = max(1, math.floor(largest / math.log(10)) // 2)
    # The logit of 1 - 10^-d is log(10^d - 1) = d log(10) + log(1 - 10^-d).
    logits = [(d * math.log(10) + math.log1p(-(10.0**-d)), d) for d in (step, 2 * step)]
    ticks = [(0.0, "0.5")]
    ticks += [(-z, f"{10.0**-d:g}" if d <= 3 else f"$10^{{-{d}}}$") for z, d in logits]
    ticks += [(z, f"{1 - 10.0**-d:g}" if d <= 3 else f"$1-10^{{-{d}}}$") for z, d in logits]
    ax.set_xticks(*zip(*ticks, strict=True))


@in_style
def diagnosis(result: Diagnosis) -> Figure:
    """Draws a diagnosis, 7 in wide.

    On top are the landscapes of cross-entropy and accuracy over (a, b), below them both metrics
    against the threshold and against the slope; for several classes against the slope only. At the
    bottom are the losses of the samples, their Lorenz curve, and reliability as it is and at the
    optimum.

    Args:
        result: the diagnosis; `sweep.diagnosis.curves` computes what is drawn.
    """
    binary = result.predictions.binary
    heights = (3.3, 2.1, 2.35) if binary else (2.3, 2.35)
    figure = Figure(figsize=(7, sum(heights) + 0.25))
    figure.suptitle(_summary(result), fontsize=8)
    rows = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    if binary:
        _planes(rows[0], result)
    _lines(rows[-2], result)
    _samples(rows[-1], result)
    return figure


def _summary(result: Diagnosis) -> str:
    """The title of the figure: size, loss and accuracy."""
    parts = [f"n = {result.n:,}"]
    ce, best = result.cross_entropy.value, result.recalibration.cross_entropy.value
    parts.append(f"cross-entropy {ce:.4g} nats, recalibrated {best:.4g}")
    parts.append(f"accuracy {result.accuracy.value:.4g}")
    if result.threshold is not None:
        parts[-1] += f", at the best threshold {result.threshold.accuracy.value:.4g}"
    return "   ·   ".join(parts)


def _planes(row: SubFigure, result: Diagnosis) -> None:
    """The landscapes of both metrics, with the classifier, the optima and another fit."""
    best = result.optimum
    assert isinstance(best, Optimum)
    fit = None if result.fit is None else (result.fit.a, result.fit.b)
    dataset = curves.plane(result)
    axes = row.subplots(1, 2)
    for ax, name in zip(axes, ("cross_entropy", "accuracy"), strict=True):
        draw_recalibrations(ax, dataset[name], best, fit, bar="right")
    legend = {str(AS_IT_IS["label"]): AS_IT_IS}
    legend |= optimum_legend([(axes[0], best)])
    if fit is not None:
        legend[str(FIT["label"])] = FIT
    legend_above(row, legend, columns=len(legend))


def _lines(row: SubFigure, result: Diagnosis) -> None:
    """Both metrics against the threshold and against the slope."""
    binary = result.predictions.binary
    axes = row.subplots(1, 2 if binary else 1, squeeze=False)[0]
    if binary:
        line = curves.along_intercept(result).squeeze("a")
        marks = {
            0.0: UNCHANGED,
            -result.recalibration.intercept_alone: LEAST_LOSS,
            curves.best_cut(result): MOST_ACCURATE,
        }
        draw_line(axes[0], line, -line.b)
        _draw_marks(axes[0], marks)
        axes[0].set_xlabel(axis_label(line.threshold))
        label_probabilities(axes[0], float(line.b.max()))
    line = curves.along_slope(result).squeeze()
    draw_line(axes[-1], line, line.a)
    _draw_marks(axes[-1], {1.0: UNCHANGED, result.recalibration.slope_alone: LEAST_LOSS})
    axes[-1].set_xlabel("slope a, at b = 0" if binary else "slope a of softmax(a z)")
    legend = {
        "cross-entropy (left axes)": {"color": CE_COLOUR},
        "accuracy (right axes)": {"color": ACCURACY_COLOUR, "linewidth": 1},
        "as it is": UNCHANGED,
        "least cross-entropy": LEAST_LOSS,
    }
    if binary and math.isfinite(curves.best_cut(result)):
        legend["best threshold nearest to 0.5"] = MOST_ACCURATE
    legend_above(row, legend, columns=5)


def _samples(row: SubFigure, result: Diagnosis) -> None:
    """The losses of the samples, their Lorenz curve, and reliability."""
    axes = row.subplots(1, 3)
    draw_losses(axes[0], curves.loss_histogram(result), result.classes, outliers(result))
    draw_lorenz(axes[1], curves.lorenz(result), result.concentration)
    a, b = curves.optimal(result)
    bins = min(BINS, max(2, result.n // BINS))
    after = curves.reliability(result, a, b, bins) if math.isfinite(a) else None
    binary = result.predictions.binary
    draw_reliability(axes[2], curves.reliability(result, bins=bins), after, several=not binary)
    if binary:
        axes[2].set_xlabel(f"probability of class {shortened(result.classes[1])}")
    for ax in (axes[0], axes[2]):
        ax.legend(frameon=False, fontsize=6.5, handlelength=1.4)


def outliers(result: Diagnosis) -> tuple[Worst, ...]:
    """The samples to mark: those that dominate the loss by a finding, else the worst few."""
    dominating = result.finding("few_samples_dominate")
    rows = () if dominating is None else dominating.numbers.get("rows", ())
    marked = tuple(sample for sample in result.worst if sample.row in rows)
    return marked or result.worst[:OUTLIERS]


# --- the panels of the samples ------------------------------------------------------------------


def draw_losses(
    ax: Axes, histogram: Histogram, names: Sequence[str], outliers: Sequence[Worst]
) -> None:
    """How many samples have which loss, on a logarithmic scale, with the outliers marked."""
    counts = histogram.counts
    if len(counts) == 2:
        rows = [(counts[k], CLASS_COLOURS[k], f"class {shortened(names[k])}") for k in (0, 1)]
        # The loss at p = 1/2: a sample with a larger loss is predicted wrongly.
        ax.axvline(math.log(2), label="beyond ln 2: wrong", **_GUIDE)
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
    """Marks on the axis of losses, with the row of the worst sample."""
    losses = [sample.loss for sample in outliers]
    ax.plot(losses, [1.6] * len(losses), **OUTLIER, label=f"worst {len(losses)}")
    first = outliers[0]
    ax.text(
        first.loss, 2.1, f"row {first.row}", ha="right", va="bottom", fontsize=6.5, zorder=5,
        bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6},
    )  # fmt: skip


def draw_lorenz(ax: Axes, curve: Lorenz, concentration: Concentration) -> None:
    """The Lorenz curve of the loss, that of equal losses, and the share of the worst samples."""
    ax.plot((0, 1), (0, 1), **_GUIDE)
    if np.isfinite(curve.loss).all():
        ax.plot(curve.samples, curve.loss, color=CE_COLOUR)
        ax.fill_between(curve.samples, curve.loss, curve.samples, color=CE_COLOUR, alpha=0.15)
    rows = (
        ("worst 1%", concentration.worst_1_percent.value),
        ("worst 10%", concentration.worst_10_percent.value),
    )
    lines = [f"{name}: {100 * share:.0f}%" for name, share in rows if math.isfinite(share)]
    if math.isfinite(concentration.gini.value):
        lines.append(f"Gini {concentration.gini.value:.2f}")
    ax.text(0.05, 0.96, "\n".join(lines), va="top", fontsize=7, transform=ax.transAxes)
    ax.set(
        xlim=(0, 1), ylim=(0, 1), xlabel="share of the samples, best first",
        ylabel="share of the loss",
    )  # fmt: skip


def draw_reliability(
    ax: Axes, before: Reliability, after: Reliability | None, *, several: bool
) -> None:
    """How often predictions come true, with 95% intervals, before and after recalibration."""
    ax.plot((0, 1), (0, 1), **_GUIDE)
    for reliability, look in ((before, BEFORE), (after, AFTER)):
        if reliability is None:
            continue
        errors = np.stack(
            [reliability.observed - reliability.low, reliability.high - reliability.observed]
        )
        ax.errorbar(
            reliability.predicted, reliability.observed, errors,
            linewidth=1, markersize=4 if look is BEFORE else 6, markeredgewidth=0,
            elinewidth=0.8, **look,
        )  # fmt: skip
    label = "largest probability" if several else "probability of class 1"
    ends = _window([before] if after is None else [before, after])
    ax.set(xlim=ends, ylim=ends, xlabel=label, ylabel="share that came true")


def _window(drawn: Sequence[Reliability]) -> tuple[float, float]:
    """Limits of the axes: 0 and 1, unless all values lie in less than half of that."""
    low = min(float(min(curve.predicted.min(), curve.low.min())) for curve in drawn)
    high = max(float(max(curve.predicted.max(), curve.high.max())) for curve in drawn)
    low, high = (low, high) if high - low < 0.5 else (0.0, 1.0)
    margin = 0.02 * (high - low)
    return low - margin, high + margin


def shortened(name: str, most: int = 12) -> str:
    """A name of at most so many characters, with dollars escaped: they would start a formula."""
    short = name if len(name) <= most else f"{name[: most - 1]}…"
    return short.replace("$", r"\$")
