import numpy as np
import pytest

import sweep
from sweep import Sample, figures


def _lines(ax):
    return [(line.get_linestyle(), line.get_xdata(), line.get_ydata()) for line in ax.lines]


def test_sample_figure_shows_points_sigmoid_and_both_kinds_of_cut(first):
    figure = figures.sample(first.sample, first.optimum)
    (ax,) = figure.axes
    assert len(ax.collections[0].get_offsets()) == 5
    dashed = [x for style, x, _ in _lines(ax) if style == "--"]
    assert dashed == [[first.optimum.cross_entropy.cut] * 2]
    dotted = sorted(x[0] for style, x, _ in _lines(ax) if style == ":")
    assert dotted == [-0.15, 0.95]
    sigmoid = next(y for style, x, y in _lines(ax) if style == "-")
    assert 0 < min(sigmoid) < 0.5 < max(sigmoid) < 1
    assert ax.get_xlabel() == "x"


def test_slices_show_both_metrics_with_units(first):
    figure = figures.slices(first.along_b, first.along_a, first.optimum)
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == ["cross-entropy (nats)"] * 2 + ["accuracy"] * 2
    assert [ax.get_xlabel() for ax in figure.axes[:2]] == ["intercept b", "slope a"]
    assert max(figure.axes[2].lines[0].get_ydata()) == 0.8


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_large_samples_are_drawn_as_histograms_of_mass(labels):
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    y = rng.integers(0, 2, 1000) if labels == "hard" else 1 / (1 + np.exp(-x))
    sample = Sample(x, y, rng.uniform(size=1000))
    (ax,) = figures.sample(sample, sweep.optimum(sample)).axes
    heights = np.array([bar.get_height() for bar in ax.patches[:80]])
    lower, upper = heights[:40].sum(), -heights[40:].sum()
    mass = np.sum(sample.weight * (1 - sample.y)), np.sum(sample.weight * sample.y)
    assert lower / upper == pytest.approx(mass[0] / mass[1])
    assert len(ax.collections) == 0
