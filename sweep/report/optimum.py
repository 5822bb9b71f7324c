"""Optima in words, at most 80 columns wide."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from sweep.optima.records import (
    AccuracyOptimum,
    CrossEntropyOptimum,
    Optimum,
    PopulationOptimum,
    SketchOptimum,
)
from sweep.report.text import paragraph

UNKNOWN = "They may or may not share an optimum"

CUTS_SHOWN = 10
"""Intervals of optimal cuts that are printed; --json has them all."""


def optimum_lines(result: Optimum) -> Iterator[str]:
    """Both optima, and whether they are one."""
    status, population = result.cross_entropy.status, isinstance(result, PopulationOptimum)
    yield paragraph(status.value)
    if status.name == "finite":
        yield from _least_lines(result.cross_entropy, _rounded if population else _exact)
    if isinstance(result, SketchOptimum):
        yield from _bounds_lines(result)
        return
    yield from _highest_lines(result)
    if isinstance(result, PopulationOptimum):
        yield f"  of any classifier    {result.bayes_accuracy:.12g} (Bayes)"
        if math.isfinite(result.eta_excess):
            excess = _rounded(result.eta_excess)
            yield f"  P(y=1|x) less 1/2    {excess} at the cut of cross-entropy"
    if result.shared is None:
        yield "  So whether the two share an optimum cannot be said."
    elif result.shared:
        yield "  They share an optimum: the one of cross-entropy has the highest accuracy."
    else:
        yield "  They do not share an optimum: at the least cross-entropy"
        yield f"    accuracy is lower by {result.regret:.6g}, and"
        if math.isinf(result.distance):
            yield "    no best cut has class 1 on the same side."
        else:
            yield f"    the cut is {result.distance:.6g} away from the nearest best one."


def _exact(number: float) -> str:
    return f"{number:.12g}"


def _rounded(number: float) -> str:
    """What quadrature found, without the rounding of what is 0."""
    return f"{round(number, 13) + 0.0:.12g}"


def _least_lines(ce: CrossEntropyOptimum, clean: Callable[[float], str]) -> Iterator[str]:
    yield f"  least cross-entropy  {ce.value:.12g} nats"
    yield f"  at                   a = {clean(ce.a)}, b = {clean(ce.b)}"
    side = {1: "class 1 above", -1: "class 1 below", 0: "no cut: a = 0"}[ce.orientation]
    yield f"  its cut              {clean(ce.cut)} ({side})" if ce.orientation else f"  {side}"


def _highest_lines(result: Optimum) -> Iterator[str]:
    accuracy = result.accuracy
    population = isinstance(result, PopulationOptimum)
    correct = "" if population else f" ({accuracy.correct:.12g} correct)"
    yield f"  highest accuracy     {accuracy.value:.12g}{correct}, for:"
    yield from _places_lines(accuracy, _closed if population else _interval)


def _places_lines(
    accuracy: AccuracyOptimum, words: Callable[[float, float, int], str]
) -> Iterator[str]:
    """The cuts and the constant predictions."""
    for low, high, orientation in accuracy.cuts[:CUTS_SHOWN]:
        yield f"    {words(low, high, orientation)}"
    if len(accuracy.cuts) > CUTS_SHOWN:
        yield f"    and {len(accuracy.cuts) - CUTS_SHOWN} more intervals (--json has them all)"
    for constant in accuracy.constants:
        yield f"    predicting class {constant} everywhere"


def _bounds_lines(result: SketchOptimum) -> Iterator[str]:
    """What a sketch knows of the most accurate, and of how wrong it is."""
    errors, accuracy = result.errors, result.accuracy
    status = result.cross_entropy.status.name
    if status == "finite":
        cut = f", cut {errors.cut:.1e}" if math.isfinite(errors.cut) else ""
        text = f"{errors.value:.1e} nats, a {errors.a:.1e}, b {errors.b:.1e}{cut}"
        yield f"  errors at most       {text}"
    lower, upper = f"{accuracy.value:.12g}", f"{accuracy.upper:.12g}"
    if lower == upper:
        yield f"  highest accuracy     {lower} ({accuracy.correct:.12g} correct), within:"
    else:
        yield f"  highest accuracy     {lower} to {upper}, within:"
    yield from _places_lines(accuracy, _interval)
    if status != "finite":
        yield "  So whether the two share an optimum cannot be said."
    elif result.shared:
        yield "  They share an optimum: the one of cross-entropy has the highest accuracy."
    else:
        low, high = (f"{regret:.6g}" for regret in result.regret_bounds)
        sure = "They do not share an optimum" if result.shared is False else UNKNOWN
        yield f"  {sure}: at the least cross-entropy"
        yield f"    accuracy is lower by {low if low == high else f'{low} to {high}'}."


def _closed(low: float, high: float, orientation: int) -> str:
    """An interval of cuts of a population, ends included; most are a single point."""
    side = "class 1 above" if orientation > 0 else "class 1 below"
    return (
        f"the cut {_rounded(low)}, {side}"
        if low == high
        else f"cuts in [{low:.9g}, {high:.9g}], {side}"
    )


def _interval(low: float, high: float, orientation: int) -> str:
    """An interval of cuts, with as many digits as tell its ends apart."""
    short, exact = (f"{low:.9g}", f"{high:.9g}"), (repr(low), repr(high))
    ends = ", ".join(short if short[0] != short[1] else exact)
    return (
        f"cuts in ({ends}], class 1 above"
        if orientation > 0
        else f"cuts in [{ends}), class 1 below"
    )
