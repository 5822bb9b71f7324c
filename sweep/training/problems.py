"""Problems: what networks learn, by name, from a split or from a file of data.

A problem draws one split for each seed, or has one split for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.data import tables
from sweep.data.columns import Table, column, listed, refuse, require_finite
from sweep.training.split import Sizes, Split, SplitPoints, interaction, split, two_clouds

OUTLIER = 3  # row of the outlier in the validation set of the problem `outlier`

DIGITS = 150  # training images of `digits`: few enough that networks learn them by heart

WEIGHT_COLUMN = "weight"  # weights of points in other commands; networks use none

VALIDATION_SHARE = 0.25  # default share of the rows of a file that are for validation


@dataclass(frozen=True)
class Problem:
    """What networks learn.

    Attributes:
        name: name by which it is chosen.
        title: short description.
        draw: seed -> split; all splits have the same shape.
        drawn: whether each seed has its own split; otherwise all use that of seed 0.
    """

    name: str
    title: str
    draw: Callable[[int], Split]
    drawn: bool = True


def _outlier(seed: int) -> Split:
    """20 training and 20 validation points on a line; one of the latter is an outlier.

    NumPy's legacy generator, seeded by 0, draws each class uniformly: class 0 in [1/2, 1], class 1
    in [-1, 1/2]. The published test set is the validation set here, since training is watched on
    it; its outlier has class 1 in the midst of class 0.
    """
    state = np.random.RandomState(0)

    def draw_points() -> np.ndarray:
        class0 = 1 / 2 + 1 / 2 * state.uniform(size=10)
        return np.hstack([class0, 1 / 2 - 1.5 * state.uniform(size=10)])

    x, validation_x = draw_points(), draw_points()
    y = np.repeat([0.0, 1.0], 10)
    validation_y = y.copy()
    validation_y[OUTLIER] = 1
    return split(x, y, validation_x, validation_y)


def _digits(seed: int) -> Split:
    """Odd digits (class 1) against even ones: 150 training images, and the other 1647.

    The images are those of scikit-learn (Alpaydin & Kaynak 1998): 8 x 8 pixels, darkness from 0 to
    1. NumPy's legacy generator, whose numbers are frozen, draws the training images.
    """
    x, y = _images()
    order = np.random.RandomState(seed).permutation(len(y))
    training, validation = order[:DIGITS], order[DIGITS:]
    return split(x[training], y[training], x[validation], y[validation])


@lru_cache(maxsize=1)
def _images() -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """All images, and whether each shows an odd digit."""
    try:
        from sklearn.datasets import load_digits  # optional dependency
    except ImportError:
        raise InputError(
            "the images of digits come with scikit-learn, which is not installed; install it by "
            "pip install 'sweep[digits]'"
        ) from None
    pixels, digits = map(np.asarray, load_digits(return_X_y=True))
    return pixels / 16, (digits % 2).astype(float)


_PROBLEMS = (
    Problem("outlier", "20 points on a line, and an outlier in validation", _outlier, False),
    Problem("digits", "odd against even digits, 150 images to train on", _digits),
    Problem(
        "imbalanced",
        "two classes that overlap, one of them 5% of the points",
        two_clouds(Sizes(600, 800, 500), 10, 1.0, ones=0.05),
    ),
    Problem(
        "few_points",
        "60 points of 10 inputs, from classes that overlap",
        two_clouds(Sizes(60, 300, 400), 10, 2.0),
    ),
    Problem(
        "strays",
        "classes well apart, and 1% strays in validation and test",
        two_clouds(Sizes(100, 300, 500), 2, 6.0, strays=0.01),
    ),
    Problem(
        "two_clouds",
        "two classes that overlap a little",
        two_clouds(Sizes(200, 300, 500), 2, 3.0),
    ),
    Problem(
        "overlapping",
        "two classes that overlap much",
        two_clouds(Sizes(100, 300, 500), 2, 1.5),
    ),
    Problem(
        "noisy_labels",
        "classes well apart, and each label wrong with probability 0.2",
        two_clouds(Sizes(80, 400, 400), 2, 4.0, flipped=0.2),
    ),
    Problem(
        "interaction",
        "classes decided by the product of two inputs",
        interaction(Sizes(1500, 500, 500), 4.0, 1.5),
    ),
)

PROBLEMS = {problem.name: problem for problem in _PROBLEMS}


def problem(data: str | Problem | Split) -> Problem:
    """The problem of a name or of a split.

    Raises:
        InputError: no problem has this name; the message lists the valid ones.
    """
    if isinstance(data, Problem):
        return data
    if isinstance(data, Split):
        return problem_of_split(data)
    if data not in PROBLEMS:
        raise InputError(f"there is no problem {data!r}; there are {', '.join(PROBLEMS)}")
    return PROBLEMS[data]


def problem_of_split(data: Split) -> Problem:
    """The problem that has this split for every seed."""
    return Problem("given", "a split of one's own", lambda seed: data, drawn=False)


def from_file(
    path: str | os.PathLike[str],
    x: Sequence[str] = (),
    y: str = "y",
    validation: float = VALIDATION_SHARE,
) -> Problem:
    """The problem of a file: each seed shuffles the rows, and the first ones are for validation."""
    path = Path(path)
    table = tables.read(path, partial(_choose_columns, tuple(x), y))
    with tables.read_errors(path):
        inputs, classes = _check_columns(table, y)
    held_out = min(max(1, round(validation * len(classes))), len(classes) - 1)
    return Problem(
        str(path), f"rows of {path.name}", partial(_draw_rows, inputs, classes, held_out)
    )


def _choose_columns(x: tuple[str, ...], y: str, names: list[str]) -> list[str]:
    """The columns of the inputs, then that of the classes."""
    inputs = list(x) or [name for name in names if name not in (y, WEIGHT_COLUMN)]
    for name in (*inputs, y):
        if name not in names:
            raise InputError(f"has no column {name!r}; its columns are {listed(names)}")
    if not inputs:
        raise InputError(f"has no column of inputs; its columns are {listed(names)}")
    if y in inputs:
        raise InputError(f"the column {y!r} is named as x and as y; give each its own column")
    return [*inputs, y]


def _check_columns(
    table: Table, y: str
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """Inputs and classes; raises InputError for values that are not finite or no class."""
    rows = {len(values) for values in table.values()}
    if len(rows) > 1:
        raise InputError("has columns of different lengths; each point needs all of them")
    if (count := max(rows)) < 2:  # checked first: columns without rows have no type
        raise InputError(
            f"has {count} row{'' if count == 1 else 's'}; at least 2 are needed, one to train and "
            "one to validate on"
        )
    columns = {name: column(name, values, _where) for name, values in table.items()}
    for name, values in columns.items():
        require_finite(name, values, _where)
    classes = columns.pop(y)
    refuse(~np.isin(classes, (0, 1)), y, classes, "is neither 0 nor 1", _where)
    return np.stack(list(columns.values()), axis=1), classes


def _where(name: str, row: int) -> str:
    return f"{name!r} in row {row + 1}"


def _draw_rows(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], held_out: int, seed: int
) -> Split:
    """The split of a seed; `held_out` rows are for validation."""
    order = np.random.default_rng(seed).permutation(len(y))
    validation, training = order[:held_out], order[held_out:]
    return Split(
        SplitPoints.of("training", x[training], y[training]),
        SplitPoints.of("validation", x[validation], y[validation]),
    )
