"""A recalibration that was fitted elsewhere, judged on the landscape of these data.

A temperature T is the slope 1/T without an intercept. Platt's method fits both, in scikit-learn as
1 / (1 + exp(A z + B)), and against smoothed targets in place of labels (Platt 1999, Probabilistic
Outputs for Support Vector Machines, section 2.2), so its optimum is beside that of the labels.
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
from sweep.diagnosis.report import Finding, JudgedFit, Severity
from sweep.diagnosis.scores import mean, within_chance
from sweep.diagnosis.temperature import WeightedRows
from sweep.measure.measure import Measure
from sweep.metrics.logistic import softplus
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.records import CrossEntropyOptimum

BOUNDS = (0.01, 0.05, 0.1, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0)
"""Numbers that solvers are often bounded by."""

ON_BOUND = 1e-3
"""Relative distance to a bound that is none."""

OPTIMAL = 1e-6
"""Excess that is none, as a fraction of the loss."""

SIGN = 0.99
"""Level of the test that the logits carry a signal, so that a sign can be wrong."""

FLAT = 0.01
"""Share of what the best fit gains over a constant prediction, below which nothing is gained."""

FAR = 10.0
"""Ratio of slopes from which a slope is to blame for a loss as bad as that of a constant."""

SEVERITIES: dict[str, Severity] = {
    "off": "warning",
    "border": "warning",
    "diverged": "critical",
    "wrong_sign": "critical",
}
"""Of the verdicts that are findings."""

ADVICE = {
    "off": "Fit it again on these data until the gradient of the loss is 0.",
    "border": "Widen the bounds of the solver, or start it elsewhere, and fit again.",
    "diverged": "Fit again with a smaller step, or a solver with a line search; start at 1.",
    "wrong_sign": "Check which class the scores and the labels call 1, then fit again.",
}


def judge(
    predictions: Predictions,
    every: LossDecomposition,
    *,
    fitted: object = None,
    platt: object = None,
    temperature: object = None,
    bounds: Sequence[float] = BOUNDS,
) -> JudgedFit | None:
    """Where a fit stands on the landscape.

    Args:
        predictions: the data.
        every: the split of their loss.
        fitted: (a, b) of sigmoid(a z + b).
        platt: (A, B) of scikit-learn's 1 / (1 + exp(A z + B)).
        temperature: T of sigmoid(z / T) or softmax(z / T).
        bounds: values of |a|, |b| or |T| at which a solver may have been stopped.

    Returns:
        The verdict; None if there is no fit.

    Raises:
        InputError: two fits are given, one that is no such fit, one with a slope or temperature
            that is 0 or not finite, or an intercept for several classes.
    """
    given = {"fitted": fitted, "platt": platt, "temperature": temperature}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        return None
    if len(names) > 1:
        raise InputError(f"{' and '.join(names)} are both given; a fit is judged by itself")
    fit = _fit(predictions, names[0], given[names[0]])
    return _Judge(predictions, every, fit, tuple(bounds)).judged


def misplaced(fit: JudgedFit) -> list[Finding]:
    """The finding that a fit is not where it should be; empty if it is."""
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

    With N1 and N0 the numbers, or weights, of the classes, the targets are (N1 + 1) / (N1 + 2) for
    class 1 and 1 / (N0 + 2) for class 0, so that there is a finite optimum also where a cut
    separates the classes.

    Args:
        predictions: of two classes.
    """
    return cross_entropy_optimum(Measure.from_sample(_smoothed(predictions)))


def _smoothed(predictions: Predictions) -> Sample:
    """The data with Platt's targets."""
    y, weight = predictions.y, predictions.weight
    zero, one = np.bincount(y, weight, minlength=2)
    target = np.where(y == 1, (one + 1) / (one + 2), 1 / (zero + 2))
    return Sample(predictions.logits, target, weight)


# --- what was fitted ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fit:
    """A slope and an intercept, and how they are told of.

    Attributes:
        a: slope.
        b: intercept.
        family: `platt` or `temperature`.
    """

    a: float
    b: float
    family: Literal["platt", "temperature"]

    @property
    def said(self) -> str:
        """Where it is, in words."""
        return _place(self.family, self.a, self.b)

    @property
    def numbers(self) -> tuple[float, ...]:
        """What a bound may hold."""
        return (1 / self.a, self.a) if self.family == "temperature" else (self.a, self.b)


def _place(family: str, a: float, b: float) -> str:
    if family == "platt":
        return f"a = {a:.4g}, b = {b:.4g}"
    return f"T = {1 / a if a else math.inf:.4g} (a = {a:.4g})"


def _fit(predictions: Predictions, name: str, value: object) -> _Fit:
    """The fit as slope and intercept.

    Raises:
        InputError: it is none.
    """
    wanted = 1 if name == "temperature" else 2
    numbers = _numbers(value)
    if numbers is None or len(numbers) != wanted:
        needed = "one number" if wanted == 1 else "two numbers, slope and intercept,"
        raise InputError(f"{name} is {value!r}; {needed} is needed")
    if not predictions.binary and wanted == 2:
        raise InputError(
            f"{name} is for two classes, and here are {len(predictions.classes)}; "
            "judge a temperature"
        )
    if not all(math.isfinite(number) for number in numbers) or numbers[0] == 0:
        what = "temperature" if wanted == 1 else "slope"
        raise InputError(
            f"{name} is {value!r}; finite numbers are needed, and a {what} other than 0"
        )
    if name == "temperature" and math.isinf(1 / numbers[0]):
        raise InputError(f"temperature is {value!r}; one whose inverse overflows is not judged")
    if name == "temperature":
        return _Fit(1 / numbers[0], 0.0, "temperature")
    sign = -1.0 if name == "platt" else 1.0
    return _Fit(sign * numbers[0], sign * numbers[1], "platt")


def _numbers(value: object) -> list[float] | None:
    """One number or several; None if it is something else."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    if array.dtype.kind not in "iuf" or array.ndim > 1:
        return None
    return [float(number) for number in np.atleast_1d(array)]


# --- the verdict --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Judge:
    """Compares a fit to the optimum of its family.

    Attributes:
        predictions: the data.
        every: the split of their loss.
        fit: what is judged.
        bounds: where a solver may have been stopped.
    """

    predictions: Predictions
    every: LossDecomposition
    fit: _Fit
    bounds: tuple[float, ...]

    @property
    def judged(self) -> JudgedFit:
        """The fit with its verdict."""
        value, (a, b) = self.value, self.best
        verdict, sentence = self._verdict()
        finite = math.isfinite(a)
        return JudgedFit(
            a=self.fit.a,
            b=self.fit.b,
            cross_entropy=value,
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
        every = self.every
        if self.fit.family == "temperature":
            return every.slope_alone, 0.0
        return every.a, every.b

    @property
    def least(self) -> float:
        """Cross-entropy there, or its infimum."""
        return self.every.by_slope if self.fit.family == "temperature" else self.every.by_both

    @cached_property
    def value(self) -> float:
        """Cross-entropy at the fit."""
        return _cross_entropy(self.predictions, self.fit.a, self.fit.b)

    @property
    def excess(self) -> float:
        """That above the least."""
        return max(0.0, self.value - self.least)

    @property
    def constant(self) -> float:
        """Least cross-entropy in the family with a slope of 0."""
        if self.fit.family == "temperature":
            return math.log(len(self.predictions.classes))
        return self.every.entropy

    def _verdict(self) -> tuple[str, str]:
        """In a word, and in a sentence."""
        fit, best = self.fit, _place(self.fit.family, *self.best)
        at = f"The fit {fit.said} has a cross-entropy of {self.value:.6g} nats"
        above = f"{at}, {self.excess:.3g} above the least, at {best}"
        if self.excess <= OPTIMAL * self.least and math.isfinite(self.best[0]):
            return "optimal", f"{at}: it is the optimum."
        if self._is_platt():
            return "optimal", f"{at}: it is optimal for Platt's smoothed targets{self._beside()}."
        if self._is_wrong_way():
            return "wrong_sign", f"{above}: its slope has the wrong sign."
        if not math.isfinite(self.best[0]):
            none = f"{at}, and there is no optimum to compare it with: {self._endless()}"
            if self._is_flat():
                return "diverged", f"{none}; this one flattens the logits, as a constant would."
            return "no_optimum", f"{none}, and any fit is a stop on the way."
        if self._is_within(self.excess):
            return "near", f"{above}: these data cannot tell it from the optimum."
        return self._off(above)

    def _off(self, above: str) -> tuple[str, str]:
        """Of a fit that is neither the optimum nor near it."""
        a, best = abs(self.fit.a), abs(self.best[0])
        gained = self.constant - self.value
        if self._is_flat():
            return "diverged", f"{above}: it flattens the logits, to a loss as that of a constant."
        if gained <= 0 and a > FAR * best:
            return "diverged", f"{above}: it inflates the logits, to a loss above a constant's."
        bound = self._bound()
        if bound is not None:
            return "border", f"{above}: it was likely stopped by a bound at {bound:g}."
        return "off", f"{above}: these data rule it out as the optimum."

    def _is_flat(self) -> bool:
        """Whether so small a slope gains nothing over a constant, where there is a signal."""
        if self._is_within(self.constant - self.least, SIGN):
            return False
        gained = self.constant - self.value
        few = gained <= FLAT * (self.constant - self.least)
        return few and abs(self.fit.a) * FAR < abs(self.best[0])

    def _bound(self) -> float | None:
        """The bound that one of its numbers is on."""
        for number in self.fit.numbers:
            for bound in self.bounds:
                # No solver holds an intercept within a small one.
                is_on = abs(abs(number) - abs(bound)) <= ON_BOUND * abs(bound)
                if is_on and (number != self.fit.b or abs(bound) >= 1):
                    return float(bound)
        return None

    def _is_platt(self) -> bool:
        """Whether it is the optimum of Platt's smoothed targets."""
        if self.fit.family == "temperature":
            return False
        least = platt_optimum(self.predictions).value
        fit = _of_sample(_smoothed(self.predictions), self.fit.a, self.fit.b)
        return fit - least <= OPTIMAL * least

    def _beside(self) -> str:
        """How far the smoothed optimum is from that of the labels."""
        if math.isfinite(self.best[0]):
            return f", {self.excess:.2g} nats above the least for the labels"
        return ", and the labels themselves have no finite optimum"

    def _is_wrong_way(self) -> bool:
        """Whether its slope is on the other side of 0, and the data say which side is right."""
        if not self.fit.a * self.best[0] < 0 or self._is_within(self.excess):
            return False
        return not self._is_within(self.constant - self.least, SIGN)

    def _is_within(self, excess: float, level: float = 0.95) -> bool:
        """Whether a likelihood ratio test would not reject such a fit."""
        parameters = 1 if self.fit.family == "temperature" else 2
        return within_chance(self.predictions, excess, parameters, level)

    def _endless(self) -> str:
        if math.isnan(self.best[0]):
            return "all logits are equal, so no slope is better than another"
        return f"the loss falls towards {self.least:.3g} as the slope grows without bound"


def _cross_entropy(predictions: Predictions, a: float, b: float) -> float:
    """Of sigmoid(a z + b) or softmax(a z), in nats."""
    if predictions.binary:
        return _of_sample(predictions.sample, a, b)
    rows = WeightedRows.of(predictions)
    return rows.at(a * rows.unit).loss


def _of_sample(sample: Sample, a: float, b: float) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        z = a * sample.x + b
        one, zero = softplus(-z), softplus(z)
        # A term without weight is 0 also where it is infinite.
        each = np.where(sample.y > 0, sample.y * one, 0) + np.where(
            sample.y < 1, (1 - sample.y) * zero, 0
        )
        return mean(each, sample.weight)
