"""train(): what it rejects, each in one sentence."""

import numpy as np
import pytest

import sweep
from sweep.base.errors import InputError
from sweep.training.split import split
from tests.support.networks import SPLIT, random_weights


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"activation": "swish"}, "no activation 'swish'; the known ones are relu, leaky_relu"),
        ({"optimizer": "lion"}, "no optimizer 'lion'; the known ones are adam"),
        ({"schedule": "steps"}, "no schedule 'steps'; the known ones are constant"),
        ({"activation": "relu(2)"}, "relu has no parameters"),
        ({"loss": "accuracy"}, "no gradient"),
        ({"loss": "penalised_cross_entropy(l1=1,l2=0)"}, "cross_entropy with l1 or l2"),
        ({"loss": "hinge"}, "no loss 'hinge'; the known ones are cross_entropy, brier, focal"),
        ({"batch": 25}, "batch is 25 and the training set has 24 points"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": "-1"}, "batch is '-1'; a whole number above 0, or full"),
        ({"learning_rate": 0}, "learning_rate is 0; a number above 0 is needed"),
        ({"learning_rate": [0.1, -1]}, "learning_rate is -1"),
        ({"learning_rate": [0.1, 0.1]}, "learning_rate holds 0.1 twice"),
        ({"learning_rate": []}, "learning_rate is empty"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"widths": 0}, "widths is 0; a whole number from 1"),
        ({"widths": [4, 0]}, "widths is 0"),
        ({"widths": "-3"}, "widths is '-3'; whole numbers with - between"),
        ({"widths": "4-x"}, "widths is '4-x'; whole numbers with - between"),
        ({"dropout": 1}, "dropout is 1; a number from 0 to below 1"),
        ({"l2": 1e39}, "l2 is 1e+39; 1e+38 is the largest it may be"),
        ({"l2": -1}, "l2 is -1; a number that is not negative"),
        ({"resample": 1}, "resample is 1; True or False"),
        ({"learning_rat": 1}, "no hyperparameter 'learning_rat'; did you mean learning_rate"),
        ({"epochs": 0}, "epochs is 0"),
        ({"seeds": 0}, "seeds is 0"),
        ({"seeds": [1, 1]}, "seeds holds 1 twice"),
        ({"seeds": []}, "seeds is empty"),
        ({"keep": [4]}, "keep is 4"),
        ({"dtype": "bfloat16"}, "dtype is 'bfloat16'; float32 or float64"),
        ({"weights": random_weights(3, 2, 1)}, "weights have the shapes"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(settings, sentence):
    with pytest.raises(InputError) as caught:
        sweep.train(SPLIT, **{"seeds": 1, "epochs": 3} | settings)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_losses_in_a_list_are_a_dimension_beside_the_variable_loss():
    losses = ["cross_entropy", "focal(gamma=2)"]
    runs = sweep.train(SPLIT, seeds=2, epochs=3, loss=losses, learning_rate=[0.01, 0.1])
    assert runs.loss.dims == ("seed", "loss_function", "learning_rate", "epoch")
    assert list(runs.loss_function.values) == losses
    alone = sweep.train(SPLIT, seeds=2, epochs=3, loss=losses[1], learning_rate=0.1)
    chosen = runs.sel(loss_function=losses[1], learning_rate=0.1)
    np.testing.assert_allclose(chosen.loss, alone.loss, rtol=1e-5)
    assert "loss_function" not in alone.dims


def test_resampling_needs_both_classes():
    with pytest.raises(InputError, match="both classes"):
        sweep.train(split([1, 2], [1, 1], [0.0, 1.0], [0, 1]), seeds=1, epochs=1, resample=True)


def test_an_unknown_problem_is_refused():
    with pytest.raises(InputError, match="no problem 'spirals'; there are outlier"):
        sweep.train("spirals")
