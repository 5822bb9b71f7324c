import mpmath
import numpy as np
import pytest

import sweep
from sweep import InputError
from sweep.populations import (
    CATALOGUE,
    FAMILIES,
    population,
)

SAME = {
    "W1": ["W1", "w1", " w1 ", "uniform_logit", "uniform_logit()", CATALOGUE["W1"]],
    "W2": ["W2", "uniform_logit(a=0.3,b=0.5)", "uniform_logit(0.3, 0.50)"],
    "W5": ["W5", "two_normals(0.05, 0, 1, 1.5, 1)"],
    "M1": ["M1", sweep.populations.normal_probit(b=0.3), "normal_probit(b=.3)"],
    "S1": ["S1", sweep.populations.normal_probit, "normal_probit"],
    "D7": ["D7", "twice_contaminated_logit"],
}


@pytest.mark.parametrize("key", SAME)
def test_every_way_to_name_a_law_gives_the_same_object(key):
    assert {id(population(asked)) for asked in SAME[key]} == {id(CATALOGUE[key])}


def test_parameters_make_another_law_without_an_id():
    law = sweep.populations.uniform_logit(a=2, low=0)
    assert (law.name, law.id) == ("uniform_logit(a=2,b=0,low=0,high=1)", None)
    assert law.support == (0, 1)
    assert population(law.name) is law
    with mpmath.workdps(30):
        one = float(1 / (1 + mpmath.exp(-1)))
    assert law.probability(np.array([0.5])) == pytest.approx(one, rel=1e-15)


BAD = {
    "W9": "there is no law 'W9'; the known laws are uniform_logit(a=1,b=0,low=-1,high=1), ",
    "": "there is no law ''",
    "unifrom_logit(a=1)": "there is no law 'unifrom_logit'",
    "W1(a=2)": "there is no law 'W1'",
    "uniform_logit(": (
        "does not name a law; write its parameters in one pair of parentheses, such as"
    ),
    "uniform_logit(a=x)": "a=x is not a number; ask for uniform_logit(a=1,b=0,low=-1,high=1)",
    "uniform_logit(c=1)": "uniform_logit has no parameter 'c'; ask for uniform_logit(",
    "uniform_logit(1, a=1)": "uniform_logit has a twice",
    "uniform_logit(a=1, a=1)": "has a twice; give it once",
    "uniform_logit(1,2,3,4,5)": "uniform_logit has 5 parameters; it takes 4",
    "uniform_logit(a=nan)": "a=nan is outside [-1000000, 1000000]",
    "uniform_logit(low=1)": "reaches from low=1 to high=1; give finite numbers, low below high",
    "uniform_step(low=2)": "reaches from low=2 to high=1",
    "uniform_step(above=1.1)": "above=1.1 is outside [0, 1]",
    "normal_logit(sd=0)": "sd=0 is outside [1e-06, 1000000]; ask for normal_logit(",
    "normal_logit(sd=-1)": "sd=-1 is outside",
    "two_normals(prior=0)": "prior=0 is outside [1e-09, 0.999999999]",
    "exponential_step(rate=0)": "rate=0 is outside",
    "uniform_floor_logit(floor=-0.1)": "floor=-0.1 is outside [0, 1]",
    "contaminated_logit(p=2)": "p=2 is outside [0, 1]",
    "twice_contaminated_logit(share0=0.5,share1=0.5)": (
        "share0 + share1 is 1; give shares whose sum is below 1"
    ),
    "gap_cloglog(inner=2)": "has no x; give inner below outer",
    "uniform_cubic(c0=0.9)": "at x = 1; P(y = 1 | x) must be in [0, 1] over the whole",
    "uniform_cubic(c0=0.75,c1=0,c2=-1,c3=0,low=-0.5)": "is -0.25 at x = 1;",
    "uniform_cubic(c0=0.9,c1=0.5,c2=-0.5,c3=0)": "is -0.09999999999999998 at x = -1",
    "uniform_cubic(c0=0.9,c1=0.5,c2=-0.5,c3=0,low=0)": "is 1.025 at x = 0.5",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_texts_are_rejected_in_one_sentence(text):
    with pytest.raises(InputError) as refused:
        population(text)
    assert BAD[text] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_law_lists_every_law_with_its_parameters_and_the_ids():
    with pytest.raises(InputError) as refused:
        population("normal")
    for family in FAMILIES.values():
        assert family.signature in str(refused.value)
    assert str(refused.value).endswith(", ".join(CATALOGUE))
