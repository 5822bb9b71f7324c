"""Metrics: losses of the logit (smooth) and functions of the confusion counts (counting).

A smooth metric is a weighted mean of l1(z) over class 1 and of l0(z) over class 0, where z is the
logit. A counting metric is a function of the four masses of the confusion table. A new metric needs
one entry in `METRICS`; a metric with parameters is a `Family`, whose members have names such as
"focal(gamma=3)".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, parse_call, short
from sweep.metrics.logistic import softplus, softplus_of_minus

Loss = Callable[[Any], Any]
"""An elementwise loss of the logit z, for arrays of NumPy or JAX, real or complex.

It is 0 at one infinity, and analytic where |Im z| < pi. For real z it uses no `where`: a select
keeps XLA from vectorising it on a CPU, which makes it six times slower.
"""


class LossTerm(NamedTuple):
    """One loss of a smooth metric, and the weights of its integrals over class 0 and class 1."""

    loss: Loss
    on_class0: float
    on_class1: float


@dataclass(frozen=True)
class Smooth:
    """A weighted mean of per-sample losses of the logit z, plus a penalty on the slope.

    Attributes:
        name: name of the variable in a landscape.
        units: unit of the metric.
        long_name: label of the metric in figures.
        source: publication of the formula.
        positive: l1, the loss of a point of class 1; 0 as z -> +inf.
        negative: l0, the loss of a point of class 0; 0 as z -> -inf.
        class_weights: (w0, w1), factors of the masses of the two classes.
        smoothing: epsilon; label smoothing replaces y by (1 - epsilon) y + epsilon / 2.
        penalty: function of the slope a, a NumPy array; its value is added to the mean.
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
        """The terms whose sum, divided by `total`, is the metric without its penalty."""
        (w0, w1), flipped = self.class_weights, self.smoothing / 2
        kept = 1 - flipped
        return (
            LossTerm(self.positive, w0 * flipped, w1 * kept),
            LossTerm(self.negative, w0 * kept, w1 * flipped),
        )

    def total(self, mass0: float, mass1: float) -> float:
        """Denominator of the mean, given the masses of the two classes."""
        w0, w1 = self.class_weights
        return w0 * mass0 + w1 * mass1


@dataclass(frozen=True)
class Counting:
    """A function of the confusion masses.

    Attributes:
        name: name of the variable in a landscape.
        units: unit of the metric.
        long_name: label of the metric in figures.
        source: publication of the formula.
        value: (tp, fp, fn, tn), NumPy arrays of one shape -> metric of that shape; never nan.
        sensitivity: bound on the error of the metric if each mass has a relative error of 1.
        roundings: rounding errors, in float64 units, beyond the division of one ratio of exact
            masses.
        divides_by: smallest mass in a denominator: "all", the mass of a "class", or the mass
            "predicted" to be in a class.
    """

    name: str
    units: str
    long_name: str
    source: str
    value: Callable[[Any, Any, Any, Any], Any]
    sensitivity: float = 2.0  # a ratio of at most 1: 1 from its numerator, 1 from its denominator
    roundings: int = 0
    divides_by: str = "class"


Metric = Smooth | Counting


def _mirrored(negative: Loss) -> Loss:
    """The loss of class 1 that mirrors the loss `negative` of class 0."""

    def positive(z: Any) -> Any:
        return negative(-z)

    return positive


def _squared_sigmoid(z: Any) -> Any:
    return z.__array_namespace__().exp(-2 * softplus(-z))


def _focal(name: str, gamma: float) -> Smooth:
    """-(1 - q)^gamma log q, where q is the probability of the point's class."""

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
    """The mean of the cross-entropy with weight w_y for a point of class y."""
    return _cross_entropy(
        name,
        "King & Zeng (2001), Logistic Regression in Rare Events Data, Political Analysis 9, 144",
        f"cross-entropy, class weights {short(w0)} and {short(w1)}",
        class_weights=(w0, w1),
    )


def _smoothed_cross_entropy(name: str, epsilon: float) -> Smooth:
    """The cross-entropy for the labels (1 - epsilon) y + epsilon / 2."""
    return _cross_entropy(
        name,
        "Szegedy et al. (2016), Rethinking the Inception Architecture, CVPR, section 7",
        f"cross-entropy, labels smoothed by ε = {short(epsilon)}",
        smoothing=epsilon,
    )


def _penalised_cross_entropy(name: str, l1: float, l2: float) -> Smooth:
    """Mean cross-entropy + l1 |a| + l2 a^2 / 2, without a penalty on the intercept."""

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


def _ratio(numerator: Any, denominator: Any) -> Any:
    """The ratio of two masses, and 0 where the denominator is 0."""
    zeros = np.zeros(np.shape(denominator))
    return np.divide(numerator, denominator, out=zeros, where=denominator > 0)


def _balanced_accuracy(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    present = np.add(tp + fn > 0, tn + fp > 0, dtype=np.float64)
    return _ratio(_ratio(tp, tp + fn) + _ratio(tn, tn + fp), present)


def _mcc(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    """(tp tn - fp fn) / sqrt((tp+fp)(tp+fn)(tn+fp)(tn+fn)), from ratios that cannot overflow."""
    denominators = (tp + fp, tp + fn, tn + fp, tn + fn)

    def root(*numerators: Any) -> Any:
        r0, r1, r2, r3 = (_ratio(p, q) for p, q in zip(numerators, denominators, strict=True))
        return np.sqrt(r0 * r1) * np.sqrt(r2 * r3)

    return root(tp, tp, tn, tn) - root(fp, fn, fp, fn)


focal = Family("focal", (Parameter("gamma", 2.0, 0.0, 100.0),), _focal)
weighted_cross_entropy = Family(
    "weighted_cross_entropy",
    (Parameter("w0", 1.0, 1e-100, 1e100), Parameter("w1", 1.0, 1e-100, 1e100)),
    _weighted_cross_entropy,
)
smoothed_cross_entropy = Family(
    "smoothed_cross_entropy", (Parameter("epsilon", 0.1, 0.0, 1.0),), _smoothed_cross_entropy
)
penalised_cross_entropy = Family(
    "penalised_cross_entropy",
    (Parameter("l1", 0.0, 0.0, 1e100), Parameter("l2", 0.0, 0.0, 1e100)),
    _penalised_cross_entropy,
)

VAN_RIJSBERGEN = "van Rijsbergen (1979), Information Retrieval, chapter 7"

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
            value=lambda tp, fp, fn, tn: _ratio(tp + tn, tp + fp + fn + tn),
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
        focal,
        weighted_cross_entropy,
        smoothed_cross_entropy,
        penalised_cross_entropy,
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
            roundings=3,  # the second ratio, the sum, the division by the number of classes
        ),
        Counting(
            name="precision",
            units="1",
            long_name="precision",
            source=f"{VAN_RIJSBERGEN}; 0 where undefined",
            value=lambda tp, fp, fn, tn: _ratio(tp, tp + fp),
            divides_by="predicted",
        ),
        Counting(
            name="recall",
            units="1",
            long_name="recall",
            source=f"{VAN_RIJSBERGEN}; 0 where undefined",
            value=lambda tp, fp, fn, tn: _ratio(tp, tp + fn),
        ),
        Counting(
            name="f1",
            units="1",
            long_name="F1",
            source=f"{VAN_RIJSBERGEN}, 1 - E at alpha = 1/2",
            value=lambda tp, fp, fn, tn: _ratio(tp, tp + (fp + fn) / 2),
        ),
        Counting(
            name="mcc",
            units="1",
            long_name="Matthews correlation",
            source="Matthews (1975), Biochim. Biophys. Acta 405, page 445; 0 where undefined",
            value=_mcc,
            # Two terms, at most 1 together by Cauchy's inequality, are roots of four ratios each:
            # a mass error of 1 costs 2 in a ratio, and so 4 in a term.
            sensitivity=4.0,
            # Per term 2 for four ratios under a root, 1 for two products under a root, 2 roots and
            # 1 product; then the subtraction. That is 7, rounded up.
            roundings=8,
            divides_by="predicted",
        ),
    )
}


def losses(metrics: Iterable[Any]) -> list[Loss]:
    """Every loss that the smooth metrics among these need, once."""
    terms = [term for metric in metrics if isinstance(metric, Smooth) for term in metric.parts]
    return list(dict.fromkeys(t.loss for t in terms if t.on_class0 or t.on_class1))


def known() -> str:
    """All metrics in one line, each with the default values of its parameters."""
    return ", ".join(m.signature if isinstance(m, Family) else k for k, m in METRICS.items())


def metric(asked: str | Metric | Family[Smooth]) -> Metric:
    """The metric that a text names.

    Args:
        asked: text such as "brier", "focal", "focal(3)" or "focal(gamma=3)"; a family stands for
            its default parameters, and a metric for itself.

    Raises:
        InputError: no metric has the name, or the parameters are wrong; the message shows a
            correct text.
    """
    if isinstance(asked, Family):
        return asked()
    if not isinstance(asked, str):
        return asked
    name, values, named = parse_call(asked, "metric", focal.signature)
    if name not in METRICS:
        raise InputError(f"there is no metric {name!r}; the known metrics are {known()}")
    entry = METRICS[name]
    if isinstance(entry, Family):
        return entry(*values, **named)
    if values or named:
        raise InputError(f"{name} takes no parameters, but {asked!r} has some; ask for {name}")
    return entry
