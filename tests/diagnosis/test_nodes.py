"""Nodes: what they keep of the rows, and which rows stay alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.diagnosis.bootstrap.nodes import compress
from sweep.diagnosis.scores import losses, scores, shares
from tests.support.predicted import calibrated, predictions


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
@pytest.mark.parametrize("most", [1000, 4000, 2**14])
def test_nodes_keep_sums_over_rows(most, weighted):
    data = _data(50_000, weighted=weighted)
    nodes, exact = compress(data, most), scores(data)
    assert most / 2 < len(nodes) <= most
    loss = np.logaddexp(0, -nodes.margin)
    assert _mean(nodes, loss) == pytest.approx(exact.cross_entropy, rel=1e-6)
    right = (nodes.z > 0) == nodes.y
    assert _mean(nodes, right) == pytest.approx(exact.accuracy, rel=1e-13)
    share = _mean(nodes, nodes.y)
    assert share == pytest.approx(exact.class_share[1], rel=1e-13)
    for power in (1, 2, 3):
        moment = np.average(data.logits**power, weights=data.weight)
        assert _mean(nodes, nodes.z**power) == pytest.approx(moment, rel=1e-11)
    found = shares(loss, nodes.count * nodes.weight)
    np.testing.assert_allclose(found[2:5], exact.shares[2:5], rtol=1e-3)


def test_the_worst_rows_and_the_ends_stay_alone():
    data = _data(100_000)
    nodes = compress(data)
    alone = nodes.z[np.isclose(nodes.count, 1)]
    worst = data.logits[np.argsort(-losses(data))[:2000]]
    assert np.isin(worst, alone).all()
    for label in (0, 1):
        ordered = np.sort(data.logits[data.y == label])
        assert np.isin(ordered[:256], alone).all()
        assert np.isin(ordered[-256:], alone).all()


@pytest.mark.parametrize("share", [0.5, 1e-2, 3e-4])
def test_a_rare_class_keeps_its_rows(share):
    rng = np.random.default_rng(3)
    y = (rng.random(100_000) < share).astype(int)
    data = predictions(rng.normal(2 * y - 1, 1), y)
    nodes = compress(data)
    assert len(nodes) <= 2**14
    mine = nodes.count[nodes.y].sum()
    assert mine == pytest.approx(y.sum())
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
        mine, own = z[y == label], nodes.z[nodes.y == label]
        assert (own.min(), own.max()) == (mine.min(), mine.max())
        assert nodes.count[nodes.y == label].sum() == pytest.approx(len(mine))
        at_zero = nodes.count[(nodes.y == label) & (nodes.z == 0)].sum()
        assert at_zero == pytest.approx(np.sum(mine == 0))
