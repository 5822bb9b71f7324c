"""Optimisers, and schedules of the learning rate, all made by optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sweep.base.families import Parameter
from sweep.training.choices import Choice, choice, chosen

if TYPE_CHECKING:
    import optax

Schedule = Callable[[Any], Any]
"""What the learning rate is multiplied by at a step, counted from 0."""

EPSILON = 1e-7
"""That of Keras; optax's own is 1e-8."""


def _adam(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    import optax

    return optax.scale_by_adam(b1, b2, eps)


def _sgd(momentum: float) -> optax.GradientTransformation:
    import optax

    return optax.trace(momentum) if momentum else optax.identity()


def _rmsprop(decay: float, eps: float) -> optax.GradientTransformation:
    import optax

    return optax.scale_by_rms(decay, eps, eps_in_sqrt=False)


OPTIMIZERS = {
    one.name: one
    for one in (
        choice(
            "adam",
            _adam,
            Parameter("b1", 0.9, 0.0, 0.999999),
            Parameter("b2", 0.999, 0.0, 0.999999),
            Parameter("eps", EPSILON, 1e-30, 1.0),
        ),
        choice("sgd", _sgd, Parameter("momentum", 0.0, 0.0, 0.999999)),
        choice(
            "rmsprop",
            _rmsprop,
            Parameter("decay", 0.9, 0.0, 0.999999),
            Parameter("eps", EPSILON, 1e-30, 1.0),
        ),
    )
}
"""By name; each makes an optax transformation without a learning rate."""


def _constant(steps: int) -> Schedule:
    import optax

    return optax.constant_schedule(1.0)


def _cosine(final: float, steps: int) -> Schedule:
    import optax

    return optax.cosine_decay_schedule(1.0, steps, final)


def _exponential(final: float, steps: int) -> Schedule:
    import optax

    return optax.exponential_decay(1.0, steps, final)


def _linear(final: float, steps: int) -> Schedule:
    import optax

    return optax.linear_schedule(1.0, final, steps)


def _warmup_cosine(share: float, final: float, steps: int) -> Schedule:
    import optax

    rising = max(1, round(share * steps))
    return optax.warmup_cosine_decay_schedule(0.0, 1.0, rising, max(steps, rising + 1), final)


_FINAL = Parameter("final", 0.01, 1e-30, 1.0)

SCHEDULES = {
    one.name: one
    for one in (
        choice("constant", _constant),
        choice("cosine", _cosine, _FINAL),
        choice("exponential", _exponential, _FINAL),
        choice("linear", _linear, _FINAL),
        choice("warmup_cosine", _warmup_cosine, Parameter("share", 0.1, 0.0, 0.9), _FINAL),
    )
}
"""By name; each makes a `Schedule` of a number of steps. Of the learning rate `final`, a share, is
left in the end."""


def optimizer(asked: str) -> Choice:
    """The optimiser of a name.

    Raises:
        InputError: there is none; the sentence lists those there are.
    """
    return chosen("optimizer", OPTIMIZERS, asked)


def schedule(asked: str) -> Choice:
    """The schedule of a name.

    Raises:
        InputError: there is none; the sentence lists those there are.
    """
    return chosen("schedule", SCHEDULES, asked)
