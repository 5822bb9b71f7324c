"""Optimisers and learning-rate schedules, built by optax from the choices of `choices`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optax

from sweep.training.choices import optimizer, schedule

Schedule = Callable[[Any], Any]  # step, counted from 0 -> factor of the learning rate


def transformation(name: str) -> optax.GradientTransformation:
    """The optimiser of this name, without its learning rate."""
    choice = optimizer(name)
    return _TRANSFORMATIONS[choice.family](*choice.values)


def schedule_function(name: str, steps: int) -> Schedule:
    """The schedule of this name over so many steps."""
    choice = schedule(name)
    return _SCHEDULES[choice.family](*choice.values, steps)


def _sgd(momentum: float) -> optax.GradientTransformation:
    return optax.trace(momentum) if momentum else optax.identity()


def _rmsprop(decay: float, eps: float) -> optax.GradientTransformation:
    return optax.scale_by_rms(decay, eps, eps_in_sqrt=False)


def _constant(steps: int) -> Schedule:
    return optax.constant_schedule(1.0)


def _cosine(final: float, steps: int) -> Schedule:
    return optax.cosine_decay_schedule(1.0, steps, final)


def _exponential(final: float, steps: int) -> Schedule:
    return optax.exponential_decay(1.0, steps, final)


def _linear(final: float, steps: int) -> Schedule:
    return optax.linear_schedule(1.0, final, steps)


def _warmup_cosine(share: float, final: float, steps: int) -> Schedule:
    warmup = max(1, round(share * steps))
    return optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup, max(steps, warmup + 1), final)


_TRANSFORMATIONS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "sgd": _sgd,
    "rmsprop": _rmsprop,
}

_SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": _constant,
    "cosine": _cosine,
    "exponential": _exponential,
    "linear": _linear,
    "warmup_cosine": _warmup_cosine,
}
