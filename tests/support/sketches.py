"""Samples of many shapes, and sketches of them."""

import numpy as np

from sweep import Sample
from sweep.base.grid import Grid
from sweep.base.ranges import axis
from sweep.measure.sketch.builder import Sketcher, rows_of
from sweep.measure.sketch.schema import Schema

GRID = Grid(axis("-8:8:17"), axis("-5:5:11"))

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "integers": lambda rng, n: rng.integers(-5, 6, n).astype(float),
    "positive": lambda rng, n: rng.exponential(size=n),
    "offset": lambda rng, n: 40 + rng.normal(size=n),
    "outlier": lambda rng, n: np.append(rng.normal(size=n - 1), 1e6),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "constant": lambda rng, n: np.full(n, 0.25),
}
KINDS = ("hard", "soft", "weighted")


def sample(shape, kind="hard", n=900, seed=0):
    rng = np.random.default_rng([seed, n])
    x = SHAPES[shape](rng, n)
    eta = 1 / (1 + np.exp(-np.clip(2 * (x - np.median(x)), -30, 30)))
    y = (rng.random(n) < eta).astype(float)
    if kind == "soft":
        y = np.where(rng.random(n) < 0.5, y, eta)
    return Sample(x, y, rng.gamma(0.5, size=n) * 1e-3 if kind == "weighted" else None)


def schema_for(*samples, grid=GRID, **options):
    low, high = (f(float(f(s.x)) for s in samples) for f in (min, max))
    return Schema.of(grid, (low, high), **options)


def sketch_of(*samples, schema=None, first=0):
    sketcher = Sketcher(schema or schema_for(*samples))
    for number, sample in enumerate(samples, first):
        sketcher.add(f"part {number}", rows_of([sample]))
    return sketcher.sketch()


def split_at(whole, cuts):
    """A sample in parts."""
    weight = whole.weight
    return [
        Sample(whole.x[p], whole.y[p], None if weight is None else weight[p])
        for p in np.split(np.arange(len(whole)), cuts)
    ]
