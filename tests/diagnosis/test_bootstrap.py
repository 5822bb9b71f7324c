"""Bootstrap samples and their numbers: against slow definitions and independent packages."""

import math
from dataclasses import fields

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression

from sweep.diagnosis.bootstrap import binary as module
from sweep.diagnosis.bootstrap.binary import bootstrap
from sweep.diagnosis.bootstrap.draws import draw, seeds
from sweep.diagnosis.bootstrap.nodes import compress
from sweep.diagnosis.bootstrap.refits import BootstrapWeights, Refitter, Start
from sweep.diagnosis.decomposition import split
from sweep.diagnosis.one_parameter import intercept_alone, slope_alone
from sweep.diagnosis.scores import scores
from sweep.measure.measure import Measure
from sweep.optima.optimum import optimum
from tests.support.predicted import calibrated, predictions


def _data(n, seed=0, weighted=False, factor=2.0, shift=1.0):
    t, y = calibrated(n, seed)
    weight = np.random.default_rng(seed + 1).exponential(size=n) if weighted else None
    return predictions(factor * t + shift, y, weight)


def _boot(data, replicates=100, seed=0):
    return bootstrap(data, split(data), replicates, seed)


def _drawn(data, replicates, seed):
    """How often each node was drawn, as `bootstrap` draws it."""
    nodes = compress(data)
    return nodes, np.concatenate([draw(nodes, *job) for job in seeds(nodes, replicates, seed)])


def _refitted(data, weight):
    """Recalibrations of samples, by the weight of each node."""
    every = split(data)
    start = Start(every.a, every.b, every.slope_alone, every.intercept_alone)
    return Refitter(compress(data), start)(BootstrapWeights.of(weight, len(weight)))


# --- draws --------------------------------------------------------------------------------------


def test_few_rows_are_drawn_with_replacement():
    nodes, drawn = _drawn(_data(40), 2000, 0)
    assert len(nodes) == 40
    assert (drawn.sum(axis=1) == 40).all()
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.15)
    assert drawn.var(axis=0) == pytest.approx(1 - 1 / 40, abs=0.25)
    assert stats.chisquare(drawn.sum(axis=0)).pvalue > 1e-3


def test_nodes_of_many_rows_are_drawn_by_poisson():
    data = _data(20_000)
    nodes = compress(data, 400)
    generator, _ = next(iter(seeds(nodes, 1, 5)))
    drawn = draw(nodes, generator, 3000)
    sigma = np.sqrt(nodes.count)
    assert np.abs((drawn.mean(axis=0) - nodes.count) / sigma).max() < 5 / math.sqrt(3000)
    ratio = drawn.var(axis=0) / nodes.count
    assert ratio == pytest.approx(1, abs=0.25)


def test_a_seed_gives_the_same_samples_and_more_of_them_begin_alike():
    data = _data(3000)
    first, again, longer, other = (
        _boot(data, replicates, seed)
        for replicates, seed in ((300, 1), (300, 1), (700, 1), (300, 2))
    )
    for field in fields(first):
        mine = getattr(first, field.name)
        np.testing.assert_array_equal(mine, getattr(again, field.name))
        np.testing.assert_allclose(mine, getattr(longer, field.name)[:300], rtol=1e-9)
    assert not np.array_equal(first.gini, other.gini)


# --- numbers of samples -------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_are_those_of_each_sample_by_itself(weighted):
    data = _data(150, weighted=weighted)
    found = _boot(data, 20, 3)
    nodes, drawn = _drawn(data, 20, 3)
    for i, times in enumerate(drawn.astype(int)):
        # Each row as often as it was drawn.
        weight = np.repeat(nodes.weight, times) if weighted else None
        one = predictions(np.repeat(nodes.z, times), np.repeat(nodes.y, times), weight)
        exact, best = scores(one), optimum(one.sample)
        measure = Measure.from_sample(one.sample)
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
        assert set(expected) == {field.name for field in fields(found)}
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(found, name)[i], value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True])
def test_nodes_scatter_as_rows_do(weighted, monkeypatch):
    data, replicates = _data(8000, weighted=weighted), 1000
    rows = _poisson_by_rows(data, replicates)
    monkeypatch.setattr(module, "compress", lambda data: compress(data, 1000))
    found = _boot(data, replicates, 1)
    for name, expected in rows.items():
        mine = getattr(found, name)
        error = expected.std() / math.sqrt(replicates)
        assert mine.mean() == pytest.approx(expected.mean(), abs=5 * 1.5 * error), name
        assert mine.std() == pytest.approx(expected.std(), rel=0.12), name
        low, high = np.quantile(mine, [0.025, 0.975])
        low_rows, high_rows = np.quantile(expected, [0.025, 0.975])
        reach = 5 * 2.7 * 1.5 * error  # the density at this quantile is 0.058
        assert low == pytest.approx(low_rows, abs=reach), name
        assert high == pytest.approx(high_rows, abs=reach), name


def _poisson_by_rows(data, replicates):
    """The same numbers, row by row: each row is drawn Poisson(1) times."""
    rng = np.random.default_rng(9)
    every = predictions(data.logits, data.y, data.weight)
    exact = optimum(every.sample).cross_entropy
    each = np.ones(len(data)) if data.weight is None else data.weight
    margin = np.where(data.y == 1, data.logits, -data.logits)
    loss = np.logaddexp(0, -margin)
    falling = np.argsort(-loss)
    # One Newton step from the optimum, from sums by row.
    z = np.stack([data.logits, np.ones(len(data))], 1)
    p = 1 / (1 + np.exp(-(exact.a * data.logits + exact.b)))
    columns = np.stack(
        [loss, margin > 0, *((p - data.y) * z.T), *(p * (1 - p) * (z[:, :1] * z).T), p * (1 - p)]
    )
    found = {"cross_entropy": [], "accuracy": [], "slope": [], "worst_10_percent": [], "gini": []}
    for _ in range(replicates):
        weight = rng.poisson(1, len(data)) * each
        ce, accuracy, g1, g0, h11, h10, h00 = columns @ weight / weight.sum()
        found["cross_entropy"].append(ce)
        found["accuracy"].append(accuracy)
        step = np.linalg.solve([[h11, h10], [h10, h00]], [g1, g0])
        found["slope"].append(exact.a - step[0])
        below, adds = np.cumsum(weight[falling]), (weight * loss)[falling]
        part = np.interp(below[-1] / 10, below, np.cumsum(adds))
        found["worst_10_percent"].append(part / adds.sum())
        pairs = adds @ (below[-1] - 2 * below + weight[falling])
        found["gini"].append(pairs / (adds.sum() * below[-1]))
    return {name: np.array(values) for name, values in found.items()}


# --- recalibrations -----------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "factor", "shift"), [(60, 2, 1), (400, 0.01, 0), (400, 1e6, -5e5)])
def test_recalibrations_are_those_of_statsmodels(n, factor, shift, weighted):
    data = _data(n, 1, weighted, factor, shift)
    nodes, drawn = _drawn(data, 8, 0)
    weight = drawn * nodes.weight
    found = _refitted(data, weight)
    x = (nodes.z - shift) / factor
    for i, mass in enumerate(weight):
        family = {"family": sm.families.Binomial(), "freq_weights": mass}
        fit = sm.GLM(nodes.y.astype(float), sm.add_constant(x), **family)
        level, slope = fit.fit(tol=1e-14, maxiter=200).params
        a, b = slope / factor, level - slope / factor * shift
        assert found.a[i] == pytest.approx(a, rel=1e-8)
        assert found.b[i] == pytest.approx(b, rel=1e-8, abs=1e-8)
        loss = np.logaddexp(0, np.where(nodes.y, -1, 1) * (level + slope * x))
        assert found.both[i] == pytest.approx(np.average(loss, weights=mass), rel=1e-12)


def test_recalibrations_are_those_of_scikit_learn():
    data = _data(300, 4)
    nodes, drawn = _drawn(data, 5, 0)
    found = _refitted(data, drawn)
    for i, times in enumerate(drawn):
        fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=200)
        fit.fit(nodes.z[:, None], nodes.y, times)
        assert found.a[i] == pytest.approx(fit.coef_.item(), rel=1e-8)
        assert found.b[i] == pytest.approx(fit.intercept_.item(), rel=1e-8)


NUMBERS = st.sampled_from([-1e8, -40.0, -2.0, -1.0, -1e-3, 0.0, 0.5, 1.0, 3.0, 40.0, 1e8])
COUNTS = st.sampled_from([0.0, 0.0, 1.0, 2.0, 5.0])


@settings(max_examples=60)
@given(st.lists(st.tuples(NUMBERS, st.booleans(), COUNTS, COUNTS), min_size=6, max_size=6))
def test_recalibrations_of_ties_outliers_and_separated_classes(rows):
    z, y, *counts = (np.array(column, float) for column in zip(*rows, strict=True))
    if not (y.any() and not y.all()):
        return
    data = predictions(z, y)
    order = np.argsort(z, kind="stable")
    weight = np.stack(counts)[:, order]
    found = _refitted(data, weight)
    for i, times in enumerate(np.stack(counts)):
        kept = times > 0
        if len(np.unique(y[kept])) < 2:
            assert np.isnan([found.a[i], found.both[i], found.slope[i], found.intercept[i]]).all()
            continue
        measure = Measure.from_sample(predictions(z[kept], y[kept], times[kept]).sample)
        best = optimum(measure).cross_entropy
        close = {"rel": 1e-6, "abs": 1e-9}
        assert found.both[i] == pytest.approx(best.value, **close)
        assert found.slope[i] == pytest.approx(slope_alone(measure)[1], **close)
        assert found.intercept[i] == pytest.approx(intercept_alone(measure)[1], **close)
        name = best.status.name
        if name == "finite":
            assert found.a[i] == pytest.approx(best.a, rel=1e-6, abs=1e-9 / np.ptp(z[kept]))
        elif name == "constant_x":
            assert np.isnan([found.a[i], found.b[i]]).all()
        else:
            assert found.a[i] == best.orientation * math.inf
            assert np.isnan(found.b[i])


def test_samples_of_separated_classes_have_no_slope():
    data = predictions([-3.0, -2.0, -1.0, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0, 7.0], [0] * 4 + [1] * 6)
    found = _boot(data, 200)
    assert np.isin(found.slope, [math.inf, np.nan]).any()
    assert (np.isinf(found.slope) | np.isnan(found.slope)).all()
    assert np.isnan(found.intercept).all()
    assert np.nanmax(found.recalibrated) == 0
    known = ~np.isnan(found.slope)
    assert known.sum() > 150
    np.testing.assert_array_equal(found.by_both[known], found.cross_entropy[known])


def test_constant_logits_have_no_slope():
    data = predictions(np.zeros(20), [0, 1] * 10)
    found = _boot(data, 50)
    assert np.isnan(found.slope).all()
    np.testing.assert_allclose(found.recalibrated, found.base_rate_entropy)
    np.testing.assert_allclose(found.gini, 0, atol=1e-12)
    np.testing.assert_allclose(found.by_slope, 0, atol=1e-12)


def test_losses_of_zero_have_no_shares():
    data = predictions([-800.0] * 10 + [800.0] * 10, [0] * 10 + [1] * 10)
    found = _boot(data, 20)
    assert np.isnan(found.gini).all()
    assert np.isnan(found.worst_1_percent).all()
    np.testing.assert_array_equal(found.cross_entropy, 0)
