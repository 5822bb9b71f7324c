import gzip
import os
import pickle
import re
import struct
import tracemalloc
import zipfile
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep import InputError
from sweep.data import sample as data
from sweep.data.shards import Shards
from tests.support.shardfiles import KINDS, archive, columns, parquet, text, write

N = 230


def _joined(shards, rows=2**20):
    """All batches of all shards as (x, y, weight), after a check that they are consecutive."""
    parts = []
    for shard in range(len(shards.paths)):
        before = 0
        for part in shards.batches(shard, rows):
            assert part.first == before
            assert 0 < len(part.x) <= rows
            before += len(part.x)
            parts.append(part)
    assert all(part.x.dtype == np.float64 and part.x.flags.c_contiguous for part in parts)
    weights = [part.weight for part in parts if part.weight is not None]
    assert len(weights) == (len(parts) if shards.weighted else 0)
    x, y = (np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y"))
    return x, y, np.concatenate(weights) if weights else None


def _same(found, sample):
    x, y, weight = found
    np.testing.assert_array_equal(x, sample.x)
    np.testing.assert_array_equal(y, sample.y)
    if sample.weight is None:
        assert weight is None
    else:
        np.testing.assert_array_equal(weight, sample.weight)


def _refused(sentence, read, *paths, **names):
    """The message of the error that `read` raises for the shards, which must be one line."""
    with pytest.raises(InputError, match=sentence) as caught:
        read(Shards.of(paths, **names))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_of_any_size_are_what_is_loaded_whole(tmp_path, kind, weighted):
    path = write(tmp_path, kind, columns(N, weighted=weighted))
    shards, whole = Shards.of(path), data.load(path)
    assert (shards.weighted, shards.columns[2] == "weight") == (weighted, weighted)
    for rows in (1, 7, 37, 100, N, 2**20):
        _same(_joined(shards, rows), whole)
    assert shards.scan() == (whole.x.min(), whole.x.max())
    assert shards.rows() in (N, None)
    assert (shards.rows() is None) == (kind in ("csv", "tsv", "gzip", "no suffix"))


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any),
    kinds=st.lists(st.sampled_from(["parquet", "csv", "npy", "npz"]), min_size=5, max_size=5),
    rows=st.integers(1, 12),
)
def test_shards_of_any_kinds_and_sizes_are_one_sample(tmp_path_factory, sizes, kinds, rows):
    folder = tmp_path_factory.mktemp("shards")
    tables = [columns(n, seed) for seed, n in enumerate(sizes)]
    paths = [
        write(folder, kind, table, f"shard{i}")
        for i, (kind, table) in enumerate(zip(kinds, tables, strict=False))
    ]
    whole = data.Sample(*(np.concatenate([table[name] for table in tables]) for name in "xy"))
    shards = Shards.of(paths)
    _same(_joined(shards, rows), whole)
    steps = []
    assert shards.scan(steps.append) == (whole.x.min(), whole.x.max())
    assert sum(steps) == len(whole)


@pytest.mark.parametrize("kind", ["i1", "u8", "i8", "?", "f4", "f2", "f8"])
@pytest.mark.parametrize("form", ["parquet", "records", "npz", "npz compressed"])
def test_labels_keep_their_kind_and_inputs_become_float64(tmp_path, form, kind):
    y = np.array([1, 0, 0, 1, 1]).astype(kind)
    x = np.array([3, 0, 1, 2, 5]).astype("u4" if kind == "?" else kind)
    path = write(tmp_path, form, {"x": x, "y": y})
    (part,) = Shards.of(path).batches(0)
    assert part.x.dtype == np.float64
    assert part.y.dtype == (np.float64 if y.dtype.kind == "f" else y.dtype)
    np.testing.assert_array_equal(part.x, x)
    np.testing.assert_array_equal(part.y, y)
    with pytest.raises(ValueError, match="read-only"):
        part.y[0] = 0


def test_big_endian_integers_are_turned(tmp_path):
    y = np.array([0, 1, 1], ">i4")
    np.savez(tmp_path / "a.npz", x=np.array([1, 2, 3], ">i8"), y=y)
    np.savez(tmp_path / "b.npz", x=np.array([1, 2, 3], "<i8"), y=y.astype("<i4"))
    shards = Shards.of([tmp_path / "a.npz", tmp_path / "b.npz"])  # which are of the same types
    assert [part.y.dtype.isnative for i in (0, 1) for part in shards.batches(i)] == [True, True]
    assert _joined(shards)[0].tolist() == [1, 2, 3] * 2


def test_integers_beyond_2_53_become_the_nearest_float(tmp_path):
    x = np.array([2**53 + 1, 2**53 + 3, -(2**63) + 1, 2**63 - 1])
    for kind in ("parquet", "npz", "csv"):
        path = write(tmp_path, kind, {"x": x, "y": x > 0})
        assert _joined(Shards.of(path))[0].tolist() == [float(int(value)) for value in x]
    assert Shards.of(write(tmp_path, "parquet", {"x": x, "y": x > 0})).ends() == (
        -(2.0**63),
        2.0**63,
    )


def test_inputs_whose_sum_is_too_large_are_finite(tmp_path):
    x = np.array([1.7e308, 1.7e308, -1.7e308, -1.7e308])
    for kind in ("parquet", "npy"):
        path = write(tmp_path, kind, {"x": x, "y": x > 0})
        np.testing.assert_array_equal(_joined(Shards.of(path), 3)[0], x)
        assert Shards.of(path).scan() == (-1.7e308, 1.7e308)
    write(tmp_path, "npy", {"x": np.array([np.inf, -np.inf]), "y": np.zeros(2)})
    _refused("'x' in row 1 is inf", _joined, tmp_path / "a.npy")


def test_negative_zero_is_a_zero_and_keeps_its_sign(tmp_path):
    zeros = np.array([-0.0, -0.0])
    path = write(tmp_path, "parquet", {"x": zeros, "y": zeros, "weight": zeros})
    shards = Shards.of(path)
    (part,) = shards.batches(0)
    assert np.signbit([part.x, part.y, part.weight]).all()
    assert not np.signbit([*shards.ends(), *shards.scan()]).any()


def test_columns_have_other_names(tmp_path):
    table = {"a.b": np.array([0.5, 2.0]), "label": np.array([1, 0]), "w": np.array([1.0, 3.0])}
    for kind in ("parquet", "csv", "npz"):
        path = write(tmp_path, kind, table)
        shards = Shards.of([path], x="a.b", y="label", weight="w")
        assert [values.tolist() for values in _joined(shards)] == [[0.5, 2], [1, 0], [1, 3]]
        assert shards.ends() in (None, (0.5, 2))
        both = Shards.of([path], x="label", y="label")
        assert _joined(both)[0].tolist() == _joined(both)[1].tolist() == [1, 0]
        assert both.columns == ("label", "label", None)


def test_names_of_fields_may_be_of_any_script(tmp_path):
    made = np.zeros(3, [("größe 中", "f8"), ("y", "?")])
    with pytest.warns(UserWarning, match="format 3.0"):
        np.save(tmp_path / "a.npy", made)
    assert len(_joined(Shards.of(tmp_path / "a.npy", x="größe 中"))[0]) == 3


def test_ends_are_by_statistics_where_all_are_sound(tmp_path):
    table = columns(N)
    x = table["x"]
    paths = [
        write(tmp_path, "parquet", table | {"x": values}, f"shard{i}")
        for i, values in enumerate([x, x.clip(-1, 1), np.full(N, x.max() * 2)])
    ]
    assert Shards.of(paths).ends() == (x.min(), x.max() * 2)
    empty = write(tmp_path, "parquet", {name: values[:0] for name, values in table.items()}, "e")
    assert Shards.of([*paths, empty]).ends() == (x.min(), x.max() * 2)
    assert Shards.of([*paths, write(tmp_path, "npy", table)]).ends() is None
    silent = tmp_path / "silent.parquet"
    parquet(silent, table, write_statistics=["y"])
    assert Shards.of([*paths, silent]).ends() is None
    for value in (np.nan, np.inf):
        parquet(silent, table | {"x": np.where(np.arange(N) // 37 == 2, value, x)})
        assert Shards.of([*paths, silent]).ends() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_nan_deep_inside_shard_37_is_named(tmp_path, kind):
    table = columns(N, weighted=True)
    paths = [write(tmp_path, kind, table, f"shard{i}") for i in range(2)]
    shards = Shards.of(paths)
    for name in ("x", "y", "weight"):
        broken = dict(table) | {name: table[name].copy()}
        broken[name][205:] = np.nan
        named = tmp_path / f"shard37-{name}{paths[0].name.removeprefix('shard0')}"
        os.replace(write(tmp_path, kind, broken, "shard1"), named)
        write(tmp_path, kind, table, "shard1")
        for rows in (2**20, 50):
            message = _refused(
                "is nan, which is not a finite number", partial(_joined, rows=rows), *paths, named
            )
            assert message.startswith(f"{named}: {name!r} in row 206 is nan")
        if name == "x":
            _refused(f"{named}: 'x' in row 206 is nan", Shards.scan, named)
    _joined(shards)


BAD = {
    "x inf": ("x", 120, -np.inf, "'x' in row 121 is -inf, which is not a finite number"),
    "y 2": ("y", 120, 2.0, r"'y' in row 121 is 2, which is outside \[0, 1\]"),
    "y -1": ("y", 229, -1.0, r"'y' in row 230 is -1, which is outside \[0, 1\]"),
    "y inf": ("y", 120, np.inf, "'y' in row 121 is inf, which is not a finite"),
    "y above 1": ("y", 0, 1 + 2**-52, r"'y' in row 1 is 1.0000000000000002, which is outside"),
    "weight -1": ("weight", 120, -1.0, "'weight' in row 121 is -1, which is negative"),
    "weight inf": ("weight", 120, np.inf, "'weight' in row 121 is inf, which is not a finite"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", ["parquet", "csv", "npy", "columns", "npz"])
def test_bad_values_are_named_by_file_column_and_row(tmp_path, kind, name):
    column, row, value, sentence = BAD[name]
    table = columns(N, weighted=True)
    table[column][row] = value
    path = write(tmp_path, kind, table)
    for rows in (50, 2**20):
        message = _refused(sentence, partial(_joined, rows=rows), path)
        assert message.startswith(f"{path}: ")


def test_labels_that_are_integers_are_checked_too(tmp_path):
    y = np.arange(N) // 100
    for kind in ("parquet", "npz", "csv"):
        path = write(tmp_path, kind, {"x": y, "y": y.astype("i1")})
        _refused(f"{path}: 'y' in row 201 is 2, which is outside", _joined, path)
        path = write(tmp_path, kind, {"x": y, "y": -y.astype("i2")})
        _refused(f"{path}: 'y' in row 101 is -1, which is outside", _joined, path)


def test_soft_labels_and_rows_of_no_weight_are_read(tmp_path):
    path = write(tmp_path, "csv", {"x": [1, 2], "y": [0.25, 1], "weight": [0, 0]})
    assert _joined(Shards.of(path))[1].tolist() == [0.25, 1]


BAD_PARQUET = {
    "null": (pa.array([0.5, None, 1, None]), "'x' in row 2 is null, which is not a number"),
    "null flag": (pa.array([None, True, True, False]), "'x' in row 1 is null"),
    "null looked up": (pa.array([0.5, 1, 2, None]).dictionary_encode(), "'x' in row 4 is null"),
    "nulls": (pa.nulls(4), "'x' in row 1 is null, as in every other row"),
    "decimal": (pa.array([1, 2, 3, 4], pa.decimal128(9, 2)), r"'x' has type decimal128\(9, 2\)"),
    "text": (pa.array(list("abcd")), "'x' has type string; floats, integers or booleans"),
    "words": (pa.array(list("abcd")).dictionary_encode(), "'x' has type string"),
    "time": (pa.array([1, 2, 3, 4], pa.timestamp("ms")), "'x' has type timestamp"),
    "list": (pa.array([[1.0]] * 4), "'x' has type list"),
    "struct": (pa.array([{"x": 1.0}] * 4), "'x' has type struct"),
}


@pytest.mark.parametrize("name", BAD_PARQUET)
def test_parquet_of_anything_but_numbers_is_refused(tmp_path, name):
    values, sentence = BAD_PARQUET[name]
    path = tmp_path / "a.parquet"
    parquet(path, {"x": values, "y": np.ones(4)}, row_group_size=3)
    assert _refused(sentence, _joined, path).startswith(f"{path}: ")
    assert _refused(sentence, partial(_joined, rows=2), path).startswith(f"{path}: ")


def test_cells_that_are_no_numbers_are_named(tmp_path):
    path = tmp_path / "a.csv"
    good = text(columns(N))
    for cells, sentence in (
        ("abc,1", "'x' in row 231 is 'abc', which is not a number"),
        ("\n\n1_000,1", "'x' in row 231 is '1_000', which is not a number"),
        ("1,0\n2,", "'y' in row 232 is nan, which is not a finite number"),
        ("1", "'y' in row 231 is nan"),
        ("1,yes", "'y' in row 231 is 'yes', which is not a number"),
        ("1,0,5", r"is not a CSV file \(.*line 232"),
        ('1,"0', "is not a CSV file"),
    ):
        path.write_text(f"{good}{cells}\n")
        for rows in (10, 2**20):
            message = _refused(sentence, partial(_joined, rows=rows), path)
            assert message.startswith(f"{path}: ")
    path.write_text("x,y\n" + "1,0,\n" * 300 + "1,0,5\n")
    _refused("a row has more cells than the header", _joined, path)
    path.write_text("x,y\n1,0\n2,no\n")
    _refused("'y' in row 2 is 'no'", lambda _: None, path)  # seen before anything is read


def test_sets_of_files_that_are_no_sample_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refused(sentence, *paths, **names):
        return _refused(sentence, lambda _: None, *paths, **names)

    a = write(tmp_path, "csv", columns(3))
    write(tmp_path, "parquet", columns(3))
    os.link("a.csv", "hard.csv")
    os.symlink("a.csv", "soft.csv")
    os.mkfifo("pipe.csv")
    refused("no shard is given; at least one file is needed")
    refused("^a.csv: is given twice; give each shard once", "a.csv", "a.csv")
    for other in ("./../" + tmp_path.name + "/a.csv", a, "hard.csv", "soft.csv"):
        refused("is given twice, also as a.csv; give each shard once", "a.csv", "a.parquet", other)
    refused("none.csv: no such file", "a.csv", "none.csv")
    refused(r"^\.: is a directory; give the files in it, as \./\*\.parquet", ".")
    refused(r"^q\*: is a pattern, not a file; no file matches it", "q*")
    refused(r"^\*d.csv: is a pattern, not a file; it matches 1 files", "*d.csv")
    refused("pipe.csv: is a pipe or a device", "pipe.csv")
    refused(r"a.csv: has no column 'z'; its columns are 'x', 'y' \(.*--x", "a.csv", x="z")
    refused("a.csv: has no column 'w'; .*--weight", "a.csv", weight="w")
    refused(r"a.csv/a.csv: cannot be read \(Not a directory\)", "a.csv/a.csv")


def test_columns_that_differ_between_shards_are_refused(tmp_path):
    def refused(sentence, one, other):
        parquet(tmp_path / "one.parquet", one)
        parquet(tmp_path / "other.parquet", other)
        paths = [tmp_path / "one.parquet", tmp_path / "other.parquet"]
        message = _refused(sentence, lambda _: None, *paths)
        assert all(str(path) in message for path in paths)

    table = columns(3, weighted=True)
    plain = {name: table[name] for name in "xy"}
    narrow = table | {"x": table["y"].astype("f4")}
    refused("other.parquet: 'x' is float32, but float64 in .*/one.parquet", table, narrow)
    refused("'y' is int8, but bool in", plain | {"y": [True] * 3}, plain | {"y": np.zeros(3, "i1")})
    refused("other.parquet: has no column 'weight', but .*one.parquet has", table, plain)
    refused("one.parquet: has no column 'weight', but .*other.parquet has", plain, table)
    parquet(tmp_path / "other.parquet", {"x": table["x"]})
    _refused("other.parquet: has no column 'y'", Shards.scan, *tmp_path.iterdir())


def test_empty_shards_are_read_unless_all_are(tmp_path):
    empty = {
        "parquet": tmp_path / "e.parquet",
        "csv": tmp_path / "e.csv",
        "npy": tmp_path / "e.npy",
        "npz": tmp_path / "e.npz",
    }
    parquet(empty["parquet"], {"x": pa.nulls(0), "y": pa.nulls(0)})
    empty["csv"].write_text("x,y\n")
    np.save(empty["npy"], np.zeros((0, 2)))
    np.savez(empty["npz"], x=np.zeros(0, "i1"), y=np.zeros(0))
    full = write(tmp_path, "parquet", columns(5))
    for path in empty.values():
        shards = Shards.of([path, full])
        assert list(shards.batches(0)) == []
        assert len(_joined(shards)[0]) == 5
        assert shards.scan() == Shards.of(full).scan()
        assert shards.rows() == 5
        _refused(f"{path}: has no rows; at least one point is needed", lambda _: None, path)
    _refused("nor has any other of the 4 files", lambda _: None, *empty.values())
    (tmp_path / "nothing.csv").touch()
    _refused("nothing.csv: is empty", lambda _: None, tmp_path / "nothing.csv", full)


BAD_NPY = {
    "objects": (np.array([[1, None]], object), "holds Python objects, which are never loaded"),
    "line": (np.ones(5), r"has shape \(5,\); an array of shape \(n, 2\)"),
    "four": (np.ones((5, 4)), r"has shape \(5, 4\); an array of shape \(n, 2\)"),
    "complex": (np.ones((5, 2)) * 1j, "'x' has dtype complex128; real numbers are needed"),
    "plane": (np.zeros((2, 2), [("x", "f8"), ("y", "f8")]), r"has shape \(2, 2\); a one-dim"),
    "vectors": (np.zeros(2, [("x", "f8", (3,)), ("y", "f8")]), r"'x' has \(3,\) values in a row"),
    "text": (np.zeros(2, [("x", "U3"), ("y", "f8")]), "'x' has dtype <U3"),
}


@pytest.mark.parametrize("name", BAD_NPY)
def test_arrays_of_anything_but_columns_of_numbers_are_refused(tmp_path, name):
    array, sentence = BAD_NPY[name]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    _refused(sentence, _joined, tmp_path / "a.npy")


def test_archives_of_anything_but_columns_of_numbers_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    for table, sentence in (
        ({"x": np.ones(2), "y": np.ones(3)}, "'x' has 2 values but 'y' has 3"),
        ({"x": np.ones((2, 2)), "y": np.ones(2)}, r"'x' has shape \(2, 2\)"),
        ({"x": np.ones(2), "y": np.array([1, None])}, "'y' holds Python objects"),
        ({"x": np.ones(2), "y": np.array(["a", "b"])}, "'y' has dtype <U1"),
        ({"x": np.ones(2)}, "has no column 'y'; its columns are 'x'"),
    ):
        np.savez(path, **table)
        assert _refused(sentence, _joined, path).startswith(f"{path}: ")
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("x.npy", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("x.npy", b"")
        made.writestr("y.npy", b"")
    _refused("has 2 columns 'x'", _joined, path)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("x.npy", pickle.dumps([1.0]))
        made.writestr("y.npy", pickle.dumps([1.0]))
    _refused(r"'x' is not an NPY file \(a pickle is never loaded\)", _joined, path)
    archive(path, {"x": np.ones(3), "y": np.ones(3)})
    whole = path.read_bytes()
    for place, value, sentence in ((8, 1, "encrypted"), (10, 77, "compression method")):
        damaged = bytearray(whole)
        for start in (m.start() for m in re.finditer(b"PK\x01\x02", whole)):
            struct.pack_into("<H", damaged, start + place, value)
        for start in (m.start() for m in re.finditer(b"PK\x03\x04", whole)):
            struct.pack_into("<H", damaged, start + place - 2, value)
        path.write_bytes(damaged)
        _refused(f"is an NPZ file that cannot be read .*{sentence}", _joined, path)


DAMAGED = "is a damaged|is damaged|is not a.* or a damaged one|is not an NPY file|Not a gzipped"


@pytest.mark.parametrize("kind", ["parquet", "gzip", "npy", "columns", "npz", "npz compressed"])
def test_files_cut_off_are_refused_wherever_they_end(tmp_path, kind):
    path = write(tmp_path, kind, columns(3000))
    whole = path.read_bytes()
    for size in (0, 1, 20, 100, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        if (kind, size) == ("gzip", 0):
            continue  # an empty file is one of text
        message = _refused(DAMAGED, partial(_joined, rows=100), path)
        assert message.startswith(f"{path}: ")


@pytest.mark.parametrize("kind", ["parquet", "gzip", "npy", "columns", "npz", "npz compressed"])
def test_files_cut_off_while_they_are_read_are_refused(tmp_path, kind):
    path = write(tmp_path, kind, columns(60_000, weighted=True))
    parts = Shards.of(path).batches(0, 100)
    next(parts)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(InputError, match=f"{path}: ({DAMAGED})"):
        list(parts)


@pytest.mark.parametrize("kind", ["npz", "npz compressed"])
def test_archives_whose_sums_do_not_fit_are_refused(tmp_path, kind):
    path = write(tmp_path, kind, columns(3000))
    whole = path.read_bytes()
    sums = [found.start() + 16 for found in re.finditer(b"PK\x01\x02", whole)][:2]
    for place in (20000, *sums):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        _refused("is a damaged NPZ file", partial(_joined, rows=100), path)


def test_parquet_pages_that_do_not_fit_their_sums_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    parquet(path, columns(3000), row_group_size=3000, **options)
    damaged = bytearray(path.read_bytes())
    damaged[10000] ^= 1
    path.write_bytes(damaged)
    _refused("a.parquet: is not a Parquet file, or a damaged one .*CRC", _joined, path)


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_vanish_are_missed_unless_they_are_open(tmp_path, kind):
    path = write(tmp_path, kind, columns(N))
    shards = Shards.of([path])
    parts = shards.batches(0, 10)
    first = next(parts)
    path.unlink()
    assert len(first.x) + sum(len(part.x) for part in parts) == N
    for read in (_joined, Shards.scan):
        with pytest.raises(InputError, match=f"{path}: was there at first and is gone"):
            read(shards)
    with pytest.raises(InputError, match=f"{path}: no such file"):
        shards.rows()


def test_files_that_become_others_are_refused(tmp_path):
    path = write(tmp_path, "parquet", columns(N))
    shards = Shards.of(path)
    parquet(path, {"x": np.ones(3), "z": np.ones(3)})
    with pytest.raises(InputError, match="has no column 'y'; its columns are 'x', 'z'"):
        _joined(shards)
    path.write_bytes(gzip.compress(b"x,y\n1,0\n"))
    with pytest.raises(InputError, match="is not a Parquet file"):
        _joined(shards)


@pytest.mark.parametrize("kind", ["npy", "columns", "records", "npz", "npz compressed", "gzip"])
def test_memory_does_not_grow_with_the_file(tmp_path, kind):
    table = {"x": np.zeros(300_000), "y": np.zeros(300_000)}  # 4.8 MB
    shards = Shards.of(write(tmp_path, kind, table))
    for _ in shards.batches(0, 1000):  # what loads once
        break
    tracemalloc.start()
    try:
        assert sum(len(part.x) for part in shards.batches(0, 1000)) == 300_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5e6


def test_memory_does_not_grow_with_the_row_groups_of_parquet(tmp_path):
    n = 1_000_000
    path = tmp_path / "a.parquet"
    table = {"x": np.random.default_rng(0).random(n), "y": np.zeros(n)}
    parquet(path, table, row_group_size=n)
    shards = Shards.of(path)
    before, most, read = pa.total_allocated_bytes(), 0, 0
    tracemalloc.start()  # what is read is Python's, what it becomes Arrow's
    try:
        for part in shards.batches(0, 10_000):
            most, read = max(most, pa.total_allocated_bytes() - before), read + len(part.x)
        most += tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == n
    assert 0 < most < 6e6 < path.stat().st_size


def test_wide_files_come_in_fewer_rows(tmp_path, monkeypatch):
    for module in ("npy", "tables"):
        monkeypatch.setattr(f"sweep.data.{module}.AT_ONCE", 1000)
    for kind, rows in (("csv", 62), ("npy", 62), ("records", 35)):
        path = write(tmp_path, kind, columns(N))
        assert len(next(Shards.of(path).batches(0)).x) == rows
        _same(_joined(Shards.of(path)), data.load(path))
