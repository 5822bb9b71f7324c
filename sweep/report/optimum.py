"""The optima of both metrics as text, in lines of at most 80 columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from sweep.base.wording import paragraph
from sweep.optima.records import (
    AccuracyOptimum,
    CrossEntropyOptimum,
    Optimum,
    PopulationOptimum,
    SketchOptimum,
)

CUTS_SHOWN = 10  # intervals of optimal cuts that are printed; --json has them all

UNDECIDED = "  So it cannot be decided whether the two share an optimum."
SHARED = "  They share an optimum: the optimum of cross-entropy has the highest accuracy."


def optimum_lines(result: Optimum) -> Iterator[str]:
    """Both optima, and whether they are the same."""
    status, population = result.cross_entropy.status, isinstance(result, PopulationOptimum)
    yield paragraph(status.value)
    if status.name == "finite":
        yield from _cross_entropy_lines(result.cross_entropy, _rounded if population else _exact)
    if isinstance(result, SketchOptimum):
        yield from _bounds_lines(result)
        return
    yield from _accuracy_lines(result)
    if isinstance(result, PopulationOptimum):
        yield f"  of any classifier    {result.bayes_accuracy:.12g} (Bayes)"
        if math.isfinite(result.eta_excess):
            excess = _rounded(result.eta_excess)
            yield f"  P(y=1|x) less 1/2    {excess} at the cut of cross-entropy"
    if result.shared is None:
        yield UNDECIDED
    elif result.shared:
        yield SHARED
    else:
        yield "  They do not share an optimum: at the lowest cross-entropy"
        yield f"    accuracy is lower by {result.regret:.6g}, and"
        if math.isinf(result.distance):
            yield "    no best cut has class 1 on the same side."
        else:
            yield f"    the cut is {result.distance:.6g} away from the nearest best one."


def _exact(number: float) -> str:
    return f"{number:.12g}"


def _rounded(number: float) -> str:
    """A result of quadrature, with rounding errors around 0 removed."""
    return f"{round(number, 13) + 0.0:.12g}"


def _cross_entropy_lines(ce: CrossEntropyOptimum, number: Callable[[float], str]) -> Iterator[str]:
    yield f"  lowest cross-entropy {ce.value:.12g} nats"
    yield f"  at                   a = {number(ce.a)}, b = {number(ce.b)}"
    side = {1: "class 1 above", -1: "class 1 below", 0: "no cut: a = 0"}[ce.orientation]
    yield f"  its cut              {number(ce.cut)} ({side})" if ce.orientation else f"  {side}"


def _accuracy_lines(result: Optimum) -> Iterator[str]:
    accuracy = result.accuracy
    population = isinstance(result, PopulationOptimum)
    correct = "" if population else f" ({accuracy.correct:.12g} correct)"
    yield f"  highest accuracy     {accuracy.value:.12g}{correct}, for:"
    yield from _cut_lines(accuracy, _closed_interval if population else _interval)


def _cut_lines(
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
    """The bounds that a sketch has on the optima."""
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
    yield from _cut_lines(accuracy, _interval)
    if status != "finite":
        yield UNDECIDED
    elif result.shared:
        yield SHARED
    else:
        low, high = (f"{regret:.6g}" for regret in result.regret_bounds)
        may = "do not" if result.shared is False else "may or may not"
        yield f"  They {may} share an optimum: at the lowest cross-entropy"
        yield f"    accuracy is lower by {low if low == high else f'{low} to {high}'}."


def _closed_interval(low: float, high: float, orientation: int) -> str:
    """A closed interval of cuts of a population; most are a single point."""
    side = "class 1 above" if orientation > 0 else "class 1 below"
    return (
        f"the cut {_rounded(low)}, {side}"
        if low == high
        else f"cuts in [{low:.9g}, {high:.9g}], {side}"
    )


def _interval(low: float, high: float, orientation: int) -> str:
    """An interval of cuts, with enough digits to tell its ends apart."""
    short, exact = (f"{low:.9g}", f"{high:.9g}"), (repr(low), repr(high))
    ends = ", ".join(short if short[0] != short[1] else exact)
    return (
        f"cuts in ({ends}], class 1 above"
        if orientation > 0
        else f"cuts in [{ends}), class 1 below"
    )
