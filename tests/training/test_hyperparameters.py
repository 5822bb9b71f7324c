"""Combinations of hyperparameters, and choices by name."""

from sweep.training.hyperparameters import (
    ACTIVATIONS,
    OPTIMIZERS,
    SCHEDULES,
    Hyperparameters,
    combinations,
)
from sweep.training.loop import schedule_function, transformation
from sweep.training.networks import activation_function


def test_combinations_change_the_last_fastest():
    axes, every = combinations({"learning_rate": [0.1, 0.2], "widths": ["3", "none"], "l2": 0.5})
    assert list(axes) == ["widths", "learning_rate"]
    assert [(one.widths, one.learning_rate) for one in every] == [
        ((3,), 0.1),
        ((3,), 0.2),
        ((), 0.1),
        ((), 0.2),
    ]
    assert every[0] == Hyperparameters(widths=(3,), learning_rate=0.1, l2=0.5)


def test_every_choice_can_be_built():
    for family in ACTIVATIONS.values():
        assert activation_function(family().name)(0.5) > 0
    for family in OPTIMIZERS.values():
        assert transformation(family().name).init({}) is not None
    for family in SCHEDULES.values():
        assert 0 < schedule_function(family().name, 20)(10) <= 1
