"""The bootstrap of several classes, against the scores of each sample by itself."""

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
from sweep.diagnosis.recalibration import WeightedRows, temperature_optimum
from sweep.diagnosis.scores import scores
from sweep.optima.records import OptimumStatus
from tests.support.predicted import predictions


def _drawn(n, k, seed=0, slope=0.7, spread=2.0, weighted=False):
    """Predictions for which softmax(slope z) is right."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, spread, (n, k))
    y = np.argmax(slope * z + rng.gumbel(size=z.shape), axis=1)
    weight = rng.gamma(2.0, size=n) if weighted else None
    return predictions(z, y, weight)


def _units(data):
    return ResamplingUnits.of(data, temperature_optimum(data), 0)


def _resampled(data, count):
    """The same rows as often as they were drawn."""
    rows = np.repeat(np.arange(len(data)), count.astype(int))
    weight = None if data.weight is None else data.weight[rows]
    return predictions(data.logits[rows], data.y[rows], weight, data.classes)


def _one_by_one(data, majority):
    """The numbers of a sample, each by itself."""
    exact, best = scores(data), temperature_optimum(data)
    a = best.a
    if best.status in (OptimumStatus.separated, OptimumStatus.quasi_separated):
        a = WeightedRows.of(data).direction * np.inf
    return {
        "cross_entropy": exact.cross_entropy,
        "accuracy": exact.accuracy,
        "brier": exact.brier,
        "base_rate_entropy": exact.base_rate_entropy,
        "majority_accuracy": exact.class_share[majority],
        "slope": a,
        "intercept": np.nan,
        "recalibrated": best.value,
        "by_slope": exact.cross_entropy - best.value,
        "by_intercept": 0.0,
        "by_both": exact.cross_entropy - best.value,
        "worst_1_percent": exact.shares.worst_1_percent,
        "worst_10_percent": exact.shares.worst_10_percent,
        "gini": exact.shares.gini,
        "class_cross_entropy": exact.class_cross_entropy,
        "class_accuracy": exact.class_accuracy,
    }


def _assert_as_one_by_one(data, count):
    majority = np.argmax(scores(data).class_share)
    with np.errstate(all="ignore"):
        replicates = _units(data).scores(count)
        # Slopes scatter around 0 or not: they are interpolated in units of their scatter.
        size = np.max(np.abs(replicates.slope[np.isfinite(replicates.slope)]), initial=0.0)
        for i, row in enumerate(count):
            for name, expected in _one_by_one(_resampled(data, row), majority).items():
                value, unit = getattr(replicates, name)[i], size if name == "slope" else 0.1
                assert value == pytest.approx(expected, rel=1e-8, abs=1e-8 * unit, nan_ok=True), (
                    name
                )


def _counts(n, samples, seed=1):
    rng = np.random.default_rng(seed)
    return np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(samples)]) * 1.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "k"), [(40, 3), (300, 4), (1000, 12)])
def test_draws_are_told_as_if_each_was_a_sample(n, k, weighted):
    _assert_as_one_by_one(_drawn(n, k, weighted=weighted), _counts(n, 15))


@pytest.mark.parametrize("slope", [0.0, -0.5, 3.0])
def test_draws_of_any_slope_find_their_optimum(slope):
    _assert_as_one_by_one(_drawn(200, 5, 2, slope), _counts(200, 20))


def test_draws_that_are_separated_or_nearly_find_their_optimum():
    data = _drawn(30, 3, 4, slope=4.0)
    count = _counts(30, 60)
    _assert_as_one_by_one(data, count)
    with np.errstate(all="ignore"):
        slope = _units(data).scores(count).slope
    assert np.isinf(slope).any()
    assert np.isfinite(slope).any()


@settings(max_examples=max(40, settings().max_examples // 3))
@given(st.integers(0, 2**32 - 1), st.integers(10, 60), st.sampled_from([1e-3, 1.0, 30.0, 1e6]))
def test_draws_of_any_data_are_told_as_if_each_was_a_sample(seed, n, spread):
    rng = np.random.default_rng(seed)
    z = np.round(rng.standard_t(1.5, (n, 3)), 1) * spread
    _assert_as_one_by_one(predictions(z, rng.integers(0, 3, n)), _counts(n, 3, seed))


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_separated_data_have_separated_draws(scale):
    z = scale * np.eye(4)[np.arange(40) % 4] * np.linspace(1, 3, 40)[:, None]
    data = predictions(z, np.arange(40) % 4)
    replicates = bootstrap_multiclass(data, temperature_optimum(data), 50, 0)
    assert np.all(replicates.slope == scale * np.inf)
    assert np.all(replicates.recalibrated == 0)


def test_equal_logits_have_no_slope_and_the_loss_of_chance():
    data = predictions(np.ones((30, 4)), np.arange(30) % 4)
    replicates = bootstrap_multiclass(data, temperature_optimum(data), 20, 0)
    assert np.all(np.isnan(replicates.slope))
    assert replicates.recalibrated == pytest.approx(np.full(20, np.log(4)), rel=1e-14)


def test_rows_without_weight_are_not_drawn():
    data = _drawn(100, 3, weighted=True)
    weight = data.weight.copy()
    weight[:40] = 0
    with_zeros = predictions(data.logits, data.y, weight)
    without = predictions(data.logits[40:], data.y[40:], weight[40:])
    first, other = (
        bootstrap_multiclass(p, temperature_optimum(p), 30, 5) for p in (with_zeros, without)
    )
    assert np.array_equal(first.slope, other.slope)
    assert np.array_equal(first.gini, other.gini)


def test_seed_decides():
    data = _drawn(200, 3)
    first, same, other = (
        bootstrap_multiclass(data, temperature_optimum(data), 40, s) for s in (1, 1, 2)
    )
    assert np.array_equal(first.cross_entropy, same.cross_entropy)
    assert not np.array_equal(first.cross_entropy, other.cross_entropy)
    assert len(first.slope) == 40
    assert first.class_accuracy.shape == (40, 3)


# --- groups -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_groups_scatter_as_rows_do(weighted, monkeypatch):
    data = _drawn(6000, 4, 3, weighted=weighted)
    best = temperature_optimum(data)
    rows = bootstrap_multiclass(data, best, 1500, 0)
    monkeypatch.setattr(multiclass, "MAX_UNITS", 2000)
    assert _units(data).grouped
    groups = bootstrap_multiclass(data, best, 1500, 0)
    for field in dataclasses.fields(rows):
        by_row, by_group = getattr(rows, field.name), getattr(groups, field.name)
        if np.isnan(by_row).all() or np.ptp(by_row) == 0:
            continue
        deviation = np.std(by_row, axis=0)
        # 1500 draws tell a standard deviation to 2%, and 2000 groups to a few more.
        assert np.std(by_group, axis=0) == pytest.approx(deviation, rel=0.12), field.name
        assert np.all(np.abs(np.mean(by_row, axis=0) - np.mean(by_group, axis=0)) < 0.2 * deviation)


def test_influences_of_whole_data_are_the_shares():
    data = _drawn(3000, 3, weighted=True)
    grouped = dataclasses.replace(_units(data), unit=np.arange(3000) % 1500, count=1500)
    replicates = grouped.scores(np.ones((1, 1500)))
    exact = scores(data).shares
    assert replicates.worst_1_percent[0] == pytest.approx(exact.worst_1_percent, rel=1e-9)
    assert replicates.worst_10_percent[0] == pytest.approx(exact.worst_10_percent, rel=1e-9)
    assert replicates.gini[0] == pytest.approx(exact.gini, rel=2e-3)  # no pair with itself


def test_many_classes_leave_room_for_fewer_units():
    data = _drawn(3000, 700, spread=1.0)
    units = _units(data)
    assert units.count < 3000
    assert units.grouped
    assert np.bincount(units.unit).max() - np.bincount(units.unit).min() <= 1


# --- interpolation ------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0.05, 1.0, -1.0])
def test_interpolated_optimum_is_that_of_newton(slope):
    data = _drawn(500, 6, 8, slope)
    rows = WeightedRows.of(data)
    best = rows.optimum.a * rows.unit
    over = SlopeInterval.around(rows, best)
    each = coefficients(rows, over)
    minimum = minimise_series((rows.mass @ each)[None], over)
    assert minimum.inside.all()
    assert minimum.slope[0] == pytest.approx(best, rel=1e-10)
    assert minimum.value[0] == pytest.approx(rows.optimum.value, rel=1e-14)


def test_logits_beyond_interpolation_are_known_to_be():
    z = np.array([[1.0, 0.0, 0.0], [0.0, 1e9, 0.0], [1.0, 0.0, 0.5]] * 4)
    rows = WeightedRows.of(predictions(z, [0, 1, 1] * 4))
    assert coefficients(rows, SlopeInterval(rows.unit, 3 * rows.unit, False)) is None
