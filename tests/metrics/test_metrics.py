import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from sklearn import metrics as sk

import sweep
from sweep import InputError, Measure, Sample
from sweep.base.families import Family
from sweep.landscapes.counting import counting_bound
from sweep.measure.confusion import confusion
from sweep.metrics import metrics
from sweep.metrics.metrics import METRICS, Counting, Smooth, metric
from sweep.metrics.profile import profile

HARD = [0.0, 1e-8, -1e-8, 0.3, -2.0, 30.0, -30.0, 800.0, -800.0, 1e9, -1e9]


def _softplus(z):
    return mpmath.log1p(mpmath.exp(z)) if z < 1e6 else z


def _exact_ce(z, y):
    return _softplus(-z if y else z)


def _exact_sigmoid(z):
    return mpmath.exp(-_softplus(-z))


EXACT = {
    "cross_entropy": _exact_ce,
    "brier": lambda z, y: _exact_sigmoid(-z if y else z) ** 2,
    "focal": lambda z, y: _exact_sigmoid(-z if y else z) ** 2 * _exact_ce(z, y),
    "focal(0.5)": lambda z, y: mpmath.sqrt(_exact_sigmoid(-z if y else z)) * _exact_ce(z, y),
    "focal(0)": _exact_ce,
    "weighted_cross_entropy(1, 5)": _exact_ce,
    "smoothed_cross_entropy(0.2)": lambda z, y: (
        mpmath.mpf(0.9) * _exact_ce(z, y) + mpmath.mpf(0.1) * _exact_ce(z, 1 - y)
    ),
    "penalised_cross_entropy(l2=0.5)": _exact_ce,
}
"""Name -> loss of one point of logit z and label y; with one point, weights do not matter."""


@pytest.mark.parametrize("name", EXACT)
def test_every_loss_of_hard_logits_is_that_of_mpmath(name):
    z = np.array(HARD)
    asked = metric(name)
    for y in (0, 1):
        sample = Sample(np.ones(1), np.array([y]))
        penalty = 0.0 if asked.penalty is None else asked.penalty(np.ones(1)).item()
        found = sweep.landscape(sample, 1.0, z - 1, asked)[asked.name].values[0] - penalty
        with mpmath.workdps(50):
            # The logit of the definition, x = 1 and a = 1.
            exact = [float(EXACT[name](mpmath.mpf(float(1.0 + b)), y)) for b in z - 1]
        np.testing.assert_allclose(found, exact, rtol=2e-14, atol=1e-15 if penalty else 1e-300)


@pytest.mark.parametrize("name", EXACT)
def test_losses_in_numpy_are_those_of_mpmath_without_a_warning(name):
    z = np.array(HARD)
    for part in metric(name).parts:
        y = profile(part.loss).good > 0
        exact = _exact_ce if "smoothed" in name else EXACT[name]
        with mpmath.workdps(50):
            expected = [float(exact(mpmath.mpf(v), y)) for v in HARD]
        np.testing.assert_allclose(part.loss(z), expected, rtol=2e-14, atol=1e-300)


@pytest.mark.parametrize("name", EXACT)
def test_losses_are_zero_at_the_good_infinity_and_analytic_beside_the_real_line(name):
    for part in metric(name).parts:
        about = profile(part.loss)
        good, bad = part.loss(np.array([about.good, -about.good]) * np.inf)
        assert good == 0
        assert bad == (1 if name == "brier" else np.inf)
        assert np.isfinite([about.level, about.slope, about.excess, about.lipschitz]).all()
        assert part.loss(np.array([0.5 + 1e-12j])).real == pytest.approx(
            part.loss(np.array([0.5])), rel=1e-12
        )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("gamma", [0, 0.5, 2, 100])
def test_losses_round_by_less_than_the_bound_of_a_sum_allows(gamma, dtype):
    z = np.linspace(-45, 45, 181, dtype=dtype)
    found = metrics.focal(gamma).negative(z)
    with mpmath.workdps(40):
        for zi, value in zip(z, found, strict=True):
            v = mpmath.mpf(float(zi))
            exact = mpmath.exp(-gamma * _softplus(-v)) * _softplus(v)
            assert abs(float(value) - exact) <= 8 * np.finfo(dtype).eps * max(1, exact)


@pytest.mark.parametrize("name", ["cross_entropy", "focal(gamma=3)", "brier"])
def test_gradients_have_no_jump_where_the_logit_is_0(name):
    found = metric(name)
    for loss in (found.positive, found.negative):
        below, at, above = (float(jax.grad(loss)(jnp.float32(z))) for z in (-1e-4, 0.0, 1e-4))
        assert abs(at) > 0.1
        assert at == pytest.approx((below + above) / 2, rel=1e-4)


def _random(seed, weighted=False, classes=2, n=30):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n) if classes == 2 else np.full(n, seed % 2)
    return Sample(rng.normal(size=n), y, rng.uniform(0.1, 2, n) if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
def test_smooth_metrics_are_those_of_scikit_learn(weighted):
    sample = _random(1, weighted)
    a, b = 1.3, -0.4
    p = 1 / (1 + np.exp(-(a * sample.x + b)))
    w = np.ones(len(sample)) if sample.weight is None else sample.weight
    smooth = 0.8 * sample.y + 0.1
    asked = {
        "brier": sk.brier_score_loss(sample.y, p, sample_weight=w),
        "weighted_cross_entropy(w0=0.5,w1=3)": sk.log_loss(
            sample.y, p, sample_weight=w * np.where(sample.y == 1, 3, 0.5)
        ),
        "smoothed_cross_entropy(epsilon=0.2)": np.average(
            -smooth * np.log(p) - (1 - smooth) * np.log1p(-p), weights=w
        ),
        "penalised_cross_entropy(l1=0.1,l2=3)": sk.log_loss(sample.y, p, sample_weight=w)
        + 0.1 * a
        + 3 * a**2 / 2,
    }
    found = sweep.landscape(sample, a, b, list(asked))
    assert list(found.data_vars) == list(asked)
    for name, expected in asked.items():
        assert found[name].item() == pytest.approx(expected, rel=1e-12)


def test_parts_and_total_are_the_metric():
    asked = metric("smoothed_cross_entropy(0.2)")
    assert [(p.on_class0, p.on_class1) for p in asked.parts] == [(0.1, 0.9), (0.9, 0.1)]
    asked = metric("weighted_cross_entropy(2, 5)")
    assert [(p.on_class0, p.on_class1) for p in asked.parts] == [(0, 5), (2, 0)]
    assert asked.total(3, 4) == 26
    assert metric("cross_entropy").total(3, 4) == 7


@pytest.mark.parametrize("w", [1e-100, 1e100])
def test_extreme_class_weights_leave_the_value(w):
    sample = Sample([1e300, 1.0], [0, 0], [1e-300, 1e307])
    found = sweep.landscape(sample, 1.0, 0.0, f"weighted_cross_entropy({w}, 1)", tolerance=1e9)
    (value,) = found.data_vars.values()
    assert value.item() == pytest.approx(np.log1p(np.e), rel=1e-12)


def test_penalty_that_overflows_is_infinite():
    found = sweep.landscape(
        Sample([0.0], [0]), [-1e300, 1e300], 0.0, "penalised_cross_entropy(l2=1)", tolerance=1
    )
    (value,) = found.data_vars.values()
    assert np.all(value == np.inf)


COUNTING = {
    "accuracy": sk.accuracy_score,
    "error_rate": sk.zero_one_loss,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "precision": lambda *args, **more: sk.precision_score(*args, zero_division=0, **more),
    "recall": lambda *args, **more: sk.recall_score(*args, zero_division=0, **more),
    "f1": lambda *args, **more: sk.f1_score(*args, zero_division=0, **more),
    "mcc": sk.matthews_corrcoef,
}


def test_every_metric_of_the_table_has_its_test():
    tested = {metric(name).name.partition("(")[0] for name in EXACT} | set(COUNTING)
    assert tested == set(METRICS)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", COUNTING)
def test_counting_metrics_are_those_of_scikit_learn(name, weighted, classes):
    a, b = np.array([-2.0, 0, 0.7]), np.array([-9.0, -1, 0, 9])  # some predict one class only
    for seed in range(4):
        sample = _random(seed, weighted, classes)
        found = sweep.landscape(sample, a, b, name)[name].values
        for i, j in np.ndindex(found.shape):
            predicted = a[i] * sample.x + b[j] > 0
            expected = COUNTING[name](sample.y, predicted, sample_weight=sample.weight)
            assert found[i, j] == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", COUNTING)
def test_counts_near_the_end_of_int64_do_not_overflow(name):
    table = [np.array([v]) for v in (2**60, 2**59, 2**58, 2**60)]
    as_floats = [v.astype(float) for v in table]
    assert METRICS[name].value(*table) == pytest.approx(METRICS[name].value(*as_floats), rel=1e-14)


@pytest.mark.parametrize("name", COUNTING)
def test_counting_bound_is_honest_for_masses_over_many_decades(name):
    rng = np.random.default_rng(3)
    n = 400
    sample = Sample(rng.normal(size=n), rng.integers(0, 2, n), 10.0 ** rng.uniform(-12, 12, n))
    a, b = np.array([-1.0, 1.0, 3.0]), np.linspace(-6, 6, 25)
    found = sweep.landscape(sample, a, b, name)
    bound = found.attrs["error_bound"]
    assert 0 < bound == counting_bound(Measure.from_sample(sample), METRICS[name]) < 1e-13
    exact = [mpmath.mpf(float(w)) for w in sample.weight]
    for i, j in np.ndindex(3, 25):
        predicted = a[i] * sample.x + b[j] > 0
        with mpmath.workdps(60):
            table = [
                mpmath.fsum(
                    w for w, p, y in zip(exact, predicted, sample.y, strict=True) if (p, y) == cell
                )
                for cell in ((True, 1), (True, 0), (False, 1), (False, 0))
            ]
            error = abs(found[name].values[i, j] - _exact_counting(name, *table))
        assert error <= bound


def _exact_counting(name, tp, fp, fn, tn):
    def ratio(part, whole):
        return part / whole if whole else mpmath.mpf(0)

    return {
        "accuracy": lambda: ratio(tp + tn, tp + fp + fn + tn),
        "error_rate": lambda: ratio(fp + fn, tp + fp + fn + tn),
        "balanced_accuracy": lambda: (ratio(tp, tp + fn) + ratio(tn, tn + fp)) / 2,
        "precision": lambda: ratio(tp, tp + fp),
        "recall": lambda: ratio(tp, tp + fn),
        "f1": lambda: ratio(2 * tp, 2 * tp + fp + fn),
        "mcc": lambda: ratio(
            tp * tn - fp * fn, mpmath.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        ),
    }[name]()


def test_a_minute_mass_above_the_cut_keeps_its_digits():
    sample = Sample([0.0, 1.0, 2.0], [0, 0, 0], [1e20, 1.1e-3, 2.3e-3])
    table = confusion(Measure.from_sample(sample), np.array([1.0]), np.array([-0.5]))
    assert table.fp.item() == pytest.approx(3.4e-3, rel=1e-15)


def test_counting_metrics_of_counts_need_no_bound_where_they_are_one_ratio():
    measure = Measure.from_sample(_random(0))
    bounds = {name: counting_bound(measure, METRICS[name]) for name in COUNTING}
    assert {name for name, bound in bounds.items() if bound > 0} == {"balanced_accuracy", "mcc"}
    assert max(bounds.values()) < 1e-15


SAME = {
    "focal": ["focal", "focal()", "focal(2)", "focal(gamma=2)", " focal ( gamma = 2.0 ) "],
    "focal(3)": ["focal(3)", "focal(3.0)", "focal(gamma=3e0)", metrics.focal(3)],
    "focal(0)": ["focal(0)", "focal(-0.0)", metrics.focal(gamma=0)],
    "weighted_cross_entropy(1,5)": [
        "weighted_cross_entropy(1, 5)",
        "weighted_cross_entropy(w1=5)",
        "weighted_cross_entropy(w1=5, w0=1)",
        "weighted_cross_entropy(1, w1=5)",
        metrics.weighted_cross_entropy(w1=5.0),
    ],
    "brier": ["brier", "brier()", METRICS["brier"]],
}


@pytest.mark.parametrize("name", SAME)
def test_however_it_is_asked_for_it_is_the_same_object(name):
    assert len({id(metric(asked)) for asked in SAME[name]}) == 1


def test_names_say_the_parameters():
    assert metric("focal").name == "focal(gamma=2)"
    assert metric("focal(0.5)").name == "focal(gamma=0.5)"
    assert metric(metrics.focal).name == "focal(gamma=2)"
    assert metric("weighted_cross_entropy(w1=5)").name == "weighted_cross_entropy(w0=1,w1=5)"
    assert metric("penalised_cross_entropy(1e-5)").name == "penalised_cross_entropy(l1=1e-05,l2=0)"
    for asked in METRICS.values():
        made = metric(asked)
        assert metric(made.name) is made
        assert made.units
        assert made.long_name
        assert made.source


def test_asked_for_twice_it_is_computed_once():
    found = sweep.landscape(_random(0), 1.0, 0.0, ["focal", "brier", "focal(gamma=2)"])
    assert list(found.data_vars) == ["focal(gamma=2)", "brier"]


BAD = {
    "f0": r"there is no metric 'f0'; the known metrics are cross_entropy, accuracy, brier, focal\(",
    "": "there is no metric ''",
    "(3)": "there is no metric ''",
    "focal(": "one pair of parentheses, such as focal",
    "focal)3(": "one pair of parentheses",
    "focal(3": "one pair of parentheses",
    "focal((3))": "one pair of parentheses",
    "focal(3)4": "one pair of parentheses",
    "focal(x)": r"gamma=x is not a number; ask for focal\(gamma=2\)",
    "focal(gamma=)": "gamma= is not a number",
    "focal(,)": "focal has 2 parameters; it takes 1",
    "focal(-1)": r"gamma=-1 is outside \[0, 100\]; ask for focal\(gamma=2\)",
    "focal(nan)": "gamma=nan is outside",
    "focal(inf)": "gamma=inf is outside",
    "focal(3, 4)": r"focal has 2 parameters; it takes 1, as in focal\(gamma=2\)",
    "focal(alpha=3)": r"focal has no parameter 'alpha'; ask for focal\(gamma=2\)",
    "focal(3, gamma=3)": "focal has gamma twice; give it once",
    "focal(gamma=3, gamma=4)": "gamma twice; give it once",
    "weighted_cross_entropy(w0=1, 5)": "'5' without a name after one with a name",
    "weighted_cross_entropy(0, 1)": r"w0=0 is outside \[1e-100, 1e\+100\]",
    "weighted_cross_entropy(w1=inf)": "w1=inf is outside",
    "weighted_cross_entropy(1, -1)": "w1=-1 is outside",
    "smoothed_cross_entropy(1.1)": r"epsilon=1.1 is outside \[0, 1\]",
    "smoothed_cross_entropy(-0.1)": "epsilon=-0.1 is outside",
    "penalised_cross_entropy(l2=-1)": "l2=-1 is outside",
    "brier(2)": r"brier takes no parameters, but 'brier\(2\)' has some; ask for brier",
    "accuracy(x=1)": "accuracy takes no parameters",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_texts_are_refused_in_one_sentence(text):
    with pytest.raises(InputError, match=BAD[text]):
        metric(text)


def test_bad_parameters_of_a_call_are_refused_likewise():
    with pytest.raises(InputError, match="gamma=x is not a number"):
        metrics.focal("x")
    with pytest.raises(InputError, match="no parameter 'alpha'"):
        metrics.focal(alpha=1)


def test_the_table_holds_three_kinds():
    assert {type(m) for m in METRICS.values()} == {Smooth, Counting, Family}
