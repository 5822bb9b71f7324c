from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from sweep import Measure, Sample
from sweep.measure.confusion import accuracy
from sweep.optima.population_accuracy import best_intervals
from sweep.populations import CATALOGUE, Normal, Population, Quantile, Uniform
from tests.support.formulas import moved


@cache
def _best_of(law):
    """The measure of a law and its best cuts, found once for all tests."""
    measure = Measure.from_population(law)
    return measure, best_intervals(measure)


def _law(eta, breaks=(), x=None):
    return Population("mine", x or Uniform(), eta, breaks)


def _steps(*pairs):
    """P(y = 1 | x) by steps (x from which on, value), and where they are."""

    def eta(x):
        found = pairs[0][1] + 0 * x
        for at, value in pairs[1:]:
            found = jnp.where(x > at, value, found)
        return found

    return _law(eta, tuple(at for at, _ in pairs[1:]))


S = 0.5**0.5

# The accuracy, the cuts and the constants that are best, each worked out on paper.
PROBLEMS = {
    "eta is 1/2 on an interval": (
        _steps((-1, 0.1), (-0.5, 0.5), (0.5, 0.9)), 0.7, [(-0.5, 0.5, 1)], (),
    ),
    "eta is 1/2 everywhere": (
        _law(lambda x: 0.5 + 0 * x), 0.5, [(-1, 1, -1), (-1, 1, 1)], (0, 1),
    ),
    "even": (
        # {x >= s} with s = sqrt(1/2): right are E(1 - x^2) below s and E x^2 above.
        _law(lambda x: x**2), (S + 1) / 2 - (S**3 + 1) / 6 + (1 - S**3) / 6,
        [(-S, -S, -1), (S, S, 1)], (),
    ),
    "class 0 everywhere": (_law(lambda x: 0 * x), 1.0, [], (0,)),
    "mostly class 1": (_law(lambda x: 0.7 + 0.1 * x), 0.7, [], (1,)),
    "separated": (_steps((-1, 0.0), (0.25, 1.0)), 1.0, [(0.25, 0.25, 1)], ()),
    "separated the other way": (_steps((-1, 1.0), (0.25, 0.0)), 1.0, [(0.25, 0.25, -1)], ()),
    "two steps as good as each other": (
        _steps((-1, 0.2), (-0.5, 0.8), (0, 0.2), (0.5, 0.8)), 0.65,
        [(-0.5, -0.5, 1), (0.5, 0.5, 1)], (),
    ),
    "a cut as good as a constant": (
        _steps((-1, 0.8), (0, 0.2), (0.5, 0.8)), 0.65, [(0, 0, -1)], (1,),
    ),
    "flat at the lower end": (_steps((-1, 0.5), (0, 0.9)), 0.7, [(-1, 0, 1)], (1,)),
    "a cut where x hardly ever is": (
        _law(lambda x: 1 / (1 + jnp.exp(-0.3 * x - 5)), x=Normal()), None, [], (1,),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_worked_out_on_paper(name):
    law, value, cuts, constants = PROBLEMS[name]
    best = best_intervals(Measure.from_population(law))
    if value is not None:
        assert best.optimum.value == pytest.approx(value, abs=1e-14)
    assert best.optimum.constants == constants
    assert [orientation for *_, orientation in best.optimum.cuts] == [o for *_, o in cuts]
    for found, expected in zip(best.optimum.cuts, cuts, strict=True):
        assert found == pytest.approx(expected, abs=1e-12)
        assert all(type(end) is float for end in found[:2])
    assert best.optimum.support == pytest.approx(
        (-1, 1) if isinstance(law.x, Uniform) else best.optimum.support, abs=0
    )


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
def test_no_cut_of_a_fine_grid_is_better(law):
    measure, best = _best_of(law)
    t = np.concatenate([law.x.quantile(np.linspace(1e-6, 1 - 1e-6, 4001)), [-np.inf, np.inf]])
    for orientation in (1, -1):
        found = accuracy(measure, t, np.full(len(t), orientation))
        assert np.all(found <= best.optimum.value + 1e-15)
        for x, value in zip(t[::50], found[::50], strict=True):
            assert best.regret(x, orientation) == pytest.approx(
                best.optimum.value - value, abs=1e-14
            )
            assert best.contains(x, orientation) == (best.distance(x, orientation) == 0)
            assert value > best.optimum.value - 1e-12 or not best.contains(x, orientation)
    for low, high, orientation in best.optimum.cuts:
        for x in {low, low + (high - low) / 3, high}:
            found = accuracy(measure, np.array([x]), np.array([orientation]))[0]
            assert found == pytest.approx(best.optimum.value, abs=1e-14)
            assert best.contains(x, orientation)
            assert best.distance(x, orientation) == 0
    assert best.optimum.value <= best.bayes_accuracy + 1e-15


def test_contains_distance_and_regret_know_gaps_constants_and_orientations():
    gap = best_intervals(Measure.from_population(CATALOGUE["S5"]))
    assert gap.contains(-1.0, 1)
    assert gap.contains(0.999, 1)
    assert not gap.contains(0.0, -1)
    assert gap.distance(1.5, 1) == pytest.approx(0.5)
    assert gap.distance(0.0, -1) == np.inf
    assert gap.regret(0.0, -1) == pytest.approx(2 * gap.optimum.value - 1)
    constant = best_intervals(Measure.from_population(CATALOGUE["W2"]))
    for t, orientation in ((-5 / 3, 1), (-1.0, 1), (-np.inf, 1), (1.0, -1), (np.inf, -1)):
        assert constant.contains(t, orientation)
        assert constant.regret(t, orientation) == 0
    for t, orientation in ((np.inf, 1), (2.0, 1), (-2.0, -1)):
        assert not constant.contains(t, orientation)
        assert constant.regret(t, orientation) == pytest.approx(2 * constant.optimum.value - 1)
    assert constant.distance(0.25, 1) == pytest.approx(1.25)
    assert constant.distance(0.25, -1) == pytest.approx(0.75)


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
@pytest.mark.parametrize(("shift", "scale"), [(0, 1e6), (0, 1e-6), (1e4, 1.0), (-3.7, -0.3)])
def test_cuts_move_with_the_law(law, shift, scale):
    _, one = _best_of(law)
    other = best_intervals(Measure.from_population(moved(law, shift, scale)))
    sign = 1 if scale > 0 else -1
    expected = sorted(
        (*sorted((shift + scale * low, shift + scale * high)), sign * orientation)
        for low, high, orientation in one.optimum.cuts
    )
    assert len(other.optimum.cuts) == len(expected)
    for found, wanted in zip(other.optimum.cuts, expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-11 * (abs(scale) + abs(shift) / 10))
    assert other.optimum.constants == one.optimum.constants
    assert other.optimum.value == pytest.approx(one.optimum.value, abs=1e-12)
    assert other.bayes_accuracy == pytest.approx(one.bayes_accuracy, abs=1e-12)


def test_accuracy_of_cuts_is_that_of_the_points_too():
    sample = Sample([1.0, 2.0, 2.0, 3.0], [0, 0, 1, 1])
    t = np.array([[-np.inf, 1.0, 2.0], [2.5, 3.5, np.inf]])
    found = accuracy(Measure.from_sample(sample), t, np.ones((2, 3), int))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0.75], [0.75, 0.5, 0.5]])
    found = accuracy(Measure.from_sample(sample), t, np.full((2, 3), -1))
    np.testing.assert_array_equal(found, [[0.5, 0.25, 0.25], [0.25, 0.5, 0.5]])


def test_a_plateau_between_undeclared_kinks_is_one_interval():
    def eta(x):
        return 0.5 + 0.3 * jnp.minimum(x + 0.2, 0.0) + 0.3 * jnp.maximum(x - 0.3, 0.0)

    best = best_intervals(Measure.from_population(_law(eta)))
    ((low, high, orientation),) = best.optimum.cuts
    assert (low, high) == pytest.approx((-0.2, 0.3), abs=1e-6)
    assert orientation == 1
    assert not best.optimum.constants


def test_a_cut_with_no_mass_beyond_it_is_not_named_beside_the_constant():
    x = Quantile(lambda u: (1 - u) ** (-1 / 3), (1.0, np.inf))  # of Pareto
    best = best_intervals(Measure.from_population(_law(lambda t: 0.6 + 0.3 / t, x=x)))
    assert best.optimum.cuts == ()
    assert best.optimum.constants == (1,)


def test_a_cut_of_an_even_chance_far_out_is_as_good_as_the_constant():
    far = _law(lambda x: 1 / (1 + jnp.exp(-x - 8)), x=Normal())
    best = best_intervals(Measure.from_population(far))
    assert best.optimum.constants == (1,)
    assert best.optimum.cuts == ()
    assert best.contains(-8.0, 1)
