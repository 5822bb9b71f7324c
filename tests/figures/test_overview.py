from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from sweep import figures
from sweep.diagnosis import curves
from sweep.diagnosis.report import Estimate, Finding, JudgedFit
from sweep.figures.overview import label_probabilities
from tests.support.predicted import calibrated, diagnosed, predictions


def _overconfident(n=300, classes=None):
    z, y = calibrated(n)
    return diagnosed(predictions(3 * z + 1, y, classes=classes))


def _several(n=300):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 4)) * 2
    return diagnosed(predictions(2 * z, (z + rng.gumbel(size=z.shape)).argmax(axis=1)))


@pytest.fixture(scope="module")
def binary():
    diagnosis = _overconfident()
    return diagnosis, figures.diagnosis(diagnosis)


def _axes(figure, label):
    return [ax for ax in figure.axes if label in ax.get_xlabel()]


def _line(ax, colour):
    return next(line for line in ax.lines if line.get_color() == colour)


def _all_legend_texts(figure):
    legends = [legend for part in figure.subfigs for legend in part.legends]
    legends += [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def test_a_figure_is_two_columns_wide_and_fits_a_page(binary):
    width, height = binary[1].get_size_inches()
    assert width == 7
    assert height < 9


def test_landscapes_show_the_classifier_the_optimum_and_the_cone(binary):
    diagnosis, figure = binary
    panels = [ax for ax in _axes(figure, "slope a") if ax.get_ylabel() == "intercept b"]
    assert len(panels) == 2
    for ax in panels:
        marks = {line.get_marker(): line.get_xydata()[0].tolist() for line in ax.lines}
        assert marks["o"] == [1, 0]
        assert marks["*"] == list(curves.optimal(diagnosis))
        low, high, up = diagnosis.optimum.accuracy.cuts[0]
        a, b = ax.lines[0].get_data()
        slopes = np.unique(np.round(b[a > 0] / a[a > 0], 9))
        assert up == 1
        assert {round(-low, 9), round(-high, 9)} <= set(slopes.tolist())


def test_a_foreign_fit_is_marked_and_named():
    fit = JudgedFit(0.8, 0.5, 0.4, 0.1, "platt", 0.3, -0.2, "off", "off")
    figure = figures.diagnosis(replace(_overconfident(), fit=fit))
    diamonds = [
        line.get_xydata()[0].tolist()
        for ax in figure.axes
        for line in ax.lines
        if line.get_marker() == "D"
    ]
    assert diamonds == [[0.8, 0.5]] * 2
    assert "the given fit" in _all_legend_texts(figure)


def test_thresholds_run_upwards_and_mark_the_best(binary):
    diagnosis, figure = binary
    (ax,) = _axes(figure, "threshold of the probability")
    words = [float(text.get_text()) for text in ax.get_xticklabels()]
    assert sorted(words) == [0.01, 0.1, 0.5, 0.9, 0.99]
    np.testing.assert_allclose(1 / (1 + np.exp(-ax.get_xticks())), words)
    dotted = next(line for line in ax.lines if line.get_linestyle() == ":")
    assert dotted.get_xdata()[0] == curves.best_cut(diagnosis)
    (other,) = (
        twin for twin in figure.axes if twin is not ax and twin.bbox.bounds == ax.bbox.bounds
    )
    at, accuracy = other.lines[0].get_data()
    z, y = diagnosis.predictions.logits, diagnosis.predictions.y
    for k in (0, 60, 150):
        assert accuracy[k] == pytest.approx(np.mean((z > at[k]) == y), abs=1 / len(y) + 1e-9)


def test_probabilities_label_a_logit_of_any_reach():
    for largest, words in (
        (5.0, "0.99"),
        (8.0, "0.99"),
        (60.0, "$1-10^{-13}$"),
        (900, "10^{-195}"),
    ):
        ax = Figure().add_subplot()
        label_probabilities(ax, largest)
        texts = [text.get_text() for text in ax.get_xticklabels()]
        assert any(words in text for text in texts), texts
        assert len(texts) == 5
        assert np.abs(ax.get_xticks()).max() <= largest + 0.01


def test_losses_are_counted_by_class_with_the_worst_marked(binary):
    diagnosis, figure = binary
    (ax,) = _axes(figure, "loss (nats)")
    assert ax.get_yscale() == "log"
    drawn = [patch.get_data().values for patch in ax.patches]
    counts = curves.loss_histogram(diagnosis).counts
    assert [values.tolist() for values in drawn] == [counts[k].tolist() for k in (0, 0, 1, 1)]
    marks = next(line for line in ax.lines if line.get_marker() == "v")
    assert marks.get_xdata().tolist() == [sample.loss for sample in diagnosis.worst[:5]]
    assert f"row {diagnosis.worst[0].row}" in [text.get_text() for text in ax.texts]


def test_samples_that_dominate_are_the_ones_marked():
    diagnosis = _overconfident()
    rows = [sample.row for sample in diagnosis.worst[:2]]
    finding = Finding("few_samples_dominate", "critical", "s", "a", {"rows": rows})
    (ax,) = _axes(figures.diagnosis(replace(diagnosis, findings=(finding,))), "loss (nats)")
    marks = next(line for line in ax.lines if line.get_marker() == "v")
    assert len(marks.get_xdata()) == 2
    assert marks.get_label() == "worst 2"


def test_shares_and_reliability_are_drawn_before_and_after(binary):
    diagnosis, figure = binary
    (lorenz,) = _axes(figure, "share of the samples")
    curve = curves.lorenz(diagnosis)
    np.testing.assert_array_equal(lorenz.lines[1].get_xydata().T, [curve.samples, curve.loss])
    assert f"Gini {diagnosis.concentration.gini.value:.2f}" in lorenz.texts[0].get_text()
    (ax,) = _axes(figure, "probability of class 1")
    before, after = (
        curves.reliability(diagnosis),
        curves.reliability(diagnosis, *curves.optimal(diagnosis)),
    )
    lines = [line for line in ax.lines if line.get_marker() in ("o", "*")]
    for line, curve in zip(lines, (before, after), strict=True):
        np.testing.assert_array_equal(line.get_xydata().T, [curve.predicted, curve.observed])


def test_several_classes_have_a_landscape_over_the_slope(tmp_path):
    figure = figures.diagnosis(_several())
    assert not _axes(figure, "threshold")
    (ax,) = _axes(figure, "slope a of softmax(a z)")
    line = next(line for line in ax.lines if len(line.get_xdata()) > 2)
    expected = curves.along_slope(_several())
    np.testing.assert_array_equal(line.get_ydata(), expected.cross_entropy)
    assert _axes(figure, "largest probability")
    assert "all classes" in _all_legend_texts(figure)
    figures.write(figure, tmp_path / "f.png")


def _hard():
    z, y = calibrated(60)
    extreme = z.copy()
    extreme[:2] = [800.0, -800.0]
    return {
        "separated": (np.arange(-5, 5) + 0.5, np.arange(-5, 5) > 1),
        "constant": (np.zeros(20), np.arange(20) % 2),
        "reversed": (-z, y),
        "wrong beyond measure": (extreme, np.r_[0, 1, y[2:]]),
        "steep": (1e4 * z, y),
        "flat": (1e-4 * z, y),
        "shifted": (z + 50, y),
        "no loss": (np.array([-800.0, 800.0] * 6), np.array([0, 1] * 6)),
        "rare": calibrated(500, 1, 1.0, -4.0),
    }


@pytest.mark.parametrize("name", _hard())
def test_whatever_the_logits_are_there_is_a_figure(name, tmp_path):
    diagnosis = diagnosed(predictions(*_hard()[name]))
    if name == "no loss":
        none = Estimate.without(np.nan, "no loss")
        shares = replace(diagnosis.concentration, gini=none, worst_1_percent=none)
        diagnosis = replace(diagnosis, concentration=shares)
    figure = figures.diagnosis(diagnosis)
    figures.write(figure, tmp_path / "f.png")
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert not any("nan" in text for text in (*texts, figure.get_suptitle()))


def test_names_of_classes_are_words_and_no_mathematics(tmp_path):
    figure = figures.diagnosis(_overconfident(60, ("$x_", "a name that is much too long")))
    texts = _all_legend_texts(figure)
    assert r"class \$x_" in texts
    assert "class a name that…" in texts
    figures.write(figure, tmp_path / "f.png")


def test_the_same_diagnosis_is_the_same_file(binary, tmp_path):
    for name in ("one.png", "two.png"):
        figures.write(figures.diagnosis(binary[0]), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
