"""Many networks side by side: blocks of seeds, drawn problems, and what is recorded of each."""

import time

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.training import ensemble
from sweep.training.ensemble import train_in_blocks
from sweep.training.hyperparameters import Hyperparameters
from sweep.training.problems import Problem, problem_of_split
from sweep.training.split import split
from tests.support.networks import SPLIT

SIDE_BY_SIDE = {
    "epochs": 6, "learning_rate": [0.01, 0.1], "batch": 10, "dropout": 0.2, "dtype": "float64",
}  # fmt: skip


@pytest.fixture(scope="module")
def networks():
    """Three seeds in two blocks of two, of which the last is filled up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensemble, "SIDE", 4)
        return sweep.train(SPLIT, seeds=[3, 5, 8], widths=[[2], [2, 3]], **SIDE_BY_SIDE)


def test_lists_are_dimensions_and_the_same_seed_is_the_same_network(networks):
    assert networks.loss.dims == ("seed", "widths", "learning_rate", "epoch")
    assert networks.widths.values.tolist() == ["2", "2-3"]
    assert networks.attrs["batch"] == "10"
    assert "learning_rate" not in networks.attrs
    alone = sweep.train(SPLIT, seeds=[5], widths=(2, 3), **SIDE_BY_SIDE)
    same = networks.sel(seed=[5], widths="2-3", drop=True)
    xr.testing.assert_allclose(same, alone, rtol=1e-9)
    assert not np.allclose(networks.loss.sel(seed=3), networks.loss.sel(seed=5))


def test_blocks_of_seeds_do_not_show(networks):
    one_by_one = sweep.train(SPLIT, seeds=[3, 5, 8], widths=(2, 3), memory_budget=1, **SIDE_BY_SIDE)
    xr.testing.assert_allclose(networks.sel(widths="2-3", drop=True), one_by_one, rtol=1e-9)


@pytest.fixture
def blocks_of(monkeypatch):
    """Which seeds are trained together, in place of training them, on so many cores."""

    def made(cores, budget, step=lambda count: None):
        def trained(problem, combinations, seeds, *rest):
            time.sleep(1e-3)
            made.begun.append(tuple(seeds))
            return {"seed": np.array(seeds)[:, None]}

        monkeypatch.setattr("sweep.base.devices.cores", lambda: cores)
        monkeypatch.setattr("sweep.training.ensemble.train_networks", trained)
        made.begun = []
        every = [Hyperparameters()]
        done = train_in_blocks(
            problem_of_split(SPLIT), every, range(40), 300, [300], "float32", None, budget, step
        )
        assert done["seed"][:, 0].tolist() == [*range(40)]
        return sorted(made.begun)

    return made


@pytest.mark.parametrize("budget", [1, 2**18, 2**29])
def test_blocks_do_not_depend_on_how_many_cores_there_are(blocks_of, budget):
    assert blocks_of(1, budget) == blocks_of(2, budget) == blocks_of(64, budget)


def test_after_an_interrupt_no_block_is_begun(blocks_of):
    def interrupted(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blocks_of(1, 1, interrupted)
    assert len(blocks_of.begun) < 20


def test_a_drawn_problem_has_the_data_of_each_seed():
    def draw(seed):
        rng = np.random.default_rng(seed)
        return split(rng.normal(size=9), np.arange(9) % 2, [0.0, 1.0], [seed % 2, 1], [2.0], [1])

    problem = Problem("own", "a problem of one's own", draw)
    runs = sweep.train(problem, seeds=4, epochs=3, widths=())
    assert runs.validation_y.values[:, 0].tolist() == [0, 1, 0, 1]
    weights = runs.validation_logits.values[:, 0]
    z = 2 * weights[:, 1] - weights[:, 0]  # at x = 2
    assert runs.test_loss.values[:, -1] == pytest.approx(np.logaddexp(0, -z), rel=1e-4)
    assert runs.test_accuracy.values[:, -1].tolist() == (z > 0).astype(float).tolist()


def test_the_best_epoch_is_that_of_the_least_validation_loss():
    runs = sweep.train(SPLIT, seeds=5, epochs=40, learning_rate=0.2, keep=[1, 40])
    losses = runs.validation_loss.values
    assert runs.best_epoch.values.tolist() == (np.argmin(losses, axis=1) + 1).tolist()
    assert runs.best_epoch.min() < 40
    z, sign = runs.best_logits.values, 2 * SPLIT.validation.y - 1
    assert np.logaddexp(0, -z * sign).mean(axis=1) == pytest.approx(losses.min(axis=1), rel=1e-5)
    last = runs.validation_logits.sel(kept_epoch=40).values
    assert np.logaddexp(0, -last * sign).mean(axis=1) == pytest.approx(losses[:, -1], rel=1e-5)


def test_training_that_diverges_is_recorded_with_its_epoch():
    runs = sweep.train(
        SPLIT, seeds=3, epochs=50, optimizer="sgd(momentum=0.99)", learning_rate=[0.1, 1e15]
    )
    fine, diverged = runs.sel(learning_rate=0.1), runs.sel(learning_rate=1e15)
    assert np.isnan(fine.diverged_epoch).all()
    epochs = diverged.diverged_epoch.values.astype(int)
    assert ((epochs >= 1) & (epochs <= 50)).all()
    for seed, epoch in enumerate(epochs):
        finite = np.isfinite(diverged.isel(seed=seed).loss.values)
        assert finite[: epoch - 1].all()
        assert not finite[epoch - 1]


def test_a_result_survives_a_file(networks, tmp_path):
    networks.to_netcdf(tmp_path / "runs.nc")
    with xr.open_dataset(tmp_path / "runs.nc") as read:
        xr.testing.assert_equal(read.load(), networks)
