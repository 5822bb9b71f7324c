"""`sweep sketch`, `sweep merge`, and what other commands make of sketches."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import sweep
from sweep.cli import sketch as command
from sweep.measure.sketch import archive
from sweep.measure.sketch.schema import round_outward

GRID = ("--a=-4:4:9", "--b=-1:1:5")


def table(seed, n=400, weighted=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-1.3 * x))).astype(float)
    columns = {"x": x, "y": y} | ({"weight": rng.random(n)} if weighted else {})
    return pd.DataFrame(columns)


def sample_of(*seeds):
    whole = pd.concat([table(seed) for seed in seeds])
    return sweep.Sample(whole.x.to_numpy(), whole.y.to_numpy())


@pytest.fixture
def shards(tmp_path):
    """Names of shards of four kinds, of seeds 0 to 3, in the directory of the command."""
    table(0).to_csv(tmp_path / "s0.csv", index=False)
    table(1).to_parquet(tmp_path / "s1.parquet")
    np.save(tmp_path / "s2.npy", table(2).to_numpy(float))
    np.savez(tmp_path / "s3.npz", **{name: column.to_numpy() for name, column in table(3).items()})
    return ["s0.csv", "s1.parquet", "s2.npy", "s3.npz"]


@pytest.fixture
def sketched(run, shards):
    """The name of the sketch of all shards."""
    code, _, err = run("sketch", *shards, *GRID, "-o", "all.sketch")
    assert (code, err) == (0, "")
    return "all.sketch"


def widest(text):
    return max(map(len, text.splitlines()))


def test_sketch_says_what_is_in_it(run, shards):
    code, out, err = run("sketch", *shards, *GRID, "--out", "all.sketch")
    assert (code, err) == (0, "")
    ones = int(sum(table(seed).y.sum() for seed in range(4)))
    assert out.startswith("all.sketch: 1,600 points in 4 parts\n")
    assert f"points of class 0 and 1: {1600 - ones} and {ones}\n" in out
    assert "within the range -4 to 4\n" in out
    assert "answers |a| <= 4 at a tolerance of 1e-09\n" in out
    assert "counts exactly on a grid of 9 x 5 cells\n" in out
    assert "parts: s0.csv, s1.parquet, s2.npy, s3.npz\n" in out
    assert "written: all.sketch (" in out
    assert widest(out) <= 80


def test_merged_in_any_order_the_parts_are_the_file_of_all(run, shards, sketched):
    for k, shard in enumerate(shards):
        assert run("sketch", shard, *GRID, "--range=-4:4", "-o", f"{k}.sketch")[0] == 0
    assert run("merge", "3.sketch", "0.sketch", "-o", "some.sketch")[0] == 0
    code, out, err = run("merge", "2.sketch", "some.sketch", "1.sketch", "-o", "m.sketch", "--json")
    assert (code, err) == (0, "")
    assert Path("m.sketch").read_bytes() == Path(sketched).read_bytes()
    document = json.loads(out)
    assert (document["n"], document["counted"], document["largest_a"]) == (1600, True, 4)
    assert {part["name"] for part in document["parts"]} == set(shards)
    assert document["largest_b"] is None  # which has no limit


def test_the_range_is_from_statistics_or_a_pass_and_rounded_alike(run, tmp_path):
    for seed in range(2):
        table(seed).to_csv(tmp_path / f"{seed}.csv", index=False)
        table(seed).to_parquet(tmp_path / f"{seed}.parquet")
        for kind in ("csv", "parquet"):
            assert run("sketch", f"{seed}.{kind}", *GRID, "-o", f"{seed}{kind}.sketch")[0] == 0
    ends = {archive.read(path).schema.ends for path in tmp_path.glob("*.sketch")}
    assert ends == {(-4.0, 4.0)}


@pytest.mark.parametrize(
    ("ends", "rounded"),
    [
        ((-3.0, 2.0), (-4.0, 4.0)),
        ((-4.0, 4.0), (-4.0, 4.0)),
        ((0.01, 9.0), (0.0, 16.0)),
        ((-9.0, -0.01), (-16.0, 0.0)),
        ((-1e-3, 1e8), (-(2.0**27), 2.0**27)),
        ((1e6 + 0.3, 1e6 + 3.0), (1e6, 1e6 + 4)),
        ((7.0, 7.0), (7.0, 7.0)),
        ((0.0, 0.0), (0.0, 0.0)),
        ((-1.0, 1.7e308), (-sys.float_info.max, sys.float_info.max)),
    ],
)
def test_ranges_are_rounded_outward_to_powers_of_two(ends, rounded):
    assert round_outward(ends) == rounded
    assert round_outward(rounded) == rounded


def test_landscape_of_a_sketch_is_that_of_its_data(run, sketched):
    code, out, err = run("landscape", sketched, "--out", "l.nc", "--figure", "l.png")
    assert (code, err) == (0, "")
    assert out.startswith("all.sketch: a sketch of 1,600 points in 4 parts; it answers |a| <= 4")
    assert "9 x 5 cells, compressed: error at most" in out
    assert widest(out) <= 80
    true = sweep.landscape(sample_of(0, 1, 2, 3), "-4:4:9", "-1:1:5")
    with xr.open_dataset("l.nc") as found:
        np.testing.assert_array_equal(found.a, true.a)
        np.testing.assert_array_equal(found.correct, true.correct)
        np.testing.assert_allclose(found.cross_entropy, true.cross_entropy, rtol=0, atol=1e-9)
        assert found.attrs["tolerance"] == 1e-9


def test_elsewhere_accuracy_is_between_two_numbers(run, sketched):
    code, out, err = run("landscape", sketched, "--a=0.33,0.77", "--b=0.123", "--out", "l.nc")
    assert (code, err) == (0, "")
    assert "lowest accuracy_lower" in out
    assert "highest accuracy " not in out  # for it is counted nowhere
    assert "accuracy is exact in 0 of the cells, and bounded in all others\n" in out
    true = sweep.landscape(sample_of(0, 1, 2, 3), [0.33, 0.77], 0.123)
    with xr.open_dataset("l.nc") as found:
        assert found.accuracy.isnull().all()
        assert (found.accuracy_lower <= true.accuracy).all()
        assert (found.accuracy_upper >= true.accuracy).all()
    options = ("--a=-4:4:60", "--b=-1:1:61", "--metric", "accuracy", "--figure", "l.png")
    assert run("landscape", sketched, *options)[0] == 0


def test_a_sketch_keeps_its_own_tolerance_and_metrics(run, shards):
    options = ("--tolerance=1e-3", "--metric", "brier", "f1", "-o", "s.sketch")
    assert run("sketch", *shards, *GRID, *options)[0] == 0
    code, out, _ = run("landscape", "s.sketch", "--json")
    document = json.loads(out)
    assert (code, set(document["data_vars"])) == (0, {"brier", "f1"})
    assert document["attrs"]["tolerance"] == 1e-3


def test_optimum_of_a_sketch_in_words_and_as_json(run, sketched):
    code, out, err = run("optimum", sketched)
    assert (code, err) == (0, "")
    assert widest(out) <= 80
    true = sweep.optimum(sample_of(0, 1, 2, 3))
    assert f"lowest cross-entropy  {true.cross_entropy.value:.12g} nats" in out
    assert "errors at most        " in out
    assert "highest accuracy      0." in out
    assert "nan" not in out
    document = json.loads(run("optimum", sketched, "--json")[1])
    found, errors = document["cross_entropy"], document["errors"]
    assert abs(found["a"] - true.cross_entropy.a) <= errors["a"] < 1e-9
    assert document["accuracy"]["value"] <= true.accuracy.value <= document["accuracy"]["upper"]
    low, high = document["regret_bounds"]
    assert low <= true.regret <= high


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        ([-3, -1, 1, 3], [0, 0, 1, 1], "completely separated by a cut"),
        ([-3, -1, 1, 3], [1, 1, 1, 1], "Only one class is present"),
        ([0, 0, 0, 0, 1, 1, 1], [1, 0, 0, 0, 1, 1, 0], "They share an optimum"),
        ([-3, -1, 1, 3], [0, 1, 0, 1], "do not share an optimum: at the lowest cross-entropy"),
        ([-3, -1, 1, 3], [1, 0, 0, 1], "They may or may not share an optimum"),
    ],
)
def test_optima_of_a_few_points_are_told_as_far_as_they_are_certain(run, tmp_path, x, y, sentence):
    pd.DataFrame({"x": x, "y": y}).to_csv(tmp_path / "d.csv", index=False)
    assert run("sketch", "d.csv", "--a=-4:4:41", "--b=-4:4:41", "-o", "d.sketch")[0] == 0
    code, out, _ = run("optimum", "d.sketch")
    assert sentence in " ".join(out.split())
    whole = run("optimum", "d.csv")[1]
    best, exact = (text[text.index("  highest accuracy") :] for text in (out, whole))
    if "may or may not" not in sentence:  # in words and numbers what all the data say
        best, exact = (text.split("  They do not")[0] for text in (best, exact))
        assert (code, best.replace("within:", "for:")) == (0, exact)


def test_weighted_and_soft_shards_are_sketched(run, tmp_path):
    table(0, weighted=True).to_parquet(tmp_path / "w.parquet")
    code, out, _ = run("sketch", "w.parquet", *GRID, "-o", "w.sketch")
    assert code == 0
    assert "mass of class 0 and 1: " in out
    code, out, _ = run("optimum", "w.sketch")
    assert "accuracy is lower by 0.0" in " ".join(out.split())
    assert (code, widest(out) <= 80) == (0, True)


def test_progress_is_over_rows_and_can_be_silenced(run, shards, monkeypatch):
    told = []

    def bar(what, total, unit, show, **options):
        told.append((what, total, unit, show))
        return original(what, total, unit, show, **options)

    original = command.bar
    monkeypatch.setattr(command, "bar", bar)
    assert run("sketch", shards[2], *GRID, "-o", "a.sketch")[0] == 0
    assert run("sketch", shards[0], *GRID, "--range=-5:5", "--quiet", "-o", "b.sketch")[0] == 0
    assert told == [
        ("range of x", 400, "rows", None),
        ("sketch", 400, "rows", None),
        ("sketch", None, "rows", False),
    ]


class Backwards:
    """An engine, not of this process as far as the command knows, that takes the last first."""

    slots = 3

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def run(self, function, items):
        raise AssertionError("nothing is to be run one by one")

    def reduce(self, function, items, merge, done):
        found = None
        for index in reversed(range(len(items))):
            made = function(items[index])
            found = made if found is None else merge(made, found)
            done(index)
        return found


def test_whoever_makes_it_the_sketch_is_the_same_file(run, shards, sketched, monkeypatch):
    monkeypatch.setattr(command, "engine", lambda workers, scheduler: Backwards())
    assert run("sketch", *shards, *GRID, "--workers=3", "-o", "w.sketch")[0] == 0
    assert Path("w.sketch").read_bytes() == Path(sketched).read_bytes()


REFUSED = {
    "no shard": (2, (), "give at least one SHARD"),
    "a missing shard": (1, ("s0.csv", "s9.csv"), "s9.csv: no such file"),
    "a shard twice": (1, ("s0.csv", "s0.csv"), "s0.csv: is given twice"),
    "a sketch as shard": (
        2,
        ("all.sketch",),
        "all.sketch: is a sketch, not a file of data; add it with sweep merge",
    ),
    "a copy": (1, ("s0.csv", "copy.csv"), "copy.csv has the same rows as s0.csv"),
    "x outside": (1, ("s0.csv", "--range=-1:1"), "outside the range -1 to 1 of the sketch"),
    "no range": (2, ("s0.csv", "--range=-1"), "--range=-1 is not a pair of numbers"),
    "words as range": (2, ("s0.csv", "--range=a:b"), "--range=a:b holds 'a', which is"),
    "an upside-down range": (2, ("s0.csv", "--range=1:-1"), "give the lower number first"),
    "an infinite range": (2, ("s0.csv", "--range=-1:inf"), "must be a finite number"),
    "an unknown metric": (2, ("s0.csv", "--metric", "f2"), "--metric: "),
    "a bad axis": (2, ("s0.csv", "--a=1:2"), "--a=1:2 is not of the form"),
    "no tolerance": (2, ("s0.csv", "--tolerance=0"), "--tolerance=0: a positive number is needed"),
    "too fine a tolerance": (1, ("s0.csv", "--tolerance=1e-40"), "finer than a compression can be"),
    "a tolerance that nothing keeps": (
        1,
        ("s0.csv", "--tolerance=1e-12"),
        "tolerance 1e-12 cannot be promised of a sketch: the error may reach",
    ),
    "slopes too steep for it": (
        1,
        ("s0.csv", "--a=-1e4:1e4:5", "--tolerance=1e-14"),
        "; give a larger tolerance, smaller slopes or a narrower range of x",
    ),
    "no weight": (1, ("zero.csv",), "zero.csv: every weight is 0; at least one must be positive"),
    "too large a grid": (1, ("s0.csv", "--a=1:9:5000", "--b=1:9:5000"), "too large for a sketch"),
    "both engines": (2, ("s0.csv", "--workers=2", "--scheduler=x"), "exclude each other"),
    "a crowd of workers": (
        2,
        ("s0.csv", "--workers=1000000"),
        "--workers=1000000: this machine has",
    ),
    "no address": (2, ("s0.csv", "--scheduler="), "--scheduler is empty; give an address"),
    "no workers": (2, ("s0.csv", "--workers=0"), "--workers=0: at least 1 is needed"),
    "other columns": (1, ("s0.csv", "other.csv"), "other.csv: has no column 'x'"),
    "other types": (1, ("s1.parquet", "other.parquet"), "'x' is"),
    "a column that is not there": (1, ("s0.csv", "--x=q"), "has no column 'q'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_shards_and_options_are_refused_in_a_sentence(sketched, refused, tmp_path, case):
    (tmp_path / "copy.csv").write_bytes((tmp_path / "s0.csv").read_bytes())
    table(0).assign(weight=0.0).to_csv(tmp_path / "zero.csv", index=False)
    (tmp_path / "other.csv").write_text("z,y\n1,0\n")
    pd.DataFrame({"x": [1, 2], "y": [0, 1]}).to_parquet(tmp_path / "other.parquet")
    code, arguments, sentence = REFUSED[case]
    assert sentence in refused(code, "sketch", *arguments, "-o", "n.sketch")


def test_outputs_that_cannot_be_written_are_refused_before_anything_is_read(sketched, refused):
    for out, sentence in {
        "all.sketch": "exists already; it is overwritten only with --force",
        "s0.csv": "s0.csv: names of sketches end in .sketch",
        "none/n.sketch": "there is no directory none",
    }.items():
        for inputs in (("sketch", "missing.csv"), ("merge", "missing.sketch")):
            code = 2 if ".csv" in out else 1
            assert sentence in refused(code, *inputs, "-o", out)
    same = "holds the data and is not overwritten"
    assert same in refused(1, "merge", sketched, "-o", sketched, "--force")


def test_a_nan_deep_inside_shard_37_is_named(refused, tmp_path):
    for k in range(40):
        part = table(k, 50)
        if k == 37:
            part.loc[40, "x"] = np.nan
        np.save(tmp_path / f"p{k:02}.npy", part.to_numpy(float))
    names = [f"p{k:02}.npy" for k in range(40)]
    sentence = "p37.npy: 'x' in row 41 is nan"
    assert sentence in refused(1, "sketch", *names, *GRID, "--range=-5:5", "-o", "n.sketch")
    assert sentence in refused(1, "sketch", *names, *GRID, "-o", "n.sketch")


def test_sketches_that_cannot_be_merged_are_named(run, shards, refused):
    for name, shard, option in (
        ("a.sketch", 0, "--range=-4:4"),
        ("b.sketch", 1, "--range=-8:8"),
        ("c.sketch", 1, "--tolerance=1e-6"),
        ("d.sketch", 1, "--a=1"),
        ("e.sketch", 1, "--metric=brier"),
    ):
        options = {"--range": "-4:4", "--a": "-4:4:9"} | dict([option.split("=")])
        given = [f"{name}={value}" for name, value in options.items()]
        assert run("sketch", shards[shard], GRID[1], *given, "-o", name)[0] == 0
    Path("copy.csv").write_bytes(Path("s0.csv").read_bytes())
    assert run("sketch", "copy.csv", *GRID, "--range=-4:4", "-o", "f.sketch")[0] == 0
    for name, why in {
        "b": "their ranges of x are -8:8 and -4:4",
        "c": "their tolerances are 1e-06 and 1e-09",
        "d": "their axes a differ",
        "e": "their metrics are 'brier' and 'cross_entropy accuracy'",
    }.items():
        said = refused(1, "merge", "a.sketch", f"{name}.sketch", "-o", "n.sketch")
        assert f"{name}.sketch: cannot be merged with a.sketch: {why}" in said
    twice = "f.sketch: has copy.csv (400 points), which is also in a.sketch as s0.csv"
    assert twice in refused(1, "merge", "a.sketch", "f.sketch", "-o", "n.sketch")
    assert "give at least one FILE" in refused(2, "merge", "-o", "n.sketch")
    assert "s0.csv: is not a sketch" in refused(1, "merge", "a.sketch", "s0.csv", "-o", "n.sketch")


def test_what_a_sketch_cannot_answer_is_refused_with_what_it_can(sketched, refused):
    for arguments, code, sentence in (
        (("--a=-9:9:7",), 1, "this sketch answers |a| <= 4 at a tolerance of 1e-09, and the"),
        (("--tolerance=1e-13",), 1, "this sketch answers |a| <= 4 at a tolerance of 1e-09"),
        (("--method", "direct"), 1, "a sketch has no points to sum over"),
        (("--x=q",), 2, "--x, --y and --weight name columns of data; all.sketch is a sketch"),
    ):
        assert sentence in refused(code, "landscape", sketched, *arguments)
    assert "a sketch has none" in refused(2, "optimum", sketched, "--figure", "f.png")


def test_damaged_and_foreign_sketches_are_refused_by_every_command(sketched, refused, tmp_path):
    whole = (tmp_path / sketched).read_bytes()
    (tmp_path / "cut.sketch").write_bytes(whole[:-1])
    (tmp_path / "new.sketch").write_bytes(whole.replace(b"sketch 1 ", b"sketch 2 ", 1))
    (tmp_path / "foreign.sketch").write_text("x,y\n1,0\n")
    for name, sentence in {
        "cut.sketch": "is damaged",
        "new.sketch": "is a sketch of version 2, but this release reads version 1",
        "foreign.sketch": "is not a sketch",
        "missing.sketch": "no such file",
    }.items():
        for words in (("landscape", name), ("optimum", name), ("merge", name, "-o", "n.sketch")):
            assert f"{name}: {sentence}" in refused(1, *words)


def test_an_optimum_steeper_than_the_sketch_is_refused(run, shards, refused):
    assert run("sketch", *shards, "--a=-1:1:3", "--b=0", "-o", "s.sketch")[0] == 0
    sentence = refused(1, "optimum", "s.sketch")
    assert "is at a slope of about 1.2" in sentence
    assert "this sketch answers |a| <= 1 at a tolerance of 1e-09" in sentence


def test_a_sketch_is_known_by_its_content(run, sketched):
    Path("bare").write_bytes(Path(sketched).read_bytes())
    assert (
        run("optimum", "bare")[1].splitlines()[2:] == run("optimum", sketched)[1].splitlines()[2:]
    )
