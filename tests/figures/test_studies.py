"""Figures of studies, from records that are made up: what is drawn is what they say."""

import numpy as np
import pytest

from sweep import figures
from tests.support import studies


def _legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def _lines(ax, style):
    """Lines of a style that are of no legend and no error bar."""
    return [line for line in ax.lines if line.get_linestyle() == style]


@pytest.mark.parametrize("limits", [studies.SHARED, studies.NOT_SHARED, studies.CONSTANT])
def test_rates_draw_every_mean_and_fit_a_page(limits, tmp_path):
    study = studies.study(limits)
    figure = figures.rates(study)
    cuts, regrets = figure.axes
    assert (cuts.get_xscale(), cuts.get_yscale()) == ("log", "log")
    assert cuts.get_xlabel() == "points n"
    assert "unit of x" in cuts.get_ylabel()
    assert "fraction" in regrets.get_ylabel()
    for ax, names in ((cuts, 2), (regrets, 3)):
        drawn = sum(
            len(line.get_xdata()) for line in ax.lines if line.get_marker() in ("o", "s", "^")
        )
        assert drawn == names * len(studies.SIZES)
    figures.write(figure, tmp_path / "f.png")
    assert figure.get_size_inches()[0] == 7


def test_lines_are_those_of_theory_where_it_has_the_constant():
    cuts, regrets = figures.rates(studies.study(studies.SHARED)).axes
    assert len(_lines(cuts, "--")) == 2
    first = _lines(cuts, "--")[0]
    np.testing.assert_allclose(first.get_ydata(), 1.66 * first.get_xdata() ** -0.5)
    gap = _lines(regrets, "--")[-1]
    n = gap.get_xdata()
    np.testing.assert_allclose(gap.get_ydata(), 0.996 * n ** (-2 / 3) - 1.041 / n)
    assert r"$0.996\,n^{-2/3} - 1.04\,n^{-1}$ in theory" in _legend(regrets)[2]
    assert "slope \u22120.500 ± 0.008" in _legend(cuts)[0]


def test_lines_without_a_constant_in_theory_are_fitted_and_limits_horizontal():
    cuts, regrets = figures.rates(studies.study(studies.NOT_SHARED)).axes
    (fitted,) = _lines(cuts, ":")
    np.testing.assert_allclose(fitted.get_ydata(), 0.8 * fitted.get_xdata() ** (-1 / 3))
    assert "fitted" in _legend(cuts)[1]
    assert np.ptp(_lines(regrets, "--")[0].get_ydata()) == 0
    assert "0.0123$ in the limit" in _legend(regrets)[0]


def test_means_of_zero_stand_hollow_at_the_end_of_the_axis():
    _, regrets = figures.rates(studies.study(studies.CONSTANT)).axes
    assert "no power of n" in _legend(regrets)[0]
    assert "hollow" in _legend(regrets)[-1]
    hollow = [line for line in regrets.lines if line.get_markerfacecolor() == "white"]
    assert {y for line in hollow for y in line.get_ydata()} == {regrets.get_ylim()[0]}
    assert "hollow" not in _legend(figures.rates(studies.study()).axes[1])[-1]


def _three():
    do_not = {"regret_interval": (0.011, 0.013), "delta_interval": (0.01, 0.012), "regret": 0.012}
    return [
        studies.study(name="do_not_share", law="normal_cloglog(a=2)", law_id="D1", **do_not),
        studies.study(),
        studies.study(name="inconclusive", law="a law of mine with a very long name", law_id=None),
    ]


def test_verdicts_have_a_row_a_law_by_verdict():
    left, right = figures.verdicts(_three()).axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == [
        "W1  uniform_logit",
        "a law of mine with a very lon…",
        "D1  normal_cloglog",
    ]
    words = {text.get_text(): text.get_position()[1] for text in right.texts}
    assert words == {"share": 0, "inconclusive": 1, "do not share": 2}
    assert left.get_ylim() == (2.5, -0.5)
    assert (left.get_xscale(), right.get_xscale()) == ("symlog", "symlog")


def test_verdicts_draw_both_answers_apart(tmp_path):
    figure = figures.verdicts(_three())
    left, right = figure.axes
    marks = {line.get_ydata()[0]: line for line in left.lines if len(line.get_xdata()) == 1}
    assert [marks[row].get_xdata()[0] for row in range(3)] == [0, 0, 0.012]
    assert [marks[row].get_markerfacecolor() for row in (0, 2)] == ["black", "white"]
    ends = [tuple(line.get_xdata()) for line in right.lines if len(line.get_xdata()) == 2]
    assert (0.011, 0.013) in ends
    assert (0.01, 0.012) in ends
    assert ends.count((1e-3, 1e-3)) == 3
    shapes = {line.get_marker() for line in right.lines} & {"o", "D", "s"}
    assert len(shapes) == 3  # no verdict rests on colour alone
    figures.write(figure, tmp_path / "f.png")


def test_a_law_without_an_optimum_has_no_mark_for_the_population():
    left, _ = figures.verdicts([studies.study(shared=None, regret=float("nan"))]).axes
    assert not [line for line in left.lines if len(line.get_xdata()) == 1]
