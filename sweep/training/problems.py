"""Problems: splits by name, the same for every seed or drawn anew for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.training.draws import Sizes, interaction, two_clouds
from sweep.training.split import Split, split


@dataclass(frozen=True)
class Problem:
    """What networks learn.

    Attributes:
        name: as it is asked for.
        title: what it is, for people.
        draw: seed -> split; all of one shape.
        drawn: whether each seed has its own split; otherwise all have that of seed 0.
    """

    name: str
    title: str
    draw: Callable[[int], Split]
    drawn: bool = True


def given(made: Split) -> Problem:
    """The problem of one split, the same for every seed."""
    return Problem("given", "a split of one's own", lambda seed: made, drawn=False)


def _outlier(seed: int) -> Split:
    """20 training and 20 test points on a line, and one of class 1 inside class 0 in the latter.

    NumPy's legacy generator, seeded by 0, draws each class uniformly: class 0 in [1/2, 1], class 1
    in [-1, 1/2]. The published test set is the validation set here: training is watched on it.
    """
    state = np.random.RandomState(0)

    def points() -> np.ndarray:
        low = 1 / 2 + 1 / 2 * state.uniform(size=10)
        return np.hstack([low, 1 / 2 - 1.5 * state.uniform(size=10)])

    x, validation_x = points(), points()
    y = np.repeat([0.0, 1.0], 10)
    validation_y = y.copy()
    validation_y[OUTLIER] = 1
    return split(x, y, validation_x, validation_y)


def _digits(seed: int) -> Split:
    """Odd digits (class 1) against even ones: 150 images to train on, and the other 1647.

    Images of 8 x 8 pixels, darkness from 0 to 1, of scikit-learn (Alpaydin & Kaynak 1998). Which of
    them are trained on is drawn by NumPy's legacy generator, whose numbers stay what they are.

    Raises:
        InputError: scikit-learn is not installed.
    """
    x, y = _images()
    order = np.random.RandomState(seed).permutation(len(y))
    training, validation = order[:DIGITS], order[DIGITS:]
    return split(x[training], y[training], x[validation], y[validation])


DIGITS = 150
"""Images that networks are trained on in `digits`: so few that they are learnt by heart."""


@lru_cache(maxsize=1)
def _images() -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """All images, and whether each is of an odd digit."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError(
            "the digits come with scikit-learn; install it by pip install 'sweep[digits]'"
        ) from None
    pixels, digits = map(np.asarray, load_digits(return_X_y=True))
    return pixels / 16, (digits % 2).astype(float)


OUTLIER = 3
"""Row of the outlier in the validation set of `outlier`."""

PROBLEMS = {
    one.name: one
    for one in (
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
}
"""By name."""


def problem(asked: str | Problem | Split) -> Problem:
    """The problem of a name, or of a split.

    Raises:
        InputError: there is none; the sentence lists those there are.
    """
    if isinstance(asked, Problem):
        return asked
    if isinstance(asked, Split):
        return given(asked)
    if asked not in PROBLEMS:
        raise InputError(f"there is no problem {asked!r}; there are {', '.join(PROBLEMS)}")
    return PROBLEMS[asked]
