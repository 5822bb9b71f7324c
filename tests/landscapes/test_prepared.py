"""Tiles: parts of one landscape, whatever they are and in whatever order they are had."""

import jax.numpy as jnp
import numpy as np
import pytest

import sweep
from sweep import InputError, Measure, Slice, populations
from sweep.landscapes import smooth
from sweep.landscapes.compressed import CheckError, CompressedMetric
from sweep.landscapes.landscape import prepare
from tests.support.samples import cloud

EXACT = ("accuracy", "correct")

GRIDS = {
    "both axes sampled": ("-3:3:200", "-5:5:170"),
    "slopes sampled": ("-3:3:190", "-30:30:7"),
    "intercepts sampled": ("-40:40:11", "-5:5:180"),
    "neither sampled, windows": ("300:-500:13", "0,1,-2,7"),
}


def cuts(length, size):
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def assembled(prepared, seed, rows, columns):
    """The whole landscape from tiles of so many rows and columns, had in a random order."""
    height, width = prepared.grid.shape
    tiles = [(i, j) for i in cuts(height, rows) for j in cuts(width, columns)]
    found = {name: np.full((height, width), -1, prepared.dtypes[name]) for name in prepared.names}
    for k in np.random.default_rng(seed).permutation(len(tiles)):
        for name, values in prepared.tile(*tiles[k]).items():
            assert values.dtype == found[name].dtype
            found[name][tiles[k]] = values
    return found


def require_same(one, other):
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def require_parts_of(whole, tiled):
    assert list(tiled) == list(whole.data_vars)
    for name, values in tiled.items():
        if name in EXACT:
            np.testing.assert_array_equal(values, whole[name])
        else:
            np.testing.assert_allclose(values, whole[name], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", GRIDS)
def test_tiles_are_parts_of_the_landscape_in_any_order(name):
    sample, (a, b) = cloud(), GRIDS[name]
    metrics = ("penalised_cross_entropy(l1=0.1)", "accuracy")
    how = {"method": "compressed", "tolerance": 1e-8}
    prepared = prepare(sample, a, b, metrics, **how)
    tiled = assembled(prepared, 0, 37, 50)
    require_same(tiled, assembled(prepared, 1, 37, 50))
    require_same(tiled, assembled(prepare(sample, a, b, metrics, **how), 2, 37, 50))
    require_parts_of(sweep.landscape(sample, a, b, metrics, **how), tiled)
    bound = prepared.variables[prepared.names[0]]["error_bound"]
    exact = sweep.landscape(sample, a, b, metrics[0], method="direct")[prepared.names[0]]
    error = np.max(np.abs(tiled[prepared.names[0]] - exact) / np.maximum(1, exact))
    assert error <= bound + exact.attrs["error_bound"] <= 1.1e-8


def squared(z, y):
    return (z - y) ** 2


def bent(w, x):
    return w[0] * jnp.tanh(x) + w[1]


SOURCES = {
    "direct": (cloud(400), {"method": "direct", "metrics": ("brier", "accuracy")}),
    "weighted": (cloud(400, weighted=True), {"metrics": ("cross_entropy", "mcc")}),
    "soft": (cloud(400, soft=True), {}),
    "float32": (cloud(400), {"dtype": "float32", "tolerance": 1e-3}),
    "population": (populations.CATALOGUE["W1"], {"tolerance": 1e-7}),
    "own metric": (cloud(50), {"metrics": ["accuracy", squared]}),
    "own model": (cloud(50), {"model": Slice(bent, np.zeros(2), tuple(np.eye(2)))}),
}


@pytest.mark.parametrize("name", SOURCES)
def test_whatever_a_landscape_is_of_it_can_be_had_in_tiles(name):
    data, how = SOURCES[name]
    prepared = prepare(data, "-4:4:17", "2:-2:11", **how)
    tiled = assembled(prepared, 0, 8, 6)
    require_same(tiled, assembled(prepared, 1, 8, 6))
    whole = sweep.landscape(data, "-4:4:17", "2:-2:11", **how)
    assert list(tiled) == list(whole.data_vars)
    for variable, values in tiled.items():
        rtol = 0 if variable in EXACT else 1e-6 if name == "float32" else 1e-13
        np.testing.assert_allclose(values, whole[variable], rtol=rtol, atol=0)
        assert prepared.variables[variable] == whole[variable].attrs
    observed = {"observed_error", "nodes"}
    stated = {k: v for k, v in whole.attrs.items() if not k.startswith("seconds_")}
    for key in stated.keys() - observed:
        np.testing.assert_equal(prepared.attributes[key], stated[key])
    assert prepared.attributes.keys() == stated.keys()


@pytest.mark.parametrize("metrics", ["cross_entropy", ("cross_entropy", "accuracy")])
def test_what_else_a_measure_was_used_for_changes_no_bit(metrics):
    sample, grid = cloud(20_000), ("-3:3:30", "-1:1:20")
    used = Measure.from_sample(sample)
    sweep.optimum(used)  # which puts it in order
    sweep.landscape(used, "-9:9:101", "-5:5:101", method="compressed")  # and deposits it
    tiles = [
        prepare(data, *grid, metrics, method="compressed").tile(slice(5, 20), slice(3, 9))
        for data in (sample, used)
    ]
    require_same(*tiles)


def test_points_are_read_once_for_all_tiles(monkeypatch):
    deposit, calls = smooth.deposit, []
    monkeypatch.setattr(smooth, "deposit", lambda *how: (calls.append(1), deposit(*how))[1])
    prepared = prepare(cloud(), "-3:3:60", "-1:1:50", "cross_entropy", method="compressed")
    assembled(prepared, 0, 20, 20)
    assert len(calls) == 1


def test_a_tile_that_is_not_what_its_nodes_give_is_a_fault(monkeypatch):
    tile = CompressedMetric.tile
    prepared = prepare(cloud(), "-3:3:60", "-1:1:50", "brier", method="compressed")
    monkeypatch.setattr(CompressedMetric, "tile", lambda *how: tile(*how) + 2e-9)
    with pytest.raises(CheckError, match=r"an error of 2\.0e-09 was seen"):
        prepared.tile(slice(20), slice(30))


def test_no_tile_has_gaps_or_is_empty():
    prepared = prepare(cloud(50), "-3:3:6", "-1:1:5")
    assert prepared.tile(slice(-2, None), slice(None))["accuracy"].shape == (2, 5)
    for rows in (slice(0, 6, 2), slice(3, 3), slice(6, 9)):
        with pytest.raises(InputError, match="no contiguous points of an axis of 6 points"):
            prepared.tile(rows, slice(None))
