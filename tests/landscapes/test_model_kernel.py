"""A model of a user on every sample in every cell, against NumPy, one sample at a time."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import sweep
from sweep import InputError, Sample, Slice
from sweep.base import storage
from sweep.base.grid import Grid
from sweep.data.sample import Batch
from sweep.landscapes import model_kernel
from sweep.metrics import metrics as losses
from sweep.metrics.metrics import metric
from tests.support import oracle
from tests.support.own_models import LINE, columns, margin, mlp, network


def _logits(model, x, a, b):
    """The oracle of the network: NumPy, one cell and one sample at a time."""
    along_a, along_b = model.directions
    params = {k: model.origin[k] + a * along_a[k] + b * along_b[k] for k in model.origin}
    return np.array([params["v"] @ np.tanh(params["w"] @ xi + params["c"]) for xi in x])


def wrong(z, y):
    return (z > 0) != (y > 0.5)


def _expected(model, data, a, b):
    """Every metric at one (a, b), by the oracle."""
    x, y = data[:2]
    w = data[2] if len(data) == 3 else np.ones(len(x))
    z = _logits(model, x, a, b)
    losses = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
    values = {
        "cross_entropy": losses,
        "accuracy": np.where(z > 0, y, 1 - y),
        "margin": (2 * y - 1) * z,
        "wrong": (z > 0) != (y > 0.5),
    }
    return {name: np.sum(w * value) / np.sum(w) for name, value in values.items()}


METRICS = ("cross_entropy", "accuracy", margin, wrong)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_network_on_a_grid_that_is_not_square_is_that_of_the_oracle(soft, weighted):
    model, data = network(), columns(70, soft=soft, weighted=weighted)
    found = sweep.landscape(data, "-2:1:7", "-1:3:5", METRICS, model=model)
    assert found.cross_entropy.dims == ("a", "b")
    assert found.cross_entropy.shape == (7, 5)
    for a in found.a.values:
        for b in found.b.values:
            cell = found.sel(a=a, b=b)
            for name, value in _expected(model, data, a, b).items():
                assert cell[name].item() == pytest.approx(value, rel=1e-12, abs=1e-14)
    assert ("correct" in found) == (not soft and not weighted)
    if "correct" in found:
        assert found.correct.dtype == np.int64
        np.testing.assert_array_equal(found.correct, np.rint(found.accuracy * 70))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 100, 1500])
def test_a_line_written_by_a_user_is_the_plain_model(n, weighted):
    rng = np.random.default_rng(n)
    x, y, w = rng.normal(size=n), rng.integers(0, 2, n), rng.uniform(0, 2, n)
    sample = Sample(x, y, w if weighted else None)
    plain = sweep.landscape(sample, "-5:5:11", "-2:3:8")
    for data in (sample, (sample.x, sample.y, *([w] if weighted else []))):
        own = sweep.landscape(data, "-5:5:11", "-2:3:8", model=LINE)
        np.testing.assert_allclose(own.cross_entropy, plain.cross_entropy, rtol=1e-12)
        np.testing.assert_allclose(own.accuracy, plain.accuracy, rtol=1e-12)
        assert own.attrs["sample_fingerprint"] == plain.attrs["sample_fingerprint"]
        if not weighted:
            np.testing.assert_array_equal(own.correct, plain.correct)


def test_vmapped_cells_are_a_loop_over_the_scalar_definition():
    model, (x, y) = network(), columns(20)
    found = sweep.landscape((x, y), "-1:1:3", "-1:1:4", margin, model=model)
    with jax.enable_x64(True):
        for a in found.a.values:
            for b in found.b.values:
                params = model.at(a, b)
                labels = y.astype(float)
                values = [margin(mlp(params, xi), yi) for xi, yi in zip(x, labels, strict=True)]
                expected = float(sum(values)) / len(x)
                assert found.margin.sel(a=a, b=b).item() == pytest.approx(expected, rel=1e-12)


def test_own_metrics_of_the_plain_model_stand_beside_the_table():
    sample = sweep.data.illustration(2)
    found = sweep.landscape(sample, "-2:3:6", "-1:1:5", ("accuracy", margin, wrong))
    assert list(found.data_vars) == ["accuracy", "margin", "wrong", "correct"]
    np.testing.assert_allclose(found.wrong, 1 - found.accuracy, atol=1e-15)
    expected = oracle.grid(
        lambda s, a, b: np.mean((2 * s.y - 1) * oracle.logits(s, a, b)), sample, found.a, found.b
    )
    np.testing.assert_allclose(found.margin, expected, rtol=1e-12, atol=1e-14)
    assert found.attrs["error_bound"] == found.accuracy.attrs["error_bound"] == 0
    assert "no bound is known" in found.attrs["error_bound_note"]
    assert np.isnan(found.margin.attrs["error_bound"])
    alone = sweep.landscape(sample, "-2:3:6", "-1:1:5", margin)
    np.testing.assert_array_equal(alone.margin, found.margin)


def test_own_metrics_of_the_plain_model_see_the_logit_of_two_roundings():
    # With one rounding it would be what rounding takes from the product: 1.
    x = a = 2.0**27 + 1
    sample = Sample(np.full(2000, x), np.ones(2000))
    assert sweep.landscape(sample, a, -(a * x), margin).margin.item() == 0


METRICS_OF_LINE = [metric("cross_entropy"), metric("accuracy")]  # the default: compiled already


@pytest.mark.parametrize("n", [1, 5, 511, 512, 513, 1030])
@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (130, 7)])
def test_tiles_and_blocks_of_every_raggedness_agree_with_the_definition(n, grid):
    rng = np.random.default_rng(n)
    sample = Sample(rng.normal(size=n), rng.integers(0, 2, n))
    a, b = np.linspace(-3, 5, grid[0]), np.linspace(-2, 2, grid[1])
    done = []
    found = sweep.landscape(sample, a, b, model=LINE, memory_budget=2**20)
    batch = Batch(sample.x, sample.y)
    model_kernel.evaluate(LINE, batch, Grid(a, b), METRICS_OF_LINE, "float64", 2**20, done.append)
    expected = oracle.grid(oracle.cross_entropy, sample, a, b)
    np.testing.assert_allclose(found.cross_entropy, expected, rtol=1e-12)
    np.testing.assert_array_equal(found.correct, oracle.grid(oracle.correct, sample, a, b))
    assert sum(done) == n * found.accuracy.size
    assert min(done) > 0


def test_result_does_not_depend_on_the_budget():
    data = columns(2000, weighted=True)
    results = []
    for budget in (2**20, 2**23, 2**29):
        options = {"model": network(), "memory_budget": budget}
        results.append(sweep.landscape(data, "-1:1:9", "-1:1:7", METRICS, **options))
    for other in results[1:]:
        xr.testing.assert_allclose(other, results[0], rtol=1e-13)


def test_padding_and_points_without_weight_leak_nothing():
    # At x = 0 the logit is nan, and nobody asks for it: that sample has no weight.
    model = Slice(lambda p, x: p * x / x, 1.0, (1.0, 0.0))
    found = sweep.landscape(([2.0, 0.0, -1.0], [1, 1, 0], [1, 0, 1]), "0:2:3", 0.0, model=model)
    np.testing.assert_allclose(found.accuracy, 0.5)
    z = 1 + found.a.values[:, None]
    expected = (np.logaddexp(0, -z) + np.logaddexp(0, z)) / 2
    np.testing.assert_allclose(found.cross_entropy, expected, rtol=1e-14)


def test_infinite_logits_have_the_loss_of_their_class():
    model = Slice(lambda p, x: jnp.exp(p * x), 0.0, (1.0, 0.0))
    right = sweep.landscape(([1.0], [1]), 1e4, 0.0, model=model)
    wrong = sweep.landscape(([1.0], [0]), 1e4, 0.0, model=model)
    assert (right.cross_entropy.item(), right.accuracy.item()) == (0, 1)
    assert (wrong.cross_entropy.item(), wrong.accuracy.item()) == (np.inf, 0)


def test_a_metric_that_is_nan_or_infinite_stays_so():
    def ratio(z, y):
        return y / z

    found = sweep.landscape(([1.0, 1.0], [0, 1]), [0.0, 2.0], 0.0, ratio, model=LINE)
    np.testing.assert_array_equal(found.ratio, [[np.nan], [0.25]])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32, np.float64])
def test_parameters_are_floats_of_any_width(dtype):
    weight = jnp.asarray(0.5, jnp.float32).astype(dtype) if dtype != np.float64 else np.array(0.5)
    model = Slice(lambda p, x: p[0] * x, [weight], ([1], [0]))
    found = sweep.landscape(([1.0, 3.0], [1, 1]), 0.25, 0.0, margin, model=model)
    assert found.margin.item() == 1.5


def test_integers_may_index_and_inputs_have_any_shape():
    tokens = np.array([[0, 2, 1], [1, 1, 2], [2, 0, 0]])
    table = np.array([0.5, -1.0, 2.0])
    model = Slice(
        lambda p, x: jnp.sum(p["table"][x]),
        {"table": table},
        ({"table": np.ones(3)}, {"table": np.eye(3)[0]}),
    )
    found = sweep.landscape((tokens, [1, 0, 1]), [0.0, 1.0], [0.0, 3.0], margin, model=model)
    expected = [
        [np.mean([1, -1, 1] * (table + a + b * np.eye(3)[0])[tokens].sum(axis=1)) for b in (0, 3)]
        for a in (0, 1)
    ]
    np.testing.assert_allclose(found.margin, expected, rtol=1e-14)
    images = np.random.default_rng(0).normal(size=(5, 2, 3, 4))
    model = Slice(lambda p, x: p * jnp.sum(x), 0.0, (1.0, 0.0))
    one = sweep.landscape((images, np.ones(5)), 1.0, 0.0, margin, model=model)
    assert one.margin.item() == pytest.approx(images.sum(axis=(1, 2, 3)).mean(), rel=1e-13)


def test_dataset_says_what_it_is():
    data = columns(30)
    found = sweep.landscape(data, "-1:1:3", "-1:1:2", ("accuracy", margin), model=network())
    assert list(found.data_vars) == ["accuracy", "margin", "correct"]
    assert found.margin.attrs["long_name"] == "margin"
    assert found.accuracy.attrs["units"] == found.a.attrs["units"] == found.b.attrs["units"] == "1"
    attrs = found.attrs
    assert attrs["n"] == attrs["total_weight"] == 30
    assert attrs["sample_fingerprint"] == Batch(*data).fingerprint
    assert (attrs["method"], attrs["dtype"]) == ("direct", "float64")
    assert attrs["model"] == "Slice(logit=mlp)"
    assert np.isnan(attrs["error_bound"])
    assert "no bound is known" in attrs["error_bound_note"]
    assert "tolerance" not in attrs
    assert attrs["device"].startswith("cpu")
    assert attrs["sweep_version"] == sweep.__version__


def test_it_can_be_saved_and_loaded(tmp_path):
    found = sweep.landscape(columns(9), "-1:1:3", "-1:1:2", METRICS, model=network())
    storage.save(found, tmp_path / "own.nc")
    with xr.open_dataset(tmp_path / "own.nc") as loaded:
        xr.testing.assert_identical(loaded.load(), found)


def test_fingerprint_names_the_data():
    x, y = columns(12)
    names = {
        Batch(*columns).fingerprint
        for columns in ((x, y), (x, 1 - y), (x.reshape(12, 1, 3), y), (x, y, np.ones(12)), (-x, y))
    }
    assert len(names) == 5
    assert Batch(x.tolist(), y).fingerprint == Batch(x, y).fingerprint
    assert Batch(x[:, 0], y).fingerprint == Sample(x[:, 0], y).fingerprint


def test_float32_is_computed_in_float32_and_stays_near():
    dtypes = []

    def logit(params, x):
        dtypes.append((params["w"].dtype, x.dtype, jnp.zeros(1).dtype))
        return mlp(params, x)

    model, data = network(), columns(900)
    own = Slice(logit, model.origin, model.directions)
    exact = sweep.landscape(data, "-1:1:4", "-1:1:3", METRICS, model=own)
    assert {str(one) for kinds in dtypes for one in kinds} == {"float64"}
    dtypes.clear()
    found = sweep.landscape(data, "-1:1:4", "-1:1:3", METRICS, model=own, dtype="float32")
    assert {str(one) for kinds in dtypes for one in kinds} == {"float32"}
    assert found.attrs["dtype"] == "float32"
    error = float(abs(found.cross_entropy - exact.cross_entropy).max())
    assert 1e-10 < error < 1e-5
    np.testing.assert_array_equal(found.correct, exact.correct)


def test_the_process_keeps_its_own_precision():
    before = jax.config.values.copy()
    sweep.landscape(columns(5), 1.0, 0.0, model=network())
    with pytest.raises(InputError):
        sweep.landscape(columns(5, inputs=2), 1.0, 0.0, model=network())
    assert jax.config.values == before
    assert jnp.zeros(1).dtype == jnp.float32


def test_a_model_is_traced_and_compiled_once():
    traced = []

    def logit(params, x):
        traced.append(x.shape)
        return mlp(params, x)

    line, (x, y) = network(), columns(1200)
    model_kernel._compiled.cache_clear()

    def compute(origin, **options):
        model = Slice(logit, origin, line.directions)
        return sweep.landscape((x, y), "-1:1:20", "-1:1:31", model=model, **options)

    compute(line.origin, memory_budget=2**21)  # ragged tiles and blocks
    assert traced == [(3,)]
    compute(network(1).origin, memory_budget=2**21)  # other numbers of the same shapes
    assert traced == [(3,)]
    (function,) = _compiled_for(logit)
    assert function._cache_size() == 1


def _compiled_for(logit):
    cross_entropy = losses.metric("cross_entropy")
    yield model_kernel._compiled(logit, (cross_entropy,), True)


@pytest.mark.parametrize("budget", [2**21, 2**24, 2**29])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sizes", [{"inputs": 3, "width": 4}, {"inputs": 20, "width": 300}])
def test_compiled_tile_stays_within_the_budget(sizes, dtype, budget):
    model, batch = network(**sizes), Batch(*columns(3000, inputs=sizes["inputs"]))
    cross_entropy = losses.metric("cross_entropy")
    with jax.enable_x64(dtype == "float64"):
        plane = model_kernel._plane(model, dtype)
        compiled = model_kernel._compiled(model.logit, (cross_entropy,), True)
        function = partial(compiled, *plane)
        tile, rows = model_kernel._plan(function, batch, 10**6, dtype, budget)
        x = jax.ShapeDtypeStruct((rows, *batch.x.shape[1:]), dtype)
        column, ab = (jax.ShapeDtypeStruct((k,), dtype) for k in (rows, tile))
        lowered = compiled.lower(*plane, model_kernel.SampleBlock(x, column, column), ab, ab)
        memory = lowered.compile().memory_analysis()
    used = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
    assert used <= budget
    assert rows == 512 or tile == 1
    # Nothing is fused in the plan, so it may be generous, but not by orders of magnitude.
    assert tile == model_kernel.TILE or used >= budget / 50


def test_a_logit_that_is_nan_is_named_by_its_cell_and_sample():
    model = Slice(lambda p, x: jnp.log(p + x), 0.0, (1.0, 0.0))
    x = np.append(np.ones(600), -2.0)
    sentence = r"logit is nan at a=1, b=0.5 for x\[600\]; narrow the grid"
    with pytest.raises(InputError, match=sentence):
        sweep.landscape((x, np.ones(601)), [3.0, 1.0, 0.0], 0.5, model=model)


def test_a_model_too_large_for_the_budget_is_refused_with_the_remedy():
    model = network(inputs=3, width=40_000)
    with pytest.raises(
        InputError, match=r"may take .* MiB; ask for a .* instead of 1 MiB"
    ) as error:
        sweep.landscape(columns(4), 0.0, 0.0, model=model, memory_budget=2**20)
    enough = int(re.findall(r"at least (\d+) MiB", str(error.value))[0]) * 2**20
    sweep.landscape(columns(4), 0.0, 0.0, model=model, memory_budget=enough)
