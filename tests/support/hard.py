"""Random problems for the two methods: every range, weighting and kind of axis that is hard."""

from dataclasses import dataclass

import numpy as np

from sweep import Sample

POSITIONS = {
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "normal": lambda rng, n: rng.normal(rng.normal(), 3, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "offset": lambda rng, n: 1e6 + rng.uniform(-1, 1, n),
    "away": lambda rng, n: -100 + rng.uniform(-1, 1, n),
    "outlier": lambda rng, n: np.append(rng.normal(size=n - 1), 1e8 * rng.choice([-1, 1])),
    "clustered": lambda rng, n: rng.choice(rng.normal(0, 5, 4), n) + 1e-9 * rng.normal(size=n),
    "integers": lambda rng, n: rng.integers(-30, 30, n).astype(float),
    "decades": lambda rng, n: rng.choice([-1, 1], n) * 10 ** rng.uniform(-8, 5, n),
    "constant": lambda rng, n: np.full(n, rng.normal()),
    "tiny": lambda rng, n: 1e-200 * rng.normal(size=n),
}


def linear(rng, reach):
    return np.linspace(*np.sort(rng.uniform(-reach, reach, 2)), rng.integers(2, 13))


AXES = {
    "linear": linear,
    "around_0": lambda rng, reach: np.linspace(-reach, reach, 2 * rng.integers(1, 7) + 1),
    "log": lambda rng, reach: np.geomspace(1e-4 * reach, reach, rng.integers(2, 13)),
    "log_down": lambda rng, reach: -np.geomspace(reach, 1e-3 * reach, rng.integers(2, 13)),
    "explicit": lambda rng, reach: rng.permutation(rng.uniform(-reach, reach, rng.integers(1, 13))),
    "one": lambda rng, reach: rng.uniform(-reach, reach, 1),
    "zero": lambda rng, reach: np.zeros(1),
    "many": lambda rng, reach: np.linspace(-reach, reach, 160),
}

REACHES = {"a": (0.1, 1.0, 10.0, 300.0, 1e4), "b": (0.5, 5.0, 40.0)}


@dataclass(frozen=True)
class Hard:
    name: str
    sample: Sample
    a: np.ndarray
    b: np.ndarray


def problem(seed):
    """A problem by number; any two differ in kind as well as in numbers."""
    rng = np.random.default_rng(seed)
    kinds = [list(POSITIONS)[seed % len(POSITIONS)], *rng.choice(list(AXES), 2)]
    x = POSITIONS[kinds[0]](rng, int(rng.integers(2, 400)))
    y, weight = rng.integers(0, 2, len(x)).astype(float), None
    if rng.random() < 0.3:
        y = rng.random(len(x))
    if rng.random() < 0.3:
        weight = 10 ** rng.uniform(-3, 3, len(x))
    a, b = (
        AXES[kind](rng, rng.choice(REACHES[name]))
        for kind, name in zip(kinds[1:], "ab", strict=True)
    )
    return Hard("-".join(map(str, [*kinds, seed])), Sample(x, y, weight), a, b)
