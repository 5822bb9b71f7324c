"""Samples of the logistic model."""

import numpy as np

from sweep import Sample


def cloud(n=3000, seed=0, soft=False, weighted=False):
    """Normal x with labels, or soft labels, of slope 1 and intercept 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    p = 1 / (1 + np.exp(-x))
    return Sample(x, p if soft else rng.random(n) < p, rng.random(n) + 0.5 if weighted else None)
