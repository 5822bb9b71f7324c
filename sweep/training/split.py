"""A `Split`: the sets that networks are trained and judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.columns import array, element, read_only, refuse, require_finite, require_kind

SETS = ("training", "validation", "test")
"""The sets of a split, in their order; the last one may be missing."""


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
        """Points, checked.

        Args:
            name: of the set, for the sentence that refuses it.
            x: inputs, shape (n,) or (n, d).
            y: classes 0 and 1, shape (n,).

        Raises:
            InputError: says what is wrong and where.
        """
        made = array(f"{name} x", x, "shape (n,) or (n, d)")
        require_kind(f"{name} x", made)
        inputs = made.astype(np.float64)
        inputs = inputs[:, None] if inputs.ndim == 1 else inputs
        labels = array(f"{name} y", y, "shape (n,)")
        require_kind(f"{name} y", labels)
        if inputs.ndim != 2 or labels.ndim != 1 or len(labels) != len(inputs):
            raise InputError(
                f"the {name} set has x of shape {made.shape} and y of shape {labels.shape}; "
                "shapes (n, d) and (n,) are needed"
            )
        if inputs.size == 0:
            raise InputError(f"the {name} set is empty; at least one point is needed")
        require_finite(f"{name} x", inputs, element)
        classes = labels.astype(np.float64)
        refuse(~np.isin(classes, (0, 1)), f"{name} y", classes, "is neither 0 nor 1", element)
        return cls(read_only(inputs), read_only(classes))

    def __len__(self) -> int:
        """Points n."""
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Split:
    """What networks are trained and judged on.

    Attributes:
        training: what the loss is minimised on.
        validation: what is watched during training, and may choose the epoch.
        test: what chooses nothing, so that it judges fairly; None without one.
    """

    training: SplitPoints
    validation: SplitPoints
    test: SplitPoints | None = None

    def __post_init__(self) -> None:
        for name, points in self.sets.items():
            if points.x.shape[1] != self.inputs:
                raise InputError(
                    f"the training set has {self.inputs} columns of x and the {name} set "
                    f"{points.x.shape[1]}; give the same to each"
                )

    @property
    def inputs(self) -> int:
        """Columns of x, d."""
        return self.training.x.shape[1]

    @property
    def sets(self) -> dict[str, SplitPoints]:
        """The sets that there are, by name."""
        found = {name: getattr(self, name) for name in SETS}
        return {name: points for name, points in found.items() if points is not None}


def split(
    x: ArrayLike,
    y: ArrayLike,
    validation_x: ArrayLike,
    validation_y: ArrayLike,
    test_x: ArrayLike | None = None,
    test_y: ArrayLike | None = None,
) -> Split:
    """A split of arrays.

    Args:
        x: training inputs, shape (n,) or (n, d).
        y: their classes, 0 and 1, shape (n,).
        validation_x: validation inputs, shape (m,) or (m, d).
        validation_y: their classes, shape (m,).
        test_x: test inputs, if there are any.
        test_y: their classes.

    Raises:
        InputError: a set is empty, is not finite, has other classes or another number of columns.
    """
    if (test_x is None) != (test_y is None):
        raise InputError("of the test set only one of x and y is given; give both")
    test = None if test_x is None or test_y is None else SplitPoints.of("test", test_x, test_y)
    return Split(
        SplitPoints.of("training", x, y),
        SplitPoints.of("validation", validation_x, validation_y),
        test,
    )
