"""Runs of networks: what they compute, that they survive what stops them, and what is refused."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import jax
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import sweep
from sweep import InputError, figures
from sweep.base.executors import Serial
from sweep.runs import compute, networks, preview
from sweep.runs.kinds import work_of
from sweep.training import deterministic
from sweep.training.blocks import alike
from sweep.training.ensemble import trained
from sweep.training.hyperparameters import Hyperparameters
from tests.support.checkout import ROOT
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
TASKS = 4
"""Two blocks of seeds of two programs."""

NUMBERS = {"epochs": 6, "keep": [2, 6], "learning_rate": [0.01, 0.1]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("networks") / "whole"
    sweep.run(SPEC, out)
    return out


@pytest.fixture
def computed(monkeypatch):
    """The numbers of the tasks that are computed from here on."""
    numbers, work = [], compute.work

    def counted(job, index):
        numbers.append(index)
        return work(job, index)

    monkeypatch.setattr(compute, "work", counted)
    return numbers


# --- what is computed ---------------------------------------------------------------------------


@pytest.mark.parametrize("width", ["2", "none"])
def test_the_store_has_what_train_says(whole, width):
    with xr.open_zarr(whole / "results.zarr") as opened:
        found = opened.load().sel(problem="outlier", widths=width)
    expected = sweep.train("outlier", seeds=[4, 0, 7], widths=width, **NUMBERS)
    assert set(found) == set(expected)
    for name, values in expected.items():
        one = found[name].isel(seed=0) if name == "validation_y" else found[name]
        assert one.dims == values.dims
        assert one.attrs == values.attrs
        np.testing.assert_allclose(one, values, rtol=1e-4, atol=1e-5)
    for name in ("seed", "learning_rate", "epoch", "kept_epoch"):
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].attrs == expected[name].attrs


def test_the_store_says_what_it_was_computed_from_and_how_it_is_cut(whole):
    with xr.open_zarr(whole / "results.zarr") as found:
        assert dict(found.sizes) == {
            "problem": 1, "seed": 3, "widths": 2, "learning_rate": 2, "epoch": 6, "point": 20,
            "kept_epoch": 2,
        }  # fmt: skip
        assert found.loss.chunks == ((1,), (2, 1), (1, 1), (2,), (6,))
        assert found.loss.dtype == np.float32
        assert not found.loss.isnull().any()
        assert found.attrs["spec"] == SPEC.to_toml() == (whole / "spec.toml").read_text()
        assert found.attrs["activation"] == "relu"
        assert "optax_version" in found.attrs
        assert "learning_rate" not in found.attrs
    named = events(whole, "task")
    assert [(one["widths"], one["seed"]) for one in named] == [
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
        found = opened.load()
    assert found.best_logits.dims == ("data", "seed", "point")
    assert found.validation_y.notnull().sum("point").values.tolist() == [[3, 3], [5, 5]]
    assert found.best_logits.notnull().sum("point").values.tolist() == [[3, 3], [5, 5]]
    assert not found.loss.isnull().any()
    for k in (0, 1):
        own = work_of(spec)._problems[k]
        expected = trained(own, [Hyperparameters()], [1, 2], 3, [3], deterministic=True)
        np.testing.assert_array_equal(found.loss[k], expected["loss"][:, 0])
    # Each seed puts other rows aside.
    assert (found.loss[:, 0] != found.loss[:, 1]).any()
    (tmp_path / "b.csv").write_text("v,u,y\n1,0,1\n2,1,0\n")
    with pytest.raises(InputError, match=r"b\.csv were changed since the run began"):
        sweep.resume(tmp_path / "out")


def test_a_file_gives_its_columns_and_its_share_to_validation(tmp_path):
    _write(tmp_path / "a.csv", ["u", "weight", "v"], 12, 0)
    spec = sweep.Spec(data="a.csv", x=["v", "weight"], base=tmp_path, training={"validation": 0.5})
    (problem,) = work_of(spec)._problems
    table = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
    for seed in (0, 3):
        made = problem.draw(seed)
        assert (len(made.training), len(made.validation), made.inputs) == (6, 6, 2)
        rows = np.concatenate([made.training.x, made.validation.x])
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(table[:, [2, 1]], axis=0))
        classes = np.concatenate([made.training.y, made.validation.y])
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
from sweep.training.deterministic import affine
rng = np.random.default_rng(0)
shapes = (2, 1000, 64), (2, 64, 100), (2, 100)
x, w, b = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
slopes = jax.vmap(jax.grad(lambda *of: (affine(*of) ** 2).sum(), argnums=(0, 1, 2)))
print(*(np.asarray(one).tobytes().hex()[::97] for one in jax.jit(slopes)(x, w, b)))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned")
def test_bits_do_not_depend_on_how_many_cores_a_process_may_use():
    one, all_there_are = (
        subprocess.run(
            [sys.executable, "-c", THREADS, count], capture_output=True, check=True
        ).stdout
        for count in ("1", "1024")
    )
    assert len(one) > 100
    assert one == all_there_are


@pytest.mark.parametrize("k", [1, 64, 65, 200])
def test_deterministic_products_and_their_derivatives_are_those_of_numpy(k):
    rng = np.random.default_rng(k)
    x, w, b, weights = (rng.normal(size=shape) for shape in ((70, k), (k, 3), (3,), (70, 3)))
    expected = x @ w + b, weights @ w.T, x.T @ weights, weights.sum(0)
    with jax.enable_x64(True):
        of = tuple(map(jax.numpy.asarray, (x, w, b)))
        total = jax.grad(lambda *of: (deterministic.affine(*of) * weights).sum(), (0, 1, 2))
        found, slopes = jax.jit(lambda *of: (deterministic.affine(*of), total(*of)))(*of)
        for one, other in zip((found, *slopes), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


SCRIPT = """
import os, signal, sys, sweep
from tests.runs.test_networks import SPEC

def die(event):
    if event["event"] == "task" and event["done"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)

sweep.run(SPEC, sys.argv[1], on_event=die)
"""


def test_kill_9_loses_nothing_and_status_loads_nothing_heavy(whole, tmp_path, computed):
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(out)], check=False)
    assert done.returncode == -signal.SIGKILL
    script = f"import sys, sweep; found = sweep.status({str(out)!r}); print(*sys.modules)\n"
    script += "assert (found.state.name, found.done, found.total) == ('interrupted', 3, 4)"
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

    monkeypatch.setattr(networks, "trained", refuses)
    sentence = r"4 of 4 tasks could not be done, the first \(problem outlier, widths 2, seed 4 to 0"
    with pytest.raises(InputError, match=sentence):
        sweep.run(SPEC, tmp_path / "out")
    with xr.open_zarr(tmp_path / "out" / "results.zarr") as found:
        assert found.loss.isnull().all()


@given(
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 4),
    st.dictionaries(st.sampled_from(["widths", "l1", "batch"]), st.integers(1, 3)),
)
@settings(max_examples=30)
def test_tasks_write_every_chunk_once(sources, seeds, block, lists):
    given = {name: list(range(1, 1 + count)) for name, count in lists.items()}
    spec = sweep.Spec(
        data=[f"{k}.csv" for k in range(sources)],
        seed=list(range(seeds)),
        training={"block": block, "epochs": 1} | given,
    )
    work = networks.Networks(spec, spec.training)
    split = sweep.training.problems.problem("outlier").draw(0)
    work.__dict__["_made"] = (split,) * sources
    for name, variable in work.variables().items():
        chunks = [place for index in range(work.count()) for place in _places(work, index, name)]
        counts = [-(-n // c) for n, c in zip(variable.shape, variable.chunk, strict=True)]
        assert len(chunks) == len(set(chunks)) == math.prod(counts)
        assert all(k < most for place in chunks for k, most in zip(place, counts, strict=True))


def _places(work, index, name):
    return work.chunks(index).get(name, ())


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_seeds_side_by_side_are_always_as_many(most):
    sizes = set()
    for n in (5, 2):
        parts = [part.tolist() for part in alike(n, most, 5)]
        sizes |= {len(part) for part in parts}
        assert [k for part in parts for k in part][:n] == list(range(n))
    assert len(sizes) == 1
    assert sizes.pop() <= most


# --- specs --------------------------------------------------------------------------------------


def test_one_value_a_list_and_a_text_mean_the_same():
    given = {"widths": [8, 4], "keep": 300, "batch": "full", "optimizer": "adam"}
    first = sweep.Spec(seed="0:2:3", training={"problem": "outlier"} | given)
    other = sweep.Spec(
        seed=[0, 1, 2],
        training={"problem": ["outlier"], "widths": "8-4", "keep": [300.0], "l2": 0, "epochs": 3e2},
    )
    assert first == other
    assert first.fingerprint == other.fingerprint
    several = sweep.Spec(training={"problem": "outlier", "widths": [[8, 4], [3]], "batch": [5]})
    axes = several.training.grid.axes
    assert axes == {"widths": ((8, 4), (3,)), "batch": (5,)}
    assert several.seed == (0,)


HYPERPARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "widths": st.sampled_from(["3-3", ["2", "none", "4-4"], [[2, 3]]]),
        "activation": st.sampled_from(["tanh", "leaky_relu(0.2)"]),
        "learning_rate": st.lists(st.floats(1e-9, 10), unique=True, min_size=1, max_size=3),
        "batch": st.lists(st.sampled_from([5, 7, "full"]), unique=True, min_size=1),
        "resample": st.booleans() | st.just([True, False]),
        "loss": st.just("focal(2)"),
        "schedule": st.just("cosine(0.1)"),
    },
)  # fmt: skip


@given(HYPERPARAMETERS, st.booleans())
@settings(max_examples=20)
def test_the_canonical_text_reads_back(table, of_data):
    source = {} if of_data else {"problem": "outlier"}
    top = {"data": ["a.csv"], "x": ["u", "v"]} if of_data else {}
    spec = sweep.Spec.of(top | {"training": source | table})
    again = sweep.Spec.of(tomllib.loads(spec.to_toml()))
    assert again == spec
    assert (again.fingerprint, again.to_toml()) == (spec.fingerprint, spec.to_toml())
    assert sweep.Spec.of(json.loads(json.dumps(spec.to_dict()))) == spec


CHANGES = {
    "problem": None, "validation": 0.5, "epochs": 9, "keep": 1, "dtype": "float64", "block": 7,
    "widths": 4, "activation": "tanh", "loss": "focal", "optimizer": "sgd", "learning_rate": 0.02,
    "schedule": "cosine", "batch": 3, "resample": True, "l1": 0.1, "l2": 0.1, "dropout": 0.1,
    "noise": 0.1, "initial_bias": 0.1,
}  # fmt: skip


def test_every_key_makes_another_fingerprint():
    assert set(CHANGES) == set(sweep.runs.spec.schema.TRAINING)
    specs = [
        sweep.Spec(data="a.csv", training={key: value} if value else {})
        for key, value in CHANGES.items()
    ]
    specs += [sweep.Spec(data="a.csv", training={}, **{key: "z"}) for key in ("x", "y")]
    specs += [sweep.Spec(data="a.csv", training={}, seed=3), sweep.Spec(training=TABLE)]
    assert len({spec.fingerprint for spec in specs}) == len(specs)


def test_the_spec_of_the_readme_reads():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, text = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    values = tomllib.loads(text)
    spec = sweep.Spec.of(values)
    assert len(spec.training.grid.every) == 8
    assert work_of(spec).count() == 4 * 4
    usual = sweep.Spec(training={"problem": "outlier"}).training
    changed = {
        key for key, value in spec.training.to_dict().items() if value != usual.to_dict()[key]
    }
    assert changed == set(values["training"]) - {"problem"}


NETWORKS = '[training]\nproblem = "outlier"\n'
BAD = {
    "unknown": (f"{NETWORKS}epoch = 3", "line 3: training has no key 'epoch'; did you mean ep"),
    "a landscape's": (f"a = '0:1:3'\n{NETWORKS}", "line 1: a is of landscapes; leave it out"),
    "a law": (f"population = 'W1'\n{NETWORKS}", "line 1: population is of landscapes; leave"),
    "sizes": (f"n = 100\n{NETWORKS}", "n is of landscapes; leave it out beside [training]"),
    "dtype": (f"dtype = 'float32'\n{NETWORKS}", "dtype is of landscapes; leave it out beside"),
    "no source": ("[training]\nepochs = 3", "line 1: there is neither problem nor data; give prob"),
    "two sources": (f"data = 'a.csv'\n{NETWORKS}", "problem and data exclude each other; give one"),
    "a share of a problem": (f"{NETWORKS}validation = 0.5", "validation is a share of the rows of"),
    "columns of a problem": (f"x = 'u'\n{NETWORKS}", "x is a column of data; leave it out beside"),
    "share": ("data = 'a.csv'\n[training]\nvalidation = 1", "validation is 1; a share between 0"),
    "no problem": ("[training]\nproblem = 'outlie'", "there is no problem 'outlie'; there are out"),
    "problem twice": ("[training]\nproblem = ['outlier', 'outlier']", "problem holds 'outlier' tw"),
    "no table": ("training = 3", "line 1: training is 3; a table is needed, such as [training]"),
    "rate": (f"{NETWORKS}learning_rate = [0.1, 0]", "learning_rate is 0; a number above 0 is need"),
    "type of a rate": (f"{NETWORKS}learning_rate = '0.1'", "line 3: learning_rate is '0.1'; a num"),
    "widths": (f"{NETWORKS}widths = [3, 0]", "widths is 0; a whole number from 1 to 4096 is need"),
    "activation": (f"{NETWORKS}activation = 'rely'", "there is no activation 'rely'; the known"),
    "optimiser": (f"{NETWORKS}optimizer = 'adem'", "there is no optimizer 'adem'; the known ones"),
    "schedule": (f"{NETWORKS}schedule = 'step'", "there is no schedule 'step'; the known ones are"),
    "loss": (f"{NETWORKS}loss = 'accuracy'", "loss is accuracy, which has no gradient; the losses"),
    "empty": (f"{NETWORKS}l1 = []", "l1 is empty; a number that is not negative is needed"),
    "twice": (f"{NETWORKS}l1 = [0.1, 0.1]", "l1 holds 0.1 twice; give it once"),
    "epochs": (f"{NETWORKS}epochs = 0", "epochs is 0; a whole number from 1 to 1000000 is needed"),
    "part of epochs": (f"{NETWORKS}epochs = 1.5", "epochs is 1.5; a whole number from 1 to"),
    "endless epochs": (f"{NETWORKS}epochs = inf", "epochs is inf; a whole number from 1 to"),
    "keep": (f"{NETWORKS}epochs = 9\nkeep = 10", "line 4: keep is 10; a whole number from 0 to 9"),
    "keep twice": (f"{NETWORKS}keep = [5, 5]", "keep holds 5 twice; give it once"),
    "block": (f"{NETWORKS}block = 0", "block is 0; a whole number of seeds is needed, such as 100"),
    "precision": (f"{NETWORKS}dtype = 'half'", "dtype is 'half'; a text is needed: \"float32\" or"),
    "seed": (f"seed = 4294967296\n{NETWORKS}", "line 1: seed is 4294967296; a whole number from"),
    "room": (f"seed = '0:9999:10000'\n{NETWORKS}block = 10000\nepochs = 100000", "block: the c"),
    "combinations": (
        NETWORKS + "".join(f"{n} = {list(range(30))}\n" for n in ("l1", "l2", "noise")),
        "training asks for 27000 combinations of hyperparameters, more than the 10000 that it may",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_spec_is_refused_with_its_place(tmp_path, name):
    text, sentence = BAD[name]
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        sweep.Spec.read(tmp_path / "s.toml")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/s.toml")
    assert sentence in message
    assert "\n" not in message


def test_every_key_refuses_a_wrong_type_and_says_what_it_needs():
    for key in sweep.runs.spec.schema.TRAINING:
        for value in ([[[]]], {"a": object()}, object()):
            with pytest.raises(InputError, match=f"^{key} ") as caught:
                sweep.Spec.of({"training": {"problem": "outlier", key: value}})
            assert caught.value.key == f"training.{key}"


DATA = {
    "no such column": ("x,y\n1,0\n2,1\n", 'x = "u"\n', "a.csv: has no column 'u'; its columns are"),
    "no inputs": ("y,weight\n1,0\n0,1\n", "", "a.csv: has no column of inputs; its columns are"),
    "y twice": ("x,y\n1,0\n2,1\n", 'x = ["x", "y"]\n', "a.csv: the column 'y' is asked for as x"),
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


# --- the command line ---------------------------------------------------------------------------


def test_a_batch_larger_than_the_data_is_refused_before_anything_runs(refused, tmp_path):
    (tmp_path / "s.toml").write_text(f"{NETWORKS}batch = [5, 21]\n")
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
    assert "was changed since the run began (epochs differs)" in err
