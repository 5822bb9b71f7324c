"""Whether the optima are shared, over many laws: what the law says, and what samples say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sweep.base.ranges import size_text
from sweep.figures.style import BLUE, GREY, STYLE, VERMILION, legend_above

if TYPE_CHECKING:
    from sweep.asymptotics.study import Study

ORDER = ("share", "inconclusive", "do_not_share")
"""Verdicts from above to below."""

LEAST = 1e-9
"""Regret of a population from which on its axis is logarithmic: there is 0 on it too."""

NAME = 30
"""Characters of a law's name that fit beside its row."""


def verdicts(studies: Sequence[Study]) -> Figure:
    """The answers for many laws: a row each, by verdict, and within one by the mean regret.

    At the left the population, whose law is known: what the classifier at the cross-entropy optimum
    loses in accuracy, filled if it is one of the most accurate. At the right what samples alone
    say: 95% intervals of its mean regret at the largest n, and of what that tends to, against
    epsilon. The two are different questions, and M1 shows that they may have different answers.

    Args:
        studies: of one law each.
    """
    rows = sorted(studies, key=_place)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 1.5 + 0.2 * len(rows)))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
        for row, study in enumerate(rows):
            _draw_population(left, row, study)
            _draw_finite(right, row, study)
        _finish(left, right, rows)
        legend_above(figure, _legend(), columns=3)
    return figure


_LOOK: dict[str, dict[str, Any]] = {
    "share": {"color": BLUE, "marker": "o"},
    "inconclusive": {"color": GREY, "marker": "D"},
    "do_not_share": {"color": VERMILION, "marker": "s"},
}
_DELTA: dict[str, Any] = {"linewidth": 0.8, "linestyle": "-"}
_MEAN: dict[str, Any] = {"linewidth": 2.6, "solid_capstyle": "butt", "alpha": 0.55}


def _place(study: Study) -> tuple[int, float]:
    regret = study.verdict.regret
    return ORDER.index(study.verdict.name), regret if math.isfinite(regret) else math.inf


def _draw_population(ax: Axes, row: int, study: Study) -> None:
    answer = study.optimum
    if answer.shared is not None:
        ax.plot(max(answer.regret, 0.0), row, **_population(answer.shared))


def _population(shared: bool) -> dict[str, Any]:
    face = "black" if shared else "white"
    return {
        "color": "black", "marker": "o", "linestyle": "", "markersize": 4.5,
        "markerfacecolor": face, "clip_on": False, "zorder": 4,
    }  # fmt: skip


def _draw_finite(ax: Axes, row: int, study: Study) -> None:
    verdict = study.verdict
    look = _LOOK[verdict.name]
    ax.plot(verdict.regret_interval, (row - 0.16, row - 0.16), color=look["color"], **_MEAN)
    ax.plot(verdict.regret, row - 0.16, linestyle="", markersize=4, zorder=4, **look)
    ax.plot(
        verdict.delta_interval, (row + 0.24, row + 0.24), color=look["color"], marker="|",
        markersize=4, **_DELTA,
    )  # fmt: skip
    ax.plot([verdict.epsilon] * 2, (row - 0.5, row + 0.5), **_EPSILON)


_EPSILON: dict[str, Any] = {"color": "black", "linewidth": 0.8, "linestyle": "--", "zorder": 1}


def _finish(left: Axes, right: Axes, rows: Sequence[Study]) -> None:
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
        _head(left, right, first, count, name)


def _scale_finite(ax: Axes, rows: Sequence[Study]) -> None:
    """Linear around 0, from a hundredth of epsilon on logarithmic; no regret is below 0."""
    linear = min(study.verdict.epsilon for study in rows) / 100
    ends = [
        end
        for verdict in (study.verdict for study in rows)
        for end in (verdict.epsilon, *verdict.regret_interval, *verdict.delta_interval)
    ]
    high = 1.5 * max(end for end in ends if math.isfinite(end))
    ax.set_xscale("symlog", linthresh=linear, linscale=0.5)
    ax.set(xlim=(-linear, high), xlabel="mean regret, and what it tends to")
    decades = range(math.ceil(math.log10(linear)), math.floor(math.log10(high)) + 1)
    ax.set_xticks([0, *(10.0**decade for decade in decades)])


def _head(left: Axes, right: Axes, first: int, count: int, name: str) -> None:
    """Names a group of rows at the right end, with a line over it unless it is the first."""
    for ax in (left, right):
        if first:
            ax.axhline(first - 0.5, color=GREY, linewidth=0.6)
    right.text(
        1.01, first + (count - 1) / 2, name.replace("_", " "), color=_LOOK[name]["color"],
        transform=right.get_yaxis_transform(), va="center", ha="left", fontsize=7,
        fontweight="bold", rotation=-90 if count > 3 else 0,
    )  # fmt: skip


def _name(study: Study) -> str:
    """The id, if there is one, and the name as far as there is room."""
    name = study.population.split("(")[0] if study.id else study.population
    whole = f"{study.id}  {name}" if study.id else name
    return whole if len(whole) <= NAME else f"{whole[: NAME - 1]}…"


def _legend() -> dict[str, Line2D | tuple[Line2D, ...]]:
    dot = {"linestyle": "", "markersize": 4}
    return {
        "shared in the population": Line2D([], [], **_population(True)),
        "not shared there": Line2D([], [], **_population(False)),
        "epsilon": Line2D([], [], **_EPSILON),
        "mean regret at the largest n, 95%": (
            Line2D([], [], color="black", **_MEAN),
            Line2D([], [], color="black", marker="o", **dot),
        ),
        "what it tends to, 95%": Line2D([], [], color="black", marker="|", markersize=4, **_DELTA),
    }
