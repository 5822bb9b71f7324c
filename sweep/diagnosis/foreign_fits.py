"""A recalibration that was fitted elsewhere, compared with the optimum for these data.

A temperature T is the slope 1/T without an intercept. Platt's method fits both, in scikit-learn as
1 / (1 + exp(A z + B)), to smoothed targets instead of labels (Platt 1999, Probabilistic Outputs for
Support Vector Machines, section 2.2), so its optimum differs slightly from that of the labels.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from sweep.base.errors import InputError
from sweep.data.predictions import Predictions
from sweep.data.sample import Sample
from sweep.diagnosis.recalibration import LossDecomposition, WeightedRows
from sweep.diagnosis.report import Finding, JudgedFit, Severity
from sweep.diagnosis.scores import mean, within_chance
from sweep.measure.measure import Measure
from sweep.metrics.logistic import softplus
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.records import CrossEntropyOptimum

BOUNDS = (0.01, 0.05, 0.1, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0)  # that solvers often have
ON_BOUND = 1e-3  # relative distance to a bound within which a number is on it
OPTIMAL = 1e-6  # excess, as a fraction of the loss, at which solvers usually stop
SIGN_LEVEL = 0.99  # of the test that the logits carry a signal, so that a sign can be wrong
FLAT = 0.01  # share of the best gain over a constant below which a fit gains nothing
FAR = 10.0  # ratio to the best slope beyond which a slope explains a loss as bad as a constant's

FAULTS: dict[str, tuple[Severity, str]] = {
    "off": ("warning", "Fit again on these data until the gradient of the loss is 0."),
    "border": (
        "warning",
        "Widen the bounds of the solver or change its starting point, then fit again.",
    ),
    "diverged": (
        "critical",
        "Fit again from a = 1, with a smaller step or a solver with a line search.",
    ),
    "wrong_sign": (
        "critical",
        "Check which class the scores and the labels call class 1, then fit again.",
    ),
}
"""Verdicts that are findings, with severity and advice."""


def judge(
    predictions: Predictions,
    decomposition: LossDecomposition,
    *,
    fitted: object = None,
    platt: object = None,
    temperature: object = None,
) -> JudgedFit | None:
    """Compares a fit, written as in `sweep.diagnose`, with the optimum of its family.

    None if no fit is given. InputError says that more than one is given, that its numbers are not
    finite, that its slope or temperature is 0, or that it has an intercept for several classes.
    """
    given = {"fitted": fitted, "platt": platt, "temperature": temperature}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        return None
    if len(names) > 1:
        raise InputError(f"{' and '.join(names)} are given together; give one fit only")
    fit = _fit(predictions, names[0], given[names[0]])
    return _Comparison(predictions, decomposition, fit).judged


def fit_findings(fit: JudgedFit) -> list[Finding]:
    """The finding that a fit is far from its optimum; empty if it is not."""
    if fit.verdict not in FAULTS:
        return []
    severity, advice = FAULTS[fit.verdict]
    names = ("verdict", "a", "b", "best_a", "best_b", "excess")
    numbers = {name: getattr(fit, name) for name in names}
    return [Finding("fit_misplaced", severity, fit.sentence, advice, numbers)]


def platt_optimum(predictions: Predictions) -> CrossEntropyOptimum:
    """The optimum for Platt's smoothed targets, of two classes.

    With N1 and N0 the numbers (or weights) of the classes, the targets are (N1 + 1) / (N1 + 2) for
    class 1 and 1 / (N0 + 2) for class 0, so the optimum is finite even for separated classes.
    """
    return cross_entropy_optimum(Measure.from_sample(_smoothed(predictions)))


def _smoothed(predictions: Predictions) -> Sample:
    """The data with Platt's targets."""
    y, weight = predictions.y, predictions.weight
    n0, n1 = np.bincount(y, weight, minlength=2)
    target = np.where(y == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    return Sample(predictions.logits, target, weight)


# --- the fit ------------------------------------------------------------------------------------


class _Fit(NamedTuple):
    """Slope and intercept of a fit, and the family it belongs to."""

    a: float
    b: float
    family: Literal["platt", "temperature"]

    @property
    def text(self) -> str:
        """Its parameters in words."""
        if self.family == "platt":
            return f"a = {self.a:.4g}, b = {self.b:.4g}"
        return f"T = {1 / self.a if self.a else math.inf:.4g} (a = {self.a:.4g})"

    @property
    def bound(self) -> float | None:
        """The bound of a solver that one of the fitted numbers is on."""
        numbers = (1 / self.a, self.a) if self.family == "temperature" else (self.a, self.b)
        for number in numbers:
            for bound in BOUNDS:
                # No solver bounds an intercept by less than 1.
                if abs(abs(number) - bound) <= ON_BOUND * bound and (
                    number != self.b or bound >= 1
                ):
                    return bound
        return None


def _fit(predictions: Predictions, name: str, value: object) -> _Fit:
    """The fit as slope and intercept; refuses a value that is no such fit for these data."""
    numbers, size = _numbers(value), 1 if name == "temperature" else 2
    if numbers is None or len(numbers) != size:
        needed = "one number" if size == 1 else "two numbers, slope and intercept"
        raise InputError(f"{name} is {value!r}; give {needed}")
    if not predictions.binary and size == 2:
        raise InputError(
            f"{name} needs two classes, but there are {len(predictions.classes)}; "
            "give a temperature instead"
        )
    if not all(math.isfinite(number) for number in numbers) or numbers[0] == 0:
        what = "temperature" if size == 1 else "slope"
        raise InputError(f"{name} is {value!r}; give finite numbers, and a {what} other than 0")
    if name == "temperature":
        if math.isinf(1 / numbers[0]):
            raise InputError(f"temperature is {value!r}; give one whose inverse is finite")
        return _Fit(1 / numbers[0], 0.0, "temperature")
    sign = -1.0 if name == "platt" else 1.0
    return _Fit(sign * numbers[0], sign * numbers[1], "platt")


def _numbers(value: object) -> list[float] | None:
    """A number or a sequence of numbers as a list; None for anything else."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    if array.dtype.kind not in "iuf" or array.ndim > 1:
        return None
    return [float(number) for number in np.atleast_1d(array)]


# --- the verdict --------------------------------------------------------------------------------


class _Comparison:
    """Compares a fit with the optimum of its family."""

    def __init__(self, predictions: Predictions, loss: LossDecomposition, fit: _Fit) -> None:
        self.predictions, self.fit = predictions, fit
        self.value = _cross_entropy(predictions, fit.a, fit.b)
        # The optimum of the family, not finite where there is none; the cross-entropy there, or its
        # infimum; and the least one with a slope of 0.
        if fit.family == "temperature":
            self.best = _Fit(loss.slope_alone, 0.0, "temperature")
            self.minimum, self.constant = loss.by_slope, math.log(len(predictions.classes))
        else:
            self.best = _Fit(loss.a, loss.b, "platt")
            self.minimum, self.constant = loss.by_both, loss.entropy
        self.finite = math.isfinite(self.best.a)
        self.excess = max(0.0, self.value - self.minimum)

    @property
    def judged(self) -> JudgedFit:
        """The fit with its verdict."""
        verdict, sentence = self._verdict()
        return JudgedFit(
            a=self.fit.a,
            b=self.fit.b,
            cross_entropy=self.value,
            excess=self.excess,
            family=self.fit.family,
            best_a=self.best.a if self.finite else math.nan,
            best_b=self.best.b if self.finite else math.nan,
            verdict=verdict,
            sentence=sentence,
        )

    def _verdict(self) -> tuple[str, str]:
        """The verdict in a word and in a sentence."""
        head = f"The fit {self.fit.text} has a cross-entropy of {self.value:.6g} nats"
        above = f"{head}, {self.excess:.3g} above the minimum at {self.best.text}"
        if self.excess <= OPTIMAL * self.minimum and self.finite:
            return "optimal", f"{head}: it is the optimum."
        if self._is_platt():
            beside = ", and the labels themselves have no finite optimum"
            if self.finite:
                beside = f", {self.excess:.2g} nats above the minimum for the labels"
            return "optimal", f"{head}: it is optimal for Platt's smoothed targets{beside}."
        if self._has_wrong_sign():
            return "wrong_sign", f"{above}: its slope has the wrong sign."
        if not self.finite:
            return self._without_optimum(head)
        if self._is_within_chance(self.excess):
            return "near", f"{above}: these data cannot distinguish it from the optimum."
        return self._off(above)

    def _without_optimum(self, head: str) -> tuple[str, str]:
        """The verdict on a fit where there is no optimum."""
        why = f"the loss falls towards {self.minimum:.3g} as the slope grows without bound"
        if math.isnan(self.best.a):
            why = "all logits are equal, so every slope is equally good"
        none = f"{head}, and there is no optimum to compare it with: {why}"
        if self._is_flat():
            return "diverged", f"{none}; this fit shrinks all logits to almost a constant."
        return "no_optimum", f"{none}, and a fit only tells where its solver stopped."

    def _off(self, above: str) -> tuple[str, str]:
        """The verdict on a fit that is neither optimal nor near the optimum."""
        if self._is_flat():
            return "diverged", f"{above}: it shrinks the logits and gains nothing over a constant."
        if self.value >= self.constant and abs(self.fit.a) > FAR * abs(self.best.a):
            return "diverged", f"{above}: it inflates the logits and does worse than a constant."
        bound = self.fit.bound
        if bound is not None:
            return "border", f"{above}: the solver probably stopped at a bound of {bound:g}."
        return "off", f"{above}: these data rule it out as the optimum."

    def _is_flat(self) -> bool:
        """Whether a tiny slope gains nothing over a constant, although the logits have signal."""
        best_gain = self.constant - self.minimum
        if self._is_within_chance(best_gain, SIGN_LEVEL):
            return False
        gains_nothing = self.constant - self.value <= FLAT * best_gain
        return gains_nothing and abs(self.fit.a) * FAR < abs(self.best.a)

    def _is_platt(self) -> bool:
        """Whether the fit is the optimum for Platt's smoothed targets."""
        if self.fit.family == "temperature":
            return False
        minimum = platt_optimum(self.predictions).value
        value = _of_sample(_smoothed(self.predictions), self.fit.a, self.fit.b)
        return value - minimum <= OPTIMAL * minimum

    def _has_wrong_sign(self) -> bool:
        """Whether the slope and the best slope have opposite signs, beyond chance."""
        if not self.fit.a * self.best.a < 0 or self._is_within_chance(self.excess):
            return False
        return not self._is_within_chance(self.constant - self.minimum, SIGN_LEVEL)

    def _is_within_chance(self, excess: float, level: float = 0.95) -> bool:
        """Whether a likelihood ratio test does not reject a fit with this excess."""
        parameters = 1 if self.fit.family == "temperature" else 2
        return within_chance(self.predictions, excess, parameters, level)


def _cross_entropy(predictions: Predictions, a: float, b: float) -> float:
    """Mean cross-entropy of sigmoid(a z + b) or softmax(a z), in nats."""
    if predictions.binary:
        return _of_sample(predictions.sample, a, b)
    rows = WeightedRows.of(predictions)
    return rows.at(a * rows.unit).loss


def _of_sample(sample: Sample, a: float, b: float) -> float:
    """Mean cross-entropy of sigmoid(a x + b), in nats."""
    with np.errstate(over="ignore", invalid="ignore"):
        z = a * sample.x + b
        # A term of weight 0 is 0 even where the loss is infinite.
        loss1 = np.where(sample.y > 0, sample.y * softplus(-z), 0)
        loss0 = np.where(sample.y < 1, (1 - sample.y) * softplus(z), 0)
        return mean(loss1 + loss0, sample.weight)
