"""Problems with exact answers, each worked out on paper, for the optimum of both metrics."""

from dataclasses import dataclass, field
from math import log, nan

import numpy as np

from sweep import Sample


def logit(p):
    return log(p / (1 - p))


def entropy(p):
    return -p * log(p) - (1 - p) * log(1 - p)


@dataclass(frozen=True)
class Problem:
    sample: Sample
    status: str
    a: float = nan
    b: float = nan
    value: float = 0.0
    accuracy: float = 1.0
    cuts: tuple = ()
    constants: tuple = ()
    shared: bool | None = None
    orientation: int = field(default=0)


def soft(a, b, x):
    x = np.asarray(x, float)
    return Sample(x, 1 / (1 + np.exp(-(a * x + b))))


_X4 = np.array([-1.5, -0.25, 0.5, 2.0])

PROBLEMS = {
    # x in {0, 1}: the model is saturated, p(0) = 1/4 and p(1) = 2/3.
    "two_positions": Problem(
        Sample([0, 0, 0, 0, 1, 1, 1], [1, 0, 0, 0, 1, 1, 0]),
        "finite",
        a=logit(2 / 3) - logit(1 / 4),
        b=logit(1 / 4),
        value=(4 * entropy(1 / 4) + 3 * entropy(2 / 3)) / 7,
        accuracy=5 / 7,
        cuts=((0.0, 1.0, 1),),
        shared=True,
        orientation=1,
    ),
    "two_positions_mirrored": Problem(
        Sample([0, 0, 0, 0, -1, -1, -1], [1, 0, 0, 0, 1, 1, 0]),
        "finite",
        a=logit(1 / 4) - logit(2 / 3),
        b=logit(1 / 4),
        value=(4 * entropy(1 / 4) + 3 * entropy(2 / 3)) / 7,
        accuracy=5 / 7,
        cuts=((-1.0, 0.0, -1),),
        shared=True,
        orientation=-1,
    ),
    "weights_stand_for_copies": Problem(
        Sample([0, 0, 1, 1, 5], [1, 0, 1, 0, 1], [1, 3, 2, 1, 0]),
        "finite",
        a=logit(2 / 3) - logit(1 / 4),
        b=logit(1 / 4),
        value=(4 * entropy(1 / 4) + 3 * entropy(2 / 3)) / 7,
        accuracy=5 / 7,
        cuts=((0.0, 1.0, 1),),
        shared=True,
        orientation=1,
    ),
    # Labels that are the model's own probabilities are fitted exactly, with the entropy left over.
    "own_probabilities": Problem(
        soft(1.7, -0.4, _X4),
        "finite",
        a=1.7,
        b=-0.4,
        value=float(np.mean([entropy(p) for p in soft(1.7, -0.4, _X4).y])),
        accuracy=float(np.mean(np.maximum(soft(1.7, -0.4, _X4).y, 1 - soft(1.7, -0.4, _X4).y))),
        cuts=((-0.25, 0.5, 1),),
        shared=True,
        orientation=1,
    ),
    # Each position has one point of each class: nothing to learn, everything ties.
    "no_information": Problem(
        Sample([-1, -1, 1, 1], [0, 1, 0, 1]),
        "finite",
        a=0.0,
        b=0.0,
        value=log(2),
        accuracy=0.5,
        cuts=((-1.0, 1.0, -1), (-1.0, 1.0, 1)),
        constants=(0, 1),
        shared=True,
    ),
    # The middle point is the only one of class 1: no slope helps, and predicting 0 is best.
    "middle": Problem(
        Sample([-1, 0, 1], [0, 1, 0]),
        "finite",
        a=0.0,
        b=logit(1 / 3),
        value=entropy(1 / 3),
        accuracy=2 / 3,
        cuts=((-1.0, 0.0, 1), (0.0, 1.0, -1)),
        constants=(0,),
        shared=True,
    ),
    "separated": Problem(
        Sample([0, 1, 2, 3], [0, 0, 1, 1]), "separated", cuts=((1.0, 2.0, 1),), orientation=1
    ),
    "separated_below": Problem(
        Sample([3, 2, 1, 0], [0, 0, 1, 1]), "separated", cuts=((1.0, 2.0, -1),), orientation=-1
    ),
    "separated_by_an_ulp": Problem(
        Sample([0, 1, np.nextafter(1, 2)], [0, 0, 1]),
        "separated",
        cuts=((1.0, float(np.nextafter(1, 2)), 1),),
        orientation=1,
    ),
    # On the tie at 1 the best that remains is its own share of class 1: 1 of 3.
    "quasi_separated": Problem(
        Sample([0, 1, 1, 1, 2], [0, 0, 0, 1, 1]),
        "quasi_separated",
        value=3 * entropy(1 / 3) / 5,
        accuracy=4 / 5,
        cuts=((1.0, 2.0, 1),),
        orientation=1,
    ),
    "quasi_separated_below": Problem(
        Sample([2, 1, 1, 0], [0, 0, 1, 1]),
        "quasi_separated",
        value=2 * log(2) / 4,
        accuracy=3 / 4,
        cuts=((0.0, 2.0, -1),),
        orientation=-1,
    ),
    "one_class_0": Problem(Sample([1, 2, 3], [0, 0, 0]), "one_class", constants=(0,)),
    "one_class_1": Problem(Sample([1, 2, 3], [1, 1, 1]), "one_class", constants=(1,)),
    "other_class_without_weight": Problem(
        Sample([1, 2, 3], [1, 0, 1], [1, 0, 1]), "one_class", constants=(1,)
    ),
    "one_point": Problem(Sample([7], [1]), "one_class", constants=(1,)),
    "constant_x": Problem(
        Sample([2, 2, 2, 2], [0, 1, 1, 1]),
        "constant_x",
        value=entropy(3 / 4),
        accuracy=3 / 4,
        constants=(1,),
    ),
    "constant_soft": Problem(
        Sample([2], [0.25]), "constant_x", value=entropy(1 / 4), accuracy=3 / 4, constants=(0,)
    ),
    "empty": Problem(Sample([], []), "empty", value=nan, accuracy=nan),
}
