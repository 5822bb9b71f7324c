"""The check of a compressed landscape notices wrong deposits and wrong values."""

import numpy as np
import pytest

import sweep
from sweep.landscapes import smooth, verification
from sweep.landscapes.compressed import CompressedMetric
from sweep.measure.compression.scatter import deposit
from tests.support.samples import cloud


def test_the_check_of_large_data_takes_a_part_of_the_points(monkeypatch):
    monkeypatch.setattr(verification, "POINTS", 110)
    found = sweep.landscape(cloud(), method="compressed")
    assert found.attrs["checked_points"] == len(range(0, 3000, 28)) + 1  # each class by itself
    assert 0 < found.attrs["observed_error"] <= found.attrs["error_bound"]


@pytest.mark.parametrize("n", [3000, 40_000])
@pytest.mark.parametrize("moment", range(3))
@pytest.mark.parametrize("method", ["auto", "compressed"])
def test_a_wrong_deposit_is_seen_by_the_check(monkeypatch, n, moment, method):
    def wrong(classes, *arguments):
        found = deposit(classes, *arguments)
        if sum(map(len, classes)) == n and moment < 2:  # a few points too many, or moved
            found.moments[1, found.moments.shape[1] // 2, moment] += n / 1000
        elif moment == 2:  # or an error in all that is summed
            found.moments[..., moment] += 1
        return found

    for module in (smooth, verification):
        monkeypatch.setattr(module, "deposit", wrong)
    with pytest.raises(
        verification.CheckError, match="a fault of this program; ask for the direct"
    ):
        sweep.landscape(cloud(n), metrics="cross_entropy", method=method)


def test_nan_does_not_pass_the_check(monkeypatch):
    def nan(*arguments):
        return np.full((101, 101), np.nan)

    monkeypatch.setattr(CompressedMetric, "tile", nan)
    with pytest.raises(verification.CheckError, match="an error of nan was seen"):
        sweep.landscape(cloud(), metrics=("brier", "cross_entropy"), method="compressed")
