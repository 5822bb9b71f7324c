"""LandscapeDisplay: the landscape of a classifier, by the conventions of scikit-learn's displays.

An estimator is any object with `classes_` and one of the methods in `RESPONSES`; scikit-learn
itself is not needed. The figure is pyplot's, as users of displays expect, or that of given axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.predictions import Predictions
from sweep.diagnosis.curves import axes_around
from sweep.figures.optima import optimum_legend
from sweep.figures.overview import AS_IT_IS, draw_recalibrations
from sweep.figures.style import STYLE, axis_label, in_style, legend_above
from sweep.landscapes.landscape import landscape
from sweep.metrics.metrics import metric as metric_of
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum

if TYPE_CHECKING:  # they take 0.3 s each to load
    import pandas as pd
    import xarray as xr

CELLS = 101  # cells on an axis that was not given
PAIR = ("cross_entropy", "accuracy")  # the metrics that are drawn beside each other

# Methods of a classifier that give logits or probabilities; the first available one is used.
RESPONSES = ("decision_function", "predict_log_proba", "predict_proba")


class LandscapeDisplay:
    """Metrics of sigmoid(a*z + b) over (a, b), where z are the logits of a classifier.

    The classifier itself is at (1, 0). Create a display with `from_estimator` or
    `from_predictions`; the parameters are stored as attributes.

    Args:
        dataset: a landscape, the result of `sweep.landscape`.
        best: the optimum of the same data.

    Attributes:
        ax_: the axes; the first ones of a pair.
        axes_: all axes that were drawn on, shape (m,).
        figure_: the figure of these axes.
    """

    ax_: Any
    axes_: np.ndarray
    figure_: Any

    def __init__(self, dataset: xr.Dataset, best: Optimum) -> None:
        self.dataset = dataset
        self.best = best

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        logits: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        a: str | ArrayLike | None = None,
        b: str | ArrayLike | None = None,
        metric: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> LandscapeDisplay:
        """Draws the landscape of validation logits.

        Args:
            y_true: labels, shape (n,), of two classes.
            logits: logits of class 1, shape (n,); or one logit for each class, shape (n, 2), such
                as log-probabilities.
            sample_weight: weights >= 0, shape (n,).
            pos_label: the label that is class 1; not needed for 0 and 1.
            a: slopes, as in `sweep.landscape`; None chooses a range around the classifier and the
                optimum.
            b: intercepts, in the same way.
            metric: the metric to draw, a name as in `sweep.landscape`; None for cross-entropy, with
                accuracy beside it if there are two axes.
            ax: axes to draw on, or a sequence of two for the pair; None makes a figure.
            **kwargs: further arguments of `plot`.

        Returns:
            The display, drawn.

        Raises:
            InputError: the data do not have two classes, or as for `sweep.landscape`.
        """
        predictions = Predictions.of(y_true, logits, sample_weight, pos_label=pos_label)
        return cls._of(predictions, a, b, metric).plot(ax, metric=metric, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        response_method: str = "auto",
        a: str | ArrayLike | None = None,
        b: str | ArrayLike | None = None,
        metric: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> LandscapeDisplay:
        """Draws the landscape of a fitted classifier on data that it was not fitted to.

        Args:
            estimator: a fitted classifier of two classes, or a pipeline that ends in one.
            X: its input, shape (n, features).
            y: labels, shape (n,).
            sample_weight: weights >= 0, shape (n,).
            pos_label: the label that is class 1; None for `estimator.classes_[1]`.
            response_method: "decision_function", "predict_log_proba", "predict_proba", or "auto"
                for the first of them that the estimator has.
            a: slopes, as in `from_predictions`.
            b: intercepts, likewise.
            metric: as in `from_predictions`.
            ax: as in `from_predictions`.
            **kwargs: further arguments of `plot`.

        Returns:
            The display, drawn.

        Raises:
            InputError: the estimator is no fitted classifier of two classes, lacks the method or
                the label, or as for `from_predictions`.
        """
        predictions = _predicted(estimator, X, y, sample_weight, pos_label, response_method)
        return cls._of(predictions, a, b, metric).plot(ax, metric=metric, **kwargs)

    @classmethod
    def _of(
        cls,
        predictions: Predictions,
        a: str | ArrayLike | None,
        b: str | ArrayLike | None,
        metric: str | None,
    ) -> LandscapeDisplay:
        """The display of validated predictions, not yet drawn."""
        if not predictions.binary:
            raise InputError(
                f"there are {len(predictions.classes)} classes, and a landscape over (a, b) is for "
                "two; use sweep.diagnose for several"
            )
        best = optimum(predictions.sample)
        metrics = [*PAIR] if metric is None else [*PAIR, _full_name(metric)]
        slopes, intercepts = axes_around((best.cross_entropy.a, best.cross_entropy.b), CELLS)
        a, b = slopes if a is None else a, intercepts if b is None else b
        return cls(landscape(predictions.sample, a, b, metrics), best)

    def plot(
        self, ax: Any = None, *, metric: str | None = None, colorbar: bool = True, **kwargs: Any
    ) -> LandscapeDisplay:
        """Draws the display.

        Args:
            ax: axes to draw on, or a sequence of two for cross-entropy and accuracy; None makes a
                figure with pyplot, with both metrics unless one is named.
            metric: the metric to draw; None draws cross-entropy on single axes.
            colorbar: whether to put a colour bar beside each landscape.
            **kwargs: further arguments of matplotlib's `pcolormesh`.

        Returns:
            This display, with `ax_`, `axes_` and `figure_`.

        Raises:
            InputError: the metric is unknown, or cannot be drawn on these axes.
        """
        axes = None if ax is None else np.asarray(ax, dtype=object).ravel()
        names = self._names(metric, axes)
        self.axes_ = _pyplot_axes(len(names)) if axes is None else axes
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        with matplotlib.rc_context(STYLE if axes is None else {}):
            for ax, name in zip(self.axes_, names, strict=True):
                values, side = self.dataset[name], "right" if colorbar else ""
                draw_recalibrations(ax, values, self.best, bar=side, **kwargs)
                if not colorbar:
                    ax.set_title(axis_label(values), loc="left")
            if axes is None:
                legend = {"as it is, (1, 0)": AS_IT_IS}
                legend |= optimum_legend([(self.ax_, self.best)])
                legend_above(self.figure_, legend, columns=1 if len(names) == 1 else 3)
        return self

    def _names(self, metric: str | None, axes: np.ndarray | None) -> tuple[str, ...]:
        """The metrics to draw, one for each of the axes."""
        if min(self.dataset.sizes["a"], self.dataset.sizes["b"]) < 2:
            raise InputError(
                "a landscape of one slope or one intercept is a line; give two or more of each"
            )
        name = None if metric is None else _full_name(metric)
        if name is not None and name not in self.dataset:
            available = ", ".join(map(str, self.dataset.data_vars))
            raise InputError(f"there is no {name} in this display; it has {available}")
        most = len(PAIR) if name is None else 1
        if axes is None:
            return PAIR if name is None else (name,)
        if not 1 <= len(axes) <= most:
            raise InputError(
                f"ax holds {len(axes)} axes; give one for one metric, or two and no metric for "
                "cross_entropy and accuracy"
            )
        return PAIR if len(axes) == len(PAIR) else (name or PAIR[0],)

    def frame(self) -> pd.DataFrame:
        """The landscape in long form: columns a, b and the metrics, one row for each cell."""
        names = [name for name in self.dataset.data_vars if name != "correct"]
        return self.dataset[names].to_dataframe(dim_order=["a", "b"]).reset_index()


def _full_name(metric: str) -> str:
    """The name of a metric in a landscape: focal(3) becomes focal(gamma=3)."""
    return metric_of(metric).name


@in_style
def _pyplot_axes(count: int) -> np.ndarray:
    """Axes beside each other, shape (count,), of a new figure that pyplot knows and shows."""
    from matplotlib import pyplot  # loads slowly, and users of their own axes do not need it

    return pyplot.subplots(1, count, figsize=(3.5 * count, 3.3), squeeze=False)[1][0]


# --- the predictions of an estimator ------------------------------------------------------------


def _predicted(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    pos_label: Any,
    response_method: str,
) -> Predictions:
    """What an estimator predicts, as validated predictions."""
    classes = _two_classes(estimator)
    positive = classes[1] if pos_label is None else pos_label
    if positive not in classes:
        raise InputError(
            f"pos_label is {pos_label!r}; {type(estimator).__name__} knows the labels "
            f"{classes[0]!r} and {classes[1]!r}"
        )
    name = _response_method(estimator, response_method)
    with np.errstate(divide="ignore"):  # log(0) is a valid logit
        response = np.asarray(getattr(estimator, name)(X))
    names = classes if response.ndim == 2 and response.shape[1] == 2 else None
    if names is None and positive == classes[0]:
        response = 1 - response if name == "predict_proba" else -response
    logits, probabilities = (None, response) if name == "predict_proba" else (response, None)
    labels: dict[str, Any] = {"pos_label": positive, "classes": names}
    return Predictions.of(y, logits, sample_weight, probabilities=probabilities, **labels)


def _two_classes(estimator: Any) -> list[Any]:
    """The labels that the estimator knows, as Python values."""
    kind = type(estimator).__name__
    if not hasattr(estimator, "classes_"):
        raise InputError(f"{kind} has no classes_; give a fitted classifier, not a regressor")
    classes = [v.item() if isinstance(v, np.generic) else v for v in list(estimator.classes_)]
    if any(np.ndim(label) for label in classes):
        raise InputError(f"{kind} has {len(classes)} outputs; use one of its estimators")
    if len(classes) != 2:
        raise InputError(
            f"{kind} has {len(classes)} classes, and a landscape over (a, b) is for two; give its "
            "logits to sweep.diagnose"
        )
    return classes


def _response_method(estimator: Any, method: str) -> str:
    """The name of the method to call for logits or probabilities."""
    names: Sequence[str] = RESPONSES if method == "auto" else (method,)
    if not set(names) <= set(RESPONSES):
        raise InputError(f"response_method is {method!r}; use auto, {', '.join(RESPONSES)}")
    for name in names:
        if hasattr(estimator, name):
            return name
    raise InputError(f"{type(estimator).__name__} has no {' or '.join(names)}")
