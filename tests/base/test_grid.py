import numpy as np
import pytest

from sweep.base.errors import AxisError, InputError
from sweep.base.grid import Grid
from sweep.base.ranges import axis

GOOD = {
    "-5:5:101": np.linspace(-5, 5, 101),
    "0:10:11": np.arange(11.0),
    "-1:0:3": [-1, -0.5, 0],
    "5:-5:3": [5, 0, -5],
    "2:2:1": [2],
    "0:0:1": [0],
    "1:10:2:linear": [1, 10],
    "1e-2:1e2:5:log": [0.01, 0.1, 1, 10, 100],
    "100:1:3:log": [100, 10, 1],
    "-1:-100:3:log": [-1, -10, -100],
    "3:3:1:log": [3],
    "0,1,2.5": [0, 1, 2.5],
    "2,-1,0.5": [2, -1, 0.5],
    "-0.5": [-0.5],
    "0": [0],
}


@pytest.mark.parametrize("text", GOOD)
def test_text_is_an_axis(text):
    points = axis(text)
    np.testing.assert_allclose(points, GOOD[text], rtol=1e-15)
    assert points.dtype == np.float64


@pytest.mark.parametrize("text", ["-5:5:101", "0.1:0.7:7", "1e-3:7:13:log", "7:-1e-3:4"])
def test_both_ends_are_included_to_the_bit(text):
    points = axis(text)
    low, high, count = text.split(":")[:3]
    assert (points[0], points[-1], len(points)) == (float(low), float(high), int(count))


@pytest.mark.parametrize("values", [[0.0, 2, 1], np.array([3]), 1.5, 0, np.float32([1, 2])])
def test_numbers_are_an_axis(values):
    np.testing.assert_array_equal(axis(values), np.atleast_1d(np.asarray(values, float)))


BAD = {
    "5:1:0": "asks for 0 points",
    "5:1:-3": "asks for -3 points",
    "5:1:2.5": "asks for '2.5' points",
    "0:1:" + "9" * 400: "asks for more points",
    "x:y:3": "holds 'x', which is not a number",
    "0:y:3": "holds 'y', which is not a number",
    "0:1": "is not of the form LOW:HIGH:COUNT",
    "0:1:2:3:4": "is not of the form",
    "0:1:5:cubic": "is not of the form",
    "": "holds '', which is not a number",
    "1,,2": "holds '', which is not a number",
    "nan:1:3": "must be a finite number",
    "0:inf:3": "must be a finite number",
    "nan": "must be a finite number",
    "1,inf": "must be a finite number",
    "0:1:1": "cannot include both ends",
    "1:1:5": "cannot include both ends",
    "0:1:5:log": "both ends must be > 0 or both < 0",
    "-1:1:5:log": "both ends must be > 0 or both < 0",
    "0:0:1:log": "both ends must be > 0 or both < 0",
    "-1e308:1e308:5": "spans more than float64 can hold",
}


@pytest.mark.parametrize("text", BAD)
def test_malformed_text_is_refused_with_name_value_and_example(text):
    with pytest.raises(AxisError, match=BAD[text]) as caught:
        axis(text, "--a")
    assert str(caught.value).startswith(f"--a={text} ")
    assert "example: --a=-5:5:101" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], "b is empty"),
        ([1, np.nan], "b holds nan"),
        ([[1, 2]], r"b has shape \(1, 2\)"),
        (["p"], "give numbers or text like -5:5:101"),
        ([1, None], "b holds nan"),
        ([[1], [1, 2]], "numbers or text"),
    ],
)
def test_bad_numbers_are_refused(values, sentence):
    with pytest.raises(AxisError, match=sentence):
        axis(values, "b")


def test_an_axis_beyond_memory_says_how_much_it_would_take():
    with pytest.raises(InputError, match=r"--a=0:1:1000000000 would take 7\.5 GiB .* 4 GiB"):
        axis("0:1:1000000000", "--a")


def test_a_grid_beyond_memory_says_how_much_it_would_take():
    grid = Grid(np.zeros(40_000), np.zeros(25_000))
    assert (grid.shape, grid.cells) == ((40_000, 25_000), 10**9)
    with pytest.raises(InputError, match=r"40000 x 25000 = 1e\+09 cells would take 22\.4 GiB"):
        grid.require_room(3)
    Grid(np.zeros(10_000), np.zeros(10_000)).require_room(3)
