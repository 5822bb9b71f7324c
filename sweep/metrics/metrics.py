"""Metrics: losses of the logit (smooth) and functions of the confusion counts (counting).

A smooth metric is a weighted mean of l1(z) over class 1 and of l0(z) over class 0, z the logit; a
counting metric is a function of the four masses of the confusion table. One entry in `METRICS` is
all that a metric needs; one with parameters is a `Family`, asked for as "focal(gamma=3)".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, parse_call, short
from sweep.metrics.logistic import softplus, softplus_of_minus

Loss = Callable[[Any], Any]
"""A loss of the logit z, elementwise, written for arrays of NumPy or JAX, real or complex.

It is 0 at one infinity, and analytic where |Im z| < pi. For real z it holds no `where`: a select
keeps XLA from vectorising it on a CPU, at a sixth of the speed.
"""


class LossTerm(NamedTuple):
    """A term of a smooth metric: on_class0 * integral of loss by mu_0, and so for class 1."""

    loss: Loss
    on_class0: float
    on_class1: float


@dataclass(frozen=True)
class Smooth:
    """A weighted mean of per-sample losses of the logit z, plus a penalty of the slope.

    Attributes:
        name: the variable's name in a landscape.
        units: unit of the metric.
        long_name: what figures write on an axis.
        source: where the formula stands.
        positive: l1, the loss of a point of class 1; 0 as z -> +inf.
        negative: l0, the loss of a point of class 0; 0 as z -> -inf.
        class_weights: (w0, w1), by which the masses of the classes are multiplied.
        smoothing: epsilon; labels y are replaced by (1 - epsilon) y + epsilon / 2.
        penalty: of the slope a, a NumPy array; added to the mean.
    """

    name: str
    units: str
    long_name: str
    source: str
    positive: Loss
    negative: Loss
    class_weights: tuple[float, float] = (1.0, 1.0)
    smoothing: float = 0.0
    penalty: Callable[[Any], Any] | None = None

    @property
    def parts(self) -> tuple[LossTerm, LossTerm]:
        """The terms whose sum, over `total`, is the metric without its penalty."""
        (w0, w1), own, other = self.class_weights, 1 - self.smoothing / 2, self.smoothing / 2
        return (
            LossTerm(self.positive, w0 * other, w1 * own),
            LossTerm(self.negative, w0 * own, w1 * other),
        )

    def total(self, mass0: float, mass1: float) -> float:
        """The denominator of the mean, from the masses of the two classes."""
        w0, w1 = self.class_weights
        return w0 * mass0 + w1 * mass1


@dataclass(frozen=True)
class Counting:
    """A function of the confusion masses.

    Attributes:
        name: the variable's name in a landscape.
        units: unit of the metric.
        long_name: what figures write on an axis.
        source: where the formula stands.
        value: (tp, fp, fn, tn), NumPy arrays of one shape -> metric of that shape; never nan.
        sensitivity: largest error of the metric when every mass has a relative error of 1 unit.
        roundings: beyond the division of a ratio, errors of float64's unit when masses are exact.
        divides_by: the least mass that it divides by: "all", that of a "class", or that which is
            "predicted" to be of a class.
    """

    name: str
    units: str
    long_name: str
    source: str
    value: Callable[[Any, Any, Any, Any], Any]
    sensitivity: float = 2.0
    roundings: int = 0
    divides_by: str = "class"


Metric = Smooth | Counting


def _mirrored(negative: Loss) -> Loss:
    """The loss of class 1 where that of class 0 is `negative`, for losses that treat both alike."""

    def positive(z: Any) -> Any:
        return negative(-z)

    return positive


def _squared_sigmoid(z: Any) -> Any:
    return z.__array_namespace__().exp(-2 * softplus(-z))


def _focal(name: str, gamma: float) -> Smooth:
    """-(1 - q)^gamma log q, q the probability of the point's class."""

    def negative(z: Any) -> Any:
        return z.__array_namespace__().exp(-gamma * softplus(-z)) * softplus(z)

    loss = negative if gamma > 0 else softplus
    return Smooth(
        name=name,
        units="nats",
        long_name=f"focal loss, γ = {short(gamma)}",
        source="Lin et al. (2017), Focal Loss for Dense Object Detection, ICCV, equation 4",
        positive=_mirrored(loss),
        negative=loss,
    )


def _cross_entropy(name: str, source: str, long_name: str = "cross-entropy", **more: Any) -> Smooth:
    return Smooth(name, "nats", long_name, source, softplus_of_minus, softplus, **more)


def _weighted_cross_entropy(name: str, w0: float, w1: float) -> Smooth:
    """Sum of w_y times the cross-entropy of each point, over the sum of w_y."""
    return _cross_entropy(
        name,
        "King & Zeng (2001), Logistic Regression in Rare Events Data, Political Analysis 9, 144",
        f"cross-entropy, class weights {short(w0)} and {short(w1)}",
        class_weights=(w0, w1),
    )


def _smoothed_cross_entropy(name: str, epsilon: float) -> Smooth:
    """Cross-entropy against the labels (1 - epsilon) y + epsilon / 2."""
    return _cross_entropy(
        name,
        "Szegedy et al. (2016), Rethinking the Inception Architecture, CVPR, section 7",
        f"cross-entropy, labels smoothed by ε = {short(epsilon)}",
        smoothing=epsilon,
    )


def _penalised_cross_entropy(name: str, l1: float, l2: float) -> Smooth:
    """Mean cross-entropy + l1 |a| + l2 a^2 / 2; the intercept is free."""

    def penalty(a: Any) -> Any:
        with np.errstate(over="ignore"):
            return l1 * np.abs(a) + (l2 / 2 * a) * a

    return _cross_entropy(
        name,
        "Friedman, Hastie & Tibshirani (2010), Regularization Paths, J. Stat. Softw. 33(1), "
        "section 3",
        f"cross-entropy + {short(l1)} |a| + {short(l2)} a²/2",
        penalty=penalty,
    )


def _ratio(part: Any, whole: Any) -> Any:
    """A part of a whole, and 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def _precision(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    return _ratio(tp, tp + fp)


def _recall(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    return _ratio(tp, tp + fn)


def _balanced_accuracy(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    present = np.add(tp + fn > 0, tn + fp > 0, dtype=np.float64)
    return _ratio(_ratio(tp, tp + fn) + _ratio(tn, tn + fp), present)


def _mcc(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    """(tp tn - fp fn) / sqrt((tp+fp)(tp+fn)(tn+fp)(tn+fn)), by ratios that cannot overflow."""
    wholes = (tp + fp, tp + fn, tn + fp, tn + fn)

    def mean(*parts: Any) -> Any:
        of0, of1, of2, of3 = (_ratio(p, w) for p, w in zip(parts, wholes, strict=True))
        return np.sqrt(of0 * of1) * np.sqrt(of2 * of3)

    return mean(tp, tp, tn, tn) - mean(fp, fn, fp, fn)


def _accuracy(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    return _ratio(tp + tn, tp + fp + fn + tn)


METRICS: dict[str, Metric | Family[Smooth]] = {
    metric.name: metric
    for metric in (
        _cross_entropy(
            "cross_entropy", "Good (1952), Rational Decisions, J. R. Stat. Soc. B 14, section 8"
        ),
        Counting(
            name="accuracy",
            units="1",
            long_name="accuracy",
            source="fraction of the mass whose class is predicted, class 1 iff z > 0",
            value=_accuracy,
            divides_by="all",
        ),
        Smooth(
            name="brier",
            units="1",
            long_name="Brier score",
            source="Brier (1950), Verification of Forecasts, Mon. Weather Rev. 78, half of eq. 2",
            positive=_mirrored(_squared_sigmoid),
            negative=_squared_sigmoid,
        ),
        Family("focal", (Parameter("gamma", 2.0, 0.0, 100.0),), _focal),
        Family(
            "weighted_cross_entropy",
            (Parameter("w0", 1.0, 1e-100, 1e100), Parameter("w1", 1.0, 1e-100, 1e100)),
            _weighted_cross_entropy,
        ),
        Family(
            "smoothed_cross_entropy",
            (Parameter("epsilon", 0.1, 0.0, 1.0),),
            _smoothed_cross_entropy,
        ),
        Family(
            "penalised_cross_entropy",
            (Parameter("l1", 0.0, 0.0, 1e100), Parameter("l2", 0.0, 0.0, 1e100)),
            _penalised_cross_entropy,
        ),
        Counting(
            name="error_rate",
            units="1",
            long_name="error rate",
            source="1 - accuracy",
            value=lambda tp, fp, fn, tn: _ratio(fp + fn, tp + fp + fn + tn),
            divides_by="all",
        ),
        Counting(
            name="balanced_accuracy",
            units="1",
            long_name="balanced accuracy",
            source="Brodersen et al. (2010), The Balanced Accuracy, ICPR, over classes present",
            value=_balanced_accuracy,
            roundings=3,
        ),
        Counting(
            name="precision",
            units="1",
            long_name="precision",
            source="van Rijsbergen (1979), Information Retrieval, chapter 7; 0 where undefined",
            value=_precision,
            divides_by="predicted",
        ),
        Counting(
            name="recall",
            units="1",
            long_name="recall",
            source="van Rijsbergen (1979), Information Retrieval, chapter 7; 0 where undefined",
            value=_recall,
        ),
        Counting(
            name="f1",
            units="1",
            long_name="F1",
            source="van Rijsbergen (1979), Information Retrieval, chapter 7, 1 - E at alpha = 1/2",
            value=lambda tp, fp, fn, tn: _ratio(tp, tp + (fp + fn) / 2),
        ),
        Counting(
            name="mcc",
            units="1",
            long_name="Matthews correlation",
            source="Matthews (1975), Biochim. Biophys. Acta 405, page 445; 0 where undefined",
            value=_mcc,
            sensitivity=4.0,
            roundings=8,
            divides_by="predicted",
        ),
    )
}


def _family(name: str) -> Family[Smooth]:
    found = METRICS[name]
    assert isinstance(found, Family)
    return found


focal = _family("focal")
weighted_cross_entropy = _family("weighted_cross_entropy")
smoothed_cross_entropy = _family("smoothed_cross_entropy")
penalised_cross_entropy = _family("penalised_cross_entropy")


def known() -> str:
    """What may be asked for, with the defaults of the parameters."""
    return ", ".join(m.signature if isinstance(m, Family) else k for k, m in METRICS.items())


def metric(asked: str | Metric | Family[Smooth]) -> Metric:
    """The metric that a text asks for, such as "brier", "focal", "focal(3)" or "focal(gamma=3)".

    Raises:
        InputError: there is none of that name or its parameters are not understood; the sentence
            says what would be right.
    """
    if isinstance(asked, Family):
        return asked()
    if not isinstance(asked, str):
        return asked
    name, values, named = parse_call(asked, "metric", focal.signature)
    if name not in METRICS:
        raise InputError(f"there is no metric {name!r}; the known metrics are {known()}")
    found = METRICS[name]
    if isinstance(found, Family):
        return found(*values, **named)
    if values or named:
        raise InputError(
            f"{name} has no parameters, so {asked!r} is not understood; ask for {name}"
        )
    return found
