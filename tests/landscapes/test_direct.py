import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sweep
from sweep import InputError, Sample
from sweep.base.grid import Grid
from sweep.landscapes import direct
from sweep.measure.measure import Measure
from sweep.measure.points import Points
from sweep.metrics.metrics import METRICS, Smooth, metric
from tests.support import oracle

CE = METRICS["cross_entropy"]
assert isinstance(CE, Smooth)
BUDGET = 2**29
SMOOTH = {
    name: metric(name)
    for name in (
        "cross_entropy",
        "brier",
        "focal(0)",
        "focal",
        "weighted_cross_entropy(1, 5)",
        "smoothed_cross_entropy(0.3)",
        "smoothed_cross_entropy(1)",
        "penalised_cross_entropy(0.5, 2)",
    )
}


def _normal(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, (rng.uniform(size=n) < 1 / (1 + np.exp(-x))).astype(float)


def _hard():
    """Name -> (sample, slopes, intercepts) whose logits are hard to get right."""
    x, y = _normal(60)
    rng = np.random.default_rng(1)
    up = (x > 0).astype(float)
    return {
        "separated, minute weights": (
            Sample([1.0, 2.0], [0, 0], [1e-12, 1e-12]),
            [-690.0, -700.0],
            [0.0],
        ),
        "|z| up to 800": (Sample(x / np.abs(x).max(), y), [-800.0, -40, 1e-3, 700, 800], [0.0]),
        "separated, all right": (Sample(up * 2 - 1, up), [1.0, 37, 300, 700], [0.0, 0.5]),
        "separated, all wrong": (Sample(1 - up * 2, up), [1.0, 37, 300, 800], [0.0, 0.5]),
        "shifted by 1e6": (Sample(x + 1e6, y), [1.0, -3, 0.1], [-1e6, 3e6 + 1, -1e5]),
        "weights over 12 decades": (
            Sample(x, y, 10.0 ** rng.uniform(-6, 6, len(x))),
            [-3.0, 0, 1, 50],
            [-2.0, 0, 5],
        ),
        "soft labels": (Sample(x, rng.uniform(size=len(x))), [-3.0, 1, 200], [-2.0, 0, 5]),
        "equal terms": (Sample(np.full(3000, 0.3), np.ones(3000)), [1.0, -0.7], [0.1]),
        "outlier at 1e8": (Sample(np.append(x, 1e8), np.append(y, 0)), [1e-6, 1.0], [0.0, -3]),
    }


@pytest.mark.parametrize("name", _hard())
def test_cross_entropy_of_hard_cells_is_that_of_mpmath(name):
    sample, a, b = _hard()[name]
    found = sweep.landscape(sample, a, b, "cross_entropy").cross_entropy.values
    for i, ai in enumerate(a):
        for j, bj in enumerate(b):
            exact = oracle.exact_cross_entropy(sample, ai, bj)
            assert exact > np.finfo(float).tiny  # below it no relative precision is left
            assert abs(found[i, j] - exact) <= oracle.TOLERANCE["float64"] * exact


def test_cross_entropy_too_small_for_float64_is_zero():
    # exp(-800) = 3.7e-348: no float64 is nearer to it than 0.
    sample = Sample([-1, 1], [0, 1])
    assert sweep.landscape(sample, 800.0, 0.0, "cross_entropy").cross_entropy.item() == 0


def test_cross_entropy_too_large_for_float64_is_infinite():
    sample = Sample([1e10, 0.0], [0, 1])
    found = sweep.landscape(sample, 1e300, 0.0, "cross_entropy", tolerance=1)
    assert found.cross_entropy.item() == np.inf


EXTREME = {
    "heavy": (Sample([1], [0], [1e307]), 800.0, 0.0),
    "light": (Sample([1, 2], [0, 1], [1e-310, 1e-310]), 1.0, 0.0),
    "both": (Sample([0, 1, 0, 1], [1, 1, 0, 0], [1e-200, 1e-200, 1e200, 1e200]), 1.0, 0.5),
    "subnormal x": (Sample([1e-309], [0]), 1.7e308, 0.0),
    "subnormal slope": (Sample([1e308], [0]), 5e-309, 0.0),
    "heavy for float32": (Sample([1], [0], [1e40]), 1.0, 0.0),
    "light for float32": (Sample([1], [0], [1e-50]), 1.0, 0.0),
    "x beyond float32": (Sample([1e39], [0]), 1e-39, 0.5),
    "slope below float32": (Sample([1e30], [0]), 1e-39, 0.5),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", EXTREME)
def test_the_bound_is_honest_at_the_ends_of_the_float_range(name, dtype):
    sample, a, b = EXTREME[name]
    exact = float(oracle.exact_cross_entropy(sample, a, b))
    grid = Grid(np.array([a]), np.array([b]))
    bound = direct.rounding_bound(Measure.from_sample(sample), CE, grid, dtype)
    # Masses alone never spoil it; x or a at the ends of the range may.
    if any(word in name for word in ("heavy", "light", "both")):
        assert bound < 1e-3
    if bound > 1e-3:
        with pytest.raises(sweep.InputError, match="cannot be promised"):
            sweep.landscape(sample, a, b, "cross_entropy", dtype=dtype, tolerance=1e-3)
    if np.isfinite(bound):
        options = {"dtype": dtype, "tolerance": max(bound, 1e-3)}
        found = sweep.landscape(sample, a, b, "cross_entropy", **options)
        error = abs(found.cross_entropy.item() - exact) / max(1, exact)
        assert error <= found.attrs["error_bound"] == bound


def _block(rows, mass=None):
    x = jnp.asarray(rows)
    return direct.PointBlock(x, jnp.full(x.shape, jnp.inf), mass)


def test_sums_are_compensated_within_a_call_and_between_calls():
    # One is lost in 1e16 + 1: ten times in a row, unless what was lost is kept.
    with jax.enable_x64(True):
        cell = jnp.array([1.0]), jnp.array([[0.0]])
        for rows, calls in (([[0.0]], 10), ([[0.0]] * 10, 1)):
            sums = direct.CompensatedSums(jnp.array([[1e16]]), jnp.array([[0.0]]))
            for _ in range(calls):
                sums = direct._add(sums, *cell, _block(rows), 1.0, loss=jnp.exp, good=-1)
            assert float((sums.value + sums.lost)[0, 0]) == 1e16 + 10


def test_blocks_stay_on_the_device_only_where_there_is_room():
    points = Measure.from_sample(Sample(*_normal(2000))).class1
    for room, kept in ((len(points) * 16, True), (len(points) * 16 - 1, False)):
        blocks = direct._Blocks(points, "float64", 1, room)
        first, again = list(blocks), list(blocks)
        assert (first[0].x is again[0].x) == kept
        np.testing.assert_array_equal(first[0].x, again[0].x)


@pytest.mark.parametrize("n", [1, 64, 511, 513, 1025, 99_000, 10**6])
@pytest.mark.parametrize("most", [1, 3, 40, 5000])
def test_blocks_hold_every_point_once_with_little_padding(n, most):
    rows, width = direct._block_shape(n, most)
    assert 1 <= rows <= most
    assert width <= direct.ROW
    padded = -(-n // (rows * width)) * rows * width
    assert (
        n
        <= padded
        <= max(1.07 * n, most // 16 * direct.ROW) + 2 * rows * direct.PADDING_STEP + direct.ROW
    )
    with jax.enable_x64(True):
        blocks = list(direct._Blocks(Points(np.arange(1.0, n + 1)), "float64", most, 0))
    x = np.concatenate([np.asarray(block.x).ravel() for block in blocks])
    limit = np.concatenate([np.asarray(block.limit).ravel() for block in blocks])
    np.testing.assert_array_equal(x[limit > 0], np.arange(1, n + 1))
    assert len(x) == padded
    assert np.all(x[limit < 0] == 0)


def test_logit_has_two_roundings():
    # With one, as in a fused multiply-add, it would be what rounding takes from the product: 1.
    x = a = 2.0**27 + 1
    b = -(a * x)
    assert int(a) * int(x) + int(b) == 1
    value = sweep.landscape(Sample([x], [1]), a, b, "cross_entropy").cross_entropy.item()
    assert value == pytest.approx(np.log(2), rel=1e-15)
    many = Sample(np.full(2000, 1e6 + 0.1), np.ones(2000))
    a = np.linspace(0.1, 3, 40)
    found = sweep.landscape(many, a, -a * 1e6, "cross_entropy").cross_entropy.values
    np.testing.assert_allclose(
        found, oracle.grid(oracle.cross_entropy, many, a, -a * 1e6), rtol=1e-13
    )


@pytest.mark.parametrize("n", [1, 5, 63, 64, 65, 511, 512, 513, 1500])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 130), (129, 3)])
def test_tiles_and_blocks_of_every_raggedness_agree_with_the_definition(n, shape):
    sample = Sample(*_normal(n, seed=n))
    a, b = np.linspace(-3, 5, shape[0]), np.linspace(-2, 2, shape[1])
    found = sweep.landscape(sample, a, b, "cross_entropy").cross_entropy.values
    assert found.shape == shape
    np.testing.assert_allclose(found, oracle.grid(oracle.cross_entropy, sample, a, b), rtol=1e-13)


def test_vmapped_tile_is_a_loop_over_the_scalar_definition():
    sample = Sample(*_normal(100))
    grid = Grid(np.linspace(-2, 2, 5), np.linspace(-1, 1, 4))
    measure = Measure.from_sample(sample)
    found = direct.direct(measure, CE, grid, "float64", BUDGET)
    with jax.enable_x64(True):
        for i, a in enumerate(grid.a):
            for j, b in enumerate(grid.b):
                sums = [
                    direct.integral(
                        loss, _block(points.x[None]), jnp.asarray(a), jnp.asarray(b), good=good
                    ).item()
                    for loss, points, good in (
                        (CE.negative, measure.class0, -1),
                        (CE.positive, measure.class1, 1),
                    )
                ]
                assert found[i, j] == pytest.approx(sum(sums) / 100, rel=1e-14)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SMOOTH)
def test_scattered_cells_are_those_of_the_grid(name, weighted):
    x, y = _normal(1500)
    weight = np.random.default_rng(1).uniform(size=1500) if weighted else None
    measure = Measure.from_sample(Sample(x, y, weight))
    a, b = np.linspace(-3, 5, 7), np.linspace(-2, 2, 7)
    whole = direct.direct(measure, SMOOTH[name], Grid(a, b), "float64", BUDGET)
    found = direct.direct_cells(measure, SMOOTH[name], a, b, "float64", BUDGET)
    np.testing.assert_allclose(found, np.diagonal(whole), rtol=1e-14)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("budget", [2**20, BUDGET])
def test_steps_add_up_to_the_work(name, budget):
    measure = Measure.from_sample(Sample(*_normal(3000)))
    grid = Grid(np.linspace(-3, 5, 40), np.linspace(-2, 2, 9))
    told = []
    direct.direct(measure, SMOOTH[name], grid, "float64", budget, told.append)
    assert sum(told) == direct.work(measure, SMOOTH[name], grid.cells)
    assert min(told) > 0


def test_few_cells_of_many_points_take_few_calls():
    measure = Measure.from_sample(Sample(*_normal(200_000)))
    told = []
    a = np.array([1.0])
    found = direct.direct_cells(measure, CE, a, a, "float64", BUDGET, told.append)
    assert len(told) == 2
    expected = oracle.cross_entropy(Sample(*_normal(200_000)), 1.0, 1.0)
    assert found[0] == pytest.approx(expected, rel=1e-14)


def test_a_ragged_last_tile_or_block_compiles_nothing():
    sample = Sample(*_normal(1024 + 64))  # two or three blocks of one length for either class
    grids = [("-1:1:256", "-1:1:128"), ("-1:1:255", "-1:1:127"), ("-1:1:129", "-1:1:128")]
    sweep.landscape(sample, *grids[0], "cross_entropy")
    before = direct._add._cache_size()
    sweep.landscape(sample, *grids[0], "cross_entropy")
    assert direct._add._cache_size() == before
    for grid in grids[1:]:
        direct._add.clear_cache()
        sweep.landscape(sample, *grid, "cross_entropy")
        # One shape of tile; one or two lengths of block, for the two classes.
        assert direct._add._cache_size() <= 2


@pytest.mark.parametrize("budget", [2**20, 2**24, 2**29])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(2000, 2000), (1, 10**6), (10**6, 3), (1, 1), (64, 1)])
def test_compiled_tile_stays_within_the_budget(shape, budget, dtype):
    height, width = direct.tile_shape(shape, budget, dtype)
    assert 1 <= height <= shape[0]
    assert 1 <= width <= shape[1]
    with jax.enable_x64(True):
        tile = jax.ShapeDtypeStruct((height, width), jnp.float64)
        rows = direct.most_rows(height * width, budget, dtype)
        block = jax.ShapeDtypeStruct((rows, direct.ROW), dtype)
        lowered = direct._add.lower(
            direct.CompensatedSums(tile, tile),
            jax.ShapeDtypeStruct((height,), dtype),
            jax.ShapeDtypeStruct((height, width), dtype),
            direct.PointBlock(block, block, block),
            1.0,
            loss=CE.positive,
            good=1,
        )
        memory = lowered.compile().memory_analysis()
    assert memory is not None
    used = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
    assert used <= budget


def test_result_does_not_depend_on_the_budget():
    sample = Sample(*_normal(3000))
    results = [
        sweep.landscape(sample, "-5:5:40", "-2:2:50", memory_budget=budget)
        for budget in (2**20, 2**22, 2**29)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other.correct, results[0].correct)
        np.testing.assert_allclose(other.cross_entropy, results[0].cross_entropy, rtol=1e-14)


def test_float32_keeps_within_its_bound():
    sample = Sample(*_normal(5000))
    a, b = np.linspace(-5, 5, 21), np.linspace(-3, 3, 11)
    found = sweep.landscape(sample, a, b, dtype="float32", tolerance=oracle.TOLERANCE["float32"])
    exact = oracle.grid(oracle.cross_entropy, sample, a, b)
    error = np.abs(found.cross_entropy.values - exact) / np.maximum(1, exact)
    assert 1e-9 < error.max() <= found.attrs["error_bound"] <= 1e-4
    assert found.attrs["dtype"] == "float32"
    np.testing.assert_array_equal(found.correct, oracle.grid(oracle.correct, sample, a, b))


def test_a_tolerance_that_rounding_breaks_is_refused():
    sample = Sample(*_normal(100))
    with pytest.raises(sweep.InputError, match=r"1e-09 cannot be promised in float32.*float64"):
        sweep.landscape(sample, dtype="float32")
    with pytest.raises(sweep.InputError, match="1e-15 cannot be promised in float64"):
        sweep.landscape(sample, tolerance=1e-15)


def test_the_process_keeps_its_own_precision():
    assert not jax.config.jax_enable_x64
    sweep.landscape(sweep.data.illustration(1), "-1:1:3", "-1:1:3")
    assert not jax.config.jax_enable_x64
    assert jnp.zeros(1).dtype == jnp.float32


def test_a_row_whose_sum_overflows_is_refused():
    sample = Sample([1e293] * 1000, [0] * 1000)
    with pytest.raises(InputError, match="cannot be promised"):
        sweep.landscape(sample, 1e13, 0.0, "cross_entropy")


def test_the_least_weights_divide_nothing_by_0():
    sample = Sample([-1, 1, 0.3, 0.2], [0, 0, 0, 0], [1e-300, 1e-300, 1e-250, 1e-290])
    name = "weighted_cross_entropy(w0=1e-100,w1=1e-100)"
    found = sweep.landscape(sample, [1.0, 2.0], 0.0, name)
    np.testing.assert_allclose(found[name].values[:, 0], np.log1p(np.exp([0.3, 0.6])), rtol=1e-12)
