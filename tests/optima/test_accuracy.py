import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

import sweep
from sweep import Sample
from tests.support import oracle
from tests.support.small_samples import SAMPLES


@pytest.mark.parametrize("k", [1, 2, 3])
def test_accuracy_optimum_is_that_of_r(k, r_reference):
    best, expected = sweep.optimum(sweep.data.illustration(k)), r_reference[k]
    assert best.accuracy.correct == expected["grid_max_correct"]
    assert best.regret == (expected["grid_max_correct"] - expected["correct_at_optimum"]) / best.n


@given(SAMPLES)
def test_accuracy_optimum_is_the_whole_set_that_brute_force_finds(columns):
    sample = Sample(*columns)
    accuracy = sweep.optimum(sample).accuracy
    most, found = oracle.best_cuts(sample)
    points = np.unique(sample.x)
    m = len(points)
    told = {
        (k, orientation)
        for low, high, orientation in accuracy.cuts
        for k in range(np.searchsorted(points, low) + 1, np.searchsorted(points, high) + 1)
    }
    told |= {pair for c in accuracy.constants for pair in (((0, -1), (m, 1)), ((m, -1), (0, 1)))[c]}
    assert accuracy.correct == pytest.approx(most, rel=1e-15)
    assert told == found
    # Maximal: no two intervals of one orientation touch.
    for orientation in (1, -1):
        spans = [cut for cut in accuracy.cuts if cut[2] == orientation]
        assert all(left[1] < right[0] for left, right in pairwise(spans))


def test_ties_of_weights_are_found_among_many_points_at_few_positions():
    zeros, ones, both = 165, 46, 1174
    x = np.repeat([0.0, 1.0], [zeros + ones, 2 * both])
    y = np.repeat([0, 1, 0, 1], [zeros, ones, both, both])
    plain = sweep.optimum(Sample(x, y))
    heavy = sweep.optimum(Sample(x, y, np.full(len(x), 0.6)))
    assert plain.accuracy.cuts == heavy.accuracy.cuts == ((0.0, 1.0, 1),)
    assert plain.accuracy.constants == heavy.accuracy.constants == (0,)
    assert plain.shared is heavy.shared is True


def test_weighted_sums_that_tie_are_compared_exactly():
    # In floats 0.2 + 0.2 + 0.2 and 0.6 differ, and so would the two cuts.
    best = sweep.optimum(Sample([0, 1, 2, 3], [1, 0, 1, 0], [0.2, 0.2, 0.2, 0.7]))
    assert best.accuracy.cuts == ((0.0, 1.0, -1), (2.0, 3.0, -1))


@pytest.mark.parametrize("base", [0.1, 0.5, 0.9])  # so that constants are among the best, or not
@pytest.mark.parametrize("seed", range(5))
def test_rays_are_where_the_highest_accuracy_begins_or_ends(base, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=20), rng.random(20) < base
    best = sweep.optimum(Sample(x, y.astype(float))).accuracy
    assert best.rays
    for a, b in best.rays:
        angles = math.atan2(b, a) + np.array([-1e-7, 1e-7])
        logits = np.outer(np.cos(angles), x) + np.sin(angles)[:, None]
        assert sorted(np.mean((logits > 0) == y, axis=1) == best.value) == [False, True]
