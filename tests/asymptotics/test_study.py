import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.base import storage
from sweep.populations import CATALOGUE, Population, Uniform, sampling

THEORY = json.loads((Path(__file__).parents[1] / "reference" / "theory.json").read_text())
SIZES = [316, 3162, 31623]
"""Sizes of as many tests as can be: each is seconds of compilation, and one more for each law."""

REPLICATES = {"W2": 400}
"""Of each size; 100 for other laws. Regrets of W2 are 0 but for a few samples."""

EXPECTED = dict.fromkeys(["W1", "W2", "W4", "W5", "S1", "S5", "M1"], "share")
EXPECTED |= dict.fromkeys(["D1", "D3", "D6", "D7"], "do_not_share")
EXPECTED |= {"S2": "inconclusive"}


def mean(study, quantity, n):
    """Mean over the replicates and its standard error."""
    at = study.summary.sel(quantity=quantity, n=n)
    return at["mean"].item(), at["standard_error"].item()


def test_w1_has_the_rates_and_means_of_theory():
    study = sweep.study("W1", [1000, 3162, 10000, 31623], 4000)
    slopes = {
        "cut_error_cross_entropy": -1 / 2,
        "cut_error_accuracy": -1 / 3,
        "regret_cross_entropy": -1.0,
        "regret_accuracy": -2 / 3,
    }
    rates = {rate.quantity: rate for rate in study.rates}
    for quantity, slope in slopes.items():
        rate = rates[quantity]
        assert rate.exponent == pytest.approx(slope)
        assert abs(rate.slope - slope) < 3 * rate.slope_error < 0.03
        assert rate.constant == pytest.approx(rate.theory_constant, rel=0.1)
    # The second term shows: the slope of the gap is not that of its leading power.
    assert abs(rates["gap"].slope + 0.645) < 3 * rates["gap"].slope_error < 0.013
    fit = study.gap_fit
    assert abs(fit.n23 - 0.996193) < 3 * fit.n23_error < 0.05
    assert abs(fit.n1 + 1.040988) < 3 * fit.n1_error < 1
    names = {
        "regCE": "regret_cross_entropy",
        "regERM": "regret_accuracy",
        "gap": "gap",
        "abscutERM": "cut_error_accuracy",
        "abscutCE": "cut_error_cross_entropy",
    }
    large = sweep.study("W1", 100_000, 640, rates=False)
    rows = {row["n"]: row for row in THEORY["monte_carlo_W1"]["rows"]}
    for of_size in (study, large):
        for n in of_size.sizes:
            for theirs, ours in names.items():
                value, error = mean(of_size, ours, n)
                reference, its_error = rows[n][theirs]
                assert abs(value - reference) < 4 * math.hypot(error, its_error), (n, ours)


def test_small_samples_of_w1_are_those_of_another_program():
    study = sweep.study("W1", [100, 316], 40000)
    rows = {row["n"]: row for row in THEORY["monte_carlo_W1"]["rows"]}
    for n in (100, 316):
        for theirs, ours in (("P_gap0", "shared"), ("regERM", "regret_accuracy"), ("gap", "gap")):
            value, error = mean(study, ours, n)
            assert abs(value - rows[n][theirs][0]) < 4 * math.hypot(error, rows[n][theirs][1])
    negative = np.mean(study.table.a.sel(n=100) < 0)
    assert abs(negative - rows[100]["P_aneg"]) < 4 * math.sqrt(rows[100]["P_aneg"] / 40000)


def test_w2_has_the_limits_of_a_random_walk():
    study = sweep.study("W2", 100_000, 1000, rates=False)
    limits = THEORY["limits"]["W2"]
    shared, error = mean(study, "shared", 100_000)
    assert abs(shared - limits["P_gap0_limit"]) < 4 * error
    gap, error = mean(study, "gap", 100_000)
    assert abs(gap * 1e5 - limits["n_gap_limit"]) < 4 * error * 1e5
    assert study.limits.of("gap").constant == pytest.approx(limits["n_gap_limit"], rel=1e-6)


@pytest.mark.parametrize(
    ("law", "shares"),
    [("W1", {5: 0.37}), ("W5", {20: 0.55, 100: 0.017})],
)
def test_samples_without_an_optimum_are_counted(law, shares):
    replicates = 5000
    study = sweep.study(law, list(shares), replicates, rates=False)
    for n, share in shares.items():
        at = study.table.sel(n=n)
        without = np.mean(at.status != 0).item()
        assert abs(without - share) < 4 * math.sqrt(share * (1 - share) / replicates) + 5e-4
        assert np.array_equal(np.isnan(at.regret_cross_entropy), at.status != 0)
        counts = study.summary.status_count.sel(n=n)
        assert counts.sum() == replicates
        assert counts.sel(status="finite") == np.sum(at.status == 0)
        assert not np.isnan(at.regret_accuracy).any()


@pytest.mark.parametrize("law", EXPECTED)
def test_verdicts(law):
    for seed in (0, 1):
        study = sweep.study(law, SIZES, REPLICATES.get(law, 100), seed)
        assert study.verdict.name == EXPECTED[law]


def test_an_inconclusive_verdict_is_decided_by_larger_samples():
    assert sweep.study("S2", [3162, 100_000, 1_000_000], 100).verdict.name == "share"


def test_the_same_seed_is_the_same_bits_whatever_is_done_at_once():
    sizes = [20, 316, 100_000]
    complete = sweep.study("W4", sizes, 30, 5)
    for other in (
        sweep.study("W4", sizes, 30, 5, memory_budget=16 * 2**20),
        sweep.study("W4", [316, *sizes[::2]], 11, 5),
    ):
        part = complete.table.isel(replicate=slice(other.replicates))
        for name in part.data_vars:
            np.testing.assert_array_equal(part[name], other.table[name], err_msg=name)
    another = sweep.study("W4", sizes, 30, 6)
    assert not np.any(another.table.a == complete.table.a)


@pytest.mark.parametrize("law", ["W1", "W5", "D7", "S5"])
def test_the_table_is_what_the_samples_say(law):
    law = CATALOGUE[law]
    study = sweep.study(law, [20, 316], 5, seed=8)
    best = study.optimum
    for n in (20, 316):
        for replicate in range(5):
            row = study.table.sel(n=n, replicate=replicate)
            sample = sampling.sample(law, n, seed=8, replicate=replicate)
            best_of_sample = sweep.optimum(sample)
            assert row.status == list(type(best_of_sample.cross_entropy.status)).index(
                best_of_sample.cross_entropy.status
            )
            assert row.accuracy_best == best_of_sample.accuracy.value
            assert row.ones == sample.y.sum()
            if best_of_sample.shared is None:
                assert np.isnan(row.gap)
                assert not row.shared
                continue
            assert row.a.item() == pytest.approx(best_of_sample.cross_entropy.a, rel=1e-8)
            assert row.gap.item() == pytest.approx(best_of_sample.regret, abs=1e-15)
            assert row.shared == best_of_sample.shared
            assert row.distance.item() == pytest.approx(best_of_sample.distance, rel=1e-6)
            at = sweep.landscape(law, row.a.item(), row.b.item(), "accuracy").accuracy.item()
            assert row.regret_cross_entropy.item() == pytest.approx(
                best.accuracy.value - at, abs=1e-11
            )
            assert row.regret_cross_entropy > -1e-12
            assert row.regret_accuracy > -1e-12


def test_a_study_is_told_in_json_and_kept_in_files(tmp_path):
    study = sweep.study("D3", [20, 100, 3162], 4)
    document = json.loads(json.dumps(study.to_dict(), allow_nan=False))
    assert document["population"].startswith("contaminated_logit(")
    assert document["id"] == "D3"
    assert [row["n"] for row in document["summary"]] == [20, 100, 3162]
    assert document["verdict"]["name"] in ("share", "do_not_share", "inconclusive")
    assert any("Lin" in reference for reference in document["references"])
    for name in ("table.nc", "table.zarr"):
        storage.save(study.table, tmp_path / name)
    with xr.open_dataset(tmp_path / "table.nc") as saved:
        xr.testing.assert_equal(saved, study.table)
    assert study.table.status.attrs["flag_meanings"].startswith("finite separated")
    assert "widest" in study.table.cut_accuracy.attrs["tie_rule"]


def test_a_law_of_ones_own_is_studied():
    law = Population("mine", x=Uniform(0, 4), eta=lambda x: 0.1 + 0.2 * x)
    study = sweep.study(law, [100, 1000], 20)
    assert study.optimum.accuracy.cuts == ((pytest.approx(2.0), pytest.approx(2.0), 1),)
    assert study.id is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population": "W9"}, r"there is no law 'W9'.*uniform_logit\(a=1,b=0"),
        ({"population": "uniform_logit(low=3)"}, "low"),
        ({"population": "normal_logit(sd=0)"}, "sd=0"),
        ({"sizes": [0, 10]}, "sizes holds 0; a size is a whole number"),
        ({"sizes": [10.5, 20]}, r"sizes holds 10\.5"),
        ({"sizes": []}, "sizes is empty"),
        ({"sizes": [1000]}, "the only size is 1000, and a slope needs two"),
        ({"sizes": [100, math.inf]}, "sizes holds inf"),
        ({"replicates": 1}, "replicates is 1; a whole number from 2"),
        ({"seed": -1}, "seed is -1"),
        ({"epsilon": 0.0}, r"epsilon is 0\.0; a loss of accuracy between 0 and 1"),
        ({"epsilon": math.nan}, "epsilon is nan"),
        ({"epsilon": 1e-12}, "epsilon is 1e-12, finer than regrets are known"),
        ({"replicates": 10**10}, r"a table of 10000000000 replicates at 2 sizes would take"),
        ({"sizes": [10, 10**9], "memory_budget": 2**30}, "samples of 1000000000 points take"),
    ],
)
def test_what_cannot_be_studied_is_refused(arguments, message):
    valid = {"population": "W1", "sizes": [10, 100], "replicates": 10} | arguments
    with pytest.raises(sweep.InputError, match=message):
        sweep.study(**valid)


def test_laws_that_are_none_are_refused():
    bad = Population("bad", x=Uniform(-1, 1), eta=lambda x: 0.5 + x)
    with pytest.raises(sweep.InputError, match=r"eta of bad is -0\.49"):
        sweep.study(bad, [10, 100], 2)
