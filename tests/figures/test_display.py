import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import sweep
from sweep import InputError, LandscapeDisplay
from tests.support.predicted import calibrated

SMALL = {"a": "-1:2:7", "b": "-2:2:5"}


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def task():
    X, y = make_classification(120, 5, random_state=0, flip_y=0.2)
    return X[:60], y[:60], X[60:], y[60:]


def _panels(figure):
    return [ax for ax in figure.axes if ax.get_xlabel() == "slope a"]


def test_without_axes_the_pair_is_drawn_on_a_figure_of_pyplot():
    display = LandscapeDisplay.from_predictions(*reversed(calibrated(50)), **SMALL)
    assert display.figure_ is pyplot.gcf()
    assert display.axes_.tolist() == _panels(display.figure_)
    assert display.ax_ is display.axes_[0]
    assert len(display.axes_) == 2
    (legend,) = display.figure_.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["as it is, (1, 0)", "edges of highest accuracy", "least cross-entropy"]


def test_the_classifier_and_both_optima_are_marked():
    z, y = calibrated(300)
    display = LandscapeDisplay.from_predictions(y, 2 * z)
    best = sweep.optimum(sweep.Sample(2 * z, y))
    for ax in display.axes_:
        points = {line.get_marker(): line.get_xydata()[0] for line in ax.lines[-2:]}
        assert points["o"].tolist() == [1, 0]
        assert points["*"] == pytest.approx([best.cross_entropy.a, best.cross_entropy.b])
        low, high = ax.get_xlim()
        assert low < 0 < 1 < high


def test_on_axes_of_the_users_one_metric_is_drawn_and_nothing_else_is_touched():
    figure, axes = pyplot.subplots(1, 2, figsize=(5, 2))
    size = figure.get_size_inches().tolist()
    style = dict(matplotlib.rcParams)
    z, y = calibrated(50)
    display = LandscapeDisplay.from_predictions(y, z, ax=axes[1], colorbar=False, **SMALL)
    assert display.figure_ is figure
    assert (display.ax_, display.axes_.tolist()) == (axes[1], [axes[1]])
    assert axes[1].get_title(loc="left") == "cross-entropy (nats)"
    assert [handle.get_label() for handle in axes[1].get_legend_handles_labels()[0]] == [
        "edges of highest accuracy",
        "least cross-entropy",
        "the classifier as it is, (1, 0)",
    ]
    assert not axes[0].has_data()
    assert not figure.legends
    assert figure.get_size_inches().tolist() == size
    assert len(figure.axes) == 2
    assert pyplot.fignum_exists(figure.number)
    assert dict(matplotlib.rcParams) == style
    again = display.plot(axes[0], metric="accuracy")
    assert again is display
    assert display.ax_ is axes[0]
    assert figure.axes[-1].get_ylabel() == "accuracy"


def test_two_axes_get_the_pair_also_of_a_figure_without_pyplot():
    figure = Figure()
    axes = figure.subplots(2, 1)
    z, y = calibrated(50)
    display = LandscapeDisplay.from_predictions(y, z, ax=axes, **SMALL)
    assert display.axes_.tolist() == axes.tolist()
    assert [ax.get_ylabel() for ax in figure.axes[2:]] == ["cross-entropy (nats)", "accuracy"]
    assert not pyplot.get_fignums()


def test_any_metric_is_drawn_by_its_name_with_the_users_colours():
    z, y = calibrated(50)
    display = LandscapeDisplay.from_predictions(y, z, metric="focal(3)", cmap="magma", **SMALL)
    (ax,) = display.axes_
    assert ax.collections[0].get_cmap().name == "magma"
    assert "focal" in display.figure_.axes[1].get_ylabel()
    assert "focal(gamma=3.0)" in display.frame() or "focal(gamma=3)" in display.frame()
    display.plot(metric="cross_entropy", vmin=0.0, vmax=1.0)
    assert display.ax_.collections[0].get_clim() == (0, 1)


def test_the_frame_is_the_landscape_in_long_form():
    z, y = calibrated(50)
    frame = LandscapeDisplay.from_predictions(y, z, **SMALL).frame()
    assert list(frame.columns) == ["a", "b", "cross_entropy", "accuracy"]
    assert len(frame) == 35
    for row in frame.iloc[[0, 13, 34]].itertuples():
        p = 1 / (1 + np.exp(-(row.a * z + row.b)))
        assert row.cross_entropy == pytest.approx(log_loss(y, p), rel=1e-8)
        assert row.accuracy == np.mean((p > 0.5) == y)


def test_labels_and_weights_are_those_of_scikit_learn():
    z, y = calibrated(50)
    weight = np.random.default_rng(0).uniform(0, 2, 50)
    words = pd.Series(np.where(y == 1, "ill", "well"), index=range(50, 100))
    named = LandscapeDisplay.from_predictions(
        words, pd.Series(z), sample_weight=weight, pos_label="ill", **SMALL
    ).frame()
    row = named[(named.a == 1.0) & (named.b == 0.0)]
    p = 1 / (1 + np.exp(-z))
    expected = log_loss(y, p, sample_weight=weight)
    assert row.cross_entropy.item() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        GaussianNB(),
        RandomForestClassifier(20, max_depth=3, random_state=0),
        SVC(),
        make_pipeline(StandardScaler(), GaussianNB()),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda estimator: type(getattr(estimator, "steps", [[0, estimator]])[-1][1]).__name__,
)
@pytest.mark.parametrize("pos_label", [None, 0])
def test_from_estimator_draws_what_the_estimator_predicts(task, estimator, pos_label):
    X, y, validation, truth = task
    estimator.fit(X, y)
    display = LandscapeDisplay.from_estimator(
        estimator, validation, truth, pos_label=pos_label, a="0.5,1", b="0,0.5"
    )
    value = display.dataset.cross_entropy.sel(a=1.0, b=0.0).item()
    if isinstance(estimator, SVC):
        p = 1 / (1 + np.exp(-estimator.decision_function(validation)))
    else:
        p = estimator.predict_proba(validation)[:, 1]
    assert value == pytest.approx(log_loss(truth, p), rel=1e-7)


@pytest.mark.parametrize("method", ["decision_function", "predict_log_proba", "predict_proba"])
def test_every_response_method_is_the_same(task, method):
    X, y, validation, truth = task
    estimator = LogisticRegression().fit(X, np.where(y == 1, "yes", "no"))
    words = np.where(truth == 1, "yes", "no")
    for pos_label in (None, "no"):
        ours, theirs = (
            LandscapeDisplay.from_estimator(
                estimator, validation, words, pos_label=pos_label, response_method=name, **SMALL
            ).frame()
            for name in (method, "auto")
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_probabilities_of_exactly_zero_are_drawn_as_scikit_learn_scores_them(task):
    X, y, validation, truth = task
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    p = forest.predict_proba(validation)
    assert (p == 0).any()
    display = LandscapeDisplay.from_estimator(forest, validation, truth, a="0.5,1", b="0,1")
    value = display.dataset.cross_entropy.sel(a=1.0, b=0.0).item()
    assert value == pytest.approx(log_loss(truth, p), rel=1e-7)


class _Odd:
    """A classifier as duck typing knows one."""

    def __init__(self, classes, response):
        self.classes_, self.response = np.array(classes), response

    def decision_function(self, X):
        return self.response


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("LinearRegression has no classes_", lambda X, y: (LinearRegression().fit(X, y), X, y, {})),
        ("has no classes_", lambda X, y: (LogisticRegression(), X, y, {})),
        ("has no classes_", lambda X, y: (make_pipeline(LogisticRegression()), X, y, {})),
        ("_Odd has 2 outputs", lambda X, y: (_Odd([[0, 1], [0, 1]], y), X, y, {})),
        (
            "has 3 classes, and a landscape",
            lambda X, y: (LogisticRegression().fit(X, np.arange(len(y)) % 3), X, y, {}),
        ),
        (
            "pos_label is 7; LogisticRegression knows the labels 0 and 1",
            lambda X, y: (LogisticRegression().fit(X, y), X, y, {"pos_label": 7}),
        ),
        (
            "response_method is 'predict'; use auto, decision_function",
            lambda X, y: (LogisticRegression().fit(X, y), X, y, {"response_method": "predict"}),
        ),
        (
            "GaussianNB has no decision_function",
            lambda X, y: (GaussianNB().fit(X, y), X, y, {"response_method": "decision_function"}),
        ),
    ],
)
def test_estimators_that_are_not_for_this_are_refused_in_one_sentence(task, words, call):
    estimator, X, y, options = call(*task[:2])
    with pytest.raises(InputError, match=words) as caught:
        LandscapeDisplay.from_estimator(estimator, X, y, **options)
    assert "\n" not in str(caught.value)
    assert not pyplot.get_fignums()


def test_classifiers_need_no_scikit_learn():
    z, y = calibrated(40)
    plain = LandscapeDisplay.from_estimator(_Odd([0, 1], z), None, y, **SMALL).frame()
    two = LandscapeDisplay.from_estimator(
        _Odd([0, 1], np.stack([0 * z, z], axis=1)), None, y, pos_label=0, **SMALL
    )
    assert two.dataset.sizes == {"a": 7, "b": 5}
    flipped = two.frame()
    X = np.zeros(40)
    shares = _Odd([0, 1], z)
    shares.predict_proba = lambda X: 1 / (1 + np.exp(-z))
    third = LandscapeDisplay.from_estimator(
        shares, X, y, pos_label=0, response_method="predict_proba", **SMALL
    )
    np.testing.assert_allclose(third.frame(), flipped, rtol=1e-6)
    here, there = (frame[(frame.a == 1.0) & (frame.b == 0)] for frame in (plain, flipped))
    assert here.cross_entropy.item() == pytest.approx(there.cross_entropy.item(), rel=1e-9)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("of one slope", {"a": 1.0, "b": "0:1:3"}),
        ("no .*nonsense", SMALL | {"metric": "nonsense"}),
    ],
)
def test_what_cannot_be_drawn_is_refused(words, options):
    z, y = calibrated(40)
    with pytest.raises(InputError, match=words):
        LandscapeDisplay.from_predictions(y, z, **options)
    assert not pyplot.get_fignums()


def test_axes_that_do_not_fit_the_metrics_are_refused():
    z, y = calibrated(40)
    display = LandscapeDisplay.from_predictions(y, z, **SMALL)
    _, axes = pyplot.subplots(1, 3)
    with pytest.raises(InputError, match="ax holds 3 axes"):
        display.plot(axes)
    with pytest.raises(InputError, match="ax holds 2 axes"):
        display.plot(axes[:2], metric="accuracy")
    with pytest.raises(InputError, match="no brier in this display; it has"):
        display.plot(metric="brier")


def test_several_classes_are_refused_and_sent_elsewhere():
    z = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(InputError, match=r"3 classes, .* use sweep\.diagnose for several"):
        LandscapeDisplay.from_predictions(np.arange(40) % 3, z)
