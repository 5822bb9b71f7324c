"""The scores of bootstrap samples of two classes, against slow definitions."""

import math
from dataclasses import fields

import numpy as np
import pytest

from sweep.diagnosis.bootstrap import binary as module
from sweep.diagnosis.bootstrap.binary import bootstrap
from sweep.diagnosis.bootstrap.nodes import batches, compress, draw
from sweep.diagnosis.recalibration import decompose, intercept_alone, slope_alone
from sweep.diagnosis.scores import scores
from sweep.measure.measure import Measure
from sweep.optima.optimum import optimum
from tests.support.predicted import overconfident, predictions


def _bootstrap(data, replicates=100, seed=0):
    return bootstrap(data, decompose(data), replicates, seed)


def test_a_seed_gives_the_same_samples_and_more_of_them_begin_alike():
    data = overconfident(3000)
    first, again, longer, other = (
        _bootstrap(data, replicates, seed)
        for replicates, seed in ((300, 1), (300, 1), (700, 1), (300, 2))
    )
    for field in fields(first):
        values = getattr(first, field.name)
        np.testing.assert_array_equal(values, getattr(again, field.name))
        np.testing.assert_allclose(values, getattr(longer, field.name)[:300], rtol=1e-9)
    assert not np.array_equal(first.gini, other.gini)


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_are_those_of_each_sample_by_itself(weighted):
    data = overconfident(150, weighted=weighted)
    replicated = _bootstrap(data, 20, 3)
    nodes = compress(data)
    counts = np.concatenate([draw(nodes, *batch) for batch in batches(nodes, 20, 3)])
    for i, times in enumerate(counts.astype(int)):
        # Each row as often as it was drawn.
        weight = np.repeat(nodes.weight, times) if weighted else None
        sample = predictions(np.repeat(nodes.z, times), np.repeat(nodes.y, times), weight)
        exact, best = scores(sample), optimum(sample.sample)
        measure = Measure.from_sample(sample.sample)
        expected = {
            **{name: getattr(exact, name) for name in ("cross_entropy", "accuracy", "brier")},
            "base_rate_entropy": exact.base_rate_entropy,
            "majority_accuracy": exact.class_share[np.argmax(scores(data).class_share)],
            "slope": best.cross_entropy.a,
            "intercept": best.cross_entropy.b,
            "recalibrated": best.cross_entropy.value,
            "by_slope": exact.cross_entropy - slope_alone(measure)[1],
            "by_intercept": exact.cross_entropy - intercept_alone(measure)[1],
            "by_both": exact.cross_entropy - best.cross_entropy.value,
            "worst_1_percent": exact.shares.worst_1_percent,
            "worst_10_percent": exact.shares.worst_10_percent,
            "gini": exact.shares.gini,
            "class_cross_entropy": exact.class_cross_entropy,
            "class_accuracy": exact.class_accuracy,
        }
        assert set(expected) == {field.name for field in fields(replicated)}
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(replicated, name)[i], value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True])
def test_nodes_scatter_as_rows_do(weighted, monkeypatch):
    data, replicates = overconfident(8000, weighted=weighted), 1000
    rows = _poisson_by_rows(data, replicates)
    monkeypatch.setattr(module, "compress", lambda data: compress(data, 1000))
    replicated = _bootstrap(data, replicates, 1)
    for name, expected in rows.items():
        values = getattr(replicated, name)
        error = expected.std() / math.sqrt(replicates)
        assert values.mean() == pytest.approx(expected.mean(), abs=5 * 1.5 * error), name
        assert values.std() == pytest.approx(expected.std(), rel=0.12), name
        low, high = np.quantile(values, [0.025, 0.975])
        low_rows, high_rows = np.quantile(expected, [0.025, 0.975])
        tolerance = 5 * 2.7 * 1.5 * error  # the density at this quantile is 0.058
        assert low == pytest.approx(low_rows, abs=tolerance), name
        assert high == pytest.approx(high_rows, abs=tolerance), name


def _poisson_by_rows(data, replicates):
    """The same numbers, row by row: each row is drawn Poisson(1) times."""
    rng = np.random.default_rng(9)
    exact = optimum(data.sample).cross_entropy
    row_weight = np.ones(len(data)) if data.weight is None else data.weight
    margin = np.where(data.y == 1, data.logits, -data.logits)
    loss = np.logaddexp(0, -margin)
    falling = np.argsort(-loss)
    # One Newton step from the optimum, from sums by row.
    z = np.stack([data.logits, np.ones(len(data))], 1)
    p = 1 / (1 + np.exp(-(exact.a * data.logits + exact.b)))
    columns = np.stack(
        [loss, margin > 0, *((p - data.y) * z.T), *(p * (1 - p) * (z[:, :1] * z).T), p * (1 - p)]
    )
    scores = {"cross_entropy": [], "accuracy": [], "slope": [], "worst_10_percent": [], "gini": []}
    for _ in range(replicates):
        weight = rng.poisson(1, len(data)) * row_weight
        ce, accuracy, g1, g0, h11, h10, h00 = columns @ weight / weight.sum()
        scores["cross_entropy"].append(ce)
        scores["accuracy"].append(accuracy)
        step = np.linalg.solve([[h11, h10], [h10, h00]], [g1, g0])
        scores["slope"].append(exact.a - step[0])
        below, adds = np.cumsum(weight[falling]), (weight * loss)[falling]
        worst = np.interp(below[-1] / 10, below, np.cumsum(adds))
        scores["worst_10_percent"].append(worst / adds.sum())
        pairs = adds @ (below[-1] - 2 * below + weight[falling])
        scores["gini"].append(pairs / (adds.sum() * below[-1]))
    return {name: np.array(values) for name, values in scores.items()}


def test_samples_of_separated_classes_have_no_slope():
    data = predictions([-3.0, -2.0, -1.0, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0, 7.0], [0] * 4 + [1] * 6)
    replicated = _bootstrap(data, 200)
    assert np.isin(replicated.slope, [math.inf, np.nan]).any()
    assert (np.isinf(replicated.slope) | np.isnan(replicated.slope)).all()
    assert np.isnan(replicated.intercept).all()
    assert np.nanmax(replicated.recalibrated) == 0
    defined = ~np.isnan(replicated.slope)
    assert defined.sum() > 150
    np.testing.assert_array_equal(replicated.by_both[defined], replicated.cross_entropy[defined])


def test_constant_logits_have_no_slope():
    data = predictions(np.zeros(20), [0, 1] * 10)
    replicated = _bootstrap(data, 50)
    assert np.isnan(replicated.slope).all()
    np.testing.assert_allclose(replicated.recalibrated, replicated.base_rate_entropy)
    np.testing.assert_allclose(replicated.gini, 0, atol=1e-12)
    np.testing.assert_allclose(replicated.by_slope, 0, atol=1e-12)


def test_losses_of_zero_have_no_shares():
    data = predictions([-800.0] * 10 + [800.0] * 10, [0] * 10 + [1] * 10)
    replicated = _bootstrap(data, 20)
    assert np.isnan(replicated.gini).all()
    assert np.isnan(replicated.worst_1_percent).all()
    np.testing.assert_array_equal(replicated.cross_entropy, 0)
