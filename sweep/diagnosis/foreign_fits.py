"""A recalibration that was fitted elsewhere, compared with the optimum for these data.

A temperature T is the slope 1/T without an intercept. Platt's method fits both, in scikit-learn as
1 / (1 + exp(A z + B)), to smoothed targets instead of labels (Platt 1999, Probabilistic Outputs for
Support Vector Machines, section 2.2), so its optimum differs slightly from that of the labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from sweep.base.errors import InputError
from sweep.data.predictions import Predictions
from sweep.data.sample import Sample
from sweep.diagnosis.decomposition import LossDecomposition
from sweep.diagnosis.one_parameter import WeightedRows
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

SEVERITIES: dict[str, Severity] = {
    "off": "warning",
    "border": "warning",
    "diverged": "critical",
    "wrong_sign": "critical",
}
"""Verdicts that are findings, with their severity."""

ADVICE = {
    "off": "Fit again on these data until the gradient of the loss is 0.",
    "border": "Widen the bounds of the solver or change its starting point, then fit again.",
    "diverged": "Fit again from a = 1, with a smaller step or a solver with a line search.",
    "wrong_sign": "Check which class the scores and the labels call class 1, then fit again.",
}


def judge(
    predictions: Predictions,
    decomposition: LossDecomposition,
    *,
    fitted: object = None,
    platt: object = None,
    temperature: object = None,
    bounds: Sequence[float] = BOUNDS,
) -> JudgedFit | None:
    """Compares a fit with the optimum of its family."""
    given = {"fitted": fitted, "platt": platt, "temperature": temperature}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        return None
    if len(names) > 1:
        raise InputError(f"{' and '.join(names)} are given together; give one fit only")
    fit = _fit(predictions, names[0], given[names[0]])
    return _Comparison(predictions, decomposition, fit, tuple(bounds)).judged


def fit_findings(fit: JudgedFit) -> list[Finding]:
    """The finding that a fit is far from its optimum; empty if it is not."""
    if fit.verdict not in SEVERITIES:
        return []
    numbers = {
        "verdict": fit.verdict,
        "a": fit.a,
        "b": fit.b,
        "best_a": fit.best_a,
        "best_b": fit.best_b,
        "excess": fit.excess,
    }
    advice, severity = ADVICE[fit.verdict], SEVERITIES[fit.verdict]
    return [Finding("fit_misplaced", severity, fit.sentence, advice, numbers)]


def platt_optimum(predictions: Predictions) -> CrossEntropyOptimum:
    """The optimum for Platt's smoothed targets.

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


@dataclass(frozen=True)
class _Fit:
    """Slope and intercept of a fit, and the family it belongs to."""

    a: float
    b: float
    family: Literal["platt", "temperature"]

    @property
    def text(self) -> str:
        """Its parameters in words."""
        return _text(self.family, self.a, self.b)

    @property
    def bounded(self) -> tuple[float, ...]:
        """The numbers that a solver may bound."""
        return (1 / self.a, self.a) if self.family == "temperature" else (self.a, self.b)


def _text(family: str, a: float, b: float) -> str:
    if family == "platt":
        return f"a = {a:.4g}, b = {b:.4g}"
    return f"T = {1 / a if a else math.inf:.4g} (a = {a:.4g})"


def _fit(predictions: Predictions, name: str, value: object) -> _Fit:
    """The fit as slope and intercept."""
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
    if name == "temperature" and math.isinf(1 / numbers[0]):
        raise InputError(f"temperature is {value!r}; give one whose inverse is finite")
    if name == "temperature":
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


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Compares a fit with the optimum of its family."""

    predictions: Predictions  # the data
    decomposition: LossDecomposition  # of their loss
    fit: _Fit  # the fit
    bounds: tuple[float, ...]  # values at which a solver may have stopped

    @property
    def judged(self) -> JudgedFit:
        """The fit with its verdict."""
        a, b = self.best
        verdict, sentence = self._verdict()
        finite = math.isfinite(a)
        return JudgedFit(
            a=self.fit.a,
            b=self.fit.b,
            cross_entropy=self.value,
            excess=self.excess,
            family=self.fit.family,
            best_a=a if finite else math.nan,
            best_b=b if finite else math.nan,
            verdict=verdict,
            sentence=sentence,
        )

    @property
    def best(self) -> tuple[float, float]:
        """Slope and intercept of the optimum of the family; not finite where there is none."""
        loss = self.decomposition
        return (loss.slope_alone, 0.0) if self.fit.family == "temperature" else (loss.a, loss.b)

    @property
    def minimum(self) -> float:
        """Cross-entropy at the optimum, or its infimum."""
        loss = self.decomposition
        return loss.by_slope if self.fit.family == "temperature" else loss.by_both

    @cached_property
    def value(self) -> float:
        """Cross-entropy at the fit."""
        return _cross_entropy(self.predictions, self.fit.a, self.fit.b)

    @property
    def excess(self) -> float:
        """Cross-entropy above the minimum."""
        return max(0.0, self.value - self.minimum)

    @property
    def constant(self) -> float:
        """Least cross-entropy in the family with a slope of 0."""
        if self.fit.family == "temperature":
            return math.log(len(self.predictions.classes))
        return self.decomposition.entropy

    def _verdict(self) -> tuple[str, str]:
        """The verdict in a word and in a sentence."""
        fit, best = self.fit, _text(self.fit.family, *self.best)
        head = f"The fit {fit.text} has a cross-entropy of {self.value:.6g} nats"
        above = f"{head}, {self.excess:.3g} above the minimum at {best}"
        finite = math.isfinite(self.best[0])
        if self.excess <= OPTIMAL * self.minimum and finite:
            return "optimal", f"{head}: it is the optimum."
        if self._is_platt():
            return "optimal", f"{head}: it is optimal for Platt's smoothed targets{self._beside()}."
        if self._has_wrong_sign():
            return "wrong_sign", f"{above}: its slope has the wrong sign."
        if not finite:
            none = f"{head}, and there is no optimum to compare it with: {self._why_none()}"
            if self._is_flat():
                return "diverged", f"{none}; this fit shrinks all logits to almost a constant."
            return "no_optimum", f"{none}, and a fit only tells where its solver stopped."
        if self._is_within_chance(self.excess):
            return "near", f"{above}: these data cannot distinguish it from the optimum."
        return self._off(above)

    def _off(self, above: str) -> tuple[str, str]:
        """The verdict on a fit that is neither optimal nor near the optimum."""
        a, best = abs(self.fit.a), abs(self.best[0])
        gains_nothing = self.constant - self.value <= 0
        if self._is_flat():
            return "diverged", f"{above}: it shrinks the logits and gains nothing over a constant."
        if gains_nothing and a > FAR * best:
            return "diverged", f"{above}: it inflates the logits and does worse than a constant."
        bound = self._bound()
        if bound is not None:
            return "border", f"{above}: the solver probably stopped at a bound of {bound:g}."
        return "off", f"{above}: these data rule it out as the optimum."

    def _is_flat(self) -> bool:
        """Whether a tiny slope gains nothing over a constant, although the logits have signal."""
        best_gain = self.constant - self.minimum
        if self._is_within_chance(best_gain, SIGN_LEVEL):
            return False
        gains_nothing = self.constant - self.value <= FLAT * best_gain
        return gains_nothing and abs(self.fit.a) * FAR < abs(self.best[0])

    def _bound(self) -> float | None:
        """The bound that one of the fitted numbers is on."""
        for number in self.fit.bounded:
            for bound in self.bounds:
                is_on = abs(abs(number) - abs(bound)) <= ON_BOUND * abs(bound)
                # No solver bounds an intercept by less than 1.
                if is_on and (number != self.fit.b or abs(bound) >= 1):
                    return float(bound)
        return None

    def _is_platt(self) -> bool:
        """Whether the fit is the optimum for Platt's smoothed targets."""
        if self.fit.family == "temperature":
            return False
        minimum = platt_optimum(self.predictions).value
        value = _of_sample(_smoothed(self.predictions), self.fit.a, self.fit.b)
        return value - minimum <= OPTIMAL * minimum

    def _beside(self) -> str:
        """How far the optimum for smoothed targets is from that for the labels."""
        if math.isfinite(self.best[0]):
            return f", {self.excess:.2g} nats above the minimum for the labels"
        return ", and the labels themselves have no finite optimum"

    def _has_wrong_sign(self) -> bool:
        """Whether the slope and the best slope have opposite signs, beyond chance."""
        if not self.fit.a * self.best[0] < 0 or self._is_within_chance(self.excess):
            return False
        return not self._is_within_chance(self.constant - self.minimum, SIGN_LEVEL)

    def _is_within_chance(self, excess: float, level: float = 0.95) -> bool:
        """Whether a likelihood ratio test does not reject a fit with this excess."""
        parameters = 1 if self.fit.family == "temperature" else 2
        return within_chance(self.predictions, excess, parameters, level)

    def _why_none(self) -> str:
        if math.isnan(self.best[0]):
            return "all logits are equal, so every slope is equally good"
        return f"the loss falls towards {self.minimum:.3g} as the slope grows without bound"


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
        loss1, loss0 = softplus(-z), softplus(z)
        # A term of weight 0 is 0 even where the loss is infinite.
        losses = np.where(sample.y > 0, sample.y * loss1, 0) + np.where(
            sample.y < 1, (1 - sample.y) * loss0, 0
        )
        return mean(losses, sample.weight)
