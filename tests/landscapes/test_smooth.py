"""The choice between the two methods, and what each refuses."""

import numpy as np
import pytest

import sweep
from sweep import InputError, Measure, Sample
from sweep.landscapes import smooth
from sweep.measure.compression.plan import CompressionError
from tests.support import oracle
from tests.support.samples import cloud


def test_a_second_grid_reads_no_point(monkeypatch):
    measure = Measure.from_sample(cloud())
    first = sweep.landscape(measure, "-10:10:51", "-5:5:51", method="compressed")
    monkeypatch.setattr(smooth, "deposit", None)
    again = sweep.landscape(measure, "-7:9:40", "-4:5:30", method="compressed")
    exact = sweep.landscape(measure, "-7:9:40", "-4:5:30", method="direct")
    assert first.attrs["bins"] == again.attrs["bins"]
    assert oracle.error(again.cross_entropy.values, exact.cross_entropy.values) <= 1e-9


def test_a_grid_that_is_too_steep_for_the_deposit_gets_another():
    measure = Measure.from_sample(cloud())
    sweep.landscape(measure, "-1:1:51", "-5:5:51", "cross_entropy", method="compressed")
    steep = sweep.landscape(measure, "-500:500:5", "-5:5:5", "cross_entropy", method="compressed")
    exact = sweep.landscape(measure, "-500:500:5", "-5:5:5", "cross_entropy", method="direct")
    assert oracle.error(steep.cross_entropy.values, exact.cross_entropy.values) <= 1e-9


@pytest.mark.parametrize("n", [10, 100, 3000, 100_000])
def test_auto_takes_the_cheaper(n):
    found = sweep.landscape(cloud(n), "-5:5:101", "-5:5:101", "cross_entropy")
    assert found.attrs["method"] == ("direct" if n < 500 else "compressed")


def test_what_cannot_be_promised_is_refused_and_auto_goes_direct():
    sample = cloud()
    with pytest.raises(InputError, match=r"tolerance 1e-12 cannot be promised.*direct method"):
        sweep.landscape(sample, metrics="cross_entropy", tolerance=1e-12, method="compressed")
    found = sweep.landscape(sample, metrics="cross_entropy", tolerance=1e-12)
    assert found.attrs["method"] == "direct"
    assert found.attrs["error_bound"] <= 1e-12


@pytest.mark.parametrize(
    ("x", "a", "b", "match"),
    [
        ([-1e200, 1e200], "0:1:3", "0:1:3", "beyond 1e.100"),
        ([-1.0, 1.0], "0:1e200:3", "0:1:3", "beyond 1e.100"),
        ([999_999.0, 1_000_001.0], "-10:10:3", "-1e7:1e7:3", "direct method"),
        (np.linspace(-1e6, 1e6, 50), "-10:10:3", "-1e6:1e6:3", "direct method"),
    ],
)
def test_what_does_not_compress_is_said_and_auto_goes_direct(x, a, b, match):
    sample = Sample(x, np.arange(len(x)) % 2)
    with pytest.raises(CompressionError, match=match):
        sweep.landscape(sample, a, b, "cross_entropy", method="compressed")
    assert sweep.landscape(sample, a, b, "cross_entropy").attrs["method"] == "direct"


def test_weights_whose_sums_would_overflow_go_direct():
    sample = Sample([0.0, 1.0], [0, 1], [1e300, 1.0])
    with pytest.raises(CompressionError, match="weights as large as 1e\\+300"):
        sweep.landscape(sample, metrics="cross_entropy", method="compressed")


def test_float32_is_for_the_direct_method():
    with pytest.raises(InputError, match="computes in float64, not in float32"):
        sweep.landscape(cloud(), tolerance=1e-3, method="compressed", dtype="float32")
    found = sweep.landscape(cloud(), tolerance=1e-3, dtype="float32")
    assert (found.attrs["method"], found.attrs["dtype"]) == ("direct", "float32")


def test_the_attributes_say_how_it_was_done():
    attrs = sweep.landscape(cloud(), method="compressed").attrs
    stages = ("compile", "plan", "deposit", "fold", "evaluate", "verify", "count")
    assert all(attrs[f"seconds_{stage}"] >= 0 for stage in stages)
    assert attrs["observed_error"] <= attrs["error_bound"] <= attrs["tolerance"]
    assert attrs["checked_cells"] == 16
    assert attrs["checked_points"] == 3000
    assert 0 < attrs["nodes"] < attrs["bins"] < 3000


def test_nothing_is_compiled_again_for_more_points():
    sweep.landscape(cloud(30_000), method="compressed")
    again = sweep.landscape(
        cloud(31_000, seed=1), method="compressed", metrics=("accuracy", "cross_entropy")
    )
    assert again.attrs["seconds_compile"] == 0.0
