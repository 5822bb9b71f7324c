"""Splits: the training, validation and test sets that networks learn from and are judged on.

A split is made of arrays (`split`) or drawn by seed (`two_clouds`, `interaction`); `problems` gives
splits names. In the drawn ones loss and accuracy disagree for a reason that is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.columns import array, element, read_only, refuse, require_finite, require_kind

SETS = ("training", "validation", "test")  # in this order everywhere; the last one may be missing

SEED_PREFIX = 0x5357  # keeps these draws apart from others that use the same seeds


@dataclass(frozen=True, eq=False)
class SplitPoints:
    """Points of one set.

    Attributes:
        x: inputs, float64, shape (n, d).
        y: classes, 0.0 and 1.0, shape (n,).
    """

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, name: str, x: ArrayLike, y: ArrayLike) -> SplitPoints:
        """Checks the arrays of one set."""
        x_array = array(f"{name} x", x, "shape (n,) or (n, d)")
        require_kind(f"{name} x", x_array)
        inputs = x_array.astype(np.float64)
        inputs = inputs[:, None] if inputs.ndim == 1 else inputs
        labels = array(f"{name} y", y, "shape (n,)")
        require_kind(f"{name} y", labels)
        if inputs.ndim != 2 or labels.ndim != 1 or len(labels) != len(inputs):
            raise InputError(
                f"the {name} set has x of shape {x_array.shape} and y of shape {labels.shape}; "
                "shapes (n, d) and (n,) are needed"
            )
        if inputs.size == 0:
            raise InputError(f"the {name} set is empty; at least one point is needed")
        require_finite(f"{name} x", inputs, element)
        classes = labels.astype(np.float64)
        refuse(~np.isin(classes, (0, 1)), f"{name} y", classes, "is neither 0 nor 1", element)
        return cls(read_only(inputs), read_only(classes))

    def __len__(self) -> int:
        """Number of points n."""
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Split:
    """The sets that networks learn from and are judged on.

    Attributes:
        training: points on which the loss is minimised.
        validation: points that are watched during training, and may choose the epoch.
        test: points that choose nothing, so that they judge fairly; None without a test set.
    """

    training: SplitPoints
    validation: SplitPoints
    test: SplitPoints | None = None

    def __post_init__(self) -> None:
        for name, points in self.sets.items():
            if points.x.shape[1] != self.inputs:
                raise InputError(
                    f"the training set has {self.inputs} columns of x and the {name} set has "
                    f"{points.x.shape[1]}; give every set the same columns"
                )

    @property
    def inputs(self) -> int:
        """Number of columns of x, d."""
        return self.training.x.shape[1]

    @property
    def sets(self) -> dict[str, SplitPoints]:
        """The existing sets by name, in the order of `SETS`."""
        sets = {name: getattr(self, name) for name in SETS}
        return {name: points for name, points in sets.items() if points is not None}


def split(
    x: ArrayLike,
    y: ArrayLike,
    validation_x: ArrayLike,
    validation_y: ArrayLike,
    test_x: ArrayLike | None = None,
    test_y: ArrayLike | None = None,
) -> Split:
    """Makes a split of arrays.

    Args:
        x: training inputs, shape (n,) or (n, d).
        y: training classes, 0 and 1, shape (n,).
        validation_x: validation inputs, shape (m,) or (m, d).
        validation_y: validation classes, shape (m,).
        test_x: test inputs, if there is a test set.
        test_y: test classes.

    Raises:
        InputError: a set is empty, has a value that is not finite, another class, or another number
            of columns.
    """
    if (test_x is None) != (test_y is None):
        raise InputError("the test set has only one of x and y; give both or neither")
    test = None if test_x is None or test_y is None else SplitPoints.of("test", test_x, test_y)
    return Split(
        SplitPoints.of("training", x, y),
        SplitPoints.of("validation", validation_x, validation_y),
        test,
    )


class Sizes(NamedTuple):
    """Points of each set of a drawn split."""

    training: int  # points of the training set
    validation: int  # points of the validation set
    test: int  # points of the test set


def two_clouds(
    sizes: Sizes,
    inputs: int,
    distance: float,
    *,
    ones: float = 0.5,
    flipped: float = 0.0,
    strays: float = 0.0,
) -> Callable[[int], Split]:
    """Draws two normal classes of unit variance."""

    def draw_set(rng: np.random.Generator, n: int, stray_share: float) -> SplitPoints:
        y = (np.arange(n) < round(ones * n)).astype(np.float64)
        x = rng.normal(size=(n, inputs)) + distance / 2 * (2 * y[:, None] - 1) / np.sqrt(inputs)
        wrong = rng.random(n) < flipped
        wrong[rng.permutation(n)[: round(stray_share * n)]] ^= True
        return SplitPoints.of("drawn", x, np.where(wrong, 1 - y, y))

    def draw(seed: int) -> Split:
        rng = np.random.default_rng([SEED_PREFIX, seed])
        stray_shares = (0.0, strays, strays)
        return Split(*(draw_set(rng, n, k) for n, k in zip(sizes, stray_shares, strict=True)))

    return draw


def interaction(sizes: Sizes, product: float, slope: float) -> Callable[[int], Split]:
    """Draws classes that depend on the product of two normal inputs, and a little on the first.

    y is 1 with probability sigmoid(product * x_1 x_2 + slope * x_1); a linear model can learn only
    the second term.
    """

    def draw_set(rng: np.random.Generator, n: int) -> SplitPoints:
        x: Float[np.ndarray, "n d"] = rng.normal(size=(n, 2))
        z = product * x[:, 0] * x[:, 1] + slope * x[:, 0]
        y = rng.random(n) < 1 / (1 + np.exp(-z))
        return SplitPoints.of("drawn", x, y.astype(np.float64))

    def draw(seed: int) -> Split:
        rng = np.random.default_rng([SEED_PREFIX, seed])
        return Split(*(draw_set(rng, n) for n in sizes))

    return draw
