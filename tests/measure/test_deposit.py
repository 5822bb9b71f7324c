"""Deposits: every point in its bin, every moment correct, and sums that add up."""

import sys

import numpy as np
import pytest

from sweep import Measure, Sample
from sweep.measure.compression.lattice import MOMENTS, Lattice
from sweep.measure.compression.scatter import deposit, order

SHAPES = {
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "offset": lambda rng, n: 1e6 + rng.uniform(-1, 1, n),
    "integers": lambda rng, n: rng.integers(-20, 20, n).astype(float),
    "outlier": lambda rng, n: np.append(rng.normal(size=n - 1), 1e8),
    "constant": lambda rng, n: np.full(n, 0.3),
    "zero": lambda rng, n: np.zeros(n),
    "tiny": lambda rng, n: 1e-300 * rng.normal(size=n),
}


def measure(x, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    y = (rng.random(len(x)) < 0.4).astype(float)
    return Measure.from_sample(Sample(x, y, rng.uniform(0, 2, len(x)) if weighted else None))


def lattice_of(x, exponent=-6, bits=5, group=3):
    return Lattice.over(float(np.min(x)), float(np.max(x)), exponent, bits, group)


def bins(lattice):
    """(centre, half-width) of every bin."""
    edges = lattice.edges
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_sums_over_the_points_of_each_bin(shape, weighted):
    x = SHAPES[shape](np.random.default_rng(1), 800)
    data, lattice = measure(x, weighted=weighted), lattice_of(x)
    found = deposit(data.classes, lattice)
    centre, half = bins(lattice)
    edges = lattice.edges  # an edge belongs to the bin further from 0: the upper one, from 0 up
    for points, moments in zip((data.class0, data.class1), found.moments, strict=True):
        below = np.searchsorted(edges, points.x, side="left") - 1
        above = np.searchsorted(edges, points.x, side="right") - 1
        number = np.where(points.x < 0, below, above)
        t = (points.x - centre[number]) / half[number]
        assert np.all(np.abs(t) <= 1 + 1e-12)
        for j in range(MOMENTS):
            expected = np.bincount(number, points.masses * t**j, minlength=lattice.bins)
            # t is exact where the bin's centre is; a part of 2^-52 of |x| is not.
            slack = 1e-12 + 4e-16 * np.max(np.abs(x)) / np.min(half[number])
            assert moments[:, j] == pytest.approx(expected, rel=1e-12, abs=len(x) * slack)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_ordered_points_have_the_same_deposit(monkeypatch, shape, weighted):
    x = SHAPES[shape](np.random.default_rng(2), 3000)
    lattice = lattice_of(x)
    found = deposit(measure(x, weighted=weighted).classes, lattice)
    monkeypatch.setattr(sys.modules[deposit.__module__], "_summed_on_devices", None)
    data = measure(x, weighted=weighted)
    order(data.class0, data.class1)
    ordered = deposit(data.classes, lattice)
    slack = 4e-16 * np.max(np.abs(x)) / np.min(np.diff(lattice.edges))
    assert ordered.moments == pytest.approx(found.moments, rel=1e-12, abs=3000 * (slack + 1e-12))
    assert np.array_equal(ordered.moments[..., 0], found.moments[..., 0]) or weighted


def test_counts_are_exact():
    x = np.random.default_rng(0).normal(size=30_000)
    data = measure(x)
    moments = deposit(data.classes, lattice_of(x)).moments
    assert np.sum(moments[0, :, 0]) == len(data.class0)
    assert np.sum(moments[1, :, 0]) == len(data.class1)


@pytest.mark.parametrize("weighted", [False, True])
def test_chunks_change_nothing(weighted):
    x = np.random.default_rng(3).normal(size=5000)
    data, lattice = measure(x, weighted=weighted), lattice_of(x)
    whole = deposit(data.classes, lattice)
    steps = []
    parts = deposit(data.classes, lattice, steps.append, chunk=1024)
    assert parts.chunks > whole.chunks
    assert sum(steps) == 5000
    assert parts.moments == pytest.approx(whole.moments, rel=1e-12, abs=1e-12)
    assert np.array_equal(parts.moments[..., 0], whole.moments[..., 0]) or weighted
