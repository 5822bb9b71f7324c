import numpy as np
import pytest

from sweep.asymptotics import published as module
from sweep.asymptotics.published import illustrate

RESULTS = {k: illustrate(k) for k in (1, 2, 3)}


@pytest.mark.parametrize("k", RESULTS)
def test_every_published_value_is_met(k):
    differing = [row for row in RESULTS[k].comparisons if not row.agrees]
    assert differing == []


KEYS = {
    "slope a of least cross-entropy": "a",
    "intercept b of least cross-entropy": "b",
    "least cross-entropy": "cross_entropy",
    "cut of least cross-entropy": "cut",
    "correct at least cross-entropy": "correct_at_optimum",
    "most correct": "grid_max_correct",
    "grid cells with most correct": "grid_cells_at_max_correct",
}


@pytest.mark.parametrize("k", RESULTS)
def test_published_digits_are_those_of_the_reference(k, r_reference):
    rows = {row.quantity: row.R for row in RESULTS[k].comparisons}
    for quantity, key in KEYS.items():
        assert float(rows[quantity]) == pytest.approx(r_reference[k][key], abs=6e-10)
    if k == 1:
        printed = [row.R for row in RESULTS[k].comparisons if "point" in row.quantity and row.R]
        expected = r_reference[1]["per_point_cross_entropy"].values()
        assert [float(digits) for digits in printed] == [value for row in expected for value in row]


def test_a_value_that_differs_is_said_to_differ():
    assert module._agrees(1.2680508989858845, "1.27")
    assert not module._agrees(1.2849, "1.27")
    assert module._agrees(5.545e-5, "5e-5")
    assert not module._agrees(6.1e-5, "5e-5")
    assert not module._agrees(490, "491")
    best = RESULTS[1].optimum
    assert not module._compare_cut("0.516", best).agrees
    assert module._compare_cut("0", best).agrees
    assert not module._compare_cut("-0.3", best).agrees


@pytest.mark.parametrize("k", RESULTS)
def test_slices_pass_through_the_optimum(k):
    result = RESULTS[k]
    ce = result.optimum.cross_entropy
    assert result.along_b.a.values == [ce.a]
    assert result.along_a.b.values == [ce.b]
    for along, name in ((result.along_b, "b"), (result.along_a, "a")):
        lowest = along.cross_entropy.argmin(...)
        step = np.diff(along[name]).max()
        assert abs(along[name][lowest[name]] - getattr(ce, name)) <= step
        assert along.cross_entropy.min() >= ce.value
