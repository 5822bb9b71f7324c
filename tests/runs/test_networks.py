"""Runs of networks: what they compute, that they survive what stops them, and bad data."""

import os
import shutil
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
import xarray as xr

import sweep
from sweep import InputError, figures
from sweep.base.executors import Serial
from sweep.runs import networks, preview
from sweep.runs.store import work_of
from sweep.training.ensemble import equal_blocks, train_networks
from sweep.training.hyperparameters import Hyperparameters
from sweep.training.networks import deterministic_affine
from tests.support.swept import events, store

TABLE = {
    "problem": "outlier",
    "learning_rate": [0.01, 0.1],
    "widths": ["2", "none"],
    "epochs": 6,
    "keep": [2, 6],
    "block": 2,
}
SPEC = sweep.Spec(seed=[4, 0, 7], training=TABLE)
TASKS = 4  # two blocks of seeds of two programs

NUMBERS = {"epochs": 6, "keep": [2, 6], "learning_rate": [0.01, 0.1]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("networks") / "whole"
    sweep.run(SPEC, out)
    return out


# --- what is computed ---------------------------------------------------------------------------


@pytest.mark.parametrize("width", ["2", "none"])
def test_the_store_has_what_train_says(whole, width):
    with xr.open_zarr(whole / "results.zarr") as opened:
        results = opened.load().sel(problem="outlier", widths=width)
    expected = sweep.train("outlier", seeds=[4, 0, 7], widths=width, **NUMBERS)
    assert set(results) == set(expected)
    for name, values in expected.items():
        stored = results[name].isel(seed=0) if name == "validation_y" else results[name]
        assert stored.dims == values.dims
        assert stored.attrs == values.attrs
        np.testing.assert_allclose(stored, values, rtol=1e-4, atol=1e-5)
    for name in ("seed", "learning_rate", "epoch", "kept_epoch"):
        np.testing.assert_array_equal(results[name], expected[name])
        assert results[name].attrs == expected[name].attrs


def test_the_store_says_what_it_was_computed_from_and_how_it_is_cut(whole):
    with xr.open_zarr(whole / "results.zarr") as results:
        assert dict(results.sizes) == {
            "problem": 1, "seed": 3, "widths": 2, "learning_rate": 2, "epoch": 6, "point": 20,
            "kept_epoch": 2,
        }  # fmt: skip
        assert results.loss.chunks == ((1,), (2, 1), (1, 1), (2,), (6,))
        assert results.loss.dtype == np.float32
        assert not results.loss.isnull().any()
        assert results.attrs["spec"] == SPEC.to_toml() == (whole / "spec.toml").read_text()
        assert results.attrs["activation"] == "relu"
        assert "optax_version" in results.attrs
        assert "learning_rate" not in results.attrs
    tasks = events(whole, "task")
    assert [(event["widths"], event["seed"]) for event in tasks] == [
        ("2", "4 to 0"), ("2", 7), ("none", "4 to 0"), ("none", 7),
    ]  # fmt: skip


def _write(path, columns, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(columns)))
    rows = np.column_stack([x, x[:, 0] > 0])
    lines = (",".join(map(repr, row)) for row in rows.tolist())
    path.write_text("\n".join([",".join([*columns, "y"]), *lines]) + "\n")


def test_files_of_data_of_different_lengths_are_filled_up_with_nan(tmp_path):
    _write(tmp_path / "a.csv", ["u", "weight", "v"], 12, 0)
    _write(tmp_path / "b.csv", ["v", "u"], 20, 1)
    spec = sweep.Spec(data=["a.csv", "b.csv"], seed=[1, 2], base=tmp_path, training={"epochs": 3})
    assert (spec.x, spec.training.validation) == (None, 0.25)
    sweep.run(spec, tmp_path / "out")
    with xr.open_zarr(tmp_path / "out" / "results.zarr") as opened:
        results = opened.load()
    assert results.best_logits.dims == ("data", "seed", "point")
    assert results.validation_y.notnull().sum("point").values.tolist() == [[3, 3], [5, 5]]
    assert results.best_logits.notnull().sum("point").values.tolist() == [[3, 3], [5, 5]]
    assert not results.loss.isnull().any()
    for k in (0, 1):
        problem = work_of(spec)._problems[k]
        expected = train_networks(problem, [Hyperparameters()], [1, 2], 3, [3], deterministic=True)
        np.testing.assert_array_equal(results.loss[k], expected["loss"][:, 0])
    # Each seed puts other rows aside.
    assert (results.loss[:, 0] != results.loss[:, 1]).any()
    (tmp_path / "b.csv").write_text("v,u,y\n1,0,1\n2,1,0\n")
    with pytest.raises(InputError, match=r"b\.csv has changed since the run began"):
        sweep.resume(tmp_path / "out")


def test_a_file_gives_its_columns_and_its_share_to_validation(tmp_path):
    _write(tmp_path / "a.csv", ["u", "weight", "v"], 12, 0)
    spec = sweep.Spec(data="a.csv", x=["v", "weight"], base=tmp_path, training={"validation": 0.5})
    (problem,) = work_of(spec)._problems
    table = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
    for seed in (0, 3):
        split = problem.draw(seed)
        assert (len(split.training), len(split.validation), split.inputs) == (6, 6, 2)
        rows = np.concatenate([split.training.x, split.validation.x])
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(table[:, [2, 1]], axis=0))
        classes = np.concatenate([split.training.y, split.validation.y])
        order = [int(np.flatnonzero(table[:, 2] == row[0])[0]) for row in rows]
        np.testing.assert_array_equal(classes, table[order, 3])


# --- what stops it ------------------------------------------------------------------------------


class Backwards(Serial):
    """Does the last task first, and each one twice."""

    def run(self, function, items):
        for index in reversed(range(len(items))):
            function(items[index])
            yield index, function(items[index])


def test_bits_do_not_depend_on_what_was_computed_before(whole, tmp_path):
    sweep.run(SPEC, tmp_path / "out", engine=Backwards())
    assert store(tmp_path / "out") == store(whole)


THREADS = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import jax, numpy as np
from sweep.training.networks import deterministic_affine as affine
rng = np.random.default_rng(0)
shapes = (2, 1000, 64), (2, 64, 100), (2, 100)
x, w, b = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
slopes = jax.vmap(jax.grad(lambda *of: (affine(*of) ** 2).sum(), argnums=(0, 1, 2)))
print(*(np.asarray(one).tobytes().hex()[::97] for one in jax.jit(slopes)(x, w, b)))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned")
def test_bits_do_not_depend_on_how_many_cores_a_process_may_use():
    processes = [
        subprocess.Popen([sys.executable, "-c", THREADS, count], stdout=subprocess.PIPE)
        for count in ("1", "1024")
    ]
    one, all_there_are = (process.communicate()[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert len(one) > 100
    assert one == all_there_are


@pytest.mark.parametrize("k", [1, 64, 65, 200])
def test_deterministic_products_and_their_derivatives_are_those_of_numpy(k):
    rng = np.random.default_rng(k)
    x, w, b, weights = (rng.normal(size=shape) for shape in ((70, k), (k, 3), (3,), (70, 3)))
    expected = x @ w + b, weights @ w.T, x.T @ weights, weights.sum(0)
    with jax.enable_x64(True):
        of = tuple(map(jax.numpy.asarray, (x, w, b)))
        total = jax.grad(lambda *of: (deterministic_affine(*of) * weights).sum(), (0, 1, 2))
        results, slopes = jax.jit(lambda *of: (deterministic_affine(*of), total(*of)))(*of)
        for one, other in zip((results, *slopes), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


SCRIPT = f"""
import os, signal, sys, sweep

def die(event):
    if event["event"] == "task" and event["done"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)

sweep.run(sweep.Spec(seed=[4, 0, 7], training={TABLE!r}), sys.argv[1], on_event=die)
"""


def test_kill_9_loses_nothing_and_status_loads_nothing_heavy(whole, tmp_path, computed):
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(out)], check=False)
    assert done.returncode == -signal.SIGKILL
    script = f"import sys, sweep; run = sweep.status({str(out)!r}); print(*sys.modules)\n"
    script += "assert (run.state.name, run.done, run.total) == ('interrupted', 3, 4)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"jax", "optax", "xarray", "zarr", "pandas"} & set(done.stdout.split())
    sweep.resume(out)
    assert computed == [3]
    assert store(out) == store(whole)


CHUNKS = {"validation_y/c.0.1.0": [1], "validation_loss/c.0.0.1.0.0": [2]}


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_damaged_chunk_is_computed_again(whole, tmp_path, computed, chunk):
    out = shutil.copytree(whole, tmp_path / "copy")
    path = out / "results.zarr" / chunk
    path.write_bytes(path.read_bytes()[:-1])
    (path.parent / "c.0.9.0").write_bytes(b"strange")
    sweep.resume(out)
    assert computed == CHUNKS[chunk]
    assert store(out) == store(whole)


def test_a_task_that_cannot_be_done_is_said_with_what_it_is_of(tmp_path, monkeypatch):
    def refuses(*arguments, **options):
        raise InputError("it is Sunday")

    monkeypatch.setattr(networks, "train_networks", refuses)
    sentence = r"4 of 4 tasks failed, the first \(problem outlier, widths 2, seed 4 to 0"
    with pytest.raises(InputError, match=sentence):
        sweep.run(SPEC, tmp_path / "out")
    with xr.open_zarr(tmp_path / "out" / "results.zarr") as results:
        assert results.loss.isnull().all()


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_seeds_side_by_side_are_always_as_many(most):
    sizes = set()
    for n in (5, 2):
        parts = [part.tolist() for part in equal_blocks(n, most, 5)]
        sizes |= {len(part) for part in parts}
        assert [k for part in parts for k in part][:n] == list(range(n))
    assert len(sizes) == 1
    assert sizes.pop() <= most


# --- the command line ---------------------------------------------------------------------------


DATA = {
    "no such column": ("x,y\n1,0\n2,1\n", 'x = "u"\n', "a.csv: has no column 'u'; its columns are"),
    "no inputs": ("y,weight\n1,0\n0,1\n", "", "a.csv: has no column of inputs; its columns are"),
    "y twice": ("x,y\n1,0\n2,1\n", 'x = ["x", "y"]\n', "a.csv: the column 'y' is named as x and"),
    "one row": ("x,y\n1,0\n", "", "a.csv: has 1 row; at least 2 are needed"),
    "no row": ("x,y\n", "", "a.csv: has 0 rows; at least 2 are needed"),
    "class": ("x,y\n1,0\n2,3\n", "", "a.csv: 'y' in row 2 is 3, which is neither 0 nor 1"),
    "text": ("x,y\n1,0\nq,1\n", "", "a.csv: 'x' in row 2 is 'q', which is not a number"),
    "infinite": ("x,y\n1,0\ninf,1\n", "", "a.csv: 'x' in row 2 is inf, which is not a finite num"),
}


@pytest.mark.parametrize("name", DATA)
def test_data_that_cannot_be_learnt_from_are_refused_before_anything_runs(refused, tmp_path, name):
    data, columns, sentence = DATA[name]
    (tmp_path / "a.csv").write_text(data)
    (tmp_path / "s.toml").write_text(f'data = "a.csv"\n{columns}[training]\nepochs = 2\n')
    assert sentence in refused(1, "run", "s.toml", "--out", "r", "--quiet")


def test_a_batch_larger_than_the_data_is_refused_before_anything_runs(refused, tmp_path):
    (tmp_path / "s.toml").write_text('[training]\nproblem = "outlier"\nbatch = [5, 21]\n')
    sentence = "outlier: batch is 21 and the training set has 20 points; give at most 20, or full"
    assert sentence in refused(1, "run", "s.toml", "--out", "r", "--quiet")


def test_networks_that_diverge_hide_no_others():
    def bands(loss):
        values = np.full((5, 3), loss)
        curve = {"loss": values, "accuracy": 0 * values}
        every = curve | {f"validation_{name}": one for name, one in curve.items()}
        coords = {"level": [0.05, 0.25, 0.5, 0.75, 0.95], "epoch": [1, 2, 3]}
        return xr.Dataset({n: (("level", "epoch"), v) for n, v in every.items()}, coords)

    losses = (0.5, 2.0, 1e29, np.nan)
    figure = figures.curves([(f"{loss}", bands(loss)) for loss in losses])
    panels = figure.axes[:4]
    assert {ax.get_ylim()[1] for ax in panels} == {1.05 * 2.5}
    words = [[text.get_text() for text in ax.texts] for ax in panels]
    assert words == [[], [], ["all above the axis"], ["diverged"]]


def test_networks_are_run_drawn_and_told_of_as_landscapes_are(run, tmp_path):
    (tmp_path / "s.toml").write_text(SPEC.to_toml())
    code, out, err = run("run", "s.toml", "--out", "r", "--figure", "r/f.png", "--quiet")
    assert (code, err) == (0, "")
    first, *written = out.splitlines()
    assert first.startswith("r: 4 tasks done, ")
    assert written == ["  written: r/results.zarr", "  written: r/f.png"]
    code, out, err = run("status", "r")
    assert (code, err) == (0, "")
    assert out.startswith("r: finished, 4 of 4 tasks, 100%\n")
    assert [one.title for one in preview.curves(tmp_path / "r")] == [
        "outlier\nwidths 2, learning rate 0.01",
        "outlier\nwidths none, learning rate 0.01",
        "outlier\nwidths none, learning rate 0.1",
    ]
    changed = (tmp_path / "r" / "spec.toml").read_text().replace("epochs = 6", "epochs = 7")
    (tmp_path / "r" / "spec.toml").write_text(changed)
    code, _, err = run("resume", "r")
    assert (code, err.count("\n")) == (1, 1)
    assert "has changed since the run began (epochs differs)" in err
