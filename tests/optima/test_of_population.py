import json
import math
from pathlib import Path

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq

import sweep
from sweep import InputError, Measure, populations
from sweep.optima.records import OptimumStatus
from sweep.populations import CATALOGUE, Normal, Population, Quantile, Uniform
from tests.support.formulas import FORMULAS, moved

THEORY = json.loads((Path(__file__).parents[1] / "reference" / "theory.json").read_text())
POPULATIONS = THEORY["populations"]
ABSOLUTE = 1e-10

SHARED = {"W1", "W2", "W3", "W4", "W5", "W6", "S1", "S2", "S3", "S4", "S5"}

# Where eta crosses 1/2 at the most accurate cut, for the rows without a reference.
BRACKETS = {"W3": (-1, 2), "W6": (-1, 2), "D2": (1, 2), "D4": (-1, 1), "D7": (-1, 2),
            "S3": (-1, 2), "S4": (0, 2)}  # fmt: skip


@pytest.fixture(scope="module")
def optima():
    return {name: sweep.optimum(law) for name, law in CATALOGUE.items()}


@pytest.mark.parametrize("name", POPULATIONS)
def test_rows_of_theory(name, optima):
    row, found = POPULATIONS[name], optima[name]
    ce = found.cross_entropy
    numbers = {
        "a_star": ce.a,
        "b_star": ce.b,
        "CE_star": ce.value,
        "CE_cut": ce.cut,
        "acc_star": found.accuracy.value,
        "acc_at_CE": found.accuracy.value - found.regret,
        "regret_CE": found.regret,
        "eta_at_CE_cut": found.eta_excess + 0.5,
    }
    for key, value in numbers.items():
        assert value == pytest.approx(float(row[key]), rel=0, abs=ABSOLUTE), key
    assert ce.orientation == row["CE_orientation"]
    # These two are rounded to nine digits at least.
    assert found.bayes_accuracy == pytest.approx(row["bayes_accuracy_unrestricted"], abs=1e-9)
    assert found.conditional_entropy == pytest.approx(row["conditional_entropy"], abs=1e-11)


CUTS = {
    "W2": [],
    "D6": [(-math.sqrt(0.4), -math.sqrt(0.4), 1), (math.sqrt(0.4), math.sqrt(0.4), 1)],
    "S5": [(-1, 1, 1)],
    "D5": [(1, 1, 1)],
} | {
    name: [(float(row["acc_cut"]), float(row["acc_cut"]), 1)]
    for name, row in POPULATIONS.items()
    if name not in ("W2", "D6", "S5")
}


@pytest.mark.parametrize("name", CUTS)
def test_the_set_of_the_most_accurate_cuts(name, optima):
    accuracy = optima[name].accuracy
    assert len(accuracy.cuts) == len(CUTS[name])
    for found, expected in zip(accuracy.cuts, CUTS[name], strict=True):
        assert found == pytest.approx(expected, rel=0, abs=ABSOLUTE)
    assert accuracy.constants == ((1,) if name == "W2" else ())


@pytest.mark.parametrize("name", CATALOGUE)
def test_which_laws_share_their_optima(name, optima):
    found = optima[name]
    assert found.shared is (name in SHARED)
    assert (found.regret == 0) is (name in SHARED)
    assert (found.distance == 0) is (name in SHARED)
    assert found.n == math.inf
    assert found.law == CATALOGUE[name].name
    if name not in ("S2", "S5", "D3", "D7"):  # where eta jumps, x never is, or the cut is reversed
        assert (abs(found.eta_excess) < 1e-9) is (name in SHARED or name == "D6")


@pytest.mark.parametrize("name", FORMULAS)
def test_cross_entropy_is_least_where_its_gradient_is_0_by_independent_quadrature(name, optima):
    formula, ce = FORMULAS[name], optima[name].cross_entropy
    assert formula.gradient(ce.a, ce.b) == pytest.approx((0, 0), abs=2e-12)
    assert ce.value == pytest.approx(formula.cross_entropy(ce.a, ce.b), rel=0, abs=1e-12)


@pytest.mark.parametrize("name", BRACKETS)
def test_the_most_accurate_cut_is_the_root_of_eta_by_independent_means(name, optima):
    formula, found = FORMULAS[name], optima[name]
    root = brentq(lambda x: formula.eta(x) - 0.5, *BRACKETS[name], xtol=1e-15)
    ((low, high, orientation),) = found.accuracy.cuts
    assert (low, high, orientation) == pytest.approx((root, root, 1), abs=1e-12)
    assert found.accuracy.value == pytest.approx(formula.accuracy(1.0, -root), abs=1e-12)
    ce = found.cross_entropy
    assert found.accuracy.value - found.regret == pytest.approx(
        formula.accuracy(ce.a, ce.b), abs=1e-12
    )
    bayes = formula.mean(lambda x: max(formula.eta(x), 1 - formula.eta(x)), root, ce.cut)
    assert found.bayes_accuracy == pytest.approx(bayes, abs=1e-9)


def test_hard_rows_to_thirty_digits(optima):
    # D5: x ~ Exp(1), eta = .1 + .8 * 1{x > 1}. The gradient in closed pieces, by mpmath.
    with mpmath.workdps(30):
        a, b = (mpmath.mpf(v) for v in (optima["D5"].cross_entropy.a, optima["D5"].cross_entropy.b))
        for power in (0, 1):
            gradient = sum(
                mpmath.quad(
                    lambda x, k=power, e=eta: (
                        x**k * (1 / (1 + mpmath.exp(-a * x - b)) - e) * mpmath.exp(-x)
                    ),
                    ends,
                )
                for eta, ends in ((mpmath.mpf("0.1"), [0, 1]), (mpmath.mpf("0.9"), [1, 5, 80]))
            )
            assert abs(gradient) < 1e-14
    # D7: what the contamination on either side turns around.
    d7 = optima["D7"]
    assert d7.cross_entropy.orientation == -1
    assert d7.distance == math.inf
    assert d7.accuracy.cuts[0][2] == 1


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize(("shift", "scale"), [(0, 1e6), (0, 1e-6), (1e4, 1.0), (1e4, 1e3), (0, -1)])
def test_the_optimum_moves_with_the_law(name, shift, scale, optima):
    one, other = optima[name], sweep.optimum(moved(CATALOGUE[name], shift, scale))
    # Neighbouring floats at 1e4 are 1.8e-12 apart; D3 has its cut twelve deviations away.
    slack = 1e-10 if shift else 1e-12
    assert other.cross_entropy.a * scale == pytest.approx(one.cross_entropy.a, abs=slack)
    assert (other.cross_entropy.cut - shift) / scale == pytest.approx(
        one.cross_entropy.cut, abs=slack
    )
    for attribute in ("regret", "bayes_accuracy", "conditional_entropy", "eta_excess"):
        expected = getattr(one, attribute)
        assert getattr(other, attribute) == pytest.approx(expected, abs=slack), attribute
    assert other.cross_entropy.value == pytest.approx(one.cross_entropy.value, abs=slack)
    assert other.shared == one.shared
    assert other.distance == pytest.approx(abs(scale) * one.distance, abs=slack * abs(scale))


def test_a_slope_that_is_steep_beside_the_spread_of_x_is_found():
    law = Population("steep", Normal(), lambda x: 1 / (1 + jnp.exp(-1e5 * x + 3e4)))
    found = sweep.optimum(law)
    assert found.cross_entropy.a == pytest.approx(1e5, rel=1e-10)
    assert found.cross_entropy.cut == pytest.approx(0.3, abs=1e-12)
    assert found.shared


def test_classes_that_hardly_overlap_are_rejected():
    with pytest.raises(InputError, match="overlap so little that cross-entropy falls below 1e-10"):
        sweep.optimum(populations.two_normals(mean1=30))
    found = sweep.optimum(populations.two_normals(mean0=-5, mean1=5, prior=0.5))
    assert found.cross_entropy.a == pytest.approx(10, abs=1e-6)


@pytest.mark.parametrize(
    "law",
    [
        populations.uniform_logit(low=1e4, high=10001.0, b=-10000.5),
        populations.uniform_step(low=-1e5, high=3e5, at=1e5),
        populations.normal_logit(mean=1e4, b=-1e4),
        populations.exponential_step(rate=1e6, at=1e-6),
        populations.gap_cloglog(inner=1e6 / 2, outer=1e6, a=3e-6),
    ],
    ids=str,
)
def test_laws_of_the_families_are_integrated_far_from_0_and_on_any_scale(law):
    found = sweep.optimum(law)
    measure = Measure.from_population(law)
    ce = found.cross_entropy
    mean = sum(
        float(np.sum(p.mass * np.logaddexp(0, sign * (ce.a * p.x + ce.b))))
        for p, sign in ((measure.class0, 1), (measure.class1, -1))
    )
    assert mean == pytest.approx(ce.value, abs=1e-11)
    assert found.conditional_entropy <= ce.value + 1e-12
    assert found.accuracy.value <= found.bayes_accuracy + 1e-13


def test_laws_whose_optimum_does_not_exist_or_has_no_cut_say_so():
    separated = sweep.optimum(
        Population("s", Uniform(), lambda x: jnp.where(x > 0, 1.0, 0.0), (0.0,))
    )
    assert separated.cross_entropy.status is OptimumStatus.separated
    assert (separated.accuracy.value, separated.shared) == (1.0, None)
    assert separated.accuracy.cuts == ((0.0, 0.0, 1),)
    one = sweep.optimum(Population("o", Uniform(), lambda x: 0 * x))
    assert one.cross_entropy.status.name == "one_class"
    even = sweep.optimum(Population("e", Uniform(), lambda x: x**2))
    assert even.cross_entropy.a == pytest.approx(0, abs=1e-14)
    assert even.cross_entropy.b == pytest.approx(math.log(1 / 2), abs=1e-14)
    assert even.shared is False


def test_a_law_of_your_own_and_its_measure_have_the_same_optimum():
    logistic = Quantile(lambda u: jnp.log(u) - jnp.log1p(-u), (-math.inf, math.inf))
    law = Population("mine", logistic, lambda x: 1 / (1 + jnp.exp(1 - 2 * x)))
    found = sweep.optimum(law)
    assert (found.cross_entropy.a, found.cross_entropy.b) == pytest.approx((2, -1), abs=1e-12)
    assert found.shared
    assert sweep.optimum(Measure.from_population(law)) == found


def test_to_dict_is_what_json_can_hold(optima):
    for found in optima.values():
        read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert read["n"] is None  # as every infinity
        assert read["law"] == found.law
        assert read["bayes_accuracy"] == found.bayes_accuracy


FAINT = {  # the crossing of P(y = 1 | x) = 1/2 of laws that share their optima
    "a root of multiplicity 3": (populations.uniform_cubic(c1=0, c3=0.4), 0.0),
    "such a root elsewhere": (
        Population("mine", Uniform(-0.7, 1.3), lambda x: 0.5 + 0.2 * (x - 0.3) ** 3), 0.3,
    ),
    "a small slope": (populations.uniform_logit(a=1e-7, b=3e-8), -0.3),
    "a small slope with tails": (populations.normal_logit(a=1e-8, b=4e-9), -0.4),
}  # fmt: skip


@pytest.mark.parametrize("name", FAINT)
def test_a_crossing_that_rounding_hides_is_shared(name):
    law, cut = FAINT[name]
    found = sweep.optimum(law)
    assert found.shared
    assert found.regret == found.distance == 0
    assert found.cross_entropy.cut == pytest.approx(cut, abs=1e-7)


def test_a_regret_below_rounding_is_no_sharing_where_eta_is_not_one_half():
    moved_a_little = Population("mine", Uniform(), lambda x: 0.5 + 0.25 * x + 1e-7 * x**2)
    found = sweep.optimum(moved_a_little)
    assert not found.shared
    assert found.distance > 1e-8
    limit = sweep.limits(moved_a_little, found).of("gap")
    assert found.regret < 1e-13
    assert limit.exponent is limit.constant is None
    assert "less than rounding" in limit.note
