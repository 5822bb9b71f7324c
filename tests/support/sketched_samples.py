"""Samples of many kinds, and sketches of them, for tests of optima."""

import numpy as np

from sweep import Sample
from sweep.base.grid import Grid
from sweep.measure.sketch.builder import Sketcher, rows_of
from sweep.measure.sketch.schema import Schema


def sketch_of(sample, a=5.0, tolerance=1e-9, ends=None, points=11, parts=1):
    """A sketch for |a| <= a, |b| <= 5 of a sample in some parts."""
    found = (float(np.min(sample.x)), float(np.max(sample.x))) if ends is None else ends
    grid = Grid(np.linspace(-a, a, points), np.linspace(-5, 5, points))
    maker = Sketcher(Schema.of(grid, found, tolerance=tolerance))
    for k in range(parts):
        weight = None if sample.weight is None else sample.weight[k::parts]
        maker.add(f"part {k}", rows_of([Sample(sample.x[k::parts], sample.y[k::parts], weight)]))
    return maker.sketch()


def drawn(seed, n, a=1.3, b=-0.4, shape="normal", labels="hard", weights=None):
    rng = np.random.default_rng(seed)
    x = {
        "normal": lambda: rng.normal(size=n),
        "uniform": lambda: rng.uniform(-2, 2, n),
        "exponential": lambda: rng.exponential(1, n) - 1,
        "cauchy": lambda: rng.standard_cauchy(n),
        "integers": lambda: rng.integers(-3, 4, n).astype(float),
        "two": lambda: np.where(rng.random(n) < 0.5, -1.0, 1.0) + 1e-3 * rng.normal(size=n),
    }[shape]()
    p = 1 / (1 + np.exp(-np.clip(a * x + b, -30, 30)))
    y = p if labels == "soft" else (rng.random(n) < p).astype(float)
    weight = {"uniform": rng.random(n), "decades": 10 ** rng.uniform(-6, 6, n), None: None}[weights]
    return Sample(x, y, weight)


def outlying(sample, *points):
    """The sample and some points far out: (x, y)."""
    x, y = zip(*points, strict=True)
    return Sample(np.append(sample.x, x), np.append(sample.y, y))


SAMPLES = {
    **{shape: drawn(1, 3000, shape=shape) for shape in ("normal", "uniform", "exponential")},
    "cauchy": drawn(2, 3000, shape="cauchy"),
    "integers": drawn(2, 3000, shape="integers"),
    "two heaps": drawn(2, 3000, shape="two"),
    "descending": drawn(3, 3000, a=-3.0, b=1.0),
    "steep": drawn(4, 20_000, a=4.7),
    "no slope": drawn(5, 3000, a=0.0),
    "rare": drawn(6, 20_000, b=-6.0),
    "few": drawn(7, 12, shape="uniform", a=0.5),
    "soft": drawn(8, 3000, labels="soft"),
    "weighted": drawn(9, 3000, weights="uniform"),
    "twelve decades": drawn(10, 3000, weights="decades"),
    "soft and weighted": drawn(11, 3000, labels="soft", weights="decades"),
    "fitting outlier": outlying(drawn(12, 3000), (1e8, 1)),
    "outlier against": outlying(drawn(13, 3000), (1e3, 0)),
    "absurd outlier against": outlying(drawn(13, 3000), (1e8, 0)),
    "outliers on both sides": outlying(drawn(14, 3000), (1e6, 1), (-1e7, 0), (40.0, 0)),
    "shifted": Sample(drawn(15, 3000).x + 1e6, drawn(15, 3000).y),
}
