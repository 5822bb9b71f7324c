"""Activations: what a hidden unit makes of its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sweep.base.families import Parameter
from sweep.training.choices import Choice, choice, chosen

Activation = Callable[[Any], Any]
"""Elementwise, of a JAX array."""


def _relu() -> Activation:
    """max(z, 0), with derivative 0 at 0."""
    import jax

    return jax.nn.relu


def _leaky_relu(slope: float) -> Activation:
    """The input where it is positive, slope times it elsewhere (Maas et al. 2013, section 2)."""
    import jax

    return lambda z: jax.nn.leaky_relu(z, slope)


def _sigmoid() -> Activation:
    import jax

    return jax.nn.sigmoid


def _tanh() -> Activation:
    import jax.numpy as jnp

    return jnp.tanh


ACTIVATIONS = {
    one.name: one
    for one in (
        choice("relu", _relu),
        choice("leaky_relu", _leaky_relu, Parameter("slope", 0.01, 0.0, 1.0)),
        choice("sigmoid", _sigmoid),
        choice("tanh", _tanh),
    )
}
"""By name."""


def activation(asked: str) -> Choice:
    """The activation of a name, which makes an `Activation`.

    Raises:
        InputError: there is none; the sentence lists those there are.
    """
    return chosen("activation", ACTIVATIONS, asked)
