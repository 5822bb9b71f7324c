import gzip
import pickle
import re

import numpy as np
import pytest

from sweep import InputError, Sample
from sweep.data import sample as data
from tests.support import oracle

ROWS = "x,y\n0.1,0\n-2.5e-3,1\n"


def test_sample_holds_float64_columns_that_cannot_be_written():
    sample = Sample([1, 2], [True, False], [1, 2])
    for column in (sample.x, sample.y, sample.weight):
        assert column.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 5
    assert len(sample) == 2


def test_arrays_are_neither_copied_nor_locked():
    x = np.array([1.0, 2.0])
    sample = Sample(x, x > 1)
    assert np.shares_memory(sample.x, x)
    assert x.flags.writeable


def test_fingerprint_identifies_the_data():
    sample = Sample([1, 2], [0, 1])
    assert sample.fingerprint == Sample(np.array([1.0, 2.0]), [0, 1]).fingerprint
    others = [Sample([1, 2], [1, 0]), Sample([2, 1], [0, 1]), Sample([1, 2], [0, 1], [1, 1])]
    assert len({s.fingerprint for s in (sample, *others)}) == 4


@pytest.mark.parametrize(("k", "n"), [(1, 5), (2, 100), (3, 10000)])
def test_illustrations_ship_with_the_package(k, n, r_reference):
    sample = data.illustration(k)
    assert len(sample) == n == r_reference[k]["n"]
    assert set(sample.y) == {0.0, 1.0}


def test_there_is_no_fourth_illustration():
    with pytest.raises(InputError, match="no illustration 4; the illustrations are 1, 2 and 3"):
        data.illustration(4)


def test_csv_is_read_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000) * 10.0 ** rng.integers(-300, 300, 2000)
    path = tmp_path / "s.csv"
    path.write_text("x,y\n" + "".join(f"{value!r},1\n" for value in x.tolist()))
    np.testing.assert_array_equal(data.load(path).x, x)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_has_other_columns_names_and_ends(tmp_path, end):
    path = tmp_path / "s.csv"
    path.write_bytes(end.join(["id,score,label,w", "a,1.5,0,2", "b,-1,1,0.5", ""]).encode())
    sample = data.load(path, x="score", y="label", weight="w")
    assert [list(c) for c in (sample.x, sample.y, sample.weight)] == [[1.5, -1], [0, 1], [2, 0.5]]


def test_csv_may_have_spaces_a_byte_order_mark_or_tabs(tmp_path):
    for name, content in (
        ("spaces.csv", "x, y\n1, 0\n2, 1\n"),
        ("mark.csv", "\ufeffx,y\n1,0\n2,1\n"),
        ("quoted.csv", '"x","y"\n"1","0"\n"2","1"\n'),
        ("gaps.csv", "x,y\n\n1,0\n\n2,1\n\n"),
        ("tabs.tsv", "x\ty\n1\t0\n2\t1\n"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        sample = data.load(tmp_path / name)
        assert (list(sample.x), list(sample.y)) == ([1, 2], [0, 1])


def test_weight_column_is_used_if_it_exists(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("x,y,weight\n1,0,3\n2,1,4\n")
    assert list(data.load(path).weight) == [3, 4]
    path.write_text(ROWS)
    assert data.load(path).weight is None


def test_other_columns_do_no_harm(tmp_path):
    np.savez(tmp_path / "s.npz", x=np.ones(2), y=np.ones(2), meta=np.array([None], dtype=object))
    assert len(data.load(tmp_path / "s.npz")) == 2
    _refused(tmp_path, "s.npz", None, "no column 'z'; its columns are 'x', 'y', 'meta'", x="z")


def test_compressed_csv_is_read(tmp_path):
    path = tmp_path / "s.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write(ROWS)
    assert list(data.load(path).x) == [0.1, -0.0025]


def test_npy_and_npz_are_read(tmp_path):
    x, y, w = np.array([0.5, -1, 2]), np.array([0, 1, 1]), np.array([1, 2, 3])
    np.save(tmp_path / "two.npy", np.column_stack([x, y]))
    np.save(tmp_path / "three.npy", np.column_stack([x, y, w]))
    fields = np.zeros(3, dtype=[("y", "i8"), ("x", "f4"), ("other", "U3")])
    fields["x"], fields["y"] = x, y
    np.save(tmp_path / "fields.npy", fields)
    np.savez(tmp_path / "s.npz", x=x, y=y, weight=w)
    for name, weight in (("two.npy", None), ("three.npy", w), ("fields.npy", None), ("s.npz", w)):
        sample = data.load(tmp_path / name)
        np.testing.assert_array_equal(sample.x, x)
        np.testing.assert_array_equal(sample.y, y)
        np.testing.assert_array_equal(oracle.weights(sample), np.ones(3) if weight is None else w)


def _refused(tmp_path, name, content, sentence, **names):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=sentence) as caught:
        data.load(path, **names)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message


BAD_CSV = {
    "empty file": ("", "is empty"),
    "header only": ("x,y\n", "has no rows"),
    "no x": ("a,y\n1,0\n", r"has no column 'x'; its columns are 'a', 'y' .*--x"),
    "no y": ("x,b\n1,0\n", "has no column 'y'"),
    "huge integer": (f"x,y\n{10**30},0\n", "|"),
    "underscore": ("x,y\n1,0\n1_000,1\n", "'x' in row 2 is '1_000', which is not a number"),
    "text": ("x,y\n1,0\nabc,1\n", "'x' in row 2 is 'abc', which is not a number"),
    "text label": ("x,y\n1,yes\n", "'y' in row 1 is 'yes', which is not a number"),
    "nan": ("x,y\n1,0\nnan,1\n", "'x' in row 2 is nan, which is not a finite number"),
    "gap": ("x,y\n1,0\n2,\n", "'y' in row 2 is nan, which is not a finite number"),
    "inf": ("x,y\n1,0\n2,1\n-inf,1\n", "'x' in row 3 is -inf, which is not a finite number"),
    "too large": ("x,y\n1e999,0\n", "'x' in row 1 is inf"),
    "label 2": ("x,y\n1,2\n", r"'y' in row 1 is 2, which is outside \[0, 1\]"),
    "label -1": ("x,y\n1,0\n1,-1\n", r"'y' in row 2 is -1, which is outside \[0, 1\]"),
    "weight -1": ("x,y,weight\n1,0,1\n1,0,-1\n", "'weight' in row 2 is -1, which is negative"),
    "weight nan": ("x,y,weight\n1,0,\n", "'weight' in row 1 is nan"),
    "weights 0": ("x,y,weight\n1,0,0\n2,1,0\n", "every weight is 0"),
    "two of x": ("x,y,x\n1,0,5\n", "has 2 columns 'x'; each needs a name of its own"),
    "semicolons": ("x;y\n1;0\n", "its columns are 'x;y' .*separate columns by commas"),
    "ragged": ("x,y\n1,0\n1,2,3\n", "is not a CSV file"),
    "shifted": ("x,y\n0,0,1\n1,1,0\n2,0,1\n", "a row has more cells than the header"),
    "a gap among flags": ("x,y\n1,True\n2,False\n3,\n", "'y' in row 3 is nan"),
    "too wide": ("x,y\n1,0,7\n1,0,8\n", "is not a CSV file"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\xff\xfe\x80", "is not a CSV file|has no column"),
    "prose": ("Dear Sir or Madam", "has no column 'x'; its columns are 'Dear Sir or Madam'"),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_bad_csv_is_refused_in_one_sentence(tmp_path, name):
    content, sentence = BAD_CSV[name]
    _refused(tmp_path, "bad.csv", content, sentence)


def test_missing_files_directories_and_columns_are_refused(tmp_path):
    _refused(tmp_path, "missing.csv", None, "no such file")
    (tmp_path / "folder.csv").mkdir()
    _refused(tmp_path, "folder.csv", None, "is a directory")
    _refused(tmp_path, "s.csv", ROWS, "no column 'mass'.*--weight", weight="mass")
    _refused(tmp_path, "s.csv.gz", b"not compressed", "cannot be read")
    whole = gzip.compress(ROWS.encode() * 1000)
    _refused(tmp_path, "s.csv.gz", whole[:-30], "is a damaged gzip file")
    for suffix in ("xz", "zip", "tar", "zst", "bz2"):
        _refused(tmp_path, f"s.csv.{suffix}", b"\xff\xfe\x00PK\x03", "is not a CSV file")


def test_bad_arrays_are_refused_in_one_sentence(tmp_path):
    def saved(array, **options):
        np.save(tmp_path / "made.npy", array, **options)
        return (tmp_path / "made.npy").read_bytes()

    objects = saved(np.array([[1, 2], [3, None]], dtype=object), allow_pickle=True)
    _refused(tmp_path, "a.npy", objects, "holds Python objects, which are never loaded")
    _refused(tmp_path, "a.npy", pickle.dumps([1, 2]), "is not an NPY file")
    _refused(tmp_path, "a.npy", b"", "is not an NPY file")
    whole = saved(np.ones((50, 2)))
    _refused(tmp_path, "a.npy", whole[:-100], "is damaged")
    _refused(tmp_path, "a.npy", whole[:20], "is damaged")
    _refused(tmp_path, "a.npy", saved(np.ones(5)), r"has shape \(5,\)")
    _refused(tmp_path, "a.npy", saved(np.ones((5, 4))), r"has shape \(5, 4\)")
    _refused(tmp_path, "a.npy", saved(np.full((2, 2), 1j)), "complex")
    _refused(tmp_path, "a.npz", b"PK no", "is not an NPZ file")
    _refused(tmp_path, "a.npz", whole, "is not an NPZ file")

    def archived(**arrays):
        np.savez(tmp_path / "made.npz", **arrays)
        return (tmp_path / "made.npz").read_bytes()

    _refused(tmp_path, "b.npz", archived(x=np.ones(2)), "no column 'y'; its columns are 'x'")
    _refused(tmp_path, "b.npz", archived(x=np.ones(2), y=np.ones(3)), "x has 2 values but y has 3")
    objects = archived(x=np.ones(2), y=np.array([1, None], dtype=object))
    _refused(tmp_path, "b.npz", objects, "'y' holds Python objects")
    cut_off = archived(x=np.ones(2000), y=np.ones(2000))
    _refused(tmp_path, "b.npz", cut_off[:500], "is not an NPZ file")
    damaged = bytearray(cut_off)
    damaged[300:310] = b"0123456789"
    _refused(tmp_path, "b.npz", bytes(damaged), "is a damaged NPZ file")


BAD_COLUMNS = {
    "lengths": (([1, 2], [0]), "x has 2 values but y has 1"),
    "weight lengths": (([1, 2], [0, 1], [1]), "x has 2 values but weight has 1"),
    "objects": ((np.array([1, None], dtype=object), [0, 1]), r"x\[1\] is None, which is not a"),
    "object numbers": ((np.array([1, 2], dtype=object), [0, 1]), "x is an array of objects, such"),
    "text": ((["1", "b"], [0, 1]), r"x\[1\] is 'b', which is not a number"),
    "complex": (([1j, 2], [0, 1]), "x has dtype complex128; real numbers are needed"),
    "dates": ((np.array(["2020-01-01"], "M8[D]"), [0]), "x has dtype datetime64"),
    "matrix": (([[1, 2]], [0, 1]), r"x has shape \(1, 2\)"),
    "ragged": (([[1, 2], [3]], [0, 1]), "x is ragged"),
    "masked": ((np.ma.array([1.0, 2.0], mask=[0, 1]), [0, 1]), "x has masked values"),
    "number": ((1.0, [0]), r"x has shape \(\)"),
    "nan": (([0, np.nan], [0, 1]), r"x\[1\] is nan, which is not a finite number"),
    "label": (([0, 1], [0, 1.5]), r"y\[1\] is 1.5, which is outside \[0, 1\]"),
    "weight": (([0, 1], [0, 1], [1, -2]), r"weight\[1\] is -2, which is negative"),
    "no weight": (([0, 1], [0, 1], [0, 0]), "every weight is 0"),
    "sum of weights": (([0, 1], [0, 1], [1e308, 1e308]), "add up to infinity"),
}


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_bad_columns_are_refused_in_one_sentence(name):
    columns, sentence = BAD_COLUMNS[name]
    with pytest.raises(InputError, match=sentence) as caught:
        Sample(*columns)
    assert not re.search(r"\n", str(caught.value))
