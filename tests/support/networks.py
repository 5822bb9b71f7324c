"""Points that small networks learn in tests, and initial weights for them."""

import itertools

import numpy as np

from sweep.training.split import split

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3))
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
SPLIT = split(X, Y, X[::-1][:7], Y[::-1][:7])


def random_weights(*sizes):
    """Weights of one network, with the axis of one seed in front."""
    rng = np.random.default_rng(1)
    return [
        (rng.normal(size=(1, a, b)) * 0.7, rng.normal(size=(1, b)) * 0.1)
        for a, b in itertools.pairwise(sizes)
    ]
