"""Models, metrics and data of a user, for landscapes on a plane through parameters."""

import jax.numpy as jnp
import numpy as np

from sweep import Slice


def linear(params, x):
    return params[0] * x + params[1]


LINE = Slice(linear, (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)))
"""The logistic model, written by a user."""


def mlp(params, x):
    """The logit of a network with one hidden layer, written for one sample."""
    hidden = jnp.tanh(params["w"] @ x + params["c"])
    return params["v"] @ hidden


def _tree(rng, inputs=3, width=4):
    return {
        "w": rng.normal(size=(width, inputs)),
        "c": rng.normal(size=width),
        "v": rng.normal(size=width),
    }


def network(seed=0, **sizes):
    """A random plane through the parameters of a random network."""
    rng = np.random.default_rng(seed)
    return Slice(mlp, _tree(rng, **sizes), (_tree(rng, **sizes), _tree(rng, **sizes)))


def columns(n, seed=0, soft=False, weighted=False, inputs=3):
    """Random columns (x, y) or (x, y, weight) with x of shape (n, inputs)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, inputs))
    y = rng.uniform(size=n) if soft else rng.integers(0, 2, n)
    return (x, y, rng.uniform(0, 2, n)) if weighted else (x, y)


def margin(z, y):
    """A metric of one logit and its label."""
    return (2 * y - 1) * z
