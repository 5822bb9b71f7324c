import numpy as np
import pytest

import sweep
from sweep import illustrate as module
from sweep.illustrate import illustrate

RESULTS = {k: illustrate(k) for k in (1, 2, 3)}


@pytest.mark.parametrize("k", RESULTS)
def test_every_published_value_is_met(k):
    differing = [row for row in RESULTS[k].comparisons if not row.agrees]
    assert differing == []


def test_everything_published_is_compared():
    assert {k: len(result.comparisons) for k, result in RESULTS.items()} == {1: 27, 2: 8, 3: 7 + 1}


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


def test_there_is_no_fourth():
    with pytest.raises(sweep.InputError, match="no illustration 4"):
        illustrate(4)
