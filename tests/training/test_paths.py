"""Paths of optimisers of (a, b): where they go, where they must end, and what is refused."""

import json
import math

import jax
import numpy as np
import optax
import pytest
import xarray as xr
from matplotlib.image import imread
from sklearn.linear_model import LogisticRegression

import sweep
from sweep import InputError, Measure, Sample, figures
from sweep.optima.records import OptimumStatus
from sweep.training.paths.run import paths
from sweep.training.paths.targets import growth, penalised
from sweep.training.paths.trajectories import trajectories
from tests.support.problems import PROBLEMS

FEW = Sample([-0.7, -0.4, -0.2, 0.1, 0.4, 0.8], [0, 0, 1, 1, 1, 1])
TWO = sweep.data.illustration(2)
STARTS = ((0.0, 0.0), (5.0, -3.0))


@pytest.fixture(scope="module")
def second():
    return paths(TWO, starts=STARTS, steps=4000)


@pytest.fixture(scope="module")
def few():
    return paths(FEW, starts=STARTS, steps=100_000, validation=TWO)


def of(result, optimizer, l2):
    return [one for one in result.paths if (one.optimizer, one.l2) == (optimizer, l2)]


# --- the loop -----------------------------------------------------------------------------------


def _by_hand(sample, start, rate, l2, steps, optimizer):
    """The path as a loop over NumPy's gradient, moments by Kingma & Ba (2015), algorithm 1."""
    w = np.ones(len(sample)) if sample.weight is None else sample.weight
    at, m, v = np.array(start), np.zeros(2), np.zeros(2)
    path = [at]
    for t in range(1, steps + 1):
        p = 1 / (1 + np.exp(-(at[0] * sample.x + at[1])))
        pull = w * (p - sample.y) / w.sum()
        g = np.array([pull @ sample.x + l2 * at[0], pull.sum()])
        if optimizer == "adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            g = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        at = at - rate * g
        path.append(at)
    return np.array(path)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_every_step_is_that_of_a_loop_by_hand(optimizer):
    soft = Sample([-1.0, -0.3, 0.0, 0.9, 2.0], [0, 0.2, 1, 0, 0.9], [1, 2, 0.5, 1, 3])
    result = paths(
        soft, starts=STARTS, optimizers=[optimizer], learning_rate=0.3, l2=[0, 0.2], steps=100
    )
    steps = result.dataset.step.values
    for one in result.paths:
        expected = _by_hand(soft, one.start, 0.3, one.l2, 100, optimizer)[steps]
        start = STARTS.index(one.start)
        here = result.dataset.sel(optimizer=optimizer, l2=one.l2, start=start)
        np.testing.assert_allclose(here.a, expected[:, 0], rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(here.b, expected[:, 1], rtol=1e-10, atol=1e-10)


def test_paths_do_not_depend_on_the_memory_there_is(monkeypatch):
    measure, starts = Measure.from_sample(FEW), np.array([[0.0, 0.0], [3.0, -1.0], [-2.0, 1.0]])
    rates, l2 = np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.1, 0.0])
    records = np.array([0, 1, 10, 300])
    whole = trajectories("adam", measure, starts, rates, l2, records, 2**30)
    monkeypatch.setattr("sweep.training.paths.trajectories.PAIRS", 100)
    parts = trajectories("adam", measure, starts, rates, l2, records, 1)
    np.testing.assert_allclose(parts, whole, rtol=1e-12)
    np.testing.assert_array_equal(whole[:, 0], starts)


def test_what_is_recorded_is_what_the_landscape_has_there(second):
    dataset = second.dataset
    assert dict(dataset.sizes) | {"step": 0} == {"optimizer": 2, "l2": 2, "start": 2, "step": 0}
    assert dataset.a.dims == ("optimizer", "l2", "start", "step")
    for place in ((0, 0, 1, 0), (0, 1, 0, 5), (1, 1, 1, 70), (1, 0, 0, -1)):
        one = dataset.isel(dict(zip(dataset.a.dims, place, strict=True)))
        cell = sweep.landscape(TWO, one.a.item(), one.b.item()).squeeze()
        assert one.accuracy.item() == cell.accuracy.item()
        assert one.cross_entropy.item() == pytest.approx(cell.cross_entropy.item(), abs=1e-14)
        z = one.a.item() * TWO.x + one.b.item()
        assert one.accuracy.item() == np.mean((z > 0) == (TWO.y > 0))
        penalty = one.l2.item() / 2 * one.a.item() ** 2
        assert one.objective.item() == pytest.approx(one.cross_entropy.item() + penalty)


# --- where they end -----------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_gradient_descent_ends_at_the_exact_optimum_and_gives_up_accuracy_on_its_way(second, l2):
    for one in of(second, "sgd", l2):
        assert one.distance < 1e-12
        assert one.falling
        assert math.isnan(one.diverged)
    assert max(one.given_up for one in of(second, "sgd", l2)) > 0.01
    assert all(one.distance < 0.05 for one in of(second, "adam", l2))
    assert of(second, "sgd", 0.0)[0].accuracy[2] == 0.58


@pytest.mark.parametrize("l2", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("sample", [TWO, FEW, Sample(100 + 1e-2 * FEW.x, FEW.y)])
def test_the_penalised_optimum_is_that_of_scikit_learn(sample, l2):
    result = penalised(Measure.from_sample(sample), l2)
    centre, unit = sample.x.mean(), sample.x.std()
    model = LogisticRegression(C=unit**2 / (l2 * len(sample)), tol=1e-12, solver="newton-cholesky")
    model.fit((sample.x[:, None] - centre) / unit, sample.y)
    a = model.coef_[0, 0] / unit
    assert result.a == pytest.approx(a, rel=1e-6)
    assert result.b == pytest.approx(model.intercept_[0] - a * centre, rel=1e-6)


def test_the_penalised_optimum_tends_to_that_without_a_penalty():
    best = sweep.optimum(TWO).cross_entropy
    result = penalised(Measure.from_sample(TWO), 1e-12)
    assert (result.a, result.b) == pytest.approx((best.a, best.b), abs=1e-9)
    assert np.isnan(penalised(Measure.from_sample(Sample([1, 2], [1, 1])), 0.1).a)
    constant = penalised(Measure.from_sample(Sample([3, 3, 3], [1, 1, 0])), 0.1)
    assert (constant.a, constant.b) == pytest.approx((0.0, math.log(2)), abs=1e-12)


# --- where there is no end ----------------------------------------------------------------------


def test_separated_the_slope_grows_like_log_t_as_theory_says_while_accuracy_stands_still(few):
    assert few.optimum.cross_entropy.status is OptimumStatus.separated
    for one in of(few, "sgd", 0.0):
        assert one.growth.a == pytest.approx(few.growth.a, rel=0.01)
        assert one.growth.b == pytest.approx(few.growth.b, rel=0.01)
        assert (one.accuracy[2], one.given_up) == (1.0, 0.0)
        assert one.steady <= 100
        assert math.isnan(one.distance)
    assert of(few, "adam", 0.0)[0].end[0] > 1.5 * of(few, "sgd", 0.0)[0].end[0]
    assert max(one.distance for one in of(few, "sgd", 0.1)) < 1e-12


def test_separated_validation_loss_rises_while_its_accuracy_stands_still(few):
    watched = of(few, "sgd", 0.0)[0].validation
    assert watched.cross_entropy[1] > 10 * watched.cross_entropy[0]
    assert abs(watched.accuracy[1] - watched.accuracy[0]) < 0.05
    last = few.dataset.isel(optimizer=0, l2=0, start=0, step=-1)
    cell = sweep.landscape(TWO, last.a.item(), last.b.item()).squeeze()
    assert last.validation_accuracy.item() == cell.accuracy.item()
    assert watched.cross_entropy[1] == pytest.approx(cell.cross_entropy.item())


# By hand: the least a^2 + b^2 whose margins are 1; about a tie, one over the nearest distance.
GROWTHS = {
    "both hold it": (Sample([-1, 1, 3], [0, 1, 1]), (1.0, 0.0)),
    "mirrored": (Sample([-1, 1, 3], [1, 0, 0]), (-1.0, 0.0)),
    "off the middle": (Sample([-3, -2, 0, 5], [0, 0, 1, 1]), (1.0, 1.0)),
    "far from 0 one class holds it": (Sample([-1, 9], [0, 1]), (0.5, -0.5)),
    "one class on both sides of 0": (Sample([-1, 2], [1, 1]), (0.0, 1.0)),
    "one class off 0": (Sample([2, 3], [1, 1]), (0.4, 0.2)),
    "only class 0": (Sample([2, 3], [0, 0]), (-0.4, -0.2)),
    "tie": (Sample([-1, 0, 0, 0.5], [0, 0, 1, 1]), (2.0, 0.0)),
    "tie, mirrored and shifted": (Sample([1, 3, 3, 7], [1, 1, 0, 0]), (-0.5, 1.5)),
}


@pytest.mark.parametrize("case", GROWTHS)
def test_growth_is_that_worked_out_by_hand(case):
    sample, expected = GROWTHS[case]
    result = growth(Measure.from_sample(sample), sweep.optimum(sample).cross_entropy.status)
    assert (result.a, result.b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("case", ["off the middle", "one class off 0", "tie, mirrored and shifted"])
def test_gradient_descent_grows_as_it_says(case):
    sample, (a, b) = GROWTHS[case]
    (one,) = paths(sample, starts=[(0, 0)], optimizers="sgd", l2=[0], steps=300_000).paths
    assert one.growth.a == pytest.approx(a, rel=0.05)
    assert one.growth.b == pytest.approx(b, rel=0.05)


def test_where_there_is_an_end_nothing_is_said_to_grow():
    for name in ("two_positions", "own_probabilities"):
        measure = Measure.from_sample(PROBLEMS[name].sample)
        assert growth(measure, OptimumStatus.finite) is None


def test_a_law_is_descended_by_quadrature_to_its_optimum():
    law = sweep.populations.CATALOGUE["W1"]
    result = paths(law, starts=[(0, 0), (40.0, 2.0)], optimizers=["sgd"], l2=[0], steps=3000)
    assert math.isinf(result.n)
    assert result.paths[0].distance < 1e-8
    assert result.growth is None
    cell = sweep.landscape(law, 40.0, 2.0).squeeze()
    first = result.dataset.isel(optimizer=0, l2=0, start=1, step=0)
    assert first.cross_entropy.item() == pytest.approx(cell.cross_entropy.item(), abs=1e-9)
    assert first.accuracy.item() == pytest.approx(cell.accuracy.item(), abs=1e-9)


def test_a_path_that_diverges_is_recorded_with_its_step_and_drawn():
    result = paths(TWO, starts=[(1, 0)], optimizers=["sgd"], learning_rate=30.0, steps=2000)
    steady, diverged = result.paths
    assert math.isnan(steady.diverged)
    assert 100 < diverged.diverged < 1000
    assert math.isnan(diverged.accuracy[2])
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))
    plane = result.planes[1]
    assert np.abs(plane.a).max() < 1e5
    figures.paths(result), figures.path_curves(result)


def test_several_learning_rates_are_a_dimension():
    result = paths(TWO, starts=[(0, 0)], optimizers=["sgd"], learning_rate=[0.1, 1.0], steps=100)
    assert result.dataset.a.dims == ("optimizer", "learning_rate", "l2", "start", "step")
    assert [one.learning_rate for one in result.paths] == [0.1, 0.1, 1.0, 1.0]
    assert result.paths[0].distance > result.paths[2].distance
    figures.paths(result)


def test_starts_are_in_units_of_the_data_and_the_rate_never_lets_it_rise():
    wide = paths(Sample(1000 * TWO.x, TWO.y), optimizers=["sgd"], l2=[0], steps=100)
    assert np.abs(wide.dataset.start_a).max() < 0.01
    assert all(one.falling for one in wide.paths)


# --- figures, command line, refusals ------------------------------------------------------------


def test_figures_show_every_path_and_where_it_ought_to_end(few):
    figure = figures.paths(few)
    planes = [ax for ax in figure.axes if ax.get_xlabel() == "slope a"]
    assert [ax.get_title() for ax in planes[:2]] == [
        "without a penalty",
        "with the penalty 0.1/2 a\u00b2",
    ]
    for ax, l2 in zip(planes, (0, 1, 0, 1), strict=True):
        drawn = [line.get_xydata() for line in ax.lines if len(line.get_xydata()) > 50]
        for optimizer in (0, 1):
            one = few.dataset.isel(optimizer=optimizer, l2=l2, start=1)
            path = np.stack([one.a, one.b], axis=1)
            assert any(xy.shape == path.shape and (xy == path).all() for xy in drawn)
        diamonds = [line for line in ax.lines if line.get_marker() == "D"]
        assert len(diamonds) == l2
    curves = figures.path_curves(few)
    labels = [ax.get_ylabel() for ax in curves.axes]
    assert labels == ["cross-entropy (nats)", "accuracy", "slope a"] * 2
    (theory,) = [line for line in curves.axes[2].lines if line.get_linestyle() == "--"]
    t, a = theory.get_data()
    assert (a[-1] - a[0]) / np.log(t[-1] / t[0]) == pytest.approx(few.growth.a)


def test_the_command_prints_and_writes_what_the_function_finds(run, tmp_path):
    for name, sample in {"few.csv": FEW, "two.csv": TWO}.items():
        rows = zip(sample.x, sample.y, strict=True)
        (tmp_path / name).write_text("\n".join(["x,y", *(f"{x},{y}" for x, y in rows)]))
    options = ("--start=0,0", "--start=5,-3", "--steps=1e3", "--quiet")
    arguments = ("train", "paths", "few.csv", "--validation", "two.csv", *options, "--out", "r")
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "in theory (a, b) grows like" in out
    assert "validation cross-entropy goes from" in " ".join(out.split())
    names = ["paths.nc", "paths.png", "paths_steps.png", "paths_validation.png"]
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == names
    assert imread(tmp_path / "r" / "paths.png").shape[1] == 1400
    result = paths(FEW, starts=STARTS, steps=1000, validation=TWO)
    with xr.open_dataset(tmp_path / "r" / "paths.nc") as dataset:
        xr.testing.assert_allclose(dataset, result.dataset, rtol=1e-12)
    code, out, err = run(*arguments[:-2], "--json")
    (document,) = json.loads(out)["paths"]
    assert document["growth"] == {"a": result.growth.a, "b": result.growth.b}
    assert len(document["paths"]) == 8
    assert document["paths"][0]["distance"] is None


@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (1, ["--steps=50"], "at least 100"),
        (1, ["--optimizer=lion"], "the known ones are adam"),
        (1, ["--learning-rate=0"], "a number above 0"),
        (1, ["--l2=-1"], "not negative"),
        (1, ["--l2", "1", "1"], "twice"),
        (1, ["--l2", "-1", "--illustration=2"], "l2 is -1; a number that is not negative"),
        (1, ["nothing.csv"], "nothing.csv"),
        (1, ["--validation=nothing.csv"], "nothing.csv"),
        (2, ["--start=1"], "--start=1 is not a pair of numbers"),
        (2, ["--start=1,nan"], "must be a finite number"),
        (2, ["--illustration=4"], "give 1, 2 or 3"),
        (2, ["--illustration=1", "--population=W1"], "give one"),
        (2, ["--n=10"], "--population, which is not given"),
        (2, ["--x=u"], "DATA, which is not given"),
        (2, ["--population=W1", "--n=10,100"], "one size"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(refused, code, arguments, words):
    assert words in refused(code, "train", "paths", *arguments)


@pytest.mark.parametrize("starts", [[], [(1,)], [(0, math.inf)], "0,0", [("a", "b")]])
def test_starts_that_are_none_are_refused(starts):
    with pytest.raises(InputError, match="pairs"):
        paths(TWO, starts=starts)


def test_what_has_no_points_or_no_validation_data_is_refused(second):
    with pytest.raises(InputError, match="no points"):
        paths(Sample([], []))
    with pytest.raises(InputError, match=r"x of size 1e\+200; .* between 1e-100 and 1e\+100"):
        paths(Sample([1e200, 0], [0, 1]))
    with pytest.raises(InputError, match="sketch"):
        paths(Measure.from_batches([FEW]))
    with pytest.raises(InputError, match="no validation data"):
        figures.paths(second, validation=True)


def test_a_gradient_transformation_of_optax_goes_the_same_way():
    measure = Measure.from_sample(TWO)
    records = np.array([0, 100])
    result = trajectories(
        "sgd(momentum=0.5)", measure, np.zeros((1, 2)), np.ones(1), np.zeros(1), records, 2**20
    )
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        made = optax.sgd(1.0, momentum=0.5)
        at = np.zeros(2)
        state = made.init(at)
        for _ in range(100):
            p = 1 / (1 + np.exp(-(at[0] * TWO.x + at[1])))
            gradient = np.array([np.mean((p - TWO.y) * TWO.x), np.mean(p - TWO.y)])
            update, state = made.update(gradient, state)
            at = np.asarray(at + update)
    np.testing.assert_allclose(result[0, 1], at, rtol=1e-10)
