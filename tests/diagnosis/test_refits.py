"""The recalibrations of bootstrap samples, against independent packages."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sweep.diagnosis.bootstrap.nodes import batches, compress, draw
from sweep.diagnosis.bootstrap.refits import BootstrapWeights, Refitter
from sweep.diagnosis.recalibration import decompose, intercept_alone, slope_alone
from sweep.measure.measure import Measure
from sweep.optima.optimum import optimum
from tests.support.predicted import overconfident, predictions


def _drawn(data, replicates, seed):
    """The nodes, and how often each sample of `bootstrap` draws them."""
    nodes = compress(data)
    return nodes, np.concatenate([draw(nodes, *b) for b in batches(nodes, replicates, seed)])


def _refitted(data, weight):
    """Recalibrations of samples, by the weight of each node."""
    return Refitter(compress(data), decompose(data))(BootstrapWeights(weight, len(weight)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "factor", "shift"), [(60, 2, 1), (400, 0.01, 0), (400, 1e6, -5e5)])
def test_recalibrations_are_those_of_statsmodels(n, factor, shift, weighted):
    data = overconfident(n, 1, weighted, factor, shift)
    nodes, drawn = _drawn(data, 8, 0)
    weight = drawn * nodes.weight
    refits = _refitted(data, weight)
    x = (nodes.z - shift) / factor
    for i, mass in enumerate(weight):
        family = {"family": sm.families.Binomial(), "freq_weights": mass}
        fit = sm.GLM(nodes.y.astype(float), sm.add_constant(x), **family)
        level, slope = fit.fit(tol=1e-14, maxiter=200).params
        a, b = slope / factor, level - slope / factor * shift
        assert refits.a[i] == pytest.approx(a, rel=1e-8)
        assert refits.b[i] == pytest.approx(b, rel=1e-8, abs=1e-8)
        loss = np.logaddexp(0, np.where(nodes.y, -1, 1) * (level + slope * x))
        assert refits.both[i] == pytest.approx(np.average(loss, weights=mass), rel=1e-12)


def test_recalibrations_are_those_of_scikit_learn():
    data = overconfident(300, 4)
    nodes, drawn = _drawn(data, 5, 0)
    refits = _refitted(data, drawn)
    for i, times in enumerate(drawn):
        fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=200)
        fit.fit(nodes.z[:, None], nodes.y, times)
        assert refits.a[i] == pytest.approx(fit.coef_.item(), rel=1e-8)
        assert refits.b[i] == pytest.approx(fit.intercept_.item(), rel=1e-8)


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
    refits = _refitted(data, weight)
    for i, times in enumerate(np.stack(counts)):
        kept = times > 0
        if len(np.unique(y[kept])) < 2:
            assert np.isnan(
                [refits.a[i], refits.both[i], refits.slope[i], refits.intercept[i]]
            ).all()
            continue
        measure = Measure.from_sample(predictions(z[kept], y[kept], times[kept]).sample)
        best = optimum(measure).cross_entropy
        close = {"rel": 1e-6, "abs": 1e-9}
        assert refits.both[i] == pytest.approx(best.value, **close)
        assert refits.slope[i] == pytest.approx(slope_alone(measure)[1], **close)
        assert refits.intercept[i] == pytest.approx(intercept_alone(measure)[1], **close)
        name = best.status.name
        if name == "finite":
            assert refits.a[i] == pytest.approx(best.a, rel=1e-6, abs=1e-9 / np.ptp(z[kept]))
        elif name == "constant_x":
            assert np.isnan([refits.a[i], refits.b[i]]).all()
        else:
            assert refits.a[i] == best.orientation * math.inf
            assert np.isnan(refits.b[i])
