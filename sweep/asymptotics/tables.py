"""A study as tables: the answer for the population, and apart from it that for samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from sweep.base.ranges import size_text
from sweep.base.tables import Table
from sweep.base.wording import law_named

if TYPE_CHECKING:
    from sweep.asymptotics.rates import GapFit, Rate
    from sweep.asymptotics.study import Study

NAMES = {
    "cut_error_cross_entropy": "error of the CE cut",
    "cut_error_accuracy": "error of the accuracy cut",
    "regret_cross_entropy": "regret at the lowest CE",
    "regret_accuracy": "regret at highest accuracy",
    "gap": "gap in the sample",
}
"""Names of the quantities; CE is cross-entropy."""

WIDTHS = (15, 17)
"""Characters of a slope with its error, and of a constant with its error."""

Z95 = 1.96  # standard errors on either side of a 95% interval


def tables(study: Study) -> Iterator[Table]:
    """Both answers, kept apart."""
    drawn = f"{study.replicates} samples of each size, seed {study.seed}"
    yield Table(title=law_named(study.population, study.id), notes=(drawn,))
    yield Table(title="A. In the population, whose law is known (n = inf)")
    yield from study.optimum.tables()
    yield _means(study)
    if study.rates:
        yield _rates(study.rates)
    if study.gap_fit is not None:
        yield _gap(study.gap_fit)
    verdict = study.verdict
    title = f"Verdict at epsilon = {verdict.epsilon:g}: {verdict.name.replace('_', ' ')}"
    yield Table(title=title, notes=(verdict.sentence,))


def _means(study: Study) -> Table:
    means, rows = study.summary, []
    for n in means["n"].values.tolist():
        at = means.sel(n=n)
        mean = dict(zip(at["quantity"].values.tolist(), at["mean"].values.tolist(), strict=True))
        without = study.replicates - int(at["status_count"].sel(status="finite"))
        numbers = (_short(mean[quantity]) for quantity in NAMES)
        rows.append((size_text(n), *numbers, _percent(mean["shared"]), str(without)))
    return Table(
        title="B. In samples: means; of cross-entropy (CE) and the gap where CE has an optimum",
        columns=("n", *NAMES.values(), "gap is 0", "no optimum"),
        rows=tuple(rows),
        notes=("A regret is accuracy that is lost in the population.",),
        words=0,
    )


def _short(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.3g}"


def _percent(fraction: float) -> str:
    return "-" if math.isnan(fraction) else f"{100 * fraction:.3g}%"


def _rates(rates: tuple[Rate, ...]) -> Table:
    sizes = next((rate.sizes for rate in rates if rate.sizes is not None), None)
    span = f", {size_text(sizes[0])} to {size_text(sizes[1])}" if sizes else ""
    rows = tuple(
        (
            NAMES[rate.quantity],
            _with_error(rate.slope, rate.slope_error, WIDTHS[0]),
            _power(rate),
            _with_error(rate.constant, rate.constant_error, WIDTHS[1]),
            "-" if rate.theory_constant is None else f"{rate.theory_constant:.4g}",
        )
        for rate in rates
    )
    return Table(
        title=f"Powers of n{span}: log-log slope, constant at theory's power (95%)",
        columns=("", "slope", "theory", "constant", "theory"),
        rows=rows,
    )


def _with_error(value: float | None, error: float | None, width: int) -> str:
    """A number and half its 95% interval, the latter to two digits if there is room."""
    if value is None:
        return "-"
    if not error or not math.isfinite(error):
        return f"{value:.3g}"
    half = Z95 * error
    for digits in (2, 1):
        text = _to(value, half, digits - 1 - math.floor(math.log10(half)))
        if len(text) <= width:
            return text
    power = math.floor(math.log10(max(abs(value), half)))
    scaled = half / 10.0**power
    digits = max(1, -math.floor(math.log10(scaled)))
    return f"({_to(value / 10.0**power, scaled, digits)})e{power}"


def _to(value: float, half: float, decimals: int) -> str:
    """Both numbers with so many decimals; 0 has no sign."""
    decimals = max(decimals, 0)
    return f"{round(value, decimals) + 0.0:.{decimals}f} ± {half:.{decimals}f}"


def _power(rate: Rate) -> str:
    return "-" if rate.exponent is None else str(Fraction(rate.exponent).limit_denominator(12))


def _gap(fit: GapFit) -> Table:
    rows = tuple(
        (
            name,
            _with_error(value, error, WIDTHS[1]),
            "no constant known" if theory is None else f"theory {theory:.4g}",
        )
        for name, value, error, theory in (
            ("A", fit.n23, fit.n23_error, fit.theory_n23),
            ("B", fit.n1, fit.n1_error, fit.theory_n1),
        )
    )
    return Table(title="Fit of both terms of the gap, A n^-2/3 + B n^-1", rows=rows)
