import json

import numpy as np
import pytest

from sweep.asymptotics.rates import EXCESSES, RATES, gap_fit, rates, summary
from sweep.optima.records import OptimumStatus
from tests.support.tables import W1, chi, limits, optimum, power, steady, table

TRUE = {
    "cut_error_cross_entropy": (-1 / 2, 1.6599),
    "cut_error_accuracy": (-1 / 3, 1.3104),
    "regret_cross_entropy": (-1.0, 0.541),
    "regret_accuracy": (-2 / 3, 0.332),
}
"""Quantity -> exponent and constant of the tables of `tests.support.tables`."""

TABLES = 300

CENTRED, SCALED = 0.3, 0.15
"""How far the mean and the standard deviation of so many z-scores may be from 0 and 1.

Three and a half of their own standard errors, 0.06 and 0.04, and for the mean 0.1 more: means of
200 squares of normal numbers are skewed still. Weights from the standard errors as measured instead
of smoothed ones would put it at -0.5 for such constants.
"""


def _z_scores(estimates):
    """Estimates as (value, error, truth) -> z-scores."""
    value, error, true = np.array(estimates, float).T
    return (value - true) / error


def _assert_honest(scores):
    assert abs(np.mean(scores)) < CENTRED
    assert abs(np.std(scores) - 1) < SCALED


@pytest.fixture(scope="module")
def measured():
    """Rates and gap fits of many studies of one law."""
    tables = (table(replicates=200, seed=seed) for seed in range(TABLES))
    means = [summary(data) for data in tables]
    return [(rates(m, limits()), gap_fit(m, limits())) for m in means]


@pytest.mark.parametrize("quantity", TRUE)
def test_standard_errors_of_slopes_are_honest(measured, quantity):
    fitted = [next(r for r in fits if r.quantity == quantity) for fits, _ in measured]
    exponent, _ = TRUE[quantity]
    _assert_honest(_z_scores([(r.slope, r.slope_error, exponent) for r in fitted]))


@pytest.mark.parametrize("quantity", TRUE)
def test_standard_errors_of_constants_are_honest(measured, quantity):
    fitted = [next(r for r in fits if r.quantity == quantity) for fits, _ in measured]
    _, constant = TRUE[quantity]
    _assert_honest(_z_scores([(r.constant, r.constant_error, constant) for r in fitted]))


def test_standard_errors_of_both_terms_of_the_gap_are_honest(measured):
    fits = [fit for _, fit in measured]
    _assert_honest(_z_scores([(f.n23, f.n23_error, 0.9962) for f in fits]))
    _assert_honest(_z_scores([(f.n1, f.n1_error, -1.041) for f in fits]))


def test_exact_powers_are_found_exactly():
    exact = {q: power(constant, exponent, steady) for q, (exponent, constant) in TRUE.items()}
    for rate in rates(summary(table(**exact)), limits())[:4]:
        exponent, constant = TRUE[rate.quantity]
        assert rate.slope == pytest.approx(exponent, rel=1e-12)
        assert rate.constant == pytest.approx(constant, rel=1e-12)
        assert rate.slope_error < 1e-12 * abs(rate.slope)
        assert rate.constant_error < 1e-12 * rate.constant
        assert rate.theory_constant == constant


def test_slope_of_the_gap_shows_its_second_order():
    means = summary(table(sizes=(1000, 3162, 10**4, 10**5, 10**6), replicates=4000))
    (gap,) = (rate for rate in rates(means, limits()) if rate.quantity == "gap")
    assert abs(gap.slope + 0.653) < 4 * gap.slope_error + 0.003
    assert gap.exponent == -2 / 3


def test_theory_stands_beside_what_was_measured():
    means = summary(table())
    fit = gap_fit(means, limits())
    assert (fit.theory_n23, fit.theory_n1, fit.sizes) == (0.9962, -1.041, (1000, 31623))
    without = gap_fit(means)
    assert (without.theory_n23, without.theory_n1) == (None, None)
    assert (without.n23, without.n1) == (fit.n23, fit.n1)
    assert all(rate.constant is rate.exponent is None for rate in rates(means))
    assert all(rate.slope < 0 for rate in rates(means))


def test_where_theory_has_no_power_there_is_no_constant_but_a_slope():
    means = summary(table())
    fitted = rates(means, limits(regret_cross_entropy=(None, None, None, "It vanishes faster.")))
    assert [rate.quantity for rate in fitted] == list(RATES)
    assert (fitted[2].exponent, fitted[2].constant, fitted[2].theory_constant) == (None, None, None)
    assert fitted[2].slope < 0
    assert fitted[2].note == "It vanishes faster."


def test_gap_is_fitted_by_its_two_terms_only_where_theory_has_them():
    means = summary(table())
    assert gap_fit(means, limits(gap=(-0.5, 0.25))) is None
    assert gap_fit(means, limits(gap=(0.0, 0.0014))) is None
    assert gap_fit(means, limits(gap=(None, None))) is None


@pytest.mark.parametrize(
    "following", [{"regret_cross_entropy": -1.0, "gap": -2 / 3}, {"gap": -1 / 2}]
)
def test_a_limit_is_told_from_what_still_falls(following):
    theory = limits(**{name: (0.0, 1e-3, None, "", power) for name, power in following.items()})
    laws = {
        name: lambda rng, n, r, power=power: 1e-3 + chi(rng, 0.5 * n**power, r)
        for name, power in following.items()
    }
    scores = {name: [] for name in following}
    for seed in range(TABLES):
        fitted = rates(summary(table(seed=seed, **laws)), theory)
        for rate in (r for r in fitted if r.exponent == 0):
            assert rate.slope < 0
            scores[rate.quantity].append((rate.constant, rate.constant_error, rate.theory_constant))
    for of_quantity in scores.values():
        assert len(of_quantity) == TABLES
        _assert_honest(_z_scores(of_quantity))


def test_a_limit_is_not_fitted_where_its_approach_is_not_known():
    fitted = rates(summary(table()), limits(gap=(0.0, 1e-3, None, "Theory.")))
    (gap,) = (rate for rate in fitted if rate.quantity == "gap")
    assert gap.constant is gap.constant_error is None
    assert gap.theory_constant == 1e-3
    assert gap.note.startswith("No limit was fitted: ")
    assert gap.note.endswith(" Theory.")


def test_zero_and_rounding_take_away_the_slope_and_say_so():
    for least in (0.0, 1e-16, -1e-16):
        law = {
            "regret_cross_entropy": lambda rng, n, r, least=least: np.full(
                r, least if n == 10000 else 1 / n
            )
        }
        rate = rates(summary(table(**law)), limits())[2]
        assert rate.slope is rate.slope_error is None
        assert rate.note == "No slope: the mean at n = 10000 is 0."
        assert 0.5 < rate.constant < 1


def test_all_zeros_break_nothing():
    zero = dict.fromkeys(W1, lambda rng, n, replicates: np.zeros(replicates))
    means = summary(table(**zero), optimum())
    for rate in rates(means, limits()):
        assert (rate.slope, rate.constant, rate.constant_error) == (None, 0.0, 0.0)
    assert gap_fit(means).n23 == 0
    assert means["mean"].sel(quantity="shared").values.tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("sizes", "used"),
    [((1000,), (1000, 1000)), ((100, 3162), (100, 3162)), ((10, 100, 1000), (10, 1000))],
)
def test_few_sizes_are_all_used(sizes, used):
    means = summary(table(sizes=sizes))
    fitted = rates(means, limits())
    assert all(rate.sizes == used for rate in fitted)
    assert all((rate.slope is None) == (len(sizes) == 1) for rate in fitted)
    assert (gap_fit(means) is None) == (len(sizes) == 1)
    if len(sizes) == 1:
        assert "at two sizes or more" in fitted[0].note


def test_sizes_below_the_smallest_are_left_out():
    means = summary(table())
    assert {rate.sizes for rate in rates(means)} == {(1000, 31623)}
    assert {rate.sizes for rate in rates(means, smallest=100)} == {(316, 31623)}
    assert {rate.sizes for rate in rates(means, smallest=10**6)} == {(316, 31623)}


def test_one_replicate_has_means_but_no_rates():
    means = summary(table(replicates=1))
    assert np.all(np.isfinite(means["mean"]))
    assert np.all(np.isnan(means["standard_error"]))
    assert all(rate.slope is None and rate.sizes is None for rate in rates(means, limits()))
    assert gap_fit(means) is None


# --- means by n ---------------------------------------------------------------------------------


def test_summary_is_that_of_numpy():
    data = table(replicates=7)
    means = summary(data)
    for name in ("gap", "regret_accuracy", "distance"):
        values = data[name].values
        row = means.sel(quantity=name)
        np.testing.assert_allclose(row["mean"], values.mean(1), rtol=1e-14)
        np.testing.assert_allclose(row["standard_error"], values.std(1, ddof=1) / 7**0.5)
        np.testing.assert_allclose(row["median"], np.median(values, 1))
        assert row["count"].values.tolist() == [7] * 5


def test_replicates_without_an_optimum_are_left_out_and_counted():
    data = table(replicates=10, separated=lambda n: {316: 3, 1000: 10}.get(n, 0))
    means = summary(data, optimum())
    for name in ("regret_cross_entropy", "gap", "shared", "accuracy_excess", EXCESSES[2]):
        assert means["count"].sel(quantity=name).values.tolist() == [7, 0, 10, 10, 10]
    assert means["count"].sel(quantity="regret_accuracy").values.tolist() == [10] * 5
    assert np.isnan(means["mean"].sel(quantity="gap", n=1000))
    assert means["status"].values.tolist() == [status.name for status in OptimumStatus]
    assert means["status_count"].values[:2, :2].tolist() == [[7, 3], [0, 10]]
    assert np.all(means["status_count"].sum("status") == 10)
    (regret,) = (r for r in rates(means, limits()) if r.quantity == "regret_cross_entropy")
    assert regret.sizes == (3162, 31623)
    assert regret.slope < 0


def test_an_infinite_distance_is_left_out_of_the_mean():
    data = table(replicates=10)
    data["distance"][0, 0] = np.inf
    means = summary(data)
    assert means["count"].sel(quantity="distance").values.tolist() == [9, 10, 10, 10, 10]
    assert np.all(np.isfinite(means["mean"].sel(quantity="distance")))


def test_what_the_sample_has_less_what_the_population_has():
    data = table(replicates=10)
    means = summary(data, optimum(accuracy=0.62))
    expected = 0.625 - 0.62 + data["regret_cross_entropy"].values.mean(1)
    np.testing.assert_allclose(means["mean"].sel(quantity="accuracy_excess"), expected)
    expected = 0.63 - 0.62 + data["regret_accuracy"].values.mean(1)
    np.testing.assert_allclose(means["mean"].sel(quantity="best_accuracy_excess"), expected)
    np.testing.assert_allclose(means["mean"].sel(quantity="cross_entropy_excess"), 0.65 - 0.654)
    assert not set(EXCESSES) & set(summary(data)["quantity"].values)


def test_order_of_sizes_and_dimensions_does_not_matter():
    data = table()
    shuffled = data.isel(n=[3, 0, 4, 1, 2]).transpose("replicate", "n")
    assert summary(shuffled).identical(summary(data))


def test_records_are_json():
    means = summary(table(replicates=1))
    for record in (*rates(means, limits()), gap_fit(summary(table()), limits())):
        assert json.loads(json.dumps(record.to_dict())) == record.to_dict()
