"""A diagnosis as one figure of a page: its landscapes, where its loss comes from, reliability."""

from __future__ import annotations

import math

import matplotlib
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from sweep.diagnosis import curves
from sweep.diagnosis.report import Diagnosis, Worst
from sweep.figures.optima import optimum_legend
from sweep.figures.planes import colour_bar
from sweep.figures.recalibrations import (
    AS_IT_IS,
    FIT,
    LEAST_LOSS,
    MOST_ACCURATE,
    UNCHANGED,
    draw_line,
    draw_recalibrations,
    label_probabilities,
    line_legend,
)
from sweep.figures.shares import draw_lorenz, draw_losses, draw_reliability, shortened
from sweep.figures.style import STYLE, axis_label, legend_above
from sweep.optima.records import Optimum

OUTLIERS = 5
"""Samples that are marked, unless a finding says how many dominate."""

BINS = 10
"""Most bins of reliability, and the fewest samples that one has but for two bins."""


def diagnosis(found: Diagnosis) -> Figure:
    """Everything there is to see of a diagnosis, 7 in wide.

    Above the landscapes of cross-entropy and accuracy over (a, b), below them both against the
    threshold and against the slope; of several classes against the slope only. At the bottom the
    losses of the samples, their Lorenz curve, and reliability as it is and at the optimum.

    Args:
        found: the diagnosis; `sweep.diagnosis.curves` computes what is drawn.
    """
    two = found.predictions.binary
    heights = (3.3, 2.1, 2.35) if two else (2.3, 2.35)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, sum(heights) + 0.25))
        figure.suptitle(_summary(found), fontsize=8)
        parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        if two:
            _planes(parts[0], found)
        _lines(parts[-2], found)
        _samples(parts[-1], found)
    return figure


def _summary(found: Diagnosis) -> str:
    parts = [f"n = {found.n:,}"]
    ce, best = found.cross_entropy.value, found.recalibration.cross_entropy.value
    parts.append(f"cross-entropy {ce:.4g} nats, recalibrated {best:.4g}")
    parts.append(f"accuracy {found.accuracy.value:.4g}")
    if found.threshold is not None:
        parts[-1] += f", at the best threshold {found.threshold.accuracy.value:.4g}"
    return "   ·   ".join(parts)


def _planes(part: SubFigure, found: Diagnosis) -> None:
    best, fit = found.optimum, _fit(found)
    assert isinstance(best, Optimum)
    dataset = curves.plane(found)
    axes = part.subplots(1, 2)
    for ax, name in zip(axes, ("cross_entropy", "accuracy"), strict=True):
        image = draw_recalibrations(ax, dataset[name], best, fit)
        colour_bar(part, ax, image, axis_label(dataset[name]), location="right")
    legend = {str(AS_IT_IS["label"]): Line2D([], [], **AS_IT_IS)}
    legend |= optimum_legend([(axes[0], best)])
    if fit is not None:
        legend[str(FIT["label"])] = Line2D([], [], **FIT)
    legend_above(part, legend, columns=len(legend))


def _fit(found: Diagnosis) -> tuple[float, float] | None:
    return None if found.fit is None else (found.fit.a, found.fit.b)


def _lines(part: SubFigure, found: Diagnosis) -> None:
    two = found.predictions.binary
    axes = part.subplots(1, 2 if two else 1, squeeze=False)[0]
    if two:
        line = curves.along_intercept(found).squeeze("a")
        marks = {
            0.0: UNCHANGED,
            -found.recalibration.intercept_alone: LEAST_LOSS,
            curves.best_cut(found): MOST_ACCURATE,
        }
        draw_line(axes[0], -line.b.values, line, marks)
        axes[0].set_xlabel(axis_label(line.threshold))
        label_probabilities(axes[0], float(line.b.max()))
    line = curves.along_slope(found).squeeze()
    marks = {1.0: UNCHANGED, found.recalibration.slope_alone: LEAST_LOSS}
    draw_line(axes[-1], line.a.values, line, marks)
    axes[-1].set_xlabel("slope a, at b = 0" if two else "slope a of softmax(a z)")
    shown = two and math.isfinite(curves.best_cut(found))
    legend_above(part, line_legend(threshold=shown), columns=5)


def _samples(part: SubFigure, found: Diagnosis) -> None:
    axes = part.subplots(1, 3)
    draw_losses(axes[0], curves.loss_histogram(found), found.classes, outliers(found))
    draw_lorenz(axes[1], curves.lorenz(found), found.concentration)
    a, b = curves.optimal(found)
    bins = min(BINS, max(2, found.n // BINS))
    after = curves.reliability(found, a, b, bins) if math.isfinite(a) else None
    two = found.predictions.binary
    draw_reliability(axes[2], curves.reliability(found, bins=bins), after, several=not two)
    if two:
        axes[2].set_xlabel(f"probability of class {shortened(found.classes[1])}")
    for ax in (axes[0], axes[2]):
        ax.legend(frameon=False, fontsize=6.5, handlelength=1.4)


def outliers(found: Diagnosis) -> tuple[Worst, ...]:
    """The samples to mark: those that dominate the loss if that was found, else the worst few."""
    dominating = found.finding("few_samples_dominate")
    rows = () if dominating is None else dominating.numbers.get("rows", ())
    marked = tuple(one for one in found.worst if one.row in rows)
    return marked or found.worst[:OUTLIERS]
