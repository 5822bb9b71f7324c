import math

import numpy as np
import pytest

from sweep.base.errors import AxisError, InputError
from sweep.base.ranges import axis, pair, size_text, size_title, sizes, whole_number

AXES = {
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


@pytest.mark.parametrize("text", AXES)
def test_text_is_an_axis(text):
    points = axis(text)
    np.testing.assert_allclose(points, AXES[text], rtol=1e-15)
    assert points.dtype == np.float64


@pytest.mark.parametrize("text", ["-5:5:101", "0.1:0.7:7", "1e-3:7:13:log", "7:-1e-3:4"])
def test_both_ends_are_included_to_the_bit(text):
    points = axis(text)
    low, high, count = text.split(":")[:3]
    assert (points[0], points[-1], len(points)) == (float(low), float(high), int(count))


@pytest.mark.parametrize("values", [[0.0, 2, 1], np.array([3]), 1.5, 0, np.float32([1, 2])])
def test_numbers_are_an_axis(values):
    np.testing.assert_array_equal(axis(values), np.atleast_1d(np.asarray(values, float)))


BAD_AXES = {
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
    "1_000,2": "holds '1_000', which is not a number",
    "0:1_0:3": "holds '1_0', which is not a number",
    "0:1:1_0": "asks for '1_0' points",
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


@pytest.mark.parametrize("text", BAD_AXES)
def test_malformed_text_is_refused_with_name_value_and_example(text):
    with pytest.raises(AxisError, match=BAD_AXES[text]) as caught:
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


def test_pairs():
    assert pair("-3,2.5", "--start", "0,1") == (-3, 2.5)
    assert pair("-8:8", "--range", "0:1") == (-8, 8)
    for text, sentence in (
        ("1", "--start=1 is not a pair"),
        ("1,2,3", "is not a pair"),
        ("1,x", "holds 'x', which is not a number"),
        ("nan,1", "must be a finite number"),
        ("1_0,1", r"holds '1_0', which is not a number \(example: --start=0,1\)"),
    ):
        with pytest.raises(AxisError, match=sentence):
            pair(text, "--start", "0,1")


def test_an_axis_beyond_memory_says_how_much_it_would_take():
    with pytest.raises(InputError, match=r"--a=0:1:1000000000 would take 7\.5 GiB .* 4 GiB"):
        axis("0:1:1000000000", "--a")


SIZES = {
    "100": (100,),
    "1e6": (1_000_000,),
    "10,100,1e4,10": (10, 100, 10_000),
    "1e4,10": (10, 10_000),
    "100:1e6:5:log": (100, 1000, 10_000, 100_000, 1_000_000),
    "100:500:5": (100, 200, 300, 400, 500),
    "1:4:9:log": (1, 2, 3, 4),
}


@pytest.mark.parametrize("text", SIZES)
def test_sizes_are_whole_ascending_and_each_once(text):
    values = sizes(text)
    assert values == SIZES[text]
    assert all(type(n) is int for n in values)


def test_sizes_of_numbers():
    assert sizes(7) == (7,)
    assert sizes([1e3, 10]) == (10, 1000)
    assert sizes(np.array([5, 5])) == (5,)


def test_infinity_is_a_size_where_it_is_allowed():
    assert sizes("inf,10", infinite=True) == (10, math.inf)
    with pytest.raises(InputError, match="n holds inf; only finite sizes"):
        sizes("inf,10")


BAD_SIZES = {
    "abc": "holds 'abc', which is not a number",
    "": "holds '', which is not a number",
    "1_0": "holds '1_0'",
    "nan": "holds 'nan'",
    "2.5": "holds 2.5; a size is a whole number of points",
    "0": "holds 0; a size",
    "1e30": r"holds 1e\+30; a size is a whole number of points, at least 1 and at most 9007",
    "-3": "holds -3; a size",
    "1e20": "holds 1e\\+20; a size",
    "1:2": "is not of the form LOW:HIGH:COUNT:log",
    "1:9:3:lin": "is not of the form",
    "9:1:3:log": "1 <= LOW < HIGH",
    "0:9:3:log": "1 <= LOW < HIGH",
    "1:inf:3:log": "1 <= LOW < HIGH",
    "1:9:1:log": "a whole COUNT from 2 to 1000",
    "1:9:2.5:log": "a whole COUNT",
    "1:9:inf:log": "a whole COUNT",
}


@pytest.mark.parametrize("text", BAD_SIZES)
def test_bad_sizes_are_refused_by_the_name_of_the_option(text):
    with pytest.raises(InputError, match=f"^--n.*{BAD_SIZES[text]}"):
        sizes(text, "--n", infinite=True)


@pytest.mark.parametrize("bad", [[], [math.nan], [0.5], ["x"]])
def test_values_that_are_not_sizes_are_refused(bad):
    with pytest.raises(InputError):
        sizes(bad)


@pytest.mark.parametrize("n", [1, 10, 316, 1000, 10_000, 31_623, 100_000, 123_000, 10**6, 2**31])
def test_texts_of_sizes_are_exact_and_short(n):
    assert sizes(size_text(n)) == (n,)
    assert len(size_text(n)) <= len(str(n))


def test_titles_of_sizes():
    titles = [size_title(n) for n in (10, 10_000, 1_200_000, math.inf)]
    assert titles == ["n = 10", "n = 1e4", "n = 1.2e6", "n = ∞"]
    assert size_text(math.inf) == "inf"


@pytest.mark.parametrize("value", [2, 2.0, np.int64(2), np.float64(2)])
def test_whole_numbers_may_be_floats(value):
    number = whole_number("count", value, 1)
    assert number == 2
    assert type(number) is int


@pytest.mark.parametrize("value", [0, 2.5, 11, True, "2", None, math.nan, math.inf])
def test_other_values_are_not_whole_numbers(value):
    with pytest.raises(InputError, match=r"count is .*; a whole number from 1 to 10 is needed"):
        whole_number("count", value, 1, 10)
