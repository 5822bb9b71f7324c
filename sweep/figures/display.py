"""LandscapeDisplay: the landscape of a classifier by the conventions of scikit-learn's displays.

An estimator is whatever has `classes_` and one of the methods of `RESPONSES`; scikit-learn itself
is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.predictions import Predictions
from sweep.diagnosis.curves import axes_around
from sweep.landscapes.landscape import landscape
from sweep.metrics.metrics import metric as known
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

CELLS = 101
"""Cells on an axis that was not given."""

PAIR = ("cross_entropy", "accuracy")
"""The metrics that are drawn beside each other."""

RESPONSES = ("decision_function", "predict_log_proba", "predict_proba")
"""Methods of a classifier for logits or probabilities; the first that there is is taken."""


class LandscapeDisplay:
    """Metrics of sigmoid(a*z + b) over (a, b), z being the logits of a classifier.

    The classifier itself is at (1, 0). It is recommended to make a display by `from_estimator` or
    `from_predictions`; parameters are stored as attributes.

    Args:
        dataset: a landscape, as `sweep.landscape` gives it.
        best: the optimum of the same data.

    Attributes:
        ax_: the axes; of a pair the first.
        axes_: all axes that were drawn on, shape (m,).
        figure_: the figure that they are of.
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
            logits: log-odds of class 1, shape (n,); or a logit for each of the two, shape (n, 2),
                such as log-probabilities.
            sample_weight: weights >= 0, shape (n,).
            pos_label: the label that is class 1; not needed for 0 and 1.
            a: slopes, as in `sweep.landscape`; None for some about the classifier and the optimum.
            b: intercepts, likewise.
            metric: the metric to draw, a name as in `sweep.landscape`; None for cross-entropy, and
                accuracy beside it where there is room.
            ax: axes to draw on, or a sequence of two for the pair; None makes a figure.
            **kwargs: what else `plot` is to be given.

        Returns:
            The display, drawn.

        Raises:
            InputError: the data are not those of two classes, or as for `sweep.landscape`.
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
                for the first of them that there is.
            a: slopes, as in `from_predictions`.
            b: intercepts, likewise.
            metric: as in `from_predictions`.
            ax: as in `from_predictions`.
            **kwargs: what else `plot` is to be given.

        Returns:
            The display, drawn.

        Raises:
            InputError: the estimator is no fitted classifier of two classes, has no such method or
                no such label, or as for `from_predictions`.
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
        if not predictions.binary:
            raise InputError(
                f"there are {len(predictions.classes)} classes, and a landscape over (a, b) is for "
                "two; sweep.diagnose takes several"
            )
        best = optimum(predictions.sample)
        metrics = [*PAIR] if metric is None else [*PAIR, _full_name(metric)]
        slopes, intercepts = axes_around((best.cross_entropy.a, best.cross_entropy.b), CELLS)
        dataset = landscape(
            predictions.sample,
            slopes if a is None else a,
            intercepts if b is None else b,
            metrics,
        )
        return cls(dataset, best)

    def plot(
        self, ax: Any = None, *, metric: str | None = None, colorbar: bool = True, **kwargs: Any
    ) -> LandscapeDisplay:
        """Draws it.

        Args:
            ax: axes to draw on, or a sequence of two for cross-entropy and accuracy; None makes a
                figure by pyplot, with both unless a metric is named.
            metric: the one to draw; None is cross-entropy on single axes.
            colorbar: whether to put a colour bar beside each.
            **kwargs: what else matplotlib's `pcolormesh` is to be given.

        Returns:
            This display, with `ax_`, `axes_` and `figure_`.

        Raises:
            InputError: there is no such metric, or it cannot be drawn on these axes.
        """
        own = ax is None
        axes = None if own else np.asarray(ax, dtype=object).ravel()
        names = self._names(metric, axes)
        from sweep.figures import user_axes  # which loads matplotlib

        self.axes_ = user_axes.canvas(len(names)) if axes is None else axes
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        metrics = [self.dataset[name] for name in names]
        user_axes.draw(self.axes_, metrics, self.best, colorbar=colorbar, own=own, **kwargs)
        return self

    def _names(self, metric: str | None, axes: np.ndarray | None) -> tuple[str, ...]:
        """The metrics to draw, one for each of the axes."""
        if min(self.dataset.sizes["a"], self.dataset.sizes["b"]) < 2:
            raise InputError("a landscape of one slope or one intercept is a line; give more of it")
        wanted = None if metric is None else _full_name(metric)
        if wanted is not None and wanted not in self.dataset:
            there = ", ".join(map(str, self.dataset.data_vars))
            raise InputError(f"there is no {wanted} in this display, but {there}")
        most = len(PAIR) if wanted is None else 1
        if axes is None:
            return PAIR if wanted is None else (wanted,)
        if not 1 <= len(axes) <= most:
            raise InputError(
                f"ax holds {len(axes)} axes; give one for one metric, or two, and no metric, for "
                "cross_entropy and accuracy"
            )
        return PAIR if len(axes) == len(PAIR) else (wanted or PAIR[0],)

    def frame(self) -> pd.DataFrame:
        """The landscape in long form: columns a, b and a column for each metric, a row a cell."""
        names = [name for name in self.dataset.data_vars if name != "correct"]
        return self.dataset[names].to_dataframe(dim_order=["a", "b"]).reset_index()


def _full_name(metric: str) -> str:
    """As a landscape calls it: focal(3) is focal(gamma=3)."""
    return known(metric).name


def _predicted(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    pos_label: Any,
    response_method: str,
) -> Predictions:
    classes = _two_classes(estimator)
    positive = classes[1] if pos_label is None else pos_label
    if positive not in classes:
        raise InputError(
            f"pos_label is {pos_label!r}; {type(estimator).__name__} knows the labels "
            f"{classes[0]!r} and {classes[1]!r}"
        )
    name = _response_method(estimator, response_method)
    with np.errstate(divide="ignore"):  # the logarithm of a probability of 0 is meant
        response = np.asarray(getattr(estimator, name)(X))
    names = classes if response.ndim == 2 and response.shape[1] == 2 else None
    if names is None and positive == classes[0]:
        response = 1 - response if name == "predict_proba" else -response
    logits, probabilities = (None, response) if name == "predict_proba" else (response, None)
    return Predictions.of(
        y,
        logits,
        sample_weight,
        probabilities=probabilities,
        pos_label=positive,
        classes=names,
    )


def _two_classes(estimator: Any) -> list[Any]:
    """The labels that the estimator knows, as Python values."""
    kind = type(estimator).__name__
    if not hasattr(estimator, "classes_"):
        raise InputError(
            f"{kind} has no classes_: a classifier that was fitted is needed, no regressor"
        )
    classes = [
        one.item() if isinstance(one, np.generic) else one for one in list(estimator.classes_)
    ]
    if any(np.ndim(one) for one in classes):
        raise InputError(f"{kind} has {len(classes)} outputs; take one of its estimators")
    if len(classes) != 2:
        raise InputError(
            f"{kind} tells {len(classes)} classes apart, and a landscape over (a, b) is for two; "
            "give its logits to sweep.diagnose"
        )
    return classes


def _response_method(estimator: Any, asked: str) -> str:
    names: Sequence[str] = RESPONSES if asked == "auto" else (asked,)
    if not set(names) <= set(RESPONSES):
        raise InputError(
            f"response_method is {asked!r}; the known ones are auto, {', '.join(RESPONSES)}"
        )
    for name in names:
        if hasattr(estimator, name):
            return name
    raise InputError(f"{type(estimator).__name__} has no {' or '.join(names)}")
