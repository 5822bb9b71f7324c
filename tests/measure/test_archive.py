"""Sketches on disk: what is read back, and what is refused."""

import json
import os
import pickle
import resource

import numpy as np
import pytest

from sweep import InputError, Sample
from sweep.base.grid import Grid
from sweep.measure.sketch import archive
from sweep.measure.sketch.builder import Sketcher, rows_of
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch


def schema_of(
    a=(-1.0, 0.0, 2.0), b=(-0.5, 0.5), ends=(-4.0, 4.0), tolerance=1e-2, metrics=("accuracy",)
):
    return Schema.of(Grid(np.array(a), np.array(b)), ends, metrics, tolerance)


def sketched(schema, **samples):
    sketcher = Sketcher(schema)
    for name, sample in samples.items():
        sketcher.add(name, rows_of([sample]))
    return sketcher.sketch()


def sample(seed, n=50, kind="hard"):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-4, 4, n)
    y = rng.random(n) if kind == "soft" else rng.random(n) < 0.5
    return Sample(x, y, rng.random(n) * 3 if kind == "weighted" else None)


SKETCHES = {
    "counted": lambda: sketched(schema_of(), one=sample(1), two=sample(2)),
    "weighted": lambda: sketched(schema_of(), one=sample(1, kind="weighted")),
    "soft": lambda: sketched(
        schema_of(metrics=("cross_entropy", "brier")), one=sample(1, kind="soft")
    ),
    "one class": lambda: sketched(schema_of(), one=Sample([1.0, 2.0], [1, 1])),
    "empty": lambda: Sketch.empty(schema_of()),
    "names": lambda: sketched(schema_of(), **{"a b\n\udc80é": sample(1)}),
    "octaves": lambda: sketched(schema_of(ends=(-4.0, 1e9), tolerance=1e-6), one=sample(1)),
}


@pytest.mark.parametrize("kind", SKETCHES)
def test_what_is_read_is_what_was_written(tmp_path, kind):
    sketch = SKETCHES[kind]()
    archive.write(sketch, tmp_path / "s.sketch")
    back = archive.read(tmp_path / "s.sketch")
    assert back.equals(sketch)
    assert (back.fingerprint, back.n, repr(back)) == (sketch.fingerprint, sketch.n, repr(sketch))
    np.testing.assert_array_equal(back.schema.edges, sketch.schema.edges)
    assert [p.name for p in tmp_path.iterdir()] == ["s.sketch"]


def test_equal_sketches_are_equal_files(tmp_path):
    one, two = (
        sketched(schema_of(), p=sample(3)),
        sketched(schema_of(), q=sample(4, kind="weighted")),
    )
    archive.write(one.merge(two), tmp_path / "1.sketch")
    archive.write(two.merge(one), tmp_path / "2.sketch")
    os.utime(tmp_path / "1.sketch", (0, 0))
    archive.write(archive.read(tmp_path / "1.sketch"), tmp_path / "3.sketch")
    first, *others = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert others == [first, first]


def test_counts_are_short(tmp_path):
    schema = Schema.of(Grid(np.linspace(-5, 5, 101), np.linspace(-5, 5, 101)), (-8.0, 8.0))
    sketch = sketched(schema, one=sample(1, 10_000))
    archive.write(sketch, tmp_path / "s.sketch")
    held = sum(
        sums.integer.nbytes + sums.fraction.nbytes for sums in (sketch.inside, sketch.moments)
    )
    assert (tmp_path / "s.sketch").stat().st_size < held / 4


def test_any_flipped_bit_and_any_truncation_is_found(tmp_path):
    path = tmp_path / "s.sketch"
    archive.write(sketched(schema_of(a=(1.0,), b=(0.0,), tolerance=0.5), one=sample(1, 5)), path)
    complete = path.read_bytes()
    assert len(complete) < 4000
    damaged = [complete[:k] for k in range(0, len(complete), 7)] + [complete + b"\n"]
    for k in range(len(complete)):
        bit = 1 << (k % 8)
        damaged.append(complete[:k] + bytes([complete[k] ^ bit]) + complete[k + 1 :])
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is (damaged|not a sketch|a sketch of version [^1])"):
            archive.read(path)


def test_files_of_another_kind_or_a_newer_version_are_refused(tmp_path):
    path = tmp_path / "s.sketch"
    archive.write(SKETCHES["counted"](), path)
    first, rest = path.read_bytes().split(b"\n", 1)
    digest = first.split()[-1]
    path.write_bytes(b"sweep sketch 12 sha3 " + digest * 4 + b"\n" + rest)
    with pytest.raises(InputError, match="is a sketch of version 12, but this release reads"):
        archive.read(path)
    for content in (b"", b"x,y\n1,0\n", b"\x93NUMPY", pickle.dumps({"sweep": 1}), b"sweep sketch"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not a sketch"):
            archive.read(path)
    with pytest.raises(InputError, match=r"missing\.sketch: no such file"):
        archive.read(tmp_path / "missing.sketch")
    with pytest.raises(InputError, match=r": is a directory"):
        archive.read(tmp_path)


@pytest.mark.parametrize("key", ["arrays", "lattice", "parts", "ends"])
def test_a_header_that_makes_no_sense_is_damage_though_its_checksum_fits(tmp_path, key):
    path = tmp_path / "s.sketch"
    archive.write(SKETCHES["counted"](), path)
    _, header, body = path.read_bytes().split(b"\n", 2)
    for value in (None, 1, [1, 2, 3], {"inside.whole": [[1 << 40], 10]}):
        changed = json.dumps(json.loads(header) | {key: value}).encode() + b"\n" + body
        digest = archive._checksum([changed])
        path.write_bytes(b"sweep sketch 1 " + digest.encode() + b"\n" + changed)
        with pytest.raises(InputError, match="is damaged"):
            archive.read(path)


def test_a_sketch_is_known_by_suffix_or_content(tmp_path):
    archive.write(SKETCHES["empty"](), tmp_path / "s.bin")
    (tmp_path / "data.csv").write_text("x,y\n1,0\n")
    assert archive.holds_sketch(tmp_path / "s.bin")
    assert archive.holds_sketch(tmp_path / "missing.sketch")
    for name in ("data.csv", "missing.csv", "."):
        assert not archive.holds_sketch(tmp_path / name)


def test_a_full_disk_leaves_what_was_there(tmp_path):
    path = tmp_path / "s.sketch"
    archive.write(SKETCHES["empty"](), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists already; it is overwritten only with --force"):
        archive.write(SKETCHES["counted"](), path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(InputError, match=r"s\.sketch: cannot be written \(File too large"):
            archive.write(SKETCHES["counted"](), path, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["s.sketch"]


def test_files_are_merged_in_any_order(tmp_path):
    schema, paths = schema_of(), [tmp_path / f"{k}.sketch" for k in range(5)]
    parts = {f"p{k}": sample(k, 20, ("hard", "weighted")[k % 2]) for k in range(5)}
    for path, (name, part) in zip(paths, parts.items(), strict=True):
        archive.write(sketched(schema, **{name: part}), path)
    complete = sketched(schema, **parts)
    assert archive.merged(paths).equals(complete)
    assert archive.merged(paths[::-1]).equals(complete)
    archive.write(archive.merged(paths[1:4]), tmp_path / "m.sketch")
    assert archive.merged([paths[4], tmp_path / "m.sketch", paths[0]]).equals(complete)
    assert archive.merged(paths[:1]).n == 20


DIFFERENT = {
    "axes a differ": {"a": (-1.0, 0.5, 2.0)},
    "axes b differ": {"b": (-0.5, 0.25)},
    "tolerances are 0.02 and 0.01": {"tolerance": 2e-2},
    "ranges of x are -8:4 and -4:4": {"ends": (-8.0, 4.0)},
    "metrics are 'f1' and 'accuracy'": {"metrics": ("f1",)},
}


@pytest.mark.parametrize("why", DIFFERENT)
def test_sketches_of_different_schemas_are_refused_and_both_files_named(tmp_path, why):
    one, two = tmp_path / "one.sketch", tmp_path / "two.sketch"
    archive.write(sketched(schema_of(), p=sample(1)), one)
    archive.write(sketched(schema_of(**DIFFERENT[why]), q=sample(2)), two)
    with pytest.raises(InputError, match=f"two.sketch: cannot be merged with .*one.sketch.*{why}"):
        archive.merged([one, two])


def test_a_part_that_is_there_twice_is_refused_under_any_name(tmp_path):
    names = ("one", "two", "three")
    paths = [tmp_path / f"{name}.sketch" for name in names]
    for path, seed, name in zip(paths, (1, 2, 1), names, strict=True):
        archive.write(sketched(schema_of(), **{name: sample(seed)}), path)
    both = r"three.sketch: has three \(50 points\), which is also in .*one.sketch as one;"
    with pytest.raises(InputError, match=both):
        archive.merged(paths)
    with pytest.raises(
        InputError, match=r"one.sketch: has one \(50 points\), which is also in .*one.sketch;"
    ):
        archive.merged([paths[0], paths[1], paths[0]])
