import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

import sweep
from sweep.asymptotics.limits import MEAN_HEIGHT, MEAN_SIZE, QUANTITIES, VARIANCE, limits
from sweep.populations import CATALOGUE, Mixture, Population, Quantile, Uniform, population
from tests.optima.test_of_population import POPULATIONS, THEORY
from tests.support.formulas import FORMULAS, moved

RELATIVE = 1e-6


@pytest.fixture(scope="module")
def theories():
    return {name: limits(law, sweep.optimum(law)) for name, law in CATALOGUE.items()}


def test_constants_are_those_of_chernoff():
    row = THEORY["chernoff"]
    assert pytest.approx(float(row["VarZ"]), rel=1e-14) == VARIANCE
    assert pytest.approx(float(row["EabsZ"]), rel=1e-14) == MEAN_SIZE
    assert pytest.approx(float(row["EM_t2"]), rel=1e-14) == MEAN_HEIGHT


@pytest.mark.parametrize("name", POPULATIONS)
def test_rows_of_theory(name, theories):
    row, theory = POPULATIONS[name], theories[name]
    for key, value in (
        ("avar_a", theory.avar_a),
        ("avar_b", theory.avar_b),
        ("avar_sqrtn_CE_cut", theory.avar_cut),
    ):
        assert value == pytest.approx(row[key], rel=RELATIVE), key
    law = row["asymptotic"]
    if law is None:
        assert theory.crossing is None
        return
    numbers = {
        "f": theory.density,
        "eta_prime": theory.slope,
        "chernoff_scale": theory.chernoff_scale,
        "E_abs_cut_n13": theory.of("cut_error_accuracy").constant,
        "regERM_n23": theory.of("regret_accuracy").constant,
    }
    if "regCE_n1" in law:
        numbers["regCE_n1"] = theory.of("regret_cross_entropy").constant
        numbers["gap_n23"] = theory.of("gap").constant
        numbers["gap_corr_n1"] = theory.of("gap").second
    for key, value in numbers.items():
        assert value == pytest.approx(law[key], rel=RELATIVE), key


def test_limits_of_the_laws_that_are_not_smooth(theories):
    w2, s2 = THEORY["limits"]["W2"], THEORY["limits"]["S2"]
    gap, shared = theories["W2"].of("gap"), theories["W2"].of("shared")
    assert (gap.exponent, shared.exponent) == (-1, 0)
    assert gap.constant == pytest.approx(w2["n_gap_limit"], rel=RELATIVE)
    assert shared.constant == pytest.approx(w2["P_gap0_limit"], rel=RELATIVE)
    assert theories["W2"].of("regret_cross_entropy").exponent is None
    for quantity in ("regret_cross_entropy", "gap"):
        limit = theories["S2"].of(quantity)
        assert limit.exponent == -1 / 2
        assert limit.constant == pytest.approx(s2["n_half_regCE"], rel=RELATIVE)


EXPONENTS = {  # cut and regret of accuracy, regret of cross-entropy, gap
    **dict.fromkeys(["W1", "W3", "W4", "W5", "W6", "S1", "S3", "S4"], (-1 / 3, -2 / 3, -1, -2 / 3)),
    **dict.fromkeys(["M1", "D1", "D2", "D3", "D4", "D6", "D7"], (-1 / 3, -2 / 3, 0, 0)),
    **dict.fromkeys(["W2", "S5"], (-1, -1, None, -1)),
    "S2": (-1, -1, -1 / 2, -1 / 2),
    "D5": (-1, -1, 0, 0),
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_exponents(name, theories):
    theory = theories[name]
    names = ("cut_error_accuracy", "regret_accuracy", "regret_cross_entropy", "gap")
    assert tuple(theory.of(quantity).exponent for quantity in names) == EXPONENTS[name]
    assert tuple(limit.quantity for limit in theory.limits) == QUANTITIES
    for limit in theory.limits:
        assert limit.note.endswith(".")
    if EXPONENTS[name][3] == 0:
        best = sweep.optimum(CATALOGUE[name])
        assert (
            theory.of("gap").constant == theory.of("regret_cross_entropy").constant == best.regret
        )


NEXT = {  # regret of cross-entropy and gap, of laws that do not share their optima
    **dict.fromkeys(["M1", "D1", "D2", "D3", "D4", "D7"], (-1, -2 / 3)),
    "D5": (-1, -1),
    "D6": (-1, -1 / 2),
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_tends_to_a_constant_has_a_next_exponent(name, theories):
    names = ("regret_cross_entropy", "gap")
    next_ones = tuple(theories[name].of(quantity).next_exponent for quantity in names)
    assert next_ones == NEXT.get(name, (None, None))


@pytest.mark.parametrize("name", FORMULAS)
def test_the_sandwich_is_that_of_independent_quadrature(name, theories):
    formula, ce = FORMULAS[name], sweep.optimum(CATALOGUE[name]).cross_entropy
    near = [(z - ce.b) / ce.a for z in (-40, -10, 0, 10, 40)]

    def p(x):
        return 1 / (1 + np.exp(-ce.a * x - ce.b))

    def matrix(weight):
        entries = [formula.mean(lambda x, k=k: weight(x) * x**k, *near) for k in (2, 1, 0)]
        return np.array([entries[:2], entries[1:]])

    def squared_gradient(x):
        eta = formula.eta(x)
        return eta * (1 - p(x)) ** 2 + (1 - eta) * p(x) ** 2

    inverse = np.linalg.inv(matrix(lambda x: p(x) * (1 - p(x))))
    variance = inverse @ matrix(squared_gradient) @ inverse
    gradient = np.array([ce.b / ce.a**2, -1 / ce.a])
    theory = theories[name]
    assert (theory.avar_a, theory.avar_b) == pytest.approx(tuple(np.diag(variance)), rel=1e-8)
    assert theory.avar_cut == pytest.approx(gradient @ variance @ gradient, rel=1e-8)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize(("shift", "scale"), [(0, 1e6), (0, 1e-6), (1e4, 1.0), (0, -1.0)])
def test_limits_move_with_the_law(name, shift, scale, theories):
    law = moved(CATALOGUE[name], shift, scale)
    theory, other = theories[name], limits(law, sweep.optimum(law))
    assert other.avar_a * scale**2 == pytest.approx(theory.avar_a, rel=1e-7)
    assert other.avar_cut / scale**2 == pytest.approx(theory.avar_cut, rel=1e-7)
    size = {"cut_error_cross_entropy": abs(scale), "cut_error_accuracy": abs(scale)}
    for limit in theory.limits:
        same = other.of(limit.quantity)
        assert same.exponent == limit.exponent
        assert (same.constant is None) == (limit.constant is None)
        if limit.constant is not None:
            expected = limit.constant * size.get(limit.quantity, 1.0)
            assert same.constant == pytest.approx(expected, rel=1e-6)
        if limit.second is not None:
            assert same.second == pytest.approx(limit.second, rel=1e-6)


def _in_two_parts(rng, n):
    return rng.uniform(1, 2, n) * rng.choice([-1, 1], n)


def _gaps(name, n, replicates):
    """The n * gap of samples of S5 or W2, whose sample cuts stay inside their optimal set."""
    rng = np.random.default_rng(0)
    law = CATALOGUE[name]
    for _ in range(replicates):
        x = np.sort(rng.uniform(-1, 1, n) if name == "W2" else _in_two_parts(rng, n))
        y = rng.uniform(size=n) < law.probability(x)
        below1 = np.concatenate([[0], np.cumsum(y)])
        below0 = np.arange(n + 1) - below1
        right = below0 + (below1[-1] - below1)  # {x >= t}
        at_optimum = right[np.searchsorted(x, 0.0 if name == "S5" else -1.0)]
        yield max(np.max(right), np.max(n - right)) - at_optimum


# The walks of W2 are long, for it hardly favours a class at its lower end.
@pytest.mark.parametrize(("name", "n", "replicates"), [("S5", 3000, 2000), ("W2", 60000, 1000)])
def test_random_walks_at_the_ends_of_the_set_are_what_samples_show(name, n, replicates, theories):
    gaps = np.array(list(_gaps(name, n, replicates)))
    error = gaps.std() / math.sqrt(len(gaps))
    assert gaps.mean() == pytest.approx(theories[name].of("gap").constant, abs=5 * error)
    share = theories[name].of("shared").constant
    assert np.mean(gaps == 0) == pytest.approx(share, abs=0.04)


def _of(eta, breaks=()):
    law = Population("mine", Uniform(), eta, breaks)
    return limits(law, sweep.optimum(law))


OTHERS = {
    "a kink at the crossing": (
        lambda x: 0.5 + 0.2 * jnp.where(x > 0, x, 2 * x), (0.0,), "jump or a kink",
    ),
    "no slope at the crossing": (lambda x: 0.5 + 0.4 * x**3, (0.0,), "with a slope"),
    "1/2 on an interval": (
        lambda x: jnp.where(x > 0.5, 0.9, jnp.where(x < -0.5, 0.1, 0.5)), (-0.5, 0.5), "interval",
    ),
    "a jump to 1/2": (
        lambda x: jnp.where(x > 0, 0.5 + 0.1 * x, 0.2), (0.0,), "jumps to 1/2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_where_theory_has_no_constant_a_sentence_says_why(name):
    eta, breaks, words = OTHERS[name]
    limit = _of(eta, breaks).of("regret_accuracy")
    assert (limit.exponent, limit.constant) == (None, None)
    assert words in limit.note


STEEP = {
    "uniform_logit(a=3000)": (1.0 / 2, 3000 / 4),
    "mixture_floor_logit(a=4,mean0=-1000,mean1=1000,sd0=300,sd1=300)": (None, None),
}


@pytest.mark.parametrize("text", STEEP)
def test_a_steep_crossing_is_no_jump(text):
    density, slope = STEEP[text]
    law = population(text)
    theory = limits(law, sweep.optimum(law))
    names = ("cut_error_accuracy", "regret_accuracy", "regret_cross_entropy", "gap")
    assert tuple(theory.of(name).exponent for name in names) == (-1 / 3, -2 / 3, -1, -2 / 3)
    if density is not None:
        assert (theory.density, theory.slope) == pytest.approx((density, slope), rel=1e-9)


@pytest.mark.parametrize("text", ["uniform_logit(a=1000000)", "uniform_step()"])
def test_a_jump_is_told_from_the_steepest_slope(text):
    law = population(text)
    jumps = limits(law, sweep.optimum(law)).of("cut_error_accuracy").exponent == -1
    assert jumps == (text == "uniform_step()")


def test_a_cut_outside_all_x_has_a_limit(theories):
    for name in ("W2", "D3"):
        theory = theories[name].of("cut_error_cross_entropy")
        assert theory.exponent == -1 / 2
        assert theory.constant == pytest.approx(math.sqrt(2 * theories[name].avar_cut / math.pi))


def test_where_there_is_no_cut_or_no_label_to_tell_there_is_no_limit():
    even = _of(lambda x: 0.5 + 0 * x)
    assert even.of("shared").constant is None
    assert "every cut" in even.of("shared").note
    level = _of(lambda x: 0.5 + 0.4 * jnp.cos(3 * x))
    assert level.of("cut_error_cross_entropy").constant is None
    assert _of(lambda x: jnp.where(x > 0, 1.0, 0.0), (0.0,)).of("shared").constant is None


def _mixed(parts, eta, breaks):
    weights, laws = zip(*parts, strict=True)
    law = Population("mine", Mixture(weights, laws), eta, breaks)
    return limits(law, sweep.optimum(law))


def test_a_gap_that_goes_on_as_a_plateau_is_no_gap():
    theory = _mixed(
        [(0.5, Uniform(-2, -1)), (0.25, Uniform(1, 1.2)), (0.25, Uniform(1.2, 2))],
        lambda x: jnp.where(x < 0, 0.2, jnp.where(x < 1.2, 0.5, 0.9)),
        (0.0, 1.2),
    )
    assert theory.of("cut_error_accuracy").exponent is None
    assert "whole interval" in theory.of("gap").note


def test_a_set_at_whose_end_x_has_no_density_has_no_exponent():
    x = Quantile(lambda u: jnp.sqrt(u), (0.0, 1.0))  # its density falls to 0 at 0
    law = Population("mine", x, lambda y: 0.7 + 0.1 * y)
    theory = limits(law, sweep.optimum(law))
    assert theory.of("cut_error_accuracy").exponent is None
    assert "falls to 0" in theory.of("cut_error_accuracy").note


def test_the_source_of_a_term_derived_here_is_named(theories):
    assert "derived here" in theories["W1"].of("gap").note


def test_laws_without_an_optimum_of_cross_entropy_have_no_limits_of_it():
    theory = _of(lambda x: jnp.where(x > 0, 1.0, 0.0), (0.0,))
    assert math.isnan(theory.avar_a)
    for quantity in ("cut_error_cross_entropy", "regret_cross_entropy", "gap"):
        assert theory.of(quantity).exponent is None
    assert theory.of("regret_accuracy").exponent == -1


def test_a_measure_is_taken_and_a_sample_is_not(theories):
    law = CATALOGUE["D1"]
    best = sweep.optimum(law)
    theory = limits(sweep.Measure.from_population(law), best)
    assert theory.avar_a == pytest.approx(theories["D1"].avar_a, rel=1e-12)
    with pytest.raises(TypeError, match="the measure of a sample; give a population"):
        limits(sweep.Measure.from_sample(sweep.data.illustration(2)), best)


def test_to_dict_is_what_json_can_hold(theories):
    for theory in theories.values():
        read = json.loads(json.dumps(theory.to_dict(), allow_nan=False))
        assert [limit["quantity"] for limit in read["limits"]] == list(QUANTITIES)
