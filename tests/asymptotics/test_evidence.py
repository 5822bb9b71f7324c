"""Evidence on mean regrets: impossible tables, upper ends of skewed means, and fits."""

import numpy as np
import pytest

from sweep import InputError
from sweep.asymptotics.evidence import fit_weights, gamma_excess, half_width, smooth_errors
from sweep.asymptotics.rates import summary
from sweep.asymptotics.verdict import verdict
from sweep.base.intervals import student
from tests.support.tables import chi, half_normal, power, table


@pytest.mark.parametrize("value", [np.inf, -np.inf, -2e-9, 1.5])
@pytest.mark.parametrize("name", ["regret_cross_entropy", "regret_accuracy"])
def test_impossible_regrets_are_refused_by_n_and_replicate(name, value):
    data = table(replicates=5)
    data[name][2, 3] = value
    with pytest.raises(InputError, match=f"{name} is .* at n = 3162, replicate 3; a loss"):
        summary(data)
    with pytest.raises(InputError, match="at n = 3162, replicate 3; a loss"):
        verdict(data)


@pytest.mark.parametrize("n", [0, -5])
def test_impossible_sizes_are_refused(n):
    data = table().assign_coords(n=[n, 100, 1000, 10**4, 10**5])
    for function in (summary, verdict):
        with pytest.raises(InputError, match=f"the table has n = {n}; a sample has 1 point"):
            function(data)


SQUARES = power(1e-3, 0)

# How often Student's upper end is below the mean of squares of normal numbers.
STUDENT_MISSES = {30: 0.086, 100: 0.060}


@pytest.mark.parametrize(
    ("law", "mean", "misses"),
    [
        (SQUARES, 1e-3, {30: 0.039, 100: 0.032}),
        (power(1e-3, 0, half_normal), 1e-3, {30: 0.022, 100: 0.022}),
        (lambda rng, n, r: chi(rng, 1e-3, r) * (rng.random(r) < 0.3), 3e-4, {30: 0.09, 100: 0.028}),
    ],
)
@pytest.mark.parametrize("replicates", [30, 100])
def test_upper_ends_of_skewed_means_are_high_enough(law, mean, misses, replicates):
    rng = np.random.default_rng(0)
    rows = np.stack([law(rng, 1, replicates) for _ in range(4000)])
    means, error = rows.mean(1), rows.std(1, ddof=1) / replicates**0.5
    plain = student(replicates - 1) * error
    misses_upper = np.mean(means + np.maximum(gamma_excess(means, error), plain) < mean)
    assert misses_upper == pytest.approx(misses[replicates], abs=0.01)
    if law is SQUARES:
        assert np.mean(means + plain < mean) == pytest.approx(STUDENT_MISSES[replicates], abs=0.01)


# --- fits to means ------------------------------------------------------------------------------


def test_fit_weights_are_least_squares_of_any_scale():
    rng = np.random.default_rng(0)
    n = np.array([1e2, 1e3, 1e4, 1e6, 1e12])
    design, values, error = np.stack([np.ones(5), 1 / n], axis=1), rng.random(5), 1e-9 * n**-0.3
    expected = np.polynomial.polynomial.polyfit(1 / n, values, 1, w=1 / error)
    np.testing.assert_allclose(fit_weights(design, error) @ values, expected, rtol=1e-8)
    np.testing.assert_allclose(fit_weights(design, error) @ design, np.eye(2), atol=1e-6)


def test_smoothed_errors_follow_a_power():
    n = np.array([10, 100, 1000, 10**4])
    np.testing.assert_allclose(smooth_errors(n, 3.0 * n**-0.5), 3.0 * n**-0.5)
    np.testing.assert_allclose(
        smooth_errors(n, np.where(n == 100, 0, 3.0 * n**-0.5)), 3.0 * n**-0.5
    )
    for few in (np.zeros(4), np.array([0, 0, 0, 1.0])):
        np.testing.assert_array_equal(smooth_errors(n, few), np.ones(4))
    wild = smooth_errors(n, np.array([1.0, 1e-30, 1e-30, 0.0]))
    assert np.min(wild) == pytest.approx(1e-6 * np.max(wild))


def test_half_widths_are_that_of_student_and_welch():
    assert student(1e9) == pytest.approx(1.959964, abs=1e-6)
    assert student(9) == pytest.approx(2.262157, abs=1e-6)
    ones, ten = np.ones(2), np.full(2, 10)
    assert half_width(ones, np.array([0.0, 2.0]), ten) == pytest.approx(2 * student(9))
    assert half_width(ones, np.array([3.0, 3.0]), ten) == pytest.approx(18**0.5 * student(18))
    assert half_width(ones, np.array([1e-200, 1e-200]), ten) >= 0
    assert half_width(ones, np.zeros(2), ten) == 0
