"""Measures: batches answer like the sample of all of them."""

import numpy as np
import pytest

import sweep
from sweep import InputError, Measure, Sample
from tests.support.sketches import sample

BATCHES = [sample("normal", seed=k) for k in range(3)]


@pytest.mark.parametrize("batches", [BATCHES, [(s.x, s.y) for s in BATCHES], iter(BATCHES)])
def test_a_measure_of_batches_answers_like_that_of_all(batches):
    range_of_x = (-9.0, 9.0) if iter(batches) is batches else None
    sketch = Measure.from_batches(batches, a="-8:8:17", b="-5:5:11", range=range_of_x)
    whole = Sample(*(np.concatenate([getattr(s, c) for s in BATCHES]) for c in "xy"))
    result, truth = (sweep.landscape(data, "-8:8:17", "-5:5:11") for data in (sketch, whole))
    assert np.array_equal(result.correct, truth.correct)
    assert np.max(np.abs(result.cross_entropy - truth.cross_entropy)) <= result.error_bound
    assert sketch.n == 2700


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (iter(BATCHES), "batches is an iterator, which can be read only once"),
        ([], "the batches have no points"),
        ([BATCHES[0], (1.0, 2.0)], "batch 1: x has shape"),
        ([BATCHES[0], 5], "batch 1 is a int"),
        ([([0.0, np.nan], [0, 1])], r"batch 0: x\[1\] is nan"),
    ],
)
def test_batches_that_are_none_are_refused(batches, message):
    with pytest.raises(InputError, match=message):
        Measure.from_batches(batches)
