import numpy as np
import pytest

import sweep
from sweep import figures
from sweep.figures import planes
from tests.support.problems import PROBLEMS


def test_landscapes_outline_the_exact_region_and_mark_the_optimum(first):
    figure = figures.landscapes(first.landscape, first.optimum)
    panels = [ax for ax in figure.axes if ax.get_xlabel() == "slope a"]
    assert len(panels) == 2
    for ax in panels:
        a, b = ax.lines[0].get_data()
        slopes = np.unique(np.round(b[a > 0] / a[a > 0], 12))
        np.testing.assert_allclose(slopes, [-1.0, -0.9, 0.0, 0.3])
        star = next(line for line in ax.lines if line.get_marker() == "*")
        assert star.get_xydata()[0] == pytest.approx([1.268, -0.654], abs=1e-3)
        assert ax.get_xlim() == pytest.approx((-5.05, 5.05))


@pytest.mark.parametrize(
    ("law", "up", "down"),
    [("W1", [0], []), ("D6", [-(0.4**0.5), 0.4**0.5], []), ("S5", [-1, 1], []), ("W2", [1], [-1])],
)
def test_the_region_of_a_population_is_outlined_be_it_a_ray_a_cone_or_a_constant(law, up, down):
    law = sweep.populations.CATALOGUE[law]
    dataset = sweep.landscape(law, "-5:5:9", "-5:5:7")
    figure = figures.landscapes(dataset, sweep.optimum(law))
    for ax in (ax for ax in figure.axes if ax.get_xlabel() == "slope a"):
        a, b = ax.lines[0].get_data()
        for side, slopes in ((a > 0, up), (a < 0, down)):
            drawn = np.unique(np.round(b[side] / a[side], 12) + 0.0)
            np.testing.assert_allclose(drawn, slopes, atol=1e-12)


@pytest.mark.parametrize("metrics", [["mcc"], ["focal(3)", "f1", "brier"]])
def test_landscapes_of_any_metrics_are_drawn(metrics, tmp_path):
    sample = sweep.data.illustration(1)
    best = sweep.optimum(sample)
    for axes in (("-3:3:7", "-2:2:5"), ("-3:3:7", "0.5")):
        dataset = sweep.landscape(sample, *axes, metrics)
        figure = figures.landscapes(dataset, best)
        figures.write(figure, tmp_path / "f.png", force=True)
        assert sum(ax.get_xlabel() == "slope a" for ax in figure.axes) == len(metrics)


def test_scales_of_counting_metrics_are_linear_and_of_losses_logarithmic():
    dataset = sweep.landscape(sweep.data.illustration(1), "-3:3:7", "-2:2:5", ["mcc", "brier"])
    norms = [type(planes.norm_of([dataset[m]])) for m in ("mcc", "brier")]
    assert [norm.__name__ for norm in norms] == ["Normalize", "LogNorm"]


def test_cells_show_every_cell_and_the_optimum(first):
    (ax,) = figures.cells(first.landscape, first.optimum).axes
    assert len(ax.lines[0].get_xdata()) == 101 * 101
    star = next(line for line in ax.lines if line.get_marker() == "*")
    assert star.get_xydata()[0] == pytest.approx([0.58240817586, 0.6])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_small_multiples_fit_a_page_with_labels_only_outside(first, count, tmp_path):
    columns = [(f"n = {k}", first.landscape, first.optimum) for k in range(count)]
    figure = figures.small_multiples(columns)
    assert figure.get_size_inches()[0] == pytest.approx(min(7, 1.6 + 1.8 * count))
    panels = [ax for ax in figure.axes if ax.get_title() or ax.get_xlabel()]
    assert [bool(ax.get_ylabel()) for ax in panels] == ([True] + [False] * (count - 1)) * 2
    assert [bool(ax.get_xlabel()) for ax in panels] == [False] * count + [True] * count
    figures.write(figure, tmp_path / "f.png")


def test_a_long_label_stays_in_its_row():
    sample = sweep.data.illustration(1)
    metrics = ["penalised_cross_entropy(l1=0.1,l2=0.1)", "accuracy"]
    dataset = sweep.landscape(sample, "-2:2:5", "-2:2:5", metrics)
    best = sweep.optimum(sample)
    figure = figures.small_multiples([(f"n = {k}", dataset, best) for k in range(5)])
    figure.draw_without_rendering()
    first, _, *_ = (ax for ax in figure.axes if ax.get_label() == "<colorbar>")
    label = first.yaxis.label.get_window_extent()
    bar = first.get_window_extent()
    assert "0.1" in first.get_ylabel()
    assert label.height <= 1.1 * bar.height


def test_an_optimum_beyond_the_axes_is_pointed_at():
    sample = sweep.data.illustration(2)  # least at (0.95, 0.42)
    best = sweep.optimum(sample)
    columns = [
        (name, sweep.landscape(sample, *axes), best)
        for name, axes in {
            "inside": ("-2:2:5", "-2:2:5"),
            "b above": ("-2:2:5", "-2:0:5"),
            "a below": ("1.5:5:5", "-2:2:5"),
            "both": ("1e1:1e2:5:log", "1:2:5"),
        }.items()
    ]
    figure = figures.small_multiples(columns)
    words = [[text.get_text() for text in ax.texts if text.get_text()] for ax in figure.axes[:4]]
    assert words == [[], ["b = 0.418"], ["a = 0.955"], ["a = 0.955\nb = 0.418"]]
    ends = [text.xy for ax in figure.axes[1:4] for text in ax.texts if not text.get_text()]
    assert [end[1] for end in ends[:1]] == [1.0]
    assert ends[1][0] == 0.0
    assert ends[2] == (0.0, 0.0)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "edges of highest accuracy",
        "least cross-entropy",
        "least cross-entropy, beyond the axes",
    ]


def test_small_multiples_have_a_column_an_illustration(first):
    columns = [("n = 5", first.landscape, first.optimum)] * 3
    figure = figures.small_multiples(columns)
    assert [ax.get_title() for ax in figure.axes[:3]] == ["n = 5"] * 3
    assert len(figure.axes) == 6 + 2


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name != "empty"])
def test_every_kind_of_optimum_is_drawn(name, tmp_path):
    sample = PROBLEMS[name].sample
    best = sweep.optimum(sample)
    dataset = sweep.landscape(sample, "-3:3:7", "-2:2:5")
    for k, figure in enumerate(
        (
            figures.sample(sample, best),
            figures.landscapes(dataset, best),
            figures.cells(dataset, best),
        )
    ):
        figures.write(figure, tmp_path / f"{k}.png")
        stars = [line for ax in figure.axes for line in ax.lines if line.get_marker() == "*"]
        words = [text.get_text() for ax in figure.axes for text in ax.texts if text.get_text()]
        expected = (0, 2, 1)[k] if PROBLEMS[name].status == "finite" else 0
        if k == 1:  # beyond the axes an arrow with coordinates, without an optimum words
            assert len(stars) + len(words) == 2
            assert all(" = " in word or "optimum" in word for word in words)
        else:
            assert len(stars) == expected
        assert all(np.isfinite(star.get_xydata()).all() for star in stars)


@pytest.mark.parametrize(
    ("a", "b"),
    [("5:-5:9", "2,-1,0.5"), ("1e-2:1e2:9:log", "0:1:4"), (1.0, "0:1:9"), ("0:1:9", 1.0), (0, 0)],
)
def test_axes_of_every_kind_are_drawn(a, b, tmp_path):
    sample = sweep.data.illustration(2)
    dataset = sweep.landscape(sample, a, b)
    figures.write(figures.landscapes(dataset, sweep.optimum(sample)), tmp_path / "f.png")


def test_geometric_axes_are_drawn_to_scale():
    sample = sweep.data.illustration(2)
    dataset = sweep.landscape(sample, "1e-2:1e2:9:log", "-1:1:5")
    ax = figures.landscapes(dataset, sweep.optimum(sample)).axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
