import numpy as np
import pytest
import xarray as xr

import sweep
from sweep import InputError, Measure
from sweep.base import storage
from sweep.populations import CATALOGUE
from tests.support.formulas import FORMULAS

NAMES = ["W1", "D2", "D3", "S2", "S5", "W2"]
SLACK = 1e-13  # what SciPy's quadrature may be wrong by


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steepest", [5.0, 1e3])
def test_cells_are_the_expectations_within_the_bound(name, steepest):
    formula = FORMULAS[name]
    a, b = np.array([-1.0, -0.31, 0.0, 0.07, 0.6]) * steepest, np.array([-4.0, 0.0, 0.7, 5.0])
    found = sweep.landscape(CATALOGUE[name], a, b, tolerance=1e-9)
    for i, j in np.ndindex(5, 4):
        cell = found.isel(a=i, b=j)
        expected = formula.cross_entropy(a[i], b[j])
        error = abs(cell.cross_entropy.item() - expected) / max(1.0, expected)
        assert error <= min(found.cross_entropy.error_bound, 1e-11) + SLACK
        error = abs(cell.accuracy.item() - formula.accuracy(a[i], b[j]))
        assert error <= min(found.accuracy.error_bound, 1e-13) + SLACK


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
def test_landscape_at_the_optimum_is_the_optimum(law):
    best = sweep.optimum(law)
    ce = best.cross_entropy
    found = sweep.landscape(law, ce.a, ce.b, tolerance=1e-10)
    assert found.cross_entropy.item() == pytest.approx(ce.value, abs=1e-12)
    # Where eta jumps at the cut, accuracy has a kink there, but no jump.
    assert found.accuracy.item() == pytest.approx(best.accuracy.value - best.regret, abs=1e-13)
    around = sweep.landscape(law, np.linspace(-6, 6, 25), np.linspace(-6, 6, 24))
    assert around.cross_entropy.min() >= ce.value - around.cross_entropy.error_bound
    assert around.accuracy.max() <= best.accuracy.value + around.accuracy.error_bound


def test_a_tight_tolerance_is_met_by_the_direct_method_and_an_impossible_one_refused():
    law, formula = CATALOGUE["D3"], FORMULAS["D3"]
    found = sweep.landscape(law, [0.3, 4.0], [-1.0, 1.0], tolerance=1e-12, method="direct")
    assert found.attrs["error_bound"] < 1e-12
    for a in (0.3, 4.0):
        for b in (-1.0, 1.0):
            cell = found.sel(a=a, b=b).cross_entropy.item()
            assert cell == pytest.approx(formula.cross_entropy(a, b), abs=2e-13)
    with pytest.raises(InputError, match=r"its quadrature may be wrong by .*; ask for a larger"):
        sweep.landscape(law, [0.3, 4.0], [-1.0, 1.0], "cross_entropy", tolerance=1e-15)


@pytest.mark.parametrize("name", ["W1", "D3", "D5"])
def test_other_metrics_are_expectations_too(name):
    formula, law = FORMULAS[name], CATALOGUE[name]
    a, b = 1.7, -0.4
    names = ("brier", "precision", "recall", "f1", "balanced_accuracy", "mcc", "error_rate")
    found = sweep.landscape(law, a, b, names)
    near = [(z - b) / a for z in (-40, -10, 0, 10, 40)]

    def brier(x):
        p = 1 / (1 + np.exp(-a * x - b))
        return formula.eta(x) * (1 - p) ** 2 + (1 - formula.eta(x)) * p**2

    assert found.brier.item() == pytest.approx(formula.mean(brier, *near), abs=1e-11)
    tp, fp, fn, tn = (
        formula.mean(
            lambda x, y=y, p=p: ((a * x + b > 0) == p) * abs(1 - y - formula.eta(x)), -b / a
        )
        for y, p in ((1, True), (0, True), (1, False), (0, False))
    )
    expected = {
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "error_rate": fp + fn,
        "mcc": (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
    }
    for metric, value in expected.items():
        assert found[metric].item() == pytest.approx(value, abs=1e-12), metric
        bounded = metric not in ("precision", "mcc")
        assert np.isfinite(found[metric].error_bound) == bounded
    assert "precision and mcc of a population" in found.attrs["error_bound_note"]
    assert np.isfinite(found.attrs["error_bound"])


def test_dataset_says_that_n_is_infinite_and_of_what_law(tmp_path):
    law = CATALOGUE["S5"]
    found = sweep.landscape(law, "-3:3:4", "-1:1:3")
    assert list(found.data_vars) == ["cross_entropy", "accuracy"]
    assert found.attrs["n"] == np.inf
    assert found.attrs["total_weight"] == pytest.approx(1)
    assert found.attrs["population"] == law.name
    assert found.attrs["quadrature_nodes"] > 100
    for name, read in (("l.nc", xr.open_dataset), ("l.zarr", xr.open_zarr)):
        storage.save(found, tmp_path / name)
        with read(tmp_path / name) as loaded:
            xr.testing.assert_identical(loaded.load(), found)


def test_a_measure_serves_slopes_up_to_its_own_and_is_made_anew_for_steeper_ones():
    law = CATALOGUE["D2"]
    measure = Measure.from_population(law, slope=3.0)
    one = sweep.landscape(measure, "-3:3:4", "-1:1:3")
    assert one.attrs["sample_fingerprint"] == measure.fingerprint
    steep = sweep.landscape(measure, "-100:100:4", "-1:1:3")
    expected = sweep.landscape(law, "-100:100:4", "-1:1:3")
    assert steep.attrs["sample_fingerprint"] == expected.attrs["sample_fingerprint"]
    np.testing.assert_array_equal(steep.cross_entropy, expected.cross_entropy)


def _squared(z, y):
    return (z - y) ** 2


def test_slopes_and_requests_beyond_what_a_population_can_do_are_refused(monkeypatch):
    law = CATALOGUE["W1"]
    monkeypatch.setattr("sweep.populations.panels.MAX_PANELS", 2**14)
    with pytest.raises(InputError, match=r"slopes as steep as 1e\+07 need more than"):
        sweep.landscape(law, "-1e7:1e7:3", "0:1:2")
    with pytest.raises(TypeError, match="data is a Population; a model or metric of your own"):
        sweep.landscape(law, "0:1:2", "0:1:2", _squared)
    assert sweep.landscape(law, "0:0:1", "0:1:2").cross_entropy[0, 0] == pytest.approx(np.log(2))


def test_float32_keeps_its_tolerance():
    law = CATALOGUE["W1"]
    one = sweep.landscape(law, "-3:3:4", "-1:1:3", dtype="float32", tolerance=1e-4)
    other = sweep.landscape(law, "-3:3:4", "-1:1:3")
    np.testing.assert_allclose(one.cross_entropy, other.cross_entropy, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(one.accuracy, other.accuracy)


@pytest.mark.parametrize("law", ["W1", "D1", "D2", "D5"])
def test_ratios_of_nothing_are_0_as_of_a_sample(law):
    names = ["precision", "recall", "f1", "mcc"]
    found = sweep.landscape(CATALOGUE[law], 0.0, "-1,-50", names)
    for name in names:
        np.testing.assert_array_equal(found[name], 0.0)


def test_a_bound_names_its_condition():
    found = sweep.landscape(CATALOGUE["W1"], "1", "0")
    assert "no undeclared feature" in found.attrs["quadrature_note"]
    sample = sweep.landscape(sweep.data.illustration(2), "1", "0")
    assert "quadrature_note" not in sample.attrs


def test_a_tolerance_that_masses_cannot_keep_is_refused_for_the_law_and_not_for_weights():
    with pytest.raises(InputError, match="masses below and above a cut of this law") as refused:
        sweep.landscape(CATALOGUE["W1"], "1", "0", "accuracy", tolerance=1e-17)
    assert "weighted" not in str(refused.value)
