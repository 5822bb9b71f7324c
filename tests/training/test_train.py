"""Networks side by side: against another library, and against what one step must do."""

import itertools
import time
import warnings

import numpy as np
import pytest
import xarray as xr
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import sweep
from sweep.base.errors import InputError
from sweep.training import ensemble
from sweep.training.ensemble import train_in_blocks
from sweep.training.hyperparameters import Hyperparameters, combinations
from sweep.training.problems import Problem, problem_of_split
from sweep.training.split import split

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3))
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
SPLIT = split(X, Y, X[::-1][:7], Y[::-1][:7])


def drawn_weights(*sizes):
    """Weights of one network, with the axis of one seed in front."""
    rng = np.random.default_rng(1)
    return [
        (rng.normal(size=(1, a, b)) * 0.7, rng.normal(size=(1, b)) * 0.1)
        for a, b in itertools.pairwise(sizes)
    ]


def other_library(weights, epochs, **settings):
    """Losses before each epoch, and probabilities after the last, by scikit-learn."""
    network = MLPClassifier(
        tuple(w.shape[2] for w, _ in weights[:-1]),
        batch_size=len(X),
        shuffle=False,
        warm_start=True,
        n_iter_no_change=10**6,
        tol=0.0,
        max_iter=1,
        epsilon=1e-14,
        **settings,
    )
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        network.fit(X, Y)
        network.coefs_ = [w[0].copy() for w, _ in weights]
        network.intercepts_ = [b[0].copy() for _, b in weights]
        network.max_iter = epochs
        network.fit(X, Y)
    return np.array(network.loss_curve_[-epochs:]), network.predict_proba(X[::-1][:7])[:, 1]


@pytest.mark.parametrize(
    ("activation", "other", "optimizer", "settings", "rate", "l2"),
    [
        ("relu", "relu", "adam(eps=1e-14)", {"solver": "adam"}, 0.03, 0.0),
        ("tanh", "tanh", "adam(0.8,0.99,1e-14)", {"beta_1": 0.8, "beta_2": 0.99}, 0.02, 0.02),
        (
            "sigmoid",
            "logistic",
            "sgd(momentum=0.9)",
            {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
            0.1,
            0.01,
        ),
    ],
)
def test_every_epoch_is_that_of_another_library(activation, other, optimizer, settings, rate, l2):
    weights, epochs = drawn_weights(3, 5, 4, 1), 40
    ours = sweep.train(
        SPLIT,
        seeds=1,
        epochs=epochs,
        weights=weights,
        dtype="float64",
        widths=(5, 4),
        activation=activation,
        optimizer=optimizer,
        learning_rate=rate,
        l2=l2,
    )
    # Its penalty is divided by the points, and its losses are those before each epoch.
    losses, probabilities = other_library(
        weights,
        epochs,
        activation=other,
        learning_rate_init=rate,
        alpha=l2 * len(X),
        **settings,
    )
    assert ours.objective.values[0, :-1] == pytest.approx(losses[1:], rel=1e-9)
    logits = ours.validation_logits.values[0, 0]
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(probabilities, rel=1e-9)
    right = np.mean((logits > 0) == SPLIT.validation.y)
    assert ours.validation_accuracy.values[0, -1] == pytest.approx(right)
    assert ours.validation_loss.values[0, -1] == pytest.approx(
        np.mean(np.logaddexp(0, -logits * (2 * SPLIT.validation.y - 1))), rel=1e-12
    )


# --- one small step, of which it is known what it does ------------------------------------------
# A logistic model with weights 0 has p = 1/2: a step of gradient descent on points (x, y) changes
# b by rate * mean(y - 1/2) and a by rate * mean((y - 1/2) x). Validation at x = 0 and 1 shows both.

RATE = 1e-3
READ = ([0.0, 1.0], [0, 1])


def stepped(x, y, seeds=1, epochs=1, after=-1, **settings):
    """Changes of b and of a, divided by the learning rate, shape (seeds,) or (seeds, ...)."""
    zeros = [(np.zeros((seeds, 1, 1)), np.zeros((seeds, 1)))]
    found = sweep.train(
        split(x, y, *READ),
        seeds=seeds,
        epochs=epochs,
        weights=zeros,
        dtype="float64",
        widths=(),
        optimizer="sgd",
        learning_rate=RATE,
        **settings,
    ).validation_logits.values[..., after, :]
    return found[..., 0] / RATE, (found[..., 1] - found[..., 0]) / RATE


def test_a_step_is_the_mean_over_the_points():
    b, a = stepped([1, 2, 4], [1, 1, 0])
    assert (b[0], a[0]) == (pytest.approx(1 / 6), pytest.approx(-1 / 6))


def test_batches_have_every_point_once_and_the_last_one_those_that_are_left():
    b, a = stepped([1, 10, 100], [1, 1, 1], seeds=60, batch=2)
    # The first step is of two points, the second of the third alone, all with y - 1/2 = 1/2.
    left = {1: 110 / 4 + 1 / 2, 10: 101 / 4 + 10 / 2, 100: 11 / 4 + 100 / 2}
    nearest = [min(left, key=lambda point: abs(left[point] - change)) for change in a]
    # A second step sees what the first has done: that changes it by a tenth at most here.
    assert np.all(np.abs(a / [left[point] for point in nearest] - 1) < 0.15)
    assert set(nearest) == {1, 10, 100}
    assert b == pytest.approx(np.ones(60), rel=0.1)


def test_batches_differ_from_epoch_to_epoch():
    kept = {"epochs": 2, "keep": [1, 2]}
    one, two = (
        stepped([1, 10, 100], [1, 1, 1], seeds=30, batch=1, after=k, **kept)[1] for k in (0, 1)
    )
    again = np.round(two - one)
    assert len(set(again.tolist())) > 1


def test_resampled_batches_have_both_classes_alike_often():
    x, y = np.zeros(40), np.repeat([1, 0], [2, 38])
    b, _ = stepped(x, y, seeds=300, resample=True)
    share = b + 1 / 2
    assert np.all(np.abs(share * 40 - np.round(share * 40)) < 1e-9)
    assert abs(share.mean() - 1 / 2) < 4 * 0.5 / np.sqrt(300 * 40)
    plain, _ = stepped(x, y)
    assert plain[0] == pytest.approx(2 / 40 - 1 / 2)


def test_noise_is_added_to_the_inputs_of_training_only():
    b, a = stepped([3.0], [1], seeds=500, noise=[0.0, 0.5])
    assert b == pytest.approx(np.full((500, 2), 0.5))
    assert a[:, 0] == pytest.approx(np.full(500, 1.5))
    assert abs(2 * a[:, 1].mean() - 3) < 4 * 0.5 / np.sqrt(500)
    assert np.std(2 * a[:, 1]) == pytest.approx(0.5, rel=0.15)


def test_dropout_leaves_units_out_and_scales_the_others_up():
    seeds, rate = 400, 0.3
    weights = [
        (np.full((seeds, 1, 1), 1.0), np.zeros((seeds, 1))),
        (np.full((seeds, 1, 1), 2.0), np.zeros((seeds, 1))),
    ]
    found = sweep.train(
        split([1.0], [1], [0.0], [1]),
        seeds=seeds,
        epochs=1,
        weights=weights,
        dtype="float64",
        widths=(1,),
        optimizer="sgd",
        learning_rate=1e-6,
        dropout=rate,
        activation="tanh",
    )
    change = found.validation_logits.values[:, 0, 0] / 1e-6
    z = 2 * np.tanh(1) / (1 - rate)
    # Without the unit p = 1/2 and only the last bias changes; with it b of the hidden unit too.
    bias = 1 - 1 / (1 + np.exp(-z))
    inner = bias * 2 / (1 - rate) * (1 - np.tanh(1) ** 2) * 2
    out = np.isclose(change, 0.5, rtol=1e-4)
    assert np.all(out | np.isclose(change, bias + inner, rtol=1e-4))
    assert abs(out.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / seeds)


def test_penalties_pull_weights_and_not_biases():
    weights = [(np.full((1, 1, 1), -2.0), np.full((1, 1), 3.0))]
    at = {}
    for l1, l2 in ((0.0, 0.0), (0.7, 0.0), (0.0, 0.4)):
        found = sweep.train(
            split([1.0, 2.0], [0, 1], *READ),
            seeds=1,
            epochs=1,
            weights=weights,
            dtype="float64",
            widths=(),
            optimizer="sgd",
            learning_rate=RATE,
            l1=l1,
            l2=l2,
        )
        z = found.validation_logits.values[0, 0]
        at[l1, l2] = z[0], z[1] - z[0]
        a = at[l1, l2][1]
        penalty = l1 * abs(a) + l2 / 2 * a * a
        assert found.objective.values[0, 0] - found.loss.values[0, 0] == pytest.approx(penalty)
    for (l1, l2), (b, a) in at.items():
        assert b == at[0.0, 0.0][0]
        assert (a - at[0.0, 0.0][1]) / RATE == pytest.approx(l1 + 2.0 * l2)


def test_a_penalty_leaves_a_weight_of_0_where_it_is():
    b, a = stepped([-1, 1], [1, 1], l1=0.7)
    assert (b[0], a[0]) == (pytest.approx(1 / 2), 0.0)


@pytest.mark.parametrize(
    "loss",
    [
        "cross_entropy",
        "brier",
        "focal(gamma=2)",
        "weighted_cross_entropy(w0=1,w1=5)",
        "smoothed_cross_entropy(epsilon=0.2)",
    ],
)
def test_what_is_minimised_is_the_metric_of_the_landscape(loss):
    x, y = np.array([-1.0, 0.3, 0.5, 2.0]), np.array([0, 1, 0, 1])
    a, b = 1.7, -0.4
    found = sweep.train(
        split(x, y, *READ),
        seeds=1,
        epochs=1,
        weights=[(np.full((1, 1, 1), a), np.full((1, 1), b))],
        dtype="float64",
        widths=(),
        optimizer="sgd",
        learning_rate=1e-12,
        loss=loss,
    )
    cell = sweep.landscape(sweep.Sample(x, y), [a], [b], [loss, "cross_entropy"])
    assert found.objective.item() == pytest.approx(cell[loss].item(), rel=1e-9)
    assert found.loss.item() == pytest.approx(cell["cross_entropy"].item(), rel=1e-9)


@pytest.mark.parametrize(
    ("schedule", "share"),
    [
        ("constant", lambda t: np.ones_like(t)),
        ("cosine(final=0.01)", lambda t: 0.01 + 0.99 * (1 + np.cos(np.pi * t)) / 2),
        ("exponential(final=0.01)", lambda t: 0.01**t),
        ("linear(final=0.01)", lambda t: 1 - 0.99 * t),
        (
            "warmup_cosine(share=0.25,final=0.01)",
            lambda t: np.where(
                t < 0.25, 4 * t, 0.01 + 0.99 * (1 + np.cos(np.pi * (4 * t - 1) / 3)) / 2
            ),
        ),
    ],
)
def test_a_schedule_scales_the_steps(schedule, share):
    epochs = 8
    found = sweep.train(
        split([0.0], [1], [0.0], [1]),
        seeds=1,
        epochs=epochs,
        keep=range(1, epochs + 1),
        weights=[(np.zeros((1, 1, 1)), np.zeros((1, 1)))],
        dtype="float64",
        widths=(),
        optimizer="sgd",
        learning_rate=1e-12,
        schedule=schedule,
    )
    b = np.concatenate([[0.0], found.validation_logits.values[0, :, 0]])
    assert np.diff(b) / 0.5e-12 == pytest.approx(share(np.arange(epochs) / epochs), rel=1e-10)


# --- many networks ------------------------------------------------------------------------------


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
    found = sweep.train(problem, seeds=4, epochs=3, widths=())
    assert found.validation_y.values[:, 0].tolist() == [0, 1, 0, 1]
    weights = found.validation_logits.values[:, 0]
    z = 2 * weights[:, 1] - weights[:, 0]  # at x = 2
    assert found.test_loss.values[:, -1] == pytest.approx(np.logaddexp(0, -z), rel=1e-4)
    assert found.test_accuracy.values[:, -1].tolist() == (z > 0).astype(float).tolist()


def test_the_best_epoch_is_that_of_the_least_validation_loss():
    found = sweep.train(SPLIT, seeds=5, epochs=40, learning_rate=0.2, keep=[1, 40])
    losses = found.validation_loss.values
    assert found.best_epoch.values.tolist() == (np.argmin(losses, axis=1) + 1).tolist()
    assert found.best_epoch.min() < 40
    z, sign = found.best_logits.values, 2 * SPLIT.validation.y - 1
    assert np.logaddexp(0, -z * sign).mean(axis=1) == pytest.approx(losses.min(axis=1), rel=1e-5)
    last = found.validation_logits.sel(kept_epoch=40).values
    assert np.logaddexp(0, -last * sign).mean(axis=1) == pytest.approx(losses[:, -1], rel=1e-5)


def test_training_that_diverges_is_recorded_with_its_epoch():
    found = sweep.train(
        SPLIT, seeds=3, epochs=50, optimizer="sgd(momentum=0.99)", learning_rate=[0.1, 1e15]
    )
    fine, diverged = found.sel(learning_rate=0.1), found.sel(learning_rate=1e15)
    assert np.isnan(fine.diverged_epoch).all()
    epochs = diverged.diverged_epoch.values.astype(int)
    assert ((epochs >= 1) & (epochs <= 50)).all()
    for seed, epoch in enumerate(epochs):
        finite = np.isfinite(diverged.isel(seed=seed).loss.values)
        assert finite[: epoch - 1].all()
        assert not finite[epoch - 1]


def test_an_infinite_logit_is_divergence_though_its_loss_is_0():
    found = sweep.train(
        split([9.0], [1], [9.0], [1]),
        seeds=1,
        epochs=1,
        weights=[(np.full((1, 1, 1), 3e38), np.zeros((1, 1)))],
        widths=(),
    )
    assert (found.validation_loss.item(), found.diverged_epoch.item()) == (0.0, 1.0)
    assert np.isnan(found.validation_accuracy.item())


def test_weights_are_glorot_uniform_and_biases_zero():
    import jax
    import jax.numpy as jnp

    from sweep.training.networks import initial_weights

    (w, b), (v, c) = initial_weights(jax.random.key(0), (40, 60, 1), jnp.float32(0.0))
    most = np.sqrt(6 / 100)
    assert np.abs(w).max() <= most
    assert np.std(w) == pytest.approx(most / np.sqrt(3), rel=0.03)
    assert np.abs(v).max() <= np.sqrt(6 / 61)
    assert not b.any()
    assert not c.any()


def test_a_result_survives_a_file(networks, tmp_path):
    networks.to_netcdf(tmp_path / "runs.nc")
    with xr.open_dataset(tmp_path / "runs.nc") as read:
        xr.testing.assert_equal(read.load(), networks)


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"activation": "swish"}, "no activation 'swish'; the known ones are relu, leaky_relu"),
        ({"optimizer": "lion"}, "no optimizer 'lion'; the known ones are adam"),
        ({"schedule": "steps"}, "no schedule 'steps'; the known ones are constant"),
        ({"activation": "relu(2)"}, "relu has no parameters"),
        ({"loss": "accuracy"}, "no gradient"),
        ({"loss": "penalised_cross_entropy(l1=1,l2=0)"}, "cross_entropy with l1 or l2"),
        ({"loss": "hinge"}, "no loss 'hinge'; the known ones are cross_entropy, brier, focal"),
        ({"batch": 25}, "batch is 25 and the training set has 24 points"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": "-1"}, "batch is '-1'; a whole number above 0, or full"),
        ({"learning_rate": 0}, "learning_rate is 0; a number above 0 is needed"),
        ({"learning_rate": [0.1, -1]}, "learning_rate is -1"),
        ({"learning_rate": [0.1, 0.1]}, "learning_rate holds 0.1 twice"),
        ({"learning_rate": []}, "learning_rate is empty"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"widths": 0}, "widths is 0; a whole number from 1"),
        ({"widths": [4, 0]}, "widths is 0"),
        ({"widths": "-3"}, "widths is '-3'; whole numbers with - between"),
        ({"widths": "4-x"}, "widths is '4-x'; whole numbers with - between"),
        ({"dropout": 1}, "dropout is 1; a number from 0 to below 1"),
        ({"l2": 1e39}, "l2 is 1e+39; 1e+38 is the largest it may be"),
        ({"l2": -1}, "l2 is -1; a number that is not negative"),
        ({"resample": 1}, "resample is 1; True or False"),
        ({"learning_rat": 1}, "no hyperparameter 'learning_rat'; did you mean learning_rate"),
        ({"epochs": 0}, "epochs is 0"),
        ({"seeds": 0}, "seeds is 0"),
        ({"seeds": [1, 1]}, "seeds holds 1 twice"),
        ({"seeds": []}, "seeds is empty"),
        ({"keep": [4]}, "keep is 4"),
        ({"dtype": "bfloat16"}, "dtype is 'bfloat16'; float32 or float64"),
        ({"weights": drawn_weights(3, 2, 1)}, "weights have the shapes"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(settings, sentence):
    with pytest.raises(InputError) as caught:
        sweep.train(SPLIT, **{"seeds": 1, "epochs": 3} | settings)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (([], [], [1], [1]), "training set is empty"),
        (([1, 2], [0, 2], [1], [1]), "training y[1] is 2, which is neither 0 nor 1"),
        (([1, np.nan], [0, 1], [1], [1]), "training x[1]"),
        (([1, 2], [0], [1], [1]), "x of shape (2,) and y of shape (1,)"),
        (([1, 2], [0, 1], [[1, 2]], [1]), "training set has 1 columns of x and the validation set"),
        (([1, 2], [0, 1], [1], [1], [1], None), "only one of x and y"),
    ],
)
def test_sets_that_are_none_are_refused(sets, sentence):
    with pytest.raises(InputError) as caught:
        split(*sets)
    assert sentence in str(caught.value)


def test_resampling_needs_both_classes():
    with pytest.raises(InputError, match="both classes"):
        sweep.train(split([1, 2], [1, 1], *READ), seeds=1, epochs=1, resample=True)


def test_an_unknown_problem_is_refused():
    with pytest.raises(InputError, match="no problem 'spirals'; there are outlier"):
        sweep.train("spirals")


def test_combinations_change_the_last_fastest():
    axes, every = combinations({"learning_rate": [0.1, 0.2], "widths": ["3", "none"], "l2": 0.5})
    assert list(axes) == ["widths", "learning_rate"]
    assert [(one.widths, one.learning_rate) for one in every] == [
        ((3,), 0.1),
        ((3,), 0.2),
        ((), 0.1),
        ((), 0.2),
    ]
    assert every[0] == Hyperparameters(widths=(3,), learning_rate=0.1, l2=0.5)
