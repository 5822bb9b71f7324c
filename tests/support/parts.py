"""Shards of one sample, and the schema of sketches of them."""

import numpy as np

from sweep.base.grid import Grid
from sweep.base.ranges import axis
from sweep.measure.sketch.schema import Schema


def shard_files(folder, sizes):
    """NPY files of x and y of these sizes, in [-6, 6]."""
    rng = np.random.default_rng(7)
    paths = []
    for k, n in enumerate(sizes):
        x = np.clip(rng.normal(size=n), -6.0, 6.0)
        y = rng.random(n) < 1 / (1 + np.exp(-x))
        paths.append(folder / f"shard{k}.npy")
        np.save(paths[-1], np.stack([x, y], axis=1))
    return paths


def sketch_schema():
    """The schema of a small grid that is not square."""
    return Schema.of(Grid(axis("-2:2:9"), axis("-1:1:7")), (-6.0, 6.0))
