import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.diagnosis.bootstrap import multiclass
from sweep.diagnosis.bootstrap.multiclass import (
    ResamplingUnits,
    SlopeInterval,
    bootstrap_multiclass,
    coefficients,
    minimise_series,
)
from sweep.diagnosis.one_parameter import WeightedRows, temperature_optimum
from sweep.diagnosis.scores import scores
from sweep.optima.records import OptimumStatus
from tests.support.predicted import predictions


def drawn(n, k, seed=0, slope=0.7, spread=2.0, weighted=False):
    """Predictions for which softmax(slope z) is right."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, spread, (n, k))
    y = np.argmax(slope * z + rng.gumbel(size=z.shape), axis=1)
    weight = rng.gamma(2.0, size=n) if weighted else None
    return predictions(z, y, weight)


def units(of):
    return ResamplingUnits.of(of, temperature_optimum(of), 0)


def again(of, count):
    """The same rows as often as they were drawn."""
    rows = np.repeat(np.arange(len(of)), count.astype(int))
    weight = None if of.weight is None else of.weight[rows]
    return predictions(of.logits[rows], of.y[rows], weight, of.classes)


def slowly(of, majority):
    """The numbers of a sample, each by itself."""
    known, best = scores(of), temperature_optimum(of)
    a = best.a
    if best.status in (OptimumStatus.separated, OptimumStatus.quasi_separated):
        a = WeightedRows.of(of).direction * np.inf
    return {
        "cross_entropy": known.cross_entropy,
        "accuracy": known.accuracy,
        "brier": known.brier,
        "base_rate_entropy": known.base_rate_entropy,
        "majority_accuracy": known.class_share[majority],
        "slope": a,
        "intercept": np.nan,
        "recalibrated": best.value,
        "by_slope": known.cross_entropy - best.value,
        "by_intercept": 0.0,
        "by_both": known.cross_entropy - best.value,
        "worst_1_percent": known.shares.worst_1_percent,
        "worst_10_percent": known.shares.worst_10_percent,
        "gini": known.shares.gini,
        "class_cross_entropy": known.class_cross_entropy,
        "class_accuracy": known.class_accuracy,
    }


def assert_as_slowly(of, count):
    majority = np.argmax(scores(of).class_share)
    with np.errstate(all="ignore"):
        found = units(of).scores(count)
        # Slopes scatter around 0 or not: they are interpolated in units of their scatter.
        size = np.max(np.abs(found.slope[np.isfinite(found.slope)]), initial=0.0)
        for i, row in enumerate(count):
            for name, expected in slowly(again(of, row), majority).items():
                value, unit = getattr(found, name)[i], size if name == "slope" else 0.1
                assert value == pytest.approx(expected, rel=1e-8, abs=1e-8 * unit, nan_ok=True), (
                    name
                )


def counts(n, samples, seed=1):
    rng = np.random.default_rng(seed)
    return np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(samples)]) * 1.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "k"), [(40, 3), (300, 4), (1000, 12)])
def test_draws_are_told_as_if_each_was_a_sample(n, k, weighted):
    assert_as_slowly(drawn(n, k, weighted=weighted), counts(n, 15))


@pytest.mark.parametrize("slope", [0.0, -0.5, 3.0])
def test_draws_of_any_slope_find_their_optimum(slope):
    assert_as_slowly(drawn(200, 5, 2, slope), counts(200, 20))


def test_draws_that_are_separated_or_nearly_find_their_optimum():
    of = drawn(30, 3, 4, slope=4.0)
    count = counts(30, 60)
    assert_as_slowly(of, count)
    with np.errstate(all="ignore"):
        slope = units(of).scores(count).slope
    assert np.isinf(slope).any()
    assert np.isfinite(slope).any()


@settings(max_examples=max(40, settings().max_examples // 3))
@given(st.integers(0, 2**32 - 1), st.integers(10, 60), st.sampled_from([1e-3, 1.0, 30.0, 1e6]))
def test_draws_of_any_data_are_told_as_if_each_was_a_sample(seed, n, spread):
    rng = np.random.default_rng(seed)
    z = np.round(rng.standard_t(1.5, (n, 3)), 1) * spread
    assert_as_slowly(predictions(z, rng.integers(0, 3, n)), counts(n, 3, seed))


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_separated_data_have_separated_draws(scale):
    z = scale * np.eye(4)[np.arange(40) % 4] * np.linspace(1, 3, 40)[:, None]
    of = predictions(z, np.arange(40) % 4)
    found = bootstrap_multiclass(of, temperature_optimum(of), 50, 0)
    assert np.all(found.slope == scale * np.inf)
    assert np.all(found.recalibrated == 0)


def test_equal_logits_have_no_slope_and_the_loss_of_chance():
    of = predictions(np.ones((30, 4)), np.arange(30) % 4)
    found = bootstrap_multiclass(of, temperature_optimum(of), 20, 0)
    assert np.all(np.isnan(found.slope))
    assert found.recalibrated == pytest.approx(np.full(20, np.log(4)), rel=1e-14)


def test_rows_without_weight_are_not_drawn():
    of = drawn(100, 3, weighted=True)
    weight = of.weight.copy()
    weight[:40] = 0
    whole = predictions(of.logits, of.y, weight)
    rest = predictions(of.logits[40:], of.y[40:], weight[40:])
    one, other = (bootstrap_multiclass(p, temperature_optimum(p), 30, 5) for p in (whole, rest))
    assert np.array_equal(one.slope, other.slope)
    assert np.array_equal(one.gini, other.gini)


def test_seed_decides():
    of = drawn(200, 3)
    one, same, other = (bootstrap_multiclass(of, temperature_optimum(of), 40, s) for s in (1, 1, 2))
    assert np.array_equal(one.cross_entropy, same.cross_entropy)
    assert not np.array_equal(one.cross_entropy, other.cross_entropy)
    assert len(one.slope) == 40
    assert one.class_accuracy.shape == (40, 3)


# --- groups -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_groups_scatter_as_rows_do(weighted, monkeypatch):
    of = drawn(6000, 4, 3, weighted=weighted)
    found = temperature_optimum(of)
    rows = bootstrap_multiclass(of, found, 1500, 0)
    monkeypatch.setattr(multiclass, "MAX_UNITS", 2000)
    assert units(of).grouped
    groups = bootstrap_multiclass(of, found, 1500, 0)
    for field in dataclasses.fields(rows):
        one, other = getattr(rows, field.name), getattr(groups, field.name)
        if np.isnan(one).all() or np.ptp(one) == 0:
            continue
        spread = np.std(one, axis=0)
        # 1500 draws tell a standard deviation to 2%, and 2000 groups to a few more.
        assert np.std(other, axis=0) == pytest.approx(spread, rel=0.12), field.name
        assert np.all(np.abs(np.mean(one, axis=0) - np.mean(other, axis=0)) < 0.2 * spread)


def test_influences_of_whole_data_are_the_shares():
    of = drawn(3000, 3, weighted=True)
    whole = dataclasses.replace(units(of), unit=np.arange(3000) % 1500, count=1500)
    found = whole.scores(np.ones((1, 1500)))
    known = scores(of).shares
    assert found.worst_1_percent[0] == pytest.approx(known.worst_1_percent, rel=1e-9)
    assert found.worst_10_percent[0] == pytest.approx(known.worst_10_percent, rel=1e-9)
    assert found.gini[0] == pytest.approx(known.gini, rel=2e-3)  # a row makes no pair with itself


def test_many_classes_leave_room_for_fewer_units():
    of = drawn(3000, 700, spread=1.0)
    made = units(of)
    assert made.count < 3000
    assert made.grouped
    assert np.bincount(made.unit).max() - np.bincount(made.unit).min() <= 1


# --- interpolation ------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0.05, 1.0, -1.0])
def test_interpolated_optimum_is_that_of_newton(slope):
    of = drawn(500, 6, 8, slope)
    rows = WeightedRows.of(of)
    best = rows.optimum.a * rows.unit
    over = SlopeInterval.around(rows, best)
    each = coefficients(rows, over)
    found = minimise_series((rows.mass @ each)[None], over)
    assert found.inside.all()
    assert found.slope[0] == pytest.approx(best, rel=1e-10)
    assert found.value[0] == pytest.approx(rows.optimum.value, rel=1e-14)


def test_logits_beyond_interpolation_are_known_to_be():
    z = np.array([[1.0, 0.0, 0.0], [0.0, 1e9, 0.0], [1.0, 0.0, 0.5]] * 4)
    rows = WeightedRows.of(predictions(z, [0, 1, 1] * 4))
    assert coefficients(rows, SlopeInterval(rows.unit, 3 * rows.unit, False)) is None
