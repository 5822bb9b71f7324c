"""What a study measured against n, with what theory says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sweep.asymptotics.limits import Limit
from sweep.figures.style import ACCURACY_COLOUR, BLUE, CE_COLOUR, STYLE, log_log

if TYPE_CHECKING:
    from sweep.asymptotics.rates import Rate
    from sweep.asymptotics.study import Study

SPAN = 1e7
"""Largest ratio that an axis shows; what is smaller stands at its lower end, hollow, as 0 does."""


def rates(study: Study) -> Figure:
    """Mean errors of the cuts, mean regrets and the mean gap against n, with 95% error bars.

    Lines are theory's where it has the constant (dashed), else its power of n with the constant
    that was fitted (dotted); a quantity that tends to a constant gets a horizontal one.

    Args:
        study: its means by n are drawn, and its limits and rates beside them.
    """
    with matplotlib.rc_context(STYLE):
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
_LOOK: dict[str, tuple[str, dict[str, Any]]] = {
    "cut_error_cross_entropy": ("least cross-entropy", _CE),
    "cut_error_accuracy": ("highest accuracy", _ACCURACY),
    "regret_cross_entropy": ("regret, least cross-entropy", _CE),
    "regret_accuracy": ("regret, highest accuracy", _ACCURACY),
    "gap": ("gap in the sample", _GAP),
}
"""What a quantity is called in its panel, and its look: where marks coincide, all of them show."""


@dataclass(frozen=True)
class _Line:
    """constant * n**exponent + second / n: of theory, or with a constant that was fitted."""

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
        """As in a formula, in the notation of TeX."""
        if self.exponent == 0:
            return f"${_tex(self.constant)}$ in the limit, in theory"
        power = Fraction(self.exponent).limit_denominator(12)
        first = rf"{_tex(self.constant)}\,n^{{{power}}}"
        if self.second:
            sign = "-" if self.second < 0 else "+"
            first += rf" {sign} {_tex(abs(self.second))}\,n^{{-1}}"
        return f"${first}$ {'fitted' if self.fitted else 'in theory'}"


def _draw_panel(ax: Axes, study: Study, quantities: Sequence[str]) -> None:
    means = study.summary.sel(quantity=list(quantities))
    log_log(ax)
    ax.set_ylim(*_span(means["mean"].values))
    n = means["n"].values.astype(float)
    ax.set_xlim(n.min() / 1.4, n.max() * 1.4)
    fine = np.geomspace(n.min(), n.max(), 100)
    legend = {}
    for quantity in quantities:
        name, look = _LOOK[quantity]
        of, rate = means.sel(quantity=quantity), _rate(study, quantity)
        line = _line(study.limits.of(quantity), rate)
        style = "" if line is None else line.style
        if line is not None:
            ax.plot(fine, line.at(fine), color=look["color"], linestyle=style, linewidth=1)
        _draw_means(ax, n, of["mean"].values, of["standard_error"].values, look)
        handle: dict[str, Any] = {"linewidth": 1} | look | {"linestyle": style}
        legend[_entry(name, line, rate)] = Line2D([], [], **handle)
    if (means["mean"] < ax.get_ylim()[0]).any():
        hollow: dict[str, Any] = {
            "color": "black",
            "marker": "o",
            "linestyle": "",
            "markersize": 3.2,
        }
        hollow |= {"markerfacecolor": "white"}
        legend["hollow: below this axis, or 0"] = Line2D([], [], **hollow)
    _legend(ax, legend)


def _legend(ax: Axes, legend: Mapping[str, Line2D]) -> None:
    """Above the axes, from the left."""
    ax.legend(
        handles=list(legend.values()),
        labels=list(legend),
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.01),
        borderaxespad=0.2,
        frameon=False,
        handlelength=2.2,
    )


def _span(values: np.ndarray) -> tuple[float, float]:
    """Limits of a logarithmic axis that shows what is positive, over SPAN at most."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 1e-3, 1.0
    high = 2 * float(positive.max())
    return max(float(positive.min()) / 3, high / SPAN), high


def _draw_means(
    ax: Axes, n: np.ndarray, mean: np.ndarray, error: np.ndarray, look: dict[str, Any]
) -> None:
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
    """The name and the slope that was measured; below them the line's formula, if there is one."""
    if rate is not None and rate.slope is not None:
        error = "" if rate.slope_error is None else f" ± {1.96 * rate.slope_error:.3f}"
        name += f": slope {rate.slope:.3f}{error}".replace("-", "\u2212")
    return f"{name}\n{'no power of n' if line is None else line.text}"


def _tex(number: float) -> str:
    """Three digits, powers of ten as such."""
    digits = f"{number:.3g}"
    if "e" not in digits:
        return digits
    mantissa, power = digits.split("e")
    return rf"{mantissa}{{\times}}10^{{{int(power)}}}"
