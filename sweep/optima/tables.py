"""The optima of both metrics as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from sweep.base.tables import Table
from sweep.optima.records import (
    CrossEntropyOptimum,
    Optimum,
    PopulationOptimum,
    SketchAccuracy,
    SketchOptimum,
)

CUTS_SHOWN = 10  # intervals of optimal cuts that are listed; `to_dict()` has them all

UNDECIDED = "So it cannot be decided whether the two share an optimum."
SHARED = "They share an optimum: the optimum of cross-entropy has the highest accuracy."

Row = tuple[str, str]  # what, and its value


def tables(result: Optimum) -> tuple[Table, ...]:
    """Both optima, and whether they are the same."""
    optima = Table(rows=tuple(_rows(result)), notes=(_comparison(result),), words=2)
    return Table(notes=(result.cross_entropy.status.value,)), optima


def _rows(result: Optimum) -> Iterator[Row]:
    population = isinstance(result, PopulationOptimum)
    if result.cross_entropy.status.name == "finite":
        yield from _cross_entropy_rows(result.cross_entropy, _rounded if population else _exact)
        if isinstance(result, SketchOptimum):
            errors = result.errors
            cut = f", cut {errors.cut:.1e}" if math.isfinite(errors.cut) else ""
            bounds = f"{errors.value:.1e} nats, a {errors.a:.1e}, b {errors.b:.1e}{cut}"
            yield "errors at most", bounds
    yield "highest accuracy", _highest(result)
    words, cuts = _closed_interval if population else _interval, result.accuracy.cuts
    for low, high, orientation in cuts[:CUTS_SHOWN]:
        yield "", words(low, high, orientation)
    if len(cuts) > CUTS_SHOWN:
        yield "", f"and {len(cuts) - CUTS_SHOWN} more intervals (--json has them all)"
    for constant in result.accuracy.constants:
        yield "", f"predicting class {constant} everywhere"
    if isinstance(result, PopulationOptimum):
        yield "of any classifier", f"{result.bayes_accuracy:.12g} (Bayes)"
        if math.isfinite(result.eta_excess):
            excess = _rounded(result.eta_excess)
            yield "P(y=1|x) less 1/2", f"{excess} at the cut of cross-entropy"


def _exact(number: float) -> str:
    return f"{number:.12g}"


def _rounded(number: float) -> str:
    """A result of quadrature, with rounding errors around 0 removed."""
    return f"{round(number, 13) + 0.0:.12g}"


def _cross_entropy_rows(ce: CrossEntropyOptimum, number: Callable[[float], str]) -> Iterator[Row]:
    side = {1: "class 1 above", -1: "class 1 below", 0: "none: a = 0"}[ce.orientation]
    yield "lowest cross-entropy", f"{ce.value:.12g} nats"
    yield "at", f"a = {number(ce.a)}, b = {number(ce.b)}"
    yield "its cut", f"{number(ce.cut)} ({side})" if ce.orientation else side


def _highest(result: Optimum) -> str:
    """The highest accuracy, or bounds on it."""
    accuracy = result.accuracy
    value, correct = f"{accuracy.value:.12g}", f" ({accuracy.correct:.12g} correct)"
    if isinstance(result, PopulationOptimum):
        return f"{value}, for:"
    if not isinstance(accuracy, SketchAccuracy):
        return f"{value}{correct}, for:"
    upper = f"{accuracy.upper:.12g}"
    return f"{value}{correct}, within:" if value == upper else f"{value} to {upper}, within:"


def _comparison(result: Optimum) -> str:
    """Whether the two share an optimum, and what accuracy is lost if they do not."""
    if result.shared:
        return SHARED
    if result.cross_entropy.status.name != "finite":
        return UNDECIDED
    do = "may or may not" if result.shared is None else "do not"
    lost = f"They {do} share an optimum: at the lowest cross-entropy accuracy is lower by "
    if isinstance(result, SketchOptimum):
        low, high = (f"{regret:.6g}" for regret in result.regret_bounds)
        return f"{lost}{low if low == high else f'{low} to {high}'}."
    if math.isinf(result.distance):
        return f"{lost}{result.regret:.6g}, and no best cut has class 1 on the same side."
    away = f"the cut is {result.distance:.6g} away from the nearest best one"
    return f"{lost}{result.regret:.6g}, and {away}."


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
