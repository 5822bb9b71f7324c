"""Compressed against direct and against the slow truth: within the bound, whatever the problem.

And the check of a compressed landscape notices wrong deposits and wrong values.
"""

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sweep
from sweep import Measure, Sample
from sweep.base.grid import Grid
from sweep.landscapes import compressed, smooth
from sweep.landscapes.compressed import CompressedMetric
from sweep.measure.compression.deposit import fold
from sweep.measure.compression.plan import CompressionError, plan
from sweep.measure.compression.scatter import deposit
from sweep.metrics.metrics import metric
from tests.support import hard, oracle
from tests.support.samples import cloud

SMOOTH = (
    "cross_entropy",
    "brier",
    "focal(gamma=2.5)",
    "weighted_cross_entropy(w0=1,w1=7)",
    "smoothed_cross_entropy(epsilon=0.2)",
    "penalised_cross_entropy(l1=0.1,l2=0.01)",
)
TOLERANCES = (1e-3, 1e-6, 1e-9)
OWN_ROUNDING = 1e-13  # of the truths below: a few hundred roundings in a sum


def truth(sample, name, a, b):
    """A metric in every cell by its own losses in NumPy, point by point, z as defined."""
    wanted = metric(name)
    w = np.ones(len(sample)) if sample.weight is None else sample.weight
    mass = ((1 - sample.y) * w, sample.y * w)
    out = np.zeros((len(a), len(b)))
    for i, ai in enumerate(a):
        z = ai * sample.x + np.asarray(b)[:, None]
        for loss, on0, on1 in wanted.parts:
            if on0 or on1:
                out[i] += np.sum((on0 * mass[0] + on1 * mass[1]) * loss(z), axis=1)
    out /= wanted.total(np.sum(mass[0]), np.sum(mass[1]))
    return out if wanted.penalty is None else out + wanted.penalty(a)[:, None]


def losses(name):
    return [part.loss for part in metric(name).parts]


def whole_of(surface):
    """A metric in every cell."""
    rows, columns = surface.plan.grid.shape
    return surface.tile(slice(0, rows), slice(0, columns))


@pytest.fixture(scope="module", autouse=True)
def few_shapes():
    """Pads nodes and cores to fewer sizes than usual: fewer shapes are compiled."""
    sizes = (32, 128, 512)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compressed, "_padded_size", lambda n: min(k for k in sizes if k >= n))
        yield


@pytest.mark.parametrize("seed", range(330))
def test_the_true_error_is_within_the_reported_bound(seed):
    problem = hard.problem(seed)
    name, tolerance = SMOOTH[seed % len(SMOOTH)], TOLERANCES[seed // 7 % 3]
    found = sweep.landscape(
        problem.sample, problem.a, problem.b, name, tolerance=tolerance, method="compressed"
    )
    worst = oracle.error(found[name].values, truth(problem.sample, name, problem.a, problem.b))
    assert found.attrs["method"] == "compressed"
    assert found.attrs["observed_error"] <= found.attrs["error_bound"] <= tolerance, problem.name
    assert worst <= found.attrs["error_bound"] + OWN_ROUNDING, problem.name


numbers = st.floats(-1e3, 1e3, allow_subnormal=False)


@settings(max_examples=60)
@given(st.data())
def test_compressed_equals_direct(data):
    n = data.draw(st.integers(1, 60))
    x = data.draw(hnp.arrays(float, n, elements=numbers)) * 10.0 ** data.draw(st.integers(-6, 6))
    y = data.draw(hnp.arrays(float, n, elements=st.floats(0, 1) | st.sampled_from([0.0, 1.0])))
    weight = data.draw(st.none() | hnp.arrays(float, n, elements=st.floats(1e-3, 1e3)))
    a, b = (data.draw(hnp.arrays(float, k, elements=numbers)) for k in (5, 3))
    name = data.draw(st.sampled_from(SMOOTH))
    sample = Sample(x, y, weight)
    try:
        one = sweep.landscape(sample, a, b, name, tolerance=1e-8, method="compressed")
    except CompressionError as refusal:
        event(str(refusal)[:30])
        return
    other = sweep.landscape(sample, a, b, name, tolerance=1e-8, method="direct")
    allowed = one.attrs["error_bound"] + other.attrs["error_bound"]
    assert oracle.error(one[name].values, other[name].values) <= allowed <= 1.1e-8


@pytest.mark.parametrize(
    ("a", "b"),
    [("-10:10:301", "-5:5:201"), ("-10:10:7", "-5:5:201"), ("-1e4:1e4:61", "-5:5:5")],
)
def test_the_core_is_interpolated_where_that_is_less_and_only_there(a, b):
    sample = cloud(400)
    grid = Grid(sweep.base.ranges.axis(a), sweep.base.ranges.axis(b))
    made = plan(grid, Measure.from_sample(sample).ends, losses("cross_entropy"), 1e-9, 2**20)
    for group in made.groups:
        assert len(group.slopes.points) <= len(group.rows)
    assert len(made.intercepts.points) <= grid.shape[1]
    found = sweep.landscape(sample, a, b, "cross_entropy", method="compressed")
    exact = sweep.landscape(sample, a, b, "cross_entropy", method="direct")
    assert oracle.error(found.cross_entropy.values, exact.cross_entropy.values) <= 1e-9


def test_every_row_is_in_one_group_whose_window_is_fine_enough():
    slopes = np.concatenate([-np.geomspace(1e-9, 1e4, 200), [0.0], np.geomspace(1e-9, 1e4, 200)])
    grid = Grid(slopes, np.linspace(-5, 5, 3))
    made = plan(grid, (-50.0, 3e7), losses("cross_entropy"), 1e-9, 2**20)
    rows = np.concatenate([group.rows for group in made.groups])
    assert sorted(rows) == list(range(len(slopes)))
    first = 2.0 ** (made.lattice.exponent + made.lattice.bits + 1)
    for group in made.groups:
        window = first * 2.0 ** (group.level - 1)
        logit = np.abs(slopes[group.rows]) * window
        assert np.max(logit) <= made.window_half_width_logit * (1 + 1e-12)
        if group.level < made.levels:  # what is beyond is far
            assert np.min(logit) >= (5 + made.straight_logit) * (1 - 1e-12)


@pytest.mark.parametrize(("a", "b"), [("-3:3:2", "-5:5:70"), ("-500:500:4", "-1e3:1e3:6")])
def test_pieces_of_every_size_give_the_same_cells(a, b):
    measure = Measure.from_sample(cloud(500))
    grid = Grid(sweep.base.ranges.axis(a), sweep.base.ranges.axis(b))
    wanted = metric("penalised_cross_entropy(l1=1)")
    made = plan(grid, measure.ends, losses("cross_entropy"), 1e-8, 2**20)
    windows = fold(made, deposit(measure.classes, made.lattice))
    whole, *others = (
        whole_of(
            CompressedMetric(made, windows, wanted, 500.0, compressed.BYTES_PER_CELL * edge**2)
        )
        for edge in (1000, 1, 3, 6)
    )
    for other in others:
        assert other == pytest.approx(whole, rel=1e-12)


def test_the_least_negative_numbers_are_not_lost():
    rng = np.random.default_rng(0)
    x = -np.abs(rng.normal(size=40_000)) - 1e-3
    y = (rng.random(len(x)) < 0.5).astype(float)
    x[np.flatnonzero(y == 0)[1:15_000:3]] = -1e-310  # 0 to a device without subnormal numbers
    sample = Sample(x, y)
    found = sweep.landscape(sample, "-1:1:11", "0:1:11", "cross_entropy", method="compressed")
    exact = truth(sample, "cross_entropy", found.a.values, found.b.values)
    assert oracle.error(found.cross_entropy.values, exact) <= found.attrs["error_bound"]


@pytest.mark.parametrize(
    ("x", "a", "b", "tolerance"),
    [
        ([-1.0, 1.0], np.linspace(0, 1e-309, 50), [0.0], 1e-9),
        ([-1e-200, 1e-200], np.linspace(-1e-110, 1e-110, 40), [0.0], 1e-9),
        ([-5e-324], [1.0, 3.0], [0.0, 1.0], 1e-9),
        ([0.3, 1.0], [64.0, -64.0, 0.0, 5e-324, -1e-310], [0.0], 1e-9),
        ([-1.0, 0.5], np.linspace(-5, 5, 100), np.append(np.linspace(-5, 5, 120), 1e-310), 1e-7),
        ([-1.0, 1.0], [1.0, 3.0], [0.0], 20.0),
        ([-1.0, 1.0], [1.0, 3.0], [0.0, 1.0], 1e9),
    ],
)
@pytest.mark.parametrize("method", ["auto", "compressed"])
def test_the_ends_of_the_float_range_are_no_exception(x, a, b, tolerance, method):
    sample, a, b = Sample(x, np.arange(len(x)) % 2), np.asarray(a), np.asarray(b)
    found = sweep.landscape(sample, a, b, "cross_entropy", method=method, tolerance=tolerance)
    worst = oracle.error(found.cross_entropy.values, truth(sample, "cross_entropy", a, b))
    assert worst <= found.attrs["error_bound"] + OWN_ROUNDING


@pytest.mark.parametrize("label", [5e-324, 1e-310, 1e-300])
def test_the_least_soft_labels_are_no_fault(label):
    sample = Sample([-4.0, 2.0], [label, 0.5], [3.0, 1.0])
    found = sweep.landscape(sample, [0.1, -0.1], [0.0, 1.0], "cross_entropy", method="compressed")
    exact = truth(sample, "cross_entropy", found.a.values, found.b.values)
    assert oracle.error(found.cross_entropy.values, exact) <= found.attrs["error_bound"]


def test_a_class_of_subnormal_mass_is_no_fault():
    found = sweep.landscape(
        Sample([-4.0], [5e-324], [3.0]), [0.1], [0.0, 1.0], "cross_entropy", method="compressed"
    )
    assert found.cross_entropy.values[0] == pytest.approx(np.log1p(np.exp([-0.4, 0.6])), rel=1e-9)


def test_the_check_of_large_data_takes_a_part_of_the_points(monkeypatch):
    monkeypatch.setattr(compressed, "CHECKED_POINTS", 110)
    found = sweep.landscape(cloud(), method="compressed")
    assert found.attrs["checked_points"] == len(range(0, 3000, 28)) + 1  # each class by itself
    assert 0 < found.attrs["observed_error"] <= found.attrs["error_bound"]


@pytest.mark.parametrize("n", [3000, 40_000])
@pytest.mark.parametrize("moment", range(3))
@pytest.mark.parametrize("method", ["auto", "compressed"])
def test_a_wrong_deposit_is_seen_by_the_check(monkeypatch, n, moment, method):
    def wrong(classes, *arguments):
        found = deposit(classes, *arguments)
        if sum(map(len, classes)) == n and moment < 2:  # a few points too many, or moved
            found.moments[1, found.moments.shape[1] // 2, moment] += n / 1000
        elif moment == 2:  # or an error in all that is summed
            found.moments[..., moment] += 1
        return found

    for module in (smooth, compressed):
        monkeypatch.setattr(module, "deposit", wrong)
    with pytest.raises(compressed.CheckError, match="a fault of this program; ask for the direct"):
        sweep.landscape(cloud(n), metrics="cross_entropy", method=method)


def test_nan_does_not_pass_the_check(monkeypatch):
    def nan(*arguments):
        return np.full((101, 101), np.nan)

    monkeypatch.setattr(CompressedMetric, "tile", nan)
    with pytest.raises(compressed.CheckError, match="an error of nan was seen"):
        sweep.landscape(cloud(), metrics=("brier", "cross_entropy"), method="compressed")
