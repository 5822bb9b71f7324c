import math

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep import InputError, populations
from sweep.landscapes.stack import stacked
from sweep.populations import sampling

LAW = populations.CATALOGUE["W4"]
AXES = ("-2:4:7", "-3:3:5")


def test_a_law_at_one_size_is_the_first_sample_of_a_study_or_itself():
    assert sweep.sample(LAW, math.inf) is LAW
    mine, first = sweep.sample(LAW, 50, seed=3), sampling.sample(LAW, 50, seed=3)
    np.testing.assert_array_equal(mine.x, first.x)
    np.testing.assert_array_equal(mine.y, first.y)
    np.testing.assert_array_equal(sweep.sample("w4", 50, seed=3).x, first.x)
    with pytest.raises(InputError, match="seed is -3"):
        sweep.sample(LAW, math.inf, seed=-3)


def test_a_sample_beyond_memory_is_refused():
    with pytest.raises(InputError, match=r"1e\+09 points would take 14\.9 GiB"):
        sweep.sample(LAW, 1e9)


@pytest.mark.parametrize("sizes", [(10, 100), (10, 100, math.inf)])
def test_landscapes_of_several_sizes_are_one_dataset(sizes, tmp_path):
    each = [
        sweep.landscape(sweep.sample(LAW, n), *AXES, ["cross_entropy", "f1", "accuracy"])
        for n in sizes
    ]
    whole = stacked(each, sizes)
    assert dict(whole.sizes) == {"n": len(sizes), "a": 7, "b": 5}
    assert whole.n.values.tolist() == list(sizes)
    assert ("correct" in whole) == (math.inf not in sizes)
    for n, one in zip(sizes, each, strict=True):
        for name in ("cross_entropy", "f1", "accuracy"):
            np.testing.assert_array_equal(whole[name].sel(n=n).values, one[name].values)
    assert whole.cross_entropy.attrs["units"] == "nats"
    assert whole.attrs["error_bound"] == max(one.attrs["error_bound"] for one in each)
    assert not {"n", "sample_fingerprint", "seconds_evaluate"} & set(whole.attrs)
    whole.to_netcdf(tmp_path / "w.nc")
    with xr.open_dataset(tmp_path / "w.nc") as read:
        assert read.n.values.tolist() == list(sizes)


def test_what_has_no_bound_at_one_size_has_none_together():
    each = [sweep.landscape(sweep.sample("W1", n), *AXES, "precision") for n in (100, math.inf)]
    whole = stacked(each, (100, math.inf))
    for attrs in (whole.attrs, whole.precision.attrs):
        assert math.isnan(attrs["error_bound"])
    assert whole.attrs["error_bound_note"] == each[1].attrs["error_bound_note"]
