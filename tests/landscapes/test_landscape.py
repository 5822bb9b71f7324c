import tracemalloc

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

import sweep
from sweep import InputError, Measure, Sample
from sweep.base import storage
from sweep.landscapes import direct
from tests.support import oracle


def _sample(seed, n=50, soft=False, weighted=False):
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=n), 1)
    y = rng.uniform(size=n) if soft else rng.integers(0, 2, n)
    return Sample(x, y, rng.uniform(0, 2, n) if weighted else None)


@pytest.fixture(scope="module", autouse=True)
def short_blocks():
    """Pads the few points of these samples less: a call takes a hundredth of the sums."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "PAIRS", 2**16)
        yield


@pytest.mark.parametrize("k", [1, 2, 3])
def test_grid_is_that_of_r(k, r_reference):
    reference = r_reference[k]["grid"]
    found = sweep.landscape(sweep.data.illustration(k), reference["a"], reference["b"])
    # R's cross-entropy is accurate to 2e-12 itself.
    np.testing.assert_allclose(found.cross_entropy, reference["cross_entropy"], rtol=0, atol=5e-12)
    differing = np.argwhere(found.correct.values != reference["correct"])
    # There z = 1.7e-16 at x = -0.3, and R counts sigmoid(z) > 0.5, which rounds to 0.5.
    excepted = [(40, 47)] if k == 1 else []
    assert [tuple(cell) for cell in differing] == excepted
    for i, j in excepted:
        assert (reference["a"][i], round(reference["b"][j], 9)) == (-1.0, -0.3)
        assert (found.correct[i, j], reference["correct"][i, j]) == (1, 2)
    best = (found.correct == found.correct.max()).sum()
    assert best == r_reference[k]["grid_cells_at_max_correct"]
    lowest = found.cross_entropy[found.cross_entropy.argmin(...)]
    assert (lowest.a, lowest.b) == pytest.approx(r_reference[k]["grid_argmin"], abs=1e-14)
    assert lowest == pytest.approx(r_reference[k]["grid_min_cross_entropy"], abs=5e-12)


def test_axes_from_text_are_those_of_r(r_reference):
    for k, a in ((1, "-5:5:101"), (2, "0:10:101"), (3, "0:10:101")):
        np.testing.assert_array_equal(sweep.base.ranges.axis(a), r_reference[k]["grid"]["a"])
        np.testing.assert_array_equal(
            sweep.base.ranges.axis("-5:5:101"), r_reference[k]["grid"]["b"]
        )


A, B = np.array([-7.0, -1, 0, 0.5, 3]), np.array([-2.0, 0, 0.25])


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_both_metrics_are_those_of_the_definition_in_any_order_of_points(seed, soft, weighted):
    sample = _sample(seed, soft=soft, weighted=weighted)
    found = sweep.landscape(sample, A, B)
    assert found.cross_entropy.shape == (5, 3)
    np.testing.assert_allclose(
        found.cross_entropy, oracle.grid(oracle.cross_entropy, sample, A, B), rtol=1e-13
    )
    total = oracle.weights(sample).sum()
    np.testing.assert_allclose(
        found.accuracy, oracle.grid(oracle.correct, sample, A, B) / total, rtol=1e-13
    )
    order = np.random.default_rng(seed).permutation(len(sample))
    columns = (sample.x, sample.y, sample.weight)
    shuffled = Sample(*(None if c is None else c[order] for c in columns))
    other = sweep.landscape(shuffled, A, B)
    np.testing.assert_allclose(other.cross_entropy, found.cross_entropy, rtol=1e-14)
    np.testing.assert_allclose(other.accuracy, found.accuracy, rtol=1e-14)
    if not weighted and not soft:
        np.testing.assert_array_equal(other.correct, found.correct)


def test_both_metrics_are_those_of_scikit_learn():
    sample = _sample(3, weighted=True)
    found = sweep.landscape(sample, "-4:4:9", "-1:1:5")
    for a in found.a.values:
        for b in found.b.values:
            z = a * sample.x + b
            cell = found.sel(a=a, b=b)
            p = 1 / (1 + np.exp(-z))
            weights = {"sample_weight": sample.weight}
            # log_loss sees p, in which 1 - p has lost the digits that z still has.
            assert cell.cross_entropy.item() == pytest.approx(
                log_loss(sample.y, p, **weights), rel=1e-10
            )
            expected = accuracy_score(sample.y, z > 0, **weights)
            assert cell.accuracy.item() == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 10**6))
def test_a_point_of_weight_two_is_two_points(seed):
    sample = _sample(seed)
    twice = Sample(np.repeat(sample.x, 2), np.repeat(sample.y, 2))
    heavy = Sample(sample.x, sample.y, np.full(len(sample), 2.0))
    one, other = (sweep.landscape(s, A, B) for s in (twice, heavy))
    np.testing.assert_allclose(other.cross_entropy, one.cross_entropy, rtol=1e-14)
    np.testing.assert_array_equal(other.accuracy, one.accuracy)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 1.0, -4.0]))
def test_shift_and_scale_of_x_move_the_cells_along(seed, scale):
    # Powers of two and integers: no product rounds, so the logits are the same to the bit.
    sample = Sample(np.random.default_rng(seed).integers(-9, 10, 40), _sample(seed, 40).y)
    moved = Sample(sample.x * scale + 16, sample.y)
    b = np.array([-2.0, 0.0, 1.0])
    whole = sweep.landscape(sample, [-3.0, 0.0, 1.0], b)
    for a in (-3.0, 0.0, 1.0):
        one, other = whole.sel(a=a), sweep.landscape(moved, a / scale, b - 16 * a / scale)
        np.testing.assert_array_equal(other.correct[0], one.correct)
        np.testing.assert_allclose(other.cross_entropy[0], one.cross_entropy, rtol=1e-14)


@given(st.integers(0, 10**6), st.booleans())
def test_mirroring_x_or_swapping_the_labels_mirrors_the_grid(seed, soft):
    sample = _sample(seed, soft=soft)
    one = sweep.landscape(sample, A, B)
    mirrored = sweep.landscape(Sample(-sample.x, sample.y), -A, B)
    np.testing.assert_allclose(mirrored.cross_entropy, one.cross_entropy, rtol=1e-14)
    np.testing.assert_allclose(mirrored.accuracy, one.accuracy, rtol=1e-14)
    swapped = sweep.landscape(Sample(sample.x, 1 - sample.y), -A, -B)
    np.testing.assert_allclose(swapped.cross_entropy, one.cross_entropy, rtol=1e-13)


def test_rows_are_slopes_and_columns_intercepts_on_grids_that_are_not_square():
    sample = _sample(0)
    wide = sweep.landscape(sample, "-3:3:4", "-1:1:9")
    tall = sweep.landscape(sample, "-3:3:9", "-1:1:4")
    assert (wide.accuracy.dims, wide.accuracy.shape, tall.accuracy.shape) == (
        ("a", "b"),
        (4, 9),
        (9, 4),
    )
    for dataset in (wide, tall):
        cell = dataset.isel(a=1, b=2)
        expected = oracle.cross_entropy(sample, cell.a.item(), cell.b.item())
        assert cell.cross_entropy == pytest.approx(expected, rel=1e-13)
        alone = sweep.landscape(sample, cell.a.item(), cell.b.item())
        assert alone.correct.item() == cell.correct.item()


@pytest.mark.parametrize("a", ["5:-5:5", "1e-3:1e3:7:log", "0,1,-2", "-1e3:-1e-3:4:log", "0:0:1"])
def test_axes_of_every_kind_give_the_same_cells(a):
    sample, slopes = _sample(1), sweep.base.ranges.axis(a)
    found = sweep.landscape(sample, a, [0.5, -0.5])
    np.testing.assert_array_equal(found.a, slopes)
    expected = oracle.grid(oracle.cross_entropy, sample, slopes, [0.5, -0.5])
    np.testing.assert_allclose(found.cross_entropy, expected, rtol=1e-13)


def test_dataset_says_what_it_is():
    sample = sweep.data.illustration(2)
    found = sweep.landscape(sample, "-1:1:3", "-1:1:2", tolerance=1e-8)
    assert list(found.data_vars) == ["cross_entropy", "accuracy", "correct"]
    assert found.cross_entropy.attrs["units"] == "nats"
    assert found.accuracy.attrs["units"] == "1"
    assert found.correct.attrs["units"] == "count"
    attrs = found.attrs
    assert attrs["n"] == attrs["total_weight"] == 100
    assert attrs["sample_fingerprint"] == sample.fingerprint
    assert (attrs["method"], attrs["dtype"], attrs["tolerance"]) == ("direct", "float64", 1e-8)
    assert 0 < attrs["error_bound"] < 1e-13
    assert attrs["device"].startswith("cpu")
    assert attrs["sweep_version"] == sweep.__version__
    assert attrs["jax_version"]


def test_weighted_counts_have_a_bound_and_plain_ones_need_none():
    plain = sweep.landscape(_sample(0), 1.0, 0.0, "accuracy")
    assert plain.attrs["error_bound"] == 0
    weighted = _sample(0, weighted=True)
    assert 0 < sweep.landscape(weighted, 1.0, 0.0, "accuracy").attrs["error_bound"] < 1e-13
    with pytest.raises(InputError, match="cannot be promised"):
        sweep.landscape(weighted, 1.0, 0.0, "accuracy", tolerance=1e-300)


def test_metrics_are_chosen_by_name():
    sample = sweep.data.illustration(1)
    only = sweep.landscape(sample, 1.0, 0.0, "cross_entropy")
    assert list(only.data_vars) == ["cross_entropy"]
    twice = sweep.landscape(sample, 1.0, 0.0, ["accuracy", "accuracy"])
    assert list(twice.data_vars) == ["accuracy", "correct"]


@pytest.mark.parametrize("name", ["landscape.nc", "landscape.zarr"])
def test_saved_and_loaded_it_is_unchanged(tmp_path, name):
    found = sweep.landscape(_sample(0), "-3:3:4", "5:-1:9")
    storage.save(found, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    read = xr.open_dataset if name.endswith(".nc") else xr.open_zarr
    with read(tmp_path / name) as loaded:
        xr.testing.assert_identical(loaded.load(), found)
        assert all(loaded[v].dtype == found[v].dtype for v in found.variables)


PARAMETRISED = ("focal(gamma=0.5)", "mcc", "weighted_cross_entropy(w0=1,w1=5)", "accuracy")


@pytest.mark.parametrize("name", ["landscape.nc", "landscape.zarr"])
def test_metrics_with_parameters_keep_their_names_on_disk(tmp_path, name):
    found = sweep.landscape(_sample(0), "-3:3:4", "-1:1:3", PARAMETRISED)
    assert list(found.data_vars) == [*PARAMETRISED, "correct"]
    storage.save(found, tmp_path / name)
    read = xr.open_dataset if name.endswith(".nc") else xr.open_zarr
    with read(tmp_path / name) as loaded:
        xr.testing.assert_identical(loaded.load(), found)


def test_xarrays_own_writers_keep_it_too(tmp_path):
    found = sweep.landscape(_sample(0), "-3:3:4", "5:-1:9")
    found.to_netcdf(tmp_path / "own.nc")
    with xr.open_dataset(tmp_path / "own.nc") as loaded:
        xr.testing.assert_identical(loaded.load(), found)


def test_measure_is_taken_as_well_as_sample():
    sample = _sample(0)
    one = sweep.landscape(sample, "-3:3:4", "-1:1:3")
    other = sweep.landscape(Measure.from_sample(sample), "-3:3:4", "-1:1:3")
    xr.testing.assert_identical(oracle.untimed(one), oracle.untimed(other))


def test_counting_stays_within_the_budget():
    sample = Sample(np.random.default_rng(0).normal(size=1000), np.arange(1000) % 2)
    budget = 16 * 2**20
    sweep.landscape(sample, "-1:1:3", "-1:1:3", "accuracy")
    tracemalloc.start()
    found = sweep.landscape(sample, "-9:9:600", "-5:5:700", "accuracy", memory_budget=budget)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - found.nbytes <= budget


BAD = {
    "unknown metric": (
        {"metrics": "f0"},
        "no metric 'f0'; the known metrics are cross_entropy, ac",
    ),
    "no metric": ({"metrics": ()}, "there is no metric; name at least one"),
    "unknown method": ({"method": "magic"}, "no method 'magic'; choose one of auto, direct"),
    "unknown dtype": ({"dtype": "int8"}, "no dtype 'int8'"),
    "tolerance 0": ({"tolerance": 0.0}, "tolerance is 0.0"),
    "tolerance nan": ({"tolerance": float("nan")}, "tolerance is nan"),
    "no memory": ({"memory_budget": 1000}, "memory budget is 1000 bytes"),
    "1e9 cells": (
        {"a": "0:1:31623", "b": "0:1:31623"},
        r"31623 x 31623 = 1e\+09 cells would take 22.4 GiB",
    ),
    "1e9 points": ({"a": "0:1:1000000000"}, "a=0:1:1000000000 would take 7.5 GiB"),
    "an axis of words": ({"b": "x:y:3"}, "b=x:y:3 holds 'x', which is not a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_are_refused_in_one_sentence(name):
    options, sentence = BAD[name]
    with pytest.raises(InputError, match=sentence):
        sweep.landscape(sweep.data.illustration(1), **options)


def test_metrics_of_no_points_are_refused():
    with pytest.raises(InputError, match="no points"):
        sweep.landscape(Sample([], []))
