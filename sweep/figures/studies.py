"""Studies of samples as n grows: rates beside theory, and the verdicts for many laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.asymptotics.limits import Limit
from sweep.asymptotics.rates import Rate
from sweep.asymptotics.study import Study
from sweep.base.ranges import size_text
from sweep.figures.style import (
    ACCURACY_COLOUR,
    BLUE,
    CE_COLOUR,
    GREY,
    VERMILION,
    Legend,
    handles,
    in_style,
    legend_above,
    log_log,
    minus,
)

SPAN = 1e7  # largest ratio of an axis; smaller means stand hollow at its lower end, as 0 does

# --- rates against n ----------------------------------------------------------------------------


@in_style
def rates(study: Study) -> Figure:
    """Mean errors of the cuts, mean regrets and the mean gap against n, with 95% error bars.

    Dashed lines are theory with its constants; where theory has only the power of n, a dotted line
    has the fitted constant. A quantity that tends to a constant gets a horizontal line.

    Args:
        study: its means by n, limits and rates are drawn.
    """
    figure = Figure(figsize=(7, 3.9))
    name = f"{study.id}  {study.population}" if study.id else study.population
    figure.suptitle(name, fontsize=8)
    axes = figure.subplots(1, 2)
    for ax, (label, quantities) in zip(axes, _PANELS.items(), strict=True):
        _draw_panel(ax, study, quantities)
        ax.set(xlabel="points n", ylabel=label)
    return figure


_PANELS = {
    "mean error of the cut (unit of x)": ("cut_error_cross_entropy", "cut_error_accuracy"),
    "mean loss of accuracy (fraction)": ("regret_cross_entropy", "regret_accuracy", "gap"),
}
_CE = {"color": CE_COLOUR, "marker": "o", "markersize": 3.2, "zorder": 5}
_ACCURACY = {"color": ACCURACY_COLOUR, "marker": "s", "markersize": 4.2, "zorder": 4}
_GAP = {"color": BLUE, "marker": "^", "markersize": 5.5, "zorder": 3}
# Quantity -> its name in its panel, and its look: where marks coincide, all of them show.
_QUANTITY_LOOK: dict[str, tuple[str, dict[str, Any]]] = {
    "cut_error_cross_entropy": ("least cross-entropy", _CE),
    "cut_error_accuracy": ("highest accuracy", _ACCURACY),
    "regret_cross_entropy": ("regret, least cross-entropy", _CE),
    "regret_accuracy": ("regret, highest accuracy", _ACCURACY),
    "gap": ("gap in the sample", _GAP),
}


@dataclass(frozen=True)
class _Line:
    """The line constant * n**exponent + second / n, in theory or with a fitted constant."""

    exponent: float
    constant: float
    second: float
    fitted: bool

    def at(self, n: np.ndarray) -> np.ndarray:
        return self.constant * n**self.exponent + self.second / n

    @property
    def style(self) -> str:
        return ":" if self.fitted else "--"

    @property
    def text(self) -> str:
        """Its formula, in the notation of TeX."""
        if self.exponent == 0:
            return f"${_tex(self.constant)}$ in the limit, in theory"
        power = Fraction(self.exponent).limit_denominator(12)
        first = rf"{_tex(self.constant)}\,n^{{{power}}}"
        if self.second:
            sign = "-" if self.second < 0 else "+"
            first += rf" {sign} {_tex(abs(self.second))}\,n^{{-1}}"
        return f"${first}$ {'fitted' if self.fitted else 'in theory'}"


def _draw_panel(ax: Axes, study: Study, quantities: Sequence[str]) -> None:
    """The means of some quantities, with their lines and a legend."""
    means = study.summary.sel(quantity=list(quantities))
    log_log(ax)
    ax.set_ylim(*_span(means["mean"].values))
    n = means["n"].values.astype(float)
    ax.set_xlim(n.min() / 1.4, n.max() * 1.4)
    fine = np.geomspace(n.min(), n.max(), 100)
    legend = {}
    for quantity in quantities:
        name, look = _QUANTITY_LOOK[quantity]
        row, rate = means.sel(quantity=quantity), _rate(study, quantity)
        line = _line(study.limits.of(quantity), rate)
        style = "" if line is None else line.style
        if line is not None:
            ax.plot(fine, line.at(fine), color=look["color"], linestyle=style, linewidth=1)
        _draw_means(ax, n, row["mean"].values, row["standard_error"].values, look)
        handle: dict[str, Any] = {"linewidth": 1} | look | {"linestyle": style}
        legend[_entry(name, line, rate)] = handle
    if (means["mean"] < ax.get_ylim()[0]).any():
        hollow = {"color": "black", "linestyle": "", "markersize": 3.2, "markerfacecolor": "white"}
        legend["hollow: below this axis, or 0"] = hollow | {"marker": "o"}
    _legend_over(ax, legend)


def _legend_over(ax: Axes, legend: Legend) -> None:
    """A legend above single axes, from the left."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.01)}
    ax.legend(**handles(legend), **place, borderaxespad=0.2, frameon=False, handlelength=2.2)


def _span(values: np.ndarray) -> tuple[float, float]:
    """Limits of a logarithmic axis that shows the positive values, over at most SPAN."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 1e-3, 1.0
    high = 2 * float(positive.max())
    return max(float(positive.min()) / 3, high / SPAN), high


def _draw_means(
    ax: Axes, n: np.ndarray, mean: np.ndarray, error: np.ndarray, look: dict[str, Any]
) -> None:
    """Means with 95% error bars; means below the axis stand hollow at its lower end."""
    low, high = ax.get_ylim()
    shown = mean >= low
    bars = np.nan_to_num(1.96 * error[shown])
    below = np.minimum(bars, mean[shown] - low)
    mark: dict[str, Any] = look | {"linestyle": ""}
    ax.errorbar(n[shown], mean[shown], (below, bars), elinewidth=0.8, **mark)
    hidden = n[np.isfinite(mean) & ~shown]
    if hidden.size:
        ax.plot(hidden, hidden * 0 + low, markerfacecolor="white", clip_on=False, **mark)
    ax.set_ylim(low, high)


def _line(limit: Limit, rate: Rate | None) -> _Line | None:
    """The line of a quantity; None where theory has no power of n."""
    if limit.exponent is None:
        return None
    if limit.constant is not None:
        return _Line(limit.exponent, limit.constant, limit.second or 0.0, fitted=False)
    if rate is not None and rate.constant is not None:
        return _Line(limit.exponent, rate.constant, 0.0, fitted=True)
    return None


def _rate(study: Study, quantity: str) -> Rate | None:
    return next((rate for rate in study.rates if rate.quantity == quantity), None)


def _entry(name: str, line: _Line | None, rate: Rate | None) -> str:
    """The name and the measured slope; below them the formula of the line, if there is one."""
    if rate is not None and rate.slope is not None:
        error = "" if rate.slope_error is None else f" ± {1.96 * rate.slope_error:.3f}"
        name += minus(f": slope {rate.slope:.3f}{error}")
    return f"{name}\n{'no power of n' if line is None else line.text}"


def _tex(number: float) -> str:
    """Three digits, with powers of ten where they are shorter."""
    digits = f"{number:.3g}"
    if "e" not in digits:
        return digits
    mantissa, power = digits.split("e")
    return rf"{mantissa}{{\times}}10^{{{int(power)}}}"


# --- the verdicts for many laws -----------------------------------------------------------------

ORDER = ("share", "inconclusive", "do_not_share")  # verdicts from top to bottom
LEAST = 1e-9  # the axis of the population's regret is linear below this: it has 0 on it too
NAME = 30  # characters of a law's name that fit beside its row


@in_style
def verdicts(studies: Sequence[Study]) -> Figure:
    """The answers for many laws: a row each, by verdict and then by mean regret.

    On the left is the population, whose law is known: the accuracy that the classifier at the
    cross-entropy optimum loses, filled if it is one of the most accurate. On the right is what
    samples alone show: 95% intervals of its mean regret at the largest n, and of the limit of that
    mean, against epsilon. These are different questions: for M1 the answers differ.

    Args:
        studies: one for each law.
    """
    rows = sorted(studies, key=_rank)
    figure = Figure(figsize=(7, 1.5 + 0.2 * len(rows)))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
    for row, study in enumerate(rows):
        _draw_population(left, row, study)
        _draw_finite(right, row, study)
    _finish(left, right, rows)
    legend_above(figure, _verdicts_legend(), columns=3)
    return figure


_VERDICT_LOOK: dict[str, dict[str, Any]] = {
    "share": {"color": BLUE, "marker": "o"},
    "inconclusive": {"color": GREY, "marker": "D"},
    "do_not_share": {"color": VERMILION, "marker": "s"},
}
_DELTA: dict[str, Any] = {"linewidth": 0.8, "linestyle": "-"}
_MEAN: dict[str, Any] = {"linewidth": 2.6, "solid_capstyle": "butt", "alpha": 0.55}
_EPSILON: dict[str, Any] = {"color": "black", "linewidth": 0.8, "linestyle": "--", "zorder": 1}


def _rank(study: Study) -> tuple[int, float]:
    """Sort key: the verdict, then the mean regret."""
    regret = study.verdict.regret
    return ORDER.index(study.verdict.name), regret if math.isfinite(regret) else math.inf


def _draw_population(ax: Axes, row: int, study: Study) -> None:
    """The regret in the population; nothing without an optimum of cross-entropy."""
    answer = study.optimum
    if answer.shared is not None:
        ax.plot(max(answer.regret, 0.0), row, **_population_look(answer.shared))


def _population_look(shared: bool) -> dict[str, Any]:
    """A filled mark if the optimum is shared, else a hollow one."""
    face = "black" if shared else "white"
    return {
        "color": "black", "marker": "o", "linestyle": "", "markersize": 4.5,
        "markerfacecolor": face, "clip_on": False, "zorder": 4,
    }  # fmt: skip


def _draw_finite(ax: Axes, row: int, study: Study) -> None:
    """Intervals of the mean regret and of its limit, and epsilon."""
    verdict = study.verdict
    look = _VERDICT_LOOK[verdict.name]
    ax.plot(verdict.regret_interval, (row - 0.16, row - 0.16), color=look["color"], **_MEAN)
    ax.plot(verdict.regret, row - 0.16, linestyle="", markersize=4, zorder=4, **look)
    ax.plot(
        verdict.delta_interval, (row + 0.24, row + 0.24), color=look["color"], marker="|",
        markersize=4, **_DELTA,
    )  # fmt: skip
    ax.plot([verdict.epsilon] * 2, (row - 0.5, row + 0.5), **_EPSILON)


def _finish(left: Axes, right: Axes, rows: Sequence[Study]) -> None:
    """Scales, labels and titles of both panels."""
    left.set_xscale("symlog", linthresh=LEAST, linscale=0.4)
    left.set(xlim=(0, 1), xlabel="regret (accuracy lost)")
    left.set_xticks([0, 1e-8, 1e-5, 1e-2])
    left.set_title("The law is known: n = ∞", loc="left")
    largest = {study.verdict.sizes[-1] for study in rows}
    upto = size_text(largest.pop()) if len(largest) == 1 else "each study's largest"
    _scale_finite(right, rows)
    right.set_title(f"From samples alone: n up to {upto}", loc="left")
    right.tick_params(left=False)
    left.set_yticks(range(len(rows)), [_name(study) for study in rows])
    left.set_ylim(len(rows) - 0.5, -0.5)
    for ax in (left, right):
        ax.grid(axis="x", alpha=0.3, linewidth=0.5)
    names = [study.verdict.name for study in rows]
    for name in dict.fromkeys(names):
        first, count = names.index(name), names.count(name)
        _name_group(left, right, first, count, name)


def _scale_finite(ax: Axes, rows: Sequence[Study]) -> None:
    """A scale that is linear up to a hundredth of epsilon, then logarithmic."""
    linear = min(study.verdict.epsilon for study in rows) / 100
    ends = [
        end
        for verdict in (study.verdict for study in rows)
        for end in (verdict.epsilon, *verdict.regret_interval, *verdict.delta_interval)
    ]
    high = 1.5 * max(end for end in ends if math.isfinite(end))
    ax.set_xscale("symlog", linthresh=linear, linscale=0.5)
    ax.set(xlim=(-linear, high), xlabel="mean regret, and its limit (accuracy lost)")
    decades = range(math.ceil(math.log10(linear)), math.floor(math.log10(high)) + 1)
    ax.set_xticks([0, *(10.0**decade for decade in decades)])


def _name_group(left: Axes, right: Axes, first: int, count: int, name: str) -> None:
    """Names a group of rows at the right end, with a line above it unless it is the first."""
    for ax in (left, right):
        if first:
            ax.axhline(first - 0.5, color=GREY, linewidth=0.6)
    right.text(
        1.01, first + (count - 1) / 2, name.replace("_", " "), color=_VERDICT_LOOK[name]["color"],
        transform=right.get_yaxis_transform(), va="center", ha="left", fontsize=7,
        fontweight="bold", rotation=-90 if count > 3 else 0,
    )  # fmt: skip


def _name(study: Study) -> str:
    """The id, if there is one, and as much of the name as fits."""
    name = f"{study.id}  {study.population.split('(')[0]}" if study.id else study.population
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def _verdicts_legend() -> Legend:
    dot = {"linestyle": "", "markersize": 4}
    return {
        "shared in the population": _population_look(True),
        "not shared there": _population_look(False),
        "epsilon": _EPSILON,
        "mean regret at the largest n, 95%": (
            _MEAN | {"color": "black"},
            dot | {"color": "black", "marker": "o"},
        ),
        "its limit, 95%": _DELTA | {"color": "black", "marker": "|", "markersize": 4},
    }
