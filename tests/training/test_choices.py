"""Choices by name: each valid name can be built."""

from sweep.training.choices import ACTIVATIONS, OPTIMIZERS, SCHEDULES
from sweep.training.networks import activation_function
from sweep.training.optimizers import schedule_function, transformation


def test_every_choice_can_be_built():
    for family in ACTIVATIONS.values():
        assert activation_function(family().name)(0.5) > 0
    for family in OPTIMIZERS.values():
        assert transformation(family().name).init({}) is not None
    for family in SCHEDULES.values():
        assert 0 < schedule_function(family().name, 20)(10) <= 1
