"""Statistics over networks, against statsmodels and NumPy."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from sweep.training.results import Share, quantiles


@pytest.mark.parametrize(("count", "n"), [(0, 20), (20, 20), (1, 1), (178, 1000), (3, 7)])
def test_shares_have_intervals_by_wilson(count, n):
    result = Share.among(np.arange(n) < count)
    expected = proportion_confint(count, n, method="wilson")
    assert (result.count, result.of, result.value) == (count, n, count / n)
    np.testing.assert_allclose((result.low, result.high), expected, atol=1e-12)
    assert result.low <= result.value <= result.high


def test_quantiles_are_those_of_what_is_finite():
    values = np.random.default_rng(0).normal(size=(21, 2, 3))
    np.testing.assert_array_equal(quantiles(values)[2], np.median(values, axis=0))
    values[:, 0, 0] = np.nan
    values[:5, 1, 1] = np.inf
    result = quantiles(values, (0.25, 0.75))
    assert result.shape == (2, 2, 3)
    assert np.isnan(result[:, 0, 0]).all()
    np.testing.assert_allclose(result[:, 1, 1], np.quantile(values[5:, 1, 1], (0.25, 0.75)))
    assert np.isfinite(result).sum() == result.size - 2
