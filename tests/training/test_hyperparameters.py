"""Combinations of hyperparameters."""

from sweep.training.hyperparameters import Hyperparameters, combinations


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
