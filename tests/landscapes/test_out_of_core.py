"""Landscapes on disk: what is written tile by tile is what would have been computed in memory."""

import errno
import json
from functools import reduce

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sweep
from sweep import InputError
from sweep.base import storage
from sweep.base.grid import Grid
from sweep.landscapes import out_of_core
from sweep.landscapes import prepared as preparation
from sweep.landscapes.direct import tiles
from sweep.landscapes.landscape import prepare
from tests.support.oracle import untimed
from tests.support.samples import cloud

A, B = "-3:3:70", "2:-1:41"


@pytest.fixture
def small(monkeypatch):
    """Tiles of 400 cells."""
    monkeypatch.setattr(out_of_core, "EDGE", 20)


ENDS = {f"{end}{part}" for end in ("lowest", "highest") for part in ("", "_a", "_b", "_cells")}


@pytest.mark.parametrize("metrics", ["accuracy", ("cross_entropy", "focal(gamma=1)", "accuracy")])
def test_it_is_the_landscape_in_memory(tmp_path, small, metrics):
    path = tmp_path / "r.zarr"
    found = sweep.landscape(cloud(600), A, B, metrics, out=path)
    assert [p.name for p in tmp_path.iterdir()] == ["r.zarr"]
    assert len(list(path.glob("accuracy/c/*/*"))) == 4 * 3
    expected = sweep.landscape(cloud(600), A, B, metrics)
    assert list(found.data_vars) == list(expected.data_vars)
    for name, metric in expected.data_vars.items():
        assert (found[name].dims, found[name].dtype) == (metric.dims, metric.dtype)
        np.testing.assert_allclose(found[name], metric, rtol=1e-13 * (metric.dtype.kind == "f"))
        assert found[name].attrs.keys() - metric.attrs.keys() == ENDS
        assert {**found[name].attrs, **metric.attrs} == found[name].attrs
        for end, index in (("lowest", metric.argmin(...)), ("highest", metric.argmax(...))):
            attrs, cell = found[name].attrs, metric[index]
            assert attrs[end] == pytest.approx(cell.item(), rel=1e-13)
            assert (attrs[f"{end}_a"], attrs[f"{end}_b"]) == (cell.a, cell.b)
            assert attrs[f"{end}_cells"] == (metric == cell).sum()
    xr.testing.assert_identical(found.a, expected.a)
    stated, own = (untimed(one).attrs for one in (found, expected))
    for changing in ("observed_error", "nodes", "bins"):
        stated.pop(changing, None)
        own.pop(changing, None)
    assert stated == own
    found.to_netcdf(tmp_path / "copy.nc")  # which holds fewer kinds of attributes than Zarr


def test_nothing_of_it_is_read_before_it_is_used(tmp_path, small):
    found = sweep.landscape(cloud(600), A, B, "accuracy", out=tmp_path / "r.zarr")
    (tmp_path / "r.zarr" / "accuracy" / "c" / "3" / "2").unlink()
    assert np.isfinite(found.accuracy[:60, :40]).all()
    assert np.isnan(found.accuracy[60:, 40:]).all()


def test_a_tight_budget_makes_small_tiles(tmp_path):
    found = sweep.landscape(
        cloud(600), "-3:3:130", "2:-1:101", "accuracy", out=tmp_path / "r.zarr", memory_budget=2**20
    )
    chunks = json.loads((tmp_path / "r.zarr/accuracy/zarr.json").read_text())["chunk_grid"]
    assert max(chunks["configuration"]["chunk_shape"]) < 60
    expected = sweep.landscape(cloud(600), "-3:3:130", "2:-1:101", "accuracy")
    np.testing.assert_array_equal(found.correct, expected.correct)


sizes = st.integers(1, 10**5)


@given(sizes, sizes, st.integers(1, 9), st.integers(2**20, 2**34))
def test_tiles_keep_the_budget_and_are_no_smaller_than_they_must(P, Q, variables, budget):
    grid = Grid(np.zeros(P), np.zeros(Q))
    rows, columns = out_of_core.tile_shape(grid, variables, budget)
    assert 1 <= rows <= P
    assert 1 <= columns <= Q
    most = min(out_of_core.EDGE**2, budget / 3 / (32 * variables + out_of_core.WORK))
    assert rows * columns <= most
    assert rows * columns == P * Q or rows * columns >= most / 2


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(1, 12))
def test_every_cell_is_in_one_tile(P, Q, rows, columns):
    seen = np.zeros((P, Q))
    for tile in tiles((P, Q), (rows, columns)):
        assert seen[tile].size > 0
        seen[tile] += 1
    assert np.all(seen == 1)


few = st.sampled_from([0.0, -0.0, 1.0, 2.5, np.inf, -np.inf, np.nan])


@given(hnp.arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=few), st.data())
def test_extremes_of_tiles_are_those_of_the_whole(values, data):
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    parts = [
        out_of_core.extremes(values[tile], tile[0].start, tile[1].start)
        for tile in tiles(values.shape, (rows, columns))
    ]
    found = reduce(out_of_core.joined, parts)
    cells = [(v, i, j) for (i, j), v in np.ndenumerate(values) if not np.isnan(v)]
    for extreme, best in zip(found, (min, max), strict=True):
        if not cells:
            assert np.isnan(extreme.value)
            continue
        value = best(v for v, _, _ in cells)
        places = [(i, j) for v, i, j in cells if v == value]
        assert extreme == (value, *min(places), len(places))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("where", ["while it computes", "while it writes"])
def test_a_store_is_whole_or_not_there(tmp_path, small, monkeypatch, error, where):
    class_, method = {
        "while it computes": (preparation.Prepared, "compute"),
        "while it writes": (storage.StoredVariable, "encoded"),
    }[where]
    honest, calls = getattr(class_, method), []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 8:
            raise error
        return honest(*arguments)

    path = tmp_path / "r.zarr"
    sweep.landscape(cloud(600), "0:1:3", "0:1:2", out=path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    monkeypatch.setattr(class_, method, failing)
    with pytest.raises((KeyboardInterrupt, InputError)) as caught:
        sweep.landscape(cloud(600), A, B, out=path, force=True)
    if isinstance(error, OSError):
        assert str(caught.value) == f"{path}: cannot be written (No space left)"
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_where_it_cannot_be_written_nothing_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "as_measure", None)
    (tmp_path / "there.zarr").mkdir()
    for name, sentence in (
        ("r.nc", "only a .zarr is written tile by tile"),
        ("there.zarr", "exists already"),
        ("missing/r.zarr", "there is no directory"),
    ):
        with pytest.raises(InputError, match=sentence):
            sweep.landscape(cloud(600), A, B, out=tmp_path / name)


def test_a_view_has_both_ends_and_nothing_but_cells(tmp_path, small):
    found = sweep.landscape(cloud(600), A, B, out=tmp_path / "r.zarr")
    view = out_of_core.thinned(found, 16)
    assert view.sizes == {"a": 16, "b": 16}
    assert (view.a[0], view.a[-1], view.b[0], view.b[-1]) == (-3, 3, 2, -1)
    np.testing.assert_array_equal(view.accuracy, found.accuracy.sel(a=view.a, b=view.b))
    xr.testing.assert_identical(out_of_core.thinned(found, 70), found.load())


def test_the_command_writes_tile_by_tile_what_is_larger_than_the_budget(run, tmp_path):
    sample = cloud(600)
    np.save(tmp_path / "s.npy", np.column_stack([sample.x, sample.y]))
    grid = ["--a=-3:3:300", "--b=-1:2:200", "--metric", "accuracy", "brier"]
    small = ["--memory", "1", "--out"]
    code, out, err = run("landscape", "s.npy", *grid, *small, "big.zarr", "--figure", "f.png")
    assert (code, err) == (0, "")
    _, expected, _ = run("landscape", "s.npy", *grid, "--out", "all.zarr", "--figure", "g.png")
    # The checks of each look at other cells, so the second line has another observed error.
    assert out.splitlines()[2:6] == expected.splitlines()[2:6]
    assert out.splitlines()[6:] == ["  written: big.zarr", "  written: f.png"]
    chunks = [len(list((tmp_path / name).glob("brier/c/*/*"))) for name in ("big.zarr", "all.zarr")]
    assert chunks[0] > 20 > chunks[1]
    with xr.open_zarr(tmp_path / "big.zarr") as one, xr.open_zarr(tmp_path / "all.zarr") as other:
        xr.testing.assert_allclose(one, other, rtol=1e-13)
    code, out, _ = run("landscape", "s.npy", *grid, *small, "big.zarr", "--force", "--json")
    document = json.loads(out)
    assert (code, document["dims"]) == (0, {"a": 300, "b": 200})
    assert "data" not in document["data_vars"]["brier"]


def test_the_command_says_of_what_law_a_store_is(run, tmp_path):
    options = ["--a=-3:3:300", "--b=-1:2:200", "--memory", "1", "--out", "r.zarr", "--n", "50"]
    code, _, err = run("landscape", "--population", "W1", *options, "--metric", "accuracy")
    assert (code, err) == (0, "")
    with xr.open_zarr(tmp_path / "r.zarr") as found:
        law = sweep.populations.CATALOGUE["W1"]
        assert (found.attrs["population"], found.attrs["seed"]) == (law.name, 0)


def test_what_is_prepared_can_be_written_by_hand(tmp_path, small):
    prepared = prepare(cloud(600), A, B, "accuracy")
    found = out_of_core.landscape(
        prepared, tmp_path / "r.zarr", 2**29, False, attributes={"note": "by hand"}
    )
    assert found.attrs["note"] == "by hand"
    np.testing.assert_array_equal(found.accuracy, sweep.landscape(cloud(600), A, B).accuracy)
