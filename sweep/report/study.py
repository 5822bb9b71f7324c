"""A study as text and tables, in lines of at most 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from sweep.base.ranges import size_text
from sweep.base.wording import filled, law_named, paragraph
from sweep.report.optimum import optimum_lines

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
"""Names of the quantities in the table; CE is cross-entropy."""

WIDTHS = (15, 17)
"""Characters of a slope with its error, and of a constant with its error."""

Z95 = 1.96  # standard errors on either side of a 95% interval


def study_lines(study: Study) -> Iterator[str]:
    """Both answers, kept apart: that of the population, then that of samples."""
    name = law_named(study.population, study.id)
    yield filled(name)
    yield f"  {study.replicates} samples of each size, seed {study.seed}"
    yield "\nA. In the population, whose law is known (n = inf)"
    yield from optimum_lines(study.optimum)
    yield "\nB. In samples: means; of cross-entropy (CE) and the gap where CE has an optimum"
    yield from _means_lines(study)
    if study.rates:
        yield from _rates_lines(study.rates)
    if study.gap_fit is not None:
        yield from _gap_lines(study.gap_fit)
    verdict = study.verdict
    yield f"\nVerdict at epsilon = {verdict.epsilon:g}: {verdict.name.replace('_', ' ')}"
    yield paragraph(verdict.sentence)


def reference_lines(references: tuple[str, ...]) -> Iterator[str]:
    """Sources of the rule, the rates and their constants."""
    yield "References"
    for reference in references:
        yield filled(reference, "  ")


def _means_lines(study: Study) -> Iterator[str]:
    yield f"{'':9}{'error of the cut':>19}{'regret (accuracy lost)':>30}"
    yield (
        f"{'n':>8}{'CE':>10}{'accuracy':>11}{'CE':>10}{'accuracy':>11}{'gap':>10}"
        f"{'gap = 0':>9}{'no opt.':>9}"
    )
    means = study.summary
    for n in means["n"].values.tolist():
        at = means.sel(n=n)
        mean = dict(zip(at["quantity"].values.tolist(), at["mean"].values.tolist(), strict=True))
        finite = int(at["status_count"].sel(status="finite"))
        widths = (10, 11, 10, 11, 10)
        numbers = "".join(f"{_short(mean[q]):>{w}}" for q, w in zip(NAMES, widths, strict=True))
        without = study.replicates - finite
        yield f"{size_text(n):>8}{numbers}{_percent(mean['shared']):>9}{without:>9}"


def _short(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.3g}"


def _percent(fraction: float) -> str:
    return "-" if math.isnan(fraction) else f"{100 * fraction:.3g}%"


def _rates_lines(rates: tuple[Rate, ...]) -> Iterator[str]:
    sizes = next((rate.sizes for rate in rates if rate.sizes is not None), None)
    span = f", {size_text(sizes[0])} to {size_text(sizes[1])}" if sizes else ""
    yield f"\nPowers of n{span}: log-log slope, constant at theory's power (95%)"
    yield f"  {'':27}{'slope':>16}{'theory':>7}{'constant':>18}{'theory':>10}"
    for rate in rates:
        slope = _with_error(rate.slope, rate.slope_error, WIDTHS[0])
        constant = _with_error(rate.constant, rate.constant_error, WIDTHS[1])
        theory = "-" if rate.theory_constant is None else f"{rate.theory_constant:.4g}"
        yield f"  {NAMES[rate.quantity]:27}{slope:>16}{_power(rate):>7}{constant:>18}{theory:>10}"


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


def _gap_lines(fit: GapFit) -> Iterator[str]:
    yield "Fit of both terms of the gap, A n^-2/3 + B n^-1:"
    for name, value, error, theory in (
        ("A", fit.n23, fit.n23_error, fit.theory_n23),
        ("B", fit.n1, fit.n1_error, fit.theory_n1),
    ):
        expected = "no constant known" if theory is None else f"theory {theory:.4g}"
        yield f"  {name} = {_with_error(value, error, WIDTHS[1])}, {expected}"
