"""The decomposition of the loss: how much of it a slope, an intercept, and both can save."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweep.data.predictions import Predictions
from sweep.diagnosis.one_parameter import (
    WeightedRows,
    intercept_alone,
    slope_alone,
    temperature_optimum,
)
from sweep.diagnosis.report import TemperatureOptimum
from sweep.diagnosis.scores import class_shares, entropy, mean
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus

SEPARATED = (OptimumStatus.separated, OptimumStatus.quasi_separated)
"""Statuses of classes that a cut of the logit separates, so that the best slope is infinite."""


@dataclass(frozen=True)
class LossDecomposition:
    """Cross-entropies of a classifier in nats, as it is and recalibrated."""

    as_is: float  # at (a, b) = (1, 0)
    by_slope: float  # at the best a with b = 0
    by_intercept: float  # at the best b with a = 1; `as_is` for several classes
    by_both: float  # at (a*, b*), or its infimum
    entropy: float  # of predicting the class shares
    a: float  # a*; infinite if the classes are separated, nan if all logits are equal
    b: float  # b*; nan without a finite optimum, 0 for several classes
    slope_alone: float  # the best a with b = 0
    intercept_alone: float  # the best b with a = 1; 0 for several classes
    status: OptimumStatus  # whether there is a finite optimum


def decompose(
    predictions: Predictions, optimum: CrossEntropyOptimum | TemperatureOptimum | None = None
) -> LossDecomposition:
    """The decomposition of the loss."""
    as_is = mean(predictions.losses, predictions.weight)
    chance = float(entropy(class_shares(predictions)))
    if isinstance(optimum, TemperatureOptimum) or not predictions.binary:
        assert not isinstance(optimum, CrossEntropyOptimum)
        optimum = optimum or temperature_optimum(predictions)
        return _of_several_classes(predictions, optimum, as_is, chance)
    return _of_two_classes(predictions, optimum, as_is, chance)


def _of_two_classes(
    predictions: Predictions, optimum: CrossEntropyOptimum | None, as_is: float, chance: float
) -> LossDecomposition:
    measure = predictions.measure
    optimum = optimum or cross_entropy_optimum(measure)
    a, by_slope = slope_alone(measure)
    b, by_intercept = intercept_alone(measure)
    return LossDecomposition(
        as_is=as_is,
        by_slope=min(by_slope, as_is),
        by_intercept=min(by_intercept, as_is),
        by_both=min(optimum.value, by_slope, by_intercept),
        entropy=chance,
        a=optimum.orientation * math.inf if optimum.status in SEPARATED else optimum.a,
        b=optimum.b,
        slope_alone=a,
        intercept_alone=b,
        status=optimum.status,
    )


def _of_several_classes(
    predictions: Predictions, optimum: TemperatureOptimum, as_is: float, chance: float
) -> LossDecomposition:
    separated = optimum.status in SEPARATED
    a = WeightedRows.of(predictions).slope_of(optimum) if separated else optimum.a
    value = min(optimum.value, as_is)
    return LossDecomposition(as_is, value, as_is, value, chance, a, 0.0, a, 0.0, optimum.status)
