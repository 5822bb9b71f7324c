"""Options of axes, metrics and their tolerance."""

from __future__ import annotations

import math
from typing import Annotated

from cyclopts import Parameter

from sweep.base.errors import InputError
from sweep.cli.app import UsageError
from sweep.metrics.metrics import known as known_metrics
from sweep.metrics.metrics import metric as metric_named

Slopes = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of slopes.")]
Intercepts = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of intercepts.")]
Metrics = Annotated[
    tuple[str, ...],
    Parameter(
        consume_multiple=True,
        negative="",
        help=f"Any of {known_metrics()}; the README has their formulas.",
        show_default=" ".join,
    ),
]
SlopesOrOwn = Annotated[
    str | None,
    Parameter(
        allow_leading_hyphen=True, help="Axis of slopes (default: -5:5:101, or of the sketch)."
    ),
]
InterceptsOrOwn = Annotated[
    str | None,
    Parameter(
        allow_leading_hyphen=True, help="Axis of intercepts (default: -5:5:101, or of the sketch)."
    ),
]
MetricsOrOwn = Annotated[
    tuple[str, ...] | None,
    Parameter(
        consume_multiple=True,
        negative="",
        help=f"Any of {known_metrics()}; the README has their formulas "
        "(default: cross_entropy accuracy, or of the sketch).",
    ),
]


def require_tolerance(tolerance: float) -> None:
    """Refuses a tolerance that is none.

    Raises:
        UsageError: it is not a positive number.
    """
    if not 0 < tolerance < math.inf:
        raise UsageError(f"--tolerance={tolerance:g}: a positive number is needed")


def require_metrics(names: tuple[str, ...]) -> None:
    """Refuses metrics that nobody knows.

    Raises:
        UsageError: names the first of them.
    """
    for name in names:
        try:
            metric_named(name)
        except InputError as error:
            raise UsageError(f"--metric: {error}") from None
