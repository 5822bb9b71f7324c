"""Splits drawn by seed, in which loss and accuracy part for a cause that is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from sweep.training.split import Split, SplitPoints

PLACE = 0x5357
"""What the seeds of these draws begin with, so that they are apart from others of equal seeds."""


class Sizes(NamedTuple):
    """Points of each set.

    Attributes:
        training: points that the loss is minimised on.
        validation: points that training is watched on.
        test: points that choose nothing.
    """

    training: int
    validation: int
    test: int


def two_clouds(
    sizes: Sizes,
    inputs: int,
    distance: float,
    *,
    ones: float = 0.5,
    flipped: float = 0.0,
    strays: float = 0.0,
) -> Callable[[int], Split]:
    """Two normal classes of unit variance, their means a distance apart.

    Args:
        sizes: of the sets.
        inputs: columns of x, all of which tell the classes apart alike.
        distance: of the means, in standard deviations.
        ones: share of class 1 in each set, to the nearest point.
        flipped: probability that the class of a point is wrong, in every set.
        strays: share of the points whose class is wrong in the validation and the test set, to the
            nearest point.

    Returns:
        seed -> split.
    """

    def drawn(rng: np.random.Generator, n: int, stray: float) -> SplitPoints:
        y = (np.arange(n) < round(ones * n)).astype(np.float64)
        x = rng.normal(size=(n, inputs)) + distance / 2 * (2 * y[:, None] - 1) / np.sqrt(inputs)
        wrong = rng.random(n) < flipped
        wrong[rng.permutation(n)[: round(stray * n)]] ^= True
        return SplitPoints.of("drawn", x, np.where(wrong, 1 - y, y))

    def draw(seed: int) -> Split:
        rng = np.random.default_rng([PLACE, seed])
        shares = (0.0, strays, strays)
        return Split(*(drawn(rng, n, stray) for n, stray in zip(sizes, shares, strict=True)))

    return draw


def interaction(sizes: Sizes, product: float, slope: float) -> Callable[[int], Split]:
    """Classes that the product of two normal inputs decides, and the first input a little.

    y is 1 with probability sigmoid(product * x_1 x_2 + slope * x_1): of that no linear model sees
    more than the second term.

    Args:
        sizes: of the sets.
        product: factor of the product.
        slope: factor of the first input.

    Returns:
        seed -> split.
    """

    def drawn(rng: np.random.Generator, n: int) -> SplitPoints:
        x: Float[np.ndarray, "n d"] = rng.normal(size=(n, 2))
        z = product * x[:, 0] * x[:, 1] + slope * x[:, 0]
        y = rng.random(n) < 1 / (1 + np.exp(-z))
        return SplitPoints.of("drawn", x, y.astype(np.float64))

    def draw(seed: int) -> Split:
        rng = np.random.default_rng([PLACE, seed])
        return Split(*(drawn(rng, n) for n in sizes))

    return draw
