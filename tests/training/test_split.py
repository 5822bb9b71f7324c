"""Splits: what is drawn by seed, and which arrays are rejected."""

import numpy as np
import pytest

from sweep.base.errors import InputError
from sweep.training.split import Sizes, interaction, split, two_clouds


def test_clouds_have_the_classes_the_distance_and_the_strays_asked_for():
    drawn = two_clouds(Sizes(4000, 300, 200), 3, 4.0, ones=0.05, strays=0.02)(5)
    x, y = drawn.training.x, drawn.training.y
    assert y.sum() == 200
    gap = x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)
    assert np.linalg.norm(gap) == pytest.approx(4.0, abs=0.2)
    assert drawn.test is not None
    for points, wrong in ((drawn.training, 0), (drawn.validation, 6), (drawn.test, 4)):
        right = np.arange(len(points)) < round(0.05 * len(points))
        assert np.sum(points.y != right) == wrong


def test_flipped_labels_are_as_many_as_asked_for_in_every_set():
    drawn = two_clouds(Sizes(5000, 5000, 5000), 1, 4.0, flipped=0.2)(1)
    for points in drawn.sets.values():
        right = np.arange(len(points)) < 2500
        assert np.mean(points.y != right) == pytest.approx(0.2, abs=0.02)


def test_draws_depend_on_the_seed_alone():
    draw = interaction(Sizes(20, 10, 5), 4.0, 1.5)
    one, same, other = draw(3), draw(3), draw(4)
    np.testing.assert_array_equal(one.training.x, same.training.x)
    np.testing.assert_array_equal(one.training.y, same.training.y)
    assert not np.isin(one.training.x, other.training.x).any()
    assert not np.isin(one.training.x, one.validation.x).any()


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (([], [], [1], [1]), "training set is empty"),
        (([1, 2], [0, 2], [1], [1]), "training y[1] is 2, which is neither 0 nor 1"),
        (([1, np.nan], [0, 1], [1], [1]), "training x[1]"),
        (([1, 2], [0], [1], [1]), "x of shape (2,) and y of shape (1,)"),
        (([1, 2], [0, 1], [[1, 2]], [1]), "training set has 1 columns of x and the validation set"),
        (([1, 2], [0, 1], [1], [1], [1], None), "only one of x and y"),
    ],
)
def test_sets_that_are_none_are_refused(sets, sentence):
    with pytest.raises(InputError) as caught:
        split(*sets)
    assert sentence in str(caught.value)
