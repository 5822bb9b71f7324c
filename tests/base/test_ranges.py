import math

import numpy as np
import pytest

from sweep import InputError
from sweep.base.ranges import size_text, size_title, sizes

ASKED = {
    "100": (100,),
    "1e6": (1_000_000,),
    "10,100,1e4,10": (10, 100, 10_000),
    "1e4,10": (10, 10_000),
    "100:1e6:5:log": (100, 1000, 10_000, 100_000, 1_000_000),
    "100:500:5": (100, 200, 300, 400, 500),
    "1:4:9:log": (1, 2, 3, 4),
}


@pytest.mark.parametrize("text", ASKED)
def test_sizes_are_whole_ascending_and_each_once(text):
    found = sizes(text)
    assert found == ASKED[text]
    assert all(type(n) is int for n in found)


def test_sizes_of_numbers():
    assert sizes(7) == (7,)
    assert sizes([1e3, 10]) == (10, 1000)
    assert sizes(np.array([5, 5])) == (5,)


def test_infinity_is_a_size_where_it_may_be_asked_for():
    assert sizes("inf,10", infinite=True) == (10, math.inf)
    with pytest.raises(InputError, match="n holds inf; only finite sizes"):
        sizes("inf,10")


BAD = {
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


@pytest.mark.parametrize("text", BAD)
def test_bad_sizes_are_refused_by_the_name_of_the_option(text):
    with pytest.raises(InputError, match=f"^--n.*{BAD[text]}"):
        sizes(text, "--n", infinite=True)


@pytest.mark.parametrize("bad", [[], [math.nan], [0.5], ["x"]])
def test_what_is_no_size_at_all_is_refused(bad):
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
