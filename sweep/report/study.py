"""A study in words and tables, at most 80 columns wide."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from sweep.base.ranges import size_text
from sweep.report.optimum import print_answer
from sweep.report.text import filled, law_named, paragraph

if TYPE_CHECKING:
    from sweep.asymptotics.rates import GapFit, Rate
    from sweep.asymptotics.study import Study

NAMES = {
    "cut_error_cross_entropy": "error of the CE cut",
    "cut_error_accuracy": "error of the accuracy cut",
    "regret_cross_entropy": "regret at the least CE",
    "regret_accuracy": "regret at highest accuracy",
    "gap": "gap in the sample",
}
"""What rates are called in the table, CE being cross-entropy."""

WIDTHS = (15, 17)
"""Characters of a slope with its error, and of a constant with its own."""

Z95 = 1.96
"""Standard errors on either side of 95%."""


def print_study(study: Study) -> None:
    """Both questions, apart: the population's answer, then what samples tell."""
    name = law_named(study.population, study.id)
    print(filled(name))
    print(f"  {study.replicates} samples of each size, seed {study.seed}")
    print("\nA. In the population, its law being known (n = inf)")
    print_answer(study.optimum)
    print("\nB. In samples: means; of cross-entropy (CE) and the gap where it has an optimum")
    _print_means(study)
    if study.rates:
        _print_rates(study.rates)
    if study.gap_fit is not None:
        _print_gap(study.gap_fit)
    verdict = study.verdict
    print(f"\nVerdict at epsilon = {verdict.epsilon:g}: {verdict.name.replace('_', ' ')}")
    print(paragraph(verdict.sentence))


def print_references(references: tuple[str, ...]) -> None:
    """What the rule, the rates and their constants rest on."""
    print("References")
    for reference in references:
        print(filled(reference, "  "))


def _print_means(study: Study) -> None:
    print(f"{'':9}{'error of the cut':>19}{'regret (accuracy lost)':>30}")
    print(f"{'n':>8}{'CE':>10}{'accuracy':>11}{'CE':>10}{'accuracy':>11}{'gap':>10}", end="")
    print(f"{'gap = 0':>9}{'no opt.':>9}")
    means = study.summary
    for n in means["n"].values.tolist():
        at = means.sel(n=n)
        mean = dict(zip(at["quantity"].values.tolist(), at["mean"].values.tolist(), strict=True))
        found = int(at["status_count"].sel(status="finite"))
        widths = (10, 11, 10, 11, 10)
        numbers = "".join(f"{_short(mean[q]):>{w}}" for q, w in zip(NAMES, widths, strict=True))
        none = study.replicates - found
        print(f"{size_text(n):>8}{numbers}{_percent(mean['shared']):>9}{none:>9}")


def _short(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.3g}"


def _percent(fraction: float) -> str:
    return "-" if math.isnan(fraction) else f"{100 * fraction:.3g}%"


def _print_rates(rates: tuple[Rate, ...]) -> None:
    sizes = next((rate.sizes for rate in rates if rate.sizes is not None), None)
    of = f", {size_text(sizes[0])} to {size_text(sizes[1])}" if sizes else ""
    print(f"\nPowers of n{of}: log-log slope, constant at theory's power (95%)")
    print(f"  {'':27}{'slope':>16}{'theory':>7}{'constant':>18}{'theory':>10}")
    for rate in rates:
        slope = _with_error(rate.slope, rate.slope_error, WIDTHS[0])
        constant = _with_error(rate.constant, rate.constant_error, WIDTHS[1])
        theory = "-" if rate.theory_constant is None else f"{rate.theory_constant:.4g}"
        print(f"  {NAMES[rate.quantity]:27}{slope:>16}{_power(rate):>7}{constant:>18}{theory:>10}")


def _with_error(value: float | None, error: float | None, width: int) -> str:
    """A number and half its 95% interval, to two digits of the latter where there is room."""
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
    """Both with so many decimals, and 0 without a sign."""
    decimals = max(decimals, 0)
    return f"{round(value, decimals) + 0.0:.{decimals}f} ± {half:.{decimals}f}"


def _power(rate: Rate) -> str:
    return "-" if rate.exponent is None else str(Fraction(rate.exponent).limit_denominator(12))


def _print_gap(fit: GapFit) -> None:
    print("Both terms of the gap fitted together, A n^-2/3 + B n^-1:")
    for name, value, error, theory in (
        ("A", fit.n23, fit.n23_error, fit.theory_n23),
        ("B", fit.n1, fit.n1_error, fit.theory_n1),
    ):
        said = "no constant known" if theory is None else f"theory {theory:.4g}"
        print(f"  {name} = {_with_error(value, error, WIDTHS[1])}, {said}")
