"""The split of the loss: what the slope, the intercept, and both could save of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweep.data.predictions import Predictions
from sweep.diagnosis.one_parameter import intercept_alone, slope_alone
from sweep.diagnosis.report import TemperatureOptimum
from sweep.diagnosis.scores import class_shares, entropy, losses, mean
from sweep.diagnosis.temperature import WeightedRows, temperature_optimum
from sweep.measure.measure import Measure
from sweep.optima.cross_entropy import cross_entropy_optimum
from sweep.optima.records import CrossEntropyOptimum, OptimumStatus

SEPARATED = (OptimumStatus.separated, OptimumStatus.quasi_separated)
"""Statuses of classes that a cut separates, so that the slope has no bound."""


@dataclass(frozen=True)
class LossDecomposition:
    """Cross-entropies of a classifier, as it is and recalibrated.

    Attributes:
        as_is: at (1, 0), in nats.
        by_slope: at the best a with b = 0.
        by_intercept: at the best b with a = 1; as it is for several classes.
        by_both: at (a*, b*), or its infimum.
        entropy: of predicting the shares of the classes.
        a: a*; infinite if the classes are separated, nan if all logits are equal.
        b: b*; nan without a finite optimum, 0 for several classes.
        slope_alone: the best a with b = 0.
        intercept_alone: the best b with a = 1; 0 for several classes.
        status: whether there is a finite optimum.
    """

    as_is: float
    by_slope: float
    by_intercept: float
    by_both: float
    entropy: float
    a: float
    b: float
    slope_alone: float
    intercept_alone: float
    status: OptimumStatus


def split(
    predictions: Predictions, found: CrossEntropyOptimum | TemperatureOptimum | None = None
) -> LossDecomposition:
    """The split of the loss.

    Args:
        predictions: with at least two classes among their labels.
        found: the optimum of cross-entropy, if it is known.

    Raises:
        InputError: the logits span more than float64 resolves.
    """
    as_is = mean(losses(predictions), predictions.weight)
    chance = float(entropy(class_shares(predictions)))
    if isinstance(found, TemperatureOptimum) or not predictions.binary:
        assert not isinstance(found, CrossEntropyOptimum)
        found = found or temperature_optimum(predictions)
        return _of_several(predictions, found, as_is, chance)
    return _of_two(predictions, found, as_is, chance)


def _of_two(
    predictions: Predictions, found: CrossEntropyOptimum | None, as_is: float, chance: float
) -> LossDecomposition:
    measure = Measure.from_sample(predictions.sample)
    found = found or cross_entropy_optimum(measure)
    a, by_slope = slope_alone(measure)
    b, by_intercept = intercept_alone(measure)
    return LossDecomposition(
        as_is=as_is,
        by_slope=min(by_slope, as_is),
        by_intercept=min(by_intercept, as_is),
        by_both=min(found.value, by_slope, by_intercept),
        entropy=chance,
        a=found.orientation * math.inf if found.status in SEPARATED else found.a,
        b=found.b,
        slope_alone=a,
        intercept_alone=b,
        status=found.status,
    )


def _of_several(
    predictions: Predictions, found: TemperatureOptimum, as_is: float, chance: float
) -> LossDecomposition:
    unbounded = found.status in SEPARATED
    a = WeightedRows.of(predictions).direction * math.inf if unbounded else found.a
    value = min(found.value, as_is)
    return LossDecomposition(as_is, value, as_is, value, chance, a, 0.0, a, 0.0, found.status)
