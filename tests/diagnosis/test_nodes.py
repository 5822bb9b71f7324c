"""Nodes: what they keep of the rows, which rows stay single, and how they are drawn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweep.diagnosis.bootstrap.nodes import batches, compress, draw
from sweep.diagnosis.scores import scores, shares
from tests.support.predicted import calibrated, overconfident, predictions


def _data(n, seed=0, weighted=False, factor=2.0, shift=1.0):
    t, y = calibrated(n, seed)
    weight = np.random.default_rng(seed + 1).lognormal(0, 1, n) if weighted else None
    return predictions(factor * t + shift, y, weight)


def _mean(nodes, values):
    return np.average(values, weights=nodes.count * nodes.weight)


def test_few_rows_are_nodes_in_order():
    data = predictions([2.0, -1.0, 2.0, 0.0], [1, 0, 0, 1], [1.0, 2.0, 3.0, 0.0])
    nodes = compress(data)
    assert nodes.rows
    np.testing.assert_array_equal(nodes.z, [-1.0, 2.0, 2.0])
    np.testing.assert_array_equal(nodes.y, [False, True, False])
    np.testing.assert_array_equal(nodes.weight, [2.0, 1.0, 3.0])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("max_nodes", [1000, 4000, 2**14])
def test_nodes_keep_sums_over_rows(max_nodes, weighted):
    data = _data(50_000, weighted=weighted)
    nodes, exact = compress(data, max_nodes), scores(data)
    assert max_nodes / 2 < len(nodes) <= max_nodes
    loss = np.logaddexp(0, -nodes.margin)
    assert _mean(nodes, loss) == pytest.approx(exact.cross_entropy, rel=1e-6)
    right = (nodes.z > 0) == nodes.y
    assert _mean(nodes, right) == pytest.approx(exact.accuracy, rel=1e-13)
    share = _mean(nodes, nodes.y)
    assert share == pytest.approx(exact.class_share[1], rel=1e-13)
    for power in (1, 2, 3):
        moment = np.average(data.logits**power, weights=data.weight)
        assert _mean(nodes, nodes.z**power) == pytest.approx(moment, rel=1e-11)
    node_shares = shares(loss, nodes.count * nodes.weight)
    np.testing.assert_allclose(node_shares[2:5], exact.shares[2:5], rtol=1e-3)


def test_the_worst_rows_and_the_ends_stay_single():
    data = _data(100_000)
    nodes = compress(data)
    single = nodes.z[np.isclose(nodes.count, 1)]
    worst = data.logits[np.argsort(-data.losses)[:2000]]
    assert np.isin(worst, single).all()
    for label in (0, 1):
        ordered = np.sort(data.logits[data.y == label])
        assert np.isin(ordered[:256], single).all()
        assert np.isin(ordered[-256:], single).all()


@pytest.mark.parametrize("share", [0.5, 1e-2, 3e-4])
def test_a_rare_class_keeps_its_rows(share):
    rng = np.random.default_rng(3)
    y = (rng.random(100_000) < share).astype(int)
    data = predictions(rng.normal(2 * y - 1, 1), y)
    nodes = compress(data)
    assert len(nodes) <= 2**14
    assert nodes.count[nodes.y].sum() == pytest.approx(y.sum())
    if share < 0.02:
        assert np.isin(data.logits[y == 1], nodes.z).mean() > 0.9


def test_variance_of_the_weight_is_that_of_the_rows():
    data = _data(30_000, weighted=True)
    nodes = compress(data, 512)
    variance, mean = np.sum(nodes.count * nodes.weight**2), np.sum(nodes.count * nodes.weight)
    assert variance == pytest.approx(np.sum(data.weight**2), rel=1e-12)
    assert mean == pytest.approx(np.sum(data.weight), rel=1e-12)
    heaviest = np.argsort(-data.weight)[:3]
    assert np.isin(data.logits[heaviest], nodes.z).all()


NUMBERS = st.sampled_from([-1e300, -1e8, -30.0, -1.0, -1e-9, 0.0, 1e-300, 1.0, 1.5, 40.0, 1e8])


@settings(max_examples=40)
@given(
    st.lists(st.tuples(NUMBERS, st.booleans()), min_size=1, max_size=12),
    st.floats(0, 1),
    st.integers(0, 10),
)
def test_nodes_of_ties_and_outliers(rows, noise, seed):
    rng = np.random.default_rng(seed)
    z, y = (np.array(column, float) for column in zip(*rows, strict=True))
    z, y = (np.tile(v, -(-700 // len(v))) for v in (z, y))
    z = z + noise * (rng.random(len(z)) < 0.5) * rng.normal(size=len(z))
    data = predictions(z, y)
    nodes = compress(data, 512)
    assert len(nodes) <= 512
    assert np.isfinite(nodes.z).all()
    assert (np.diff(nodes.z) >= 0).all()
    assert (nodes.count > 0).all()
    right = _mean(nodes, (nodes.z > 0) == nodes.y)
    assert right == pytest.approx(scores(data).accuracy)
    for label in np.unique(y):
        rows_z, nodes_z = z[y == label], nodes.z[nodes.y == label]
        assert (nodes_z.min(), nodes_z.max()) == (rows_z.min(), rows_z.max())
        assert nodes.count[nodes.y == label].sum() == pytest.approx(len(rows_z))
        at_zero = nodes.count[(nodes.y == label) & (nodes.z == 0)].sum()
        assert at_zero == pytest.approx(np.sum(rows_z == 0))


# --- draws --------------------------------------------------------------------------------------


def test_few_rows_are_drawn_with_replacement():
    nodes = compress(overconfident(40))
    assert len(nodes) == 40
    drawn = np.concatenate([draw(nodes, *batch) for batch in batches(nodes, 2000, 0)])
    assert (drawn.sum(axis=1) == 40).all()
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.15)
    assert drawn.var(axis=0) == pytest.approx(1 - 1 / 40, abs=0.25)
    assert stats.chisquare(drawn.sum(axis=0)).pvalue > 1e-3


def test_nodes_of_many_rows_are_drawn_by_poisson():
    nodes = compress(overconfident(20_000), 400)
    generator, _ = next(iter(batches(nodes, 1, 5)))
    drawn = draw(nodes, generator, 3000)
    sigma = np.sqrt(nodes.count)
    assert np.abs((drawn.mean(axis=0) - nodes.count) / sigma).max() < 5 / math.sqrt(3000)
    ratio = drawn.var(axis=0) / nodes.count
    assert ratio == pytest.approx(1, abs=0.25)
