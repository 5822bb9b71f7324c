"""Tables of a run: numbers of each landscape, its exact optima among them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from sweep.optima.records import AccuracyOptimum, Optimum, OptimumStatus

STATUSES = tuple(OptimumStatus)
"""What `optimum_status` counts."""


class LandscapeTable(NamedTuple):
    """A number of each landscape.

    Attributes:
        units: its unit.
        long_name: what it is.
        flags: what its values 0, 1, ... mean, if they are kinds.
    """

    units: str
    long_name: str
    flags: tuple[str, ...] = ()

    @property
    def attributes(self) -> dict[str, Any]:
        """As attributes of a variable, by the conventions of CF."""
        found: dict[str, Any] = {"units": self.units, "long_name": self.long_name}
        if self.flags:
            found |= {
                "flag_values": [float(k) for k in range(len(self.flags))],
                "flag_meanings": " ".join(self.flags),
            }
        return found


ALWAYS = {
    "points": LandscapeTable("count", "points that the landscape is of; inf is the law itself"),
    "error_bound": LandscapeTable(
        "1", "bound on |error| / max(1, value) of every metric with a bound"
    ),
}
OPTIMA = {
    "optimum_a": LandscapeTable("1 / unit of x", "slope of the cross-entropy optimum"),
    "optimum_b": LandscapeTable("1", "intercept of the cross-entropy optimum"),
    "least_cross_entropy": LandscapeTable("nats", "least cross-entropy, or its infimum"),
    "optimum_cut": LandscapeTable("unit of x", "cut of the cross-entropy optimum"),
    "optimum_orientation": LandscapeTable("1", "+1: class 1 above that cut, -1: below, 0: no cut"),
    "optimum_status": LandscapeTable(
        "1", "whether cross-entropy has an optimum", tuple(status.name for status in STATUSES)
    ),
    "highest_accuracy": LandscapeTable("1", "highest accuracy"),
    "optimal_cuts": LandscapeTable(
        "count", "intervals of cuts of highest accuracy; 0: only constants"
    ),
    "optimal_cut_low": LandscapeTable("unit of x", "lower end of the widest of these intervals"),
    "optimal_cut_high": LandscapeTable("unit of x", "its upper end"),
    "optimal_cut_orientation": LandscapeTable("1", "+1: class 1 above a cut in it, -1: below"),
    "shared": LandscapeTable(
        "1", "whether the cross-entropy optimum is most accurate", ("no", "yes")
    ),
    "regret": LandscapeTable("1", "accuracy lost at the cross-entropy optimum"),
    "distance": LandscapeTable(
        "unit of x", "from its cut to the nearest optimal one of its orientation"
    ),
}


def tables(optimum: bool) -> dict[str, LandscapeTable]:
    """The tables of a run, with or without those of the optima."""
    return ALWAYS | (OPTIMA if optimum else {})


def optima(found: Optimum) -> dict[str, float]:
    """The numbers of the optima, by table; nan where there is none."""
    ce = found.cross_entropy
    return {
        "optimum_a": ce.a,
        "optimum_b": ce.b,
        "least_cross_entropy": ce.value,
        "optimum_cut": ce.cut,
        "optimum_orientation": float(ce.orientation),
        "optimum_status": float(STATUSES.index(ce.status)),
        "shared": math.nan if found.shared is None else float(found.shared),
        "regret": found.regret,
        "distance": found.distance,
    } | _cuts(found.accuracy)


def _cuts(best: AccuracyOptimum) -> dict[str, float]:
    """The highest accuracy, and the widest interval of cuts that reach it, the first of several."""
    numbers = {"highest_accuracy": best.value, "optimal_cuts": float(len(best.cuts))}
    if best.cuts:
        low, high, orientation = max(best.cuts, key=lambda cut: cut[1] - cut[0])
        numbers |= {
            "optimal_cut_low": low,
            "optimal_cut_high": high,
            "optimal_cut_orientation": float(orientation),
        }
    return numbers
