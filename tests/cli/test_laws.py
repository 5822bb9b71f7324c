"""`sweep landscape` and `sweep optimum` of laws in place of files."""

import json
import math

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep import populations
from sweep.populations import sampling

GRID = ("--a=-2:4:7", "--b=-3:3:5")


def test_a_landscape_of_a_sample_of_a_law_is_that_of_the_sample(run, tmp_path):
    code, out, err = run(
        "landscape", "--population", "W5", "--n", "1e3", "--seed", "3", *GRID, "--out", "r.nc"
    )
    assert (code, err) == (0, "")
    assert "W5 = two_normals(" in out
    assert "n = 1000, seed 3" in out
    sample = sampling.sample(populations.CATALOGUE["W5"], 1000, seed=3)
    expected = sweep.landscape(sample, "-2:4:7", "-3:3:5")
    with xr.open_dataset(tmp_path / "r.nc") as read:
        np.testing.assert_array_equal(read.correct.values, expected.correct.values)
        assert read.attrs["population"] == populations.CATALOGUE["W5"].name
        assert read.attrs["seed"] == 3


def test_a_landscape_of_a_law_is_that_of_infinity_unless_sizes_are_given(run):
    code, out, _ = run("landscape", "--population", "uniform_logit(a=1)", *GRID, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["attrs"]["n"] is None
    assert "seed" not in document["attrs"]
    expected = sweep.landscape(populations.uniform_logit(1), "-2:4:7", "-3:3:5")
    assert document["data_vars"]["accuracy"]["data"] == expected.accuracy.values.tolist()


def test_several_sizes_become_one_result_and_one_figure(run, tmp_path):
    options = ("--n", "10,100,inf", "--out", "r.nc", "--figure", "f.png")
    code, out, err = run("landscape", "--population", "W5", *GRID, *options)
    assert (code, err) == (0, "")
    assert [f"n = {n}" in out for n in ("10, seed 0", "100, seed 0", "inf")] == [True] * 3
    assert max(len(line) for line in out.splitlines()) <= 80
    with xr.open_dataset(tmp_path / "r.nc") as read:
        assert read.cross_entropy.dims == ("n", "a", "b")
        assert read.n.values.tolist() == [10, 100, math.inf]
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_the_optimum_of_a_law_in_words_and_as_json(run):
    code, out, err = run("optimum", "--population", "D7")
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "a = -0.104664585922, b = 0" in out
    assert "highest accuracy      0.688731386108, for:" in out
    assert "the cut 0, class 1 above" in out
    assert "of any classifier     0.848687672983 (Bayes)" in out
    assert "P(y=1|x) less 1/2     0 at the cut" in out
    assert "accuracy is lower by 0.377463" in " ".join(out.split())
    assert "no best cut has class 1 on the same side" in " ".join(out.split())
    document = json.loads(run("optimum", "--population", "d1", "--json")[1])
    assert document["n"] is None
    assert document["regret"] == pytest.approx(0.001424983761)
    assert document["eta_excess"] < -0.04


def test_the_optimum_of_a_sample_of_a_law_is_that_of_the_sample(run):
    code, out, _ = run("optimum", "--population", "W1", "--n", "500", "--seed", "7", "--json")
    assert code == 0
    expected = sweep.optimum(sampling.sample(populations.CATALOGUE["W1"], 500, seed=7))
    assert json.loads(out) == expected.to_dict()


@pytest.mark.parametrize("command", ["landscape", "optimum"])
def test_a_file_and_a_law_exclude_each_other(refused, tmp_path, command):
    (tmp_path / "d.csv").write_text("x,y\n0,0\n1,1\n2,0\n")
    error = refused(2, command, "d.csv", "--population", "W1")
    assert error == "sweep: DATA (d.csv) and --population exclude each other; give one\n"
    assert "give a file of DATA, or a law with --population" in refused(2, command)
    assert "--n needs --population" in refused(2, command, "d.csv", "--n", "10")
    assert "--seed needs --population" in refused(2, command, "d.csv", "--seed", "1")
    assert "columns of DATA" in refused(2, command, "--population", "W1", "--x", "score")


BAD_LAWS = {
    "unknown": ("Q9", "there is no law 'Q9'; the known laws are uniform_logit(a=1,b=0,"),
    "unknown parameter": ("uniform_logit(c=1)", "has no parameter 'c'; ask for uniform_logit(a=1,"),
    "out of range": ("normal_logit(sd=0)", "sd=0 is outside"),
    "no probability": ("uniform_cubic(c0=2)", "P(y = 1 | x) must be in [0, 1]"),
    "parentheses": ("uniform_logit(a=1", "one pair of parentheses"),
}


@pytest.mark.parametrize("name", BAD_LAWS)
def test_laws_that_are_none_are_refused(refused, name):
    law, sentence = BAD_LAWS[name]
    for command in (("landscape", "--population", law), ("optimum", "--population", law)):
        assert sentence in refused(1, *command, "--out", "r.nc")
    assert sentence in refused(1, "study", law, "--out", "folder")


@pytest.mark.parametrize("n", ["2.5", "0", "abc", "1:2", "1e20"])
def test_sizes_that_are_none_are_refused(refused, n):
    assert "--n" in refused(1, "landscape", "--population", "W1", f"--n={n}", "--out", "r.nc")


def test_an_optimum_is_of_one_size_and_figures_of_it_of_a_sample(refused):
    assert "one size" in refused(2, "optimum", "--population", "W1", "--n", "10,100")
    error = refused(2, "optimum", "--population", "W1", "--figure", "f.png")
    assert "give a finite --n" in error


def test_a_sample_that_does_not_fit_into_memory_is_refused(refused):
    error = refused(1, "landscape", "--population", "W1", "--n", "1e9")
    assert "a sample of 1e+09 points would take 14.9 GiB" in error
